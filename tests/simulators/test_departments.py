"""What departments draw: by kind, time, weather and beds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from facility.errors import ConfigurationError
from facility.site import Dated, Site
from facility.site_file import load_site
from simulators.faults import FaultBook
from simulators.physics.weather import saturation_pressure
from simulators.plants import departments, outdoors
from simulators.rhythm import make_span
from simulators.scene import Demand, Scene

ROOT = Path(__file__).parents[2]
CASES: dict[str, Any] = yaml.safe_load((ROOT / "tests/cases/rooms.yaml").read_text("utf-8"))


@cache
def site_called(name: str) -> Site:
    # Departments need no machines: the head and the departments of the site file are enough.
    return load_site(ROOT / "examples" / name / "site.yaml")


def scene_of(site: Site, start: str, hours: float, step_s: int = 900, climate: str = "hangzhou") -> Scene:
    first = int(datetime.fromisoformat(start).replace(tzinfo=site.time_zone).timestamp()) * 1_000_000
    times = first + np.arange(int(hours * 3600 / step_s), dtype=np.int64) * step_s * 1_000_000
    span = make_span(times, first - step_s * 1_000_000, site.time_zone)
    scene = Scene(site, 1, span, FaultBook(site), {}, {}, {}, climate=climate)
    outdoors.run(scene)
    departments.run(scene)
    return scene


def total(scene: Scene, draw: Callable[[Demand], NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.sum([np.broadcast_to(draw(d), (len(scene),)) for d in scene.demand.values()], axis=0)


@pytest.mark.parametrize(
    ("department", "word"),
    [
        ("nicu", "icu"),
        ("ccu", "icu"),
        ("ward-cardiology", "ward"),
        ("ward-infectious", "infectious"),
        ("outpatient-family", "outpatient"),
        ("emergency", "emergency"),
        ("it", "-it-"),
        ("utilities", "administration"),  # the letters `it` inside a word mean nothing
        ("parking", "parking"),
        ("something-else", "administration"),
    ],
)
def test_the_word_in_its_id_says_what_kind_a_department_is(department: str, word: str) -> None:
    assert word in departments.profile_called(department).words


def test_every_kind_of_the_large_hospital_is_known_by_its_own_word() -> None:
    names = [d for d in site_called("hospital").departments if d != "administration"]
    fallback = departments.profiles()[-1]
    assert [n for n in names if departments.profile_called(n) is fallback] == []


def test_a_mistake_in_the_kinds_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = tmp_path / "departments.yaml"
    wrong.write_text(
        "kinds:\n  - {words: [ward], schedule: impatient, power: [1, 2], power_factor: 0.9, water: [0, 1]}\n"
    )
    with pytest.raises(ConfigurationError, match=r"impatient.*inpatient"):
        departments.read_profiles(wrong)


@pytest.mark.parametrize("name", ["small", "hospital"])
class TestEveryDepartment:
    def test_draws_nothing_below_nothing(self, name: str) -> None:
        scene = scene_of(site_called(name), "2026-01-12", 72.0)
        for department, demand in scene.demand.items():
            for field in Demand.__slots__:
                drawn = getattr(demand, field)
                assert np.isfinite(drawn).all(), (department, field)
                assert drawn.min() >= 0.0, (department, field)
            assert (demand.hot_water_m3h <= demand.water_m3h).all(), department
            assert demand.people.max() <= 1.0, department

    def test_as_much_as_hospitals_do(self, name: str) -> None:
        site = site_called(name)
        beds, area = site.sizes.latest.beds, site.sizes.latest.floor_area_m2
        assert beds is not None
        assert area is not None
        low, high = CASES["hospital"]["litres_bed_day"]
        scene = scene_of(site, "2026-04-13", 7 * 24.0)
        assert low < total(scene, lambda d: d.water_m3h).mean() * 24.0 * 1000.0 / beds < high
        hot = total(scene, lambda d: d.hot_water_m3h).mean() * 24.0 * 1000.0 / beds
        assert 60.0 < hot < 200.0  # at 60 °C; GB 50015 allows wards 60 to 200 L a bed

    def test_is_cooled_in_summer_as_handbooks_size_it(self, name: str) -> None:
        site = site_called(name)
        area = site.sizes.latest.floor_area_m2
        assert area is not None
        low, high = CASES["cooling_load"]["peak_w_m2"]
        scene = scene_of(site, "2026-07-06", 28 * 24.0)
        assert low < total(scene, lambda d: d.cooling_kw).max() * 1000.0 / area < high

    def test_is_heated_in_winter_and_not_in_summer(self, name: str) -> None:
        winter = total(scene_of(site_called(name), "2026-01-12", 72.0), lambda d: d.heating_kw)
        summer = total(scene_of(site_called(name), "2026-07-13", 72.0), lambda d: d.heating_kw)
        assert winter.mean() > 0.0
        assert summer.max() == 0.0


class TestWeather:
    def test_beijing_is_heated_as_its_quota_allows_and_harbin_as_its_winter_asks(self) -> None:
        site, case = site_called("hospital"), CASES["heating"]
        area = site.sizes.latest.floor_area_m2
        assert area is not None
        gj = {
            c: total(scene_of(site, "2026-01-01", 365 * 24.0, 3600, c), lambda d: d.heating_kw).sum() * 0.0036 / area
            for c in (case["city"], "harbin")
        }
        low, high = case["gj_m2"]
        assert low < gj[case["city"]] < high
        low, high = case["harbin_over_beijing"]
        assert low < gj["harbin"] / gj[case["city"]] < high

    @pytest.mark.parametrize(("colder", "warmer"), [("harbin", "beijing"), ("beijing", "hangzhou")])
    def test_colder_places_heat_more(self, colder: str, warmer: str) -> None:
        site = site_called("small")
        heat = [
            total(scene_of(site, "2026-01-05", 14 * 24.0, climate=c), lambda d: d.heating_kw).mean()
            for c in (colder, warmer)
        ]
        assert heat[0] > 1.3 * heat[1]

    def test_mild_kunming_needs_little_cooling(self) -> None:
        site = site_called("small")
        cold = [
            total(scene_of(site, "2026-07-06", 14 * 24.0, climate=c), lambda d: d.cooling_kw).mean()
            for c in ("kunming", "guangzhou")
        ]
        assert cold[0] < 0.5 * cold[1]

    def test_air_is_never_wetter_than_saturated(self) -> None:
        scene = scene_of(site_called("small"), "2026-06-01", 14 * 24.0)
        assert scene.humidity.max() <= 100.0
        assert (scene.wet_bulb_c <= scene.outdoor_c + 1.0).all()
        assert (saturation_pressure(scene.outdoor_c) > 0.0).all()


class TestOwnUnits:
    def test_what_no_machine_cools_draws_the_power_of_its_own_units(self) -> None:
        # The large hospital's departments without its air-handling units: all of them cool themselves.
        scene = scene_of(site_called("hospital"), "2026-07-13", 24.0)
        site = site_called("hospital")
        cooled = replace(site, equipment=with_air_handler(site, "icu"))
        other = scene_of(cooled, "2026-07-13", 24.0)
        own = scene.demand["icu"].power_kw - other.demand["icu"].power_kw
        profile = departments.profile_called("icu")
        expected = scene.demand["icu"].cooling_kw / departments.own_units_cop(profile, scene.outdoor_c)
        assert own.tolist() == pytest.approx(expected.tolist())
        assert own.mean() > 10.0

    def test_hot_weather_costs_them_efficiency(self) -> None:
        profile = departments.profile_called("ward")
        cop = departments.own_units_cop(profile, np.array([5.0, 15.0, 30.0, 40.0]))
        assert cop[0] == cop[1] > cop[2] > cop[3] > 2.0
        assert cop[2] == profile.cop


def with_air_handler(site: Site, department: str) -> dict[str, Any]:
    """Return the equipment of the small site's first air-handling unit, serving a department."""
    small = load_site(ROOT / "examples" / "small")
    unit = next(e for e in small.equipment.values() if e.cls.id == "air_handling_unit")
    return {**site.equipment, unit.id: replace(unit, serves=Dated.always((department,)))}


def test_wards_draw_less_at_the_spring_festival() -> None:
    site = site_called("hospital")
    january, festival = (scene_of(site, day, 24.0) for day in ("2026-01-21", "2026-02-18"))
    for draw in ("water_m3h", "oxygen_lmin", "vacuum_lmin"):
        before, then = (getattr(s.demand["ward-cardiology"], draw).mean() for s in (january, festival))
        assert then < 0.85 * before, draw


def test_a_day_is_the_same_at_a_minute_and_at_a_quarter_of_an_hour() -> None:
    site = site_called("small")
    fine, coarse = (scene_of(site, "2026-01-14", 24.0, step) for step in (60, 900))
    for field in ("power_kw", "water_m3h", "oxygen_lmin", "steam_th", "cooling_kw", "heating_kw"):
        means = [float(total(s, lambda d, f=field: getattr(d, f)).mean()) for s in (fine, coarse)]  # type: ignore[misc]
        assert means[1] == pytest.approx(means[0], rel=0.02), field
