"""Gateways publish as real ones do: their own topics, keys, units and clocks, and patiently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facility.site import Site
from facility.site_file import load_site
from simulators.gateways import Publisher, command, command_topic, reporters
from simulators.hospital import Hospital
from simulators.payloads import stamp
from tests.simulators.conftest import Address, Mosquitto, Subscriber, eventually

US = 1_768_320_000_000_000


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("s", US // 1_000_000),
        ("ms", US // 1000),
        ("us", US),
        ("iso", "2026-01-13T16:00:00+00:00"),
        ("auto", "2026-01-13T16:00:00+00:00"),
    ],
)
def test_clocks_write_times_in_their_own_unit(unit: str, written: object) -> None:
    assert stamp(US, unit) == written  # type: ignore[arg-type]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1e6), ("ms", 1e3), ("us", 1.0)])
def test_microseconds_survive_every_unit(unit: str, factor: float) -> None:
    for fraction in (1, 123_457, 999_999):
        assert round(json.loads(json.dumps(stamp(US + fraction, unit))) * factor) == US + fraction  # type: ignore[arg-type]


MIXED = """
site: {id: mixed, name: {zh: 院, en: Mixed}, time_zone: Asia/Shanghai}
buildings: [{id: b, name: {zh: 楼, en: Building}}]
rooms: [{id: r1, kind: pump_room, building: b, name: {zh: 房, en: Room}}]
telemetry: [{topic: "{site}/{building}/{room}/{equipment}", format: json, time: {key: at, unit: s}}]
equipment:
  - {id: w1, class: water_meter, room: r1}
  - id: w2
    class: water_meter
    room: r1
    telemetry: {gateway: gw-7, topic: "field/{equipment}/{point}", format: plain, points: {flow: Q}}
  - id: p1
    class: pump
    room: r1
    telemetry:
      gateway: gw-8
      topic: field/p1
      time: {key: meta.when, unit: ms}
      points:
        outlet_pressure: {key: data.p, unit: bar}
        fluid_temperature: {key: data.t, scale: 0.1, offset: -40}
        running: {key: data.state, states: {RUN: 1, STOP: 0}}
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(MIXED, encoding="utf-8")
    return load_site(tmp_path / "site.yaml")


def test_a_machine_without_telemetry_of_its_own_follows_the_sites_pattern(mixed: Site) -> None:
    reporter = next(r for r in reporters(mixed) if r.equipment == "w1")
    [(topic, payload)] = reporter.messages({"w1/flow": 1.25, "w1/pressure": 0.3}, US)
    assert topic == "mixed/b/r1/w1"
    assert json.loads(payload) == {"at": US // 1_000_000, "flow": 1.25, "pressure": 0.3}
    assert reporter.gateway == "gw-r1"


def test_a_plain_machine_sends_one_topic_a_value(mixed: Site) -> None:
    reporter = next(r for r in reporters(mixed) if r.equipment == "w2")
    sent = dict(reporter.messages({"w2/flow": 1.25, "w2/pressure": 0.3}, US))
    assert sent == {"field/w2/Q": b"1.25", "field/w2/pressure": b"0.3"}
    assert reporter.gateway == "gw-7"


def test_units_scales_words_and_nested_keys_are_those_of_the_gateway(mixed: Site) -> None:
    reporter = next(r for r in reporters(mixed) if r.equipment == "p1")
    values = {"p1/outlet_pressure": 0.412, "p1/fluid_temperature": 20.0, "p1/running": 1.0}
    [(topic, payload)] = reporter.messages(values, US)
    assert topic == "field/p1"
    assert json.loads(payload) == {"meta": {"when": US // 1000}, "data": {"p": 4.12, "t": 600.0, "state": "RUN"}}


def test_machines_report_every_one_to_ten_seconds_and_not_all_at_once(site: Site) -> None:
    all_of_them = reporters(site)
    assert {r.equipment for r in all_of_them} == set(site.equipment)
    assert all(1 <= r.every_s <= 10 and 0 <= r.phase_s < r.every_s for r in all_of_them)
    assert len({r.gateway for r in all_of_them}) >= 5
    assert len({r.phase_s for r in all_of_them}) > 3


def test_a_running_hospital_publishes_and_takes_commands(
    site: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    hospital = Hospital(site, seed=1)
    publisher = Publisher(hospital, mosquitto.address)

    def latest(point: str) -> float:
        return float(json.loads(subscriber.on("riverside/oxygen-1/oz-icu/telemetry")[-1])[point])

    publisher.start()
    try:
        eventually(lambda: len(subscriber.on("riverside/oxygen-1/oz-icu/telemetry")) >= 2)
        first = json.loads(subscriber.on("riverside/oxygen-1/oz-icu/telemetry")[0])
        assert first["pressure"] > 400.0
        assert abs(first["ts"] * 1000 - (hospital.now_us or 0)) < 60_000_000
        before = first["flow"]
        subscriber.publish(command_topic(site), command("MG-F07", "oz-icu", on=True, severity=1.0))
        eventually(lambda: latest("flow") > before + 40.0)
        subscriber.publish(command_topic(site), command("MG-F07", "oz-icu", on=False))
        eventually(lambda: latest("flow") < before + 30.0)
    finally:
        publisher.stop()
    status = publisher.status()
    assert sum(g.sent for g in status.values()) > 0
    assert all(g.dropped == 0 for g in status.values())


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"42", b'{"fault": "MG-F02"}', b'{"fault": "XX-F01", "equipment": "oz-icu"}',
     b'{"fault": "MG-F02", "equipment": "oz-icu", "severity": "much"}', b"\xff\xfe",
     b'{"fault": "MG-F02", "equipment": "oz-icu", "severity": 7}'],
)  # fmt: skip
def test_a_wrong_command_is_refused_and_changes_nothing(site: Site, payload: bytes) -> None:
    hospital = Hospital(site, seed=1)
    hospital.step(US)
    publisher = Publisher(hospital, Address("127.0.0.1", 1))
    publisher._command(payload)
    assert hospital.book.events() == []


def test_a_broker_that_is_away_at_the_start_is_waited_for_and_nothing_is_lost(site: Site, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    publisher = Publisher(Hospital(site, seed=1), broker.address)
    publisher.start()
    try:
        eventually(lambda: sum(g.sent for g in publisher.status().values()) > 20)
        assert not any(g.connected for g in publisher.status().values())
        broker.start()
        eventually(lambda: all(g.connected and g.acknowledged > 0 for g in publisher.status().values()), 60)
        broker.stop()
        eventually(lambda: not any(g.connected for g in publisher.status().values()))
        broker.start()
        eventually(lambda: all(g.acknowledged >= g.sent - 5 for g in publisher.status().values()), 60)
    finally:
        publisher.stop()
        broker.stop()
    assert all(g.dropped == 0 for g in publisher.status().values())


def test_stopping_twice_and_stopping_what_never_started_do_nothing(site: Site) -> None:
    publisher = Publisher(Hospital(site, seed=1), Address("127.0.0.1", 1))
    publisher.stop()
    publisher.start()
    publisher.stop()
    publisher.stop()
