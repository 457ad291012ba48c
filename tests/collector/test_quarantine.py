"""The quarantine counts, keeps a sample, and cannot be flooded."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import facility.database
from collector.quarantine import KEPT_BYTES, OVERFLOW_TOPIC, Quarantine, RawMessage, Rejections, Verdict
from collector.quarantine_shares import MESSAGE_COST, Share, fair_cuts
from facility.database import Database
from facility.errors import StoreUnavailable

MIGRATIONS = Path(facility.database.__file__).parent / "migrations"


def rejected(
    *rows: tuple[str, str, bytes], at_us: int = 1_000, detail: str = "why", stored: bool = False
) -> Rejections:
    rejections = Rejections()
    for topic, reason, payload in rows:
        rejections.add(topic, reason, detail, payload, len(payload), at_us, stored=stored)
    return rejections


def payloads(quarantine: Quarantine) -> list[bytes]:
    return [kept.message.payload for chunk in quarantine.walk() for kept in chunk]


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
    assert (row.kept, row.lost) == (0, 1)  # half a payload cannot be decoded again


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


@pytest.mark.parametrize("reason", ["unknown-key", "bad-quality", "sparkplug-bad-quality"])
def test_what_is_wrong_beside_stored_values_may_wait_but_is_written_in_the_end(quarantine, database, reason):
    for _ in range(10):
        quarantine.record(rejected(("a", reason, b"{}"), stored=True))
    # The first says at once that there is something; the others cost no disk flush each.
    assert Quarantine(database).total() == 1
    quarantine.flush()
    assert Quarantine(database).total() == 10
    assert len(payloads(quarantine)) == 10


def test_a_topic_of_64_kib_is_shortened_for_display_and_still_its_own(quarantine):
    quarantine.record(rejected(("x" * 65_000, "unknown-topic", b""), ("x" * 65_001, "unknown-topic", b"")))
    rows = quarantine.entries()
    assert len(rows) == 2
    assert all(len(r.topic) < 1_100 for r in rows)


def test_discarded_rows_are_gone_and_may_come_again(quarantine):
    quarantine.record(rejected(("a", "broken-json", b"1")))
    (row,) = quarantine.entries()
    assert quarantine.entry(row.id) == row
    assert [m.payload for m in quarantine.newest(row.id)] == [b"1"]
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


# --- raw messages -----------------------------------------------------------------------------------------------------


def test_every_message_is_kept_as_it_came(quarantine):
    rejections = Rejections()
    rejections.add("a", "broken-json", "why", b"\xff{", 2, 1_000, retained=True)
    rejections.add("a", "broken-json", "why", b"{2", 2, 2_000)
    rejections.add("b", "unknown-topic", "why", b"3", 1, 3_000)
    quarantine.record(rejections)
    kept = [(k.reason, k.message) for chunk in quarantine.walk() for k in chunk]
    assert kept == [
        ("broken-json", RawMessage("a", b"\xff{", 1_000, True)),
        ("broken-json", RawMessage("a", b"{2", 2_000, False)),
        ("unknown-topic", RawMessage("b", b"3", 3_000, False)),
    ]
    assert quarantine.held() == (3, 3 * (MESSAGE_COST + 1) + 5)
    assert [e.kept for e in quarantine.entries()] == [1, 2]


def test_with_no_room_left_the_oldest_of_the_greediest_topic_go_and_are_told(database):
    quarantine = Quarantine(database, max_message_bytes=100 * 1_000)
    size = 1_000 - MESSAGE_COST - 1
    quarantine.record(rejected(*(("q", "no-values", b"%04d" % i + b"." * (size - 4)) for i in range(10))))
    for turn in range(20):
        noisy = (("n", "no-values", b"%04d" % (turn * 20 + i) + b"x" * (size - 4)) for i in range(20))
        quarantine.record(rejected(*noisy))
    quiet, noisy_row = sorted(quarantine.entries(), key=lambda e: e.count)
    assert (quiet.kept, quiet.lost) == (10, 0)
    assert noisy_row.count == 400
    assert noisy_row.kept + noisy_row.lost == 400
    held, cost = quarantine.held()
    assert 80 <= held <= 100
    assert cost <= 100_000
    assert payloads(quarantine)[-1].startswith(b"0399")


def test_a_flood_of_unknown_topics_takes_no_room_from_known_ones(database):
    quarantine = Quarantine(database, max_rows=100, max_message_bytes=200_000)
    quarantine.record(rejected(*(("mine", "broken-json", b"{%d" % i) for i in range(50))))
    for turn in range(20):
        quarantine.record(rejected(*((f"t{turn}-{i}", "unknown-topic", b"y" * 500) for i in range(50))))
    (mine,) = quarantine.entries(reason="broken-json")
    assert mine.kept == 50
    assert quarantine.held()[1] <= 200_000
    # What came on a topic without a row of its own can be decoded again all the same.
    (overflow,) = quarantine.entries(topic=OVERFLOW_TOPIC)
    assert {m.topic for m in quarantine.newest(overflow.id, 3)} == {"t19-49", "t19-48", "t19-47"}


@pytest.mark.parametrize(
    ("need", "cuts"),
    [
        (0, {}),
        (10, {1: 10}),  # the greediest alone
        (30, {1: 25, 2: 5}),  # then the two of the greediest reason evenly
        (65, {1: 42, 2: 22, 3: 3}),  # then both reasons, rounded up, so that the same is left to each
        (500, {1: 60, 2: 40, 3: 40}),
    ],
)
def test_who_holds_most_gives_most(need, cuts):
    shares = {1: Share("a", 60), 2: Share("a", 40), 3: Share("b", 40)}
    assert fair_cuts(shares, need) == cuts


def test_what_is_not_all_lost_never_waits_for_the_database(quarantine, database, monkeypatch):
    def away():
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(database, "session", away)
        patched.setattr(database, "reading", away)
        for i in range(1_000):
            quarantine.record(rejected(("a", "unknown-key", b"{%d}" % i), stored=True))
        with pytest.raises(StoreUnavailable):
            quarantine.record(rejected(("a", "unknown-key", b"{}")))  # nothing of this one was stored
    quarantine.flush()
    (row,) = quarantine.entries()
    assert (row.count, row.kept) == (1_000, 200)


def test_another_process_may_discard_and_the_counts_go_on(quarantine, database):
    quarantine.record(rejected(("a", "broken-json", b"1"), ("b", "broken-json", b"1")))
    assert Quarantine(database).discard([e.id for e in quarantine.entries()]) == 2
    quarantine.record(rejected(("a", "broken-json", b"2")))
    (row,) = quarantine.entries()
    assert (row.count, row.kept, payloads(quarantine)) == (1, 1, [b"2"])


def test_what_was_decoded_since_leaves_and_what_fails_otherwise_moves(quarantine):
    quarantine.record(rejected(*(("a", "unknown-topic", b"%d" % i) for i in range(4))))
    (chunk,) = quarantine.walk()
    moved = next(iter(rejected(("a", "not-a-number", b"1"))))
    still = next(iter(rejected(("a", "unknown-topic", b"3"), detail="newer")))
    verdict = Verdict([chunk[0].id, chunk[2].id, 999], [(chunk[1].id, moved)], {chunk[3].entry_id: still})
    quarantine.settle(verdict, 5_000)
    rows = {e.reason: e for e in quarantine.entries()}
    first, second = rows["unknown-topic"], rows["not-a-number"]
    assert (first.count, first.kept, first.replayed, first.replayed_us, first.detail) == (3, 1, 2, 5_000, "newer")
    assert (second.count, second.kept) == (1, 1)
    assert payloads(quarantine) == [b"3", b"1"]
    assert quarantine.by_reason() == {"unknown-topic": 1, "not-a-number": 1}
    assert quarantine.total() == 2


def test_whole_samples_of_an_older_version_can_be_replayed(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/old.db")
    with database.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for topic, payload, size in (("a", b"{}", 2), ("b", b"x" * 10, 99)):
            connection.execute(
                text(
                    "INSERT INTO quarantine (topic, reason, detail, payload, payload_size, sample_key, first_us,"
                    " last_us, count) VALUES (:t, 'no-values', 'why', :p, :s, :t, 1, 2, 7)"
                ),
                {"t": topic, "p": payload, "s": size},
            )
    database.upgrade()
    quarantine = Quarantine(database)
    assert {(e.topic, e.count, e.kept, e.facts) for e in quarantine.entries()} == {("a", 7, 1, None), ("b", 7, 0, None)}
    assert payloads(quarantine) == [b"{}"]
    database.close()
