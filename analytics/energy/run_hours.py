"""How long machines ran, from their run-hour counters: what a rule may share by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from facility.allocation_rules import RUN_HOURS, AllocationRules


def counters_wanted(rules: AllocationRules) -> dict[str, str]:
    """Return the machines by whose running hours a rule shares, each with the key of its counter."""
    shares = (*rules.meters.values(), rules.rest)
    return {machine: f"{machine}/{RUN_HOURS}" for s in shares if s.by == "running_hours" for machine in s.of}


def hours_run(last: NDArray[np.float64]) -> float:
    """
    Return by how much a run-hour counter rose over (n,) of its readings, oldest first. [h]

    What a counter lost when it was set back to zero is not counted; 0 for less than two readings.
    """
    rises = np.diff(last[np.isfinite(last)])
    return float(np.sum(rises, where=rises > 0))


def hours_of(counters: Mapping[str, str], readings: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the running hours of each machine of which anything is known."""
    return {m: hours_run(readings[k]) for m, k in counters.items() if k in readings and _known(readings[k])}


def _known(last: Iterable[float]) -> bool:
    return sum(1 for x in last if np.isfinite(x)) >= 2
