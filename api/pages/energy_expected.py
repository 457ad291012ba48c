"""What the days before let expect, corrected for weather and kind of day: of a carrier, or of a department."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.energy.books import Books
from analytics.energy.forecast import day_kinds, forecast
from analytics.energy.intervals import Floats
from analytics.energy.weather import daily_means
from facility.calendar import at_us
from facility.measure_entry import outdoor_point
from facility.names import Names
from facility.site import Site
from facility.store import Level, TelemetryStore

_HISTORY_D: Final = 500
_LEAST_DAYS: Final = 14  # of history, before anything is expected
_MOST_MISSING: Final = 0.02  # of a day, for it to count


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """
    A period as the days before it, and its own days so far, let expect.

    Attributes
    ----------
    expected : (days,) from the days before the period and its weather, NaN where that says nothing
    forecast : (days,) of the days that are not over, from all days so far; NaN elsewhere, or without a forecast
    total, half_width : forecast of the period and half its interval; None: no forecast
    level : share of outcomes that the interval is meant to hold
    reason : why a period that is not over has no forecast
    """

    expected: Floats
    forecast: Floats
    total: float | None
    half_width: float | None
    level: float
    reason: Names | None = None


def outdoor_means(site: Site, store: TelemetryStore, days: Sequence[date]) -> Floats | None:
    """Return the mean outdoor temperature of consecutive days, NaN where not known; None without a thermometer. [°C]"""
    key = outdoor_point(site)
    if key is None:
        return None
    edges = np.array([at_us(d, 0, site.time_zone) for d in (*days, days[-1] + timedelta(days=1))], dtype=np.int64)
    hours = store.rollup([key], Level.HOUR, int(edges[0]), int(edges[-1]))[key]
    known = hours.count > 0
    return daily_means(hours.time_us[known], hours.mean[known], edges) if known.any() else None


def outlook(books: Books, store: TelemetryStore, keys: Sequence[str], first: date, end: date, today: date) -> Outlook:
    """
    Work out what is expected of the sum of some registers in the days from `first` to before `end`.

    Raises
    ------
    StoreUnavailable
        If store or database cannot be reached.
    """
    site = books.site
    begin = first - timedelta(days=_HISTORY_D)
    days = [begin + timedelta(days=i) for i in range((end - begin).days)]
    daily = books.daily(keys, begin, days[-1])
    used = np.full(len(days), 0.0)
    for own in daily.values():
        used += np.where(own.missing <= _MOST_MISSING, own.amount, np.nan)
    used[[day >= today for day in days]] = np.nan  # today is not over
    kinds, place = day_kinds(days, site.time_zone), (first - begin).days
    temperature = outdoor_means(site, store, days)
    none = np.full(len(days) - place, np.nan)
    if not keys or int(np.isfinite(used[:place]).sum()) < _LEAST_DAYS:
        expected = none
    else:
        before = np.where(np.arange(len(days)) < place, used, np.nan)
        expected = forecast(before, kinds, temperature, place).expected
    if end <= today or not keys:
        return Outlook(expected, none, None, None, 0.8)
    ahead = forecast(used, kinds, temperature, place)
    if ahead.reason is not None:
        return Outlook(expected, none, None, None, ahead.confidence, ahead.reason)
    still = np.where(np.isfinite(used[place:]), np.nan, ahead.expected)
    # A day that is over but missing is no forecast.
    still[[day < today for day in days[place:]]] = np.nan
    return Outlook(expected, still, ahead.total, (ahead.high - ahead.low) / 2.0, ahead.confidence)
