"""The books over a real InfluxDB and a real PostgreSQL say what they say over DuckDB and SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from facility.database import Database
from facility.site_file import load_site
from facility.store.opening import open_store
from tests.analytics.energy.accounts import (
    BY_HAND,
    MAIN,
    WARD,
    ZONE,
    Accounts,
    busy,
    everything,
    midnight,
    quarters,
    write_site,
)
from tests.facility.database import postgres
from tests.facility.store.influxd import SHARED

FIRST = date(2026, 2, 20)
DAY = timedelta(days=1)
DAYS = 14


@pytest.fixture(scope="module")
def influx_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    SHARED.folder = tmp_path_factory.mktemp("influxd")
    yield SHARED.server().url("books")
    SHARED.stop()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Accounts]:
    database = Database(f"sqlite:///{tmp_path / 'wardwatt.db'}")
    database.upgrade()
    made = Accounts.open(tmp_path, database)
    with made.store:
        yield made
    database.close()


@pytest.fixture
def on_servers(tmp_path: Path, influx_url: str, postgres_server: str) -> Iterator[Accounts]:
    with postgres.new_database(postgres_server) as url:
        database = Database(url)
        database.upgrade()
        with open_store(influx_url, zone=ZONE.key) as store:
            yield Accounts(load_site(write_site(tmp_path)), store, database)
        database.close()


def live(accounts: Accounts) -> None:
    """Let a fortnight pass: an outage, two days that come late, a reading by hand."""
    times = quarters(FIRST, DAYS)
    late = (times >= midnight(FIRST + 5 * DAY)) & (times < midnight(FIRST + 7 * DAY))
    out = (times >= midnight(FIRST + 9 * DAY)) & (times < midnight(FIRST + 10 * DAY))
    main, ward = busy(DAYS, seed=3, start=999_000.0) % 1e6, busy(DAYS, seed=4)
    accounts.feed(MAIN, times[~late & ~out], main[~late & ~out])
    accounts.feed(WARD, times, ward)
    accounts.at(FIRST + DAYS * DAY)
    books = accounts.books()
    books.add_hand_reading(BY_HAND, midnight(FIRST), 100.0, "anna")
    books.add_hand_reading(BY_HAND, midnight(FIRST + 10 * DAY), 180.0, "anna")
    books.bring_up_to_date()
    accounts.feed(MAIN, times[late], main[late])
    accounts.at(FIRST + DAYS * DAY, hour=1.0)
    books.bring_up_to_date()


def test_books_over_servers_say_the_same(embedded: Accounts, on_servers: Accounts) -> None:
    keys = [MAIN, WARD, BY_HAND]
    for accounts in (embedded, on_servers):
        live(accounts)
    here, there = (everything(a.books(), keys, FIRST, DAYS) for a in (embedded, on_servers))
    for key in keys:
        np.testing.assert_allclose(there[key], here[key], rtol=1e-9, atol=1e-9, err_msg=key)
    told = [
        sorted((r.kind, r.subject, r.first_day, r.last_day, r.cause, round(r.new, 6)) for r in a.books().restatements())
        for a in (embedded, on_servers)
    ]
    assert told[0] == told[1]
    assert "late data" in {row[4] for row in told[0]}
