"""The web server itself: who opens a connection and does not send a whole request is not waited for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
from fastapi import FastAPI

from api import serving


@pytest.fixture
def port(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(serving, "_WHOLE_REQUEST_S", 0.2)
    monkeypatch.setattr(serving, "_TICKS", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = serving.Server(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.02)
    yield port
    server.should_exit = True
    thread.join(20)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\nGET /login HTTP/1.1\r\nHost: ",
        b"POST /api/v1/energy/readings/import HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na",
    ],
    ids=["nothing", "half a head", "half a second head", "half a body"],
)
def test_a_connection_without_a_whole_request_is_closed(port: int, sent: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as slow:
        slow.sendall(sent)
        while slow.recv(65536):
            pass


def test_a_body_that_stops_in_the_middle_is_not_waited_for_and_is_no_failure(
    port: int, token_of: Callable[[str], dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    (authorization,) = token_of("operator").values()
    head = f"POST /api/v1/energy/readings/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as slow:
        slow.sendall(head.encode() + b"Content-Length: 100\r\n\r\nregister,")
        while slow.recv(65536):
            pass
    assert httpx.get(f"http://127.0.0.1:{port}/login").status_code == 200
    assert "request failed" not in caplog.text


def test_who_sends_whole_requests_is_answered_at_leisure(port: int, token_of: Callable[[str], dict[str, str]]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=token_of("viewer")) as client:
        with client.stream("GET", "/api/v1/events") as stream:
            threading.Event().wait(0.6)
            assert next(stream.iter_raw())
        assert client.get("/login").status_code in (200, 303)
