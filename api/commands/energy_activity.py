"""`wardwatt energy activity ...`: bed-days, visits, surgeries and staff, over which consumption is put."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from sqlalchemy.orm import Session

from analytics.energy.activity import ActivityBook
from api.commands.energy_books import month_of
from api.commands.options import JsonOption, on_site, print_json, stdout, told
from api.options import Options
from api.security import audit
from facility.activity import ACTIVITY_KINDS, ACTIVITY_NAMES, ACTIVITY_UNITS
from facility.database import Database
from facility.formats import number
from facility.site import Site
from facility.wording import nearest

app = typer.Typer(no_args_is_help=True, help="What the hospital did: bed-days, visits, surgeries, staff.")

_WHO: Final = "command"


def _now_us() -> int:
    return time.time_ns() // 1_000


@contextmanager
def _opened(options: Options) -> Iterator[tuple[Site, ActivityBook]]:
    file = options.data / "wardwatt.db"
    if options.database is None and not file.exists():
        # A folder named wrongly must not become a second, empty record.
        raise ValueError(f"there is no {file}; name the service's data folder with --data, or start the service once")
    site = options.load_site()
    database = Database(options.database_url)
    try:
        database.upgrade()
        yield site, ActivityBook(site, database, _now_us)
    finally:
        database.close()


@app.command("import")
@on_site(store=False)
def import_file(
    options: Options,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or .xlsx with the columns kind, day, value and perhaps department. A day may be a month: 2026-03."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Take a table of what the hospital did. All of it is taken, or with a mistake in it nothing."""
    with told(), _opened(options) as (_, book):

        def note(session: Session, changed: int) -> None:
            audit.record(session, _now_us(), _WHO, "activity-imported", file.name, {"figures": changed})

        taken = book.import_table(file.name, file.read_bytes(), _WHO, note)
    if as_json:
        print_json({"taken": taken})
        return
    stdout.print(f"{taken} figures were new or different and have been taken." if taken else "Nothing new stood there.")


@app.command()
@on_site(store=False)
def show(
    options: Options,
    month: Annotated[
        str | None, typer.Option("--month", help="Such as 2026-03; without it, the running month.")
    ] = None,
    department: Annotated[str | None, typer.Option("--department", help="Id of a department.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is known of a month, of the whole hospital or of a department."""
    with told(), _opened(options) as (found, book):
        first = _month(month, found)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        if department is not None and department not in found.departments:
            raise ValueError(f"no department is called {department!r}{nearest(department, found.departments)}")
        totals = {kind: book.total(kind, department, first, last) for kind in ACTIVITY_KINDS}
    if as_json:
        print_json(
            {
                kind: {
                    "value": total.value,
                    "unit": ACTIVITY_UNITS[kind],
                    "days": total.days,
                    "known": total.days_known,
                }
                for kind, total in totals.items()
            }
        )
        return
    table = Table("", "amount", "days known")
    for kind, total in totals.items():
        table.add_row(ACTIVITY_NAMES[kind].en, number(total.value, 0), f"{total.days_known} of {total.days}")
    stdout.print(table)
    if not any(total.days_known for total in totals.values()):
        stdout.print("Nothing is known of this month. Bring it in with: wardwatt energy activity import", markup=False)


def _month(text: str | None, site: Site) -> date:
    if text is None:
        return datetime.now(site.time_zone).date().replace(day=1)
    return month_of(text)
