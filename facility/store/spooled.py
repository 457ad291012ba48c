"""A keeper before another one: while that is away, what comes waits in a spool on disk (ADR 8)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np

from facility.errors import ConfigurationError, StoreHeld, StoreUnavailable
from facility.readings import Aggregates, Latest, PointAddress, PointTable, ReadingBatch, Rollups, Series
from facility.store.checks import check_batch
from facility.store.contract import Expired, LevelSize, PointsRefused, StoreSize, TelemetryStore
from facility.store.levels import Level, Retention
from facility.store.spool import Spool, SpoolSettings, newest_of
from facility.store.waiting import WaitingReadings

log = logging.getLogger(__name__)

SpoolState = Literal["direct", "away", "draining", "full"]
Refused = Callable[[ReadingBatch, PointsRefused], None]

SPOOL_WARNING: Final = 0.7  # share of its bound from which on a person should look
_RESTOCK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class SpooledSettings:
    """
    How a keeper that is away is treated.

    Attributes
    ----------
    patience_s : a write that takes longer goes to the spool: live rules must not wait for a keeper that hangs [s]
    first_retry_s, longest_retry_s : pauses between attempts to reach the keeper, doubling [s]
    drain_readings : about so many go to the keeper in one write
    stop_s : how long `close` goes on draining into a keeper that takes readings; what is left is drained after the
        next start. `close` ends `patience_s` later, also if the keeper hangs [s]
    spool : how much disk the spool may take
    """

    patience_s: float = 5.0
    first_retry_s: float = 0.25
    longest_retry_s: float = 10.0
    drain_readings: int = 100_000
    stop_s: float = 5.0
    spool: SpoolSettings = field(default_factory=SpoolSettings)


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """
    How the spool and the keeper behind it stand.

    Attributes
    ----------
    state : `direct` the keeper takes everything; `away` it does not, the spool does; `draining` it is back and gets
        what waits; `full` neither takes anything
    bytes, bound_bytes, share : what waits, what may wait, and the one as a share of the other
    readings : how many wait
    oldest_us : when the oldest of them were spooled; None: nothing waits [µs]
    away_since_us : since when the keeper takes nothing; None: it does [µs]
    last_error, last_error_us : the newest trouble with keeper or spool, and when; "" and None: there was none
    refused : readings that the keeper will never take, since the start
    damaged : stretches of the spool that could not be read, since the start
    """

    state: SpoolState
    bytes: int
    bound_bytes: int
    share: float
    readings: int
    oldest_us: int | None
    away_since_us: int | None
    last_error: str
    last_error_us: int | None
    refused: int
    damaged: int


class _Task:
    """A batch on its way to the keeper, and somebody who waits for it."""

    __slots__ = ("abandoned", "batch", "done", "error")

    def __init__(self, batch: ReadingBatch) -> None:
        self.batch = batch
        self.done = threading.Event()
        self.error: Exception | None = None
        self.abandoned = False


class SpooledStore:
    """
    A `TelemetryStore` before another one.

    `write` returns when the batch is in the keeper or, that being away, synced in the spool. While the spool holds
    anything, what comes is added to it, so that the order stays; one thread moves the oldest readings first into the
    keeper as soon as that takes them, also after a restart. Questions are the keeper's to answer; only `latest` knows
    of what waits.

    Parameters
    ----------
    store : the keeper, or a function that opens it; if it cannot be opened now, it is tried again and again
    folder : the spool's
    settings : how patient, and how much disk
    table : the site's points, by which spooled readings come back
    on_refused : takes readings that the keeper will never take; StoreUnavailable if it cannot take them now. Without
        it, `write` raises PointsRefused.
    hold : returns why the keeper is not to be written to just now, or ""
    clock : the time now [µs]

    Raises
    ------
    ConfigurationError
        If the keeper's setting is wrong or the folder cannot be used.
    StoreHeld
        If another process holds the folder or the keeper's file.
    """

    def __init__(
        self,
        store: TelemetryStore | Callable[[], TelemetryStore],
        folder: Path,
        settings: SpooledSettings | None = None,
        *,
        table: PointTable | None = None,
        on_refused: Refused | None = None,
        hold: Callable[[], str] = lambda: "",
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.settings = settings or SpooledSettings()
        self._clock = clock
        self._hold = hold
        self._on_refused = on_refused
        self._open: Callable[[], TelemetryStore] = store if callable(store) else lambda: store
        self._store: TelemetryStore | None = None
        self._changed = threading.Condition()
        self._tasks: deque[_Task] = deque()
        self._closing = False
        self._stop_by = 0.0
        self._retry_at = self._wait_s = 0.0
        self._away_since_us: int | None = None
        self._full = False
        self._last_error = ""
        self._last_error_us: int | None = None
        self._refused = 0
        self._adding = threading.Lock()
        self._spool = Spool(folder, self.settings.spool, table, clock)
        self._newest: dict[str, Latest] = {}
        try:
            self._newest.update(self.waiting().latest())
            self._store = self._open()
        except StoreHeld:
            self._spool.close()
            raise
        except StoreUnavailable as error:
            self._failed(error)
        except BaseException:
            self._spool.close()
            raise
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    # Writing ------------------------------------------------------------------------------------------------------

    def write(self, batch: ReadingBatch) -> None:
        """
        Store a batch; when this returns, it is in the keeper or in the spool and survives a kill -9.

        Raises
        ------
        ValueError
            If a value is not finite or a point is not of the batch's table: no other try would store it.
        StoreUnavailable
            If neither keeper nor spool takes it; try again.
        """
        if self._closing:
            raise StoreUnavailable("the store has been closed; open it again")
        if len(batch) == 0:
            return
        check_batch(batch)
        task = self._offer(batch)
        if task is not None:
            if not task.done.wait(self.settings.patience_s):
                task.abandoned = True
                self._trouble("a write takes long; what comes waits in the spool")
            elif task.error is None:
                return
            elif isinstance(task.error, (ValueError, PermissionError)):
                raise task.error
        self._add(batch)

    def _offer(self, batch: ReadingBatch) -> _Task | None:
        """Give a batch to the writing thread if nothing waits before it."""
        with self._changed:
            if self._store is None or not self._spool.empty or self._closing:
                return None
            task = _Task(batch)
            self._tasks.append(task)
            self._changed.notify_all()
            return task

    def _add(self, batch: ReadingBatch) -> None:
        with self._adding:
            try:
                self._spool.append(batch)
            except StoreUnavailable as error:
                self._full = True
                self._trouble(str(error))
                raise
            if self._full:
                log.info("the spool takes readings again")
            self._full = False
            newest_of(batch, self._newest)
        with self._changed:
            self._changed.notify_all()

    # The writing thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        restock_at = 0.0
        while True:
            with self._changed:
                if not (self._tasks or self._closing or self._due()):
                    self._changed.wait(self._pause())
                task = self._tasks.popleft() if self._tasks else None
            if task is not None:
                self._serve(task)
            elif self._closing and (self._store is None or self._spool.empty or not self._going_well()):
                return
            elif self._due():
                self._go_on()
            if time.monotonic() > restock_at:
                self._spool.stock()
                restock_at = time.monotonic() + _RESTOCK_S

    def _going_well(self) -> bool:
        return self._away_since_us is None and time.monotonic() < self._stop_by

    def _due(self) -> bool:
        return (self._store is None or not self._spool.empty) and time.monotonic() >= self._retry_at

    def _pause(self) -> float:
        if self._store is None or not self._spool.empty:
            return max(0.0, min(_RESTOCK_S, self._retry_at - time.monotonic()))
        return _RESTOCK_S

    def _serve(self, task: _Task) -> None:
        """Write what somebody waits for; what he has given up waiting for is in the spool."""
        if task.abandoned:
            return
        try:
            if not self._spool.empty:
                raise StoreUnavailable("earlier readings wait in the spool")
            self._keep(task.batch)
        except (ValueError, PermissionError) as error:
            task.error = error
        except Exception as error:
            task.error = error
            if self._spool.empty:
                self._failed(error)
        else:
            self._succeeded()
        task.done.set()

    def _keep(self, batch: ReadingBatch) -> None:
        """Write to the keeper; what it refuses for ever goes where such readings go."""
        why = self._hold()
        if why:
            raise StoreUnavailable(why)
        assert self._store is not None
        try:
            self._store.write(batch)
        except PointsRefused as error:
            self._refuse(batch, error)

    def _refuse(self, batch: ReadingBatch, error: PointsRefused) -> None:
        if self._on_refused is None:
            raise error
        refused = [i for key in error.keys if (i := batch.table.index.get(key)) is not None]
        part = batch.take(np.isin(batch.point, np.array(refused, dtype=np.int32)))
        self._on_refused(part, error)
        self._refused += len(part)

    def _go_on(self) -> None:
        """Open the keeper if it was not to be had before; else give it the oldest readings that wait."""
        try:
            if self._store is None:
                self._store = self._open()
                log.info("the store has been opened")
                self._succeeded()
                return
            chunk = self._spool.oldest(self.settings.drain_readings)
            for batch in chunk.batches if chunk is not None else ():
                self._drain(batch)
            if chunk is not None:
                self._spool.taken(chunk)
        except Exception as error:
            if not isinstance(error, (StoreUnavailable, ConfigurationError)):
                log.exception("spooled readings could not be stored; they are kept and tried again")
            self._failed(error)
        else:
            self._succeeded()
            with self._adding:
                if self._spool.empty and self._newest:
                    self._newest.clear()
                    log.info("the spool is empty: everything is in the store")

    def _drain(self, batch: ReadingBatch) -> None:
        try:
            self._keep(batch)
        except ValueError as error:
            # No try would store it, and all that waits behind it would wait for ever.
            keys = sorted({batch.table.key(int(p)) for p in np.unique(batch.point)})
            refused = error if isinstance(error, PointsRefused) else PointsRefused(keys, str(error))
            if self._on_refused is not None:
                self._refuse(batch, refused)
            else:
                log.error("spooled readings are refused by the store", extra={"why": str(refused)})
                self._refused += len(batch)

    def _failed(self, error: Exception) -> None:
        if self._away_since_us is None:
            self._away_since_us = self._clock()
            self._wait_s = self.settings.first_retry_s
            log.error("the store takes no readings; they wait in the spool", extra={"why": str(error)})
        self._retry_at = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, self.settings.longest_retry_s)
        self._trouble(str(error) or type(error).__name__)

    def _succeeded(self) -> None:
        if self._away_since_us is not None:
            log.info("the store takes readings again", extra={"waiting": self._spool.readings})
        self._away_since_us, self._retry_at, self._full = None, 0.0, False

    def _trouble(self, words: str) -> None:
        self._last_error, self._last_error_us = words, self._clock()

    # Questions ----------------------------------------------------------------------------------------------------

    @property
    def keeper(self) -> TelemetryStore:
        """Return the keeper itself, for bulk work that need not be spooled; StoreUnavailable if it is not open."""
        if self._store is None:
            raise StoreUnavailable(self._last_error or "the store is not open yet")
        return self._store

    def spool_status(self) -> SpoolStatus:
        """Return how spool and keeper stand; never waits for either."""
        spool, away = self._spool, self._away_since_us
        waiting, bound = spool.waiting_bytes, self.settings.spool.bound_bytes
        state: SpoolState = "direct"
        if self._full:
            state = "full"
        elif away is not None:
            state = "away"
        elif not spool.empty:
            state = "draining"
        return SpoolStatus(
            state=state,
            bytes=waiting,
            bound_bytes=bound,
            share=min(1.0, waiting / bound),
            readings=spool.readings,
            oldest_us=spool.oldest_us,
            away_since_us=away,
            last_error=self._last_error,
            last_error_us=self._last_error_us,
            refused=self._refused,
            damaged=spool.damaged,
        )

    def waiting(self) -> WaitingReadings:
        """Return what waits, as far as the last segment of the spool holds it."""
        return WaitingReadings(self._spool.tail())

    def newest_spooled(self) -> Mapping[str, Latest]:
        """Return the newest waiting reading of each point; after a restart, of the spool's last part only."""
        with self._adding:
            return dict(self._newest)

    def latest(self, keys: Sequence[str] | None = None) -> Mapping[str, Latest]:
        """Return the newest reading of each named point (of all, if None), whether in the keeper or waiting."""
        waiting = self.newest_spooled()
        found = dict(self.keeper.latest(keys))
        for key, newest in waiting.items():
            if (keys is None or key in keys) and (key not in found or newest.time_us >= found[key].time_us):
                found[key] = newest
        return found

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings that the keeper has."""
        return self.keeper.series(keys, start_us, end_us)

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int = 0
    ) -> Mapping[str, Aggregates]:
        """Return what the keeper's readings sum up to."""
        return self.keeper.aggregate(keys, start_us, end_us, step_us, origin_us)

    def rollup(self, keys: Sequence[str], level: Level, start_us: int, end_us: int) -> Mapping[str, Rollups]:
        """Return the keeper's steps of a level."""
        return self.keeper.rollup(keys, level, start_us, end_us)

    def expire(self, retention: Retention, now_us: int) -> Expired:
        """Let the keeper delete what is too old."""
        return self.keeper.expire(retention, now_us)

    def levels(self) -> Sequence[LevelSize]:
        """Return what the keeper has of each level."""
        return self.keeper.levels()

    def delete_before(self, time_us: int) -> int:
        """Let the keeper delete readings."""
        return self.keeper.delete_before(time_us)

    def points(self) -> Sequence[str]:
        """Return the points of which the keeper holds readings."""
        return self.keeper.points()

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """Return where points belong, as the keeper knows it."""
        return self.keeper.addresses(keys)

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many readings of each point the keeper has."""
        return self.keeper.count(keys, start_us, end_us)

    def size(self) -> StoreSize:
        """Return how much the keeper holds."""
        return self.keeper.size()

    def close(self) -> None:
        """Store what waits, if the keeper takes it within `stop_s`, and let go; a second call does nothing."""
        with self._changed:
            if self._closing:
                return
            self._stop_by = time.monotonic() + self.settings.stop_s
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self.settings.stop_s + self.settings.patience_s)
        self._spool.close()
        if self._thread.is_alive():
            # Closing the keeper would hang as well. All that was acknowledged is in the spool or in the keeper's log.
            log.error("the store hangs in a write and is left as it is; what waits is stored after the next start")
        elif self._store is not None:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
