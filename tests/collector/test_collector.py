"""From a real broker into a real store: what is acknowledged is stored, and nothing is lost or doubled."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.broker import BrokerAddress
from collector.link import LinkSettings
from collector.quarantine import Quarantine
from collector.service import Collector
from collector.status import CollectorSettings
from facility.errors import StoreUnavailable
from facility.readings import HISTORICAL, ReadingBatch
from facility.site import Site
from facility.store import TelemetryStore
from facility.store.opening import open_store
from facility.store.spool import SpoolSettings
from facility.store.spooled import SpooledSettings, SpooledStore

F1 = "demo/power-1/f1/telemetry"
PLAIN = "demo/power-1/f2/voltage_a"
ROOT = Path(__file__).parents[2]
QUICK = CollectorSettings(first_retry_s=0.05, longest_retry_s=0.2, stop_s=5.0,
                          link=LinkSettings(first_wait_s=0.1, longest_wait_s=0.5))  # fmt: skip
QUICK_SPOOL = SpooledSettings(first_retry_s=0.05, longest_retry_s=0.2, spool=SpoolSettings(reserved_bytes=0))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def collecting(site: Site, quarantine: Quarantine, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors; they are stopped at the end."""
    made: list[Collector] = []

    def start(store: Any, broker: BrokerAddress, **more: Any) -> Collector:
        more.setdefault("settings", QUICK)
        made.append(Collector(site, store, broker, quarantine=quarantine, data_dir=tmp_path, **more))
        made[-1].start()
        return made[-1]

    yield start
    for collector in made:
        collector.stop()


class Unsteady:
    """The real store behind a door that can be shut: no real store can be made to fail and to mend on command."""

    def __init__(self, inner: TelemetryStore) -> None:
        self.inner = inner
        self.away = False
        self.refused = 0

    def write(self, batch: ReadingBatch) -> None:
        if self.away:
            self.refused += 1
            raise StoreUnavailable("the disk is full; make room on /data")
        self.inner.write(batch)

    def close(self) -> None:
        """Leave the store open: others look into it."""


def stored(store: TelemetryStore, key: str) -> list[tuple[int, float]]:
    series = store.series([key], 0, 2**62)[key]
    return list(zip(series.time_us.tolist(), series.value.tolist(), strict=True))


def test_what_is_published_is_stored_to_the_microsecond_and_acknowledged(
    collecting, store, mosquitto, publisher, eventually
):
    collector = collecting(store, mosquitto.address)
    gateway = publisher(mosquitto.address)
    eventually(lambda: collector.status().connected)
    at = now_ms() * 1000 + 123
    gateway.send(F1, {"ts": at, "voltage_a": 231.25, "current_a": 12})
    eventually(lambda: collector.status().stored == 2)
    assert stored(store, "f1/voltage_a") == [(at, 231.25)]
    assert stored(store, "f1/current_a") == [(at, 12.0)]
    status = collector.status()
    assert (status.protocol, status.received, status.quarantined, status.waiting) == ("MQTT 5", 1, 0, 0)
    assert "by MQTT 5" in status.detail
    collector.stop()
    assert collector.status().state == "stopped"
    # Acknowledged: the broker has nothing left for the session.
    again = collecting(store, mosquitto.address)
    eventually(lambda: again.status().connected)
    gateway.send(F1, {"ts": at + 1000, "voltage_a": 232})
    eventually(lambda: again.status().stored == 1)
    assert again.status().received == 1


def test_messages_wait_at_the_broker_while_no_collector_runs(collecting, store, mosquitto, publisher, eventually):
    first = collecting(store, mosquitto.address)
    eventually(lambda: first.status().connected)
    first.stop()
    gateway = publisher(mosquitto.address)
    start = now_ms()
    for i in range(3000):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    gateway.flush()
    second = collecting(store, mosquitto.address)
    eventually(lambda: second.status().stored == 3000)
    assert stored(store, "f1/voltage_a") == [((start + i) * 1000, float(i % 300)) for i in range(3000)]


def test_duplicates_and_disorder_change_nothing(collecting, store, mosquitto, publisher, eventually):
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    for i in (3, 1, 2, 1, 3, 3):
        gateway.send(F1, {"ts": start + i, "voltage_a": 200 + i})
    eventually(lambda: collector.status().stored == 6)
    assert stored(store, "f1/voltage_a") == [((start + i) * 1000, 200.0 + i) for i in (1, 2, 3)]


