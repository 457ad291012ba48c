"""`wardwatt tariffs`, and what `wardwatt check` says about them."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from api.command import app
from facility.tariff_library import library

runner = CliRunner(env={"COLUMNS": "240"})


def run(*arguments: str | Path, code: int = 0) -> str:
    result = runner.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_every_plan_is_listed_with_its_document() -> None:
    text = run("tariffs")
    assert [p.id for p in library().values() if p.id not in text or p.document not in text] == []
    found = json.loads(run("tariffs", "--json"))
    assert [p["id"] for p in found] == list(library())


def test_one_plan_is_shown_whole() -> None:
    text = run("tariffs", "shanghai-two-part")
    assert "沪发改价管〔2022〕50号" in text
    assert "2.25" in text
    assert json.loads(run("tariffs", "zhejiang", "--json"))[0]["bands"][0]["days"] == [
        "labour_day", "national_day", "spring_festival",
    ]  # fmt: skip


def test_a_plan_that_is_not_there_is_told_with_the_nearest() -> None:
    assert "did you mean 'hubei'" in run("tariffs", "hubey", code=2)


def test_check_names_the_plan_and_what_to_verify(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "site: {id: x, name: {zh: 甲, en: A}}\n"
        "tariffs:\n  - {carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.7, source: bill, "
        "time_of_use: tianjin}\n",
        encoding="utf-8",
    )
    text = run("check", tmp_path / "site.yaml")
    assert "Contract electricity: hours of tianjin, 津发改价综〔2021〕395号; verify: a later rule" in text
    contract = json.loads(run("check", tmp_path / "site.yaml", "--json"))["contracts"][0]
    assert (contract["plan"], contract["from"]) == ("tianjin", "2026-01-01")
