"""Health and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.context import Context
from collector.status import CollectorStatus
from facility.errors import StoreUnavailable
from facility.readings import ReadingBatch
from facility.store.spooled import SpoolStatus

STATUS = CollectorStatus(
    connected=True, state="connected", detail="", protocol="MQTT 5", received=12, redelivered=0, stored=70,
    quarantined=2, batches=5, waiting=1, waiting_bytes=10, last_message_us=7, last_commit_us=8, store_available=True,
    last_error="", last_error_us=None, sink_failures=0, connections=1,
)  # fmt: skip


def metrics_of(client: TestClient) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        sample.name + "".join(f"|{v}" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def collecting(context: Context, token_of: Callable[[str], dict[str, str]]) -> Callable[[CollectorStatus], TestClient]:
    def serve(status: CollectorStatus) -> TestClient:
        app = create_app(replace(context, collector=lambda: status))
        return TestClient(app, base_url="http://localhost", headers=token_of("viewer"))

    return serve


def test_all_is_well_while_the_parts_say_so(collecting: Callable[[CollectorStatus], TestClient]):
    answer = collecting(STATUS).get("/api/v1/health").json()
    assert (answer["status"], answer["problems"]) == ("ok", [])
    assert answer["collector"]["received"] == 12
    assert answer["store"]["readings"] == 0
    assert answer["points"]["ever_read"] == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"connected": False, "state": "waiting", "detail": "connection refused"}, "connection refused"),
        ({"store_available": False, "last_error": "disk full"}, "disk full"),
        ({"sink_failures": 3}, "3 times"),
    ],
)
def test_what_is_wrong_is_told_in_words(
    collecting: Callable[[CollectorStatus], TestClient], change: dict[str, object], told: str
):
    answer = collecting(replace(STATUS, **change)).get("/api/v1/health").json()
    assert answer["status"] == "degraded"
    assert told in answer["problems"][0]


def test_the_spool_is_told_in_health_and_metrics(context: Context, token_of: Callable[[str], dict[str, str]]):
    spool = SpoolStatus(
        state="away", bytes=800, bound_bytes=1000, share=0.8, readings=40, oldest_us=context.clock() - 90_000_000,
        away_since_us=context.clock(), last_error="influxd does not answer", last_error_us=1, refused=2, damaged=3,
    )  # fmt: skip
    app = create_app(replace(context, collector=lambda: STATUS, spool=lambda: spool))
    client = TestClient(app, base_url="http://localhost", headers=token_of("viewer"))
    answer = client.get("/api/v1/health").json()
    assert answer["status"] == "degraded"
    assert "80% of the room" in answer["problems"][0]
    assert "influxd does not answer" in answer["problems"][0]
    assert answer["spool"]["readings"] == 40
    found = metrics_of(client)
    assert (found["wardwatt_spool_bytes"], found["wardwatt_spool_bound_bytes"]) == (800, 1000)
    assert (found["wardwatt_spool_readings"], found["wardwatt_spool_oldest_age_seconds"]) == (40, 90)
    assert (found["wardwatt_store_away"], found["wardwatt_refused_by_store_total"]) == (1, 2)


def test_a_service_without_a_collector_says_so(client: TestClient):
    answer = client.get("/api/v1/health").json()
    assert answer["collector"] is None
    assert answer["problems"] == ["No collector runs in this process."]


def test_a_store_that_is_away_does_not_hide_the_rest(
    client: TestClient, context: Context, monkeypatch: pytest.MonkeyPatch
):
    def away(_: object) -> None:
        raise StoreUnavailable("no room")

    monkeypatch.setattr(type(context.store), "size", away)
    answer = client.get("/api/v1/health").json()
    assert answer["store"] is None
    assert "The store cannot be read: no room" in answer["problems"]


def test_metrics_are_what_prometheus_reads(collecting: Callable[[CollectorStatus], TestClient], context: Context):
    table = context.site.points
    context.live(ReadingBatch.of(table, [0, 1], [5_000_000, 6_000_000], [1.0, 2.0]))
    found = metrics_of(collecting(STATUS))
    assert found["wardwatt_messages_received_total"] == 12
    assert found["wardwatt_readings_stored_total"] == 70
    assert found["wardwatt_quarantined_total"] == 2
    assert found["wardwatt_broker_connected"] == 1
    assert found["wardwatt_points"] == len(table)
    assert found["wardwatt_points_read"] == 2
    assert found["wardwatt_newest_reading_seconds"] == 6
    assert any(name.startswith("process_resident_memory_bytes") for name in found)


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient):
    for path in ("/api/v1/equipment/tx1", "/api/v1/equipment/tx2", "/api/v1/equipment/none", "/nothing", "/other"):
        client.get(path)
    client.request("BREW", "/api/v1/rooms")
    found = metrics_of(client)
    assert found["wardwatt_http_requests_total|GET|/api/v1/equipment/{equipment}|200"] == 2
    assert found["wardwatt_http_requests_total|GET|/api/v1/equipment/{equipment}|404"] == 1
    assert found["wardwatt_http_requests_total|GET|none|404"] == 2
    assert found["wardwatt_http_requests_total|other|/api/v1/rooms|405"] == 1
    assert found["wardwatt_http_request_seconds_count|/api/v1/equipment/{equipment}"] == 3
