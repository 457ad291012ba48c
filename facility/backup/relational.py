"""Copying the relational database: SQLite through its own backup, PostgreSQL through pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from facility.errors import ConfigurationError, Problem, StoreUnavailable

SQLITE_FILE: Final = "wardwatt.db"
POSTGRESQL_FILE: Final = "wardwatt.pgdump"


def is_sqlite(url: str) -> bool:
    """Return whether a database URL names an SQLite file."""
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_file(url: str) -> Path:
    """Return the file that an SQLite URL names."""
    return Path(str(make_url(url).database))


def check_tools(url: str) -> None:
    """Raise ConfigurationError if a PostgreSQL database is to be copied and its own tools are not installed."""
    if not is_sqlite(url):
        _program("pg_dump")
        _program("pg_restore")


def back_up(url: str, folder: Path) -> dict[str, Any]:
    """
    Write a consistent copy into a folder while others write; return what the manifest says of it.

    Raises
    ------
    StoreUnavailable
        If the database cannot be read.
    """
    return _back_up_sqlite(sqlite_file(url), folder) if is_sqlite(url) else _back_up_postgresql(url, folder)


def _back_up_sqlite(file: Path, folder: Path) -> dict[str, Any]:
    target = folder / SQLITE_FILE
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30.0)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            # In one go, which in WAL mode makes no writer wait: step by step a busy database would never end.
            source.backup(copy)
            # One file, without a journal beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            ((sound,),) = copy.execute("PRAGMA integrity_check(1)").fetchall()
            revision = _revision(copy)
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{file}: cannot be copied ({error}); check the file, its rights and the disk"
        ) from error
    if sound != "ok":
        raise StoreUnavailable(f"{file}: SQLite finds it damaged ({sound}); restore an earlier backup of it")
    return {"kind": "sqlite", "file": SQLITE_FILE, "revision": revision}


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


def _back_up_postgresql(url: str, folder: Path) -> dict[str, Any]:
    parsed = make_url(url)
    target = folder / POSTGRESQL_FILE
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _run([_program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], parsed)
    return {"kind": "postgresql", "file": POSTGRESQL_FILE, "revision": _postgresql_revision(url)}


def _postgresql_revision(url: str) -> str | None:
    engine = create_engine(_with_driver(url))
    try:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()
    return None if found is None else str(found)


def holds_tables(url: str) -> bool:
    """Return whether a PostgreSQL database has tables already; StoreUnavailable if it cannot be asked."""
    engine = create_engine(_with_driver(url))
    question = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    try:
        with engine.connect() as connection:
            return bool(connection.execute(text(question)).scalar())
    except SQLAlchemyError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise StoreUnavailable(f"{shown}: cannot be asked ({error}); check that it runs and the URL") from None
    finally:
        engine.dispose()


def restore_postgresql(dump: Path, url: str, *, force: bool) -> None:
    """Fill a database from a dump, wholly or not at all; with `force` what stands in it is replaced."""
    parsed = make_url(url)
    clean = ["--clean", "--if-exists"] if force else []
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run([_program("pg_restore"), *options, *clean, f"--dbname={parsed.database}", str(dump)], parsed)


def _run(command: list[str], url: URL) -> None:
    # The password goes by the environment: a command line is for all eyes on the machine.
    told = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    told["PGDATABASE"] = url.database
    query_host = url.query.get("host")  # a folder with the server's socket
    if isinstance(query_host, str):
        told["PGHOST"] = query_host
    environment = os.environ | {name: str(value) for name, value in told.items() if value is not None}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["it says nothing"])[0]
        raise StoreUnavailable(
            f"{Path(command[0]).name} failed on {url.render_as_string(hide_password=True)}: {words}; mend that, then "
            "try again"
        )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(
            [
                Problem(
                    "", 0, "database",
                    f"{name} is not installed, which copies PostgreSQL; run: sudo apt-get install postgresql-client, "
                    "or leave the database out with --without-database",
                )
            ]
        )  # fmt: skip
    return found


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername in ("postgres", "postgresql") else parsed
