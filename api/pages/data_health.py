"""Data health: what was last heard from where, what could not be understood, how much is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.pages import times
from api.pages.numbers import bytes_text
from api.pages.plant import Arrivals, arrivals, system_name, total
from api.pages.sources import Live, Sources
from api.pages.values import is_stale
from api.pages.words import Words
from collector.quarantine import QuarantineEntry
from facility.errors import StoreUnavailable
from facility.formats import duration, number
from facility.site import Equipment

QUARANTINE_SHOWN: Final = 200
PAYLOAD_SHOWN: Final = 400


@dataclass(frozen=True, slots=True)
class Figure:
    """A name and a figure, in the head of the page."""

    name: str
    text: str
    note: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class LatePoint:
    """A point that has missed its readings."""

    name: str
    key: str
    seen: str
    age: str
    every: str
    href: str


@dataclass(frozen=True, slots=True)
class HealthLine:
    """A gateway or a machine: how many of its points speak, and since when it is silent."""

    name: str
    note: str
    href: str
    fresh: int
    points: int
    share: float  # per cent of points that speak
    seen: str
    age: str
    state: str
    silent: bool
    late: tuple[LatePoint, ...]


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """One topic with one reason."""

    topic: str
    detail: str
    payload: str
    payload_note: str
    count: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """All topics that were refused for one reason."""

    reason: str
    name: str
    mend: str
    count: str
    lines: tuple[QuarantineLine, ...]


@dataclass(frozen=True, slots=True)
class DataPage:
    """Everything of the page."""

    figures: tuple[Figure, ...]
    trouble: str
    gateways: tuple[HealthLine, ...]
    machines: tuple[HealthLine, ...]
    quarantine: tuple[QuarantineGroup, ...]
    quarantine_total: str


def data_page(sources: Sources, words: Words, live: Live) -> DataPage:
    """Build the page."""
    heard = {item.id: arrivals(item, live) for item in sources.site.equipment.values()}
    collector = sources.collector_state()
    return DataPage(
        figures=(
            *_collector_figures(sources, live, words, total(heard.values())),
            *_store_figures(sources, live, words),
        ),
        trouble=collector.last_error if collector is not None and _recent(collector.last_error_us, live.now_us) else "",
        gateways=_gateways(sources, heard, live, words),
        machines=tuple(
            _line(
                words.name(item.name),
                f"{words.name(item.cls.spec.name)} · {system_name(item.cls.spec.system, words)}",
                f"/plant/{item.id}",
                heard[item.id],
                _late_points(sources, [item], live, words),
                sources,
                live,
                words,
            )
            for item in sources.site.equipment.values()
        ),
        quarantine=_quarantine(sources, live.now_us, words),
        quarantine_total=number(sources.quarantine.total(), 0),
    )


def _recent(time_us: int | None, now_us: int) -> bool:
    return time_us is not None and now_us - time_us < 3600 * 1_000_000


def _collector_figures(sources: Sources, live: Live, words: Words, heard: Arrivals) -> tuple[Figure, ...]:
    points = Figure(
        words("Points that speak"),
        f"{heard.fresh:,} / {heard.points:,}",
        words("newest reading %(age)s ago", age=times.age(heard.newest_us, live.now_us, words))
        if heard.newest_us is not None
        else words("no data yet"),
        heard.fresh < heard.points,
    )
    state = sources.collector_state()
    if state is None:
        return (Figure(words("Collector"), words("elsewhere"), words("no collector runs in this process")), points)
    last = (
        words("last message %(age)s ago", age=times.age(state.last_message_us, live.now_us, words))
        if state.last_message_us is not None
        else words("no message yet")
    )
    return (
        Figure(
            words("Broker"),
            words("connected") if state.connected else words("not connected"),
            state.protocol if state.connected else state.detail,
            not state.connected,
        ),
        points,
        Figure(words("Messages since start"), number(state.received, 0), last),
        Figure(
            words("Readings stored"),
            number(state.stored, 0),
            words("%(n)s waiting", n=number(state.waiting, 0)) if state.store_available else words("the store is away"),
            not state.store_available,
        ),
    )


def _store_figures(sources: Sources, live: Live, words: Words) -> tuple[Figure, ...]:
    try:
        size = sources.store.size()
    except StoreUnavailable:
        return (Figure(words("History"), words("does not answer"), words("readings wait, nothing is lost"), True),)
    readings = words.plural("%(n)s reading", "%(n)s readings", size.readings)
    note = ""
    if size.first_us is not None and size.last_us is not None:
        note = words(
            "since %(time)s, %(age)s",
            time=times.when(size.first_us, live.now_us, sources.site.time_zone),
            age=duration(size.last_us - size.first_us, words.language),
        )
    return (
        Figure(words("History"), bytes_text(size.bytes), readings),
        Figure(words("Points with history"), number(size.points, 0), note),
    )


def _gateways(sources: Sources, heard: Mapping[str, Arrivals], live: Live, words: Words) -> tuple[HealthLine, ...]:
    by_gateway: dict[str, list[Equipment]] = {}
    for item in sources.site.equipment.values():
        if item.telemetry is not None and item.telemetry.gateway:
            by_gateway.setdefault(item.telemetry.gateway, []).append(item)
    return tuple(
        _line(
            gateway,
            words.plural("%(n)s machine", "%(n)s machines", len(machines)),
            "",
            total(heard[m.id] for m in machines),
            (),
            sources,
            live,
            words,
        )
        for gateway, machines in by_gateway.items()
    )


def _line(
    name: str,
    note: str,
    href: str,
    heard: Arrivals,
    late: tuple[LatePoint, ...],
    sources: Sources,
    live: Live,
    words: Words,
) -> HealthLine:
    if heard.newest_us is None:
        state = words("never heard")
    elif heard.silent:
        state = words("silent")
    elif heard.fresh < heard.points:
        state = words.plural("%(n)s point late", "%(n)s points late", heard.points - heard.fresh)
    else:
        state = words("all in time")
    return HealthLine(
        name=name,
        note=note,
        href=href,
        fresh=heard.fresh,
        points=heard.points,
        share=round(100 * heard.fresh / heard.points, 1) if heard.points else 0.0,
        seen=times.when(heard.newest_us, live.now_us, sources.site.time_zone, seconds=True)
        if heard.newest_us is not None
        else "",
        age=times.age(heard.newest_us, live.now_us, words) if heard.newest_us is not None else words("never"),
        state=state,
        silent=heard.silent,
        late=late,
    )


def _late_points(sources: Sources, machines: Sequence[Equipment], live: Live, words: Words) -> tuple[LatePoint, ...]:
    found: list[LatePoint] = []
    for item in machines:
        for name, spec in item.points.items():
            key = f"{item.id}/{name}"
            reading = live.reading(key)
            if reading is not None and not is_stale(spec, reading, live.now_us):
                continue
            found.append(
                LatePoint(
                    name=words.name(spec.name),
                    key=key,
                    seen=times.when(reading.time_us, live.now_us, sources.site.time_zone, seconds=True)
                    if reading is not None
                    else "",
                    age=times.age(reading.time_us, live.now_us, words) if reading is not None else words("never"),
                    every=duration(round(spec.every * 1e6), words.language),
                    href=f"/plant/{item.id}?point={name}#trend",
                )
            )
    return tuple(found)


# --- quarantine -------------------------------------------------------------------------------------------------------


def reason_words(reason: str, words: Words) -> tuple[str, str]:
    """Return what a reason means and what to do about it; an unknown one stands as it is."""
    return {
        "broken-json": (
            words("Broken JSON"),
            words("Look where the text breaks off; correct what the gateway sends, or its message size."),
        ),
        "unknown-topic": (
            words("Unknown topic"),
            words("Add the equipment or a topic pattern to the site file, or stop the gateway from sending it."),
        ),
        "unknown-key": (
            words("Unknown value"),
            words("Name the key under telemetry.points of the equipment, or leave it out at the gateway."),
        ),
        "duplicate-key": (words("A value twice"), words("Let the gateway send each value once a message.")),
        "not-a-number": (
            words("Text where a number belongs"),
            words("Correct the gateway, or give the point states: words for what it sends."),
        ),
        "not-an-object": (
            words("Not an object"),
            words("Let the gateway send an object of keys and values, or set format: plain for this topic."),
        ),
        "no-values": (words("No values"), words("Look why the gateway sends messages without values.")),
        "empty-payload": (words("Empty message"), words("Look why the gateway sends empty messages.")),
        "time-implausible": (
            words("Implausible time"),
            words("Set the gateway's clock and time zone, or correct time.unit in the site file."),
        ),
        "time-unreadable": (
            words("Unreadable time"),
            words("Correct the gateway, or name the right key as time.key in the site file."),
        ),
        "payload-too-large": (
            words("Message too large"),
            words("Let the gateway send smaller messages, or find out who sends files here."),
        ),
        "too-deep": (words("Nested too deep"), words("Let the gateway send flat JSON.")),
        "internal-fault": (
            words("Wardwatt could not process it"),
            words("Keep the payload and report it with the service's log: this is a fault of ours."),
        ),
    }.get(reason, (reason, ""))  # fmt: skip


def _quarantine(sources: Sources, now_us: int, words: Words) -> tuple[QuarantineGroup, ...]:
    counts = sources.quarantine.by_reason()
    groups: dict[str, list[QuarantineEntry]] = {reason: [] for reason in counts}
    for entry in sources.quarantine.entries(limit=QUARANTINE_SHOWN):
        groups.setdefault(entry.reason, []).append(entry)
    found: list[QuarantineGroup] = []
    for reason, entries in groups.items():
        name, mend = reason_words(reason, words)
        lines = tuple(_quarantine_line(sources, e, now_us, words) for e in entries)
        found.append(QuarantineGroup(reason, name, mend, number(counts.get(reason, 0), 0), lines))
    return tuple(found)


def _quarantine_line(sources: Sources, entry: QuarantineEntry, now_us: int, words: Words) -> QuarantineLine:
    zone = sources.site.time_zone
    shown, size = printable(entry.text(PAYLOAD_SHOWN)), bytes_text(entry.payload_size)
    return QuarantineLine(
        topic=printable(entry.topic),
        detail=printable(entry.detail),
        payload=shown,
        payload_note=words("first %(shown)s of %(size)s", shown=bytes_text(PAYLOAD_SHOWN), size=size)
        if entry.payload_size > PAYLOAD_SHOWN
        else size,
        count=number(entry.count, 0),
        first=times.when(entry.first_us, now_us, zone),
        last=times.when(entry.last_us, now_us, zone),
    )


def printable(text: str) -> str:
    """
    Return text with everything escaped that would not be seen, or that would turn the line around.

    The template escapes what means something to a browser; this is for what means something to an eye.
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)
