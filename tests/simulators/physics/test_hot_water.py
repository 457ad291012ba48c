"""Heating circuits and domestic hot water."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulators.physics import hot_water

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "exchanger.yaml").read_text("utf-8"))


def of(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values)


def test_the_curve_falls_with_the_outdoor_temperature_between_its_ends() -> None:
    curve = hot_water.heating_curve(np.linspace(-15.0, 25.0, 81))
    assert (np.diff(curve) <= 0.0).all()
    assert curve[0] == 62.0
    assert curve[-1] == 42.0


def test_a_radiator_gives_half_at_55_45_of_what_it_gives_at_75_65() -> None:
    case = CASES["emitters"]
    share = hot_water.emitter_share(of(case["mean"]), of(case["design_mean"]))[0]
    assert share == pytest.approx(case["share"], abs=0.01)


def test_water_as_warm_as_the_room_heats_nothing() -> None:
    assert hot_water.emitter_share(of(20.0, 15.0), of(50.0)).tolist() == [0.0, 0.0]


def test_what_a_loop_loses_is_what_its_water_has_cooled() -> None:
    back = hot_water.loop_return(of(60.0), of(2.5), of(0.325))
    assert 1.163 * 2.5 * (60.0 - back[0]) == pytest.approx(hot_water.loop_loss(of(60.0), of(2.5), of(0.325))[0])
    assert 3.0 < 60.0 - back[0] < 5.0


def test_a_loop_that_hardly_flows_comes_back_as_cold_as_where_it_runs() -> None:
    assert hot_water.loop_return(of(60.0), of(0.001), of(0.325))[0] == pytest.approx(22.0, abs=0.01)
    assert hot_water.loop_return(of(60.0), of(2.5), of(0.0))[0] == 60.0


def test_a_bath_of_hot_water_takes_its_heat() -> None:
    # 1 m³ warmed by 45 K: 52 kWh.
    assert hot_water.draw_heat(of(1.0), of(60.0), of(15.0))[0] == pytest.approx(52.3, abs=0.1)


def test_half_the_flow_takes_a_fifth_of_the_pump_and_none_nothing() -> None:
    power = hot_water.pump_power(10.0, np.array([0.0, 0.5, 1.0]))
    assert power[0] == 0.0
    assert power[1] == pytest.approx(1.95)
    assert power[2] == pytest.approx(10.0)
