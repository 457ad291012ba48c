"""The truth log: what was wrong, from when to when, how bad, and what it cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facility.site import Site
from simulators.fault_catalogue import UnknownFault
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from simulators.truth import TruthLog, iso, microseconds
from tests.simulators.conftest import HOUR_US, MINUTE_US, WEDNESDAY_US, minutes


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_times_are_written_exactly_to_the_microsecond() -> None:
    assert iso(1_768_320_000_123_457) == "2026-01-13T16:00:00.123457+00:00"
    assert microseconds(iso(1_768_320_000_123_457)) == 1_768_320_000_123_457


def test_a_fault_switched_on_and_off_leaves_two_lines_with_its_true_waste(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    hospital = Hospital(site, seed=1, truth=path)
    hospital.step(WEDNESDAY_US)
    hospital.switch("WS-F03", "w-outpatient", on=True, severity=0.5)
    hospital.run(minutes(WEDNESDAY_US + MINUTE_US, 120))
    hospital.switch("WS-F03", "w-outpatient", on=False)
    on, off = lines(path)
    assert on == {
        "switched": "on", "fault": "WS-F03", "name": "Running tap", "equipment": "w-outpatient", "severity": 0.5,
        "onset_s": 0.0, "from": iso(WEDNESDAY_US), "to": None,
    }  # fmt: skip
    assert off["switched"] == "off"
    assert off["to"] == iso(WEDNESDAY_US + 2 * HOUR_US)
    # Two hours at half of 0.9 m³/h, and 6.5 CNY/m³ by the site's tariff.
    assert off["waste"] == {"amount": pytest.approx(0.9, rel=0.02), "unit": "m³"}
    assert off["cost"] == {"amount": pytest.approx(0.9 * 6.5, rel=0.02), "currency": "CNY"}


def test_what_goes_on_is_told_with_its_waste_so_far_and_counts_on_after_a_restart(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    hospital = Hospital(site, 1, [FaultEvent("WS-F03", "w-outpatient", 0.5, WEDNESDAY_US, 0.0)], path)
    hospital.run(minutes(WEDNESDAY_US + MINUTE_US, 120))
    hospital.take_stock()
    assert [line["switched"] for line in lines(path)] == ["on", "still"]
    assert lines(path)[-1]["waste"] == {"amount": pytest.approx(0.9, rel=0.02), "unit": "m³"}
    again = Hospital(site, 1, truth=path)
    again.run(minutes(WEDNESDAY_US + 121 * MINUTE_US, 60))
    assert again.book.events()[0].waste == pytest.approx(1.35, rel=0.02)


def test_what_electricity_is_wasted_costs_what_it_costs_at_that_hour(site: Site, tmp_path: Path) -> None:
    costs = {}
    for hour in (3, 10):  # 0.28 CNY/kWh in the valley, 1.34 in a January morning's peak
        path = tmp_path / f"{hour}.jsonl"
        event = FaultEvent(
            "PU-F13", "cp1", 1.0, WEDNESDAY_US + hour * HOUR_US, 0.0, WEDNESDAY_US + (hour + 1) * HOUR_US
        )
        Hospital(site, 1, [event], path).run(minutes(WEDNESDAY_US + hour * HOUR_US - MINUTE_US, 70))
        off = lines(path)[-1]
        costs[hour] = off["cost"]["amount"] / off["waste"]["amount"]  # type: ignore[index]
    assert costs == {3: pytest.approx(0.28, rel=1e-3), 10: pytest.approx(1.34, rel=1e-3)}


def test_a_fault_of_a_point_is_told_with_its_point_and_read_back(site: Site, tmp_path: Path) -> None:
    log = TruthLog(tmp_path / "truth.jsonl")
    event = FaultEvent("DA-F02", "b1/steam_pressure", 1.0, WEDNESDAY_US, 0.0)
    log.switched(event, "on")
    (line,) = lines(tmp_path / "truth.jsonl")
    assert (line["equipment"], line["point"]) == ("b1", "steam_pressure")
    assert log.events() == [event]


def test_a_storylines_faults_are_told_as_they_come_and_go(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    start, end = WEDNESDAY_US + HOUR_US, WEDNESDAY_US + 2 * HOUR_US
    hospital = Hospital(site, 1, [FaultEvent("WS-F03", "w-outpatient", 1.0, start, 0.0, end)], truth=path)
    hospital.run(minutes(WEDNESDAY_US, 30))
    assert not path.exists()
    hospital.run(minutes(WEDNESDAY_US + 30 * MINUTE_US, 60))
    assert [line["switched"] for line in lines(path)] == ["on"]
    hospital.run(minutes(WEDNESDAY_US + 90 * MINUTE_US, 60))
    assert [line["switched"] for line in lines(path)] == ["on", "off"]
    assert lines(path)[1]["waste"] == {"amount": pytest.approx(0.9, rel=0.03), "unit": "m³"}


def test_a_restarted_hospital_still_has_the_faults_that_were_on(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    first = Hospital(site, seed=1, truth=path)
    first.step(WEDNESDAY_US)
    first.switch("MG-F02", "oz-icu", on=True, severity=0.9)
    first.switch("EL-F04", "tx1", on=True)
    first.switch("EL-F04", "tx1", on=False, at_us=WEDNESDAY_US + MINUTE_US)
    second = Hospital(site, seed=1, truth=path)
    assert [(e.fault, e.equipment, e.severity) for e in second.book.on(WEDNESDAY_US + HOUR_US)] == [
        ("MG-F02", "oz-icu", 0.9)
    ]
    assert second.step(WEDNESDAY_US + HOUR_US)["oz-icu/pressure"] < 320.0
    # What is known already is not told a second time.
    assert len(lines(path)) == 3


def test_switching_on_what_is_on_begins_it_anew(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    hospital = Hospital(site, seed=1, truth=path)
    hospital.step(WEDNESDAY_US)
    hospital.switch("WS-F03", "w-main", on=True, severity=0.3)
    hospital.step(WEDNESDAY_US + MINUTE_US)
    hospital.switch("WS-F03", "w-main", on=True, severity=0.9)
    assert [e.severity for e in hospital.book.on(WEDNESDAY_US + MINUTE_US)] == [0.9]
    assert [line["switched"] for line in lines(path)] == ["on", "off", "on"]


def test_a_line_torn_by_a_crash_is_passed_over(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    log = TruthLog(path)
    log.switched(FaultEvent("WS-F03", "w-main", 0.5, WEDNESDAY_US, 0.0), "on")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"switched": "on", "fault": "WS-F')
    assert [e.fault for e in log.events()] == ["WS-F03"]
    Hospital(site, seed=1, truth=path)


def test_without_a_path_nothing_is_written(site: Site, tmp_path: Path) -> None:
    hospital = Hospital(site, seed=1)
    hospital.step(WEDNESDAY_US)
    hospital.switch("WS-F03", "w-main", on=True)
    assert list(tmp_path.iterdir()) == []


def test_the_truth_of_another_hospital_is_refused_with_its_file_and_a_mend(tmp_path: Path, site: Site) -> None:
    log = tmp_path / "truth.jsonl"
    TruthLog(log, "CNY").switched(FaultEvent("EL-F04", "tx77", 0.5, 0, 0.0), "on")
    with pytest.raises(UnknownFault, match=r"truth\.jsonl .* another hospital .*'tx77'.* name another data folder"):
        Hospital(site, truth=log)
