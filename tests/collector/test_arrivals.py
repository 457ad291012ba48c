"""A message without a time keeps its first arrival when it is sent again, also after a crash."""

from __future__ import annotations

from collector.arrivals import ArrivalLedger


def test_a_message_sent_again_keeps_its_first_arrival(tmp_path):
    ledger = ArrivalLedger(tmp_path / "a" / "arrivals")
    assert ledger.arrival(7, "t", b"1", 1000, False) == 1000
    # No close: the process is gone without one.
    after = ArrivalLedger(tmp_path / "a" / "arrivals")
    assert after.arrival(7, "t", b"1", 9000, True) == 1000


def test_another_message_under_the_same_packet_id_has_its_own_arrival(tmp_path):
    ledger = ArrivalLedger(None)
    ledger.arrival(7, "t", b"1", 1000, False)
    assert ledger.arrival(7, "t", b"2", 2000, True) == 2000
    assert ledger.arrival(7, "u", b"2", 3000, True) == 3000
    assert ledger.arrival(7, "u", b"2", 4000, False) == 4000  # not marked as sent again: a new message


def test_a_note_from_before_the_packet_ids_came_round_is_of_another_message():
    ledger = ArrivalLedger(None)
    ledger.arrival(1, "t", b"1", 1000, False)
    for i in range(60_000):
        ledger.arrival(2 + i % 60_000, "t", b"1", 2000, False)
    assert ledger.arrival(1, "t", b"1", 3000, True) == 3000
