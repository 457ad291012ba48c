"""Faults drawn at random for a site, always the same ones for a seed: life safety first, then waste, then the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import log
from typing import Final, NamedTuple

import numpy as np

from facility.site import Site
from simulators import noise
from simulators.fault_catalogue import Fault, catalogue
from simulators.faults import gateways_of
from simulators.scenario import PlannedFault, Scenario

# How likely a kind of fault is drawn, against one that is neither.
_LIFE_SAFETY: Final = 4.0
_WASTE: Final = 3.0
_DATA: Final = 0.5
_LATEST: Final = 0.7  # of the time, a fault begins; else it would hardly be seen
_SLOWEST: Final = 0.25  # of the time, a creeping fault needs to full severity
_LEFT: Final = 0.5  # of the faults nobody mends


class _Candidate(NamedTuple):
    fault: Fault
    place: str
    weight: float


def draw(site: Site, count: int, seed: int, span_s: float) -> Scenario:
    """
    Return a scenario with so many faults, at most one a machine as long as there are machines.

    Parameters
    ----------
    seed : the same seed draws the same faults for a site, in any process
    span_s : they come within so long after the start [s]

    Raises
    ------
    ValueError
        If the site cannot have so many different ones.
    """
    # Each candidate's waiting time at its rate: the first to come are a weighted draw without replacement.
    # Source: P. S. Efraimidis, P. G. Spirakis, Information Processing Letters 97 (2006) 181.
    candidates = sorted(
        _candidates(site), key=lambda c: (-log(_chance(seed, "drawn", c)) / c.weight, c.fault.id, c.place)
    )
    if not 0 < count <= len(candidates):
        raise ValueError(f"{count} faults cannot be drawn; this site can have 1 to {len(candidates)} different ones")
    taken: set[str] = set()
    first: list[_Candidate] = []
    later: list[_Candidate] = []
    for candidate in candidates:
        machine = candidate.place.partition("/")[0]
        (later if machine in taken else first).append(candidate)
        taken.add(machine)
    planned = [_planned(c, seed, span_s) for c in (first + later)[:count]]
    return Scenario(site, tuple(sorted(planned, key=lambda p: (p.begins, p.fault, p.equipment))), seed=seed)


def _candidates(site: Site) -> Iterator[_Candidate]:
    for fault in catalogue().values():
        places = list(_places(site, fault))
        likely = _LIFE_SAFETY if fault.life_safety else _WASTE if fault.waste else _DATA if fault.of_data else 1.0
        for place in places:
            # A fault that many machines can have is not the likelier for it.
            yield _Candidate(fault, place, likely / len(places))


def _places(site: Site, fault: Fault) -> Iterator[str]:
    if fault.target == "gateway":
        yield from gateways_of(site)
        return
    for item in site.equipment.values():
        if fault.target == "machine" and fault.fits(item.cls.id):
            yield item.id
        elif fault.target == "point" and fault.fits(item.cls.id):
            yield from (f"{item.id}/{name}" for name, spec in item.points.items() if spec.kind in fault.kinds)


def _planned(candidate: _Candidate, seed: int, span_s: float) -> PlannedFault:
    fault = candidate.fault
    begins_s = 60.0 * round(_LATEST * span_s * _chance(seed, "begins", candidate) / 60.0)
    rest_s = span_s - begins_s
    lasts_s: float | None = None
    # A life-safety fault is never left alone for long.
    if fault.life_safety or _chance(seed, "left", candidate) > _LEFT:
        most_s = min(rest_s, 4 * 3600.0) if fault.life_safety else rest_s
        lasts_s = max(60.0, 60.0 * round((0.3 + 0.7 * _chance(seed, "lasts", candidate)) * most_s / 60.0))
    onset = fault.onset
    hurried = max(60.0, 60.0 * round(_SLOWEST * (lasts_s or rest_s) / 60.0))
    quick = onset.model_copy(update={"over": hurried}) if onset.over > hurried else None
    severity = round(0.4 + 0.6 * _chance(seed, "severity", candidate), 2)
    return PlannedFault.model_validate(
        {
            "fault": fault.id,
            "equipment": candidate.place,
            "from": timedelta(seconds=begins_s),
            "to": None if lasts_s is None else timedelta(seconds=begins_s + lasts_s),
            "severity": severity,
            "onset": quick,
        }
    )


def _chance(seed: int, what: str, candidate: _Candidate) -> float:
    """Return a number of the open interval (0, 1) that belongs to a seed and a candidate for good."""
    key = noise.stream(seed, f"{what}|{candidate.fault.id}|{candidate.place}")
    return float(noise.uniform(key, np.zeros(1, dtype=np.int64))[0])
