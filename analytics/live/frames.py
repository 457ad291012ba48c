"""Readings of one class of equipment laid out as a table: a row each machine and time, a column each point.

A condition reads several points that need not arrive together, so the last known value of each is carried on until it
is too old to be believed. A frame is all that formulas and limits see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.live.plans import ClassPlan
from facility.readings import ReadingBatch

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

NEVER: Final = np.iinfo(np.int64).min // 4
# A value counts until three readings are missing; fast points get a little more, as gateways batch (domain facts §0.2).
_MISSED: Final = 3
_LEAST_FRESH_US: Final = 15_000_000
_MOST_INTERVAL_US: Final = 3600 * 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    One class's readings of one batch, rows sorted by machine and time.

    Attributes
    ----------
    machine, time_us : (rows,)
    known : (slots, rows) value of each measured point, NaN where unknown or too old
    fresh : (slots, rows) True where the point was read at this very row
    quality : (slots, rows) bits of the readings that the values come from
    env : every name that a formula may use -> (rows,)
    block : start row of each machine that the frame holds, and the end: machine of block i is `machine[block[i]]`
    """

    plan: ClassPlan
    machine: NDArray[np.intp]
    time_us: Times
    known: Floats
    fresh: NDArray[np.bool_]
    quality: NDArray[np.uint8]
    env: dict[str, Floats]
    block: NDArray[np.intp]

    def rows_of(self, machine: int) -> slice:
        """Return the rows of a machine; empty if it has none here."""
        low, high = np.searchsorted(self.machine, [machine, machine + 1])
        return slice(int(low), int(high))


