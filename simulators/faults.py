"""
Faults that can be switched on and off in the simulated hospital.

A fault is a change of the physics, not a value pasted over a point: the catalogue says what it does and on which points
it shows; the plant modules ask `FaultBook.severity` and act on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facility.site import Site
from facility.site_gateways import gateway_of
from facility.wording import nearest
from simulators.fault_catalogue import Fault, Onset, Target, UnknownFault, find_fault

Array = NDArray[np.float64]


def gateways_of(site: Site) -> Mapping[str, tuple[str, ...]]:
    """Return the machines behind each gateway of a site; those of a room without a named one share `room:<room>`."""
    behind: dict[str, list[str]] = {}
    for item in site.equipment.values():
        behind.setdefault(gateway_of(site, item).id, []).append(item.id)
    return {name: tuple(machines) for name, machines in behind.items()}


@dataclass(slots=True)
class FaultEvent:
    """
    One fault of one machine over a stretch of time.

    `equipment` is the machine; of a data fault perhaps one of its points (`b1/steam_pressure`), or a gateway.
    `severity`, above 0 and up to 1, is reached `onset_s` after `start_us`; at `end_us` (None: not yet) it is mended.
    An intermittent fault is there for `on_s` out of every `every_s`. `waste` is what it has truly wasted so far, in the
    unit that the catalogue gives, and `cost` what that costs by the site's tariffs; None: no tariff says.
    """

    fault: str
    equipment: str
    severity: float
    start_us: int
    onset_s: float
    end_us: int | None = None
    waste: float = field(default=0.0, compare=False)
    cost: float | None = field(default=None, compare=False)
    on_s: float = field(default=0.0, kw_only=True)
    every_s: float = field(default=0.0, kw_only=True)

    @staticmethod
    def like(
        onset: Onset, fault: str, equipment: str, severity: float, start_us: int, end_us: int | None = None
    ) -> FaultEvent:
        """Return an event that comes as an onset says."""
        return FaultEvent(fault, equipment, severity, start_us, onset.over, end_us, on_s=onset.on, every_s=onset.every)

    def at(self, time_us: NDArray[np.int64]) -> Array:
        """Return how bad the fault is at each time, 0 to `severity`. [-]"""
        since_s = (time_us - self.start_us) / 1e6
        grown = np.clip(since_s / self.onset_s, 0.0, 1.0) if self.onset_s > 0 else (since_s >= 0).astype(np.float64)
        if self.every_s > 0.0:
            grown = np.where(np.mod(since_s, self.every_s) < self.on_s, grown, 0.0)
        if self.end_us is not None:
            grown = np.where(time_us < self.end_us, grown, 0.0)
        return self.severity * grown


def mended(events: Iterable[FaultEvent], equipment: str, note: str, at_us: int) -> list[FaultEvent]:
    """Return the events of a machine, its points included, that are on at a time and that a note says were mended."""
    return [
        event
        for event in events
        if event.equipment.partition("/")[0] == equipment.partition("/")[0]
        and event.start_us <= at_us
        and (event.end_us is None or event.end_us > at_us)
        and find_fault(event.fault).is_mended_by(note)
    ]


class FaultBook:
    """All faults that were, are or will be in a site's machines. Safe to use from several threads."""

    def __init__(self, site: Site, events: Iterable[FaultEvent] = ()) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], list[FaultEvent]] = {}
        self._of_data: dict[Target, tuple[tuple[str, str], ...]] = {}
        for event in events:
            self.add(event)

    def check(self, fault_id: str, equipment_id: str) -> Fault:
        """Return the fault if this machine can have it; `UnknownFault` says what is wrong."""
        fault = find_fault(fault_id)
        if fault.target == "gateway":
            gateways = gateways_of(self._site)
            if equipment_id not in gateways:
                raise UnknownFault(f"no gateway is called {equipment_id!r}{nearest(equipment_id, gateways)}")
            return fault
        machine, _, point = equipment_id.partition("/")
        item = self._site.equipment.get(machine)
        if item is None:
            raise UnknownFault(f"no equipment is called {machine!r}{nearest(machine, self._site.equipment)}")
        if not fault.fits(item.cls.id):
            able = ", ".join(e.id for e in self._site.equipment.values() if fault.fits(e.cls.id))
            owners = f"it belongs to {able}" if able else "no machine here can"
            raise UnknownFault(f"{machine!r} is a {item.cls.id} and cannot have {fault.id}; {owners}")
        if fault.target == "point":
            points = [name for name, spec in item.points.items() if spec.kind in fault.kinds]
            if not points:
                raise UnknownFault(f"{machine!r} has no point of kind {' or '.join(fault.kinds)}, as {fault.id} needs")
            if point and point not in points:
                raise UnknownFault(f"no point {point!r} of {machine!r} can have {fault.id}{nearest(point, points)}")
        elif point:
            raise UnknownFault(f"{fault.id} is a fault of a whole machine; write {machine!r} without the point")
        return fault

    def of_data(self, target: Target) -> Sequence[tuple[str, str]]:
        """Return fault and place of each data fault of a kind of target, past or to come, in a fixed order."""
        return self._of_data.get(target, ())

    def add(self, event: FaultEvent) -> None:
        """Enter an event, past or to come; UnknownFault if its machine cannot have it, ValueError for its severity."""
        fault = self.check(event.fault, event.equipment)
        if not 0.0 < event.severity <= 1.0:
            raise ValueError(f"severity {event.severity:g} is not above 0 and up to 1")
        if event.end_us is not None and event.end_us <= event.start_us:
            raise ValueError(f"{fault.id} of {event.equipment} would end before it starts")
        with self._lock:
            key = (fault.id, event.equipment)
            self._events.setdefault(key, []).append(event)
            if fault.of_data:
                self._of_data[fault.target] = tuple(sorted({*self._of_data.get(fault.target, ()), key}))

    def end(self, fault_id: str, equipment_id: str, time_us: int) -> list[FaultEvent]:
        """End what is on, or would come on later; return those that were on. `UnknownFault` as for `check`."""
        fault = self.check(fault_id, equipment_id)
        key = (fault.id, equipment_id)
        with self._lock:
            mine = self._events.get(key, [])
            ended = [e for e in mine if e.start_us <= time_us and (e.end_us is None or e.end_us > time_us)]
            for event in ended:
                event.end_us = max(time_us, event.start_us + 1)
            self._events[key] = [e for e in mine if e.start_us <= time_us]
        return ended

    def mend(self, equipment_id: str, note: str, time_us: int) -> list[FaultEvent]:
        """End what is on and what a note on the repair of a machine names; return it."""
        with self._lock:
            ended = mended((e for mine in self._events.values() for e in mine), equipment_id, note, time_us)
            for event in ended:
                event.end_us = max(time_us, event.start_us + 1)
        return ended

    def severity(self, fault_id: str, equipment_id: str, time_us: NDArray[np.int64]) -> Array | float:
        """Return how bad a fault is at each time (the worst of its events), or 0.0 where there is none at all."""
        events = self._events.get((fault_id, equipment_id))
        if not events:
            return 0.0
        first, last = int(time_us[0]), int(time_us[-1])
        worst: Array | float = 0.0
        for event in events:
            if event.start_us <= last and (event.end_us is None or event.end_us > first):
                worst = np.maximum(worst, event.at(time_us))
        return worst

    def charge(
        self, fault_id: str, equipment_id: str, amount: float, first_us: int, last_us: int, cost: float | None = None
    ) -> None:
        """Count true waste, and what it costs, to the event that was on at some time of a stretch."""
        for event in self._events.get((fault_id, equipment_id), ()):
            if event.start_us <= last_us and (event.end_us is None or event.end_us > first_us):
                event.waste += amount
                if cost is not None:
                    event.cost = (event.cost or 0.0) + cost
                return

    def events(self) -> Sequence[FaultEvent]:
        """Return all events, in the order of their start."""
        with self._lock:
            return sorted((e for mine in self._events.values() for e in mine), key=lambda e: e.start_us)

    def on(self, time_us: int) -> Sequence[FaultEvent]:
        """Return the events that are on at a time."""
        return [e for e in self.events() if e.start_us <= time_us and (e.end_us is None or e.end_us > time_us)]
