"""The sorted runs of the cold part: which are to be merged, how that is done in small parts, and by whom."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from facility.errors import StoreUnavailable
from facility.store.duckdb_file import Connection, fetch, one, run

_PART_READINGS: Final = 1_000_000  # a part takes well under a second, so that the hot part can be moved in between

log = logging.getLogger(__name__)


def due(runs: Mapping[int, int], fan_in: int, longest: int) -> Sequence[int]:
    """
    Return the runs to merge next, none if all is well.

    `runs` says how many readings each run holds. Runs are of one level if their sizes have the same power of
    `fan_in`; so many of one level become one of the next. Each reading is then moved once a level, and a store of any
    size has only a few runs a level. Runs that would become longer than `longest` stay: a query finds its place in
    them as fast as in longer ones.
    """
    levels: dict[int, list[int]] = {}
    for number, readings in sorted(runs.items()):
        if readings <= longest:
            levels.setdefault(math.floor(math.log(max(readings, 1), fan_in) + 1e-9), []).append(number)
    for level in sorted(levels):
        chosen = levels[level][:fan_in]
        if len(chosen) == fan_in and sum(runs[number] for number in chosen) <= longest:
            return chosen
    return ()


@dataclass(slots=True)
class Merge:
    """
    A merge under way: parts of the points, one after the other, leave their old runs for a new one.

    Which run a reading is in decides only how fast it is found. So each part is a transaction of its own, queries may
    come between, and a merge cut short by a crash leaves nothing to mend.
    """

    target: int
    sources: Sequence[int]
    readings: int = 0
    _parts: list[tuple[int, int]] = field(default_factory=list)  # first and last point id of each part to come

    @classmethod
    def plan(cls, cursor: Connection, target: int, sources: Sequence[int]) -> Self:
        """Cut the points so that each part holds about a million readings."""
        held = fetch(
            cursor,
            "SELECT point, count(*) AS n FROM cold WHERE run IN (SELECT unnest(?)) GROUP BY point ORDER BY point",
            [list(sources)],
        )
        points, before = held["point"], np.cumsum(held["n"]) - held["n"]
        first = np.flatnonzero(np.diff(before // _PART_READINGS, prepend=-1))
        last = np.append(first[1:], len(points)) - 1
        parts = list(zip(points[first].tolist(), points[last].tolist(), strict=True)) if len(points) else []
        return cls(target, sources, 0, parts)

    def go_on(self, cursor: Connection) -> bool:
        """Move the next part; True if it was the last."""
        run(cursor, "BEGIN")
        if self._parts:
            first, last = self._parts[0]
            chosen = [list(self.sources), first, last]
            self.readings += one(
                cursor,
                "INSERT INTO cold SELECT ?, point, time_ms, sub_us, value, quality FROM cold "
                "WHERE run IN (SELECT unnest(?)) AND point BETWEEN ? AND ? ORDER BY point, time_ms, sub_us",
                [self.target, *chosen],
            )
            run(cursor, "DELETE FROM cold WHERE run IN (SELECT unnest(?)) AND point BETWEEN ? AND ?", chosen)
        finished = len(self._parts) <= 1
        if finished:
            run(cursor, "DELETE FROM runs WHERE run IN (SELECT unnest(?))", [list(self.sources)])
            run(cursor, "INSERT INTO runs VALUES (?, ?)", [self.target, self.readings])
        run(cursor, "COMMIT")
        del self._parts[:1]
        return finished


class Housekeeper:
    """A thread that compacts when it is woken; a failure is logged and the next waking tries again."""

    def __init__(self, compact: Callable[[], None], name: str) -> None:
        self._compact = compact
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Ask for a compaction; returns at once."""
        self._woken.set()

    def stop(self) -> None:
        """Finish the compaction under way and end the thread."""
        self._stopping = True
        self._woken.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._stopping:
                return
            try:
                self._compact()
            except StoreUnavailable as error:
                if self._stopping:
                    return
                log.warning("compaction failed, readings stay in the hot part", extra={"reason": str(error)})
