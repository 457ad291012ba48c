"""Chlorine: how fast it decays in the bulk and at the wall."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import chlorine
from tests.simulators.physics.cases import array, case


def test_it_decays_faster_in_warm_water_as_measured() -> None:
    told = case("water_supply", "chlorine")
    cold, warm = chlorine.bulk_decay(array(10.0, 20.0))
    assert told["ratio"][0] < warm / cold < told["ratio"][1]
    assert told["usual"][0] < warm < told["usual"][1]


def test_no_time_leaves_all_and_a_mixed_tank_leaves_more_of_a_long_stay_than_a_pipe() -> None:
    assert chlorine.remaining(0.5, 0.0) == 1.0
    assert chlorine.remaining_mixed(0.5, 0.0) == 1.0
    assert chlorine.remaining_mixed(0.5, 10.0) > chlorine.remaining(0.5, 10.0)


def test_half_a_milligram_lasts_two_days_in_a_clean_tank_in_winter_and_not_in_summer() -> None:
    limit = case("water_supply", "standards")
    rate = chlorine.bulk_decay(array(8.0, 28.0))
    left = 0.45 * chlorine.remaining(rate, 2.0 * limit["longest_stay"])
    assert left[0] > limit["least_chlorine"]
    assert left[1] < limit["least_chlorine"]


class TestWall:
    def test_a_wall_that_does_not_react_takes_nothing(self) -> None:
        assert chlorine.wall_decay(0.5, 0.15, 0.0) == 0.0

    def test_a_wall_that_reacts_at_once_is_limited_by_the_way_there(self) -> None:
        some, endless = chlorine.wall_decay(0.5, 0.15, 1e3), chlorine.wall_decay(0.5, 0.15, 1e9)
        assert endless == pytest.approx(some, rel=0.01)

    def test_it_grows_with_speed_and_falls_with_diameter(self) -> None:
        speeds = np.array([chlorine.wall_decay(v, 0.15, 0.5) for v in (0.05, 0.2, 1.0)])
        assert (np.diff(speeds) > 0.0).all()
        assert chlorine.wall_decay(0.5, 0.1, 0.5) > chlorine.wall_decay(0.5, 0.3, 0.5)
