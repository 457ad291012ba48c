"""What a unit costs at a time, and how the power factor changes the electricity bill.

Tariffs are data in the site file; the functions here read them. Which tariff holds on a day is `Contract.on(day)`.
"""

from __future__ import annotations

import math
from collections.abc import Set
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from facility.calendar import DayKind, at_us, day_kind, day_of
from facility.formats import moment
from facility.tariff_model import BAND_NAMES, HOLIDAYS, Tariff, TariffBand

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

BANDS: Final = tuple(BAND_NAMES)
NO_DAYS: Final[frozenset[date]] = frozenset()

_MINUTES_A_DAY: Final = 24 * 60
_DAY_MINUTES: Final = np.arange(_MINUTES_A_DAY)
_QUARTER_US: Final = 15 * 60 * 1_000_000
_QUARTERS_A_DAY: Final = 96

# Power-factor target of the contract -> factor from which the reward no longer grows, and what it is there [%].
_REWARD_ENDS: Final = {0.90: (95, -0.75), 0.85: (94, -1.10), 0.80: (92, -1.30)}


def holds_on(days: Set[str], day: date, kind: DayKind, festivals: Set[str], hot: bool) -> bool:
    """
    Return True if a band of these `days` holds on a day.

    `festivals` are those of the break in which the day lies; `hot`: the day reaches the temperature of the rule.
    """
    if not days:
        return True
    return bool(
        ("workdays" in days and kind.workday)
        or ("rest_days" in days and not kind.workday)
        or ("weekdays" in days and day.weekday() < 5)
        or ("holidays" in days and kind.holiday is not None)
        or ("hot" in days and hot)
        or any(HOLIDAYS[d] in festivals for d in days if d in HOLIDAYS)
    )


@lru_cache(maxsize=1024)
def festivals_of(day: date, zone: ZoneInfo) -> frozenset[str]:
    """
    Return the public holidays for which a day is free, as the calendar calls them; empty on any other day.

    Where two share a break, such as National Day and the Mid-autumn Festival of 2025, each of its days is one of both.
    """
    found: set[str] = set()
    for step in (timedelta(days=1), timedelta(days=-1)):
        at = day
        while (name := day_kind(at, zone).holiday) is not None and name in HOLIDAYS.values():
            found.add(name)
            at += step
    return frozenset(found)


@lru_cache(maxsize=512)
def _day_bands(bands: tuple[TariffBand, ...], month: int) -> NDArray[np.int16]:
    """Return which of some bands holds at each minute of a day in a month: (1440,), -1 outside all."""
    found = np.full(_MINUTES_A_DAY, -1, dtype=np.int16)
    for i, band in reversed(list(enumerate(bands))):
        if month not in band.months:
            continue
        start, end = band.start_minute, band.end_minute
        # An end at or before the start runs past midnight; a band from 00:00 to 00:00 is the whole day.
        inside = (start <= _DAY_MINUTES) & (end > _DAY_MINUTES) if start < end else None
        if inside is None:
            inside = (start <= _DAY_MINUTES) | (end > _DAY_MINUTES)
        found[inside] = i
    return found


