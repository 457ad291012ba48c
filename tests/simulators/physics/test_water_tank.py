"""Water tanks: mass is balanced at any step, the float valve holds, and the water in it ages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import water_tank
from simulators.physics.water_tank import FloatValve, fill, mixed
from tests.simulators.physics.cases import array, case

VALVE = FloatValve(most_m3h=18.0)
VOLUME = 20.0


def balance(filling: water_tank.Filling, dt_s: np.ndarray, start: float) -> float:  # type: ignore[type-arg]
    """Return what came in, less what went out, spilt and was stored. [m³]"""
    flows = filling.inlet_m3h - filling.outlet_m3h - filling.spill_m3h
    return float(np.sum(flows * dt_s) / 3600.0 - (filling.level[-1] - start) * VOLUME)


class TestFill:
    @given(
        st.lists(st.floats(0.0, 30.0), min_size=2, max_size=40),
        st.floats(0.0, 1.0),
        st.sampled_from([1.0, 60.0, 900.0]),
        st.floats(0.0, 1.0),
        st.floats(0.0, 1.0),
    )
    def test_what_comes_in_goes_out_spills_or_is_stored(
        self, wanted: list[float], start: float, dt_s: float, stuck: float, shut: float
    ) -> None:
        steps = np.full(len(wanted), dt_s)
        filling = fill(np.array(wanted), steps, start, VOLUME, VALVE, stuck, shut)
        assert balance(filling, steps, start) == pytest.approx(0.0, abs=1e-9)
        assert filling.level.min() >= 0.0
        assert filling.level.max() <= 1.0
        assert (filling.outlet_m3h <= np.array(wanted) + 1e-9).all()
        assert (filling.spill_m3h >= 0.0).all()

    def test_a_steady_draw_settles_where_the_valve_lets_in_as_much(self) -> None:
        filling = fill(np.full(600, 4.5), np.full(600, 60.0), 0.5, VOLUME, VALVE)
        assert filling.inlet_m3h[-1] == pytest.approx(4.5, rel=1e-6)
        assert filling.level[-1] == pytest.approx(0.80 - 0.08 * 4.5 / 18.0, abs=1e-6)

    def test_no_draw_fills_it_to_where_the_valve_shuts(self) -> None:
        filling = fill(np.zeros(300), np.full(300, 60.0), 0.5, VOLUME, VALVE)
        assert filling.level[-1] == pytest.approx(0.80, abs=1e-3)
        assert filling.spill_m3h.max() == 0.0

    def test_a_stuck_valve_fills_and_spills_and_a_shut_one_empties_it(self) -> None:
        steps = np.full(600, 60.0)
        spilt = fill(np.full(600, 3.0), steps, 0.8, VOLUME, VALVE, stuck_open=0.5)
        assert spilt.spill_m3h[-1] == pytest.approx(9.0 - 3.0)
        empty = fill(np.full(600, 3.0), steps, 0.8, VOLUME, VALVE, stuck_shut=1.0)
        assert empty.level[-1] == pytest.approx(0.0, abs=1e-12)
        assert empty.outlet_m3h[-1] == pytest.approx(0.0, abs=1e-9)

    def test_steps_of_a_minute_and_of_a_quarter_let_in_the_same(self) -> None:
        minutes = 4.0 + 3.0 * np.sin(np.arange(1440) * 2.0 * np.pi / 1440.0)
        fine = fill(minutes, np.full(1440, 60.0), 0.75, VOLUME, VALVE)
        coarse = fill(minutes[14::15], np.full(96, 900.0), 0.75, VOLUME, VALVE)
        assert coarse.inlet_m3h.sum() * 15 == pytest.approx(fine.inlet_m3h.sum(), rel=0.01)

    def test_standing_still_takes_no_time(self) -> None:
        filling = fill(array(5.0), array(0.0), 0.6, VOLUME, VALVE)
        assert filling.level.tolist() == [0.6]


class TestMixed:
    def test_the_age_settles_at_volume_over_flow(self) -> None:
        steps = np.full(2000, 900.0)
        age = mixed(0.0, np.zeros(2000), np.full(2000, 0.125), 1.0, 0.0, steps)
        assert age[-1] == pytest.approx(8.0, rel=1e-6)
        assert age.max() < case("water_supply", "standards")["longest_stay"]

    def test_decay_leaves_one_over_one_plus_rate_times_stay(self) -> None:
        steps = np.full(2000, 900.0)
        left = mixed(0.5, np.full(2000, 0.5), np.full(2000, 0.125), 0.0, 0.02, steps)
        assert left[-1] == pytest.approx(0.5 / (1.0 + 0.02 * 8.0), rel=1e-6)

    def test_a_step_of_any_length_is_exact(self) -> None:
        fine = mixed(10.0, np.full(3600, 20.0), np.full(3600, 0.2), 0.1, 0.05, np.full(3600, 1.0))[-1]
        coarse = mixed(10.0, array(20.0), array(0.2), 0.1, 0.05, array(3600.0))[0]
        assert coarse == pytest.approx(fine, rel=1e-9)

    def test_without_inflow_or_loss_nothing_changes(self) -> None:
        assert mixed(15.0, array(30.0), array(0.0), 0.0, 0.0, array(3600.0))[0] == pytest.approx(15.0, abs=1e-6)
