"""Sparkplug in the site file, and its names."""

from __future__ import annotations

import pytest

from collector.mapping import TopicMap
from facility.errors import ConfigurationError
from facility.site_file import load_site
from facility.sparkplug_names import SparkplugTopic, data_topic, read_topic, state_topic

HEAD = "site: {id: demo, name: {zh: 示范, en: Demo}}\n"
FEEDER = "  - {{id: {id}, class: lv_feeder, rating: {{current: 400 A}}, telemetry: {{format: sparkplug, {where}}}}}\n"


@pytest.fixture
def load(tmp_path):
    def load(text, *wheres):
        machines = "".join(FEEDER.format(id=f"f{i}", where=where) for i, where in enumerate(wheres, 1))
        path = tmp_path / "site.yaml"
        path.write_text(HEAD + text + (f"equipment:\n{machines}" if machines else ""), encoding="utf-8")
        return load_site(path)

    return load


def test_a_machine_reports_as_a_device_or_as_a_node(load):
    site = load("", "group: Hospital, node: edge-1, device: 七号表", "group: Hospital, node: edge-1")
    assert site.equipment["f1"].telemetry.topic == "spBv1.0/Hospital/DDATA/edge-1/七号表"
    assert site.equipment["f2"].telemetry.topic == "spBv1.0/Hospital/NDATA/edge-1"


def test_whole_groups_are_listened_to_and_our_own_state(load):
    text = "sparkplug: {host_id: wardwatt-demo, groups: [Annex]}\n"
    filters = TopicMap(load(text, "group: Hospital, node: edge-1", "group: Hospital, node: edge-2")).filters()
    assert [f for f in filters if not f.startswith("demo/")] == [
        "spBv1.0/Hospital/#", "spBv1.0/Annex/#", "spBv1.0/STATE/wardwatt-demo",
    ]  # fmt: skip


def test_the_old_state_has_its_own_topic(load):
    assert "STATE/w" in TopicMap(load("sparkplug: {host_id: w, old_state: true}\n")).filters()


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("", "group: Hospital", "add group: and node:"),
        ("", "node: edge-1", "add group: and node:"),
        ("", "group: a/b, node: edge-1", "'a/b' is no name in Sparkplug"),
        ("", "group: Hospital, node: 'edge+1'", "'edge+1' is no name in Sparkplug"),
        ("", "group: Hospital, node: edge-1, device: 'a#'", "'a#' is no name in Sparkplug"),
        ("", "group: STATE, node: edge-1", "'STATE' is no group"),
        ("", "group: Hospital, node: edge-1, topic: a/b", "Sparkplug fixes the topic"),
        ("", "group: Hospital, node: edge-1, time: {key: ts}", "Sparkplug fixes the time"),
        ("sparkplug: {old_state: true}\n", "group: G, node: e", "none is named; add host_id"),
        ("sparkplug: {host: me}\n", "group: G, node: e", "key 'host' is not known"),
        ("sparkplug: {host_id: a/b}\n", "group: G, node: e", "'a/b' is no name in Sparkplug"),
        ("sparkplug: {groups: ['+']}\n", "group: G, node: e", "'+' is no name in Sparkplug"),
    ],
)
def test_mistakes_are_told_with_their_mend(load, text, where, told):
    with pytest.raises(ConfigurationError) as error:
        load(text, where)
    assert told in str(error.value)


def test_two_machines_may_share_a_device_but_not_a_metric(load):
    with pytest.raises(ConfigurationError) as error:
        load("", "group: G, node: e, device: d", "group: G, node: e, device: d")
    assert "is already 'f1'" in str(error.value)


@pytest.mark.parametrize(
    ("topic", "parts"),
    [
        ("spBv1.0/G/NDATA/e", SparkplugTopic("G", "NDATA", "e", "")),
        ("spBv1.0/G/DDATA/e/d", SparkplugTopic("G", "DDATA", "e", "d")),
        ("spBv1.0/G/DDATA/e", None),
        ("spBv1.0/G/NDATA/e/d", None),
        ("spBv1.0/G/NDATA/", None),
        ("spBv1.0/STATE/host", None),
        ("spAv1.0/G/NDATA/e", None),
        ("spBv1.0", None),
    ],
)
def test_a_topic_tells_its_parts(topic, parts):
    assert read_topic(topic) == parts


def test_topics_are_made_of_parts():
    assert data_topic("G", "e", None) == "spBv1.0/G/NDATA/e"
    assert state_topic("h") == "spBv1.0/STATE/h"
    assert state_topic("h", old=True) == "STATE/h"
