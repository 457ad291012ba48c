"""`wardwatt store ...`: what a store holds, moving readings, backups."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.table import Table

from api.commands.options import (
    DEFAULT_DATA,
    ClassesOption,
    DatabaseOption,
    DataOption,
    JsonOption,
    StoreOption,
    fail,
    options_of,
    print_json,
    progress_bar,
    stages,
    stderr,
    stdout,
    told,
)

if TYPE_CHECKING:
    # Keepers and formats take a second to import; `--help` does without.
    from api.reaching import Reached
    from facility.backup.manifest import Manifest
    from facility.store.exchange.chunks import BadRow

app = typer.Typer(no_args_is_help=True, help="What the store holds; moving readings between stores and files; backups.")

FromOption = Annotated[
    str | None,
    typer.Option("--from", help="Only readings from then on: 2026-03-01T00:00:00+08:00, or 2026-03-01 with --zone."),
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Only readings before then.")]
PointsOption = Annotated[
    list[str] | None,
    typer.Option("--points", help="Only these: tx1 (a machine), tx1/load (a point), 'tx*/load'; may repeat."),
]
ZoneOption = Annotated[
    str | None, typer.Option("--zone", help="Time zone of times without one, such as Asia/Shanghai.")
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="csv, wide (a column a point), parquet or line; without it the file's ending says."),
]
SiteOption = Annotated[
    Path | None, typer.Option("--site", "-s", envvar="WARDWATT_SITE", help="Site file, or the folder that holds it.")
]


@app.callback()
def _store() -> None:
    pass


@app.command()
def info(data: DataOption = DEFAULT_DATA, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Say what the store holds: readings, points, room, from when to when, and what is left only as roll-ups."""
    from api.reaching import reached

    with told(), reached(data, store) as found:
        _say(found)
        facts = found.info()
    if as_json:
        print_json(facts | {"way": found.way})
        return
    table = Table("", "")
    table.add_row("keeper", f"{facts['keeper']}, {facts['place']}")
    table.add_row("readings", f"{facts['readings']:,} of {facts['points']:,} points")
    if facts["bytes"]:
        each = f", {facts['bytes_per_reading']} bytes a reading" if facts["bytes_per_reading"] else ""
        table.add_row("room", f"{facts['bytes'] / 1e6:,.1f} MB{each}")
    if facts["first_us"] is not None:
        table.add_row("from", _moment(facts["first_us"]))
        table.add_row("to", _moment(facts["last_us"]))
    for level in facts["levels"]:
        if level["level"] != "raw" and (level["rows"] is not None or level["kept_from_us"] is not None):
            rows = "" if level["rows"] is None else f"{level['rows']:,} stored steps"
            since = f", from {_moment(level['kept_from_us'])}" if level["kept_from_us"] is not None else ""
            table.add_row(f"roll-ups of {level['level']}", f"{rows}{since}".lstrip(", "))
    if facts["waiting"]:
        table.add_row("waiting", f"{facts['waiting']:,} readings in the spool, not yet in the store")
    stdout.print(table)
    _tell_rollups(facts)


