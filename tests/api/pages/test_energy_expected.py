"""What the days before let expect of a month, and what measures are proven to have saved, from the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from api.context import Context
from api.pages.energy_department_reading import own_registers
from api.pages.energy_expected import outdoor_point, outlook
from api.pages.energy_measures import measured_meters, prove_measure
from facility.calendar import day_of
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import site_of

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}}
  - {id: ward, name: {zh: 外科病房, en: Surgical ward}}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main], serves: [icu]}
  - {id: em-icu-2, class: electricity_meter, name: {zh: ICU分表, en: ICU sub-meter}, fed_by: [em-icu], serves: [icu]}
  - {id: em-both, class: electricity_meter, name: {zh: 共用表, en: Shared}, fed_by: [em-main], serves: [icu, ward]}
  - {id: ws1, class: weather_station, name: {zh: 气象站, en: Weather station}}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps}
    meter: em-icu
    carrier: electricity
    baseline: {from: 2026-04-20, to: 2026-06-20}
    reporting: {from: 2026-06-22}
"""
HOUR_US = 3_600_000_000
MAIN = "em-main/energy_import"
JULY = (date(2026, 7, 1), date(2026, 8, 1))
Count = Callable[..., None]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("expected"))


@pytest.fixture
def count(context: Context) -> Count:
    """Let a register count so much an hour for so many days up to now, and book it; `later` from the last days on."""

    def count_up(key: str, per_hour: float, days: int, later: float | None = None, later_days: int = 0) -> None:
        index, n = context.site.points.index[key], days * 24 + 1
        times = context.clock() - np.arange(n)[::-1].astype(np.int64) * HOUR_US
        rate = np.full(n - 1, per_hour)
        if later is not None:
            rate[-later_days * 24 :] = later
        values = 1000.0 + np.concatenate([[0.0], np.cumsum(rate)])
        context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, values))
        context.books.bring_up_to_date()

    return count_up


def today(context: Context) -> date:
    return day_of(context.clock(), context.site.time_zone)


def test_a_steady_past_lets_expect_the_same_of_every_day(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 60)
    own = outlook(context.books, context.store, [MAIN], *JULY, today(context))
    assert own.expected == pytest.approx(np.full(31, 2400.0), rel=1e-6)
    assert own.total == pytest.approx(31 * 2400.0, rel=1e-6)


def test_only_days_to_come_are_forecast(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 60)
    own = outlook(context.books, context.store, [MAIN], *JULY, today(context))
    assert np.isfinite(own.forecast).tolist() == [i >= 15 for i in range(31)]


def test_what_july_used_does_not_change_what_was_expected_of_it(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 60, later=150.0, later_days=10)
    own = outlook(context.books, context.store, [MAIN], *JULY, today(context))
    assert own.expected == pytest.approx(np.full(31, 2400.0), rel=1e-6)
    assert own.total is not None
    assert own.total > 31 * 2400.0


def test_of_a_fortnight_or_less_nothing_is_expected(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 28)  # 13 whole days of them before July
    own = outlook(context.books, context.store, [MAIN], *JULY, today(context))
    assert np.isnan(own.expected).all()


def test_a_month_that_is_over_has_no_forecast(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 60)
    own = outlook(context.books, context.store, [MAIN], date(2026, 6, 1), date(2026, 7, 1), today(context))
    assert (own.total, own.half_width, own.reason) == (None, None, None)
    assert np.isnan(own.forecast).all()


def test_a_month_with_too_few_days_says_why_it_has_no_forecast(context: Context, count: Count) -> None:
    count(MAIN, 100.0, 3)
    own = outlook(context.books, context.store, [MAIN], *JULY, today(context))
    assert own.total is None
    assert own.reason is not None
    assert own.reason.en == "only 2 days are known; a forecast needs 5"


def test_without_a_register_nothing_is_expected(context: Context) -> None:
    own = outlook(context.books, context.store, [], *JULY, today(context))
    assert np.isnan(own.expected).all()
    assert own.total is None


def test_the_weather_station_tells_the_outdoor_temperature(site: Site) -> None:
    assert outdoor_point(site) == "ws1/outdoor_temperature"


def test_a_department_has_the_meters_that_serve_it_alone_each_once(context: Context) -> None:
    own = own_registers(context.site, context.books.registers(), "electricity", date(2026, 7, 1))
    assert own == {"icu": ["em-icu/energy_import"]}


def test_a_saving_of_two_months_is_stated_with_what_speaks_against_it(context: Context, count: Count) -> None:
    count("em-icu/energy_import", 10.0, 86, later=9.0, later_days=24)
    measure = context.site.measures["lamps"]
    own = prove_measure(context.site, context.books, context.store, measure, context.clock())
    assert own.saving is not None
    assert own.saving.relative_saving == pytest.approx(0.10, abs=0.005)
    assert not own.saving.acceptable
    assert any(reason.blocking for reason in own.reasons)
    assert own.money is None  # the site has no tariff


def test_a_measure_whose_meter_has_told_nothing_has_no_saving(context: Context) -> None:
    own = prove_measure(context.site, context.books, context.store, context.site.measures["lamps"], context.clock())
    assert (own.saving, own.model) == (None, None)


def test_a_measure_changes_the_register_of_its_meter(context: Context) -> None:
    found = measured_meters(context.site, context.books, context.site.measures["lamps"])
    assert [m.key for m in found] == ["em-icu/energy_import"]
