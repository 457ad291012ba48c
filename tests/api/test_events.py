"""Event streams, by a real server: what changes arrives, and nobody who is slow or gone is waited for."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.context import Context
from api.live import LiveBoard
from api.security.tokens import list_tokens, revoke_token
from api.serving import Server
from api.streams import EventLog, EventStream, Streams
from facility.database import Database
from facility.readings import PointTable, ReadingBatch

Headers = Callable[[str], dict[str, str]]


@dataclass
class Running:
    app: FastAPI
    server: Server
    thread: threading.Thread
    url: str
    port: int

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)


@pytest.fixture
def running(context: Context) -> Iterator[Running]:
    app = create_app(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(app, "127.0.0.1", port)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        running = Running(app, server, thread, f"http://127.0.0.1:{port}", port)
        yield running
        running.stop()


@contextmanager
def stream(running: Running, headers: dict[str, str], query: str = "") -> Iterator[Iterator[tuple[str, str, Any]]]:
    """Open a stream and yield its events as (event, id, data)."""
    with httpx.stream("GET", f"{running.url}/api/v1/events{query}", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")

        def events() -> Iterator[tuple[str, str, Any]]:
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                    fields = {}

        yield events()


def until(events: Iterator[tuple[str, str, Any]], kind: str) -> tuple[str, str, Any]:
    return next(e for e in events if e[0] == kind)


def read_now(context: Context, key: str, time_us: int, value: float) -> None:
    context.live(ReadingBatch.of(context.site.points, [context.site.points.index[key]], [time_us], [value]))


def test_a_stream_begins_with_what_is_known_and_goes_on_with_what_changes(
    running: Running, context: Context, token_of: Headers
):
    read_now(context, "tx1/load", 1, 60.0)
    with stream(running, token_of("viewer")) as events:
        assert next(events)[0] == "hello"
        assert until(events, "values")[2] == {"tx1/load": [1, 60.0, 0]}
        read_now(context, "tx2/load", 2, 61.0)
        assert until(events, "values")[2] == {"tx2/load": [2, 61.0, 0]}


def test_a_stream_tells_only_of_the_points_that_were_asked_for(running: Running, context: Context, token_of: Headers):
    with stream(running, token_of("viewer"), "?equipment=tx2&point=tx1/load") as events:
        next(events)
        read_now(context, "tx1/current_a", 1, 7.0)
        read_now(context, "tx1/load", 1, 60.0)
        read_now(context, "tx2/current_a", 1, 8.0)
        told: dict[str, Any] = {}
        while len(told) < 2:
            told |= until(events, "values")[2]
        assert told == {"tx1/load": [1, 60.0, 0], "tx2/current_a": [1, 8.0, 0]}


def test_an_alert_reaches_the_stream_with_an_id_to_take_up_from(running: Running, token_of: Headers):
    with stream(running, token_of("viewer")) as events:
        first = next(events)[1]
        running.app.state.streams.events.add("alert", {"id": 17})
        kind, name, data = until(events, "alert")
        assert (kind, data) == ("alert", {"id": 17})
        assert name == first.replace("-0", "-1")


def test_a_browser_that_reconnects_gets_what_it_missed(running: Running, token_of: Headers):
    log = running.app.state.streams.events
    log.add("alert", {"id": 1})
    name = log.name(log.number)
    log.add("alert", {"id": 2})
    log.add("ticket", {"id": 3})
    with stream(running, token_of("viewer") | {"Last-Event-ID": name}) as events:
        assert [e[2].get("id") for e in (next(events), next(events), next(events))] == [None, 2, 3]


@pytest.mark.parametrize("last", ["0123-5", "x", "", "-", "{run}-99999999999999999999", "{run}-999", "{run}-x"])
def test_a_browser_that_missed_too_much_is_told_to_load_again(running: Running, token_of: Headers, last: str):
    name = last.replace("{run}", running.app.state.streams.events.run)
    with stream(running, token_of("viewer") | {"Last-Event-ID": name}) as events:
        assert next(events)[0] == "hello"
        if name:
            assert next(events)[0] == "resync"


def test_both_ends_hear_that_the_other_is_there(running: Running, token_of: Headers, context: Context):
    running.app.state.streams.heartbeat_s = 0.05
    with stream(running, token_of("viewer")) as events:
        assert until(events, "heartbeat")[2] == {"now_us": context.clock()}


def test_a_stream_ends_soon_after_its_token_is_revoked(running: Running, token_of: Headers, database: Database):
    running.app.state.streams.heartbeat_s = 0.05
    with stream(running, token_of("viewer")) as events:
        next(events)
        for token in list_tokens(database, "viewer"):
            revoke_token(database, token.id)
        assert list(events)[-1][0] == "goodbye"


def test_one_stream_too_many_is_refused(running: Running, token_of: Headers):
    running.app.state.streams.most_of_one = 2
    with stream(running, token_of("viewer")) as one, stream(running, token_of("viewer")) as two:
        next(one), next(two)
        answer = httpx.get(f"{running.url}/api/v1/events", headers=token_of("viewer"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too-many-streams")
        with stream(running, token_of("operator")) as others:
            assert next(others)[0] == "hello"


def test_a_stream_that_is_left_gives_its_place_back(running: Running, token_of: Headers):
    streams = running.app.state.streams
    with stream(running, token_of("viewer")) as events:
        next(events)
        assert streams.open == 1
    while streams.open:
        time.sleep(0.01)


def test_how_long_somebody_looked_is_not_counted_as_time_to_answer(running: Running, token_of: Headers):
    with stream(running, token_of("viewer")) as events:
        next(events)
    while running.app.state.streams.open:
        time.sleep(0.01)
    text = httpx.get(f"{running.url}/metrics", headers=token_of("viewer")).text
    assert 'wardwatt_http_requests_total{method="GET",route="/api/v1/events",status="200"} 1.0' in text
    assert 'wardwatt_http_request_seconds_count{route="/api/v1/events"}' not in text


def test_a_stop_ends_open_streams_at_once(running: Running, token_of: Headers):
    with stream(running, token_of("viewer")) as events:
        next(events)
        running.stop()
        assert not running.thread.is_alive()
        assert list(events) == []


def test_a_client_that_takes_nothing_is_dropped_and_holds_up_nobody(
    running: Running, context: Context, token_of: Headers
):
    streams = running.app.state.streams
    streams.patience_s, streams.pace_s = 0.2, 0.0
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", running.port))
        head = "".join(f"{k}: {v}\r\n" for k, v in token_of("viewer").items())
        deaf.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
        while not streams.open:
            time.sleep(0.01)
        table, t = context.site.points, 0
        every = list(range(len(table)))
        while streams.open:
            t += 1
            context.live(ReadingBatch.of(table, every, [t] * len(table), [float(t)] * len(table)))
            time.sleep(0.001)
        assert streams.dropped == 1
        assert httpx.get(f"{running.url}/healthz").status_code == 200


def test_a_slow_client_gets_the_newest_values_and_never_a_queue():
    """The stream is driven by hand here: the client takes its time, and the plant does not."""
    table = PointTable.of_keys(["tx1/load"])
    board = LiveBoard(table)
    streams = Streams(board, pace_s=0.0)

    def values(told: int) -> dict[str, Any]:
        return {"tx1/load": board.snapshot().value[0]} if board.changed_since(told).size else {}

    async def run() -> list[bytes]:
        sent: list[bytes] = []
        response = EventStream(streams, "viewer", values, lambda: True, lambda: 0, None)

        async def send(message: Any) -> None:
            if b"event: values" in message.get("body", b""):
                sent.append(message["body"])
                for i in range(1000):  # all this happens while one message is on its way
                    board(ReadingBatch.of(table, [0], [len(sent) * 1000 + i], [len(sent) * 1000.0 + i]))
                if len(sent) == 3:
                    streams.close()
            await asyncio.sleep(0)

        async def receive() -> Any:
            await asyncio.Event().wait()

        board(ReadingBatch.of(table, [0], [0], [1.0]))
        await response({"type": "http"}, receive, send)
        return sent

    sent = asyncio.run(run())
    assert [json.loads(s.split(b"data: ")[1])["tx1/load"] for s in sent] == [1.0, 1999.0, 2999.0]


def test_the_log_of_events_is_bounded_and_says_when_it_has_forgotten():
    log = EventLog(kept=3)
    for i in range(1, 6):
        log.add("alert", {"id": i})
    assert [e.data["id"] for e in log.since(2) or ()] == [3, 4, 5]
    assert log.since(5) == []
    assert log.since(1) is None
    assert log.since(6) is None
    assert log.number_in(log.name(4)) == 4
    assert log.number_in("other-4") is None
