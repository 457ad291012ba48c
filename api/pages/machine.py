"""A machine's page: its values against band and limits, its trends with alerts and tickets on them, what feeds it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.records import Alert, StoredFinding, Ticket
from api.pages import times
from api.pages.curves import Spark, spark
from api.pages.marks import Mark, plain_mark, unknown_mark
from api.pages.numbers import joined, plain, unit_name
from api.pages.plant import arrivals, machine_mark, running_word
from api.pages.sources import Live, Sources
from api.pages.trends import (
    MOST_CURVES,
    RANGES,
    Trend,
    TrendEvent,
    TrendRange,
    TrendSeries,
    TrendSubject,
    range_words,
    start_of,
    trend,
)
from api.pages.values import (
    ValueView,
    alerts_by_point,
    is_stale,
    limits_of,
    scale_of,
    value_view,
)
from api.pages.wording import machine_name, mark_of, state_of, what_of, without_machine
from api.pages.words import Words
from facility.equipment_classes import Limit, MaintenanceTask
from facility.formats import decimals_of, duration, moment, number
from facility.readings import CLOCK_SUSPECT, ESTIMATED, HISTORICAL, OUT_OF_RANGE, SIMULATED, Aggregates, Latest
from facility.site import Equipment, Site

HISTORY_SHOWN: Final = 12
SMALL_CURVES: Final = 3
SMALL_SIZE: Final = (252.0, 66.0)
# Names that end in these belong together: three phases, two towers, bearings of one shaft.
_GROUPS: Final = re.compile(r"^(?P<stem>.+)_(?P<member>a|b|c|ab|bc|ca|1|2|3|de|nde)$")


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
class SmallTrend:
    """A small curve below the chart: a key point's own."""

    value: ValueView
    curve: Spark | None
    label: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An alert, a ticket or a finding of this machine."""

    mark: Mark
    when: str
    what: str
    number: str
    detail: str
    href: str


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
        else _trend(sources, item, subject, chosen, readings, history, live, words),
        trend_value=views[subject] if subject is not None else None,
        trend_limits=_standards(item, subject) if subject is not None else "",
        ranges=tuple(
            RangeLink(range_words(r.key, words), f"/plant/{item.id}?point={subject}&range={r.key}#trend", r is chosen)
            for r in RANGES
        ),
        csv_href=f"/plant/{item.id}/{subject}.csv?range={chosen.key}" if subject is not None else "",
        small=() if readings is None else _small(item, views, subject, chosen, readings, live.now_us, words),
        store_away=readings is None,
        history=tuple(_history_line(sources, entry, live.now_us, words) for entry in history[:HISTORY_SHOWN]),
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


def subject_point(item: Equipment, asked: str | None, alerts: Mapping[str, Alert]) -> str | None:
    """Return the point that the chart shows: the one asked for, else the one in alarm, else the first key point."""
    if asked in item.points:
        return asked
    drawable = [n for n, spec in item.points.items() if spec.kind in ("gauge", "derived")]
    return next((p for p in (*alerts, *item.cls.spec.key_points, *drawable, *item.points) if p in item.points), None)


def companions(item: Equipment, point: str) -> tuple[str, ...]:
    """Return the points that are drawn in one chart: the phases of one quantity together, others alone."""
    match = _GROUPS.match(point)
    if match is None:
        return (point,)
    spec = item.points[point]
    found = [
        name
        for name, other in item.points.items()
        if (m := _GROUPS.match(name)) and m["stem"] == match["stem"] and len(m["member"]) == len(match["member"])
        and other.unit == spec.unit and other.kind == spec.kind
    ]  # fmt: skip
    return tuple(found) if 1 < len(found) <= MOST_CURVES else (point,)


def wanted_keys(item: Equipment, subject: str | None) -> tuple[str, ...]:
    """Return the series that a machine's page reads: the chart's and the key points'."""
    names = [*(companions(item, subject) if subject is not None else ()), *small_points(item, subject)]
    return tuple(dict.fromkeys(f"{item.id}/{name}" for name in names))


