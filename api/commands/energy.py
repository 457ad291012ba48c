"""`wardwatt energy ...`: the accounts on the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import typer
from rich.table import Column, Table

from api.commands import energy_activity, energy_costs, energy_entries, energy_measures, energy_statements
from api.commands.energy_books import (
    WHO,
    LanguageOption,
    MonthArgument,
    figure,
    lacking,
    moment_of,
    month_of,
    note_of,
    opened,
    sentence,
    share,
)
from api.commands.options import JsonOption, fail, on_site, print_json, stages, stdout, told
from api.options import Options

app = typer.Typer(
    no_args_is_help=True,
    help="The energy accounts: booking, bills, balance, readings by hand, exchanges, measures, reports.",
)
app.command()(energy_statements.bill)
app.command()(energy_statements.balance)
app.command()(energy_statements.allocation)
app.command()(energy_costs.cost)
app.command()(energy_entries.exchange)
app.add_typer(energy_entries.app, name="hand-reading")
app.add_typer(energy_activity.app, name="activity")
app.add_typer(energy_measures.app, name="measure")

MonthOption = Annotated[str | None, typer.Option("--month", help="The month, such as 2026-03; without it this month.")]


@app.command()
@on_site()
def book(
    options: Options,
    as_json: JsonOption = False,
) -> None:
    """
    Bring the books up to date: what is new is booked, what changed is booked anew and restated.

    A service that runs does it every quarter of an hour by itself.
    """
    with told(), opened(options, store=True) as here:
        if here.held is not None:
            fail(
                f"The service at {here.held} holds the store and keeps the books itself, every quarter of an hour and "
                "soon after somebody enters something. Stop it first if you mean to book without it."
            )
        with stages() as progress:
            done = here.books.bring_up_to_date(lambda stage, part: progress(_STAGES.get(stage, stage), part))
        told_lacking = lacking(here)
    facts = {
        "until_us": done.until_us, "steps": done.steps, "restatements": done.restatements,
        "months": {f"{month:%Y-%m}": cause for month, cause in done.months.items()},
        "first_day": done.days[0].isoformat() if done.days else None,
    }  # fmt: skip
    if as_json:
        print_json(facts)
    elif done.days is None:
        stdout.print(f"There is nothing to book. {sentence(told_lacking)}", markup=False)
    else:
        stdout.print(
            f"Booked from {done.days[0]} to {moment_of(here.site, done.until_us)}: {done.steps:,} steps written, "
            f"{done.restatements:,} closed figures restated."
        )


_WIDE: Final = 110  # columns of a terminal

_STAGES: Final = {
    "survey": "Looking for what is new", "book": "Booking", "virtual": "Virtual meters", "statements": "Statements",
}  # fmt: skip


@app.command()
@on_site()
def show(
    options: Options,
    month: MonthOption = None,
    language: LanguageOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show what each register and virtual meter counted in a month, and how good the figures are."""
    with told(), opened(options) as here:
        first = month_of(month) if month is not None else datetime.now(here.site.time_zone).date().replace(day=1)
        registers = here.books.registers()
        named = {key: (r.equipment.name, r.carrier, r.unit) for key, r in registers.items()}
        named |= {f"virtual/{v.id}": (v.name, v.carrier, v.unit) for v in here.site.virtual_meters.values()}
        totals = {key: t[0] for key, t in here.books.monthly(list(named), first, first).items()}
        told_lacking = lacking(here)
    rows = [
        {
            "register": key, "name": name.model_dump(), "carrier": carrier, "unit": unit, "amount": totals[key].amount,
            "measured": totals[key].measured, "estimated": totals[key].estimated, "missing": totals[key].missing,
        }
        for key, (name, carrier, unit) in named.items()
    ]  # fmt: skip
    if as_json:
        print_json({"month": f"{first:%Y-%m}", "registers": rows})
        return
    # A key that is cut off cannot be written into the next command, nor a figure read; a name is only a help.
    whole = [Column("register", no_wrap=True), Column("amount", no_wrap=True, justify="right")]
    shares = [Column(told, overflow="fold", justify="right") for told in ("measured", "estimated", "missing")]
    names = [Column("")] if stdout.width >= _WIDE else []
    table = Table(*whole, *shares, *names)
    for key, (name, _, unit) in named.items():
        t = totals[key]
        row = [key, f"{figure(t.amount)} {unit}", *(share(s) for s in (t.measured, t.estimated, t.missing))]
        table.add_row(*row, *([name.in_(language)] if names else []))
    if named:
        stdout.print(table)
    if told_lacking:
        stdout.print(sentence(told_lacking), markup=False)


@app.command()
@on_site()
def restatements(
    options: Options,
    subject: Annotated[str | None, typer.Option("--subject", help="Only of this register or contract.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="So many, the newest first.", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List closed figures that were changed: old figure, new figure, cause."""
    with told(), opened(options) as here:
        found = here.books.restatements(subject=subject, limit=limit)
    if as_json:
        print_json({"restatements": [r.to_json() for r in found]})
        return
    if not found:
        stdout.print(f"No closed figure{f' of {subject}' if subject else ''} was changed.", markup=False)
        return
    table = Table("found", "what", "from", "to", "old", "new", "unit", "cause")
    for r in found:
        table.add_row(
            moment_of(here.site, r.found_us), f"{r.kind} {r.subject}", str(r.first_day), str(r.last_day), figure(r.old),
            figure(r.new), r.unit, r.cause,
        )  # fmt: skip
    stdout.print(table)


@app.command()
@on_site()
def publish(
    options: Options,
    month: MonthArgument,
    as_json: JsonOption = False,
) -> None:
    """Publish a month as it stands: the report names the versions of its statements, and they never change again."""
    with told(), opened(options) as here:
        first = month_of(month)
        if told_lacking := lacking(here):
            raise ValueError(told_lacking)
        if not here.books.is_closed(first):
            raise ValueError(f"{month} is not closed yet; publish it from the second day of the next month on")
        note = note_of("energy-month-published", f"month {month}", {})
        report = here.books.publish(first, WHO, note)
    if as_json:
        print_json({"month": month, "versions": dict(report.versions)})
        return
    stdout.print(f"{month} is published with:")
    for name, version in report.versions.items():
        stdout.print(f"  {name}, version {version}")
