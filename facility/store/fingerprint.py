"""What two stores compare to know that they hold the same readings: a count and a checksum of each point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import Series

_WRAP: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """
    How many readings, and the sum modulo 2^64 of a hash of each over time, value (to the last bit) and quality.

    A sum knows no order, so fingerprints of parts add up to that of the whole.
    """

    count: int = 0
    checksum: int = 0

    def __add__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.count + other.count, (self.checksum + other.checksum) % _WRAP)

    @property
    def hex(self) -> str:
        """Return the checksum as it is printed."""
        return f"{self.checksum:016x}"


def fingerprint(series: Series) -> Fingerprint:
    """Return the fingerprint of one point's readings, or of a part of them."""
    return fingerprint_of(series.time_us, series.value, series.quality)


def fingerprint_of(time_us: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint8]) -> Fingerprint:
    """Return the fingerprint of readings of one point, three arrays (n,) in any order."""
    mixed = _mixed(np.ascontiguousarray(time_us).view(np.uint64))
    mixed = _mixed(mixed ^ np.ascontiguousarray(value).view(np.uint64))
    mixed = _mixed(mixed ^ quality.astype(np.uint64))
    return Fingerprint(int(time_us.shape[0]), int(mixed.sum(dtype=np.uint64)))


def whole(points: Mapping[str, Fingerprint]) -> Fingerprint:
    """Return one fingerprint of many points, in which each point's own is bound to its name."""
    held = {key: one for key, one in points.items() if one.count}
    names = [int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()) for key in held]
    sums = np.array(names, np.uint64) ^ _mixed(np.array([one.checksum for one in held.values()], np.uint64))
    return Fingerprint(sum(one.count for one in held.values()), int(_mixed(sums).sum(dtype=np.uint64)))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of the input moves half of those of the output.
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
