"""The quarantine counts, keeps a sample, and cannot be flooded."""

from __future__ import annotations

import pytest

from collector.quarantine import KEPT_BYTES, OVERFLOW_TOPIC, Quarantine, Rejections
from facility.errors import StoreUnavailable


def rejected(*rows: tuple[str, str, bytes], at_us: int = 1_000, detail: str = "why") -> Rejections:
    rejections = Rejections()
    for topic, reason, payload in rows:
        rejections.add(topic, reason, detail, payload, len(payload), at_us)
    return rejections


def test_one_row_a_topic_and_reason_with_count_times_and_the_newest_sample(quarantine):
    quarantine.record(rejected(("a", "broken-json", b"1"), ("a", "broken-json", b"2"), ("a", "no-values", b"{}")))
    quarantine.record(rejected(("a", "broken-json", b"3"), at_us=2_000, detail="newer"))
    (row,) = quarantine.entries(reason="broken-json")
    assert (row.topic, row.count, row.first_us, row.last_us) == ("a", 3, 1_000, 2_000)
    assert (row.payload, row.payload_size, row.detail) == (b"3", 1, "newer")
    assert quarantine.total() == 4
    assert quarantine.by_reason() == {"broken-json": 3, "no-values": 1}
    assert [e.reason for e in quarantine.entries()] == ["broken-json", "no-values"]


def test_what_was_recorded_is_found_by_the_next_process(quarantine, database):
    quarantine.record(rejected(("a", "broken-json", b"1")))
    again = Quarantine(database)
    again.record(rejected(("a", "broken-json", b"1")))
    assert again.total() == 2
    assert len(again.entries()) == 1


def test_of_a_large_payload_the_first_64_kib_are_kept_and_the_size_is_told(quarantine):
    quarantine.record(rejected(("a", "payload-too-large", b"x" * 10_000_000)))
    (row,) = quarantine.entries()
    assert len(row.payload) == KEPT_BYTES
    assert row.payload_size == 10_000_000
    assert quarantine.samples([row.id]) == []  # half a payload cannot be decoded again


def test_payloads_that_are_no_text_can_be_shown(quarantine):
    quarantine.record(rejected(("a", "not-utf8", b"\xff<b>")))
    assert quarantine.entries()[0].text() == "\\xff<b>"


def test_a_publisher_who_invents_topics_fills_no_disk(database):
    quarantine = Quarantine(database, max_rows=50, max_sample_bytes=10_000)
    for turn in range(5):
        quarantine.record(rejected(*((f"t{turn}-{i}", "unknown-topic", b"y" * 1_000) for i in range(100))))
    rows = quarantine.entries(limit=1000)
    assert len(rows) == 26
    assert quarantine.total() == 500
    (overflow,) = [r for r in rows if r.topic == OVERFLOW_TOPIC]
    assert overflow.count == 475
    assert sum(len(r.payload) for r in rows) < 10_000 + 51 * 256
    # What the site's own machines send wrong still gets a row of its own.
    quarantine.record(rejected(("demo/power-1/f1/telemetry", "broken-json", b"{")))
    assert "demo/power-1/f1/telemetry" in {r.topic for r in quarantine.entries(limit=1000)}


def test_counts_of_unknown_keys_may_wait_but_are_written_in_the_end(quarantine, database):
    for _ in range(10):
        quarantine.record(rejected(("a", "unknown-key", b"{}")))
    quarantine.flush()
    assert Quarantine(database).total() == 10


def test_a_topic_of_64_kib_is_shortened_for_display_and_still_its_own(quarantine):
    quarantine.record(rejected(("x" * 65_000, "unknown-topic", b""), ("x" * 65_001, "unknown-topic", b"")))
    rows = quarantine.entries()
    assert len(rows) == 2
    assert all(len(r.topic) < 1_100 for r in rows)


def test_discarded_rows_are_gone_and_may_come_again(quarantine):
    quarantine.record(rejected(("a", "broken-json", b"1")))
    (row,) = quarantine.entries()
    assert quarantine.entry(row.id) == row
    assert quarantine.samples([row.id]) == [row]
    assert quarantine.discard([row.id]) == 1
    assert quarantine.entries() == []
    quarantine.record(rejected(("a", "broken-json", b"1")))
    assert quarantine.total() == 1


def test_nothing_is_added_when_the_database_cannot_be_written(quarantine, database, monkeypatch):
    quarantine.record(rejected(("a", "broken-json", b"1")))

    def away():
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(database, "session", away)
        with pytest.raises(StoreUnavailable):
            quarantine.record(rejected(("a", "broken-json", b"1"), ("b", "broken-json", b"1")))
    quarantine.record(rejected(("a", "broken-json", b"1"), ("b", "broken-json", b"1")))
    assert quarantine.total() == 3
