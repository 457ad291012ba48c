"""Data health: who is silent, what could not be understood, how much is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.context import Context
from api.pages.data_health import data_page, printable, reason_words
from api.pages.sources import Sources
from api.pages.words import words_of
from collector.quarantine import Rejections

ZH, EN = words_of("zh"), words_of("en")
# Every code with which the collector refuses a message.
REASONS = (
    "broken-json", "unknown-topic", "unknown-key", "duplicate-key", "not-a-number", "not-an-object", "no-values",
    "empty-payload", "time-implausible", "time-unreadable", "payload-too-large", "too-deep", "internal-fault",
)  # fmt: skip


@pytest.fixture
def refuse(context: Context) -> Callable[..., None]:
    def one(reason: str = "broken-json", topic: str = "sample/x", payload: bytes = b"{", count: int = 1) -> None:
        found = Rejections()
        for _ in range(count):
            found.add(topic, reason, "the text breaks off; mend the gateway", payload, len(payload), context.clock())
        context.quarantine.record(found)

    return one


def page_of(sources: Sources):
    return data_page(sources, EN, sources.live())


def test_a_machine_with_late_points_is_told_from_a_silent_one_and_from_one_never_heard(sources: Sources, put) -> None:
    put(zone_icu__pressure=404.0)
    put(ago_s=900, zone_b__pressure=402.0)
    lines = {line.name: line for line in page_of(sources).machines}
    assert (lines["Oxygen zone ICU"].state, lines["Oxygen zone ICU"].silent) == ("5 points late", False)
    assert (lines["Zone B"].state, lines["Zone B"].silent, lines["Zone B"].age) == ("silent", True, "15\u00a0min")
    assert (lines["Zone C"].state, lines["Zone C"].age) == ("never heard", "never")
    assert lines["Zone B"].late[0].every == "5\u00a0s"


def test_a_gateway_sums_up_its_machines(sources: Sources, put) -> None:
    put(tx1__load=50.0)
    (gateway,) = page_of(sources).gateways
    assert (gateway.name, gateway.fresh) == ("gw-power", 1)


def test_the_quarantine_is_grouped_by_reason_with_its_payload_and_what_to_do(sources: Sources, refuse) -> None:
    refuse(payload=b'{"load": 45, "', count=3)
    refuse("unknown-topic", "sample/power-1/tx9/telemetry", b"{}")
    groups = {group.reason: group for group in page_of(sources).quarantine}
    broken = groups["broken-json"]
    assert (broken.name, broken.count) == ("Broken JSON", "3")
    assert broken.mend.startswith("Look where the text breaks off")
    assert broken.lines[0].payload == '{"load": 45, "'
    assert broken.lines[0].topic == "sample/x"


def test_a_large_payload_is_shown_by_its_beginning_and_its_size(sources: Sources, refuse) -> None:
    refuse("payload-too-large", payload=b"x" * 50_000)
    line = page_of(sources).quarantine[0].lines[0]
    assert len(line.payload) == 400
    assert line.payload_note == "first 400\u00a0B of 50\u00a0KB"


def test_what_the_eye_would_not_see_is_written_out() -> None:
    assert printable("a\x1b[31m\u202eb\x00\n") == "a\\x1b[31m\\u202eb\\x00\\x0a"
    assert printable("正常 °C") == "正常 °C"


def test_a_hostile_payload_is_text_on_the_page(refuse, operator: TestClient) -> None:
    refuse(topic='sample/"><script>alert(1)</script>', payload=b"<img src=x onerror=alert(1)>")
    text = operator.get("/data").text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
def test_every_reason_is_said_in_words_with_what_to_do(reason: str, words) -> None:
    name, mend = reason_words(reason, words)
    assert name
    assert name != reason
    assert mend


def test_the_page_says_how_much_history_there_is(sources: Sources, put_series) -> None:
    put_series("zone-icu/pressure", [404.0] * 10, 60.0)
    figures = {figure.name: figure for figure in page_of(sources).figures}
    assert figures["History"].note == "10 readings"
    assert figures["Points with history"].text == "1"
    assert figures["Collector"].text == "elsewhere"


def test_a_broker_that_is_away_needs_a_look(sources: Sources) -> None:
    class Away:
        connected, state, detail, protocol = False, "waiting", "no answer from 127.0.0.1:1883", ""
        received = stored = waiting = 0
        last_message_us = last_error_us = None
        store_available, last_error = True, ""

    away = replace(sources, context=replace(sources.context, collector=Away))
    broker = page_of(away).figures[0]
    assert (broker.text, broker.note, broker.bad) == ("not connected", "no answer from 127.0.0.1:1883", True)
