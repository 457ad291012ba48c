"""Alerts in words and figures, the same on every page: what, where, how bad, since when, who has it."""

from __future__ import annotations

from dataclasses import replace

from analytics.data_health.codes import TROUBLES
from analytics.data_health.findings import HEARTBEAT
from analytics.records import Alert
from api.health_state import plan_of
from api.pages import times
from api.pages.marks import Mark, alert_mark, unknown_mark, zero_mark
from api.pages.numbers import joined, limit_text
from api.pages.sources import PRIORITIES, Live, Sources
from api.pages.values import limit_of_alert, points_of_alert, telling_points, value_view
from api.pages.words import Words
from facility.formats import decimals_of, duration, moment, number
from facility.site import Site


def what_of(sources: Sources, alert: Alert, words: Words) -> str:
    """Return what is wrong: the limit's name; the title as it was written, if the site no longer has the limit."""
    item = sources.site.equipment.get(alert.equipment)
    limit = limit_of_alert(item, alert) if item is not None else None
    return words.name(limit.spec.name) if limit is not None else words.either(alert.title_zh, alert.title_en)


def machine_name(sources: Sources, equipment: str, words: Words) -> str:
    """Return what a machine or a gateway is called; its id if the site file no longer has it."""
    item = sources.site.equipment.get(equipment)
    if item is not None:
        return words.name(item.name)
    if equipment == HEARTBEAT:
        return words("Data collection")
    gateway = next((g for g in plan_of(sources.site).gateways if g.id == equipment), None)
    return words.name(gateway.name) if gateway is not None else equipment


def machine_href(sources: Sources, equipment: str) -> str:
    """Return the page of a machine; gateways and our own side stand on the page of data health."""
    return f"/plant/{equipment}" if equipment in sources.site.equipment else "/data"


def money_a_day(site: Site, words: Words) -> str:
    """Return the unit of what waste costs: `元/天`, `¥/day`."""
    return words("¥/day") if site.currency == "CNY" else words("%(currency)s/day", currency=site.currency)


def without_machine(text: str, machine: str) -> str:
    """Return a sentence without the machine's name at its head, where that stands beside it already."""
    for mark in ("：", ": "):
        if text.startswith(f"{machine}{mark}"):
            rest = text[len(machine) + len(mark) :]
            return rest[:1].upper() + rest[1:]
    return text


def title_of(sources: Sources, alert: Alert, words: Words) -> str:
    """Return machine and what is wrong with it, without the value, which stands beside it and moves."""
    if alert.limit_id in TROUBLES:
        return words.either(alert.title_zh, alert.title_en)  # trouble with data: no limit has a name for it
    machine, what = machine_name(sources, alert.equipment, words), what_of(sources, alert, words)
    if machine in what:
        return what
    # After a colon a sentence goes on; an abbreviation keeps its capitals.
    if words.language == "en" and not what[1:2].isupper():
        what = what[:1].lower() + what[1:]
    return words("%(machine)s: %(what)s", machine=machine, what=what)


def place_of(sources: Sources, equipment: str, words: Words) -> str:
    """Return where a machine stands: building and room."""
    item = sources.site.equipment.get(equipment)
    room = sources.site.rooms.get(item.room or "") if item is not None else None
    building = sources.site.buildings.get(room.building or "") if room is not None else None
    return " · ".join(words.name(place.name) for place in (building, room) if place is not None)


def affected_by(sources: Sources, alert: Alert, words: Words, most: int | None = None) -> str:
    """
    Return the departments that an alert touches, with their beds: `重症医学科 24 床、心内科 12 床`.

    Of more than `most`, the first are named and all are counted.
    """
    day = moment(alert.started_us, sources.site.time_zone).date()
    parts: list[str] = []
    for department in alert.place.get("departments") or ():
        known = sources.site.departments.get(department)
        if known is None:
            continue
        name, beds = words.name(known.name), known.beds.on(day)
        parts.append(
            words.plural("%(name)s %(n)s bed", "%(name)s %(n)s beds", round(beds), name=name) if beds else name
        )
    if most is not None and len(parts) > most + 1:
        named = words(", ").join(parts[:most])
        return words("%(named)s and others, %(n)s departments in all", named=named, n=len(parts))
    return words(", ").join(parts)


