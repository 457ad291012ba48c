"""Chillers: heat in is heat out, part load and lift as others have measured them, and what dirt does."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import chiller
from simulators.physics.chiller import Chiller, Condition, Running
from simulators.physics.duty_cycle import duty_cycle
from tests.simulators.physics.cases import array, case, rows

UNIT = Chiller(1000.0, 180.0)


def at(
    load_kw: float, supply_c: float = 7.0, condenser_c: float = 30.0, unit: Chiller = UNIT, **condition: float
) -> Running:
    return chiller.run(
        unit, array(load_kw), array(supply_c), array(unit.chilled_m3h), array(condenser_c), array(unit.condenser_m3h),
        Condition(**condition),
    )  # fmt: skip


def doe2(load_kw: float, chilled_c: float, condenser_c: float) -> float:
    """Return the power by the curves of DOE-2, scaled to the unit's rated power at 7 and 30 °C. [kW]"""
    curves = case("cooling", "chiller_curves")

    def surface(name: str, x: float, y: float) -> float:
        return float(np.dot(curves[name], [1.0, x, x * x, y, y * y, x * y]))

    capacity = surface("capacity", chilled_c, condenser_c) / surface("capacity", 7.0, 30.0)
    ratio = surface("input_ratio", chilled_c, condenser_c) / surface("input_ratio", 7.0, 30.0)
    share = load_kw / (UNIT.cooling_kw * capacity)
    return UNIT.power_kw * capacity * ratio * float(np.dot(curves["part_load"], [1.0, share, share**2]))


class TestPower:
    def test_at_rated_conditions_it_is_what_the_nameplate_says(self) -> None:
        rated = at(1000.0)
        assert rated.power_kw[0] == pytest.approx(180.0, rel=1e-3)
        assert rated.most_kw[0] == pytest.approx(1000.0, rel=1e-3)
        assert rated.evaporating_c[0] == pytest.approx(7.0 - UNIT.evaporator_k)
        assert rated.condensing_c[0] == pytest.approx(35.0 + UNIT.condenser_k, abs=0.01)

    @pytest.mark.parametrize("chilled_c", [6.0, 7.0, 10.0])
    @pytest.mark.parametrize("condenser_c", [18.0, 20.0, 24.0, 28.0, 32.0])
    @pytest.mark.parametrize("load_kw", [200.0, 500.0, 750.0, 1000.0])
    def test_follows_the_curves_of_doe_2(self, chilled_c: float, condenser_c: float, load_kw: float) -> None:
        found = at(load_kw, chilled_c, condenser_c).power_kw[0]
        assert found == pytest.approx(doe2(load_kw, chilled_c, condenser_c), rel=0.09)

    def test_its_part_load_value_lies_between_those_that_the_standard_knows(self) -> None:
        figures = case("cooling", "part_load_value")
        value = sum(
            r["weight"] * 1000.0 * r["load"] / at(1000.0 * r["load"], condenser_c=r["condenser"]).power_kw[0]
            for r in figures["rows"]
        )
        assert figures["lowest"] < value < figures["highest"]

    def test_each_kelvin_of_lift_costs_what_practice_says(self) -> None:
        figures = case("cooling", "lift")
        hotter = at(800.0, condenser_c=29.0).power_kw[0] / at(800.0, condenser_c=28.0).power_kw[0] - 1.0
        warmer = 1.0 - at(800.0, supply_c=8.0).power_kw[0] / at(800.0, supply_c=7.0).power_kw[0]
        assert figures["lowest"] < 100.0 * hotter < figures["highest"]
        assert figures["lowest"] < 100.0 * warmer < figures["highest"]

    def test_power_rises_with_load_and_with_lift(self) -> None:
        assert (np.diff([at(kw).power_kw[0] for kw in np.linspace(200.0, 1000.0, 9)]) > 0.0).all()
        assert (np.diff([at(700.0, condenser_c=c).power_kw[0] for c in np.linspace(20.0, 34.0, 8)]) > 0.0).all()


class TestHeatExchangers:
    def test_the_condenser_warms_its_water_by_load_and_power(self) -> None:
        run = at(1000.0)
        gained_k = (1000.0 + run.power_kw[0]) / (chiller.KWH_M3_K * UNIT.condenser_m3h)
        assert gained_k == pytest.approx(chiller.RATED_RANGE_K, rel=1e-3)

    def test_the_approach_is_that_of_one_fluid_at_constant_temperature(self) -> None:
        # 1 - exp(-NTU) of the way: with NTU = ln 2 the water comes half way, so the approach equals its change.
        flow = array(100.0)
        assert chiller.approach(array(4.0), flow, np.log(2.0) * 116.3)[0] == pytest.approx(4.0)

    def test_dirt_raises_the_condensing_temperature_and_the_power(self) -> None:
        clean, dirty = at(900.0), at(900.0, condenser=0.4)
        assert dirty.condensing_c[0] > clean.condensing_c[0] + 2.5
        assert 1.04 < dirty.power_kw[0] / clean.power_kw[0] < 1.25

    def test_a_dry_evaporator_boils_colder(self) -> None:
        assert at(900.0, evaporator=0.45).evaporating_c[0] < at(900.0).evaporating_c[0] - 1.5


class TestDutyCycle:
    @pytest.mark.parametrize("step_s", [1.0, 60.0, 900.0])
    def test_over_whole_cycles_it_is_on_for_its_share_whatever_the_step(self, step_s: float) -> None:
        time_s = np.arange(step_s, 36000.0 + step_s, step_s)
        on, starts = duty_cycle(time_s, np.full_like(time_s, step_s), np.full_like(time_s, 0.3), 1800.0, 77.0)
        assert on.mean() == pytest.approx(0.3, abs=1e-9)
        assert starts.sum() == 20.0

    def test_a_short_step_shows_it_on_or_off(self) -> None:
        on, _ = duty_cycle(array(10.0, 100.0), array(1.0, 1.0), array(0.5, 0.5), 100.0 + 50.0)
        assert on.tolist() == [1.0, 0.0]

    def test_at_no_load_and_at_full_load_it_never_starts(self) -> None:
        on, starts = duty_cycle(array(1e5, 2e5), array(1e5, 1e5), array(0.0, 1.0), 600.0)
        assert on.tolist() == [0.0, 1.0]
        assert starts.tolist() == [0.0, 0.0]


def test_every_row_of_the_part_load_value_has_a_weight() -> None:
    assert sum(r["weight"] for r in rows("cooling", "part_load_value")) == pytest.approx(1.0)
