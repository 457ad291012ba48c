"""Findings, alerts and tickets through the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from analytics.findings import Finding, Waste
from analytics.live import LimitEvent, cause_of
from api.context import Context
from facility.names import Names

Headers = Callable[[str], dict[str, str]]


@pytest.fixture
def finding(context: Context) -> int:
    """A fault that a rule has found at tx1; the desk opens a ticket for it."""
    fault = Finding(
        code="power.power_factor",
        equipment="tx1",
        points=("power_factor",),
        verdict="fault",
        title=Names(zh="1#变压器 功率因数低", en="Transformer 1 power factor low"),
        summary=Names(zh="功率因数 0.82，低于 0.90", en="Power factor 0.82, below 0.90"),
        evidence={"power_factor": 0.82, "target": 0.90, "share": None},
        since_us=context.clock() - 3_600_000_000,
        found_us=context.clock(),
        confidence=0.95,
        priority="P4",
        source="power.power_factor",
        standard="水电财字215号",
        advice=(Names(zh="查电容柜", en="Check the capacitor bank"),),
        cost_per_day=120.5,
        waste=Waste(300.0, "kvarh"),
    )
    return context.desk.take_findings([fault])[0]


@pytest.fixture
def alert(context: Context) -> int:
    """A winding of tx1 that is too hot."""
    limit = next(limit for limit in context.site.equipment["tx1"].limits if limit.id == "EL-L16/alarm")
    now_us = context.clock()
    fired = LimitEvent(
        "firing", "tx1", limit, cause_of("tx1", limit), now_us, now_us - 60_000_000, now_us, 131.2, 131.2
    )
    context.desk.take_events([fired])
    return context.desk.open_alerts()[0].id


def audit_of(client: TestClient) -> list[tuple[str, str]]:
    return [(e["who"], e["action"]) for e in reversed(client.get("/api/v1/audit").json()["entries"])]


def test_a_finding_comes_with_its_evidence_cost_and_advice(client: TestClient, finding: int):
    found = client.get(f"/api/v1/findings/{finding}").json()
    assert found["summary"]["zh"] == "功率因数 0.82，低于 0.90"
    assert found["evidence"] == {"power_factor": 0.82, "target": 0.90, "share": None}
    assert found["advice"] == [{"zh": "查电容柜", "en": "Check the capacitor bank"}]
    assert (found["cost_per_day"], found["waste"]) == (120.5, {"amount": 300.0, "unit": "kvarh"})
    assert client.get("/api/v1/findings").json()["findings"] == [found]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1), ("equipment=tx1", 1), ("equipment=tx2", 0), ("verdict=fault", 1), ("verdict=healthy", 0),
        ("active=true", 1), ("active=false", 0), ("limit=1", 1),
    ],
)  # fmt: skip
def test_findings_can_be_narrowed_down(client: TestClient, finding: int, query: str, count: int):
    assert len(client.get(f"/api/v1/findings?{query}").json()["findings"]) == count


def test_an_operator_acknowledges_an_alert_once(
    anyone: TestClient, token_of: Headers, alert: int, context: Context, clock: Any, client: TestClient
):
    first = anyone.post(f"/api/v1/alerts/{alert}/acknowledge", headers=token_of("operator")).json()
    assert (first["state"], first["acknowledged_by"], first["acknowledged_us"]) == (
        "acknowledged",
        "operator",
        context.clock(),
    )
    clock.pass_s(60)
    second = anyone.post(f"/api/v1/alerts/{alert}/acknowledge", headers=token_of("engineer")).json()
    assert second == first
    assert audit_of(client).count(("operator", "alert-acknowledged")) == 1
    assert ("engineer", "alert-acknowledged") not in audit_of(client)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1), ("state=open", 1), ("state=firing", 1), ("state=resolved", 0), ("state=open&equipment=tx2", 0),
        ("state=open&equipment=tx1", 1), ("equipment=tx2", 0),
    ],
)  # fmt: skip
def test_alerts_can_be_narrowed_down(client: TestClient, alert: int, query: str, count: int):
    assert len(client.get(f"/api/v1/alerts?{query}").json()["alerts"]) == count


def test_an_alert_says_what_where_how_bad_and_since_when(client: TestClient, alert: int, context: Context):
    found = client.get(f"/api/v1/alerts/{alert}").json()
    assert (found["equipment"], found["priority"], found["value"], found["threshold"], found["unit"]) == (
        "tx1", "P2", 131.2, 130.0, "°C",
    )  # fmt: skip
    assert found["started_us"] == context.clock() - 60_000_000
    assert found["title"]["zh"]
    assert found["title"]["en"]


def test_a_ticket_goes_its_way_from_open_to_closed(
    anyone: TestClient, token_of: Headers, finding: int, client: TestClient
):
    ticket = client.get("/api/v1/tickets").json()["tickets"][0]
    assert (ticket["state"], ticket["finding_id"], ticket["title"]["zh"]) == ("open", finding, "1#变压器 功率因数低")
    path, who = f"/api/v1/tickets/{ticket['id']}", token_of("operator")
    assert anyone.post(f"{path}/assign", json={"assignee": "李伟"}, headers=who).json()["state"] == "assigned"
    anyone.post(f"{path}/comment", json={"text": "电容 3 组已投"}, headers=who)
    ticked = anyone.post(f"{path}/steps/0", json={}, headers=who).json()
    assert (ticked["checklist"][0]["done_by"], ticked["checklist"][0]["text"]["zh"]) == ("operator", "查电容柜")
    anyone.post(f"{path}/close", json={"resolution": "换了 2 只接触器"}, headers=who)
    closed = client.get(path).json()
    assert (closed["state"], closed["closed_by"], closed["resolution"]) == ("closed", "operator", "换了 2 只接触器")
    assert [line["kind"] for line in closed["history"]] == ["opened", "assigned", "commented", "step", "closed"]
    assert audit_of(client)[-4:] == [
        ("operator", "ticket-assigned"),
        ("operator", "ticket-commented"),
        ("operator", "ticket-step"),
        ("operator", "ticket-closed"),
    ]


def test_closing_twice_keeps_the_first_resolution_and_leaves_one_line_in_the_audit_trail(
    client: TestClient, finding: int
):
    path = f"/api/v1/tickets/{client.get('/api/v1/tickets').json()['tickets'][0]['id']}/close"
    client.post(path, json={"resolution": "first"})
    assert client.post(path, json={"resolution": "second"}).json()["resolution"] == "first"
    assert audit_of(client).count(("admin", "ticket-closed")) == 1


def test_a_closed_ticket_cannot_be_assigned(client: TestClient, finding: int):
    path = f"/api/v1/tickets/{client.get('/api/v1/tickets').json()['tickets'][0]['id']}"
    client.post(f"{path}/close", json={"resolution": "done"})
    answer = client.post(f"{path}/assign", json={"assignee": "李伟"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "action-refused")
    assert answer.json()["error"]["mend"] == "Open a new one, or add a comment."


def test_a_person_opens_a_ticket_for_what_they_have_seen(client: TestClient):
    made = client.post(
        "/api/v1/tickets", json={"equipment": "tx2", "title": "柜门异响", "priority": "P2", "text": "夜里更响"}
    )
    assert made.status_code == 201
    ticket = made.json()
    assert (ticket["equipment"], ticket["title"]["zh"], ticket["priority"], ticket["created_by"]) == (
        "tx2", "柜门异响", "P2", "admin",
    )  # fmt: skip
    assert [line["text"] for line in ticket["history"]] == ["", "夜里更响"]


def test_a_ticket_for_a_finding_that_has_one_is_that_one(client: TestClient, finding: int):
    before = client.get("/api/v1/tickets").json()["tickets"][0]["id"]
    assert client.post("/api/v1/tickets", json={"finding": finding}).json()["id"] == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/findings/99", None, 404),
        ("GET", "/findings/0", None, 422),
        ("GET", "/findings/9223372036854775808", None, 422),
        ("GET", "/findings?verdict=maybe", None, 422),
        ("GET", "/findings?active=perhaps", None, 422),
        ("GET", "/findings?equipment=tx11", None, 404),
        ("GET", "/findings?limit=0", None, 422),
        ("GET", "/findings?limit=1001", None, 422),
        ("GET", "/alerts/99", None, 404),
        ("GET", "/alerts/-1", None, 422),
        ("GET", "/alerts?state=quiet", None, 422),
        ("GET", "/alerts?equipment=';DROP TABLE alerts;--", None, 404),
        ("POST", "/alerts/99/acknowledge", None, 404),
        ("GET", "/tickets/99", None, 404),
        ("GET", "/tickets/WO-260716-001", None, 422),
        ("GET", "/tickets?state=lost", None, 422),
        ("POST", "/tickets", {}, 400),
        ("POST", "/tickets", {"finding": 1, "equipment": "tx1", "title": "x"}, 400),
        ("POST", "/tickets", {"finding": 99}, 404),
        ("POST", "/tickets", {"finding": "one"}, 422),
        ("POST", "/tickets", {"equipment": "tx11", "title": "x"}, 404),
        ("POST", "/tickets", {"equipment": "tx1", "title": " "}, 409),
        ("POST", "/tickets", {"equipment": "tx1", "title": "x" * 201}, 422),
        ("POST", "/tickets", {"equipment": "tx1", "title": "x", "priority": "P0"}, 422),
        ("POST", "/tickets", {"equipment": "tx1", "title": "x", "owner": "me"}, 422),
        ("POST", "/tickets/99/assign", {"assignee": "x"}, 404),
        ("POST", "/tickets/99/assign", {"assignee": ""}, 422),
        ("POST", "/tickets/99/comment", {"text": "x" * 4001}, 422),
        ("POST", "/tickets/99/comment", {"text": "\ud800"}, 422),
        ("POST", "/tickets/99/close", {"resolution": 7}, 422),
        ("POST", "/tickets/99/close", [], 422),
        ("POST", "/tickets/99/steps/0", {"done": "maybe"}, 422),
        ("POST", "/tickets/99/steps/-1", {}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_mend(
    standing: TestClient, method: str, path: str, body: Any, status: int
):
    sent = None if body is None else json.dumps(body)  # as ASCII, which can hold half a character
    answer = standing.request(method, f"/api/v1{path}", content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    assert error["mend"]


def test_a_step_that_a_ticket_does_not_have_cannot_be_ticked(client: TestClient, finding: int):
    ticket = client.get("/api/v1/tickets").json()["tickets"][0]["id"]
    assert client.post(f"/api/v1/tickets/{ticket}/steps/7", json={}).status_code == 409


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/alerts/1/acknowledge", None),
        ("/tickets", {"equipment": "tx1", "title": "x"}),
        ("/tickets/1/assign", {"assignee": "x"}),
        ("/tickets/1/comment", {"text": "x"}),
        ("/tickets/1/steps/0", {}),
        ("/tickets/1/close", {"resolution": "x"}),
    ],
)
def test_a_viewer_changes_nothing(
    anyone: TestClient, token_of: Headers, finding: int, alert: int, path: str, body: Any
):
    answer = anyone.post(f"/api/v1{path}", json=body, headers=token_of("viewer"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role-too-low")
    assert anyone.post(f"/api/v1{path}", json=body, headers=token_of("operator")).status_code in (200, 201)


def test_text_that_people_type_comes_back_as_they_typed_it(client: TestClient, finding: int):
    text = "<script>alert('1')</script> \"二\" & {{ 7*7 }} \u202e"
    ticket = client.get("/api/v1/tickets").json()["tickets"][0]["id"]
    history = client.post(f"/api/v1/tickets/{ticket}/comment", json={"text": text}).json()["history"]
    # What turns a line around is no part of what was typed.
    assert history[-1]["text"] == text.removesuffix(" \u202e")


def test_changes_at_the_desk_reach_the_streams(client: TestClient, context: Context, alert: int):
    log = client.app.state.streams.events  # type: ignore[attr-defined]
    before = log.number
    client.post(f"/api/v1/alerts/{alert}/acknowledge")
    told = log.since(before) or []
    assert {e.kind for e in told} == {"alert", "ticket"}
    acknowledged = next(e.data for e in told if e.kind == "alert")
    assert acknowledged == client.get(f"/api/v1/alerts/{alert}").json()


def test_open_alerts_and_tickets_are_counted_for_prometheus(client: TestClient, alert: int, finding: int):
    client.post(f"/api/v1/alerts/{alert}/acknowledge")
    samples = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for s in family.samples
    }
    assert samples["wardwatt_alerts_open", "P2", "yes"] == 1
    assert samples["wardwatt_tickets_open", "P4", "open"] == 1
    assert samples["wardwatt_tickets_open", "P2", "open"] == 1
    assert samples["wardwatt_findings_active", "fault"] == 2
    assert samples["wardwatt_database_available",] == 1
