"""Sun and moist air, at their limits and against their sources."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import weather


def array(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.float64)


def test_at_midday_in_june_the_sun_stands_as_high_as_latitude_and_declination_say() -> None:
    height = weather.solar_elevation(array(171.0), array(12.0), 30.2)
    assert np.rad2deg(height[0]) == pytest.approx(90.0 - 30.2 + 23.45, abs=0.1)


def test_the_sun_gives_nothing_at_night_and_about_a_kilowatt_at_a_clear_noon() -> None:
    height = weather.solar_elevation(array(171.0, 171.0), array(0.0, 12.0), 30.2)
    night, noon = weather.global_radiation(height, np.zeros(2))
    assert night == 0.0
    assert 950.0 < noon < 1100.0
    assert weather.global_radiation(height[1:], np.ones(1))[0] == pytest.approx(0.25 * noon)


def test_saturation_pressure_agrees_with_tables() -> None:
    # IAPWS: 0.6113 kPa at 0.01 °C, 2.339 kPa at 20 °C, 7.385 kPa at 40 °C.
    assert weather.saturation_pressure(array(0.01, 20.0, 40.0)).tolist() == pytest.approx(
        [0.6113, 2.339, 7.385], rel=0.004
    )


def test_air_at_its_dew_point_is_saturated_and_never_more() -> None:
    assert weather.relative_humidity(array(15.0, 15.0), array(15.0, 18.0)).tolist() == [100.0, 100.0]


def test_the_wet_bulb_agrees_with_the_worked_example_of_its_source() -> None:
    # Stull (2011): 20 °C and 50 % give 13.7 °C.
    assert weather.wet_bulb_temperature(array(20.0), array(50.0))[0] == pytest.approx(13.7, abs=0.05)
