"""The tables of a DuckDB keeper, and how a file of an older version becomes one of this version."""

# ruff: noqa: S608 (what is formatted into SQL is our own constants)

from __future__ import annotations

from pathlib import Path
from typing import Final

from facility.errors import ConfigurationError, Problem
from facility.store.duckdb_file import BESIDE, CATALOG, Connection, one
from facility.store.levels import Level

VERSION: Final = 2
TABLE_OF: Final = {level: f"rolled_{level.value}" for level in Level}

# hot: recent readings in the order of writing. cold: runs sorted by (point, time), each key once.
# cold_points: what cold holds of each point, so that opening a large file need not read it.
_READINGS: Final = (
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

# rolled_...: roll-ups, in runs as cold is. Where a step holds one reading, only `last` is there.
# rolled_points: of each level and point, the number of the first step that is not stored. rolled_again: between which
# times readings have changed under stored steps. kept: from when on readings (level '') and levels have not expired.
_ROLLUPS: Final = (
    *(
        f"CREATE TABLE {name} (run INTEGER, point INTEGER, step BIGINT, mean DOUBLE, min DOUBLE, max DOUBLE, "
        "last DOUBLE, count BIGINT, time_mean DOUBLE, known_us BIGINT)"
        for name in TABLE_OF.values()
    ),
    *(f"CREATE TABLE {name}_runs (run INTEGER, readings BIGINT)" for name in TABLE_OF.values()),
    "CREATE TABLE rolled_points (level VARCHAR, point INTEGER, until_step BIGINT)",
    "CREATE TABLE rolled_again (point INTEGER, first_us BIGINT, last_us BIGINT)",
    "CREATE TABLE kept (level VARCHAR, from_us BIGINT)",
    "CREATE TABLE day_zone (zone VARCHAR)",
)


def prepare(connection: Connection, path: Path, *, read_only: bool) -> None:
    """
    Make the tables of an empty file, or those that a file of an older version lacks.

    ConfigurationError if the file holds something else or is of a later version.
    """
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
        for statement in (*_READINGS, *_ROLLUPS):
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (?)", [VERSION])
        connection.execute("COMMIT")
        return
    version = one(connection, "SELECT coalesce(max(version), 0) FROM schema_version")
    if version == 1:
        if read_only:
            # Nothing is rolled up, everything is computed from the readings: empty tables beside the file say so.
            for statement in _ROLLUPS:
                connection.execute(statement.replace("CREATE TABLE ", f"CREATE TABLE {BESIDE}."))
            return
        # The roll-ups themselves follow with the next compactions; until then they are computed from the readings.
        connection.execute("BEGIN")
        for statement in (*_ROLLUPS, f"UPDATE schema_version SET version = {VERSION}"):
            connection.execute(statement)
        connection.execute("COMMIT")
    elif version != VERSION:
        raise _wrong(
            path,
            f"has tables of version {version}, this program knows {VERSION}; install the program that wrote the file",
        )


def _wrong(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, "store", message)])
