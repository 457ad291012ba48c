"""Decode again what the quarantine holds, once the mapping is mended: what is understood now is stored, and leaves.

A message is decoded as if it came for the first time, with the time at which it did. First its readings are written,
then it is removed: a crash in between repeats some messages, and the same reading twice is one reading.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collector.arrivals import ArrivalLedger
from collector.check import LATE_US
from collector.decode import Decoder
from collector.mapping import TopicMap
from collector.quarantine import KeptMessage, Quarantine, RawMessage, Rejection, Rejections, Verdict
from collector.rejections import MAX_MESSAGE
from collector.replay_orders import Order, Orders
from facility.errors import StoreUnavailable
from facility.readings import CLOCK_SUSPECT, HISTORICAL, ReadingBatch
from facility.site import Site
from facility.sparkplug_names import SPARKPLUG_TOPICS
from facility.store import TelemetryStore
from facility.store.contract import PointsRefused

log = logging.getLogger(__name__)

CHUNK: Final = 500  # messages decoded, written and removed at a time
_LOOK_S: Final = 2.0  # an order of another process is found within so long
_RETRY_S: Final = 5.0
_REST_S: Final = 0.02  # between chunks, so that what comes in live is not held up


@dataclass(frozen=True, slots=True)
class Decoded:
    """
    What came of decoding messages again.

    Attributes
    ----------
    batch : what was understood
    rejections : for each message, in order, what is still refused of it; empty for what leaves
    values : (messages,) how many values came out of each
    leftover : what shows only once the values are scaled
    """

    batch: ReadingBatch
    rejections: tuple[tuple[Rejection, ...], ...]
    values: tuple[int, ...]
    leftover: Rejections


class Redecoder:
    """Decodes raw messages by a site's mapping, as they came and when they came. One thread only."""

    def __init__(self, site: Site) -> None:
        self._topics = TopicMap(site)
        self._decoder = Decoder(self._topics, ArrivalLedger(None), MAX_MESSAGE)

    def decode(self, messages: Sequence[RawMessage], now_us: int) -> Decoded:
        """
        Return readings and refusals; what is older than ten minutes at `now_us` is marked as history.

        Nothing that is replayed counts as of now, whatever its gateway's clock says: no live alarm starts on it.
        """
        refused: list[tuple[Rejection, ...]] = []
        values: list[int] = []
        for message in messages:
            before = len(self._decoder.draft.value)
            refused.append(tuple(self._refused(message)) if replayable(message) else ())
            values.append(len(self._decoder.draft.value) - before)
        draft = self._decoder.take()
        draft.rejections = Rejections()
        batch = draft.batch(self._topics)
        old = (now_us - batch.time_us > LATE_US) | ((batch.quality & CLOCK_SUSPECT) != 0)
        quality = np.where(old, batch.quality | HISTORICAL, batch.quality).astype(np.uint8)
        batch = ReadingBatch(batch.table, batch.point, batch.time_us, batch.value, quality)
        return Decoded(batch, tuple(refused), tuple(values), draft.rejections)

    def _refused(self, message: RawMessage) -> Rejections:
        found = self._decoder.draft.rejections = Rejections()
        try:
            self._decoder.add(message.topic, message.payload, message.arrival_us, 0, False, message.retained)
        except Exception as error:
            found.add(
                message.topic, "internal-fault", f"{type(error).__name__}: {error}; please report this payload",
                message.payload, len(message.payload), message.arrival_us, retained=message.retained,
            )  # fmt: skip
        return found


def replayable(message: RawMessage) -> bool:
    """
    Return False for Sparkplug: its messages mean nothing without the births before them.

    A mended mapping brings the present values by a rebirth; the messages stay for a person to look at.
    """
    return not message.topic.startswith(SPARKPLUG_TOPICS)


def verdict_of(messages: Sequence[KeptMessage], refused: Sequence[Sequence[Rejection]]) -> Verdict:
    """Return which messages leave their row, which go to another row, and what is wrong with those that stay."""
    verdict = Verdict()
    for kept, rejections in zip(messages, refused, strict=True):
        if not replayable(kept.message):
            continue
        same = next((r for r in rejections if r.reason == kept.reason), None)
        if same is not None:
            verdict.still[kept.entry_id] = same
        elif rejections:
            verdict.moved.append((kept.id, rejections[0]))
        else:
            verdict.understood.append(kept.id)
    return verdict


def survey(
    site: Site,
    quarantine: Quarantine,
    now_us: int,
    entries: Sequence[int] | None = None,
    rest: Callable[[], bool] = lambda: False,
) -> Mapping[int, int]:
    """
    Return for each row how many of its messages this site's mapping would understand, if only in part.

    Nothing is changed. A message that would be refused altogether, if for another reason, is not understood.

    `rest` is called between chunks and ends the survey early when it returns True.
    """
    redecoder = Redecoder(site)
    found: Counter[int] = Counter()
    for chunk in quarantine.walk(entries, CHUNK):
        decoded = redecoder.decode([kept.message for kept in chunk], now_us)
        verdict = verdict_of(chunk, decoded.rejections)
        moved = {message for message, _ in verdict.moved}
        partly = {kept.id for kept, n in zip(chunk, decoded.values, strict=True) if n and kept.id in moved}
        leaving = partly.union(verdict.understood)
        found.update({kept.entry_id: 0 for kept in chunk})
        found.update(kept.entry_id for kept in chunk if kept.id in leaving)
        if rest():
            break
    return found


