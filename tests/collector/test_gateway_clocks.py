"""Clocks of gateways: what is history, what is a slow clock, what is ahead."""

import json

import pytest

from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from facility.readings import CLOCK_SUSPECT, GOOD, HISTORICAL
from facility.site_file import load_site

S = 1_000_000
NOW = 1_790_000_000 * S
MIN = 60


@pytest.fixture
def quality_of(tmp_path):
    """Return a way to decode a message that arrives at a time, made so many seconds before; returns its quality."""
    (tmp_path / "site.yaml").write_text(
        "site: {id: x, name: {zh: 甲, en: A}}\nrooms: [{id: r, kind: power_room, name: {zh: 乙, en: B}}]\n"
        "equipment: [{id: f1, class: lv_feeder, room: r}]\n",
        encoding="utf-8",
    )
    topics = TopicMap(load_site(tmp_path / "site.yaml"))
    decoder = Decoder(topics, ArrivalLedger(None), 1024)

    def quality(arrives_s, late_s):
        payload = json.dumps({"ts": NOW // 1000 + (arrives_s - late_s) * 1000, "voltage_a": 230})
        decoder.add("x/r/f1/telemetry", payload.encode(), NOW + arrives_s * S, 1, False, False)
        return int(decoder.take().batch(topics).quality[0])

    return quality


def test_a_little_jitter_is_no_wrong_clock(quality_of):
    assert [quality_of(t, late) for t, late in ((0, 0), (1, -9), (2, 9 * MIN))] == [GOOD] * 3


def test_a_clock_ahead_is_kept_and_marked(quality_of):
    assert quality_of(0, -8 * MIN) == CLOCK_SUSPECT


def test_what_always_comes_late_by_the_same_is_a_slow_clock(quality_of):
    late = 8 * 3600  # a gateway that sends local time as if it were UTC
    assert [quality_of(t, late) for t in (0, 30, 59, 60, 90)] == [HISTORICAL] * 3 + [CLOCK_SUSPECT] * 2


def test_a_backlog_that_is_being_caught_up_is_history(quality_of):
    assert {quality_of(t, 3600 - 30 * t) for t in range(0, 90, 10)} == {HISTORICAL}


def test_a_recording_of_long_ago_is_history_however_steadily_it_comes(quality_of):
    assert {quality_of(t, 400 * 86400) for t in range(0, 300, 30)} == {HISTORICAL}
