"""One trial of one fault: the same hospital, from the same seed, with the fault and without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facility.site import Site
from facility.site_file import load_site
from facility.units import conversion
from simulators.fault_catalogue import Fault, find_fault
from simulators.faults import FaultEvent
from simulators.hospital import Hospital

ROOT = Path(__file__).parents[2]
Values = Mapping[str, NDArray[np.float64]]
_US = 1_000_000


@dataclass(frozen=True)
class Trial:
    """
    How a fault is tried: on which machine, when, and for how long.

    Attributes
    ----------
    start : site time at which both runs begin and the fault is there, such as `2026-01-14 06:00`
    hours : length of the runs [h]
    severity : of the fault, above 0 and up to 1
    share : of the times, so many differ at least on each point that it names
    usual_onset : it comes as the catalogue says; else it is there in full from the start
    beside : other faults that both runs have in full, so that the machine is at work: (fault, equipment)
    """

    fault: str
    equipment: str
    start: str = "2026-01-14 06:00"
    hours: float = 8.0
    severity: float = 1.0
    share: float = 0.2
    usual_onset: bool = False
    step_s: float = 60.0
    beside: tuple[tuple[str, str], ...] = ()


@cache
def small_site() -> Site:
    """Return the small site, which has a machine of every class that can be simulated."""
    return load_site(ROOT / "examples" / "small")


@lru_cache(maxsize=4)
def _healthy(start_us: int, count: int, step_us: int, beside: tuple[tuple[str, str], ...]) -> Values:
    return Hospital(small_site(), 1, _beside(start_us, beside)).run(_times(start_us, count, step_us))


def _beside(start_us: int, beside: tuple[tuple[str, str], ...]) -> list[FaultEvent]:
    return [FaultEvent(fault, equipment, 1.0, start_us + 1, 0.0) for fault, equipment in beside]


def _times(start_us: int, count: int, step_us: int) -> NDArray[np.int64]:
    return start_us + np.arange(count, dtype=np.int64) * step_us


@dataclass(frozen=True)
class Outcome:
    """What both runs showed, and the event with what it has truly wasted."""

    trial: Trial
    fault: Fault
    healthy: Values
    sick: Values
    event: FaultEvent

    def keys(self, point: str) -> list[str]:
        """
        Return the keys of a point of the faulty machine, or of a `class/point` on all machines of that class.

        `*` stands for what a data fault is about: one point, or all of the machine.
        """
        if point == "*":
            return [key for key in self.sick if f"{key}/".startswith(f"{self.trial.equipment}/")]
        if "/" not in point:
            return [f"{self.trial.equipment}/{point}"]
        class_id, name = point.split("/")
        site = small_site()
        keys = [
            f"{e.id}/{name}" for e in site.equipment.values() if e.cls.id == class_id and f"{e.id}/{name}" in self.sick
        ]
        assert keys, f"{self.fault.id}: the small site has no {point}"
        return keys

    def left_alone(self, point: str) -> list[str]:
        """Return the keys of what the fault leaves alone; `*` stands for everything that a data fault is not about."""
        return sorted(set(self.sick) - set(self.keys("*"))) if point == "*" else self.keys(point)

    def wasted_by_the_meters(self) -> float:
        """
        Return how much more the registers that the catalogue names have counted with the fault than without it.

        Of meters of one class that feed each other, at once or through others, only the topmost count.
        """
        assert self.fault.waste is not None
        return sum(self._counted_more(meter) for meter in self.fault.waste.meter)

    def _counted_more(self, meter: str) -> float:
        site, keys = small_site(), self.keys(meter)
        counting = {key.split("/")[0] for key in keys}
        machines = {key: site.equipment[key.split("/")[0]] for key in keys}
        top = [k for k, m in machines.items() if not (m.is_meter and counting & set(site.upstream(m.id)))]
        return sum(self._in_its_unit(key, _used(self.sick[key]) - _used(self.healthy[key])) for key in top)

    def _in_its_unit(self, key: str, counted: float) -> float:
        point = small_site().point(key)
        assert point is not None
        assert self.fault.waste is not None
        return counted * conversion(point.unit, self.fault.waste.unit)[0]


def _used(register: NDArray[np.float64]) -> float:
    return float(register[-1] - register[0])


def run(trial: Trial) -> Outcome:
    """Run a trial; the healthy runs are shared between trials of the same time."""
    site, fault = small_site(), find_fault(trial.fault)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", trial.start)
    start_us = int(datetime.fromisoformat(trial.start).replace(tzinfo=site.time_zone).timestamp()) * _US
    step_us = round(trial.step_s * _US)
    count = round(trial.hours * 3600 / trial.step_s)
    # The fault is there when the runs begin; what it wasted before the register's first reading is not counted.
    event = FaultEvent(trial.fault, trial.equipment, trial.severity, start_us + 1, 0.0)
    if trial.usual_onset:
        event = FaultEvent.like(fault.onset, trial.fault, trial.equipment, trial.severity, start_us + 1)
    sick = Hospital(site, 1, [event, *_beside(start_us, trial.beside)]).run(_times(start_us, count, step_us))
    return Outcome(trial, fault, _healthy(start_us, count, step_us, trial.beside), sick, event)
