"""The quarantine by API: list, look, decode again, discard; who may, and what the audit trail says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from api.context import Context
from api.replaying import orders_of
from api.security import audit
from collector.quarantine import Rejections
from collector.replay import Replays

Refuse = Callable[..., int]


@pytest.fixture
def refuse(context: Context) -> Refuse:
    """Let messages be refused, and return the number of their row."""

    def come(*payloads: object, topic: str = "riverside/power-1/tx1/telemetry", reason: str = "broken-json") -> int:
        found = Rejections()
        for i, payload in enumerate(payloads):
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            found.add(topic, reason, "why", data, len(data), context.clock() + i, facts={"case": "broken", "at": 3})
        context.quarantine.record(found)
        return context.quarantine.choose(reason, topic)[0]

    return come


def carry_out(context: Context) -> None:
    orders = orders_of(context.database, context.quarantine)
    order = orders.claim(context.clock())
    assert order is not None
    Replays(context.quarantine, orders, context.site, context.store, context.clock).carry_out(order)


def test_rows_tell_what_is_kept_and_what_is_wrong_as_a_code(client: TestClient, refuse: Refuse) -> None:
    number = refuse(b"{", b"{2")
    (row,) = client.get("/api/v1/quarantine").json()["entries"]
    assert (row["id"], row["count"], row["kept"], row["replayed"], row["lost"]) == (number, 2, 2, 0, 0)
    assert row["facts"] == {"case": "broken", "at": 3}
    assert row["understood_now"] is None  # no collector runs in this process
    assert client.get("/api/v1/quarantine", params={"topic": "elsewhere"}).json()["entries"] == []


def test_a_replay_is_ordered_carried_out_and_told(client: TestClient, context: Context, refuse: Refuse) -> None:
    number = refuse({"winding_temperature_a": 80.5}, reason="unknown-topic")
    order = client.post("/api/v1/quarantine/replay", json={"entries": [number]})
    assert order.status_code == 202
    told = order.json()
    assert (told["state"], told["total"], told["done"], told["who"]) == ("waiting", 1, 0, "admin")
    carry_out(context)
    done = client.get(f"/api/v1/quarantine/replay/{told['id']}").json()
    assert (done["state"], done["understood"], done["readings"], done["still"]) == ("done", 1, 1, 0)
    assert client.get("/api/v1/quarantine/replay").json() == [done]
    row = client.get(f"/api/v1/quarantine/{number}").json()
    assert (row["kept"], row["replayed"], row["replayed_us"]) == (0, 1, context.clock())
    lines = [(e.action, e.who, e.detail.get("understood")) for e in audit.entries(context.database)][:2]
    assert lines == [("quarantine-replayed", "admin", 1), ("quarantine-replay-ordered", "admin", None)]
    assert audit.check_chain(context.database).sound


def test_rows_may_be_chosen_by_reason_and_topic_but_not_both_ways(client: TestClient, refuse: Refuse) -> None:
    number = refuse(b"{")
    refuse(b"{", topic="riverside/power-2/tx2/telemetry")
    chosen = client.post("/api/v1/quarantine/replay", json={"topic": "riverside/power-2/tx2/telemetry"}).json()
    assert chosen["total"] == 1
    assert client.post("/api/v1/quarantine/replay", json={"reason": "broken-json"}).json()["total"] == 2
    assert client.post("/api/v1/quarantine/replay", json={}).json()["total"] == 2
    both = client.post("/api/v1/quarantine/replay", json={"entries": [number], "reason": "x"})
    assert (both.status_code, both.json()["error"]["code"]) == (400, "invalid-request")


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", False), ("engineer", True)])
def test_engineers_replay(browser, token_of, refuse: Refuse, role: str, may: bool) -> None:
    refuse(b"{")
    answer = browser(headers=token_of(role)).post("/api/v1/quarantine/replay", json={})
    assert answer.status_code == (202 if may else 403)


def test_only_an_administrator_discards_and_the_trail_says_what(
    browser, token_of, client: TestClient, context: Context, refuse: Refuse
) -> None:
    number = refuse(b"{", b"{")
    assert browser(headers=token_of("engineer")).delete(f"/api/v1/quarantine/{number}").status_code == 403
    assert client.delete(f"/api/v1/quarantine/{number}").json() == {"discarded": 1}
    assert client.delete(f"/api/v1/quarantine/{number}").status_code == 404
    line = audit.entries(context.database)[0]
    assert (line.action, line.detail["count"]) == ("quarantine-discarded", 2)
    assert context.quarantine.held() == (0, 0)


@pytest.mark.parametrize("path", ["/api/v1/quarantine/99", "/api/v1/quarantine/replay/99"])
def test_what_is_not_there_is_said(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown-entry")
