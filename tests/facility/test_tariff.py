"""Prices by the time of day, and the table of the power-factor adjustment."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility import tariff
from facility.calendar import at_us
from facility.names import Names
from facility.tariff_model import BandRatios, Component, Tariff, TariffBand, Tiers, TierStep

SHANGHAI = ZoneInfo("Asia/Shanghai")
YEAR = frozenset(range(1, 13))
PEAK = TariffBand("peak", 1.2, 10 * 60, 13 * 60, YEAR)
VALLEY = TariffBand("valley", 0.3, 23 * 60, 7 * 60, YEAR)
SHARP = TariffBand("sharp", 1.5, 11 * 60, 12 * 60, frozenset({7, 8}))
ELECTRICITY = Tariff("electricity", 0.75, "kWh", (SHARP, PEAK, VALLEY))


def at(day: date, minute: int) -> int:
    return at_us(day, minute, SHANGHAI)


@pytest.mark.parametrize(
    ("minute", "price"),
    [
        (9 * 60 + 59, 0.75),
        (10 * 60, 1.2),
        (12 * 60 + 59, 1.2),
        (13 * 60, 0.75),
        (22 * 60 + 59, 0.75),
        (23 * 60, 0.3),  # runs past midnight
        (0, 0.3),
        (6 * 60 + 59, 0.3),
        (7 * 60, 0.75),
    ],
)
def test_a_band_holds_from_its_start_to_just_before_its_end(minute: int, price: float) -> None:
    assert tariff.unit_price(ELECTRICITY, at(date(2026, 3, 5), minute), SHANGHAI) == price


@pytest.mark.parametrize(("month", "price"), [(6, 1.2), (7, 1.5), (8, 1.5), (9, 1.2)])
def test_the_first_band_that_fits_the_month_counts(month: int, price: float) -> None:
    assert tariff.unit_price(ELECTRICITY, at(date(2026, month, 5), 11 * 60), SHANGHAI) == price


def test_a_band_over_the_whole_day_has_no_gap() -> None:
    whole = Tariff("water", 9.0, "m³", (TariffBand("flat", 6.5, 0, 1440, YEAR),))
    assert tariff.unit_price(whole, at(date(2026, 3, 5), 0), SHANGHAI) == 6.5
    assert tariff.unit_price(whole, at(date(2026, 3, 5), 1439), SHANGHAI) == 6.5


# -- which days a band holds on


HOLIDAY = date(2026, 10, 1)
MADE_UP = date(2026, 10, 10)  # a Saturday that is worked
WORKDAY, SUNDAY = date(2026, 9, 10), date(2026, 9, 13)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("workdays", {MADE_UP, WORKDAY}),
        ("rest_days", {HOLIDAY, SUNDAY}),
        ("weekdays", {HOLIDAY, WORKDAY}),
        ("holidays", {HOLIDAY}),
        ("national_day", {HOLIDAY}),
        ("labour_day", set()),
        ("hot", {WORKDAY}),
    ],
)
def test_a_band_holds_on_its_days(days: str, expected: set[date]) -> None:
    band = TariffBand("deep", 0.1, 0, 1440, YEAR, frozenset({days}))
    priced = Tariff("electricity", 0.75, "kWh", (band,))
    all_days = (HOLIDAY, MADE_UP, WORKDAY, SUNDAY)
    found = {d for d in all_days if tariff.unit_price(priced, at(d, 720), SHANGHAI, frozenset({WORKDAY})) == 0.1}
    assert found == expected


def test_a_day_of_a_break_that_two_festivals_share_is_one_of_both() -> None:
    # 6 October 2025 is the Mid-autumn Festival, within the National Day's break from 1 to 8 October.
    mid_autumn = date(2025, 10, 6)
    for days in ("national_day", "mid_autumn_festival"):
        band = TariffBand("deep", 0.1, 0, 1440, YEAR, frozenset({days}))
        priced = Tariff("electricity", 0.75, "kWh", (band,))
        found = [tariff.unit_price(priced, at(mid_autumn + timedelta(days=i), 720), SHANGHAI) for i in (-6, 0, 2, 3)]
        assert found == [0.75, 0.1, 0.1, 0.75]


def test_after_midnight_a_band_belongs_to_the_new_day() -> None:
    night = TariffBand("valley", 0.1, 22 * 60, 6 * 60, YEAR, frozenset({"rest_days"}))
    priced = Tariff("electricity", 0.75, "kWh", (night,))
    saturday = date(2026, 9, 12)
    assert tariff.unit_price(priced, at(saturday, 60), SHANGHAI) == 0.1
    assert tariff.unit_price(priced, at(date(2026, 9, 14), 60), SHANGHAI) == 0.75


# -- prices made of components


def test_only_what_floats_is_multiplied() -> None:
    name = Names(zh="项", en="Part")
    floating, fixed = Component("purchase", name, 0.4, floats=True), Component("funds", name, 0.03)
    peak = TariffBand("peak", None, 10 * 60, 13 * 60, YEAR)
    priced = Tariff("electricity", 0.43, "kWh", (peak,), ratios=(BandRatios(YEAR, {"flat": 1.0, "peak": 1.6}),),
                    components=(floating, fixed))  # fmt: skip
    assert tariff.unit_price(priced, at(date(2026, 3, 5), 11 * 60), SHANGHAI) == pytest.approx(0.67)
    assert tariff.unit_price(priced, at(date(2026, 3, 5), 9 * 60), SHANGHAI) == pytest.approx(0.43)


@pytest.mark.parametrize(("month", "price"), [(1, 0.41), (2, 0.41), (3, 0.39), (4, 0.40), (12, 0.40)])
def test_a_month_without_a_price_is_estimated_from_the_one_before(month: int, price: float) -> None:
    by_month = Component("purchase", Names(zh="购电", en="Purchase"), None,
                         {(2026, 2): 0.41, (2026, 3): 0.39, (2026, 4): 0.40})  # fmt: skip
    priced = Tariff("electricity", 0.0, "kWh", components=(by_month,))
    assert tariff.unit_price(priced, at(date(2026, month, 5), 0), SHANGHAI) == price


def test_of_tiers_the_first_is_the_price_of_a_unit() -> None:
    fee = Component("sewage", Names(zh="污水", en="Sewage"), 1.0, share=0.9)
    tiered = Tariff("water", 3.9, "m³", tiers=Tiers("year", (TierStep(100, 3.0), TierStep(None, 5.0))))
    assert tariff.unit_price(tiered, at(date(2026, 3, 5), 0), SHANGHAI) == 3.0
    assert tariff.unit_price(replace(tiered, components=(fee,)), at(date(2026, 3, 5), 0), SHANGHAI) == 3.9


@settings(deadline=None)
@given(st.lists(st.integers(0, 2 * 10**15), max_size=20))
def test_many_prices_at_once_are_the_prices_one_by_one(times: list[int]) -> None:
    together = tariff.unit_prices(ELECTRICITY, np.array(times, dtype=np.int64), SHANGHAI)
    assert together.tolist() == [tariff.unit_price(ELECTRICITY, t, SHANGHAI) for t in times]


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]),
    st.lists(st.integers(0, 2 * 10**15), min_size=1, max_size=20),
)
def test_bands_are_those_of_the_wall_clock_also_where_clocks_are_changed(zone: str, times: list[int]) -> None:
    found = tariff.bands_at(ELECTRICITY, np.array(times, dtype=np.int64), ZoneInfo(zone))
    for time_us, entry in zip(times, found, strict=True):
        local = datetime.fromtimestamp(time_us // 1_000_000, ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        held = [
            i
            for i, b in enumerate(ELECTRICITY.bands)
            if local.month in b.months
            and (b.start_minute <= minute < b.end_minute if b.start_minute < b.end_minute
                 else minute >= b.start_minute or minute < b.end_minute)
        ]  # fmt: skip
        assert entry == (held[0] if held else -1)


# Domain facts §11.4, written out: 水电财字〔83〕215号.
TABLE = {
    0.90: {
        1.00: -0.75, 0.95: -0.75, 0.94: -0.60, 0.93: -0.45, 0.92: -0.30, 0.91: -0.15, 0.90: 0, 0.89: 0.5, 0.85: 2.5,
        0.80: 5, 0.70: 10, 0.69: 11, 0.65: 15, 0.64: 17, 0.63: 19, 0.50: 45,
    },
    0.85: {
        1.00: -1.10, 0.94: -1.10, 0.93: -0.95, 0.92: -0.80, 0.91: -0.65, 0.90: -0.5, 0.89: -0.4, 0.86: -0.1, 0.85: 0,
        0.84: 0.5, 0.80: 2.5, 0.65: 10, 0.64: 11, 0.60: 15, 0.59: 17, 0.50: 35,
    },
    0.80: {
        1.00: -1.30, 0.92: -1.30, 0.91: -1.15, 0.90: -1.0, 0.89: -0.9, 0.81: -0.1, 0.80: 0, 0.79: 0.5, 0.60: 10,
        0.59: 11, 0.55: 15, 0.54: 17, 0.50: 25,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "factor", "per_cent"), [(t, f, a) for t, rows in TABLE.items() for f, a in rows.items()]
)
def test_the_adjustment_is_that_of_the_table(target: float, factor: float, per_cent: float) -> None:
    assert tariff.power_factor_adjustment(factor, target) == per_cent


@pytest.mark.parametrize(("factor", "per_cent"), [(0.8949, 0.5), (0.895, 0.0), (0.9049, 0.0), (0.905, -0.15)])
def test_the_factor_is_rounded_to_a_hundredth_first(factor: float, per_cent: float) -> None:
    assert tariff.power_factor_adjustment(factor, 0.90) == per_cent


@settings(deadline=None)
@given(st.sampled_from([0.90, 0.85, 0.80]), st.floats(0, 1), st.floats(0, 1))
def test_a_better_factor_never_costs_more(target: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert tariff.power_factor_adjustment(low, target) >= tariff.power_factor_adjustment(high, target)


def test_penalties_have_no_cap() -> None:
    assert tariff.power_factor_adjustment(0.0, 0.90) == 15 + 2 * 65


@pytest.mark.parametrize(("factor", "target"), [(1.01, 0.9), (-0.1, 0.9), (math.nan, 0.9), (0.9, 0.95)])
def test_a_factor_or_target_that_cannot_be_is_refused(factor: float, target: float) -> None:
    with pytest.raises(ValueError, match="is no power"):
        tariff.power_factor_adjustment(factor, target)


def test_the_monthly_factor_comes_from_energies_whichever_way_reactive_energy_flows() -> None:
    assert tariff.power_factor(3000, 4000) == pytest.approx(0.6)
    assert tariff.power_factor(3000, -4000) == pytest.approx(0.6)
    assert tariff.power_factor(1.0, 0.484) == pytest.approx(0.90, abs=0.0005)
    assert math.isnan(tariff.power_factor(0, 0))


def test_the_amount_is_per_cent_of_the_charge() -> None:
    assert tariff.adjustment_amount(100_000, 0.85, 0.90) == pytest.approx(2500)
    assert tariff.adjustment_amount(100_000, 0.96, 0.90) == pytest.approx(-750)
