"""Sharing out a whole number so that the parts are whole and add up to it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Beyond it a float no longer tells one whole number from the next.
_LARGEST: Final = 2**53


def shared_out(total: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """
    Share out a whole number by weights, to the unit: largest remainder (Hamilton's method).

    Parameters
    ----------
    total : what is shared, such as an amount in cents; may be below zero
    weights : (n,) float, none below zero, not all zero

    Returns
    -------
    (n,) int64 that adds up to `total`; each differs from its exact share by less than one. Of equal remainders the
    first comes first. Nothing goes to a weight of zero.

    Raises
    ------
    ValueError
        If there is no weight to share by, one is below zero or no number, or the total is beyond 2^53.
    """
    if weights.ndim != 1 or not bool(np.all(np.isfinite(weights))) or bool(np.any(weights < 0)):
        raise ValueError("weights must be (n,) numbers, none below zero")
    if abs(total) >= _LARGEST:
        raise ValueError(f"{total} is too large to be shared to the unit")
    if total == 0:
        return np.zeros(weights.shape, dtype=np.int64)
    largest = float(weights.max(initial=0.0))
    if largest <= 0.0:
        raise ValueError("all weights are zero; there is nothing to share by")
    scaled = weights / largest
    quota = abs(total) * (scaled / math.fsum(scaled))
    parts = np.floor(quota).astype(np.int64)
    short = abs(total) - int(parts.sum())
    # Zero weights come last in either direction; the sum of floors is short by less than one for each weight.
    order = np.lexsort((np.arange(weights.size), -(quota - parts), weights <= 0))
    for i in range(abs(short)):
        parts[order[i % int(np.count_nonzero(weights > 0))]] += 1 if short > 0 else -1
    return parts if total > 0 else -parts


def scaled_to_whole(value: float, decimals: int) -> int:
    """Return a figure as a whole number of its last decimal, half away from zero."""
    return int(math.copysign(math.floor(abs(value) * 10**decimals + 0.5), value))
