"""What a register counted in a period, as the balance and the allocation take it: its amount, cost and grade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, Intervals, Total

# Decimals with which an amount is booked; what is shown adds up in them.
_DECIMALS: Final[Mapping[str, int]] = {"kWh": 1, "m³": 1, "Nm³": 1, "GJ": 3, "t": 3, "MWh": 4, "kvarh": 1}


@dataclass(frozen=True, slots=True)
class MeterUse:
    """
    What a register counted in a period.

    Attributes
    ----------
    amount : in the register's unit; NaN where nothing is known
    cost : what that cost by the price of each step; NaN where it is not known step by step [currency]
    peak : how much of it fell into dear steps; NaN likewise
    measured, estimated, missing : shares of the time
    """

    amount: float
    cost: float = math.nan
    peak: float = math.nan
    measured: float = 1.0
    estimated: float = 0.0
    missing: float = 0.0

    @classmethod
    def of(cls, total: Total) -> MeterUse:
        """Return what a total says, with no course in time."""
        return cls(total.amount, measured=total.measured, estimated=total.estimated, missing=total.missing)


def meter_uses(
    intervals: Mapping[str, Intervals], prices: NDArray[np.float64] | None = None, dear: NDArray[np.bool_] | None = None
) -> dict[str, MeterUse]:
    """
    Sum up registers over a period.

    Parameters
    ----------
    intervals : by register, all of the same steps
    prices : (n,) float, price of a unit in each step [currency/unit]; None where the price does not change
    dear : (n,) bool, steps of the dear bands

    Raises
    ------
    ValueError
        If the prices are not of the same steps.
    """
    found: dict[str, MeterUse] = {}
    for key, steps in intervals.items():
        n = len(steps)
        for given, what in ((prices, "prices"), (dear, "dear steps")):
            if given is not None and given.shape != (n,):
                raise ValueError(f"{key} has {n} steps, but {what} {given.shape}; cut both to one period by `window`")
        known = steps.grade != MISSING
        used = np.where(known, steps.used, 0.0)
        some = bool(known.any())
        found[key] = MeterUse(
            amount=float(used.sum()) if some else math.nan,
            cost=float(used @ prices) if some and prices is not None else math.nan,
            peak=float(used[dear].sum()) if some and dear is not None else math.nan,
            measured=float(np.count_nonzero(steps.grade == MEASURED)) / max(n, 1),
            estimated=float(np.count_nonzero(steps.grade == ESTIMATED)) / max(n, 1),
            missing=1.0 - float(np.count_nonzero(known)) / max(n, 1),
        )
    return found


def decimals_of(unit: str) -> int:
    """Return with how many decimals an amount in `unit` is booked."""
    return _DECIMALS.get(unit, 2)
