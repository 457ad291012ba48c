"""The books' job tells which plans will be passed."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np

from analytics.desk import Desk
from analytics.energy.books import Books
from analytics.energy.intervals import Totals
from analytics.energy.standings import DailyUse, Rates, standings
from analytics.energy.statements import Statement
from analytics.energy.target_findings import CODE
from analytics.schedule import Jobs
from facility.calendar import day_bounds_us
from facility.database import Database
from facility.site import Site
from facility.store.duckdb import DuckDBStore
from facility.targets import Target

TODAY = date(2026, 7, 15)


class KeptBooks:
    """Books that are up to date and have one statement of plans."""

    wanted = True

    def __init__(self, figures: dict[str, Any]) -> None:
        self._figures = figures

    def progress(self) -> None:
        return None

    def bring_up_to_date(self, *_: object, **__: object) -> None:
        pass

    def statement(self, kind: str, subject: str, month: date) -> Statement | None:
        asked = (kind, subject, month) == ("targets", "site", date(2026, 7, 1))
        return Statement("targets", "site", month, 1, True, 0, "", self._figures, ()) if asked else None


def figures(site: Site, share_of_plan: float, now_us: int) -> dict[str, Any]:
    first = date(2025, 7, 1)
    days = [first + timedelta(days=i) for i in range((TODAY - first).days)]
    edges = np.array([day_bounds_us(day, site.time_zone)[0] for day in [*days, TODAY]], dtype=np.int64)
    n = len(days)
    totals = Totals(edges, 1000.0 + np.arange(n) % 5, np.ones(n), np.zeros(n), np.zeros(n))
    target = Target(2026, "electricity", None, "use", "kWh", 1002.0 * 365 / share_of_plan, None, "even")
    found = standings([target], DailyUse(first, {"electricity": totals}), Rates(), TODAY, now_us, site.time_zone)
    return cast(dict[str, Any], json.loads(json.dumps({"rows": [standing.to_json() for standing in found]})))


def test_a_plan_that_will_be_passed_is_a_finding_until_it_will_not(
    site: Site, tmp_path: Path, database: Database
) -> None:
    now_us = day_bounds_us(TODAY, site.time_zone)[0]
    desk = Desk(database, site, lambda: now_us)
    with DuckDBStore(tmp_path / "t.duckdb") as store:
        for share, active in ((1.2, 2), (0.8, 0)):
            books = cast(Books, KeptBooks(figures(site, share, now_us)))
            Jobs(site, store, desk, database, lambda: now_us, books=books).keep_books()
            found = [f for f in desk.findings() if f.code == CODE and f.verdict == "fault" and f.ended_us is None]
            assert len(found) == active  # of the month and of the year
        assert {f.priority for f in desk.findings() if f.code == CODE} == {"P4"}
