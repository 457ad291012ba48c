"""One shape for every error, and nothing in it that should stay inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from api.app import create_app
from api.context import Context, WebSettings
from api.security.access import require
from api.security.guard import HEADERS, host_is_ours

Headers = Callable[[str], dict[str, str]]


def is_our_error(answer: Response) -> bool:
    body = answer.json()
    return (
        body.keys() == {"error"}
        and body["error"].keys() - {"zh"} == {"code", "message", "mend"}
        and all(isinstance(v, str) and v for v in body["error"].values())
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/../../etc/passwd", 404),
        ("GET", "/api/v1/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/api/v1/equipment/%00", 404),
        ("GET", "/api/v1/equipment/<script>alert(1)</script>", 404),
        ("GET", "/api/v1/equipment/" + "x" * 5000, 404),
        ("GET", "/api/v1/equipment?room=1'%20OR%20'1'='1", 404),
        ("GET", "/api/v1/points?equipment=%F0%9F%94%A5", 404),
        ("GET", "/api/v1/latest?point=none", 404),
        ("GET", "/api/v1/latest?equipment=none", 404),
        ("GET", "/api/v1/latest?room=none", 404),
        ("GET", "/api/v1/events?point=none", 404),
        ("GET", "/api/v1/quarantine/1", 404),
        ("GET", "/api/v1/quarantine/0", 422),
        ("GET", "/api/v1/quarantine/x", 422),
        ("GET", "/api/v1/quarantine/99999999999999999999999999", 422),
        ("GET", "/api/v1/quarantine?limit=-1", 422),
        ("GET", "/api/v1/quarantine?limit=NaN", 422),
        ("GET", "/api/v1/quarantine?limit=1e9", 422),
        ("GET", "/api/v1/quarantine?offset=9223372036854775808", 422),
        ("GET", "/api/v1/audit?before=-5", 422),
        ("GET", "/api/v1/audit?before=99999999999999999999999", 422),
        ("PUT", "/api/v1/rooms", 405),
        ("DELETE", "/api/v1/tokens/99999999999999999999", 422),
        ("POST", "/healthz", 405),
        ("PROPFIND", "/api/v1/rooms", 405),
    ],
)
def test_every_refusal_has_the_same_shape(standing: TestClient, method: str, path: str, status: int):
    answer = standing.request(method, path)
    assert answer.status_code == status, answer.text
    assert is_our_error(answer)
    assert "<script>" not in answer.headers.get("content-type", "")
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.text) < 1200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'{"name": 7}', "application/json"),
        (b'{"name": "x", "rights": "all"}', "application/json"),
        (b'{"name": "\\ud800"}', "application/json"),
        (b'{"name": "' + b"x" * 100_000 + b'"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"name": NaN}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"name=x", "application/x-www-form-urlencoded"),
        (b"name=x", "text/plain"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_in_the_same_shape(
    log_in: Callable[..., TestClient], word_of: Callable[[TestClient], str], body: bytes, content_type: str
):
    browser = log_in("admin")
    headers = {"X-CSRF-Token": word_of(browser), "Content-Type": content_type}
    answer = browser.post("/api/v1/tokens", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert is_our_error(answer)
    assert len(answer.text) < 1200


def test_a_form_that_makes_no_sense_is_refused_too(log_in: Callable[..., TestClient]):
    browser = log_in("admin")
    for body, kind in [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"csrf=%ff%fe&" * 2000, "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data"),
        (b"--x--", "multipart/form-data; boundary=" + "y" * 5000),
    ]:
        answer = browser.post("/logout", content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500
        assert is_our_error(answer)


@pytest.fixture
def failing(app: FastAPI, context: Context) -> FastAPI:
    router = APIRouter(prefix="/api/v1")

    @router.get("/fail", dependencies=[Depends(require("viewer"))])
    def fail() -> None:
        raise RuntimeError("the password of the database is hunter2")

    app.include_router(router)
    return app


def test_a_failure_tells_a_reference_and_nothing_of_what_is_inside(
    failing: FastAPI, browser: Callable[..., TestClient], token_of: Headers, caplog: pytest.LogCaptureFixture
):
    answer = browser().get("/api/v1/fail", headers=token_of("viewer"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert is_our_error(answer)
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    reference = answer.json()["error"]["mend"].split()[-1].rstrip(".")
    assert [r.reference for r in caplog.records if r.message == "request failed"] == [reference]


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/rooms", "/login", "/nothing", "/api/v1/nothing"])
def test_every_answer_carries_the_security_headers(anyone: TestClient, path: str):
    answer = anyone.get(path, headers={"Accept": "text/html"})
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["cache-control"] == "no-store"
    assert "'unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True), ("localhost:8080", True), ("LOCALHOST.", True), ("10.1.2.3", True),
        ("10.1.2.3:8080", True), ("[::1]:8080", True), ("[::1]", True),
        ("wardwatt.example", True), ("wardwatt.example:443", True), ("", False),
        ("evil.example", False), ("wardwatt.example.evil.example", False), ("localhost.evil.example", False),
        ("10.1.2.3.evil.example", False), ("[evil", False), ("evil.example:80@localhost", False), ("0x7f.1", False),
    ],
)  # fmt: skip
def test_only_our_own_names_and_addresses_are_answered(host: str, ours: bool):
    assert host_is_ours(host, frozenset({"localhost", "wardwatt.example"})) is ours


def test_a_name_that_somebody_else_points_at_us_gets_nothing(anyone: TestClient):
    answer = anyone.get("/healthz", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown-host")
    assert "--name" in answer.json()["error"]["mend"]


def test_a_name_may_be_added_and_a_star_takes_any(context: Context):
    for hosts, host, status in [
        (("hosp.local",), "Hosp.Local:80", 200),
        (("hosp.local",), "x", 400),
        (("*",), "x", 200),
    ]:
        with TestClient(create_app(replace(context, settings=WebSettings(hosts=hosts)))) as client:
            assert client.get("/healthz", headers={"Host": host}).status_code == status


@pytest.fixture
def small(context: Context) -> Iterator[TestClient]:
    app = create_app(replace(context, settings=WebSettings(max_body_bytes=1000)))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client


def test_a_body_that_is_too_long_is_refused_unread(small: TestClient):
    answer = small.post("/login", content=b"x" * 1001, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")


def test_a_table_of_readings_may_be_longer_than_other_bodies(small: TestClient, token_of: Headers):
    table = b"register,time,value\n" + b"x,2026-01-01,1\n" * 100
    told = {}
    for path in ("/api/v1/energy/readings/import", "/energy/meters/import"):
        for role in ("operator", "viewer", None):
            who = token_of(role) if role else {}
            sent = {"content": table} if path.startswith("/api") else {"files": {"file": ("a.csv", table)}}
            told[path, role] = small.post(path, headers=who, **sent).status_code
    assert list(told.values()) == [422, 403, 401] * 2


def test_a_body_that_does_not_tell_its_length_is_cut_off(small: TestClient, token_of: Headers):
    for kind in ("application/x-www-form-urlencoded", "application/json"):
        answer = small.post(
            "/login" if "form" in kind else "/api/v1/tokens",
            content=(b"x" * 100 for _ in range(11)),
            headers={"Content-Type": kind} | token_of("admin"),
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large"), kind


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "²", "9" * 30])
def test_a_length_that_is_no_number_is_refused(small: TestClient, length: str):
    answer = small.get("/healthz", headers={"Content-Length": length.encode()})
    assert 400 <= answer.status_code < 500
    assert is_our_error(answer)


def test_the_description_of_the_api_needs_a_login_and_lists_the_routes(standing: TestClient):
    described = standing.get("/api/v1/openapi.json").json()
    assert "/api/v1/range" in described["paths"]
    assert "/login" not in described["paths"]
