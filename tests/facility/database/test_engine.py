"""What a database promises to those who write to it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from facility.database import Database, Setting, read_setting, write_setting
from facility.errors import ConfigurationError, StoreUnavailable


def test_what_a_session_wrote_is_there_after_it_ends(database: Database) -> None:
    with database.session() as session:
        write_setting(session, "night_flow.judged_until", {"us": 1_760_000_000_000_000})
    with database.reading() as session:
        assert read_setting(session, "night_flow.judged_until") == {"us": 1_760_000_000_000_000}


def test_a_session_that_raises_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.session() as session:
            write_setting(session, "half", 1)
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with database.reading() as session:
        assert read_setting(session, "half", "nothing") == "nothing"


def test_a_second_value_takes_the_place_of_the_first(database: Database) -> None:
    for value in (1, 2):
        with database.session() as session:
            write_setting(session, "watermark", value)
    with database.reading() as session:
        assert read_setting(session, "watermark") == 2


def test_writers_at_the_same_time_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    def write(writer: int) -> None:
        for i in range(20):
            with database.session() as session:
                # Reading before writing is what makes a deferred SQLite transaction fail.
                read_setting(session, "w0/0")
                write_setting(session, f"w{writer}/{i}", i)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Setting)) == 80


def test_a_reader_does_not_wait_for_a_writer_and_sees_the_state_before(database: Database) -> None:
    with database.session() as writer:
        write_setting(writer, "n", 1)
        writer.flush()
        with database.reading() as reader:
            assert read_setting(reader, "n") is None


def test_a_row_that_points_to_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.session() as session:
        session.execute(
            text("INSERT INTO ticket_events (ticket_id, at_us, who, kind, text) VALUES (7, 0, 'x', 'opened', '')")
        )


def test_a_committed_row_survives_kill_9_and_one_that_was_not_does_not(database: Database) -> None:
    program = """
import sys
from facility.database import Database, write_setting
database = Database(sys.argv[1])
with database.session() as session:
    write_setting(session, "kept", 1)
with database.session() as session:
    write_setting(session, "lost", 1)
    session.flush()
    print("ready", flush=True)
    sys.stdin.read()
"""
    url = database.engine.url.render_as_string(hide_password=False)
    child = subprocess.Popen(
        [sys.executable, "-c", program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with database.session() as session:  # and the lock of the dead is free
        assert read_setting(session, "kept") == 1
        assert read_setting(session, "lost") is None


def test_sqlite_runs_with_write_ahead_log_and_full_synchronisation(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/folder/w.db")
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


def test_the_sqlite_file_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/w.db").close()
    assert stat.S_IMODE((tmp_path / "w.db").stat().st_mode) == 0o600


def test_a_server_that_is_away_is_told_as_unavailable_without_its_password() -> None:
    pytest.importorskip("psycopg")
    database = Database("postgresql://wardwatt:hunter2@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match="cannot be used") as caught, database.session() as session:
        session.execute(text("SELECT 1"))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in database.name


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("wardwatt.db", "this is no URL; write sqlite:////folder/wardwatt.db"),
        ("mysql://root@host/x", "'mysql' is not supported; write sqlite or postgresql"),
        ("sqlite://", "no database is named"),
        ("sqlite:///:memory:", "no database is named"),
        ("sqlite:////proc/no/such/w.db", "the file cannot be opened"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_to_write(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Database(url)


def test_a_file_that_is_no_database_is_told_with_its_mend(tmp_path: Path) -> None:
    file = tmp_path / "wardwatt.db"
    file.write_bytes(b"noise" * 20_000)
    damaged = Database(f"sqlite:///{file}")
    with pytest.raises(ConfigurationError, match="move the file away, or restore it"):
        damaged.upgrade()
    damaged.close()
