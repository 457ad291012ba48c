"""How a quantity that bends (heating below, cooling above) is written as columns: straight pieces between knots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST: Final = 10


@dataclass(frozen=True, slots=True)
class Curve:
    """
    Straight pieces between knots, each column of mean 0 and spread 1 over what it was made from.

    Attributes
    ----------
    knots : where the slope may change, in the unit of the quantity
    low, high : beyond these the curve is flat; the range it was made from, or wider where it may be drawn out
    centre, scale : (len(knots) + 1,) of the columns
    """

    knots: tuple[float, ...]
    low: float
    high: float
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def through(cls, values: Floats, shares: Sequence[float], reach: float = 0.0) -> Curve:
        """
        Make a curve for these values.

        Parameters
        ----------
        values : (n,) float; NaN does not count
        shares : quantiles at which the knots stand [-]
        reach : how far beyond the values the end pieces go on straight, in their unit
        """
        known = values[np.isfinite(values)]
        knots = tuple(float(k) for k in np.unique(np.quantile(known, shares))) if len(shares) else ()
        low, high = float(known.min()) - reach, float(known.max()) + reach
        raw = pieces(known, knots, low, high)
        spread = raw.std(axis=0)
        return cls(
            knots, low, high, tuple(raw.mean(axis=0).tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist())
        )

    @classmethod
    def of_driver(cls, values: Floats, shares: Sequence[float]) -> Curve | None:
        """Make a curve for a driver's values; None where hardly any is known, or it never changes."""
        known = values[np.isfinite(values)]
        if known.size < max(_FEWEST, values.size // 2) or np.ptp(known) == 0.0:
            return None
        return cls.through(known, shares)

    def columns(self, values: Floats) -> Floats:
        """Return (n, len(knots) + 1) columns; a missing value stands at the middle of what the curve was made from."""
        raw = pieces(values, self.knots, self.low, self.high)
        result: Floats = (raw - np.asarray(self.centre)) / np.asarray(self.scale)
        missing = ~np.isfinite(values)
        if missing.any():
            result[missing] = 0.0
        return result

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "knots": list(self.knots),
            "low": self.low,
            "high": self.high,
            "centre": list(self.centre),
            "scale": list(self.scale),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Curve:
        """Return the curve that `as_json` wrote."""
        return cls(tuple(data["knots"]), data["low"], data["high"], tuple(data["centre"]), tuple(data["scale"]))


def pieces(values: Floats, knots: Sequence[float], low: float, high: float) -> Floats:
    """Return (n, len(knots) + 1): `values` within the bounds, and how far each lies above each knot."""
    x = np.clip(values, low, high)
    result = np.empty((x.size, len(knots) + 1))
    result[:, 0] = x
    for j, knot in enumerate(knots, 1):
        np.maximum(x - knot, 0.0, out=result[:, j])
    return result
