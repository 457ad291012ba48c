"""`wardwatt energy bill`, `balance`, `allocation`: the statements of a month, by version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from api.commands.energy_books import (
    NO_TARIFF,
    LanguageOption,
    MonthArgument,
    Opened,
    figure,
    lacking,
    moment_of,
    money,
    month_of,
    opened,
    share,
)
from api.commands.options import JsonOption, on_site, print_json, stdout, told
from api.options import Options
from facility.calendar import at_us
from facility.names import Language

if TYPE_CHECKING:
    from analytics.energy.statements import Statement

CarrierOption = Annotated[str | None, typer.Option("--carrier", help="electricity, water, gas, heat, steam, oxygen.")]
VersionOption = Annotated[int | None, typer.Option("--version", help="This version; without it the newest.", min=1)]


@on_site()
def bill(
    options: Options,
    month: MonthArgument,
    contract: Annotated[str | None, typer.Option("--contract", help="Only this one.")] = None,
    version: VersionOption = None,
    language: LanguageOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show the bills of a month, line by line as the supplier writes them, and what is charged for energy sold on."""
    with told(), opened(options) as here:
        every = here.books.statements(kind="resale", subject=contract, month=month_of(month), newest_only=False)
        newest = {s.subject: s.version for s in every}
        sold = [s for s in every if s.version == (version or newest[s.subject])]
        found = [] if contract and sold else _statements(here, "bill", month, contract, version)
    if as_json:
        print_json({"bills": [_fields(s) for s in found], "resale": [_fields(s) for s in sold]})
        return
    for statement in (*found, *sold):
        _print_bill(statement, language)


@on_site()
def balance(
    options: Options,
    month: MonthArgument,
    carrier: CarrierOption = None,
    version: VersionOption = None,
    language: LanguageOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show mains against the sum of their branches, and the meter most likely at fault."""
    with told(), opened(options) as here:
        found = _statements(here, "balance", month, carrier, version)
    if as_json:
        print_json({"balances": [_fields(s) for s in found]})
        return
    for statement in found:
        figures = statement.figures
        table = Table("main", f"in [{figures['unit']}]", "branches", "loss", "%", "", title=statement.subject)
        for row in figures["rows"]:
            lost = row["loss_share"]
            table.add_row(
                row["id"], figure(row["fed"]), figure(row["used"]), figure(row["loss"]),
                "" if lost is None else share(lost), row["words"][language],
            )  # fmt: skip
        stdout.print(table)
        _print_problems(statement, language)


@on_site()
def allocation(
    options: Options,
    month: MonthArgument,
    carrier: CarrierOption = None,
    version: VersionOption = None,
    language: LanguageOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show who bears what was bought in a month: departments and cost centres, to the cent."""
    with told(), opened(options) as here:
        found = _statements(here, "allocation", month, carrier, version)
    if as_json:
        print_json({"allocations": [_fields(s) for s in found]})
        return
    for statement in found:
        figures = statement.figures
        table = Table("department", "cost centre", figures["unit"], here.site.currency, title=statement.subject)
        for row in figures["rows"]:
            table.add_row(
                row["department"] or "-", row["cost_centre"] or "", figure(row["amount"]), money(row["cents"])
            )
        table.add_row("", "", figure(figures["amount"]), money(figures["total_cents"]))
        stdout.print(table)
        _print_problems(statement, language)


def _statements(here: Opened, kind: str, month: str, subject: str | None, version: int | None) -> Sequence[Statement]:
    books, first = here.books, month_of(month)
    found = books.statements(kind=kind, subject=subject, month=first, newest_only=version is None)
    if version is not None:
        found = [s for s in found if s.version == version]
    if not found:
        known = books.statements(kind=kind, month=first, newest_only=False)
        have = ", ".join(f"{s.subject} version {s.version}" for s in known)
        mend = f"there is: {have}" if have else _why_none(here, kind, first)
        raise ValueError(f"there is no such {kind} of {month}; {mend}")
    return found


def _why_none(here: Opened, kind: str, first: date) -> str:
    """Return why a month has no statement of a kind, and what would make one."""
    if told_lacking := lacking(here):
        return told_lacking
    if kind == "bill" and not here.site.contracts:
        return NO_TARIFF
    until_us = here.books.booked_until_us
    if until_us is not None and until_us < at_us(first, 0, here.site.time_zone):
        return f"the books go to {moment_of(here.site, until_us)}"
    return "nothing was counted in it; if readings have come since, bring the books up to date: wardwatt energy book"


def _fields(statement: Statement) -> dict[str, Any]:
    return {
        "subject": statement.subject, "month": f"{statement.month:%Y-%m}", "version": statement.version,
        "provisional": statement.provisional, "made_us": statement.made_us, "cause": statement.cause,
        "figures": dict(statement.figures), "problems": [p.to_json() for p in statement.problems],
    }  # fmt: skip


def _print_bill(statement: Statement, language: Language) -> None:
    figures = statement.figures
    kind = "sold on, " if statement.kind == "resale" else ""
    state = "provisional" if statement.provisional else f"version {statement.version}"
    cause = f", {statement.cause}" if statement.cause else ""
    table = Table("", "quantity", "unit", "price", "amount", title=f"{statement.subject}, {kind}{state}{cause}")
    for line in figures.get("lines", ()):
        table.add_row(
            line["name"][language], f"{line['quantity']:,.3f}", line["unit"], f"{line['price']:.6g}",
            money(line["amount_cents"]),
        )  # fmt: skip
    cents = figures.get("total_cents")
    if cents is not None:
        sign = "≥ " if figures.get("at_least") else ""
        table.add_row(
            "合计" if language == "zh" else "Total", "", "", "", f"{sign}{money(cents)} {figures['currency']}"
        )
    stdout.print(table if table.row_count else table.title)
    _print_problems(statement, language)


def _print_problems(statement: Statement, language: Language) -> None:
    words = [p.words.in_(language) for p in statement.problems]
    for problem in statement.figures.get("problems", ()):
        told_words: Mapping[str, str] = problem.get("words") or problem.get("text") or {}
        words.append(told_words.get(language, ""))
    for each in dict.fromkeys(words):
        stdout.print(f"! {each}", markup=False)
