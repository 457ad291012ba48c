"""The chiller plant, air handling units, clean rooms and split units of the small site, as a whole."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.test_hospital import fired
from tests.simulators.trial import Values, small_site

_FAMILY = frozenset(
    {"chiller", "cooling_tower", "air_handling_unit", "operating_room", "isolation_room", "split_air_conditioner"}
)
_CONDENSER_WATER = ("flow", "inlet_temperature", "outlet_temperature")
_US = 1_000_000
_SUMMER, _WINTER = "2026-07-22", "2026-01-14"


def start_of(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=small_site().time_zone).timestamp()) * _US


def times(day: str, hours: float, step_s: int) -> np.ndarray:  # type: ignore[type-arg]
    return start_of(day) + np.arange(round(hours * 3600 / step_s) + 1, dtype=np.int64) * step_s * _US


@pytest.fixture(scope="module")
def summer() -> Values:
    """A healthy summer's day at one minute."""
    return Hospital(small_site(), 1).run(times(_SUMMER, 24.0, 60))


@pytest.fixture(scope="module")
def spring() -> Values:
    """A healthy spring day at one minute, when there is little to cool."""
    return Hospital(small_site(), 1).run(times("2026-05-13", 24.0, 60))


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


class TestBalance:
    def test_the_tower_gives_off_what_the_chillers_take_and_draw(self, summer: Values) -> None:
        # By day, when none goes on and off: then part of the towers' water would go past it.
        day = {key: values[480:1080] for key, values in summer.items()}
        took = sum(used(day, f"{c}/cooling_total") + used(day, f"{c}/energy_import") for c in ("ch1", "ch2"))
        flow = day["ch1/condenser_water_flow"] + day["ch2/condenser_water_flow"]
        span = day["ct1/inlet_temperature"] - day["ct1/outlet_temperature"]
        assert float(np.sum(1.163 * flow * span)) / 60.0 == pytest.approx(took, rel=0.02)

    def test_condenser_water_takes_up_cold_and_power(self, spring: Values) -> None:
        took = heat = 0.0
        for unit in ("ch1", "ch2"):
            # Without the oil heater and the controls: 0.4 kW.
            took += used(spring, f"{unit}/cooling_total") + used(spring, f"{unit}/energy_import") - 0.4 * 24.0
            water, inlet, outlet = (spring[f"{unit}/condenser_water_{p}"] for p in _CONDENSER_WATER)
            heat += float(np.sum(1.163 * water * (outlet - inlet))) / 60.0
        assert heat == pytest.approx(took, rel=0.05)

    def test_a_chillers_water_carries_the_cold_that_its_register_counts(self, summer: Values) -> None:
        span = summer["ch2/chilled_water_return_temperature"] - summer["ch2/chilled_water_supply_temperature"]
        cold = float(np.sum(1.163 * summer["ch2/chilled_water_flow"] * span)) / 60.0
        assert cold == pytest.approx(used(summer, "ch2/cooling_total"), rel=0.02)

    def test_a_chiller_is_never_better_than_chillers_are(self, spring: Values) -> None:
        # In May both go on and off: cold, water and power stop together.
        for unit in ("ch1", "ch2"):
            span = (
                spring[f"{unit}/chilled_water_return_temperature"] - spring[f"{unit}/chilled_water_supply_temperature"]
            )
            cop = 1.163 * spring[f"{unit}/chilled_water_flow"] * span / np.maximum(spring[f"{unit}/active_power"], 0.1)
            assert -0.5 < cop.min() <= cop.max() < 10.0
            assert spring[f"{unit}/chilled_water_flow"][spring[f"{unit}/active_power"] < 1.0].max(initial=0.0) < 1.0
        assert sum(used(spring, f"{unit}/starts") for unit in ("ch1", "ch2")) > 10.0

    def test_make_up_is_what_evaporates_and_is_let_off(self, summer: Values) -> None:
        made_up, bled = used(summer, "ct1/makeup_total"), used(summer, "ct1/bleed_total")
        # At 4.5 cycles the bleed is a share of 1 / 4.5 but for the drift.
        assert bled / made_up == pytest.approx(1.0 / 4.5, abs=0.03)
        took = sum(used(summer, f"{c}/cooling_total") + used(summer, f"{c}/energy_import") for c in ("ch1", "ch2"))
        assert 0.75 < (made_up - bled) * 680.0 / took < 1.05

    def test_the_plant_is_as_good_as_plants_are(self, summer: Values) -> None:
        cold = sum(used(summer, f"{c}/cooling_total") for c in ("ch1", "ch2"))
        taken = sum(used(summer, f"{c}/energy_import") for c in ("ch1", "ch2", "ct1"))
        assert 4.0 < cold / taken < 7.0


