"""A gateway's own clock: a little off, a little fast or slow, and set right by its time server once a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulators import noise

_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _US
# What a quartz of 20 ppm and a time server behind a slow link leave: far within what a healthy clock may be off.
_OFFSET_S: Final = (-0.3, 0.8)
_DRIFT_S_DAY: Final = (-1.8, 1.8)


@dataclass(frozen=True, slots=True)
class GatewayClock:
    """
    What a gateway takes for the time.

    Attributes
    ----------
    behind_us : how much it is behind right after it has been set [µs]
    drift : how much it loses [-], such as 2e-5
    set_at_us : when in the day it is set [µs], UTC
    """

    behind_us: int
    drift: float
    set_at_us: int

    @classmethod
    def of(cls, name: str, seed: int) -> GatewayClock:
        """Return the clock that belongs to a gateway and a seed for good."""
        return cls(
            round(noise.fixed(seed, f"clock|{name}|offset", *_OFFSET_S) * _US),
            noise.fixed(seed, f"clock|{name}|drift", *_DRIFT_S_DAY) * _US / _DAY_US,
            round(noise.fixed(seed, f"clock|{name}|set", 0.0, float(_DAY_US))),
        )

    def reads(self, true_us: int, lost_us: int = 0) -> int:
        """Return what it says at a time, if a fault lets it lose `lost_us` more. [µs]"""
        since_set_us = (true_us - self.set_at_us) % _DAY_US
        return true_us - self.behind_us - round(self.drift * since_set_us) - lost_us
