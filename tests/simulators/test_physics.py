"""Physics at its limits, by its balances, and against figures from outside the project."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import pump, transformer
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


class TestTransformer:
    # GB 20052-2024, 10 kV dry type class F, 1600 kVA grade 3: P0 1.96 kW, Pk 11.73 kW.
    P0, PK = 1.96, 11.73

    def test_losses_at_no_load_and_at_rated_load_are_those_of_the_standard(self) -> None:
        assert transformer.losses(array(0.0, 1.0), self.P0, self.PK).tolist() == pytest.approx([1.96, 13.69])

    def test_efficiency_is_best_where_load_losses_equal_no_load_losses(self) -> None:
        load = np.linspace(0.05, 1.2, 2301)
        efficiency = 1.0 - transformer.losses(load, self.P0, self.PK) / (
            load * 1600.0 + transformer.losses(load, self.P0, self.PK)
        )
        # The sheet gives 41 % for this size: sqrt(P0 / Pk).
        assert load[np.argmax(efficiency)] == pytest.approx(np.sqrt(self.P0 / self.PK), abs=0.001)
        assert load[np.argmax(efficiency)] == pytest.approx(0.41, abs=0.005)

    def test_a_year_without_load_costs_17_mwh(self) -> None:
        assert float(transformer.losses(array(0.0), self.P0, self.PK)[0]) * 8760 / 1000 == pytest.approx(17.2, abs=0.05)

    def test_the_voltage_drops_by_the_whole_short_circuit_voltage_only_at_its_own_angle(self) -> None:
        resistance, reactance = 0.009, 0.059
        angle = resistance / np.hypot(resistance, reactance)
        drop = transformer.voltage_drop(array(1.0, 0.0), array(angle, 1.0), resistance, reactance)
        assert drop[0] == pytest.approx(np.hypot(resistance, reactance))
        assert drop[1] == 0.0

    def test_a_winding_without_load_settles_above_the_room_by_its_no_load_rise(self) -> None:
        model = transformer.WindingModel()
        hours = 24 * 60
        rise = np.repeat(transformer.winding_rise(np.zeros(hours), model)[:, None], 3, axis=1)
        windings, fan = transformer.winding_temperatures(
            rise, np.full(hours, 25.0), np.full(hours, 60.0), np.ones(hours), (25.0, 25.0, 25.0), False, model
        )
        assert windings[-1] == pytest.approx([25.0 + model.no_load_rise_k] * 3, abs=0.01)
        assert not fan.any()

    def test_at_rated_load_and_40_degrees_the_winding_stays_within_class_f(self) -> None:
        model = transformer.WindingModel()
        minutes = 24 * 60
        rise = np.repeat(transformer.winding_rise(np.ones(minutes), model)[:, None], 3, axis=1)
        windings, fan = transformer.winding_temperatures(
            rise, np.full(minutes, 40.0), np.full(minutes, 60.0), np.ones(minutes), (40.0, 40.0, 40.0), False, model
        )
        # Class F: 100 K over 40 °C in the mean of the winding (IEC 60076-11).
        assert windings.max() < 140.0
        assert fan[-1] == 1.0
        assert windings[-1, 0] == pytest.approx(
            40.0 + model.fan_share * (model.no_load_rise_k + model.rated_rise_k), abs=0.1
        )

    def test_fans_that_move_no_air_do_not_cool(self) -> None:
        model = transformer.WindingModel()
        rise = np.full((600, 3), 90.0)
        windings, fan = transformer.winding_temperatures(
            rise, np.full(600, 30.0), np.full(600, 60.0), np.zeros(600), (30.0, 30.0, 30.0), False, model
        )
        assert fan[-1] == 1.0
        assert windings[-1, 0] == pytest.approx(120.0, abs=0.01)


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