class TestRhythm:
    def test_no_chiller_runs_in_winter_and_the_tower_does_not_freeze(self) -> None:
        winter = Hospital(small_site(), 1).run(times(_WINTER, 24.0, 300))
        assert max(winter["ch1/running"].max(), winter["ch2/running"].max()) == 0.0
        assert winter["ct1/outlet_temperature"].min() > 5.0

    def test_clinics_are_not_cooled_at_night_and_theatres_always_are(self, summer: Values) -> None:
        assert summer["ahu-outpatient/fan_running"][60:300].max() == 0.0
        assert summer["ahu-theatre/fan_running"].min() == 1.0

    def test_an_idle_operating_room_gets_less_air_and_keeps_its_pressure(self, summer: Values) -> None:
        idle = (summer["or-1/setback"] == 1.0) & (summer["or-1/door"] == 0.0)
        full = (summer["or-1/setback"] == 0.0) & (summer["or-1/door"] == 0.0)
        assert summer["or-1/air_flow"][idle].mean() < 0.6 * summer["or-1/air_flow"][full].mean()
        assert summer["or-1/room_pressure"][idle].min() > 8.0


@pytest.mark.parametrize("day", [_SUMMER, "2026-05-13", _WINTER])
def test_registers_of_a_day_do_not_depend_on_the_step(day: str) -> None:
    site = small_site()
    fine, coarse = (Hospital(site, 1).run(times(day, 24.0, step_s)) for step_s in (60, 900))
    for address in site.points.addresses:
        item = site.equipment[address.key.split("/")[0]]
        if address.kind != "total_increasing" or item.cls.id not in _FAMILY:
            continue
        # Starts are counted by the rate at which the load asks for them: few of them are not the same to one.
        slack = 6.0 if address.unit == "starts" else 0.05
        assert used(coarse, address.key) == pytest.approx(used(fine, address.key), rel=0.02, abs=slack), address.key


def test_in_whatever_pieces_the_times_are_asked_for_it_is_the_same_to_the_bit() -> None:
    site, asked = small_site(), times(_SUMMER, 14.0, 60)
    # With a fault, so that the twins go on too.
    event = FaultEvent("CH-F15", "ahu-outpatient", 0.8, int(asked[490]), 3600.0, int(asked[700]))
    whole, parts = (Hospital(site, 1, [FaultEvent(**_fields(event))]) for _ in range(2))
    first = whole.run(asked)
    pieces = [parts.run(asked[i : i + 97]) for i in range(0, len(asked), 97)]
    for key, values in first.items():
        if site.equipment[key.split("/")[0]].cls.id in _FAMILY:
            assert np.array_equal(values, np.concatenate([p[key] for p in pieces])), key
    wasted = [h.book.events()[0].waste for h in (whole, parts)]
    assert wasted[0] == pytest.approx(wasted[1], rel=1e-3)


def _fields(event: FaultEvent) -> dict[str, float | str | None]:
    return {n: getattr(event, n) for n in ("fault", "equipment", "severity", "start_us", "onset_s", "end_us")}


def test_a_fault_that_is_gone_leaves_no_twin_behind() -> None:
    asked = times(_SUMMER, 3.0, 60)
    hospital = Hospital(small_site(), 1, [FaultEvent("CH-F01", "ch2", 1.0, int(asked[20]), 0.0, int(asked[60]))])
    hospital.run(asked[:50])
    assert any("without" in name for name in hospital.snapshot().memory)
    hospital.run(asked[50:80])
    hospital.run(asked[80:])
    assert not any("without" in name for name in hospital.snapshot().memory)


def test_what_a_split_unit_does_not_take_its_department_draws() -> None:
    asked = times(_SUMMER, 10.0, 300)
    values = Hospital(small_site(), 1).run(asked)
    # The administration has no meter of its own: its feeder carries it with the clinics.
    office = values["ac-office-1/active_power"].max() / 1000.0
    assert office < 1.5
    assert values["fd-clinics/active_power"].max() > 20.0 * office


@pytest.mark.parametrize("day", ["2026-01-12", "2026-04-13", _SUMMER, "2026-10-12"])
def test_every_sensor_shows_what_can_be_and_no_healthy_machine_breaks_a_limit(day: str) -> None:
    site, shown = small_site(), Hospital(small_site(), 2).run(times(day, 48.0, 120))
    for item in site.equipment.values():
        if item.cls.id not in _FAMILY:
            continue
        for point, spec in item.points.items():
            if spec.kind == "derived":
                continue
            values = shown[f"{item.id}/{point}"]
            assert np.isfinite(values).all(), (item.id, point)
            if spec.physical is not None:
                assert spec.physical[0] <= values.min() <= values.max() <= spec.physical[1], (item.id, point)
        assert fired(item, shown, 120.0) == []
