"""Leaks and meters: holes against a table, exponents against field work, and what a meter does not see."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import leak
from tests.simulators.physics.cases import array, case, rows


@pytest.mark.parametrize("row", rows("water_supply", "orifice"), ids=str)
def test_a_hole_leaks_what_the_table_says(row: list[float]) -> None:
    diameter_mm, flow_m3h = row
    pressure = case("water_supply", "orifice")["pressure"]
    assert leak.orifice(array(diameter_mm), array(pressure))[0] == pytest.approx(flow_m3h, rel=0.05)


def test_no_pressure_and_no_hole_leak_nothing() -> None:
    assert leak.orifice(array(0.0, 5.0), array(0.3, 0.0)).tolist() == [0.0, 0.0]


class TestPressure:
    def test_a_tenth_less_pressure_cuts_leaks_as_seen_in_the_field(self) -> None:
        told = case("water_supply", "pressure_step")
        before, after = told["pressure"]
        rigid, plastic = (
            float(leak.pressure_factor(array(after), before, exponent)[0]) for exponent in (leak.RIGID, leak.PLASTIC)
        )
        assert 1.0 - rigid == pytest.approx(told["less"][0], abs=0.005)
        assert 1.0 - plastic == pytest.approx(told["less"][1], abs=0.005)

    def test_a_hole_follows_its_own_exponent(self) -> None:
        high, low = leak.orifice(np.full(2, 3.0), array(0.4, 0.1))
        assert high / low == pytest.approx(leak.pressure_factor(array(0.4), 0.1, leak.RIGID)[0])


class TestMeter:
    def test_from_its_minimum_flow_on_it_is_true_both_ways(self) -> None:
        told = case("water_supply", "meter")
        flow = array(told["minimum"], 5.0, told["permanent"], -2.0)
        assert leak.metered(flow, told["permanent"]).tolist() == pytest.approx(flow.tolist())

    def test_under_a_third_of_that_it_stands_and_between_it_runs_late(self) -> None:
        told = case("water_supply", "meter")
        still, late = leak.metered(array(0.3 * told["minimum"], 0.6 * told["minimum"]), told["permanent"])
        assert still == 0.0
        assert 0.0 < late < 0.6 * told["minimum"]

    def test_it_never_counts_more_than_there_is(self) -> None:
        flow = np.linspace(0.0, 1.0, 101)
        counted = leak.metered(flow, 16.0)
        assert (counted <= flow).all()
        assert (np.diff(counted) >= 0.0).all()
