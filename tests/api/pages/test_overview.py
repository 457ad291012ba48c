"""The overview: one order, the worst first in each row, life safety in a strip of its own."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from api.pages.frame import Banner, build_frame
from api.pages.overview import OverviewPage, overview
from api.pages.plant import by_machine_behind
from api.pages.sources import Sources, simulation_begun
from api.pages.system_rows import day_curves, spark_points, system_row
from api.pages.words import words_of
from api.simulation import _WRITTEN
from facility.database import write_setting

ZH, EN = words_of("zh"), words_of("en")


@pytest.fixture
def page(sources: Sources):
    def build(words=EN) -> OverviewPage:
        live = sources.live()
        return overview(sources, words, live, day_curves(sources, spark_points(sources, live, words), live.now_us))

    return build


@pytest.fixture
def frame(sources: Sources):
    return lambda words=EN, **more: build_frame(sources, words, place="overview", title="", path="/", **more)


def test_systems_keep_their_order_and_those_without_machines_are_left_out(page, fire) -> None:
    fire("zone-icu")
    assert [row.system for row in page().rows] == ["power", "oxygen"]


def test_a_quiet_row_is_grey_and_says_how_many_values_are_in_their_bands(page, put) -> None:
    put(tx1__load=50.0, tx1__hottest_winding=80.0, tx1__active_power=640.0)
    power = page().rows[0]
    assert power.mark is None
    assert power.tone == "quiet"
    assert power.state == "Normal"
    assert "late" in power.detail  # most points of this machine have never been heard


def test_a_silent_machine_is_not_a_normal_one(page, put) -> None:
    put(ago_s=3600, tx1__load=50.0)
    power = page().rows[0]
    assert power.mark is not None
    assert power.mark.symbol == "stale"
    assert power.state == "Transformer 1: no data"
    assert power.detail == "last data 01:40, 1\u00a0h ago"


def test_a_row_shows_its_worst_alert_and_the_value_that_it_is_about_first(page, put, fire) -> None:
    put(zone_icu__pressure=312.0, zone_b__pressure=402.0, psa1__oxygen_purity=93.4)
    fire("psa1", "MG-L16/low_warn", 92.0)
    fire("zone-icu", "MG-L05/low_alarm", 312.0)
    oxygen = page().rows[1]
    assert oxygen.mark is not None
    assert oxygen.mark.symbol == "m1u"
    assert oxygen.tone == "p1"
    assert oxygen.state == "Oxygen zone ICU: oxygen pressure low"
    assert "not acknowledged · 1 more" in oxygen.detail
    assert oxygen.values[0].key == "zone-icu/pressure"
    assert oxygen.values[0].plate == "o1"


def test_who_has_acknowledged_stands_in_the_row(page, put, fire, context) -> None:
    number = fire("zone-icu")
    context.desk.acknowledge(number, "operator", "电工甲")
    assert page(ZH).rows[1].detail.endswith("电工甲已确认")
    mark = page().rows[1].mark
    assert mark is not None
    assert mark.symbol == "m1a"


def test_the_oxygen_strip_runs_from_sources_to_zones_and_names_the_zone_in_alarm(page, put, fire) -> None:
    put(psa1__oxygen_purity=93.6, psa2__oxygen_purity=93.1, psa2__running=0.0, psa1__running=1.0)
    put(zone_icu__pressure=312.0, zone_b__pressure=402.0, zone_c__pressure=418.0, zone_d__pressure=410.0)
    fire("zone-icu")
    (life,) = page().life
    assert life.title == "Medical oxygen"
    assert life.tone == "p1"
    sources, zones = life.columns
    assert [(n.name, n.tone) for n in sources] == [("Oxygen generator 1", ""), ("Oxygen generator 2, standby", "idle")]
    assert (zones[0].name, zones[0].number, zones[0].unit) == ("other 2 zones", "410–418", "kPa")
    assert (zones[-1].name, zones[-1].number, zones[-1].tone) == ("Oxygen zone ICU", "312", "p1")
    assert life.pipes[0].cut
    assert life.pipes[0].idle


def test_the_side_card_lists_alerts_by_priority_with_the_loud_one_marked(page, put, fire) -> None:
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature")
    fire("zone-icu")
    listed = page().alerts
    assert [a.loud for a in listed] == [True, False]
    assert listed[0].title == "Oxygen zone ICU: oxygen pressure low"
    assert page(ZH).alerts[0].title == "ICU氧气区 氧气压力低"


def test_an_empty_list_says_what_was_watched(page) -> None:
    empty = page().alerts_empty
    assert "2 systems" in empty
    assert "points are watched" in empty


def test_waste_is_sorted_by_money_and_says_who_is_on_it(page, find, context) -> None:
    find(cost=120.0)
    find("water.night_flow", cost=428.0, zh="夜间漏失", en="Night leak")
    shown = page()
    assert [w.money for w in shown.waste] == ["428", "120"]
    assert all(w.nobody for w in shown.waste)
    assert shown.waste_note == "2 findings, ¥548/day"
    ticket = context.desk.tickets(equipment="tx1")[0]
    context.desk.assign(ticket.id, "operator", "admin")
    assert not page().waste[0].nobody


def test_an_unacknowledged_p1_fills_the_banner_and_leaves_it_once_somebody_has_it(frame, put, fire, context) -> None:
    put(zone_icu__pressure=312.0)
    number = fire("zone-icu")
    banner = frame().banner
    assert banner is not None
    assert banner.kind == "p1"
    assert banner.what == "Oxygen zone ICU: oxygen pressure low 312\u00a0kPa, lower limit 320\u00a0kPa"
    assert banner.href == f"/alerts/{number}"
    context.desk.acknowledge(number, "operator", "")
    assert frame().banner.kind == "calm"


def test_a_p1_that_is_over_but_was_never_seen_stays_in_the_banner(frame, fire) -> None:
    fire("zone-icu")
    fire("zone-icu", value=402.0, ago_s=10, kind="cleared")
    banner = frame().banner
    assert banner.kind == "p1"
    assert banner.what == "Oxygen zone ICU: oxygen pressure low, back to normal, not acknowledged"
    assert "until 02:39:50" in banner.detail


def test_a_value_that_is_normal_again_has_no_plate_though_its_alert_was_never_seen(page, put, fire) -> None:
    fire("zone-icu")
    fire("zone-icu", value=402.0, ago_s=10, kind="cleared")
    put(zone_icu__pressure=402.0, psa1__oxygen_purity=94.0)
    shown = page()
    assert {v.plate for v in shown.rows[1].values} == {""}
    assert shown.rows[1].detail == "back to normal 02:39 · not acknowledged"
    assert shown.life[0].tone == ""
    assert shown.life[0].mark is not None
    assert shown.alerts[0].plate == ""


def test_a_quiet_banner_tells_of_the_last_life_safety_alarm(frame, fire, context) -> None:
    assert frame().banner.detail == "Life-safety supply: no alarm on record."
    number = fire("zone-icu", ago_s=9000)
    context.desk.acknowledge(number, "operator", "")
    fire("zone-icu", value=402.0, ago_s=7200, kind="cleared")
    said = frame().banner.detail
    assert said.startswith(
        "Life-safety supply: 2\u00a0h without an alarm; the last was Oxygen zone ICU: oxygen pressure"
    )


def test_advice_is_counted_apart_from_alarms(frame, find, fire) -> None:
    find()
    fire("zone-icu")
    assert [(c.mark.label, c.count) for c in frame().tally] == [("P1", 1), ("P2", 0), ("P3", 0), ("P4", 1)]
    assert next(link for link in frame().nav if link.place == "alerts").badge == 1


def test_the_alert_s_own_page_does_not_say_it_twice(frame, fire) -> None:
    number = fire("zone-icu")
    assert frame(own_alert=number).banner is None
    fire("zone-b")
    assert frame(own_alert=number).banner.kind == "p1"


def test_rooms_list_each_machine_with_a_value_in_its_band(page, put) -> None:
    put(tx1__load=50.0)
    oxygen, power = page().rooms
    assert oxygen.name == "Oxygen station"
    assert oxygen.place == "Ward block A"
    (tx1,) = power.lines
    assert tx1.value is not None
    assert (tx1.value.number, tx1.value.unit) == ("50", "%")


def test_a_screen_reader_is_told_of_an_alarm_once_without_the_figure_that_moves(frame, put, fire, clock) -> None:
    put(zone_icu__pressure=312.0)
    fire("zone-icu")
    before = frame().banner.spoken
    clock.pass_s(5)
    put(zone_icu__pressure=309.0)
    assert frame().banner.spoken == before == "P1 Oxygen zone ICU: oxygen pressure low, not acknowledged"


def test_a_hospital_in_software_is_marked_as_such(frame, sources: Sources, context) -> None:
    assert simulation_begun(context.database) is False
    with context.database.session() as session:
        write_setting(session, _WRITTEN, {"days": 30})
    assert simulation_begun(context.database) is True
    assert frame().simulated is False  # these sources were made without asking


def test_a_value_of_the_strip_that_no_longer_speaks_says_so(page, put) -> None:
    put(ago_s=3600, zone_icu__pressure=402.0)
    put(psa1__oxygen_purity=94.0)
    life = page().life[0]
    late = {node.name: node.late_us is not None for column in life.columns for node in column}
    assert late["Oxygen zone ICU"]
    assert not late["Oxygen generator 1"]
    assert life.note == "last 01:40"
    assert life.mark is not None
    assert life.mark.symbol == "stale"


def test_the_alert_of_a_gateway_stands_in_the_rows_of_the_machines_behind_it(sources, page, put, fire) -> None:
    put(tx1__load=50.0)
    fire("zone-icu")
    alert = replace(sources.desk.open_alerts()[0], id=99, equipment="gw-power")
    assert {m: [a.id for a in found] for m, found in by_machine_behind([alert], sources.site).items()} == {"tx1": [99]}
    assert by_machine_behind([replace(alert, resolved_us=alert.started_us + 1)], sources.site) == {}
    live = sources.live()
    machines = [sources.site.equipment["tx1"]]
    row = system_row(sources, "power", machines, live, EN, {}, {"tx1": (alert,)}, {})
    assert row.state != "Normal"
    assert row.tone == alert.priority.lower()


def test_while_the_store_is_away_a_p1_does_not_keep_that_from_being_said(sources, frame, fire) -> None:
    fire("zone-icu")
    away = Banner("p1", "Readings cannot be stored", "", "", "/data", "")
    with patch("api.pages.frame._blindness", return_value=away):
        assert frame().banner.detail.endswith("Readings cannot be stored")


def test_a_row_whose_key_values_are_old_is_not_called_normal(page, put) -> None:
    put(ago_s=3600, tx1__load=50.0)
    put(tx1__voltage_ab=400.0)
    power = page().rows[0]
    assert power.state == "Values late"
    assert power.mark is not None
    assert power.mark.symbol == "stale"


def test_what_has_no_unit_in_common_is_counted_together_but_given_no_range(site, put, sources) -> None:
    from api.pages.life_safety import _rest_node

    put(tx1__load=50.0, zone_icu__pressure=402.0, zone_b__pressure=410.0)
    live = sources.live()
    mixed = _rest_node([site.equipment["tx1"], site.equipment["zone-icu"]], True, live, EN)
    assert (mixed.name, mixed.number, mixed.unit) == ("other 2 machines", "", "")
    alike = _rest_node([site.equipment["zone-b"], site.equipment["zone-icu"]], True, live, EN)
    assert (alike.name, alike.number, alike.unit) == ("other 2 zones", "402–410", "kPa")
