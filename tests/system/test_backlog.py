"""A backlog is drained in bounded memory; a million messages: make soak."""

import pytest
from backlog import drain


@pytest.mark.system
def test_a_backlog_is_drained_under_300_megabytes_and_nothing_is_lost(tmp_path):
    figures = drain(tmp_path, 120_000)
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    assert figures["peak_rss_mb"] < 300, figures
