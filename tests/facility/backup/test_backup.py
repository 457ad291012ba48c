"""Backups: whole or absent, damage refused by name, and everything back where it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facility.backup import making
from facility.backup.making import FolderTaken, Sources, make
from facility.backup.manifest import BackupDamaged, Manifest
from facility.backup.restoring import Targets, restore, verify
from facility.database import Database
from facility.database.settings import read_setting, write_setting
from facility.errors import ConfigurationError, StoreHeld, StoreUnavailable
from facility.readings import PointAddress, PointTable, ReadingBatch
from facility.store.duckdb import DuckDBStore
from facility.store.fingerprint import whole
from facility.store.influxdb import open_influxdb
from facility.store.transfer import fingerprints, select
from tests.facility.database import postgres
from tests.facility.store.influxd import Influxd

T0 = 1_735_689_600_000_000
NOW_US = 1_767_225_600_000_000
TABLE = PointTable(
    (PointAddress("tx1", "load", "dry_type_transformer", "%", "riverside", "main", "power-1", "derived"),)
)


def batch(first: int, count: int = 200) -> ReadingBatch:
    """Return readings of a second at 2,000 a second, from number `first` on."""
    return ReadingBatch.of(
        TABLE, np.zeros(count, np.int32), T0 + (first + np.arange(count)) * 500, np.arange(count) / 4, 16
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a database, a password and a site beside it."""
    folder = tmp_path / "data"
    database = Database(f"sqlite:///{folder / 'wardwatt.db'}")
    database.upgrade()
    with database.session() as session:
        write_setting(session, "told", "before the backup")
    database.close()
    (folder / "broker-password").write_text("secret")
    (folder / "arrivals-x").write_text("of this machine alone")
    site = tmp_path / "site"
    (site / "rooms").mkdir(parents=True)
    (site / "site.yaml").write_text("site: {}")
    (site / "rooms" / "power.yml").write_text("rooms: []")
    (site / "notes.txt").write_text("no part of it")
    return folder


def sources(store: Any, data: Path, keeper: str = "duckdb") -> Sources:
    database = f"sqlite:///{data / 'wardwatt.db'}"
    return Sources(store, keeper, database, data.parent / "site", (), data)  # type: ignore[arg-type]


@pytest.fixture
def backup(data: Path, tmp_path: Path) -> Path:
    """A backup of a store with 600 readings."""
    with DuckDBStore(data / "telemetry.duckdb") as store:
        store.write(batch(0, 600))
        make(tmp_path / "backup", sources(store, data), now_us=NOW_US, program="1.2.3")
    return tmp_path / "backup"


def targets(folder: Path, **more: Any) -> Targets:
    wanted = {
        "data": folder,
        "store": folder / "telemetry.duckdb",
        "store_file": folder / "telemetry.duckdb",
        "database": f"sqlite:///{folder / 'wardwatt.db'}",
    }
    return Targets(**(wanted | more))


def contents(store: Any) -> Any:
    return whole(fingerprints(store, select(store)))


def test_everything_comes_back_where_it_was(backup: Path, data: Path, tmp_path: Path) -> None:
    done = restore(backup, targets(tmp_path / "new", site=tmp_path / "new-site"), force=False, now_us=NOW_US)
    assert done.readings == 600
    with DuckDBStore(tmp_path / "new" / "telemetry.duckdb") as new, DuckDBStore(data / "telemetry.duckdb") as old:
        assert contents(new) == contents(old)
        assert dict(new.addresses()) == dict(old.addresses())
        new.write(batch(600))
    database = Database(f"sqlite:///{tmp_path / 'new' / 'wardwatt.db'}")
    database.upgrade()
    with database.reading() as session:
        assert read_setting(session, "told") == "before the backup"
    database.close()
    assert (tmp_path / "new" / "broker-password").read_text() == "secret"
    assert not (tmp_path / "new" / "arrivals-x").exists()
    assert sorted(str(p.relative_to(tmp_path / "new-site")) for p in (tmp_path / "new-site").rglob("*.y*ml")) == [
        "rooms/power.yml", "site.yaml",
    ]  # fmt: skip
    assert not (tmp_path / "new-site" / "notes.txt").exists()


