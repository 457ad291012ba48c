"""The bars of a period's charts: what stands under each, and which are days of rest."""

from __future__ import annotations

from api.pages.energy_period import Period
from facility.calendar import day_kind
from facility.site import Site


def part_names(period: Period, n: int) -> tuple[str, ...]:
    """Return what stands under the bars: hours, days of the month, months."""
    if period.span == "day":
        return tuple(str(i) for i in range(n))
    if period.span == "week":
        return tuple(day.strftime("%m-%d") for day in period.parts)
    return tuple(str(day.month if period.span == "year" else day.day) for day in period.parts)


def shaded_parts(site: Site, period: Period, n: int) -> tuple[bool, ...]:
    """Return which bars are days on which people do not work."""
    if period.span not in ("week", "month"):
        return (False,) * n
    return tuple(not day_kind(day, site.time_zone).workday for day in period.parts)
