"""A machine's page: its values against band and limits, its trends with alerts and tickets on them, what feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.records import Alert, StoredFinding
from api.pages import times
from api.pages.history import HistoryLine, history_line, history_of
from api.pages.machine_charts import SmallTrend, machine_trend, small_trends, standards_drawn, subject_point
from api.pages.marks import Mark, plain_mark, unknown_mark
from api.pages.numbers import joined, plain
from api.pages.plant import arrivals, machine_mark, running_word
from api.pages.sources import Live, Sources
from api.pages.trends import (
    RANGES,
    Trend,
    TrendRange,
    range_words,
)
from api.pages.values import (
    ValueView,
    alerts_by_point,
    value_view,
)
from api.pages.wording import machine_name, without_machine
from api.pages.words import Words
from facility.equipment_classes import Limit, MaintenanceTask
from facility.formats import duration, moment, money, number
from facility.readings import CLOCK_SUSPECT, ESTIMATED, HISTORICAL, OUT_OF_RANGE, SIMULATED, Aggregates, Latest
from facility.site import Equipment, Site

HISTORY_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what it says, in the head of the page."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RangeLink:
    """One range of the switch."""

    text: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class DiagnosisLine:
    """What a rule or a detector says of this machine."""

    mark: Mark | None
    tone: str  # f fault, h healthy, u cannot tell
    title: str
    verdict: str
    detail: str
    advice: tuple[str, ...]
    evidence: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One task of the maintenance plan."""

    name: str
    interval: str
    steps: tuple[str, ...]
    source: str
    statutory: bool


@dataclass(frozen=True, slots=True)
class SupplyLink:
    """A machine or a department in the supply tree."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit with its standard."""

    id: str
    mark: Mark
    name: str
    when: str
    hold: str
    clear: str
    source: str


@dataclass(frozen=True, slots=True)
class PointLine:
    """A point with its last reading."""

    name: str
    key: str
    value: ValueView
    seen: str
    age: str
    every: str
    quality: str
    late: bool


@dataclass(frozen=True)
class MachinePage:
    """Everything of a machine's page."""

    id: str
    name: str
    class_name: str
    room: str
    system: str
    mark: Mark | None
    facts: tuple[Fact, ...]
    values: tuple[ValueView, ...]
    states: tuple[ValueView, ...]
    counters: tuple[ValueView, ...]
    fresh: str
    trend: Trend | None
    trend_value: ValueView | None
    trend_limits: str
    ranges: tuple[RangeLink, ...]
    csv_href: str
    small: tuple[SmallTrend, ...]
    store_away: bool
    history: tuple[HistoryLine, ...]
    diagnosis: tuple[DiagnosisLine, ...]
    plan: tuple[PlanLine, ...]
    fed_by: tuple[SupplyLink, ...]
    feeds: tuple[SupplyLink, ...]
    serves: tuple[SupplyLink, ...]
    limits: tuple[LimitLine, ...]
    points: tuple[PointLine, ...]


