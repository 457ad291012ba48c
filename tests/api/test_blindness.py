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
from collector.status import CollectorStatus
from facility.names import Language
from facility.store.spooled import SpoolStatus

STATUS = CollectorStatus(
    connected=True, state="connected", detail="", protocol="MQTT 5", received=9, redelivered=0, stored=9, quarantined=0,
    batches=1, waiting=0, waiting_bytes=0, last_message_us=None, last_commit_us=None, store_available=True,
    last_error="", last_error_us=None, sink_failures=0, connections=1,
)  # fmt: skip


SPOOL = SpoolStatus(
    state="direct", bytes=0, bound_bytes=1 << 30, share=0.0, readings=0, oldest_us=None, away_since_us=None,
    last_error="", last_error_us=None, refused=0, damaged=0,
)  # fmt: skip


def told(context: Context, status: CollectorStatus | None, language: Language, spool: SpoolStatus | None = None) -> Any:
    here = replace(context, collector=lambda: status, spool=lambda: spool)
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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_band_says_that_alarms_are_judged_though_nothing_can_be_stored(
    context: Context, language: Language
) -> None:
    watched = told(context, replace(STATUS, store_available=False, watching=True), language)
    assert watched.kind == "p1"
    assert ("报警照常判断" if language == "zh" else "alarms are judged all the same") in watched.what


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_band_says_that_the_store_is_away_and_how_much_room_is_left(context: Context, language: Language) -> None:
    away = replace(SPOOL, state="away", bytes=3 << 28, share=0.75, readings=9, away_since_us=context.clock())
    band = told(context, STATUS, language, away)
    assert band.kind == "p2"
    assert ("报警照常判断" if language == "zh" else "alarms are judged") in band.what
    assert "75%" in band.detail
    assert "805" in band.detail  # MB, as files are counted


def test_a_spool_that_drains_is_told_of_from_seventy_per_cent_on(context: Context) -> None:
    assert told(context, STATUS, "en", replace(SPOOL, state="draining", share=0.69, readings=9)) is None
    band = told(context, STATUS, "en", replace(SPOOL, state="draining", share=0.7, readings=9))
    assert "takes them" in band.detail


def test_the_health_check_is_degraded_but_passes_while_the_spool_takes_readings(context: Context) -> None:
    here = replace(context, collector=lambda: STATUS, spool=lambda: replace(SPOOL, state="away", away_since_us=1))
    with TestClient(create_app(here), base_url="http://localhost") as client:
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})


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
