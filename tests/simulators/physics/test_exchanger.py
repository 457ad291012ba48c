"""Heat exchangers on water and on steam: known effectiveness, balances, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import exchanger, steam

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "exchanger.yaml").read_text("utf-8"))


def of(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values)


@pytest.mark.parametrize("case", CASES["counterflow"]["values"])
def test_the_effectiveness_of_counterflow_is_that_of_the_table(case: dict[str, float]) -> None:
    assert exchanger.counterflow(of(case["units"]), case["ratio"])[0] == pytest.approx(case["effectiveness"], abs=0.006)


def test_without_surface_nothing_is_exchanged_and_with_very_much_all_of_it() -> None:
    assert exchanger.counterflow(of(0.0), 0.5)[0] == 0.0
    assert exchanger.counterflow(of(200.0), 0.5)[0] == pytest.approx(1.0)


@given(st.floats(50.0, 1500.0), st.floats(30.0, 50.0), st.floats(0.0, 1.0))
def test_water_to_water_closes_its_balance_and_the_equation_of_the_surface(
    heat: float, back: float, layer: float
) -> None:
    capacity, ua = of(100.0), exchanger.fouled(170.0, of(layer))
    primary = exchanger.from_water(of(heat), of(83.0), of(back), capacity, ua, 80.0, of(0.0))
    given_kw = primary.heat_kw[0]
    assert primary.flow_kg_s[0] * 4.19 * (83.0 - primary.return_c[0]) == pytest.approx(given_kw, rel=1e-6)
    assert given_kw <= heat * (1.0 + 1e-9)
    supply = back + given_kw / 100.0
    if primary.return_c[0] - back > 0.05:
        mean = exchanger.log_mean_difference(of(83.0 - supply), primary.return_c - back)[0]
        # The valve's range is cut into 4096 pieces.
        assert ua[0] * mean == pytest.approx(given_kw, rel=0.03)


@given(st.floats(20.0, 900.0), st.floats(30.0, 50.0))
def test_steam_to_water_gives_what_the_steam_brings(heat: float, back: float) -> None:
    primary = exchanger.from_steam(of(heat), 0.4, of(back), of(50.0), of(16.0), 0.65, 0.0)
    brought = primary.flow_kg_s[0] * (float(steam.steam_enthalpy(0.4)) - 4.19 * primary.return_c[0])
    assert brought == pytest.approx(primary.heat_kw[0], rel=1e-9)
    assert back - 0.01 <= primary.return_c[0] <= 152.0
    assert primary.heat_kw[0] == pytest.approx(heat, rel=0.01)


def test_more_heat_floods_less_and_leaves_hotter_condensate() -> None:
    primary = exchanger.from_steam(
        np.linspace(100.0, 1000.0, 10), 0.4, np.full(10, 45.0), np.full(10, 50.0), of(16.0), 0.65, 0.0
    )
    assert (np.diff(primary.return_c) > -1e-6).all()
    assert primary.return_c[-1] - 45.0 > 3.0


def test_fouling_needs_more_primary_water_and_brings_it_back_hotter() -> None:
    clean, dirty = (
        exchanger.from_water(of(1000.0), of(83.0), of(42.0), of(60.0), exchanger.fouled(85.0, of(r)), 45.0, of(0.0))
        for r in (0.0, 0.6)
    )
    assert dirty.flow_kg_s[0] > clean.flow_kg_s[0]
    assert dirty.return_c[0] - clean.return_c[0] > 3.0


def test_a_clean_plate_exchanger_has_the_approach_of_the_sheet_and_not_more_than_8_k_when_it_has_lost_a_fifth() -> None:
    # Domain sheet, HS-L06: 3 to 5 K new.
    rated, back = of(1000.0), of(43.0)
    new = exchanger.from_water(rated, of(83.0), back, of(50.0), of(85.0), 40.0, of(0.0))
    assert 3.0 < new.return_c[0] - 43.0 < 8.0


def test_a_shut_valve_gives_nothing_and_a_leaking_one_gives_something() -> None:
    shut = exchanger.from_water(of(0.0), of(83.0), of(40.0), of(50.0), of(85.0), 40.0, of(0.0))
    leaking = exchanger.from_water(of(0.0), of(83.0), of(40.0), of(50.0), of(85.0), 40.0, of(0.2))
    assert shut.heat_kw[0] == pytest.approx(0.0, abs=1e-6)
    assert leaking.heat_kw[0] > 100.0


def test_a_trap_that_lets_little_through_limits_the_heat() -> None:
    primary = exchanger.from_steam(of(900.0), 0.4, of(45.0), of(50.0), of(16.0), 0.1, 0.0)
    assert primary.flow_kg_s[0] == 0.1
    assert primary.heat_kw[0] < 300.0


def test_the_logarithmic_mean_lies_between_the_geometric_and_the_arithmetic() -> None:
    first, second = of(40.0, 10.0), of(10.0, 10.0)
    mean = exchanger.log_mean_difference(first, second)
    assert 20.0 < mean[0] < 25.0
    assert mean[1] == pytest.approx(10.0)
