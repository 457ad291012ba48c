"""The search for balance points, on data that statistics has in its textbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from analytics.energy.baseline.change_point import search

CASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "change_point.yaml").read_text())[
    "stagnant_band"
]


def test_two_lines_meet_where_the_published_estimate_has_them():
    x, y = np.array(CASE["x"]), np.array(CASE["y"])
    lean = 0.5 * (CASE["slope_before"]["value"] + CASE["slope_after"]["value"])
    # A kelvin is a tenth of the flow's logarithm; without its mean slope, and turned over, the course is a valley.
    temperature, energy = 15.0 + 10.0 * x, 2.0 - (y - lean * x)
    form = search(temperature, energy, np.ones((x.size, 1)), np.arange(5.0, 25.0, 0.5)).forms["4P"]
    assert form.heating_c == form.cooling_c
    at = (form.heating_c - 15.0) / 10.0
    columns = np.column_stack([np.ones(x.size), form.columns(temperature)])
    height, before, after = np.linalg.lstsq(columns, energy, rcond=None)[0]
    found = {
        "change_at": at,
        "height_there": 2.0 - height + lean * at,
        "slope_before": lean + 10.0 * before,
        "slope_after": lean - 10.0 * after,
    }
    for name, value in found.items():
        assert value == pytest.approx(CASE[name]["value"], abs=CASE[name]["deviation"]), name