def small_points(item: Equipment, subject: str | None) -> tuple[str, ...]:
    """Return the points of the small curves: the key points that the chart does not show."""
    shown = set(companions(item, subject)) if subject is not None else set()
    drawable = [n for n, spec in item.points.items() if spec.kind in ("gauge", "derived") and scale_of(item, n)]
    wanted = dict.fromkeys([*item.cls.spec.key_points, *drawable])
    return tuple(p for p in wanted if p in drawable and p not in shown)[:SMALL_CURVES]


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


# --- trends -----------------------------------------------------------------------------------------------------------


def trend_subject(item: Equipment, point: str, words: Words) -> TrendSubject:
    """Return what a chart of a point needs to know of it."""
    spec = item.points[point]
    together = companions(item, point)
    title = words.name(spec.name)
    if len(together) > 1:
        title = _common_name([words.name(item.points[p].name) for p in together]) or title
    states = {code: words.name(names) for code, names in item.cls.state_names.get(point, {}).items()}
    return TrendSubject(
        title=title,
        unit=unit_name(spec.unit, words) if spec.kind != "state" else "",
        decimals=decimals_of(spec.unit, spec.decimals),
        every_s=spec.every,
        scale=scale_of(item, point),
        normal=spec.normal if spec.kind != "state" else None,
        limits=limits_of(item, point),
        states=states if spec.kind == "state" else {},
    )


def _common_name(names: Sequence[str]) -> str:
    """Return what several names share: `Winding temperature` of A, B and C, `绕组温度` of A相绕组温度."""
    first = names[0]
    for length in range(len(first), 1, -1):
        for start in range(len(first) - length + 1):
            part = first[start : start + length].strip()
            if len(part) > 1 and all(part in n for n in names):
                return part.removeprefix("相")
    return ""


def _member(item: Equipment, point: str, together: Sequence[str]) -> str:
    if len(together) < 2:
        return ""
    match = _GROUPS.match(point)
    return match["member"].upper() if match else point


def _trend(
    sources: Sources,
    item: Equipment,
    subject: str,
    chosen: TrendRange,
    readings: Mapping[str, Aggregates],
    history: Sequence[Entry],
    live: Live,
    words: Words,
) -> Trend:
    together = companions(item, subject)
    series = [TrendSeries(_member(item, p, together), readings[f"{item.id}/{p}"]) for p in together]
    events: list[TrendEvent] = []
    for entry in history:
        if entry.ticket is not None:
            t = entry.ticket
            events.append(TrendEvent(entry.at_us, ticket_mark(words), t.number, f"/tickets/{t.id}"))
        elif entry.alert is not None:
            mark = mark_of(entry.alert, words)
            title = what_of(sources, entry.alert, words)
            events.append(TrendEvent(entry.at_us, mark, title, f"/alerts/{entry.alert.id}"))
    return trend(
        trend_subject(item, subject, words), series, events, chosen, live.now_us, sources.site.time_zone, words
    )


def _small(
    item: Equipment,
    views: Mapping[str, ValueView],
    subject: str | None,
    chosen: TrendRange,
    readings: Mapping[str, Aggregates],
    now_us: int,
    words: Words,
) -> tuple[SmallTrend, ...]:
    start = start_of(chosen, now_us)
    found: list[SmallTrend] = []
    for point in small_points(item, subject):
        spec = item.points[point]
        data = readings.get(f"{item.id}/{point}")
        curve = (
            spark(
                data,
                start,
                now_us,
                chosen.step_us,
                spec.every,
                scale_of(item, point),
                spec.normal,
                limits_of(item, point),
                SMALL_SIZE,
            )
            if data is not None and len(data)
            else None
        )
        label = words("%(what)s, last %(span)s", what=views[point].label, span=range_words(chosen.key, words))
        found.append(SmallTrend(views[point], curve, label))
    return tuple(found)


