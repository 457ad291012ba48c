"""The way of batches to the live rules: one thread that takes all that has come, so that a burst costs one round."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.live.rules import PORTION, LimitEvent, LiveRules
from facility.errors import StoreUnavailable
from facility.readings import ReadingBatch, StaleNotice

log = logging.getLogger(__name__)

_TICK_S: Final = 1.0
# A round costs nearly the same for one reading as for thousands, so that rounds keep this distance.
_PACE_S: Final = 0.2
# Beyond this many readings the caller waits: memory is bounded, and the broker holds what is not acknowledged.
_MOST_WAITING: Final = 100_000


class LiveFeed:
    """
    A sink for batches. Judges them on its own thread, lets time pass once a second, and hands on what follows.

    Parameters
    ----------
    rules : the site's live rules, resumed if need be
    on_events : takes what happened to limits; on StoreUnavailable the events are kept and handed over again
    on_derived : each takes the readings of derived points; one that raises is logged and does not stop the others
    clock : the time now [µs]
    first : events that a restart left over
    held : until when the last value of each point is known to hold, see `facility.liveness`; None: of none it is known
    on_stale : told which derived points have no value any more, in their turn among the derived readings
    """

    def __init__(
        self,
        rules: LiveRules,
        on_events: Callable[[Sequence[LimitEvent]], None],
        on_derived: Sequence[Callable[[ReadingBatch], None]],
        clock: Callable[[], int],
        first: Sequence[LimitEvent] = (),
        on_stale: Callable[[StaleNotice], None] = lambda _notice: None,
        held: Callable[[], NDArray[np.int64]] | None = None,
    ) -> None:
        self._on_stale, self._held = on_stale, held
        self._rules, self._on_events, self._on_derived, self._clock = rules, on_events, tuple(on_derived), clock
        self._undelivered: list[LimitEvent] = list(first)
        self._waiting: list[ReadingBatch | StaleNotice] = []
        self._count = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="live-rules", daemon=True)

    def start(self) -> None:
        """Begin to judge."""
        self._thread.start()

    def stop(self) -> None:
        """Judge what has come and stop; a second call does nothing."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waiting(self) -> int:
        """Return how many readings have come that are not judged yet."""
        with self._changed:
            return self._count

    def __call__(self, batch: ReadingBatch) -> None:
        """Take a batch; returns at once unless the rules are far behind."""
        with self._changed:
            while self._count >= _MOST_WAITING and not self._stopping:
                self._changed.wait()
            self._waiting.append(batch)
            self._count += len(batch)
            self._changed.notify_all()

    def mark_stale(self, notice: StaleNotice) -> None:
        """Take a device's word that points have no value any more, in its turn among the batches."""
        with self._changed:
            self._waiting.append(notice)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, _PACE_S)
                self._changed.wait_for(lambda: self._stopping or self._waiting, _TICK_S)
                come, self._waiting, self._count = self._waiting, [], 0
                stopping = self._stopping
                self._changed.notify_all()
            try:
                self._judge(come)
            except Exception:
                # One bad batch must not end the watch over all others.
                log.exception("live rules failed on a batch", extra={"batches": len(come)})
            if stopping and not come:
                return

    def _judge(self, come: Sequence[ReadingBatch | StaleNotice]) -> None:
        now_us = self._clock()
        if self._held is not None:
            self._rules.hold(self._held(), now_us)
        batches: list[ReadingBatch] = []
        for one in come:
            if isinstance(one, ReadingBatch):
                batches.append(one)
                continue
            # A notice is about what came before it, and nothing that came after.
            self._step(batches, now_us)
            batches = []
            self._undelivered += self._rules.mark_stale(one, now_us)
            derived = np.array(self._rules.site.derived_from(one.point.tolist()), dtype=np.int32)
            self._on_stale(replace(one, point=derived))
        self._step(batches, now_us)
        self._undelivered += self._rules.tick(now_us)
        if self._undelivered:
            try:
                self._on_events(tuple(self._undelivered))
            except StoreUnavailable as error:
                log.warning("alerts wait for the database: %s", error, extra={"events": len(self._undelivered)})
            else:
                self._undelivered.clear()

    def _step(self, batches: Sequence[ReadingBatch], now_us: int) -> None:
        for portion in ReadingBatch.concat(batches).portions(PORTION) if batches else ():
            step = self._rules.step(portion, now_us)
            self._undelivered += step.events
            if len(step.derived):
                for take in self._on_derived:
                    try:
                        take(step.derived)
                    except Exception:
                        log.exception("derived readings were not taken", extra={"readings": len(step.derived)})
