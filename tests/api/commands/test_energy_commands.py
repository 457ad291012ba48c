"""`wardwatt energy`, with a real store and database."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.command import app
from api.commands.options import stdout
from api.security import audit
from facility.database import Database
from facility.readings import PointTable, ReadingBatch
from facility.site_file import load_site
from facility.store.opening import open_store
from tests.analytics.energy.accounts import MAIN, SITE, ZONE, busy, midnight, quarters, write_site

runner = CliRunner(env={"COLUMNS": "200"})
FIRST = date(2026, 3, 1)
TARIFF = "tariffs: [{carrier: electricity, from: 2020-01-01, price: 0.80, unit: kWh, source: price list}]\n"


class Hospital:
    """A folder with a site file, a database, and a store with two months of one meter."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site.yaml"
        self.data = folder / "data"
        self.database = Database(f"sqlite:///{self.data}/wardwatt.db")

    @classmethod
    def copied(cls, original: Path, folder: Path) -> Hospital:
        shutil.copytree(original, folder, dirs_exist_ok=True)
        return cls(folder)

    def run(self, *arguments: object, code: int = 0) -> Result:
        where = ["--site", str(self.site), "--data", str(self.data)]
        result = runner.invoke(app, ["energy", *[str(a) for a in arguments], *where])
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return result

    def told(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital before anything was booked, to be copied."""
    made = Hospital(tmp_path_factory.mktemp("built"))
    site = load_site(write_site(made.site.parent, SITE + TARIFF))
    table = PointTable(tuple(a for a in site.points.addresses if a.key == MAIN))
    made.database.upgrade()
    made.database.close()
    with open_store(made.data / "telemetry.duckdb", zone=ZONE.key) as store:
        times = quarters(FIRST, 40)
        store.write(ReadingBatch.of(table, np.zeros(times.size, dtype=np.int32), times, busy(40, seed=1)))
    return made.site.parent


@pytest.fixture(scope="module")
def booked_once(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital whose books are up to date, to be copied."""
    made = Hospital.copied(built, tmp_path_factory.mktemp("booked"))
    made.run("book")
    made.database.close()
    return made.site.parent


@pytest.fixture
def hospital(built: Path, tmp_path: Path) -> Hospital:
    return Hospital.copied(built, tmp_path)


@pytest.fixture
def booked(booked_once: Path, tmp_path: Path) -> Hospital:
    return Hospital.copied(booked_once, tmp_path)


def test_booking_tells_what_was_done_and_a_second_one_finds_nothing(hospital: Hospital) -> None:
    first = hospital.told("book")
    assert first["steps"] == 96 * 40 - 1
    assert first["first_day"] == "2026-03-01"
    assert hospital.told("book")["steps"] == 0


def test_a_month_is_shown_with_its_grades(booked: Hospital) -> None:
    rows = {r["register"]: r for r in booked.told("show", "--month", "2026-03")["registers"]}
    counts = busy(40, seed=1)
    assert rows[MAIN]["amount"] == pytest.approx(counts[31 * 96] - counts[0])
    assert rows[MAIN]["measured"] == 1.0
    assert rows["em-ward/energy_import"]["amount"] is None
    assert rows["em-ward/energy_import"]["missing"] == 1.0


def test_a_bill_is_shown_line_by_line_and_sums_up(booked: Hospital) -> None:
    (bill,) = [b for b in booked.told("bill", "2026-03")["bills"] if b["subject"] == "electricity"]
    lines = bill["figures"]["lines"]
    assert sum(line["amount_cents"] for line in lines) == bill["figures"]["total_cents"]
    assert not bill["provisional"]
    assert "合计" in booked.run("bill", "2026-03").stdout


def test_a_bill_that_could_not_be_made_is_its_reason_and_no_empty_table(booked: Hospital) -> None:
    told = booked.run("bill", "2026-03", "--contract", "water").stdout
    assert "没有水的价格" in told
    assert "┏" not in told


def test_days_cost_what_the_bill_charges_by_the_unit(booked: Hospital) -> None:
    (bill,) = [b for b in booked.told("bill", "2026-03")["bills"] if b["subject"] == "electricity"]
    costs = booked.told("cost", "--from", "2026-03-01", "--to", "2026-03-31")
    assert costs["total_cents"] == sum(c["cents"] for c in costs["costs"]) == bill["figures"]["energy_cents"]
    assert [c["day"] for c in costs["carbon"]] == [c["day"] for c in costs["costs"]]
    assert "2026-03-05" in booked.run("cost", "--from", "2026-03-05", "--to", "2026-03-05").stdout
    assert "swap them" in booked.run("cost", "--from", "2026-03-05", "--to", "2026-03-01", code=2).output


def test_allocation_and_balance_are_shown(booked: Hospital) -> None:
    (shared,) = booked.told("allocation", "2026-03", "--carrier", "electricity")["allocations"]
    assert sum(r["cents"] for r in shared["figures"]["rows"]) == shared["figures"]["total_cents"]
    (balance,) = booked.told("balance", "2026-03", "--carrier", "electricity")["balances"]
    assert balance["figures"]["rows"][0]["finding"] == "cannot_tell"
    assert "em-main" in booked.run("balance", "2026-03", "--language", "en").stdout


def test_a_month_without_statements_says_what_to_do(hospital: Hospital) -> None:
    assert "wardwatt energy book" in hospital.run("bill", "2026-03", code=2).output
    assert "is no month; write it such as 2026-03" in hospital.run("bill", "March", code=2).output


def test_a_reading_by_hand_is_entered_listed_and_withdrawn_with_its_lines_in_the_audit_trail(booked: Hospital) -> None:
    entered = booked.told("hand-reading", "add", "w-old", "100.5", "--at", "2026-03-01 08:00")
    assert entered["register"] == "w-old/volume_total"
    assert entered["at_us"] == midnight(FIRST) + 8 * 3_600_000_000
    booked.run("hand-reading", "withdraw", entered["id"])
    (listed,) = booked.told("hand-reading", "list", "w-old")["readings"]
    assert listed["withdrawn_by"] == "command"
    actions = [entry.action for entry in audit.entries(booked.database)]
    assert actions == ["energy-reading-withdrawn", "energy-reading-entered"]


def test_an_hour_that_the_clocks_skip_or_repeat_is_not_guessed(hospital: Hospital) -> None:
    text = hospital.site.read_text(encoding="utf-8")
    hospital.site.write_text(text.replace("Asia/Shanghai", "Europe/London"), encoding="utf-8")
    told = hospital.run("hand-reading", "add", "w-old", "5", "--at", "2026-03-29 01:30", code=2).output
    assert "2026-03-29 01:30 does not exist" in told
    told = hospital.run("hand-reading", "add", "w-old", "5", "--at", "2025-10-26 01:30", code=2).output
    assert "write '2025-10-26 01:30+01:00' for the first" in told
    told = hospital.run("hand-reading", "add", "w-old", "5", "--at", "2025-10-26 01:30+00:00").output
    assert "5 at 2025-10-26 01:30+00:00." in told


def test_a_table_with_mistakes_is_refused_whole(booked: Hospital, tmp_path: Path) -> None:
    table = tmp_path / "readings.csv"
    table.write_text("register,time,value\nw-old,2026-03-01,100\nw-old,2026-03-02,9x\n", encoding="utf-8")
    assert (
        "row 3, value: '9x': write what the register shows"
        in booked.run("hand-reading", "import", table, code=2).output
    )
    table.write_text("register,time,value\nw-old,2026-03-01,100\nw-old,2026-03-02,120\n", encoding="utf-8")
    assert booked.told("hand-reading", "import", table) == {"readings": 2}
    assert [e.action for e in audit.entries(booked.database)] == ["energy-readings-imported"]


def test_an_exchange_is_entered_and_an_impossible_one_refused(booked: Hospital) -> None:
    counts = busy(40, seed=1)
    at = FIRST + timedelta(days=10)
    before = float(counts[10 * 96 - 1])
    refused = booked.run(
        "exchange", "em-main", "--at", f"{at} 00:07", "--end", before - 50, "--start", 0, code=2
    ).output  # fmt: skip
    assert "the old meter's end" in refused
    assert "is below what it showed" in refused


def test_an_unknown_register_is_refused_with_the_nearest(booked: Hospital) -> None:
    told = booked.run("hand-reading", "add", "em-mein", "1", "--at", "2026-03-01", code=2).output
    assert "'em-mein' is no register that is booked" in told


def test_a_published_month_keeps_its_versions(booked: Hospital) -> None:
    report = booked.told("publish", "2026-03")
    assert report["versions"]["bill/electricity"] == 1
    assert [e.action for e in audit.entries(booked.database)] == ["energy-month-published"]


def test_a_folder_that_holds_no_books_is_told(hospital: Hospital, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    result = runner.invoke(app, ["energy", "show", "--site", str(hospital.site), "--data", str(empty)])
    assert result.exit_code == 2
    assert "name the service's data folder with --data" in result.output


def test_while_a_service_runs_it_keeps_the_books_itself(booked: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    from api import reaching
    from api.local_service import LocalService
    from api.service_store import ServiceStore

    there = ServiceStore(LocalService("http://127.0.0.1:8443", "key", str(booked.data / "telemetry.duckdb")))
    monkeypatch.setattr(reaching, "running_service", lambda *_: there)
    told = booked.run("book", code=1).output
    assert "The service at http://127.0.0.1:8443 holds the store and keeps the books itself" in told
    # What stands in the database is shown all the same.
    assert booked.told("bill", "2026-03")["bills"]


@pytest.mark.parametrize("month", ["2026-13", "next", "0001-01", "9999-12", ""])
@pytest.mark.parametrize("command", [("show", "--month"), ("bill",), ("publish",), ("activity", "show", "--month")])
def test_what_is_no_month_is_told(hospital: Hospital, command: tuple[str, ...], month: str) -> None:
    told = runner.invoke(app, ["energy", *command, month, "--site", str(hospital.site), "--data", str(hospital.data)])
    assert told.exit_code == 2, repr(told.exception)
    assert "2026-03" in told.output


def test_a_note_with_brackets_is_listed_as_it_was_written(hospital: Hospital) -> None:
    hospital.run(
        "hand-reading", "add", MAIN, "9e5", "--at", "2026-03-01 08:30", "--note", "x [/red] \x1b[31m", "--confirm"
    )
    assert "[/red]" in hospital.run("hand-reading", "list").output
    assert "\x1b[31m" not in hospital.run("hand-reading", "list").output


EMPTY = "site: {id: s, name: {zh: 院, en: Hospital}, time_zone: Asia/Shanghai}\n"
METERS = EMPTY + "equipment: [{id: em-main, class: electricity_meter}]\n"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """A hospital without a reading, and without a meter until a test gives it one."""
    made = Hospital(tmp_path_factory.mktemp("nothing"))
    made.database.upgrade()
    open_store(made.data / "telemetry.duckdb", zone=ZONE.key).close()
    return made


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("show",), 0),
        (("book",), 0),
        (("cost",), 0),
        (("bill", "2026-03"), 2),
        (("balance", "2026-03"), 2),
        (("allocation", "2026-03", "--carrier", "water"), 2),
        (("publish", "2026-03"), 2),
        (("hand-reading", "add", "em-main", "5", "--at", "2026-03-01"), 2),
        (("exchange", "em-main", "--at", "2026-03-01", "--end", "5", "--start", "0"), 2),
    ],
)
def test_a_site_without_meters_is_told_how_to_add_one(nothing: Hospital, command: tuple[str, ...], code: int) -> None:
    nothing.site.write_text(EMPTY, encoding="utf-8")
    told = nothing.run(*command, code=code).output
    assert "he site has no meter: add one to the site file" in told
    assert "┏" not in told


