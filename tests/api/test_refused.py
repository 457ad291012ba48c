"""A machine whose messages come and are refused is told with the true cause, not merely as silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.data_health import DataHealth
from analytics.desk import Desk
from api.refused import Refused
from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from collector.quarantine import Quarantine
from facility.database import Database
from facility.readings import ReadingBatch
from facility.site_file import load_site
from facility.store.opening import open_store

S = 1_000_000
NOW = time.time_ns() // 1000 // S * S
SITE = """
site: {id: demo, name: {zh: 示范, en: Demo}}
equipment:
  - {id: zone, class: oxygen_pipeline_zone, telemetry: {gateway: gw, topic: "s/zone"}}
  - {id: p1, class: pump, telemetry: {gateway: gw, topic: "s/p1"}}
  - {id: f1, class: lv_feeder, rating: {current: 400 A},
     telemetry: {gateway: gw-2, format: sparkplug, group: G, node: n, device: d, reports: regularly}}
"""


class Plant:
    def __init__(self, folder: Path) -> None:
        (folder / "site.yaml").write_text(SITE, encoding="utf-8")
        self.site = load_site(folder / "site.yaml")
        self.database = Database(f"sqlite:///{folder}/w.db")
        self.database.upgrade()
        self.store = open_store(str(folder / "t.duckdb"))
        self.now_us = NOW
        self.quarantine = Quarantine(self.database)
        self.desk = Desk(self.database, self.site, lambda: self.now_us)
        self.watch = DataHealth(
            self.site, self.store, self.desk, lambda: self.now_us, refused=Refused(self.site, self.quarantine)
        )
        self.decoder = Decoder(TopicMap(self.site), ArrivalLedger(None), 1_000_000)

    def live(self, seconds: int, refused: str = "", topic: str = "s/zone", without: str = "zone") -> None:
        table = self.site.points
        speak = [i for i, a in enumerate(table.addresses) if a.kind != "derived" and a.equipment != without]
        for _ in range(seconds // 5):
            self.now_us += 5 * S
            self.watch(ReadingBatch.of(table, speak, [self.now_us] * len(speak), [1.0] * len(speak)))
            if refused:
                self.decoder.add(topic, refused.encode(), self.now_us, 0, False, False)
                self.quarantine.record(self.decoder.take().rejections)
            self.watch.look()

    def finding(self, code: str = "data.device_silent"):
        return next(f for f in self.desk.findings(active=True) if f.code == code)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    made.live(60, without="")
    yield made
    made.store.close()
    made.database.close()


def test_a_clock_far_ahead_is_told_as_the_cause(plant):
    plant.live(120, f'{{"ts": {(NOW + 3600 * S) // 1000}, "pressure": 400}}')
    found = plant.finding()
    assert "messages arrive and are refused: implausible time" in found.summary_en
    assert "消息有到达，但被拒收" in found.summary_zh
    assert found.evidence["refused"] == "time-implausible"
    (entry,) = plant.quarantine.entries()
    assert found.evidence["quarantine"] == f"/quarantine/{entry.id}"
    assert f"/quarantine/{entry.id}" in found.advice_en[0]


def test_a_refusal_that_begins_after_the_silence_is_told_then(plant):
    plant.live(120)
    assert "refused" not in plant.finding().evidence
    plant.live(30, "{broken")
    assert plant.finding().evidence["refused"] == "broken-json"


def test_what_was_refused_before_the_last_reading_is_not_the_cause(plant):
    plant.live(10, "{broken", without="")
    plant.now_us += S
    plant.live(120, without="zone")
    assert "refused" not in plant.finding().evidence


def test_another_machines_refusals_are_not_the_cause(plant):
    plant.live(120, "{broken", topic="s/p1")
    assert "refused" not in plant.finding().evidence


def test_sparkplug_messages_belong_to_their_device(plant):
    plant.decoder.draft.rejections.add("spBv1.0/G/DBIRTH/n/d", "sparkplug-retained", "kept", b"x", 1, NOW)
    plant.quarantine.record(plant.decoder.take().rejections)
    assert set(Refused(plant.site, plant.quarantine)()) == {"f1"}