class Lane:
    """
    The last known readings of the machines of one class, and how to lay new ones upon them.

    There are two lanes a class: what happens now, whose time never runs backwards, and history that is sent late.

    Attributes
    ----------
    clock_us : (machines,) time of the newest row of each machine
    arrival_us : (machines,) what the service's clock said when that row came
    """

    def __init__(self, plan: ClassPlan, live: bool) -> None:
        self.plan = plan
        self._live = live
        shape = plan.every_us.shape
        self.value = np.full(shape, np.nan)
        self.time_us = np.full(shape, NEVER, dtype=np.int64)
        self.quality = np.zeros(shape, dtype=np.uint8)
        # Until when the device of a point that reports by exception vouches for its value, by the machine's clock.
        self._held_us = np.full(shape, NEVER, dtype=np.int64)
        # The last two intervals between readings: a gateway may send more slowly than the class would have it.
        self._gaps = np.zeros((2, *shape), dtype=np.int64)
        self.clock_us = np.full(shape[0], NEVER, dtype=np.int64)
        self.arrival_us = np.full(shape[0], NEVER, dtype=np.int64)

    def fresh_for_us(self, machine: NDArray[np.intp]) -> Times:
        """Return how long a reading of each point of these machines is believed: (slots, len(machine)). [µs]"""
        # One long gap is an outage; only two in a row are the pace of the gateway.
        pace = np.minimum(self._gaps[:, machine].min(axis=0), _MOST_INTERVAL_US)
        # The pauses of what is sent only on change say nothing about how long it is to be believed.
        pace = np.where(self.plan.by_exception[machine], 0, pace)
        allowed = _MISSED * np.maximum(self.plan.every_us[machine], pace)
        believed: Times = np.maximum(allowed, _LEAST_FRESH_US).T
        return believed

    def frame(self, batch: ReadingBatch, machine: NDArray[np.intp], slot: NDArray[np.intp], now_us: int) -> Frame:
        """
        Lay readings upon what is known, and remember them.

        Parameters
        ----------
        batch : n readings of this lane's class, in any order
        machine, slot : (n,) whose they are
        now_us : the service's clock, to tell later how long ago they came
        """
        time_us = batch.time_us
        keep = np.ones(time_us.shape, dtype=bool)
        at = time_us
        if self._live:
            # Overtaken by a newer reading of the same point: of no use now. A reading that is merely behind the
            # machine's other points (two gateways, two clocks) counts from now on.
            keep = time_us >= self.time_us[machine, slot]
            at = np.maximum(time_us, self.clock_us[machine])
        order = np.lexsort((time_us, at, machine))
        order = order[keep[order]]
        machine, slot, time_us, at = machine[order], slot[order], time_us[order], at[order]
        new_row = np.empty(order.shape, dtype=bool)
        new_row[:1] = True
        new_row[1:] = (machine[1:] != machine[:-1]) | (at[1:] != at[:-1])
        row = np.cumsum(new_row) - 1
        row_machine, row_time = machine[new_row], at[new_row]

        shape = (len(self.plan.slots), row_machine.shape[0])
        fresh = np.zeros(shape, dtype=bool)
        value, when, quality = np.full(shape, np.nan), np.full(shape, NEVER, dtype=np.int64), np.zeros(shape, np.uint8)
        fresh[slot, row] = True
        value[slot, row] = batch.value[order]  # of two readings for one spot the later one stays
        when[slot, row] = time_us
        quality[slot, row] = batch.quality[order]

        starts = np.flatnonzero(np.r_[True, row_machine[1:] != row_machine[:-1]]) if shape[1] else np.empty(0, np.intp)
        block = np.r_[starts, shape[1]].astype(np.intp)
        first = np.repeat(starts, np.diff(block))
        source = np.maximum.accumulate(np.where(fresh, np.arange(shape[1]), -1), axis=1)
        here = source >= first
        source = np.maximum(source, 0)
        value = np.where(here, np.take_along_axis(value, source, 1), self.value[row_machine].T)
        when = np.where(here, np.take_along_axis(when, source, 1), self.time_us[row_machine].T)
        quality = np.where(here, np.take_along_axis(quality, source, 1), self.quality[row_machine].T)
        if shape[1]:
            self._remember(fresh, value, when, quality, row_machine, row_time, starts, block, now_us)
        return self._finish(row_machine, row_time, value, when, fresh, quality, block)

    def now(self, machines: NDArray[np.intp], now_us: int) -> Frame:
        """
        Return what is known at this moment, one row a machine, with no new reading; machines must be in order.

        The moment is told by each machine's own clock: its newest row plus the time that has passed since that came.
        """
        passed = np.maximum(0, now_us - self.arrival_us[machines])
        time_us = self.clock_us[machines] + passed
        fresh = np.zeros((len(self.plan.slots), machines.shape[0]), dtype=bool)
        return self._finish(
            machines, time_us, self.value[machines].T, self.time_us[machines].T, fresh, self.quality[machines].T,
            np.arange(machines.shape[0] + 1),
        )  # fmt: skip

    def hold(self, held_us: Times, now_us: int) -> None:
        """
        Believe what is known until the device that sends it is no longer known to live.

        Parameters
        ----------
        held_us : (machines, slots) until when, by the service's clock; 0: nothing vouches for it [µs]
        """
        begun = (self.clock_us > NEVER)[:, None] & (held_us > 0)
        own = self.clock_us[:, None] + np.minimum(held_us, now_us) - self.arrival_us[:, None]
        self._held_us = np.where(begun, own, NEVER)

    def forget(self, machine: NDArray[np.intp], slot: NDArray[np.intp]) -> None:
        """The devices say that these points have no value any more: nothing is known of them until the next reading."""
        self.value[machine, slot] = np.nan

    def _remember(
        self, fresh: NDArray[np.bool_], value: Floats, when: Times, quality: NDArray[np.uint8],
        row_machine: NDArray[np.intp], row_time: Times, starts: NDArray[np.intp], block: NDArray[np.intp], now_us: int,
    ) -> None:  # fmt: skip
        machines, last = row_machine[starts], block[1:] - 1
        count = np.add.reduceat(fresh, starts, axis=1, dtype=np.int64).T
        before, after = self.time_us[machines], when[:, last].T
        touched = (count > 0) & (before > NEVER)
        gap = np.where(touched, (after - np.where(touched, before, after)) // np.maximum(count, 1), 0)
        self._gaps[1, machines] = np.where(touched, self._gaps[0, machines], self._gaps[1, machines])
        self._gaps[0, machines] = np.where(touched, np.maximum(gap, 0), self._gaps[0, machines])
        self.value[machines], self.time_us[machines] = value[:, last].T, after
        self.quality[machines] = quality[:, last].T
        self.clock_us[machines], self.arrival_us[machines] = row_time[last], now_us

    def _finish(
        self, machine: NDArray[np.intp], time_us: Times, value: Floats, when: Times, fresh: NDArray[np.bool_],
        quality: NDArray[np.uint8], block: NDArray[np.intp],
    ) -> Frame:  # fmt: skip
        age = time_us - when
        believed = (age >= 0) & (np.minimum(age, time_us - self._held_us[machine].T) <= self.fresh_for_us(machine))
        known = np.where(believed, value, np.nan)
        env = dict(zip(self.plan.slots, known, strict=True))
        env |= {name: rating[machine] for name, rating in self.plan.rating.items()}
        for derived in self.plan.derived:
            env[derived.name] = derived.formula.evaluate(env)
        return Frame(self.plan, machine, time_us, known, fresh, quality, env, block)
