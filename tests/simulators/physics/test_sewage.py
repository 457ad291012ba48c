"""Sewage treatment: its limits, its balances, and figures from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import sewage

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "sewage.yaml").read_text("utf-8"))


def array(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.float64)


class TestEqualisation:
    def test_what_comes_is_pumped_on_stored_or_runs_over(self) -> None:
        inflow = 20.0 + 15.0 * np.sin(np.arange(400) / 10.0)
        dt = np.full(400, 900.0)
        out, held, over = sewage.equalise(inflow, np.full(400, 22.0), dt, 80.0, 160.0, 32.0, 4.8)
        hours = dt / 3600.0
        assert np.sum((inflow - out - over) * hours) == pytest.approx(held[-1] - 80.0)
        assert held.max() <= 160.0

    def test_a_tank_with_dead_pumps_fills_to_its_brim_and_runs_over(self) -> None:
        out, held, over = sewage.equalise(np.full(60, 20.0), np.zeros(60), np.full(60, 3600.0), 40.0, 160.0, 32.0, 4.8)
        assert out.max() == 0.0
        assert held[-1] == 160.0
        assert over[-1] == pytest.approx(20.0)

    def test_a_steady_flow_passes_on_as_it_is(self) -> None:
        out, held, _ = sewage.equalise(
            np.full(90, 10.0), np.full(90, 30.0), np.full(90, 3600.0), 40.0, 160.0, 32.0, 4.8
        )
        assert out[-1] == pytest.approx(10.0)
        assert held[-1] == pytest.approx(32.0 + 4.8 * 10.0)

    def test_peaks_come_out_flatter_at_any_length_of_step(self) -> None:
        total = {}
        for step in (60, 900):
            hour = np.arange(0, 48 * 3600, step) / 3600.0
            inflow = 12.0 + 10.0 * np.sin(hour * np.pi / 12.0)
            out, *_ = sewage.equalise(
                inflow, np.full(len(hour), 40.0), np.full(len(hour), float(step)), 80.0, 200.0, 40.0, 4.8
            )
            assert np.ptp(out[len(out) // 2 :]) < 0.75 * np.ptp(inflow)
            total[step] = out.sum() * step / 3600.0
        assert total[900] == pytest.approx(total[60], rel=0.02)


class TestAeration:
    @pytest.mark.parametrize("water_c", sorted(CASES["oxygen_saturation"]["points"]))
    def test_saturation_agrees_with_the_table(self, water_c: int) -> None:
        case = CASES["oxygen_saturation"]
        assert sewage.oxygen_saturation(array(water_c))[0] == pytest.approx(case["points"][water_c], abs=case["within"])

    @given(st.floats(0.1, 20.0), st.floats(0.0, 30.0), st.floats(5.0, 32.0))
    def test_what_is_brought_in_is_what_is_breathed(self, transfer: float, demand: float, water_c: float) -> None:
        full = sewage.oxygen_saturation(array(water_c))
        level = sewage.dissolved_oxygen(array(transfer), full, array(demand))
        brought = transfer * (full - level)
        assert brought[0] == pytest.approx(demand * sewage.breathing(level)[0], abs=1e-6 * (1.0 + demand))
        assert 0.0 <= level[0] <= full[0] + 1e-9

    def test_air_for_a_set_point_holds_it(self) -> None:
        full = sewage.oxygen_saturation(array(18.0))
        needed = sewage.transfer_for(2.8, full, array(5.0))
        assert sewage.dissolved_oxygen(needed, full, array(5.0))[0] == pytest.approx(2.8)

    def test_without_load_the_water_is_saturated_and_without_air_it_is_empty(self) -> None:
        full = sewage.oxygen_saturation(array(20.0))
        assert sewage.dissolved_oxygen(array(1.0), full, array(0.0))[0] == pytest.approx(full[0])
        assert sewage.dissolved_oxygen(array(0.0), full, array(5.0))[0] == pytest.approx(0.0, abs=1e-6)

    def test_a_blower_takes_what_isentropic_compression_takes(self) -> None:
        case = CASES["blower"]
        power = sewage.blower_power(array(case["air_nm3h"]), array(case["pressure_kpa"]), case["efficiency"])
        assert power[0] == pytest.approx(case["power_kw"], rel=0.01)
        assert sewage.blower_power(array(0.0), array(40.0))[0] == 0.0

    def test_nitrogen_takes_the_oxygen_of_its_stoichiometry(self) -> None:
        demand = sewage.oxygen_demand(array(1000.0), array(0.0), array(1.0), 0.0)
        assert demand[0] == pytest.approx(CASES["nitrification"]["oxygen_kg_kg"])
        assert CASES["nitrification"]["oxygen_kg_kg"] == pytest.approx(64.0 / 14.0, abs=0.01)


class TestChlorine:
    def test_nothing_is_lost_without_contact_and_nothing_is_left_of_a_dose_below_the_demand(self) -> None:
        left = sewage.residual_chlorine(array(8.0, 2.0), array(3.0, 3.0), 0.2, array(0.0, 2.0), array(20.0, 20.0))
        assert left.tolist() == [5.0, 0.0]

    def test_longer_and_warmer_leave_less(self) -> None:
        left = sewage.residual_chlorine(
            np.full(3, 10.0), np.full(3, 3.0), 0.2, array(1.0, 2.0, 2.0), array(15.0, 15.0, 25.0)
        )
        assert left[0] > left[1] > left[2] > 0.0

    def test_decay_doubles_in_ten_kelvin(self) -> None:
        left = sewage.residual_chlorine(np.full(2, 10.0), np.zeros(2), 0.2, np.ones(2), array(20.0, 30.0))
        assert np.log(left[1] / 10.0) == pytest.approx(2.0 * np.log(left[0] / 10.0))


class TestMembrane:
    @pytest.mark.parametrize("water_c", sorted(CASES["viscosity"]["points"]))
    def test_viscosity_agrees_with_the_table(self, water_c: int) -> None:
        case = CASES["viscosity"]
        assert sewage.water_viscosity(array(water_c))[0] == pytest.approx(case["points"][water_c], rel=case["within"])

    def test_pressure_grows_with_flux_and_resistance_and_is_nothing_at_rest(self) -> None:
        pressure = sewage.membrane_pressure(array(0.0, 10.0, 20.0), array(0.8, 0.8, 0.8), np.full(3, 20.0))
        assert pressure.tolist() == pytest.approx([0.0, 8.0, 16.0], rel=0.02)


class TestStock:
    def test_is_filled_only_where_it_is_low_and_somebody_may(self) -> None:
        may = np.array([False, False, False, True, True])
        level = sewage.stock(50.0, np.full(5, 5.0), 42.0, 95.0, may)
        assert level.tolist() == [45.0, 40.0, 35.0, 95.0, 90.0]

    def test_a_stock_that_grows_is_emptied(self) -> None:
        level = sewage.stock(1.0, np.full(5, -0.2), 1.3, 0.2, np.ones(5, dtype=bool))
        assert level.tolist() == pytest.approx([1.2, 0.2, 0.4, 0.6, 0.8])


def test_a_stage_that_works_longer_leaves_less_and_one_that_does_not_leaves_all() -> None:
    left = sewage.left_over(array(0.4, 0.4, 0.0), array(5.0, 10.0, 10.0))
    assert left.tolist() == pytest.approx([1.0 / 3.0, 0.2, 1.0])
