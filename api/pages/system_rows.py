"""A system's row: how it is, three values in their bands, a day's curve, its power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.records import Alert
from api.health_state import health_state
from api.pages import times
from api.pages.curves import Spark, spark
from api.pages.marks import RANK, Mark, is_acknowledged, stale_mark, worst
from api.pages.plant import Arrivals, arrivals, by_equipment, system_name, systems_present
from api.pages.sources import Live, Sources
from api.pages.values import (
    ValueView,
    alerts_by_point,
    is_stale,
    limits_of,
    scale_of,
    telling_points,
    value_view,
)
from api.pages.wording import mark_of, state_of, title_of, what_of
from api.pages.words import Words
from facility.equipment_classes import System
from facility.formats import number
from facility.site import Equipment, Site

DAY_US: Final = 86_400_000_000

SPARK_STEP_US: Final = 900_000_000  # 96 steps a day: as many as the drawing has room for

VALUES_IN_A_ROW: Final = 3

# Points that say what a machine draws from the mains, by preference.
_POWER_POINTS: Final = ("active_power", "power_input", "power")


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One system: how it is, three values, a day's curve, its power."""

    system: str
    name: str
    href: str
    mark: Mark | None
    tone: str  # p1, p2, p3 or quiet: the row's bar and weight
    state: str
    detail: str
    values: tuple[ValueView, ...]
    spark: Spark | None
    spark_label: str
    power: str


def system_row(
    sources: Sources,
    system: System,
    machines: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
    of_gateway: Mapping[str, Sequence[Alert]],
    sparks: Mapping[str, Spark],
) -> SystemRow:
    """Return the row of a system; `of_gateway` has the alerts about the gateways of its machines."""
    site = sources.site
    own = [a for m in machines for a in of_machine.get(m.id, ())]
    # One gateway stands before several machines: its alert counts once.
    alerts = list({a.id: a for a in [*own, *(a for m in machines for a in of_gateway.get(m.id, ()))]}.values())
    first = worst(alerts)
    heard = {m.id: arrivals(m, live) for m in machines}
    silent = _silent(sources, machines, heard)
    mark: Mark | None = None
    tone = "quiet"
    if first is not None:
        mark = mark_of(first, words)
        tone = first.priority.lower() if first.priority != "P4" else ""
        state = title_of(sources, first, words) if len(machines) > 1 else what_of(sources, first, words)
        detail = _alert_detail(sources, first, len(alerts) - 1, live, words)
    elif silent:
        mark, tone = stale_mark(words), ""
        state, detail = _silence(site, silent, machines, heard, live, words)
    else:
        state = words("Normal")
        detail = _quiet_detail(machines, live, words)
    values = row_values(site, machines, live, words, of_machine)
    if tone == "quiet" and any(v.when for v in values):
        # What the row shows is old: nobody can say that it is normal.
        mark, tone, state = stale_mark(words), "", words("Values late")
    drawn = next((v for v in values if v.key in sparks), None)
    return SystemRow(
        system=system,
        name=system_name(system, words),
        href=f"/plant?system={system}",
        mark=mark,
        tone=tone,
        state=state,
        detail=detail,
        values=values,
        spark=sparks.get(drawn.key) if drawn else None,
        spark_label=words("%(what)s, last 24 h", what=drawn.label) if drawn else "",
        power=_power(system, machines, live),
    )


def _silent(sources: Sources, machines: Sequence[Equipment], heard: Mapping[str, Arrivals]) -> list[Equipment]:
    """Return the machines that are not heard, though slow points of theirs may not be due yet."""
    state = health_state(sources.context)
    told = {state.plan.machines[m].id for m in np.flatnonzero(state.silence.machine).tolist()}
    return [m for m in machines if heard[m.id].silent or m.id in told]


def _alert_detail(sources: Sources, alert: Alert, more: int, live: Live, words: Words) -> str:
    parts = [words("since %(time)s", time=times.when(alert.started_us, live.now_us, sources.site.time_zone))]
    if alert.resolved_us is not None:
        parts = [state_of(sources, alert, live.now_us, words)]
    elif is_acknowledged(alert):
        parts.append(
            words("acked by %(who)s", who=alert.acknowledged_name or sources.desk.called(alert.acknowledged_by))
        )
    else:
        parts += [times.age(alert.started_us, live.now_us, words), words("not acknowledged")]
    if more > 0:
        parts.append(words.plural("%(n)s more", "%(n)s more", more))
    return " · ".join(parts)


def _silence(
    site: Site,
    silent: Sequence[Equipment],
    machines: Sequence[Equipment],
    heard: Mapping[str, Arrivals],
    live: Live,
    words: Words,
) -> tuple[str, str]:
    newest = max((heard[m.id].newest_us or 0 for m in silent), default=0)
    if len(silent) == 1:
        state = words("%(machine)s: no data", machine=words.name(silent[0].name))
    else:
        state = words("%(n)s of %(all)s machines without data", n=len(silent), all=len(machines))
    if newest == 0:
        return state, words("nothing has ever arrived")
    return state, words(
        "last data %(time)s, %(age)s ago",
        time=times.when(newest, live.now_us, site.time_zone),
        age=times.age(newest, live.now_us, words),
    )


