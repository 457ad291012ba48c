"""Books that broke off, or that others have written, go on as if nothing had been: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.intervals import MISSING
from analytics.energy.ledger import Ledger
from facility.database import Database
from facility.errors import StoreUnavailable
from tests.analytics.energy.accounts import BY_HAND, MAIN, WARD, Accounts, busy, midnight, quarters

FIRST = date(2026, 2, 20)
DAY = timedelta(days=1)


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def accounts(tmp_path: Path, database: Database) -> Iterator[Accounts]:
    """Books of two months that are closed, and a day that came late since."""
    made = Accounts.open(tmp_path, database)
    times, counts = quarters(FIRST, 20), busy(20, seed=1)
    late = (times >= midnight(FIRST + 8 * DAY)) & (times < midnight(FIRST + 10 * DAY))
    with made.store:
        made.feed(MAIN, times[~late], counts[~late])
        made.feed(WARD, times, 0.5 * counts)
        made.at(date(2026, 4, 3))
        made.books().bring_up_to_date()
        made.feed(MAIN, times[late], counts[late])
        yield made


@pytest.mark.parametrize("stage", ["book", "statements"])
def test_what_a_killed_booking_restated_is_closed_by_the_next(accounts: Accounts, stage: str) -> None:
    def progress(told: str, share: float) -> None:
        if told == stage and (stage == "statements" or share == 1.0):
            raise KilledError

    with pytest.raises(KilledError):
        accounts.books().bring_up_to_date(progress)
    books = accounts.books()
    books.bring_up_to_date()
    versions = {(s.month.month, s.version, s.cause) for s in books.statements(kind="allocation", subject="electricity")}
    assert versions == {(2, 2, "late data"), (3, 2, "late data"), (4, 1, "")}
    told = [(r.subject, r.first_day) for r in books.restatements(kind="register")]
    assert told == [(MAIN, FIRST + 7 * DAY)]


def test_steps_that_a_killed_booking_left_go_if_nothing_says_so_any_more(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    made = Accounts.open(tmp_path, database)
    with made.store:
        made.at(FIRST + 3 * DAY)
        books = made.books()
        books.add_hand_reading(BY_HAND, midnight(FIRST), 10.0, "li")
        wrong = books.add_hand_reading(BY_HAND, midnight(FIRST + DAY), 34.0, "li")
        with monkeypatch.context() as context:
            context.setattr(Ledger, "write_days", killed)
            with pytest.raises(KilledError):
                books.bring_up_to_date()
        books = made.books()
        books.withdraw_hand_reading(wrong.id, "li")
        books.bring_up_to_date()
        steps = books.intervals([BY_HAND], midnight(FIRST), midnight(FIRST + DAY))[BY_HAND]
        assert set(steps.grade.tolist()) == {MISSING}


def test_two_that_keep_the_same_books_take_turns(accounts: Accounts) -> None:
    one, other = accounts.books(), accounts.books()
    one.bring_up_to_date()
    accounts.feed(MAIN, quarters(FIRST + 20 * DAY, 3), 5_000.0 + np.arange(288.0))
    other.bring_up_to_date()
    accounts.feed(MAIN, quarters(FIRST + 23 * DAY, 3), 5_288.0 + np.arange(288.0))
    one.bring_up_to_date()
    days = accounts.books().daily([MAIN], FIRST + 20 * DAY, FIRST + 24 * DAY)[MAIN]
    assert days.amount.tolist() == [96.0] * 5
    assert other.bring_up_to_date().steps == 0


def test_who_is_overtaken_writes_nothing_more_and_says_so(accounts: Accounts) -> None:
    one, other = accounts.books(), accounts.books()

    def overtaken(stage: str, share: float) -> None:
        if stage == "book" and share == 0.0:
            other.bring_up_to_date()

    with pytest.raises(StoreUnavailable, match="another process has begun to bring the books"):
        one.bring_up_to_date(overtaken)
    assert one.wanted
    assert one.bring_up_to_date().restatements == 0
    assert [r.subject for r in one.restatements(kind="register")] == [MAIN]
