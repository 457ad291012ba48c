"""Which closed figures a new booking changes: old figure, new figure, cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_figures import DayFigures
from analytics.energy.intervals import Floats
from analytics.energy.ledger import Cause, Restatement

CLOSING_US: Final = 86_400_000_000  # a day, and a month with its last day, is closed one day after it ended

# Sums of the same intervals in another order differ in their last digits; a meter's smallest step is far above.
_SAME: Final = 1e-7


def changed(old: Floats, new: Floats) -> NDArray[np.bool_]:
    """Return where figures differ: by more than rounding, or because only one of them is known. Same shape out."""
    both = np.isfinite(old) & np.isfinite(new)
    with np.errstate(invalid="ignore"):
        apart = np.abs(new - old) > _SAME * np.maximum(1.0, np.abs(old))
    return np.where(both, apart, np.isfinite(old) != np.isfinite(new))


def restated(
    old: DayFigures,
    new: DayFigures,
    closed_before: date,
    cause_of: Callable[[str], Cause],
    units: Mapping[str, str],
    found_us: int,
) -> list[Restatement]:
    """
    Return one restatement for each register and run of days whose figures had been closed and are changed.

    Parameters
    ----------
    old, new : figures of the same registers and days; a day that `old` does not hold was never told to anybody
    closed_before : days before this one are closed
    cause_of : why a register was booked anew
    units : unit of each register

    Raises
    ------
    ValueError
        If `old` and `new` are not of the same registers and days.
    """
    if old.keys != new.keys or old.first_day != new.first_day or old.amount.shape != new.amount.shape:
        raise ValueError("old and new figures must be of the same registers and days")
    closed = np.arange(old.amount.shape[1]) < (closed_before - old.first_day).days
    differs = changed(old.amount, new.amount) & old.held & new.held & closed
    found: list[Restatement] = []
    for i in np.flatnonzero(differs.any(axis=1)).tolist():
        places = np.flatnonzero(differs[i])
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            days = tuple(
                (old.first_day + timedelta(days=int(j)), float(old.amount[i, j]), float(new.amount[i, j])) for j in run
            )
            key = old.keys[i]
            found.append(
                Restatement(
                    "register", key, days[0][0], days[-1][0], _sum(old.amount[i, run]), _sum(new.amount[i, run]),
                    units[key], cause_of(key), found_us, days,
                )
            )  # fmt: skip
    return found


def _sum(values: Floats) -> float:
    return float(np.nansum(values)) if np.isfinite(values).any() else float("nan")
