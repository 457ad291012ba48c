"""What a baseline is fitted to and asked about: rows of time, energy and drivers, checked and laid on days."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from analytics.energy.sufficiency import distinct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Times = NDArray[np.datetime64]
Frequency = Literal["hourly", "daily"]

COLDEST_C: Final = -90.0
HOTTEST_C: Final = 60.0
"""No weather station on earth has read beyond these; what lies outside counts as missing. [°C]"""

_BRIDGED_HOURS: Final = 6
_DAY_S: Final = 86400
_HOUR: Final = np.timedelta64(1, "h")
_LARGEST: Final = 1e60  # whose fourth power is a number still


@dataclass(frozen=True, slots=True)
class Rows:
    """
    Rows as they were given, checked.

    Attributes
    ----------
    times : (n,) datetime64[s]
    energy : (n,) float, NaN where missing [any unit of energy]
    drivers : (n, k) float, NaN where missing; the first column is the outdoor temperature [°C]
    """

    times: Times
    energy: Floats
    drivers: Floats


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Rows on a table of days by hours (or of days alone), in the order of time.

    Attributes
    ----------
    days : (D,) int, the days that occur, ascending [days since 1970-01-01]
    per_day : 24 for hourly rows, 1 for daily ones
    cell : (n,) int, the cell of each row in the flat table
    energy : (D * per_day,) float, mean of the cell's rows, NaN where none is known
    temperature : (D * per_day,) float with holes bridged, or None where no temperature is known at all [°C]
    weather_known : (D * per_day,) bool, where the temperature was measured or bridges a short hole
    others : (D * per_day, k - 1) float, NaN where missing
    """

    days: Ints
    per_day: int
    cell: Ints
    energy: Floats
    temperature: Floats | None
    weather_known: Bools
    others: Floats

    @property
    def cells(self) -> int:
        """Number of cells of the table."""
        return self.days.size * self.per_day

    @property
    def day_of_cell(self) -> Ints:
        """(D * per_day,) int, day of each cell [days since 1970-01-01]."""
        return np.repeat(self.days, self.per_day)

    @property
    def hour_of_cell(self) -> Ints:
        """(D * per_day,) int, hour of the day of each cell; 0 for daily rows."""
        return np.tile(np.arange(self.per_day, dtype=np.int64), self.days.size)

    def of_days(self, days: Bools) -> Grid:
        """Return the table of some of its days, (D,) bool; what was felt on the days between is lost."""
        cells = np.repeat(days, self.per_day)
        place = np.cumsum(cells) - 1
        return Grid(
            self.days[days],
            self.per_day,
            place[self.cell[cells[self.cell]]],
            self.energy[cells],
            None if self.temperature is None else self.temperature[cells],
            self.weather_known[cells],
            self.others[cells],
        )


def read_rows(timestamps: ArrayLike, energy: ArrayLike | None, drivers: ArrayLike | None) -> Rows:
    """
    Check what a caller gives; without `energy` (for a prediction) it is all missing.

    Raises
    ------
    ValueError
        If lengths differ, a time is missing or none is given, or a value is infinite; the message names the row.
    """
    try:
        times = np.asarray(timestamps).astype("datetime64[s]")
    except (TypeError, ValueError) as problem:
        raise ValueError(f"timestamps cannot be read as times ({problem}); give datetime64, hourly or daily") from None
    if times.ndim != 1 or (times.size and np.asarray(timestamps).dtype.kind in "iufb"):
        raise ValueError(f"timestamps are {np.asarray(timestamps).dtype} of shape {times.shape}; give datetime64 (n,)")
    n = times.size
    if n and np.isnat(times).any():
        raise ValueError(f"timestamps[{int(np.argmax(np.isnat(times)))}] is NaT; leave the row out or give its time")
    used = np.full(n, np.nan) if energy is None else read_floats(energy, "energy")
    if used.shape != (n,):
        raise ValueError(f"energy has shape {used.shape} for {n} timestamps; give one value a time, NaN where missing")
    table = np.empty((n, 0)) if drivers is None else read_floats(drivers, "drivers")
    if table.ndim == 1:
        table = table[:, None] if table.size or not n else np.empty((n, 0))
    if table.ndim != 2 or table.shape[0] != n:
        raise ValueError(f"drivers have shape {table.shape} for {n} timestamps; give (n, k), one row a time")
    return Rows(times, used, table)


def read_floats(values: ArrayLike, name: str) -> Floats:
    """
    Return `values` as floats of their own, NaN where missing or masked; `name` says what they are.

    Raises
    ------
    ValueError
        If they are no numbers, or one is infinite or too large to reckon with; the message names its place.
    """
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{name} cannot be read as numbers ({problem}); give floats, NaN where missing") from None
    if isinstance(values, np.ma.MaskedArray):
        array[np.ma.getmaskarray(values)] = np.nan
    size = np.abs(array)
    if (size > _LARGEST).any():
        place = np.argwhere(size > _LARGEST)[0]
        what = "infinite" if np.isinf(array[tuple(place)]) else f"beyond {_LARGEST:g}"
        at = ", ".join(map(str, place.tolist()))
        raise ValueError(f"{name}[{at}] is {what}; give a number, or NaN where it is missing")
    array[size < 1.0 / _LARGEST] = 0.0  # what is smaller has powers that are no numbers
    return array


