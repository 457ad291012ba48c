"""From what sensors showed over a stretch of time to readings as gateways would have sent them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import SIMULATED, ReadingBatch
from facility.site import Site
from simulators.faults import FaultBook, gateways_of

Array = NDArray[np.float64]

_US: Final = 1_000_000
SILENT: Final = "DA-F08"
CLOCK: Final = "DA-F07"
CLOCK_LOSES_US: Final = 30 * 60 * _US  # at full severity
_Rows = tuple[NDArray[np.int32], NDArray[np.int64], Array]  # points, times, values


class Sampler:
    """
    Picks from what sensors show what is written: each point at its own interval or at a step, whichever is longer.

    Parameters
    ----------
    step_us : the shortest interval [µs]
    only : keys of the points that are written; None: all
    """

    def __init__(self, site: Site, book: FaultBook, step_us: int, only: Set[str] | None = None) -> None:
        self._site, self._book, self._step_us, self._only = site, book, step_us, only
        self._groups: dict[int, list[str]] = {}
        self._known: set[str] = set()

    def batch(self, times: NDArray[np.int64], values: Mapping[str, Array]) -> ReadingBatch:
        """Return the readings of a stretch; what a silent device or gateway did not tell is not among them."""
        if values.keys() != self._known:
            self._group(values)
        table = self._site.points
        points, stamps, numbers = [], [], []
        for every_us, keys in self._groups.items():
            chosen = times % every_us == 0
            due = times[chosen]
            points.append(np.repeat(np.array([table.index[k] for k in keys], dtype=np.int32), len(due)))
            stamps.append(np.tile(due, len(keys)))
            numbers.append(np.concatenate([values[key][chosen] for key in keys]))
        rows = np.concatenate(points), np.concatenate(stamps), np.concatenate(numbers)
        told = ~np.isnan(rows[2])
        if not told.all():
            rows = rows[0][told], rows[1][told], rows[2][told]
        for fault_id, gateway in self._book.of_data("gateway"):
            rows = self._suffer(fault_id, gateway, rows)
        return ReadingBatch.of(table, *rows, SIMULATED)

    def _group(self, values: Mapping[str, Array]) -> None:
        self._known, self._groups = set(values), {}
        for key in values:
            if self._only is not None and key not in self._only:
                continue
            spec = self._site.point(key)
            assert spec is not None
            every_us = max(self._step_us, round(spec.every * _US) // self._step_us * self._step_us)
            self._groups.setdefault(every_us, []).append(key)

    def _suffer(self, fault_id: str, gateway: str, rows: _Rows) -> _Rows:
        """Let a gateway's fault act on what came through it."""
        points, times, values = rows
        if fault_id not in (SILENT, CLOCK):
            return rows
        behind = set(gateways_of(self._site)[gateway])
        mine = np.isin(points, [i for i, a in enumerate(self._site.points.addresses) if a.equipment in behind])
        severity = np.zeros(len(points))
        if mine.any():
            moments, place = np.unique(times[mine], return_inverse=True)
            severity[mine] = np.broadcast_to(self._book.severity(fault_id, gateway, moments), moments.shape)[place]
        if fault_id == CLOCK:
            return points, times - np.round(CLOCK_LOSES_US * severity).astype(np.int64), values
        kept = severity == 0.0
        return points[kept], times[kept], values[kept]