def _quiet_detail(machines: Sequence[Equipment], live: Live, words: Words) -> str:
    """Return how many machines there are, how many of those that can stand still run, and how many values are late."""
    late = 0
    states: list[bool] = []
    for item in machines:
        running = live.reading(f"{item.id}/running")
        if running is not None and not is_stale(item.points["running"], running, live.now_us):
            states.append(running.value == 1.0)
        heard = arrivals(item, live)
        late += heard.points - heard.fresh
    parts = [words.plural("%(n)s machine", "%(n)s machines", len(machines))]
    if len(states) > 1:
        parts.append(words.plural("%(n)s running", "%(n)s running", sum(states)))
    if late:
        parts.append(words.plural("%(n)s value late", "%(n)s values late", late))
    return " · ".join(parts)


def short_name(item: Equipment, machines: Sequence[Equipment], words: Words) -> str:
    """Return a machine's name for a tight label: nothing where the system has one machine only."""
    return words.name(item.name) if len(machines) > 1 else ""


def default_points(machines: Sequence[Equipment]) -> list[tuple[Equipment, str]]:
    """
    Return the values that a system shows while it is well: first key points of different classes, then second ones.

    Machines come by criticality, then as the site file has them, so that the same value always stands in one place.
    """
    ranked = sorted(machines, key=lambda m: m.criticality)
    found: list[tuple[Equipment, str]] = []
    for turn in range(VALUES_IN_A_ROW):
        seen: set[str] = set()
        for item in ranked:
            # Words without a band tell least at a glance; they come last.
            keys = sorted(item.cls.spec.key_points, key=lambda p: scale_of(item, p) is None if p in item.points else 2)
            if item.cls.id in seen or turn >= len(keys) or keys[turn] not in item.points:
                continue
            seen.add(item.cls.id)
            found.append((item, keys[turn]))
    return found


def row_values(
    site: Site,
    machines: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
) -> tuple[ValueView, ...]:
    """Return three values: those that an alert is about first, then the usual ones in their places."""
    chosen: dict[tuple[str, str], Equipment] = {}
    alerts = [a for m in machines for a in of_machine.get(m.id, ())]
    for alert in sorted(alerts, key=lambda a: (a.resolved_us is not None, RANK.get(a.priority, 9), a.started_us)):
        item = site.equipment[alert.equipment]
        for point in telling_points(item, alert, live)[:1]:
            chosen.setdefault((item.id, point), item)
    for item, point in default_points(machines):
        if len(chosen) >= VALUES_IN_A_ROW:
            break
        chosen.setdefault((item.id, point), item)
    views: list[ValueView] = []
    for (_, point), item in list(chosen.items())[:VALUES_IN_A_ROW]:
        by_point = alerts_by_point(item, of_machine.get(item.id, ()), live)
        machine = short_name(item, machines, words)
        label = f"{machine} {words.name(item.points[point].name)}".strip()
        views.append(value_view(site, item, point, live, words, by_point, label=label))
    return tuple(views)


def _power(system: str, machines: Sequence[Equipment], live: Live) -> str:
    # The power room feeds the others: its own figure would count them twice.
    if system == "power":
        return ""
    watts: list[float] = []
    for item in machines:
        point = next((p for p in _POWER_POINTS if p in item.points and item.points[p].unit == "kW"), None)
        reading = live.reading(f"{item.id}/{point}") if point else None
        if reading is not None and point is not None and not is_stale(item.points[point], reading, live.now_us):
            watts.append(reading.value)
    return number(sum(watts), 0) if watts else ""


def spark_points(sources: Sources, live: Live, words: Words) -> list[tuple[Equipment, str]]:
    """Return the points that the rows draw: the first value of each row."""
    of_machine = by_equipment(sources.desk.open_alerts())
    found: list[tuple[Equipment, str]] = []
    for machines in systems_present(sources.site).values():
        values = row_values(sources.site, machines, live, words, of_machine)
        for value in values:
            equipment, _, point = value.key.partition("/")
            item = sources.site.equipment[equipment]
            if item.points[point].kind in ("gauge", "derived"):
                found.append((item, point))
                break
    return found


def day_curves(sources: Sources, points: Sequence[tuple[Equipment, str]], now_us: int) -> dict[str, Spark]:
    """Draw the last 24 hours of each point; StoreUnavailable is the caller's to tell."""
    end = now_us - now_us % SPARK_STEP_US + SPARK_STEP_US
    start = end - DAY_US
    keys = [f"{item.id}/{point}" for item, point in points]
    readings = sources.store.aggregate(keys, start, end, SPARK_STEP_US) if keys else {}
    return {
        key: spark(
            readings[key],
            start,
            now_us,
            SPARK_STEP_US,
            item.points[point].every,
            scale_of(item, point),
            item.points[point].normal,
            limits_of(item, point),
        )
        for key, (item, point) in zip(keys, points, strict=True)
    }
