"""Every parameter of every route, fed with what it is not meant for: refused or answered, never a failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.streams import Streams

HOSTILE = (
    "", "0", "-1", "1e309", "NaN", "9" * 400, "9223372036854775807", "9223372036854775808", "null", "'", "' OR '1'='1",
    "%", "%s%n", "*", "\x00", "\x1b[31m", "../../../etc/passwd", "..\\..\\", "<script>alert(1)</script>", "{{7*7}}",
    "\u202e", "\U0001f525", "٣", "e\u0301", "a" * 3000, "2026-07-16T00:00:00", "tx1/load", "tx1", "raw",
)  # fmt: skip


def parameters(described: dict[str, Any]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation.get("parameters", [])


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    # An open stream would never end, and these tests read to the end.
    streams: Streams = client.app.state.streams  # type: ignore[attr-defined]
    streams.close()
    answer: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return answer


def test_no_parameter_makes_a_route_fail(client: TestClient, described: dict[str, Any]):
    sent = 0
    for method, path, known in parameters(described):
        inside = [p["name"] for p in known if p["in"] == "path"]
        for value in HOSTILE:
            target = path
            for name in inside:
                target = target.replace(f"{{{name}}}", quote(value, safe="") or "%20")
            query = {p["name"]: value for p in known if p["in"] == "query"}
            for one in [query, *({name: text} for name, text in query.items())] if query else [{}]:
                answer = client.request(method, target, params=one)
                assert answer.status_code < 500, f"{method} {target} {one}: {answer.text}"
                if answer.status_code >= 400:
                    assert answer.json()["error"]["mend"], f"{method} {target} {one}"
                    assert len(answer.text) < 1500
                sent += 1
            if not inside and not query:
                break
    assert sent > 1000


def test_no_header_makes_a_request_fail(client: TestClient):
    for name in (
        "Authorization",
        "Cookie",
        "Last-Event-ID",
        "Accept",
        "Content-Type",
        "Sec-Fetch-Site",
        "X-CSRF-Token",
    ):
        for value in (
            "",
            "a" * 5000,
            "\xff\xfe",
            "Bearer " + "x" * 4000,
            "wardwatt_session=" + "x" * 4000,
            ";=;=,",
            "-1",
        ):
            answer = client.get("/api/v1/me", headers={name: value.encode("latin-1")})
            assert answer.status_code < 500, f"{name}: {value!r}"
