"""What the commands of the energy accounts share: how they open the books, and how they read and show values."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from api.options import Options
from api.security import audit
from facility.formats import exact_minute
from facility.names import LANGUAGES, Language

if TYPE_CHECKING:
    # The books bring numpy, scipy and the keepers; `--help` does without.
    from sqlalchemy.orm import Session

    from analytics.energy.books import Books
    from facility.database import Database
    from facility.site import Site
    from facility.store import TelemetryStore

WHO: Final = "command"
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100

NO_TARIFF: Final = "the site has no tariff: write what energy costs under tariffs: in the site file (docs/tariffs.md)"

MonthArgument = Annotated[str, typer.Argument(help="The month, such as 2026-03.", metavar="MONTH")]


def _language(text: str) -> Language:
    if text not in LANGUAGES:
        raise typer.BadParameter(f"{text!r} is no language; write zh or en")
    return text


LanguageOption = Annotated[Language, typer.Option("--language", help="zh or en.", parser=_language, metavar="zh|en")]


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command works with; `held` is the service that has the store, if one runs."""

    site: Site
    books: Books
    store: TelemetryStore
    database: Database
    held: str | None


def now_us() -> int:
    """Return the time of the machine's clock. [µs since 1970-01-01 UTC]"""
    return time.time_ns() // 1_000


@contextmanager
def database_opened(options: Options) -> Iterator[tuple[Site, Database]]:
    """Open the relational side of a data folder, with its site, for what needs no readings."""
    from facility.database import Database

    file = options.data / "wardwatt.db"
    if options.database is None and not file.exists():
        # A folder named wrongly must not become second, empty books.
        raise ValueError(f"there is no {file}; name the service's data folder with --data, or start the service once")
    site = options.load_site()
    database = Database(options.database_url)
    try:
        database.upgrade()
        yield site, database
    finally:
        database.close()


@contextmanager
def opened(options: Options, *, store: bool = False) -> Iterator[Opened]:
    """
    Open the books of a data folder.

    While a service runs, its store is asked through it; `store`: the command needs the store itself, to write.
    """
    from analytics.energy.books import Books
    from api.reaching import reached, running_service
    from facility.store.opening import open_store

    with ExitStack() as closing:
        site, database = closing.enter_context(database_opened(options))
        service = running_service(options.data, options.store)
        held: TelemetryStore
        if store and service is None:
            held = closing.enter_context(open_store(options.store_url, zone=site.time_zone.key))
        else:
            # A service's store answers as much as the entry of a reading asks: what lies around it.
            held = cast("TelemetryStore", closing.enter_context(reached(options.data, options.store)).store)
        yield Opened(
            site, Books(site, held, database, now_us), held, database, service.service.url if service else None
        )


def lacking(here: Opened) -> str:
    """Return what the books lack to hold anything at all, and how it is added; empty if they hold something."""
    if not here.books.registers():
        return (
            "the site has no meter: add one to the site file, such as {id: em-main, class: electricity_meter} "
            "(docs/site-file.md), and look it over with: wardwatt check"
        )
    if here.books.booked_until_us is None:
        return (
            "nothing is booked, for no meter has been read: connect it (docs/connecting-a-gateway.md) or enter what it "
            "shows (wardwatt energy hand-reading add), twice at least; a service books it, or: wardwatt energy book"
        )
    return ""


def sentence(told: str) -> str:
    """Return what is told as a sentence of its own."""
    return f"{told[0].upper()}{told[1:]}."


def note_of(action: str, subject: str, detail: Mapping[str, Any]) -> Callable[[Session], None]:
    """Return what writes a line to the audit trail within the transaction that it tells of."""

    def write(session: Session) -> None:
        audit.record(session, now_us(), WHO, action, subject, detail)

    return write


def month_of(text: str) -> date:
    """Return a month's first day; ValueError if the text is none."""
    try:
        found = datetime.strptime(text.strip(), "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is no month; write it such as 2026-03") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"{text!r} is no month of {_FIRST_YEAR} to {_LAST_YEAR}; write it such as 2026-03")
    return found


def moment_of(site: Site, time_us: int) -> str:
    """Return a time as the site's clock shows it."""
    return exact_minute(time_us, site.time_zone)


def share(value: float) -> str:
    """Return a share in per cent as tables show it."""
    return f"{100 * value:z.1f}%"


def figure(value: float | None) -> str:
    """Return a figure as tables show it."""
    return "—" if value is None or not math.isfinite(value) else f"{value:z,.1f}"


def money(cents: int | None) -> str:
    """Return money from cents."""
    if cents is None:
        return "—"
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"
