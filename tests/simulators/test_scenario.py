"""Scenario files: what they plan, and that each typing mistake is told with its place and its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.site import Site
from simulators.faults import FaultEvent
from simulators.scenario import Scenario, load_scenario, written
from tests.simulators.conftest import DAY_US, HOUR_US, MINUTE_US, ROOT, WEDNESDAY_US

GOOD = """
seed: 7
climate: harbin
start: 2026-01-14 00:00
faults:
  - {fault: MG-F02, equipment: oz-icu, from: 30 s, to: 15 min, severity: 0.85}
  - {fault: WS-F03, equipment: w-outpatient, from: -9.9 d}
  - {fault: PU-F06, equipment: cp3, from: 2026-01-14 06:30, for: 2 h, onset: {kind: creeping, over: 1 h}}
  - {fault: DA-F02, equipment: b1/steam_pressure, onset: {kind: intermittent, on: 20 min, every: 2 h}}
  - {fault: DA-F08, equipment: gw-pump-2, from: 2 h, for: 10 min}
  - {fault: BO-F21, equipment: g-boilers, from: 4 min}
repairs:
  - {at: 9 min, equipment: g-boilers, note: Flange tightened}
measures:
  - {id: timers, name: {zh: 定时控制, en: Timers}, meter: em-kitchen, from: -120 d, to: -118 d, cost: 86000 CNY}
  - {id: valves, name: {zh: 换阀, en: New valves}, meter: w-outpatient, from: 2025-09-01 08:00}
