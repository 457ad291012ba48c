"""`wardwatt quarantine ...`: what could not be understood, on the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Column, Table

from api import replaying
from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    ClassesOption,
    DatabaseOption,
    DataOption,
    JsonOption,
    SiteArgument,
    StoreOption,
    fail,
    options_of,
    print_json,
    progress_bar,
    stdout,
    told,
)
from api.options import Options
from api.printable import printable
from collector.quarantine import Quarantine, QuarantineEntry
from collector.replay_orders import Order
from facility.database import Database
from facility.errors import StoreUnavailable

app = typer.Typer(no_args_is_help=True, help="Messages that could not be understood: look, decode again, discard.")

# A service that runs looks for orders every two seconds.
_PATIENCE_S: Final = 8.0
_TOPIC: Final = Column("topic", overflow="fold")

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only what was refused for this reason.")]
TopicOption = Annotated[str | None, typer.Option("--topic", help="Only what came on this topic.")]
IdsArgument = Annotated[
    list[int] | None, typer.Argument(help="Numbers that `wardwatt quarantine list` shows.", show_default=False)
]


def now_us() -> int:
    """Return the time of the machine's clock. [µs since 1970-01-01 UTC]"""
    return time.time_ns() // 1_000


@contextmanager
def _opened(options: Options) -> Iterator[tuple[Database, Quarantine]]:
    if options.database is None and not (options.data / "wardwatt.db").exists():
        # A folder named wrongly must not become a second, empty quarantine.
        raise ValueError(
            f"there is no {options.data / 'wardwatt.db'}; name the service's data folder with --data, "
            "or start the service once"
        )
    database = Database(options.database_url)
    try:
        database.upgrade()
        yield database, Quarantine(database)
    finally:
        database.close()


