"""Uninterruptible supplies: energy in is energy out, lost and stored; endurance by a maker's table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import battery
from tests.simulators.physics.cases import array, case, rows


class TestLosses:
    def test_a_loaded_supply_is_94_percent_efficient_and_an_idle_one_still_takes_power(self) -> None:
        load = array(25.0, 50.0, 75.0, 100.0)
        efficiency = load / (load + battery.ups_losses(load, 100.0))
        assert efficiency[0] == pytest.approx(0.91, abs=0.01)
        assert (efficiency[1:] > 0.935).all()
        assert battery.ups_losses(array(0.0), 100.0)[0] > 0.0

    def test_losses_grow_with_the_load(self) -> None:
        assert (np.diff(battery.ups_losses(np.linspace(0.0, 100.0, 11), 100.0)) > 0.0).all()


class TestEndurance:
    @pytest.mark.parametrize("row", rows("power", "battery_power"), ids=lambda row: f"{row['minutes']} min")
    def test_agrees_with_a_makers_table(self, row: dict[str, float]) -> None:
        half_an_hour = next(r["watts"] for r in rows("power", "battery_power") if r["minutes"] == 30)
        minutes = battery.endurance(array(row["watts"] / half_an_hour), 30.0, array(1.0))[0]
        assert minutes == pytest.approx(row["minutes"], rel=0.13)

    def test_less_load_lasts_more_than_in_proportion_and_less_capacity_in_proportion(self) -> None:
        full, half = battery.endurance(array(1.0, 0.5), 20.0, np.ones(2))
        assert full == pytest.approx(20.0)
        assert half > 2.0 * full
        assert battery.endurance(array(1.0), 20.0, array(0.5))[0] == pytest.approx(10.0)


class TestCharge:
    def test_a_load_of_an_hour_empties_it_in_an_hour_and_then_the_output_is_gone(self) -> None:
        left, carried, _ = battery.charge(np.ones(90), np.ones(90), np.full(90, 60.0), 1.0, 8 * 3600.0)
        assert left[29] == pytest.approx(0.5)
        assert left[-1] == pytest.approx(0.0, abs=1e-9)
        assert carried.sum() == pytest.approx(60.0)

    def test_it_is_full_again_after_the_time_that_it_takes(self) -> None:
        left, carried, filled = battery.charge(np.zeros(16), np.ones(16), np.full(16, 1800.0), 0.0, 8 * 3600.0)
        assert left[7] == pytest.approx(0.5)
        assert left[-1] == pytest.approx(1.0)
        assert carried.all()
        assert filled.sum() == pytest.approx(1.0)

    @given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50), st.floats(0.0, 1.0), st.floats(0.1, 4.0))
    def test_what_is_filled_less_what_is_taken_is_what_is_left(
        self, dark: list[float], start: float, drain: float
    ) -> None:
        n = len(dark)
        left, carried, filled = battery.charge(np.array(dark), np.full(n, drain), np.full(n, 900.0), start, 8 * 3600.0)
        taken = np.sum((carried - (1.0 - np.array(dark))) * drain * 900.0 / 3600.0)
        assert left[-1] == pytest.approx(start + filled.sum() - taken, abs=1e-9)
        assert ((left >= -1e-12) & (left <= 1.0 + 1e-12)).all()

    @pytest.mark.parametrize("step", [1.0, 60.0, 900.0])
    def test_steps_of_any_length_end_alike(self, step: float) -> None:
        n = round(1800.0 / step)
        left, _, _ = battery.charge(np.ones(n), np.full(n, 0.8), np.full(n, step), 1.0, 8 * 3600.0)
        assert left[-1] == pytest.approx(0.6)


class TestVoltage:
    def test_floats_where_the_standard_says(self) -> None:
        floats = battery.cell_voltage(array(1.0), array(1.0), array(0.5))[0]
        assert case("power", "battery_float")["lowest"] <= floats <= case("power", "battery_float")["highest"]

    def test_falls_as_it_empties_and_with_the_load(self) -> None:
        emptying = battery.cell_voltage(np.linspace(1.0, 0.0, 6), np.zeros(6), np.full(6, 0.5))
        assert (np.diff(emptying) < 0.0).all()
        assert battery.cell_voltage(array(0.5), array(0.0), array(1.0))[0] < emptying[2]
        # The usual end of discharge is 1.67 to 1.75 V a cell.
        assert 1.65 < battery.cell_voltage(array(0.0), array(0.0), array(1.0))[0] < 1.80


class TestAgeing:
    def test_at_the_end_of_its_life_four_fifths_are_left_and_heat_halves_the_life(self) -> None:
        assert battery.capacity_left(array(0.0, 8.0), 8.0, 25.0).tolist() == pytest.approx([1.0, 0.8])
        assert battery.capacity_left(array(4.0), 8.0, 35.0)[0] == pytest.approx(0.8)

    def test_it_never_grows_back(self) -> None:
        assert (np.diff(battery.capacity_left(np.linspace(0.0, 30.0, 61), 8.0, 25.0)) <= 0.0).all()
