"""Boilers: heating surface, losses, balances of heat, salt and feed water, and the burner's cycling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import boiler, combustion, steam

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "combustion.yaml").read_text("utf-8"))


def of(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values)


class TestSurface:
    def test_clean_at_full_fire_flue_gas_leaves_some_50_k_above_the_water(self) -> None:
        left = boiler.flue_after_surface(of(1800.0), of(170.0), boiler.transfer_units(of(1.0), of(1800.0), of(0.0)))
        assert 205.0 < left[0] < 230.0

    def test_less_fire_and_a_cleaner_surface_each_cool_the_flue_gas_more(self) -> None:
        units = boiler.transfer_units(of(1.0, 0.5, 0.25), of(1800.0), of(0.0))
        assert (np.diff(units) > 0.0).all()
        assert (np.diff(boiler.transfer_units(of(1.0), of(1800.0), of(0.0, 0.002, 0.006))) < 0.0).all()

    def test_half_a_millimetre_of_soot_makes_the_flue_20_to_40_k_hotter_as_the_sheet_says(self) -> None:
        clean, sooty = boiler.transfer_units(of(1.0), of(1800.0), of(0.0, 0.005))
        hotter = boiler.flue_after_surface(of(1800.0), of(170.0), of(clean, sooty))
        assert 20.0 < hotter[1] - hotter[0] < 40.0

    def test_what_the_flue_gas_loses_in_the_economiser_the_feed_water_gains(self) -> None:
        flue, feed = boiler.economiser(of(210.0), of(103.0), of(1.9), 0.29)
        assert 0.29 * (210.0 - flue[0]) == pytest.approx(feed[0] - 103.0)
        assert 95.0 < flue[0] < 130.0

    def test_an_economiser_without_surface_does_nothing(self) -> None:
        flue, feed = boiler.economiser(of(210.0), of(103.0), of(0.0))
        assert (flue[0], feed[0]) == (210.0, 103.0)


class TestHeat:
    @pytest.mark.parametrize("case", CASES["gas_per_tonne"]["values"])
    def test_a_tonne_of_steam_takes_the_gas_of_the_working_figures(self, case: dict[str, float]) -> None:
        heat = boiler.steam_heat(of(1.0), 0.7, steam.water_enthalpy(of(case["feed"])))
        assert boiler.gas_flow(heat, of(case["efficiency"]))[0] == pytest.approx(case["gas"], abs=0.8)

    def test_a_clean_boiler_with_economiser_is_as_good_as_the_standard_asks(self) -> None:
        grade = CASES["efficiency"]
        shell = float(boiler.shell_loss(2000.0, of(170.0), of(20.0))[0]) / 2000.0
        useful = 100.0 * (boiler.efficiency(of(122.0), of(20.0), of(3.5), of(15.0))[0] - shell)
        assert grade["lowest"] < useful < grade["best"]

    @given(st.floats(0.1, 20), st.floats(20, 105), st.floats(0.7, 1.0))
    def test_the_energy_of_the_gas_is_the_energy_of_the_steam_and_the_losses(
        self, made: float, feed: float, efficiency: float
    ) -> None:
        heat = boiler.steam_heat(of(made), 0.7, steam.water_enthalpy(of(feed)))
        fuel = boiler.gas_flow(heat, of(efficiency)) * combustion.NATURAL_GAS.heating_value / 3600.0
        assert fuel * efficiency == pytest.approx(heat, rel=1e-9)

    def test_no_steam_takes_no_gas(self) -> None:
        assert boiler.gas_flow(boiler.steam_heat(of(0.0), 0.7, of(434.0)), of(0.92))[0] == 0.0

    def test_a_cold_boiler_loses_nothing_and_one_purge_costs_a_tenth_of_a_cubic_metre_of_gas_a_tonne(self) -> None:
        assert boiler.shell_loss(2000.0, of(20.0), of(20.0))[0] == 0.0
        assert boiler.purge_loss(2000.0, of(20.0), of(20.0))[0] == 0.0
        gas = boiler.purge_loss(2000.0, of(170.0), of(20.0))[0] / 35_500.0
        assert 0.05 < gas / 3.1 < 0.2


class TestCycling:
    def test_a_burner_cycles_most_at_half_load_and_not_at_none_or_full(self) -> None:
        duty = np.linspace(0.0, 1.0, 101)
        starts = boiler.cycles_per_hour(duty, np.full(101, 50_000.0), np.full(101, 1000.0))
        assert starts[0] == 0.0
        assert starts[-1] == 0.0
        assert duty[np.argmax(starts)] == pytest.approx(0.5)

    def test_an_eighth_of_the_band_means_eight_times_the_starts(self) -> None:
        wide, narrow = boiler.cycles_per_hour(of(0.4), of(80_000.0, 10_000.0), of(900.0))
        assert narrow == pytest.approx(8.0 * wide)

    def test_the_store_follows_the_boiling_point_of_the_steam_tables(self) -> None:
        kelvin = float(steam.saturation_temperature(0.75) - steam.saturation_temperature(0.65)) / 0.1
        # 2 t of water for a t/h, 4.19 kJ/(kg·K).
        assert boiler.pressure_store(1.0, of(1.0))[0] / (2000.0 * 4.19) == pytest.approx(kelvin, rel=0.02)


class TestWater:
    @pytest.mark.parametrize("case", CASES["blow_down"]["values"])
    def test_the_blow_down_is_that_of_the_sheet(self, case: dict[str, float]) -> None:
        # The sheet's feed water replaces steam and blow-down alike.
        share = boiler.blow_down(of(case["feed"]), of(case["boiler"]), case["feed"])[0]
        assert share == pytest.approx(case["share"], rel=1e-9)

    @given(st.floats(0.5, 20), st.floats(0.0, 0.95), st.floats(200.0, 419.0), st.floats(4, 30))
    def test_the_deaerator_balances_mass_and_energy(self, feed: float, back: float, warm: float, raw: float) -> None:
        condensate, loss = back * feed, 6.0
        needed = boiler.deaerator_steam(of(feed), 103.5, of(condensate), of(warm), of(raw), loss)
        given_kj = boiler.feed_enthalpy(of(feed), needed, of(condensate), of(warm), of(raw), loss)[0]
        wanted = float(steam.water_enthalpy(103.5))
        assert given_kj == pytest.approx(wanted, rel=1e-9) or (needed[0] == 0.0 and given_kj > wanted)

    def test_boiling_water_holds_no_oxygen(self) -> None:
        held = boiler.dissolved_oxygen(np.array([20.0, 60.0, 100.0, 104.0]))
        assert held.tolist() == pytest.approx([9.1, 4.7, 0.0, 0.0])
