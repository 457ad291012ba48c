"""Alerts and tickets: what the lists and the pages say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.pages.alert import alert_page
from api.pages.alerts import alerts_page
from api.pages.reading import alert_of, alert_readings, ticket_of
from api.pages.sources import Sources
from api.pages.tickets import ticket_page, tickets_page
from api.pages.words import words_of

ZH, EN = words_of("zh"), words_of("en")


@pytest.fixture
def alert(sources: Sources):
    def build(number: int, words=EN):
        found, live = alert_of(sources, number), sources.live()
        return alert_page(sources, words, live, found, alert_readings(sources, found, live))

    return build


@pytest.fixture
def ticket(sources: Sources):
    return lambda number, who="operator", words=EN: ticket_page(
        sources, words, sources.live(), ticket_of(sources, number), who
    )


def test_open_alerts_are_grouped_by_priority(sources: Sources, fire) -> None:
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature")
    fire("zone-icu")
    page = alerts_page(sources, EN, sources.live(), "open", "operator")
    assert [(g.priority, g.name, len(g.rows)) for g in page.groups] == [("P1", "Life safety", 1), ("P3", "General", 1)]
    row = page.groups[0].rows[0]
    assert (row.title, row.where) == ("Oxygen pressure low", "Oxygen zone ICU · Ward block A · Oxygen station")
    assert row.affects == "Intensive care 24 beds"
    assert row.limit == "lower limit 320\u00a0kPa"
    assert row.loud


def test_mine_are_those_that_i_have_acknowledged(sources: Sources, fire, context) -> None:
    fire("zone-b")
    mine = fire("zone-icu")
    context.desk.acknowledge(mine, "operator", "")
    page = alerts_page(sources, EN, sources.live(), "mine", "operator")
    assert [row.id for group in page.groups for row in group.rows] == [mine]


def test_cleared_alerts_say_how_long_they_lasted_and_carry_no_plate(sources: Sources, fire, context) -> None:
    number = fire("zone-icu", ago_s=600)
    context.desk.acknowledge(number, "operator", "")
    fire("zone-icu", value=402.0, ago_s=60, kind="cleared")
    (group,) = alerts_page(sources, EN, sources.live(), "cleared", None).groups
    assert group.rows[0].plate == ""
    assert group.rows[0].age == "lasted 9\u00a0min"


def test_what_cannot_be_judged_stands_in_the_list_with_its_reason(sources: Sources, find) -> None:
    find(verdict="cannot_tell", en="3 days are known; 7 are needed.", cost=None)
    page = alerts_page(sources, EN, sources.live(), "open", None)
    assert [(row.mark.symbol, row.title) for row in page.held_back] == [("unk", "3 days are known; 7 are needed.")]
    assert page.groups == ()
    assert page.empty == "No open alerts"


def test_an_alert_says_what_where_how_bad_since_when_whom_it_affects_and_what_to_do(
    alert, put, put_series, fire
) -> None:
    put(zone_b__pressure=402.0, zone_c__pressure=418.0)
    put_series("zone-icu/pressure", [404.0] * 100 + [312.0] * 18, 5.0)
    page = alert(fire("zone-icu"))
    said = {line.name: line.text for line in page.lines}
    assert page.title == "Oxygen zone ICU: oxygen pressure low"
    assert (page.number, page.unit, page.plate) == ("312", "kPa", "o1")
    assert (page.limit, page.normal) == ("lower limit 320\u00a0kPa", "normal 350–480")
    assert said["Since"] == "02:38:30 · 1\u00a0min 30\u00a0s"
    assert said["Affects"] == "Intensive care 24 beds"
    assert said["Compare"] == "2 others of its kind: 402–418\u00a0kPa"
    assert said["Limit"].startswith("MG-L05 · pressure < 320 kPa · GB 50751")
    assert len(page.steps) >= 3
    assert page.trend is not None
    assert page.trend.desk.curves[0].end is not None
    assert page.trend.desk.curves[0].end.kind == "P1"


def test_a_falling_value_says_how_fast_and_a_steady_one_does_not(alert, put_series, fire) -> None:
    number = fire("zone-icu")
    put_series("zone-icu/pressure", [330.0 - i * 0.5 for i in range(36)], 5.0)
    assert alert(number).rate == "−6.0\u00a0kPa/min"


def test_a_steady_value_has_no_rate(alert, put_series, fire) -> None:
    number = fire("zone-icu")
    put_series("zone-icu/pressure", [312.0, 313.0] * 18, 5.0)
    assert alert(number).rate == ""


def test_an_alert_upstream_is_a_clue(alert, put, fire) -> None:
    put(tx1__hottest_winding=122.0)
    fire("tx1", "EL-L16/warn", 122.0, subject="winding_temperature")
    page = alert(fire("zone-icu"))
    assert "upstream: Transformer 1: winding warm" in [line.text for line in page.lines]


def test_an_alert_on_a_state_shows_the_word(alert, put, fire) -> None:
    put(zone_icu__valve=0.0)
    page = alert(fire("zone-icu", "MG-F02/alarm", 0.0))
    assert (page.number, page.unit, page.limit) == ("Closed", "", "")


def test_an_alert_without_readings_says_that_nobody_can_tell(alert, fire) -> None:
    number = fire("zone-icu")
    fire("zone-icu", ago_s=30, kind="unknown")
    said = {line.name: line.text for line in alert(number).lines}
    assert said["Data"] == "no readings since 02:39, cannot tell"


def test_an_alert_of_a_machine_that_has_left_the_site_file_still_has_a_page(sources: Sources, fire) -> None:
    found = alert_of(sources, fire("zone-icu"))
    gone = replace(found, equipment="zone-x")
    page = alert_page(sources, EN, sources.live(), gone, {})
    assert page.title == "zone-x: oxygen zone ICU oxygen pressure low, 312\u00a0kPa"
    assert page.trend is None


def test_tickets_that_nobody_has_taken_come_first_within_their_priority(sources: Sources, fire, find, context) -> None:
    fire("zone-b")
    fire("zone-icu")
    first = context.desk.tickets(equipment="zone-b")[0]
    context.desk.assign(first.id, "operator", "admin")
    page = tickets_page(sources, EN, sources.live(), "open", "operator")
    assert [(row.place.split(" · ")[0], row.nobody) for row in page.rows] == [
        ("Oxygen zone ICU", True),
        ("Zone B", False),
    ]
    assert [tab.count for tab in page.tabs] == [2, 1, None]


def test_a_ticket_shows_its_steps_with_who_did_them_and_the_next_one_open(ticket, sources, fire, context) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    context.desk.check_step(number, 0, "operator")
    page = ticket(number)
    assert page.done == 1
    assert (page.steps[0].done, page.steps[0].who, page.steps[0].when) == (True, "operator", "02:40")
    assert page.next_step is not None
    assert page.next_step.no == 2
    assert (page.why_number, page.why_plate) == ("312", "o1")


def test_a_ticket_s_history_is_told_newest_first_with_names(ticket, fire, context) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    context.desk.assign(number, "engineer", "operator")
    context.desk.comment(number, "on my way", "engineer")
    events = ticket(number).events
    assert [(e.who, e.what, e.text) for e in events] == [
        ("engineer", "wrote", "on my way"),
        ("operator", "gave it to", "engineer"),
        ("Wardwatt", "opened the ticket", ""),
    ]


def test_a_closed_ticket_shows_what_was_done_and_offers_no_step(ticket, fire, context) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    context.desk.close(number, "valve was shut by mistake, opened", "operator")
    page = ticket(number)
    assert page.closed
    assert page.next_step is None
    assert page.resolution == "valve was shut by mistake, opened"


def test_closing_a_ticket_whose_alert_goes_on_asks_first(ticket, fire, context) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    assert ticket(number).still_on == "The alert still goes on. Close the ticket all the same"
    fire("zone-icu", value=402.0, ago_s=30.0, kind="cleared")
    assert ticket(number).still_on == ""


def test_a_viewer_is_not_offered_for_work(ticket, fire, context) -> None:
    fire("zone-icu")
    number = context.desk.tickets(equipment="zone-icu")[0].id
    assert {p.name for p in ticket(number).people} == {"operator", "engineer", "admin"}
