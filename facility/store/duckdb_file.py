"""One DuckDB file: opening it, saying clearly why it cannot be opened, and cursors for many threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.errors import ConfigurationError, Problem, StoreHeld, StoreUnavailable

CATALOG: Final = "telemetry"
BESIDE: Final = "memory.main"  # for tables that a file lacks which may only be read
# Checkpoints follow each compaction, when the hot part is nearly empty; this size of the log is the safety net.
AUTO_CHECKPOINT: Final = "256MB"
Connection = duckdb.DuckDBPyConnection
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DuckDBSettings:
    """
    How much of the machine a DuckDB keeper may take.

    Attributes
    ----------
    memory_mb : int
        Memory of the engine for cached blocks and running queries; Python's own comes on top. [MB]
    threads : int
        Threads a query may use.
    hot_readings : int
        Recent readings that wait, unsorted, for the next compaction.
    fan_in : int
        So many sorted runs of one size are merged into one of the next size.
    longest_run : int
        Runs of this many readings are not merged any further.
    rolled_from : int
        Roll-ups of a level are stored for the points of which a step holds so many readings; the others are computed
        from the readings, of which there are few.
    compact_in_background : bool
        Compact on a thread of its own; if False, only `compact()` and a full hot part do.
    """

    memory_mb: int = 64
    threads: int = 2
    hot_readings: int = 250_000
    fan_in: int = 8
    longest_run: int = 64_000_000
    rolled_from: int = 30
    compact_in_background: bool = True


class DuckDBFile:
    """An open file; `cursor()` gives each thread a connection of its own. `why_not_opened` tells the errors."""

    # A dashboard asks for few points among thousands. Small row groups let the engine skip more; blocks of this size
    # hold two or more of their packed columns, so that little is read, and little left empty. Measured in ADR 2.
    ROW_GROUP: Final = 16_384
    BLOCK: Final = 65_536  # [bytes]

    def __init__(self, path: Path, settings: DuckDBSettings, *, read_only: bool) -> None:
        self.path = path
        self._idle: list[Connection] = []
        self._lent = 0
        self._closed = False
        self._returned = threading.Condition()
        self._root = duckdb.connect(
            config={
                "threads": settings.threads,
                "memory_limit": f"{settings.memory_mb}MB",
                "temp_directory": f"{path}.tmp",
                "wal_autocheckpoint": AUTO_CHECKPOINT,
                # Hospitals' networks are closed: nothing may be fetched.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        options = f"TYPE duckdb, ROW_GROUP_SIZE {self.ROW_GROUP}"
        if read_only:
            options += ", READ_ONLY"
        elif not path.exists():
            options += f", BLOCK_SIZE {self.BLOCK}"
        try:
            self._root.execute(f"ATTACH '{quoted(str(path))}' AS {CATALOG} ({options})")
        except duckdb.Error as error:
            self._root.close()
            raise why_not_opened(path, error) from error

    @contextmanager
    def cursor(self) -> Iterator[Connection]:
        """Lend a connection; an open transaction is rolled back when the block is left by an error."""
        with self._returned:
            if self._closed:
                raise StoreUnavailable(f"{self.path}: the file has just been closed; ask again")
            connection = self._idle.pop() if self._idle else self._another()
            self._lent += 1
        sound = False
        try:
            yield connection
            sound = True
        finally:
            with self._returned:
                self._lent -= 1
                if sound and not self._closed:
                    self._idle.append(connection)
                else:
                    # It may be in the middle of a transaction; closing it rolls back.
                    connection.close()
                self._returned.notify_all()

    def _another(self) -> Connection:
        connection = self._root.cursor()
        connection.execute(f"SET search_path = '{CATALOG}.main,{BESIDE}'")
        return connection

    def bytes_at_rest(self) -> int:
        """Return the size of the file and its write-ahead log. [bytes]"""
        return sum(p.stat().st_size for p in (self.path, Path(f"{self.path}.wal")) if p.exists())

    def close(self, *, wait: bool = True) -> None:
        """Let go of the file, once the connections lent out have come back; without `wait`, the last of them does."""
        with self._returned:
            self._closed = True
            self._returned.wait_for(lambda: not wait or self._lent == 0)
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._root.close()


def quoted(text: str) -> str:
    """Return the text for use between single quotes in SQL."""
    return text.replace("'", "''")


def run(
    connection: Connection, sql: str, parameters: Sequence[object] = (), incoming: Columns | None = None
) -> Connection:
    """Execute a statement, which may read the arrays of `incoming` as a table of that name."""
    # DuckDB finds the arrays through the name of this variable, which costs half of what registering them does.
    return connection.execute(sql, list(parameters) or None)


def fetch(
    connection: Connection, sql: str, parameters: Sequence[object] = (), incoming: Columns | None = None
) -> Columns:
    """Run a query and return its columns as plain arrays."""
    columns = run(connection, sql, parameters, incoming).fetchnumpy()
    return {name: np.ma.getdata(column) for name, column in columns.items()}


def one(connection: Connection, sql: str, parameters: Sequence[object] = (), incoming: Columns | None = None) -> int:
    """Return the single whole number that a query yields."""
    # All rows are fetched, not one: the engine refuses further work while a result stands open.
    ((number,),) = run(connection, sql, parameters, incoming).fetchall()
    return int(number)


def of_points(ids: NDArray[np.int32]) -> tuple[str, list[object]]:
    """Return a condition that chooses points, and its parameter: the engine skips row groups by either form."""
    # A join is quicker than a long list of constants.
    return ("point = ?", [int(ids[0])]) if ids.shape[0] == 1 else ("point IN (SELECT unnest(?))", [ids.tolist()])


def why_not_opened(path: Path, error: duckdb.Error) -> Exception:
    """Turn the engine's words into an error that names the file and the mend."""
    text = str(error)
    if "Could not set lock" in text or "already attached" in text or "Unique file handle" in text:
        found = re.search(r"held in (.+?) \(PID (\d+)\)", text)
        holder = (
            f"process {found[2]} ({found[1]})" if found else "this process" if "attached" in text else "another process"
        )
        return StoreHeld(
            f"{path}: held by {holder}; a DuckDB file belongs to one process at a time: ask the running service "
            "through its API, or stop it first"
        )
    if "No space left" in text or isinstance(error, duckdb.OutOfMemoryException):
        return StoreUnavailable(f"{path}: cannot be opened for want of room ({_first_line(text)}); make room")
    if "database does not exist" in text:
        mend = "there is no such file; check the path, or start the service once to make it"
    elif "not a valid DuckDB" in text or "checksum" in text or "Could not read enough bytes" in text:
        mend = (
            f"not a DuckDB file, or damaged ({_first_line(text)}); check the path, else put the newest backup in its "
            "place and move this file aside"
        )
    elif "newer version" in text or "version number" in text:
        mend = f"written by another version of DuckDB ({_first_line(text)}); install that version or a newer one"
    else:
        mend = f"cannot be opened ({_first_line(text)}); check the path and its access rights"
    return ConfigurationError([Problem(str(path), 0, "store", mend)])


def why_not_done(path: Path, error: duckdb.Error) -> Exception:
    """Turn a failure while running into the error that tells the caller to keep what it has and try again."""
    return StoreUnavailable(
        f"{path}: {_first_line(str(error))}; check the disk's room and health, then it goes on by itself"
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
