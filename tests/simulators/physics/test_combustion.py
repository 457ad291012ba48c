"""Combustion: stoichiometry, flue gas, and what leaves by the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import combustion
from simulators.physics.combustion import NATURAL_GAS

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "combustion.yaml").read_text("utf-8"))
METHANE = combustion.gas({"CH4": 1.0})


def of(value: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([value])


def test_methane_burns_as_in_the_textbook() -> None:
    case = CASES["methane"]
    assert METHANE.air == pytest.approx(case["air"], abs=0.03)
    assert METHANE.dry == pytest.approx(case["dry_flue_gas"], abs=0.03)
    assert METHANE.dry + METHANE.water == pytest.approx(case["wet_flue_gas"], abs=0.03)
    assert 100.0 * METHANE.carbon_dioxide / METHANE.dry == pytest.approx(case["carbon_dioxide"], abs=0.05)
    assert METHANE.heating_value / 1000.0 == pytest.approx(case["heating_value"], abs=0.05)
    assert combustion.dew_point(of(0.0), METHANE)[0] == pytest.approx(case["dew_point"], abs=0.5)


def test_natural_gas_has_the_heating_value_of_the_sheet() -> None:
    assert NATURAL_GAS.heating_value / 1000.0 == pytest.approx(CASES["natural_gas"]["heating_value"], abs=0.1)


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match=r"add up to 0\.9; they must add up to 1"):
        combustion.gas({"CH4": 0.9})


def test_what_goes_in_comes_out() -> None:
    # Volumes of nitrogen and carbon are kept; what oxygen the fuel does not take stays.
    nitrogen = NATURAL_GAS.air * (1.0 - combustion.AIR_OXYGEN) + 0.010
    carbon = 0.963 + 2 * 0.012 + 3 * 0.003 + 0.012
    assert NATURAL_GAS.nitrogen == pytest.approx(nitrogen)
    assert NATURAL_GAS.carbon_dioxide == pytest.approx(carbon)


@given(st.floats(0.0, 15.0))
def test_air_ratio_and_oxygen_are_each_others_inverse(oxygen: float) -> None:
    assert combustion.oxygen_left(combustion.air_ratio(of(oxygen)))[0] == pytest.approx(oxygen, abs=1e-9)


@pytest.mark.parametrize("case", CASES["stack_loss"]["values"])
def test_the_loss_by_enthalpies_and_by_siegert_agree_with_the_table(case: dict[str, float]) -> None:
    flue, oxygen = of(case["flue"]), of(case["oxygen"])
    assert 100.0 * combustion.siegert_loss(flue, of(25.0), oxygen)[0] == pytest.approx(case["loss"], abs=0.06)
    assert 100.0 * combustion.flue_loss(flue, of(25.0), oxygen)[0] == pytest.approx(case["loss"], abs=0.2)


def test_hotter_flue_and_more_air_each_lose_more_and_cold_flue_nothing() -> None:
    usual = combustion.flue_loss(of(120.0), of(25.0), of(3.5))[0]
    assert combustion.flue_loss(of(160.0), of(25.0), of(3.5))[0] > usual
    assert combustion.flue_loss(of(120.0), of(25.0), of(8.0))[0] > usual
    assert combustion.flue_loss(of(25.0), of(25.0), of(3.5))[0] == 0.0


def test_a_burner_without_air_makes_carbon_monoxide_and_a_tuned_one_hardly_any() -> None:
    co = combustion.carbon_monoxide(np.array([0.5, 1.0, 2.0, 3.5, 10.0]))
    assert co[0] > 500.0
    assert (np.diff(co[:4]) < 0.0).all()
    assert co[3] < 20.0
    assert co[4] > co[3]


def test_a_thousand_ppm_of_carbon_monoxide_lose_a_third_of_a_percent() -> None:
    # 0.001 * 9 Nm³ * 12.63 MJ over 35.5 MJ.
    assert combustion.unburnt_loss(of(1000.0), of(1.0))[0] == pytest.approx(0.0032, abs=0.0003)


def test_more_air_cools_the_flame() -> None:
    flame = combustion.flame_temperature(of(25.0), np.array([0.0, 3.5, 8.0]))
    assert (np.diff(flame) < 0.0).all()
    # Methane in air, adiabatic: about 1950 °C with dissociation, 2050 °C without it.
    assert flame[0] == pytest.approx(2050.0, abs=60.0)
