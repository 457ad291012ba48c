"""Tickets: the list, and the page on which work is given, ticked off, talked about and closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from analytics.records import Ticket, TicketEvent
from api.pages import times
from api.pages.marks import Mark, alert_mark, plain_mark, priority_words
from api.pages.sources import Live, Sources, is_system
from api.pages.wording import machine_name, place_of, state_of, value_of, without_machine
from api.pages.words import Words
from facility.formats import money

Show = Literal["open", "mine", "closed"]
SHOWS: Final[tuple[Show, ...]] = ("open", "mine", "closed")
CLOSED_SHOWN: Final = 100
SHIFT_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class TicketTab:
    """One list to choose."""

    text: str
    count: int | None
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket in the list."""

    id: int
    mark: Mark
    title: str
    number: str
    place: str
    who: str
    nobody: bool
    done: str
    age: str

    @property
    def href(self) -> str:
        """Return the ticket's page."""
        return f"/tickets/{self.id}"


@dataclass(frozen=True, slots=True)
class TicketsPage:
    """The list of tickets."""

    show: Show
    tabs: tuple[TicketTab, ...]
    rows: tuple[TicketRow, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of a check-list."""

    index: int
    text: str
    when: str
    done: bool
    who: str

    @property
    def no(self) -> int:
        """Return its number as people count."""
        return self.index + 1


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line of a ticket's history."""

    when: str
    who: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody to whom the ticket may be given."""

    name: str
    text: str
    chosen: bool


@dataclass(frozen=True)
class TicketPage:
    """One ticket."""

    id: int
    number: str
    mark: Mark
    priority_name: str
    state: str
    title: str
    where: str
    machine: str
    equipment: str
    why_number: str
    why_unit: str
    why_plate: str
    why: str
    alert_href: str
    who: str
    occurred: str
    created: str
    former: str
    steps: tuple[StepLine, ...]
    done: int
    next_step: StepLine | None
    events: tuple[EventLine, ...]
    people: tuple[Choice, ...]
    mine: bool
    still_on: str  # why closing it now deserves a question: its alert goes on
    closed: bool
    closed_words: str
    resolution: str


def as_show(text: str | None) -> Show:
    """Return the list that an address names; the open ones if it names none."""
    return next((s for s in SHOWS if s == text), "open")


def tickets_page(sources: Sources, words: Words, live: Live, show: Show, who: str | None) -> TicketsPage:
    """Build the list; `who` is the reader's name."""
    opened = sources.desk.open_tickets()
    mine = [t for t in opened if who is not None and t.assignee == who]
    listed: Sequence[Ticket] = {"open": opened, "mine": mine}.get(show, ())
    if show == "closed":
        listed = sources.desk.desk.tickets(state="closed", limit=CLOSED_SHOWN)
    else:
        # What nobody has taken comes first within its priority: it is what the list is opened for.
        listed = sorted(listed, key=lambda t: (t.priority, t.assignee is not None, t.created_us))
    names = {
        "open": (words.in_context("tickets", "Open"), len(opened)),
        "mine": (words("Mine"), len(mine)),
        "closed": (words.in_context("tickets", "Closed"), None),
    }
    empty = {
        "open": words("No open tickets. What rules and limits find becomes a ticket by itself."),
        "mine": words("No ticket is yours."),
        "closed": words("No ticket has been closed yet."),
    }[show]
    return TicketsPage(
        show=show,
        tabs=tuple(
            TicketTab(text, count, "/tickets" if key == "open" else f"/tickets?show={key}", key == show)
            for key, (text, count) in names.items()
        ),
        rows=tuple(_row(sources, t, live.now_us, words) for t in listed),
        empty=empty,
    )


def _mark(ticket: Ticket, words: Words) -> Mark:
    """Return a ticket's mark: hollow with a tick once somebody has taken it."""
    taken = ticket.assignee is not None or ticket.closed_us is not None
    return alert_mark(ticket.priority, taken, words) if taken else plain_mark(ticket.priority)


def _row(sources: Sources, ticket: Ticket, now_us: int, words: Words) -> TicketRow:
    done, all_ = sum(s.done_us is not None for s in ticket.checklist), len(ticket.checklist)
    machine, place = machine_name(sources, ticket.equipment, words), place_of(sources, ticket.equipment, words)
    closed = ticket.closed_us is not None
    who = sources.desk.called(ticket.closed_by if closed else ticket.assignee)
    return TicketRow(
        id=ticket.id,
        mark=_mark(ticket, words),
        title=words.either(ticket.title_zh, ticket.title_en),
        number=ticket.number,
        place=" · ".join(p for p in (machine, place) if p),
        who=who or words("nobody on it"),
        nobody=not who,
        done=f"{done} / {all_}" if all_ else "",
        age=words("closed %(time)s", time=times.when(ticket.closed_us or 0, now_us, sources.site.time_zone))
        if closed
        else times.age(ticket.created_us, now_us, words),
    )


def steps_of(sources: Sources, ticket: Ticket, now_us: int, words: Words) -> tuple[StepLine, ...]:
    """Return a ticket's check-list, with who has done each step and when."""
    zone = sources.site.time_zone
    return tuple(
        StepLine(
            i,
            words.either(step.zh, step.en),
            times.when(step.done_us, now_us, zone) if step.done_us is not None else "",
            step.done_us is not None,
            sources.desk.called(step.done_by),
        )
        for i, step in enumerate(ticket.checklist)
    )


def ticket_page(sources: Sources, words: Words, live: Live, ticket: Ticket, who: str | None) -> TicketPage:
    """Build a ticket's page; `who` is the reader's name."""
    zone, now = sources.site.time_zone, live.now_us
    steps = steps_of(sources, ticket, now, words)
    closed = ticket.closed_us is not None
    why_number, why_unit, why_plate, why = _why(sources, ticket, live, words)
    return TicketPage(
        id=ticket.id,
        number=ticket.number,
        mark=_mark(ticket, words),
        priority_name=f"{ticket.priority} {priority_words(ticket.priority, words)}",
        state=_state(ticket, words),
        title=words.either(ticket.title_zh, ticket.title_en),
        where=place_of(sources, ticket.equipment, words),
        machine=machine_name(sources, ticket.equipment, words),
        equipment=ticket.equipment if ticket.equipment in sources.site.equipment else "",
        why_number=why_number,
        why_unit=why_unit,
        why_plate=why_plate,
        why=why,
        alert_href=f"/alerts/{ticket.alert_id}" if ticket.alert_id is not None else "",
        who=sources.desk.called(ticket.assignee),
        occurred=times.when(ticket.occurred_us, now, zone),
        created=words(
            "%(time)s by %(who)s",
            time=times.when(ticket.created_us, now, zone),
            who=_person(sources, ticket.created_by, words),
        ),
        former=ticket.former or "",
        steps=steps,
        done=sum(s.done for s in steps),
        next_step=None if closed else next((s for s in steps if not s.done), None),
        events=_events(sources, ticket, now, words),
        people=_people(sources, ticket, who),
        mine=who is not None and ticket.assignee == who,
        still_on=_still_on(sources, ticket, words),
        closed=closed,
        closed_words=words(
            "%(time)s by %(who)s",
            time=times.when(ticket.closed_us or 0, now, zone),
            who=sources.desk.called(ticket.closed_by),
        )
        if closed
        else "",
        resolution=ticket.resolution or "",
    )


def _still_on(sources: Sources, ticket: Ticket, words: Words) -> str:
    alert = sources.desk.desk.alert(ticket.alert_id) if ticket.alert_id is not None else None
    if alert is None or alert.resolved_us is not None:
        return ""
    return words("The alert still goes on. Close the ticket all the same")


def _state(ticket: Ticket, words: Words) -> str:
    if ticket.closed_us is not None:
        return words.in_context("tickets", "Closed")
    return words("In progress") if ticket.assignee else words("Nobody on it")


def _why(sources: Sources, ticket: Ticket, live: Live, words: Words) -> tuple[str, str, str, str]:
    """Return what brought the ticket about: the alert's value and state, else the finding's sentence."""
    if ticket.alert_id is not None:
        alert = sources.desk.desk.alert(ticket.alert_id)
        if alert is not None:
            text, unit, plate = value_of(sources, alert, live, words)
            plate = plate if alert.resolved_us is None else ""
            return text, unit, plate, state_of(sources, alert, live.now_us, words)
    if ticket.finding_id is not None:
        finding = sources.desk.desk.finding(ticket.finding_id)
        if finding is not None:
            machine = machine_name(sources, ticket.equipment, words)
            said = without_machine(words.either(finding.summary_zh, finding.summary_en), machine)
            if finding.cost_per_day:
                cost = money(finding.cost_per_day, sources.site.currency, words.language, per_day=True)
                return "", "", "", f"{said} {cost}"
            return "", "", "", said
    return "", "", "", ""


def _people(sources: Sources, ticket: Ticket, who: str | None) -> tuple[Choice, ...]:
    """Return who may take a ticket, the reader first."""
    listed = sorted(sources.desk.people(), key=lambda p: (p.name != who, p.display_name))
    return tuple(Choice(p.name, p.display_name, p.name == ticket.assignee) for p in listed if p.role != "viewer")


def _person(sources: Sources, who: str, words: Words) -> str:
    return words("Wardwatt") if is_system(who) else sources.desk.called(who)


def _events(sources: Sources, ticket: Ticket, now_us: int, words: Words) -> tuple[EventLine, ...]:
    """Return a ticket's history, newest first."""
    named = _named(sources, ticket, words)
    return tuple(_event(sources, e, named, now_us, words) for e in reversed(sources.desk.desk.ticket_events(ticket.id)))


def _event(sources: Sources, event: TicketEvent, named: Mapping[str, str], now_us: int, words: Words) -> EventLine:
    what = {
        "opened": words("opened the ticket"),
        "assigned": words("gave it to"),
        "commented": words("wrote"),
        "closed": words("closed it"),
        "finding": words("found it again"),
        "escalated": words("has got worse"),
        "eased": words("has eased"),
        "cleared": words("the trouble is over"),
        "acknowledged": words("acknowledged the alert"),
        "step": words("step"),
    }.get(event.kind, event.kind)
    text = event.text
    if event.kind == "assigned":
        text = sources.desk.called(text)
    elif event.kind == "opened" and text:
        text = words("after %(number)s", number=text)
    elif is_system(event.who):
        text = " ".join(told for part in text.split(" ") if (told := named.get(part, part)))
    return EventLine(
        when=times.when(event.at_us, now_us, sources.site.time_zone),
        who=_person(sources, event.who, words),
        what=what,
        text=text,
    )


def _named(sources: Sources, ticket: Ticket, words: Words) -> dict[str, str]:
    """Return what stands for the codes in lines that the rules wrote: a limit's name; nothing for the ticket's own."""
    finding = sources.desk.desk.finding(ticket.finding_id) if ticket.finding_id is not None else None
    machine = sources.site.equipment.get(ticket.equipment)
    limits = machine.limits if machine is not None else ()
    own = {} if finding is None else {finding.code: ""}
    return own | {limit.id: words.name(limit.spec.name) for limit in limits}
