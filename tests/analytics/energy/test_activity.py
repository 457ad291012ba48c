"""What the hospital did: bed-days, visits and the rest, as people report them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from analytics.energy.activity import ActivityBook, activity_total
from facility.activity import Activity, ActivityKind, Period
from facility.database import Database
from facility.site_file import load_site
from facility.spreadsheet import TableRefused

SITE = load_site(Path(__file__).parents[3] / "examples" / "hospital")
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def said(value: float | None, day: str, kind: ActivityKind = "bed_days", department: str | None = None) -> Activity:
    period: Period = "month" if len(day) == 7 else "day"
    return Activity(kind, department, period, date.fromisoformat(day if period == "day" else f"{day}-01"), value)


# -- the arithmetic


def test_days_that_were_reported_are_added_up_and_the_others_are_not_zero() -> None:
    total = activity_total([said(700, "2026-03-01"), said(720, "2026-03-02")], "bed_days", None, *MARCH)
    assert (total.value, total.days_known, total.days, total.complete) == (1420, 2, 31, False)


def test_nothing_reported_is_not_known() -> None:
    total = activity_total([said(700, "2026-04-01")], "bed_days", None, *MARCH)
    assert math.isnan(total.value)
    assert total.days_known == 0


def test_a_months_figure_stands_for_its_days_and_a_daily_one_above_it() -> None:
    reported = [said(31_000, "2026-03"), said(400, "2026-03-05")]
    assert activity_total(reported, "bed_days", None, *MARCH).value == pytest.approx(30_400)
    week = activity_total(reported, "bed_days", None, date(2026, 3, 1), date(2026, 3, 7))
    assert (week.value, week.monthly) == (pytest.approx(6_400), 6)


def test_the_hospitals_own_figure_stands_above_the_sum_of_its_departments() -> None:
    reported = [
        said(30, "2026-03-01", department="icu"), said(20, "2026-03-01", department="nicu"),
        said(30, "2026-03-02", department="icu"), said(700, "2026-03-02"),
    ]  # fmt: skip
    assert activity_total(reported, "bed_days", None, *MARCH).value == 750
    assert activity_total(reported, "bed_days", "icu", *MARCH).value == 60


def test_of_staff_the_mean_counts() -> None:
    reported = [said(900, "2026-03-01", "staff"), said(1100, "2026-03-02", "staff")]
    assert activity_total(reported, "staff", None, *MARCH).value == 1000


def test_of_two_figures_the_later_counts_and_one_may_be_taken_back() -> None:
    first, second = said(700, "2026-03-01"), said(710, "2026-03-01")
    assert activity_total([first, second], "bed_days", None, *MARCH).value == 710
    assert activity_total([first, said(None, "2026-03-01")], "bed_days", None, *MARCH).days_known == 0


# -- the book


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ActivityBook]:
    database = Database(f"sqlite:///{tmp_path / 'wardwatt.db'}")
    database.upgrade()
    yield ActivityBook(SITE, database, lambda: 1)
    database.close()


def test_what_is_entered_twice_stands_once(book: ActivityBook) -> None:
    assert book.add([said(700, "2026-03-01"), said(31_000, "2026-03", "visits")], "li") == 2
    assert book.add([said(700, "2026-03-01"), said(32_000, "2026-03", "visits")], "li") == 1
    assert book.total("visits", None, *MARCH).value == pytest.approx(32_000)
    assert book.total("bed_days", None, *MARCH).value == 700


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (said(-1, "2026-03-01"), "-1 cannot be; give a number from 0 to 20,000"),
        (said(math.nan, "2026-03-01"), "cannot be"),
        (said(7, "2026-03-01", department="icuu"), "; did you mean 'icu'?"),
        (Activity("visits", None, "month", date(2026, 3, 2), 7), "is not a month's first day"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(book: ActivityBook, item: Activity, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        book.add([said(700, "2026-03-01"), item], "li")
    assert book.reported(*MARCH) == []


def test_a_table_is_taken_whole_in_either_language(book: ActivityBook) -> None:
    table = (
        "项目,科室,日期,数值\n实际占用总床日,,2026-03-01,712\nvisits,,2026/3/1,3204\n"
        'bed_days,重症医学科,2026-03-01,28\nsurgeries,,2026-03,"1,450"\n'
    )
    assert book.import_table("activity.csv", table.encode(), "li") == 4
    assert book.import_table("activity.csv", table.encode(), "li") == 0
    assert book.total("bed_days", None, *MARCH).value == 712
    assert book.total("bed_days", "icu", *MARCH).value == 28
    assert book.total("surgeries", None, *MARCH).value == pytest.approx(1450)


def test_every_mistake_of_a_table_is_told_and_nothing_is_taken(book: ActivityBook) -> None:
    table = (
        "kind,department,day,value\nbed_days,,2026-03-01,712\nbeds,,2026-03-01,1\nvisits,icux,2026-03-01,1\n"
        "visits,,1 March,1\nvisits,,2026-03-02,many\nvisits,,2026-03-03,-4\nbed_days,,2026-03-01,713\n"
    )
    with pytest.raises(TableRefused) as caught:
        book.import_table("activity.csv", table.encode(), "li")
    assert [(m.row, m.column) for m in caught.value.mistakes] == [
        (3, "kind"), (4, "department"), (5, "day"), (6, "value"), (7, "value"), (8, "day"),
    ]  # fmt: skip
    assert "; did you mean 'icu'?" in str(caught.value)
    assert book.reported(*MARCH) == []


@pytest.mark.parametrize("row", ["staff,26-03,5", "staff,0026-03-01,5", "staff,2026-03-01,5,5", "staff,2026-03-01,nan"])
def test_a_year_of_two_digits_and_what_is_no_number_are_mistakes(book: ActivityBook, row: str) -> None:
    quoted = ",".join([*row.split(",")[:2], '"' + ",".join(row.split(",")[2:]) + '"'])
    with pytest.raises(TableRefused):
        book.import_table("a.csv", f"kind,day,value\n{quoted}\n".encode(), "li")
