"""The benchmark of forecasts, on a small recorded meter of its own making."""

from __future__ import annotations

import csv
import gzip
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from analytics.energy.forecast_benchmark import FROM_DAYS, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "eensight" / "demo_site_09" / "train"
    site.mkdir(parents=True)
    (site.parent / "test").mkdir()
    first = datetime(2016, 1, 1)  # noqa: DTZ001 - as the recorded files have it
    hours = [first + timedelta(hours=i) for i in range(24 * 121)]
    for part, own in (("train", hours[: 24 * 60]), ("test", hours[24 * 60 :])):
        for name, value in (
            ("consumption", lambda t: 2.0 if t.weekday() < 5 else 1.0),
            ("temperature", lambda _: 15.0),
        ):
            with gzip.open(site.parent / part / f"{name}.csv.gz", "wt", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["", "timestamp", name])
                rows.writerows([i, t, value(t)] for i, t in enumerate(own))
    return tmp_path


def test_a_meter_that_never_surprises_is_forecast_without_error(folder: Path) -> None:
    result = run(folder)
    found = result["eensight demo_site_09"]
    assert set(found) == {f"from day {day}" for day in FROM_DAYS}
    assert found["from day 15"]["months"] == 4
    assert found["from day 15"]["error %"] < 0.2 < found["from day 15"]["pro rata error %"]
    assert found["from day 15"]["in interval"] == 1.0
    assert date(2016, 1, 1).weekday() == 4  # so that the month's first days are not like its others


def test_a_folder_without_meters_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name the folder that does"):
        run(tmp_path)
