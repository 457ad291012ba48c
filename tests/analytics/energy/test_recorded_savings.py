"""Savings of recorded meters, where WARDWATT_RECORDED_DATA names a folder that holds them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from analytics.energy.baseline_benchmark.trials import SETS
from analytics.energy.savings_benchmark import savings_benchmark

FOLDER = Path(os.environ.get("WARDWATT_RECORDED_DATA") or "none")

pytestmark = pytest.mark.skipif(
    not any((FOLDER / name).is_dir() for name in SETS), reason="WARDWATT_RECORDED_DATA names no recorded meters"
)


@pytest.fixture(scope="module")
def judged() -> dict[str, Any]:
    return savings_benchmark(FOLDER, years=8)


def test_a_year_without_a_measure_or_with_one_from_its_first_day_holds_no_event(judged):
    assert all(meter["events"] == [] for meter in judged["meters"].values())


def test_most_intervals_hold_the_known_saving(judged):
    # A meter that only cools used more a degree in its second year, and a day's noise is a quarter of its use.
    held = [meter["holds_the_truth"] for meter in judged["meters"].values()]
    assert sum(held) >= len(held) - 1


def test_a_large_load_that_is_added_is_told_with_its_month(judged):
    for meter in judged["meters"].values():
        key = next(name for name in meter if name.startswith("load_of_40%"))
        assert [told[:7] for told in meter[key]] == [key[-10:-3]]


def test_synthetic_years_hold_what_they_promise(judged):
    for kind in judged["synthetic"].values():
        assert kind["interval_holds_the_truth"] >= 0.75  # of 8
        assert kind["healthy_years_with_an_event"] <= 0.125
