"""A machine's page: what it shows, what its chart is about, what feeds it."""

from __future__ import annotations

import pytest

from api.pages.machine import interval_words, machine
from api.pages.machine_charts import companions, series_csv, subject_point
from api.pages.reading import machine_readings
from api.pages.sources import Sources
from api.pages.trends import range_of
from api.pages.words import words_of
from facility.equipment_classes import MaintenanceTask

ZH, EN = words_of("zh"), words_of("en")


@pytest.fixture
def page(sources: Sources):
    def build(equipment: str, point: str | None = None, range_key: str = "24h", words=EN):
        item, live, chosen = sources.site.equipment[equipment], sources.live(), range_of(range_key)
        subject = subject_point(item, point, {})
        readings = machine_readings(sources, item, subject, chosen, live.now_us)
        return machine(sources, item, words, live, chosen, subject, readings)

    return build


def test_the_three_phases_of_one_quantity_are_drawn_together(sources: Sources) -> None:
    tx1 = sources.site.equipment["tx1"]
    assert companions(tx1, "winding_temperature_b") == tuple(f"winding_temperature_{p}" for p in "abc")
    assert companions(tx1, "load") == ("load",)


def test_the_chart_is_of_the_point_asked_for_else_of_the_one_in_alarm_else_of_the_first_key_point(
    sources: Sources, fire, put
) -> None:
    tx1 = sources.site.equipment["tx1"]
    assert subject_point(tx1, "power_factor", {}) == "power_factor"
    assert subject_point(tx1, "no-such-point", {}) == "load"
    assert subject_point(tx1, None, {"core_temperature": None}) == "core_temperature"  # type: ignore[dict-item]


def test_key_points_come_first_and_states_stand_apart(page, put) -> None:
    put(tx1__load=50.0, tx1__fan_running=1.0)
    shown = page("tx1")
    assert [v.key for v in shown.values][:3] == ["tx1/load", "tx1/hottest_winding", "tx1/active_power"]
    assert next(v for v in shown.states if v.key == "tx1/fan_running").number == "Running"


def test_an_alert_and_its_ticket_stand_in_the_history_and_in_the_chart_s_lane(page, put_series, fire) -> None:
    put_series("tx1/hottest_winding", [100.0] * 60 + [122.0] * 60, 60.0)
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature", ago_s=7200)
    shown = page("tx1", "hottest_winding")
    assert {line.href.split("/")[1] for line in shown.history} == {"alerts", "tickets"}
    assert shown.trend is not None
    assert [mark.symbol for mark in shown.trend.desk.lane] == ["m3", "tk"]


def test_limits_are_listed_with_standard_condition_and_source(page) -> None:
    limits = page("zone-icu").limits
    area = next(line for line in limits if line.when == "pressure < 320 kPa")
    assert (area.id, area.hold, area.clear) == ("MG-L05", "10\u00a0s", "328\u00a0kPa")
    assert "GB 50751" in area.source


def test_the_supply_tree_names_what_feeds_it_and_whom_it_serves(page) -> None:
    zone, tx1 = page("zone-icu"), page("tx1")
    assert [link.name for link in zone.fed_by] == ["Oxygen generator 1", "Oxygen generator 2"]
    assert [link.name for link in zone.serves] == ["Intensive care"]
    assert [link.name for link in tx1.feeds] == ["Oxygen generator 1", "Oxygen generator 2"]
    assert {link.name for link in tx1.serves} == {"Intensive care", "Surgical ward"}


def test_a_finding_says_verdict_money_and_what_to_do(page, find) -> None:
    find()
    find("machine.anomaly", verdict="cannot_tell", en="3 days are known; 7 are needed.", cost=None)
    fault, doubt = sorted(page("tx1").diagnosis, key=lambda d: d.tone)
    assert (fault.verdict, fault.tone) == ("Fault", "f")
    assert "¥428/day" in fault.detail
    assert fault.advice == ("See the capacitors", "Check the settings")
    assert (doubt.verdict, doubt.tone) == ("Cannot tell", "u")


def test_each_point_says_when_it_was_last_seen_and_how_often_it_should_be(page, put) -> None:
    put(ago_s=600, zone_icu__pressure=404.0)
    by_key = {line.key: line for line in page("zone-icu").points}
    pressure, flow = by_key["zone-icu/pressure"], by_key["zone-icu/flow"]
    assert (pressure.seen, pressure.age, pressure.every, pressure.late) == ("02:30:00", "10\u00a0min", "5\u00a0s", True)
    assert (flow.age, flow.late) == ("never", True)


@pytest.mark.parametrize(
    ("every", "run_hours", "said"),
    [
        ("12 months", None, "1 year"),
        ("6 months", None, "6 months"),
        ("1 weeks", None, "1 week"),
        (None, "4000 h", "4,000 run-hours"),
        ("3 months", "2000 h", "3 months or 2,000 run-hours"),
    ],
)
def test_a_task_s_interval_is_said_in_the_largest_whole_unit(every: str, run_hours: str, said: str) -> None:
    task = MaintenanceTask(
        task="t-1", name={"zh": "x", "en": "x"}, every=every, run_hours=run_hours,  # type: ignore[arg-type]
        checklist=({"zh": "x", "en": "x"},), source="practice",  # type: ignore[arg-type]
    )  # fmt: skip
    assert interval_words(task, EN) == said


def test_the_table_behind_a_chart_holds_every_step_with_its_extremes(page, put_series, sources: Sources) -> None:
    put_series("zone-icu/pressure", [400.0, 410.0, 390.0], 60.0)
    item, chosen, now = sources.site.equipment["zone-icu"], range_of("24h"), sources.now_us()
    readings = machine_readings(sources, item, "pressure", chosen, now)
    assert readings is not None
    head, first, *_ = series_csv(sources.site, item, "pressure", readings).splitlines()
    assert head == "time,equipment,point,unit,mean,min,max,last,readings"
    assert first.startswith("2026-07-16T02:35:00+08:00,zone-icu,pressure,kPa,")


def test_without_the_store_the_page_still_shows_live_values(sources: Sources, put) -> None:
    put(zone_icu__pressure=404.0)
    item = sources.site.equipment["zone-icu"]
    shown = machine(sources, item, EN, sources.live(), range_of("24h"), "pressure", None)
    assert shown.store_away
    assert shown.trend is None
    assert shown.values[0].number == "404"
