"""Main against branches: what went into each part of the supply, what comes out of it, and which meter to doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.energy.intervals import Total
from api.pages.energy_charts import Quality, quality
from api.pages.energy_figures import shares_label
from api.pages.energy_head import Link, Note
from api.pages.energy_statements import names_of, problem_notes
from api.pages.words import Words
from facility.formats import MISSING, number
from facility.metering import CARRIER_NAMES
from facility.site import Site

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MeterCell:
    """A meter of a row: what it counted and how good that is."""

    name: str
    href: str
    amount: str
    quality: Quality
    doubted: bool


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """One part of the supply."""

    id: str
    level: int
    parents: tuple[MeterCell, ...]
    children: tuple[MeterCell, ...]
    fed: str
    used: str
    loss: str
    share: str
    expected: str
    finding: str
    loud: bool
    words: str
    suspect: str
    sure: str
    days: str
    unmetered: str
    bar: float  # per cent of what was fed that came out


@dataclass(frozen=True, slots=True)
class BalancePage:
    """Everything of the page."""

    carriers: tuple[Link, ...]
    unit: str
    lines: tuple[BalanceLine, ...]
    notes: tuple[Note, ...]
    version: str
    empty: str


def balance_page(
    site: Site, words: Words, month: str, carrier: str, present: tuple[str, ...], figures: Figures | None, version: str
) -> BalancePage:
    """
    Build the page.

    Parameters
    ----------
    month : `2026-07`
    present : carriers that have a balance in the month
    figures : of the statement; None: there is none
    """
    rows = figures["rows"] if figures is not None else ()
    levels = _levels(rows)
    rows = _as_tree(rows, levels)
    decimals = int(figures["decimals"]) if figures is not None else 0
    return BalancePage(
        carriers=tuple(
            Link(f"/energy/balance?month={month}&carrier={c}", words.name(CARRIER_NAMES[c]), c == carrier)  # type: ignore[index]
            for c in present
        ),
        unit=str(figures["unit"]) if figures is not None else "",
        lines=tuple(_line(site, words, month, row, levels[row["id"]], decimals) for row in rows),
        notes=problem_notes(figures.get("problems", ()), words) if figures is not None else (),
        version=version,
        empty=words(
            "Meters are balanced by month, each against those below it (fed_by: in the site file). A carrier with one "
            "level of meters has nothing to balance."
        ),
    )


def _levels(rows: Any) -> dict[str, int]:
    """Return how deep each row lies: one more than the row that has its parent among its children."""
    above: dict[str, str] = {child["node"]: row["id"] for row in rows for child in row["children"]}
    levels: dict[str, int] = {}
    for row in rows:
        level, seen, here = 0, {row["id"]}, row
        by_id = {r["id"]: r for r in rows}
        while True:
            up = next((above[p["node"]] for p in here["parents"] if p["node"] in above), None)
            if up is None or up in seen:
                break
            seen.add(up)
            level, here = level + 1, by_id[up]
        levels[row["id"]] = level
    return levels


def _as_tree(rows: Any, levels: Mapping[str, int]) -> list[Figures]:
    """Return the rows with those below each right after it."""
    ordered: list[Figures] = []
    waiting = [row for row in rows if levels[row["id"]] == 0]
    by_parent = {p["node"]: row for row in rows for p in row["parents"]}
    while waiting:
        row = waiting.pop(0)
        if row in ordered:
            continue
        ordered.append(row)
        below = [by_parent[c["node"]] for c in row["children"] if c["node"] in by_parent]
        waiting = [b for b in below if b not in ordered] + waiting
    return [*ordered, *(row for row in rows if row not in ordered)]


def _line(site: Site, words: Words, month: str, row: Figures, level: int, decimals: int) -> BalanceLine:
    suspect = row.get("suspect")
    fed, used = float(row["fed"]), float(row["used"])
    known = row["finding"] != "cannot_tell"
    share = row.get("loss_share")

    def text(value: Any) -> str:
        return number(float(value), decimals) if value is not None else MISSING

    names = [site.departments[d].name for d in row.get("unmetered", ()) if d in site.departments]
    return BalanceLine(
        id=row["id"],
        level=min(level, 6),
        parents=tuple(_cell(site, words, month, m, suspect, decimals) for m in row["parents"]),
        children=tuple(_cell(site, words, month, m, suspect, decimals) for m in row["children"]),
        fed=text(row["fed"]),
        used=text(row["used"]),
        loss=number(float(row["loss"]), decimals, signed=True) if row.get("loss") is not None else MISSING,
        share=f"{number(100 * float(share), 1, signed=True)}%" if share is not None else MISSING,
        expected=words("%(low)s to %(high)s", low=text(row["expected_low"]), high=text(row["expected_high"]))
        if known
        else MISSING,
        finding=finding_words(row["finding"], words),
        loud=row["finding"] in ("loss", "gain"),
        words=names_of(row.get("words"), words) if row["finding"] != "balanced" or suspect else "",
        suspect=names_of(suspect["words"], words) if suspect else "",
        sure=number(float(suspect["confidence"]), 2) if suspect else "",
        days=words("%(known)s of %(days)s days", known=row["days_known"], days=row["days"]),
        # The sentence of users without a meter names them itself.
        unmetered=words(", ").join(words.name(n) for n in names) if row["finding"] != "unmetered" else "",
        bar=round(min(100.0, 100.0 * used / fed), 1) if fed > 0 else 0.0,
    )


def finding_words(finding: str, words: Words) -> str:
    """Return what a balance says in a word."""
    return {
        "balanced": words("balanced"),
        "unmetered": words("users without a meter"),
        "loss": words("more lost than usual"),
        "gain": words("branches count more than the main"),
        "cannot_tell": words("cannot tell"),
    }.get(finding, finding)


def _cell(site: Site, words: Words, month: str, meter: Figures, suspect: Figures | None, decimals: int) -> MeterCell:
    item = site.equipment.get(meter["node"])
    amount = meter.get("amount")
    total = Total(
        float("nan") if amount is None else float(amount),
        float(meter["measured"]),
        float(meter["estimated"]),
        float(meter["missing"]),
    )
    return MeterCell(
        name=words.name(item.name) if item is not None else meter["node"],
        href=f"/energy/meters?q={meter['node']}&month={month}",
        amount=number(total.amount, decimals) if total.known else MISSING,
        quality=quality(total, shares_label(total, words)),
        doubted=suspect is not None and suspect["node"] == meter["node"],
    )
