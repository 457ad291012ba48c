"""Points that report by exception: whose last value holds, and until when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facility.errors import ConfigurationError
from facility.liveness import Liveness, alive_for
from facility.readings import HISTORICAL, ReadingBatch
from facility.site import Site
from facility.site_file import load_site

S = 1_000_000
NOW = 1_784_140_800 * S
SITE = """
site: {id: demo, name: {zh: 示范, en: Demo}}
equipment:
  - {id: p1, class: pump, telemetry: {topic: "p/1", reports: on_change, alive: 10 min}}
  - {id: p2, class: pump, telemetry: {topic: "p/2"}}
  - {id: p3, class: pump, telemetry: {format: sparkplug, group: G, node: n, device: d}}
"""


def load(tmp_path: Path, text: str) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def telemetry(text: str) -> str:
    return f"site: {{id: d, name: {{zh: 示范, en: D}}}}\nequipment: [{{id: p1, class: pump, telemetry: {{{text}}}}}]\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("topic: t", None),
        ("topic: t, reports: regularly", None),
        ("topic: t, reports: on_change", 300),
        ("topic: t, alive: 2 min", 120),
        ("format: sparkplug, group: G, node: n", 60),
        ("format: sparkplug, group: G, node: n, alive: 5 min", 300),
        ("format: sparkplug, group: G, node: n, reports: regularly", None),
        ("profile: zigbee2mqtt, device: x, points: {outlet_pressure: p}", 4200),
        ("profile: zigbee2mqtt, device: x, reports: regularly, alive: null, points: {outlet_pressure: p}", None),
    ],
)
def test_the_site_file_says_who_reports_by_exception(tmp_path, text, seconds):
    site = load(tmp_path, telemetry(text))
    assert alive_for(site, site.equipment["p1"]) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("topic: t, reports: sometimes", "on_change"),
        ("topic: t, reports: regularly, alive: 5 min", "take alive: out"),
        ("topic: t, alive: 5 s", "30 s or more"),
    ],
)
def test_a_wrong_word_is_told_with_its_mend(tmp_path, text, words):
    with pytest.raises(ConfigurationError, match=words):
        load(tmp_path, telemetry(text))


def test_a_pattern_of_the_whole_site_may_say_it_too(tmp_path):
    text = """
site: {id: d, name: {zh: 示范, en: D}}
telemetry: [{topic: "x/{equipment}/{point}", format: plain, reports: on_change}]
equipment: [{id: p1, class: pump}]
"""
    site = load(tmp_path, text)
    assert alive_for(site, site.equipment["p1"]) == 300


class Bench:
    def __init__(self, site: Site) -> None:
        self.site, self.now_us = site, NOW
        self.living = np.empty(0, dtype=np.int32)
        self.book = Liveness(site, lambda: self.now_us, lambda: self.living)

    def of(self, machine: str) -> list[int]:
        return [i for i, a in enumerate(self.site.points.addresses) if a.equipment == machine and a.kind != "derived"]

    def hear(self, key: str, quality: int = 0) -> None:
        self.book(ReadingBatch.of(self.site.points, [self.site.points.index[key]], [self.now_us], [1.0], quality))

    def held(self, machine: str) -> set[int]:
        return {int(at) for at in self.book.held_us()[self.of(machine)]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(load(tmp_path, SITE))


def test_any_reading_of_a_machine_vouches_for_all_its_points(bench):
    for key in ("p1/running", "p2/running"):
        bench.hear(key)
    bench.now_us += 60 * S
    assert bench.held("p1") == {bench.now_us}
    assert bench.held("p2") == {0}  # reports regularly: each point speaks for itself
    bench.now_us += 3600 * S
    assert bench.held("p1") == {NOW + 600 * S}


def test_what_was_sent_late_or_kept_by_the_broker_vouches_for_nothing(bench):
    bench.hear("p1/running", HISTORICAL)
    assert bench.held("p1") == {0}


def test_a_living_sparkplug_device_holds_without_a_message_and_no_longer(bench):
    bench.living = np.array(bench.of("p3"), dtype=np.int32)
    bench.now_us += 24 * 3600 * S
    assert bench.held("p3") == {bench.now_us}
    lived_us, bench.living = bench.now_us, np.empty(0, dtype=np.int32)
    bench.now_us += 600 * S
    assert bench.held("p3") == {lived_us + 60 * S}


def test_a_process_that_hears_nothing_takes_the_newest_readings(bench):
    times = np.zeros(len(bench.site.points), dtype=np.int64)
    times[bench.of("p1")[0]] = NOW - 60 * S
    bench.book.seed(times)
    assert bench.held("p1") == {NOW}