def test_the_manifest_tells_what_there_is(backup: Path) -> None:
    manifest = verify(backup)
    assert manifest.telemetry["readings"] == 600
    assert (manifest.telemetry["first_us"], manifest.telemetry["last_us"]) == (T0, T0 + 599 * 500)
    assert manifest.telemetry["only_rollups_before_us"] is None
    assert manifest.database["kind"] == "sqlite"
    assert manifest.database["revision"]
    assert set(manifest.files) == {
        "telemetry.duckdb", "wardwatt.db", "data/broker-password", "site/site.yaml", "site/rooms/power.yml",
    }  # fmt: skip
    assert (manifest.made_us, manifest.program) == (NOW_US, "1.2.3")
    assert backup.stat().st_mode & 0o077 == 0
    assert [path.name for path in backup.iterdir() if path.name.endswith((".wal", "-wal", "-shm"))] == []


def test_a_backup_under_load_is_one_moment_and_stops_no_writer(data: Path, tmp_path: Path) -> None:
    written, ended = [0], threading.Event()

    def write() -> None:
        while not ended.is_set():
            store.write(batch(written[0]))
            written[0] += 200
            ended.wait(0.1)  # 2,000 readings a second

    with DuckDBStore(data / "telemetry.duckdb") as store:
        for first in range(0, 20_000, 2_000):
            store.write(batch(first, 2_000))
        written[0] = 20_000
        writer = threading.Thread(target=write)
        writer.start()
        for turn in range(2):
            before = written[0]
            manifest = make(tmp_path / f"b{turn}", sources(store, data), now_us=NOW_US, program="1")
            assert before <= manifest.telemetry["readings"] <= written[0] + 200
            assert manifest.telemetry["readings"] % 200 == 0
        ended.set()
        writer.join()
        assert store.size().readings == written[0]
    assert verify(tmp_path / "b0").telemetry["readings"] < verify(tmp_path / "b1").telemetry["readings"] + 1


