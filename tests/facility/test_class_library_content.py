"""What every equipment class that comes with Wardwatt must say, and how."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from facility.equipment_classes import METER_REGISTERS, EquipmentClass, Limit, load_library

LIBRARY = load_library()
CLASSES = [pytest.param(c, id=c.id) for c in LIBRARY.classes.values()]

# The classes that the design names, and those that rules and simulators know by name.
NEEDED = [
    "hv_incomer", "dry_type_transformer", "lv_feeder", "capacitor_bank",
    "ups", "diesel_generator", "transfer_switch", "isolated_power_panel",
    "gas_steam_boiler", "gas_hot_water_boiler", "feedwater_station",
    "psa_oxygen_generator", "liquid_oxygen_tank", "oxygen_manifold", "oxygen_outlet_station", "oxygen_pipeline_zone",
    "medical_vacuum_plant", "vacuum_zone", "medical_air_plant", "medical_air_zone",
    "pump", "vfd", "water_tank", "booster_set", "water_quality_station", "heat_exchanger", "hot_water_station",
    "chiller", "cooling_tower", "air_handling_unit", "operating_room", "isolation_room", "split_air_conditioner",
    "sewage_plant", "lift", "medical_waste_store", "room_environment", "weather_station", "utility_supply",
    "electricity_meter", "water_meter", "gas_meter", "heat_meter", "oxygen_meter", "steam_meter",
]  # fmt: skip

# Only these may wake people as life safety: medical oxygen, medical vacuum and air, emergency power.
LIFE_SAFETY = {c.id for c in LIBRARY.classes.values() if c.spec.system == "oxygen"} | {
    "ups", "diesel_generator", "transfer_switch",
}  # fmt: skip
STEPS = {"warn": 0, "alarm": 1, "trip": 2, "low_warn": 0, "low_alarm": 1, "low_trip": 2}
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff] ?[,;:!?()]|[,;:!?()] ?[\u4e00-\u9fff]")
HAND_MADE_GAP = re.compile(r"[\u4e00-\u9fff] [A-Za-z0-9]|[A-Za-z0-9] [\u4e00-\u9fff]")


def chinese(c: EquipmentClass) -> list[str]:
    texts = [c.spec.name.zh, *(p.name.zh for p in c.points.values()), *(r.name.zh for r in c.spec.rating.values())]
    texts += [li.spec.name.zh for li in c.limits] + [s for a in c.spec.advice.values() for s in a.zh]
    return texts + [n.zh for t in c.spec.maintenance for n in (t.name, *t.checklist)]


def numeric(c: EquipmentClass) -> list[Limit]:
    """Return the limits that compare with a plain number, not with a state."""
    firsts = [(li, li.condition.comparisons[0]) for li in c.limits]
    return [li for li, first in firsts if first.threshold is not None and first.op not in ("==", "!=")]


def rises(limit: Limit) -> bool:
    return limit.condition.comparisons[0].op[0] == ">"


def holds(class_name: str, limit_id: str, **points: float) -> bool:
    limit = next(li for li in LIBRARY[class_name].limits if li.id == limit_id)
    environment = {p: np.array([points.get(p, np.nan)]) for p in limit.condition.points}
    return bool(limit.condition.holds(environment)[0] == 1)


def derived(class_name: str, point: str, **points: float) -> float:
    formula = LIBRARY[class_name].formulas[point]
    return float(formula.evaluate({p: np.array([points[p]]) for p in formula.points})[0])


@pytest.mark.parametrize("name", NEEDED)
def test_the_library_has_each_class_that_the_design_names(name: str) -> None:
    assert name in LIBRARY


@pytest.mark.parametrize(("name", "register"), METER_REGISTERS.items())
def test_a_meter_has_the_register_that_is_booked(name: str, register: str) -> None:
    assert LIBRARY[name].points[register].kind == "total_increasing"


@pytest.mark.parametrize("c", CLASSES)
class TestEveryClass:
    def test_its_gauges_have_a_normal_band_and_bounds_of_what_is_possible(self, c: EquipmentClass) -> None:
        gauges = {n: p for n, p in c.points.items() if p.kind == "gauge"}
        assert [n for n, p in gauges.items() if p.normal is None or p.physical is None] == []

    def test_it_shows_one_to_three_key_points_that_are_no_registers(self, c: EquipmentClass) -> None:
        kinds = [c.points[p].kind for p in c.spec.key_points]
        assert 1 <= len(kinds) <= 3
        assert "total_increasing" not in kinds

    def test_it_has_limits_and_a_maintenance_plan_with_short_checklists(self, c: EquipmentClass) -> None:
        assert c.limits
        assert c.spec.maintenance
        assert [t.task for t in c.spec.maintenance if not 2 <= len(t.checklist) <= 6] == []

    def test_one_identifier_names_one_limit_and_one_subject_has_one_limit_a_tier(self, c: EquipmentClass) -> None:
        ids = [li.id for li in c.limits]
        subjects = [(li.subject, li.spec.tier) for li in c.limits]
        assert sorted(ids) == sorted(set(ids))
        assert sorted(subjects) == sorted(set(subjects))

    def test_a_name_of_a_limit_fits_a_phone_and_does_not_shout(self, c: EquipmentClass) -> None:
        names = [li.spec.name for li in c.limits]
        assert [n.zh for n in names if len(n.zh) > 12] == []
        assert [n.en for n in names if len(n.en) > 32] == []
        assert [n for n in names if re.search("[!！]|请注意|异常", n.zh + n.en)] == []

    def test_every_piece_of_advice_is_used_and_has_at_least_two_steps(self, c: EquipmentClass) -> None:
        assert set(c.spec.advice) == {li.spec.advice for li in c.limits}
        assert [name for name, a in c.spec.advice.items() if len(a.zh) < 2] == []

    def test_its_chinese_has_full_width_marks_and_no_gaps_made_by_hand(self, c: EquipmentClass) -> None:
        assert [t for t in chinese(c) if HALF_WIDTH.search(t) or HAND_MADE_GAP.search(t)] == []

    def test_life_safety_is_for_medical_gases_and_emergency_power_only(self, c: EquipmentClass) -> None:
        wakes = [li.id for li in c.limits if li.spec.life_safety]
        assert bool(wakes) == (c.id in LIFE_SAFETY)

    def test_a_low_tier_looks_downwards_and_the_others_upwards(self, c: EquipmentClass) -> None:
        assert [li.id for li in numeric(c) if rises(li) == li.spec.tier.startswith("low")] == []

    def test_the_tiers_of_a_subject_lie_in_order_and_do_not_lose_priority(self, c: EquipmentClass) -> None:
        groups: dict[tuple[str, bool], list[Limit]] = defaultdict(list)
        for limit in numeric(c):
            groups[limit.subject, rises(limit)].append(limit)
        for (_, upwards), limits in groups.items():
            limits.sort(key=lambda li: STEPS[li.spec.tier])
            for mild, grave in pairwise(limits):
                assert mild.threshold is not None
                assert grave.threshold is not None
                # Equal ones differ in their second condition.
                assert (mild.threshold <= grave.threshold) if upwards else (mild.threshold >= grave.threshold)
                assert mild.spec.priority >= grave.spec.priority

    def test_no_limit_that_stands_alone_fires_inside_the_normal_band(self, c: EquipmentClass) -> None:
        inside = []
        for limit in numeric(c):
            first = limit.condition.comparisons[0]
            bands = [c.points[p].normal for p in first.left.points]
            if len(limit.condition.comparisons) > 1 or " " in first.left.text or limit.threshold is None:
                continue  # a second condition, or a formula, says when the band does not count
            for band in filter(None, bands):
                if (limit.threshold < band[1]) if rises(limit) else (limit.threshold > band[0]):
                    inside.append(limit.spec.when)
        assert inside == []


@pytest.mark.parametrize("name", ["oxygen_pipeline_zone", "medical_air_zone"])
@pytest.mark.parametrize(("kpa", "low", "high"), [(321, 0, 0), (319, 1, 0), (400, 0, 0), (479, 0, 0), (481, 0, 1)])
def test_a_gas_zone_alarms_beyond_a_fifth_of_400_kpa(name: str, kpa: float, low: bool, high: bool) -> None:
    assert holds(name, "MG-L05/low_alarm", pressure=kpa) == low
    assert holds(name, "MG-L05/alarm", pressure=kpa) == high


@pytest.mark.parametrize(("kpa", "alarm"), [(-38, False), (-36, True)])
def test_a_vacuum_zone_alarms_below_37_kpa_of_vacuum(kpa: float, alarm: bool) -> None:
    assert holds("vacuum_zone", "MG-L05/alarm", pressure=kpa) is alarm


def test_a_generator_that_is_not_in_auto_is_a_matter_of_life_safety() -> None:
    limits = {li.subject: li.spec for li in LIBRARY["diesel_generator"].limits if li.spec.tier == "warn"}
    assert holds("diesel_generator", "EL-F23/warn", mode=1)
    assert limits["mode"].life_safety


def test_an_essential_load_without_supply_alarms_whatever_the_sources_say() -> None:
    trip = next(li for li in LIBRARY["transfer_switch"].limits if li.spec.id == "EL-L27")
    assert trip.condition.points == ("load_present",)
    assert trip.spec.life_safety


def test_a_hot_phase_alarms_though_the_others_are_cool() -> None:
    phases = {"winding_temperature_a": 80.0, "winding_temperature_b": 131.0, "winding_temperature_c": 82.0}
    assert holds("dry_type_transformer", "EL-L16/alarm", **phases)
    assert not holds("dry_type_transformer", "EL-L16/trip", **phases)


def test_a_chillers_performance_is_heat_over_power() -> None:
    # 100 m³/h cooled by 5 K is 581.5 kW (domain sheet 7b: Q = flow · 1.163 · difference).
    cop = derived(
        "chiller", "cop", chilled_water_flow=100.0, chilled_water_supply_temperature=7.0,
        chilled_water_return_temperature=12.0, active_power=116.3,
    )  # fmt: skip
    assert cop == pytest.approx(5.0)


def test_a_pumps_efficiency_is_hydraulic_power_over_electric() -> None:
    # 0.3 MPa at 120 m³/h is 10 kW.
    efficiency = derived("pump", "efficiency", inlet_pressure=0.1, outlet_pressure=0.4, flow=120.0, active_power=16.0)
    assert efficiency == pytest.approx(62.5)


def test_a_transformers_losses_are_not_told_without_its_nameplate() -> None:
    assert np.isnan(derived("dry_type_transformer", "losses", apparent_power=800.0))