@pytest.mark.parametrize(
    ("command", "code"), [(("show",), 0), (("book",), 0), (("cost",), 0), (("bill", "2026-03"), 2)]
)
def test_a_site_whose_meters_nobody_read_is_told_how_they_are(
    nothing: Hospital, command: tuple[str, ...], code: int
) -> None:
    nothing.site.write_text(METERS, encoding="utf-8")
    told = nothing.run(*command, code=code).output
    assert "othing is booked, for no meter has been read: connect it" in told
    assert ("em-main/energy_import" in told) is (command == ("show",))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("restatements",), "No closed figure was changed."),
        (("hand-reading", "list"), "No register was read by hand."),
        (("measure", "list"), "No measure is written down."),
        (("activity", "show"), "Nothing is known of this month."),
    ],
)
def test_an_empty_list_says_so(nothing: Hospital, command: tuple[str, ...], said: str) -> None:
    nothing.site.write_text(METERS, encoding="utf-8")
    assert said in nothing.run(*command).output


def test_what_no_day_is_known_of_costs_no_zero(nothing: Hospital) -> None:
    nothing.site.write_text(METERS, encoding="utf-8")
    assert nothing.told("cost", "--from", "2026-03-01", "--to", "2026-03-02")["total_cents"] is None


def test_a_statement_that_is_not_there_says_why(booked: Hospital) -> None:
    assert "there is no such bill of 2090-07; the books go to 20" in booked.run("bill", "2090-07", code=2).output
    assert "nothing was counted in it" in booked.run("bill", "2026-01", code=2).output
    booked.site.write_text(booked.site.read_text(encoding="utf-8").replace(TARIFF, ""), encoding="utf-8")
    assert "the site has no tariff: write what energy costs" in booked.run("bill", "2026-01", code=2).output


def test_names_are_shown_in_the_language_that_is_asked_for(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdout, "_width", 200)  # setting `width` would not be undone
    assert "Electricity meter em-main" in hospital.run("show", "--language", "en").output
    assert "'fr' is no language; write zh or en" in hospital.run("bill", "2026-03", "--language", "fr", code=2).output


def test_keys_and_amounts_are_shown_whole_on_a_terminal_of_eighty_columns(
    booked: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdout, "_width", 80)
    told = booked.run("show", "--month", "2026-02")
    lines = told.output.splitlines()
    assert "Electricity" not in told.output
    assert any("em-main/reactive_energy_import" in line for line in lines)
    assert any("em-main/energy_import " in line and " kWh" in line and "…" not in line for line in lines)
    assert max(map(len, lines[:5])) <= 80
