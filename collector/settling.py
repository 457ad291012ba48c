"""When each part of a payload was measured, and what is known against that time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.check import EARLIEST_US, FUTURE_US, implausible, judged_time, judged_times, time_us, times_us
from collector.gathering import Gathered
from collector.mapping import Plan
from facility.errors import PayloadRejected


def settle(
    plan: Plan, found: Gathered, arrival_us: int, arrived: tuple[int, int] | None
) -> tuple[Sequence[int], Sequence[int]]:
    """
    Read the times of all entries, and take out of `found` those whose time is not believed.

    Parameters
    ----------
    found : what was gathered; refused entries are taken out of it and told in it
    arrival_us : when the payload came [µs]
    arrived : time and quality of entries that carry none; may be None if all do

    Returns
    -------
    times, qualities
        One an entry. [µs], bits

    Raises
    ------
    PayloadRejected
        If it is the time of the whole payload that is not believed.
    """
    if len(found.count) > 1 or plan.layout.rows is not None:
        _refuse_what_collides(found)
    if len(found.count) == 1:
        return _single(plan, found, arrival_us, arrived)
    at = _read_whole(plan, found, arrival_us)
    if at is None:
        times, keep = _read(plan, found, arrival_us, arrived)
        if not all(keep):
            _take_out(found, keep)
            times = [one for one, kept in zip(times, keep, strict=True) if kept]
        at = np.array(times, dtype=np.int64)
    if not len(at):
        return [], []
    timed = np.array([time is not None for time in found.time], dtype=np.bool_)
    quality = np.full(len(at), arrived[1] if arrived is not None else 0, dtype=np.uint8)
    if timed.any():
        quality[timed] = judged_times(plan, at[timed], lambda: _newest(found, at)[timed], arrival_us)
    return at.tolist(), (quality | np.array(found.quality, dtype=np.uint8)).tolist()


def _single(
    plan: Plan, found: Gathered, arrival_us: int, arrived: tuple[int, int] | None
) -> tuple[Sequence[int], Sequence[int]]:
    raw = found.time[0]
    if raw is None:
        assert arrived is not None
        at, quality = arrived
        return [at], [quality | found.quality[0]]
    try:
        at, quality = judged_time(plan, time_us(raw, plan.layout.time_unit, plan.zone), arrival_us)
    except PayloadRejected as error:
        if found.place[0] == "":
            raise  # the payload as a whole
        found.refuse(found.label_of(0), error.reason, error.detail, error.facts)
        _take_out(found, [False])
        return [], []
    return [at], [quality | found.quality[0]]


def _read_whole(plan: Plan, found: Gathered, arrival_us: int) -> NDArray[np.int64] | None:
    """Return the times if all are whole numbers and believed, which is the common case; else None."""
    if set(map(type, found.time)) != {int}:
        return None
    try:
        at = times_us(found.time, plan.layout.time_unit)
    except OverflowError:
        return None
    believed = at.min() >= EARLIEST_US and at.max() <= arrival_us + FUTURE_US
    return at if believed else None


def _read(
    plan: Plan, found: Gathered, arrival_us: int, arrived: tuple[int, int] | None
) -> tuple[list[int], list[bool]]:
    """Return the time of each entry, and whether it is believed; what is not is told."""
    unit, zone, latest = plan.layout.time_unit, plan.zone, arrival_us + FUTURE_US
    times: list[int] = []
    keep: list[bool] = []
    before: Any = found  # nothing that a payload could hold
    at = 0
    for entry, raw in enumerate(found.time):
        if raw is None:
            assert arrived is not None
            times.append(arrived[0])
            keep.append(True)
            continue
        # Neighbours mostly share a time, but 1 is True in Python: the types must be the same too.
        if raw != before or raw.__class__ is not before.__class__:
            try:
                own = time_us(raw, unit, zone)
                if not EARLIEST_US <= own <= latest:
                    raise implausible(own, arrival_us)
            except PayloadRejected as error:
                found.refuse(found.label_of(entry), error.reason, error.detail, error.facts)
                times.append(0)
                keep.append(False)
                continue
            before, at = raw, own
        times.append(at)
        keep.append(True)
    return times, keep


def _refuse_what_collides(found: Gathered) -> None:
    """Take out values of one point that would fall on one time only because their samples carry none of their own."""
    if all(found.own):
        return
    starts = [0, *accumulate(found.count)]
    shared = [e for e, own in enumerate(found.own) if not own]
    told = {e: str(found.time[e])[:64] for e in shared}
    spots = Counter((s, told[e]) for e in shared for s in found.slot[starts[e] : starts[e + 1]])
    if not any(n > 1 for n in spots.values()):
        return
    for e in reversed(shared):
        doubled = [i for i in range(starts[e], starts[e + 1]) if spots[found.slot[i], told[e]] > 1]
        if doubled:
            found.refuse(
                found.label_of(e), "no-time",
                "a point comes more than once without a time of its own, and none of its values is believed; "
                "let the gateway send a time with each, or correct time.key in the site file",
            )  # fmt: skip
            for i in reversed(doubled):
                del found.slot[i], found.value[i]
            found.count[e] -= len(doubled)


def _take_out(found: Gathered, keep: Sequence[bool]) -> None:
    of_value = [kept for kept, n in zip(keep, found.count, strict=True) for _ in range(n)]
    found.slot[:] = [s for s, kept in zip(found.slot, of_value, strict=True) if kept]
    found.value[:] = [v for v, kept in zip(found.value, of_value, strict=True) if kept]
    for column in (found.count, found.time, found.own, found.quality, found.place):
        column[:] = [x for x, kept in zip(column, keep, strict=True) if kept]


def _newest(found: Gathered, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each entry whether it holds the newest value of a point in this payload; (n,) bool."""
    entry = np.repeat(np.arange(len(at)), found.count)
    newest = np.zeros(len(at), dtype=np.bool_)
    if len(entry):
        slot = np.array(found.slot)
        order = np.lexsort((at[entry], slot))
        last = np.append(slot[order][1:] != slot[order][:-1], True)
        newest[entry[order[last]]] = True
    return newest
