"""Which temperature an hour answers to: that of now, of some hours ago, or as felt behind a wall."""

from __future__ import annotations

from typing import Final

import numpy as np

from analytics.energy.baseline.curves import pieces
from analytics.energy.baseline.rows import Bools, Floats, Grid, delayed, smoothed

# (kind, size): temperature of so many hours ago, or as felt behind a wall of so many hours.
_EFFECTIVE: Final = (("ago", 0), ("ago", 2), ("ago", 3), ("ago", 5), ("wall", 3), ("wall", 8), ("wall", 16))
_KNOT_SHARES: Final = (0.2, 0.5, 0.8)


def effective_temperature(grid: Grid, counted: Bools) -> tuple[str, int]:
    """Return the form of the temperature that alone explains most of what differs from the hour's mean."""
    # Hours differ for other reasons too: only what differs from an hour's mean is compared.
    hour = grid.hour_of_cell[counted]
    number = np.maximum(np.bincount(hour, minlength=24), 1)
    energy = grid.energy[counted]
    energy = energy - (np.bincount(hour, energy, 24) / number)[hour]
    best, least = _EFFECTIVE[0], np.inf
    for form in _EFFECTIVE:
        celsius = felt(grid, form)[counted]
        x = pieces(celsius, np.quantile(celsius, _KNOT_SHARES).tolist(), -np.inf, np.inf)
        x -= np.column_stack([np.bincount(hour, column, 24) / number for column in x.T])[hour]
        moment = x.T @ energy
        beta = np.linalg.lstsq(x.T @ x, moment, rcond=None)[0]
        error = float(energy @ energy - moment @ beta)
        if error < least * (1.0 - 1e-9):
            best, least = form, error
    return best


def felt(grid: Grid, form: tuple[str, int]) -> Floats:
    """Return the (D * 24,) effective temperature of this form. [°C]"""
    assert grid.temperature is not None
    kind, size = form
    if kind == "ago":
        return delayed(grid.temperature, grid.days, 24, size)
    return smoothed(grid.temperature, grid.days, 24, float(size))
