"""
The jobs of a service: waste rules every hour, energy accounts every quarter, looks at machines and at the data.

Missed runs are caught up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.background import BackgroundScheduler

from analytics.data_health import DataHealth
from analytics.desk import Desk
from analytics.energy.books import Books
from analytics.energy.standings import Standing
from analytics.energy.target_findings import plan_findings
from analytics.schedule.machines import Progress, judge, pace_us
from analytics.waste import RULES, RuleContext
from facility.calendar import day_of
from facility.database import Database, read_setting, write_setting
from facility.errors import StoreUnavailable
from facility.readings import Latest
from facility.site import AnomalySettings, Equipment, Site
from facility.store import TelemetryStore

log = logging.getLogger(__name__)

_WASTE_HOURS: Final = 1
_LOOK_S: Final = 5
_SILENCE_S: Final = 5
_EXAMINE_S: Final = 15
_BOOK_S: Final = 15 * 60
_ASKED_S: Final = 5
_EXPIRE_HOURS: Final = 24
_EXPIRE_AFTER: Final = timedelta(minutes=10)  # a service that has just started has other things to do
# Looks at machines at one turn, and how long they may take together: many machines may be due at once, and the service
# has other things to do.
_LOOKS_A_TURN: Final = 4
_TURN_US: Final = 1_000_000
# A machine rests at least so many times as long as the last look at it took.
_REST: Final = 10
_AFTER_FAILURE_US: Final = 60_000_000
# Readings that have not come for so long have ended for now.
_ENDED_US: Final = 60_000_000


class _Stopping(Exception):
    """The service ends; what a job leaves undone the next one does."""


class Jobs:
    """
    Runs what is not driven by readings as they come.

    Parameters
    ----------
    site, store : what is judged
    desk : takes the findings
    database : keeps how far each machine has been judged
    clock : the time now [µs]
    health : watches over the data themselves, if that is wanted
    books : the energy accounts, if they are kept here
    """

    def __init__(
        self,
        site: Site,
        store: TelemetryStore,
        desk: Desk,
        database: Database,
        clock: Callable[[], int],
        health: DataHealth | None = None,
        books: Books | None = None,
    ) -> None:
        self._site, self._store, self._desk, self._database, self._clock = site, store, desk, database, clock
        self._health, self._books = health, books
        self._keeping = threading.Lock()
        self._booked_us = self._books_rest_until_us = 0  # when the books were brought up to date last
        self._watched = [(e, e.anomaly) for e in site.equipment.values() if e.anomaly is not None]
        self._seen_us: dict[str, int] = {}  # newest reading at the last look
        self._newest_us: dict[str, tuple[int, int]] = {}  # newest reading, and the time now when it was first seen
        self._rest_until_us: dict[str, int] = {}
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Begin: the waste rules and the first machines at once, then at their intervals."""
        now = datetime.now(UTC)
        # Of several runs that were missed one is made up; two of one job never run side by side.
        together = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None, "next_run_time": now}
        self._scheduler.add_job(self.judge_machines, "interval", seconds=_LOOK_S, id="machines", **together)
        self._scheduler.add_job(self.run_waste_rules, "interval", hours=_WASTE_HOURS, id="waste", **together)
        first = {**together, "next_run_time": now + _EXPIRE_AFTER}
        self._scheduler.add_job(self.expire, "interval", hours=_EXPIRE_HOURS, id="expire", **first)
        if self._books is not None:
            # The first booking takes minutes; turns that come meanwhile see that one is under way.
            self._scheduler.add_job(
                self.keep_books, "interval", seconds=_ASKED_S, id="books", **{**together, "max_instances": 2}
            )
        if self._health is not None:
            self._scheduler.add_job(self.look_for_silence, "interval", seconds=_SILENCE_S, id="silence", **together)
            self._scheduler.add_job(self.examine_data, "interval", seconds=_EXAMINE_S, id="data", **together)
        self._scheduler.start()

    def stop(self) -> None:
        """Finish what runs, but for the rest of a long booking, and stop; a second call does nothing."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def run_waste_rules(self) -> None:
        """Run every waste rule over the time up to now; one that fails is logged and does not stop the others."""
        for rule in RULES:
            if self._stopping.is_set():
                return
            try:
                findings = rule.run(RuleContext(self._site, self._store, self._clock()))
                self._desk.take_findings(findings)
                log.info("waste rule run", extra={"rule": rule.code, "machines": len(findings)})
            except StoreUnavailable as error:
                log.warning("waste rule %s waits for its data: %s", rule.code, error)
            except Exception:
                log.exception("waste rule %s failed", rule.code)

    def look_for_silence(self) -> None:
        """Look who is silent and whose clock is wrong."""
        if self._health is not None:
            self._try("the look for silence", self._health.look)
            self._try("the look at clocks", self._health.look_at_clocks)

    def examine_data(self) -> None:
        """Examine the last day of the machines whose turn it is, for a moment: there are many of them."""
        if self._health is not None:
            self._try("the examination of data", self._health.examine)

    def keep_books(self) -> None:
        """Bring the energy accounts up to date: every quarter of an hour, and soon after somebody entered something."""
        if self._books is None or not self._keeping.acquire(blocking=False):
            return  # a turn that comes while the first booking runs is no turn that was missed
        try:
            self._keep(self._books, self._clock())
        finally:
            self._keeping.release()

    def _keep(self, books: Books, now_us: int) -> None:
        if books.progress() is not None or now_us < self._books_rest_until_us:
            return
        if now_us - self._booked_us < _BOOK_S * 1_000_000 and not books.wanted:
            return
        # Once a day every day is looked at: a reading may have been replaced by another of the same time.
        thorough = day_of(self._booked_us, self._site.time_zone) < day_of(now_us, self._site.time_zone)
        if self._try("the energy accounts", lambda: books.bring_up_to_date(self._go_on, thorough=thorough)):
            self._booked_us = now_us
            self._try("the look at the plans", lambda: self._judge_plans(books))
        else:
            self._books_rest_until_us = now_us + _AFTER_FAILURE_US

    def _go_on(self, _stage: str, _share: float) -> None:
        """Break a booking off that may take minutes: what is booked stays, and the next run goes on there."""
        if self._stopping.is_set():
            raise _Stopping

    def _judge_plans(self, books: Books) -> None:
        """Tell which plans of the running month and year will be passed, as the books have them."""
        now_us = self._clock()
        month = day_of(now_us, self._site.time_zone).replace(day=1)
        kept = books.statement("targets", "site", month)
        if kept is not None:
            found = [Standing.from_json(row, month) for row in kept.figures["rows"]]
            self._desk.take_findings(plan_findings(self._site, found, now_us))

    def expire(self) -> None:
        """Delete readings and roll-ups that are older than the site keeps them."""
        self._try("the deletion of old readings", self._expire)

    def _expire(self) -> None:
        # A clock that has jumped ahead must not make everything old: nothing ages beyond the newest reading.
        newest_us = max((newest.time_us for newest in self._store.latest().values()), default=None)
        if newest_us is None:
            return
        gone = self._store.expire(self._site.retention, min(self._clock(), newest_us))
        rollups = {level.value: rows for level, rows in gone.rollups.items() if rows}
        log.info("old readings deleted", extra={"readings": gone.readings, "rollups": rollups})

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except StoreUnavailable as error:
            log.warning("%s waits for its data: %s", what, error)
        except _Stopping:
            log.info("%s will go on after the next start", what)
        except Exception:
            log.exception("%s failed", what)
        else:
            return True
        return False

    def judge_machines(self, most: int = _LOOKS_A_TURN) -> int:
        """
        Look at the machines that have enough new data, the most overdue first, at most `most` of them.

        Returns
        -------
        How many machines were looked at; 0 when all are up to date.
        """
        try:
            due = self._due()
        except StoreUnavailable as error:
            log.warning("the look at machines waits for its data: %s", error)
            return 0
        looked, turn_us = 0, self._clock()
        for machine, settings, progress, until_us in due[:most]:
            if self._stopping.is_set() or self._clock() - turn_us > _TURN_US:
                break
            began_us = self._clock()
            rest_us = _AFTER_FAILURE_US
            try:
                self._look(machine, settings, progress, until_us)
                self._seen_us[machine.id] = until_us
                rest_us = _REST * (self._clock() - began_us)
            except StoreUnavailable as error:
                log.warning("the look at %s waits for its data: %s", machine.id, error)
            except Exception:
                log.exception("the look at %s failed", machine.id)
            self._rest_until_us[machine.id] = self._clock() + rest_us
            looked += 1
        return looked

    def _due(self) -> list[tuple[Equipment, AnomalySettings, Progress | None, int]]:
        keys = [f"{machine.id}/{point}" for machine, settings in self._watched for point in settings.points]
        latest = self._store.latest(keys) if keys else {}
        now_us = self._clock()
        due: list[tuple[float, Equipment, AnomalySettings, Progress | None, int]] = []
        with self._database.reading() as session:
            for machine, settings in self._watched:
                until_us = _newest(machine, settings, latest)
                if until_us is None or self._rest_until_us.get(machine.id, 0) > now_us:
                    continue
                kept = read_setting(session, _key(machine))
                progress = None if kept is None else Progress.of_json(kept)
                seen_us = max(progress.judged_until_us if progress else 0, self._seen_us.get(machine.id, 0))
                lag = (until_us - seen_us) / pace_us(settings)
                if lag >= 1 or (lag > 0 and self._has_ended(machine, until_us, now_us)):
                    due.append((lag, machine, settings, progress, until_us))
        due.sort(key=lambda d: -d[0])
        return [(machine, settings, progress, until_us) for _, machine, settings, progress, until_us in due]

    def _has_ended(self, machine: Equipment, until_us: int, now_us: int) -> bool:
        """Return whether a machine's readings stopped coming: what is left is then judged too, however little."""
        newest_us, since_us = self._newest_us.get(machine.id, (0, now_us))
        if newest_us != until_us:
            self._newest_us[machine.id] = (until_us, now_us)
            return False
        return now_us - since_us >= _ENDED_US

    def _look(self, machine: Equipment, settings: AnomalySettings, progress: Progress | None, until_us: int) -> None:
        judgement = judge(self._store, machine, settings, progress, until_us)
        if judgement is None or judgement.progress == progress:
            return
        after = judgement.progress.to_json()
        self._desk.take_findings(
            judgement.findings, remember=lambda session: write_setting(session, _key(machine), after)
        )
        if judgement.findings:
            log.info("machine judged", extra={"machine": machine.id, "answer": judgement.progress.told})


def _key(machine: Equipment) -> str:
    return f"machine.unusual/{machine.id}"


def _newest(machine: Equipment, settings: AnomalySettings, latest: Mapping[str, Latest]) -> int | None:
    times = [found.time_us for point in settings.points if (found := latest.get(f"{machine.id}/{point}")) is not None]
    return max(times) if times else None
