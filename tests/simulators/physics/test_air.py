"""Moist air against the handbook's table; gaps of rooms."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import air
from tests.simulators.physics.cases import array, rows


@pytest.mark.parametrize("row", rows("cooling", "saturated_air"), ids=lambda row: f"{row['temperature']} °C")
def test_saturated_air_is_that_of_the_handbook(row: dict[str, float]) -> None:
    temperature = array(row["temperature"])
    assert air.saturation_ratio(temperature)[0] == pytest.approx(row["ratio"], rel=0.01)
    assert air.saturation_enthalpy(temperature)[0] == pytest.approx(row["enthalpy"], rel=0.008, abs=0.15)


def test_the_temperature_of_saturated_air_is_the_inverse_of_its_heat() -> None:
    temperature = np.linspace(-15.0, 70.0, 40)
    assert air.saturated_at(air.saturation_enthalpy(temperature)) == pytest.approx(temperature, abs=0.01)


def test_gaps_let_pass_what_builds_up_the_pressure() -> None:
    pressure = array(-20.0, -5.0, 0.0, 5.0, 12.0)
    assert air.leak_pressure(air.leak_flow(pressure, 200.0), 200.0) == pytest.approx(pressure)
    assert air.leak_flow(array(10.0), 200.0)[0] == pytest.approx(200.0)
