"""One register: what it counted by hour, day or month, what happened to it, readings by hand and exchanges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.energy.entries import EnteredExchange, HandReading
from analytics.energy.intervals import Total, Totals
from api.pages import times
from api.pages.energy_charts import BarChart, Bars, Quality, bar_charts, chart_unit, quality
from api.pages.energy_counted import CountedMeter
from api.pages.energy_figures import amount_text, few_decimals, range_words, shares_label
from api.pages.energy_parts import part_names, shaded_parts
from api.pages.energy_period import Period
from api.pages.numbers import joined
from api.pages.words import Words
from facility.calendar import to_us
from facility.formats import MISSING, exact_minute, number
from facility.metering import CARRIER_NAMES, BookedRegister
from facility.names import Names
from facility.site import Site

_EVENTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what is known."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """An hour, day or month."""

    name: str
    amount: str
    quality: Quality


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to the register."""

    when: str
    what: str


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """A reading by hand."""

    id: int
    when: str
    value: str
    note: str
    who: str
    withdrawn: str


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """An exchange; one of the site file has no number and is changed there."""

    id: int | None
    when: str
    end: str
    start: str
    note: str
    who: str
    withdrawn: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was sent and refused: its values, why, and whether a person may confirm it."""

    form: str
    why: str
    confirmable: bool
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MeterPage:
    """Everything of the page."""

    key: str
    virtual: bool
    name: str
    machine_href: str
    amount: str
    unit: str
    chart_unit: str
    quality: Quality
    facts: tuple[Fact, ...]
    desk: BarChart | None
    phone: BarChart | None
    sentence: str
    parts_title: str
    rows: tuple[PartRow, ...]
    events: tuple[EventRow, ...]
    more_events: int
    readings: tuple[ReadingRow, ...]
    exchanges: tuple[ExchangeRow, ...]
    may_read: bool
    may_exchange: bool
    now: str
    filled: Filled | None


@dataclass(frozen=True, slots=True, eq=False)
class MeterAccount:
    """
    What is known of a register.

    Attributes
    ----------
    total, parts : of the period, and by its hours, days or months
    begun : how many of the parts have begun
    events : oldest first, each with `from_us`, `to_us` and `told` in both languages
    """

    total: Total
    parts: Totals
    begun: int
    events: Sequence[Mapping[str, Any]]
    readings: Sequence[HandReading]
    exchanges: Sequence[EnteredExchange]


def meter_page(
    site: Site,
    words: Words,
    meter: CountedMeter,
    own: MeterAccount,
    period: Period,
    now_us: int,
    *,
    may_read: bool = False,
    may_exchange: bool = False,
    filled: Filled | None = None,
) -> MeterPage:
    """Build the page."""
    largest = float(np.nanmax(own.parts.amount)) if np.isfinite(own.parts.amount).any() else 0.0
    unit, divisor = chart_unit(meter.unit, largest)
    n = len(own.parts)
    none = np.full(n, np.nan)
    drawn = bar_charts(
        Bars(
            own.parts.amount / divisor, own.parts.estimated, own.parts.missing, part_names(period, n),
            shaded_parts(site, period, n), own.begun, none, none, None,
        )
    )  # fmt: skip
    events = sorted(own.events, key=lambda e: -int(e["from_us"]))
    return MeterPage(
        key=meter.key,
        virtual=meter.virtual is not None,
        name=words.name(meter.name),
        machine_href=f"/plant/{meter.register.equipment.id}" if meter.register is not None else "",
        amount=amount_text(own.total, meter.unit),
        unit=meter.unit,
        chart_unit=unit,
        quality=quality(own.total, shares_label(own.total, words)),
        facts=_facts(site, meter, words),
        desk=drawn[0] if drawn else None,
        phone=drawn[1] if drawn else None,
        sentence=_sentence(own, unit, divisor, words),
        parts_title={"day": words("Hour"), "year": words.in_context("span", "Month")}.get(period.span, words("Day")),
        rows=tuple(
            PartRow(
                name, amount_text(own.parts[i], meter.unit), quality(own.parts[i], shares_label(own.parts[i], words))
            )
            for i, name in enumerate(part_names(period, n)[: own.begun])
        ),
        events=tuple(_event(site, e, now_us, words) for e in events[:_EVENTS_SHOWN]),
        more_events=max(0, len(events) - _EVENTS_SHOWN),
        readings=tuple(_reading(site, r, now_us, words) for r in reversed(own.readings)),
        exchanges=_exchanges(site, meter.register, own.exchanges, now_us, words),
        may_read=may_read and meter.register is not None,
        may_exchange=may_exchange and meter.register is not None,
        now=exact_minute(now_us, site.time_zone),
        filled=filled,
    )


def _sentence(own: MeterAccount, unit: str, divisor: float, words: Words) -> str:
    known = own.parts.amount[: own.begun]
    known = known[np.isfinite(known)] / divisor
    if not known.size:
        return words("Nothing is known of this period. A reading before it and one after it would tell.")
    places = few_decimals(float(known.max()), unit)
    in_all = number(own.total.amount / divisor, places)
    return range_words(float(known.min()), float(known.max()), in_all, unit, words)


def _facts(site: Site, meter: CountedMeter, words: Words) -> tuple[Fact, ...]:
    facts = [Fact(words("Carrier"), words.name(CARRIER_NAMES[meter.carrier]))]
    if meter.virtual is not None:
        facts.append(Fact(words("Formula"), meter.virtual.formula.text))
        if meter.virtual.since is not None:
            facts.append(Fact(words("Since"), meter.virtual.since.isoformat()))
    if meter.register is None:
        return tuple(facts)
    own = meter.register.register
    room = site.rooms.get(meter.room or "")
    ratio = own.ratio.latest
    facts = [
        Fact(words("Point"), f"{words.name(meter.point)} ({meter.key})" if meter.point is not None else meter.key),
        *facts,
        Fact(words("Where"), words.name(room.name) if room is not None else MISSING),
        Fact(words("Digits"), str(own.digits) if own.digits is not None else words("not told: a roll-over is guessed")),
        Fact(words("Ratio"), number(ratio, 0 if math.isclose(ratio, round(ratio)) else 3)),
    ]
    if own.per_pulse is not None:
        facts.append(Fact(words("A pulse is"), joined(f"{own.per_pulse:g}", meter.unit)))
    if len(own.ratio.since) > 1:
        facts.append(Fact(words("Ratio since"), own.ratio.since[-1].isoformat()))
    return tuple(facts)


def _event(site: Site, event: Mapping[str, Any], now_us: int, words: Words) -> EventRow:
    zone = site.time_zone
    first, last = (times.when(int(event[k]), now_us, zone) for k in ("from_us", "to_us"))
    told = event["told"]
    what = words.name(told if isinstance(told, Names) else Names(**told))
    return EventRow(first if first == last else words("%(first)s to %(last)s", first=first, last=last), what)


def _reading(site: Site, reading: HandReading, now_us: int, words: Words) -> ReadingRow:
    return ReadingRow(
        reading.id,
        times.when(reading.at_us, now_us, site.time_zone),
        _count(reading.value),
        reading.note,
        reading.entered_by,
        _withdrawn(site, reading.withdrawn_us, reading.withdrawn_by, now_us, words),
    )


def _exchanges(
    site: Site, register: BookedRegister | None, entered: Sequence[EnteredExchange], now_us: int, words: Words
) -> tuple[ExchangeRow, ...]:
    rows = [
        (
            e.at_us,
            ExchangeRow(
                e.id,
                times.when(e.at_us, now_us, site.time_zone),
                _count(e.end_value),
                _count(e.start_value),
                e.note,
                e.entered_by,
                _withdrawn(site, e.withdrawn_us, e.withdrawn_by, now_us, words),
            ),
        )
        for e in entered
    ]
    for own in register.register.exchanges if register is not None else ():
        at_us = to_us(own.at)
        when = times.when(at_us, now_us, site.time_zone)
        rows.append((at_us, ExchangeRow(None, when, _count(own.end), _count(own.start), "", words("site file"), "")))
    return tuple(row for _, row in sorted(rows, key=lambda r: -r[0]))


def _count(value: float) -> str:
    return f"{value:,.10g}"


def _withdrawn(site: Site, at_us: int | None, who: str | None, now_us: int, words: Words) -> str:
    if at_us is None:
        return ""
    return words("withdrawn %(time)s by %(who)s", time=times.when(at_us, now_us, site.time_zone), who=who or "")
