"""How late gateways' messages are by their own clocks, learnt from the ends of drafts."""

from __future__ import annotations

import json

import pytest

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.gateways import GatewayBook
from collector.mapping import TopicMap
from facility.site import Site
from facility.site_file import load_site

S = 1_000_000
NOW = 1_784_140_800 * S
SITE = """
site: {id: sample, name: {zh: 示例, en: Sample}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: pump-1, kind: pump_room, name: {zh: 水泵房, en: Pump room}}
telemetry:
  - {topic: "s/{room}/{equipment}", format: json, time: {key: ts, unit: ms}}
equipment:
  - {id: p1, class: pump, room: pump-1, name: {zh: 1号泵, en: Pump 1}}
  - {id: p2, class: pump, room: pump-1, name: {zh: 2号泵, en: Pump 2},
     telemetry: {gateway: gw-2, topic: "s/two", time: {key: ts, unit: ms}}}
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Site:
    file = tmp_path_factory.mktemp("times") / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return load_site(file)


class Bench:
    """A decoder and a book; messages arrive at once."""

    def __init__(self, site: Site) -> None:
        self.topics = TopicMap(site)
        self.decoder = Decoder(self.topics, ArrivalLedger(None), 100_000)
        self.book = GatewayBook(site)

    def arrive(self, topic: str, at_us: int, behind_s: float, retained: bool = False) -> None:
        sent = at_us - round(behind_s * S)
        payload = json.dumps({"ts": sent // 1000, "flow": 12.5}).encode()
        self.decoder.add(topic, payload, at_us, 0, False, retained)

    def hand_over(self, at_us: int) -> None:
        self.book.learn(self.decoder.take(), self.topics, at_us)

    def behind_s(self, gateway: str) -> list[float]:
        times = self.book.times().get(gateway)
        return [] if times is None else [b / S for b in times.behind_us.tolist()]


@pytest.fixture
def bench(plant: Site) -> Bench:
    return Bench(plant)


def test_each_gateway_is_told_apart_also_one_that_only_its_room_names(bench: Bench) -> None:
    bench.arrive("s/pump-1/p1", NOW, 2.0)
    bench.arrive("s/two", NOW, -7.0)
    bench.hand_over(NOW)
    assert bench.behind_s("room:pump-1") == [2.0]
    assert bench.behind_s("gw-2") == [-7.0]


def test_of_many_messages_the_newest_time_counts_and_ten_seconds_bring_one_sample(bench: Bench) -> None:
    for k in range(30):
        at = NOW + k * S
        bench.arrive("s/two", at, 30.0)
        bench.arrive("s/two", at, 3.0)
        bench.hand_over(at)
    assert bench.behind_s("gw-2") == [3.0, 3.0, 3.0]


def test_what_was_sent_late_on_purpose_says_nothing_about_the_clock(bench: Bench) -> None:
    bench.arrive("s/two", NOW, 3600.0)
    bench.hand_over(NOW)
    assert bench.behind_s("gw-2") == []


def test_a_draft_without_values_is_no_sample(bench: Bench) -> None:
    bench.decoder.add("s/two", b"{broken", NOW, 0, False, False)
    bench.hand_over(NOW)
    assert bench.book.times() == {}


def test_a_day_of_samples_is_kept_and_no_more(bench: Bench) -> None:
    for k in range(8700):
        bench.book._samples[0].append((k, 0))
    assert len(bench.book.times()["room:pump-1"].arrival_us) == 8640
