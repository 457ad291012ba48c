"""The tables of a DuckDB keeper, and how a file of an older version becomes one of this version."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from facility.errors import ConfigurationError, Problem
from facility.store.duckdb_file import CATALOG, Connection, one

VERSION: Final = 1

# hot: recent readings in the order of writing. cold: runs sorted by (point, time), each key once.
# cold_points: what cold holds of each point, so that opening a large file need not read it.
_TABLES: Final = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    "CREATE TABLE points (id INTEGER NOT NULL, key VARCHAR NOT NULL, equipment VARCHAR, point VARCHAR, "
    "equipment_class VARCHAR, unit VARCHAR, site VARCHAR, building VARCHAR, room VARCHAR, kind VARCHAR)",
    "CREATE TABLE hot (seq BIGINT, point INTEGER, time_us BIGINT, value DOUBLE, quality UTINYINT)",
    "CREATE TABLE cold (run INTEGER, point INTEGER, time_s BIGINT, ms SMALLINT, us SMALLINT, value DOUBLE, "
    "quality UTINYINT)",
    "CREATE TABLE cold_points (point INTEGER, readings BIGINT, first_us BIGINT, last_us BIGINT, value DOUBLE, "
    "quality UTINYINT)",
    "CREATE TABLE runs (run INTEGER, readings BIGINT)",
)


def prepare(connection: Connection, path: Path, *, read_only: bool) -> None:
    """Make the tables of an empty file; ConfigurationError if the file holds something else or a later version."""
    tables = {
        str(name)
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [CATALOG]
        ).fetchall()
    }
    if "schema_version" not in tables:
        if tables:
            raise _wrong(
                path, f"holds other tables ({', '.join(sorted(tables)[:3])}); give the store a file of its own"
            )
        if read_only:
            raise _wrong(path, "holds no telemetry yet; start the service once, which makes its tables")
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (?)", [VERSION])
        connection.execute("COMMIT")
        return
    version = one(connection, "SELECT coalesce(max(version), 0) FROM schema_version")
    if version != VERSION:
        raise _wrong(
            path,
            f"has tables of version {version}, this program knows {VERSION}; install the program that wrote the file",
        )


def _wrong(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, "store", message)])
