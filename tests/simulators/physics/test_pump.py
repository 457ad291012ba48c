"""Pumps: curves, affinity laws, system, suction; by limits, by balances, and against figures from outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import pump
from tests.simulators.physics.cases import array, case, rows

CURVE = pump.PumpCurve(flow_m3h=200.0, head_m=32.0)


class TestCurve:
    def test_it_passes_through_shut_off_and_the_rated_point(self) -> None:
        assert CURVE.head(array(0.0, 200.0), np.ones(2)).tolist() == pytest.approx([40.0, 32.0])

    @given(st.floats(0.3, 1.0), st.floats(0.1, 1.3))
    def test_affinity_laws_hold_at_any_speed(self, speed: float, share: float) -> None:
        flow = array(share * 200.0)
        full = CURVE.head(flow, array(1.0))
        slow = CURVE.head(flow * speed, array(speed))
        assert slow == pytest.approx(full * speed**2, rel=1e-9)
        power, slow_power = CURVE.shaft_power(flow, array(1.0)), CURVE.shaft_power(flow * speed, array(speed))
        assert slow_power == pytest.approx(power * speed**3, rel=1e-9)

    def test_twice_the_speed_gives_what_a_textbook_says(self) -> None:
        told = case("pumps", "affinity")
        (flow, faster), (head, higher), (power, stronger) = told["flow"], told["head"], told["power"]
        shaft = pump.hydraulic_power(array(flow), array(head))[0] / power
        slow = pump.PumpCurve(flow, head, efficiency=shaft)
        assert slow.shaft_power(array(flow), array(1.0))[0] == pytest.approx(power)
        assert slow.head(array(faster), array(told["speed"]))[0] == pytest.approx(higher, rel=1e-3)
        assert slow.shaft_power(array(faster), array(told["speed"]))[0] == pytest.approx(stronger, rel=1e-3)

    def test_the_water_takes_up_flow_times_head_over_367(self) -> None:
        assert pump.hydraulic_power(array(100.0), array(36.72))[0] == pytest.approx(10.0, rel=0.003)

    def test_a_cubic_metre_lifted_by_a_metre_takes_what_physics_says(self) -> None:
        told = case("pumps", "specific_energy")
        assert pump.hydraulic_power(array(1.0), array(1.0))[0] == pytest.approx(told["ideal"], rel=0.003)
        assert pump.electric_power(CURVE, array(200.0), array(32.0), array(1.0))[0] / 6400.0 < told["good"]

    def test_80_percent_speed_takes_about_half_the_power(self) -> None:
        flow, head = pump.operating_point(CURVE, array(1.0, 0.8), np.zeros(2), np.full(2, 8e-4))
        power = pump.electric_power(CURVE, flow, head, array(1.0, 0.8))
        assert power[1] / power[0] == pytest.approx(0.512, rel=1e-6)


class TestShaft:
    def test_it_is_the_hydraulic_power_over_the_efficiency(self) -> None:
        flow = np.linspace(20.0, 260.0, 13)
        speed = np.full(13, 0.9)
        through = pump.hydraulic_power(flow, CURVE.head(flow, speed)) / CURVE.efficiency_at(flow, speed)
        assert CURVE.shaft_power(flow, speed) == pytest.approx(through, rel=1e-9)

    def test_at_the_closed_valve_it_takes_about_six_tenths(self) -> None:
        shut, rated = CURVE.shaft_power(array(0.0, 200.0), np.ones(2))
        assert shut / rated == pytest.approx(0.625)

    def test_a_standing_pump_takes_nothing(self) -> None:
        assert CURVE.shaft_power(array(0.0), array(0.0))[0] == 0.0

    def test_it_grows_with_the_flow(self) -> None:
        assert (np.diff(CURVE.shaft_power(np.linspace(0.0, 300.0, 31), np.ones(31))) > 0.0).all()


class TestSystem:
    def test_the_operating_point_lies_on_both_curves(self) -> None:
        flow, head = pump.operating_point(CURVE, array(0.9), array(6.0), array(5e-4))
        assert head[0] == pytest.approx(float(CURVE.head(flow, array(0.9))[0]))
        assert head[0] == pytest.approx(6.0 + 5e-4 * flow[0] ** 2)

    def test_a_pump_that_cannot_lift_the_static_head_gives_nothing(self) -> None:
        flow, _ = pump.operating_point(CURVE, array(0.5), array(30.0), array(5e-4))
        assert flow[0] == 0.0

    @given(st.floats(1.0, 250.0), st.floats(1.0, 35.0))
    def test_the_speed_for_a_head_gives_that_head(self, flow: float, head: float) -> None:
        speed = pump.speed_for_head(CURVE, array(flow), array(head))
        assert CURVE.head(array(flow), speed)[0] == pytest.approx(head, rel=1e-9)

    def test_a_leaking_check_valve_passes_its_share_at_rated_head_and_half_at_a_quarter(self) -> None:
        back = pump.leak_back(array(32.0, 8.0, 0.0), 32.0, 200.0, np.full(3, 0.1))
        assert back.tolist() == pytest.approx([20.0, 10.0, 0.0])


class TestSuction:
    @pytest.mark.parametrize("row", rows("pumps", "vapour_pressure"), ids=str)
    def test_water_under_its_vapour_pressure_has_no_suction_head(self, row: list[float]) -> None:
        celsius, vapour_kpa = row
        # Gauge pressure at which nothing is left: the vapour's, less the atmosphere's.
        left = pump.npsh_available(array(vapour_kpa - 101.325), array(celsius))[0]
        assert left == pytest.approx(0.0, abs=0.012 * vapour_kpa / pump.KPA_PER_M + 1e-3)

    def test_cold_water_under_the_sky_gives_ten_metres_of_suction_head(self) -> None:
        assert pump.npsh_available(array(0.0), array(20.0))[0] == pytest.approx(10.1, abs=0.1)

    def test_cavitation_begins_when_less_than_ten_percent_of_margin_is_left(self) -> None:
        worse = pump.cavitation(array(3.5, 3.31, 3.0, 1.5, 0.0), np.full(5, 3.0))
        assert worse[:2].tolist() == [0.0, 0.0]
        assert 0.0 < worse[2] < 0.2
        assert worse[3:].tolist() == [1.0, 1.0]