def test_nothing_is_acknowledged_or_lost_while_the_store_is_away(collecting, store, mosquitto, publisher, eventually):
    door = Unsteady(store)
    door.away = True
    collector = collecting(door, mosquitto.address)
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    for i in range(500):
        gateway.send(F1, {"ts": start + i, "voltage_a": i})
    gateway.flush()
    eventually(lambda: collector.status().received == 500 and door.refused > 2)
    status = collector.status()
    assert not status.store_available
    assert "make room on /data" in status.last_error
    assert (status.stored, status.waiting) == (0, 500)
    # Another process takes over: the broker still has all of them.
    collector.stop()
    second = collecting(door, mosquitto.address)
    eventually(lambda: second.status().received == 500)
    assert second.status().redelivered > 0
    door.away = False
    eventually(lambda: second.status().stored == 500)
    assert second.status().store_available
    assert stored(store, "f1/voltage_a") == [((start + i) * 1000, float(i)) for i in range(500)]


def test_memory_is_bounded_while_the_store_is_away(collecting, store, mosquitto, publisher, eventually):
    door = Unsteady(store)
    door.away = True
    settings = CollectorSettings(
        first_retry_s=0.05, longest_retry_s=0.2, max_waiting_messages=1000,
        link=LinkSettings(receive_maximum=60_000, first_wait_s=0.1),
    )  # fmt: skip
    collector = collecting(door, mosquitto.address, settings=settings)
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    for i in range(8000):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    gateway.flush()
    eventually(lambda: collector.status().waiting >= 1000)
    assert collector.status().received < 4000
    door.away = False
    eventually(lambda: collector.status().stored == 8000)
    assert len(stored(store, "f1/voltage_a")) == 8000


def test_the_quarantine_is_written_before_the_message_is_acknowledged(
    collecting, store, mosquitto, publisher, eventually, quarantine, database, monkeypatch
):
    def away() -> None:
        raise StoreUnavailable("the disk is full")

    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().connected)
    with monkeypatch.context() as patched:
        patched.setattr(database, "session", away)
        publisher(mosquitto.address).send(F1, "{broken")
        eventually(lambda: collector.status().last_error)
        assert collector.status().waiting == 1
    eventually(lambda: collector.status().quarantined == 1)
    assert quarantine.by_reason() == {"broken-json": 1}
    assert collector.status().waiting == 0


def test_hostile_messages_end_in_the_quarantine_and_the_rest_goes_on(
    collecting, store, mosquitto, publisher, eventually, quarantine
):
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    hostile: list[tuple[str, Any]] = [
        (F1, "{broken"), (F1, b""), (F1, b"\xff\xfe"), (F1, b"x" * 10_000_000), (F1, b"[" * 200_000),
        (F1, {"ts": 1, "voltage_a": 1}), (F1, {"ts": start + 31_536_000_000, "voltage_a": 1}),
        (F1, '{"voltage_a": NaN}'), (F1, {"voltage_a": "many"}), ("demo/power-1/ghost/telemetry", {"a": 1}),
        ("demo/power-1/f1/nothing", "1"), ("demo/" + "x/" * 100, "1"), ("demo/\u4e2d\u6587", "1"),
    ]  # fmt: skip
    for i, (topic, payload) in enumerate(hostile):
        gateway.send(topic, payload)
        gateway.send(F1, {"ts": start + i, "voltage_b": i})
    eventually(lambda: collector.status().stored == len(hostile))
    eventually(lambda: collector.status().waiting == 0)
    assert quarantine.total() == len(hostile)
    assert set(quarantine.by_reason()) == {
        "broken-json", "empty-payload", "not-utf8", "payload-too-large", "too-deep", "time-implausible", "not-a-number",
        "unknown-topic",
    }  # fmt: skip
    (large,) = quarantine.entries(reason="payload-too-large")
    assert large.payload_size == 10_000_000
    assert len(large.payload) == 64 * 1024
    assert collector.status().connections == 1


def test_collecting_goes_on_after_a_restart_of_the_broker(collecting, store, mosquitto, publisher, eventually):
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    for i in range(1000):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    mosquitto.stop()
    eventually(lambda: collector.status().state == "waiting")
    assert any(words in collector.status().detail for words in ("was lost", "nothing listens there", "ended the"))
    for i in range(1000, 2000):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    mosquitto.start()
    eventually(lambda: len(stored(store, "f1/voltage_a")) == 2000)
    assert collector.status().connections == 2


