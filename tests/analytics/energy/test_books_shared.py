"""Two people who do the same at the same second, over a real PostgreSQL: one does it, the other is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from analytics.desk import ActionRefused
from analytics.energy.measure_book import MeasureBook
from facility.database import Database
from tests.analytics.energy.accounts import BY_HAND, MAIN, Accounts, busy, midnight, quarters
from tests.facility.database import postgres

FIRST = date(2026, 3, 1)
DAY = timedelta(days=1)
LAMPS = {
    "name": {"zh": "换灯", "en": "New lamps"}, "meter": "em-main", "carrier": "electricity",
    "work": {"from": "2026-02-01", "to": "2026-02-02"},
}  # fmt: skip


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Accounts]:
    """Books of a month, over PostgreSQL."""
    with postgres.new_database(postgres_server) as url:
        database = Database(url)
        database.upgrade()
        made = Accounts.open(tmp_path_factory.mktemp("shared"), database)
        with made.store:
            made.feed(MAIN, quarters(FIRST, 5), busy(5, seed=1))
            made.at(date(2026, 4, 3))
            made.books().bring_up_to_date()
            yield made
        database.close()


class Audit:
    """Counts the lines that were written to the audit trail."""

    def __init__(self) -> None:
        self.lines = 0

    def __call__(self, session: Session, *_: object) -> None:
        self.lines += 1


def both(act: Callable[[str], Any]) -> tuple[list[Any], list[ActionRefused]]:
    """Let four people act at once; return what was done, and what was refused."""
    begin = threading.Barrier(4)

    def one(who: str) -> Any:
        begin.wait()
        try:
            return act(who)
        except ActionRefused as error:
            return error

    with ThreadPoolExecutor(4) as people:
        found = list(people.map(one, ["li", "wang", "zhao", "chen"]))
    return [f for f in found if not isinstance(f, Exception)], [f for f in found if isinstance(f, ActionRefused)]


def test_a_month_is_published_once(accounts: Accounts) -> None:
    books, audit = accounts.books(), Audit()
    done, refused = both(lambda who: books.publish(FIRST, who, audit))
    assert (len(done), len(books.reports(FIRST)), audit.lines) == (1, 1, 1)
    assert {str(error) for error in refused} == {
        f"{done[0].published_by} has published 2026-03 with these versions already; it can be published again once a "
        "statement has another"
    }


def test_the_same_reading_is_entered_once_and_another_of_that_moment_refused(accounts: Accounts) -> None:
    books, audit = accounts.books(), Audit()
    at_us = midnight(FIRST)
    done, _ = both(lambda who: books.add_hand_reading(BY_HAND, at_us, 7.0, who, audit=audit))
    assert len({reading.id for reading in done}) == len(books.hand_readings(BY_HAND)) == audit.lines == 1
    later = at_us + 1_000_000
    done, refused = both(lambda who: books.add_hand_reading(BY_HAND, later, 8.0 + len(who), who, confirmed=True))
    assert len({reading.value for reading in done}) == 1
    assert len(books.hand_readings(BY_HAND)) == 2
    assert all("on record for the same moment" in str(error) for error in refused)
    assert refused


def test_a_reading_is_withdrawn_by_one(accounts: Accounts) -> None:
    books, audit = accounts.books(), Audit()
    entered = books.add_hand_reading(MAIN, midnight(FIRST) + 1, 7.0, "li", confirmed=True)
    done, _ = both(lambda who: books.withdraw_hand_reading(entered.id, who, audit))
    assert len({reading.withdrawn_by for reading in done}) == 1
    assert audit.lines == 1


def test_of_two_exchanges_within_a_minute_one_is_refused(accounts: Accounts) -> None:
    books, audit = accounts.books(), Audit()
    at_us = midnight(FIRST + DAY)
    done, refused = both(lambda who: books.add_exchange(BY_HAND, at_us, 20.0 + len(who), 0.0, who, audit=audit))
    assert len({exchange.id for exchange in done}) == len(books.exchanges()) == audit.lines == 1
    assert all("an exchange at 2026-03-02 00:00 is on record already" in str(error) for error in refused)


def test_measures_that_are_entered_at_once_have_an_id_each(accounts: Accounts) -> None:
    book, audit = MeasureBook(accounts.site, accounts.database, lambda: accounts.now_us), Audit()
    done, _ = both(lambda who: book.add(LAMPS, who, audit=audit))
    assert len({measure.id for measure in done}) == len(book.entered()) == 4
    done, _ = both(lambda who: book.withdraw("new-lamps", who, audit=audit))
    assert len({measure.withdrawn_by for measure in done}) == 1
    assert audit.lines == 5
