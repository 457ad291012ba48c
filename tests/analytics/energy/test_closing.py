"""Monthly statements: provisional while the month runs, then by version; a published report keeps its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.desk import ActionRefused
from analytics.energy.month_drafts import MonthDrafts
from facility.database import Database
from facility.errors import StoreUnavailable
from facility.site_file import load_site
from tests.analytics.energy.accounts import MAIN, SITE, WARD, Accounts, busy, midnight, quarters, write_site

FIRST = date(2026, 3, 1)
DAY = timedelta(days=1)
TARIFFED = (
    SITE
    + """
tariffs:
  - {carrier: electricity, from: 2020-01-01, price: 0.80, unit: kWh, source: the supplier's price list}
"""
)


@pytest.fixture
def accounts(tmp_path: Path, database: Database) -> Iterator[Accounts]:
    """A month and ten days of two meters, fed in full."""
    made = Accounts.open(tmp_path, database, TARIFFED)
    with made.store:
        made.feed(MAIN, quarters(FIRST, 41), busy(41, seed=1))
        made.feed(WARD, quarters(FIRST, 41), 0.4 * busy(41, seed=2))
        yield made


def test_a_month_that_runs_is_provisional_and_replaced_in_place(accounts: Accounts) -> None:
    books = accounts.books()
    accounts.at(FIRST + 10 * DAY)
    books.bring_up_to_date()
    first = books.statement("bill", "electricity", FIRST)
    assert first is not None
    assert first.provisional
    accounts.at(FIRST + 20 * DAY)
    books.bring_up_to_date()
    second = books.statement("bill", "electricity", FIRST)
    assert second is not None
    assert (second.version, second.provisional) == (1, True)
    assert second.figures["total_cents"] > first.figures["total_cents"]


def test_a_bill_is_what_the_meter_of_supply_counted_at_its_price(accounts: Accounts) -> None:
    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    used = books.monthly([MAIN], FIRST, FIRST)[MAIN].amount[0]
    statement = books.statement("bill", "electricity", FIRST)
    assert statement is not None
    assert statement.figures["total_cents"] == pytest.approx(80 * used, abs=1)
    assert not statement.provisional


def test_what_is_allocated_is_what_was_billed_to_the_cent(accounts: Accounts) -> None:
    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    bill, shared = (books.statement(kind, "electricity", FIRST) for kind in ("bill", "allocation"))
    assert bill is not None
    assert shared is not None
    assert sum(row["cents"] for row in shared.figures["rows"]) == bill.figures["total_cents"]
    assert [row["department"] for row in shared.figures["rows"]] == ["icu"]


def test_late_data_make_a_new_version_and_a_published_report_keeps_the_old(accounts: Accounts) -> None:
    times, counts = quarters(FIRST, 45), 10.0 * busy(45, seed=3)
    late = (times >= midnight(FIRST + 25 * DAY)) & (times < midnight(FIRST + 32 * DAY))
    key = "w-main/volume_total"
    accounts.at(FIRST + 45 * DAY)
    accounts.feed(key, times[~late], counts[~late])
    books = accounts.books()
    books.bring_up_to_date()
    report = books.publish(FIRST, "zhao")
    before = books.statement("bill", "electricity", FIRST)
    accounts.feed(key, times[late], counts[late])
    books.bring_up_to_date()
    assert report.versions["balance/water"] == 1
    fresh, kept = books.statement("balance", "water", FIRST), books.statement("balance", "water", FIRST, 1)
    assert fresh is not None
    assert kept is not None
    assert (fresh.version, fresh.cause) == (2, "late data")
    assert fresh.figures != kept.figures
    assert books.reports(FIRST)[0] == report
    # What the water does not touch has no new version.
    assert books.statement("bill", "electricity", FIRST) == before


def test_a_restated_bill_is_on_record_with_both_totals(accounts: Accounts) -> None:
    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    old = books.statement("bill", "electricity", FIRST)
    assert old is not None
    accounts.feed(MAIN, quarters(FIRST, 41)[5 * 96 :], 1.1 * busy(41, seed=1)[5 * 96 :])
    books.bring_up_to_date(thorough=True)
    new = books.statement("bill", "electricity", FIRST)
    assert new is not None
    (told,) = books.restatements(kind="bill", subject="electricity")
    assert (told.old, told.new, told.unit) == (
        old.figures["total_cents"] / 100, new.figures["total_cents"] / 100, "CNY",
    )  # fmt: skip
    assert told.cause == "late data"


def test_another_price_restates_the_bills_with_its_cause(accounts: Accounts, tmp_path: Path) -> None:
    accounts.at(FIRST + 41 * DAY)
    accounts.books().bring_up_to_date()
    other = Accounts.__new__(Accounts)
    other.site = load_site(write_site(tmp_path, TARIFFED.replace("0.80", "0.90")))
    other.store, other.database, other.now_us = accounts.store, accounts.database, accounts.now_us
    books = other.books()
    books.bring_up_to_date()
    statement = books.statement("bill", "electricity", FIRST)
    assert statement is not None
    assert (statement.version, statement.cause) == (2, "tariff")
    assert books.restatements(kind="register") == []


def test_the_same_bill_that_others_bear_is_on_record_by_department(accounts: Accounts, tmp_path: Path) -> None:
    accounts.at(FIRST + 41 * DAY)
    accounts.books().bring_up_to_date()
    other = Accounts.__new__(Accounts)
    wards = TARIFFED.replace(
        "departments: [", "departments: [{id: lab, name: {zh: 检验科, en: Lab}, floor_area: 300 m²}, ", 1
    )
    other.site = load_site(write_site(tmp_path, wards.replace("serves: [icu]", "serves: [lab]", 1)))
    other.store, other.database, other.now_us = accounts.store, accounts.database, accounts.now_us
    books = other.books()
    books.bring_up_to_date()
    assert books.restatements(kind="bill") == []
    old, new = (books.statement("allocation", "electricity", FIRST, version) for version in (1, 2))
    assert old is not None
    assert new is not None
    told = {r.subject: (r.old, r.new, r.cause) for r in books.restatements(kind="allocation")}
    for department in ("icu", "lab"):
        bore, bears = (
            sum(r["cents"] for r in s.figures["rows"] if r["department"] == department) / 100 for s in (old, new)
        )
        assert told[f"electricity/{department}"] == (bore, bears, "correction")
        assert bore != bears
    assert sum(now - was for was, now, _ in told.values()) == pytest.approx(0.0, abs=1e-6)


def test_what_is_sold_on_has_a_statement_and_changes_no_cost(tmp_path: Path, database: Database) -> None:
    sold = (
        "  - {id: shop, carrier: electricity, meters: [em-ward], resold: true, from: 2020-01-01, unit: kWh, "
        "price: 1.2, source: agreement}\n"
    )
    made = Accounts.open(tmp_path, database, TARIFFED + sold)
    with made.store:
        made.feed(MAIN, quarters(FIRST, 41), busy(41, seed=1))
        made.feed(WARD, quarters(FIRST, 41), 0.4 * busy(41, seed=2))
        made.at(FIRST + 41 * DAY)
        books = made.books()
        books.bring_up_to_date()
        use = {key: t.amount[0] for key, t in books.monthly([MAIN, WARD], FIRST, FIRST).items()}
        (bill,) = [s for s in books.statements(kind="bill", month=FIRST) if s.figures.get("lines")]
        assert bill.figures["total_cents"] == pytest.approx(80 * use[MAIN], abs=1)
        shop = books.statement("resale", "shop", FIRST)
        assert shop is not None
        assert shop.figures["total_cents"] == pytest.approx(120 * use[WARD], abs=1)
        assert shop.figures["bought_cents"] == pytest.approx(80 * use[WARD], abs=1)
        shared = books.statement("allocation", "electricity", FIRST)
        assert shared is not None
        assert shared.figures["total_cents"] == bill.figures["total_cents"]
        assert {c.contract for c in books.costs(FIRST, FIRST)} == {c.contract for c in books.costs_of(FIRST)}


def test_a_missing_tariff_is_told_and_all_else_is_made(tmp_path: Path, database: Database) -> None:
    made = Accounts.open(tmp_path, database)
    with made.store:
        made.feed(MAIN, quarters(FIRST, 31), busy(31, seed=1))
        made.at(FIRST + 33 * DAY)
        books = made.books()
        books.bring_up_to_date()
        bill = books.statement("bill", "electricity", FIRST)
        assert bill is not None
        assert bill.figures.get("total_cents") is None
        assert "has no tariff" in bill.problems[0].words.en
        assert {s.kind for s in books.statements(month=FIRST)} >= {"bill", "allocation", "balance", "carbon"}


def test_a_month_is_published_again_only_with_another_version(accounts: Accounts) -> None:
    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    books.publish(FIRST, "zhao")
    with pytest.raises(ActionRefused, match="zhao has published 2026-03 with these versions already"):
        books.publish(FIRST, "li")
    accounts.feed(MAIN, quarters(FIRST, 41)[5 * 96 :], 1.1 * busy(41, seed=1)[5 * 96 :])
    books.bring_up_to_date(thorough=True)
    assert books.publish(FIRST, "li").versions["bill/electricity"] == 2


def test_a_month_whose_store_is_away_is_closed_when_it_is_back(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the store is away")

    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    with monkeypatch.context() as context:
        context.setattr(MonthDrafts, "_carbon", away)
        with pytest.raises(StoreUnavailable):
            books.bring_up_to_date()
    assert books.statements() == []
    books.bring_up_to_date()
    assert {s.kind for s in books.statements(month=FIRST)} >= {"bill", "allocation", "balance", "carbon"}


def test_what_rests_on_a_bill_that_cannot_be_made_stays_as_it_was(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    accounts.at(FIRST + 41 * DAY)
    books = accounts.books()
    books.bring_up_to_date()
    accounts.feed(MAIN, quarters(FIRST, 41)[5 * 96 :], 1.1 * busy(41, seed=1)[5 * 96 :])
    monkeypatch.setattr(MonthDrafts, "_bills", broken)
    books.bring_up_to_date(thorough=True)
    newest = {s.kind: s.version for s in books.statements(month=FIRST) if s.subject in ("electricity", "site")}
    assert newest == {"bill": 1, "allocation": 1, "balance": 2, "carbon": 2, "indicators": 1}


def test_nothing_is_published_before_there_is_anything(accounts: Accounts) -> None:
    accounts.at(FIRST + 41 * DAY)
    with pytest.raises(ActionRefused, match="no statements of 2026-03 yet"):
        accounts.books().publish(FIRST, "zhao")


def test_statements_are_made_again_only_where_something_changed(accounts: Accounts) -> None:
    accounts.at(FIRST + 40 * DAY, hour=23.75)
    books = accounts.books()
    books.bring_up_to_date()
    made = {(s.kind, s.subject, s.month): s.made_us for s in books.statements()}
    accounts.now_us += 800_000_000
    accounts.feed(MAIN, [accounts.now_us], [float(np.max(busy(41, seed=1))) + 1.0])
    books.bring_up_to_date()
    assert {(s.kind, s.subject, s.month): s.made_us for s in books.statements()} == made
