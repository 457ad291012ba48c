"""A hundred thousand hostile messages through a real broker: no crash, no hang, bounded memory, each one counted."""

import struct

import psutil
import pytest
from harness import eventually

from collector.benchmark.load import send
from collector.benchmark.servers import mosquitto as anonymous
from collector.broker import BrokerAddress
from collector.quarantine import Quarantine
from collector.service import Collector
from facility.database import Database
from facility.site_file import load_site
from facility.store.opening import open_store
from tests.collector import hostile

MESSAGES = 120_000


def packets(seed):
    for number, (topic, payload) in enumerate(hostile.messages(seed, MESSAGES)):
        name = topic.encode("utf-8", "replace")
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", number % 65_535 + 1) + payload
        yield b"\x32" + _length(len(body)) + body


def _length(n):
    out = bytearray()
    while True:
        n, digit = n >> 7, n & 127
        out.append(digit | (128 if n else 0))
        if not n:
            return bytes(out)


@pytest.mark.timeout(1800)
def test_a_hundred_thousand_hostile_messages_are_all_counted(tmp_path, tell):
    site_file = tmp_path / "site.yaml"
    site_file.write_text(hostile.SITE, encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path}/wardwatt.db")
    database.upgrade()
    broker = tmp_path / "mosquitto"
    broker.mkdir()
    quarantine = Quarantine(database)
    with anonymous(broker) as port, open_store(tmp_path / "telemetry.duckdb") as store:
        collector = Collector(
            load_site(site_file), store, BrokerAddress("127.0.0.1", port), quarantine=quarantine, data_dir=tmp_path,
            subscriptions=["fuzz/#", "field/#", "spBv1.0/#"],  # all that is sent, whether the site asks for it or not
        )  # fmt: skip
        collector.start()
        eventually(lambda: collector.status().connected, 30)
        before = psutil.Process().memory_info().rss
        send(port, MESSAGES, packets(seed=20261121))
        eventually(lambda: collector.status().received >= MESSAGES and not collector.status().waiting, 600)
        grown = (psutil.Process().memory_info().rss - before) / 2**20
        status = collector.status()
        collector.stop()
        stored = store.size().readings
    tell(
        {
            "messages": status.received,
            "readings_stored": status.stored,
            "distinct": stored,
            "quarantined": quarantine.total(),
            "by_reason": dict(quarantine.by_reason()),
            "memory_grown_mb": round(grown),
            "connections": status.connections,
        }
    )
    assert status.received >= MESSAGES  # our own requests for a rebirth come back too
    assert status.sink_failures == 0
    assert "internal-fault" not in quarantine.by_reason()
    assert quarantine.total() + status.stored > 0.9 * MESSAGES  # the rest says nothing, or is a death or a birth
    assert grown < 250
