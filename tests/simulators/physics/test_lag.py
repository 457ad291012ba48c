"""Masses that follow with one time constant."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics.lag import first_order
from tests.simulators.physics.cases import array


class TestLag:
    def test_after_one_time_constant_63_percent_of_a_step_are_done(self) -> None:
        done = first_order(np.ones(600), np.full(600, 1.0), 600.0, 0.0)[-1]
        assert done == pytest.approx(1.0 - np.exp(-1.0), rel=1e-12)

    def test_a_step_of_any_length_is_exact(self) -> None:
        fine = first_order(np.full(3600, 80.0), np.full(3600, 1.0), 2400.0, 20.0)[-1]
        coarse = first_order(array(80.0), array(3600.0), 2400.0, 20.0)[-1]
        uneven = first_order(np.full(3, 80.0), array(600.0, 1000.0, 2000.0), 2400.0, 20.0)[-1]
        assert coarse == pytest.approx(fine, rel=1e-9)
        assert uneven == pytest.approx(fine, rel=1e-9)

    def test_standing_still_takes_no_time(self) -> None:
        assert first_order(array(80.0), array(0.0), 600.0, 20.0).tolist() == [20.0]

    @pytest.mark.parametrize("first_s", [0.0, 13.0, 60.0, 900.0])
    def test_steps_of_one_length_after_a_first_of_any_agree_with_a_loop(self, first_s: float) -> None:
        target, dt_s = 20.0 + 5.0 * np.sin(np.arange(50.0)), np.array([first_s, *[60.0] * 49])
        one_by_one = [7.0]
        for goal, dt in zip(target, dt_s, strict=True):
            one_by_one.append(first_order(array(goal), array(dt), 600.0, one_by_one[-1])[0])
        assert first_order(target, dt_s, 600.0, 7.0) == pytest.approx(np.array(one_by_one[1:]), rel=1e-12)
