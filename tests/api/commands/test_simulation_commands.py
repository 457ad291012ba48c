"""`wardwatt simulate`: lists of faults, scenarios, pasts, and commands to a simulator that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.command import app
from facility.store.opening import open_store
from simulators.fault_catalogue import catalogue

SITE = str(Path(__file__).parents[3] / "examples/small/site.yaml")
SCENARIO = """
start: 2026-01-14 00:00
faults:
  - {fault: WS-F03, equipment: w-outpatient, from: 1 h, for: 2 h}
  - {fault: DA-F01, equipment: w-main, from: 4 h}
"""
runner = CliRunner()


def simulate(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, ["simulate", "--site", SITE, *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_every_fault_is_listed_with_its_plant_what_it_does_where_it_shows_and_what_it_wastes() -> None:
    listed = simulate("--list-faults")
    for fault in catalogue().values():
        lines = listed[listed.index(f"{fault.id}  ") :].splitlines()[:3]
        assert fault.name.zh in lines[0]
        assert ("life safety" in lines[0]) == fault.life_safety
        assert (f"wastes {fault.waste.unit}" in lines[0]) if fault.waste else ("wastes" not in lines[0])
        assert lines[1].strip() == fault.effect
        assert all(point in lines[2] for point in fault.shows)
        assert fault.plant.en in listed


def test_programs_read_the_list_as_json() -> None:
    listed = json.loads(simulate("--list-faults", "--json"))
    found = next(f for f in listed if f["id"] == "WS-F03")
    assert found["plant"]["en"] == "Water supply"
    assert found["waste"]["unit"] == "m³"
    assert found["shows"]["flow"] == "up"


def test_drawn_faults_are_shown_kept_and_the_same_again(tmp_path: Path) -> None:
    file = tmp_path / "drawn.yaml"
    first = simulate("--random-faults", "5", "--seed", "7", "--write-scenario", str(file))
    assert file.read_text(encoding="utf-8") in first
    assert simulate("--random-faults", "5", "--seed", "7", "--write-scenario", str(file)) == first


def test_a_past_is_written_with_its_faults_and_their_truth(tmp_path: Path) -> None:
    scenario = tmp_path / "tap.yaml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    data = tmp_path / "data"
    said = simulate("--scenario", str(scenario), "--history", "6h", "--step", "15min", "--data", str(data), "--json")
    told = json.loads(said.splitlines()[-1])
    assert told["readings"] > 5_000
    with open_store(data / "telemetry.duckdb", read_only=True) as store:
        series = store.series(["w-main/flow", "tx1/load"], told["from_us"], told["to_us"])
    assert len(series["w-main/flow"].time_us) == 16
    assert len(series["tx1/load"].time_us) == 24  # derived points are there too
    truth = [json.loads(line) for line in (data / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    switched = {(line["fault"], line["switched"]): line for line in truth}
    assert switched.keys() == {("WS-F03", "on"), ("WS-F03", "off"), ("DA-F01", "on"), ("DA-F01", "still")}
    assert switched["WS-F03", "off"]["cost"]["currency"] == "CNY"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repair", "oz-icu"], "is no repair; write the machine and what was done"),
        (["--repair", "oz-ici=valve opened"], "no equipment is called 'oz-ici'; did you mean 'oz-icu'?"),
        (["--scenario", "x.yaml", "--random-faults", "3"], "keep one of them"),
        (["--scenario", "absent.yaml"], "cannot be read"),
        (["--write-scenario", "x.yaml"], "give it as well, such as --random-faults 12"),
        (["--random-faults", "999999"], "999999 faults cannot be drawn"),
        (["--history", "3"], "--history '3' is no duration; write such as 30d or 15min"),
        (["--history", "1h", "--step", "0s"], "--step '0s' is too short or too long; write from 1s to 1h"),
    ],
)
def test_a_mistake_is_told_with_its_mend(arguments: list[str], told: str, tmp_path: Path) -> None:
    assert told in simulate(*arguments, "--data", str(tmp_path / "data"), code=2)
