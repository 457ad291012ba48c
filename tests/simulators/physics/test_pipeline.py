"""Gas pipelines: drops and terminals, valves, choked leaks, oxygen in rooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import pipeline

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gases.yaml").read_text("utf-8"))


def array(*values: float) -> pipeline.Array:
    return np.array(values, dtype=np.float64)


class TestLeak:
    @pytest.mark.parametrize("row", CASES["oxygen_leak"]["rows"], ids=lambda r: f"{r['hole']} mm")
    def test_of_oxygen_at_400_kpa_agrees_with_the_working_figures(self, row: dict[str, float]) -> None:
        escaped = pipeline.leak_flow(array(row["hole"]), array(400.0 + pipeline.ATMOSPHERE_KPA))[0]
        assert escaped == pytest.approx(row["flow"], rel=0.02)

    @pytest.mark.parametrize(
        "row", CASES["discharge_of_air"]["rows"], ids=lambda r: f"{r['hole']} in {r['pressure']} psi"
    )
    def test_of_air_without_contraction_agrees_with_the_table_of_orifices(self, row: dict[str, float]) -> None:
        upstream_kpa = (row["pressure"] + 14.7) * 6.894757
        normal = pipeline.leak_flow(array(row["hole"] * 25.4), array(upstream_kpa), "air", discharge=1.0)[0]
        free_air_cfm = normal * (293.15 / 273.15) / 1.699011
        assert free_air_cfm == pytest.approx(row["flow"], rel=0.01)

    def test_is_nothing_through_no_hole_and_goes_with_area_and_pressure(self) -> None:
        flow = pipeline.leak_flow(array(0.0, 1.0, 2.0, 1.0), array(500.0, 500.0, 500.0, 1000.0))
        assert flow[0] == 0.0
        assert flow[2] == pytest.approx(4.0 * flow[1])
        assert flow[3] == pytest.approx(2.0 * flow[1])


class TestBehind:
    def test_at_rest_the_pressure_is_that_of_the_source(self) -> None:
        pressure, share = pipeline.behind(array(440.0), array(0.0), 300.0)
        assert (pressure[0], share[0]) == (440.0, 1.0)

    def test_the_wanted_flow_passes_while_the_pressure_is_enough(self) -> None:
        pressure, share = pipeline.behind(array(440.0), array(8.0), 300.0)
        assert (pressure[0], share[0]) == (432.0, 1.0)

    @given(st.floats(10.0, 500.0), st.floats(0.0, 5000.0))
    def test_the_drop_goes_with_the_square_of_what_passes(self, source: float, drop: float) -> None:
        pressure, share = pipeline.behind(array(source), array(drop), 300.0)
        assert source - pressure[0] == pytest.approx(drop * share[0] ** 2, abs=1e-6)

    def test_it_is_continuous_where_the_pressure_ceases_to_be_enough(self) -> None:
        pressure, share = pipeline.behind(array(440.0, 440.0), array(139.999, 140.001), 300.0)
        assert pressure[0] == pytest.approx(pressure[1], abs=0.01)
        assert share[0] == pytest.approx(share[1], abs=1e-4)

    def test_turning_the_valve_shut_takes_pressure_and_flow(self) -> None:
        opening = pipeline.valve_opening(np.linspace(0.0, 1.0, 11))
        pressure, share = pipeline.behind(np.full(11, 440.0), 3.0 * pipeline.resistance(opening), 300.0)
        assert opening[0] == 1.0
        assert pipeline.resistance(opening)[0] == 1.0
        assert (np.diff(pressure) < 0.0).all()
        assert share[0] == 1.0
        assert share[-1] < 0.5


def test_a_room_without_a_leak_holds_air_and_one_with_a_leak_comes_to_a_balance_of_oxygen() -> None:
    assert pipeline.room_oxygen(array(0.0), 12.0)[0] == pipeline.AIR_OXYGEN_PERCENT
    share = pipeline.room_oxygen(array(0.9), 12.0)[0] / 100.0
    assert share * (0.9 + 12.0) == pytest.approx(0.9 + 0.209 * 12.0)
