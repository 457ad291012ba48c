"""
The hospital: all plant modules together, run to any time, with faults that can be switched while it runs.

The same seed gives the same hospital: noise depends on nothing but seed, name and time. What the physics remembers
(temperatures, switches, registers) is in `memory` and `registers`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from math import isnan
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facility.readings import Latest, ReadingBatch
from facility.site import Equipment, Site
from facility.store.contract import TelemetryStore
from simulators.fault_catalogue import UnknownFault
from simulators.faults import FaultBook, FaultEvent
from simulators.history import Sampler
from simulators.plants import (
    airside,
    boilers,
    cooling,
    departments,
    gases,
    heating,
    lifts,
    outdoors,
    oxygen,
    panels,
    power,
    pumping,
    rooms,
    sewage,
    split_units,
    standby,
    steam,
    voltage,
    waste_store,
    water,
)
from simulators.rhythm import make_span
from simulators.scene import Array, Scene
from simulators.sensors import disturb, forget_registers
from simulators.supply import Tree
from simulators.truth import TruthLog

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]  # share done 0..1, and what is being done

_US: Final = 1_000_000
_STEPS_AT_ONCE: Final = 1440
_LONGEST_STEP_US: Final = 60 * _US  # longer steps than this are walked in pieces: switches and masses need it
_COARSE_STEP_US: Final = 900 * _US
_LONG_BREAK_US: Final = 24 * 3600 * _US
_WARM_UP_US: Final = 6 * 3600 * _US
_BATCH: Final = 200_000

# Contents of tanks, by point: the physics remembers them, and after a restart the last reading says where they stood.
_REMEMBERED: Final = ("mass", "fuel_level", "level", "dosing_tank_level", "sludge_level", "equalisation_level")

# Demand before supply: a module reads what those before it left in the scene.
_MODULES: Final = (
    outdoors.run, departments.run, panels.run, voltage.run, rooms.run, split_units.run, airside.run, cooling.run,
    heating.run, steam.run, boilers.run, gases.run, lifts.run, waste_store.run, water.run, oxygen.run, pumping.run,
    sewage.run, power.run, standby.run,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a hospital remembers at one time: enough to go on from there."""

    time_us: int
    memory: Mapping[str, float]
    registers: Mapping[str, float]


