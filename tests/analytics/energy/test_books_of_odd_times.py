"""Days of 23 and 25 hours, zones that are no whole hours off UTC, and clocks that were never set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.books import Books
from facility.calendar import day_bounds_us
from facility.database import Database
from facility.store.opening import open_store
from tests.analytics.energy.accounts import MAIN, SITE, Accounts, busy, midnight, quarters, write_site

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23.0),
        ("Europe/Berlin", date(2025, 10, 26), 25.0),
        ("America/Sao_Paulo", date(2018, 11, 4), 23.0),  # begins at one o'clock
        ("Asia/Kathmandu", date(2026, 3, 29), 24.0),  # 5 h 45 min ahead of UTC
    ],
)
def test_a_day_is_the_sum_of_its_hours_where_clocks_are_changed(
    tmp_path: Path, database: Database, zone: str, day: date, hours: float
) -> None:
    from facility.site_file import load_site

    site = load_site(write_site(tmp_path, SITE.replace("Asia/Shanghai", zone)))
    (start_us, end_us), after_us = day_bounds_us(day, site.time_zone), day_bounds_us(day + DAY, site.time_zone)[1]
    with open_store(tmp_path / "telemetry.duckdb", zone=zone) as store:
        made = Accounts(site, store, database, after_us)
        times = np.arange(start_us, after_us, 900_000_000, dtype=np.int64)
        made.feed(MAIN, times, np.arange(times.size, dtype=np.float64))
        books = made.books()
        books.bring_up_to_date()
        parts = books.hourly([MAIN], start_us, end_us)[MAIN]
        assert (parts.edges_us[0], parts.edges_us[-1]) == (start_us, end_us)
        assert parts.amount.tolist() == [4.0] * round(hours)
        assert books.daily([MAIN], day, day + DAY)[MAIN].amount.tolist() == [4.0 * hours, 95.0]
        assert books.monthly([MAIN], day, day)[MAIN].amount.tolist() == [4.0 * hours + 95.0]


@pytest.fixture
def strayed(tmp_path: Path, database: Database) -> Iterator[Accounts]:
    """A week of readings, one of 2011 by a clock that lost its battery, and one by a clock that was never set."""
    made = Accounts.open(tmp_path, database)
    with made.store:
        made.feed(MAIN, quarters(date(2026, 3, 1), 7), busy(7, seed=1, start=500.0))
        made.feed(MAIN, [0, midnight(date(2011, 1, 1))], [3.0, 5.0])
        made.at(date(2026, 3, 8))
        yield made


def test_a_stray_clock_makes_no_decades_of_statements(strayed: Accounts) -> None:
    books: Books = strayed.books()
    books.bring_up_to_date()
    months = {s.month for s in books.statements(kind="carbon")}
    assert (min(months), max(months), len(months)) == (date(2011, 1, 1), date(2026, 3, 1), 13 + 13)
    figures = books.daily([MAIN], date(2000, 1, 1), date(2026, 3, 7))[MAIN].amount
    assert np.nansum(figures) == pytest.approx(500.0 - 5.0 + busy(7, seed=1)[-1])
