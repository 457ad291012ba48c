"""Births of Sparkplug in both kinds of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from collector.sparkplug.births import Births
from collector.sparkplug.changes import BirthRecord, Owner
from facility.database import Database

NODE = BirthRecord(Owner("Hospital", "edge-1", ""), 2**63 - 1, 1_772_424_000_000_000, None, b"\x00\xff")
DEVICE = BirthRecord(Owner("Hospital", "edge-1", "七号表"), None, 1_772_424_000_000_000, None, b"")


def test_what_is_kept_comes_back(database: Database) -> None:
    births = Births(database)
    assert list(births.load()) == []
    births.save([NODE, DEVICE])
    assert sorted(births.load(), key=str) == sorted([NODE, DEVICE], key=str)


def test_the_last_word_stands(database: Database) -> None:
    births = Births(database)
    births.save([NODE])
    dead = replace(NODE, died_us=1_772_424_060_000_000)
    births.save([dead])
    assert list(births.load()) == [dead]


def test_collectors_that_hear_the_same_birth_do_not_collide(database: Database) -> None:
    births = Births(database)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: births.save([replace(NODE, bd_seq=i)]), range(20)))
    assert len(births.load()) == 1
