"""
What the hospital's information system would report of its days: occupied beds, visits, surgeries, staff.

They are of the same people as the consumption: occupancy and the departments' hours are those that the simulated
wards, clinics and theatres draw their electricity, water and gases by. Rates are typical of Chinese tertiary general
hospitals, none of them normative.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import numpy as np

from facility.activity import Activity, ActivityKind
from facility.calendar import day_bounds_us
from facility.site import Department, Site
from simulators import noise
from simulators.occupancy import bed_occupancy
from simulators.plants.departments import profile_of
from simulators.rhythm import HOUR_US, SCHEDULES, Span, make_span

# Of a workday: visits a square metre of clinic and of emergency department, operations a square metre of theatre.
_VISITS_M2: Final = {"outpatient": 0.19, "emergency": 0.09}
_SURGERIES_M2: Final = 0.0115
# Staff on duty for each bed, on workdays and on days off.
_STAFF_A_BED: Final = (1.15, 0.62)
_SPREAD: Final = 0.05  # busier and calmer days
_DAY_S: Final = 86400.0


def reported_activity(site: Site, first: date, last: date, seed: int) -> list[Activity]:
    """
    Return what is reported of each day from the first to the last; the same seed gives the same figures.

    Of inpatient departments bed-days, of clinics visits, of theatres surgeries; of the whole site the staff.
    """
    found: list[Activity] = []
    day = first
    while day <= last:
        found += _of_day(site, day, seed)
        day += timedelta(days=1)
    return found


def _of_day(site: Site, day: date, seed: int) -> Iterator[Activity]:
    span = _hours(site, day)
    taken = float(bed_occupancy(span).mean())
    for department in site.departments.values():
        name, profile = department.id, profile_of(department)
        own = noise.fixed(seed, f"{name}|beds", 0.94, 1.06)
        beds = department.beds.on(day)
        if profile.inpatient and beds:
            share = min(taken * (own + 0.03 * _noise(seed, f"{name}|beds", span, 6 * _DAY_S)), 1.02)
            yield _activity("bed_days", department, day, beds * share)
        busy = _share_of_workday(profile.schedule, span) * (
            1.0 + _SPREAD * _noise(seed, f"{name}|visits", span, _DAY_S)
        )
        area = department.floor_area_m2.on(day) or 0.0
        if profile.schedule in _VISITS_M2:
            yield _activity("visits", department, day, area * _VISITS_M2[profile.schedule] * busy)
        if profile.schedule == "theatre":
            yield _activity("surgeries", department, day, area * _SURGERIES_M2 * busy)
    beds = site.sizes.on(day).beds
    if beds:
        yield Activity("staff", None, "day", day, float(round(beds * _STAFF_A_BED[0 if span.workday[12] else 1])))


def _activity(kind: ActivityKind, department: Department, day: date, value: float) -> Activity:
    return Activity(kind, department.id, "day", day, float(max(0, round(value))))


def _hours(site: Site, day: date) -> Span:
    start_us, end_us = day_bounds_us(day, site.time_zone)
    return make_span(np.arange(start_us, end_us, HOUR_US, dtype=np.int64), start_us - HOUR_US, site.time_zone)


def _share_of_workday(schedule: str, span: Span) -> float:
    """Return how busy a day is, a workday being 1. [-]"""
    plan = SCHEDULES[schedule]
    return 1.0 if span.workday[12] else plan.saturday if span.weekday[12] == 5 else plan.day_off


def _noise(seed: int, name: str, span: Span, period_s: float) -> float:
    return float(noise.smooth(seed, name, span.time_us[12:13], period_s)[0])
