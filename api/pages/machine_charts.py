"""A machine's charts: which points are drawn together, and the table behind them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.records import Alert
from api.pages.curves import Spark, spark
from api.pages.history import Entry, ticket_mark
from api.pages.numbers import unit_name
from api.pages.sources import Live, Sources
from api.pages.trends import (
    MOST_CURVES,
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
    limits_of,
    scale_of,
)
from api.pages.wording import mark_of, what_of
from api.pages.words import Words
from facility.formats import decimals_of, moment
from facility.readings import Aggregates
from facility.site import Equipment, Site

SMALL_CURVES: Final = 3

SMALL_SIZE: Final = (252.0, 66.0)

# Names that end in these belong together: three phases, two towers, bearings of one shaft.
_GROUPS: Final = re.compile(r"^(?P<stem>.+)_(?P<member>a|b|c|ab|bc|ca|1|2|3|de|nde)$")


@dataclass(frozen=True, slots=True)
class SmallTrend:
    """A small curve below the chart: a key point's own."""

    value: ValueView
    curve: Spark | None
    label: str


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


def machine_trend(
    sources: Sources,
    item: Equipment,
    subject: str,
    chosen: TrendRange,
    readings: Mapping[str, Aggregates],
    history: Sequence[Entry],
    live: Live,
    words: Words,
) -> Trend:
    """Draw the chart of a point, or of the points that belong together, with alerts and tickets in its lane."""
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


def small_trends(
    item: Equipment,
    views: Mapping[str, ValueView],
    subject: str | None,
    chosen: TrendRange,
    readings: Mapping[str, Aggregates],
    now_us: int,
    words: Words,
) -> tuple[SmallTrend, ...]:
    """Draw the small curves below the chart."""
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


def standards_drawn(item: Equipment, point: str) -> str:
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