def bands_at(tariff: Tariff, time_us: Times, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS) -> NDArray[np.int16]:
    """
    Return which entry of `tariff.bands` holds at each of (n,) times: (n,), -1 outside all. [µs UTC]

    `hot_days` are the site's days that reach the temperature of a rule with bands on hot days.
    """
    result = np.full(time_us.shape, -1, dtype=np.int16)
    if not tariff.bands or not time_us.size:
        return result
    # Clocks are changed on whole quarters of an hour, so a quarter has one offset; bands begin on whole minutes.
    quarters, which = np.unique(time_us // _QUARTER_US, return_inverse=True)
    day_number, first_minute = _wall(quarters, zone)
    minute = first_minute[which] + (time_us // 60_000_000) % 15
    days, day_index = np.unique(day_number[which], return_inverse=True)
    special = any(b.days for b in tariff.bands)
    for i, number in enumerate(days):
        day = date.fromordinal(int(number))
        here = day_index == i
        table = _of_day(tariff, day, zone, hot_days) if special else _day_bands(tariff.bands, day.month)
        result[here] = table[minute[here]]
    return result


def _wall(quarters: Times, zone: ZoneInfo) -> tuple[Times, Times]:
    """Return day (ordinal) and minute of the wall clock at the begin of each quarter of an hour since 1970."""
    days, which = np.unique(quarters // _QUARTERS_A_DAY, return_inverse=True)
    first = np.array([_offset_minutes(int(d) * _QUARTERS_A_DAY, zone) for d in days], dtype=np.int64)
    last = np.array([_offset_minutes((int(d) + 1) * _QUARTERS_A_DAY - 1, zone) for d in days], dtype=np.int64)
    offset = first[which]
    # Only on a day on which the clocks are changed is each quarter looked at.
    for i in np.flatnonzero((first != last)[which]):
        offset[i] = _offset_minutes(int(quarters[i]), zone)
    minutes = quarters * 15 + offset
    return minutes // _MINUTES_A_DAY + date(1970, 1, 1).toordinal(), minutes % _MINUTES_A_DAY


def _offset_minutes(quarter: int, zone: ZoneInfo) -> int:
    offset = moment(quarter * _QUARTER_US, zone).utcoffset() or timedelta()
    return offset // timedelta(minutes=1)


def _of_day(tariff: Tariff, day: date, zone: ZoneInfo, hot_days: Set[date]) -> NDArray[np.int16]:
    kind, festivals = day_kind(day, zone), festivals_of(day, zone)
    held = [i for i, b in enumerate(tariff.bands) if holds_on(b.days, day, kind, festivals, day in hot_days)]
    table = _day_bands(tuple(tariff.bands[i] for i in held), day.month)
    return np.array([*held, -1], dtype=np.int16)[table]


def band_at(tariff: Tariff, time_us: int, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS) -> TariffBand | None:
    """Return the band that holds at a time, or None outside all."""
    found = int(bands_at(tariff, np.array([time_us], dtype=np.int64), zone, hot_days)[0])
    return tariff.bands[found] if found >= 0 else None


def unit_price(tariff: Tariff, time_us: int, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS) -> float:
    """Return the price of one unit at a time, as `unit_prices` does [currency/unit of the tariff]."""
    return float(unit_prices(tariff, np.array([time_us], dtype=np.int64), zone, hot_days)[0])


def unit_prices(tariff: Tariff, time_us: Times, zone: ZoneInfo, hot_days: Set[date] = NO_DAYS) -> Floats:
    """
    Return the price of one unit at each of (n,) times, all components together [currency/unit of the tariff].

    For a month whose price is not known yet, that of the month before it holds; of tiers the first. The bill itself
    (`analytics.energy.bill`) is stricter.
    """
    entry = bands_at(tariff, time_us, zone, hot_days)
    total = np.zeros(time_us.shape)
    for (year, month), here in by_month(time_us, zone).items():
        for i in np.unique(entry[here]):
            band = tariff.bands[i] if i >= 0 else None
            total[here & (entry == i)] = price_in(tariff, band, year, month)
    return total


def price_in(tariff: Tariff, band: TariffBand | None, year: int, month: int) -> float:
    """Return the price of one unit in a band of a month, None being outside all bands [currency/unit]."""
    if band is not None and band.price is not None:
        return band.price
    first_tier = tariff.tiers.steps[0].price if tariff.tiers else 0.0
    parts = () if tariff.tiers and not tariff.components else tariff.parts
    ratio = tariff.ratio(band.name if band else "flat", month)
    return first_tier + sum(p.nearest(year, month) * p.share * (ratio if p.floats else 1.0) for p in parts)


def by_month(time_us: Times, zone: ZoneInfo) -> dict[tuple[int, int], NDArray[np.bool_]]:
    """Return which of (n,) times lie in each of the site's months `(2026, 3)`: (n,) bool each."""
    if not time_us.size:
        return {}
    first = day_of(int(time_us.min()), zone).replace(day=1)
    last = int(time_us.max())
    found: dict[tuple[int, int], NDArray[np.bool_]] = {}
    while True:
        after = (first + timedelta(days=32)).replace(day=1)
        start, end = (at_us(d, 0, zone) for d in (first, after))
        here = (time_us >= start) & (time_us < end)
        if here.any():
            found[first.year, first.month] = here
        if last < end:
            return found
        first = after


def power_factor(active: float, reactive: float) -> float:
    """
    Return the mean power factor of a period from its energies, before rounding.

    Parameters
    ----------
    active, reactive : energy of the period [kWh, kvarh]; of reactive energy the amount counts, either way it flows

    Returns
    -------
    Wp / √(Wp² + Wq²), NaN if no energy flowed. Source: 水电财字〔83〕215号.
    """
    apparent = math.hypot(active, reactive)
    return active / apparent if apparent > 0 else math.nan


def power_factor_adjustment(factor: float, target: float) -> float:
    """
    Return by how many per cent the bill changes for a month's mean power factor; below zero is a reward.

    Parameters
    ----------
    factor : mean power factor of the month, 0 to 1; rounded to 0.01 as the utility does
    target : 0.90, 0.85 or 0.80, as the contract says

    Raises
    ------
    ValueError
        If the target is none of these, or the factor is no number from 0 to 1.

    Notes
    -----
    The table is linear in steps of 0.01: below the target 0.5 % a step for twenty steps, then 1 % for five, then 2 %
    without an end. Above it 0.15 % (target 0.90) until 0.95; for the other targets 0.1 % up to a factor of 0.90 and
    0.15 % beyond.

    Source: 水电财字〔83〕215号. One published transcription caps the reward for 0.85 at −1.00; the table gives −1.10.
    """
    if target not in _REWARD_ENDS:
        raise ValueError(f"{target} is no power-factor target; the contract says 0.90, 0.85 or 0.80")
    if not 0.0 <= factor <= 1.0:
        raise ValueError(f"{factor} is no power factor; give one from 0 to 1")
    # Half a hundredth rounds up; a float such as 0.895 must not fall by its last bit.
    hundredths = math.floor(factor * 100 + 0.5 + 1e-9)
    aim = round(target * 100)
    short = aim - hundredths
    if short > 0:
        return 0.5 * min(short, 20) + 1.0 * min(max(short - 20, 0), 5) + 2.0 * max(short - 25, 0)
    ends, reward = _REWARD_ENDS[target]
    if hundredths >= ends:
        return reward
    small = max(0, min(hundredths, 90) - aim)
    large = max(0, hundredths - max(aim, 90))
    # From +0.0, so that a factor on target gives no negative zero.
    return round(0.0 - 0.10 * small - 0.15 * large, 2) + 0.0


def adjustment_amount(base: float, factor: float, target: float) -> float:
    """
    Return what the power factor adds to a bill [currency], below zero a reward.

    `base` is the charge that the adjustment is applied to: basic charge and energy charge, government funds left out
    where the local reading says so. [currency]
    """
    return base * power_factor_adjustment(factor, target) / 100.0
