"""What a register counted, by a loop that anyone can read: no habits, no wrong readings, no profile, one ratio."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from analytics.energy.intervals import STEP_US


def booked_plainly(
    readings: Sequence[tuple[int, float]],
    exchanges: Sequence[tuple[int, float, float]],
    modulus: float | None,
    start_us: int,
    steps: int,
) -> list[float | None]:
    """Return what was counted in each step, None where nothing is known; times in µs, exchanges (at, end, start)."""
    used: list[float | None] = [None] * steps
    for (from_us, before), (to_us, after) in pairwise(readings):
        pieces = []
        for at_us, end, start in exchanges:
            if from_us < at_us < to_us:
                pieces.append((from_us, at_us, before, end))
                from_us, before = at_us, start
        pieces.append((from_us, to_us, before, after))
        for piece in pieces:
            _share_out(piece, modulus, start_us, used)
    return used


def _share_out(
    piece: tuple[int, int, float, float], modulus: float | None, start_us: int, used: list[float | None]
) -> None:
    from_us, to_us, before, after = piece
    counted = after - before
    if counted < 0:
        counted = after + modulus - before if modulus is not None else after
    for i in range(len(used)):
        begins_us = start_us + i * STEP_US
        inside = min(to_us, begins_us + STEP_US) - max(from_us, begins_us)
        if inside > 0:
            used[i] = (used[i] or 0.0) + counted * inside / (to_us - from_us)
