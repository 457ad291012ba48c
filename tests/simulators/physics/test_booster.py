"""Hydropneumatic vessels: Boyle's law, and the starts that a vessel allows."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import booster
from tests.simulators.physics.cases import array, case


def test_a_pump_starts_most_often_at_half_its_flow_and_then_as_the_standard_sizes_vessels() -> None:
    told = case("water_supply", "vessel")
    flow = np.linspace(0.0, told["pump"], 201)
    starts = booster.starts_per_hour(flow, told["pump"], told["volume"] / told["factor"])
    assert flow[np.argmax(starts)] == pytest.approx(told["pump"] / 2)
    assert starts.max() == pytest.approx(told["starts"], rel=1e-3)


def test_no_flow_and_the_pumps_whole_flow_need_no_starts() -> None:
    assert booster.starts_per_hour(array(0.0, 10.0), 10.0, 0.1).tolist() == [0.0, 0.0]
    assert booster.duty(array(0.0, 2.5, 10.0), 10.0).tolist() == [0.0, 0.25, 1.0]


def test_a_vessel_gives_the_share_of_its_volume_that_the_standard_says() -> None:
    told, wanted = case("water_supply", "vessel_total"), case("water_supply", "vessel")
    # Absolute pressures 0.75 to 1, and charged a twentieth below the lower one.
    low, high = 0.45, 0.60
    useful = booster.useful_volume(told["total"], low / told["reserve"] - 0.101325, low - 0.101325, high - 0.101325)
    assert told["ratio"] == pytest.approx(low / high)
    assert useful == pytest.approx(wanted["volume"], rel=0.01)


def test_gas_is_neither_lost_nor_won() -> None:
    vessel, charge = 0.5, 0.35
    whole = booster.useful_volume(vessel, charge, 0.40, 0.50)
    halves = booster.useful_volume(vessel, charge, 0.40, 0.45) + booster.useful_volume(vessel, charge, 0.45, 0.50)
    assert halves == pytest.approx(whole)


def test_a_lost_charge_leaves_a_fraction_and_too_high_a_charge_nothing() -> None:
    sound, lost = (booster.useful_volume(0.5, charge, 0.36, 0.44) for charge in (0.34, 0.0))
    assert lost < 0.3 * sound
    assert booster.useful_volume(0.5, 0.6, 0.36, 0.44) == 0.0
