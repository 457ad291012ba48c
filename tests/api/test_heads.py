"""HEAD: what GET answers, without the body."""

from __future__ import annotations

from starlette.testclient import TestClient


def test_a_page_answers_head_as_it_answers_get_but_without_a_body(anyone: TestClient) -> None:
    got, head = anyone.get("/login"), anyone.head("/login")
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


def test_head_needs_the_same_login_as_get(anyone: TestClient) -> None:
    assert anyone.head("/api/v1/points").status_code == 401
    assert anyone.head("/healthz").status_code == 200


def test_a_stream_has_no_head(anyone: TestClient) -> None:
    assert anyone.head("/live").status_code == 405
    assert anyone.head("/api/v1/events").status_code == 405
