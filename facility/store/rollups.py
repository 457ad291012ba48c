"""Readings rolled up by the steps of a level: the arithmetic that all keepers share. Pure functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from facility.readings import OUT_OF_RANGE, Rollups
from facility.store.last_write import Readings
from facility.store.levels import HOUR_US, Level, Steps
from facility.store.steps import StepSums, first_of_each_group

# A state holds until the next reading, but not for longer: a silence is not counted as running.
HOLD_US: Final = HOUR_US
STATE: Final = "state"  # the kind of point that is weighted by time


@dataclass(frozen=True, slots=True, eq=False)
class LevelRows:
    """
    What (point, step) groups hold at one level, sorted by both; one row for each.

    Attributes
    ----------
    point : (n,) int32
        The keeper's id of the point.
    number : (n,) int64
        Of the step, as `Steps` counts them.
    mean, min, max, last : (n,) float64
        Of the readings; NaN where `count` is 0.
    count : (n,) int64
        How many readings the step holds.
    time_mean : (n,) float64, known_us : (n,) int64
        As in `Rollups`.
    """

    point: NDArray[np.int32]
    number: NDArray[np.int64]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]
    time_mean: NDArray[np.float64]
    known_us: NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """Return no rows."""
        whole, real = np.empty(0, dtype=np.int64), np.empty(0)
        return cls(whole.astype(np.int32), whole, real, real, real, real, whole, real, whole)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join parts one behind the other."""
        if not parts:
            return cls.none()
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return int(self.point.shape[0])

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return the rows that a mask, an index array or a slice chooses."""
        return type(self)(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def sorted(self) -> Self:
        """Return the rows in the order of (point, step); rows of the same step stay in their order."""
        same = self.point[1:] == self.point[:-1]
        if bool(np.all((self.point[1:] > self.point[:-1]) | (same & (self.number[1:] >= self.number[:-1])))):
            return self
        return self.take(np.lexsort((self.number, self.point)))


def roll_up(rows: Readings, is_state: NDArray[np.bool_], level: Level, steps: Steps) -> LevelRows:
    """
    Sum up readings by the steps of a level.

    Parameters
    ----------
    rows : Readings
        Sorted by (point, time), one for each key. For the first step to be right for states, the readings of `HOLD_US`
        before it must be among them; steps that are not held in whole are for the caller to leave out (`within`).
    is_state : (points,) bool
        Of each id, whether its value holds until the next reading.
    """
    possible = (rows.quality & OUT_OF_RANGE) == 0
    if not bool(possible.all()):
        rows = rows.take(possible)
    if len(rows) == 0:
        return LevelRows.none()
    number = steps.number(level, rows.time_us)
    first = first_of_each_group(rows.point, number)
    end = np.append(first[1:], len(rows)).astype(np.intp)
    lowest, highest = np.minimum.reduceat(rows.value, first), np.maximum.reduceat(rows.value, first)
    count = (end - first).astype(np.int64)
    read = LevelRows(
        rows.point[first],
        number[first],
        mean_within(np.add.reduceat(rows.value, first), count, lowest, highest),
        lowest,
        highest,
        rows.value[end - 1],
        count,
        np.full(first.shape, np.nan),
        np.zeros(first.shape, dtype=np.int64),
    )
    states = is_state[rows.point]
    if not bool(states.any()):
        return read
    return _with_states(read, _states_in_force(rows.take(states), level, steps))


def _states_in_force(rows: Readings, level: Level, steps: Steps) -> LevelRows:
    """Weight states by the time that they hold in each step; steps without a reading are among the rows."""
    until_us = rows.time_us + HOLD_US
    follows = rows.point[1:] == rows.point[:-1]
    until_us[:-1] = np.where(follows, np.minimum(until_us[:-1], rows.time_us[1:]), until_us[:-1])
    first = steps.number(level, rows.time_us)
    pieces = steps.number(level, until_us - 1) - first + 1
    nth = np.arange(int(pieces.sum()), dtype=np.int64) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    number = np.repeat(first, pieces) + nth
    begin_us = np.maximum(steps.start(level, number), np.repeat(rows.time_us, pieces))
    held_us = np.minimum(steps.start(level, number + 1), np.repeat(until_us, pieces)) - begin_us
    point, value = np.repeat(rows.point, pieces), np.repeat(rows.value, pieces)
    group = first_of_each_group(point, number)
    known_us = np.add.reduceat(held_us, group)
    time_mean = mean_within(
        # Divided first: a large code times an hour of microseconds might leave the range of numbers.
        np.add.reduceat(value * (held_us / HOLD_US), group),
        known_us / HOLD_US,
        np.minimum.reduceat(value, group),
        np.maximum.reduceat(value, group),
    )
    missing = np.full(group.shape, np.nan)
    none = np.zeros(group.shape, dtype=np.int64)
    return LevelRows(point[group], number[group], missing, missing, missing, missing, none, time_mean, known_us)


def _with_states(read: LevelRows, held: LevelRows) -> LevelRows:
    """Join what was read in each step with the states that were in force in it, each sorted by (point, step)."""
    both = LevelRows.concat([read, held])
    order = np.lexsort((both.number, both.point))  # stable: of a step, what was read comes before what held
    both = both.take(order)
    first = first_of_each_group(both.point, both.number)
    end = np.append(first[1:], len(both)).astype(np.intp) - 1
    return replace(both.take(first), time_mean=both.time_mean[end], known_us=both.known_us[end])


def merged(rows: LevelRows) -> LevelRows:
    """
    Make one row of each (point, step), adding up what rows of the same step say of different readings.

    Of several rows of a step, the first one's `last` stands, that is of the first that has a reading. For late readings
    of steps whose readings have gone: count, min, max and mean are right; time is weighted as if they held beside, not
    between, the others, so a caller that adds late readings leaves their `known_us` at 0.
    """
    if len(rows) == 0:
        return rows
    rows = rows.sorted()
    first = first_of_each_group(rows.point, rows.number)
    if first.shape[0] == len(rows):
        return rows
    group = np.repeat(np.arange(first.shape[0]), np.diff(np.append(first, len(rows))))
    count = np.add.reduceat(rows.count, first)
    known_us = np.add.reduceat(rows.known_us, first)
    read = rows.count > 0
    lowest = np.fmin.reduceat(rows.min, first)
    highest = np.fmax.reduceat(rows.max, first)
    total = np.add.reduceat(np.where(read, rows.mean, 0.0) * rows.count, first)
    held = np.add.reduceat(np.where(rows.known_us > 0, rows.time_mean, 0.0) * (rows.known_us / HOLD_US), first)
    last = np.full(first.shape, np.nan)
    backwards = np.flatnonzero(read)[::-1]
    last[group[backwards]] = rows.last[backwards]  # of several assignments to one place the last, so the first row's
    with np.errstate(invalid="ignore", divide="ignore"):
        return LevelRows(
            rows.point[first],
            rows.number[first],
            np.clip(total / count, lowest, highest),
            lowest,
            highest,
            last,
            count,
            np.where(known_us > 0, held / (known_us / HOLD_US), np.nan),
            known_us,
        )


def coarser(rows: LevelRows, level: Level, to: Level, steps: Steps) -> LevelRows:
    """Roll rows of one level, sorted by (point, step), up to a coarser one whose steps hold whole steps of it."""
    # Newest first, because of a step's rows the first one's `last` stands.
    return merged(replace(rows, number=steps.number(to, steps.start(level, rows.number))).take(slice(None, None, -1)))


def without_states(rows: LevelRows) -> LevelRows:
    """Return the rows that hold readings, saying nothing of states in force."""
    rows = rows.take(rows.count > 0)
    return replace(rows, time_mean=np.full(len(rows), np.nan), known_us=np.zeros(len(rows), dtype=np.int64))


def within(rows: LevelRows, first: int, end: int) -> LevelRows:
    """Return the rows with first <= number < end."""
    return rows.take((rows.number >= first) & (rows.number < end))


def sums_of(rows: LevelRows, level: Level, steps: Steps) -> StepSums:
    """Return rows as the sums of which `aggregate` makes its steps: what was read, with each step at its start."""
    rows = rows.take(rows.count > 0)
    start_us = steps.start(level, rows.number)
    return StepSums(rows.point, start_us, rows.mean * rows.count, rows.min, rows.max, rows.last, rows.count)


def rollups_of(rows: LevelRows, stretch: slice, level: Level, steps: Steps) -> Rollups:
    """Return one point's stretch of the rows as the contract wants it."""
    return Rollups(
        steps.start(level, rows.number[stretch]),
        rows.mean[stretch],
        rows.min[stretch],
        rows.max[stretch],
        rows.last[stretch],
        rows.count[stretch],
        rows.time_mean[stretch],
        rows.known_us[stretch],
    )


def mean_within(
    total: NDArray[np.float64],
    weight: NDArray[np.integer] | NDArray[np.float64],
    lowest: NDArray[np.float64],
    highest: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return total / weight; rounding must not push it outside what was measured."""
    return np.clip(total / weight, lowest, highest)


_MOST_BOUNDARIES: Final = 4000  # of days: more steps are not looked at one by one


def usable_levels(start_us: int, end_us: int, step_us: int, origin_us: int, steps: Steps) -> list[Level]:
    """Return the levels, finest first, of which every step of a question with these steps holds whole steps."""
    usable = [
        level
        for level in (Level.MINUTE, Level.QUARTER, Level.HOUR)
        if step_us % level.step_us == 0 and origin_us % level.step_us == 0
    ]
    if step_us % Level.DAY.step_us == 0 and (end_us - start_us) // step_us < _MOST_BOUNDARIES:
        first = start_us - (start_us - origin_us) % step_us
        boundaries = np.arange(first, end_us + step_us, step_us, dtype=np.int64)
        if bool(np.all(steps.start(Level.DAY, steps.number(Level.DAY, boundaries)) == boundaries)):
            usable.append(Level.DAY)
    return usable
