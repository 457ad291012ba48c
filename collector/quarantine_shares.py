"""Who gives up room when the quarantine is full: the greediest reason first, and in it the greediest topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

MESSAGE_COST: Final = 512  # what a row costs a database besides its topic and payload [bytes]


class Share(NamedTuple):
    """What one row of the quarantine holds. [bytes]"""

    reason: str
    bytes: int


def fair_cuts(shares: Mapping[int, Share], need: int) -> dict[int, int]:
    """
    Return how many bytes each row has to give up so that together they give up `need`.

    Reasons are levelled first: a flood of unknown topics takes room from other unknown topics only, as long as their
    reason holds the most. Within a reason its rows are levelled, so that one noisy topic takes room from itself.
    """
    by_reason: dict[str, int] = {}
    for share in shares.values():
        by_reason[share.reason] = by_reason.get(share.reason, 0) + share.bytes
    cuts: dict[int, int] = {}
    for reason, cut in _levelled(by_reason, need).items():
        cuts |= _levelled({key: s.bytes for key, s in shares.items() if s.reason == reason}, cut)
    return cuts


def _levelled(held: Mapping, need: int) -> dict:  # type: ignore[type-arg]
    """Return what each must give up, the largest first, so that the largest that remain are equally large."""
    need = min(need, sum(held.values()))
    ordered = sorted(held.values(), reverse=True)
    above = 0
    level = 0.0
    for n, size in enumerate(ordered, 1):
        above += size
        level = (above - need) / n
        if n == len(ordered) or level >= ordered[n]:
            break
    # Rounded up: a byte too much is better than a bound that is missed.
    return {key: -int(-(size - level) // 1) for key, size in held.items() if size > level} if need > 0 else {}
