"""How good the data are, told to programs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from analytics.data_health import DataHealth
from api.app import create_app
from api.context import Context
from facility.readings import ReadingBatch
from tests.api.conftest import Clock


def read(context: Context, machine: str, ago_s: float = 0.0, values: float = 1.0) -> None:
    table = context.site.points
    own = [i for i, a in enumerate(table.addresses) if a.equipment == machine and a.kind != "derived"]
    times = [context.clock() - int(ago_s * 1e6)] * len(own)
    batch = ReadingBatch.of(table, own, times, [values] * len(own))
    context.store.write(batch)
    context.live(batch)


def test_the_summary_counts_who_speaks_and_who_does_not(context: Context, client: TestClient) -> None:
    read(context, "tx1")
    found = client.get("/api/v1/data-health").json()
    assert found["machines"] == {"speaking": 1, "partly": 0, "stopped": 0, "silent": 0, "never_heard": 1}
    assert found["silent_points"] == 0
    assert found["listening"] is True


def test_a_silent_machine_is_in_its_list_with_when_it_was_heard_last(context: Context, client: TestClient) -> None:
    read(context, "tx1")
    read(context, "tx2", ago_s=100_000)
    (machine,) = client.get("/api/v1/data-health/machines?state=silent").json()
    assert (machine["id"], machine["gateway"]) == ("tx2", "room:power-2")
    assert machine["last_heard_us"] == context.clock() - 100_000_000_000


def test_points_come_in_pages_and_say_what_is_known_of_them(context: Context, client: TestClient) -> None:
    read(context, "tx1")
    everything = client.get("/api/v1/data-health/points?equipment=tx1").json()
    page = client.get("/api/v1/data-health/points?equipment=tx1&limit=3&offset=2").json()
    assert page["total"] == everything["total"] == len(everything["points"])
    assert page["points"] == everything["points"][2:5]
    assert everything["points"][0]["state"] == "speaking"
    assert client.get("/api/v1/data-health/points?state=never_heard").json()["total"] > 0


def test_an_unknown_machine_or_state_is_refused(client: TestClient) -> None:
    assert client.get("/api/v1/data-health/points?equipment=tx9").status_code == 404
    assert client.get("/api/v1/data-health/machines?state=broken").status_code == 422


def test_gateways_tell_how_far_their_clocks_are_off(context: Context, clock: Clock, token_of) -> None:
    class Times:
        arrival_us = np.arange(20, dtype=np.int64) * 10_000_000 + clock() - 200_000_000
        behind_us = np.full(20, 90_000_000, dtype=np.int64)

    read(context, "tx1")
    watch = DataHealth(context.site, context.store, context.desk, clock, gateways=lambda: {"room:power-1": Times()})
    watch.look_at_clocks()
    app = create_app(replace(context, health=watch.state))
    with TestClient(app, base_url="http://localhost") as client:
        headers = token_of("admin")
        gateways = {g["id"]: g for g in client.get("/api/v1/data-health/gateways", headers=headers).json()}
        assert gateways["room:power-1"]["clock_behind_s"] == pytest.approx(90.0)
        assert gateways["room:power-2"]["clock_behind_s"] is None
        assert client.get("/api/v1/data-health", headers=headers).json()["findings"] == {"data.clock_offset": 1}
        text = client.get("/metrics", headers=headers).text
        assert 'wardwatt_gateway_clock_behind_seconds{gateway="room:power-1"} 90.0' in text
        assert "wardwatt_silent_machines 0.0" in text
