"""Who bears what: every department's part of what was bought, to the cent, and by which rule each part came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from api.pages.energy_figures import exact_money, money_unit, share_text
from api.pages.energy_head import Note
from api.pages.energy_indicators import IndicatorRow, indicator_groups
from api.pages.energy_statements import problem_notes
from api.pages.words import Words
from facility.allocation_rules import BASIS_NAMES
from facility.formats import MISSING, number
from facility.metering import BOUGHT, CARRIER_NAMES
from facility.names import Names
from facility.site import Site

# The row of what no department bears, in addresses.
NOBODY: Final = "-"
_PARTS_SHOWN: Final = 10

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """An amount of a carrier."""

    amount: str
    money: str


@dataclass(frozen=True, slots=True)
class DepartmentLine:
    """One department with all carriers."""

    name: str
    href: str
    cost_centre: str
    cells: tuple[Cell, ...]
    total: str
    measured: str


@dataclass(frozen=True, slots=True)
class DepartmentsPage:
    """The table of all departments."""

    carriers: tuple[str, ...]
    units: tuple[str, ...]
    money_unit: str
    lines: tuple[DepartmentLine, ...]
    sums: tuple[Cell, ...]
    total: str
    closing: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class PartLine:
    """One part of a department's amount: whose meter, by which rule, which share."""

    source: str
    meters: tuple[tuple[str, str], ...]
    by: str
    share: str
    amount: str


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge of the bill that a department bears a part of."""

    name: str
    money: str


@dataclass(frozen=True, slots=True)
class CarrierBlock:
    """A department's part of one carrier."""

    name: str
    unit: str
    amount: str
    money: str
    direct: str
    shared: str
    rest: str
    measured: str
    parts: tuple[PartLine, ...]
    small: tuple[PartLine, ...]
    charges: tuple[ChargeLine, ...]


