"""Steam tables and traps, against the formulations' own check values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import steam, trap

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "steam.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES["saturation"]["pressure"])
def test_the_saturation_pressure_is_that_of_the_formulation(case: dict[str, float]) -> None:
    absolute = steam.saturation_pressure(case["t"] - 273.15) + steam.ATMOSPHERE_MPA
    assert float(absolute) == pytest.approx(case["p"], rel=1e-8)


@pytest.mark.parametrize("case", CASES["saturation"]["temperature"])
def test_water_boils_at_the_temperatures_of_the_formulation(case: dict[str, float]) -> None:
    assert float(steam.saturation_temperature(case["p"] - 0.101325)) + 273.15 == pytest.approx(case["t"], abs=1e-6)


@pytest.mark.parametrize("case", CASES["line"]["values"])
def test_the_saturation_line_agrees_with_its_check_values(case: dict[str, float]) -> None:
    assert float(steam.water_density(case["t"])) == pytest.approx(case["water_density"], rel=2e-5)
    assert float(steam.water_enthalpy(case["t"])) == pytest.approx(case["water"], abs=0.03)
    pressure = steam.saturation_pressure(case["t"])
    assert float(steam.steam_enthalpy(pressure)) == pytest.approx(case["steam"], abs=0.06)
    assert float(steam.steam_density(pressure)) == pytest.approx(case["steam_density"], rel=1e-3)


@pytest.mark.parametrize("case", CASES["saturated_steam"]["values"])
def test_saturated_steam_agrees_with_steam_tables(case: dict[str, float]) -> None:
    boiling = steam.saturation_temperature(case["p"])
    assert float(boiling) == pytest.approx(case["t"], abs=0.1)
    assert float(steam.water_enthalpy(boiling)) == pytest.approx(case["water"], abs=1.0)
    assert float(steam.latent_heat(case["p"])) == pytest.approx(case["evaporation"], abs=1.5)
    assert float(steam.steam_enthalpy(case["p"])) == pytest.approx(case["steam"], abs=1.0)
    assert 1.0 / float(steam.steam_density(case["p"])) == pytest.approx(case["volume"], rel=0.006)


@given(st.floats(0.0, 1.6))
def test_pressure_and_temperature_of_saturation_are_each_others_inverse(pressure: float) -> None:
    assert float(steam.saturation_pressure(steam.saturation_temperature(pressure))) == pytest.approx(pressure, abs=1e-9)


def test_condensate_under_a_hundred_degrees_does_not_flash_and_hotter_does_by_its_heat() -> None:
    flow, enthalpy = np.array([1.0, 1.0]), np.array([400.0, 640.7])
    flashed = steam.flash_steam(flow, enthalpy)
    assert flashed[0] == 0.0
    # 152 °C to 100 °C: (640.7 - 419.1) / 2256.5.
    assert flashed[1] == pytest.approx(0.0982, abs=0.0005)


class TestTrap:
    @pytest.mark.parametrize("case", CASES["traps"]["values"])
    def test_what_blows_through_agrees_with_the_working_figures(self, case: dict[str, float]) -> None:
        assert float(trap.napier(case["hole"], case["p"])) == pytest.approx(case["leak"], rel=0.01)

    def test_without_a_hole_nothing_leaks_and_twice_the_width_leaks_four_times(self) -> None:
        assert float(trap.napier(0.0, 0.7)) == 0.0
        assert float(trap.napier(6.0, 0.7)) == pytest.approx(4.0 * float(trap.napier(3.0, 0.7)))
