"""The newest value of every point, in arrays, and a way to hear which of them changed.

The collector's thread writes, request threads read, and event streams on the server's loop wait for the board's bell. A
listener keeps nothing but the revision that it has seen and asks what changed since: whoever reads slowly gets fewer,
newer values, never a growing queue.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.times import now_us
from facility.readings import HISTORICAL, Latest, PointTable, ReadingBatch, StaleNotice


class Wake:
    """An event on an asyncio loop that any thread may set; many calls before the loop turns are one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._called = False

    def call(self) -> None:
        """Wake the waiter; from any thread, at the cost of a flag when it has been called already."""
        if self._called:
            return
        self._called = True
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until called, or for so long; return whether it was called."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        # First the flag, then the event: a call in between sets the event after this turn, so that none is lost.
        self._called = False
        self._event.clear()
        return True


class Bell:
    """Rings all that listen; from any thread. Once closed it stays rung."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Wake] = set()
        self.closed = False

    def ring(self) -> None:
        """Wake all listeners."""
        with self._lock:
            listeners = tuple(self._listeners)
        for wake in listeners:
            wake.call()

    def close(self) -> None:
        """Wake all listeners for the last time; `closed` tells them why."""
        self.closed = True
        self.ring()

    @contextmanager
    def heard_by(self, wake: Wake) -> Iterator[None]:
        """Let `wake` be called at each ring while the block runs."""
        with self._lock:
            self._listeners.add(wake)
        try:
            if self.closed:
                wake.call()
            yield
        finally:
            with self._lock:
                self._listeners.discard(wake)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """
    The newest reading of each point, in the order of the point table.

    Attributes
    ----------
    revision : int
        Grows with every change; `LiveBoard.changed_since` takes it.
    time_us : (points,) int64
        [µs]; 0 where nothing has ever been read
    value : (points,) float64
        In the point's unit; NaN where nothing has ever been read.
    quality : (points,) uint8
    offline_us : (points,) int64
        Since when the point's device has told that it has no value; 0 where it has told nothing of the kind. [µs]
    held_us : (points,) int64
        Until when the value of a point that reports by exception is known to hold; 0 where nobody vouches for it. [µs]
    """

    revision: int
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    offline_us: NDArray[np.int64]
    held_us: NDArray[np.int64]


class LiveBoard:
    """
    A sink that keeps the newest reading of each point of one table.

    Parameters
    ----------
    table : the site's points
    clock : the time now [µs]
    held : until when the last value of each point is known to hold, see `facility.liveness`; None: of none it is known
    """

    def __init__(
        self, table: PointTable, clock: Callable[[], int] = now_us, held: Callable[[], NDArray[np.int64]] | None = None
    ) -> None:
        self.table = table
        self._held = held if held is not None else lambda: np.zeros(len(table), dtype=np.int64)
        self._clock = clock
        self.bell = Bell()
        self._lock = threading.Lock()
        self._revision = 0
        self._time_us = np.zeros(len(table), dtype=np.int64)
        self._value = np.full(len(table), np.nan)
        self._quality = np.zeros(len(table), dtype=np.uint8)
        self._offline_us = np.zeros(len(table), dtype=np.int64)
        self._changed_at = np.zeros(len(table), dtype=np.int64)  # revision of each point's last change

    def __call__(self, batch: ReadingBatch) -> None:
        """Take the newest reading of each point in the batch; an older one than the board's changes nothing."""
        if batch.table is not self.table:
            raise ValueError("the batch names points of another table; make the board from the same site")
        if len(batch) == 0:
            return
        self._back_again(batch)
        batch = batch.as_seen(self._clock())
        # Within a point by time, then by arrival: the last of each group is what the board wants.
        order = np.lexsort((batch.time_us, batch.point))
        point = batch.point[order]
        last = order[np.append(point[1:] != point[:-1], True)]
        self._take(batch.point[last].astype(np.intp), batch.time_us[last], batch.value[last], batch.quality[last])

    def seed(self, latest: Mapping[str, Latest]) -> None:
        """Take what the store holds; points that the site no longer has are left out."""
        known = [(self.table.index[key], reading) for key, reading in latest.items() if key in self.table.index]
        if known:
            now = self._clock()
            self._take(
                np.array([i for i, _ in known], dtype=np.intp),
                np.array([min(r.time_us, now) for _, r in known], dtype=np.int64),
                np.array([r.value for _, r in known], dtype=np.float64),
                np.array([r.quality for _, r in known], dtype=np.uint8),
            )

    def mark_stale(self, notice: StaleNotice) -> None:
        """Take a device's word that points have no value any more; the next reading of each ends it."""
        self._set_offline(notice.point.astype(np.intp), notice.at_us)

    def replace_stale(self, notices: Iterable[StaleNotice]) -> None:
        """Take all that devices have told, in place of what was known; for a process that is not told of each."""
        offline_us = np.zeros(len(self.table), dtype=np.int64)
        for notice in notices:
            offline_us[notice.point] = notice.at_us
        with self._lock:
            changed = np.flatnonzero(offline_us != self._offline_us)
        for at_us in np.unique(offline_us[changed]):
            self._set_offline(changed[offline_us[changed] == at_us], int(at_us))

    def _back_again(self, batch: ReadingBatch) -> None:
        # By arrival and not by time: the gateway that is back may have a slower clock than ours.
        with self._lock:
            if not self._offline_us.any():
                return
            point = np.unique(batch.point[(batch.quality & HISTORICAL) == 0]).astype(np.intp)
            point = point[self._offline_us[point] != 0]
        self._set_offline(point, 0)

    def _set_offline(self, point: NDArray[np.intp], at_us: int) -> None:
        if point.size == 0:
            return
        with self._lock:
            self._revision += 1
            self._offline_us[point] = at_us
            read = point[self._time_us[point] > 0]
            self._changed_at[read] = self._revision
        self.bell.ring()

    def _take(
        self,
        point: NDArray[np.intp],
        time_us: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint8],
    ) -> None:
        with self._lock:
            newer = time_us >= self._time_us[point]
            point = point[newer]
            if point.size == 0:
                return
            self._revision += 1
            self._time_us[point] = time_us[newer]
            self._value[point] = value[newer]
            self._quality[point] = quality[newer]
            self._changed_at[point] = self._revision
        self.bell.ring()

    @property
    def revision(self) -> int:
        """Return the number of changes so far."""
        return self._revision

    def snapshot(self) -> Snapshot:
        """Return a copy of everything, taken at one instant."""
        held = self._held()
        with self._lock:
            return Snapshot(
                self._revision, self._time_us.copy(), self._value.copy(), self._quality.copy(),
                self._offline_us.copy(), np.where(self._time_us > 0, held, 0),
            )  # fmt: skip

    def latest(self, key: str) -> Latest | None:
        """Return the newest reading of `equipment/point`; None if there is no such point or nothing was read yet."""
        index = self.table.index.get(key)
        if index is None:
            return None
        with self._lock:
            if self._changed_at[index] == 0:
                return None
            return Latest(
                int(self._time_us[index]), float(self._value[index]), int(self._quality[index]),
                int(self._offline_us[index]) or None,
            )  # fmt: skip

    def changed_since(self, revision: int) -> NDArray[np.intp]:
        """Return the indices of the points that have changed after `revision`; 0 gives all that were ever read."""
        with self._lock:
            return np.flatnonzero(self._changed_at > revision)

    def close(self) -> None:
        """Ring for the last time, so that all listeners go; readings are still taken."""
        self.bell.close()