@app.command()
def compact(data: DataOption = DEFAULT_DATA, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Sort and merge what a DuckDB store has taken in lately; it does so by itself, now it does so at once."""
    from api.reaching import reached
    from api.service_store import ServiceStore
    from facility.store.duckdb import DuckDBStore

    with told(), reached(data, store, write=True) as found:
        _say(found)
        with progress_bar() as bar:
            bar.add_task("Compacting", total=None)
            if isinstance(found.store, ServiceStore):
                before, after = found.store.compact()
            elif isinstance(found.store, DuckDBStore):
                before = found.store.size().bytes
                found.store.compact()
                after = found.store.size().bytes
            else:
                raise ValueError("InfluxDB compacts by itself; there is nothing to do")
    if as_json:
        print_json({"bytes_before": before, "bytes": after})
        return
    stdout.print(f"Compacted: {before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB now.")


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Path of a DuckDB file, or influxdb://... .")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; a DuckDB file that is not there is made.")],
    from_: FromOption = None,
    until: UntilOption = None,
    points: PointsOption = None,
    zone: ZoneOption = None,
    site: SiteOption = None,
    classes: ClassesOption = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """
    Copy readings from one store to another, and compare both afterwards.

    What TO holds already stays; broken off, the same command goes on where it stood. Exit code 1 if both sides differ.
    With --site the points belong where the site file says, else where FROM says.
    """
    from api.reaching import reached
    from facility.store.influx_address import without_secret
    from facility.store.transfer import Selection, select
    from facility.store.transfer import copy as copy_readings

    with told(), ExitStack() as closing:
        if _same_store(source, target):
            raise ValueError(f"FROM and TO are one store, {without_secret(source)}; name another one as TO")
        loaded = options_of(site, data, classes=classes).load_site() if site is not None else None
        clock = _zone(zone) or (loaded.time_zone if loaded else None)
        here = closing.enter_context(reached(data, source))
        there = closing.enter_context(
            reached(
                data, target, write=True, makes="named", zone=loaded.time_zone.key if loaded else None,
                origin=f"copy of {without_secret(source)}",
            )
        )  # fmt: skip
        _say(here)
        _say(there)
        _tell_rollups(here.info())
        chosen = select(here.store, points or (), _time(from_, clock), _time(until, clock))
        if loaded is not None:
            known = {address.key: address for address in loaded.points.addresses}
            addresses = {key: known.get(key, address) for key, address in chosen.addresses.items()}
            chosen = Selection(addresses, chosen.start_us, chosen.end_us)
        with _counted() as progress:
            done = copy_readings(here.store, there.store, chosen, progress)
    if as_json:
        print_json(
            {
                "points": done.points,
                "written": done.written,
                "source": {"readings": done.source.count, "checksum": done.source.hex},
                "target": {"readings": done.target.count, "checksum": done.target.hex},
                "equal": not done.differences,
                "different": [
                    {"point": d.key, "source": d.source.count, "target": d.target.count} for d in done.differences
                ],
                "refused": dict(done.refused),
            }
        )
    else:
        stdout.print(f"{done.written:,} readings of {done.points:,} points written.")
        table = Table("", "readings", "checksum")
        table.add_row("from", f"{done.source.count:,}", done.source.hex)
        table.add_row("to", f"{done.target.count:,}", done.target.hex)
        stdout.print(table)
    if done.differences:
        lines = [f"{len(done.differences)} points differ:", *(f"  {d}" for d in done.differences[:20])]
        lines += [f"  ... and {len(done.differences) - 20} more"] if len(done.differences) > 20 else []
        lines += [f"  refused: {key}: {words}" for key, words in list(done.refused.items())[:5]]
        lines.append(
            "If readings came in meanwhile, run the same command again. If TO holds more, it was not empty: give it a "
            "store of its own, or choose with --from, --until and --points."
        )
        fail("\n".join(lines))
    if not as_json:
        stdout.print("Both sides are equal.")


def _same_store(source: str, target: str) -> bool:
    from api.reaching import store_file

    # The folder of data matters only where no store is named.
    here, there = store_file(source, Path()), store_file(target, Path())
    if here is None or there is None:
        return source == target
    return here.resolve() == there.resolve()


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write: .csv, .csv.gz, .parquet, .lp or .lp.gz.")],
    form: FormatOption = None,
    from_: FromOption = None,
    until: UntilOption = None,
    points: PointsOption = None,
    zone: ZoneOption = None,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write readings to a file: CSV, Parquet or line protocol."""
    from api.reaching import reached
    from facility.store.exchange.files import export as export_readings
    from facility.store.exchange.files import format_of
    from facility.store.transfer import select

    with told():
        wanted = format_of(file, form)
        clock = _zone(zone)
        if file.exists() and not force:
            raise ValueError(f"{file} is there already; name another file, or say --force")
        _check_target(file)
        with reached(data, store) as found:
            _say(found)
            _tell_rollups(found.info())
            chosen = select(found.store, points or (), _time(from_, clock), _time(until, clock))
            with _counted() as progress:
                done = export_readings(found.store, chosen, file, wanted, clock, progress)
    size = file.stat().st_size
    if as_json:
        print_json(
            {
                "file": str(file), "format": wanted, "points": done.points, "readings": done.whole.count,
                "checksum": done.whole.hex, "bytes": size,
            }
        )  # fmt: skip
        return
    stdout.print(
        f"{done.whole.count:,} readings of {done.points:,} points in {file} ({size / 1e6:,.1f} MB). "
        f"Checksum {done.whole.hex}.",
        markup=False,
    )


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files as `export` writes them, or your own.")],
    form: FormatOption = None,
    zone: ZoneOption = None,
    precision: Annotated[
        str, typer.Option("--precision", help="Unit of times in line protocol that does not say it: ns, us, ms or s.")
    ] = "ns",
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Import what is sound; rows with mistakes go to FILE.bad.csv and are counted."),
    ] = False,
    site: SiteOption = None,
    classes: ClassesOption = None,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Read readings from files into the store.

    Every row of every file is checked before the first is stored. The same import again changes nothing. With --site
    only points of the site are taken, and they belong where it says. No live rule looks at what is imported.
    """
    from api.reaching import reached
    from facility.store.exchange.files import Imported, Origin, format_of, load, told_mistakes
    from facility.store.exchange.line_protocol import PRECISIONS

    with told():
        if precision not in PRECISIONS:
            raise ValueError(f"--precision {precision!r} is none; write one of {', '.join(PRECISIONS)}")
        loaded = options_of(site, data, classes=classes).load_site() if site is not None else None
        clock = _zone(zone) or (loaded.time_zone if loaded else None)
        known = {address.key: address for address in loaded.points.addresses} if loaded else {}
        # A reading from the future would hide all honest ones until its time has come.
        latest_us = time.time_ns() // 1000 + 86_400_000_000
        origins = [
            Origin(file, format_of(file, form), known, loaded is not None, clock, precision, latest_us)
            for file in files
        ]
        missing = next((file for file in files if not file.exists()), None)
        if missing is not None:
            raise ValueError(f"{missing}: the file is not there; check its name")
        if not skip_bad:
            _check(origins)
        total = Imported()
        sides: list[Path] = []
        with reached(
            data, store, write=True, makes="named", origin=f"import of {', '.join(f.name for f in files)}"
        ) as found:
            _say(found)
            for origin in origins:
                with _side_file(origin.path, sides) as on_bad, _shared(f"Importing {origin.path.name}") as progress:
                    one = load(origin, found.store.write, on_bad, progress)
                total.readings += one.readings
                total.bad += one.bad
                total.points = max(total.points, one.points)
                total.refused |= one.refused
                total.mistakes += one.mistakes
    if as_json:
        print_json(
            {
                "readings": total.readings, "bad": total.bad, "refused": total.refused,
                "side_files": [str(side) for side in sides],
            }
        )  # fmt: skip
    else:
        stdout.print(f"{total.readings:,} readings imported.")
    if total.bad and not as_json:
        stderr.print(told_mistakes(total.mistakes, total.bad), markup=False)
        stderr.print(f"{total.bad:,} rows left out; they stand in {', '.join(map(str, sides))}.", markup=False)
    if total.refused:
        fail("\n".join(f"{key}: not taken: {words}" for key, words in list(total.refused.items())[:20]))


def _check_target(file: Path) -> None:
    """Raise ValueError where no export can be written: never over a store or a database, whatever is forced."""
    if file.is_dir():
        raise ValueError(f"{file} is a folder; name a file in it")
    if not file.parent.is_dir():
        raise ValueError(f"{file}: there is no folder {file.parent}; make it first, or name another")
    if file.exists():
        with file.open("rb") as there:
            begins = there.read(16)
        if begins[8:12] == b"DUCK" or begins.startswith(b"SQLite format 3"):
            raise ValueError(f"{file} is a store or a database, over which no export is written; name another file")


def _check(origins: list[Any]) -> None:
    """Look at every row of every file; leave with the mistakes if there are any."""
    from facility.store.exchange.files import load, told_mistakes

    mistakes: list[BadRow] = []
    count = 0
    for origin in origins:
        with _shared(f"Checking {origin.path.name}") as progress:
            one = load(origin, None, progress=progress)
        mistakes += one.mistakes
        count += one.bad
    if count:
        fail(
            f"{told_mistakes(mistakes, count)}\n{count:,} rows are wrong; nothing has been imported. Mend them, or say "
            "--skip-bad to import the others.",
            2,
        )


@contextmanager
def _side_file(file: Path, sides: list[Path]) -> Iterator[Callable[[BadRow], None]]:
    """Give a function that keeps bad rows in a file beside the one that is read; it is made when there is one."""
    side = file.with_name(f"{file.name}.bad.csv")
    with ExitStack() as closing:
        rows: Any = None

        def keep(row: BadRow) -> None:
            nonlocal rows
            if rows is None:
                opened = closing.enter_context(side.open("w", encoding="utf-8", errors="surrogateescape", newline=""))
                rows = csv.writer(opened)
                rows.writerow(("line", "what is wrong", "row"))
                sides.append(side)
            rows.writerow((row.line, row.words, row.text))

        yield keep


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="New folder for the backup.")],
    site: SiteOption = None,
    classes: ClassesOption = None,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    database: DatabaseOption = None,
    without_database: Annotated[
        bool, typer.Option("--without-database", help="Leave out alerts, tickets and people.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not read the copy again to see whether every reading is sound.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Back up telemetry, database and site file into a new folder, while the service runs.

    The folder gets its name when everything is in it and on disk. Name the site with --site, or it is left out.
    """
    from importlib.metadata import version

    from api.reaching import reached
    from facility.backup.making import Sources, make

    with told():
        options = options_of(site or Path(), data, store=store, database=database, classes=classes)
        if database is None and not without_database and not (data / "wardwatt.db").exists():
            raise ValueError(
                f"there is no {data / 'wardwatt.db'}; name the service's data folder with --data, or say "
                "--without-database"
            )
        if site is None:
            stderr.print("The site file is left out; name it with --site to have it in the backup.")
        with reached(data, store, write=True) as found, stages() as progress:
            _say(found)
            facts = found.info()
            sources = Sources(
                store=found.store,
                keeper="duckdb" if facts["keeper"] == "duckdb" else "influxdb",
                database=None if without_database else options.database_url,
                site=site,
                classes=tuple(classes or ()),
                data=data,
                only_rollups_before_us=facts["only_rollups_before_us"],
            )
            waiting = int(facts["waiting"])
            manifest = make(
                folder,
                sources,
                now_us=time.time_ns() // 1000,
                program=version("wardwatt"),
                quick=quick,
                progress=progress,
            )
    if facts["keeper"] == "influxdb":
        _tell_rollups(facts)
    if waiting:
        stderr.print(
            f"{waiting:,} readings wait in the spool for the store and are not in this backup; take another one when "
            "the store is back."
        )
    if as_json:
        print_json(_manifest(folder, manifest) | {"waiting": waiting})
        return
    _print_manifest(folder, manifest, "Backed up to")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    database: DatabaseOption = None,
    without_database: Annotated[
        bool, typer.Option("--without-database", help="Leave alerts, tickets and people as they are.")
    ] = False,
    site_to: Annotated[
        Path | None,
        typer.Option("--site-to", help="Folder that gets the site's files; without it they stay where they are."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Restore over what is there; files there are moved aside, not deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a backup and bring it back into an empty data folder; the service must not run."""
    from api.reaching import running_service, store_file
    from facility.backup.manifest import BackupDamaged
    from facility.backup.restoring import Targets
    from facility.backup.restoring import restore as restore_backup

    with told():
        options = options_of(Path(), data, store=store, database=database)
        service = running_service(data, None)
        if service is not None:
            fail(f"the service at {service.service.url} runs with {data}; stop it, then restore", 3)
        targets = Targets(
            data=data,
            store=options.store_url,
            store_file=store_file(store, data),
            database=None if without_database else options.database_url,
            site=site_to,
        )
        try:
            with stages() as progress:
                done = restore_backup(folder, targets, force=force, now_us=time.time_ns() // 1000, progress=progress)
        except BackupDamaged as error:
            fail(f"{error}\nNothing has been changed." if "restore again" not in str(error) else str(error), 1)
    if as_json:
        print_json(
            {
                "files": [str(file) for file in done.files],
                "aside": {str(was): str(now) for was, now in done.aside.items()},
                "readings": done.readings,
            }
        )
        return
    lines = [f"Restored {done.readings:,} readings and {len(done.files)} files."]
    lines += [f"Moved aside: {was} is now {now.name}" for was, now in done.aside.items()]
    lines.append(f"Start the service with --data {data}.")
    stdout.print("\n".join(lines), markup=False)


@app.command()
def verify(
    what: Annotated[
        str | None, typer.Argument(metavar="[BACKUP]", help="Folder of a backup; without it the store itself is read.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Of a backup: compare lengths and checksums of the files only.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read every reading of a backup, or of the store, and say whether all are there. Exit code 1 if not."""
    from api.reaching import reached
    from facility.backup.manifest import BackupDamaged
    from facility.backup.restoring import verify as verify_backup
    from facility.store.fingerprint import whole
    from facility.store.transfer import counts_of, fingerprints, select

    with told():
        if what is not None:
            try:
                with stages() as progress:
                    manifest = verify_backup(Path(what), deep=not quick, progress=progress)
            except BackupDamaged as error:
                fail(str(error), 1)
            if as_json:
                print_json(_manifest(Path(what), manifest) | {"sound": True})
            else:
                _print_manifest(Path(what), manifest, "Sound:")
            return
        with reached(data, store) as found, _counted() as progress_of:
            _say(found)
            chosen = select(found.store)
            expected = counts_of(found.store, chosen)
            read = fingerprints(found.store, chosen, progress_of)
    wrong = {
        key: (count, read[key].count if key in read else 0)
        for key, count in expected.items()
        if count > (read[key].count if key in read else 0)
    }
    total = whole(read)
    if as_json:
        print_json({"sound": not wrong, "readings": total.count, "points": len(read), "checksum": total.hex})
    else:
        stdout.print(f"{total.count:,} readings of {len(read):,} points read. Checksum {total.hex}.")
    if wrong:
        lines = [f"{key}: {have} readings can be read where {count} should be" for key, (count, have) in wrong.items()]
        fail("\n".join([*lines[:20], "The store is damaged: restore the newest backup."]))


def _manifest(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "folder": str(folder), "made_us": manifest.made_us, "program": manifest.program,
        "telemetry": dict(manifest.telemetry), "database": dict(manifest.database),
        "files": len(manifest.files), "bytes": sum(mark.bytes for mark in manifest.files.values()),
    }  # fmt: skip


def _print_manifest(folder: Path, manifest: Manifest, what: str) -> None:
    facts = _manifest(folder, manifest)
    readings = facts["telemetry"]
    table = Table("", "")
    table.add_row("telemetry", f"{readings['readings']:,} readings of {readings['points']:,} points")
    if readings["first_us"] is not None:
        table.add_row("", f"from {_moment(readings['first_us'])} to {_moment(readings['last_us'])}")
    table.add_row("checksum", readings["checksum"] or "not computed (--quick)")
    table.add_row("database", facts["database"].get("kind", "left out"))
    table.add_row("files", f"{facts['files']}, {facts['bytes'] / 1e6:,.1f} MB")
    table.add_row("taken", _moment(facts["made_us"]))
    stdout.print(f"{what} {folder}", markup=False)
    stdout.print(table)


def _tell_rollups(facts: dict[str, Any]) -> None:
    """Say what cannot be had as readings any more."""
    if facts["only_rollups_before_us"] is not None:
        stderr.print(
            f"Readings before {_moment(facts['only_rollups_before_us'])} have been deleted by age: of them the store "
            "keeps roll-ups only. These are in a backup of a DuckDB store, but in no copy, no export, and no backup of "
            "an InfluxDB: take its own backup for them.",
            markup=False,
        )


def _say(found: Reached) -> None:
    stderr.print(found.way, markup=False)


def _moment(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"--zone {name!r} is no time zone; write it like Asia/Shanghai") from None


def _time(text: str | None, zone: ZoneInfo | None) -> int | None:
    from facility.store.exchange.times import read_time

    return None if text is None else read_time(text, zone)


@contextmanager
def _counted() -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar for so many readings of so many."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=min(done, total), total=max(1, total))

        yield show


@contextmanager
def _shared(what: str) -> Iterator[Callable[[float], None]]:
    """Show a bar for a share that is done."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
