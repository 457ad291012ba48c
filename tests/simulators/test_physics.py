"""Physics at its limits, by its balances, and against figures from outside the project."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import pump
from simulators.physics.lag import first_order


def array(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.float64)


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


class TestPump:
    CURVE = pump.PumpCurve(flow_m3h=200.0, head_m=32.0)

    def test_the_curve_passes_through_shut_off_and_the_rated_point(self) -> None:
        assert self.CURVE.head(array(0.0, 200.0), np.ones(2)).tolist() == pytest.approx([40.0, 32.0])

    @given(st.floats(0.3, 1.0), st.floats(0.1, 1.3))
    def test_affinity_laws_hold_at_any_speed(self, speed: float, share: float) -> None:
        flow = array(share * 200.0)
        full = self.CURVE.head(flow, array(1.0))
        slow = self.CURVE.head(flow * speed, array(speed))
        assert slow == pytest.approx(full * speed**2, rel=1e-9)
        power = pump.hydraulic_power(flow, full) / self.CURVE.efficiency_at(flow, array(1.0))
        slow_power = pump.hydraulic_power(flow * speed, slow) / self.CURVE.efficiency_at(flow * speed, array(speed))
        assert slow_power == pytest.approx(power * speed**3, rel=1e-9)

    def test_the_water_takes_up_flow_times_head_over_367(self) -> None:
        assert pump.hydraulic_power(array(100.0), array(36.72))[0] == pytest.approx(10.0, rel=0.003)

    def test_80_percent_speed_takes_about_half_the_power(self) -> None:
        flow, head = pump.operating_point(self.CURVE, array(1.0, 0.8), np.zeros(2), np.full(2, 8e-4))
        power = pump.electric_power(self.CURVE, flow, head, array(1.0, 0.8))
        assert power[1] / power[0] == pytest.approx(0.512, rel=1e-6)

    def test_the_operating_point_lies_on_both_curves(self) -> None:
        flow, head = pump.operating_point(self.CURVE, array(0.9), array(6.0), array(5e-4))
        assert head[0] == pytest.approx(float(self.CURVE.head(flow, array(0.9))[0]))
        assert head[0] == pytest.approx(6.0 + 5e-4 * flow[0] ** 2)

    def test_a_pump_that_cannot_lift_the_static_head_gives_nothing(self) -> None:
        flow, _ = pump.operating_point(self.CURVE, array(0.5), array(30.0), array(5e-4))
        assert flow[0] == 0.0

    @given(st.floats(1.0, 250.0), st.floats(1.0, 35.0))
    def test_the_speed_for_a_head_gives_that_head(self, flow: float, head: float) -> None:
        speed = pump.speed_for_head(self.CURVE, array(flow), array(head))
        assert self.CURVE.head(array(flow), speed)[0] == pytest.approx(head, rel=1e-9)

    def test_cold_water_under_the_sky_gives_ten_metres_of_suction_head(self) -> None:
        assert pump.npsh_available(array(0.0), array(20.0))[0] == pytest.approx(10.1, abs=0.1)

    def test_cavitation_begins_when_less_than_ten_percent_of_margin_is_left(self) -> None:
        worse = pump.cavitation(array(3.5, 3.31, 3.0, 1.5, 0.0), np.full(5, 3.0))
        assert worse[:2].tolist() == [0.0, 0.0]
        assert 0.0 < worse[2] < 0.2
        assert worse[3:].tolist() == [1.0, 1.0]

    def test_good_pumps_need_less_than_4_2_watt_hours_for_a_cubic_metre_and_metre(self) -> None:
        power = pump.electric_power(self.CURVE, array(200.0), array(32.0), array(1.0))[0]
        assert power / (200.0 * 32.0) == pytest.approx(0.0040, abs=0.0002)
