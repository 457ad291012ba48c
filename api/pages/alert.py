"""One alert: the page on which somebody decides at three in the morning what to do first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.data_health.codes import TROUBLES
from analytics.records import Alert, Ticket
from api.pages import times
from api.pages.marks import Mark, is_acknowledged, priority_words, worst
from api.pages.numbers import range_text, unit_name
from api.pages.sources import Live, Sources
from api.pages.tickets import StepLine, steps_of
from api.pages.trends import HOUR_US, Trend, TrendEvent, TrendRange, TrendSeries, TrendSubject, trend
from api.pages.values import (
    all_limits_of,
    is_stale,
    limit_of_alert,
    limits_of,
    points_of_alert,
    scale_of,
    telling_points,
)
from api.pages.wording import (
    affected_by,
    headline,
    limit_of,
    machine_href,
    machine_name,
    mark_of,
    place_of,
    spell_of,
    state_of,
    title_of,
    value_of,
)
from api.pages.words import Words
from facility.formats import decimals_of, quantity
from facility.readings import Aggregates, Latest
from facility.site import Equipment

_MINUTE_US: Final = 60_000_000

_RATE_WINDOW_US: Final = 2 * _MINUTE_US


@dataclass(frozen=True, slots=True)
class Line:
    """A name and what it says; `strong` for what decides."""

    name: str
    text: str
    strong: bool = False
    href: str = ""


@dataclass(frozen=True)
class AlertPage:
    """One alert."""

    id: int
    priority: str
    mark: Mark
    priority_name: str
    state: str
    title: str
    headline: str
    where: str
    machine: str
    machine_href: str
    number: str
    unit: str
    plate: str
    limit: str
    normal: str
    rate: str
    trend: Trend | None
    history_away: bool
    lines: tuple[Line, ...]
    steps: tuple[StepLine, ...]
    ticket: Ticket | None
    acknowledged: bool
    open: bool
    acknowledged_words: str


def window_of(alert: Alert, now_us: int) -> TrendRange:
    """Return the stretch that an alert's chart shows: from well before it began until now, or until it was over."""
    end = end_of(alert, now_us)
    span = min(max(2 * (end - alert.started_us), 30 * _MINUTE_US), 7 * 24 * HOUR_US)
    step = max(5_000_000, span // 150 // 5_000_000 * 5_000_000)
    return TrendRange("30min" if span <= 2 * HOUR_US else "span", span, step)


def end_of(alert: Alert, now_us: int) -> int:
    """Return where an alert's chart ends: now while it is open, a little after its end once it is over."""
    if alert.resolved_us is None:
        return now_us
    return min(now_us, alert.resolved_us + max(15 * _MINUTE_US, (alert.resolved_us - alert.started_us) // 4))


def charted_points(item: Equipment | None, alert: Alert, live: Live) -> tuple[str, ...]:
    """Return the point that an alert's chart draws: the one furthest gone; empty where there is none to draw."""
    if item is None:
        return ()
    if alert.limit_id in TROUBLES:
        # Such a cause names its one point, if it has one: `zone-icu|data.point_silent|pressure`.
        subject = alert.cause.rpartition("|")[2]
        return (subject,) if subject in item.points else ()
    return tuple(p for p in telling_points(item, alert, live) if item.points[p].kind != "total_increasing")[:1]


def alert_page(
    sources: Sources, words: Words, live: Live, alert: Alert, readings: Mapping[str, Aggregates] | None
) -> AlertPage:
    """
    Build an alert's page.

    `readings` holds the series of `charted_points`, by `equipment/point`, by the steps of `window_of`; None while the
    store is away.
    """
    item = sources.site.equipment.get(alert.equipment)
    points = charted_points(item, alert, live)
    text, unit, plate = value_of(sources, alert, live, words)
    ticket = _ticket_of(sources, alert)
    drawn = None
    if readings is not None and item is not None and points:
        drawn = _trend(sources, item, alert, points[0], readings, live, words)
    return AlertPage(
        id=alert.id,
        priority=alert.priority,
        mark=mark_of(alert, words),
        priority_name=f"{alert.priority} {priority_words(alert.priority, words)}",
        state=_state(alert, words),
        title=title_of(sources, alert, words),
        headline=headline(sources, alert, live, words),
        where=place_of(sources, alert.equipment, words),
        machine=machine_name(sources, alert.equipment, words),
        machine_href=machine_href(sources, alert.equipment),
        number=text,
        unit=unit,
        plate=plate if alert.resolved_us is None else "",
        limit=limit_of(sources, alert, words),
        normal=_normal(item, points, words),
        rate=_rate(item, points, readings, live.now_us, words) if alert.resolved_us is None else "",
        trend=drawn,
        history_away=readings is None,
        lines=_lines(sources, item, alert, live, words),
        steps=_steps(sources, item, alert, ticket, live.now_us, words),
        ticket=ticket,
        acknowledged=is_acknowledged(alert),
        open=alert.resolved_us is None,
        acknowledged_words=state_of(sources, alert, live.now_us, words),
    )


def _state(alert: Alert, words: Words) -> str:
    if alert.resolved_us is not None:
        return words("Over") if is_acknowledged(alert) else words("Over, not acknowledged")
    return words("Acknowledged") if is_acknowledged(alert) else words("Not acknowledged")


def _ticket_of(sources: Sources, alert: Alert) -> Ticket | None:
    found = sources.desk.desk.tickets(equipment=alert.equipment, limit=50)
    mine = [t for t in found if t.cause == alert.cause]
    return next((t for t in mine if t.closed_us is None), next((t for t in mine if t.alert_id == alert.id), None))


def _normal(item: Equipment | None, points: Sequence[str], words: Words) -> str:
    if item is None or not points or item.points[points[0]].normal is None:
        return ""
    spec = item.points[points[0]]
    assert spec.normal is not None
    return words(
        "normal %(range)s",
        range=range_text(spec.normal, "", decimals_of(spec.unit, spec.decimals), words.language),
    )


def _rate(
    item: Equipment | None,
    points: Sequence[str],
    readings: Mapping[str, Aggregates] | None,
    now_us: int,
    words: Words,
) -> str:
    """Return how fast the value moves, from its newest readings; empty where it stands still within its own noise."""
    if item is None or not points or readings is None or item.points[points[0]].kind == "state":
        return ""
    r = readings[f"{item.id}/{points[0]}"]
    spec = item.points[points[0]]
    window = max(_RATE_WINDOW_US, 6e6 * spec.every)
    recent = r.time_us >= now_us - window
    if np.count_nonzero(recent) < 5:
        return ""
    minutes = (r.time_us[recent] - now_us) / _MINUTE_US
    slope, offset = np.polyfit(minutes, r.mean[recent], 1)
    noise = float(np.std(r.mean[recent] - (slope * minutes + offset)))
    decimals = decimals_of(spec.unit, spec.decimals)
    # Less than the last digit in the window, or less than the scatter around the line, is no movement.
    if abs(slope) * window / _MINUTE_US < max(10.0**-decimals, 3 * noise) or round(abs(slope), decimals + 1) == 0:
        return ""
    return words("%(rate)s/min", rate=quantity(float(slope), spec.unit, decimals + (abs(slope) < 10), signed=True))


def _trend(
    sources: Sources,
    item: Equipment,
    alert: Alert,
    point: str,
    readings: Mapping[str, Aggregates],
    live: Live,
    words: Words,
) -> Trend:
    spec = item.points[point]
    limit = limit_of_alert(item, alert)
    limits = limits_of(item, point)
    # The limit that fired is drawn even where it holds under conditions only.
    if limit is not None and all(p.limit is not limit for p in limits):
        limits = tuple(p for p in all_limits_of(item, point) if p.always or p.limit is limit)
    states = {code: words.name(names) for code, names in item.cls.state_names.get(point, {}).items()}
    subject = TrendSubject(
        title=words.name(spec.name),
        unit=unit_name(spec.unit, words) if spec.kind != "state" else "",
        decimals=decimals_of(spec.unit, spec.decimals),
        every_s=spec.every,
        scale=scale_of(item, point),
        normal=spec.normal if spec.kind != "state" else None,
        limits=limits,
        states=states if spec.kind == "state" else {},
    )
    events = [TrendEvent(alert.started_us, mark_of(alert, words), words("begins"), "")]
    if alert.acknowledged_us is not None:
        events.append(TrendEvent(alert.acknowledged_us, Mark("tick", ""), words("acknowledged"), ""))
    series = [TrendSeries("", readings[f"{item.id}/{point}"])]
    window, end = window_of(alert, live.now_us), end_of(alert, live.now_us)
    ends_now = alert.resolved_us is None
    return trend(subject, series, events, window, end, sources.site.time_zone, words, ends_now=ends_now)


def _lines(sources: Sources, item: Equipment | None, alert: Alert, live: Live, words: Words) -> tuple[Line, ...]:
    zone, now = sources.site.time_zone, live.now_us
    since = times.when(alert.started_us, now, zone, seconds=True)
    lines: list[Line] = []
    if alert.resolved_us is None:
        lines.append(Line(words("Since"), f"{since} · {times.age(alert.started_us, now, words)}", True))
    else:
        lines.append(Line(words("Time"), spell_of(sources, alert, now, words), True))
    if alert.limit_id in TROUBLES:
        # The title is short; what is behind the gateway, and what it usually is, stand here.
        finding = sources.desk.desk.finding(alert.finding_id)
        if finding is not None:
            lines.append(Line(words("What"), words.either(finding.summary_zh, finding.summary_en), True))
        usual = TROUBLES[alert.limit_id].cause
        told = finding.evidence if finding is not None else {}
        cause = words.either(str(told.get("cause_zh", usual.zh)), str(told.get("cause_en", usual.en)))
        lines.append(Line(words("Likely"), cause, href=str(told.get("quarantine", ""))))
    affected = affected_by(sources, alert, words)
    if affected:
        lines.append(Line(words("Affects"), affected, True))
    if alert.unknown_us is not None and alert.resolved_us is None:
        unknown = words("no readings since %(time)s, cannot tell", time=times.when(alert.unknown_us, now, zone))
        lines.append(Line(words("Data"), unknown))
    if alert.peak is not None:
        lines.append(
            Line(
                words("Worst"),
                quantity(alert.peak, alert.unit, limits=[alert.threshold] if alert.threshold is not None else ()),
            )
        )
    compared = _compared(sources, item, alert, live, words) if alert.resolved_us is None else ""
    if compared:
        lines.append(Line(words("Compare"), compared))
    above = _above(sources, item, words) if alert.resolved_us is None else ""
    if above:
        lines.append(Line(words("Clue"), above))
    limit = limit_of_alert(item, alert) if item is not None else None
    if limit is not None:
        lines.append(Line(words("Limit"), f"{limit.spec.id} · {limit.condition.text} · {limit.spec.source}"))
    if alert.acknowledged_us is not None:
        lines.append(Line(words("Taken"), state_of(sources, alert, now, words)))
    return tuple(lines)


def _compared(sources: Sources, item: Equipment | None, alert: Alert, live: Live, words: Words) -> str:
    """Return how the same value stands at machines of the same class: one alone is off, or all of them are."""
    if item is None:
        return ""
    points = points_of_alert(item, alert)[:1]
    if not points or item.points[points[0]].kind not in ("gauge", "derived"):
        return ""
    spec = item.points[points[0]]
    values: list[float] = []
    for other in sources.site.equipment.values():
        if other.id == item.id or other.cls.id != item.cls.id or points[0] not in other.points:
            continue
        reading: Latest | None = live.reading(f"{other.id}/{points[0]}")
        if reading is not None and not is_stale(spec, reading, live.now_us):
            values.append(reading.value)
    if not values:
        return ""
    decimals = decimals_of(spec.unit, spec.decimals)
    low, high = round(min(values), decimals), round(max(values), decimals)
    text = (
        range_text((low, high), spec.unit, decimals, words.language)
        if low < high
        else quantity(low, spec.unit, decimals)
    )
    return words.plural(
        "%(n)s other of its kind: %(values)s", "%(n)s others of its kind: %(values)s", len(values), values=text
    )


def _above(sources: Sources, item: Equipment | None, words: Words) -> str:
    """Return an open alert of something upstream, which may explain this one."""
    if item is None:
        return ""
    upstream = set(sources.site.upstream(item.id))
    first = worst(a for a in sources.desk.open_alerts() if a.equipment in upstream)
    return words("upstream: %(what)s", what=title_of(sources, first, words)) if first is not None else ""


def _steps(
    sources: Sources, item: Equipment | None, alert: Alert, ticket: Ticket | None, now_us: int, words: Words
) -> tuple[StepLine, ...]:
    """Return the first actions: the ticket's steps, which keep who has done them; else the class's advice."""
    if ticket is not None and ticket.checklist:
        return steps_of(sources, ticket, now_us, words)
    limit = limit_of_alert(item, alert) if item is not None else None
    if item is None or limit is None:
        return ()
    advice = item.cls.spec.advice[limit.spec.advice]
    texts = advice.zh if words.language == "zh" else advice.en
    return tuple(StepLine(i, text, "", False, "") for i, text in enumerate(texts))
