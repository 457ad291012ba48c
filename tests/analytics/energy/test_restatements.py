"""Late data restate the past openly: old figure, new figure, cause. In what order data come changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.database import Database
from tests.analytics.energy.accounts import MAIN, WARD, Accounts, busy, everything, midnight, quarters

FIRST = date(2026, 1, 1)
DAY = timedelta(days=1)
DAYS = 31 + 28 + 31
NOW = FIRST + (DAYS + 3) * DAY


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Folders of their own, for books that are compared."""
    numbers = itertools.count()

    def one() -> Path:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return folder

    return iter(one, None)


def opened(folder: Path) -> Accounts:
    database = Database(f"sqlite:///{folder}/wardwatt.db")
    database.upgrade()
    return Accounts.open(folder, database)


def in_order(folder: Path, data: dict[str, tuple[np.ndarray, np.ndarray]], every: int = 3) -> Accounts:
    """Books of readings that came when they were taken, brought up to date every so many days."""
    accounts = opened(folder)
    books = accounts.books()
    for begin, end in itertools.pairwise([FIRST, *(FIRST + day * DAY for day in range(1, DAYS, every)), NOW]):
        for key, (times, counts) in data.items():
            new = (times >= midnight(begin)) & (times < midnight(end))
            accounts.feed(key, times[new], counts[new])
        accounts.at(end)
        books.bring_up_to_date()
    return accounts


