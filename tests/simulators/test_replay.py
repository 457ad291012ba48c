"""Replay: every row arrives, exact in value and time, whatever the broker does meanwhile."""

from __future__ import annotations

import csv
import json
import threading
import time
from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.site import Site
from facility.site_file import load_site
from facility.units import conversion
from simulators import replay as replaying
from simulators.recorded import parse_time
from simulators.replay import BrokerAway, ReplayResult, replay
from tests.simulators.conftest import ROOT, Address, Mosquitto, Subscriber, eventually

RECORDING = ROOT / "tests/data/recordings/pump-rig.csv"
MAPPING = ROOT / "examples/replay/skab-pump.yaml"
TOPIC = "rig/lab/rig-pump/telemetry"


@pytest.fixture(scope="module")
def rig() -> Site:
    return load_site(ROOT / "examples/replay/rig-site.yaml")


def recorded(path: Path = RECORDING) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_every_row_arrives_once_and_exact(rig: Site, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    result = replay(RECORDING, "rig-pump", rig, mosquitto.address, MAPPING)
    rows = recorded()
    assert (result.rows, result.sent, result.acknowledged) == (len(rows), len(rows), len(rows))
    assert result.readings == 8 * len(rows)
    assert result.left_out == ("anomaly", "changepoint")
    eventually(lambda: len(subscriber.on(TOPIC)) == len(rows))
    bar = conversion("bar", "MPa")[0]
    for row, payload in zip(rows, subscriber.on(TOPIC), strict=True):
        message = json.loads(payload)
        assert parse_time(message["time"], rig.time_zone) == parse_time(row["datetime"], rig.time_zone)
        assert message["current"] == float(row["Current"])
        assert message["outlet_pressure"] == float(row["Pressure"]) * bar
        assert message["vibration_acceleration_1"] == float(row["Accelerometer1RMS"]) * 9.80665


def test_a_broker_that_restarts_in_the_middle_loses_nothing_and_doubles_nothing(
    rig: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    results: list[ReplayResult] = []
    halfway = threading.Event()

    def watch(result: ReplayResult) -> None:
        if result.acknowledged > 0:
            halfway.set()

    def run() -> None:
        # 1200 s of recording in about 8 s, so that the broker goes down in the middle.
        results.append(replay(RECORDING, "rig-pump", rig, mosquitto.address, MAPPING, speed=150.0, progress=watch))

    thread = threading.Thread(target=run)
    thread.start()
    assert halfway.wait(30)
    mosquitto.stop()
    mosquitto.start()
    thread.join(120)
    [result] = results
    rows = recorded()
    assert result.acknowledged == result.sent == len(rows)
    eventually(lambda: len({json.loads(p)["time"] for p in subscriber.on(TOPIC)}) == len(rows))
    # MQTT may deliver a message again after a restart; by (point, time) there is one reading each.
    by_time: dict[str, set[bytes]] = {}
    for payload in subscriber.on(TOPIC):
        by_time.setdefault(json.loads(payload)["time"], set()).add(payload)
    assert all(len(payloads) == 1 for payloads in by_time.values())
    # A machine reports in order, also across the break.
    assert list(by_time) == sorted(by_time)


def test_shifted_times_begin_now_and_keep_their_distances(
    rig: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    result = replay(RECORDING, "rig-pump", rig, mosquitto.address, MAPPING, timestamps="shifted")
    rows = recorded()
    original = [parse_time(r["datetime"], rig.time_zone) for r in rows]
    eventually(lambda: len(subscriber.on(TOPIC)) == len(rows))
    sent = [parse_time(json.loads(p)["time"], rig.time_zone) for p in subscriber.on(TOPIC)]
    assert [t - sent[0] for t in sent] == [t - original[0] for t in original]
    assert result.first_us == sent[0] > original[0]


def test_a_message_carries_the_keys_units_and_clock_of_the_machines_own_gateway(
    site: Site, mosquitto: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    file = tmp_path / "cp1.csv"
    file.write_text("time,outlet_pressure,running\n2026-01-01T00:00:00.000001Z,0.42,1\n", encoding="utf-8")
    replay(file, "cp1", site, mosquitto.address)
    eventually(lambda: len(subscriber.on("riverside/gw-pump-2/cp1")) == 1)
    message = json.loads(subscriber.on("riverside/gw-pump-2/cp1")[0])
    assert message == {"time": "2026-01-01T00:00:00.000001+00:00", "p_out": pytest.approx(4.2), "state": "RUN"}


def test_rows_that_cannot_be_sent_are_counted_with_an_example(rig: Site, mosquitto: Mosquitto, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "time,flow,current\n2026-01-01T00:00:00Z,1,x\nnever,1,1\n2026-01-01T00:00:02Z,,\n", encoding="utf-8"
    )
    result = replay(file, "rig-pump", rig, mosquitto.address)
    assert (result.rows, result.sent, result.readings, result.skipped_rows, result.unreadable) == (3, 1, 1, 2, 1)
    assert result.example == "line 2: column 'current' holds no number"


def test_it_can_be_stopped_early(rig: Site, mosquitto: Mosquitto) -> None:
    stop = threading.Event()
    result = replay(
        RECORDING, "rig-pump", rig, mosquitto.address, MAPPING, speed=50.0, stop=stop, progress=lambda _: stop.set()
    )
    assert 0 < result.sent < 1200
    assert result.acknowledged == result.sent


def test_a_silent_broker_is_told_after_the_patience_that_was_given(rig: Site, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    with pytest.raises(BrokerAway, match=r"acknowledged nothing for 0\.5 s"):
        replay(RECORDING, "rig-pump", rig, broker.address, MAPPING, patience_s=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"equipment": "rig-pmup"}, "no equipment is called 'rig-pmup'; did you mean 'rig-pump'?"),
        ({"speed": 0.0}, "0 is not above 0"),
        ({"speed": -2.0}, "-2 is not above 0"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    rig: Site, arguments: dict[str, object], message: str
) -> None:
    given: dict[str, object] = {"equipment": "rig-pump", "speed": None, **arguments}
    with pytest.raises(ConfigurationError, match=message.replace("?", r"\?")):
        replay(RECORDING, str(given["equipment"]), rig, Address("127.0.0.1", 1), MAPPING, given["speed"])  # type: ignore[arg-type]


def test_a_machine_of_plain_values_cannot_carry_recorded_times(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "site: {id: s, name: {zh: 院, en: S}}\n"
        "rooms: [{id: r, kind: pump_room, name: {zh: 房, en: R}}]\n"
        "equipment:\n"
        "  - {id: w, class: water_meter, room: r, telemetry: {topic: 'x/{point}', format: plain}}\n",
        encoding="utf-8",
    )
    plain = load_site(tmp_path / "site.yaml")
    with pytest.raises(ConfigurationError, match="plain values without a time"):
        replay(RECORDING, "w", plain, Address("127.0.0.1", 1), MAPPING)


@pytest.mark.parametrize("speed", [None, 40.0])
def test_a_recording_played_faster_than_it_was_made_sends_nothing_from_the_future(speed):
    pace = replaying._Pace(speed, "shifted", 600_000_000)
    before = time.time_ns() // 1000
    stamps = [pace.wait(at, threading.Event()) for at in (0, 300_000, 600_000_000 if speed is None else 400_000)]
    assert stamps[0] < before
    assert stamps[-1] <= time.time_ns() // 1000
    assert stamps[1] - stamps[0] == 300_000
