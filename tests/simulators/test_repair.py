"""A machine is mended by the right work, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facility.site import Site
from simulators.hospital import Hospital
from tests.simulators.conftest import MINUTE_US, WEDNESDAY_US


@pytest.fixture
def hospital(site: Site, tmp_path: Path) -> Hospital:
    sick = Hospital(site, 1, truth=tmp_path / "truth.jsonl")
    sick.step(WEDNESDAY_US)
    sick.switch("MG-F02", "oz-icu", on=True, severity=0.9)
    sick.switch("MG-F07", "oz-icu", on=True)
    sick.switch("DA-F02", "oz-icu/flow", on=True)
    sick.step(WEDNESDAY_US + 2 * MINUTE_US)
    return sick


@pytest.mark.parametrize("note", ["Zone VALVE opened, pressure is back", "区域阀门已打开"])
def test_a_note_that_names_the_right_work_ends_the_fault(hospital: Hospital, note: str) -> None:
    assert [e.fault for e in hospital.repair("oz-icu", note)] == ["MG-F02"]
    assert hospital.step(WEDNESDAY_US + 4 * MINUTE_US)["oz-icu/pressure"] > 320.0
    # The leak goes on: nobody has looked for it.
    assert {e.fault for e in hospital.book.on(WEDNESDAY_US + 4 * MINUTE_US)} == {"MG-F07", "DA-F02"}


@pytest.mark.parametrize(
    ("machine", "note"), [("oz-icu", "rebooted"), ("oz-icu", ""), ("oz-emergency", "valve opened")]
)
def test_another_note_or_another_machine_mends_nothing(hospital: Hospital, machine: str, note: str) -> None:
    assert hospital.repair(machine, note) == []
    assert hospital.step(WEDNESDAY_US + 4 * MINUTE_US)["oz-icu/pressure"] < 320.0


def test_a_fault_of_a_point_is_mended_at_its_machine(hospital: Hospital) -> None:
    assert [e.equipment for e in hospital.repair("oz-icu", "replaced the flow sensor")] == ["oz-icu/flow"]


def test_what_is_to_come_is_not_mended_beforehand(hospital: Hospital) -> None:
    hospital.switch("MG-F02", "oz-surgical", on=True, at_us=WEDNESDAY_US + 30 * MINUTE_US)
    assert hospital.repair("oz-surgical", "valve opened") == []


def test_the_truth_log_tells_when_it_was_mended(hospital: Hospital, tmp_path: Path) -> None:
    hospital.repair("oz-icu", "valve opened")
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    off = next(line for line in lines if line["switched"] == "off")
    assert (off["fault"], off["equipment"]) == ("MG-F02", "oz-icu")
    stuck = next(line for line in lines if line["fault"] == "DA-F02")
    assert (stuck["equipment"], stuck["point"]) == ("oz-icu", "flow")


def test_a_hospital_that_has_not_been_run_says_so(site: Site) -> None:
    with pytest.raises(ValueError, match="has not been run"):
        Hospital(site, 1).repair("oz-icu", "valve opened")
