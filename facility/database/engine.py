"""Opening the relational database, and the sessions in which everybody reads and writes it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from facility.errors import ConfigurationError, Problem, StoreUnavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 30
# Any fixed number: it names the lock that keeps two services from migrating one PostgreSQL database at once.
_MIGRATION_LOCK = 0x57_61_72_64


class Database:
    """
    The relational database of one service; safe to use from several threads and processes.

    Parameters
    ----------
    url : str
        `sqlite:////path/wardwatt.db` (the folder is made if need be) or `postgresql://user:password@host/name`.

    Raises
    ------
    ConfigurationError
        If the URL names no database that can be used here.
    """

    def __init__(self, url: str) -> None:
        parsed = _checked(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite:
            _make_private_file(Path(str(parsed.database)))
            self.engine = create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S})
            _tune_sqlite(self.engine)
        else:
            self.engine = create_engine(parsed, pool_pre_ping=True)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(self.engine.execution_options(wardwatt_read_only=True), expire_on_commit=False)

    @property
    def name(self) -> str:
        """Return the URL as it may be shown: without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """
        Open a session to read and write: commits at the end, rolls back on any error.

        In SQLite it holds the one write lock from its first statement on, so keep it short.

        Raises
        ------
        StoreUnavailable
            If the database cannot be reached, is full, or stays locked: nothing was written, try again.
        """
        with self._told(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that only reads: it sees one state of the data and never waits for a writer."""
        with self._told(), self._readers() as session:
            yield session

    def upgrade(self) -> None:
        """Bring the tables to the newest migration; several services may do so at the same time."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._told(), self.engine.begin() as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise _refused(
                    self.name, f"{error}; the database was written by a newer Wardwatt, so start that version or newer"
                ) from None

    def close(self) -> None:
        """Let go of all connections; a second call does nothing."""
        self.engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(
                f"the relational database {self.name} cannot be used: {error.orig}; "
                "check that it runs, that its disk has room and that no one holds it locked"
            ) from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise
            # The driver has no better word for a file that is damaged, or that is another program's.
            raise _refused(
                self.name, f"this is no database of Wardwatt's ({error.orig}); move the file away, or restore it"
            ) from None


def _refused(url: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("database", 0, url, message)])


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text may hold a password, so it is not repeated.
        raise _refused(
            "", "this is no URL; write sqlite:////folder/wardwatt.db or postgresql://user@host/name"
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    shown = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise _refused(shown, f"{parsed.drivername!r} is not supported; write sqlite or postgresql")
    if not parsed.database or (parsed.get_backend_name() == "sqlite" and parsed.database == ":memory:"):
        raise _refused(
            shown, "no database is named; write sqlite:////folder/wardwatt.db or postgresql://user@host/name"
        )
    try:
        parsed.get_dialect().import_dbapi()
    except (ImportError, NoSuchModuleError):
        raise _refused(
            shown, "the driver for PostgreSQL is not installed; run: pip install 'psycopg[binary]'"
        ) from None
    return parsed


def _make_private_file(path: Path) -> None:
    """Make folder and file, readable for the service alone: the tables hold password hashes and session keys."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise _refused(
            f"sqlite:///{path}", f"the file cannot be opened ({error.strerror}); check the folder and its rights"
        ) from None


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by its own rules; `_begin` below does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        _keep_a_log(cursor)
        # FULL: an acknowledgement that was answered survives a power cut, not only a killed process.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction that starts to write after another has written fails at once, whatever the timeout;
        # one that takes the write lock first waits its turn.
        read_only = connection.get_execution_options().get("wardwatt_read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _keep_a_log(cursor: sqlite3.Cursor) -> None:
    # Of services that open a new file together one is refused at once, whatever the timeout, while another changes it.
    until = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)
