"""Coils: heat that air loses, moisture that condenses, and valves."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import air, coil
from simulators.physics.room import relative_humidity_of
from tests.simulators.physics.cases import array, rows


def test_a_dry_coil_takes_only_the_heat_of_the_temperature() -> None:
    cooled = coil.cool(array(2.0), array(26.0), array(0.006), array(16.0), array(16.0))
    assert cooled.ratio[0] == 0.006
    assert cooled.load_kw[0] == pytest.approx(2.0 * (air.CP_AIR + 0.006 * air.CP_VAPOUR) * 10.0)


def test_a_wet_coil_leaves_air_nearly_saturated() -> None:
    cooled = coil.cool(array(2.0), array(28.0), array(0.016), array(14.0), array(14.0))
    assert relative_humidity_of(cooled.ratio, cooled.temperature_c)[0] == pytest.approx(95.0, abs=0.5)
    dry_kw = 2.0 * air.CP_AIR * 14.0
    # Moist air: about half of the load is water that condenses.
    assert 0.4 < dry_kw / cooled.load_kw[0] < 0.75


def test_air_past_the_coil_stays_moister_than_air_through_it() -> None:
    through = coil.cool(array(1.0), array(26.0), array(0.013), array(18.0), array(18.0))
    past = coil.cool(array(1.0), array(26.0), array(0.013), array(18.0), array(11.0))
    assert past.temperature_c[0] == pytest.approx(through.temperature_c[0])
    assert past.ratio[0] < through.ratio[0]


def test_what_is_colder_than_wanted_is_left_alone() -> None:
    cooled = coil.cool(array(1.0), array(12.0), array(0.008), array(16.0), array(12.0))
    assert (cooled.temperature_c[0], cooled.ratio[0], cooled.load_kw[0]) == (12.0, 0.008, 0.0)


def test_water_and_load_of_a_coil_are_inverse_and_bent() -> None:
    load = np.linspace(0.0, 1.0, 11)
    assert coil.load_share(coil.water_share(load)) == pytest.approx(load)
    assert coil.water_share(array(0.5))[0] == pytest.approx(0.27, abs=0.01)


@pytest.mark.parametrize("row", rows("cooling", "valve"), ids=lambda row: f"lift {row['lift']}")
def test_a_valve_opens_as_the_standard_says(row: dict[str, float]) -> None:
    assert coil.valve_opening(array(row["flow"]))[0] == pytest.approx(100.0 * row["lift"], abs=3.1)


def test_a_valve_without_flow_is_shut() -> None:
    assert coil.valve_opening(array(0.0, 1.0)).tolist() == [0.0, 100.0]
