"""Gateways publish as real ones do: their own topics, keys, units and clocks, and patiently."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from facility.site import Site
from facility.site_file import load_site
from simulators.faults import FaultBook, FaultEvent
from simulators.gateways import Publisher, command, command_topic, repair_command, reporters
from simulators.gateways.clock import GatewayClock
from simulators.gateways.edge_node import edge_nodes
from simulators.gateways.gateway import MessageGateway
from simulators.gateways.trouble import WELL, Trouble, troubles
from simulators.hospital import Hospital
from simulators.payloads import stamp
from tests.simulators.conftest import ROOT, Address, Mosquitto, Subscriber, eventually

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
  - id: b1
    class: water_meter
    telemetry: {gateway: gw-9, topic: field/b1, samples: samples, time: {key: t, unit: ms}}
  - id: c1
    class: water_meter
    telemetry: {gateway: gw-10, topic: field/c1, reports: on_change, alive: 5 min}
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
    assert reporter.gateway == "room:r1"


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
        subscriber.publish(command_topic(site), repair_command("oz-icu", "rebooted"))
        subscriber.publish(command_topic(site), repair_command("oz-icu", "leaking hose replaced"))
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
     b'{"fault": "MG-F02", "equipment": "oz-icu", "severity": 7}', b'{"repair": "oz-icu"}'],
)  # fmt: skip
def test_a_wrong_command_is_refused_and_changes_nothing(site: Site, payload: bytes) -> None:
    hospital = Hospital(site, seed=1)
    hospital.step(US)
    publisher = Publisher(hospital, Address("127.0.0.1", 1))
    publisher._command(payload)
    assert hospital.book.events() == []


class Clockwork:
    """One gateway of the mixed site that lives second by second, as fast as the test wants."""

    def __init__(self, site: Site, gateway: str, address: Address) -> None:
        machines = [r for r in reporters(site) if r.gateway == gateway]
        self.gateway = MessageGateway(gateway, machines, address, f"test-{gateway}", seed=1)
        self.status = self.gateway.status
        self.second = US // 1_000_000
        self.values = {"w1/flow": 1.25, "w2/flow": 2.5, "b1/flow": 3.5, "p1/outlet_pressure": 0.4}

    def live(self, seconds: int, trouble: Trouble = WELL) -> None:
        for _ in range(seconds):
            self.second += 1
            self.values |= {key: float(self.second % 1000) for key in self.values}
            self.gateway.tick(self.second, self.values, trouble)

    def live_until(self, condition: Callable[[], bool]) -> None:
        def lived() -> bool:
            self.live(1)
            return condition()

        eventually(lived)

    def __enter__(self) -> Clockwork:
        self.gateway.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.stop()


def told(subscriber: Subscriber, topic: str) -> list[tuple[int, float]]:
    """Return the times and flows that came on a topic, in the order of their arrival."""
    return [(sent["at"], sent["flow"]) for sent in map(json.loads, subscriber.on(topic))]


def test_what_is_kept_while_the_broker_is_away_comes_afterwards_with_its_own_times(
    mixed: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    topic = "mixed/b/r1/w1"
    with Clockwork(mixed, "room:r1", mosquitto.address) as clockwork:
        clockwork.live(200)  # before it has a connection
        clockwork.live_until(lambda: clockwork.status.connected and clockwork.status.kept == 0)
        eventually(lambda: clockwork.status.acknowledged == clockwork.status.sent)
        clockwork.live(100, Trouble(cut=True))
        assert not clockwork.status.connected
        assert clockwork.status.kept >= 10
        clockwork.live_until(lambda: clockwork.status.connected and clockwork.status.kept == 0)
        eventually(lambda: clockwork.status.acknowledged == clockwork.status.sent)
        eventually(lambda: len(told(subscriber, topic)) >= clockwork.status.sent)
        assert clockwork.status.dropped == 0
    every = next(r.every_s for r in reporters(mixed) if r.equipment == "w1")
    times = [at for at, _ in told(subscriber, topic)]
    assert [round(b - a) for a, b in pairwise(times)] == [every] * (len(times) - 1)
    assert times[-1] - times[0] >= 290


def test_a_broker_that_dies_and_comes_back_gets_everything(mixed: Site, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    listener = Subscriber(broker.address)
    with Clockwork(mixed, "room:r1", broker.address) as clockwork:
        clockwork.live_until(lambda: clockwork.status.connected)
        clockwork.live(50)
        broker.stop()
        eventually(lambda: not clockwork.status.connected)
        clockwork.live(100)
        broker.start()
        eventually(lambda: clockwork.status.connected)
        clockwork.live(1)
        eventually(lambda: clockwork.status.acknowledged == clockwork.status.sent)
        eventually(lambda: len({at for at, _ in told(listener, "mixed/b/r1/w1")}) >= clockwork.status.sent)
    listener.close()
    broker.stop()


def test_a_full_memory_loses_its_oldest_samples_and_counts_them(mixed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.gateways.gateway.MEMORY", 5)
    clockwork = Clockwork(mixed, "room:r1", Address("127.0.0.1", 1))
    clockwork.live(120)
    assert clockwork.status.kept == 5
    assert clockwork.status.dropped == 7
    newest = [samples[0][1]["w1/flow"] for _, samples in clockwork.gateway._kept]
    assert newest == sorted(newest)
    assert newest[-1] > clockwork.second % 1000 - 10


def test_a_gateway_that_hangs_keeps_nothing(mixed: Site) -> None:
    clockwork = Clockwork(mixed, "room:r1", Address("127.0.0.1", 1))
    clockwork.live(60, Trouble(cut=True, hangs=True))
    assert clockwork.status.kept == 0
    clockwork.live(60)
    assert clockwork.status.kept > 0


def test_samples_travel_together_where_the_form_has_a_list_of_them(
    mixed: Site, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    with Clockwork(mixed, "gw-9", mosquitto.address) as clockwork:
        clockwork.live_until(lambda: clockwork.status.connected)
        clockwork.live(60)
        eventually(lambda: len(subscriber.on("field/b1")) >= 2)
    sizes = {len(json.loads(payload)["samples"]) for payload in subscriber.on("field/b1")}
    assert sizes == {2}
    first, second = json.loads(subscriber.on("field/b1")[0])["samples"]
    assert second["t"] - first["t"] in (9_999, 10_000, 10_001)
    assert second["flow"] != first["flow"]


def test_a_machine_that_sends_only_changes_is_heard_from_time_to_time(mixed: Site) -> None:
    clockwork = Clockwork(mixed, "gw-10", Address("127.0.0.1", 1))
    clockwork.values = {"c1/flow": 1.0, "c1/pressure": 0.3}
    for second in range(1, 301):
        clockwork.values["c1/flow"] = float(second >= 150)
        clockwork.gateway.tick(clockwork.second + second, clockwork.values)
    said = [values for _, samples in clockwork.gateway._kept for _, values in samples]
    assert said.count({"c1/flow": 1.0}) == 1  # the change alone
    assert 3 <= len([values for values in said if len(values) == 2]) <= 4  # everything, every 100 s


def test_each_gateway_has_a_clock_of_its_own_that_stays_within_what_is_healthy(site: Site) -> None:
    clocks = {r.gateway: GatewayClock.of(r.gateway, seed=1) for r in reporters(site)}
    errors = {
        name: [US + hour * 3_600_000_000 - clock.reads(US + hour * 3_600_000_000) for hour in range(72)]
        for name, clock in clocks.items()
    }
    assert len({tuple(e) for e in errors.values()}) == len(clocks)
    assert all(-4e6 < error < 4e6 for found in errors.values() for error in found)
    assert clocks == {name: GatewayClock.of(name, seed=1) for name in clocks}
    assert clocks != {name: GatewayClock.of(name, seed=2) for name in clocks}


class TestTroubles:
    """Faults that belong to a gateway."""

    def at(self, site: Site, fault: str, severity: float = 1.0) -> Trouble:
        return troubles(FaultBook(site, [FaultEvent(fault, "gw-pump-2", severity, US, 0.0)]), US + 1)["gw-pump-2"]

    def test_a_clock_may_lose_up_to_half_an_hour(self, site: Site) -> None:
        assert self.at(site, "DA-F07", 0.5) == Trouble(lost_us=900_000_000)

    def test_a_silent_gateway_keeps_nothing_and_one_without_uplink_does(self, site: Site) -> None:
        assert self.at(site, "DA-F08") == Trouble(cut=True, hangs=True)
        assert self.at(site, "DA-F10") == Trouble(cut=True)

    def test_a_well_gateway_is_not_named(self, site: Site) -> None:
        assert troubles(FaultBook(site, [FaultEvent("DA-F08", "gw-pump-2", 1.0, US, 0.0)]), US - 1) == {}

    def test_a_wrong_clock_stamps_wrongly(self, mixed: Site) -> None:
        clockwork = Clockwork(mixed, "room:r1", Address("127.0.0.1", 1))
        clockwork.live(10, Trouble(lost_us=600_000_000))
        ((_, ((stamp_us, _),)),) = clockwork.gateway._kept
        assert 595 < clockwork.second - stamp_us / 1e6 < 615

    def test_a_bad_link_doubles_and_disorders_messages_and_loses_none(
        self, mixed: Site, mosquitto: Mosquitto, subscriber: Subscriber
    ) -> None:
        with Clockwork(mixed, "room:r1", mosquitto.address) as clockwork:
            clockwork.live_until(lambda: clockwork.status.connected)
            clockwork.live(600, Trouble(disordered=0.5))
            clockwork.live(20)
            eventually(lambda: clockwork.status.acknowledged == clockwork.status.sent)
            eventually(lambda: len(told(subscriber, "mixed/b/r1/w1")) >= clockwork.status.sent)
        times = [at for at, _ in told(subscriber, "mixed/b/r1/w1")]
        assert len(times) > len(set(times)) + 5
        assert sum(b < a for a, b in pairwise(times)) > 5
        assert {round(b - a) for a, b in pairwise(sorted(set(times)))} == {10}


def test_stopping_twice_and_stopping_what_never_started_do_nothing(site: Site) -> None:
    publisher = Publisher(Hospital(site, seed=1), Address("127.0.0.1", 1))
    publisher.stop()
    publisher.start()
    publisher.stop()
    publisher.stop()


def test_the_large_hospital_speaks_every_form() -> None:
    large = load_site(ROOT / "examples/hospital")
    speaking = reporters(large)
    assert any(r.plain for r in speaking)
    assert any(r.batches for r in speaking)
    (node,) = edge_nodes(large)
    assert len({machine.device for machine in node.machines}) >= 5
    told = {r.equipment for r in speaking} | {machine.item.id for machine in node.machines}
    assert told == set(large.equipment)
    assert len({r.gateway for r in speaking}) >= 10
