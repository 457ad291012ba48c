"""Hostile Sparkplug by the ten thousand: every message is stored, waits its time, or is told."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.collector.sparkplug.conftest import site  # noqa: F401 - a fixture
from tests.collector.sparkplug.test_host import check_run, messages, topics  # noqa: F401 - a fixture

PAUSES = st.sampled_from([0.0, 0.1, 3.0, 11.0])


@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(messages(), PAUSES), min_size=1, max_size=30))
def test_whatever_comes_is_stored_waits_or_is_told(topics, sent):  # noqa: F811
    check_run(topics, sent)
