"""The store's benchmark: its load is what it says it is, and its figures are all there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facility.store import benchmark
from facility.store.benchmark import POINTS, Load, Plan, run
from facility.store.duckdb import DuckDBStore


def test_the_load_has_about_as_many_readings_as_wanted_and_no_key_twice() -> None:
    load = Load(Plan(long=0, minutes=30))
    batches = list(load.batches())
    keys = np.concatenate([batch.time_us * POINTS + batch.point for batch in batches])
    assert len(keys) == len(set(keys.tolist())) == 30 * (POINTS + 550)
    assert Plan.of(len(keys)).minutes == 30


def test_the_hundred_million_hold_points_over_a_year_and_a_week_of_all() -> None:
    plan = Plan.of(100_000_000)
    assert plan.long * 525_600 == pytest.approx(25_000_000, rel=0.02)
    assert 7 < plan.minutes / 1440 < 14
    with pytest.raises(ValueError, match="too few"):
        Plan.of(5)


def test_points_over_a_year_have_one_reading_a_minute_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_YEAR_MINUTES", 500)
    load = Load(Plan(long=1, minutes=20))
    time_us = np.concatenate([batch.time_us[batch.point == POINTS - 1] for batch in load.batches()])
    assert len(time_us) == 500
    assert set(np.diff(time_us).tolist()) == {60_000_000}


def test_values_are_those_of_plants() -> None:
    batches = list(Load(Plan(long=0, minutes=60)).batches())
    sensor, register, state = (
        np.concatenate([batch.value[batch.point == point] for batch in batches]) for point in (100, 107, 109)
    )
    assert np.all(np.isclose(sensor * 100, np.round(sensor * 100)))
    assert len(set(sensor.tolist())) > 1
    assert np.all(np.diff(register) >= 0)
    assert set(state.tolist()) <= {0.0, 1.0}


def test_every_figure_is_there(tmp_path: Path) -> None:
    stages: list[str] = []
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        told = run(store, tmp_path, 12_000, 1, lambda what, _share: stages.append(what))
        with pytest.raises(ValueError, match="measure an empty one"):
            run(store, tmp_path, 12_000)
    assert told["points"] == POINTS
    assert told["readings"] == pytest.approx(12_000, rel=0.1)
    for query in (
        "one_point_day",
        "one_point_year",
        "one_point_year_raw",
        "fifty_points_day_1min",
        "latest_all_points",
    ):
        assert 0 <= told[f"{query}_p50_ms"] <= told[f"{query}_p95_ms"]
    for key in ("write_values_per_s", "write_ratio_to_plain_file", "bytes_per_reading", "peak_rss_mb"):
        assert told[key] > 0
    assert set(stages) == {"Writing", "Compacting", "Asking"}
    assert [path.name for path in tmp_path.iterdir()] == ["t.duckdb"]
