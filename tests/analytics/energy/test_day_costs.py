"""What a day cost and emitted: from the bills on record, of today from its steps so far."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics.energy.books import Books
from facility.database import Database
from tests.analytics.energy.accounts import MAIN, SITE, Accounts, busy, quarters

FIRST, DAY = date(2026, 3, 1), timedelta(days=1)
PRICED = (
    SITE
    + """
tariffs:
  - carrier: electricity
    from: 2020-01-01
    unit: kWh
    bands:
      - {name: peak, from: 08:00, to: 20:00, price: 1.2037}
      - {name: valley, from: 22:00, to: 06:00, price: 0.3119}
    price: 0.6541
    standing_charge: 50
    source: price list
"""
)


@pytest.fixture
def accounts(tmp_path: Path, database: Database) -> Iterator[Accounts]:
    """40 days of a meter, booked until 10:00 on 5 April."""
    made = Accounts.open(tmp_path, database, PRICED)
    with made.store:
        made.feed(MAIN, quarters(FIRST, 40), busy(40, seed=1))
        made.at(date(2026, 4, 5), hour=10)
        yield made


@pytest.fixture
def books(accounts: Accounts) -> Books:
    made = accounts.books()
    made.bring_up_to_date()
    return made


def test_the_days_of_a_month_add_up_to_its_bill_without_what_is_due_by_the_month(books: Books) -> None:
    statement = books.statement("bill", "electricity", FIRST)
    assert statement is not None
    days = books.costs(FIRST, FIRST + 30 * DAY)
    assert [c.charge.day for c in days] == [FIRST + i * DAY for i in range(31)]
    assert sum(c.charge.cents or 0 for c in days) == statement.figures["total_cents"] - 5_000
    assert {c.contract for c in days} == {"electricity"}


def test_a_day_worked_out_anew_costs_what_is_on_record_and_has_its_hours(books: Books) -> None:
    day = FIRST + 9 * DAY
    (recorded,), (anew,) = books.costs(day, day), books.costs_of(day)
    assert (anew.charge.cents, anew.charge.bands) == (recorded.charge.cents, recorded.charge.bands)
    assert sum(h or 0 for h in anew.charge.hours) == anew.charge.cents
    assert not anew.provisional


def test_today_costs_what_it_has_used_so_far_and_misses_nothing_that_has_not_come(books: Books) -> None:
    today = date(2026, 4, 5)
    (cost,) = books.costs_of(today)
    used = books.daily([MAIN], today, today)[MAIN]
    assert cost.charge.used == pytest.approx(used.amount[0])
    assert cost.charge.missing == pytest.approx(0.0)
    assert [h is not None for h in cost.charge.hours] == [True] * 10 + [False] * 14
    assert cost.provisional
    assert books.costs(today, today) == []


def test_days_to_come_cost_nothing_that_is_known(books: Books) -> None:
    (cost,) = books.costs_of(date(2026, 4, 6))
    assert (cost.charge.cents, cost.charge.missing) == (None, 1.0)


def test_the_days_emit_what_the_month_emitted(books: Books) -> None:
    statement = books.statement("carbon", "site", FIRST)
    assert statement is not None
    days = books.carbon(FIRST, FIRST + 30 * DAY)
    assert [day for day, _ in days] == [FIRST + i * DAY for i in range(31)]
    assert sum(c.kg for _, c in days) == pytest.approx(statement.figures["carbon"]["kg"], abs=0.031)
