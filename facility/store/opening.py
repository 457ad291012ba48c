"""One word in the configuration chooses the keeper."""

from __future__ import annotations

from pathlib import Path

from facility.errors import ConfigurationError, Problem
from facility.store.contract import TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.influx_address import EXAMPLE, without_secret


def open_store(url_or_path: str | Path, *, zone: str | None = None, read_only: bool = False) -> TelemetryStore:
    """
    Open the keeper that a setting names: `duckdb:///path/file.duckdb` or a bare path, or `influxdb://...`.

    A path after `duckdb:///` is relative to the working folder, after `duckdb:////` absolute, as in other database
    URLs. `zone` is the site's time zone, such as `Asia/Shanghai`, whose midnights begin the days of roll-ups; None: the
    one that the keeper remembers, UTC if none was ever given.

    Raises
    ------
    ConfigurationError
        If the value names no keeper, its file is no telemetry file, or a server refuses the user or the token.
    StoreUnavailable
        If another process holds the file. A server that is away is told by the first call that needs it.
    """
    if isinstance(url_or_path, Path):
        return DuckDBStore(url_or_path, zone=zone, read_only=read_only)
    text = url_or_path.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        if text and "\0" not in text:
            return DuckDBStore(Path(text), zone=zone, read_only=read_only)
    elif scheme in ("influxdb", "influxdbs"):
        # The client takes most of a second to import, which a site with a file should not wait for.
        from facility.store.influxdb import open_influxdb

        return open_influxdb(text, zone=zone, read_only=read_only)
    elif scheme == "duckdb" and rest.startswith("/") and len(rest) > 1 and "\0" not in rest:
        return DuckDBStore(Path(rest[1:]), zone=zone, read_only=read_only)
    raise ConfigurationError(
        [
            Problem(
                "",
                0,
                "store",
                f"{without_secret(url_or_path)!r} names no store; write a path such as data/telemetry.duckdb, "
                f"duckdb:///data/telemetry.duckdb, or {EXAMPLE}",
            )
        ]
    )
