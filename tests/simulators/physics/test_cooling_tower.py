"""Cooling towers: rated duty, Merkel's integral by another's rule, and the balance of water."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import air, cooling_tower
from simulators.physics.cooling_tower import CP_WATER, Tower
from simulators.physics.room import humidity_ratio
from tests.simulators.physics.cases import array, case

TOWER = Tower(200.0, 7.5)
WATER_KG_S = 200.0 / 3.6


def cold_water(heat_kw: float, wet_bulb_c: float, speed: float, fill: float = 1.0) -> tuple[float, float]:
    """Return hot and cold water of a tower at rated flow. [°C]"""
    hot = array(35.0)
    for _ in range(20):
        cold = hot - heat_kw / (CP_WATER * WATER_KG_S)
        moved = cooling_tower.transfer(
            TOWER.air_kg_s * array(speed) / WATER_KG_S, cooling_tower.saturation_slope(hot, cold), fill
        )
        hot = cooling_tower.hot_water(array(heat_kw), moved, array(WATER_KG_S), array(wet_bulb_c))
    return float(hot[0]), float(hot[0] - heat_kw / (CP_WATER * WATER_KG_S))


RATED_KW = CP_WATER * WATER_KG_S * 5.0


def test_at_rated_conditions_it_does_what_the_standard_asks() -> None:
    rated = case("cooling", "tower")
    hot, cold = cold_water(RATED_KW, rated["wet_bulb"], 1.0)
    assert hot == pytest.approx(rated["hot"], abs=0.15)
    assert cold == pytest.approx(rated["cold"], abs=0.15)


@pytest.mark.parametrize(("share", "wet_bulb_c"), [(1.0, 28.0), (1.0, 22.0), (0.6, 24.0)])
def test_its_transfer_agrees_with_merkels_integral(share: float, wet_bulb_c: float) -> None:
    hot, cold = cold_water(share * RATED_KW, wet_bulb_c, 1.0)
    air_per_water = TOWER.air_kg_s / WATER_KG_S
    inlet = float(air.saturation_enthalpy(array(wet_bulb_c))[0])
    # Air is heated from the cold end on, in proportion to the water's way.
    merkel = 0.0
    for part in case("cooling", "chebyshev")["shares"]:
        water_c = cold + part * (hot - cold)
        passing = inlet + part * (hot - cold) * CP_WATER / air_per_water
        merkel += 0.25 * CP_WATER * (hot - cold) / (float(air.saturation_enthalpy(array(water_c))[0]) - passing)
    moved = cooling_tower.transfer(array(air_per_water), cooling_tower.saturation_slope(array(hot), array(cold)))
    # NTU of the same model at its rated air over water, times air over water, is Merkel's number.
    slope = cooling_tower.saturation_slope(array(hot), array(cold))
    capacity = air_per_water * slope[0] / CP_WATER
    effectiveness = moved[0] / air_per_water
    units = np.log((1.0 - effectiveness * capacity) / (1.0 - effectiveness)) / (1.0 - capacity)
    assert units * air_per_water == pytest.approx(merkel, rel=0.06)


def test_a_faster_fan_makes_colder_water_and_bad_fill_warmer() -> None:
    cold = [cold_water(RATED_KW, 25.0, speed)[1] for speed in (0.4, 0.6, 0.8, 1.0)]
    assert (np.diff(cold) < 0.0).all()
    assert cold_water(RATED_KW, 25.0, 1.0, fill=0.5)[1] > cold[-1] + 1.5


def test_without_heat_the_water_is_as_cold_as_the_wet_bulb() -> None:
    assert cold_water(0.0, 20.0, 1.0)[1] == pytest.approx(20.0, abs=0.05)


def test_evaporation_is_what_the_rule_of_thumb_says() -> None:
    outdoor_c = array(32.0)
    ratio = humidity_ratio(outdoor_c, array(75.0))
    lost = cooling_tower.evaporation(array(RATED_KW), array(TOWER.air_kg_s), outdoor_c, ratio)[0]
    assert lost / 200.0 / 5.0 == pytest.approx(case("cooling", "evaporation")["share_per_k"], rel=0.15)
    assert cooling_tower.evaporation(array(0.0), array(TOWER.air_kg_s), outdoor_c, ratio)[0] == 0.0


def test_bleed_keeps_the_salts_in_balance() -> None:
    evaporated, drift = array(1.5), array(0.02)
    let_off = cooling_tower.bleed(evaporated, drift, 4.5)
    makeup = evaporated + let_off + drift
    assert makeup[0] / (let_off[0] + drift[0]) == pytest.approx(4.5)


def test_the_fan_follows_the_cube_of_its_speed_and_takes_nothing_at_rest() -> None:
    taken = TOWER.fan_power(array(0.0, 0.5, 1.0))
    assert taken[0] == 0.0
    assert taken[1] == pytest.approx(7.5 * (0.03 + 0.97 / 8.0))
    assert taken[2] == pytest.approx(7.5)
