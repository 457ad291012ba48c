"""Data health: who is silent, what could not be understood, how much is kept."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from analytics.data_health import DataHealth
from api.context import Context
from api.pages.connection import _causes, connection_words
from api.pages.data_health import data_page
from api.pages.data_state import paged
from api.pages.sources import Sources
from api.pages.words import words_of
from collector import link
from facility.readings import ReadingBatch
from tests.api.conftest import Clock

EN = words_of("en")


def page_of(sources: Sources):
    return data_page(sources, EN, sources.live())


def test_a_partly_silent_machine_is_told_from_a_silent_one_and_from_one_never_heard(sources: Sources, put) -> None:
    put(zone_icu__pressure=404.0, zone_icu__flow=20.0)
    put(ago_s=900, zone_icu__room_oxygen=20.9)
    put(ago_s=900, zone_b__pressure=402.0)
    lines = {line.name: line for line in page_of(sources).machines}
    assert (lines["Oxygen zone ICU"].state, lines["Oxygen zone ICU"].loud) == ("1 point silent", False)
    assert lines["Oxygen zone ICU"].late[0].what == "no data for 15\u00a0min, due every 5\u00a0s"
    assert (lines["Zone B"].state, lines["Zone B"].loud, lines["Zone B"].age) == ("silent", True, "15\u00a0min")
    assert (lines["Zone C"].state, lines["Zone C"].age) == ("never heard", "never")


def test_a_stopped_machine_that_reports_is_no_fault_and_its_efficiency_is_not_late(sources: Sources, put) -> None:
    put(ago_s=900, psa1__specific_energy=0.9)
    values = {f"psa1__{p}": 0.0 for p, s in sources.site.equipment["psa1"].points.items() if s.kind != "derived"}
    put(**values)
    page = data_page(sources, EN, sources.live(), show="off")
    (line,) = page.machines
    assert (line.name, line.state, line.mark, line.loud) == ("Oxygen generator 1", "stopped, reports", None, False)
    assert line.fresh == line.points
    assert "Oxygen generator 1" not in {row.name for row in page_of(sources).machines}


def test_a_gateway_sums_up_its_machines_and_a_silent_one_stands_out(sources: Sources, put) -> None:
    put(tx1__winding_temperature_a=50.0)
    put(ago_s=900, zone_b__pressure=402.0, zone_c__pressure=402.0)
    lines = {line.name: line for line in page_of(sources).gateways}
    assert (lines["gw-power"].state, lines["gw-power"].loud) == ("speaks", False)
    assert (lines["Gateway of Oxygen station"].state, lines["Gateway of Oxygen station"].loud) == ("silent", True)


def test_a_silent_gateway_explains_its_machines(sources: Sources, put) -> None:
    put(tx1__winding_temperature_a=50.0)
    put(ago_s=900, zone_b__pressure=402.0, zone_c__pressure=402.0)
    silent = {line.name: line for line in data_page(sources, EN, sources.live(), show="silent").machines}
    assert (silent["Zone B"].state, silent["Zone B"].loud) == ("silent with its gateway", False)
    assert "Zone B" not in {line.name for line in page_of(sources).machines}


def test_a_finding_about_data_is_a_sentence_with_since_when_and_what_to_do(sources: Sources, find) -> None:
    find("data.stuck", "zone-icu", zh="压力已 7 小时没有变化。", en="Pressure not changed for 7 h.")
    sources.desk.forget()
    (problem,) = page_of(sources).problems
    assert (problem.name, problem.sentence) == ("Value stuck", "Pressure not changed for 7 h.")
    assert problem.do == "Compare with a portable instrument on site"
    assert problem.href == "/plant/zone-icu"


def test_a_long_list_comes_in_pages() -> None:
    rows, pager = paged(list(range(312)), 2, lambda n: f"/data?page={n}", EN)
    assert list(rows) == list(range(50, 100))
    assert pager is not None
    assert (pager.text, pager.back, pager.on) == ("51–100 of 312", "/data?page=1", "/data?page=3")
    last, end = paged(list(range(312)), 99, lambda n: f"/data?page={n}", EN)
    assert end is not None
    assert (len(last), end.on) == (12, "")


def test_a_short_list_has_no_pages() -> None:
    assert paged([1, 2], 1, str, EN) == ([1, 2], None)


@pytest.mark.parametrize("query", ["", "?show=all", "?show=off&page=2", "?show=nonsense&page=-1&rows=x", "?rows=9"])
def test_the_page_stands_whatever_its_address_says(operator: TestClient, query: str) -> None:
    answer = operator.get(f"/data{query}")
    assert answer.status_code == 200
    assert 'data-r="data-machines"' in answer.text


def test_the_page_says_how_much_could_be_judged(sources: Sources) -> None:
    assert "too little data yet" in page_of(sources).judged


def test_the_page_says_how_much_history_there_is(sources: Sources, put_series) -> None:
    put_series("zone-icu/pressure", [404.0] * 10, 60.0)
    figures = {figure.name: figure for figure in page_of(sources).figures}
    assert figures["History"].note == "10 readings"
    assert figures["Points with history"].text == "1"
    assert figures["Collector"].text == "elsewhere"


def test_a_broker_that_is_away_needs_a_look(sources: Sources) -> None:
    class Away:
        connected, state, detail, protocol = False, "waiting", "no answer from 127.0.0.1:1883", ""
        received = stored = waiting = 0
        last_message_us = last_error_us = None
        store_available, last_error = True, ""

    away = replace(sources, context=replace(sources.context, collector=Away))
    broker = next(f for f in page_of(away).figures if f.name == "Broker")
    assert (broker.text, broker.note, broker.bad) == ("not connected", "no answer from 127.0.0.1:1883", True)


def test_the_alert_of_a_silent_gateway_says_what_is_behind_it_and_leads_to_this_page(
    context: Context, clock: Clock, operator: TestClient
) -> None:
    watch = DataHealth(context.site, context.store, context.desk, clock)
    for step in range(40):
        clock.pass_s(5)
        table = context.site.points
        heard = ["tx1/winding_temperature_a", *(["zone-icu/pressure", "zone-b/pressure"] if step < 15 else [])]
        index = [table.index[key] for key in heard]
        watch(ReadingBatch.of(table, index, [clock()] * len(index), [50.0] * len(index)))
        watch.look()
    (alert,) = context.desk.open_alerts()
    assert (alert.priority, alert.limit_id) == ("P1", "data.gateway_silent")
    text = operator.get(f"/alerts/{alert.id}").text
    assert "Gateway of Oxygen station is silent: 6 machines, 2 points, 1 room without readings." in text
    assert "gateway without power, hung, or cut off from the network" in text
    assert 'href="/data"' in text
    assert "/plant/room:" not in text
    assert operator.get("/alerts").status_code == operator.get("/tickets").status_code == 200


def test_who_fell_silent_a_moment_ago_is_not_passed_over_until_it_is_told(sources: Sources, put) -> None:
    put(zone_icu__pressure=404.0)
    put(ago_s=900, zone_b__pressure=402.0)
    assert page_of(sources).problems == ()
    assert page_of(sources).no_problem == "Silent since a moment ago: told here once it lasts"


def test_a_store_that_tells_no_size_is_not_empty(sources: Sources, put_series, monkeypatch: pytest.MonkeyPatch) -> None:
    put_series("tx1/load", [50.0, 51.0], 60.0)
    size = replace(sources.store.size(), bytes=0)
    monkeypatch.setattr(type(sources.store), "size", lambda _: size)
    history = next(f for f in page_of(sources).figures if f.name == "History")
    assert history.text == "2 readings"


@pytest.mark.parametrize(
    ("detail", "zh"),
    [
        ("h:1883: nothing listens there; start the broker or correct host and port", "该地址没有服务"),
        ("h:1883 refused the connection: Not authorized; check user and password", "被拒绝"),
        ("h:1883: the topics are not granted yet; if that lasts, see the broker's log", "等消息服务器同意订阅"),
        ("h:1883: something nobody has thought of", "something nobody has thought of"),
    ],
)
def test_why_there_is_no_connection_stands_in_the_readers_language(detail: str, zh: str) -> None:
    assert zh in connection_words(detail, words_of("zh"))


def test_every_cause_is_one_that_the_collector_tells() -> None:
    told = inspect.getsource(link)
    assert [phrase for phrase, _ in _causes(EN) if phrase not in told] == []
