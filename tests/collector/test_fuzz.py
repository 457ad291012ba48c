"""Whatever is sent ends as readings, in the quarantine, or is known to say nothing. A longer run: make soak."""

from __future__ import annotations

import json

import pytest

from collector.arrivals import ArrivalLedger
from collector.decode import SPARKPLUG_TOPICS, Decoder
from collector.mapping import TopicMap
from facility.errors import PayloadRejected
from facility.site_file import load_site
from tests.collector import hostile

NOW_US = 1_772_424_000_000_000


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "site.yaml"
    path.write_text(hostile.SITE, encoding="utf-8")
    return TopicMap(load_site(path))


def says_nothing(payload: bytes) -> bool:
    """Return whether a payload holds no value at all: null is a missing value, and not a reading."""
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    leaves = [data]
    while leaves:
        leaf = leaves.pop()
        if isinstance(leaf, dict):
            leaves += [v for k, v in leaf.items() if k not in ("ts", "time", "t", "when")]
        elif isinstance(leaf, list):
            leaves += leaf
        elif leaf is not None:
            return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_each_hostile_message_is_decoded_or_refused(topics, seed):
    decoder = Decoder(topics, ArrivalLedger(None), 1024 * 1024)
    for number, (topic, payload) in enumerate(hostile.messages(seed, 2_500)):
        if topic.startswith(SPARKPLUG_TOPICS):
            continue  # one after the other they depend on each other: see the run with a broker, and Sparkplug's own
        decoder.add(topic, payload, NOW_US + number, number % 65_535 + 1, False, False)
        draft = decoder.take()
        batch = draft.batch(topics)
        assert len(batch) or len(draft.rejections) or says_nothing(payload), (topic, payload[:200])


def test_a_refused_topic_keeps_no_message_alive(topics):
    decoder = Decoder(topics, ArrivalLedger(None), 1024 * 1024)
    for mid in (1, 2):
        decoder.add("fuzz/power-1/nobody/telemetry", b"1", NOW_US, mid, False, False)
    refusal = topics.resolve("fuzz/power-1/nobody/telemetry")
    assert isinstance(refusal, PayloadRejected)
    # The refusal is kept for the topic's next message; through its traceback it would keep whole batches.
    assert refusal.__traceback__ is None
