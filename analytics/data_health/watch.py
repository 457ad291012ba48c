"""
The watch over the data of a running service: hears every batch, looks at the silence every few seconds, and at the last
day of each machine's readings every hour. What it finds goes to the desk; nothing is remembered but by the store and
the desk, so that a restart tells nothing false and nothing twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.data_health.clocks import ClockOffset, clock_offset
from analytics.data_health.codes import TROUBLES
from analytics.data_health.examination import DAY_US, PointExam, examine
from analytics.data_health.findings import (
    clock_finding,
    deafness,
    due_now,
    exam_findings,
    gateway_gaps,
    never_findings,
    silence_findings,
)
from analytics.data_health.measures import deaf_spans
from analytics.data_health.plan import HealthPlan, machines_off, make_plan
from analytics.data_health.refusals import Refusal, with_refusals
from analytics.data_health.silence import Silence, allowed_silence, silence_of
from analytics.data_health.tracker import Tracker
from analytics.desk import Desk
from analytics.findings import Finding
from facility.errors import StoreUnavailable
from facility.names import Names
from facility.readings import Latest, ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore

log = logging.getLogger(__name__)

_US: Final = 1_000_000
# A turn that comes so late means that the whole process stood still: nobody else did.
_STOOD_STILL_US: Final = 60 * _US
_CUT_TOLD_US: Final = 60 * _US
_REFUSALS_EVERY_US: Final = 15 * _US
_NEVER_AFTER_US: Final = 3600 * _US
_EXAM_EVERY_US: Final = 3600 * _US
_VITAL_EXAM_US: Final = 900 * _US
_EXAM_TURN_US: Final = 1_000_000
_CLOCKS_EVERY_US: Final = 60 * _US
# The same fault is told anew (its figures move on) no more often than this.
_AGAIN_US: Final = 600 * _US
_DEAF_AFTER_US: Final = 90 * _US
_DEAF_POINTS: Final = 20
_MOST_OPEN: Final = 10_000
_DEAF_HOLDS_US: Final = 300 * _US
_SILENCE_CODES: Final = frozenset(
    {
        "data.not_connected",
        "data.not_stored",
        "data.nothing_heard",
        "data.gateway_silent",
        "data.device_silent",
        "data.point_silent",
        "data.never_heard",
    }
)


class GatewayTimes(Protocol):
    """Arrivals of one gateway's messages against the times that they carry."""

    @property
    def arrival_us(self) -> NDArray[np.int64]:
        """When messages arrived, rising: (n,). [µs]"""

    @property
    def behind_us(self) -> NDArray[np.int64]:
        """Arrival minus the message's own time: (n,). [µs]"""


class Goodbye(Protocol):
    """Points that are known to be silent: a Sparkplug death."""

    @property
    def point(self) -> NDArray[np.int32]:
        """Index of each point in the site's table."""

    @property
    def at_us(self) -> int:
        """Since when. [µs]"""


@dataclass(frozen=True, slots=True)
class Listening:
    """
    Whether readings can reach us.

    Attributes
    ----------
    ears : connected to the broker, and able to keep what comes
    why : what stands between, in words
    code : of the finding that tells it: `data.not_connected` or `data.not_stored`
    """

    ears: bool
    why: str = ""
    code: str = "data.not_connected"


@dataclass(frozen=True, slots=True, eq=False)
class HealthState:
    """
    How the data fare at one moment, for pages and the API.

    Attributes
    ----------
    at_us : when [µs]
    heard_us, allowed_us : (points,) last heard (0: never), and how long each may be silent [µs]
    silence : who is silent; as it stood when we last could hear
    off : (machines,) which machines say that they are off
    exams : the last look at each point, by index
    clocks : by gateway, as far as known
    listening : whether we can hear now, and since when [µs]
    """

    plan: HealthPlan
    at_us: int
    heard_us: NDArray[np.int64]
    allowed_us: NDArray[np.int64]
    silence: Silence
    off: NDArray[np.bool_]
    exams: Mapping[int, PointExam]
    clocks: Mapping[int, ClockOffset]
    listening: Listening
    since_us: int


