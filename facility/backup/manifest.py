"""What a backup holds: written last, checked first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from facility.backup.relational import POSTGRESQL_FILE, SQLITE_FILE
from facility.errors import WardwattError

NAME: Final = "manifest.json"
FORMAT: Final = 1
TELEMETRY_FILE: Final = "telemetry.duckdb"
PARQUET_FILE: Final = "telemetry.parquet"
_PART_BYTES: Final = 4 << 20


class BackupDamaged(WardwattError):
    """A folder is no whole backup, and why; nothing was changed."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """How a file must be: its length, and the SHA-256 of what it holds."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What a backup holds.

    Attributes
    ----------
    made_us : when it was begun [µs UTC]
    program : version of Wardwatt that made it
    telemetry : `kind` (`duckdb` or `parquet`) and `file`; readings, points, first_us, last_us, checksum (null if it was
        not computed), and `only_rollups_before_us` as in `wardwatt store info`
    database : `kind` (`sqlite` or `postgresql`), `file` and `revision`; empty if it was left out
    files : every file by its path in the folder
    """

    made_us: int
    program: str
    telemetry: Mapping[str, Any]
    database: Mapping[str, Any]
    files: Mapping[str, FileMark] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write the manifest; it names everything else, so it comes last."""
        (folder / NAME).write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the manifest of a backup; BackupDamaged if the folder is none."""
        file = folder / NAME
        if not folder.is_dir():
            raise BackupDamaged(f"{folder}: there is no such folder; name the folder of a backup")
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BackupDamaged(
                f"{folder}: it has no {NAME}: no backup, or one that was cut short; take another one"
            ) from None
        except (OSError, ValueError) as error:
            raise BackupDamaged(f"{file}: it cannot be read ({error}); take another backup") from None
        try:
            if told["format"] > FORMAT:
                raise BackupDamaged(f"{file}: written by a newer Wardwatt ({told['program']}); install that or a newer")
            files = {name: FileMark(int(mark["bytes"]), str(mark["sha256"])) for name, mark in told["files"].items()}
            telemetry, database = {**told["telemetry"]}, {**told["database"]}
            _check_part(telemetry, files, {"duckdb": TELEMETRY_FILE, "parquet": PARQUET_FILE})
            telemetry |= {name: int(telemetry[name]) for name in ("readings", "points")}
            telemetry["checksum"]  # null, but not absent
            if database:
                _check_part(database, files, {"sqlite": SQLITE_FILE, "postgresql": POSTGRESQL_FILE})
            return cls(int(told["made_us"]), str(told["program"]), telemetry, database, files, told["format"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BackupDamaged(f"{file}: {error!r} is missing or wrong; take another backup") from None

    def check(self, folder: Path, progress: Callable[[float], None] = lambda _: None) -> None:
        """Read every file; BackupDamaged names each that is missing, too short or changed."""
        wrong: list[str] = []
        total, done = max(1, sum(mark.bytes for mark in self.files.values())), 0
        for name, mark in self.files.items():
            path = folder / name
            if not path.is_file():
                wrong.append(f"{path}: missing")
            elif (size := path.stat().st_size) != mark.bytes:
                wrong.append(f"{path}: {size} bytes long, where {mark.bytes} were written")
            elif marked(path).sha256 != mark.sha256:
                wrong.append(f"{path}: changed since it was written (its SHA-256 differs)")
            done += mark.bytes
            progress(done / total)
        if wrong:
            raise BackupDamaged("\n".join([*wrong, f"{folder} is damaged; take another backup"]))


def _check_part(told: Mapping[str, Any], files: Mapping[str, FileMark], known: Mapping[str, str]) -> None:
    """Raise ValueError unless a part is of a kind we know, in the file of that kind, whose checksum is told."""
    kind, file = told["kind"], told["file"]
    if known[kind] != file or file not in files:
        raise ValueError(f"{kind}: {file}")


def marked(path: Path) -> FileMark:
    """Return length and SHA-256 of a file."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            digest.update(part)
            length += len(part)
    return FileMark(length, digest.hexdigest())
