"""What readings were over a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.context import Context
from api.responses import dumps
from api.routes import readings
from facility.errors import StoreUnavailable
from facility.readings import OUT_OF_RANGE, ReadingBatch

MINUTE = 60_000_000
HOUR = 60 * MINUTE
MIDNIGHT = 1_784_131_200_000_000  # 2026-07-16 00:00:00 in Shanghai


@pytest.fixture
def write(context: Context) -> Callable[..., None]:
    def write(key: str, times_us: Any, values: Any, quality: int = 0) -> None:
        table = context.site.points
        context.store.write(ReadingBatch.of(table, np.full(len(times_us), table.index[key]), times_us, values, quality))

    return write


def test_raw_readings_come_as_columns_to_the_microsecond(client: TestClient, write: Callable[..., None]):
    write("tx1/load", [MIDNIGHT + 1, MIDNIGHT + 2], [60.5, 61.0])
    answer = client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT}&to={MIDNIGHT + 10}&step=raw").json()
    assert answer == {
        "from_us": MIDNIGHT,
        "to_us": MIDNIGHT + 10,
        "step_us": None,
        "series": [
            {
                "point": "tx1/load",
                "unit": "%",
                "kind": "derived",
                "time_us": [MIDNIGHT + 1, MIDNIGHT + 2],
                "value": [60.5, 61.0],
                "quality": [0, 0],
            }
        ],
    }


def test_the_start_belongs_to_the_range_and_the_end_does_not(client: TestClient, write: Callable[..., None]):
    write("tx1/load", [MIDNIGHT, MIDNIGHT + 5, MIDNIGHT + 10], [1.0, 2.0, 3.0])
    answer = client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT}&to={MIDNIGHT + 10}&step=raw").json()
    assert answer["series"][0]["value"] == [1.0, 2.0]


def test_steps_sum_up_and_those_without_a_reading_are_absent(client: TestClient, write: Callable[..., None]):
    write("tx1/load", [MIDNIGHT, MIDNIGHT + MINUTE, MIDNIGHT + 2 * HOUR], [1.0, 3.0, 9.0])
    answer = client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT}&to={MIDNIGHT + 3 * HOUR}&step=1h").json()
    assert answer["step_us"] == HOUR
    series = answer["series"][0]
    assert series["time_us"] == [MIDNIGHT, MIDNIGHT + 2 * HOUR]
    assert series["mean"] == [2.0, 9.0]
    assert series["min"] == [1.0, 9.0]
    assert series["max"] == [3.0, 9.0]
    assert series["last"] == [3.0, 9.0]
    assert series["count"] == [2, 1]


def test_steps_of_a_day_are_days_of_the_hospital(client: TestClient, write: Callable[..., None]):
    write("tx1/load", [MIDNIGHT - 1, MIDNIGHT + 1], [1.0, 3.0])
    answer = client.get(
        "/api/v1/range?point=tx1/load&from=2026-07-15T00:00:00%2B08:00&to=2026-07-17T00:00:00%2B08:00&step=1d"
    ).json()
    assert answer["series"][0]["time_us"] == [MIDNIGHT - 24 * HOUR, MIDNIGHT]


@pytest.mark.parametrize(
    "text",
    [
        str(MIDNIGHT),
        "2026-07-16",
        "20260716",
        "2026-07-16T00:00",
        "2026-07-16 00:00:00",
        "2026-07-16T00:00:00.000000",
        "2026-07-16T00:00:00%2B08:00",
        "2026-07-16T00:00:00+08:00",  # the plus arrives as a space
        "2026-07-16T00:00:00+0800",
        "2026-07-15T16:00:00Z",
    ],
)
def test_times_may_be_written_in_these_ways(standing: TestClient, text: str):
    answer = standing.get(f"/api/v1/range?point=tx1/load&from={text}&to={MIDNIGHT + HOUR}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["from_us"] == MIDNIGHT


def test_without_times_it_is_the_last_day(client: TestClient, context: Context):
    answer = client.get("/api/v1/range?point=tx1/load").json()
    assert (answer["to_us"], answer["from_us"]) == (context.clock(), context.clock() - 24 * HOUR)
    assert answer["step_us"] == 5 * MINUTE


@pytest.mark.parametrize(
    ("days", "step_us"),
    [(1 / 24, 10_000_000), (1, 5 * MINUTE), (30, 2 * HOUR), (365, 24 * HOUR), (10_000, 21 * 24 * HOUR)],
)
def test_auto_chooses_a_round_step_that_fits_a_curve(standing: TestClient, days: float, step_us: int):
    to = MIDNIGHT
    answer = standing.get(f"/api/v1/range?point=tx1/load&from={to - int(days * 24 * HOUR)}&to={to}&step=auto").json()
    assert answer["step_us"] == step_us


def test_several_points_come_in_the_order_asked_for_and_each_once(standing: TestClient):
    points = ["tx2/load", "tx1/load", "tx2/load"]
    answer = standing.get("/api/v1/range", params={"point": points}).json()
    assert [s["point"] for s in answer["series"]] == ["tx2/load", "tx1/load"]


def test_too_many_raw_readings_are_refused_before_they_are_read(
    client: TestClient, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(readings, "MOST_VALUES", 100)
    write("tx1/load", MIDNIGHT + np.arange(101) * 1000, np.ones(101))
    answer = client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT}&to={MIDNIGHT + HOUR}&step=raw")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "too-many-values"
    assert "101 values; 100 is the most" in error["message"]
    assert "step=10s" in error["mend"]
    assert (
        client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT + 1}&to={MIDNIGHT + HOUR}&step=raw").status_code == 200
    )


def test_impossible_readings_count_against_the_bound_too(
    client: TestClient, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(readings, "MOST_VALUES", 100)
    write("tx1/load", MIDNIGHT + np.arange(101) * 1000, np.ones(101), OUT_OF_RANGE)
    answer = client.get(f"/api/v1/range?point=tx1/load&from={MIDNIGHT}&to={MIDNIGHT + HOUR}&step=raw")
    assert answer.json()["error"]["code"] == "too-many-values"


def test_too_many_steps_are_refused_with_a_step_that_will_do(standing: TestClient):
    asked = f"/api/v1/range?point=tx1/load&from={MIDNIGHT - 365 * 24 * HOUR}&to={MIDNIGHT}&step="
    answer = standing.get(asked + "1s")
    assert answer.json()["error"]["code"] == "too-many-values"
    mend = answer.json()["error"]["mend"]
    assert standing.get(asked + mend.rsplit("step=", 1)[1].rstrip(".")).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "invalid-request"),
        ("point=", 404, "unknown-point"),
        ("point=tx1/laod", 404, "unknown-point"),
        ("point=tx1", 404, "unknown-point"),
        ("point=../../etc/passwd", 404, "unknown-point"),
        ("point=tx1/load'%20OR%201=1--", 404, "unknown-point"),
        ("point=%00", 404, "unknown-point"),
        ("point=%FF%FE", 404, "unknown-point"),
        ("point=<script>alert(1)</script>", 404, "unknown-point"),
        ("point=" + "x" * 5000, 404, "unknown-point"),
        ("&".join(f"point=tx1/p{i}" for i in range(21)), 400, "too-many-points"),
        ("point=tx1/load&from=yesterday", 400, "bad-time"),
        ("point=tx1/load&from=", 400, "bad-time"),
        ("point=tx1/load&from=NaN", 400, "bad-time"),
        ("point=tx1/load&from=inf", 400, "bad-time"),
        ("point=tx1/load&from=-1", 400, "bad-time"),
        ("point=tx1/load&from=1e15", 400, "bad-time"),
        ("point=tx1/load&from=99999999999999999999999999", 400, "bad-time"),
        ("point=tx1/load&to=9223372036854775808", 400, "bad-time"),
        ("point=tx1/load&to=99999999999999999999", 400, "bad-time"),
        ("point=tx1/load&from=0001-01-01", 400, "bad-time"),
        ("point=tx1/load&to=9999-12-31T23:59:59Z", 400, "bad-time"),
        ("point=tx1/load&from=0001-01-01T00:00:00%2B23:59", 400, "bad-time"),
        ("point=tx1/load&from=2026-02-30", 400, "bad-time"),
        ("point=tx1/load&from=2026-07-16T25:00", 400, "bad-time"),
        ("point=tx1/load&from=2026-07-17&to=2026-07-16", 400, "bad-range"),
        ("point=tx1/load&from=2026-07-16&to=2026-07-16", 400, "bad-range"),
        ("point=tx1/load&step=0s", 400, "bad-step"),
        ("point=tx1/load&step=-5min", 400, "bad-step"),
        ("point=tx1/load&step=NaN", 400, "bad-step"),
        ("point=tx1/load&step=nan%20s", 400, "bad-step"),
        ("point=tx1/load&step=1e400%20s", 400, "bad-step"),
        ("point=tx1/load&step=1e30%20h", 400, "bad-step"),
        ("point=tx1/load&step=900", 400, "bad-step"),
        ("point=tx1/load&step=1%20kW", 400, "bad-step"),
        ("point=tx1/load&step=1%20months", 400, "bad-step"),
        ("point=tx1/load&step=", 400, "bad-step"),
        ("point=tx1/load&step=0.000001s", 400, "bad-step"),
        ("point=tx1/load&step=" + "9" * 5000 + "s", 400, "bad-step"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_mend(standing: TestClient, query: str, status: int, code: str):
    answer = standing.get(f"/api/v1/range?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["mend"]
    assert len(answer.text) < 1200


def test_a_slice_of_an_array_is_sent_like_any_other():
    assert dumps({"a": np.arange(6.0)[::2], "b": np.array([np.nan, 1.0])}) == b'{"a":[0.0,2.0,4.0],"b":[null,1.0]}'


def test_a_store_that_is_away_is_told_as_such(client: TestClient, context: Context, monkeypatch: pytest.MonkeyPatch):
    def away(*_: object) -> None:
        raise StoreUnavailable("telemetry.duckdb: no space left")

    monkeypatch.setattr(type(context.store), "aggregate", away)
    answer = client.get("/api/v1/range?point=tx1/load")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "5"
