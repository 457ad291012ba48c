"""The job that keeps the energy accounts: every quarter of an hour, soon after an entry, and not side by side."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics.desk import Desk
from analytics.energy import updating
from analytics.energy.books import Books
from analytics.energy.register_booking import RegisterBooking
from analytics.schedule import Jobs
from facility.database import Database
from facility.errors import StoreUnavailable
from tests.analytics.energy.accounts import BY_HAND, MAIN, Accounts, busy, midnight, quarters

FIRST = date(2026, 3, 1)
MINUTE_US = 60_000_000


class Kept:
    """Jobs over books that count how often they were brought up to date, and how thoroughly."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts, self.runs = accounts, []  # type: tuple[Accounts, list[bool]]
        self.fails = False
        self.books = accounts.books()
        bring = self.books.bring_up_to_date

        def counted(*told: Any, thorough: bool = False) -> Any:
            self.runs.append(thorough)
            if self.fails:
                raise StoreUnavailable("the store is away")
            return bring(*told, thorough=thorough)

        self.books.bring_up_to_date = counted  # type: ignore[method-assign]
        desk = Desk(accounts.database, accounts.site, lambda: accounts.now_us)
        clock = lambda: accounts.now_us  # noqa: E731 - the clock is the test's
        self.jobs = Jobs(accounts.site, accounts.store, desk, accounts.database, clock, books=self.books)

    def after(self, minutes: float) -> int:
        """Let time pass, give the job a turn, and return how often the books were kept so far."""
        self.accounts.now_us += round(minutes * MINUTE_US)
        self.jobs.keep_books()
        return len(self.runs)


@pytest.fixture
def kept(tmp_path: Path, database: Database) -> Iterator[Kept]:
    """Three days of one meter."""
    accounts = Accounts.open(tmp_path, database)
    with accounts.store:
        accounts.feed(MAIN, quarters(FIRST, 3), busy(3, seed=1))
        accounts.at(date(2026, 3, 3), hour=10.0)
        yield Kept(accounts)


def test_the_books_are_kept_at_once_and_then_every_quarter_of_an_hour(kept: Kept) -> None:
    assert kept.after(0) == 1
    assert kept.after(14.9) == 1
    assert kept.after(0.1) == 2


def test_an_entry_of_any_process_is_booked_at_the_next_turn(kept: Kept) -> None:
    kept.after(0)
    kept.accounts.now_us += MINUTE_US
    other = Books(kept.accounts.site, kept.accounts.store, kept.accounts.database, lambda: kept.accounts.now_us)
    other.add_hand_reading(BY_HAND, midnight(FIRST), 10.0, "li")
    assert kept.after(0.1) == 2
    assert kept.after(0.1) == 2


def test_every_day_is_looked_at_once_a_day(kept: Kept) -> None:
    kept.after(0)
    kept.after(15)
    kept.after(14 * 60)
    assert kept.runs == [True, False, True]


def test_after_a_failure_there_is_a_pause_of_a_minute(kept: Kept) -> None:
    kept.fails = True
    assert kept.after(0) == 1
    assert kept.after(0.5) == 1
    kept.fails = False
    assert kept.after(0.6) == 2
    assert kept.after(1) == 2


def test_a_booking_breaks_off_when_the_service_ends_and_the_next_one_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(updating, "_MOST_READ", 1)  # each register is a part of its own
    parts: list[int] = []
    book = RegisterBooking.book

    def stopped_at_the_first(*given: Any) -> Any:
        parts.append(1)
        kept.jobs.stop()
        return book(*given)

    with monkeypatch.context() as patched, caplog.at_level("INFO"):
        patched.setattr(RegisterBooking, "book", stopped_at_the_first)
        kept.after(0)
    assert len(parts) == 1
    assert "the energy accounts will go on after the next start" in caplog.text
    assert "failed" not in caplog.text
    assert kept.books.progress() is None
    there = Kept(kept.accounts)
    assert there.after(0) == 1
    day = there.books.daily([MAIN], FIRST, FIRST)[MAIN]
    assert day.measured.tolist() == [1.0]
    assert there.books.statements(month=FIRST)