def machine(
    sources: Sources,
    item: Equipment,
    words: Words,
    live: Live,
    chosen: TrendRange,
    point: str | None,
    readings: Mapping[str, Aggregates] | None,
) -> MachinePage:
    """
    Build a machine's page.

    Parameters
    ----------
    chosen, point : what the chart shows
    readings : what `wanted_keys` asked for, by `equipment/point`; None while the store is away
    """
    site = sources.site
    alerts = [a for a in sources.desk.open_alerts() if a.equipment == item.id]
    by_point = alerts_by_point(item, alerts, live)
    heard = arrivals(item, live)
    views = {name: value_view(site, item, name, live, words, by_point) for name in item.points}
    kinds = {name: spec.kind for name, spec in item.points.items()}
    room = site.rooms.get(item.room or "")
    building = site.buildings.get(room.building or "") if room else None
    subject = subject_point(item, point, by_point)
    history = history_of(sources, item.id)
    today = moment(live.now_us, site.time_zone).date()
    return MachinePage(
        id=item.id,
        name=words.name(item.name),
        class_name=words.name(item.cls.spec.name),
        room=" › ".join(words.name(place.name) for place in (building, room) if place is not None),
        system=item.cls.spec.system,
        mark=machine_mark(item, alerts, heard, words),
        facts=_facts(item, live, words),
        values=ordered_values(item, views, by_point),
        states=tuple(views[n] for n, kind in kinds.items() if kind == "state"),
        counters=tuple(views[n] for n, kind in kinds.items() if kind == "total_increasing"),
        fresh=words("no data yet")
        if heard.newest_us is None
        else words("data %(age)s old", age=times.age(heard.newest_us, live.now_us, words)),
        trend=None
        if readings is None or subject is None
        else machine_trend(sources, item, subject, chosen, readings, history, live, words),
        trend_value=views[subject] if subject is not None else None,
        trend_limits=standards_drawn(item, subject) if subject is not None else "",
        ranges=tuple(
            RangeLink(range_words(r.key, words), f"/plant/{item.id}?point={subject}&range={r.key}#trend", r is chosen)
            for r in RANGES
        ),
        csv_href=f"/plant/{item.id}/{subject}.csv?range={chosen.key}" if subject is not None else "",
        small=() if readings is None else small_trends(item, views, subject, chosen, readings, live.now_us, words),
        store_away=readings is None,
        history=tuple(history_line(sources, entry, live.now_us, words) for entry in history[:HISTORY_SHOWN]),
        diagnosis=tuple(
            _diagnosis(sources, f, live.now_us, words)
            for f in sources.desk.desk.findings(equipment=item.id, active=True, limit=20)
        ),
        plan=tuple(_plan_line(task, words) for task in item.cls.spec.maintenance),
        fed_by=tuple(supply_link(site, source, words) for source in item.fed_by),
        feeds=tuple(supply_link(site, below, words) for below in site.feeds(item.id)),
        serves=tuple(SupplyLink(words.name(d.name), "") for d in site.affected(item.id, today)),
        limits=tuple(_limit_line(item, limit, words) for limit in item.limits),
        points=tuple(_point_line(site, item, name, views[name], live, words) for name in item.points),
    )


def ordered_values(
    item: Equipment, views: Mapping[str, ValueView], alerts: Mapping[str, Alert]
) -> tuple[ValueView, ...]:
    """Return gauges and derived values, key points first; places never change, whatever is alarming."""
    names = [n for n, spec in item.points.items() if spec.kind in ("gauge", "derived")]
    first = [p for p in item.cls.spec.key_points if p in names]
    return tuple(views[n] for n in dict.fromkeys([*first, *names]))


def _facts(item: Equipment, live: Live, words: Words) -> tuple[Fact, ...]:
    rating = [
        joined(plain(value, 3), spec.unit or "")
        for name, spec in item.cls.spec.rating.items()
        if (value := item.rating.get(name)) is not None and np.isfinite(value)
    ]
    rating += list(item.choices.values())
    running = running_word(item, live, words)
    facts = [Fact(words("State"), running)] if running else []
    if rating:
        facts.append(Fact(words("Nameplate"), " · ".join(rating[:2])))
    hours = live.reading(f"{item.id}/run_hours")
    if hours is not None:
        facts.append(Fact(words("Run-hours"), joined(number(hours.value, 0), "h")))
    facts.append(Fact(words("Criticality"), item.criticality))
    return tuple(facts)


def _diagnosis(sources: Sources, finding: StoredFinding, now_us: int, words: Words) -> DiagnosisLine:
    tone, mark, verdict = {
        "fault": ("f", plain_mark(finding.priority), words("Fault")),
        "healthy": ("h", None, words("Healthy")),
    }.get(finding.verdict, ("u", unknown_mark(words), words("Cannot tell")))
    parts = [words("since %(time)s", time=times.when(finding.since_us, now_us, sources.site.time_zone))]
    if 0.0 < finding.confidence < 1.0:
        parts.append(words("confidence %(share)s", share=number(finding.confidence, 2)))
    if finding.cost_per_day:
        parts.append(money(finding.cost_per_day, sources.site.currency, words.language, per_day=True))
    if finding.ended_us is not None:
        parts.append(words("over since %(time)s", time=times.when(finding.ended_us, now_us, sources.site.time_zone)))
    machine = machine_name(sources, finding.equipment, words)
    return DiagnosisLine(
        mark=mark,
        tone=tone,
        title=without_machine(words.either(finding.summary_zh, finding.summary_en), machine),
        verdict=verdict,
        detail=" · ".join(parts),
        advice=tuple(finding.advice_zh if words.language == "zh" else finding.advice_en),
        evidence=evidence_facts(finding.evidence),
    )


