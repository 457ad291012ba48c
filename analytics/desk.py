"""
The desk: where findings become alerts and tickets, and people act on them.

Everything is in the database when a method returns, in one transaction each. See docs/alerts-and-tickets.md.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from analytics.alerts import lifecycle
from analytics.alerts.wording import heading
from analytics.findings import Finding
from analytics.live import LimitEvent, OpenTier
from analytics.maintenance.tickets import (
    SYSTEM,
    add_event,
    former_ticket_of,
    open_or_update,
    open_ticket_of,
)
from analytics.records import Alert, Step, StoredFinding, Ticket, TicketEvent
from analytics.tables import AlertRow, FindingRow, TicketEventRow, TicketRow
from facility.database import Database
from facility.errors import WardwattError
from facility.names import Names
from facility.site import Site
from facility.wording import kept_text, quoted_zh, too_long

log = logging.getLogger(__name__)

# Text that people type is kept whole, but a book is no comment.
MOST_TEXT = 4000
# What the same person sends again within this time was tapped twice, or sent again because the answer was lost.
_SENT_AGAIN_US: Final = 5 * 60 * 1_000_000

R = TypeVar("R")


class Refusal(WardwattError):
    """What a person asked for is not done; `words` say why and what would do, its text in English."""

    def __init__(self, words: Names, text: str = "") -> None:
        super().__init__(text or words.en)
        self.words = words


class NoSuchRecord(Refusal):
    """There is no record with this number or name; the caller shows the list."""


class ActionRefused(Refusal):
    """The action does not fit the state of things; nothing was changed, and the message says what would fit."""


# What a record or a text of a person is called where one is missing.
ALERT: Final = Names(zh="告警", en="alert")
TICKET: Final = Names(zh="工单", en="ticket")
FINDING: Final = Names(zh="发现", en="finding")
_TITLE: Final = Names(zh="标题", en="the title")
_SEEN: Final = Names(zh="现象", en="what was seen")
_COMMENT: Final = Names(zh="备注", en="the comment")
_RESOLUTION: Final = Names(zh="处理结果", en="what was done")
_ASSIGNEE: Final = Names(zh="办理人", en="the name of who is to do it")


def no_such(what: Names, number: int) -> NoSuchRecord:
    """Return the error for a record that is not there."""
    return NoSuchRecord(
        Names(
            zh=f"没有编号为 {number} 的{what.zh}；请从列表中查找",
            en=f"there is no {what.en} with number {number}; look for it in the list",
        )
    )


@dataclass(frozen=True, slots=True)
class DeskChange:
    """Something at the desk is new or has changed; listeners fetch it by its number."""

    kind: Literal["alert", "ticket", "finding"]
    id: int


class Desk:
    """
    Findings, alerts and tickets of a site; safe to use from several threads.

    Parameters
    ----------
    database : with all tables
    site : whose equipment it is about
    clock : the time now [µs]
    """

    def __init__(self, database: Database, site: Site, clock: Callable[[], int]) -> None:
        self._database, self._site, self._clock = database, site, clock
        self._listeners: list[Callable[[DeskChange], None]] = []
        # One writer at a time in this process; the database's own rules hold against others.
        self._lock = threading.RLock()

    # -- what the analytics bring

    def take_events(self, events: Sequence[LimitEvent]) -> None:
        """
        Make findings, alerts and tickets of what happened to limits; telling an event twice changes nothing.

        Raises
        ------
        StoreUnavailable
            Nothing was written; hand the same events over again.
        """
        if not events:
            return
        now_us = self._clock()
        with self._writing() as (session, changed):
            for event in events:
                alert_id = lifecycle.apply(session, self._site, event, now_us)
                if alert_id is not None:
                    changed.append(DeskChange("alert", alert_id))
            _note_tickets(session, changed, {e.cause for e in events if e.kind in ("firing", "cleared")})

    def take_findings(
        self, findings: Sequence[Finding], remember: Callable[[Session], None] | None = None
    ) -> list[int]:
        """
        Take the answers of rules and detectors and return the numbers of the findings that stand for them.

        A fault opens a finding and, by its reach, a ticket or an alert with a ticket, or brings them up to date;
        `healthy` ends the finding of its cause, and its alert;
        `cannot_tell` ends nothing, it is noted beside. What `remember` writes is kept together with the findings or
        not at all, so that a detector that notes how far it has come tells nothing twice.
        """
        now_us = self._clock()
        numbers: list[int] = []
        with self._writing() as (session, changed):
            for finding in findings:
                row = self._take(session, finding, now_us)
                if row is not None:
                    numbers.append(row.id)
                    changed.append(DeskChange("finding", row.id))
                    alert_id = lifecycle.follow(session, self._site, finding, row, now_us)
                    if alert_id is not None:
                        changed.append(DeskChange("alert", alert_id))
            _note_tickets(session, changed, {f.cause for f in findings if f.verdict != "cannot_tell"})
            if remember is not None:
                remember(session)
        return numbers

    def open_tiers(self) -> list[OpenTier]:
        """
        Return the limits that were firing when the service stopped, for the live rules to take up.

        An alert whose limit is no longer in the site file is resolved on the way: nobody could ever tell that it is
        over.
        """
        now_us, known = self._clock(), lifecycle.known_tiers(self._site)
        tiers: list[OpenTier] = []
        with self._writing() as (session, changed):
            for alert in session.scalars(select(AlertRow).where(AlertRow.resolved_us.is_(None))):
                if not alert.tiers:
                    continue  # it stands for a finding, which ends it
                found = [t for t in lifecycle.open_tiers(alert) if (t.cause, t.limit_id) in known]
                if not found:
                    lifecycle.retire(session, alert, now_us)
                    changed.append(DeskChange("alert", alert.id))
                elif len(found) < len(alert.tiers):
                    kept = {t.limit_id for t in found}
                    alert.tiers = [t for t in alert.tiers if t["limit_id"] in kept]
                tiers += found
            tiers += [t for t in lifecycle.open_advice(session) if (t.cause, t.limit_id) in known]
        return tiers

    # -- what people do

    def acknowledge(self, alert_id: int, who: str, name: str = "") -> Alert:
        """
        Note that somebody has seen an alert and takes care of it. A second tap changes nothing: the first stands.

        Raises
        ------
        NoSuchRecord
        """
        with self._writing() as (session, changed):
            alert = _get(session, AlertRow, alert_id, ALERT)
            if lifecycle.acknowledge(session, self._site, alert, who, name, self._clock()):
                changed.append(DeskChange("alert", alert_id))
                _note_tickets(session, changed, {alert.cause})
            return _alert(alert)

    def open_ticket(self, finding_id: int, who: str) -> Ticket:
        """Open a ticket for a finding by hand; if its cause has an open one already, that is returned as it is."""
        with self._writing() as (session, changed):
            finding = _get(session, FindingRow, finding_id, FINDING)
            ticket = open_ticket_of(session, finding.cause)
            if ticket is None:
                ticket, _ = open_or_update(
                    session, cause=finding.cause, equipment=finding.equipment,
                    title=Names(zh=heading(finding.summary_zh), en=heading(finding.summary_en)),
                    priority=finding.priority, occurred_us=finding.since_us, finding_id=finding.id, alert_id=None,
                    checklist=_steps(finding.advice_zh, finding.advice_en), who=who, now_us=self._clock(),
                    zone=self._site.time_zone, note="",
                )  # fmt: skip
                changed.append(DeskChange("ticket", ticket.id))
            session.flush()
            return _ticket(session, ticket)

    def new_ticket(self, equipment: str, title: str, who: str, *, priority: str = "P3", text: str = "") -> Ticket:
        """
        Open a ticket for something that a person has seen; the same again within minutes is the same ticket.

        Raises
        ------
        ActionRefused
            If there is no such equipment, the title is empty or too long, or the priority is none.
        """
        title, text = _checked(title, _TITLE, most=200), _checked(text, _SEEN) if text.strip() else ""
        if equipment not in self._site.equipment:
            raise ActionRefused(
                Names(
                    zh=f"没有名为{quoted_zh(equipment[:80])}的设备；请选择本院的设备",
                    en=f"no equipment is called {equipment[:80]!r}; choose one of the site's",
                )
            )
        if priority not in ("P1", "P2", "P3", "P4"):
            raise ActionRefused(
                Names(
                    zh=f"{quoted_zh(priority[:80])}不是优先级；请填写 P1、P2、P3 或 P4",
                    en=f"{priority[:80]!r} is no priority; write P1, P2, P3 or P4",
                )
            )
        now_us = self._clock()
        with self._writing() as (session, changed):
            ticket = session.scalars(
                select(TicketRow).where(
                    TicketRow.equipment == equipment, TicketRow.title_zh == title, TicketRow.created_by == who,
                    TicketRow.created_us > now_us - _SENT_AGAIN_US, TicketRow.closed_us.is_(None),
                )
            ).first()  # fmt: skip
            if ticket is None:
                ticket, _ = open_or_update(
                    session, cause=f"{equipment}|manual|{now_us}|{who}|{title}", equipment=equipment,
                    title=Names(zh=title, en=title), priority=priority, occurred_us=now_us, checklist=(),
                    finding_id=None, alert_id=None, who=who, now_us=now_us, zone=self._site.time_zone, note=title,
                )  # fmt: skip
            if text:
                _remark(session, ticket, now_us, who, text)
            changed.append(DeskChange("ticket", ticket.id))
            session.flush()
            return _ticket(session, ticket)

    def assign(self, ticket_id: int, assignee: str, who: str) -> Ticket:
        """Give an open ticket to somebody; ActionRefused if it is closed or nobody is named."""
        assignee = _checked(assignee, _ASSIGNEE, most=200)
        with self._acting(ticket_id) as (session, ticket):
            if ticket.assignee != assignee:
                ticket.assignee, ticket.state = assignee, "assigned"
                add_event(session, ticket, self._clock(), who, "assigned", assignee)
            return _ticket(session, ticket)

    def comment(self, ticket_id: int, text: str, who: str) -> Ticket:
        """
        Write a line into a ticket's history, closed or not; the same line again within minutes is the same.

        ActionRefused if there is nothing to write.
        """
        text = _checked(text, _COMMENT)
        with self._acting(ticket_id, closed_too=True) as (session, ticket):
            _remark(session, ticket, self._clock(), who, text)
            return _ticket(session, ticket)

    def check_step(self, ticket_id: int, step: int, who: str, *, done: bool = True) -> Ticket:
        """Tick a step of the check-list (counted from 0), or take the tick away; both stay in the history."""
        with self._acting(ticket_id) as (session, ticket):
            if not 0 <= step < len(ticket.checklist):
                steps_ = len(ticket.checklist)
                raise ActionRefused(
                    Names(
                        zh=f"工单共有 {steps_} 步；没有编号为 {step} 的步骤（从 0 起编号）",
                        en=f"the ticket has {steps_} steps; there is none with number {step}, counted from 0",
                    )
                )
            steps = [dict(s) for s in ticket.checklist]
            if (steps[step]["done_us"] is not None) != done:
                now_us = self._clock()
                steps[step] |= {"done_us": now_us if done else None, "done_by": who if done else None}
                ticket.checklist = steps
                add_event(session, ticket, now_us, who, "step", f"{step + 1} {'✓' if done else '–'}")
            return _ticket(session, ticket)

    def close(self, ticket_id: int, resolution: str, who: str) -> Ticket:
        """
        Close a ticket with what was done. Closed already, the first resolution stands; another is kept as a remark.

        Raises
        ------
        ActionRefused
            If the resolution is empty.
        """
        resolution = _checked(resolution, _RESOLUTION)
        with self._acting(ticket_id, closed_too=True) as (session, ticket):
            if ticket.closed_us is None:
                now_us = self._clock()
                ticket.state, ticket.closed_us, ticket.closed_by = "closed", now_us, who
                ticket.resolution = resolution
                add_event(session, ticket, now_us, who, "closed", resolution)
            elif resolution != ticket.resolution:
                _remark(session, ticket, self._clock(), who, resolution)
            return _ticket(session, ticket)

    # -- lists

    def open_alerts(self) -> list[Alert]:
        """
        Return what still wants attention, worst first, what goes on before what is over, and newest first: alerts that
        are not resolved, and life safety (P1)
        that is over but that nobody has seen.
        """
        wanted = or_(
            AlertRow.resolved_us.is_(None), (AlertRow.priority == "P1") & AlertRow.acknowledged_us.is_(None)
        )  # fmt: skip
        seen = case((AlertRow.acknowledged_us.is_(None), 0), else_=1)
        over = case((AlertRow.resolved_us.is_(None), 0), else_=1)
        query = select(AlertRow).where(wanted).order_by(AlertRow.priority, over, seen, AlertRow.fired_us.desc())
        return self._list(query, lambda _, row: _alert(row))

    def alerts(self, *, equipment: str | None = None, state: str | None = None, limit: int = 100) -> list[Alert]:
        """Return alerts, newest first; `state` is firing, acknowledged or resolved."""
        query = _filtered(select(AlertRow), AlertRow, equipment, state)
        return self._list(
            query.order_by(AlertRow.fired_us.desc(), AlertRow.id.desc()).limit(limit), lambda _, row: _alert(row)
        )

    def alert(self, alert_id: int) -> Alert | None:
        """Return an alert, or None if there is none with this number."""
        with self._database.reading() as session:
            row = session.get(AlertRow, alert_id)
            return None if row is None else _alert(row)

    def tickets(self, *, equipment: str | None = None, state: str | None = None, limit: int = 100) -> list[Ticket]:
        """Return tickets, newest first; `state` is open, assigned or closed."""
        query = _filtered(select(TicketRow), TicketRow, equipment, state)
        return self._list(query.order_by(TicketRow.created_us.desc(), TicketRow.id.desc()).limit(limit), _ticket)

    def ticket(self, ticket_id: int) -> Ticket | None:
        """Return a ticket, or None if there is none with this number."""
        with self._database.reading() as session:
            row = session.get(TicketRow, ticket_id)
            return None if row is None else _ticket(session, row)

    def ticket_events(self, ticket_id: int) -> list[TicketEvent]:
        """Return a ticket's history, oldest line first."""
        query = select(TicketEventRow).where(TicketEventRow.ticket_id == ticket_id).order_by(TicketEventRow.id)
        return self._list(query, lambda _, row: TicketEvent(**_columns(row, TicketEvent)))

    def findings(
        self,
        *,
        equipment: str | None = None,
        verdict: str | None = None,
        active: bool | None = None,
        limit: int = 100,
    ) -> list[StoredFinding]:
        """Return findings, newest first; `active` True: those that have not ended."""
        query = _filtered(select(FindingRow), FindingRow, equipment, None)
        if verdict is not None:
            query = query.where(FindingRow.verdict == verdict)
        if active is not None:
            query = query.where(FindingRow.ended_us.is_(None) if active else FindingRow.ended_us.is_not(None))
        query = query.order_by(FindingRow.found_us.desc(), FindingRow.id.desc()).limit(limit)
        return self._list(query, lambda _, row: _stored(row))

    def finding(self, finding_id: int) -> StoredFinding | None:
        """Return a finding, or None if there is none with this number."""
        with self._database.reading() as session:
            row = session.get(FindingRow, finding_id)
            return None if row is None else _stored(row)

    # -- listeners

    def subscribe(self, listener: Callable[[DeskChange], None]) -> Callable[[], None]:
        """
        Call `listener` after every change, once it is in the database, on the thread that made it; return how to stop.

        A listener that raises is logged and does not stop the others.
        """
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    # -- inside

    @contextmanager
    def _writing(self) -> Iterator[tuple[Session, list[DeskChange]]]:
        changed: list[DeskChange] = []
        with self._lock, self._database.session() as session:
            yield session, changed
        for change in dict.fromkeys(changed):
            for listener in tuple(self._listeners):
                try:
                    listener(change)
                except Exception:
                    log.exception("a listener of the desk failed", extra={"change": change})

    @contextmanager
    def _acting(self, ticket_id: int, *, closed_too: bool = False) -> Iterator[tuple[Session, TicketRow]]:
        with self._writing() as (session, changed):
            ticket = _get(session, TicketRow, ticket_id, TICKET)
            if ticket.closed_us is not None and not closed_too:
                raise ActionRefused(
                    Names(
                        zh=f"工单 {ticket.number} 已关闭；请另开一张，或添加备注",
                        en=f"ticket {ticket.number} is closed; open a new one, or add a comment",
                    )
                )
            yield session, ticket
            changed.append(DeskChange("ticket", ticket_id))

    def _list(self, query: Select[Any], make: Callable[[Session, Any], R]) -> list[R]:
        with self._database.reading() as session:
            return [make(session, row) for row in session.scalars(query)]

    def _take(self, session: Session, finding: Finding, now_us: int) -> FindingRow | None:
        active = session.scalars(
            select(FindingRow).where(FindingRow.cause == finding.cause, FindingRow.ended_us.is_(None))
        ).all()
        fault = next((r for r in active if r.verdict == "fault"), None)
        doubt = next((r for r in active if r.verdict == "cannot_tell"), None)
        if finding.verdict == "healthy":
            if fault is not None:
                self._tell(session, finding.cause, now_us, "cleared", finding)
            for row in active:
                row.ended_us = row.last_seen_us = finding.found_us
            return fault or doubt
        same = fault if finding.verdict == "fault" else doubt
        if finding.verdict == "fault" and doubt is not None:
            doubt.ended_us = finding.found_us
        if same is None:
            same = _finding_row(finding)
            session.add(same)
            session.flush()
            if finding.verdict == "fault" and finding.reach == "ticket":
                open_or_update(
                    session, cause=finding.cause, equipment=finding.equipment, title=finding.title,
                    priority=finding.priority, occurred_us=finding.since_us, finding_id=same.id, alert_id=None,
                    checklist=finding.advice, who=SYSTEM, now_us=now_us, zone=self._site.time_zone,
                    note=f"{finding.code} {finding.confidence:.0%}",
                )  # fmt: skip
            return same
        # The same episode, told anew: figures move on, the beginning stays.
        fresh = _finding_row(finding)
        for name in ("points", "summary_zh", "summary_en", "evidence", "confidence", "cost_per_day", "waste",
                     "advice_zh", "advice_en", "priority", "source", "standard"):  # fmt: skip
            if getattr(same, name) != getattr(fresh, name):
                setattr(same, name, getattr(fresh, name))
        same.last_seen_us = finding.found_us
        return same

    @staticmethod
    def _tell(session: Session, cause: str, now_us: int, kind: Literal["cleared"], finding: Finding) -> None:
        ticket = open_ticket_of(session, cause)
        if ticket is not None:
            add_event(session, ticket, now_us, SYSTEM, kind, finding.code)


