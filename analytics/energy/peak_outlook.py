"""From the steps of a contract to the forecast of its maximum demand at the end of the running month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.bill_lines import next_month
from analytics.energy.demand import daily_peaks, maximum_demand
from analytics.energy.intervals import STEP_US, Floats, Intervals
from analytics.energy.peak_forecast import PeakForecast, forecast_peak
from facility.calendar import at_us, day_kind, day_of


def peak_outlook(
    use: Intervals, now_us: int, zone: ZoneInfo, temperature_c: Mapping[date, float] | None = None
) -> PeakForecast | None:
    """
    Forecast the maximum demand of the site's month that holds `now_us`.

    Parameters
    ----------
    use : energy through the meters of the contract, 90 days back are enough [kWh]
    temperature_c : of each of the site's days, past and foreseen; None: no such series [°C]

    Returns
    -------
    None if too few days are known.
    """
    today = day_of(now_us, zone)
    first = day_of(use.start_us, zone)
    # Only whole days tell a day's peak.
    first += timedelta(days=1) if at_us(first, 0, zone) < use.start_us else timedelta()
    before = [first + timedelta(days=i) for i in range((today - first).days)]
    left = [today + timedelta(days=i) for i in range((next_month(today.replace(day=1)) - today).days)]
    if not before:
        return None
    edges = np.array([at_us(d, 0, zone) for d in [*before, today]], dtype=np.int64)
    month_us = at_us(today.replace(day=1), 0, zone)
    so_far = maximum_demand(use.window(month_us, now_us // STEP_US * STEP_US)) if now_us - month_us >= STEP_US else None
    known = temperature_c or {}
    return forecast_peak(
        daily_peaks(use, edges),
        _workdays(before, zone),
        _workdays(left, zone),
        so_far.kw if so_far else float("nan"),
        temperature_c=_of(known, before),
        temperature_left_c=_of(known, left),
    )


def _workdays(days: list[date], zone: ZoneInfo) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([day_kind(d, zone).workday for d in days], dtype=np.bool_)


def _of(temperature_c: Mapping[date, float], days: list[date]) -> Floats:
    return np.array([temperature_c.get(d, float("nan")) for d in days])
