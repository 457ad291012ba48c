"""While nothing can be stored, no page and no health check says that all is well."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.context import Context
from api.pages.frame import _blindness
from api.pages.words import Words
from api.security.routes import login_address
from collector.service import CollectorStatus
from facility.names import Language

STATUS = CollectorStatus(
    connected=True, state="connected", detail="", protocol="MQTT 5", received=9, redelivered=0, stored=9, quarantined=0,
    batches=1, waiting=0, waiting_bytes=0, last_message_us=None, last_commit_us=None, store_available=True,
    last_error="", last_error_us=None, sink_failures=0, connections=1,
)  # fmt: skip


def told(context: Context, status: CollectorStatus | None, language: Language) -> Any:
    here = replace(context, collector=lambda: status)
    return _blindness(here, SimpleNamespace(now_us=context.clock()), Words(language))  # type: ignore[arg-type]


@pytest.mark.parametrize(("available", "code"), [(True, 200), (False, 503)])
def test_the_health_check_fails_while_readings_cannot_be_stored(context: Context, available: bool, code: int) -> None:
    status = replace(STATUS, store_available=available)
    with TestClient(create_app(replace(context, collector=lambda: status)), base_url="http://localhost") as client:
        assert client.get("/healthz").status_code == code


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_band_says_that_alarms_may_be_missing(context: Context, language: Language) -> None:
    full = told(context, replace(STATUS, store_available=False, last_error_us=context.clock()), language)
    away = told(context, replace(STATUS, connected=False, state="waiting"), language)
    assert (full.kind, away.kind) == ("p1", "p2")
    word = "可能漏报警" if language == "zh" else "alarms may be missing"
    assert word in full.what
    assert word in away.what


def test_there_is_no_such_band_while_all_is_well_or_nothing_collects_here(context: Context) -> None:
    assert told(context, STATUS, "en") is None
    assert told(context, None, "en") is None
    # A start in progress is no trouble yet.
    assert told(context, replace(STATUS, connected=False, state="connecting"), "en") is None


@pytest.mark.parametrize(
    ("referer", "address"),
    [
        ("http://ward.example/tickets/7", "/login?next=%2Ftickets%2F7"),
        ("http://evil.example/tickets/7", "/login"),
        ("", "/login"),
    ],
)
def test_a_form_sent_too_late_leads_back_to_its_page_and_to_no_other_host(referer: str, address: str) -> None:
    from starlette.requests import Request

    headers = [(b"host", b"ward.example"), (b"referer", referer.encode())]
    scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/tickets/7/comment", "query_string": b"",
             "headers": headers, "server": ("ward.example", 80)}  # fmt: skip
    assert login_address(Request(scope)) == address