def _standards(item: Equipment, point: str) -> str:
    """Return the numbers of the standards whose limits a chart draws."""
    return " · ".join(dict.fromkeys(p.id for p in limits_of(item, point)))


def series_csv(site: Site, item: Equipment, point: str, readings: Mapping[str, Aggregates]) -> str:
    """Return the table behind a chart: a line a step, with its mean, lowest, highest, last and count of readings."""
    together = companions(item, point)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["time", "equipment", "point", "unit", "mean", "min", "max", "last", "readings"])
    for name in together:
        r = readings[f"{item.id}/{name}"]
        for i in range(len(r)):
            writer.writerow(
                [
                    moment(int(r.time_us[i]), site.time_zone).isoformat(timespec="seconds"),
                    item.id, name, item.points[name].unit,
                    *(f"{float(v[i]):.10g}" for v in (r.mean, r.min, r.max, r.last)), int(r.count[i]),
                ]
            )  # fmt: skip
    return out.getvalue()


# --- history, diagnosis, upkeep ---------------------------------------------------------------------------------------


def ticket_mark(words: Words) -> Mark:
    """Return the mark of a ticket."""
    return Mark("tk", words("ticket"))


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert or a ticket in a machine's history: one of the two is set."""

    at_us: int
    alert: Alert | None = None
    ticket: Ticket | None = None


def history_of(sources: Sources, equipment: str) -> list[Entry]:
    """Return a machine's alerts and tickets, newest first."""
    entries = [Entry(a.started_us, alert=a) for a in sources.desk.desk.alerts(equipment=equipment, limit=200)]
    entries += [Entry(t.created_us, ticket=t) for t in sources.desk.desk.tickets(equipment=equipment, limit=50)]
    return sorted(entries, key=lambda e: e.at_us, reverse=True)


def _history_line(sources: Sources, entry: Entry, now_us: int, words: Words) -> HistoryLine:
    when = times.when(entry.at_us, now_us, sources.site.time_zone)
    if entry.ticket is not None:
        t = entry.ticket
        title = words.either(t.title_zh, t.title_en)
        return HistoryLine(
            ticket_mark(words), when, title, t.number, ticket_state(sources, t, words), f"/tickets/{t.id}"
        )
    alert = entry.alert
    assert alert is not None
    if alert.resolved_us is not None:
        detail = words("cleared after %(time)s", time=duration(alert.resolved_us - alert.started_us, words.language))
    else:
        detail = state_of(sources, alert, now_us, words)
    mark = mark_of(alert, words)
    return HistoryLine(mark, when, what_of(sources, alert, words), "", detail, f"/alerts/{alert.id}")


def ticket_state(sources: Sources, ticket: Ticket, words: Words) -> str:
    """Return how far a ticket is, in words."""
    if ticket.state == "closed":
        return words("closed")
    return words("with %(who)s", who=sources.desk.called(ticket.assignee)) if ticket.assignee else words("nobody on it")


def _diagnosis(sources: Sources, finding: StoredFinding, now_us: int, words: Words) -> DiagnosisLine:
    tone, mark, verdict = {
        "fault": ("f", plain_mark(finding.priority), words("Fault")),
        "healthy": ("h", None, words("Healthy")),
    }.get(finding.verdict, ("u", unknown_mark(words), words("Cannot tell")))
    parts = [words("since %(time)s", time=times.when(finding.since_us, now_us, sources.site.time_zone))]
    if 0.0 < finding.confidence < 1.0:
        parts.append(words("confidence %(share)s", share=number(finding.confidence, 2)))
    if finding.cost_per_day:
        parts.append(words("¥%(money)s a day", money=number(finding.cost_per_day, 0)))
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
        quality=quality_words(reading.quality, words) if reading is not None else "",
        late=reading is None or is_stale(spec, reading, live.now_us),
    )
