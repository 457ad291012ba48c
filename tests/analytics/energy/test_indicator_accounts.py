"""All indicators of a month together."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.activity import ActivityTotal
from analytics.energy.indicator_accounts import (
    MonthAccounts,
    Surroundings,
    intervals_wanted,
    month_indicators,
    registers_wanted,
)
from analytics.energy.intervals import MEASURED, Intervals, Total
from analytics.energy.machine_indicators import MachineFigures
from analytics.energy.weather import DegreeDays
from facility.activity import ActivityKind
from facility.metering import booked_registers
from facility.site_file import load_site

SITE = load_site(Path(__file__).parents[3] / "examples" / "hospital")


def month(first: date, kwh: float | None, icu_kwh: float | None = None) -> MonthAccounts:
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    known = {} if kwh is None else {"electricity": Total(kwh, 1.0, 0.0, 0.0)}
    own = {} if icu_kwh is None else {"icu": {"electricity": Total(icu_kwh, 1.0, 0.0, 0.0)}}
    return MonthAccounts(first, last, known, own)  # type: ignore[arg-type]


def year(kwh: float | None = 1_000_000) -> list[MonthAccounts]:
    """Return March 2025 to February 2026."""
    return [month(date(2025 + (m > 12), (m - 1) % 12 + 1, 1), kwh) for m in range(3, 15)]


def done(kind: ActivityKind, department: str | None, first: date, last: date) -> ActivityTotal:
    days = (last - first).days + 1
    return ActivityTotal(700.0 * days, days, days) if kind == "bed_days" else ActivityTotal(math.nan, days, 0)


AROUND = Surroundings(
    done, lambda first, last: DegreeDays(100.0, 0.0, (last - first).days + 1, (last - first).days + 1)
)
NOTHING = MachineFigures({}, {})


def test_a_year_is_twelve_months_and_the_area_of_their_days() -> None:
    found = month_indicators(SITE, year(), NOTHING, {}, AROUND)
    per_area = {i.span: i for i in found.indicators if i.id == "electricity_per_area" and i.kind == "hospital"}
    assert per_area["year"].value == pytest.approx(12_000_000 / 98_000)
    assert per_area["month"].value == pytest.approx(1_000_000 / 98_000)
    # The top floor was opened on the first of March 2025: before, the hospital was smaller.
    before = month_indicators(SITE, [month(date(2025, 2, 1), 961_000)], NOTHING, {}, AROUND)
    assert next(i for i in before.indicators if i.id == "electricity_per_area").value == pytest.approx(10.0)


def test_eleven_months_are_no_year() -> None:
    assert {i.span for i in month_indicators(SITE, year()[1:], NOTHING, {}, AROUND).indicators} == {"month"}


def test_a_month_of_the_year_that_is_not_known_is_missing_and_not_nothing() -> None:
    months = [*year()[:6], month(date(2025, 9, 1), None), *year()[7:]]
    found = month_indicators(SITE, months, NOTHING, {}, AROUND)
    total = next(i for i in found.indicators if i.id == "electricity_per_area" and i.span == "year")
    assert total.missing == pytest.approx(30 / 365)
    assert [(r.code, r.blocking) for r in total.reasons] == [("partly-missing", False)]


def test_departments_that_were_charged_have_indicators_of_their_own() -> None:
    found = month_indicators(SITE, [month(date(2026, 2, 1), 1e6, 54_000)], NOTHING, {}, AROUND)
    icu = {i.id: i for i in found.indicators if i.subject == "icu"}
    assert icu["electricity_per_area"].value == pytest.approx(54_000 / 1800)
    assert icu["electricity_per_bed_day"].value == pytest.approx(54_000 / (700 * 28))
    assert not [i for i in found.indicators if i.kind == "department" and i.subject != "icu"]


def test_what_does_not_come_in_has_no_indicator() -> None:
    ids = {i.id for i in month_indicators(SITE, [month(date(2026, 2, 1), 1e6)], NOTHING, {}, AROUND).indicators}
    assert {"electricity_per_area", "gas_per_area", "water_per_bed_day"} <= ids
    assert not {"oxygen_per_bed_day", "heat_per_area"} & ids  # oxygen and heat are made here


def test_every_register_that_is_wanted_is_booked() -> None:
    booked = booked_registers(SITE)
    assert set(registers_wanted(SITE)) <= booked.keys()
    assert set(intervals_wanted(SITE)) <= booked.keys()
    assert {"ch1/cooling_total", "b1/gas_total", "tx1/energy_import"} <= {
        *registers_wanted(SITE), *intervals_wanted(SITE),
    }  # fmt: skip


def test_transformers_tell_what_they_carried_and_lost() -> None:
    steps = Intervals(0, np.full(96 * 28, 100.0), np.full(96 * 28, MEASURED, dtype=np.int8))
    found = month_indicators(SITE, [month(date(2026, 2, 1), 1e6)], NOTHING, {"tx1/energy_import": steps}, AROUND)
    assert found.transformers["tx1"].mean_load == pytest.approx(400 / 1600)
    assert found.transformers["tx1"].no_load_kwh == pytest.approx(1.96 * 24 * 28)


def test_what_is_not_known_is_null_in_json() -> None:
    found = month_indicators(SITE, [month(date(2026, 2, 1), None)], NOTHING, {}, AROUND)
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["month"] == "2026-02-01"
    assert {i["value"] for i in plain["indicators"]} == {None}
    assert all(i["reasons"] for i in plain["indicators"])


@pytest.mark.parametrize("months", [[], [month(date(2026, 1, 1), 1.0), month(date(2026, 3, 1), 1.0)]])
def test_months_that_do_not_follow_each_other_are_refused(months: list[MonthAccounts]) -> None:
    with pytest.raises(ValueError, match="follow each other"):
        month_indicators(SITE, months, NOTHING, {}, AROUND)
