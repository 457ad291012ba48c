"""Taking a backup: into a folder that has its name only when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from facility.backup.manifest import PARQUET_FILE, TELEMETRY_FILE, FileMark, Manifest, marked
from facility.backup.relational import back_up, check_tools
from facility.errors import StoreUnavailable, WardwattError
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_snapshot import Snapshots
from facility.store.exchange.files import export
from facility.store.fingerprint import whole
from facility.store.transfer import ReadingSource, fingerprints, select

SITE_FOLDER: Final = "site"
CLASSES_FOLDER: Final = "classes"
DATA_FOLDER: Final = "data"
# Of the rest of the data folder, what a service that starts anew elsewhere would miss.
DATA_FILES: Final = ("broker-password", "truth.jsonl")
_PART: Final = ".part-"

Progress = Callable[[str, float], None]  # what is being done, and the share that is done


class FolderTaken(WardwattError):
    """The folder of a backup holds something already."""


@dataclass(frozen=True, slots=True)
class Sources:
    """
    What is backed up.

    Attributes
    ----------
    store : the keeper, or the running service that is asked
    keeper : of which kind it is
    database : URL; None: left out
    site : the site file or its folder; None: left out
    classes : folders with equipment classes of the hospital's own
    data : the data folder
    only_rollups_before_us : before then the readings have been deleted by age; None: nothing has [µs]
    """

    store: ReadingSource
    keeper: Literal["duckdb", "influxdb"]
    database: str | None
    site: Path | None
    classes: Sequence[Path]
    data: Path
    only_rollups_before_us: int | None = None


def make(
    folder: Path,
    sources: Sources,
    *,
    now_us: int,
    program: str,
    quick: bool = False,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """
    Take a backup while everything goes on, and return its manifest.

    With `quick` the readings are copied and not read: a rotten block on the disk is found only by `verify`.

    Raises
    ------
    FolderTaken
        If the folder is there and not empty.
    StoreUnavailable
        If something cannot be read; there is no folder then.
    ConfigurationError
        If a tool is missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(f"{folder}: there is something already; name a new folder for each backup")
    if sources.database is not None:
        check_tools(sources.database)
    with _whole_or_absent(folder) as part:
        # The relational side first: its jobs note how far in the readings they have come, and so never run ahead of
        # the readings that are restored with them.
        progress("Relational database", 0.0)
        database = back_up(sources.database, part) if sources.database is not None else {}
        telemetry = _telemetry(part, sources, quick, progress)
        _files(part, sources)
        names = sorted(str(path.relative_to(part)) for path in part.rglob("*") if path.is_file())
        marks: dict[str, FileMark] = {}
        for i, name in enumerate(names):
            marks[name] = marked(part / name)
            progress("Checksums", (i + 1) / len(names))
        manifest = Manifest(now_us, program, telemetry, database, marks)
        manifest.write(part)
        _sync(part)
    return manifest


def _telemetry(part: Path, sources: Sources, quick: bool, progress: Progress) -> dict[str, Any]:
    if sources.keeper == "influxdb":
        target = part / PARQUET_FILE
        selection = select(sources.store)
        done = export(
            sources.store, selection, target, "parquet",
            progress=lambda now, of, what: progress(what, now / max(1, of)),
        )  # fmt: skip
        target.chmod(0o600)
        return {
            "kind": "parquet", "file": PARQUET_FILE, "readings": done.whole.count, "points": done.points,
            "first_us": selection.start_us if done.whole.count else None,
            "last_us": selection.end_us - 1 if done.whole.count else None,
            "checksum": done.whole.hex, "only_rollups_before_us": sources.only_rollups_before_us,
        }  # fmt: skip
    if not isinstance(sources.store, Snapshots):
        raise TypeError(f"{type(sources.store).__name__} gives no copy of its file")
    target = part / TELEMETRY_FILE
    sources.store.snapshot(target, lambda share: progress("Telemetry", share))
    target.chmod(0o600)
    return described(target, quick, progress)


def described(file: Path, quick: bool, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Return what a manifest says of a DuckDB file; reads all of it, unless `quick`."""
    with DuckDBStore(file, read_only=True) as copy:
        size = copy.size()
        raw = next((level for level in copy.levels() if level.level is None), None)
        checksum = None
        if not quick:
            found = whole(
                fingerprints(copy, select(copy), lambda now, of, _: progress("Reading the copy", now / max(1, of)))
            )
            if found.count != size.readings:
                raise StoreUnavailable(
                    f"{file}: {found.count} readings can be read where {size.readings} should be; the store is "
                    "damaged: run wardwatt store verify on it"
                )
            checksum = found.hex
    return {
        "kind": "duckdb",
        "file": TELEMETRY_FILE,
        "readings": size.readings,
        "points": size.points,
        "first_us": size.first_us,
        "last_us": size.last_us,
        "checksum": checksum,
        "only_rollups_before_us": raw.kept_from_us if raw is not None else None,
    }


def _files(part: Path, sources: Sources) -> None:
    if sources.site is not None:
        _copy_tree(sources.site, part / SITE_FOLDER)
    for i, folder in enumerate(sources.classes):
        _copy_tree(folder, part / CLASSES_FOLDER / f"{i + 1}-{folder.name}")
    for name in DATA_FILES:
        source = sources.data / name
        if source.is_file():
            (part / DATA_FOLDER).mkdir(exist_ok=True)
            shutil.copy2(source, part / DATA_FOLDER / name)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a site or class folder, or one file: what people wrote, without what lies hidden beside it."""
    target.mkdir(parents=True)
    if source.is_file():
        shutil.copy2(source, target / source.name)
        return
    for file in sorted(source.rglob("*.y*ml")):
        inside = file.relative_to(source)
        if file.is_file() and not any(name.startswith(".") for name in inside.parts):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / inside)


@contextmanager
def _whole_or_absent(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, beside the one that is wanted; it takes the name at the end, and is gone on any error."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{folder.name}{_PART}*"):
        number = left.name.rpartition("-")[2]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)  # of a backup that was killed
    part = folder.with_name(f"{folder.name}{_PART}{os.getpid()}")
    part.mkdir(mode=0o700)
    try:
        yield part
        if folder.exists():
            folder.rmdir()  # empty, or this raises
        part.rename(folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
