"""`wardwatt quarantine` and `wardwatt discover`, with a real database, store and broker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.command import app
from api.commands import quarantine as commands
from api.replaying import orders_of
from api.security import audit
from collector.quarantine import Quarantine, Rejections
from collector.replay import Replays
from facility.database import Database
from facility.site_file import load_site
from facility.store.opening import open_store
from tests.collector.conftest import Mosquitto, Publisher

runner = CliRunner(env={"COLUMNS": "200"})
SITE = """
site: {id: s, name: {zh: 院, en: Hospital}}
rooms: [{id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}]
equipment:
  - {id: m1, class: electricity_meter, room: power-1, telemetry: {topic: new/m1/up, points: {voltage_a: ua}}}
"""
TOPIC = "new/m1/up"


def run(*arguments: object, code: int = 0, typed: str | None = None) -> Result:
    result = runner.invoke(app, [str(a) for a in arguments], input=typed)
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def told(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout.strip().splitlines()[-1])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A service's data folder, with some messages in its quarantine."""
    folder = tmp_path / "data"
    database = Database(f"sqlite:///{folder}/wardwatt.db")
    database.upgrade()
    found, now_us = Rejections(), time.time_ns() // 1000
    for i in range(3):
        payload = json.dumps({"ts": now_us // 1000 - 60_000 + i, "ua": 230.0 + i}).encode()
        found.add(TOPIC, "unknown-topic", "why", payload, len(payload), now_us)
    found.add("other/topic", "broken-json", "why", b"{\x1b", 2, now_us)
    Quarantine(database).record(found)
    database.close()
    return folder


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto of our own."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    running = Mosquitto(folder)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site file after the mending."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return file


def test_list_and_show(data: Path) -> None:
    listed = told("quarantine", "list", "--data", data)
    assert listed["by_reason"] == {"unknown-topic": 3, "broken-json": 1}
    assert told("quarantine", "list", "--data", data, "--topic", TOPIC)["entries"][0]["kept"] == 3
    number = listed["entries"][0]["id"]
    assert len(told("quarantine", "show", number, "--data", data)["messages"]) == min(3, listed["entries"][0]["kept"])
    assert TOPIC in run("quarantine", "list", "--data", data).output
    assert "there is no row 99" in run("quarantine", "show", 99, "--data", data, code=2).output
    assert "name the service's data folder" in run("quarantine", "list", "--data", data / "no", code=2).output


def test_a_dry_run_says_what_the_site_file_would_understand_and_changes_nothing(data: Path, site: Path) -> None:
    answer = told("quarantine", "replay", "--dry-run", "--data", data, "--site", site)
    assert (answer["messages"], answer["understood"]) == (4, 3)
    assert "3 of 4 messages" in run("quarantine", "replay", "--dry-run", "--data", data, "--site", site).output
    assert told("quarantine", "list", "--data", data)["by_reason"]["unknown-topic"] == 3


def test_without_a_service_the_command_replays_by_itself(
    data: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_PATIENCE_S", 0.2)
    answer = told("quarantine", "replay", "--data", data, "--site", site)
    assert (answer["messages"], answer["understood"], answer["still"], answer["readings"]) == (4, 3, 0, 3)
    assert answer["moved"] == 1  # broken JSON on a topic that nobody knows
    with open_store(data / "telemetry.duckdb") as store:
        assert store.series(["m1/voltage_a"], 0, 2**62)["m1/voltage_a"].value.tolist() == [230.0, 231.0, 232.0]
    database = Database(f"sqlite:///{data}/wardwatt.db")
    assert {e.who for e in audit.entries(database)} == {"command"}
    database.close()


def test_the_service_that_holds_the_store_carries_the_order_out(data: Path, site: Path) -> None:
    database = Database(f"sqlite:///{data}/wardwatt.db")
    quarantine = Quarantine(database)
    with open_store(data / "telemetry.duckdb") as store:
        replays = Replays(
            quarantine, orders_of(database, quarantine), load_site(site), store, lambda: time.time_ns() // 1000
        )
        replays.start()
        try:
            answer = told("quarantine", "replay", "--topic", TOPIC, "--data", data, "--site", site)
        finally:
            replays.stop()
        assert answer["understood"] == 3
        assert len(store.series(["m1/voltage_a"], 0, 2**62)["m1/voltage_a"]) == 3
    database.close()


def test_discarding_wants_to_be_told_what_and_to_be_sure(data: Path) -> None:
    assert "say what" in run("quarantine", "discard", "--data", data, code=2).output
    run("quarantine", "discard", "--all", "--data", data, code=1, typed="n\n")
    assert told("quarantine", "discard", "--reason", "broken-json", "--yes", "--data", data) == {"discarded": 1}
    assert "there is no row 77" in run("quarantine", "discard", 77, "--yes", "--data", data, code=2).output
    assert told("quarantine", "discard", "--all", "--yes", "--data", data) == {"discarded": 1}


def test_unknown_topics_of_the_quarantine_are_proposed(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.yaml"
    run("discover", "--from-quarantine", "--data", data, "--out", out)
    text = out.read_text(encoding="utf-8")
    assert 'topic: "new/m1/up"' in text
    assert "voltage_a: ua" in text
    refused = run("discover", "--from-quarantine", "--data", data, "--out", out, code=2).output
    assert "write over it with --force" in refused
    run("discover", "--from-quarantine", "--data", data, "--out", out, "--force")


def test_what_a_broker_carries_is_proposed_as_a_site_that_checks(broker: Mosquitto, tmp_path: Path, site: Path) -> None:
    gateway = Publisher(broker.address)
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.05):
            gateway.send("plant/pump7/up", {"outlet_pressure": 0.45, "running": True, "frequency": 42.5})
            gateway.send(TOPIC, {"ua": 231})  # the site file maps it already
            gateway.send('x"y: {', b"\xff")

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        url = f"mqtt://127.0.0.1:{broker.port}"
        answer = told("discover", "--broker", url, "--for", "1.5s", "--site", site)
        everything = told("discover", "--broker", url, "--for", "1.5s", "--site", site, "--all", "--topics", "new/#")
    finally:
        stop.set()
        thread.join()
        gateway.close()
    (found,) = answer["equipment"]
    assert (found["id"], found["class"], found["topic"]) == ("pump7", "pump", "plant/pump7/up")
    assert [e["topic"] for e in everything["equipment"]] == [TOPIC]
    file = tmp_path / "whole" / "site.yaml"
    file.parent.mkdir()
    file.write_text("site: {id: s, name: {zh: 院, en: Hospital}}\n" + answer["yaml"], encoding="utf-8")
    assert "No mistakes." in run("check", file).output


def test_a_broker_that_is_away_or_a_span_that_is_none_is_told() -> None:
    assert "check host and port" in run("discover", "--broker", "mqtt://127.0.0.1:9", "--for", "1s", code=3).output
    assert "is out of range" in run("discover", "--broker", "mqtt://127.0.0.1:9", "--for", "0s", code=2).output
