"""A million messages wait at the broker; they are drained under 300 MB and none is lost."""

import pytest
from backlog import drain


@pytest.mark.timeout(1800)
def test_a_million_messages_are_drained_under_300_megabytes_and_none_is_lost(tmp_path, tell):
    figures = drain(tmp_path, 1_000_000)
    tell(figures)
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    assert figures["peak_rss_mb"] < 300, figures