def frequency_of(times: Times) -> Frequency:
    """
    Tell hourly rows from daily ones: hourly if days have more than two times on average, or two hours are all there is.

    Raises
    ------
    ValueError
        If the usual distance of rows is weeks or months, as of bills.
    """
    each = distinct(times)
    days = distinct(each.astype("datetime64[D]"))
    if each.size > 2 * days.size or (each.size == 2 and each[1] - each[0] <= _HOUR):
        return "hourly"
    if days.size > 2:
        usual = float(np.median(np.diff(days).astype(np.int64)))
        if usual > 20:
            raise ValueError(f"timestamps are {usual:.0f} days apart; a baseline takes hourly or daily rows, not bills")
    return "daily"


def lay_out(rows: Rows, frequency: Frequency) -> Grid:
    """Return `rows` on the table of their days; rows of one hour (clocks set back, quarter hours) are averaged."""
    per_day = 24 if frequency == "hourly" else 1
    seconds = rows.times.astype(np.int64)
    days, place = np.unique(seconds // _DAY_S, return_inverse=True)
    hour = (seconds % _DAY_S) // 3600 if per_day == 24 else np.zeros(seconds.size, dtype=np.int64)
    cell = place * per_day + hour
    size = days.size * per_day
    temperature = np.full(size, np.nan)
    if rows.drivers.shape[1]:
        column = rows.drivers[:, 0].copy()
        column[(column < COLDEST_C) | (column > HOTTEST_C)] = np.nan
        temperature = _mean_by_cell(cell, column, size)
    others = [_mean_by_cell(cell, rows.drivers[:, j], size) for j in range(1, rows.drivers.shape[1])]
    filled, known = _bridge(temperature, days, per_day)
    return Grid(
        days=days,
        per_day=per_day,
        cell=cell,
        energy=_mean_by_cell(cell, rows.energy, size),
        temperature=filled,
        weather_known=known,
        others=np.column_stack(others) if others else np.empty((size, 0)),
    )


def _mean_by_cell(cell: Ints, values: Floats, size: int) -> Floats:
    known = np.isfinite(values)
    if known.all() and cell.size == size and np.array_equal(cell, np.arange(size)):
        return values.astype(float)
    count = np.bincount(cell[known], minlength=size)
    total = np.bincount(cell[known], weights=values[known], minlength=size)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(count, count, np.nan))


def _bridge(temperature: Floats, days: Ints, per_day: int) -> tuple[Floats | None, Bools]:
    """Fill every hole in a straight line, and say which cells are measured or in a hole short enough to trust that."""
    known = np.isfinite(temperature)
    if not known.any():
        return None, known
    if known.all():
        return temperature, known
    hour = (days[:, None] * per_day + np.arange(per_day)).ravel()
    filled = np.interp(hour, hour[known], temperature[known])
    measured = np.flatnonzero(known)
    after = np.searchsorted(measured, np.arange(known.size))
    before_hour = np.where(after > 0, hour[measured[np.maximum(after - 1, 0)]], -(10**9))
    after_hour = np.where(after < measured.size, hour[measured[np.minimum(after, measured.size - 1)]], 10**9)
    short = after_hour - before_hour - 1 <= (_BRIDGED_HOURS if per_day == 24 else 1)
    return filled, known | short


def runs_of_days(days: Ints) -> list[tuple[int, int]]:
    """Return the stretches of days without a gap as pairs of first and one-past-last index."""
    edges = np.flatnonzero(np.diff(days) != 1) + 1
    bounds = [0, *edges.tolist(), days.size]
    return list(pairwise(bounds))


def smoothed(temperature: Floats, days: Ints, per_day: int, hours: float) -> Floats:
    """
    Return the temperature that a wall with a time constant of `hours` has come to; gaps of days begin anew.

    A gap's first day stands for the days before it, which nobody knows.
    """
    keep = np.exp(-(24 / per_day) / hours)
    result = np.empty_like(temperature)
    for first, last in runs_of_days(days):
        piece = temperature[first * per_day : last * per_day]
        start = keep * piece[:per_day].mean()
        result[first * per_day : last * per_day] = lfilter([1.0 - keep], [1.0, -keep], piece, zi=[start])[0]
    return result


def delayed(temperature: Floats, days: Ints, per_day: int, steps: int) -> Floats:
    """Return the temperature of `steps` rows ago; the first of a run of days stand for what came before."""
    if steps == 0:
        return temperature
    result = np.empty_like(temperature)
    for first, last in runs_of_days(days):
        piece = temperature[first * per_day : last * per_day]
        moved = np.concatenate([np.full(min(steps, piece.size), piece[0]), piece[:-steps]])
        result[first * per_day : last * per_day] = moved[: piece.size]
    return result
