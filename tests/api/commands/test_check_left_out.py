"""`wardwatt check` tells what the service does without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.command import app

SITE = """\
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}}
equipment:
  - {id: em-a, class: electricity_meter}
virtual_meters:
  - {id: v1, name: {zh: 甲, en: A}, carrier: electricity, unit: kWh, formula: v2 + em-a}
  - {id: v2, name: {zh: 乙, en: B}, carrier: electricity, unit: kWh, formula: v1 * 2}
  - {id: v3, name: {zh: 丙, en: C}, carrier: electricity, unit: kWh, formula: em-a * 2}
"""
TOLD = "the formula runs in a circle: v1 -> v2 -> v1; take one link out"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    return tmp_path


def test_a_circle_of_virtual_meters_is_a_mistake_to_whoever_checks(site: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(site)])
    assert result.exit_code == 2
    assert TOLD in result.output.replace("\n", "")
    assert "1 mistake found." in result.output


def test_it_is_told_with_its_place_as_json(site: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(site), "--json"])
    assert result.exit_code == 2
    (problem,) = json.loads(result.output)["problems"]
    assert (problem["line"], problem["place"], problem["message"]) == (5, "virtual_meters[1] 'v1'.formula", TOLD)
