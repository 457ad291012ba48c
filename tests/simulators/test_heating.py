"""Heat-exchange station, hot water and heat meters as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.site_file import load_site
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from simulators.physics import steam
from tests.simulators.conftest import MINUTE_US, minutes
from tests.simulators.trial import ROOT, small_site

Values = Mapping[str, NDArray[np.float64]]
WINTER, SUMMER = "2026-01-14", "2026-07-15"


@cache
def day(start: str, *faults: tuple[str, str, float]) -> Values:
    """Return a day of the small site, with faults (ID, machine, severity) from its beginning."""
    start_us = int(datetime.fromisoformat(start).replace(tzinfo=small_site().time_zone).timestamp()) * 1_000_000
    events = [FaultEvent(fault, machine, severity, start_us, 0.0) for fault, machine, severity in faults]
    return Hospital(small_site(), 1, events).run(minutes(start_us, 1441))


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


def at_work(values: Values) -> NDArray[np.bool_]:
    """Return when the station has run for half an hour and runs on."""
    on = values["hx1/pump_running"] > 0.0
    return np.array([on[max(i - 30, 0) : i + 1].all() for i in range(len(on))])


class TestBalance:
    def test_the_station_counts_what_its_circuit_carries(self) -> None:
        values = day(WINTER)
        spread = values["hx1/secondary_supply_temperature"] - values["hx1/secondary_return_temperature"]
        carried = float((1.163 * values["hx1/secondary_flow"] * spread)[1:].sum()) / 60.0 * 0.0036
        assert used(values, "hx1/heat_total") == pytest.approx(carried, rel=0.02)

    def test_its_steam_gives_the_heat_that_it_counts(self) -> None:
        values = day(WINTER)
        condensate = float(values["hx1/primary_flow"][1:].sum()) / 60.0
        left = float(values["hx1/primary_return_temperature"][at_work(values)].mean())
        given_gj = condensate * (float(steam.steam_enthalpy(0.4)) - 4.19 * left) / 1000.0
        assert used(values, "hx1/heat_total") == pytest.approx(given_gj, rel=0.03)

    def test_the_meters_below_it_count_what_it_gives(self) -> None:
        values = day(WINTER)
        metered = used(values, "hm-wards/heat_total") + used(values, "hm-critical/heat_total")
        assert metered == pytest.approx(used(values, "hx1/heat_total"), rel=0.01)

    def test_the_hot_water_boiler_gives_what_the_hot_water_station_takes(self) -> None:
        values = day(WINTER)
        assert used(values, "hb1/heat_total") == pytest.approx(used(values, "dhw1/heat_total"), rel=0.01)

    def test_hot_water_takes_the_heat_of_its_draw_and_of_its_loop(self) -> None:
        values = day(WINTER)
        supply, back = values["dhw1/supply_temperature"], values["dhw1/return_temperature"]
        loop_kwh = 1.163 * 2.5 * float((supply - back).mean()) * 24.0
        # The mains are at 8 to 12 °C on that day.
        low, high = (1.163 * used(values, "dhw1/volume_total") * (61.0 - cold) + loop_kwh for cold in (13.0, 6.0))
        assert low < used(values, "dhw1/heat_total") / 0.0036 < high

    def test_registers_advance_alike_at_a_minute_and_at_a_quarter_of_an_hour(self) -> None:
        start_us = int(datetime.fromisoformat(WINTER).replace(tzinfo=small_site().time_zone).timestamp()) * 1_000_000
        coarse = Hospital(small_site(), 1).run(start_us + np.arange(97, dtype=np.int64) * 15 * MINUTE_US)
        for key in (
            "hx1/heat_total",
            "hx1/energy_import",
            "dhw1/heat_total",
            "dhw1/volume_total",
            "hm-wards/heat_total",
        ):
            assert used(coarse, key) == pytest.approx(used(day(WINTER), key), rel=0.02), key


class TestSeason:
    def test_in_summer_the_station_rests_and_hot_water_does_not(self) -> None:
        values = day(SUMMER)
        assert (values["hx1/pump_running"] == 0.0).all()
        assert used(values, "hx1/heat_total") == 0.0
        assert values["hx1/secondary_flow"].max() == 0.0
        assert used(values, "dhw1/heat_total") > 0.5 * used(day(WINTER), "dhw1/heat_total")

    def test_the_supply_follows_the_curve_while_it_runs(self) -> None:
        values = day(WINTER)
        off = values["hx1/secondary_supply_temperature"] - values["hx1/supply_setpoint"]
        assert np.abs(off[at_work(values)]).max() < 3.0


class TestEffect:
    def test_without_insulation_the_loop_falls_by_more_than_ten_kelvin(self) -> None:
        values = day(WINTER, ("HS-F12", "dhw1", 1.0))
        drop = values["dhw1/supply_temperature"] - values["dhw1/return_temperature"]
        assert drop[120:].min() > 10.0

    def test_without_its_pump_the_loop_falls_below_fifty_degrees_within_hours(self) -> None:
        returned = day(WINTER, ("HS-F11", "dhw1", 1.0))["dhw1/return_temperature"]
        assert returned[5] > 50.0
        assert returned[240] < 50.0

    def test_ten_kelvin_too_much_overheat_the_rooms_within_days(self) -> None:
        room = day(WINTER, ("HS-F07", "hx1", 1.0))["hx1/room_temperature"] - day(WINTER)["hx1/room_temperature"]
        assert room[-1] > 0.5
        assert room[60] < room[-1]

    def test_a_leak_of_three_percent_loses_the_pressure(self) -> None:
        values = day(WINTER, ("HS-F01", "hx1", 1.0))
        # HS-L08: alarm below 0.22 MPa, HS-L04: make-up over 1 % of the circulation.
        assert values["hx1/secondary_return_pressure"][-1] < 0.23
        on = at_work(values)
        assert (values["hx1/makeup_flow"] / np.maximum(values["hx1/secondary_flow"], 1e-6))[on].min() > 0.01


def test_a_station_on_hot_water_closes_its_balance_too() -> None:
    site = load_site(ROOT / "examples" / "hospital")
    start_us = int(datetime.fromisoformat(WINTER).replace(tzinfo=site.time_zone).timestamp()) * 1_000_000
    values = Hospital(site, 1).run(start_us + np.arange(289, dtype=np.int64) * 5 * MINUTE_US)
    brought = values["hx2/primary_flow"] * 1.163 * (
        values["hx2/primary_supply_temperature"] - values["hx2/primary_return_temperature"]
    )  # fmt: skip
    assert used(values, "hx2/heat_total") == pytest.approx(float(brought[1:].sum()) / 12.0 * 0.0036, rel=0.05)
    below = sum(used(values, f"{m}/heat_total") for m in ("hx2", "dhw1", "dhw2"))
    assert used(values, "hb1/heat_total") == pytest.approx(below, rel=0.01)
