"""Air compressors: work, load and unload, cycles, dew points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import compressor

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gases.yaml").read_text("utf-8"))
_MMHG_KPA = 0.1333224


def array(*values: float) -> compressor.Array:
    return np.array(values, dtype=np.float64)


class TestWork:
    def test_at_7_bar_it_is_what_data_sheets_give(self) -> None:
        low, high = CASES["compressor_power"]["between"]
        a_minute = compressor.specific_work(700.0) * 273.15 / 293.15 * 60.0
        assert low < a_minute < high

    def test_without_pressure_there_is_none_and_it_rises_ever_slower(self) -> None:
        work = np.array([compressor.specific_work(p) for p in (0.0, 300.0, 600.0, 900.0)])
        assert work[0] == 0.0
        assert (np.diff(work) > 0.0).all()
        assert (np.diff(work, 2) < 0.0).all()


class TestLoadUnload:
    def test_unloaded_it_still_takes_its_share_and_fully_loaded_all(self) -> None:
        assert compressor.load_unload_power(array(0.0, 1.0, 1.3), 30.0).tolist() == pytest.approx([6.0, 30.0, 30.0])

    def test_half_of_the_demand_takes_well_over_half_of_the_power(self) -> None:
        low, high = CASES["unloaded_power"]["at_half"]
        assert low <= compressor.load_unload_power(array(0.5), 1.0)[0] <= high

    def test_it_starts_most_at_half_load_and_not_at_none_or_full(self) -> None:
        duty = np.linspace(0.0, 1.0, 101)
        starts = compressor.cycles_per_hour(duty, 60.0, np.full(101, 2.4), 100.0)
        assert (starts[0], starts[-1]) == (0.0, 0.0)
        assert duty[np.argmax(starts)] == pytest.approx(0.5)

    def test_a_tenth_of_the_receiver_means_ten_times_the_starts(self) -> None:
        starts = compressor.cycles_per_hour(array(0.4, 0.4), 60.0, array(2.4, 0.24), 100.0)
        assert starts[1] == pytest.approx(10.0 * starts[0])

    @given(st.floats(0.02, 0.98))
    def test_over_a_cycle_it_runs_for_its_duty_and_the_receiver_comes_back(self, duty: float) -> None:
        phase = np.linspace(0.0, 1.0, 4001)
        running, fullness = compressor.in_cycle(phase, np.full(4001, duty))
        assert running[:-1].mean() == pytest.approx(duty, abs=1e-3)
        assert fullness[0] == pytest.approx(fullness[-1], abs=1e-3)
        assert fullness.max() == pytest.approx(1.0, abs=0.02)
        assert fullness.mean() == pytest.approx(0.5, abs=0.01)

    def test_at_full_load_it_never_rests_and_at_none_it_never_runs(self) -> None:
        phase = np.linspace(0.0, 3.0, 50)
        assert compressor.in_cycle(phase, np.ones(50))[0].all()
        assert not compressor.in_cycle(phase, np.zeros(50))[0].any()


class TestDewPoint:
    @pytest.mark.parametrize("row", CASES["vapour_over_ice"]["rows"], ids=lambda r: f"{r['dew_point']} °C")
    def test_over_ice_agrees_with_the_table(self, row: dict[str, float]) -> None:
        shown = compressor.vapour_pressure(array(row["dew_point"]))[0]
        assert shown == pytest.approx(row["pressure"] * _MMHG_KPA, rel=0.006)

    @pytest.mark.parametrize("row", CASES["vapour_over_water"]["rows"], ids=lambda r: f"{r['dew_point']} °C")
    def test_over_water_agrees_with_the_table(self, row: dict[str, float]) -> None:
        assert compressor.vapour_pressure(array(row["dew_point"]))[0] == pytest.approx(row["pressure"], rel=0.005)

    @given(st.floats(-70.0, 45.0))
    def test_there_and_back_is_the_same(self, celsius: float) -> None:
        back = compressor.dew_point(compressor.vapour_pressure(array(celsius)))[0]
        assert back == pytest.approx(celsius, abs=1e-6)

    def test_a_sound_dryer_keeps_its_dew_point_and_a_dead_one_leaves_the_aftercoolers(self) -> None:
        shown = compressor.dried(array(-46.0, -46.0), array(32.0, 32.0), array(0.0, 1.0))
        assert shown.tolist() == pytest.approx([-46.0, 32.0])

    def test_more_slip_is_wetter(self) -> None:
        shown = compressor.dried(np.full(9, -46.0), np.full(9, 32.0), np.linspace(0.0, 1.0, 9))
        assert (np.diff(shown) > 0.0).all()
