"""Medical vacuum: throughput, power, balance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import vacuum


def array(*values: float) -> vacuum.Array:
    return np.array(values, dtype=np.float64)


def test_at_the_atmosphere_a_pump_moves_its_speed_and_in_a_full_vacuum_nothing() -> None:
    moved = vacuum.throughput(160.0, array(0.0, 50.6625, 101.325))
    assert moved[0] == pytest.approx(160.0 * 273.15 / 293.15)
    assert moved[1] == pytest.approx(moved[0] / 2.0)
    assert moved[2] == 0.0


@given(st.floats(50.0, 600.0), st.floats(1.0, 95.0))
def test_the_vacuum_settles_where_the_pumps_just_move_the_flow(speed: float, kpa: float) -> None:
    flow = vacuum.throughput(speed, array(kpa))
    assert vacuum.settled_vacuum(speed, flow)[0] == pytest.approx(kpa, abs=1e-9)


def test_more_air_than_the_pumps_can_move_leaves_no_vacuum() -> None:
    assert vacuum.settled_vacuum(160.0, array(1000.0))[0] == 0.0


def test_the_power_is_small_at_the_atmosphere_highest_near_70_kpa_and_falls_towards_full_vacuum() -> None:
    kpa = np.linspace(0.0, 100.0, 101)
    power = vacuum.pump_power(160.0, kpa)
    assert power[0] == pytest.approx(0.0, abs=1e-9)
    assert 60.0 < kpa[np.argmax(power)] < 75.0
    assert power[-1] < 0.5 * power.max()


def test_a_pump_of_160_cubic_metres_an_hour_has_a_motor_of_some_four_kilowatts() -> None:
    assert 3.0 < vacuum.pump_power(160.0, array(67.0))[0] < 5.5
