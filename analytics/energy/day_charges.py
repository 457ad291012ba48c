"""What the energy of one day cost, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class BandCharge:
    """What was used in a band of a day, and what it cost with all its components."""

    band: str
    used: float
    cents: int


@dataclass(frozen=True, slots=True)
class DayCharge:
    """
    What the energy of a day cost.

    Attributes
    ----------
    used : [unit of the meters]; NaN where nothing is known
    cents : what is charged for it by the unit; None: nothing is known of it, or it has no price
    missing : share of the day of which nothing is known, and which costs nothing here
    unpriced : some component has no price in its month, and is not in the cents
    hours : its cents by the hour, None where nothing is known; they add up to `cents`
    bands : its parts, of a tariff with bands; their cents add up to `cents`
    """

    day: date
    used: float
    cents: int | None
    missing: float
    unpriced: bool = False
    hours: tuple[int | None, ...] = ()
    bands: tuple[BandCharge, ...] = ()

    @property
    def at_least(self) -> bool:
        """Return True if more is charged than is known: some of the day is missing, or some component has no price."""
        return self.cents is not None and (self.unpriced or self.missing > 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs, without its hours."""
        return {
            "day": self.day.isoformat(),
            "used": round(self.used, 6) if math.isfinite(self.used) else None,
            "cents": self.cents,
            "missing": self.missing,
            "at_least": self.at_least,
            "bands": {b.band: {"used": b.used, "cents": b.cents} for b in self.bands},
        }
