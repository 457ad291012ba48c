"""The quarantine as a place to work: see what was refused, and why; copy the mend; decode again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from api.pages import times
from api.pages.numbers import bytes_text
from api.pages.refusals import mend_words, reason_words, what_is_wrong
from api.pages.sources import Live, Sources
from api.pages.words import Words
from api.printable import printable
from api.replaying import COMMAND, orders_of
from api.security.roles import Role, may
from collector.mending import Mender
from collector.quarantine import OVERFLOW_TOPIC, QuarantineEntry
from collector.replay import Outlook
from collector.replay_orders import Order
from facility.formats import number
from facility.readings import PointTable

SHOWN_IN_GROUP: Final = 10
SHOWN_OF_ONE: Final = 200
PAYLOAD_SHOWN: Final = 8_000
_LINES_OPEN: Final = 14  # a longer payload is folded
_SAMPLES: Final = 20  # messages by which a mend is worked out

REPLAY_ROLE: Final[Role] = "engineer"
DISCARD_ROLE: Final[Role] = "admin"


@dataclass(frozen=True, slots=True)
class Line:
    """One topic with one reason, in a list."""

    id: int
    topic: str
    wrong: str
    sample: str
    waiting: str
    last: str
    age: str
    understood: str
    done: bool

    @property
    def href(self) -> str:
        """Return the page of this line."""
        return f"/quarantine/{self.id}"


@dataclass(frozen=True, slots=True)
class Group:
    """All topics that were refused for one reason."""

    reason: str
    name: str
    mend: str
    count: str
    understood: int
    lines: tuple[Line, ...]
    more: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """How far a replay has come."""

    who: str
    when: str
    words: str
    share: float
    running: bool
    error: str


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """The list."""

    total: str
    empty: bool
    kept: str
    kept_note: str
    understood: int
    understood_words: str
    looked: bool
    changed: bool
    groups: tuple[Group, ...]
    done: tuple[Line, ...]
    orders: tuple[OrderView, ...]
    only: str
    may_replay: bool
    may_discard: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a figure."""

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One topic with one reason."""

    id: int
    reason: str
    name: str
    topic: str
    wrong: str
    detail: str
    what_to_do: str
    facts: tuple[Fact, ...]
    payload: str
    payload_note: str
    folded: bool
    mend: str
    mend_words: str
    kept: int
    understood_words: str
    orders: tuple[OrderView, ...]
    may_replay: bool
    may_discard: bool


def quarantine_page(sources: Sources, words: Words, live: Live, role: Role, only: str | None = None) -> QuarantinePage:
    """Build the list; `only` shows all topics of one reason."""
    quarantine, outlook = sources.quarantine, outlook_of(sources)
    counts = quarantine.by_reason()
    kept, kept_bytes = quarantine.held()
    shown = [only] if only is not None else list(counts)
    groups: list[Group] = []
    done: list[Line] = []
    for reason in shown:
        limit = SHOWN_OF_ONE if only is not None else SHOWN_IN_GROUP
        entries = quarantine.entries(limit + 1, 0, reason)
        name, mend = reason_words(reason, words)
        lines = [_line(sources, e, live, words, outlook) for e in entries[:limit]]
        groups.append(
            Group(
                reason=reason,
                name=name,
                mend=mend,
                count=number(counts.get(reason, 0), 0),
                understood=sum(outlook.rows.get(e.id, 0) for e in entries) if outlook else 0,
                lines=tuple(line for line in lines if not line.done),
                more=f"/quarantine?reason={reason}" if len(entries) > limit and only is None else "",
            )
        )
        done += [line for line in lines if line.done]
    listed = {line.id for line in done}
    done += [
        _line(sources, e, live, words, outlook)
        for e in quarantine.entries(50)
        if e.replayed and not e.waiting and e.id not in listed and only is None
    ]
    understood = sum(outlook.rows.values()) if outlook else 0
    return QuarantinePage(
        total=number(quarantine.total(), 0),
        empty=not counts,
        kept=words.plural("%(n)s message", "%(n)s messages", kept),
        kept_note=words("%(size)s, the oldest of the noisiest go first", size=bytes_text(kept_bytes)),
        understood=understood,
        understood_words=words("%(n)s of %(all)s messages", n=number(understood, 0), all=number(kept, 0)),
        looked=outlook is not None and outlook.complete,
        changed=site_file_changed(sources),
        groups=tuple(groups),
        done=tuple(done),
        orders=order_views(sources, live, words),
        only=only or "",
        may_replay=may(role, REPLAY_ROLE),
        may_discard=may(role, DISCARD_ROLE),
    )


def entry_page(sources: Sources, words: Words, live: Live, role: Role, entry: QuarantineEntry) -> EntryPage:
    """Build the page of one topic with one reason."""
    name, what_to_do = reason_words(entry.reason, words)
    zone, outlook = sources.site.time_zone, outlook_of(sources)
    payload = payload_text(entry.payload, entry.payload_size)
    samples = sources.quarantine.newest(entry.id, _SAMPLES)
    mend = _mender(sources).mend(entry.reason, samples) if entry.topic != OVERFLOW_TOPIC else None
    understood = outlook.rows.get(entry.id, 0) if outlook else 0
    wrong = what_is_wrong(entry.facts, words)
    size, first = bytes_text(entry.payload_size), times.when(entry.first_us, live.now_us, zone)
    shown_bytes = min(len(entry.payload), PAYLOAD_SHOWN)
    facts = [
        Fact(words("Refused"), number(entry.count, 0), words("since %(time)s", time=first)),
        Fact(words("Newest"), times.age(entry.last_us, live.now_us, words), times.full(entry.last_us, zone)),
        Fact(words("Kept for replay"), number(entry.kept, 0), bytes_text(entry.kept_bytes)),
    ]  # fmt: skip
    if entry.replayed:
        when = times.when(entry.replayed_us or 0, live.now_us, zone)
        facts.append(Fact(words("Replayed"), number(entry.replayed, 0), words("last on %(time)s", time=when)))
    if entry.lost:
        facts.append(
            Fact(words("Not kept any more"), number(entry.lost, 0), words("counted, but beyond what there is room for"))
        )
    if entry.gateway:
        facts.append(Fact(words("Gateway"), printable(entry.gateway)))
    return EntryPage(
        id=entry.id,
        reason=entry.reason,
        name=name,
        topic=printable(entry.topic),
        wrong=wrong or "",
        # English, as the log has it: for who reads no English it says nothing that does not stand above it.
        detail=printable(entry.detail) if words.language == "en" or not wrong else "",
        what_to_do=what_to_do,
        facts=tuple(facts),
        payload=payload,
        payload_note=words("the newest; %(size)s", size=size)
        if shown_bytes == entry.payload_size
        else words("the newest; the first %(shown)s of %(size)s", shown=bytes_text(shown_bytes), size=size),
        folded=payload.count("\n") >= _LINES_OPEN or len(payload) > 1_200,
        mend=mend.yaml if mend else "",
        mend_words=mend_words(mend, words) if mend else "",
        kept=entry.kept,
        understood_words=words(
            "would be understood now: %(n)s of %(all)s messages", n=number(understood, 0), all=number(entry.kept, 0)
        )
        if outlook is not None and outlook.complete
        else "",
        orders=order_views(sources, live, words),
        may_replay=may(role, REPLAY_ROLE),
        may_discard=may(role, DISCARD_ROLE),
    )  # fmt: skip


def payload_text(payload: bytes, size: int) -> str:
    """
    Return a payload as it may be looked at: JSON indented, other text as it is, what is neither escaped.

    Line breaks stay; whatever else cannot be seen is written out.
    """
    text = payload.decode("utf-8", "backslashreplace")
    if len(payload) == size <= PAYLOAD_SHOWN:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return "\n".join(printable(line) for line in text[:PAYLOAD_SHOWN].split("\n"))


def outlook_of(sources: Sources) -> Outlook | None:
    """Return what the running mapping would understand of what is held; None where no collector runs here."""
    replays = sources.context.replays
    return replays.outlook if replays is not None else None


def site_file_changed(sources: Sources) -> bool:
    """Return True if a file of the site was written after the service read it: a restart would read it anew."""
    read_us = sources.context.site_read_us
    try:
        newest = max((Path(file).stat().st_mtime for file in sources.site.files), default=0.0)
    except OSError:
        return True
    return read_us is not None and newest * 1e6 > read_us


def order_views(sources: Sources, live: Live, words: Words) -> tuple[OrderView, ...]:
    """Return the newest replays: those that run, and the last one that is done."""
    newest = orders_of(sources.context.database, sources.quarantine).newest(5)
    chosen = [o for o in newest if o.state != "done"] or list(newest[:1])
    return tuple(_order_view(sources, order, live, words) for order in chosen)


def _order_view(sources: Sources, order: Order, live: Live, words: Words) -> OrderView:
    if order.state == "done":
        told = words(
            "%(done)s messages decoded again: %(understood)s understood, %(readings)s readings stored, "
            "%(moved)s refused for another reason, %(still)s as before",
            done=number(order.done, 0), understood=number(order.understood, 0), readings=number(order.readings, 0),
            moved=number(order.moved, 0), still=number(order.still, 0),
        )  # fmt: skip
    else:
        told = words(
            "%(done)s of %(all)s messages decoded again", done=number(order.done, 0), all=number(order.total, 0)
        )
    return OrderView(
        who=words("on the command line") if order.who == COMMAND else sources.desk.called(order.who),
        when=times.when(order.at_us, live.now_us, sources.site.time_zone),
        words=told,
        share=round(100 * order.done / order.total, 1) if order.total else 100.0,
        running=order.state != "done",
        error=printable(order.error),
    )


_MENDERS: WeakKeyDictionary[PointTable, Mender] = WeakKeyDictionary()


def _mender(sources: Sources) -> Mender:
    table = sources.site.points
    if table not in _MENDERS:
        _MENDERS[table] = Mender(sources.site)
    return _MENDERS[table]


def _line(sources: Sources, entry: QuarantineEntry, live: Live, words: Words, outlook: Outlook | None) -> Line:
    understood = outlook.rows.get(entry.id, 0) if outlook else 0
    return Line(
        id=entry.id,
        topic=printable(entry.topic[:160]) if entry.topic != OVERFLOW_TOPIC else words("(more topics)"),
        wrong=what_is_wrong(entry.facts, words) or "",
        sample=printable(" ".join(entry.text(160).split())),
        waiting=number(entry.waiting or entry.replayed, 0),
        last=times.when(entry.last_us, live.now_us, sources.site.time_zone),
        age=times.age(entry.last_us, live.now_us, words),
        understood=words("%(n)s of %(all)s", n=number(understood, 0), all=number(entry.kept, 0)) if understood else "",
        done=bool(entry.replayed and not entry.waiting),
    )