@dataclass(slots=True)
class Outlook:
    """How many messages of each row would be understood now; `complete` once all have been looked at."""

    rows: dict[int, int] = field(default_factory=dict)
    complete: bool = False


class Replays:
    """
    Carries out replay orders, one after the other, in a thread of its own.

    Parameters
    ----------
    quarantine, orders : what is held, and what is to be decoded again
    site, store : the mapping as it is now, and where readings go
    sinks : told of each batch once it is stored
    clock : the time now [µs UTC]
    """

    def __init__(
        self,
        quarantine: Quarantine,
        orders: Orders,
        site: Site,
        store: TelemetryStore,
        clock: Callable[[], int],
        sinks: Sequence[Callable[[ReadingBatch], None]] = (),
    ) -> None:
        self._quarantine = quarantine
        self._orders = orders
        self._site = site
        self._store = store
        self._clock = clock
        self._sinks = tuple(sinks)
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self.outlook = Outlook()

    def start(self) -> None:
        """Look through what is held, then wait for orders; returns at once."""
        self._thread = threading.Thread(target=self._run, name="quarantine-replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End between two chunks; an order that is not finished goes on at the next start."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look for orders now instead of in two seconds."""
        self._woken.set()

    def _run(self) -> None:
        # What came since the start was refused by this very mapping: only what lay here before can be understood now.
        self._look_through(None)
        while not self._ended.is_set():
            try:
                order = self._orders.claim(self._clock())
                if order is not None:
                    self.carry_out(order)
                    continue
            except StoreUnavailable as error:
                log.warning("replay waits", extra={"why": str(error)})
                self._ended.wait(_RETRY_S)
            except Exception:
                log.exception("replay failed")
                self._ended.wait(_RETRY_S)
            self._woken.wait(_LOOK_S)
            self._woken.clear()

    def _look_through(self, entries: Sequence[int] | None) -> None:
        try:
            found = survey(self._site, self._quarantine, self._clock(), entries, lambda: self._ended.wait(_REST_S))
        except StoreUnavailable as error:
            log.warning("the quarantine could not be looked through", extra={"why": str(error)})
            return
        self.outlook = Outlook({**self.outlook.rows, **found}, True)

    def carry_out(self, order: Order) -> Order:
        """
        Replay until the order is done, or `stop` is called; return it as it then stands.

        Raises
        ------
        StoreUnavailable
            If readings or the outcome cannot be written: what is done is done, and the order goes on later.
        """
        redecoder = Redecoder(self._site)
        chosen = order.entries
        while not self._ended.is_set():
            chunk = self._quarantine.messages(chosen, order.cursor, order.up_to, CHUNK)
            if not chunk:
                return self._finish(order)
            order = self._replay(redecoder, order, chunk)
            self._ended.wait(_REST_S)
        self._orders.release(order.id)
        return order

    def _replay(self, redecoder: Redecoder, order: Order, chunk: Sequence[KeptMessage]) -> Order:
        now_us = self._clock()
        decoded = redecoder.decode([kept.message for kept in chunk], now_us)
        refused, error = decoded.rejections, order.error
        batch = decoded.batch
        if len(batch):
            try:
                self._store.write(batch)
            except PointsRefused as refusal:
                error = str(refusal)
                refused = self._kept_back(chunk, refused, refusal.keys, now_us)
            except StoreUnavailable as away:
                self._orders.note_error(order.id, str(away), now_us)
                raise
        verdict = verdict_of(chunk, refused)
        after = order.advanced(
            cursor=chunk[-1].id, done=len(chunk), understood=len(verdict.understood), moved=len(verdict.moved),
            readings=len(batch), error=error,
        )  # fmt: skip
        self._quarantine.settle(verdict, now_us, lambda session: self._orders.note(session, after, now_us))
        if len(decoded.leftover):
            self._quarantine.record(decoded.leftover)
        for sink in self._sinks if len(batch) else ():
            sink(batch)
        return after

    def _kept_back(
        self,
        chunk: Sequence[KeptMessage],
        refused: Sequence[tuple[Rejection, ...]],
        keys: Sequence[str],
        now_us: int,
    ) -> tuple[tuple[Rejection, ...], ...]:
        """Return the refusals with those added whose readings the store did not take: their messages stay."""
        redecoder, names = Redecoder(self._site), set(keys)
        result: list[tuple[Rejection, ...]] = []
        for kept, rejections in zip(chunk, refused, strict=True):
            batch = redecoder.decode([kept.message], now_us).batch
            if (
                not rejections
                and replayable(kept.message)
                and names & {batch.table.key(int(i)) for i in np.unique(batch.point)}
            ):
                m = kept.message
                stays = Rejection(
                    m.topic, kept.reason, f"the store refuses readings of {', '.join(sorted(names))}", m.payload,
                    len(m.payload), m.arrival_us, m.arrival_us, 1, None,
                )  # fmt: skip
                rejections = (stays,)
            result.append(rejections)
        return tuple(result)

    def _finish(self, order: Order) -> Order:
        done = self._orders.finish(order, self._clock())
        log.info(
            "replay finished",
            extra={"order": done.id, "messages": done.done, "understood": done.understood, "readings": done.readings},
        )
        if done.entries is None:
            self.outlook = Outlook()
        self._look_through(done.entries)
        return done