def test_it_subscribes_again_at_a_broker_that_has_forgotten_the_session(
    collecting, store, mosquitto, publisher, eventually
):
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().connected)
    mosquitto.stop()
    (mosquitto.folder / "mosquitto.db").unlink()
    mosquitto.start()
    eventually(lambda: collector.status().connections == 2)
    publisher(mosquitto.address).send(F1, {"ts": now_ms(), "voltage_a": 230})
    eventually(lambda: collector.status().stored == 1)


def test_it_waits_for_a_broker_that_is_not_there_yet(collecting, store, mosquitto, publisher, eventually):
    mosquitto.stop()
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().state == "waiting")
    assert "nothing listens there; start the broker" in collector.status().detail
    mosquitto.start()
    eventually(lambda: collector.status().connected)


def test_a_wrong_password_is_said_in_words(collecting, store, mosquitto, eventually):
    mosquitto.stop()
    mosquitto.extra = f"allow_anonymous false\npassword_file {mosquitto.folder}/users"
    (mosquitto.folder / "users").write_text("")
    mosquitto.start()
    collector = collecting(store, mosquitto.address)
    eventually(lambda: collector.status().state == "refused")
    assert "check user and password" in collector.status().detail


def test_a_broker_is_reached_by_tls_if_its_certificate_is_trusted(collecting, store, mosquitto, publisher, eventually):
    tls = Path(__file__).parent / "tls"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mosquitto.stop()
    mosquitto.extra = f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {tls}/cert.pem\nkeyfile {tls}/key.pem"
    mosquitto.start()
    wary = collecting(store, BrokerAddress("127.0.0.1", port, tls=True), client_id="wary")
    eventually(lambda: "certificate is not trusted" in wary.status().detail)
    trusting = collecting(store, BrokerAddress("127.0.0.1", port, tls=True, ca_file=f"{tls}/cert.pem"))
    eventually(lambda: trusting.status().connected)
    gateway = publisher(mosquitto.address)
    start = now_ms()
    gateway.send(F1, b"x" * 5_000_000)
    for i in range(3000):
        gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
    eventually(lambda: trusting.status().stored == 3000)
    assert trusting.status().connections == 1


def test_of_two_collectors_with_one_name_the_status_says_so(collecting, store, mosquitto, eventually):
    first = collecting(store, mosquitto.address)
    eventually(lambda: first.status().connected)
    second = collecting(store, mosquitto.address)
    eventually(lambda: "its own client id" in first.status().last_error + second.status().last_error)
    second.stop()
    eventually(lambda: first.status().connected)


def test_sinks_get_each_batch_once_it_is_stored_and_may_fail(collecting, store, mosquitto, publisher, eventually):
    seen: list[tuple[int, int]] = []

    def failing(_batch: ReadingBatch) -> None:
        raise ValueError("a fault in a live rule")

    def looking(batch: ReadingBatch) -> None:
        seen.append((len(batch), store.size().readings))

    collector = collecting(store, mosquitto.address, sinks=[failing, looking])
    eventually(lambda: collector.status().connected)
    publisher(mosquitto.address).send(F1, {"ts": now_ms(), "voltage_a": 230, "voltage_b": 231})
    eventually(lambda: seen)
    assert seen == [(2, 2)]
    assert collector.status().sink_failures == 1


def test_a_retained_value_without_a_time_is_not_stored_anew_with_each_connection(
    collecting, store, mosquitto, publisher, eventually
):
    gateway = publisher(mosquitto.address)
    gateway.send(PLAIN, "230", retain=True)
    gateway.flush()
    first = collecting(store, mosquitto.address)
    eventually(lambda: first.status().stored == 1)
    first.stop()
    second = collecting(store, mosquitto.address)
    eventually(lambda: second.status().connected)
    gateway.send(F1, {"ts": now_ms(), "voltage_a": 1})
    eventually(lambda: second.status().stored == 1)
    assert len(stored(store, "f2/voltage_a")) == 1


