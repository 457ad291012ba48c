"""`wardwatt energy measure ...`: what was done to save energy: entered, listed, shown with its saving, withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from api.commands.energy_books import WHO, LanguageOption, database_opened, figure, now_us, opened
from api.commands.options import JsonOption, fail, on_site, print_json, stdout, told
from api.options import Options
from api.security import audit
from facility.wording import nearest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from analytics.energy.measure_book import MeasureBook
    from facility.site import Site

_NONE: Final = "; none is written down, enter one with: wardwatt energy measure add"

app = typer.Typer(no_args_is_help=True, help="Efficiency measures, whose saving is proven on the meters.")


@contextmanager
def _opened(options: Options) -> Iterator[tuple[Site, MeasureBook]]:
    from analytics.energy.measure_book import MeasureBook

    with database_opened(options) as (site, database):
        yield site, MeasureBook(site, database, now_us)


@app.command("list")
@on_site(store=False)
def list_measures(
    options: Options,
    as_json: JsonOption = False,
) -> None:
    """List the measures of the site file and those that people entered, withdrawn ones too."""
    with told(), _opened(options) as (found, book):
        own, entered = found.measures, book.entered(withdrawn=True)
    rows: list[dict[str, Any]] = [
        {
            "id": m.id, "name": m.name.model_dump(), "meter": m.meter, "baseline_from": str(m.baseline.from_),
            "baseline_to": str(m.baseline.to or ""), "reporting_from": str(m.reporting.from_), "entered_by": None,
            "withdrawn": False, "why_not": "",
        }
        for m in own.values()
    ]  # fmt: skip
    rows += [
        {
            "id": e.id, "name": e.entry["name"], "meter": e.entry.get("meter"),
            "baseline_from": e.entry["baseline"]["from"], "baseline_to": e.entry["baseline"]["to"],
            "reporting_from": e.entry["reporting"]["from"], "entered_by": e.entered_by,
            "withdrawn": e.withdrawn_us is not None, "why_not": e.why_not,
        }
        for e in entered
    ]  # fmt: skip
    if as_json:
        print_json({"measures": rows})
        return
    if not rows:
        stdout.print("No measure is written down. Enter one with: wardwatt energy measure add", markup=False)
        return
    table = Table("id", "what was done", "meter", "baseline", "works since", "entered by", "")
    for r in rows:
        table.add_row(
            r["id"], r["name"]["zh"], r["meter"] or "", f"{r['baseline_from']} – {r['baseline_to']}",
            r["reporting_from"], r["entered_by"] or "site file", "withdrawn" if r["withdrawn"] else r["why_not"],
        )  # fmt: skip
    stdout.print(table)


@app.command("show")
@on_site()
def show_measure(
    options: Options,
    measure: Annotated[str, typer.Argument(help="The id that `list` shows.")],
    language: LanguageOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show what a measure saved up to yesterday, and all that speaks against it."""
    from analytics.energy.measure_book import MeasureBook
    from api.pages.energy_measures import prove_measure
    from api.routes.energy import account_out

    with told(), opened(options) as here:
        if here.held is not None:
            fail(f"The service at {here.held} holds the store; see its page /energy/savings/{measure}, or ask its API.")
        known = MeasureBook(here.site, here.database, now_us).measures()
        if measure not in known:
            raise ValueError(f"there is no measure {measure!r}{nearest(measure, known) or _NONE}")
        found = account_out(prove_measure(here.site, here.books, here.store, known[measure], now_us()))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    stdout.print(f"{found.id}: {found.name.in_(language)}", markup=False)
    if found.saving is not None:
        half = "" if found.uncertainty is None else f" ±{figure(found.uncertainty)}"
        stdout.print(f"{figure(found.saving)}{half} {found.unit}", markup=False)
    for reason in found.reasons:
        stdout.print(f"{'!' if reason.blocking else '-'} {reason.words.in_(language)}", markup=False)


@app.command("add")
@on_site(store=False)
def add_measure(
    options: Options,
    name_zh: Annotated[str, typer.Option("--name-zh", help="What was done, in Chinese.")],
    name_en: Annotated[str, typer.Option("--name-en", help="What was done, in English.")],
    begun: Annotated[str, typer.Option("--from", help="First day of the work: 2026-03-02.")],
    ended: Annotated[str | None, typer.Option("--to", help="Last day of the work; without it one day.")] = None,
    meter: Annotated[str | None, typer.Option("--meter", help="The meter that counts what it changes.")] = None,
    carrier: Annotated[
        str | None, typer.Option("--carrier", help="What of it; without --meter, of the whole hospital.")
    ] = None,
    cost: Annotated[str | None, typer.Option("--cost", help="What it cost, such as 86000.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Where it is written down.")] = None,
    ticket: Annotated[str | None, typer.Option("--ticket", help="Number of the ticket of the work.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its id; without it, made from the English name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Enter a measure: the year before the work is its baseline, the days after it are held against that."""
    work = {"from": begun} | ({"to": ended} if ended is not None else {})
    entry = {
        "id": id_, "name": {"zh": name_zh, "en": name_en}, "meter": meter, "carrier": carrier, "work": work,
        "cost": cost, "owner": owner, "source": source,
    }  # fmt: skip

    def note(session: Session, measure: str) -> None:
        detail = {"entry": entry, "ticket": ticket}
        audit.record(session, now_us(), WHO, "energy-measure-entered", f"measure {measure}", detail)

    with told(), _opened(options) as (_, book):
        entered = book.add(entry, WHO, ticket=ticket, audit=note)
    if as_json:
        print_json({"id": entered.id, "entry": dict(entered.entry)})
        return
    baseline, reporting = entered.entry["baseline"], entered.entry["reporting"]
    stdout.print(
        f"Measure {entered.id}: baseline {baseline['from']} to {baseline['to']}, judged from {reporting['from']} on.",
        markup=False,
    )


@app.command("withdraw")
@on_site(store=False)
def withdraw_measure(
    options: Options,
    measure: Annotated[str, typer.Argument(help="The id that `list` shows.")],
) -> None:
    """Let a measure that was entered be judged no more; it stays on record."""

    def note(session: Session, own: str) -> None:
        audit.record(session, now_us(), WHO, "energy-measure-withdrawn", f"measure {own}", {})

    with told(), _opened(options) as (_, book):
        book.withdraw(measure, WHO, audit=note)
    stdout.print(f"Measure {measure} is judged no more.", markup=False)
