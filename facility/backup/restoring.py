"""Bringing a backup back: checked first, put beside, and only then given the names under which the service looks."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from facility.backup.making import (
    DATA_FOLDER,
    SITE_FOLDER,
    FolderTaken,
    Progress,
    described,
)
from facility.backup.manifest import PARQUET_FILE, TELEMETRY_FILE, BackupDamaged, Manifest
from facility.backup.relational import SQLITE_FILE, holds_tables, is_sqlite, restore_postgresql, sqlite_file
from facility.errors import ConfigurationError, Problem, StoreHeld
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_snapshot import copy_synced
from facility.store.exchange.files import Origin, load
from facility.store.fingerprint import whole
from facility.store.opening import open_store
from facility.store.transfer import copy, fingerprints, select

_BESIDE: Final = {".duckdb": (".wal",), ".db": ("-wal", "-shm")}  # what belongs to a file and must go with it


@dataclass(frozen=True, slots=True)
class Targets:
    """
    Where a backup goes.

    Attributes
    ----------
    data : the data folder
    store : path or URL of the keeper; `store_file` is the DuckDB file that it names, None for a server
    database : URL; None: the database is left out
    site : the folder that gets the site's files; None: they stay in the backup
    """

    data: Path
    store: str | Path
    store_file: Path | None
    database: str | None
    site: Path | None = None


@dataclass(slots=True)
class Restored:
    """What a restore did: files put in place, files moved aside, readings."""

    files: list[Path] = field(default_factory=list)
    aside: dict[Path, Path] = field(default_factory=dict)
    readings: int = 0


def verify(folder: Path, *, deep: bool = True, progress: Progress = lambda *_: None) -> Manifest:
    """
    Check a backup against its manifest; `deep` also reads every reading and every page of the database.

    BackupDamaged names what is wrong.
    """
    manifest = Manifest.read(folder)
    manifest.check(folder, lambda share: progress("Checksums", share))
    if deep:
        _verify_database(folder, manifest)
        _verify_telemetry(folder, manifest, progress)
    return manifest


def _verify_database(folder: Path, manifest: Manifest) -> None:
    if manifest.database.get("kind") != "sqlite":
        return
    file = folder / str(manifest.database["file"])
    try:
        # Immutable: a look must leave nothing beside the file.
        with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as database:
            ((sound,),) = database.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        sound = str(error)
    if sound != "ok":
        raise BackupDamaged(f"{file}: SQLite finds it damaged ({sound}); take another backup")


def _verify_telemetry(folder: Path, manifest: Manifest, progress: Progress) -> None:
    told = manifest.telemetry
    file = folder / str(told["file"])
    if told["kind"] == "duckdb":
        found = described(file, quick=False, progress=progress)
        wrong = [
            f"{name} is {found[name]!r}, the manifest says {told[name]!r}"
            for name in ("readings", "points", "checksum")
            if told[name] is not None and found[name] != told[name]
        ]
    else:
        read = load(Origin(file, "parquet"), None, progress=lambda share: progress("Reading the copy", share))
        wrong = [str(row) for row in read.mistakes[:3]]
        if read.readings != told["readings"]:
            wrong.append(f"readings is {read.readings}, the manifest says {told['readings']}")
    if wrong:
        raise BackupDamaged(f"{file}: {'; '.join(wrong)}; take another backup")


def restore(
    folder: Path, targets: Targets, *, force: bool, now_us: int, progress: Progress = lambda *_: None
) -> Restored:
    """
    Check a backup and put what it holds in place; with `force`, what is there is moved aside, never deleted.

    Raises
    ------
    BackupDamaged
        If the backup is not whole; nothing has been changed.
    FolderTaken
        If something is there and `force` is not given; nothing has been changed.
    StoreHeld
        If a process holds the store.
    """
    manifest = verify(folder, deep=False, progress=progress)
    files = _files(folder, manifest, targets)
    _check_free(manifest, targets, files, force)
    result = Restored()
    stamp = f"{datetime.fromtimestamp(now_us / 1e6, UTC):%Y%m%dT%H%M%SZ}"
    with ExitStack() as clearing:
        ready: dict[Path, Path] = {}
        for target, source in files.items():
            part = target.with_name(f"{target.name}.restored-{os.getpid()}")
            clearing.callback(part.unlink, missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            copy_synced(source, part, lambda share, source=source: progress(source.name, share))  # type: ignore[misc]
            ready[target] = part
        if targets.store_file is not None and targets.store_file not in files:
            part = targets.store_file.with_name(f"{targets.store_file.name}.restored-{os.getpid()}")
            clearing.callback(part.unlink, missing_ok=True)
            targets.store_file.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            with DuckDBStore(part) as store:
                result.readings = _fill(store, folder, manifest, progress)
            ready[targets.store_file] = part
        for target, part in ready.items():
            _move_aside(target, stamp, result)
            part.replace(target)
            result.files.append(target)
    if targets.store_file is None:
        with open_store(targets.store) as store:
            result.readings = _fill(store, folder, manifest, progress)
    result.readings = result.readings or int(manifest.telemetry["readings"])
    if targets.database is not None and manifest.database and not is_sqlite(targets.database):
        progress("Relational database", 0.0)
        restore_postgresql(folder / str(manifest.database["file"]), targets.database, force=force)
    return result


def _files(folder: Path, manifest: Manifest, targets: Targets) -> Mapping[Path, Path]:
    """Return what is simply copied: where it goes, and where it lies in the backup."""
    files: dict[Path, Path] = {}
    if targets.store_file is not None and manifest.telemetry["kind"] == "duckdb":
        files[targets.store_file] = folder / TELEMETRY_FILE
    kind = manifest.database.get("kind")
    if targets.database is not None and kind is not None:
        if (kind == "sqlite") != is_sqlite(targets.database):
            wrong = f"the backup holds a database of {kind}, the target is another kind"
            mend = "name a database of that kind with --database, or leave it out with --without-database"
            raise ConfigurationError([Problem("", 0, "--database", f"{wrong}; {mend}")])
        if kind == "sqlite":
            files[sqlite_file(targets.database)] = folder / SQLITE_FILE
    for name in manifest.files:
        first, _, rest = name.partition("/")
        # A name is what somebody wrote into a file: it must not lead out of the folder.
        if not rest or ".." in Path(rest).parts or Path(rest).is_absolute():
            continue
        if first == DATA_FOLDER:
            files[targets.data / rest] = folder / name
        elif first == SITE_FOLDER and targets.site is not None:
            files[targets.site / rest] = folder / name
    return files


def _check_free(manifest: Manifest, targets: Targets, files: Mapping[Path, Path], force: bool) -> None:
    store_file = targets.store_file
    if store_file is not None and store_file.exists():
        # A damaged file is a reason to restore; one that somebody works with is a reason not to.
        with suppress(ConfigurationError):
            try:
                DuckDBStore(store_file, read_only=True).close()
            except StoreHeld as error:
                raise StoreHeld(f"{error}; stop the service, then restore") from error
    if force:
        return
    taken = [
        str(target) for target in dict.fromkeys([*files, *([store_file] if store_file else [])]) if target.exists()
    ]
    if store_file is None:
        with open_store(targets.store, read_only=False) as store:
            held = store.size().readings
        if held:
            taken.append(f"the store, which holds {held} readings")
    if (
        targets.database is not None
        and manifest.database.get("kind") == "postgresql"
        and holds_tables(targets.database)
    ):
        taken.append("the database, which holds tables")
    if taken:
        raise FolderTaken(
            f"there is something already: {', '.join(taken)}; name an empty data folder with --data, or say --force to "
            "move the files there aside"
        )


def _move_aside(target: Path, stamp: str, result: Restored) -> None:
    for path in (target, *(target.with_name(target.name + more) for more in _BESIDE.get(target.suffix, ()))):
        if path.exists():
            aside = path.with_name(f"{path.name}.before-{stamp}")
            shutil.move(path, aside)
            result.aside[path] = aside


def _fill(store: TelemetryStore, folder: Path, manifest: Manifest, progress: Progress) -> int:
    """Write a backup's readings into a keeper and compare; BackupDamaged names what differs."""
    file = folder / str(manifest.telemetry["file"])
    if manifest.telemetry["kind"] == "duckdb":
        with DuckDBStore(file, read_only=True) as source:
            done = copy(source, store, select(source), lambda now, of, what: progress(what, now / max(1, of)))
        if done.differences:
            words = "; ".join(str(difference) for difference in done.differences[:5])
            raise BackupDamaged(f"the store does not hold what {file} does: {words}; empty it and restore again")
        return done.source.count
    assert file.name == PARQUET_FILE
    loaded = load(Origin(file, "parquet"), store.write, progress=lambda share: progress("Restoring", share))
    if loaded.bad or loaded.refused:
        words = str(loaded.mistakes[0]) if loaded.mistakes else f"refused: {', '.join(loaded.refused)}"
        raise BackupDamaged(f"{file}: {loaded.bad} rows cannot be taken ({words})")
    found = whole(fingerprints(store, select(store), lambda now, of, _: progress("Comparing", now / max(1, of))))
    if found.hex != manifest.telemetry["checksum"]:
        raise BackupDamaged(
            f"the store holds {found.count} readings that are not those of {file} ({loaded.readings}); it may have "
            "held others before: empty it and restore again"
        )
    return loaded.readings