class Child:
    """The collector as a process that can be killed."""

    def __init__(self, folder: Path, site: Site, broker: BrokerAddress, writes: int = 0) -> None:
        task = {"folder": str(folder), "site": site.files[0], "broker": broker.url, "writes": writes}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "crash_child.py"), json.dumps(task)],
            stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )  # fmt: skip

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if condition(json.loads(line)):
                return
        self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_a_collector_killed_again_and_again_loses_no_reading_and_doubles_none(
    site, tmp_path, mosquitto, publisher, eventually, quarantine
):
    # The last of them is killed by itself between the store's commit and the acknowledgement.
    child = Child(tmp_path, site, mosquitto.address)
    child.until(lambda s: s["connected"])
    gateway = publisher(mosquitto.address)
    start, count = now_ms() - 60_000, 0

    def send(more: int) -> None:
        nonlocal count
        for i in range(count, count + more):
            gateway.send(F1, {"ts": start + i, "voltage_a": i % 300})
            gateway.send(PLAIN, str(i))  # no time of its own
        count += more

    send(6000)
    for goal in (500, 1500):
        child.until(lambda s, goal=goal: s["stored"] >= goal)
        child.kill()
        child = Child(tmp_path, site, mosquitto.address)
    child.kill()
    for writes in (1, 2):
        child = Child(tmp_path, site, mosquitto.address, writes=writes)
        while child.process.poll() is None:  # all that was sent before may be stored already
            send(20)
            time.sleep(0.05)
        assert child.process.returncode == -9
    gateway.flush()
    with open_store(tmp_path / "telemetry.duckdb") as store:
        last = Collector(site, store, mosquitto.address, quarantine=quarantine, data_dir=tmp_path, settings=QUICK)
        last.start()
        gateway.send(F1, {"ts": start + count, "voltage_b": 1})
        eventually(lambda: stored(store, "f1/voltage_b"))
        last.stop()
        assert last.status().redelivered > 0
        assert stored(store, "f1/voltage_a") == [((start + i) * 1000, float(i % 300)) for i in range(count)]
        assert sorted(value for _, value in stored(store, "f2/voltage_a")) == [float(i) for i in range(count)]
    assert quarantine.total() == 0


def judged_live(seen: list[ReadingBatch], key: str) -> list[float]:
    """Return the values of a point that sinks were given to judge now, in the order in which they came."""
    return [
        float(value)
        for batch in seen
        for point, value, quality in zip(batch.point, batch.value, batch.quality, strict=True)
        if batch.table.key(int(point)) == key and not quality & HISTORICAL
    ]


def test_while_nothing_can_be_stored_everything_is_judged_once_and_afterwards_nothing_is_lost_or_judged_anew(
    collecting, store, mosquitto, publisher, eventually
):
    door = Unsteady(store)
    seen: list[ReadingBatch] = []
    # Few may fly, so that the broker soon keeps back what is not acknowledged.
    settings = replace(QUICK, link=replace(QUICK.link, receive_maximum=20))
    collector = collecting(door, mosquitto.address, settings=settings, sinks=[seen.append])
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    gateway.send(PLAIN, "1")
    eventually(lambda: judged_live(seen, "f2/voltage_a") == [1.0])
    door.away = True
    gateway.send(PLAIN, "2")
    eventually(lambda: 2.0 in judged_live(seen, "f2/voltage_a"))
    eventually(lambda: collector.status().watching)
    time.sleep(1.1)  # the grace that the watch gives itself
    for i in range(3, 200):
        gateway.send(PLAIN, str(i))
    gateway.send(F1, {"ts": now_ms(), "voltage_a": 231})
    gateway.flush()
    eventually(lambda: judged_live(seen, "f1/voltage_a"))
    assert judged_live(seen, "f2/voltage_a") == [float(i) for i in range(1, 200)]
    assert collector.status().stored == 1
    door.away = False
    eventually(lambda: collector.status().stored == 200)
    eventually(lambda: not collector.status().watching)
    # What was judged while it could not be stored is history by now.
    assert judged_live(seen, "f2/voltage_a") == [float(i) for i in range(1, 200)]
    assert judged_live(seen, "f1/voltage_a") == [231.0]
    assert [value for _, value in stored(store, "f2/voltage_a")] == [float(i) for i in range(1, 200)]
    gateway.send(PLAIN, "200")
    eventually(lambda: judged_live(seen, "f2/voltage_a")[-1] == 200.0)


def test_sound_readings_are_judged_while_the_quarantine_cannot_be_written(
    collecting, store, mosquitto, publisher, eventually, database, monkeypatch, quarantine
):
    def away() -> None:
        raise StoreUnavailable("the disk is full")

    seen: list[ReadingBatch] = []
    collector = collecting(store, mosquitto.address, sinks=[seen.append])
    eventually(lambda: collector.status().connected)
    gateway = publisher(mosquitto.address)
    with monkeypatch.context() as patched:
        patched.setattr(database, "session", away)
        gateway.send(F1, "{broken")
        eventually(lambda: not collector.status().store_available)
        gateway.send(F1, {"ts": now_ms(), "voltage_a": 231})
        eventually(lambda: 231.0 in judged_live(seen, "f1/voltage_a"))
        assert collector.status().stored == 0
    eventually(lambda: collector.status().stored == 1)
    assert quarantine.by_reason() == {"broken-json": 1}
    assert stored(store, "f1/voltage_a")


