"""
Points that report by exception: their last value holds for as long as the device that sends it is known to live.

A device lives for a while after anything of it is read, and, where the protocol tells (Sparkplug), from its birth to
its death. Once nothing shows that it lives, its points age like all others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import HISTORICAL, ReadingBatch
from facility.site import Equipment, Site

Times = NDArray[np.int64]

NOBODY: Final[NDArray[np.int32]] = np.empty(0, dtype=np.int32)


def alive_for(site: Site, item: Equipment) -> float | None:
    """Return for how long a machine's last values hold after it was heard [s]; None: it reports regularly."""
    if item.telemetry is not None:
        return item.telemetry.alive_s
    return next((p.alive_s for p in site.patterns if p.alive_s is not None), None)


def alive_us(site: Site) -> Times:
    """Return the same for each measured point of the site's table, 0 where it reports regularly: (points,). [µs]"""
    found: list[float] = []
    for item in site.equipment.values():
        seconds = alive_for(site, item) or 0.0
        found += [0.0 if spec.kind == "derived" else seconds for spec in item.points.values()]
    return (np.array(found, dtype=np.float64) * 1e6).astype(np.int64)


class Liveness:
    """
    A sink for batches that knows when each device was last heard. Safe to use from several threads.

    Parameters
    ----------
    site : what reports
    clock : the time now [µs]
    living : the points whose devices are known to live at this moment, as indices into the site's table
    """

    def __init__(
        self, site: Site, clock: Callable[[], int], living: Callable[[], NDArray[np.int32]] = lambda: NOBODY
    ) -> None:
        self.alive_us = alive_us(site)
        self._clock, self._living = clock, living
        self._any = bool(self.alive_us.any())
        machines = list(site.equipment)
        place = {name: i for i, name in enumerate(machines)}
        self._machine = np.array([place[a.equipment] for a in site.points.addresses], dtype=np.intp)
        self._machine_us = np.zeros(len(machines), dtype=np.int64)
        # Of points whose device said that it lives: when it last did.
        self._lived_us = np.zeros(len(self.alive_us), dtype=np.int64)
        self._lock = threading.Lock()

    def __call__(self, batch: ReadingBatch) -> None:
        """Hear a batch; what was sent late on purpose or kept by the broker says nothing about now."""
        if not self._any or not len(batch):
            return
        spoken = batch.point[(batch.quality & HISTORICAL) == 0]
        with self._lock:
            self._machine_us[self._machine[spoken]] = self._clock()

    def seed(self, time_us: Times) -> None:
        """Take the newest reading of each point, for a process that hears nothing itself: (points,), 0: never. [µs]"""
        with self._lock:
            np.maximum.at(self._machine_us, self._machine, np.minimum(time_us, self._clock()))

    def heard_us(self) -> Times:
        """Return when the device of each point that reports by exception was last heard, 0 for others. [µs]"""
        living = self._living() if self._any else NOBODY
        with self._lock:
            if living.size:
                self._lived_us[living] = self._clock()
            heard: Times = np.maximum(self._machine_us[self._machine], self._lived_us)
        return np.where(self.alive_us > 0, heard, 0)

    def held_us(self) -> Times:
        """Return until when the last value of each point is known to hold; 0: until it is too old. [µs]"""
        heard = self.heard_us()
        held: Times = np.where(heard > 0, np.minimum(heard + self.alive_us, self._clock()), 0)
        return held
