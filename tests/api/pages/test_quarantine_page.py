"""The quarantine's pages: what is wrong, the mend to copy, replay and discard, in both languages."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.context import Context
from api.pages.quarantine import entry_page, payload_text, quarantine_page
from api.pages.refusals import mend_words, reason_words, what_is_wrong
from api.pages.sources import Sources
from api.pages.words import words_of
from api.printable import printable
from api.replaying import orders_of
from api.security import audit
from collector.arrivals import ArrivalLedger
from collector.decode import Decoder
from collector.mapping import TopicMap
from collector.mending import Mend
from collector.quarantine import Rejections
from collector.replay import Outlook, Replays
from tests.api.conftest import word_in

ZH, EN = words_of("zh"), words_of("en")
# Every code with which the collector refuses a message.
REASONS = (
    "broken-json", "unknown-topic", "unknown-key", "duplicate-key", "not-a-number", "not-an-object", "no-values",
    "empty-payload", "time-implausible", "time-unreadable", "payload-too-large", "too-deep", "not-utf8", "too-many",
    "no-list", "no-name", "uneven-columns", "no-time", "no-device", "unknown-device", "bad-quality", "broken-sparkplug",
    "sparkplug-no-birth", "sparkplug-bad-quality", "sparkplug-unit", "sparkplug-retained", "internal-fault",
)  # fmt: skip
TX1 = "sample/power-1/tx1/telemetry"

Come = Callable[..., int]


@pytest.fixture
def come(context: Context) -> Come:
    """Let a message come as it would to the collector, and return the number of the row it makes."""

    def one(topic: str, payload: object) -> int:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        decoder = Decoder(TopicMap(context.site), ArrivalLedger(None), 1 << 20)
        decoder.add(topic, data, context.clock(), 1, False, False)
        context.quarantine.record(decoder.draft.rejections)
        context.quarantine.flush()
        return context.quarantine.entries(topic=topic)[0].id

    return one


def page_of(sources: Sources, words=EN, role="admin", only=None):
    return quarantine_page(sources, words, sources.live(), role, only)


def entry_of(sources: Sources, number: int, words=EN, role="admin"):
    entry = sources.quarantine.entry(number)
    assert entry is not None
    return entry_page(sources, words, sources.live(), role, entry)


def test_rows_are_grouped_by_reason_the_most_frequent_first(sources: Sources, come: Come) -> None:
    come("sample/power-1/tx9/telemetry", {"load": 1})
    for _ in range(3):
        come(TX1, b"{broken")
    page = page_of(sources)
    assert [(g.reason, g.count, len(g.lines)) for g in page.groups] == [
        ("broken-json", "3", 1), ("unknown-topic", "1", 1),
    ]  # fmt: skip
    assert page.groups[0].name == "Broken JSON"
    assert page.groups[1].lines[0].wrong == "The site file has no equipment tx9."
    assert (page.total, page.kept) == ("4", "4 messages")


def test_what_is_wrong_is_said_in_the_readers_language(sources: Sources, come: Come) -> None:
    number = come(TX1, {"fan_running": "转着"})
    assert entry_of(sources, number, EN).wrong.startswith("fan_running is '转着', where a number belongs.")
    assert entry_of(sources, number, ZH).wrong.startswith("fan_running 是 '转着'，而这里应为数字。")


def test_a_row_of_an_older_version_keeps_its_text(sources: Sources, context: Context) -> None:
    found = Rejections()
    found.add("a", "broken-json", "the text breaks off", b"{", 1, context.clock())
    context.quarantine.record(found)
    page = entry_of(sources, context.quarantine.choose()[0])
    assert (page.wrong, page.detail) == ("", "the text breaks off")


@pytest.mark.parametrize(
    ("topic", "payload", "yaml"),
    [
        ("sample/power-1/tx9/telemetry", {"winding_temperature_a": 80.0, "load": 40}, "class: dry_type_transformer"),
        (TX1, {"windingTempA": 80.0, "voltage_ab": 400}, 'winding_temperature_a: "windingTempA"'),
        (TX1, {"fan_running": "运转"}, 'fan_running: {key: fan_running, states: {"运转": 1}}'),
        (TX1, {"clock": 1_784_140_800, "ts": 12, "voltage_ab": 400}, "time: {key: clock, unit: s}"),
        (TX1, b"231.5", "format: plain"),
        (TX1, b"{broken", ""),
    ],
)
def test_the_mapping_that_would_mend_it(sources: Sources, come: Come, topic: str, payload: object, yaml: str) -> None:
    page = entry_of(sources, come(topic, payload))
    assert yaml in page.mend
    assert bool(page.mend) == bool(yaml)
    assert bool(page.mend_words) == bool(yaml)


@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
def test_every_reason_mend_and_case_is_said_in_words(words) -> None:
    for reason in REASONS:
        name, mend = reason_words(reason, words)
        assert name, reason
        assert name != reason
        assert mend, reason
    for kind in ("add-machine", "move-topic", "map-keys", "name-states", "set-time", "set-zone", "plain-value"):
        assert mend_words(Mend(kind, "tx1", ""), words)  # type: ignore[arg-type]
    known = dict.fromkeys(("equipment", "right", "wrong", "point", "keys", "key", "value", "words", "kind"), "x")
    numbers = dict.fromkeys(("at", "size", "limit", "minutes"), 3)
    for case in (
        "no-pattern", "no-equipment", "other-place", "no-point", "unmapped", "no-number", "no-bits", "no-device",
        "unknown-device", "bad-quality", "twice", "broken", "no-object", "early", "ahead", "no-time", "too-large",
        "not-utf8",
    ):  # fmt: skip
        assert what_is_wrong({"case": case, "time": "t", **known, **numbers}, words), case
    assert what_is_wrong({"case": "of a newer version"}, words) is None


def test_payloads_are_shown_as_they_can_be_read() -> None:
    assert payload_text(b'{"a":1,"b":"\xe6\xb0\xa7"}', 17) == '{\n  "a": 1,\n  "b": "氧"\n}'
    assert payload_text(b"\xff\x00{", 3) == "\\xff\\x00{"
    assert payload_text(b'{"cut', 99_999) == '{"cut'
    assert printable("a\x1b[31m\u202eb\x00\n") == "a\\x1b[31m\\u202eb\\x00\\x0a"


def test_hostile_content_is_text_on_the_pages(come: Come, operator: TestClient) -> None:
    number = come('sample/"><script>alert(1)</script>', b"<img src=x onerror=alert(1)>")
    for path in ("/quarantine", f"/quarantine/{number}", "/quarantine?reason=<script>"):
        text = operator.get(path).text
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in operator.get(f"/quarantine/{number}").text


def test_an_engineer_replays_by_the_form_and_an_administrator_discards(
    come: Come, context: Context, log_in: Callable[..., TestClient]
) -> None:
    number, other = come(TX1, {"fan_running": "x"}), come("sample/y", b"{")
    engineer = log_in("engineer")
    word = word_in(engineer.get(f"/quarantine/{number}").text)
    assert "/quarantine/discard" not in engineer.get(f"/quarantine/{number}").text
    answer = engineer.post("/quarantine/replay", data={"entry": number, "csrf": word})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/quarantine/{number}")
    assert engineer.post("/quarantine/replay", data={"entry": number}).status_code == 403
    assert engineer.post("/quarantine/discard", data={"entry": other, "csrf": word}).status_code == 403
    (order,) = orders_of(context.database, context.quarantine).newest()
    assert (order.entries, order.who) == ((number,), "engineer")
    admin = log_in("admin")
    word = word_in(admin.get(f"/quarantine/{other}").text)
    assert admin.post("/quarantine/discard", data={"entry": other, "csrf": word}).status_code == 303
    assert context.quarantine.entry(other) is None
    assert audit.entries(context.database)[0].action == "quarantine-discarded"
    assert admin.get(f"/quarantine/{other}").status_code == 404


def test_a_reader_sees_everything_and_no_button(come: Come, viewer: TestClient) -> None:
    number = come(TX1, b"{")
    text = viewer.get(f"/quarantine/{number}").text
    assert "JSON 不完整" in text
    assert "/quarantine/replay" not in text


def test_the_page_says_what_would_be_understood_and_how_far_a_replay_has_come(
    sources: Sources, context: Context, come: Come
) -> None:
    number = come(TX1, b"{")
    orders = orders_of(context.database, context.quarantine)
    replays = Replays(context.quarantine, orders, context.site, context.store, context.clock)
    replays.outlook = Outlook({number: 1}, True)
    now = replace(sources, context=replace(context, replays=replays))
    page = page_of(now)
    assert (page.looked, page.understood_words) == (True, "1 of 1 messages")
    assert page.groups[0].lines[0].understood == "1 of 1"
    orders.give("admin", None, context.clock())
    (running,) = page_of(now).orders
    assert (running.running, running.words) == (True, "0 of 1 messages decoded again")
    replays.carry_out(orders.claim(context.clock()))
    (done,) = page_of(now).orders
    assert (done.running, done.share) == (False, 100.0)


def test_a_site_file_that_was_changed_since_is_told(sources: Sources, context: Context) -> None:
    written_us = int(max(os.stat(file).st_mtime for file in context.site.files) * 1e6)
    for read_us, changed in ((written_us + 1_000_000, False), (written_us - 1_000_000, True), (None, False)):
        told = replace(sources, context=replace(context, site_read_us=read_us))
        assert page_of(told).changed is changed


def test_replayed_rows_stand_apart(sources: Sources, context: Context, come: Come) -> None:
    come(TX1, {"fan_running": "1", "voltage_ab": 400, "ts": "?"})
    assert page_of(sources).groups[0].reason == "time-unreadable"
    with context.database.session() as session:
        from collector.quarantine_tables import QuarantineRow

        session.query(QuarantineRow).update({"replayed": QuarantineRow.count, "replayed_us": context.clock()})
    page = page_of(sources)
    assert page.empty
    assert [line.topic for line in page.done] == [TX1]