@app.command("list")
def list_rows(
    reason: ReasonOption = None,
    topic: TopicOption = None,
    limit: Annotated[int, typer.Option("--limit", help="So many rows, the newest first.", min=1)] = 50,
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what could not be understood, the newest first: one row a topic and reason."""
    with told(), _opened(options_of(DEFAULT_SITE, data, database=database)) as (_, quarantine):
        rows, by_reason = quarantine.entries(limit, 0, reason, topic), quarantine.by_reason()
    if as_json:
        print_json({"by_reason": dict(by_reason), "entries": [_fields(row) for row in rows]})
        return
    table = Table("no.", "reason", _TOPIC, "waiting", "kept", "replayed", "newest (UTC)")
    for row in rows:
        table.add_row(
            str(row.id), row.reason, printable(row.topic[:100]), f"{row.waiting:,}", f"{row.kept:,}",
            f"{row.replayed:,}", _moment(row.last_us),
        )  # fmt: skip
    stdout.print(table)
    stdout.print(", ".join(f"{name}: {n:,}" for name, n in by_reason.items()) or "Nothing waits.", markup=False)


@app.command("show")
def show(
    entry: Annotated[int, typer.Argument(help="The number that `wardwatt quarantine list` shows.")],
    messages: Annotated[int, typer.Option("--messages", help="So many raw messages, the newest first.", min=0)] = 3,
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one row: what is wrong with it, and its newest messages as they came."""
    with told(), _opened(options_of(DEFAULT_SITE, data, database=database)) as (_, quarantine):
        row = quarantine.entry(entry)
        if row is None:
            raise ValueError(f"there is no row {entry}; wardwatt quarantine list shows the numbers")
        newest = quarantine.newest(entry, messages)
    if as_json:
        raw = [
            {"topic": m.topic, "arrival_us": m.arrival_us, "retained": m.retained,
             "payload": m.payload.decode("utf-8", "backslashreplace")}
            for m in newest
        ]  # fmt: skip
        print_json(_fields(row) | {"messages": raw})
        return
    stdout.print(
        f"{row.reason} on {printable(row.topic)}\n{printable(row.detail)}\n{row.count:,} refused from "
        f"{_moment(row.first_us)} to {_moment(row.last_us)} UTC; {row.kept:,} kept, {row.replayed:,} replayed, "
        f"{row.lost:,} not kept any more",
        markup=False,
    )
    for message in newest:
        text = printable(message.payload[:4000].decode("utf-8", "backslashreplace"))
        stdout.print(f"{_moment(message.arrival_us)}  {text}", markup=False)


@app.command("replay")
def replay(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    topic: TopicOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what the site file, as it is now, would understand.")
    ] = False,
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    database: DatabaseOption = None,
    classes: ClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decode again what the mended mapping understands; by the service if it runs, otherwise here."""
    options = options_of(site, data, None, store, database, classes)
    with told(), _opened(options) as (opened, quarantine):
        chosen = _chosen(quarantine, ids, reason, topic)
        if dry_run:
            _dry_run(options, quarantine, chosen, as_json)
            return
        order = replaying.give_order(opened, quarantine, chosen, now_us(), replaying.COMMAND, "command")
        done = _carried_out(options, opened, quarantine, order)
    if as_json:
        print_json(
            {"messages": done.done, "understood": done.understood, "moved": done.moved, "still": done.still,
             "readings": done.readings, "error": done.error}
        )  # fmt: skip
    else:
        stdout.print(
            f"{done.done:,} messages decoded again: {done.understood:,} understood, {done.readings:,} readings stored; "
            f"{done.moved:,} are refused for another reason now, {done.still:,} as before.",
            markup=False,
        )
        if done.error:
            stdout.print(f"On the way: {done.error}", markup=False)


@app.command("discard")
def discard(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    topic: TopicOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Discard everything.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete rows with their messages, for good; the audit trail says that it was done."""
    with told(), _opened(options_of(DEFAULT_SITE, data, database=database)) as (opened, quarantine):
        if not ids and reason is None and topic is None and not everything:
            raise ValueError("say what: numbers of rows, --reason, --topic, or --all")
        found = _chosen(quarantine, ids, reason, topic)
        chosen = quarantine.choose() if found is None else found
        if chosen and not yes and not typer.confirm(f"Delete {len(chosen)} rows with all their messages?"):
            raise typer.Exit(1)
        done = replaying.discard(opened, quarantine, chosen, now_us, replaying.COMMAND, "command")
    if as_json:
        print_json({"discarded": done})
    else:
        stdout.print(f"{done} rows discarded.", markup=False)


def _chosen(
    quarantine: Quarantine, ids: Sequence[int] | None, reason: str | None, topic: str | None
) -> Sequence[int] | None:
    """Return the rows that are meant; None: all."""
    if ids:
        if reason is not None or topic is not None:
            raise ValueError("name rows by number, or by --reason and --topic, not both")
        missing = [str(i) for i in ids if quarantine.entry(i) is None]
        if missing:
            raise ValueError(f"there is no row {', '.join(missing)}; wardwatt quarantine list shows the numbers")
        return ids
    return None if reason is None and topic is None else quarantine.choose(reason, topic)


def _dry_run(options: Options, quarantine: Quarantine, chosen: Sequence[int] | None, as_json: bool) -> None:
    from collector.replay import survey  # numpy and the decoder: not for `wardwatt --help`

    found = survey(options.load_site(), quarantine, now_us(), chosen)
    rows = [row for entry in found if (row := quarantine.entry(entry)) is not None]
    if as_json:
        print_json(
            {"messages": sum(r.kept for r in rows), "understood": sum(found.values()),
             "entries": [_fields(r) | {"understood": found[r.id]} for r in rows]}
        )  # fmt: skip
        return
    table = Table("no.", "reason", _TOPIC, "would be understood")
    for row in rows:
        table.add_row(str(row.id), row.reason, printable(row.topic[:100]), f"{found[row.id]:,} of {row.kept:,}")
    stdout.print(table)
    total = sum(r.kept for r in rows)
    stdout.print(f"Would be understood now: {sum(found.values()):,} of {total:,} messages.", markup=False)


def _carried_out(options: Options, database: Database, quarantine: Quarantine, order: Order) -> Order:
    """Wait for the service to do it; if none takes the order, do it here."""
    orders = replaying.orders_of(database, quarantine)
    asked = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("Replaying", total=max(1, order.total))
        while True:
            now = orders.order(order.id) or order
            bar.update(task, completed=now.done, description=now.error[:60] or "Replaying")
            if now.state == "done":
                return now
            if now.state == "waiting" and not now.error and time.monotonic() - asked > _PATIENCE_S:
                break
            time.sleep(0.3)
    from collector.replay import Replays
    from facility.store.opening import open_store

    site = options.load_site()
    try:
        store = open_store(options.store_url)
    except StoreUnavailable as error:
        fail(f"{error}\nThe order stands: a service that is started with this data carries it out.", 3)
    with store:
        mine = orders.claim(now_us())
        done = order
        while mine is not None:
            done = Replays(quarantine, orders, site, store, now_us).carry_out(mine)
            mine = orders.claim(now_us()) if done.id != order.id else None
    return done


def _moment(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"


def _fields(row: QuarantineEntry) -> dict[str, Any]:
    return {
        "id": row.id, "topic": row.topic, "reason": row.reason, "detail": row.detail, "payload_text": row.text(),
        "payload_size": row.payload_size, "first_us": row.first_us, "last_us": row.last_us, "count": row.count,
        "kept": row.kept, "replayed": row.replayed, "lost": row.lost, "gateway": row.gateway,
    }  # fmt: skip
