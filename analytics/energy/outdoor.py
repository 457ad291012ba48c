"""The outdoor temperature of a site as its own machines tell it."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.energy.intervals import Floats, Times
from analytics.energy.weather import daily_means
from facility.calendar import at_us, day_of
from facility.site import Site
from facility.store import Level, TelemetryStore

_POINT: Final = "outdoor_temperature"
_HOT_C: Final = 35.0  # Guangdong's sharp peak: days whose highest temperature reaches it
_HOUR_US: Final = 3_600_000_000


class Outdoor:
    """The outdoor temperature of a weather station, or else of any machine that tells it."""

    def __init__(self, site: Site, store: TelemetryStore) -> None:
        self._store, self._zone = store, site.time_zone
        having = [e for e in site.equipment.values() if _POINT in e.points]
        best = min(having, key=lambda e: e.cls.id != "weather_station", default=None)
        self._key = None if best is None else f"{best.id}/{_POINT}"

    def means(self, edges: Times) -> Floats | None:
        """Return the means of days, (d,) for (d + 1,) edges [µs UTC], NaN where unknown; None if nothing tells. [°C]"""
        if self._key is None:
            return None
        hours = self._store.rollup([self._key], Level.HOUR, int(edges[0]), int(edges[-1]))[self._key]
        known = hours.count > 0
        return daily_means(hours.time_us[known], hours.mean[known], edges)

    def daily(self, first: date, last: date) -> Floats:
        """Return the means of the days from first to last, both counted; NaN where unknown. [°C]"""
        days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
        found = self.means(np.array([at_us(day, 0, self._zone) for day in days], dtype=np.int64))
        return np.full(len(days) - 1, np.nan) if found is None else found

    def known(self, first: date, last: date) -> dict[date, float]:
        """Return the same by day, where it is known."""
        means = enumerate(self.daily(first, last))
        return {first + timedelta(days=i): float(t) for i, t in means if math.isfinite(t)}

    def hot_days(self, start_us: int, end_us: int) -> dict[date, bool]:
        """Return of each day whose temperature is known whether it was hot."""
        if self._key is None:
            return {}
        days = self._store.rollup([self._key], Level.DAY, start_us, end_us)[self._key]
        return {
            day_of(int(t) + _HOUR_US, self._zone): bool(highest >= _HOT_C)
            for t, highest, n in zip(days.time_us, days.max, days.count, strict=True)
            if n > 0
        }
