"""What several meters of one supply counted, as one series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.intervals import Totals
from facility.calendar import day_of
from facility.metering import BookedRegister
from facility.units import conversion


def together(
    registers: Sequence[BookedRegister], totals: Mapping[str, Totals], zone: ZoneInfo, taken_off: int = 0
) -> Totals:
    """
    Return sums of registers as one, in the unit of the first: missing where any is missing, as far as that is.

    Of several meters one that was not in service in a stretch counted nothing in it, and misses nothing.

    Parameters
    ----------
    totals : by the registers' keys, all of the same stretches of whole days of the site
    taken_off : so many of the last registers are taken off instead of added
    """
    parts = [totals[r.key] for r in registers]
    days = [day_of(int(us), zone) for us in parts[0].edges_us]
    there = np.array(
        [[r.equipment.in_service(a, b - timedelta(days=1)) for a, b in pairwise(days)] for r in registers], dtype=bool
    )
    gone = ~there & there.any(axis=0)
    signs = [1.0] * (len(parts) - taken_off) + [-1.0] * taken_off
    factors = [s * conversion(r.unit, registers[0].unit)[0] for r, s in zip(registers, signs, strict=True)]
    amount = np.sum([np.where(g, 0.0, f * t.amount) for g, f, t in zip(gone, factors, parts, strict=True)], axis=0)
    missing = np.max([np.where(g, 0.0, t.missing) for g, t in zip(gone, parts, strict=True)], axis=0)
    most = np.max([np.where(g, 0.0, t.estimated) for g, t in zip(gone, parts, strict=True)], axis=0)
    estimated = np.minimum(most, 1.0 - missing)
    return Totals(parts[0].edges_us, amount, 1.0 - missing - estimated, estimated, missing)
