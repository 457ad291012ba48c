"""The life of an alert in the database: one open alert for one cause, rising and easing through its tiers.

firing        -> a finding, an alert, and a line in the open ticket or a new ticket
a worse tier  -> the same alert rises, and must be acknowledged again
a tier ends   -> it eases to the worst that is left, but not before somebody has seen it
all end       -> resolved; a P1 that nobody has seen stays on the open list until somebody has
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from analytics.alerts.wording import limit_summary, limit_title, value_text
from analytics.findings import Finding
from analytics.live import LimitEvent, OpenTier, cause_of
from analytics.maintenance.tickets import SYSTEM, add_event, open_or_update, open_ticket_of
from analytics.records import TicketEventKind
from analytics.tables import AlertRow, FindingRow
from facility.calendar import day_of
from facility.equipment_classes import Limit
from facility.names import Names
from facility.site import Equipment, Site

_TIER_RANK: Final = {"trip": 0, "low_trip": 0, "alarm": 1, "low_alarm": 1, "warn": 2, "low_warn": 2}
# Advice for the work list interrupts nobody (domain facts §0.3): it is a finding, not an alert.
_NO_ALERT: Final = "P4"
# What a finding says differently once its alert has risen; when and where it began stays.
_TOLD_ANEW: Final = (
    "points", "summary_zh", "summary_en", "evidence", "advice_zh", "advice_en", "priority", "source", "standard"
)  # fmt: skip


def apply(session: Session, site: Site, event: LimitEvent, now_us: int) -> int | None:
    """Bring the database up to one event; return the id of the alert that changed, or None."""
    machine = site.equipment[event.equipment]
    alert = open_alert_of(session, event.cause)
    if event.kind == "firing" and event.limit.spec.priority != _NO_ALERT:
        return _fire(session, site, machine, event, alert, now_us)
    if alert is None or not any(t["limit_id"] == event.limit.id for t in alert.tiers):
        # Advice; or told twice, and nothing is left to do.
        if event.kind == "firing":
            _note_advice(session, machine, event)
        elif event.kind == "cleared":
            _end_advice(session, event)
        return None
    match event.kind:
        case "cleared":
            _clear(session, machine, event, alert, now_us)
        case "unknown":
            alert.unknown_us = event.at_us if alert.unknown_us is None else alert.unknown_us
        case "known":
            alert.unknown_us = None
        case "worse":
            _note_peak(alert, event)
    return alert.id


def open_alert_of(session: Session, cause: str) -> AlertRow | None:
    """Return the alert of a cause that is not resolved, if there is one."""
    return session.scalar(select(AlertRow).where(AlertRow.cause == cause, AlertRow.resolved_us.is_(None)))


def follow(session: Session, site: Site, finding: Finding, row: FindingRow, now_us: int) -> int | None:
    """
    Raise, keep or resolve the alert of a finding that is not about a limit; return its id if it changed.

    It has no tiers: the finding itself says when it is over.
    """
    alert = open_alert_of(session, finding.cause)
    if finding.verdict == "healthy":
        return None if alert is None else _resolve(alert, finding)
    if finding.verdict != "fault" or finding.reach != "alert":
        return None
    if alert is not None:
        return _retitle(alert, finding)
    alert = _unseen(session, finding.cause)
    if alert is None:
        alert = _alert_of(site, finding, row)
        session.add(alert)
        session.flush()
    else:
        # A P1 that is over but that nobody has seen comes back: it is still the same.
        alert.resolved_us, alert.resolved_value, alert.state, alert.finding_id = None, None, "firing", row.id
    open_or_update(
        session, cause=finding.cause, equipment=finding.equipment, title=finding.title, priority=finding.priority,
        occurred_us=finding.since_us, checklist=finding.advice, finding_id=row.id, alert_id=alert.id, who=SYSTEM,
        now_us=now_us, zone=site.time_zone, note=finding.code,
    )  # fmt: skip
    return alert.id


def _alert_of(site: Site, finding: Finding, row: FindingRow) -> AlertRow:
    machine = site.equipment.get(finding.equipment)
    return AlertRow(
        finding_id=row.id, cause=finding.cause, equipment=finding.equipment, limit_id=finding.code,
        priority=finding.priority, life_safety=finding.life_safety, state="firing", title_zh=finding.title.zh,
        title_en=finding.title.en,
        place=_place(site, machine, finding.since_us) if machine is not None else _places(site, finding),
        tiers=[], value=None, unit="", threshold=None, peak=None, started_us=finding.since_us,
        fired_us=finding.found_us, unknown_us=None, acknowledged_us=None, acknowledged_by=None, acknowledged_name=None,
        resolved_us=None, resolved_value=None,
    )  # fmt: skip


def _retitle(alert: AlertRow, finding: Finding) -> int | None:
    told = (alert.title_zh, alert.title_en, alert.priority, alert.life_safety)
    fresh = (finding.title.zh, finding.title.en, finding.priority, finding.life_safety)
    if told == fresh:
        return None
    if finding.priority < alert.priority:
        # Who has seen the lesser one has not seen this.
        alert.acknowledged_us = alert.acknowledged_by = alert.acknowledged_name = None
        alert.state = "firing"
    alert.title_zh, alert.title_en, alert.priority, alert.life_safety = fresh
    return alert.id


def _resolve(alert: AlertRow, finding: Finding) -> int:
    alert.resolved_us, alert.state, alert.unknown_us = finding.found_us, "resolved", None
    return alert.id


def acknowledge(session: Session, site: Site, alert: AlertRow, who: str, name: str, now_us: int) -> bool:
    """Note who has seen an alert; the first acknowledgement stands. Return whether this was it."""
    if alert.acknowledged_us is not None:
        return False
    alert.acknowledged_us, alert.acknowledged_by, alert.acknowledged_name = now_us, who, name or who
    _tell_ticket(session, alert, now_us, who, "acknowledged")
    if alert.resolved_us is None:
        alert.state = "acknowledged"
        _ease(session, site, alert, now_us)
    return True


def retire(session: Session, alert: AlertRow, now_us: int) -> None:
    """Resolve an alert whose limit is no longer in the site file; nobody can ever tell that it cleared."""
    alert.tiers = []
    alert.resolved_us, alert.state, alert.unknown_us = now_us, "resolved", None
    _tell_ticket(session, alert, now_us, SYSTEM, "cleared", f"{alert.limit_id} –")
    finding = session.get(FindingRow, alert.finding_id)
    if finding is not None:
        finding.ended_us = now_us


def open_tiers(alert: AlertRow) -> list[OpenTier]:
    """Return what an open alert remembers for the live rules."""
    return [
        OpenTier(
            alert.cause, t["limit_id"], t["started_us"], t["fired_us"], alert.unknown_us,
            math.nan if alert.value is None else alert.value, math.nan if alert.peak is None else alert.peak,
        )
        for t in alert.tiers
    ]  # fmt: skip


def open_advice(session: Session) -> list[OpenTier]:
    """Return the limits without an alert that were firing, for the live rules."""
    rows = session.scalars(
        select(FindingRow).where(
            FindingRow.priority == _NO_ALERT, FindingRow.ended_us.is_(None), FindingRow.source.startswith("limit ")
        )
    )
    return [OpenTier(r.cause, r.source.removeprefix("limit "), r.since_us, r.found_us) for r in rows]


def known_tiers(site: Site) -> frozenset[tuple[str, str]]:
    """Return (cause, limit id) of every limit of the site."""
    return frozenset((cause_of(e.id, limit), limit.id) for e in site.equipment.values() for limit in e.limits)


def _fire(
    session: Session, site: Site, machine: Equipment, event: LimitEvent, alert: AlertRow | None, now_us: int
) -> int:
    limit = event.limit
    tier = {
        "limit_id": limit.id, "subject": limit.subject, "priority": limit.spec.priority,
        "started_us": event.started_us, "fired_us": event.fired_us, "value": _plain(event.value),
    }  # fmt: skip
    if alert is None:
        alert = _unseen(session, event.cause)
        if alert is not None:
            _reopen(session, site, machine, alert, tier, event, now_us)
            return alert.id
        return _open(session, site, machine, event, tier, now_us)
    if any(t["limit_id"] == limit.id for t in alert.tiers):
        return alert.id  # told twice
    alert.tiers = [*alert.tiers, tier]
    alert.unknown_us = None
    if _rank(tier) < _rank_of(alert):
        _raise(session, machine, alert, event, now_us)
    return alert.id


def _open(
    session: Session, site: Site, machine: Equipment, event: LimitEvent, tier: dict[str, Any], now_us: int
) -> int:
    finding = _finding(machine, event)
    session.add(finding)
    session.flush()
    title = limit_title(machine, event.limit, event.value)
    alert = AlertRow(
        finding_id=finding.id, cause=event.cause, equipment=machine.id, limit_id=event.limit.id,
        priority=event.limit.spec.priority, life_safety=event.limit.spec.life_safety, state="firing",
        title_zh=title.zh, title_en=title.en, place=_place(site, machine, event.at_us), tiers=[tier],
        value=_plain(event.value), unit=event.limit.condition.comparisons[0].left.unit,
        threshold=event.limit.threshold, peak=_plain(event.peak), started_us=event.started_us,
        fired_us=event.fired_us, unknown_us=None, acknowledged_us=None, acknowledged_by=None, acknowledged_name=None,
        resolved_us=None, resolved_value=None,
    )  # fmt: skip
    session.add(alert)
    session.flush()
    open_or_update(
        session, cause=event.cause, equipment=machine.id, title=title, priority=alert.priority,
        occurred_us=event.started_us, checklist=_advice(machine, event.limit), finding_id=finding.id,
        alert_id=alert.id, who=SYSTEM, now_us=now_us, zone=site.time_zone, note=_note(machine, event),
    )  # fmt: skip
    return alert.id


def _unseen(session: Session, cause: str) -> AlertRow | None:
    """Return the P1 of this cause that is over but that nobody has seen: when it comes back it is still the same."""
    return session.scalar(
        select(AlertRow)
        .where(
            AlertRow.cause == cause,
            AlertRow.priority == "P1",
            AlertRow.resolved_us.is_not(None),
            AlertRow.acknowledged_us.is_(None),
        )
        .order_by(AlertRow.id.desc())
        .limit(1)
    )


def _reopen(
    session: Session,
    site: Site,
    machine: Equipment,
    alert: AlertRow,
    tier: dict[str, Any],
    event: LimitEvent,
    now_us: int,
) -> None:
    alert.resolved_us, alert.resolved_value, alert.state, alert.unknown_us = None, None, "firing", None
    alert.tiers = [tier]
    _note_peak(alert, event)
    finding = session.get(FindingRow, alert.finding_id)
    if finding is not None:
        finding.ended_us, finding.last_seen_us = None, event.at_us
    # Its ticket may have been closed meanwhile: what comes back is work again.
    open_or_update(
        session, cause=event.cause, equipment=machine.id, title=Names(zh=alert.title_zh, en=alert.title_en),
        priority=alert.priority, occurred_us=event.started_us, checklist=_advice(machine, event.limit),
        finding_id=alert.finding_id, alert_id=alert.id, who=SYSTEM, now_us=now_us, zone=site.time_zone,
        note=_note(machine, event),
    )  # fmt: skip


def _raise(session: Session, machine: Equipment, alert: AlertRow, event: LimitEvent, now_us: int) -> None:
    """Let an alert rise to a worse tier: who has seen the warning has not seen the alarm."""
    before = alert.priority
    title = limit_title(machine, event.limit, event.value)
    _set_tier(alert, event.limit, title, event.value)
    alert.fired_us = event.fired_us
    _note_peak(alert, event)
    alert.acknowledged_us = alert.acknowledged_by = alert.acknowledged_name = None
    alert.state = "firing"
    finding = session.get(FindingRow, alert.finding_id)
    if finding is not None:
        fresh = _finding(machine, event)
        for name in (
            "summary_zh",
            "summary_en",
            "evidence",
            "advice_zh",
            "advice_en",
            "priority",
            "source",
            "standard",
        ):
            setattr(finding, name, getattr(fresh, name))
        finding.last_seen_us = event.at_us
    ticket = open_ticket_of(session, alert.cause)
    if ticket is not None:
        ticket.priority = min(ticket.priority, alert.priority)
        ticket.title_zh, ticket.title_en = title.zh, title.en
        note = f"{before} → {alert.priority} {_note(machine, event)}"
        add_event(session, ticket, now_us, SYSTEM, "escalated", note)


def _clear(session: Session, machine: Equipment, event: LimitEvent, alert: AlertRow, now_us: int) -> None:
    alert.tiers = [t for t in alert.tiers if t["limit_id"] != event.limit.id]
    _note_peak(alert, event)
    if alert.tiers:
        if alert.acknowledged_us is not None:
            _ease_to_worst(session, machine, alert, now_us)
        return
    alert.resolved_us, alert.resolved_value, alert.unknown_us = event.at_us, _plain(event.value), None
    alert.state = "resolved"
    finding = session.get(FindingRow, alert.finding_id)
    if finding is not None:
        finding.ended_us = finding.last_seen_us = event.at_us
        finding.evidence = {**finding.evidence, "peak": alert.peak}
    _tell_ticket(session, alert, now_us, SYSTEM, "cleared", _note(machine, event))


def _ease(session: Session, site: Site, alert: AlertRow, now_us: int) -> None:
    machine = site.equipment.get(alert.equipment)
    if machine is not None and alert.tiers:
        _ease_to_worst(session, machine, alert, now_us)


def _ease_to_worst(session: Session, machine: Equipment, alert: AlertRow, now_us: int) -> None:
    worst = min(alert.tiers, key=_rank)
    if worst["limit_id"] == alert.limit_id:
        return
    limit = next(
        (li for li in machine.limits if li.id == worst["limit_id"] and cause_of(machine.id, li) == alert.cause), None
    )
    if limit is None:
        return
    before = alert.priority
    value = math.nan if worst["value"] is None else float(worst["value"])
    _set_tier(alert, limit, limit_title(machine, limit, value), value)
    alert.fired_us = worst["fired_us"]
    note = f"{before} → {alert.priority} {limit.id}"
    _tell_ticket(session, alert, now_us, SYSTEM, "eased", note)


def _set_tier(alert: AlertRow, limit: Limit, title: Names, value: float) -> None:
    alert.limit_id, alert.priority, alert.life_safety = limit.id, limit.spec.priority, limit.spec.life_safety
    alert.title_zh, alert.title_en = title.zh, title.en
    alert.threshold, alert.value = limit.threshold, _plain(value)


def _rank(tier: dict[str, Any]) -> tuple[str, int]:
    return tier["priority"], _TIER_RANK.get(tier["limit_id"].rpartition("/")[2], 3)


def _rank_of(alert: AlertRow) -> tuple[str, int]:
    return alert.priority, _TIER_RANK.get(alert.limit_id.rpartition("/")[2], 3)


def _note_peak(alert: AlertRow, event: LimitEvent) -> None:
    # The rules' peak begins anew with each tier; of two the one further from the limit is worse.
    if not math.isfinite(event.peak):
        return
    first = event.limit.condition.comparisons[0]
    if alert.peak is None:
        alert.peak = event.peak
    elif first.op in (">", ">="):
        alert.peak = max(alert.peak, event.peak)
    elif first.op in ("<", "<="):
        alert.peak = min(alert.peak, event.peak)


def _tell_ticket(
    session: Session, alert: AlertRow, now_us: int, who: str, kind: TicketEventKind, text: str = ""
) -> None:
    ticket = open_ticket_of(session, alert.cause)
    if ticket is not None:
        add_event(session, ticket, now_us, who, kind, text)


def _note(machine: Equipment, event: LimitEvent) -> str:
    return f"{event.limit.id} {value_text(machine, event.limit, event.value)}".strip()


def _advice(machine: Equipment, limit: Limit) -> tuple[Names, ...]:
    advice = machine.cls.spec.advice[limit.spec.advice]
    return tuple(Names(zh=zh, en=en) for zh, en in zip(advice.zh, advice.en, strict=True))


def _finding(machine: Equipment, event: LimitEvent) -> FindingRow:
    limit, summary, advice = event.limit, limit_summary(machine, event), _advice(machine, event.limit)
    first = limit.condition.comparisons[0]
    return FindingRow(
        cause=event.cause, code=limit.spec.id, equipment=machine.id, points=list(limit.condition.points),
        verdict="fault", summary_zh=summary.zh, summary_en=summary.en,
        evidence={
            "limit_id": limit.id, "when": limit.spec.when, "value": _plain(event.value), "limit": limit.threshold,
            "clear": limit.clear, "unit": first.left.unit, "hold_s": limit.spec.hold, "peak": _plain(event.peak),
        },
        since_us=event.started_us, found_us=event.fired_us, last_seen_us=event.at_us, ended_us=None, confidence=1.0,
        cost_per_day=None, waste=None, advice_zh=[a.zh for a in advice], advice_en=[a.en for a in advice],
        priority=limit.spec.priority, source=f"limit {limit.id}", standard=limit.spec.source,
    )  # fmt: skip


def _active_advice(session: Session, cause: str) -> FindingRow | None:
    return session.scalar(
        select(FindingRow)
        .where(FindingRow.cause == cause, FindingRow.priority == _NO_ALERT, FindingRow.ended_us.is_(None))
        .limit(1)
    )


def _note_advice(session: Session, machine: Equipment, event: LimitEvent) -> None:
    found = _active_advice(session, event.cause)
    if found is None:
        session.add(_finding(machine, event))
    else:
        found.last_seen_us = event.at_us


def _end_advice(session: Session, event: LimitEvent) -> None:
    found = _active_advice(session, event.cause)
    if found is not None:
        found.ended_us = found.last_seen_us = event.at_us


def _place(site: Site, machine: Equipment, at_us: int) -> dict[str, Any]:
    day = day_of(at_us, site.time_zone)
    room = site.rooms.get(machine.room or "")
    departments = site.affected(machine.id, day)
    beds = [b for d in departments if (b := d.beds.on(day)) is not None]
    return {
        "building": room.building if room else None,
        "room": room.id if room else None,
        "departments": [d.id for d in departments],
        "beds": sum(beds) if beds else None,
    }


def _places(site: Site, finding: Finding) -> dict[str, Any]:
    """Return where the machines are that a finding names, if it is about something above them, such as a gateway."""
    named = [m for name in finding.evidence.get("machines", ()) if (m := site.equipment.get(name)) is not None]
    places = [_place(site, machine, finding.since_us) for machine in named]
    day = day_of(finding.since_us, site.time_zone)
    departments = list(dict.fromkeys(d for place in places for d in place["departments"]))
    beds = [b for d in departments if (b := site.departments[d].beds.on(day)) is not None]
    return {
        "building": _only(place["building"] for place in places),
        "room": _only(place["room"] for place in places),
        "departments": departments,
        "beds": sum(beds) if beds else None,
    }


def _only(names: Iterable[str | None]) -> str | None:
    found = set(names)
    return found.pop() if len(found) == 1 else None


def _plain(value: float) -> float | None:
    """Return a number as JSON and SQL know it: None where there is none."""
    return float(value) if math.isfinite(value) else None
