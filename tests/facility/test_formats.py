"""How figures, times and titles read. A no-break space is written as ~ in these tests."""

from __future__ import annotations

import math
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility import formats

SHANGHAI = ZoneInfo("Asia/Shanghai")
S = 1_000_000
# 2026-07-16 02:49:02 in Shanghai
NIGHT = 1_784_141_342 * S


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", "~")


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1021400.0, 0, "1,021,400"),
        (-0.5, 1, "−0.5"),
        (0.457, 2, "0.46"),
        (-0.04, 1, "0.0"),
        (math.nan, 1, "—"),
        (math.inf, 1, "—"),
    ],
)
def test_numbers_have_thousands_a_real_minus_and_their_decimals(value: float, decimals: int, text: str) -> None:
    assert formats.number(value, decimals) == text


@pytest.mark.parametrize(("value", "text"), [(1.2, "+1.2"), (-1.2, "−1.2"), (0.0, "0.0")])
def test_differences_carry_their_sign(value: float, text: str) -> None:
    assert formats.number(value, 1, signed=True) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (319.6, "319.6"),  # 0 decimals would say 320
        (319.4, "319"),
        (319.9996, "319.9996"),
        (320.0, "320"),
        (320.4, "320.4"),  # 320 would say that it is not above
        (320.6, "321"),
    ],
)
def test_a_value_is_never_rounded_onto_or_across_a_limit(value: float, text: str) -> None:
    assert formats.number(value, 0, limits=[320.0]) == text


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(0, 3))
def test_the_text_stands_on_the_same_side_of_a_limit_as_the_value(value: float, limit: float, decimals: int) -> None:
    shown = float(formats.number(value, decimals, limits=[limit]).replace(",", "").replace("−", "-"))
    if abs(value - limit) > 1e-6:
        assert (shown > limit) == (value > limit)
        assert (shown < limit) == (value < limit)


@pytest.mark.parametrize(
    ("value", "unit", "own", "text"),
    [
        (312.4, "kPa", None, "312~kPa"),
        (0.4567, "MPa", None, "0.46~MPa"),
        (0.4567, "MPa", 3, "0.457~MPa"),
        (10.05, "kV", None, "10.05~kV"),
        (84.6, "%", None, "85%"),
        (0.914, "", None, "0.91"),
        (4.56, "mm/s", None, "4.6~mm/s"),
        (0.456, "mg/L", None, "0.46~mg/L"),
        (math.nan, "kPa", None, "—"),
    ],
)
def test_units_are_joined_so_that_they_do_not_part(value: float, unit: str, own: int | None, text: str) -> None:
    assert plain(formats.quantity(value, unit, own)) == text


def test_ranges_use_the_mark_of_the_language() -> None:
    assert formats.band(350, 480, 0, "zh") == "350～480"
    assert formats.band(350, 480, 0, "en") == "350–480"


@pytest.mark.parametrize(
    ("value", "options", "zh", "en"),
    [
        (1204.4, {}, "1,204~元", "¥1,204"),
        (941618.0, {"headline": True}, "94.16~万元", "¥941,618"),
        (9999.0, {"headline": True}, "9,999~元", "¥9,999"),
        (320.0, {"per_day": True}, "320~元/天", "¥320/day"),
        (-50.0, {}, "−50~元", "−¥50"),
        (math.nan, {}, "—", "—"),
    ],
)
def test_money_in_whole_yuan(value: float, options: dict[str, bool], zh: str, en: str) -> None:
    assert plain(formats.money(value, "CNY", "zh", **options)) == zh
    assert plain(formats.money(value, "CNY", "en", **options)) == en


def test_another_currency_goes_by_its_letters() -> None:
    assert plain(formats.money(1204.0, "EUR", "en", per_day=True)) == "EUR~1,204/day"


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0~秒", "0~s"),
        (42, "42~秒", "42~s"),
        (59.9, "59~秒", "59~s"),
        (102, "1~分 42~秒", "1~min 42~s"),
        (1000, "16~分 40~秒", "16~min 40~s"),
        (2 * 3600 + 23 * 60 + 50, "2~小时 23~分", "2~h 23~min"),
        (2 * 3600, "2~小时", "2~h"),
        (2 * 86400 + 21 * 3600, "2~天 21~小时", "2~d 21~h"),
        (2 * 86400 + 5, "2~天", "2~d"),
    ],
)
def test_durations_take_two_units_at_most(seconds: float, zh: str, en: str) -> None:
    assert plain(formats.duration(int(seconds * S), "zh")) == zh
    assert plain(formats.duration(int(seconds * S), "en")) == en


def test_times_are_shown_in_the_zone_of_the_site() -> None:
    assert formats.clock(NIGHT, SHANGHAI) == "02:49:02"
    assert formats.clock(NIGHT, SHANGHAI, seconds=False) == "02:49"
    assert formats.list_time(NIGHT, SHANGHAI) == "07-16 02:49"
    assert formats.moment(NIGHT + 7, SHANGHAI).microsecond == 7


def test_days() -> None:
    day = date(2026, 7, 16)
    assert formats.report_date(day) == "2026-07-16"
    assert (formats.weekday(day, "zh"), formats.weekday(day, "en")) == ("周四", "Thu")


@pytest.mark.parametrize(
    ("title", "fits"),
    [
        ("氧" * 20, True),
        ("氧" * 21, False),
        ("o" * 45, True),
        ("o" * 46, False),
        ("ICU 氧气压力低 312 kPa", True),
    ],
)
def test_a_title_has_twenty_chinese_characters_or_forty_five_letters(title: str, fits: bool) -> None:
    assert formats.fits_title(title) is fits
