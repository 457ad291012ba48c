"""The pages of a day and a week tell what is charged by the unit, and the month's table has it by the day."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.context import Context
from facility.calendar import day_of
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import Clock, site_of

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
  - {id: em-shop, class: electricity_meter, name: {zh: 商店电表, en: Shop meter}, fed_by: [em-main]}
tariffs:
  - {carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.80, standing_charge: 500, source: contract}
  - id: shop
    name: {zh: 商店, en: Shop}
    carrier: electricity
    meters: [em-shop]
    resold: true
    from: 2026-01-01
    unit: kWh
    price: 1.20
    source: agreement
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("energy-costs"))


@pytest.fixture
def booked(context: Context) -> Context:
    """The books of 20 days in which the main counts 100 kWh an hour, and the shop's meter 10."""
    n = 20 * 24 * 4 + 1
    times = context.clock() - 900_000_000 * np.arange(n, dtype=np.int64)[::-1]
    for key, per_step in (("em-main/energy_import", 25.0), ("em-shop/energy_import", 2.5)):
        index = context.site.points.index[key]
        context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, 1000.0 + per_step * np.arange(n)))
    context.books.bring_up_to_date()
    return context


@pytest.mark.parametrize(
    ("span", "at", "cost", "carbon"),
    [("day", "2026-07-14", "¥1,920", "1.3"), ("week", "2026-07-08", "¥13,440", "8.9")],
)
def test_a_day_and_a_week_cost_without_what_is_due_by_the_month(
    booked: Context, operator: TestClient, span: str, at: str, cost: str, carbon: str
) -> None:
    page = operator.get(f"/energy?span={span}&at={at}").text.replace("\N{NO-BREAK SPACE}", " ")
    assert cost in page
    assert "without the month&#39;s fixed charges" in page
    assert f"{carbon} tCO₂" in page


@pytest.mark.parametrize(
    ("span", "at", "forecast"),
    [
        ("day", "2026-07-14", False),
        ("day", "2026-07-16", False),
        ("week", "2026-07-08", False),
        ("week", "2026-07-16", True),
        ("month", "2026-06", False),
        ("month", "2026-07", True),
        ("year", "2026", False),
    ],
)
def test_a_week_and_a_month_that_run_are_forecast_and_nothing_else(
    booked: Context, operator: TestClient, span: str, at: str, forecast: bool
) -> None:
    page = operator.get(f"/energy?span={span}&at={at}").text
    assert ("Forecast to" in page) is forecast
    assert ("Progress and forecast" in page) is forecast


def test_no_less_is_expected_than_was_counted_today(booked: Context, clock: Clock, operator: TestClient) -> None:
    index, now = booked.site.points.index["em-main/energy_import"], booked.clock()
    clock.pass_s(3600)
    times = [now + i * 900_000_000 for i in range(1, 5)]
    values = [1000.0 + 25.0 * 20 * 96 + i * 50_000.0 for i in range(1, 5)]
    booked.store.write(ReadingBatch.of(booked.site.points, [index] * 4, times, values))
    booked.books.bring_up_to_date()
    for _ in range(100):
        page = operator.get("/energy?span=week&at=2026-07-16").text
        if "is being worked out" not in page:
            break
        time.sleep(0.02)
    counted, at_end = (
        int(re.search(told, page)[1].replace(",", ""))  # type: ignore[index]
        for told in (r"<b>[≈≥]?([\d,]+)</b> <span class=\"u\">kWh", r'data-l="At period end">([\d,]+)')
    )
    assert at_end >= counted


def test_today_costs_what_it_has_used_so_far(booked: Context, operator: TestClient) -> None:
    today = day_of(booked.clock(), booked.site.time_zone)
    (cost,) = booked.books.costs_of(today)
    assert f"¥{round((cost.charge.cents or 0) / 100):,}" in operator.get("/energy?span=day").text


@pytest.mark.parametrize(
    ("span", "at", "title", "told"),
    [
        ("day", "2026-07-14", "Cost by hour", "From ¥80.0 to ¥80.0, ¥1,920.0 in all."),
        ("week", "2026-07-08", "Cost by day", "From ¥1,920 to ¥1,920, ¥13,440 in all."),
        ("month", "2026-07", "Cost by day", "¥1,920"),
    ],
)
def test_the_bars_show_the_cost_of_hours_and_days(
    booked: Context, operator: TestClient, span: str, at: str, title: str, told: str
) -> None:
    page = operator.get(f"/energy?span={span}&at={at}&carrier=cost").text.replace("\N{NO-BREAK SPACE}", " ")
    assert title in page
    assert told in page


def test_a_month_has_its_bill_with_all_of_it(booked: Context, operator: TestClient) -> None:
    assert "without the month" not in operator.get("/energy?span=month&at=2026-07").text


def test_what_is_sold_on_stands_beside_the_bills_with_the_hospitals_own_price(
    booked: Context, operator: TestClient
) -> None:
    page = operator.get("/energy/bill?month=2026-07").text
    assert "Shop, sold on" in page
    assert "Same energy at the hospital&#39;s own price" in page


def test_the_table_of_a_month_has_a_line_for_each_contract_and_day(booked: Context, operator: TestClient) -> None:
    lines = operator.get("/energy/month-2026-07.csv").text.splitlines()
    today = day_of(booked.clock(), booked.site.time_zone)
    assert len([x for x in lines if ",cost/electricity," in x]) == today.day
    (line,) = [x for x in lines if x.startswith("2026-07-14,cost/electricity")]
    assert line == ('2026-07-14,cost/electricity,"charged by the unit, Electricity",Electricity,1920.00,CNY,,,0.0000')


def test_the_table_of_a_day_has_a_line_for_each_hour_that_has_begun(booked: Context, operator: TestClient) -> None:
    lines = operator.get("/energy/day-2026-07-14.csv").text.splitlines()
    found = [x for x in lines if ",cost/electricity," in x]
    assert len(found) == 24
    assert found[9] == ('2026-07-14 09:00,cost/electricity,"charged by the unit, Electricity",Electricity,80.00,CNY,,,')


def test_the_table_of_a_year_has_the_whole_bill_of_each_month(booked: Context, operator: TestClient) -> None:
    lines = operator.get("/energy/year-2026.csv").text.splitlines()
    (july,) = [x for x in lines if x.startswith("2026-07,bill/electricity")]
    assert july == '2026-07,bill/electricity,"bill, Electricity",Electricity,29300.00,CNY,1.0000,0.0000,0.0000'


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("day-2026-07-14", "2026-07-14 00:00", "2026-07-14 23:00"),
        ("week-2026-07-06", "2026-07-06", "2026-07-12"),
        ("month-2026-06", "2026-06-01", "2026-06-30"),
        ("year-2025", "2025-01", "2025-12"),
    ],
)
def test_a_table_is_of_the_period_that_its_name_says(
    booked: Context, operator: TestClient, name: str, first: str, last: str
) -> None:
    lines = operator.get(f"/energy/{name}.csv").text.splitlines()[1:]
    counted = [x.split(",")[0] for x in lines if ",em-main/energy_import," in x]
    assert (counted[0], counted[-1]) == (first, last)