def year_of(seed: int, outages: int = 3) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two registers with outages, a roll-over and an exchange that nobody entered."""
    rng = np.random.default_rng(seed)
    data = {}
    for key in (MAIN, WARD):
        times = quarters(FIRST, DAYS)
        counts = busy(DAYS, seed, start=999_000.0) % 1_000_000.0
        keep = np.ones(times.shape[0], dtype=bool)
        for _ in range(outages):
            begin = int(rng.integers(0, keep.size))
            keep[begin : begin + int(rng.integers(1, 96 * 5))] = False
        data[key] = (times[keep], counts[keep])
    return data


def test_months_in_any_order_with_a_week_late_equal_months_in_order(folders: Iterator[Path]) -> None:
    data = year_of(seed=5)
    straight = in_order(next(folders), data)
    muddled = opened(next(folders))
    books = muddled.books()
    muddled.at(NOW)
    week = (midnight(date(2026, 2, 9)), midnight(date(2026, 2, 16)))
    for month in (3, 1, 2):
        low, high = midnight(date(2026, month, 1)), midnight(date(2026, month + 1, 1))
        for key, (times, counts) in data.items():
            late = (times >= week[0]) & (times < week[1])
            now = np.flatnonzero((times >= low) & (times < high) & ~late)
            for part in np.array_split(np.random.default_rng(month).permutation(now), 3):
                muddled.feed(key, times[part], counts[part])
            books.bring_up_to_date()
    for key, (times, counts) in data.items():
        late = (times >= week[0]) & (times < week[1])
        muddled.feed(key, times[late], counts[late])
    books.bring_up_to_date()
    expected = everything(straight.books(), [MAIN, WARD], FIRST, DAYS)
    found = everything(books, [MAIN, WARD], FIRST, DAYS)
    for key in (MAIN, WARD):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-9, atol=1e-9)
    told = books.restatements(subject=MAIN)
    assert {r.cause for r in told} == {"late data"}
    assert any(r.first_day <= date(2026, 2, 9) and r.last_day >= date(2026, 2, 15) for r in told)
    straight.store.close()
    muddled.store.close()


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_any_order_gives_the_same_books(tmp_path_factory: pytest.TempPathFactory, seed: int, order: list[int]) -> None:
    data = year_of(seed, outages=6)
    straight = in_order(tmp_path_factory.mktemp("straight"), data, every=10)
    muddled = opened(tmp_path_factory.mktemp("muddled"))
    muddled.at(NOW)
    books = muddled.books()
    which = np.random.default_rng(seed).integers(0, 6, 200)
    for part in order:
        for key, (times, counts) in data.items():
            # Blocks of half a day belong to one of six deliveries.
            block = which[((times - midnight(FIRST)) // 43_200_000_000) % 200]
            muddled.feed(key, times[block == part], counts[block == part])
        books.bring_up_to_date()
    expected = everything(straight.books(), [MAIN, WARD], FIRST, DAYS)
    found = everything(books, [MAIN, WARD], FIRST, DAYS)
    straight.store.close()
    muddled.store.close()
    for key in (MAIN, WARD):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-9, atol=1e-9)


def test_a_restatement_names_old_and_new_figure_and_cause(folders: Iterator[Path]) -> None:
    accounts = opened(next(folders))
    times, counts = quarters(FIRST, 10), np.arange(960.0)
    late = (times >= midnight(FIRST + 8 * DAY)) & (times < midnight(FIRST + 9 * DAY))
    until = times < midnight(FIRST + 9 * DAY)
    accounts.feed(MAIN, times[until & ~late], counts[until & ~late])
    accounts.at(FIRST + 12 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    assert books.restatements() == []
    accounts.feed(MAIN, times[late], counts[late])
    books.bring_up_to_date()
    (told,) = books.restatements()
    assert (told.subject, told.first_day, told.last_day) == (MAIN, FIRST + 7 * DAY, FIRST + 8 * DAY)
    assert told.cause == "late data"
    assert told.unit == "kWh"
    # The last step before the outage was not known either.
    assert [(old, new) for _, old, new in told.days] == [(95.0, 96.0), (pytest.approx(np.nan, nan_ok=True), 95.0)]
    accounts.store.close()


def test_a_day_that_is_not_closed_is_changed_without_ado(folders: Iterator[Path]) -> None:
    accounts = opened(next(folders))
    times, counts = quarters(FIRST, 3), np.arange(288.0)
    accounts.feed(MAIN, times[:250], counts[:250])
    accounts.at(FIRST + 3 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    accounts.feed(MAIN, times[250:], counts[250:])
    accounts.at(FIRST + 3 * DAY, hour=12.0)
    books.bring_up_to_date()
    assert books.restatements() == []
    accounts.store.close()


def test_a_corrected_value_among_as_many_readings_is_found(folders: Iterator[Path]) -> None:
    accounts = opened(next(folders))
    times, counts = quarters(FIRST, 10), np.arange(960.0)
    accounts.feed(MAIN, times, counts)
    accounts.at(FIRST + 12 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    accounts.feed(MAIN, [int(times[200])], [counts[200] + 0.5])
    books.bring_up_to_date(thorough=True)
    steps = books.intervals([MAIN], int(times[199]), int(times[201]))[MAIN]
    assert steps.used.tolist() == [1.5, 0.5]
    accounts.store.close()


def test_figures_of_readings_that_have_expired_stay(folders: Iterator[Path]) -> None:
    accounts = opened(next(folders))
    times, counts = quarters(FIRST, 60), busy(60, seed=4)
    accounts.feed(MAIN, times, counts)
    accounts.at(FIRST + 61 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    before = books.daily([MAIN], FIRST, FIRST + 59 * DAY)[MAIN].amount
    steps = books.intervals([MAIN], midnight(FIRST), midnight(FIRST + 5 * DAY))[MAIN].used
    retention = type(accounts.site.retention)(raw_us=30 * 86_400_000_000)
    accounts.store.expire(retention, accounts.now_us)
    fresh = accounts.books()
    fresh.bring_up_to_date(thorough=True)
    np.testing.assert_array_equal(fresh.daily([MAIN], FIRST, FIRST + 59 * DAY)[MAIN].amount, before)
    again = fresh.intervals([MAIN], midnight(FIRST), midnight(FIRST + 5 * DAY))[MAIN].used
    np.testing.assert_allclose(again, steps)
    assert fresh.restatements() == []
    accounts.store.close()
