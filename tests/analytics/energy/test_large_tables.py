"""Tables of readings with ten thousand rows: taken or refused as a short one is, each row checked once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analytics.energy.books import Books
from facility.database import Database
from facility.spreadsheet import TableRefused
from tests.analytics.energy.accounts import BY_HAND, Accounts

ROWS = 10_000


@pytest.fixture
def books(tmp_path: Path, database: Database) -> Iterator[Books]:
    made = Accounts.open(tmp_path, database)
    made.at(date(2026, 5, 1))
    with made.store:
        yield made.books()


def table(register: str, **other: float) -> bytes:
    """Return a table of one reading an hour that counts 1 an hour from 1000; `other` values by row, as `row_7=3`."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    values = [other.get(f"row_{i + 2}", 1000 + i) for i in range(ROWS)]
    lines = [f"{register},{first + timedelta(hours=i):%Y-%m-%d %H:%M},{value}" for i, value in enumerate(values)]
    return "\n".join(["register,time,value", *lines]).encode()


def test_ten_thousand_readings_of_one_register_are_taken_and_again_change_nothing(books: Books) -> None:
    assert books.import_hand_readings("a.csv", table("w-old"), "li") == ROWS
    assert books.import_hand_readings("a.csv", table("w-old"), "li") == 0
    kept = books.hand_readings(BY_HAND)
    assert (len(kept), kept[0].value, kept[-1].value) == (ROWS, 1000.0, 1000.0 + ROWS - 1)


def test_the_one_wrong_reading_of_ten_thousand_is_told_with_the_one_before_it(books: Books) -> None:
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", table("w-old", row_5001=0.0), "li")
    before, wrong = refused.value.mistakes
    assert (before.row, wrong.row, wrong.value) == (5000, 5001, "0")
    assert "5,998 is above the reading after it, 0 m³" in before.mend.en
    assert "0 is below the reading before it, 5,998 m³" in wrong.mend.en


def test_a_register_that_nobody_knows_is_told_at_each_of_ten_thousand_rows(books: Books) -> None:
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", table("w-olf"), "li")
    assert len(refused.value.mistakes) == ROWS
    assert "did you mean 'w-old'?" in refused.value.mistakes[-1].mend.en
