"""A topic leads to its equipment, and the broker is asked for every topic once."""

from __future__ import annotations

from pathlib import Path

import pytest
from paho.mqtt.client import topic_matches_sub

from collector.mapping import Plan, TopicMap
from facility.errors import PayloadRejected
from facility.site import Site
from facility.site_file import load_site


def site_of(tmp_path: Path, equipment: str, telemetry: str = "") -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: {id: demo, name: {zh: 示范, en: Demo}}\n"
        "buildings: [{id: main, name: {zh: 主楼, en: Main}}]\n"
        "rooms: [{id: r1, kind: power_room, building: main, name: {zh: 房, en: Room}}]\n" + telemetry + "equipment:\n"
        + "".join(
            f"  - {{{line}, class: lv_feeder, room: r1, rating: {{current: 400 A}}, name: {{zh: 馈线, en: Feeder}}}}\n"
            for line in equipment.splitlines()
        )
    )  # fmt: skip
    return load_site(path)


def points(site: Site, topic: str) -> set[str]:
    topics = TopicMap(site)
    plan = topics.resolve(topic)
    assert isinstance(plan, Plan)
    table = topics.slots()
    return {site.points.key(int(table.point[slot])) for slot in plan.keys.values()}


def test_a_topic_of_the_default_pattern_carries_all_measured_points_and_no_derived_one(site):
    found = points(site, "demo/power-1/f1/telemetry")
    measured = {f"f1/{n}" for n, p in site.equipment["f1"].points.items() if p.kind != "derived"}
    assert found == measured


def test_a_pattern_of_ones_own_may_name_the_building(tmp_path):
    site = site_of(tmp_path, "id: f1", "telemetry: [{topic: 'x/{building}/{equipment}', format: json}]\n")
    assert "f1/voltage_a" in points(site, "x/main/f1")
    assert isinstance(TopicMap(site).resolve("x/annex/f1"), PayloadRejected)


def test_several_machines_may_share_the_topic_of_one_gateway(tmp_path):
    site = site_of(
        tmp_path,
        "id: f1, telemetry: {topic: gw, points: {"
        + ", ".join(f"{n}: a.{n}" for n in names())
        + "}}\nid: f2, telemetry: {topic: gw, points: {"
        + ", ".join(f"{n}: b.{n}" for n in names())
        + "}}",
    )
    assert {"f1/voltage_a", "f2/voltage_a"} <= points(site, "gw")


def names() -> list[str]:
    from facility.equipment_classes import load_library

    return [n for n, p in load_library()["lv_feeder"].points.items() if p.kind != "derived"]


def test_the_refusal_of_a_topic_is_remembered_and_the_memory_for_it_is_bounded(site):
    topics = TopicMap(site)
    first = topics.resolve("demo/power-1/nobody/telemetry")
    assert topics.resolve("demo/power-1/nobody/telemetry") is first
    for i in range(10_050):
        topics.resolve(f"demo/power-1/n{i}/telemetry")
    assert len(topics._refused) == 10_000


def test_every_topic_of_the_site_is_subscribed_to_and_none_twice(site):
    filters = TopicMap(site).filters()
    for topic in ("demo/power-1/f1/telemetry", "demo/typing/mistake", "field/dtu-7/up", "field/meter/U1", "field/ms"):
        assert sum(topic_matches_sub(f, topic) for f in filters) == 1, topic


@pytest.mark.parametrize(
    ("patterns", "filters"),
    [
        ("[{topic: '{site}/{equipment}', format: json}]", ("demo/#",)),
        ("[{topic: 'plant/{equipment}', format: json}]", ("demo/#", "plant/+")),
        ("[{topic: 'plant/eq-{equipment}/x', format: json}]", ("demo/#", "plant/+/x")),
        ("[{topic: 'p/{equipment}', format: json}, {topic: 'p/{equipment}/{point}', format: plain}]",
         ("demo/#", "p/+", "p/+/+")),
    ],
)  # fmt: skip
def test_filters_follow_the_patterns(tmp_path, patterns, filters):
    assert TopicMap(site_of(tmp_path, "id: f1", f"telemetry: {patterns}\n")).filters() == filters
