"""Liquid oxygen: saturation, heat, pressure, contents, level, vaporiser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import tank

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gases.yaml").read_text("utf-8"))
DAY = np.full(1440, 60.0)


def array(*values: float) -> tank.Array:
    return np.array(values, dtype=np.float64)


def walk(heat_kw: float, drawn_kgh: float, start_mpa: float = 1.05) -> tuple[tank.Array, tank.Array, tank.Array]:
    """A day of a tank of 5 t."""
    return tank.pressure_walk(start_mpa, np.full(1440, heat_kw), np.full(1440, drawn_kgh), DAY, 3250.0, 1.05, 1.62, 2.5)


class TestSaturation:
    @pytest.mark.parametrize("row", CASES["oxygen_saturation"]["rows"], ids=lambda r: f"{r['pressure']} MPa")
    def test_boiling_point_and_heat_agree_with_nist(self, row: dict[str, float]) -> None:
        assert tank.saturation_temperature(row["pressure"]) == pytest.approx(row["temperature"], abs=0.2)
        assert tank.heat_of_vaporisation(row["temperature"]) == pytest.approx(row["heat"], rel=0.02)

    @pytest.mark.parametrize(
        "row", CASES["oxygen_saturation_at_pressure"]["rows"], ids=lambda r: f"{r['pressure']} MPa"
    )
    def test_under_the_pressure_of_a_tank_too(self, row: dict[str, float]) -> None:
        assert tank.saturation_temperature(row["pressure"]) == pytest.approx(row["temperature"], abs=0.4)

    def test_the_slope_is_that_of_the_curve(self) -> None:
        difference = tank.saturation_temperature(1.16) - tank.saturation_temperature(1.14)
        assert tank.temperature_per_pressure(1.15) == pytest.approx(difference / 0.02, rel=1e-4)

    def test_a_kilogram_becomes_the_gas_that_its_molar_volume_says(self) -> None:
        assert CASES["liquid_to_gas"]["nm3_per_kg"] == pytest.approx(tank.NM3_PER_KG, rel=0.002)


def test_the_heat_that_leaks_in_evaporates_what_surveys_of_tanks_give() -> None:
    share = CASES["boil_off"]["share_a_day"]
    boiled_kg = tank.heat_leak(10_000.0, share) * 86_400.0 / tank.heat_of_vaporisation(90.19)
    assert boiled_kg == pytest.approx(share * 10_000.0, rel=1e-3)


class TestPressure:
    def test_a_tank_without_heat_and_without_draw_stays_as_it_is(self) -> None:
        pressure, passed, vented = walk(0.0, 0.0)
        assert np.ptp(pressure) == 0.0
        assert passed.max() == 0.0
        assert vented.max() == 0.0

    def test_in_use_the_economiser_takes_what_boils_off_and_the_pressure_settles(self) -> None:
        heat_kw = tank.heat_leak(5000.0, 0.003)
        pressure, passed, vented = tank.pressure_walk(
            1.05, np.full(14400, heat_kw), np.full(14400, 40.0), np.full(14400, 60.0), 3250.0, 1.05, 1.62, 2.5
        )
        boiled_kgh = heat_kw * 3600.0 / tank.heat_of_vaporisation(tank.saturation_temperature(1.15))
        assert passed[-1] == pytest.approx(boiled_kgh, rel=1e-3)
        assert 1.05 < pressure[-1] < 1.10
        assert vented.max() == 0.0

    def test_unused_it_rises_and_the_relief_valve_vents_just_what_boils(self) -> None:
        pressure, passed, vented = walk(0.5, 0.0, start_mpa=1.6)
        assert pressure[-1] == 1.62
        assert passed.max() == 0.0
        boiled_kgh = 0.5 * 3600.0 / tank.heat_of_vaporisation(tank.saturation_temperature(1.15))
        assert vented[-1] == pytest.approx(boiled_kgh, rel=1e-6)

    def test_a_rise_over_a_day_is_a_tenth_of_a_megapascal_at_most_while_the_jacket_holds(self) -> None:
        pressure, _, _ = walk(tank.heat_leak(5000.0, 0.003), 0.0)
        assert 0.02 < pressure[-1] - 1.05 < 0.12

    @given(st.floats(0.0, 1.0), st.floats(0.0, 40.0))
    def test_heat_in_is_heat_out_and_heat_kept(self, heat_kw: float, drawn_kgh: float) -> None:
        pressure, passed, vented = walk(heat_kw, drawn_kgh)
        vaporise = tank.heat_of_vaporisation(tank.saturation_temperature(1.15))
        kept_kj = (pressure[-1] - 1.05) * 3250.0 * 1.8 * tank.temperature_per_pressure(1.15) / 3.0
        out_kj = float((passed + vented).sum()) / 60.0 * vaporise
        assert kept_kj + out_kj == pytest.approx(heat_kw * 86_400.0, abs=1e-3)


class TestContents:
    def test_what_is_lost_is_what_was_drawn(self) -> None:
        mass, filling = tank.contents_walk(
            4000.0, np.full(1440, 30.0), DAY, np.ones(1440, dtype=np.bool_), 2000.0, 4600.0, 15_000.0, False
        )
        assert 4000.0 - mass[-1] == pytest.approx(30.0 * 24.0)
        assert not filling

    def test_a_lorry_comes_when_little_is_left_and_it_may_and_fills_it_in_minutes(self) -> None:
        may = np.arange(1440) >= 480
        mass, filling = tank.contents_walk(2300.0, np.full(1440, 10.0), DAY, may, 2250.0, 4600.0, 15_000.0, False)
        assert mass[479] == pytest.approx(2220.0, abs=1.0)
        assert mass[495] == pytest.approx(4600.0, abs=20.0)
        assert np.diff(mass).max() < 1000.0  # a lorry's pump gives no more in a minute
        assert not filling

    def test_an_empty_tank_stays_empty(self) -> None:
        mass, _ = tank.contents_walk(
            5.0, np.full(60, 30.0), np.full(60, 60.0), np.zeros(60, dtype=np.bool_), 100.0, 4600.0, 15_000.0, False
        )
        assert mass[-1] == 0.0


def test_the_gauge_weighs_the_column_and_ice_in_its_line_adds_to_it() -> None:
    shown = tank.level_by_differential(array(0.0, 2500.0, 2500.0), 5000.0, 4.0, array(0.0, 0.0, 4.47))
    assert shown.tolist() == pytest.approx([0.0, 50.0, 60.0], abs=0.05)


class TestVaporiser:
    def test_at_a_trickle_the_gas_is_as_warm_as_the_air(self) -> None:
        assert tank.vaporiser_outlet(array(5.0), array(0.02), array(1.0))[0] == pytest.approx(5.0, abs=0.01)

    def test_at_its_rating_it_is_some_ten_kelvin_colder(self) -> None:
        assert 8.0 < 5.0 - tank.vaporiser_outlet(array(5.0), array(1.0), array(1.0))[0] < 15.0

    def test_ice_and_flow_each_make_it_colder_and_never_colder_than_the_liquid(self) -> None:
        by_ice = tank.vaporiser_outlet(np.full(9, 5.0), np.full(9, 0.6), np.linspace(1.0, 0.0, 9))
        by_flow = tank.vaporiser_outlet(np.full(9, 5.0), np.linspace(0.1, 3.0, 9), np.ones(9))
        assert (np.diff(by_ice) < 0.0).all()
        assert (np.diff(by_flow) < 0.0).all()
        assert by_ice[-1] == pytest.approx(-155.0)
