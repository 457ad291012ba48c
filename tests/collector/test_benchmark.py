"""The benchmark runs with all its receivers, loses nothing, and gives the figures that are asked for."""

from __future__ import annotations

import os

from collector.benchmark import run
from collector.benchmark.servers import find_influxd


def test_a_small_run_gives_all_figures_and_loses_nothing():
    figures = run(messages=1000, rounds=1)
    assert {"messages_per_s", "bare_paho_per_s", "ratio", "lost", "duplicated", "peak_rss_mb"} <= set(figures)
    assert (figures["lost"], figures["duplicated"], figures["left_at_broker"]) == (0, 0, 0)
    assert figures["messages_per_s"] > 0
    assert figures["peak_rss_mb"] > 10
    assert sum(figures["two_processes"]["received"]) == 1000
    assert find_influxd() or not os.environ.get("CI"), "influxd is not installed; run: bash deploy/test-servers.sh"
    assert (figures["influxdb"] is None) == (find_influxd() is None)
