"""`wardwatt store ...` as a person meets it: what it did, which way, and what to do about an error."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from api.command import app
from api.options import ROOT
from facility.database import Database
from facility.store.duckdb import DuckDBStore
from facility.store.levels import Level, Retention

runner = CliRunner(env={"COLUMNS": "200"})
DEMO = ROOT / "examples" / "small"
ROWS = (
    "time,point,value,quality\n"
    "2026-03-01T00:00:00+08:00,tx1/load,41.5,0\n"
    "2026-03-01T00:01:00+08:00,tx1/load,-0.0,1\n"
    "2026-03-02T00:00:00+08:00,tx2/load,7,0\n"
)


def run(*arguments, code=0):
    result = runner.invoke(app, ["store", *map(str, arguments)])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def told(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def here(tmp_path):
    """A data folder whose store holds three readings."""
    (tmp_path / "rows.csv").write_text(ROWS)
    run("import", tmp_path / "rows.csv", "--store", tmp_path / "data" / "telemetry.duckdb")
    return tmp_path


def test_info_says_which_way_was_taken_and_what_is_there(here):
    result = run("info", "--data", here / "data")
    assert f"Opening {here / 'data' / 'telemetry.duckdb'}; no service runs with it." in result.stderr
    assert "3 of 2 points" in result.stdout
    facts = told("info", "--data", here / "data")
    assert (facts["keeper"], facts["readings"], facts["points"]) == ("duckdb", 3, 2)
    assert [level["level"] for level in facts["levels"]] == ["raw", "1min", "15min", "1h", "1d"]
    assert facts["only_rollups_before_us"] is None


def test_a_folder_named_wrongly_is_told_and_not_made(tmp_path):
    for command in (["info"], ["compact"], ["verify"], ["export", tmp_path / "x.csv"], ["backup", tmp_path / "b"]):
        result = run(*command, "--data", tmp_path / "absent", code=2)
        assert "name the service's data folder with --data" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.lp.gz"])
def test_an_export_imported_elsewhere_has_the_same_checksum(here, name):
    out = told("export", here / name, "--data", here / "data")
    assert told("import", here / name, "--store", here / "other.duckdb")["readings"] == 3
    again = told("verify", "--store", here / "other.duckdb")
    assert again == {"sound": True, "readings": 3, "points": 2, "checksum": out["checksum"]}


def test_a_part_may_be_exported(here):
    part = ("--from", "2026-03-01", "--until", "2026-03-02", "--zone", "Asia/Shanghai", "--points", "tx1")
    assert told("export", here / "a.csv", "--data", here / "data", *part)["readings"] == 2
    assert "+08:00,tx1/load,41.5,0" in (here / "a.csv").read_text()
    run("export", here / "t.csv", "--format", "wide", "--data", here / "data")
    assert (here / "t.csv").read_text().startswith("time,tx1/load,tx1/load quality,tx2/load,tx2/load quality")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.csv", "--from", "2026-03-01"), "has no zone; write +08:00 after it, or say --zone"),
        (("a.csv", "--zone", "Mars/Olympus"), "--zone 'Mars/Olympus' is no time zone; write it like Asia/Shanghai"),
        (("a.csv", "--points", "tx7"), "--points 'tx7' fits no point of the store"),
        (("a.xlsx",), "its ending says no form"),
        (("rows.csv",), "is there already; name another file, or say --force"),
        (("absent/a.csv",), "there is no folder absent; make it first"),
        (("data", "--format", "csv", "--force"), "data is a folder; name a file in it"),
    ],
)
def test_what_is_wrong_with_an_export_is_told(here, arguments, words, monkeypatch):
    monkeypatch.chdir(here)
    assert words in run("export", *arguments, "--data", "data", code=2).stderr


def test_no_export_is_written_over_a_store_or_a_database(here):
    store, link = here / "data" / "telemetry.duckdb", here / "link.csv"
    link.symlink_to(store)
    Database(f"sqlite:///{here}/wardwatt.db").upgrade()
    for target in (store, link, here / "wardwatt.db"):
        before = target.read_bytes()
        result = run("export", target, "--data", here / "data", "--format", "csv", "--force", code=2)
        assert "over which no export is written; name another file" in result.stderr
        assert target.read_bytes() == before


def test_a_copy_onto_itself_is_refused(here):
    store = here / "data" / "telemetry.duckdb"
    for target in (store, here / "data" / ".." / "data" / "telemetry.duckdb", f"duckdb:///{store}"):
        assert "FROM and TO are one store" in run("copy", store, target, code=2).stderr
    url = "influxdb://127.0.0.1:1/a"
    assert "FROM and TO are one store" in run("copy", url, url, code=2).stderr


def test_a_file_with_a_mistake_is_not_imported_at_all(here):
    (here / "bad.csv").write_text(ROWS + '2026-03-03T00:00:00+08:00,tx1/load,"1,5",0\n')
    result = run("import", here / "bad.csv", "--data", here / "data", code=2)
    assert f"{here / 'bad.csv'}:5: value '1,5' is not a number" in result.stderr
    assert "nothing has been imported" in result.stderr
    assert told("info", "--data", here / "data")["readings"] == 3


def test_bad_rows_may_be_set_aside_and_are_counted(here):
    (here / "bad.csv").write_text(
        ROWS.replace("41.5", "42") + "2026-03-03T00:00:00+08:00,tx1/load,x,0\n2026-03-03T00:00:00Z,tx3/load,1,0\n"
    )
    result = told("import", here / "bad.csv", "--data", here / "data", "--skip-bad")
    assert (result["readings"], result["bad"]) == (4, 1)
    side = (here / "bad.csv.bad.csv").read_text()
    assert side.splitlines()[1].startswith("5,\"value 'x' is not a number")
    assert told("info", "--data", here / "data")["readings"] == 4


def test_with_the_site_only_its_points_are_taken_and_get_their_place(here):
    (here / "odd.csv").write_text(ROWS.replace("tx2/load", "tx1/laod"))
    result = run("import", here / "odd.csv", "--data", here / "data", "--site", DEMO, code=2)
    assert "'tx1/laod' is not a point of the site; did you mean" in result.stderr
    (here / "one.csv").write_text("\n".join(ROWS.splitlines()[:3]))
    run("import", here / "one.csv", "--data", here / "data", "--site", DEMO)
    run("export", here / "placed.csv", "--data", here / "data")
    assert "tx1,load,dry_type_transformer" in (here / "placed.points.csv").read_text(encoding="utf-8")


def test_a_copy_is_compared_and_what_differs_is_named(here):
    source, target = here / "data" / "telemetry.duckdb", here / "other.duckdb"
    assert "Both sides are equal." in run("copy", source, target).stdout
    again = told("copy", source, target)
    assert (again["written"], again["equal"]) == (0, True)
    assert again["source"] == again["target"]
    (here / "more.csv").write_text("time,point,value\n2026-03-01T12:00:00Z,tx1/load,9\n")
    run("import", here / "more.csv", "--store", target)
    result = run("copy", source, target, code=1)
    assert "1 points differ:" in result.stderr
    assert "tx1/load: 2 readings against 3" in result.stderr
    assert told("copy", source, target, code=1)["different"] == [{"point": "tx1/load", "source": 2, "target": 3}]


def test_a_store_compacts(here):
    assert told("compact", "--data", here / "data")["bytes"] > 0


def test_a_backup_is_taken_verified_and_restored(here):
    Database(f"sqlite:///{here / 'data' / 'wardwatt.db'}").upgrade()
    made = told("backup", here / "b", "--data", here / "data", "--site", DEMO)
    assert (made["telemetry"]["readings"], made["database"]["kind"], made["waiting"]) == (3, "sqlite", 0)
    assert "Sound:" in run("verify", here / "b").stdout
    result = run("restore", here / "b", "--data", here / "new", "--site-to", here / "new-site")
    assert "Restored 3 readings" in result.stdout
    assert (here / "new-site" / "site.yaml").read_bytes() == (DEMO / "site.yaml").read_bytes()
    assert told("verify", "--data", here / "new")["checksum"] == made["telemetry"]["checksum"]
    assert "--force" in run("restore", here / "b", "--data", here / "new", code=2).stderr
    assert "Moved aside" in run("restore", here / "b", "--data", here / "new", "--force").stdout


def test_a_damaged_backup_is_refused(here):
    run("backup", here / "b", "--data", here / "data", "--without-database")
    (here / "b" / "telemetry.duckdb").write_bytes(b"")
    assert "telemetry.duckdb: 0 bytes long" in run("verify", here / "b", code=1).stderr
    result = run("restore", here / "b", "--data", here / "new", "--without-database", code=1)
    assert "Nothing has been changed." in result.stderr
    shutil.rmtree(here / "b")
    assert "there is no such folder" in run("verify", here / "b", code=1).stderr


def test_what_is_left_only_as_rollups_is_told(here):
    day_us = 86_400_000_000
    with DuckDBStore(here / "data" / "telemetry.duckdb") as store:
        newest_us = store.size().last_us
        store.expire(Retention(raw_us=day_us, minute_us=None, quarter_us=None), newest_us + day_us + day_us // 2)
    left = told("info", "--data", here / "data")
    assert left["only_rollups_before_us"] is not None
    assert left["readings"] < 3
    words = "have been deleted by age: of them the store keeps roll-ups only"
    assert words in run("info", "--data", here / "data").stderr
    assert words in run("export", here / "a.csv", "--data", here / "data").stderr
    assert words in run("copy", here / "data" / "telemetry.duckdb", here / "other.duckdb").stderr
    made = told("backup", here / "b", "--data", here / "data", "--without-database")
    assert made["telemetry"]["only_rollups_before_us"] == left["only_rollups_before_us"]
    # The roll-ups themselves come back from a backup.
    run("restore", here / "b", "--data", here / "new", "--without-database")
    with DuckDBStore(here / "new" / "telemetry.duckdb") as store:
        days = store.rollup(["tx1/load"], Level.DAY, 0, 2**60)["tx1/load"]
        assert days.count.sum() == 1  # the other reading of that day was impossible
