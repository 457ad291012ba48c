"""The books say what the registers counted, by quarter of an hour, day and month, and how good each figure is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.desk import NoSuchRecord
from analytics.energy.entry_checks import EntryRefused
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US
from facility.database import Database
from tests.analytics.energy.accounts import BY_HAND, MAIN, SITE, WARD, WATER, Accounts, busy, midnight, quarters

FIRST = date(2026, 3, 1)
DAY = timedelta(days=1)


@pytest.fixture
def accounts(tmp_path: Path, database: Database) -> Iterator[Accounts]:
    """Books over an empty store."""
    made = Accounts.open(tmp_path, database)
    with made.store:
        yield made


def test_a_day_is_what_the_register_advanced(accounts: Accounts) -> None:
    counts = busy(3, seed=1)
    accounts.feed(MAIN, quarters(FIRST, 3), counts)
    accounts.at(FIRST + 3 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    day = books.daily([MAIN], FIRST, FIRST + 2 * DAY)[MAIN]
    assert day.amount[:2] == pytest.approx([counts[96] - counts[0], counts[192] - counts[96]])
    assert day.measured[:2].tolist() == [1.0, 1.0]
    # Nobody knows yet what the last quarter of an hour counted.
    assert day.missing[2] == pytest.approx(1 / 96)


def test_nothing_read_is_missing_and_never_zero(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 2), busy(2, seed=1))
    accounts.at(FIRST + 4 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    day = books.daily([MAIN, WARD], FIRST, FIRST + 3 * DAY)
    assert np.isnan(day[MAIN].amount[2:]).all()
    assert day[MAIN].missing[2:].tolist() == [1.0, 1.0]
    assert np.isnan(day[WARD].amount).all()


def test_an_outage_is_kept_and_marked_across_the_end_of_a_month(accounts: Accounts) -> None:
    first, days = date(2026, 2, 1), 45
    times, counts = quarters(first, days), busy(days, seed=2)
    out = (times >= midnight(date(2026, 2, 26))) & (times < midnight(date(2026, 3, 3)))
    accounts.feed(MAIN, times[~out], counts[~out])
    accounts.at(first + days * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    month = books.monthly([MAIN], first, date(2026, 3, 1))[MAIN]
    assert float(month.amount.sum()) == pytest.approx(counts[-1] - counts[0], rel=1e-9)
    assert month.estimated[0] > 0.1
    steps = books.intervals([MAIN], midnight(date(2026, 2, 27)), midnight(date(2026, 2, 28)))[MAIN]
    assert set(steps.grade.tolist()) == {ESTIMATED}


def test_today_is_told_so_far(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 1), busy(1, seed=1))
    accounts.at(FIRST, hour=6.0)
    books = accounts.books()
    books.bring_up_to_date()
    today = books.daily([MAIN], FIRST, FIRST)[MAIN][0]
    assert today.measured == 1.0
    month = books.monthly([MAIN], FIRST, FIRST)[MAIN][0]
    assert month.amount == today.amount
    assert month.missing == 0.0


def test_what_is_booked_is_a_point_that_dashboards_can_draw(accounts: Accounts) -> None:
    counts = busy(2, seed=3)
    accounts.feed(WATER, quarters(FIRST, 2), counts)
    accounts.at(FIRST + 2 * DAY)
    accounts.books().bring_up_to_date()
    drawn = accounts.store.series([WATER + "_used"], midnight(FIRST), midnight(FIRST + DAY))[WATER + "_used"]
    assert drawn.value == pytest.approx(np.diff(counts)[:96])
    address = accounts.store.addresses([WATER + "_used"])[WATER + "_used"]
    assert (address.equipment_class, address.unit, address.kind) == ("water_meter", "m³", "derived")


def test_hours_are_sums_of_quarters(accounts: Accounts) -> None:
    counts = busy(1, seed=1)
    accounts.feed(MAIN, quarters(FIRST, 1), counts)
    accounts.at(FIRST + DAY)
    books = accounts.books()
    books.bring_up_to_date()
    hours = books.hourly([MAIN], midnight(FIRST), midnight(FIRST) + 2 * 4 * STEP_US)[MAIN]
    assert hours.amount == pytest.approx([counts[4] - counts[0], counts[8] - counts[4]])


def test_booking_again_changes_nothing(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 3), busy(3, seed=1))
    accounts.at(FIRST + 3 * DAY)
    books = accounts.books()
    assert books.bring_up_to_date().steps > 0
    assert books.bring_up_to_date(thorough=True).steps == 0
    assert accounts.books().bring_up_to_date().steps == 0


def test_a_register_that_is_read_by_hand_is_estimated_between_the_readings(accounts: Accounts) -> None:
    accounts.at(FIRST + 20 * DAY)
    books = accounts.books()
    books.add_hand_reading(BY_HAND, midnight(FIRST), 100.0, "li")
    books.add_hand_reading(BY_HAND, midnight(FIRST + 10 * DAY), 150.0, "li")
    books.bring_up_to_date()
    day = books.daily([BY_HAND], FIRST, FIRST + 11 * DAY)[BY_HAND]
    assert day.amount[:10].sum() == pytest.approx(50.0)
    assert day.estimated[:10].tolist() == [1.0] * 10
    assert np.isnan(day.amount[11])


def test_a_hand_reading_counts_at_once_in_books_that_are_open(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 40), busy(40, seed=1))
    accounts.at(FIRST + 40 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    first = books.add_hand_reading(BY_HAND, midnight(FIRST), 100.0, "li")
    books.add_hand_reading(BY_HAND, midnight(FIRST + 10 * DAY), 150.0, "li")
    assert books.wanted
    books.bring_up_to_date()
    assert not books.wanted
    assert books.daily([BY_HAND], FIRST, FIRST)[BY_HAND].amount[0] == pytest.approx(5.0)
    books.withdraw_hand_reading(first.id, "li")
    books.bring_up_to_date()
    assert np.isnan(books.daily([BY_HAND], FIRST, FIRST)[BY_HAND].amount[0])
    steps = books.intervals([BY_HAND], midnight(FIRST), midnight(FIRST + DAY))[BY_HAND]
    assert set(steps.grade.tolist()) == {MISSING}


def test_a_hand_reading_in_an_outage_parts_it(accounts: Accounts) -> None:
    times, counts = quarters(FIRST, 6), np.arange(96.0 * 6)
    out = (times > midnight(FIRST + DAY)) & (times < midnight(FIRST + 5 * DAY))
    accounts.feed(MAIN, times[~out], counts[~out])
    accounts.at(FIRST + 6 * DAY)
    books = accounts.books()
    books.add_hand_reading(MAIN, midnight(FIRST + 3 * DAY), 300.0 + 96.0, "li", confirmed=True)
    books.bring_up_to_date()
    day = books.daily([MAIN], FIRST, FIRST + 5 * DAY)[MAIN]
    assert day.amount[1:3].sum() == pytest.approx(300.0)
    assert day.amount[3:5].sum() == pytest.approx(4 * 96 - 300.0)


def test_an_exchange_that_a_person_enters_mends_the_day(accounts: Accounts) -> None:
    times = quarters(FIRST, 4)
    counts = np.arange(96.0 * 4) + 5000.0
    counts[200:] += 12.0 - counts[200]
    accounts.feed(MAIN, times, counts)
    accounts.at(FIRST + 4 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    wrong = books.daily([MAIN], FIRST + 2 * DAY, FIRST + 2 * DAY)[MAIN].amount[0]
    books.add_exchange(MAIN, int(times[199]) + STEP_US // 2, end=5199.5, start=11.5, who="wang")
    books.bring_up_to_date()
    right = books.daily([MAIN], FIRST + 2 * DAY, FIRST + 2 * DAY)[MAIN].amount[0]
    assert right == pytest.approx(96.0)
    assert wrong != pytest.approx(96.0)
    assert [event["kind"] for event in books.events(MAIN)] == ["exchange"]
    assert books.restatements(subject=MAIN)[0].cause == "exchange"


@pytest.mark.parametrize(
    ("value", "words", "confirmable"),
    [
        (-1.0, "zero or above", False),
        (1_000_000.0, "more than the register's 6 digits", False),
        (50.0, "below the reading before it", True),
        (300.0, "above the reading after it", True),
    ],
)
def test_a_hand_reading_that_cannot_be_is_refused(
    accounts: Accounts, value: float, words: str, confirmable: bool
) -> None:
    accounts.at(FIRST + 20 * DAY)
    books = accounts.books()
    books.add_hand_reading(MAIN, midnight(FIRST), 100.0, "li")
    books.add_hand_reading(MAIN, midnight(FIRST + 2 * DAY), 200.0, "li")
    with pytest.raises(EntryRefused, match=words) as refused:
        books.add_hand_reading(MAIN, midnight(FIRST + DAY), value, "li")
    assert refused.value.confirmable is confirmable


def test_a_hand_reading_of_the_future_or_of_no_register_is_refused(accounts: Accounts) -> None:
    accounts.at(FIRST)
    books = accounts.books()
    with pytest.raises(EntryRefused, match="2026-03-02 00:00 lies in the future"):
        books.add_hand_reading(MAIN, midnight(FIRST + DAY), 1.0, "li")
    with pytest.raises(NoSuchRecord, match="'em-9/energy_import' is no register"):
        books.add_hand_reading("em-9/energy_import", midnight(FIRST), 1.0, "li")


def test_a_jump_beyond_all_use_is_taken_only_if_it_is_meant(accounts: Accounts) -> None:
    accounts.at(FIRST + 20 * DAY)
    books = accounts.books()
    for day, value in ((0, 100.0), (1, 110.0), (2, 120.0)):
        books.add_hand_reading(MAIN, midnight(FIRST + day * DAY), value, "li")
    with pytest.raises(EntryRefused, match="where 10 is usual; correct it, or confirm it"):
        books.add_hand_reading(MAIN, midnight(FIRST + 3 * DAY), 500.0, "li")
    assert books.add_hand_reading(MAIN, midnight(FIRST + 3 * DAY), 500.0, "li", confirmed=True).value == 500.0


def test_a_jump_minutes_after_the_last_reading_is_one_too(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 1), np.arange(96.0) + 500.0)
    accounts.at(FIRST + DAY)
    with pytest.raises(EntryRefused, match="correct it, or confirm it"):
        accounts.books().add_hand_reading(MAIN, midnight(FIRST + DAY) - 60_000_000, 900_000.0, "li")


def test_an_exchange_whose_old_meter_jumped_beyond_all_use_is_taken_only_if_it_is_meant(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 1), np.arange(96.0) + 500.0)
    accounts.at(FIRST + DAY)
    books, at_us = accounts.books(), midnight(FIRST + DAY) - 60_000_000
    with pytest.raises(EntryRefused, match="correct it, or confirm it") as refused:
        books.add_exchange(MAIN, at_us, end=900_000.0, start=0.0, who="wang")
    assert refused.value.confirmable
    assert books.add_exchange(MAIN, at_us, end=900_000.0, start=0.0, who="wang", confirmed=True).start_value == 0.0


def test_the_same_hand_reading_twice_is_one(accounts: Accounts) -> None:
    accounts.at(FIRST + DAY)
    books = accounts.books()
    first = books.add_hand_reading(MAIN, midnight(FIRST), 100.0, "li")
    assert books.add_hand_reading(MAIN, midnight(FIRST), 100.0, "li") == first
    with pytest.raises(EntryRefused, match="100 is on record for the same moment"):
        books.add_hand_reading(MAIN, midnight(FIRST), 101.0, "li")


def test_an_exchange_below_what_the_meter_showed_is_refused(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 1), np.arange(96.0) + 500.0)
    accounts.at(FIRST + DAY)
    books = accounts.books()
    with pytest.raises(EntryRefused, match="the old meter's end 400 is below what it showed"):
        books.add_exchange(MAIN, midnight(FIRST) + 10 * STEP_US + 1, end=400.0, start=0.0, who="wang")
    with pytest.raises(EntryRefused, match="the new meter's start 900 is above what it showed"):
        books.add_exchange(MAIN, midnight(FIRST) + 10 * STEP_US + 1, end=510.5, start=900.0, who="wang")


def test_measured_steps_are_measured(accounts: Accounts) -> None:
    accounts.feed(MAIN, quarters(FIRST, 2), busy(2, seed=1))
    accounts.at(FIRST + 2 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    steps = books.intervals([MAIN], midnight(FIRST), midnight(FIRST + DAY))[MAIN]
    assert set(steps.grade.tolist()) == {MEASURED}


VIRTUAL = """
virtual_meters:
  - {id: others, name: {zh: 其余, en: Others}, carrier: electricity, unit: kWh, formula: em-main - em-ward}
