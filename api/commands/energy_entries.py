"""`wardwatt energy hand-reading ...` and `exchange`: what people enter into the accounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from api.commands.energy_books import WHO, Opened, lacking, moment_of, note_of, now_us, opened
from api.commands.options import JsonOption, on_site, print_json, stdout, told
from api.options import Options
from api.security import audit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

app = typer.Typer(no_args_is_help=True, help="Registers that people read.")

RegisterArgument = Annotated[str, typer.Argument(help="equipment/point, or the machine's id alone: w-main.")]
TimeOption = Annotated[str, typer.Option("--at", help="When, by the site's clock: '2026-03-01 08:30'.")]
NoteOption = Annotated[str, typer.Option("--note", help="A few words for whoever reads it later.")]


@app.command("add")
@on_site()
def add_reading(
    options: Options,
    register: RegisterArgument,
    value: Annotated[str, typer.Argument(help="What the register shows.")],
    at: TimeOption,
    note: NoteOption = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="The value is unlikely, and meant.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Enter a register that was read by hand."""
    from analytics.energy.entry_checks import READING
    from analytics.energy.entry_texts import asked_time, asked_value

    with told(), opened(options) as here:
        key, at_us, shown = _key(here, register), asked_time(at, here.site.time_zone), asked_value(value, READING)
        detail = {"at_us": at_us, "value": shown, "note": note, "confirmed": confirm}
        entered = here.books.add_hand_reading(
            key, at_us, shown, WHO, note, confirmed=confirm,
            audit=note_of("energy-reading-entered", f"register {key}", detail),
        )  # fmt: skip
    if as_json:
        print_json(entered.to_json())
    else:
        stdout.print(f"Reading {entered.id} of {key}: {shown:,.10g} at {moment_of(here.site, at_us)}.", markup=False)


@app.command("list")
@on_site()
def list_readings(
    options: Options,
    register: Annotated[str | None, typer.Argument(help="Only of this register.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List readings by hand, withdrawn ones too."""
    with told(), opened(options) as here:
        found = here.books.hand_readings(None if register is None else _key(here, register), withdrawn=True)
    if as_json:
        print_json({"readings": [r.to_json() for r in found]})
        return
    if not found:
        stdout.print("No register was read by hand. Enter one with: wardwatt energy hand-reading add", markup=False)
        return
    table = Table("no.", Column("register", no_wrap=True), "at", "value", "by", "note", "")
    for r in found:
        gone = "withdrawn" if r.withdrawn_us is not None else ""
        table.add_row(
            str(r.id),
            r.register,
            moment_of(here.site, r.at_us),
            f"{r.value:,.10g}",
            escape(r.entered_by),
            escape(r.note),
            gone,
        )
    stdout.print(table)


@app.command("withdraw")
@on_site()
def withdraw_reading(
    options: Options,
    number: Annotated[int, typer.Argument(help="The number that `list` shows.")],
) -> None:
    """Let a reading by hand count no more; it stays on record."""
    with told(), opened(options) as here:
        note = note_of("energy-reading-withdrawn", f"reading {number}", {})
        here.books.withdraw_hand_reading(number, WHO, audit=note)
    stdout.print(f"Reading {number} counts no more.")


@app.command("import")
@on_site()
def import_readings(
    options: Options,
    file: Annotated[
        Path, typer.Argument(help="CSV or .xlsx with the columns register, time, value and perhaps unit and note.")
    ],
    confirm: Annotated[bool, typer.Option("--confirm", help="Unlikely values are meant.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a table of readings by hand. All of it is taken, or with a mistake in it nothing."""
    with told(), opened(options) as here:

        def note(session: Session, fresh: int) -> None:
            audit.record(session, now_us(), WHO, "energy-readings-imported", file.name, {"readings": fresh})

        fresh = here.books.import_hand_readings(file.name, file.read_bytes(), WHO, confirmed=confirm, audit=note)
    if as_json:
        print_json({"readings": fresh})
    else:
        stdout.print(f"{fresh} readings are new.")


@on_site()
def exchange(
    options: Options,
    register: RegisterArgument,
    at: TimeOption,
    end: Annotated[str, typer.Option("--end", help="What the old meter showed last.")],
    start: Annotated[str, typer.Option("--start", help="What the new meter showed first.")],
    note: NoteOption = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="The end is unlikely, and meant.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Enter an exchange of a meter: the old register's end, the new one's start."""
    from analytics.energy.entry_checks import NEW_START, OLD_END
    from analytics.energy.entry_texts import asked_time, asked_value

    with told(), opened(options) as here:
        key, at_us = _key(here, register), asked_time(at, here.site.time_zone)
        old, new = asked_value(end, OLD_END), asked_value(start, NEW_START)
        detail = {"at_us": at_us, "end": old, "start": new, "note": note, "confirmed": confirm}
        audit = note_of("energy-exchange-entered", f"register {key}", detail)
        entered = here.books.add_exchange(key, at_us, old, new, WHO, note, confirmed=confirm, audit=audit)
    if as_json:
        print_json(entered.to_json())
    else:
        stdout.print(
            f"Exchange {entered.id} of {key} at {moment_of(here.site, at_us)}: {old:,.10g} to {new:,.10g}.",
            markup=False,
        )


def _key(here: Opened, register: str) -> str:
    """Return the register that is meant by its key or its machine's id."""
    from analytics.energy.reading_tables import main_register
    from facility.wording import nearest

    registers = here.books.registers()
    if not registers:
        raise ValueError(lacking(here))
    if register in registers:
        return register
    key = main_register(registers, register)
    if key is not None:
        return key
    own = [k for k, r in registers.items() if r.equipment.id == register]
    mend = f"; write one of {', '.join(own)}" if own else nearest(register, registers)
    raise ValueError(f"{register!r} is no register that is booked{mend}")
