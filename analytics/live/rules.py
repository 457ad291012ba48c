"""Limits and derived points of a whole site, on every batch.

A batch is laid out class by class (`frames`), each condition is evaluated once for all machines of its class, and only
where it holds, or has held, does the state machine (`states`) look at single rows. See docs/alerts-and-tickets.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.live.frames import NEVER, Frame, Lane
from analytics.live.plans import ClassPlan, LimitPlan, make_plans
from analytics.live.states import Change, Hold, Rows, Watch, advance
from facility.equipment_classes import Limit
from facility.readings import HISTORICAL, OUT_OF_RANGE, ReadingBatch, StaleNotice
from facility.site import Site
from facility.store.waiting import Remembered

EventKind = Literal["firing", "cleared", "unknown", "known", "worse"]

_WORSE: Final = {">": 1, ">=": 1, "<": -1, "<=": -1}
# A worse value is told at most this often: it is written to a database.
_PEAK_PAUSE_US: Final = 60 * 1_000_000
# A row of a class's table takes some 500 bytes, and a reading may need a row of its own: so many are judged at a time.
PORTION: Final = 20_000
# How far back a restart reads beyond the longest hold, and at most.
_RESUME_MARGIN_US: Final = 10 * 60 * 1_000_000
_RESUME_MOST_US: Final = 6 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class LimitEvent:
    """
    Something happened to a limit of a machine.

    Attributes
    ----------
    kind : `firing` it has held long enough; `cleared` it is known to be over; `unknown` nobody can tell whether it
        still holds, since readings are missing; `known` it holds after all; `worse` a new worst value
    cause : what the tiers of one limit have in common: equipment, id, subject and direction
    at_us : when, in the time of the data
    started_us, fired_us : when the condition began to hold, and when it had held long enough
    value : what the limit is about, now; NaN where it has no single value
    peak : the worst value so far
    """

    kind: EventKind
    equipment: str
    limit: Limit
    cause: str
    at_us: int
    started_us: int
    fired_us: int
    value: float
    peak: float


@dataclass(frozen=True, slots=True)
class OpenTier:
    """A limit that was firing when the service stopped, as the database remembers it."""

    cause: str
    limit_id: str
    started_us: int
    fired_us: int
    unknown_us: int | None = None
    value: float = float("nan")
    peak: float = float("nan")


@dataclass(frozen=True, slots=True)
class LiveStep:
    """What a batch led to: readings of derived points, and what happened to limits."""

    derived: ReadingBatch
    events: tuple[LimitEvent, ...]


def cause_of(equipment: str, limit: Limit) -> str:
    """Return what names the trouble: the tiers of a limit share it, its upper and its lower side do not."""
    low = "|low" if limit.spec.tier.startswith("low_") else ""
    return f"{equipment}|{limit.spec.id}|{limit.subject}{low}"


class _ClassRules:
    """The limits of one class: its lanes, and the watches that are not quiet."""

    def __init__(self, plan: ClassPlan) -> None:
        self.plan = plan
        self.live = Lane(plan, live=True)
        self.history = Lane(plan, live=False)
        # By position of the limit in the plan, then by machine: only what is pending or firing.
        self.watches: list[dict[int, Watch]] = [{} for _ in plan.limits]

    def busy_machines(self) -> NDArray[np.intp]:
        return np.array(sorted({m for found in self.watches for m in found}), dtype=np.intp)


class LiveRules:
    """
    Judges every batch against the site's limits, and computes derived points; safe to call from several threads.

    Readings that were sent late on purpose (HISTORICAL) give derived points but never alerts; impossible ones
    (OUT_OF_RANGE) give neither. The time now is always an argument.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._table = site.points
        self._classes = [_ClassRules(plan) for plan in make_plans(site)]
        n = len(self._table)
        self._class_of = np.full(n, -1, dtype=np.int32)
        self._machine_of = np.zeros(n, dtype=np.intp)
        self._slot_of = np.zeros(n, dtype=np.intp)
        for c, rules in enumerate(self._classes):
            machine, slot = np.nonzero(rules.plan.point >= 0)
            points = rules.plan.point[machine, slot]
            self._class_of[points], self._machine_of[points], self._slot_of[points] = c, machine, slot
        self._instances = {
            (cause_of(plan.machines[m].id, limit), limit.id): (c, i, m)
            for c, plan in enumerate(r.plan for r in self._classes)
            for i, group in enumerate(plan.limits)
            for m, limit in enumerate(group.limits)
            if limit is not None
        }
        self._lock = threading.RLock()

    @property
    def causes(self) -> frozenset[str]:
        """Return the causes that the limits of this site can have."""
        return frozenset(cause for cause, _ in self._instances)

    def step(self, batch: ReadingBatch, now_us: int) -> LiveStep:
        """
        Take in a batch, in any order of times, and return derived readings and what happened.

        Raises
        ------
        ValueError
            If the batch is not of this site's point table.
        """
        if batch.table is not self._table:
            raise ValueError("the batch belongs to another site's points; decode it with site.points")
        with self._lock:
            derived: list[ReadingBatch] = []
            events: list[LimitEvent] = []
            usable = ((batch.quality & OUT_OF_RANGE) == 0) & np.isfinite(batch.value)
            late = (batch.quality & HISTORICAL) != 0
            for rules, live, frame in self._frames(batch, usable, late, now_us):
                derived += self._derived(frame)
                if live:
                    events += self._judge(rules, frame, quiet_too=True)
            events.sort(key=lambda e: e.at_us)
            joined = ReadingBatch.concat(derived) if derived else ReadingBatch.empty(self._table)
            return LiveStep(joined, tuple(events))

    def evaluate(self, batch: ReadingBatch, now_us: int) -> list[LimitEvent]:
        """Take in a batch and return what happened to limits, in the order of the data's times."""
        return list(self.step(batch, now_us).events)

    def derive(self, batch: ReadingBatch) -> ReadingBatch:
        """Return the derived points of a batch by itself: no limit is judged and nothing is remembered."""
        with self._lock:
            derived: list[ReadingBatch] = []
            usable = ((batch.quality & OUT_OF_RANGE) == 0) & np.isfinite(batch.value)
            for c, chosen in self._by_class(batch, usable):
                part = batch.take(chosen)
                lane = Lane(self._classes[c].plan, live=False)
                derived += self._derived(lane.frame(part, self._machine_of[part.point], self._slot_of[part.point], 0))
            return ReadingBatch.concat(derived) if derived else ReadingBatch.empty(self._table)

    def mark_stale(self, notice: StaleNotice, now_us: int) -> list[LimitEvent]:
        """
        Take a device's word that points have no value any more: they are unknown from now on, without the wait that a
        point gets which merely stays silent.
        """
        with self._lock:
            events: list[LimitEvent] = []
            for c in np.unique(self._class_of[notice.point]):
                if c < 0:
                    continue
                rules, points = self._classes[c], notice.point[self._class_of[notice.point] == c]
                rules.live.forget(self._machine_of[points], self._slot_of[points])
                touched = np.unique(self._machine_of[points])
                busy = touched[np.isin(touched, rules.busy_machines())]
                if busy.size:
                    events += self._judge(rules, rules.live.now(busy, now_us), quiet_too=False)
            events.sort(key=lambda e: e.at_us)
            return events

    def hold(self, held_us: NDArray[np.int64], now_us: int) -> None:
        """
        Take until when the last value of each point is known to hold though none is sent: (points,), 0: nobody knows.

        See `facility.liveness`. It holds for what is judged from now on, until the next call.
        """
        with self._lock:
            for rules in self._classes:
                if rules.plan.by_exception.any():
                    point = rules.plan.point
                    rules.live.hold(np.where(point >= 0, held_us[point], 0), now_us)

    def tick(self, now_us: int) -> list[LimitEvent]:
        """
        Let time pass without a reading: hold times run out while readings are fresh, and firing limits whose readings
        stopped coming say that they cannot tell. Call it about every second.
        """
        with self._lock:
            events: list[LimitEvent] = []
            for rules in self._classes:
                busy = rules.busy_machines()
                if busy.size:
                    events += self._judge(rules, rules.live.now(busy, now_us), quiet_too=False)
            events.sort(key=lambda e: e.at_us)
            return events

    def resume(self, store: Remembered, open_tiers: Iterable[OpenTier], now_us: int) -> list[LimitEvent]:
        """
        Take up where a stopped service stood, before the first batch: alerts that are open stay firing, and what was
        stored lately is read again, so that hold times go on.

        Returns
        -------
        What happened meanwhile and is not over: limits that cleared, limits that fire now. An episode that began and
        ended before the restart is told no more.
        """
        with self._lock:
            for tier in open_tiers:
                self._reopen(tier, store, now_us)
            opened = {key for key, _ in self._firing()}
            events: list[LimitEvent] = []
            for portion in self._recent(store, now_us).portions(PORTION):
                events += self.step(portion, now_us).events
            for rules in self._classes:
                # What comes from the store came when it was read there, not just now.
                rules.live.arrival_us = rules.live.clock_us.copy()
            return _standing(events, opened, {key for key, _ in self._firing()})

    # -- laying out

    def _by_class(self, batch: ReadingBatch, usable: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        of = self._class_of[batch.point]
        chosen = np.flatnonzero(usable & (of >= 0))
        for c in np.unique(of[chosen]):
            yield int(c), chosen[of[chosen] == c]

    def _frames(
        self, batch: ReadingBatch, usable: NDArray[np.bool_], late: NDArray[np.bool_], now_us: int
    ) -> Iterator[tuple[_ClassRules, bool, Frame]]:
        for live, some in ((False, usable & late), (True, usable & ~late)):
            if not some.any():
                continue
            for c, chosen in self._by_class(batch, some):
                rules, part = self._classes[c], batch.take(chosen)
                lane = rules.live if live else rules.history
                frame = lane.frame(part, self._machine_of[part.point], self._slot_of[part.point], now_us)
                if frame.machine.size:
                    yield rules, live, frame

    def _derived(self, frame: Frame) -> list[ReadingBatch]:
        found: list[ReadingBatch] = []
        for derived in frame.plan.derived:
            value, inputs, point = frame.env[derived.name], derived.inputs, derived.point[frame.machine]
            # A row at which none of its inputs was read would only say again what the row before has said.
            rows = np.flatnonzero(np.isfinite(value) & frame.fresh[inputs].any(axis=0) & (point >= 0))
            if rows.size:
                used = np.where(np.isfinite(frame.known[inputs]), frame.quality[inputs], 0).astype(np.uint8)
                quality = np.bitwise_or.reduce(used[:, rows], axis=0)
                found.append(ReadingBatch(self._table, point[rows], frame.time_us[rows], value[rows], quality))
        return found

    # -- judging

    def _judge(self, rules: _ClassRules, frame: Frame, *, quiet_too: bool) -> list[LimitEvent]:
        events: list[LimitEvent] = []
        memo: dict[str, NDArray[np.float64]] = {}
        present = {int(m) for m in frame.machine[frame.block[:-1]]}
        for i, group in enumerate(rules.plan.limits):
            watches = rules.watches[i]
            touched = present & watches.keys() if watches else set()
            if quiet_too:
                holds = _certainly(group, frame, memo)
                if holds.any():
                    touched |= {int(m) for m in np.unique(frame.machine[holds])}
            for m in sorted(touched):
                limit = group.limits[m]
                if limit is None:
                    continue
                watch = watches.setdefault(m, Watch())
                rows = _rows(group, m, frame)
                changes = advance(watch, rows, _hold(rules, group, m, limit))
                events += [_event(rules, m, limit, change) for change in changes]
                if watch.phase == "quiet":
                    del watches[m]
                elif watch.phase == "firing" and not changes:
                    events += _worse(rules, m, limit, watch, int(rows.time_us[-1]))
        return events

    # -- restart

    def _firing(self) -> Iterator[tuple[tuple[str, str], Watch]]:
        for rules in self._classes:
            for group, watches in zip(rules.plan.limits, rules.watches, strict=True):
                for m, watch in watches.items():
                    limit = group.limits[m]
                    if watch.phase == "firing" and limit is not None:
                        yield (cause_of(rules.plan.machines[m].id, limit), limit.id), watch

    def _reopen(self, tier: OpenTier, store: Remembered, now_us: int) -> None:
        found = self._instances.get((tier.cause, tier.limit_id))
        if found is None:
            return  # the limit is no longer in the site file; the desk closes its alert and says why
        c, i, m = found
        rules = self._classes[c]
        points = rules.plan.point[m, rules.plan.limits[i].needed]
        keys = [self._table.key(int(p)) if p >= 0 else "" for p in points]
        latest = store.latest([key for key in keys if key])
        # It fired on points that were alive then; a point that had been dead for long cannot be waited for.
        alive_from = tier.started_us - _RESUME_MARGIN_US
        rules.watches[i][m] = Watch(
            phase="firing", since_us=tier.started_us, seen_us=tier.fired_us, fired_us=tier.fired_us,
            unknown_us=tier.unknown_us, value=tier.value, peak=tier.peak, told_peak=tier.peak, told_us=now_us,
            relied_on=np.array([key in latest and latest[key].time_us >= alive_from for key in keys], dtype=bool),
        )  # fmt: skip

    def _recent(self, store: Remembered, now_us: int) -> ReadingBatch:
        longest = max((int(g.hold_us.max()) for r in self._classes for g in r.plan.limits), default=0)
        start_us = now_us - min(longest + _RESUME_MARGIN_US, _RESUME_MOST_US)
        held = [r.plan.point[r.plan.point >= 0] for r in self._classes if r.plan.limits]
        points = np.concatenate(held) if held else np.empty(0, dtype=np.int32)
        keys = [self._table.key(int(p)) for p in points]
        found = store.series(keys, start_us, now_us + _RESUME_MARGIN_US) if keys else {}
        parts = [
            ReadingBatch(self._table, np.full(len(s), p, dtype=np.int32), s.time_us, s.value, s.quality)
            for p, s in ((p, found[key]) for p, key in zip(points, keys, strict=True))
            if len(s)
        ]
        if not parts:
            return ReadingBatch.empty(self._table)
        # In the order of time, as they came: they are judged by portions.
        batch = ReadingBatch.concat(parts)
        return batch.take(np.argsort(batch.time_us, kind="stable"))


def _standing(
    events: Sequence[LimitEvent], opened: set[tuple[str, str]], firing: set[tuple[str, str]]
) -> list[LimitEvent]:
    """Keep of a restart's events those that lead from what the database remembers to what stands now."""
    kept: list[LimitEvent] = []
    by_key: dict[tuple[str, str], dict[EventKind, LimitEvent]] = {}
    for event in events:
        found = by_key.setdefault((event.cause, event.limit.id), {})
        found.pop(event.kind, None)
        found[event.kind] = event  # the last of each kind, in the order of their times
    for key, found in by_key.items():
        if key in opened and key not in firing:
            kept.append(found["cleared"])
        elif key in firing:
            if key not in opened:
                kept.append(found["firing"])
            last = next((e for e in reversed(found.values()) if e.kind != "worse"), None)
            if last is not None and last.kind in ("known", "unknown"):
                kept.append(last)
    return sorted(kept, key=lambda e: e.at_us)


def _certainly(group: LimitPlan, frame: Frame, memo: dict[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Return where all comparisons are known to hold: (rows,). The one thing that is computed for every limit."""
    result = group.member[frame.machine]
    for comparison in group.condition.comparisons:
        text = comparison.left.text
        left = memo.get(text)
        if left is None:
            left = memo[text] = comparison.left.evaluate(frame.env)
        right = comparison.right(frame.env) if comparison.threshold is None else comparison.threshold
        with np.errstate(invalid="ignore"):
            # NaN compares as false, but for !=, where not knowing must not count as holding.
            match comparison.op:
                case ">":
                    holds = left > right
                case "<":
                    holds = left < right
                case ">=":
                    holds = left >= right
                case "<=":
                    holds = left <= right
                case "==":
                    holds = left == right
                case _:
                    holds = (left != right) & ~np.isnan(left) & ~np.isnan(right)
        result = result & holds
    return result


def _rows(group: LimitPlan, machine: int, frame: Frame) -> Rows:
    chosen = frame.rows_of(machine)
    env = {name: frame.env[name][chosen] for name in group.condition.points}
    over = group.condition.holds(env)
    clear = float(group.clear[machine])
    uncleared = over if np.isnan(clear) else group.condition.holds(env, clear)
    return Rows(
        time_us=frame.time_us[chosen],
        over=over,
        uncleared=uncleared,
        value=group.condition.comparisons[0].left.evaluate(env),
        known=np.isfinite(frame.known[group.needed][:, chosen]),
    )


def _hold(rules: _ClassRules, group: LimitPlan, machine: int, limit: Limit) -> Hold:
    # A point that never came, or the machine lacks, says nothing about the pace of the others.
    needed = group.needed[rules.live.time_us[machine, group.needed] > NEVER]
    fresh = rules.live.fresh_for_us(np.array([machine]))[needed, 0]
    return Hold(
        hold_us=int(group.hold_us[machine]),
        fresh_us=int(fresh.min()) if fresh.size else 0,
        worse=_WORSE.get(limit.condition.comparisons[0].op, 0),
    )


def _worse(rules: _ClassRules, machine: int, limit: Limit, watch: Watch, now_us: int) -> list[LimitEvent]:
    """Tell a new worst value, but not more often than is of use."""
    if not np.isfinite(watch.peak) or watch.peak == watch.told_peak or now_us - watch.told_us < _PEAK_PAUSE_US:
        return []
    watch.told_peak, watch.told_us = watch.peak, now_us
    change = Change("known", now_us, watch.since_us, watch.fired_us, watch.value, watch.peak)
    return [_event(rules, machine, limit, change, "worse")]


def _event(rules: _ClassRules, machine: int, limit: Limit, change: Change, kind: EventKind | None = None) -> LimitEvent:
    equipment = rules.plan.machines[machine].id
    return LimitEvent(
        kind or change.kind, equipment, limit, cause_of(equipment, limit), change.at_us, change.since_us,
        change.fired_us, change.value, change.peak,
    )  # fmt: skip
