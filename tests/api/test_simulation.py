"""The loop closes: a ticket that is closed with the right work mends the simulated machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics.desk import Desk
from analytics.energy.activity import ActivityBook
from analytics.energy.measure_book import MeasureBook
from api.security import audit
from api.simulation import Simulation
from facility.database import Database
from facility.measures import Period
from facility.site import Site
from facility.site_file import load_site
from facility.store.opening import open_store
from simulators.hospital import Hospital
from simulators.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[2]
NOW_US = 1_768_370_400_000_000  # 2026-01-14 14:00 in Shanghai
_MINUTE_US = 60_000_000
_SCENARIO = """
faults:
  - {fault: WS-F03, equipment: w-outpatient, from: -5 h, severity: 0.5}
  - {fault: MG-F02, equipment: oz-icu, from: 30 s, severity: 0.9}
"""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "examples/small/site.yaml")


@pytest.fixture
def scenario(site: Site, tmp_path: Path) -> Scenario:
    path = tmp_path / "scenario.yaml"
    path.write_text(_SCENARIO, encoding="utf-8")
    return load_scenario(path, site)


@pytest.fixture
def database(migrated_sqlite: Database) -> Database:
    return migrated_sqlite


@pytest.fixture
def simulation(site: Site, scenario: Scenario, database: Database, tmp_path: Path) -> Iterator[Simulation]:
    with open_store(tmp_path / "telemetry.duckdb") as store:
        made = Simulation(site, store, database, tmp_path / "truth.jsonl", scenario)
        made.write_past(0.25, lambda _share, _what: None, lambda: NOW_US)
        yield made
        made.stop()


@pytest.fixture
def desk(simulation: Simulation, site: Site, database: Database) -> Desk:
    desk = Desk(database, site, lambda: simulation.hospital.now_us or NOW_US)
    simulation.hospital.switch("MG-F02", "oz-icu", on=True, severity=0.9)
    simulation.hospital.step(NOW_US + _MINUTE_US)
    simulation.listen(desk, NOW_US)
    return desk


def test_what_the_hospital_did_is_reported_of_the_days_that_have_ended(
    simulation: Simulation, site: Site, database: Database
) -> None:
    book, today = ActivityBook(site, database, lambda: NOW_US), date(2026, 1, 14)
    assert book.reported(today - timedelta(days=40), today) == []  # the past of the fixture is six hours
    day_us = 86_400_000_000
    assert simulation.report_activity(NOW_US - 3 * day_us, NOW_US) > 0
    assert simulation.report_activity(NOW_US - 3 * day_us, NOW_US) == 0
    assert {a.day for a in book.reported(today - timedelta(days=40), today)} == {
        today - timedelta(days=n) for n in (1, 2, 3)
    }


MEASURES = """
measures:
  - {id: timers, name: {zh: 定时控制, en: Timers}, meter: em-kitchen, from: -120 d, cost: 86000 CNY}
"""


def with_measures(site: Site, database: Database, folder: Path) -> Simulation:
    path = folder / "measures.yaml"
    path.write_text(MEASURES, encoding="utf-8")
    with open_store(folder / "measures.duckdb") as store:
        return Simulation(site, store, database, folder / "truth.jsonl", load_scenario(path, site))


def test_the_measures_of_the_past_are_entered_once(site: Site, database: Database, tmp_path: Path) -> None:
    made, book = with_measures(site, database, tmp_path), MeasureBook(site, database, lambda: NOW_US)
    assert made.enter_measures(NOW_US) == 1
    assert made.enter_measures(NOW_US) == 0
    (measure,) = book.measures().values()
    assert measure.baseline == Period(date(2024, 9, 16), date(2025, 9, 15))
    assert measure.reporting.from_ == date(2025, 9, 17)
    assert [e.action for e in audit.entries(database)] == ["energy-measure-entered"]
    book.withdraw("timers", "li")
    assert made.enter_measures(NOW_US) == 0


@pytest.mark.parametrize(("days", "entered"), [(399.9, 0), (400.0, 1)])
def test_measures_want_a_past_in_which_they_can_be_proven(
    site: Site, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, entered: int
) -> None:
    made = with_measures(site, database, tmp_path)
    monkeypatch.setattr(made, "_write", lambda *_: 0)
    monkeypatch.setattr(made, "report_activity", lambda *_: 0)
    made.write_past(days, lambda _share, _what: None, lambda: NOW_US)
    assert len(MeasureBook(site, database, lambda: NOW_US).entered()) == entered


def pressure(hospital: Hospital) -> float:
    return hospital.step((hospital.now_us or NOW_US) + _MINUTE_US)["oz-icu/pressure"]


def test_of_what_is_older_than_a_month_the_meters_and_the_weather_alone_are_written(
    site: Site, database: Database, tmp_path: Path
) -> None:
    with open_store(tmp_path / "long.duckdb") as store:
        made = Simulation(site, store, database, tmp_path / "truth.jsonl")
        made.write_past(31.0, lambda _share, _what: None, lambda: NOW_US)
        month_us, day_us = NOW_US - 30 * 86_400_000_000, 86_400_000_000
        keys = ["hv1/energy_import", "ws1/outdoor_temperature", "tx1/winding_temperature_a"]
        before = store.count(keys, month_us - day_us, month_us)
        after = store.count(keys, month_us, month_us + day_us)
    assert list(before.values()) == [96, 96, 0]
    assert list(after.values()) == [96, 96, 96]


def test_the_past_has_what_the_scenario_has_before_its_start(simulation: Simulation) -> None:
    assert [e.fault for e in simulation.hospital.book.on(NOW_US)] == ["WS-F03"]
    assert simulation.begun


def test_a_ticket_closed_with_the_right_work_ends_the_fault(simulation: Simulation, desk: Desk) -> None:
    assert pressure(simulation.hospital) < 320.0
    ticket = desk.new_ticket("oz-icu", "Pressure low", "li")
    desk.close(ticket.id, "区域阀门打开，压力恢复", "li")
    assert pressure(simulation.hospital) > 320.0


def test_a_ticket_closed_with_other_work_or_of_another_machine_does_not(simulation: Simulation, desk: Desk) -> None:
    desk.close(desk.new_ticket("oz-icu", "Pressure low", "li").id, "looked at it, seems fine", "li")
    desk.close(desk.new_ticket("oz-surgical", "Pressure low", "li").id, "valve opened", "li")
    assert pressure(simulation.hospital) < 320.0


def test_an_open_ticket_with_a_comment_mends_nothing(simulation: Simulation, desk: Desk) -> None:
    ticket = desk.new_ticket("oz-icu", "Pressure low", "li")
    desk.comment(ticket.id, "valve opened", "li")
    assert pressure(simulation.hospital) < 320.0


def test_a_comment_on_what_was_closed_before_is_no_second_repair(simulation: Simulation, desk: Desk) -> None:
    ticket = desk.new_ticket("oz-icu", "Pressure low", "li")
    desk.close(ticket.id, "valve opened", "li")
    assert pressure(simulation.hospital) > 320.0
    simulation.hospital.switch("MG-F02", "oz-icu", on=True, severity=0.9)
    desk.comment(ticket.id, "it stays open", "li")
    assert pressure(simulation.hospital) < 320.0


def test_after_a_stop_nothing_is_heard_any_more(simulation: Simulation, desk: Desk) -> None:
    simulation.stop()
    desk.close(desk.new_ticket("oz-icu", "Pressure low", "li").id, "valve opened", "li")
    assert pressure(simulation.hospital) < 320.0
