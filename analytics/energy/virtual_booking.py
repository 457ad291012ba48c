"""Booking virtual meters: on the days on which a register that they are computed from changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.energy.booking import Bools
from analytics.energy.bookkeeper import Bookkeeper
from analytics.energy.day_figures import DayFigures, figures_of, widened
from analytics.energy.derived import SUFFIX, read_used, write_used
from analytics.energy.intervals import STEP_US, Times
from analytics.energy.ledger import Cause, Ledger, RegisterState
from analytics.energy.posting import Posted, post
from analytics.energy.virtual import computed, inputs_of, means_by_step
from facility.database import Database
from facility.readings import PointAddress
from facility.site import Site
from facility.store import TelemetryStore
from facility.virtual_meters import VirtualMeter

PREFIX: Final = "virtual/"  # what registers of virtual meters are called by, as if they were a machine's
_RECENT_DAYS: Final = 2
_STEPS_AT_A_TIME: Final = 31 * 96


@dataclass(frozen=True, slots=True)
class RegistersRun:
    """
    What the registers' run has left to do.

    Attributes
    ----------
    first_day, edges : the books' first day, and where the days begin and the last one ends [µs UTC]
    changed : by register, (days,) bool, figures that are others than before
    causes : why they are, by register
    thorough : look at every day
    """

    first_day: date
    edges: Times
    changed: Mapping[str, Bools]
    causes: Mapping[str, Cause]
    thorough: bool
    now_us: int
    until_us: int


class VirtualBooking:
    """Books the virtual meters of a site; remembers what the ledger holds of them."""

    def __init__(self, site: Site, store: TelemetryStore, database: Database, keeper: Bookkeeper) -> None:
        self._site, self._store, self._keeper = site, store, keeper
        self._meters = {PREFIX + name: meter for name, meter in site.virtual_meters.items()}
        self._ledger = Ledger(database)
        self._figures: DayFigures | None = None
        self._all = True  # the last run has not come through, or there was none: nobody knows what it left

    def run(
        self, run: RegistersRun, states: Mapping[str, RegisterState], progress: Callable[[str, float], None]
    ) -> tuple[list[Posted], int, list[RegisterState]]:
        """Book what the registers' run has changed; return what was posted, steps written, and how the meters stand."""
        if not self._meters:
            return [], 0, []
        figures = self._open(run)
        everything, self._all = self._all, True
        dirty = np.logical_or.reduce([self._dirty(k, key, run, figures, states) for k, key in enumerate(self._meters)])
        dirty |= everything
        posted: list[Posted] = []
        written = 0
        places = np.flatnonzero(dirty)
        days_at_a_time = max(1, _STEPS_AT_A_TIME // 96)
        for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if places.size else ():
            for i in range(0, part.size, days_at_a_time):
                days = slice(int(part[i]), int(part[min(i + days_at_a_time, part.size) - 1]) + 1)
                progress("virtual", days.start / dirty.size)
                steps, one = self._book(run, figures, days, states)
                written += steps
                posted += [one] if one is not None else []
        fresh = [self._state(key, run.until_us) for key in self._meters]
        with self._keeper.session() as session:
            Ledger.write_registers(session, fresh, states)
        self._all = False
        return posted, written, fresh

    def _open(self, run: RegistersRun) -> DayFigures:
        days, old = run.edges.shape[0] - 1, self._figures
        if old is None or old.first_day != run.first_day:
            last = run.first_day + timedelta(days=days - 1)
            self._figures = old = self._ledger.days(tuple(self._meters), run.first_day, last)
        elif old.amount.shape[1] < days:
            self._figures = old = widened(old, days - old.amount.shape[1])
        return old

    def _dirty(
        self, k: int, key: str, run: RegistersRun, figures: DayFigures, states: Mapping[str, RegisterState]
    ) -> Bools:
        """Return the days of a virtual meter that must be computed anew: (days,) bool."""
        meter, state = self._meters[key], states.get(key)
        # A virtual meter that uses others changes with what those are computed from.
        registers, points = inputs_of(self._with_used(meter))
        dirty: Bools = ~figures.held[k]
        for register in registers:
            if register in run.changed:
                dirty |= run.changed[register]
        if points:
            # Nobody counts how many readings a gauge had; what is recent, and once a day everything, is looked at.
            dirty[0 if run.thorough else -_RECENT_DAYS :] = True
        if state is None or state.definition != definition_of(meter):
            dirty[:] = True
        else:
            since = int(np.searchsorted(run.edges, state.booked_us, side="right")) - 1
            dirty[max(since, 0) :] = True
        return dirty

    def _with_used(self, meter: VirtualMeter) -> list[VirtualMeter]:
        found = [meter]
        for other in found:
            found += [self._site.virtual_meters[name] for name in other.keys("virtual")]
        return found

    def _book(
        self, run: RegistersRun, figures: DayFigures, days: slice, states: Mapping[str, RegisterState]
    ) -> tuple[int, Posted | None]:
        start_us, end_us = int(run.edges[days.start]), min(int(run.edges[days.stop]), run.until_us)
        if end_us <= start_us:
            return 0, None
        meters = self._site.virtual_meters
        registers, points = inputs_of(meters.values())
        used = read_used(self._store, registers, start_us, end_us)
        steps = self._store.aggregate(points, start_us, end_us, STEP_US) if points else {}
        means = {key: means_by_step(s.time_us, s.mean, start_us, end_us) for key, s in steps.items()}
        found = computed(meters, used, means, start_us, end_us, self._site.time_zone)
        new = {PREFIX + name: intervals for name, intervals in found.items()}
        there = read_used(self._store, list(self._meters), start_us, end_us)
        written = write_used(self._store, {key: self._address(key) for key in new}, new, there)
        edges = np.minimum(run.edges[days.start : days.stop + 1], end_us)
        fresh = figures_of(tuple(new), figures.days[days.start], new, edges)
        posted = post(
            self._keeper, figures, fresh, range(len(self._meters)), days,
            units={key: meter.unit for key, meter in self._meters.items()},
            cause_of=lambda key: self._cause_of(key, run, states), states=(), known=states, now_us=run.now_us,
            until_us=run.until_us, zone=self._site.time_zone,
        )  # fmt: skip
        return written, posted

    def _cause_of(self, key: str, run: RegistersRun, states: Mapping[str, RegisterState]) -> Cause:
        meter, state = self._meters[key], states.get(key)
        if state is not None and state.definition != definition_of(meter):
            return "correction"
        registers, _ = inputs_of(self._with_used(meter))
        return next((run.causes[r] for r in registers if r in run.causes), "late data")

    def _state(self, key: str, until_us: int) -> RegisterState:
        meter = self._meters[key]
        return RegisterState(key, meter.unit, definition_of(meter), until_us)

    def _address(self, key: str) -> PointAddress:
        meter = self._meters[key]
        return PointAddress(
            equipment=PREFIX.rstrip("/"), point=meter.id + SUFFIX, equipment_class="virtual_meter", unit=meter.unit,
            site=self._site.id, kind="derived",
        )  # fmt: skip


def definition_of(meter: VirtualMeter) -> str:
    """Return a fingerprint of how a virtual meter is computed."""
    inputs = sorted((name, i.kind, i.key, i.unit) for name, i in meter.inputs.items())
    told = repr((meter.formula.text, meter.unit, inputs, meter.since.isoformat() if meter.since else None))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
