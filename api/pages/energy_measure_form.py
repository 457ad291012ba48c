"""The form by which an engineer enters a measure: empty, filled in from a ticket, or as it was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from analytics.energy.measure_book import EnteredMeasure
from analytics.records import Ticket
from api.pages import times
from api.pages.energy_figures import money_unit
from api.pages.words import Words
from facility.calendar import day_of
from facility.measure_entry import EntryMistake
from facility.metering import BOUGHT, CARRIER_NAMES, BookedRegister, points_of_supply
from facility.site import Site

FIELDS: Final = ("name_zh", "name_en", "meter", "from", "to", "cost", "owner", "source", "ticket")
_LONGEST_NAME: Final = 120
# At which field of the form a mistake of the entry is shown.
_SHOWN_AT: Final = {
    "name": "name_zh", "name.zh": "name_zh", "name.en": "name_en", "": "meter", "meter": "meter", "carrier": "meter",
    "work": "from", "work.from": "from", "work.to": "to", "baseline": "from", "reporting": "from", "cost": "cost",
    "owner": "owner", "source": "source", "ticket": "ticket",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Things to choose of one kind."""

    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class MeasureForm:
    """
    The form.

    Attributes
    ----------
    values : what stands in the fields, by `FIELDS`
    refused : it was sent, and not taken
    mistakes : what is wrong, by field; under "" what belongs to none
    today : the last day on which work can have been done
    """

    values: Mapping[str, str]
    refused: bool
    mistakes: Mapping[str, str]
    meters: tuple[OptionGroup, ...]
    money_unit: str
    today: str


@dataclass(frozen=True, slots=True)
class EnteredLine:
    """Who entered a measure, under which ticket, and where the reader may withdraw it (empty: not)."""

    who: str
    when: str
    ticket: str
    withdraw_href: str


def measure_form(
    site: Site,
    words: Words,
    registers: Mapping[str, BookedRegister],
    values: Mapping[str, str],
    today: date,
    mistakes: Sequence[EntryMistake] = (),
) -> MeasureForm:
    """Build the form."""
    told: dict[str, list[str]] = {}
    for mistake in mistakes:
        told.setdefault(_SHOWN_AT.get(mistake.field.split("[")[0], ""), []).append(words.name(mistake.words))
    return MeasureForm(
        values={key: values.get(key, "") for key in FIELDS},
        refused=bool(mistakes),
        mistakes={key: words.either("；", "; ").join(told.get(key, ())) for key in (*FIELDS, "")},
        meters=_meters(site, words, registers, values.get("meter", "")),
        money_unit=money_unit(site.currency, words),
        today=today.isoformat(),
    )


def entry_of(values: Mapping[str, str]) -> dict[str, Any]:
    """Return what a filled-in form enters."""
    plain = {key: value.strip() for key, value in values.items()}
    meter, _, carrier = plain["meter"].partition(":")
    return {
        "name": {"zh": plain["name_zh"], "en": plain["name_en"]},
        "meter": meter or None,
        "carrier": carrier or None,
        "work": {"from": plain["from"]} | ({"to": plain["to"]} if plain["to"] else {}),
        "cost": plain["cost"] or None,
        "owner": plain["owner"] or None,
        "source": plain["source"] or None,
    }


def from_ticket(site: Site, registers: Mapping[str, BookedRegister], ticket: Ticket) -> dict[str, str]:
    """Return the form as a closed ticket fills it in: its meter, the day on which it was closed, its number."""
    done = day_of(ticket.closed_us, site.time_zone).isoformat() if ticket.closed_us is not None else ""
    return {
        "name_zh": ticket.title_zh[:_LONGEST_NAME],
        "name_en": ticket.title_en[:_LONGEST_NAME],
        "meter": meter_of(site, registers, ticket.equipment) or "",
        "from": done,
        "to": done,
        "ticket": ticket.number,
    }


def meter_of(site: Site, registers: Mapping[str, BookedRegister], machine: str) -> str | None:
    """Return the choice of meter that sees a machine: its own register, or the nearest above it; None without one."""
    if machine not in site.equipment:
        return None
    own: dict[str, str] = {}
    for r in _countable(registers):
        own.setdefault(r.equipment.id, f"{r.equipment.id}:{r.carrier}")
    return next((own[m] for m in (machine, *site.upstream(machine)) if m in own), None)


def entered_line(
    site: Site, words: Words, own: EnteredMeasure, who: str, now_us: int, may_withdraw: bool
) -> EnteredLine:
    """Build the line that says who entered a measure; `who` is how that person is called."""
    return EnteredLine(
        who=who,
        when=times.when(own.entered_us, now_us, site.time_zone),
        ticket=words("ticket %(number)s", number=own.ticket) if own.ticket else "",
        withdraw_href=f"/energy/measures/{own.id}/withdraw" if may_withdraw else "",
    )


def _countable(registers: Mapping[str, BookedRegister]) -> list[BookedRegister]:
    return [r for r in registers.values() if r.flow == "in" and r.carrier != "reactive"]


def _meters(site: Site, words: Words, registers: Mapping[str, BookedRegister], chosen: str) -> tuple[OptionGroup, ...]:
    def option(value: str, text: str) -> Option:
        return Option(value, text, value == chosen)

    groups: list[OptionGroup] = []
    for carrier, names in CARRIER_NAMES.items():
        found = {r.equipment.id: r for r in _countable(registers) if r.carrier == carrier}
        options = [option(f"{id_}:{carrier}", f"{words.name(r.equipment.name)} ({id_})") for id_, r in found.items()]
        options += [
            option(f"{v.id}:{carrier}", f"{words.name(v.name)} ({v.id})")
            for v in site.virtual_meters.values()
            if v.carrier == carrier
        ]
        if carrier in BOUGHT and points_of_supply(site, registers, carrier):
            options.insert(0, option(f":{carrier}", words("the whole hospital")))
        if options:
            groups.append(OptionGroup(words.name(names), tuple(options)))
    return tuple(groups)