def test_with_the_store_away_the_spool_takes_readings_and_live_sinks_get_them(
    collecting, store, mosquitto, publisher, eventually, tmp_path, site
):
    door = Unsteady(store)
    seen: list[ReadingBatch] = []
    with SpooledStore(door, tmp_path / "spool", QUICK_SPOOL, table=site.points) as spooled:
        collector = collecting(spooled, mosquitto.address, sinks=[seen.append])
        eventually(lambda: collector.status().connected)
        door.away = True
        gateway = publisher(mosquitto.address)
        start = now_ms()
        for i in range(500):
            gateway.send(F1, {"ts": start + i, "voltage_a": i})
        eventually(lambda: collector.status().stored == 500)
        assert collector.status().store_available
        assert not collector.status().watching
        assert judged_live(seen, "f1/voltage_a") == [float(i) for i in range(500)]
        assert spooled.spool_status().readings == 500
        assert stored(store, "f1/voltage_a") == []
        collector.stop()
    with SpooledStore(store, tmp_path / "spool", QUICK_SPOOL, table=site.points) as spooled:
        eventually(lambda: spooled.spool_status().readings == 0)
        assert stored(store, "f1/voltage_a") == [((start + i) * 1000, float(i)) for i in range(500)]


def slow_wire(broker: BrokerAddress, release: threading.Event) -> BrokerAddress:
    """Lead one connection to the broker; after its greeting, what the broker answers stays on the way for a while."""
    door = socket.create_server(("127.0.0.1", 0))

    def lead() -> None:
        with door, door.accept()[0] as ours, socket.create_connection((broker.host, broker.port)) as theirs:
            theirs.sendall(ours.recv(65536))
            ours.sendall(theirs.recv(65536))
            while True:
                ready = select.select([ours, theirs] if release.is_set() else [ours], [], [], 0.02)[0]
                for end, other in ((ours, theirs), (theirs, ours)):
                    if end in ready:
                        data = end.recv(65536)
                        if not data:
                            return
                        other.sendall(data)

    threading.Thread(target=lead, daemon=True).start()
    return replace(broker, port=door.getsockname()[1])


def test_connected_is_who_was_granted_the_topics(collecting, store, mosquitto, publisher, eventually):
    release = threading.Event()
    collector = collecting(store, slow_wire(mosquitto.address, release))
    eventually(lambda: collector.status().connections == 1)
    time.sleep(0.3)
    assert not collector.status().connected
    assert "not granted yet" in collector.status().detail
    release.set()
    eventually(lambda: collector.status().connected)
    publisher(mosquitto.address).send(F1, {"ts": now_ms(), "voltage_a": 1})
    eventually(lambda: collector.status().stored == 1)


def test_a_session_that_has_the_topics_is_connected_whatever_waits_before_the_answer(
    collecting, store, mosquitto, eventually
):
    first = collecting(store, mosquitto.address)
    eventually(lambda: first.status().connected)
    first.stop()
    again = collecting(store, slow_wire(mosquitto.address, threading.Event()))
    eventually(lambda: again.status().connected)


def test_topics_that_have_left_the_list_are_given_up(collecting, store, mosquitto, publisher, eventually, quarantine):
    first = collecting(store, mosquitto.address, subscriptions=["demo/#", "old/#"])
    eventually(lambda: first.status().connected)
    gateway = publisher(mosquitto.address)
    gateway.send("old/topic", "1")
    eventually(lambda: first.status().quarantined == 1)
    first.stop()
    second = collecting(store, mosquitto.address, subscriptions=["demo/#", "field/#"])
    eventually(lambda: second.status().connected)
    gateway.send(F1, {"ts": now_ms(), "voltage_a": 1})
    eventually(lambda: second.status().stored == 1)
    gateway.send("old/topic", "2")
    gateway.send("field/dtu-7/up", "{}")
    eventually(lambda: "field/dtu-7/up" in {e.topic for e in quarantine.entries()})
    assert {e.topic: e.count for e in quarantine.entries()}["old/topic"] == 1
    second.stop()
    # And nothing is left of it with the third, which wants what the second wanted.
    third = collecting(store, mosquitto.address, subscriptions=["demo/#", "field/#"])
    eventually(lambda: third.status().connected)
    gateway.send(F1, {"ts": now_ms(), "voltage_a": 2})
    eventually(lambda: third.status().stored == 1)