def _remark(session: Session, ticket: TicketRow, now_us: int, who: str, text: str) -> None:
    """Write a line into a ticket's history, unless the same person has just written the same."""
    said = select(TicketEventRow.id).where(
        TicketEventRow.ticket_id == ticket.id, TicketEventRow.who == who, TicketEventRow.kind == "commented",
        TicketEventRow.text == text, TicketEventRow.at_us > now_us - _SENT_AGAIN_US,
    )  # fmt: skip
    if session.scalars(said).first() is None:
        add_event(session, ticket, now_us, who, "commented", text)


def _note_tickets(session: Session, changed: list[DeskChange], causes: set[str]) -> None:
    session.flush()
    for cause in causes:
        ticket = open_ticket_of(session, cause)
        if ticket is not None:
            changed.append(DeskChange("ticket", ticket.id))


def _get(session: Session, table: type[R], number: int, what: Names) -> R:
    row = session.get(table, number)
    if row is None:
        raise no_such(what, number)
    return row


def _checked(text: str, what: Names, most: int = MOST_TEXT) -> str:
    text = kept_text(text, lines=True)
    if not text:
        raise ActionRefused(Names(zh=f"缺少{what.zh}；请简要填写", en=f"{what.en} is missing; write it in a few words"))
    words = too_long(what, text, most)
    if words is not None:
        raise ActionRefused(words)
    return text


