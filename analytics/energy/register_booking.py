"""Booking stretches of days of many registers, with the habits that each had in each month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.booking import Segment, learning_days
from analytics.energy.by_months import Month, between, booked_by_months, with_hand
from analytics.energy.day_figures import months_of
from analytics.energy.habits import Habits
from analytics.energy.intervals import Intervals
from analytics.energy.register_definitions import definition_of
from analytics.energy.registers import Booked, learn
from analytics.energy.survey import Survey
from facility.readings import Series
from facility.store import TelemetryStore

_MOST_LEARNT: Final = 20_000  # habits of a register in a month that are remembered


class RegisterBooking:
    """Reads and books; remembers habits, which for most of a month do not change."""

    def __init__(self, store: TelemetryStore, zone: ZoneInfo) -> None:
        self._store, self._zone = store, zone
        # By register and month: a mark of what they were learnt from, and the habits.
        self._learnt: dict[tuple[str, date], tuple[int, Habits | None]] = {}

    def book(
        self, survey: Survey, segment: Segment, rows: Sequence[int], start_us: int, end_us: int
    ) -> dict[str, Booked]:
        """Return what the registers in some rows counted in [start, end), which lies in the segment's days."""
        keys = [survey.figures.keys[k] for k in rows]
        if not survey.counts[rows, segment.lead : segment.tail + 1].any():
            return {key: Booked(Intervals.missing(start_us, end_us), ()) for key in keys}
        months = [m for m in months_of(survey.figures.days) if m[1] <= segment.last and m[2] > segment.lead]
        if len(self._learnt) > _MOST_LEARNT:
            self._learnt.clear()
        wanted = self._to_learn(survey, rows, months)
        spans = [span for span in wanted.values() if span is not None]
        low = min([segment.lead, *(span.start for span in spans)])
        high = max([segment.tail + 1, *(span.stop for span in spans)])
        series = self._series(survey, keys, low, high)
        edges, zone = survey.edges, self._zone
        booked: dict[str, Booked] = {}
        for key in keys:
            register = survey.registers[key].register
            stretches: list[Month] = []
            for month, first, last in months:
                span = wanted[key, month]
                if span is not None:
                    own = between(series[key], int(edges[span.start]), int(edges[span.stop]))
                    habits = learn(own.time_us, own.value, own.quality, register, zone) if len(own) else None
                    self._learnt[key, month] = (self._learnt[key, month][0], habits)
                stretches.append((int(edges[first]), int(edges[last]), self._learnt[key, month][1]))
            near = between(series[key], int(edges[segment.lead]), int(edges[segment.tail + 1]))
            booked[key] = booked_by_months(near, register, stretches, start_us, end_us, zone)
        return booked

    def _to_learn(
        self, survey: Survey, rows: Sequence[int], months: Sequence[tuple[date, int, int]]
    ) -> dict[tuple[str, date], slice | None]:
        """Return from which days a register's habits in a month must be learnt; None where they are known."""
        keys = survey.figures.keys
        wanted: dict[tuple[str, date], slice | None] = {}
        for month, first, _ in months:
            low, high = learning_days(survey.counts[rows] > 0, first, survey.over)
            for k, a, b in zip(rows, low.tolist(), high.tolist(), strict=True):
                mark = hash((survey.signatures[k, a:b].tobytes(), definition_of(survey.registers[keys[k]])))
                held = self._learnt.get((keys[k], month))
                known = held is not None and held[0] == mark
                if not known:
                    self._learnt[keys[k], month] = (mark, None)
                wanted[keys[k], month] = None if known or a == b else slice(a, b)
        return wanted

    def _series(self, survey: Survey, keys: Sequence[str], low: int, high: int) -> dict[str, Series]:
        start_us, end_us = int(survey.edges[low]), int(survey.edges[high])
        series = dict(self._store.series(keys, start_us, end_us))
        for key in keys:
            if key in survey.hand:
                series[key] = with_hand(series[key], between(survey.hand[key], start_us, end_us))
        return series


def portions(rows: Sequence[int], readings: NDArray[np.int64], steps: int, most: int) -> list[list[int]]:
    """
    Return registers in parts whose readings, and steps, fit into memory together.

    `readings` (rows,) is how many readings each has, `steps` how many steps each is booked in, `most` what fits.
    """
    parts: list[list[int]] = [[]]
    held = 0
    for row, weight in zip(rows, np.maximum(readings, steps).tolist(), strict=True):
        if parts[-1] and held + weight > most:
            parts.append([])
            held = 0
        parts[-1].append(row)
        held += weight
    return parts
