"""Figures of many registers by consecutive days of the site, as arrays: what the ledger holds and the booking makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import Floats, Intervals, Times, totals

ARRAYS: Final = ("amount", "measured", "estimated", "missing", "readings", "signature", "held")


@dataclass(frozen=True, slots=True, eq=False)
class DayFigures:
    """
    Figures of registers by consecutive days of the site.

    Attributes
    ----------
    keys : the registers
    first_day : the first of the days
    amount : (keys, days) float, in each register's unit; NaN where nothing is known
    measured, estimated, missing : (keys, days) float, shares of the time that had passed, together 1
    readings : (keys, days) int64, how many readings the figure was made of
    signature : (keys, days) int64, changes if one of these readings does
    held : (keys, days) bool, the day was booked
    """

    keys: tuple[str, ...]
    first_day: date
    amount: Floats
    measured: Floats
    estimated: Floats
    missing: Floats
    readings: NDArray[np.int64]
    signature: NDArray[np.int64]
    held: NDArray[np.bool_]

    @classmethod
    def empty(cls, keys: Sequence[str], first_day: date, days: int) -> DayFigures:
        """Return figures of which none is held."""
        shape = (len(keys), days)
        return cls(
            tuple(keys), first_day, np.full(shape, np.nan), np.zeros(shape), np.zeros(shape), np.ones(shape),
            np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool),
        )  # fmt: skip

    @property
    def days(self) -> list[date]:
        """Return the days, oldest first."""
        return [self.first_day + timedelta(days=i) for i in range(self.amount.shape[1])]


def figures_of(keys: Sequence[str], first_day: date, booked: Mapping[str, Intervals], edges: Times) -> DayFigures:
    """Return what registers counted by days, from their steps; `edges` (days + 1,) are the days' ends. [µs UTC]"""
    figures = DayFigures.empty(keys, first_day, edges.shape[0] - 1)
    for i, key in enumerate(keys):
        sums = totals(booked[key], edges)
        figures.amount[i], figures.measured[i], figures.estimated[i] = sums.amount, sums.measured, sums.estimated
        figures.missing[i] = sums.missing
    figures.held[:] = True
    return figures


def widened(figures: DayFigures, days: int) -> DayFigures:
    """Return the same with so many more days, of which none is held."""
    more = DayFigures.empty(figures.keys, figures.first_day, days)
    joined: Any = {name: np.concatenate([getattr(figures, name), getattr(more, name)], axis=1) for name in ARRAYS}
    return replace(figures, **joined)


def cut(figures: DayFigures, rows: Sequence[int], days: slice) -> DayFigures:
    """Return the figures of some registers, by their places, and days."""
    parts = {name: getattr(figures, name)[rows, days].copy() for name in ARRAYS}
    keys = tuple(figures.keys[k] for k in rows)
    return DayFigures(keys, figures.first_day + timedelta(days=days.start), **parts)


def differs(old: DayFigures, new: DayFigures) -> NDArray[np.bool_]:
    """Return where two figures of the same registers and days are not the same in everything: (keys, days)."""
    same: NDArray[np.bool_] = (old.amount == new.amount) | (np.isnan(old.amount) & np.isnan(new.amount))
    for name in ("measured", "estimated", "missing", "readings", "signature"):
        same &= getattr(old, name) == getattr(new, name)
    return ~same


def months_of(days: Sequence[date]) -> list[tuple[date, int, int]]:
    """Return the months among consecutive days: first day of the month, place of its first day here, and its end."""
    found: list[tuple[date, int, int]] = []
    for i, day in enumerate(days):
        month = day.replace(day=1)
        if found and found[-1][0] == month:
            found[-1] = (month, found[-1][1], i + 1)
        else:
            found.append((month, i, i + 1))
    return found
