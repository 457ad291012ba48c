"""Steps of any length out of an InfluxDB: from stored roll-ups where they give the same, else from the readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from facility.readings import Aggregates
from facility.store.influx_answers import no_steps
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_ledger import State
from facility.store.influx_questions import LIMIT_US
from facility.store.influx_rollups import STORED, Points, RollupReader
from facility.store.influx_sums import Summer
from facility.store.levels import DAY_US, Level, Steps
from facility.store.rollups import sums_of, usable_levels
from facility.store.steps import StepSums, aggregates_of, by_step, join_steps

# Asking for roll-ups asks for doubtful ones too, and for readings at both ends: not worth it for less.
_WORTH_US: Final = DAY_US
Stretch = tuple[Level | None, int, int]  # the level, None for readings; start and end [µs]


class Aggregator:
    """Sums up readings of one database by steps; safe to use from several threads."""

    def __init__(self, database: InfluxDatabase, summer: Summer, rollups: RollupReader) -> None:
        self._database = database
        self._summer = summer
        self._rollups = rollups

    def aggregate(
        self, keys: Sequence[str], start_us: int, end_us: int, step_us: int, origin_us: int
    ) -> Mapping[str, Aggregates]:
        """Return mean, min, max, last and count by steps; see the contract."""
        if step_us <= 0:
            raise ValueError(f"step_us is {step_us}; give a step above zero, such as 60_000_000 for one minute")
        steps = self._database.steps()
        state = self._database.ledger.seen()
        stretches = _stretches(start_us, end_us, step_us, origin_us, state, steps)
        if all(level is None for level, _, _ in stretches):
            return self._summer.aggregate(keys, start_us, end_us, step_us, origin_us)
        points = Points.of(self._database.entries(keys))
        if not points.keys:
            return {key: no_steps() for key in keys}
        parts = []
        for level, first_us, last_us in stretches:
            if level is None:
                found = self._summer.aggregate(points.keys, first_us, last_us, step_us, origin_us)
                parts.append(_as_sums(found, points.keys))
            else:
                rows = self._rollups.rows(points, level, first_us, last_us, steps)
                parts.append(by_step(sums_of(rows, level, steps), step_us, origin_us))
        sums = join_steps(parts)
        edges = np.searchsorted(sums.point, np.arange(len(points.keys) + 1))
        answer = {key: aggregates_of(sums, slice(edges[i], edges[i + 1])) for i, key in enumerate(points.keys)}
        return {key: answer.get(key, no_steps()) for key in keys}


def _stretches(start_us: int, end_us: int, step_us: int, origin_us: int, state: State, steps: Steps) -> list[Stretch]:
    """Cut [start, end) into stretches that are answered from one level, or from the readings (None), in order. [µs]"""
    start_us, end_us = max(start_us, -LIMIT_US), min(end_us, LIMIT_US)
    whole_us = state.whole_us
    found: list[Stretch] = []
    # The finest level that is kept stands for readings that have gone; a coarser one where it comes to the same.
    bands: list[tuple[Level, int, int]] = []
    until_us = min(end_us, whole_us)
    for finest in Level:
        first_us = start_us if finest is Level.DAY else max(start_us, state.kept[finest])
        if first_us < until_us:
            # A step that the cut goes through, as in zones whose days begin at no whole hour, is the coarser level's.
            bands.insert(0, (finest, first_us, min(steps.ceil(finest, until_us), end_us)))
            until_us = first_us
    for finest, first_us, until_us in bands:
        start_us = max(start_us, first_us)
        not_finer = tuple(Level)[tuple(Level).index(finest) :]
        coarsest = _fitting(not_finer, step_us, origin_us, start_us, until_us, steps) or finest
        found += _cut(finest, coarsest, start_us, until_us, steps)
        start_us = max(start_us, until_us)
    start_us = max(start_us, whole_us)
    if start_us < end_us:
        rolled_us = min(end_us, state.rolled_us)
        level = _fitting(STORED, step_us, origin_us, start_us, rolled_us, steps)
        found += _cut(None, level if rolled_us - start_us >= _WORTH_US else None, start_us, rolled_us, steps)
        found.append((None, max(start_us, rolled_us), end_us))
    return _joined(found)


def _fitting(
    levels: Sequence[Level], step_us: int, origin_us: int, start_us: int, end_us: int, steps: Steps
) -> Level | None:
    """Return the coarsest of these levels of which every step of the question holds whole steps."""
    usable = usable_levels(start_us, end_us, step_us, origin_us, steps) if start_us < end_us else []
    fitting = [level for level in usable if level in levels and end_us - start_us >= level.step_us]
    return fitting[-1] if fitting else None


def _cut(finer: Level | None, coarser: Level | None, start_us: int, end_us: int, steps: Steps) -> list[Stretch]:
    """Give whole steps of the coarser level to it, and the rest to the finer one or the readings."""
    if coarser is None or coarser is finer:
        return [(finer, start_us, end_us)]
    first_us, last_us = steps.ceil(coarser, start_us), steps.floor(coarser, end_us)
    if first_us >= last_us:
        return [(finer, start_us, end_us)]
    return [(finer, start_us, first_us), (coarser, first_us, last_us), (finer, last_us, end_us)]


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Leave out empty stretches and join neighbours of one level."""
    joined: list[Stretch] = []
    for level, start_us, end_us in stretches:
        if start_us >= end_us:
            continue
        if joined and joined[-1][0] is level and joined[-1][2] == start_us:
            joined[-1] = level, joined[-1][1], end_us
        else:
            joined.append((level, start_us, end_us))
    return joined


def _as_sums(found: Mapping[str, Aggregates], keys: Sequence[str]) -> StepSums:
    """Return steps as sums that can be joined; a point's id is its place in `keys`."""
    parts = [found[key] for key in keys]
    mean, count = np.concatenate([a.mean for a in parts]), np.concatenate([a.count for a in parts])
    return StepSums(
        np.repeat(np.arange(len(keys), dtype=np.int32), [len(a) for a in parts]),
        np.concatenate([a.time_us for a in parts]),
        mean * count,
        np.concatenate([a.min for a in parts]),
        np.concatenate([a.max for a in parts]),
        np.concatenate([a.last for a in parts]),
        count,
    )