def _filtered(query: Select[Any], table: Any, equipment: str | None, state: str | None) -> Select[Any]:
    if equipment is not None:
        query = query.where(table.equipment == equipment)
    if state is not None:
        query = query.where(table.state == state)
    return query


def _columns(row: Any, record: type[Any]) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(record)}


def _alert(row: AlertRow) -> Alert:
    return Alert(**_columns(row, Alert))


def _stored(row: FindingRow) -> StoredFinding:
    values = _columns(row, StoredFinding)
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return StoredFinding(**values)


def _ticket(session: Session, row: TicketRow) -> Ticket:
    former = former_ticket_of(session, row.cause, before_id=row.id)
    values = {f.name: getattr(row, f.name) for f in fields(Ticket) if f.name not in ("checklist", "former")}
    return Ticket(**values, checklist=tuple(Step(**s) for s in row.checklist), former=former.number if former else None)


def _steps(zh: Sequence[str], en: Sequence[str]) -> tuple[Names, ...]:
    return tuple(Names(zh=a, en=b) for a, b in zip(zh, en, strict=True))


def _finding_row(finding: Finding) -> FindingRow:
    waste = finding.waste
    return FindingRow(
        cause=finding.cause, code=finding.code, equipment=finding.equipment, points=list(finding.points),
        verdict=finding.verdict, summary_zh=finding.summary.zh, summary_en=finding.summary.en,
        evidence=dict(finding.evidence), since_us=finding.since_us, found_us=finding.found_us,
        last_seen_us=finding.found_us, ended_us=None, confidence=finding.confidence,
        cost_per_day=finding.cost_per_day,
        waste=None if waste is None else {"amount": waste.amount, "unit": waste.unit},
        advice_zh=[a.zh for a in finding.advice], advice_en=[a.en for a in finding.advice],
        priority=finding.priority, source=finding.source, standard=finding.standard,
    )  # fmt: skip
