"""What the energy of each day cost: the energy lines of a bill, shared among its days to the cent.

Only what is charged by the unit is shared, each line by what it charges for: energy of its band, tier or component.
What is due for the month as a whole (basic charge, power factor, standing and minimum charge, tax) is no day's.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_charges import BandCharge, DayCharge
from analytics.energy.energy_charge import EnergyCharges
from analytics.energy.intervals import MISSING, STEP_US, Floats, Intervals
from analytics.energy.rounding import shared_out
from facility.calendar import at_us
from facility.tariff import BANDS

_STEPS_AN_HOUR: Final = 3_600_000_000 // STEP_US


def day_charges(made: EnergyCharges | None, use: Intervals, first: date, end: date, zone: ZoneInfo) -> list[DayCharge]:
    """
    Share the energy lines of a stretch of days among them.

    Parameters
    ----------
    made : the lines; None: the days have no price
    use : (n,) steps from the first day's begin to the end of the last, in the unit of the meters

    Returns
    -------
    One a day of [first, end). The cents of all days add up to the lines' amounts exactly: of each line, a day and band
    gets its share by largest remainder, and of a day each hour by what its steps cost.
    """
    days = [first + timedelta(days=i) for i in range((end - first).days)]
    starts = np.array([at_us(d, 0, zone) for d in (*days, end)], dtype=np.int64)
    edges = np.searchsorted(use.begins_us, starts)
    charges, width = (made.charges, len(BANDS) + 1) if made else ((), 1)
    band = made.band if made else np.zeros(len(use), dtype=np.int64)
    cell = np.repeat(np.arange(len(days)), np.diff(edges)) * width + band
    size = width * len(days)
    known = use.grade != MISSING
    used = np.bincount(cell[known], use.used[known], size).reshape(-1, width)
    some = np.bincount(cell[known], minlength=size).reshape(-1, width) > 0
    shares = [_shared(c.line.amount_cents, np.bincount(cell, c.quantity, size)) for c in charges]
    cents = np.sum(shares, axis=0, dtype=np.int64).reshape(-1, width) if shares else np.zeros_like(used, dtype=np.int64)
    cost = np.sum([c.quantity * c.line.price for c in charges], axis=0) if charges else np.zeros(len(use))
    found = []
    for i, day in enumerate(days):
        steps = slice(edges[i], edges[i + 1])
        total = int(cents[i].sum()) if made is not None and some[i].any() else None
        found.append(
            DayCharge(
                day=day,
                used=float(used[i].sum()) if some[i].any() else math.nan,
                cents=total,
                missing=float(np.mean(~known[steps])),
                unpriced=bool(made and made.unpriced),
                hours=_hours(total, cost[steps], known[steps]),
                bands=tuple(
                    BandCharge(name, float(used[i, b]), int(cents[i, b]))
                    for b, name in enumerate(BANDS)
                    if made is not None and some[i, b]
                ),
            )
        )
    return found


def _hours(cents: int | None, cost: Floats, known: NDArray[np.bool_]) -> tuple[int | None, ...]:
    """Share a day's cents among its hours; None for those of which nothing is known."""
    hour = np.arange(len(cost)) // _STEPS_AN_HOUR
    some = np.bincount(hour, known) > 0
    if cents is None:
        return (None,) * len(some)
    parts = _shared(cents, np.bincount(hour, cost))
    return tuple(int(c) if k else None for c, k in zip(parts, some, strict=True))


def _shared(cents: int, amounts: NDArray[Any]) -> NDArray[np.int64]:
    # A refund weighs as much as a charge; what a meter below counted too much is no part's own.
    weights = np.maximum(amounts if amounts.sum() >= 0 else -amounts, 0.0).astype(np.float64)
    if weights.any():
        return shared_out(cents, weights)
    found = np.zeros(weights.size, dtype=np.int64)
    found[0] = cents
    return found