@dataclass(frozen=True, slots=True)
class DepartmentFact:
    """A size of the department."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class DepartmentPage:
    """One department."""

    name: str
    facts: tuple[DepartmentFact, ...]
    total: str
    money_unit: str
    blocks: tuple[CarrierBlock, ...]
    indicators: tuple[IndicatorRow, ...]


def departments_page(site: Site, words: Words, month: str, allocations: Mapping[str, Figures]) -> DepartmentsPage:
    """
    Build the table.

    Parameters
    ----------
    month : `2026-07`
    allocations : figures of the statements "allocation", by carrier
    """
    carriers = [c for c in BOUGHT if c in allocations] + [c for c in allocations if c not in BOUGHT]
    rows: dict[str | None, dict[str, Figures]] = {}
    for carrier in carriers:
        for row in allocations[carrier]["rows"]:
            rows.setdefault(row["department"], {})[carrier] = row
    totals = {d: sum(int(r["cents"]) for r in own.values()) for d, own in rows.items()}
    ordered = sorted(rows, key=lambda d: (d is None, -totals[d]))
    lines = tuple(
        DepartmentLine(
            name=department_name(site, department, words),
            href=f"/energy/departments/{department or NOBODY}?month={month}",
            cost_centre=next((r["cost_centre"] for r in rows[department].values() if r["cost_centre"]), "") or "",
            cells=tuple(_cell(rows[department].get(c), allocations[c]) for c in carriers),
            total=exact_money(totals[department]),
            measured=_measured(rows[department].values()),
        )
        for department in ordered
    )
    whole = sum(int(allocations[c]["total_cents"]) for c in carriers)
    borne = sum(totals.values())
    return DepartmentsPage(
        carriers=tuple(words.name(CARRIER_NAMES[c]) for c in carriers),  # type: ignore[index]
        units=tuple(str(allocations[c]["unit"]) for c in carriers),
        money_unit=money_unit(site.currency, words),
        lines=lines,
        sums=tuple(
            Cell(
                number(float(allocations[c]["amount"]), int(allocations[c]["decimals"])),
                exact_money(int(allocations[c]["total_cents"])),
            )
            for c in carriers
        ),
        total=exact_money(borne),
        closing=_closing(whole, borne, site, words) if carriers else "",
        notes=tuple(n for c in carriers for n in problem_notes(allocations[c].get("problems", ()), words)),
    )


def _closing(whole: int, borne: int, site: Site, words: Words) -> str:
    unit = money_unit(site.currency, words)
    if whole == borne:
        return words(
            "The parts add up to the bills, %(total)s %(unit)s, to the cent.", total=exact_money(whole), unit=unit
        )
    return words(
        "The parts sum to %(parts)s %(unit)s, the bills to %(total)s: tell whoever runs the service.",
        parts=exact_money(borne), unit=unit, total=exact_money(whole),
    )  # fmt: skip


def _cell(row: Figures | None, allocation: Figures) -> Cell:
    if row is None:
        return Cell("", "")
    return Cell(number(float(row["amount"]), int(allocation["decimals"])), exact_money(int(row["cents"])))


def _measured(rows: Sequence[Figures] | Any) -> str:
    known = [(float(r["measured"]), abs(int(r["cents"])) + 1) for r in rows]
    weight = sum(w for _, w in known)
    return share_text(sum(m * w for m, w in known) / weight, 0) if weight else MISSING


def department_name(site: Site, department: str | None, words: Words) -> str:
    """Return what a department is called; None is what nobody bears."""
    if department is None:
        return words("borne by no department")
    known = site.departments.get(department)
    return words.name(known.name) if known is not None else department


def department_page(
    site: Site,
    words: Words,
    department: str | None,
    first_day: date,
    allocations: Mapping[str, Figures],
    charge_names: Mapping[str, Mapping[str, Names]],
    indicators: Sequence[Figures] = (),
) -> DepartmentPage:
    """
    Build the page of one department.

    Parameters
    ----------
    department : None for what nobody bears
    first_day : of the month, on which sizes hold
    allocations : figures of the statements "allocation", by carrier
    charge_names : what the lines of the bills are called, by carrier and code
    indicators : those of the month's statement
    """
    blocks: list[CarrierBlock] = []
    total = 0
    for carrier in [c for c in BOUGHT if c in allocations] + [c for c in allocations if c not in BOUGHT]:
        own = next((r for r in allocations[carrier]["rows"] if r["department"] == department), None)
        if own is not None:
            total += int(own["cents"])
            blocks.append(_block(site, words, carrier, allocations[carrier], own, charge_names.get(carrier, {})))
    return DepartmentPage(
        name=department_name(site, department, words),
        facts=_facts(site, words, department, first_day),
        total=exact_money(total),
        money_unit=money_unit(site.currency, words),
        blocks=tuple(blocks),
        indicators=tuple(
            replace(row, subject="")
            for group in indicator_groups(site, words, indicators, ("department",), department or "")
            for row in group.rows
        ),
    )


def _facts(site: Site, words: Words, department: str | None, day: date) -> tuple[DepartmentFact, ...]:
    known = site.departments.get(department or "")
    if known is None:
        return ()
    facts = []
    area, beds = known.floor_area_m2.on(day), known.beds.on(day)
    if known.cost_centre:
        facts.append(DepartmentFact(words("Cost centre"), known.cost_centre))
    if area is not None:
        facts.append(DepartmentFact(words("Floor area"), f"{number(area, 0)} m²"))
    if beds is not None:
        facts.append(DepartmentFact(words("Beds"), number(beds, 0)))
    return tuple(facts)


def _block(
    site: Site, words: Words, carrier: str, allocation: Figures, row: Figures, charge_names: Mapping[str, Names]
) -> CarrierBlock:
    decimals = int(allocation["decimals"])

    def text(value: float) -> str:
        return number(value, decimals)

    parts = tuple(
        PartLine(
            source=_source_words(part["source"], words),
            meters=tuple(_meter(site, words, m) for m in part["meters"]),
            by=words.name(BASIS_NAMES[part["by"]]) if part["by"] else words("its own"),
            share=share_text(float(part["share"])),
            amount=text(float(part["amount"])),
        )
        for part in sorted(row["parts"], key=lambda part: -float(part["amount"]))
    )
    return CarrierBlock(
        name=words.name(CARRIER_NAMES[carrier]),  # type: ignore[index]
        unit=str(allocation["unit"]),
        amount=text(float(row["amount"])),
        money=exact_money(int(row["cents"])),
        direct=text(float(row["direct"])),
        shared=text(float(row["shared"])),
        rest=text(float(row["rest"])),
        measured=share_text(float(row["measured"]), 0),
        parts=parts[:_PARTS_SHOWN],
        small=parts[_PARTS_SHOWN:],
        charges=tuple(
            ChargeLine(words.name(charge_names[code]) if code in charge_names else code, exact_money(int(cents)))
            for code, cents in row["charges"].items()
        ),
    )


def charge_names(bills: Sequence[Figures]) -> dict[str, dict[str, Names]]:
    """Return what the lines of bills are called, by carrier and by the code under which they are shared."""
    found: dict[str, dict[str, Names]] = {}
    for bill in bills:
        own = found.setdefault(str(bill.get("carrier")), {})
        for line in bill.get("lines", ()):
            name = Names(**line["name"])
            own[str(line["code"])] = name
    return found


def _meter(site: Site, words: Words, machine: str) -> tuple[str, str]:
    item = site.equipment.get(machine)
    return (words.name(item.name), f"/plant/{machine}") if item is not None else (machine, "")


def _source_words(source: str, words: Words) -> str:
    return {
        "direct": words("own meter"),
        "shared": words("shared meter"),
        "rest": words("unmetered rest and losses"),
    }.get(source, source)
