"""What a register counted, in steps of 15 minutes, each measured, estimated or missing; and sums that say how good.

Missing is never zero: a step of which nothing is known is NaN, a total of nothing but such steps is NaN too, and every
total carries which share of its time was measured, estimated and missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

STEP_US: Final = 15 * 60 * 1_000_000

# Grades of a step.
MEASURED: Final = 0
ESTIMATED: Final = 1  # spread over an outage, or read by hand: the sum was measured, its course in time was not
MISSING: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """
    What one register counted in consecutive steps.

    Attributes
    ----------
    start_us : when the first step begins, a whole multiple of `STEP_US` [µs UTC]
    used : (n,) float, in the register's unit, ratio applied; NaN where missing
    grade : (n,) int8, MEASURED, ESTIMATED or MISSING
    """

    start_us: int
    used: Floats
    grade: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.start_us % STEP_US:
            raise ValueError(f"start_us {self.start_us} is no whole step; give a multiple of {STEP_US}")
        if self.used.ndim != 1 or self.used.shape != self.grade.shape:
            raise ValueError(f"used {self.used.shape} and grade {self.grade.shape} must be (n,), one of each a step")

    @classmethod
    def missing(cls, start_us: int, end_us: int) -> Intervals:
        """Return steps of which nothing is known."""
        n = max(0, -(-(end_us - start_us) // STEP_US))
        return cls(start_us, np.full(n, np.nan), np.full(n, MISSING, dtype=np.int8))

    def __len__(self) -> int:
        return int(self.used.shape[0])

    @property
    def end_us(self) -> int:
        """Return when the last step ends. [µs UTC]"""
        return self.start_us + len(self) * STEP_US

    @property
    def begins_us(self) -> Times:
        """Return when each step begins: (n,) int64. [µs UTC]"""
        return self.start_us + STEP_US * np.arange(len(self), dtype=np.int64)

    def window(self, start_us: int, end_us: int) -> Intervals:
        """Return the steps that begin in [start, end); those beyond what is held are missing."""
        first = -(-(start_us - self.start_us) // STEP_US)
        last = max(first, -(-(end_us - self.start_us) // STEP_US))
        whole = Intervals.missing(self.start_us + first * STEP_US, self.start_us + last * STEP_US)
        low, high = max(first, 0), min(last, len(self))
        if low < high:
            whole.used[low - first : high - first] = self.used[low:high]
            whole.grade[low - first : high - first] = self.grade[low:high]
        return whole

    def scaled(self, factor: float) -> Intervals:
        """Return the same in another unit."""
        return Intervals(self.start_us, self.used * factor, self.grade)

    @property
    def total(self) -> Total:
        """Return the sum of all steps."""
        return totals(self, np.array([self.start_us, self.end_us], dtype=np.int64))[0]


@dataclass(frozen=True, slots=True)
class Total:
    """
    A sum, and how good it is.

    Attributes
    ----------
    amount : sum of what is known; NaN where nothing is
    measured, estimated, missing : shares of the time, together 1
    """

    amount: float
    measured: float
    estimated: float
    missing: float

    @property
    def known(self) -> bool:
        """Return True if anything is known."""
        return math.isfinite(self.amount)


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """
    Sums by consecutive stretches of time, such as the site's days.

    Attributes
    ----------
    edges_us : (m + 1,) int64, the stretches' ends [µs UTC]
    amount : (m,) float, sum of what is known; NaN where nothing is
    measured, estimated, missing : (m,) float, shares of each stretch's time, together 1
    """

    edges_us: Times
    amount: Floats
    measured: Floats
    estimated: Floats
    missing: Floats

    def __len__(self) -> int:
        return int(self.amount.shape[0])

    def __getitem__(self, i: int) -> Total:
        return Total(float(self.amount[i]), float(self.measured[i]), float(self.estimated[i]), float(self.missing[i]))


def totals(intervals: Intervals, edges_us: Times) -> Totals:
    """
    Sum up steps between consecutive edges.

    Parameters
    ----------
    edges_us : (m + 1,) int64
        Rising; each a whole step, as the site's hours, days and months are in every zone of whole quarters of an hour.
        [µs UTC]

    Raises
    ------
    ValueError
        If the edges do not rise, or one falls inside a step.
    """
    if edges_us.ndim != 1 or edges_us.shape[0] < 2 or bool(np.any(np.diff(edges_us) <= 0)):
        raise ValueError("edges must be two times or more, each later than the one before")
    if bool(np.any(edges_us % STEP_US)):
        raise ValueError("an edge falls inside a step of 15 min; edges must be whole steps")
    held = intervals.window(int(edges_us[0]), int(edges_us[-1]))
    place = (edges_us - edges_us[0]) // STEP_US
    first, steps = place[:-1], np.diff(place)
    known = held.grade != MISSING
    sums = np.add.reduceat(np.where(known, held.used, 0.0), first)
    measured = np.add.reduceat((held.grade == MEASURED).astype(float), first) / steps
    estimated = np.add.reduceat((held.grade == ESTIMATED).astype(float), first) / steps
    any_known = np.add.reduceat(known.astype(np.int64), first) > 0
    missing = np.add.reduceat((~known).astype(float), first) / steps
    return Totals(edges_us, np.where(any_known, sums, np.nan), measured, estimated, missing)


def added(parts: list[Intervals], signs: list[float] | None = None) -> Intervals:
    """
    Return the sum of several registers' steps: missing where any is missing, estimated where any is.

    ValueError if there is none, or if they do not cover the same steps.
    """
    if not parts:
        raise ValueError("no intervals to add up")
    if any(p.start_us != parts[0].start_us or len(p) != len(parts[0]) for p in parts):
        raise ValueError("intervals that are added up must cover the same steps; cut them by `window` first")
    factors = signs or [1.0] * len(parts)
    used = np.sum([f * p.used for f, p in zip(factors, parts, strict=True)], axis=0)
    grade = np.max([p.grade for p in parts], axis=0)
    return Intervals(parts[0].start_us, used, grade.astype(np.int8))
