"""The life of one limit on one machine: quiet, pending, firing, and quiet again. Time is an argument.

A limit fires once its condition has held for the hold time, in the time of the data; it clears when the condition is
known not to hold at the clearing value. Not knowing is neither: a firing limit stays and says so, a pending one begins
anew, since nobody can tell whether the condition held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Phase = Literal["quiet", "pending", "firing"]
ChangeKind = Literal["firing", "cleared", "unknown", "known"]


@dataclass(slots=True)
class Watch:
    """
    Where one limit on one machine stands.

    Attributes
    ----------
    since_us : when the condition began to hold
    seen_us : newest row on which it was known to hold
    fired_us : when it had held long enough
    unknown_us : since when it cannot be told whether a firing limit still holds; None while it can
    value : what the limit is about, when last known to hold
    peak : the worst value while it held
    relied_on : (k,) which of the points that the condition needs were known when it fired
    told_peak, told_us : the worst value that others know of, and since when
    """

    phase: Phase = "quiet"
    since_us: int = 0
    seen_us: int = 0
    fired_us: int = 0
    unknown_us: int | None = None
    value: float = np.nan
    peak: float = np.nan
    relied_on: NDArray[np.bool_] | None = None
    told_peak: float = np.nan
    told_us: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """How one limit on one machine is timed, and which way is worse: +1 above, −1 below, 0 neither."""

    hold_us: int
    fresh_us: int  # two rows further apart than this have an unknown stretch between them
    worse: int


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """
    What is known of one limit on one machine at n times, in order.

    Attributes
    ----------
    time_us : (n,)
    over : (n,) 1 the condition holds, 0 it does not, -1 cannot be told
    uncleared : (n,) the same, at the clearing value
    value : (n,) what the first comparison looks at
    known : (k, n) which of the points that the condition needs are known
    """

    time_us: NDArray[np.int64]
    over: NDArray[np.int8]
    uncleared: NDArray[np.int8]
    value: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """One step in the life of a limit, at a time of the data."""

    kind: ChangeKind
    at_us: int
    since_us: int
    fired_us: int
    value: float
    peak: float


def advance(watch: Watch, rows: Rows, hold: Hold) -> list[Change]:
    """Carry a watch on over new rows (it is changed in place) and return what happened, in order."""
    changes: list[Change] = []
    i, n = 0, rows.time_us.shape[0]
    while i < n:
        if watch.phase == "quiet":
            holds = np.flatnonzero(rows.over[i:] == 1)
            if holds.size == 0:
                break
            i += int(holds[0])
            _begin(watch, rows, i)
        if watch.phase == "pending":
            i = _wait(watch, rows, hold, i, changes)
        else:
            i = _watch_firing(watch, rows, hold, i, changes)
    return changes


def _begin(watch: Watch, rows: Rows, i: int) -> None:
    watch.phase = "pending"
    watch.since_us = watch.seen_us = int(rows.time_us[i])
    watch.value = watch.peak = float(rows.value[i])
    watch.relied_on = rows.known[:, i].copy()


def _wait(watch: Watch, rows: Rows, hold: Hold, i: int, changes: list[Change]) -> int:
    """Look at one row of a pending limit; return the row to go on with."""
    now, over = int(rows.time_us[i]), bool(rows.over[i] == 1)
    due = watch.since_us + hold.hold_us
    believed_until = watch.seen_us + hold.fresh_us
    still = over and now <= believed_until
    if still:
        watch.seen_us = now
        _take(watch, rows.value[i], hold)
        watch.relied_on = rows.known[:, i].copy()
    # The hold time may have run out between two rows, while the last one was still to be believed.
    if due <= believed_until and (due < now or (due == now and over)):
        watch.phase, watch.fired_us, watch.unknown_us = "firing", due, None
        watch.told_peak, watch.told_us = watch.peak, due
        changes.append(Change("firing", due, watch.since_us, due, watch.value, watch.peak))
        return i
    if not still:
        watch.phase, watch.relied_on = "quiet", None
        return i if over else i + 1
    return i + 1


def _watch_firing(watch: Watch, rows: Rows, hold: Hold, i: int, changes: list[Change]) -> int:
    """Look at the rows of a firing limit up to the next change; return the row to go on with."""
    # What was read before it fired (a restart reads it again) does not clear it.
    i = max(i, int(np.searchsorted(rows.time_us, watch.fired_us)))
    rest = slice(i, None)
    whole = np.ones(rows.time_us[rest].shape, dtype=bool)
    if watch.relied_on is not None:
        # The hottest of three windings may be the one whose sensor died: the other two do not clear the alarm.
        whole &= rows.known[watch.relied_on, rest].all(axis=0)
    uncleared = rows.uncleared[rest]
    state = np.where(uncleared == 1, 1, np.where((uncleared == 0) & whole, 0, -1))
    standing = 1 if watch.unknown_us is None else -1
    other = np.flatnonzero(state != standing)
    stop = int(other[0]) if other.size else state.shape[0]
    _take(watch, rows.value[i : i + stop][state[:stop] == 1], hold)
    if stop == state.shape[0]:
        return int(rows.time_us.shape[0])
    i += stop
    now, value = int(rows.time_us[i]), float(rows.value[i])
    if state[stop] == 0:
        changes.append(Change("cleared", now, watch.since_us, watch.fired_us, value, watch.peak))
        watch.phase, watch.unknown_us, watch.relied_on = "quiet", None, None
    elif state[stop] == 1:
        watch.unknown_us = None
        changes.append(Change("known", now, watch.since_us, watch.fired_us, value, watch.peak))
    else:
        watch.unknown_us = now
        changes.append(Change("unknown", now, watch.since_us, watch.fired_us, watch.value, watch.peak))
    return i


def _take(watch: Watch, values: NDArray[np.float64] | np.float64, hold: Hold) -> None:
    """Note values at which the condition is known to hold."""
    finite = np.atleast_1d(values)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return
    watch.value = float(finite[-1])
    if hold.worse == 0 or not np.isfinite(watch.peak):
        watch.peak = watch.value
    if hold.worse > 0:
        watch.peak = max(watch.peak, float(finite.max()))
    elif hold.worse < 0:
        watch.peak = min(watch.peak, float(finite.min()))
