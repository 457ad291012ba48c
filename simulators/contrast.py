"""
The same hospital, from the same seed, with a fault and without it: what a picture of the fault is drawn from.

Which machine has it, and in which season, is found by trying: a fault of a chiller shows nothing in January.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment, Site
from simulators.fault_catalogue import ANY, Fault, find_fault
from simulators.faults import FaultEvent
from simulators.hospital import Hospital

Array = NDArray[np.float64]
Times = NDArray[np.int64]

_US: Final = 1_000_000
_HOUR_S: Final = 3600
# A Wednesday of each season, without a holiday near it, and a Sunday.
DAYS: Final = ("2026-01-14", "2026-04-15", "2026-07-15", "2026-10-14", "2026-01-18")
_MACHINES: Final = 3  # of each class so many are tried
_SCOUT_STEP_S: Final = 120
_MOST_STEPS: Final = 2500
_STEPS_S: Final = (60, 300, 900)


@dataclass(frozen=True)
class Contrast:
    """
    Two runs of one hospital.

    Attributes
    ----------
    fault, item : what is wrong, and where
    time_us : of both runs [µs UTC]
    from_us, to_us : from when to when the fault is there [µs UTC]
    healthy, sick : by `equipment/point`, the points on which the fault shows, what moves most first
    """

    fault: Fault
    item: Equipment
    time_us: Times
    from_us: int
    to_us: int
    healthy: Mapping[str, Array]
    sick: Mapping[str, Array]


class Contrasts:
    """
    Runs a hospital with each of its faults and without it.

    Parameters
    ----------
    site, seed : the same give the same runs, to the bit
    """

    def __init__(self, site: Site, seed: int = 1) -> None:
        self._site, self._seed = site, seed
        self._healthy_days: dict[str, Mapping[str, Array]] = {}

    def of(self, fault_id: str) -> Contrast:
        """
        Return both runs of a fault: first well, then as the fault comes, and some time after it is mended.

        They are long enough for the fault's own onset; steps are 60 to 900 s, as long as that asks for.

        Raises
        ------
        UnknownFault
            If there is no such fault.
        ValueError
            If the site has no machine that can have it, or none on which it shows on any of the days that are tried.
        """
        fault = find_fault(fault_id)
        item, day = self._where_it_shows_most(fault)
        lead_s, sick_s, step_s = _lengths(fault)
        start_us = _at(self._site, day)
        from_us = start_us + lead_s * _US
        to_us = from_us + sick_s * _US
        times = np.arange(start_us, to_us + lead_s * _US, step_s * _US, dtype=np.int64)
        # What the fault needs to show is there in both runs, all the time.
        beside = self._beside(fault, start_us)
        healthy = self._run(times, *beside)
        sick = self._run(times, *beside, FaultEvent.like(fault.onset, fault.id, item.id, 1.0, from_us, to_us))
        there = (times >= from_us) & (times < to_us)
        keys = _shown_by(self._site, fault, item, sick)
        moved = {key: _share(_apart(healthy[key][there], sick[key][there]), self._range(key)) for key in keys}
        ordered = sorted((key for key, share in moved.items() if share > 0.0), key=lambda key: -moved[key])
        return Contrast(
            fault, item, times, from_us, to_us, {k: healthy[k] for k in ordered}, {k: sick[k] for k in ordered}
        )

    def _run(self, times: Times, *events: FaultEvent) -> Mapping[str, Array]:
        return Hospital(self._site, self._seed, events).run(times)

    def _beside(self, fault: Fault, start_us: int) -> list[FaultEvent]:
        return [
            FaultEvent(other, item.id, 1.0, start_us + 1, 0.0)
            for other in fault.beside
            for item in self._site.equipment.values()
            if find_fault(other).fits(item.cls.id)
        ]

    def _healthy_day(self, day: str, beside: Sequence[FaultEvent]) -> Mapping[str, Array]:
        if beside:
            return self._run(_day(self._site, day), *beside)
        if day not in self._healthy_days:
            self._healthy_days[day] = self._run(_day(self._site, day))
        return self._healthy_days[day]

    def _where_it_shows_most(self, fault: Fault) -> tuple[Equipment, str]:
        machines = [item for c in fault.classes for item in _first_of(self._site, c, fault)]
        if not machines:
            raise ValueError(f"{self._site.id} has no machine for {fault.id}; give a site with {fault.classes[0]}")
        shares: dict[tuple[str, str], tuple[float, float]] = {}
        for day in DAYS:
            times = _day(self._site, day)
            beside = self._beside(fault, int(times[0]))
            healthy = self._healthy_day(day, beside)
            for item in machines:
                sick = self._run(times, *beside, FaultEvent(fault.id, item.id, 1.0, int(times[0]) + 1, 0.0))
                keys = _shown_by(self._site, fault, item, sick)
                moved = sum(_share(_apart(healthy[key], sick[key]), self._range(key)) for key in keys)
                # Where a fault shows alike everywhere, it is seen best on what is busy.
                busy = sum(_share(float(np.ptp(healthy[key])), self._range(key)) for key in keys)
                shares[item.id, day] = (moved, busy)
        best = max(shares, key=lambda which: shares[which])
        if shares[best][0] == 0.0:
            raise ValueError(f"{fault.id} shows nothing on {self._site.id} on any of {', '.join(DAYS)}")
        return self._site.equipment[best[0]], best[1]

    def _range(self, key: str) -> float:
        """Return how far a point of the healthy hospital goes up and down over all the days that are tried."""
        days = [self._healthy_day(day, ())[key] for day in DAYS]
        spec = self._site.point(key)
        # A register goes on from day to day, each from where it stood.
        if spec is not None and spec.kind == "total_increasing":
            return float(max(np.ptp(day) for day in days))
        return float(max(day.max() for day in days) - min(day.min() for day in days))


def _first_of(site: Site, class_id: str, fault: Fault) -> list[Equipment]:
    """Return the first machines of a class that have a sensor on which the fault shows, if any of theirs does."""
    own = {point for point in fault.shows if "/" not in point} - {ANY}
    machines = [item for item in site.equipment.values() if class_id in (item.cls.id, ANY)]
    return [item for item in machines if not own or own & item.points.keys()][:_MACHINES]


def _day(site: Site, day: str) -> Times:
    return _at(site, day) + np.arange(0, 24 * _HOUR_S, _SCOUT_STEP_S, dtype=np.int64) * _US


def _at(site: Site, day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=site.time_zone).timestamp()) * _US


def _lengths(fault: Fault) -> tuple[int, int, int]:
    """Return how long it is well before and after, how long the fault is there, and the step. [s]"""
    grows_s = max(fault.onset.over, fault.onset.every)
    # Half as long again as it takes to grow, or three turns of what comes and goes; a day and a night at least.
    sick_s = round(max(3.0 * fault.onset.every, 1.5 * grows_s, 24.0 * _HOUR_S))
    lead_s = max(sick_s // 4, 6 * _HOUR_S) // _HOUR_S * _HOUR_S
    length_s = sick_s + 2 * lead_s
    step_s = next((s for s in _STEPS_S if length_s <= s * _MOST_STEPS), _STEPS_S[-1])
    return lead_s, sick_s, step_s


def _shown_by(site: Site, fault: Fault, item: Equipment, values: Mapping[str, Array]) -> list[str]:
    """Return the keys of the points on which a fault shows: the machine's own, and those of other classes."""
    keys = []
    for point in fault.shows:
        if point == ANY:
            keys += [f"{item.id}/{p}" for p, spec in item.points.items() if not fault.kinds or spec.kind in fault.kinds]
            continue
        class_id, _, name = point.rpartition("/")
        machines = [item] if not class_id else [e for e in site.equipment.values() if e.cls.id == class_id]
        keys += [f"{e.id}/{name}" for e in machines]
    return [key for key in keys if key in values]


def _apart(healthy: Array, sick: Array) -> float:
    """Return how far a fault moves a point on average; infinity where nothing is told any more."""
    return np.inf if np.isnan(sick).any() else float(np.abs(sick - healthy).mean())


def _share(apart: float, usual: float) -> float:
    """Return how far a point is moved, against how far it moves by itself. [-], 0 to 1"""
    return 0.0 if apart == 0.0 else 1.0 if np.isinf(apart) else apart / (apart + usual)