def evidence_facts(evidence: Mapping[str, object]) -> tuple[Fact, ...]:
    """Return a finding's evidence as names and values; lists and the like are left to the API."""
    facts: list[Fact] = []
    for name, value in evidence.items():
        if isinstance(value, bool):
            facts.append(Fact(name, str(value).lower()))
        elif isinstance(value, int | float):
            facts.append(Fact(name, plain(float(value), 3)))
        elif isinstance(value, str):
            facts.append(Fact(name, value))
    return tuple(facts)


def interval_words(task: MaintenanceTask, words: Words) -> str:
    """Return how often a task is due: `每 12 个月`, `every 4,000 run-hours`, or both."""
    parts: list[str] = []
    if task.every is not None:
        months, days = task.every.months, task.every.seconds / 86_400
        if months and months % 12 == 0:
            parts.append(words.plural("%(n)s year", "%(n)s years", months // 12))
        elif months:
            parts.append(words.plural("%(n)s month", "%(n)s months", months))
        elif days >= 7 and days % 7 == 0:
            parts.append(words.plural("%(n)s week", "%(n)s weeks", round(days / 7)))
        elif days >= 1:
            parts.append(words.plural("%(n)s day", "%(n)s days", round(days)))
        else:
            parts.append(words.plural("%(n)s hour", "%(n)s hours", round(task.every.seconds / 3600)))
    if task.run_hours is not None:
        parts.append(words("%(n)s run-hours", n=number(task.run_hours / 3600, 0)))
    return words(" or ").join(parts)


def _plan_line(task: MaintenanceTask, words: Words) -> PlanLine:
    return PlanLine(
        name=words.name(task.name),
        interval=interval_words(task, words),
        steps=tuple(words.name(step) for step in task.checklist),
        source=task.source,
        statutory=task.statutory,
    )


def supply_link(site: Site, source: str, words: Words) -> SupplyLink:
    """Return a machine of the supply tree; a utility that is no machine of ours keeps its own name."""
    item = site.equipment.get(source)
    return SupplyLink(words.name(item.name), f"/plant/{source}") if item is not None else SupplyLink(source, "")


def _limit_line(item: Equipment, limit: Limit, words: Words) -> LimitLine:
    spec = limit.spec
    unit = limit.condition.comparisons[0].left.unit
    return LimitLine(
        id=spec.id,
        mark=plain_mark(spec.priority),
        name=words.name(spec.name),
        when=limit.condition.text,
        hold=duration(round(spec.hold * 1e6), words.language) if spec.hold else words("at once"),
        clear=joined(plain(limit.clear, 3), unit) if limit.clear is not None else "",
        source=spec.source,
    )


def quality_words(quality: int, words: Words) -> str:
    """Return what is known against a reading; empty if nothing is."""
    known = (
        (OUT_OF_RANGE, words("physically impossible")),
        (ESTIMATED, words("estimated")),
        (CLOCK_SUSPECT, words("time of arrival")),
        (HISTORICAL, words("sent late")),
        (SIMULATED, words("simulated")),
    )
    return words(", ").join(text for bit, text in known if quality & bit)


def _point_line(site: Site, item: Equipment, name: str, view: ValueView, live: Live, words: Words) -> PointLine:
    spec = item.points[name]
    reading: Latest | None = live.reading(f"{item.id}/{name}")
    return PointLine(
        name=words.name(spec.name),
        key=f"{item.id}/{name}",
        value=view,
        seen=times.when(reading.time_us, live.now_us, site.time_zone, seconds=True) if reading is not None else "",
        age=times.age(reading.time_us, live.now_us, words) if reading is not None else words("never"),
        every=duration(round(spec.every * 1e6), words.language),
        quality=view.offline or (quality_words(reading.quality, words) if reading is not None else ""),
        late=not live.speaks(f"{item.id}/{name}"),
    )