"""
MEASURE = "measures: [{id: timers, name: {zh: 定时, en: Timers}, meter: em-kitchen, from: -120 d}]"


def read(site: Site, folder: Path, text: str) -> Scenario:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, site)


def mistakes(site: Site, folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as told:
        read(site, folder, text)
    return [str(problem).removeprefix(f"{folder}/scenario.yaml:") for problem in told.value.problems]


def test_a_scenario_says_what_comes_when_and_how_bad(site: Site, tmp_path: Path) -> None:
    scenario = read(site, tmp_path, GOOD)
    assert (scenario.seed, scenario.climate, scenario.start_us) == (7, "harbin", WEDNESDAY_US)
    assert scenario.events(0) == [
        FaultEvent("MG-F02", "oz-icu", 0.85, WEDNESDAY_US + 30_000_000, 20.0, WEDNESDAY_US + 15 * MINUTE_US),
        FaultEvent("WS-F03", "w-outpatient", 0.8, WEDNESDAY_US - 99 * DAY_US // 10, 0.0),
        FaultEvent("PU-F06", "cp3", 0.8, WEDNESDAY_US + 13 * HOUR_US // 2, 3600.0, WEDNESDAY_US + 17 * HOUR_US // 2),
        FaultEvent("DA-F02", "b1/steam_pressure", 0.8, WEDNESDAY_US, 0.0, on_s=1200.0, every_s=7200.0),
        FaultEvent("DA-F08", "gw-pump-2", 0.8, WEDNESDAY_US + 2 * HOUR_US, 0.0, WEDNESDAY_US + 130 * MINUTE_US),
        FaultEvent("BO-F21", "g-boilers", 0.8, WEDNESDAY_US + 4 * MINUTE_US, 120.0, WEDNESDAY_US + 9 * MINUTE_US),
    ]


def test_without_a_start_times_count_from_when_the_simulation_goes_live(site: Site, tmp_path: Path) -> None:
    scenario = read(site, tmp_path, "faults: [{fault: WS-F03, equipment: w-main, from: 2 h}]")
    assert [e.start_us for e in scenario.events(WEDNESDAY_US)] == [WEDNESDAY_US + 2 * HOUR_US]


def test_what_is_written_is_what_is_read(site: Site, tmp_path: Path) -> None:
    scenario = read(site, tmp_path, GOOD)
    assert read(site, tmp_path, written(scenario)) == scenario


def test_a_measure_is_entered_by_the_days_of_its_work(site: Site, tmp_path: Path) -> None:
    timers, valves = read(site, tmp_path, GOOD).measure_entries(0)
    assert timers["work"] == {"from": "2025-09-16", "to": "2025-09-18"}
    assert valves["work"] == {"from": "2025-09-01", "to": "2025-09-01"}
    assert (timers["id"], timers["meter"], timers["cost"]) == ("timers", "em-kitchen", "86000 CNY")
    assert timers["name"] == {"zh": "定时控制", "en": "Timers"}


def test_without_a_start_a_measures_days_count_back_from_when_the_simulation_goes_live(
    site: Site, tmp_path: Path
) -> None:
    (timers,) = read(site, tmp_path, MEASURE).measure_entries(WEDNESDAY_US)
    assert timers["work"] == {"from": "2025-09-16", "to": "2025-09-16"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("em-kitchen", "em-kitchin", "'timers'.meter: no meter is called 'em-kitchin'; did you mean 'em-kitchen'?"),
        ("from: -120 d", "from: 2 h", "'timers'.from: it lies after the start, and a measure belongs to the past"),
        ("from: -120 d", "from: -9999 d", "'timers'.from: it lies more than 7,300 days back"),
        ("from: -120 d", "from: -120 d, to: -121 d", "'timers'.to: it ends on"),
        ("from: -120 d", "from: -120 d, to: 1 d", "'timers'.to: it lies after the start"),
        ("from: -120 d", "from: -120 d, cost: much", "'timers'.cost: 'much' is no amount of money here"),
        ("id: timers", "id: My timers", "'My timers' is not an id"),
        (", from: -120 d", "", "'from' is missing"),
        ("}]", "}, {id: timers, name: {zh: 定时, en: Timers}, meter: em-kitchen, from: -9 d}]", "id 'timers' is taken"),
    ],
)
def test_a_mistake_in_a_measure_is_told_with_its_mend(
    site: Site, tmp_path: Path, old: str, new: str, told: str
) -> None:
    (mistake,) = mistakes(site, tmp_path, MEASURE.replace(old, new))
    assert "measures[" in mistake
    assert told in mistake


def test_the_seed_and_the_climate_are_the_hospitals(site: Site, tmp_path: Path) -> None:
    scenario = read(site, tmp_path, GOOD)
    assert (scenario.hospital().seed, scenario.hospital().climate) == (7, "harbin")
    assert scenario.hospital(seed=3).seed == 3
    assert Scenario(site, ()).hospital().seed == 1


FAULT = "faults: [{{fault: MG-F02, equipment: oz-icu, {}}}]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fauls: []", "1: fauls: key 'fauls' is not known here; did you mean 'faults'?"),
        ("climate: harbon", "1: climate: climate 'harbon' is not known here; did you mean 'harbin'?"),
        ("start: 5 min", "1: start: '5 min' is not a site time; write it as 2026-01-14 06:30"),
        ("seed: often", "1: seed: 'often' stands where a number belongs"),
        (
            FAULT.format("sevrity: 1"),
            "1: faults[1] 'MG-F02'.sevrity: key 'sevrity' is not known here; did you mean 'severity'?",
        ),
        (FAULT.format("severity: 1.5"), "1: faults[1] 'MG-F02'.severity: severity 1.5 is not above 0 and up to 1"),
        (FAULT.format("severity: 0"), "1: faults[1] 'MG-F02'.severity: severity 0 is not above 0 and up to 1"),
        (FAULT.format("severity: much"), "1: faults[1] 'MG-F02'.severity: 'much' stands where a number belongs"),
        (
            FAULT.format("from: 30"),
            "1: faults[1] 'MG-F02'.from: '30' is neither a time after the start, such as '30 s' or '-2 h',"
            " nor a site time, such as '2026-01-14 06:30'",
        ),
        (
            FAULT.format("from: 2026-13-14 06:30"),
            "1: faults[1] 'MG-F02'.from: '2026-13-14 06:30' is neither a "
            "time after the start, such as '30 s' or '-2 h', nor a site time, such as "
            "'2026-01-14 06:30'",
        ),
        (FAULT.format("for: 3 lightyears"), "1: faults[1] 'MG-F02'.for: unit 'lightyears' is not known"),
        (
            FAULT.format("for: -2 h"),
            "1: faults[1] 'MG-F02'.for: '-2 h' is a negative duration; give one of zero or above, such as '15 min'",
        ),
        (
            FAULT.format("for: 0 s"),
            "1: faults[1] 'MG-F02'.for: the fault would end when it starts; give a longer time, such as '15 min'",
        ),
        (
            FAULT.format("from: 5 min, to: 3 min"),
            "1: faults[1] 'MG-F02'.to: the fault would end before it starts; write a "
            "later time, or `for:` with how long it lasts",
        ),
        (
            FAULT.format("to: 3 min, for: 3 min"),
            "1: faults[1] 'MG-F02'.for: both `to` and `for` stand here; keep one of them",
        ),
        (
            FAULT.format("from: 5 min, to: 2026-01-14 06:30"),
            "1: faults[1] 'MG-F02'.to: `from` and `to` differ in kind; "
            "write both after the start, or both as site times",
        ),
        (
            "start: 2026-01-14 08:00\n" + FAULT.format("from: 5 min, to: 2026-01-14 06:30"),
            "2: faults[1] 'MG-F02'.to: MG-F02 of oz-icu would end before it starts; write a later `to`",
        ),
        (
            FAULT.format("onset: {kind: creaping}"),
            "1: faults[1] 'MG-F02'.onset.kind: 'creaping' is not one of the words known here; did you mean 'creeping'?",
        ),
        (
            FAULT.format("onset: {kind: creeping}"),
            "1: faults[1] 'MG-F02'.onset: a creeping onset needs `over`, such as over: 10 d",
        ),
        (
            "faults: [{fault: MG-F99, equipment: oz-icu}]",
            "1: faults[1] 'MG-F99'.fault: fault 'MG-F99' is not in the catalogue",
        ),
        (
            "faults: [{fault: MG-F02, equipment: oz-ici}]",
            "1: faults[1] 'MG-F02'.equipment: no equipment is called 'oz-ici'; did you mean 'oz-icu'?",
        ),
        (
            "faults: [{fault: MG-F02, equipment: tx1}]",
            "1: faults[1] 'MG-F02'.equipment: 'tx1' is a dry_type_transformer and cannot have MG-F02; it belongs to",
        ),
        (
            "faults: [{fault: DA-F02, equipment: tx1/lod}]",
            "1: faults[1] 'DA-F02'.equipment: no point 'lod' of 'tx1' can have DA-F02",
        ),
        ("faults: [{equipment: tx1}]", "1: faults[1].fault: 'fault' is missing; add it"),
        (
            "repairs: [{at: 5 min, equipment: oz-ici, note: valve}]",
            "1: repairs[1].equipment: no equipment is called 'oz-ici'; did you mean 'oz-icu'?",
        ),
        (
            FAULT.format("from: 1 min") + "\nrepairs: [{at: 2 min, equipment: oz-icu, note: rebooted}]",
            "2: repairs[1].note: nothing is mended by it at that time; a note that mends its faults holds one of: ",
        ),
        (
            FAULT.format("from: 1 min") + "\nrepairs: [{at: 30 s, equipment: oz-icu, note: valve opened}]",
            "2: repairs[1].note: nothing is mended by it at that time",
        ),
        ("faults: {}", "1: faults: a mapping stands where a list `[...]` belongs"),
        ("faults: [", "2: this is not YAML"),
        ("", "the file is empty"),
    ],
)
def test_a_typing_mistake_is_told_with_its_place_and_its_mend(site: Site, tmp_path: Path, text: str, told: str) -> None:
    (problem,) = mistakes(site, tmp_path, text)
    assert told in problem


def test_all_mistakes_are_told_at_once(site: Site, tmp_path: Path) -> None:
    text = "climate: x\nfaults:\n  - {fault: XX-F01, equipment: oz-icu}\n  - {fault: MG-F02, equipment: oz-x}\n"
    assert len(mistakes(site, tmp_path, text)) == 3


def test_a_file_that_is_not_there_is_told(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml", site)


def test_the_example_on_the_page_is_one(site: Site, tmp_path: Path) -> None:
    page = (ROOT / "docs/simulators/scenarios.md").read_text(encoding="utf-8")
    scenario = read(site, tmp_path, page.split("```yaml\n")[1].split("```")[0])
    assert len(scenario.events(0)) == 6
