"""What one batch of messages changes beside readings: births to remember, sequence numbers, points that went stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from facility.readings import StaleNotice


class Owner(NamedTuple):
    """An edge node, or one of its devices; `device` is empty for the node itself."""

    group: str
    node: str
    device: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class BirthRecord:
    """
    The last birth of a node or device, as it came, and whether it has died since.

    Attributes
    ----------
    bd_seq : of a node; None for devices
    born_us : when it came; 0 if only its death is known [µs]
    died_us : since when it is offline; None while it is not [µs]
    payload : the message
    """

    owner: Owner
    bd_seq: int | None
    born_us: int
    died_us: int | None
    payload: bytes


class Mark(NamedTuple):
    """Since when a point is stale, and who says so."""

    at_us: int
    owner: Owner


@dataclass(slots=True)
class Changes:
    """To be made lasting with a batch, and told once it is."""

    births: dict[Owner, BirthRecord] = field(default_factory=dict)
    seqs: dict[tuple[str, str], int] = field(default_factory=dict)
    stale: dict[int, Mark] = field(default_factory=dict)  # by point

    def notices(self) -> list[StaleNotice]:
        """Return what is to be told of stale points, oldest first."""
        return notices_of(self.stale)


def notices_of(stale: dict[int, Mark]) -> list[StaleNotice]:
    """Return one notice for each time and owner."""
    by_mark: dict[Mark, list[int]] = {}
    for point, mark in stale.items():
        by_mark.setdefault(mark, []).append(point)
    return [_notice(mark, points) for mark, points in sorted(by_mark.items(), key=lambda item: item[0].at_us)]


def _notice(mark: Mark, points: Iterable[int]) -> StaleNotice:
    owner = mark.owner
    gateway = f"{owner.group}/{owner.node}"
    return StaleNotice(np.array(sorted(points), dtype=np.int32), mark.at_us, gateway, owner.device or None)
