"""The benchmark of the accounts: what it times is what a hospital's books do."""

from __future__ import annotations

from pathlib import Path

from analytics.energy import accounts_benchmark
from facility.store.duckdb import DuckDBStore


def test_a_month_a_late_year_and_a_restated_year_are_booked_in_whole(tmp_path: Path):
    told: set[str] = set()
    with DuckDBStore(tmp_path / "telemetry.duckdb", zone="Asia/Shanghai") as store:
        result = accounts_benchmark.run(
            store, store.compact, tmp_path, meters=30, days=45, progress=lambda stage, _: told.add(stage)
        )
    month, year = result["month"], result["year"]
    assert (month["readings"], year["readings"]) == (30 * 31 * 96, 30 * 45 * 96)
    assert month["bill_cents"] == month["allocated_cents"] > 0
    assert told >= {"fill", "survey", "book", "statements"}
    assert year["restated_s"] > 0
    assert year["peak_rss_mb"] > 0