def _tamper(backup: Path, change: Mapping[str, object]) -> None:
    told = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(told | change))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file that is gone": (lambda b: (b / "wardwatt.db").unlink(), r"wardwatt\.db: missing"),
    "a file cut short": (lambda b: os.truncate(b / "telemetry.duckdb", 5000), r"telemetry\.duckdb: 5000 bytes long"),
    "one changed byte": (
        lambda b: (b / "telemetry.duckdb").write_bytes((b / "telemetry.duckdb").read_bytes()[:-1] + b"\x77"),
        r"telemetry\.duckdb: changed since it was written",
    ),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "has no manifest.json"),
    "half a manifest": (lambda b: os.truncate(b / "manifest.json", 40), r"manifest\.json: it cannot be read"),
    "another manifest": (lambda b: (b / "manifest.json").write_text("[]"), r"manifest\.json: .* missing or wrong"),
    **{
        f"a manifest with {change}": (partial(_tamper, change=change), r"manifest\.json: .* missing or wrong")
        for change in (
            {"telemetry": None},
            {"telemetry": {}},
            {"telemetry": {"kind": "duckdb", "file": "../telemetry.duckdb"}},
            {"telemetry": {"kind": "papyrus", "file": "telemetry.duckdb"}},
            {"files": {}},
            {"files": []},
            {"database": []},
            {"database": {"kind": "sqlite", "file": "../wardwatt.db"}},
            {"format": "x"},
        )
    },
    "a newer manifest": (
        lambda b: (b / "manifest.json").write_text(
            json.dumps(json.loads((b / "manifest.json").read_text()) | {"format": 9})
        ),
        "written by a newer Wardwatt",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_by_name_and_nothing_is_touched(backup: Path, tmp_path: Path, damage: str) -> None:
    do, words = DAMAGES[damage]
    do(backup)
    with pytest.raises(BackupDamaged, match=words):
        verify(backup, deep=False)
    with pytest.raises(BackupDamaged, match=words):
        restore(backup, targets(tmp_path / "new"), force=True, now_us=NOW_US)
    assert not (tmp_path / "new").exists()


def test_a_lie_in_the_manifest_is_found_by_reading_everything(backup: Path) -> None:
    told = json.loads((backup / "manifest.json").read_text())
    told["telemetry"]["readings"] = 601
    (backup / "manifest.json").write_text(json.dumps(told))
    assert verify(backup, deep=False)
    with pytest.raises(BackupDamaged, match="readings is 600, the manifest says 601"):
        verify(backup)


def test_what_is_there_is_not_overwritten_and_with_force_moved_aside(backup: Path, data: Path) -> None:
    (data / "telemetry.duckdb.wal").write_bytes(b"")
    (data / "wardwatt.db-wal").write_bytes(b"")
    with pytest.raises(FolderTaken, match=r"telemetry\.duckdb, .*wardwatt\.db.*--force"):
        restore(backup, targets(data), force=False, now_us=NOW_US)
    done = restore(backup, targets(data), force=True, now_us=NOW_US)
    aside = {path.name for path in done.aside}
    assert aside >= {"broker-password", "telemetry.duckdb", "telemetry.duckdb.wal", "wardwatt.db", "wardwatt.db-wal"}
    assert (data / "telemetry.duckdb.before-20260101T000000Z").exists()
    with DuckDBStore(data / "telemetry.duckdb") as store:
        assert store.size().readings == 600


def test_a_store_that_somebody_works_with_is_not_replaced(backup: Path, data: Path) -> None:
    with DuckDBStore(data / "telemetry.duckdb"), pytest.raises(StoreHeld, match="stop the service, then restore"):
        restore(backup, targets(data), force=True, now_us=NOW_US)


def test_a_damaged_store_is_replaced(backup: Path, data: Path) -> None:
    (data / "telemetry.duckdb").write_bytes(b"rotten" * 1000)
    restore(backup, targets(data), force=True, now_us=NOW_US)
    with DuckDBStore(data / "telemetry.duckdb") as store:
        assert store.size().readings == 600


def test_a_folder_that_is_taken_is_no_place_for_a_backup(backup: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with DuckDBStore(data / "telemetry.duckdb") as store:
        with pytest.raises(FolderTaken, match="name a new folder for each backup"):
            make(backup, sources(store, data), now_us=NOW_US, program="1")
        make(tmp_path / "empty", sources(store, data), now_us=NOW_US, program="1")
    assert verify(tmp_path / "empty")


def test_a_backup_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (data / "wardwatt.db").write_bytes(b"no database" * 1000)
    with DuckDBStore(data / "telemetry.duckdb") as store, pytest.raises(StoreUnavailable, match="cannot be copied"):
        make(tmp_path / "backup", sources(store, data), now_us=NOW_US, program="1")
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == []


def test_a_rotten_block_is_found_while_the_backup_is_taken(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "fingerprints", lambda *_: {})
    with DuckDBStore(data / "telemetry.duckdb") as store:
        store.write(batch(0))
        with pytest.raises(StoreUnavailable, match="0 readings can be read where 200 should be"):
            make(tmp_path / "backup", sources(store, data), now_us=NOW_US, program="1")
        make(tmp_path / "quick", sources(store, data), now_us=NOW_US, program="1", quick=True)
    assert Manifest.read(tmp_path / "quick").telemetry["checksum"] is None


def test_a_backup_killed_in_the_middle_is_none_and_the_next_one_clears_it_away(data: Path, tmp_path: Path) -> None:
    with DuckDBStore(data / "telemetry.duckdb") as store:
        store.write(batch(0))
    child = textwrap.dedent(
        f"""
        import os, signal, sys
        from pathlib import Path
        from facility.backup import making
        from facility.store.duckdb import DuckDBStore
        def dying(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        data = Path({str(data)!r})
        making.described = dying  # after the copy, before the manifest
        with DuckDBStore(data / "telemetry.duckdb") as store:
            sources = making.Sources(store, "duckdb", f"sqlite:///{{data / 'wardwatt.db'}}", None, (), data)
            making.make(Path({str(tmp_path / "backup")!r}), sources, now_us=1, program="1")
        """
    )
    ended = subprocess.run([sys.executable, "-c", child], check=False, cwd=Path(__file__).parents[3])
    assert ended.returncode == -signal.SIGKILL
    (left,) = [path for path in tmp_path.iterdir() if "backup" in path.name]
    assert left.name.startswith("backup.part-")
    assert (left / "telemetry.duckdb").exists()
    with pytest.raises(BackupDamaged, match="cut short"):
        verify(left)
    with pytest.raises(BackupDamaged, match="there is no such folder"):
        verify(tmp_path / "backup")
    with DuckDBStore(data / "telemetry.duckdb") as store:
        make(tmp_path / "backup", sources(store, data), now_us=NOW_US, program="1")
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup"]
    assert verify(tmp_path / "backup").telemetry["readings"] == 200


def test_the_database_may_be_written_while_it_is_copied(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "wardwatt.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO settings VALUES ('half', '1')")
        with DuckDBStore(data / "telemetry.duckdb") as store:
            make(tmp_path / "backup", sources(store, data), now_us=NOW_US, program="1")
        writer.execute("COMMIT")
    with closing(sqlite3.connect(f"file:{tmp_path / 'backup' / 'wardwatt.db'}?immutable=1", uri=True)) as copied:
        assert [key for (key,) in copied.execute("SELECT key FROM settings WHERE key IN ('told', 'half')")] == ["told"]


def test_an_influxdb_is_backed_up_as_parquet_and_comes_back_into_either_keeper(data: Path, tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.start()
    try:
        with open_influxdb(server.url("live")) as live:
            live.write(batch(0, 500))
            told = contents(live)
            manifest = make(tmp_path / "backup", sources(live, data, "influxdb"), now_us=NOW_US, program="1")
        assert (manifest.telemetry["kind"], manifest.telemetry["readings"]) == ("parquet", 500)
        assert verify(tmp_path / "backup")
        restore(
            tmp_path / "backup", targets(tmp_path / "a", store=server.url("again"), store_file=None), force=False,
            now_us=NOW_US,
        )  # fmt: skip
        with open_influxdb(server.url("again")) as again:
            assert contents(again) == told
            assert dict(again.addresses()) == {"tx1/load": TABLE.addresses[0]}
        restore(tmp_path / "backup", targets(tmp_path / "b"), force=False, now_us=NOW_US)
        with DuckDBStore(tmp_path / "b" / "telemetry.duckdb") as embedded:
            assert contents(embedded) == told
        with pytest.raises(FolderTaken, match="the store, which holds 500 readings"):
            restore(
                tmp_path / "backup", targets(tmp_path / "c", store=server.url("again"), store_file=None),
                force=False, now_us=NOW_US,
            )  # fmt: skip
    finally:
        server.kill()


def test_a_duckdb_backup_goes_into_an_influxdb(backup: Path, tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd")
    server.start()
    try:
        done = restore(
            backup, targets(tmp_path / "a", store=server.url("new"), store_file=None), force=False, now_us=NOW_US
        )
        assert done.readings == 600
        with open_influxdb(server.url("new")) as store:
            assert contents(store).hex == Manifest.read(backup).telemetry["checksum"]
    finally:
        server.kill()


@pytest.mark.skipif(not shutil.which("pg_dump"), reason="postgresql-client is not installed")
def test_postgresql_is_dumped_and_restored(data: Path, tmp_path: Path) -> None:
    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    with postgres.server() as server, postgres.new_database(server) as url, postgres.new_database(server) as other:
        database = Database(url)
        database.upgrade()
        with database.session() as session:
            write_setting(session, "told", "in PostgreSQL")
        database.close()
        with DuckDBStore(data / "telemetry.duckdb") as store:
            made = make(tmp_path / "backup", Sources(store, "duckdb", url, None, (), data), now_us=NOW_US, program="1")
        assert made.database["kind"] == "postgresql"
        assert made.database["revision"]
        for force in (False, True):
            restore(tmp_path / "backup", targets(tmp_path / f"new{force}", database=other), force=force, now_us=NOW_US)
            restored = Database(other)
            with restored.reading() as session:
                assert read_setting(session, "told") == "in PostgreSQL"
            restored.close()
        with pytest.raises(FolderTaken, match="the database, which holds tables"):
            restore(tmp_path / "backup", targets(tmp_path / "third", database=other), force=False, now_us=NOW_US)
        with pytest.raises(ConfigurationError, match="holds a database of postgresql"):
            restore(tmp_path / "backup", targets(tmp_path / "fourth"), force=False, now_us=NOW_US)


def test_without_pg_dump_the_command_says_what_to_install(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = Sources(None, "duckdb", "postgresql://u@h/d", None, (), data)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="apt-get install postgresql-client"):
        make(tmp_path / "backup", wanted, now_us=NOW_US, program="1")


def test_a_manifest_cannot_lead_out_of_the_folder(backup: Path, tmp_path: Path) -> None:
    told = json.loads((backup / "manifest.json").read_text())
    (tmp_path / "evil").write_text("x")
    mark = told["files"]["data/broker-password"]
    told["files"]["data/../../evil"] = mark
    (backup / "data" / "x").mkdir()
    (backup.parent / "evil").write_text("secret")
    (backup / "manifest.json").write_text(json.dumps(told))
    done = restore(backup, targets(tmp_path / "a" / "b" / "new"), force=False, now_us=NOW_US)
    assert all(tmp_path / "a" / "b" / "new" in path.parents for path in done.files)