def state_of_readings(
    plan: HealthPlan, time_us: NDArray[np.int64], value: NDArray[np.float64], now_us: int
) -> HealthState:
    """
    Return how the data fare by nothing but the newest readings, for a process that does not hear them itself.

    Parameters
    ----------
    time_us, value : (points,) newest reading of each point; time 0: never read
    """
    judged = np.ones(time_us.shape, dtype=bool)
    allowed = allowed_silence(plan.every_us, plan.every_us, np.zeros_like(plan.every_us), judged)
    allowed = np.where(plan.alive_us > 0, plan.alive_us, allowed)
    never_dead = np.zeros_like(plan.every_us)
    silence = silence_of(plan, time_us, allowed, judged, never_dead, 0, now_us)
    off = machines_off(plan, value, (time_us > 0) & ~silence.point)
    return HealthState(plan, now_us, time_us, allowed, silence, off, {}, {}, Listening(True), 0)


class DataHealth:
    """
    A sink for batches, and the looks at what they say about themselves. Safe to use from several threads.

    Parameters
    ----------
    site, store, desk : what is watched, where the past is, who takes the findings
    clock : the time now [µs]
    heard : the newest reading of each point before the start; None: what the store says
    listening : whether readings can reach us now
    gateways : arrivals of each gateway's messages, by the gateway's name
    refused : messages that come and are refused, by machine; asked only while somebody is silent
    vouched : when the device of each point that reports by exception was last heard, see `facility.liveness`; None:
        nobody knows
    """

    def __init__(
        self,
        site: Site,
        store: TelemetryStore,
        desk: Desk,
        clock: Callable[[], int],
        *,
        heard: Mapping[str, Latest] | None = None,
        listening: Callable[[], Listening] = lambda: Listening(True),
        gateways: Callable[[], Mapping[str, GatewayTimes]] = dict,
        vouched: Callable[[], NDArray[np.int64]] | None = None,
        refused: Callable[[], Mapping[str, Sequence[Refusal]]] = dict,
    ) -> None:
        self._refused, self._refusals, self._refusals_us = refused, dict[str, Sequence[Refusal]](), 0
        self._vouched = vouched
        self.plan = make_plan(site)
        self._store, self._desk, self._clock = store, desk, clock
        self._listening, self._gateways = listening, gateways
        self._lock = threading.Lock()
        now = clock()
        latest = store.latest() if heard is None else heard
        keys = [address.key for address in site.points.addresses]
        read = np.array([latest[key].time_us if key in latest else 0 for key in keys], dtype=np.int64)
        self._tracker = Tracker.begin(read, now)
        self._value = np.array([latest[key].value if key in latest else np.nan for key in keys], dtype=np.float64)
        self._since_us = self._looked_us = now
        self._cut_us: int | None = None
        # How often each point was seen to come, and the longest pause of what comes unevenly; 0: not known. [µs]
        self._seen_us = np.zeros(len(keys), dtype=np.int64)
        self._pause_us = np.zeros(len(keys), dtype=np.int64)
        self._silence = self._judge_silence(now)
        self._exams: dict[int, PointExam] = {}
        self._gaps: dict[int, Finding | None] = {}  # None: cannot tell
        self._examined_us: dict[int, int] = {}
        self._deaf: tuple[int, NDArray[np.int64]] | None = None
        self._clocks: dict[int, ClockOffset] = {}
        self._clocked_us = 0
        self._told: dict[str, Finding] = _still_open(desk)
        self._told_us: dict[str, int] = {}

    # -- what comes in

    def __call__(self, batch: ReadingBatch) -> None:
        """Hear a batch."""
        with self._lock:
            self._tracker.take(batch, self._clock())
            self._value[batch.point] = batch.value

    def goodbye(self, notice: Goodbye) -> None:
        """Take a death: its points are silent as of now, nobody has to wait for it."""
        with self._lock:
            self._tracker.bury(notice.point, notice.at_us)

    # -- looks

    def look(self) -> None:
        """Tell who is silent and who speaks again; call it every few seconds."""
        now, listening = self._clock(), self._listening()
        with self._lock:
            if now - self._looked_us > _STOOD_STILL_US:
                self._since_us = now
            self._looked_us = now
            if not listening.ears:
                self._cut_us = self._cut_us if self._cut_us is not None else now
                self._since_us = now
            elif self._cut_us is not None:
                # What was sent meanwhile is still on its way: silence counts from here.
                self._cut_us, self._since_us = None, now
            cut_us, since_us = self._cut_us, self._since_us
            if listening.ears:
                self._silence = self._judge_silence(now)
            silence, heard, allowed = self._silence, self._tracker.heard_us.copy(), self._paces()[0]
            dead = (self._tracker.dead_us > 0) & (heard <= self._tracker.dead_us)
        if cut_us is not None:
            if now - cut_us > _CUT_TOLD_US:
                self._tell([deafness(self.plan, listening.code, cut_us, now, listening.why)], now)
            return
        due = due_now(self.plan, silence, allowed) | (dead & silence.point)
        faults = silence_findings(self.plan, silence, due, heard, now)
        if faults:
            faults = with_refusals(self.plan, faults, self._ask_refusals(now))
        if now - since_us > _NEVER_AFTER_US:
            faults += never_findings(self.plan, silence, now, since_us)
        # What is explained from above now, or cannot be judged after a restart, is not over: only its voice ends it.
        going_on = {f.cause for f in faults}
        told = [f for f in self._told.values() if f.code in _SILENCE_CODES and f.cause not in going_on]
        self._tell(faults, now)
        self._end([f for f in told if self._is_over(f, heard)], now)

    def look_at_clocks(self) -> None:
        """Judge the gateways' clocks; call it as often as `look`, it does its work every few minutes."""
        now = self._clock()
        if now - self._clocked_us < _CLOCKS_EVERY_US:
            return
        self._clocked_us = now
        position = {gateway.id: g for g, gateway in enumerate(self.plan.gateways)}
        answers: list[Finding] = []
        for name, times in self._gateways().items():
            g = position.get(name)
            if g is None:
                continue
            self._clocks[g] = clock_offset(times.arrival_us, times.behind_us)
            answer = clock_finding(self.plan, g, self._clocks[g], now)
            if answer is not None:
                answers.append(answer)
        self._settle(answers, now)

    def examine(self, budget_us: int = _EXAM_TURN_US) -> int:
        """
        Examine the machines whose turn it is, for about `budget_us`; return how many.

        Raises
        ------
        StoreUnavailable
            The same machines are due at the next call.
        """
        began, looked = self._clock(), 0
        for m in self._exam_order(began):
            if looked and self._clock() - began > budget_us:
                break
            now = self._clock()
            found = examine(self.plan, self._store, m, self._deaf_spans(now), now)
            self._note(m, found)
            answers = exam_findings(self.plan, m, found, now)
            self._settle([f for f in answers if f.code != "data.gaps"], now)
            self._gaps[m] = next((f for f in answers if f.code == "data.gaps"), None)
            self._examined_us[m] = now
            looked += 1
        if looked:
            self._settle_gaps(self._clock())
        return looked

    def state(self) -> HealthState:
        """Return how the data fare."""
        with self._lock:
            now = self._clock()
            if self._cut_us is None:
                self._silence = self._judge_silence(now)
            known = self._tracker.heard_us > 0
            known &= ~self._silence.point
            return HealthState(
                self.plan, now, self._tracker.heard_us.copy(), self._paces()[0], self._silence,
                machines_off(self.plan, self._value, known), self._exams, dict(self._clocks),
                Listening(self._cut_us is None, self._listening().why), self._since_us,
            )  # fmt: skip

    # -- silence

    def _paces(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return how long each point may be silent, and which of them that is known of: (points,) each."""
        live = self._tracker.pace_us
        # Who reports faster now than yesterday, and as fast as declared, is expected to go on so.
        faster = (live > 0) & (self._seen_us > 0) & (self._pause_us == 0)
        seen = np.where(faster, np.minimum(self._seen_us, np.maximum(live, self.plan.every_us)), self._seen_us)
        usual = np.where(seen > 0, seen, live)
        allowed = allowed_silence(self.plan.every_us, usual, self._pause_us, self._pause_us == 0)
        # What is sent only on change is silent when its device is, however long it has rested before.
        by_exception = self.plan.alive_us > 0
        return np.where(by_exception, self.plan.alive_us, allowed), by_exception | (usual > 0)

    def _judge_silence(self, now: int) -> Silence:
        allowed, judged = self._paces()
        tracker = self._tracker
        if self._vouched is not None:
            tracker.vouch(self._vouched())
        return silence_of(self.plan, tracker.heard_us, allowed, judged, tracker.dead_us, self._since_us, now)

    def _ask_refusals(self, now: int) -> Mapping[str, Sequence[Refusal]]:
        if now - self._refusals_us >= _REFUSALS_EVERY_US:
            try:
                self._refusals, self._refusals_us = dict(self._refused()), now
            except StoreUnavailable as error:
                log.warning("why messages are refused is not known", extra={"why": str(error)})
        return self._refusals

    def _is_over(self, told: Finding, heard: NDArray[np.int64]) -> bool:
        """Return whether what was told as silent has spoken since, or is no longer in the site file."""
        if told.code in ("data.not_connected", "data.not_stored"):
            return True  # asked only while we can hear
        if told.code == "data.nothing_heard":
            return bool(heard.max(initial=0) > told.evidence["last_heard_us"])
        points = self._points_of(told)
        if points.size == 0:
            return True
        if told.code == "data.never_heard":
            return bool((heard[points] > 0).all())
        spoken = heard[points] > int(told.evidence["last_heard_us"])
        return bool(spoken.all() if told.points else spoken.any())

    def _points_of(self, told: Finding) -> NDArray[np.intp]:
        """Return the measured points that a finding is about."""
        plan, index = self.plan, self.plan.site.points.index
        if told.points:
            keys = [f"{told.equipment}/{name}" for name in told.points]
            return np.array([index[key] for key in keys if key in index], dtype=np.intp)
        mine = np.zeros(len(plan.machines), dtype=bool)
        for m, item in enumerate(plan.machines):
            mine[m] = told.equipment in (item.id, plan.gateways[plan.gateway[m]].id)
        return np.flatnonzero(mine[plan.machine] & plan.measured)

    # -- the last day

    def _exam_order(self, now: int) -> list[int]:
        plan = self.plan
        due: list[tuple[bool, int, int]] = []
        for m in range(len(plan.machines)):
            vital = bool(plan.vital[plan.points_of(m)].any())
            last = self._examined_us.get(m)
            if last is None or now - last >= (_VITAL_EXAM_US if vital else _EXAM_EVERY_US):
                due.append((not vital, last or 0, m))
        return [m for _, _, m in sorted(due)]

    def _deaf_spans(self, now: int) -> NDArray[np.int64]:
        """Return when nobody was heard over the last day: our own absence, which is no gap of anybody."""
        if self._deaf is None or now - self._deaf[0] > _DEAF_HOLDS_US:
            keys = [self.plan.site.points.key(p) for p in self._witnesses()]
            series = self._store.series(keys, now - DAY_US, now) if keys else {}
            heard = [s.time_us for s in series.values()]
            self._deaf = (now, deaf_spans(heard, now - DAY_US, now, _DEAF_AFTER_US))
        return self._deaf[1]

    def _witnesses(self) -> list[int]:
        """Return a few fast points of different gateways."""
        plan, found = self.plan, list[int]()
        heard = np.flatnonzero(plan.measured & (self._tracker.heard_us > 0))
        fastest = heard[np.argsort(plan.every_us[heard], kind="stable")]
        gateway = plan.gateway[plan.machine[fastest]]
        turn = np.zeros(fastest.size, dtype=np.int64)
        for g in np.unique(gateway):
            turn[gateway == g] = np.arange(int((gateway == g).sum()))
        for i in np.lexsort((np.arange(fastest.size), turn))[:_DEAF_POINTS]:
            found.append(int(fastest[i]))
        return found

    def _note(self, machine: int, found: Mapping[int, PointExam]) -> None:
        own = self.plan.points_of(machine)
        with self._lock:
            self._exams = {p: e for p, e in self._exams.items() if not own.start <= p < own.stop} | dict(found)
            for p, exam in found.items():
                if exam.pace is not None:
                    self._seen_us[p] = exam.pace.usual_us if exam.pace.regular else exam.pace.slow_us
                    self._pause_us[p] = 0 if exam.pace.regular else exam.pace.longest_us

    def _settle_gaps(self, now: int) -> None:
        for g in range(len(self.plan.gateways)):
            machines = self.plan.machines_of(g)
            if any(int(m) not in self._gaps for m in machines):
                continue
            answers = [found for m in machines if (found := self._gaps[int(m)]) is not None]
            self._settle(gateway_gaps(self.plan, g, answers, now), now)

    # -- the desk

    def _settle(self, answers: Sequence[Finding], now: int) -> None:
        """Hand on faults, and the end of what was told and is healthy."""
        self._tell([f for f in answers if f.verdict == "fault"], now)
        over = [self._told[f.cause] for f in answers if f.verdict == "healthy" and f.cause in self._told]
        self._end(over, now)

    def _tell(self, faults: Sequence[Finding], now: int) -> None:
        fresh = [f for f in faults if self._is_news(f, now)]
        if not fresh:
            return
        self._desk.take_findings(fresh)
        for fault in fresh:
            if fault.cause not in self._told:
                log.warning("data: %s", fault.summary.en, extra={"code": fault.code})
            self._told[fault.cause], self._told_us[fault.cause] = fault, now

    def _is_news(self, fault: Finding, now: int) -> bool:
        told = self._told.get(fault.cause)
        if told is None or now - self._told_us.get(fault.cause, 0) > _AGAIN_US:
            return True
        return _gist(told) != _gist(fault)

    def _end(self, over: Sequence[Finding], now: int) -> None:
        if not over:
            return
        self._desk.take_findings([replace(f, verdict="healthy", found_us=now) for f in over])
        for told in over:
            log.info("data: %s %s is well again", told.code, told.equipment)
            self._told.pop(told.cause, None)
            self._told_us.pop(told.cause, None)


def _gist(fault: Finding) -> tuple[object, ...]:
    """Return what makes a fault that goes on news again."""
    return fault.points, fault.priority, fault.reach, fault.evidence.get("refused")


def _still_open(desk: Desk) -> dict[str, Finding]:
    """Return the faults that were told before a restart and have not ended."""
    found: dict[str, Finding] = {}
    for row in desk.findings(verdict="fault", active=True, limit=_MOST_OPEN):
        if row.code not in TROUBLES:
            continue
        subject = row.cause.removeprefix(f"{row.equipment}|{row.code}").removeprefix("|")
        summary = Names(zh=row.summary_zh, en=row.summary_en)
        found[row.cause] = Finding(
            code=row.code, equipment=row.equipment, points=row.points, verdict="fault", title=TROUBLES[row.code].name,
            summary=summary, evidence=row.evidence, since_us=row.since_us, found_us=row.last_seen_us,
            confidence=row.confidence, priority=row.priority, source=row.source, standard=row.standard,  # type: ignore[arg-type]
            subject=subject,
        )  # fmt: skip
    return found
