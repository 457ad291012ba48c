"""`wardwatt energy cost`: what the energy of each day cost and emitted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
from rich.table import Table

from api.commands.energy_books import NO_TARIFF, Opened, figure, lacking, money, opened, sentence, share
from api.commands.options import JsonOption, on_site, print_json, stdout, told
from api.options import Options


@on_site()
def cost(
    options: Options,
    from_: Annotated[str | None, typer.Option("--from", help="First day, such as 2026-03-01.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Last day, which is counted; without it the newest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show what the energy of each day that is over cost by contract, and what it emitted; without days this month's.

    Only what is charged by the unit: basic charge, power factor, standing charge and tax are due by the month.
    """
    with told(), opened(options) as here:
        today = datetime.now(here.site.time_zone).date()
        last = _day(to, today)
        first = _day(from_, last.replace(day=1))
        if last < first:
            raise ValueError(f"--to {last} lies before --from {first}; swap them")
        found = here.books.costs(first, last)
        emitted = {day: c for day, c in here.books.carbon(first, min(last, today)) if c.rows} if first <= today else {}
        told_lacking = _why_none(here, first) if not found else ""
    # What no day is known of is not zero.
    priced = [c.charge.cents for c in found if c.charge.cents is not None]
    total = sum(priced) if priced else None
    if as_json:
        print_json(
            {
                "currency": here.site.currency, "total_cents": total, "costs": [c.to_json() for c in found],
                "carbon": [{"day": day.isoformat(), "kg": c.kg} for day, c in emitted.items()],
            }
        )  # fmt: skip
        return
    if told_lacking:
        stdout.print(sentence(told_lacking), markup=False)
        return
    table = Table("day", "contract", "used", "unit", here.site.currency, "missing", "kgCO₂ of the day")
    for i, c in enumerate(found):
        day = c.charge.day
        begins = i == 0 or found[i - 1].charge.day != day
        table.add_row(
            str(day) if begins else "", c.contract, figure(c.charge.used), c.unit,
            money(c.charge.cents), share(c.charge.missing),
            figure(emitted[day].kg) if begins and day in emitted else "",
        )  # fmt: skip
    table.add_row("", "", "", "", money(total), "", figure(sum(c.kg for c in emitted.values()) if emitted else None))
    stdout.print(table)


def _why_none(here: Opened, first: date) -> str:
    """Return why no day from `first` on has a cost."""
    if told_lacking := lacking(here):
        return told_lacking
    if not here.site.contracts:
        return NO_TARIFF
    return f"no day from {first} on is over and booked yet; days are charged once they are over"


def _day(text: str | None, otherwise: date) -> date:
    if text is None:
        return otherwise
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no day; write it such as 2026-03-05") from None
