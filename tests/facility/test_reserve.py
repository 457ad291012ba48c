"""The room held back on the disk: given when there is next to none, taken again when there is plenty."""

from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path

import pytest

from facility.reserve import Reserve

Disk = namedtuple("Disk", "f_bavail f_frsize")
SIZE = 64 * 1024


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many bytes the disk says are free: a real disk is filled in the system tests."""
    room = {"bytes": 10 * SIZE}
    monkeypatch.setattr(os, "statvfs", lambda _path: Disk(room["bytes"] // 512, 512))
    return room


def test_the_room_is_given_back_on_a_full_disk_and_taken_again_later(tmp_path: Path, free: dict[str, int]) -> None:
    reserve = Reserve(tmp_path / "reserve", SIZE)
    assert reserve.path.stat().st_size == SIZE
    assert reserve.why_not() == ""
    free["bytes"] = SIZE // 4 - 512
    reserve.look()
    assert not reserve.path.exists()
    assert "the disk is full; make room" in reserve.why_not()
    # What it gave back is not room again.
    free["bytes"] = SIZE + SIZE // 4
    reserve.look()
    assert reserve.why_not()
    free["bytes"] = 2 * SIZE
    reserve.look()
    assert reserve.path.stat().st_size == SIZE
    assert reserve.why_not() == ""


def test_a_disk_without_room_for_it_counts_as_full_from_the_start(tmp_path: Path, free: dict[str, int]) -> None:
    free["bytes"] = SIZE
    reserve = Reserve(tmp_path / "reserve", SIZE)
    assert reserve.why_not()
    assert not reserve.path.exists()


def test_it_looks_by_itself_until_it_is_stopped(tmp_path: Path, free: dict[str, int]) -> None:
    reserve = Reserve(tmp_path / "reserve", SIZE)
    reserve.start()
    reserve.stop()
    reserve.stop()
    assert reserve.path.exists()
