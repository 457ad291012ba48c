"""What a unit costs at a time, and how the power factor changes the electricity bill.

Tariffs are data in the site file; the functions here read them. Which tariff holds on a day is `Dated[Tariff].on(day)`.
"""

from __future__ import annotations

import math
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from facility.formats import moment
from facility.site import Tariff, TariffBand

_MINUTES_A_DAY: Final = 24 * 60

# Power-factor target of the contract -> factor from which the reward no longer grows, and what it is there [%].
_REWARD_ENDS: Final = {0.90: (95, -0.75), 0.85: (94, -1.10), 0.80: (92, -1.30)}


def band_at(tariff: Tariff, minute: int, month: int) -> TariffBand | None:
    """Return the first band that holds at `minute` minutes after midnight in `month` (1 to 12), or None outside all."""
    return next((b for b in tariff.bands if month in b.months and _within(b, minute)), None)


def _within(band: TariffBand, minute: int) -> bool:
    start, end = band.start_minute, band.end_minute
    if start < end:
        return start <= minute < end
    # An end at or before the start runs past midnight; a band from 00:00 to 00:00 is the whole day.
    return minute >= start or minute < end


def unit_price(tariff: Tariff, time_us: int, zone: ZoneInfo) -> float:
    """Return the price of one unit at a time [currency/unit of the tariff]."""
    local = moment(time_us, zone)
    found = band_at(tariff, local.hour * 60 + local.minute, local.month)
    return tariff.price if found is None else found.price


def unit_prices(tariff: Tariff, time_us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.float64]:
    """Return the price of one unit at each of (n,) times [currency/unit of the tariff]."""
    if not tariff.bands:
        return np.full(time_us.shape, tariff.price)
    # Bands begin and end on whole minutes, and offsets of zones are whole minutes too.
    minutes, which = np.unique(time_us // 60_000_000, return_inverse=True)
    prices = np.array([unit_price(tariff, int(m) * 60_000_000, zone) for m in minutes])
    return prices[which] if minutes.size else np.zeros(0)


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
