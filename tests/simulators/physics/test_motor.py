"""Motors and drives at no load, rated load and standstill; efficiency classes; heat of unbalance."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import motor
from tests.simulators.physics.cases import array, case, rows


@pytest.mark.parametrize("row", rows("pumps", "motor_efficiency"), ids=str)
def test_rated_efficiency_is_that_of_the_standard(row: list[float]) -> None:
    kw, percent = row
    assert 100.0 * motor.rated_efficiency(kw) == pytest.approx(percent, abs=0.15)


class TestLosses:
    def test_rated_load_gives_the_rated_efficiency(self) -> None:
        heat = motor.losses(array(30.0), array(1.0), 30.0)[0]
        assert 30.0 / (30.0 + heat) == pytest.approx(motor.rated_efficiency(30.0))

    def test_without_load_only_the_fixed_part_is_left_and_at_standstill_nothing(self) -> None:
        idle, rated, still = motor.losses(array(0.0, 30.0, 0.0), array(1.0, 1.0, 0.0), 30.0)
        assert 0.2 < idle / rated < 0.5
        assert still == 0.0

    def test_efficiency_holds_down_to_half_load_and_falls_below_a_quarter(self) -> None:
        shaft = array(30.0, 15.0, 7.5, 3.0)
        efficiency = shaft / (shaft + motor.losses(shaft, np.ones(4), 30.0))
        assert efficiency[1] == pytest.approx(efficiency[0], abs=0.01)
        assert efficiency[3] < efficiency[2] < efficiency[1]

    def test_a_drive_at_rated_load_loses_three_percent(self) -> None:
        assert motor.drive_losses(array(30.0), 30.0)[0] / 30.0 == pytest.approx(0.03)


class TestCurrent:
    def test_rated_load_draws_the_rated_current_and_no_load_the_magnetising_one(self) -> None:
        rated, idle = motor.current(array(30.0, 0.0), np.ones(2), 30.0, 56.0)
        assert rated == pytest.approx(56.0)
        assert idle == pytest.approx(0.3 * 56.0)

    def test_equal_torque_at_half_speed_draws_equal_current(self) -> None:
        full, half = motor.current(array(20.0, 10.0), array(1.0, 0.5), 30.0, 56.0)
        assert half == pytest.approx(full)


class TestWinding:
    def test_rated_load_rises_by_the_rated_rise_and_stays_within_class_b(self) -> None:
        heat = motor.losses(array(30.0), array(1.0), 30.0)
        assert motor.winding_rise(heat, array(1.0), 30.0)[0] == pytest.approx(70.0)

    def test_equal_heat_at_lower_speed_makes_it_hotter(self) -> None:
        fast, slow = motor.winding_rise(np.full(2, 1.0), array(1.0, 0.5), 30.0)
        assert slow > fast

    def test_unbalance_heats_as_the_rule_of_thumb_says(self) -> None:
        told = case("pumps", "voltage_unbalance")
        factor = motor.unbalance_heat(array(0.0, told["current_unbalance"]))
        assert factor[0] == 1.0
        assert factor[1] - 1.0 == pytest.approx(told["more_rise"], abs=0.02)
