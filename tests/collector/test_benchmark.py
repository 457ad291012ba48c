"""The benchmark runs, loses nothing, and gives the figures that are asked for."""

from __future__ import annotations

from collector.benchmark import run


def test_a_small_run_gives_all_figures_and_loses_nothing():
    figures = run(messages=500, rounds=1)
    assert {"messages_per_s", "bare_paho_per_s", "ratio", "lost", "duplicated", "peak_rss_mb"} <= set(figures)
    assert (figures["lost"], figures["duplicated"], figures["left_at_broker"]) == (0, 0, 0)
    assert figures["messages_per_s"] > 0
    assert figures["peak_rss_mb"] > 10