class HistorySink(Protocol):
    """Where history goes: a telemetry store, or whatever stands before one."""

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch."""


class Hospital:
    """
    A site's plant rooms in software. Safe to use from several threads.

    Parameters
    ----------
    site : which machines there are, and what feeds them
    seed : the same seed gives the same hospital, to the bit
    events : faults that were or will be (a storyline); more can be switched on later
    truth : where the truth log is written; None: nowhere
    climate : where it stands: harbin, beijing, hangzhou, guangzhou or kunming; ValueError for any other
    """

    def __init__(
        self,
        site: Site,
        seed: int = 1,
        events: Sequence[FaultEvent] = (),
        truth: Path | str | None = None,
        climate: str = "hangzhou",
    ) -> None:
        outdoors.find_climate(climate)
        self.climate = climate
        self.site = site
        self.seed = seed
        self._truth = TruthLog(Path(truth) if truth is not None else None, site.currency)
        try:
            self.book = FaultBook(site, self._truth.events())
        except UnknownFault as error:
            raise UnknownFault(
                f"{truth} is the truth log of another hospital ({error}); name another data folder with --data, or "
                "delete this one"
            ) from None
        for event in events:
            self.book.add(event)
        self._told = {(e.fault, e.equipment, e.start_us): e.end_us is not None for e in self._truth.events()}
        self._memory: dict[str, float] = {}
        self._registers: dict[str, float] = {}
        self._trees: dict[tuple[frozenset[str], date], Tree] = {}
        self._members: dict[tuple[str, ...], tuple[Equipment, ...]] = {}
        self._now_us: int | None = None
        self._lock = threading.RLock()

    @property
    def now_us(self) -> int | None:
        """Return the time up to which the hospital has been run, or None if it has not been run yet."""
        return self._now_us

    def snapshot(self) -> Snapshot:
        """Return what the hospital remembers now; ValueError if it has not been run yet."""
        with self._lock:
            if self._now_us is None:
                raise ValueError("the hospital has not been run yet; call step or run first")
            return Snapshot(self._now_us, dict(self._memory), dict(self._registers))

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        with self._lock:
            self._now_us = snapshot.time_us
            self._memory, self._registers = dict(snapshot.memory), dict(snapshot.registers)

    def resume(self, store: TelemetryStore, now_us: int) -> None:
        """
        Go on where the store left off: registers continue from their last stored reading, however long ago that was.

        A real meter counts on while nobody reads it, so the time in between is walked through.
        """
        latest = store.latest()
        counters = {
            a.key: latest[a.key] for a in self.site.points.addresses if a.kind == "total_increasing" and a.key in latest
        }
        with self._lock:
            since_us = min(max((r.time_us for r in counters.values()), default=now_us), now_us)
            self._warm_up(since_us)
            self._registers |= {key: self._stored(key, reading.value) for key, reading in counters.items()}
            for item in self.site.equipment.values():
                for point in _REMEMBERED:
                    reading = latest.get(f"{item.id}/{point}")
                    if reading is not None:
                        self._memory[f"{item.id}/{point}"] = reading.value
                if f"{item.id}/max_demand" in latest:
                    self._resume_max_demand(item.id, latest[f"{item.id}/max_demand"])
            self._walk(now_us)

    def _resume_max_demand(self, equipment_id: str, reading: Latest) -> None:
        """The warm-up has seen a few hours; the month's highest demand may be older."""
        name = f"{equipment_id}/max_demand"
        month = make_span(np.array([reading.time_us]), reading.time_us, self.site.time_zone).month[0]
        if self._memory.get(f"{equipment_id}/month") == float(month):
            self._memory[name] = max(self._memory.get(name, 0.0), reading.value)

    def _stored(self, key: str, value: float) -> float:
        # The store holds what the display showed, cut to its last digit; what is behind it may be known here.
        known = self._registers.get(key, value)
        return known if 0.0 <= known - value < 0.01 else value

    def _begin(self, time_us: int) -> None:
        """Come into view at a time: masses are warm, registers stand where they may."""
        self._warm_up(time_us)
        forget_registers(self._memory)

    def _warm_up(self, time_us: int) -> None:
        """Let masses reach the temperatures that they have at a time, without letting registers run."""
        registers = dict(self._registers)
        self._memory.clear()
        self._now_us = time_us - _WARM_UP_US
        times = np.arange(time_us - _WARM_UP_US, time_us + 1, _LONGEST_STEP_US, dtype=np.int64)[1:]
        before = [(e, e.waste, e.cost) for e in self.book.events()]
        self._compute(times)
        self._registers = registers
        for event, amount, cost in before:
            event.waste, event.cost = amount, cost

    def _walk(self, time_us: int) -> None:
        """Go through the time up to the last minute before `time_us` without keeping what the sensors show."""
        assert self._now_us is not None
        # After a long break, quarters of an hour are enough for registers, and the warm-up for everything else.
        last_stretch = time_us - _WARM_UP_US
        if last_stretch - self._now_us > _LONG_BREAK_US:
            self._go_through(np.arange(self._now_us, last_stretch, _COARSE_STEP_US, dtype=np.int64)[1:])
        self._go_through(np.arange(self._now_us, time_us, _LONGEST_STEP_US, dtype=np.int64)[1:])

    def _go_through(self, times: NDArray[np.int64]) -> None:
        for i in range(0, len(times), _STEPS_AT_ONCE):
            self._compute(times[i : i + _STEPS_AT_ONCE])

    def step(self, time_us: int) -> dict[str, float]:
        """
        Run to a time and return what every sensor shows then, by `equipment/point`.

        A time that is not later than the last one returns the sensors anew without moving the hospital.
        """
        with self._lock:
            if self._now_us is None:
                self._begin(time_us)
            assert self._now_us is not None
            self._walk(time_us)
            values = self._compute(np.array([max(time_us, self._now_us)], dtype=np.int64))
            # A silent device tells nothing, which is NaN until here.
            return {key: number for key, value in values.items() if not isnan(number := float(value[0]))}

    def run(self, time_us: NDArray[np.int64]) -> dict[str, Array]:
        """
        Run through rising times and return what every sensor shows at each, by `equipment/point`.

        Steps should be at most a minute long; ValueError if the times do not rise or lie before the hospital's own.
        """
        if time_us.shape[0] == 0:
            return {}
        with self._lock:
            if self._now_us is None:
                self._begin(int(time_us[0]))
            assert self._now_us is not None
            if int(time_us[0]) < self._now_us or (np.diff(time_us) <= 0).any():
                raise ValueError("times must rise and must not lie before the hospital's own; use a fresh Hospital")
            parts = [self._compute(time_us[i : i + _STEPS_AT_ONCE]) for i in range(0, len(time_us), _STEPS_AT_ONCE)]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _compute(self, time_us: NDArray[np.int64]) -> dict[str, Array]:
        assert self._now_us is not None
        self._tell_truth(int(time_us[-1]), ended=False)
        span = make_span(time_us, self._now_us, self.site.time_zone)
        scene = Scene(self.site, self.seed, span, self.book, self._memory, self._registers, self._trees, self._members)
        scene.climate = self.climate
        for module in _MODULES:
            module(scene)
        disturb(scene)
        self._now_us = int(time_us[-1])
        # What ended is told after its last waste has been counted.
        self._tell_truth(self._now_us)
        return scene.values

    def _tell_truth(self, time_us: int, ended: bool = True) -> None:
        """Write to the truth log what began or ended by itself (storylines) since the last look."""
        for event in self.book.events():
            key = (event.fault, event.equipment, event.start_us)
            if event.start_us <= time_us and key not in self._told:
                self._told[key] = False
                self._truth.switched(event, "on")
            if ended and event.end_us is not None and event.end_us <= time_us and self._told.get(key) is False:
                self._told[key] = True
                self._truth.switched(event, "off")

    def write_history(
        self,
        store: HistorySink,
        start_us: int,
        end_us: int,
        step_s: float = 60.0,
        progress: Progress | None = None,
        walk_s: float = 60.0,
        only: Set[str] | None = None,
    ) -> int:
        """
        Write [start, end) into the store, much faster than it would happen, and stand at its end.

        Each point is written every `step_s` or at its own sampling interval, whichever is longer, as gateways do. Call
        it again for what follows, with another step if need be.

        Parameters
        ----------
        step_s : 1 to 60 s, or whole minutes [s]
        progress : told the share that is done and the word `history`
        walk_s : the longest step of the physics itself; up to 900 s for years, where what switches within a step is
            taken in the mean [s]
        only : keys of the points that are written; None: all

        Returns
        -------
        How many readings were written. ValueError if the stretch is empty or the step is none of these.
        """
        step_us = round(step_s * _US)
        walk_us = min(step_us, round(walk_s * _US), _COARSE_STEP_US)
        if end_us <= start_us or step_us < _US or step_us % walk_us:
            raise ValueError(
                f"nothing to write from {start_us} to {end_us} at {step_s:g} s; give an end after the start, and a "
                "step of 1 to 60 s or of whole minutes"
            )
        # On whole steps since 1970, as gateways with a right clock sample.
        first = -(-start_us // walk_us) * walk_us
        times = np.arange(first, end_us, walk_us, dtype=np.int64)
        written = 0
        # While the store writes one batch, the next one is worked out.
        with self._lock, ThreadPoolExecutor(1, "history") as writer:
            if self._now_us is None:
                self._begin(first)
            sampler = Sampler(self.site, self.book, step_us, only)
            waiting: list[ReadingBatch] = []
            writing: Future[None] | None = None
            for i in range(0, len(times), _STEPS_AT_ONCE):
                part = times[i : i + _STEPS_AT_ONCE]
                waiting.append(sampler.batch(part, self._compute(part)))
                if sum(map(len, waiting)) >= _BATCH or i + _STEPS_AT_ONCE >= len(times):
                    batch = ReadingBatch.concat(waiting)
                    if writing is not None:
                        writing.result()
                    writing = writer.submit(store.write, batch)
                    written += len(batch)
                    waiting.clear()
                if progress is not None:
                    progress((i + len(part)) / len(times), "history")
            if writing is not None:
                writing.result()
        return written

    def switch(
        self,
        fault_id: str,
        equipment_id: str,
        on: bool,
        severity: float = 0.8,
        at_us: int | None = None,
        onset_s: float | None = None,
    ) -> None:
        """
        Switch a fault on or off, now or at a time; the truth log hears of it.

        Raises
        ------
        UnknownFault
            If there is no such fault or machine, or the machine cannot have it; the text names the nearest.
        ValueError
            If the severity is not above 0 and up to 1.
        """
        with self._lock:
            fault = self.book.check(fault_id, equipment_id)
            moment = at_us if at_us is not None else self._now_us
            if moment is None:
                raise ValueError("the hospital has not been run yet; give at_us, or run it first")
            # A fault that is switched on again begins anew, with its new severity.
            if not on or self._is_on(fault.id, equipment_id, moment):
                self.book.end(fault.id, equipment_id, moment)
                log.info("fault off", extra={"fault": fault.id, "equipment": equipment_id})
            if on:
                event = FaultEvent.like(fault.onset, fault.id, equipment_id, severity, moment)
                self.book.add(
                    event if onset_s is None else FaultEvent(fault.id, equipment_id, severity, moment, onset_s)
                )
                log.info("fault on", extra={"fault": fault.id, "equipment": equipment_id, "severity": severity})
            self._tell_truth(max(moment, self._now_us or moment))

    def repair(self, equipment_id: str, note: str, at_us: int | None = None) -> list[FaultEvent]:
        """
        Let somebody mend a machine: its faults whose repair the note names end, now or at a time; others go on.

        Returns
        -------
        What was mended. A note that names no right repair mends nothing, and that is no error: such is life.
        """
        with self._lock:
            moment = at_us if at_us is not None else self._now_us
            if moment is None:
                raise ValueError("the hospital has not been run yet; give at_us, or run it first")
            ended = self.book.mend(equipment_id, note, moment)
            for event in ended:
                log.info("fault mended", extra={"fault": event.fault, "equipment": event.equipment})
            self._tell_truth(max(moment, self._now_us or moment))
            return ended

    def take_stock(self) -> None:
        """Write to the truth log which faults go on, and what each has wasted so far."""
        with self._lock:
            for event in self.book.on(self._now_us) if self._now_us is not None else ():
                self._truth.switched(event, "still")

    def _is_on(self, fault_id: str, equipment_id: str, time_us: int) -> bool:
        return any(e.fault == fault_id and e.equipment == equipment_id for e in self.book.on(time_us))

    def add(self, events: Sequence[FaultEvent]) -> None:
        """Enter faults to come, such as a storyline; UnknownFault or ValueError as for `switch`."""
        with self._lock:
            for event in events:
                self.book.add(event)
