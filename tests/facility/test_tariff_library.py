"""The plans of provinces: every one can be read, says where it is from, and keeps the rules that hold for all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from facility.calendar import at_us
from facility.errors import ConfigurationError
from facility.tariff import bands_at
from facility.tariff_library import LibraryPlan, library, library_plan, load_plans
from facility.tariff_model import Tariff
from tests.analytics.energy.tariffs import SHANGHAI

PLANS = list(library().values())


def day_of_bands(plan: LibraryPlan, day: date, hot_days: frozenset[date] = frozenset()) -> str:
    """Return the bands of a day as 48 letters, one each half hour: S, P, f, v, d."""
    tariff = Tariff("electricity", 1.0, "kWh", plan.bands, ratios=plan.ratios)
    times = np.array([at_us(day, 30 * i, SHANGHAI) for i in range(48)], dtype=np.int64)
    letters = {"sharp": "S", "peak": "P", "flat": "f", "valley": "v", "deep": "d"}
    entries = bands_at(tariff, times, SHANGHAI, hot_days)
    return "".join(letters[plan.bands[i].name] if i >= 0 else "f" for i in entries)


def hours(text: str) -> str:
    """Return 48 half hours of a day that is told by hours: `6v 2.5f 3P ...`."""
    return "".join(part[-1] * round(2 * float(part[:-1])) for part in text.split())


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: p.id)
class TestEveryPlan:
    def test_says_where_it_is_from_and_what_to_check(self, plan: LibraryPlan) -> None:
        assert "〔20" in plan.document
        assert plan.checked or plan.verify
        assert plan.ratios or "ratios" in plan.verify

    def test_has_a_ratio_for_each_band_of_each_month_or_none_at_all(self, plan: LibraryPlan) -> None:
        for month in range(1, 13) if plan.ratios else ():
            held = [r.ratios for r in plan.ratios if month in r.months]
            assert len(held) == 1
            assert {b.name for b in plan.bands if month in b.months} <= held[0].keys()

    def test_sharp_is_dearer_than_peak_and_deep_cheaper_than_valley(self, plan: LibraryPlan) -> None:
        for found in plan.ratios:
            r = found.ratios
            assert r["peak"] > r["flat"] > r["valley"]
            # 发改价格〔2021〕1093号: a fifth above the peak at least. Fujian, Shandong and Shaanxi publish less.
            assert r.get("sharp", 9.0) > r["peak"]
            assert r.get("deep", 0.0) < r["valley"]

    def test_has_flat_valley_and_peak_hours_in_every_month(self, plan: LibraryPlan) -> None:
        for month in range(1, 13):
            letters = set(day_of_bands(plan, date(2026, month, 20)))
            if plan.id != "shanghai-single-part":  # peak and valley fill the day
                assert "f" in letters
            assert letters & {"v", "d"}
            assert letters & {"P", "S"}


@pytest.mark.parametrize(
    ("plan", "month", "expected"),
    [
        ("shanghai-two-part", 7, "6v 2f 4P 2S 1P 3f 3P 1f 2v"),
        ("shanghai-two-part", 9, "6v 2f 7P 3f 3P 1f 2v"),
        ("shanghai-two-part", 1, "6v 2f 3P 7f 1P 2S 1f 2v"),
        ("shanghai-two-part", 4, "6v 2f 3P 7f 3P 1f 2v"),
        ("beijing-two-part", 7, "7v 3f 1P 2S 3f 1S 5P 1f 1v"),
        ("beijing-two-part", 12, "7v 3f 3P 4f 1P 3S 1P 1f 1v"),
        ("jiangsu-two-part", 5, "2f 4v 4f 4v 1f 7P 2f"),
        ("guangdong", 8, "8v 2f 1P 1S 2f 1P 2S 2P 5f"),
        ("guangdong", 10, "8v 2f 2P 2f 5P 5f"),
        ("shandong", 1, "2f 4v 1f 2P 1f 1v 3d 1v 1f 3S 2P 3f"),
        ("hubei", 7, "6v 6f 2v 2f 4P 2S 2P"),
        ("anhui", 12, "6v 6f 2v 1f 8P 1v"),
        ("jiangxi", 8, "1f 4v 6.5f 0.5v 2d 0.5v 2.5f 3.5P 2S 0.5P 1f"),
        ("hebei-north", 1, "1f 6v 1f 2P 2f 2v 2f 1P 2S 3P 2f"),
        ("hebei-south", 4, "3f 4v 4f 1v 3d 1f 8P"),
        ("xinjiang", 7, "4f 4v 3P 2f 1v 2d 1v 2f 2P 2S 1P"),
    ],
)
def test_a_day_is_divided_as_the_document_says(plan: str, month: int, expected: str) -> None:
    assert day_of_bands(library_plan(plan), date(2026, month, 20)) == hours(expected)


def test_half_hours_are_kept() -> None:
    day = day_of_bands(library_plan("liaoning"), date(2026, 4, 20))
    assert (day[15], day[20], day[21]) == ("P", "P", "f")  # from 7:30 to 10:30
    assert day[22:26] == "fvvf"  # 11:30 to 12:30


def test_deep_valley_holds_at_three_festivals_and_on_no_other_holiday() -> None:
    zhejiang = library_plan("zhejiang")
    noon = slice(20, 28)
    for day in (date(2026, 2, 17), date(2026, 5, 1), date(2026, 10, 1)):
        assert day_of_bands(zhejiang, day)[noon] == "d" * 8
    for day in (date(2026, 4, 6), date(2026, 5, 6)):  # tomb sweeping, and the day after the holiday
        assert "d" not in day_of_bands(zhejiang, day)


def test_hot_days_have_a_sharp_peak_in_other_months_too() -> None:
    may = date(2026, 5, 20)
    guangdong = library_plan("guangdong")
    assert "S" not in day_of_bands(guangdong, may)
    assert day_of_bands(guangdong, may, frozenset({may})).count("S") == 6


def test_a_plan_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'jiangsu-two-part'"):
        library_plan("jiangsu-twopart")


def test_mistakes_in_a_plan_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "nowhere.yaml").write_text(
        "name: {zh: 无, en: Nowhere}\ndocument: none\nchecked: false\n"
        "bands: [{name: peak, price: 1, from: 08:00, to: 09:00}]\n"
    )
    with pytest.raises(ConfigurationError, match="a plan that is not checked says what to verify"):
        load_plans(tmp_path)
