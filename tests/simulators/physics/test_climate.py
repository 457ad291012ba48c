"""Typical years: true to their normals, to tables from outside, and to what weather does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from simulators import noise
from simulators.physics import climate as physics
from simulators.plants.outdoors import climates, find_climate

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "climate.yaml").read_text("utf-8"))
CITIES = ["harbin", "beijing", "hangzhou", "guangzhou", "kunming"]
HOURS = np.arange(365 * 24)
MONTH = np.repeat(np.arange(12), np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) * 24)


@cache
def year(city: str, seed: int) -> physics.Sky:
    time_us = HOURS.astype(np.int64) * 3_600_000_000

    def wander(name: str, days: float) -> NDArray[np.float64]:
        return noise.smooth(seed, name, time_us, days * 86400.0)

    weather = physics.Noise(
        wander("front", 3), wander("day", 1), wander("sky", 0.25), wander("overcast", 2), wander("moist", 1),
        wander("breeze", 0.125), wander("gust", 0.001),
    )  # fmt: skip
    return physics.sky(find_climate(city), HOURS // 24, (HOURS % 24).astype(np.float64), weather)


def monthly(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(MONTH, values) / np.bincount(MONTH)


def over_years(city: str, name: str, years: int = 6) -> NDArray[np.float64]:
    return np.mean([monthly(getattr(year(city, seed), name)) for seed in range(years)], axis=0)


def test_a_months_days_have_the_months_mean() -> None:
    normals = [4.9, 7.0, 11.3, 17.1, 22.2, 25.1, 29.4, 28.7, 24.6, 19.1, 13.2, 7.2]
    values = physics.daily(normals)
    assert (np.bincount(MONTH[::24], values[:365]) / np.bincount(MONTH[::24])).tolist() == pytest.approx(
        normals, abs=0.2
    )
    assert values[365] == values[0]


@pytest.mark.parametrize("city", CITIES)
class TestTypicalYear:
    def test_agrees_with_its_normals(self, city: str) -> None:
        normals = climates()[city]
        assert over_years(city, "temperature_c").tolist() == pytest.approx(list(normals.temperature), abs=1.2)
        assert over_years(city, "humidity_percent").tolist() == pytest.approx(list(normals.humidity), abs=6.0)
        assert over_years(city, "wind_ms").tolist() == pytest.approx(list(normals.wind), rel=0.12)
        rain = np.mean([year(city, seed).rain_mm_h.sum() for seed in range(6)])
        assert rain == pytest.approx(sum(normals.rain), rel=0.25)

    def test_lies_beside_the_months_of_real_years(self, city: str) -> None:
        table = CASES["monthly_temperature"]
        real = np.array([row for row in table["cities"][city] if row is not None])
        typical = over_years(city, "temperature_c")
        assert (typical > real.min(axis=0) - table["beside"]).all()
        assert (typical < real.max(axis=0) + table["beside"]).all()

    def test_has_the_sun_of_its_place(self, city: str) -> None:
        table = CASES["global_radiation"]
        kwh = np.mean([year(city, seed).sun_w_m2.sum() for seed in range(3)]) / 1000.0
        assert kwh == pytest.approx(table["cities"][city], rel=table["within"])

    def test_shows_nothing_that_air_cannot_do(self, city: str) -> None:
        sky = year(city, 0)
        assert (sky.dew_point_c <= sky.temperature_c).all()
        assert sky.humidity_percent.min() > 5.0
        assert sky.humidity_percent.max() <= 100.0
        assert sky.wind_ms.max() < 17.2
        assert sky.rain_mm_h.max() < 60.0
        assert (sky.sun_w_m2[(HOURS % 24) == 0] == 0.0).all()


@pytest.mark.parametrize("case", CASES["year"], ids=lambda c: c["city"])
def test_the_normals_have_the_years_rain(case: dict[str, Any]) -> None:
    assert sum(climates()[case["city"]].rain) == pytest.approx(case["rain_mm"], rel=0.05)


def test_overcast_days_swing_less() -> None:
    sky = year("beijing", 0)
    days = sky.temperature_c.reshape(365, 24)
    cloud = sky.cloud.reshape(365, 24).mean(axis=1)
    swing = days.max(axis=1) - days.min(axis=1)
    assert swing[cloud < 0.3].mean() > 1.2 * swing[cloud > 0.8].mean()


def test_hot_days_of_the_lower_yangtze_are_many_and_no_records() -> None:
    hottest = [year("hangzhou", seed).temperature_c.reshape(365, 24).max(axis=1) for seed in range(1, 6)]
    assert all(5 < (days > 35.0).sum() < 35 for days in hottest)
    assert max(days.max() for days in hottest) < 40.0


def test_high_places_have_thin_air() -> None:
    assert physics.air_pressure(0.0) == pytest.approx(101.325)
    assert physics.air_pressure(1887.0) == pytest.approx(80.7, abs=0.5)


def test_an_unknown_climate_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="hangzhou"):
        find_climate("hangzou")


def test_rain_falls_only_from_thick_cloud() -> None:
    cover = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    rain = physics.rainfall(np.full(5, 0.2), cover)
    assert rain[:2].tolist() == [0.0, 0.0]
    assert (np.diff(rain[1:]) >= 0.0).all()
    assert rain[-1] > 1.0