"""


def test_a_virtual_meter_follows_its_registers_through_late_data(tmp_path: Path, database: Database) -> None:
    made = Accounts.open(tmp_path, database, SITE + VIRTUAL)
    with made.store:
        times = quarters(FIRST, 10)
        main, ward = np.arange(960.0) * 3.0, np.arange(960.0)
        late = (times >= midnight(FIRST + 3 * DAY)) & (times < midnight(FIRST + 5 * DAY))
        made.feed(MAIN, times, main)
        made.feed(WARD, times[~late], ward[~late])
        made.at(FIRST + 12 * DAY)
        books = made.books()
        books.bring_up_to_date()
        day = books.daily(["virtual/others"], FIRST, FIRST + 9 * DAY)["virtual/others"]
        assert day.amount[:2] == pytest.approx([192.0, 192.0])
        assert day.estimated[3] == 1.0
        made.feed(WARD, times[late], ward[late])
        books.bring_up_to_date()
        day = books.daily(["virtual/others"], FIRST, FIRST + 9 * DAY)["virtual/others"]
        assert day.amount[:9] == pytest.approx([192.0] * 9)
        assert day.measured[3] == 1.0
        steps = books.intervals(["virtual/others"], midnight(FIRST), midnight(FIRST + DAY))["virtual/others"]
        assert steps.used == pytest.approx(np.full(96, 2.0))
