"""Whether a stretch of data carries a yearly baseline, and if not, why not.

The counts follow CalTRACK 2 (328 of 365 days, nine tenths of the temperatures) and IPMVP option C (all seasons); the
screens for zeros, flat stretches and extremes are what a person would look at first. Poor data never raise: the verdict
says what is poor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.energy.reasons import Reason
from facility.names import Names

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

_DAY: Final = np.timedelta64(1, "D")
_HOUR: Final = np.timedelta64(1, "h")


@dataclass(frozen=True, slots=True)
class SufficiencyParameters:
    """What is asked of a baseline's data."""

    days: int = 328  # CalTRACK 2: nine tenths of 365
    months: int = 12  # calendar months, each of which behaves in its own way
    month_share: float = 0.5  # of a month's days, for the month to count as seen
    temperature_share: float = 0.9  # of the days with energy that have a temperature too (CalTRACK 2)
    longest_gap_days: float = 30.0  # a month that is missing in one piece is a season half seen
    zero_share: float = 0.5  # gas of a heating boiler is zero in summer; more than half a year of zeros is a dead meter
    flat_share: float = 0.05  # of the points, in runs of one value other than zero
    flat_run: int = 24  # equal values in a row that no load shows: a day of hours
    flat_run_daily: int = 7
    temperature_span_k: float = 10.0  # below which the weather's part cannot be told from chance
    extreme_iqr: float = 3.0  # quartile distances beyond the quartiles


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """
    The verdict on a baseline's data.

    Attributes
    ----------
    sufficient : True if no reason blocks
    reasons : what blocks first, then what is to be known
    days : days on which most of the energy is known
    months : calendar months (1 to 12) that were seen
    """

    sufficient: bool
    reasons: tuple[Reason, ...]
    days: int
    months: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        reasons = [reason.as_json() for reason in self.reasons]
        return {"sufficient": self.sufficient, "reasons": reasons, "days": self.days, "months": list(self.months)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Sufficiency:
        """Return the verdict that `as_json` wrote."""
        reasons = tuple(Reason.from_json(reason) for reason in data["reasons"])
        return cls(data["sufficient"], reasons, data["days"], tuple(data["months"]))


def judge(
    timestamps: ArrayLike,
    energy: ArrayLike,
    drivers: ArrayLike | None = None,
    parameters: SufficiencyParameters | None = None,
) -> Sufficiency:
    """
    Judge whether the data carry a yearly baseline.

    Parameters
    ----------
    timestamps : (n,) datetime64
        Beginnings of hours or days, in any order; rows without a time do not count.
    energy : (n,) float
        Used in each; NaN where missing. [any unit of energy]
    drivers : (n, k) or (n,) float, or None
        The first column is the outdoor temperature [°C]; without one, or with none known, the data are judged without.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    p = parameters or SufficiencyParameters()
    times = np.asarray(timestamps, dtype="datetime64[s]")
    used = np.asarray(energy, dtype=float)
    if times.ndim != 1 or used.shape != times.shape:
        raise ValueError(f"timestamps {times.shape} and energy {used.shape} must be (n,), one energy a time")
    temperature = _first_column(drivers, times.size)
    order = np.argsort(times, kind="stable")
    order = order[~np.isnat(times[order])]
    times, used = times[order], used[order]
    temperature = None if temperature is None else temperature[order]
    known = np.isfinite(used)
    if not known.any():
        words = Names(zh="没有任何已知的能耗数据。", en="There is no energy value at all.")
        return Sufficiency(False, (Reason("no-data", words, 0.0, float(p.days)),), 0, ())
    step = usual_step(times)
    per_day = max(1, round(_DAY / step))
    day = times.astype("datetime64[D]")
    first = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    days = day[first][np.add.reduceat(known, first, dtype=float) >= 0.75 * per_day]
    months = _months_seen(days, p.month_share)
    reasons = [
        *_length(days, months, p),
        *_gaps(times[known], step, p),
        *_values(used[known], per_day, p),
        *_weather(used, temperature, len(months), p),
    ]
    reasons.sort(key=lambda reason: not reason.blocking)
    return Sufficiency(not any(r.blocking for r in reasons), tuple(reasons), int(days.size), months)


def _first_column(drivers: ArrayLike | None, n: int) -> Floats | None:
    if drivers is None:
        return None
    table = np.asarray(drivers, dtype=float)
    if table.shape[:1] != (n,) or table.ndim > 2:
        raise ValueError(f"drivers have shape {table.shape}; give (n, k) with n = {n}, a row a time")
    column = table if table.ndim == 1 else table[:, 0] if table.shape[1] else None
    return None if column is None or not np.isfinite(column).any() else column


def distinct(times: Times) -> Times:
    """Return `times` (n,) in order, each once; those that are so already, as they mostly are, at no cost."""
    return times if bool(np.all(times[1:] > times[:-1])) else np.unique(times)


def usual_step(times: Times) -> np.timedelta64:
    """Return what `times` (n,), at least one, are beginnings of: an hour or a day."""
    gaps = np.diff(distinct(times))
    # The usual distance decides; what is coarser than hours is judged as days.
    usual = np.median(gaps.astype(np.int64)) if gaps.size else 86400
    return _HOUR if usual < 43200 else _DAY


def _months_seen(days: Times, share: float) -> tuple[int, ...]:
    month = days.astype("datetime64[M]")
    seen, counts = np.unique(month, return_counts=True)
    length = ((seen + 1).astype("datetime64[D]") - seen.astype("datetime64[D]")) / _DAY
    return tuple(sorted({int(m.astype(np.int64) % 12) + 1 for m in seen[counts >= share * length]}))


def _length(days: Times, months: tuple[int, ...], p: SufficiencyParameters) -> list[Reason]:
    reasons = []
    if days.size < p.days:
        words = Names(
            zh=f"有能耗数据的只有 {days.size} 天；全年基准需要至少 {p.days} 天（365 天的 90%）。",
            en=f"Energy is known on {days.size} days; a yearly baseline needs {p.days} (nine tenths of a year).",
        )
        reasons.append(Reason("too-few-days", words, float(days.size), float(p.days)))
    absent = [m for m in range(1, 13) if m not in months]
    if len(months) < p.months:
        numbers = ", ".join(map(str, absent))
        words = Names(
            zh=f"下列月份缺少足够数据：{numbers} 月；这些月份的用能规律无法得知。",
            en=f"These calendar months are not seen, or less than half: {numbers}; how they behave is not known.",
        )
        reasons.append(Reason("months-missing", words, float(len(months)), float(p.months)))
    return reasons


def _gaps(known: Times, step: np.timedelta64, p: SufficiencyParameters) -> list[Reason]:
    if known.size < 2:
        return []
    gaps = (np.diff(known) - step) / _DAY
    place = int(np.argmax(gaps))
    longest = float(gaps[place])
    if longest <= p.longest_gap_days:
        return []
    begins = str((known[place] + step).astype("datetime64[D]"))
    words = Names(
        zh=f"自 {begins} 起连续 {longest:.0f} 天没有能耗数据，超过 {p.longest_gap_days:.0f} 天。",
        en=f"From {begins} energy is missing for {longest:.0f} days in one piece, more than {p.longest_gap_days:.0f}.",
    )
    return [Reason("long-gap", words, longest, p.longest_gap_days)]


def _values(used: Floats, per_day: int, p: SufficiencyParameters) -> list[Reason]:
    reasons = []
    zero = float(np.mean(used == 0.0))
    if zero == 1.0:
        words = Names(zh="所有能耗值都为零。", en="Every energy value is zero.")
        reasons.append(Reason("all-zero", words, 1.0, p.zero_share))
    elif zero > p.zero_share:
        words = Names(
            zh=f"{zero:.0%} 的能耗值为零；请核对仪表是否在工作。",
            en=f"{zero:.0%} of the energy values are zero; check that the meter works.",
        )
        reasons.append(Reason("many-zeros", words, zero, p.zero_share))
    negative = int(np.sum(used < 0.0))
    if negative:
        words = Names(
            zh=f"有 {negative} 个能耗值为负；若无自发电上网，请核对读数。",
            en=f"{negative} energy values are below zero; unless energy is fed out, check the readings.",
        )
        # Where more is fed out than used, a share of what is used says nothing, and its sign turns about.
        reasons.append(Reason("negative-values", words, float(negative), 0.0, blocking=bool(used.sum() <= 0.0)))
    flat = _flat_share(used, p.flat_run if per_day > 1 else p.flat_run_daily)
    if flat > p.flat_share and zero < 1.0:
        words = Names(
            zh=f"{flat:.0%} 的能耗值长时间完全不变，像是停住的仪表或摊平的数据。",
            en=f"{flat:.0%} of the energy values do not change for long, as of a stuck meter or of spread readings.",
        )
        reasons.append(Reason("flat-values", words, flat, p.flat_share))
    low, high = np.percentile(used, [25.0, 75.0])
    reach = p.extreme_iqr * (high - low)
    extreme = int(np.sum((used < low - reach) | (used > high + reach)))
    if extreme and high > low:
        words = Names(
            zh=f"有 {extreme} 个能耗值远离其余数值，请核对。",
            en=f"{extreme} energy values lie far from all others; look at them.",
        )
        reasons.append(Reason("extreme-values", words, float(extreme), 0.0, blocking=False))
    return reasons


def _flat_share(used: Floats, run: int) -> float:
    edges = np.flatnonzero(np.diff(used) != 0.0) + 1
    bounds = np.concatenate([[0], edges, [used.size]])
    lengths = np.diff(bounds)
    held = (lengths >= run) & (used[bounds[:-1]] != 0.0)
    return float(lengths[held].sum()) / used.size


def _weather(used: Floats, temperature: Floats | None, months: int, p: SufficiencyParameters) -> list[Reason]:
    if temperature is None:
        words = Names(
            zh="没有室外温度数据：基准只能按日历建立，无法修正天气影响。",
            en="There is no outdoor temperature: the baseline knows only the calendar, not the weather.",
        )
        return [Reason("no-temperature", words, 0.0, p.temperature_share, blocking=False)]
    reasons = []
    known = np.isfinite(used)
    share = float(np.mean(np.isfinite(temperature[known])))
    if share < p.temperature_share:
        words = Names(
            zh=f"有能耗的时段中只有 {share:.0%} 有室外温度；需要 {p.temperature_share:.0%}。",
            en=f"{share:.0%} of the times with energy have a temperature too; {p.temperature_share:.0%} are needed.",
        )
        reasons.append(Reason("temperature-holes", words, share, p.temperature_share))
    seen = temperature[known & np.isfinite(temperature)]
    low, high = np.percentile(seen, [1.0, 99.0]) if seen.size else (0.0, 0.0)
    # A whole year in the tropics spans little and is whole all the same.
    if high - low < p.temperature_span_k and months < p.months:
        words = Names(
            zh=f"室外温度只在 {low:.0f} 至 {high:.0f} °C 之间；天气的影响分辨不出。",
            en=f"The outdoor temperature spans {low:.0f} to {high:.0f} °C only; the weather's part cannot be told.",
        )
        reasons.append(Reason("narrow-temperature", words, float(high - low), p.temperature_span_k))
    return reasons
