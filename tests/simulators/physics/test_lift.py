"""A lift's motor: what it draws and gives back."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import lift


def test_a_lift_that_lifts_its_rating_draws_its_rating() -> None:
    assert lift.motor_power(np.array([1.0]), 22.0)[0] == pytest.approx(22.0)


def test_a_balanced_car_takes_only_friction() -> None:
    assert lift.motor_power(np.array([0.0]), 22.0)[0] == pytest.approx(lift.FRICTION * 22.0)


def test_a_falling_load_feeds_the_mains_unless_a_resistor_burns_it() -> None:
    back = lift.motor_power(np.array([-0.8]), 22.0)[0]
    assert -22.0 < back < 0.0
    assert lift.motor_power(np.array([-0.8]), 22.0, given_back=0.0)[0] == 0.0


def test_up_and_down_with_the_same_load_costs_friction_and_what_is_not_given_back() -> None:
    up, down = lift.motor_power(np.array([0.6, -0.6]), 22.0)
    assert up + down > 2.0 * lift.FRICTION * 22.0


def test_the_mean_over_trips_grows_with_their_loads() -> None:
    light, heavy = lift.mean_trip_power(22.0, 0.1), lift.mean_trip_power(22.0, 0.9)
    assert pytest.approx(light, rel=0.15) == lift.FRICTION * 22.0
    assert light < heavy < 22.0


def test_giving_back_saves() -> None:
    assert lift.mean_trip_power(22.0, 0.7) < lift.mean_trip_power(22.0, 0.7, given_back=0.0)
