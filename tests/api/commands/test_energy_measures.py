"""`wardwatt energy measure`: entered, listed, withdrawn, with their lines in the audit trail."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.command import app
from api.security import audit
from facility.calendar import to_us
from facility.database import Database
from facility.readings import ReadingBatch
from facility.site_file import load_site
from facility.store.opening import open_store
from tests.analytics.energy.accounts import SITE, write_site

MEASURES = """
measures:
  - id: timers
    name: {zh: 定时控制, en: Timers}
    meter: em-main
    carrier: electricity
    baseline: {from: 2025-01-01, to: 2025-12-31}
    reporting: {from: 2026-01-10}
"""
LAMPS = ("--name-zh", "换灯", "--name-en", "New lamps", "--from", "2026-03-02", "--to", "2026-03-05")


class Hospital:
    """A data folder and a site file with one measure."""

    def __init__(self, folder: Path) -> None:
        self.site = write_site(folder, SITE + MEASURES)
        self.data = folder / "data"
        self.data.mkdir()
        self.database = Database(f"sqlite:///{self.data}/wardwatt.db")
        self.database.upgrade()

    def run(self, *arguments: str, code: int = 0) -> Result:
        where = ["--site", str(self.site), "--data", str(self.data)]
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["energy", "measure", *arguments, *where])
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return result

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout.strip().splitlines()[-1])


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def test_a_measure_is_entered_listed_and_withdrawn(hospital: Hospital) -> None:
    entered = hospital.told("add", *LAMPS, "--meter", "em-ward", "--carrier", "electricity", "--cost", "86000")
    assert entered["id"] == "new-lamps"
    assert entered["entry"]["baseline"] == {"from": "2025-03-02", "to": "2026-03-01"}
    assert [(m["id"], m["entered_by"]) for m in hospital.told("list")["measures"]] == [
        ("timers", None), ("new-lamps", "command"),
    ]  # fmt: skip
    hospital.run("withdraw", "new-lamps")
    assert [m["withdrawn"] for m in hospital.told("list")["measures"]] == [False, True]
    actions = [e.action for e in audit.entries(hospital.database)]
    assert sorted(actions) == ["energy-measure-entered", "energy-measure-withdrawn"]


def test_what_was_entered_is_said_in_one_sentence(hospital: Hospital) -> None:
    told = hospital.run("add", *LAMPS, "--carrier", "electricity").output
    assert "Measure new-lamps: baseline 2025-03-02 to 2026-03-01, judged from 2026-03-06 on." in told


def test_the_list_says_which_are_the_site_files(hospital: Hospital) -> None:
    assert "site file" in hospital.run("list").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", *LAMPS, "--meter", "em-wart", "--carrier", "electricity"), "no meter is called 'em-wart'"),
        (("add", *LAMPS, "--carrier", "electricity", "--ticket", "T-9"), "there is no ticket 'T-9'"),
        (("withdraw", "timers"), "stands in the site file"),
        (("withdraw", "lamps"), "nobody entered a measure 'lamps'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_mend(hospital: Hospital, arguments: tuple[str, ...], told: str) -> None:
    assert told in hospital.run(*arguments, code=2).output


SHORT = """  - {id: roof, class: weather_station}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps}
    meter: em-ward
    baseline: {from: 2026-06-01, to: 2026-06-20}
    reporting: {from: 2026-06-21, to: 2026-07-10}
"""


@pytest.fixture
def short(tmp_path: Path) -> Hospital:
    """A meter with 20 days of a baseline, half of them without a temperature."""
    made = Hospital(tmp_path)
    made.site = write_site(tmp_path, SITE + SHORT)
    site = load_site(made.site)
    n = 40 * 24 + 1
    times = to_us(datetime(2026, 6, 1, tzinfo=site.time_zone)) + 3_600_000_000 * np.arange(n, dtype=np.int64)
    with open_store(made.data / "telemetry.duckdb", zone=site.time_zone.key) as store:
        for key, values in {"em-ward/energy_import": 100.0 + 10.0 * np.arange(n)}.items():
            store.write(ReadingBatch.of(site.points, [site.points.index[key]] * n, times, values))
        known = (np.arange(n) < 5 * 24) | (np.arange(n) > 25 * 24)
        index = [site.points.index["roof/outdoor_temperature"]] * int(known.sum())
        store.write(ReadingBatch.of(site.points, index, times[known], 20.0 + (np.arange(n) // 24 % 7)[known]))
    where = ["--site", str(made.site), "--data", str(made.data)]
    assert CliRunner().invoke(app, ["energy", "book", *where]).exit_code == 0
    return made


def test_a_short_baseline_with_holes_in_the_weather_is_shown_with_all_that_speaks_against_it(short: Hospital) -> None:
    told = short.told("show", "lamps")
    assert told["acceptable"] is False
    assert told["used"] == pytest.approx(240.0 * 20)
    blocking = " ".join(r["words"]["en"] for r in told["reasons"] if r["blocking"])
    assert "20" in blocking
    assert "temperature" in " ".join(r["words"]["en"] for r in told["reasons"])


@pytest.mark.parametrize(("language", "words"), [("zh", ("换灯", "! ", "温度")), ("en", ("New lamps", "temperature"))])
def test_it_is_shown_in_either_language(short: Hospital, language: str, words: tuple[str, ...]) -> None:
    shown = short.run("show", "lamps", "--language", language).output
    assert all(w in shown for w in words)


def test_a_measure_that_is_not_there_is_told_with_the_nearest(short: Hospital) -> None:
    assert "did you mean 'lamps'" in short.run("show", "lamp", code=2).output
