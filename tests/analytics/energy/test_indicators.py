"""Energy performance indicators of the hospital, its departments, machines and plants."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from analytics.energy.activity import ActivityTotal
from analytics.energy.indicators import Figures, Indicator, hospital_indicators
from analytics.energy.intervals import MEASURED, MISSING, Intervals, Total
from analytics.energy.machine_indicators import (
    MachineFigures,
    gauges_wanted,
    machine_indicators,
    plant_indicators,
    steam_enthalpy,
    transformer_use,
)
from analytics.energy.weather import DegreeDays
from facility.equipment_classes import load_library
from facility.errors import ConfigurationError
from facility.indicator_library import load_indicators, read_indicators
from facility.site_file import load_site

ROOT = Path(__file__).parents[3]
SITE = load_site(ROOT / "examples" / "hospital")
LIBRARY = load_indicators()
CASES = yaml.safe_load((ROOT / "tests" / "cases" / "steam.yaml").read_text(encoding="utf-8"))


def total(amount: float, missing: float = 0.0) -> Total:
    return Total(amount, 1.0 - missing, 0.0, missing)


def of(found: list[Indicator], name: str, subject: str | None = None) -> Indicator:
    return next(i for i in found if i.id == name and subject in (None, i.subject))


def hospital(span: str = "year", **changes: object) -> list[Indicator]:
    figures = {
        "days": 365,
        "amounts": {"electricity": total(14_700_000), "water": total(120_000), "cost": total(11_000_000)},
        "area_m2": 98_000.0,
        "beds": 800.0,
        **changes,
    }
    return hospital_indicators(LIBRARY, Figures(**figures), span, "CNY", subject="riverside")  # type: ignore[arg-type]


# -- the hospital


def test_a_year_of_electricity_stands_over_the_floor_area_and_beside_what_is_usual() -> None:
    found = of(hospital(), "electricity_per_area")
    assert (found.value, found.unit, found.verdict) == (pytest.approx(150.0), "kWh/m²", "usual")
    assert found.benchmark is not None
    assert "tertiary hospitals" in found.benchmark.source


@pytest.mark.parametrize(("kwh_m2", "verdict"), [(100, "good"), (100.1, "usual"), (250, "usual"), (250.1, "poor")])
def test_a_verdict_stands_on_its_bounds(kwh_m2: float, verdict: str) -> None:
    found = hospital(amounts={"electricity": total(kwh_m2 * 98_000)})
    assert of(found, "electricity_per_area").verdict == verdict


def test_a_month_is_not_measured_by_the_benchmark_of_a_year() -> None:
    assert of(hospital("month"), "electricity_per_area").verdict == "no_benchmark"


def test_money_is_in_the_sites_currency() -> None:
    assert of(hospital(), "cost_per_area").unit == "CNY/m²"


def test_bed_days_that_nobody_reported_are_all_beds_and_said_to_be() -> None:
    found = of(hospital(), "water_per_bed_day")
    assert found.value == pytest.approx(120_000 * 1000 / (800 * 365))
    assert found.verdict == "usual"
    assert [(r.code, r.blocking) for r in found.reasons] == [("all-beds", False)]
    reported = {"bed_days": ActivityTotal(260_000, 365, 365)}
    known = of(hospital(activity=reported), "water_per_bed_day")
    assert known.value == pytest.approx(120_000 * 1000 / 260_000)
    assert known.reasons == ()


def test_visits_that_nobody_reported_leave_no_figure_but_the_way_to_one() -> None:
    found = of(hospital(), "electricity_per_visit")
    assert found.verdict == "cannot_tell"
    assert math.isnan(found.value)
    assert "wardwatt energy activity import" in found.reasons[0].words.en


def test_what_is_not_metered_is_not_zero() -> None:
    found = of(hospital(), "gas_per_area")
    assert (found.verdict, [r.code for r in found.reasons]) == ("cannot_tell", ["not-accounted"])


def test_a_site_file_without_an_area_says_so() -> None:
    assert "does not say the floor area" in of(hospital(area_m2=None), "electricity_per_area").reasons[0].words.en


@pytest.mark.parametrize(("missing", "verdict"), [(0.0, "usual"), (0.02, "usual"), (0.11, "cannot_tell")])
def test_a_figure_with_much_missing_is_shown_but_not_judged(missing: float, verdict: str) -> None:
    found = of(hospital(amounts={"electricity": total(14_700_000, missing)}), "electricity_per_area")
    assert found.verdict == verdict
    assert found.value == pytest.approx(150.0)


def test_a_warm_month_has_no_gas_per_heating_degree_day() -> None:
    gas = {"gas": total(30_000)}
    warm = hospital("month", amounts=gas, weather=DegreeDays(12.0, 100.0, 30, 30))
    assert [r.code for r in of(warm, "gas_per_heating_degree_day").reasons] == ["too-little"]
    cold = hospital("month", amounts=gas, weather=DegreeDays(300.0, 0.0, 30, 30))
    assert of(cold, "gas_per_heating_degree_day").value == pytest.approx(100.0)
    unknown = hospital("month", amounts=gas)
    assert of(unknown, "gas_per_heating_degree_day").reasons[0].code == "no-weather"


def test_a_department_has_the_indicators_of_what_it_was_charged_for() -> None:
    figures = Figures(30, {"electricity": total(60_000)}, area_m2=1800.0, beds=30.0)
    found = hospital_indicators(LIBRARY, figures, "month", "CNY", "icu")
    assert {i.subject for i in found} == {"icu"}
    assert of(found, "electricity_per_area").value == pytest.approx(60_000 / 1800)
    assert not [i for i in found if i.id == "water_per_bed_day"]
    assert of(found, "electricity_per_bed_day").reasons[0].code == "all-beds"


def test_a_department_without_beds_and_visits_lacks_nothing() -> None:
    found = hospital_indicators(LIBRARY, Figures(30, {"electricity": total(60_000)}), "month", "CNY", "laundry")
    assert [(i.id, i.verdict) for i in found] == [("electricity_per_area", "cannot_tell")]


# -- machines


def machines(totals: dict[str, Total], means: dict[str, float] | None = None) -> list[Indicator]:
    return machine_indicators(LIBRARY, SITE.equipment.values(), MachineFigures(totals, means or {}), "month")


@pytest.mark.parametrize("value", CASES["saturated_steam"]["values"], ids=lambda v: f"{v['p']} MPa")
def test_the_enthalpy_of_steam_is_that_of_the_tables(value: dict[str, float]) -> None:
    assert steam_enthalpy(value["p"]) == pytest.approx(value["steam"], abs=1.0)


def test_a_boilers_efficiency_is_the_heat_that_the_water_took_up_over_that_of_the_gas() -> None:
    # domain practice: 71 Nm³ make a tonne of 0.7 MPa steam from water of 104 °C at 92 % of 35.5 MJ/Nm³
    totals = {"b1/steam_total": total(1000), "b1/gas_total": total(71_000)}
    found = machines(totals, {"b1/steam_pressure": 0.7, "b1/feedwater_temperature": 104.0})
    assert of(found, "boiler_gas_per_steam", "b1").value == pytest.approx(71.0)
    assert of(found, "boiler_efficiency", "b1").value == pytest.approx(92.5, abs=0.6)
    assert of(found, "boiler_efficiency", "b1").verdict == "usual"


def test_a_feed_water_that_nobody_measured_is_assumed_and_said_to_be() -> None:
    totals = {"b1/steam_total": total(1000), "b1/gas_total": total(71_000)}
    found = of(machines(totals), "boiler_efficiency", "b1")
    assert [r.code for r in found.reasons] == ["feed-water-assumed"]
    assert found.verdict == "usual"
    assert {"b1/steam_pressure", "b1/feedwater_temperature"} <= set(gauges_wanted(SITE))


@pytest.mark.parametrize(("cooling", "verdict"), [(6_000, "good"), (5_000, "usual"), (3_000, "poor")])
def test_of_a_chiller_more_is_better(cooling: float, verdict: str) -> None:
    found = of(machines({"ch1/cooling_total": total(cooling), "ch1/energy_import": total(1_000)}), "chiller_cop", "ch1")
    assert (found.verdict, found.value) == (verdict, pytest.approx(cooling / 1000))


def test_a_cop_of_forty_is_a_wrong_meter_and_no_result() -> None:
    found = of(machines({"ch1/cooling_total": total(40_000), "ch1/energy_import": total(1_000)}), "chiller_cop", "ch1")
    assert (found.verdict, math.isnan(found.value)) == ("cannot_tell", True)
    assert "check the meters and their ratios first" in found.reasons[0].words.en


@pytest.mark.parametrize("missing", [0.0, 0.005, 0.3])
@pytest.mark.parametrize("gas", [71_000, 60_000])
def test_a_boiler_that_gives_more_than_it_gets_is_told_and_never_shown(gas: float, missing: float) -> None:
    totals = {"b1/steam_total": total(1000, missing), "b1/gas_total": total(gas, missing)}
    found = of(machines(totals, {"b1/feedwater_temperature": 104.0}), "boiler_efficiency", "b1")
    assert math.isfinite(found.value) is (gas == 71_000)
    told = {r.code for r in found.reasons if r.blocking}
    assert told == {"partly-missing"} if missing == 0.3 else told == ({"implausible"} if gas == 60_000 else set())


def test_a_chiller_whose_supply_and_return_are_swapped_counts_no_cold_and_has_no_cop() -> None:
    found = of(machines({"ch1/cooling_total": total(0.0), "ch1/energy_import": total(9_000)}), "chiller_cop", "ch1")
    assert (found.verdict, math.isnan(found.value)) == ("cannot_tell", True)
    assert "check the meters" in found.reasons[0].words.en


def test_a_machine_that_stood_still_has_no_ratio() -> None:
    found = of(machines({"ch1/cooling_total": total(0), "ch1/energy_import": total(0)}), "chiller_cop", "ch1")
    assert [r.code for r in found.reasons] == ["zero-denominator"]


def test_registers_known_over_different_times_have_no_ratio() -> None:
    totals = {"ch1/cooling_total": total(5_000, 0.08), "ch1/energy_import": total(1_000)}
    assert [r.code for r in of(machines(totals), "chiller_cop", "ch1").reasons] == ["not-the-same-time"]


def test_every_machine_that_could_have_an_indicator_has_one_and_says_what_it_lacks() -> None:
    found = machines({})
    assert {i.subject for i in found if i.id == "chiller_cop"} == {"ch1", "ch2", "ch3"}
    assert {i.verdict for i in found} == {"cannot_tell"}


def test_a_plant_is_all_its_machines_or_cannot_be_told() -> None:
    keys = [
        f"{e.id}/energy_import"
        for e in SITE.equipment.values()
        if e.room == "cooling-1" and e.cls.id in ("chiller", "cooling_tower", "pump") and "energy_import" in e.points
    ]
    totals = {key: total(1000) for key in keys} | {f"ch{n}/cooling_total": total(10_000) for n in (1, 2, 3)}
    found = plant_indicators(LIBRARY, SITE, MachineFigures(totals, {}), "month")
    eer = of(found, "cooling_plant_eer", "cooling-1")
    assert eer.value == pytest.approx(30.0 / len(keys))
    del totals["ch2/cooling_total"]
    lacking = of(plant_indicators(LIBRARY, SITE, MachineFigures(totals, {}), "month"), "cooling_plant_eer")
    assert lacking.reasons[0].words.en == "ch2/cooling_total is not known"


# -- transformers


def steps(*used: float) -> Intervals:
    amounts = np.array(used)
    grade = np.where(np.isfinite(amounts), MEASURED, MISSING).astype(np.int8)
    return Intervals(0, amounts, grade)


def test_a_transformer_at_rest_loses_its_no_load_loss_and_at_rated_power_both() -> None:
    idle = transformer_use(steps(0, 0, 0, 0), None, 1600, 2.0, 12.0)
    assert idle is not None
    assert (idle.no_load_kwh, idle.load_kwh, idle.peak_load) == (2.0, 0.0, 0.0)
    rated = transformer_use(steps(400, 400, 400, 400), None, 1600, 2.0, 12.0)
    assert rated is not None
    assert (rated.mean_load, rated.losses_kwh) == (1.0, pytest.approx(14.0))
    assert rated.loss_share == pytest.approx(14.0 / 1614.0)


def test_load_that_comes_and_goes_loses_more_than_its_mean_would() -> None:
    steady = transformer_use(steps(200, 200, 200, 200), None, 1600, 0.0, 12.0)
    uneven = transformer_use(steps(400, 0, 400, 0), None, 1600, 0.0, 12.0)
    assert steady is not None
    assert uneven is not None
    assert uneven.load_kwh == pytest.approx(2 * steady.load_kwh)


def test_reactive_power_loads_a_transformer_too() -> None:
    use = transformer_use(steps(240), steps(320), 1600, 0.0, 12.0)
    assert use is not None
    assert (use.mean_load, use.apparent) == (1.0, True)


def test_missing_steps_are_left_out_and_counted() -> None:
    use = transformer_use(steps(400, math.nan), None, 1600, 2.0, 12.0)
    assert use is not None
    assert (use.missing, use.hours) == (0.5, 0.25)
    assert transformer_use(steps(math.nan), None, 1600, 2.0, 12.0) is None
    assert transformer_use(steps(400), None, math.nan, 2.0, 12.0) is None


# -- the library


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("over: {point: energy_imprt}", "'energy_imprt' is no register of 'chiller'; did you mean 'energy_import'?"),
        ("class: chilller", "class 'chilller' is not in the library; did you mean 'chiller'?"),
        ("month: {good: 4, poor: 5, source: nobody}", "do not fit better: higher; swap them"),
        ("over: {point: run_hours}", "'run_hours' is no register of 'chiller'"),
    ],
)
def test_a_mistake_in_an_indicator_is_told(tmp_path: Path, text: str, message: str) -> None:
    entry = {
        "id": "cop", "class": "chiller", "name": {"zh": "能效", "en": "COP"}, "of": {"point": "cooling_total"},
        "over": {"point": "energy_import"}, "unit": "", "better": "higher",
    }  # fmt: skip
    entry |= yaml.safe_load(text)
    file = tmp_path / "indicators.yaml"
    file.write_text(yaml.safe_dump({"machines": [entry]}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_indicators(file, load_library())
    assert message in str(caught.value)


def test_every_indicator_has_an_id_of_its_own_and_names_in_both_languages() -> None:
    ids = [i.id for i in LIBRARY.all]
    assert len(set(ids)) == len(ids) >= 25
    assert all(i.name.zh and i.name.en for i in LIBRARY.all)
