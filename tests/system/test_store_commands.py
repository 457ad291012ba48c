"""The store commands beside a service that runs: they ask it, and what they make is right while readings come in."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import numpy as np
import pytest

from facility.store.duckdb import DuckDBStore
from facility.store.fingerprint import whole
from facility.store.transfer import fingerprints, select
from tests.system.harness import ROOT, WARDWATT, Wardwatt, eventually

pytestmark = pytest.mark.system

HEAD = "time,point,value,quality\n"


def store(*arguments, code=0):
    """Run `wardwatt store ...` as a process of its own."""
    done = subprocess.run(
        [WARDWATT, "store", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def told(*arguments, code=0):
    return json.loads(store(*arguments, "--json", code=code).stdout)


@pytest.fixture
def service(tmp_path):
    service = Wardwatt(tmp_path, "run", "--site", ROOT / "examples" / "small").start()
    yield service
    service.stop()


def rows(first, count):
    """Return readings a millisecond apart, of the past, as CSV."""
    base = np.datetime64("2026-03-01T00:00:00.000") + np.arange(first, first + count).astype("m8[ms]")
    return HEAD + "".join(
        f"{t}Z,tx1/winding_temperature_a,{i % 90}.5,16\n" for i, t in enumerate(base.tolist(), 0)
    ).replace(" ", "T")


def test_commands_ask_the_running_service_and_a_restored_backup_starts(service, tmp_path):
    (tmp_path / "past.csv").write_text(rows(0, 20_000))
    said = store("import", tmp_path / "past.csv", "--data", service.data).stderr
    assert f"Asking the running service at {service.url}." in said
    assert told("info", "--data", service.data)["readings"] >= 20_000

    # Readings go on coming in while a backup is taken.
    ended, imported = threading.Event(), [20_000]

    def go_on():
        while not ended.is_set():
            (tmp_path / "more.csv").write_text(rows(imported[0], 2_000))
            begun = time.monotonic()
            store("import", tmp_path / "more.csv", "--data", service.data)
            imported[0] += 2_000
            ended.wait(max(0.0, 1.0 - (time.monotonic() - begun)))

    writer = threading.Thread(target=go_on)
    writer.start()
    eventually(lambda: imported[0] >= 22_000, 60)
    before = imported[0]
    made = told("backup", tmp_path / "b", "--data", service.data, "--site", ROOT / "examples" / "small")
    after = imported[0] + 2_000
    ended.set()
    writer.join()
    assert told("verify", tmp_path / "b")["sound"]
    with DuckDBStore(tmp_path / "b" / "telemetry.duckdb", read_only=True) as copy:
        ours = copy.series(["tx1/winding_temperature_a"], 0, 2**62)["tx1/winding_temperature_a"]
        assert before <= len(ours) <= after
        assert whole(fingerprints(copy, select(copy))).hex == made["telemetry"]["checksum"]

    out = told("export", tmp_path / "all.parquet", "--data", service.data, "--points", "tx1/winding_temperature_a")
    assert out["readings"] == imported[0]
    assert "stop it, then restore" in store("restore", tmp_path / "b", "--data", service.data, "--force", code=3).stderr
    trail = [entry["action"] for entry in admin(service).get("audit")["entries"]]
    assert {"readings-imported", "store-copied"} <= set(trail)

    restored = Wardwatt(tmp_path / "elsewhere", "run", "--site", ROOT / "examples" / "small")
    store("restore", tmp_path / "b", "--data", restored.data)
    restored.start()
    try:
        assert told("info", "--data", restored.data)["readings"] >= made["telemetry"]["readings"]
        assert "as before" in restored.said()  # the people are those of the backup
    finally:
        restored.stop()


def admin(service):
    """Return the service with an administrator's token."""
    service.token = lambda role="admin", make=service.token: make(role)
    return service


def test_after_a_kill_the_file_is_opened_again(service, tmp_path):
    (tmp_path / "past.csv").write_text(rows(0, 10))
    store("import", tmp_path / "past.csv", "--data", service.data)
    service.kill()
    said = store("info", "--data", service.data)
    assert "no service runs with it" in said.stderr
    assert told("verify", "--data", service.data)["readings"] >= 10
