"""
The hospital in software beside a service: its past written once, then its present published over MQTT.

People act on it as on a real one: what the closing note of a ticket says was done is done to the simulated machine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from analytics.desk import Desk, DeskChange
from analytics.energy.activity import ActivityBook
from analytics.energy.measure_book import MeasureBook, MeasureRefused
from analytics.live import LiveRules
from analytics.records import Ticket
from api.security import audit
from collector.broker import BrokerAddress
from facility.calendar import day_of
from facility.database import Database
from facility.database.settings import Setting
from facility.metering import booked_registers
from facility.readings import ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore
from simulators.activity import reported_activity
from simulators.gateways import Publisher
from simulators.hospital import Progress
from simulators.scenario import Scenario

log = logging.getLogger(__name__)

_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _US
# Who reports what the simulated hospital does, and how often somebody looks whether a day has ended.
_CLERK: Final = "simulation"
_CLERK_LOOKS_S: Final = 600.0
_REPORTED_ANEW_DAYS: Final = 40
# A measure needs a year of baseline and some weeks since: a shorter past proves none.
_PROVING_US: Final = 400 * _DAY_US
_WRITTEN: Final = "simulation.history_written"
# The last two days are nearly as fine as live readings, for the charts of a day; what lies before is as fine as
# meters are read. Of what lies further back than a month there are only the meters and the weather, for the accounts.
_FINE_S: Final = 2 * 86400.0
_WHOLE_S: Final = 30 * 86400.0
_FINE_STEP_S: Final = 60.0
_COARSE_STEP_S: Final = 900.0


class Simulation:
    """
    A hospital for one site.

    Parameters
    ----------
    site, store, database : of the service
    truth : where the truth log is written
    scenario : its faults; None: none
    seed : the same seed gives the same hospital; None: the scenario's
    """

    def __init__(
        self,
        site: Site,
        store: TelemetryStore,
        database: Database,
        truth: Path,
        scenario: Scenario | None = None,
        seed: int | None = None,
    ) -> None:
        self._site, self._store, self._database = site, store, database
        if not self.begun:
            # An earlier start was broken off while it wrote the past: its faults are entered anew.
            truth.unlink(missing_ok=True)
        self._scenario = scenario or Scenario(site, ())
        self.hospital = self._scenario.hospital(seed, truth)
        self._publisher: Publisher | None = None
        self._stop_listening: Callable[[], None] | None = None
        self._stopping = threading.Event()
        self._clerk: threading.Thread | None = None

    @property
    def begun(self) -> bool:
        """Return True if an earlier start has written this hospital's past."""
        with self._database.reading() as session:
            return session.get(Setting, _WRITTEN) is not None

    def write_past(self, days: float, progress: Progress, now_us: Callable[[], int]) -> int:
        """
        Write the days before now, ending now; what the scenario has before its start is in them.

        Returns
        -------
        How many readings were written.
        """
        end_us = now_us()
        start_us = end_us - round(days * 86400 * _US)
        self.hospital.add([event for event in self._scenario.events(end_us) if event.start_us < end_us])
        written = self._write(start_us, end_us, progress) if days > 0 else 0
        self.report_activity(start_us, end_us)
        if end_us - start_us >= _PROVING_US:
            self.enter_measures(end_us)
        with self._database.session() as session:
            session.merge(Setting(key=_WRITTEN, value={"from_us": start_us, "to_us": end_us}))
        return written

    def _write(self, start_us: int, end_us: int, progress: Progress) -> int:
        whole_us = max(start_us, end_us - round(_WHOLE_S * _US))
        fine_us = max(start_us, end_us - round(_FINE_S * _US))
        deriving = Deriving(self._store, self._site)
        coarse, fine = _COARSE_STEP_S, _FINE_STEP_S
        # A fine day takes about as long as a fortnight of coarse ones, and one of meters alone half of such a one.
        parts = (
            (start_us, whole_us, self._store, coarse, accounted(self._site), 0.5),
            (whole_us, fine_us, deriving, coarse, None, 1.0),
            (fine_us, end_us, deriving, fine, None, 14.0),
        )
        work = sum(weight * (to_us - from_us) for from_us, to_us, _, _, _, weight in parts)
        written, done = 0, 0.0
        for from_us, to_us, store, step_s, only, weight in parts:
            if to_us <= from_us:
                continue
            share = weight * (to_us - from_us) / work
            tell = _part_of(progress, done, share)
            written += self.hospital.write_history(store, from_us, to_us, step_s, tell, step_s, only)
            done += share
        return written

    def report_activity(self, start_us: int, end_us: int) -> int:
        """Report what the hospital did on the days from the first that has begun to the last that has ended."""
        zone = self._site.time_zone
        first, last = day_of(start_us, zone), day_of(end_us, zone) - timedelta(days=1)
        book = ActivityBook(self._site, self._database, lambda: end_us)
        return book.add(reported_activity(self._site, first, last, self.hospital.seed), _CLERK)

    def enter_measures(self, end_us: int) -> int:
        """Enter the scenario's measures into the book of measures, each once; return how many were new."""
        book = MeasureBook(self._site, self._database, lambda: end_us)
        known, entered = {e.id for e in book.entered(withdrawn=True)} | set(self._site.measures), 0
        for entry in self._scenario.measure_entries(end_us):
            if entry["id"] in known:
                continue

            def note(session: Session, measure: str, entry: dict[str, Any] = entry) -> None:
                audit.record(session, end_us, _CLERK, "energy-measure-entered", f"measure {measure}", {"entry": entry})

            try:
                book.add(entry, _CLERK, audit=note)
            except MeasureRefused as error:
                log.warning("a measure of the scenario was not entered", extra={"id": entry["id"], "why": str(error)})
            else:
                entered += 1
        return entered

    def go_on(self, now_us: Callable[[], int]) -> None:
        """Go on where an earlier start left off: registers continue, faults that nobody mended are still there."""
        self.hospital.resume(self._store, now_us())

    def start(self, broker: BrokerAddress, desk: Desk, *, first_time: bool, now_us: Callable[[], int]) -> None:
        """Begin to publish, and to hear from the desk; the first time, the scenario's faults come from now on."""
        if first_time:
            start_us = now_us()
            self.hospital.add([event for event in self._scenario.events(start_us) if event.start_us >= start_us])
        self.listen(desk, now_us())
        self._publisher = Publisher(self.hospital, broker)
        self._publisher.start()
        self._clerk = threading.Thread(target=self._report_on, args=(now_us,), name="activity", daemon=True)
        self._clerk.start()

    def _report_on(self, now_us: Callable[[], int]) -> None:
        """Report each day once it has ended, and those that ended while nothing ran."""
        with self._database.reading() as session:
            past = session.get(Setting, _WRITTEN)
            since_us = now_us() if past is None else past.value["from_us"]
        while not self._stopping.is_set():
            try:
                self.report_activity(max(since_us, now_us() - _REPORTED_ANEW_DAYS * _DAY_US), now_us())
            except Exception:
                log.exception("the report of the hospital's activity failed")
            self._stopping.wait(_CLERK_LOOKS_S)

    def listen(self, desk: Desk, since_us: int) -> None:
        """Let tickets that are closed from now on mend the machines, if their notes name the right work."""
        mended: set[int] = set()

        def heard(change: DeskChange) -> None:
            ticket = desk.ticket(change.id) if change.kind == "ticket" and change.id not in mended else None
            if ticket is None or ticket.closed_us is None:
                return
            # A comment on what was closed long ago is no repair.
            mended.add(ticket.id)
            if ticket.closed_us >= since_us:
                self.hospital.repair(ticket.equipment, what_was_done(ticket))

        self._stop_listening = desk.subscribe(heard)

    def stop(self) -> None:
        """Stop publishing, hearing and reporting."""
        self._stopping.set()
        if self._clerk is not None:
            self._clerk.join(5.0)
        if self._stop_listening is not None:
            self._stop_listening()
        if self._publisher is not None:
            self._publisher.stop()
            self.hospital.take_stock()


def _part_of(progress: Progress, done: float, share: float) -> Progress:
    return lambda of_part, what: progress(done + share * of_part, what)


def accounted(site: Site) -> frozenset[str]:
    """Return the points on which energy accounts rest: registers that are booked, and the weather."""
    weather = (a.key for a in site.points.addresses if a.equipment_class == "weather_station")
    return frozenset({*booked_registers(site), *weather})


def what_was_done(ticket: Ticket) -> str:
    """Return the closing note of a ticket, and the steps of its check-list that were ticked, as one text."""
    steps = [text for step in ticket.checklist if step.done_us is not None for text in (step.zh, step.en)]
    return "\n".join([ticket.resolution or "", *steps])


class Deriving:
    """Takes the simulated past and writes it with its derived points, as live readings are."""

    def __init__(self, store: TelemetryStore, site: Site) -> None:
        self._store = store
        self._rules = LiveRules(site)

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch and what follows from it."""
        derived = self._rules.derive(batch)
        self._store.write(ReadingBatch.concat([batch, derived]) if len(derived) else batch)