def mark_of(alert: Alert, words: Words) -> Mark:
    """Return an alert's mark; where readings are missing and nobody can tell whether it still holds, that one."""
    if alert.resolved_us is not None and alert.acknowledged_us is not None:
        # It is over and everybody knows: no colour is left.
        return replace(zero_mark(alert.priority), label=words("%(priority)s over", priority=alert.priority))
    if alert.unknown_us is not None and alert.resolved_us is None and alert.priority != "P1":
        return unknown_mark(words)
    return alert_mark(alert.priority, alert.acknowledged_us is not None, words)


def value_of(sources: Sources, alert: Alert, live: Live, words: Words) -> tuple[str, str, str]:
    """Return an alert's value as number, unit and plate class; the value now while it is live, else as it fired."""
    plate = f"o{alert.priority[-1]}"
    item = sources.site.equipment.get(alert.equipment)
    if item is not None and alert.resolved_us is None:
        for point in telling_points(item, alert, live):
            view = value_view(sources.site, item, point, live, words, {point: alert})
            if view.state in PRIORITIES:
                return view.number, view.unit, plate
    if alert.value is None:
        return "", "", plate
    decimals = decimals_of(alert.unit)
    if item is not None:
        for point in points_of_alert(item, alert)[:1]:
            spec = item.points[point]
            if spec.kind == "state":
                names = item.cls.state_names.get(point, {}).get(round(alert.value))
                return (words.name(names) if names else number(alert.value, 0)), "", plate
            decimals = decimals_of(alert.unit, spec.decimals if spec.unit == alert.unit else None)
    limits = () if alert.threshold is None else (alert.threshold,)
    return number(alert.value, decimals, limits=limits), alert.unit, plate


def limit_of(sources: Sources, alert: Alert, words: Words) -> str:
    """Return the limit that was passed, in words: `低于下限 320 kPa`; empty where a state raised the alert."""
    item = sources.site.equipment.get(alert.equipment)
    limit = limit_of_alert(item, alert) if item is not None else None
    op = limit.condition.comparisons[0].op if limit is not None else ""
    if alert.threshold is None or op in ("==", "!="):
        return ""
    text = limit_text(alert.threshold, alert.unit)
    if op in ("<", "<="):
        return words("lower limit %(limit)s", limit=text)
    return words("upper limit %(limit)s", limit=text) if op else words("limit %(limit)s", limit=text)


def state_of(sources: Sources, alert: Alert, now_us: int, words: Words) -> str:
    """Return how an alert stands: nobody has it, who has acknowledged it, or when it was over."""
    zone = sources.site.time_zone
    if alert.acknowledged_us is None:
        held = words("not acknowledged")
    else:
        held = words(
            "acknowledged by %(who)s %(time)s",
            who=alert.acknowledged_name or sources.desk.called(alert.acknowledged_by),
            time=times.when(alert.acknowledged_us, now_us, zone),
        )
    if alert.resolved_us is not None:
        since = times.when(alert.resolved_us, now_us, zone)
        return words("back to normal %(time)s", time=since) + " · " + held
    if alert.unknown_us is not None:
        since = times.when(alert.unknown_us, now_us, zone)
        return words("no readings since %(time)s, cannot tell", time=since) + " · " + held
    return held


def spell_of(sources: Sources, alert: Alert, now_us: int, words: Words) -> str:
    """Return from when until when an alert that is over has lasted: `05:52:44 至 06:06:59，历时 14 分 15 秒`."""
    zone, over_us = sources.site.time_zone, alert.resolved_us or now_us
    return words(
        "%(since)s until %(over)s, %(lasted)s",
        since=times.when(alert.started_us, now_us, zone, seconds=True),
        over=times.when(over_us, now_us, zone, seconds=True),
        lasted=duration(over_us - alert.started_us, words.language),
    )


def headline(sources: Sources, alert: Alert, live: Live, words: Words) -> str:
    """Return machine, what, value and limit in one line, as the banner and a page's title have it."""
    text, unit, _ = value_of(sources, alert, live, words)
    line = title_of(sources, alert, words)
    if text and unit:
        line = f"{line} {joined(text, unit)}"
    limit = limit_of(sources, alert, words)
    return words.in_context("banner", "%(what)s, %(limit)s", what=line, limit=limit) if limit else line
