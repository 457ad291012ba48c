"""
One look at a machine's readings of the last day: the figures of each of its points.

Everything comes from the store, so that a restart forgets nothing and a recording is judged like the present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.data_health.measures import (
    Gaps,
    Pace,
    Rests,
    gaps_of,
    jumps_of,
    noise_left,
    pace_of,
    rests_of,
)
from analytics.data_health.plan import HealthPlan, OffSign
from facility.readings import OUT_OF_RANGE, Aggregates, Series
from facility.store import TelemetryStore

Times = NDArray[np.int64]

_US: Final = 1_000_000
HOUR_US: Final = 3600 * _US
DAY_US: Final = 24 * HOUR_US
# What a point usually does is learnt from so many days before the last.
LEARN_DAYS: Final = 8
# An interval up to this is no gap, however fast a point should come.
_LEAST_GAP_US: Final = 90 * _US
_GAP_INTERVALS: Final = 3
# A sensor that moved at least every ten minutes may stand still for an hour; any other for six (domain facts §0.2).
_LIVELY_US: Final = 600 * _US
_LIVELY_STUCK_US: Final = HOUR_US
_STUCK_US: Final = 6 * HOUR_US
_STUCK_TIMES: Final = 5
_STUCK_READINGS: Final = 20
_NOISE_LOST: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class PointExam:
    """
    What the last day of one point looks like.

    Attributes
    ----------
    from_us, until_us : what was looked at [µs]
    readings : how many
    pace : None where too few readings tell none
    gaps : without the stretches in which nobody at all was heard
    outside : share of readings outside the physical range, 0 to 1
    jump_us : times of readings that differ from the one before by more than can be [µs]
    rest : since when the value stands, counted only while the machine runs, and the longest rest before
    stuck_after_us : how long it may stand; None: it may rest for good, or nobody can tell yet [µs]
    noise : noise of the newest quarter of readings as a part of what it was before; NaN: cannot tell
    learnt_us : how much of its past is known [µs]
    """

    from_us: int
    until_us: int
    readings: int
    pace: Pace | None
    gaps: Gaps
    outside: float
    jump_us: Times
    rest: Rests
    stuck_after_us: int | None
    noise: float
    learnt_us: int

    @property
    def stuck(self) -> bool:
        """Return whether the value has stood for longer than is plausible."""
        return self.stuck_after_us is not None and self.rest.now_us > self.stuck_after_us

    @property
    def noise_lost(self) -> bool:
        """Return whether the readings have lost the noise that they had."""
        return bool(self.noise < _NOISE_LOST)


def examine(
    plan: HealthPlan, store: TelemetryStore, machine: int, deaf_us: NDArray[np.int64], now_us: int
) -> dict[int, PointExam]:
    """
    Examine the measured points of a machine over the last day; points without a reading in it are left out.

    Parameters
    ----------
    deaf_us : (d, 2) stretches in which nobody was heard, see `measures.deaf_spans`

    Raises
    ------
    StoreUnavailable
    """
    table = plan.site.points
    own = plan.points_of(machine)
    points = [p for p in range(own.start, own.stop) if plan.measured[p]]
    keys = {p: table.key(p) for p in points}
    start_us = now_us - DAY_US
    series = store.series(list(keys.values()), start_us, now_us + 1)
    gauges = [keys[p] for p in points if plan.gauge[p] and len(series[keys[p]])]
    before = store.aggregate(gauges, start_us - LEARN_DAYS * DAY_US, start_us, HOUR_US) if gauges else {}
    sign = plan.off[machine]
    on_since_us = _on_since(sign, {p: series[keys[p]] for p in points}, start_us)
    return {
        p: _examine_point(plan, p, series[keys[p]], before.get(keys[p]), on_since_us, deaf_us, now_us)
        for p in points
        if len(series[keys[p]])
    }


def _examine_point(
    plan: HealthPlan,
    point: int,
    series: Series,
    before: Aggregates | None,
    on_since_us: int,
    deaf_us: NDArray[np.int64],
    now_us: int,
) -> PointExam:
    time_us, value = series.time_us, series.value
    inside = (series.quality & OUT_OF_RANGE) == 0
    pace, by_exception = pace_of(time_us), bool(plan.alive_us[point])
    if pace is not None and by_exception:
        pace = replace(pace, regular=False)
    every_us = int(plan.every_us[point])
    usual_us = max(every_us, pace.usual_us) if pace is not None else every_us
    allowed_us = max(_GAP_INTERVALS * usual_us, _LEAST_GAP_US)
    even = pace is not None and pace.regular
    # What is sent only on change has no gaps that anybody could tell from rest.
    # What has not ended yet is silence, and told as such.
    gaps = gaps_of(time_us, int(time_us[-1]), usual_us, allowed_us if even else DAY_US, deaf_us)
    jumps = time_us[inside][jumps_of(time_us[inside], value[inside], float(plan.max_rate[point]))]
    rest, stuck_after_us, noise, learnt_us = Rests(0, 0), None, float("nan"), 0
    if plan.gauge[point] and not by_exception:  # what is not sent again is not stuck
        whole = rests_of(time_us, value, max(allowed_us, HOUR_US))
        # Only the stretch since the machine was last switched on counts: what stands still does not move.
        running_us = int(np.clip(time_us[-1] - on_since_us, 0, whole.now_us))
        longest_us, learnt_us = _rests_before(before)
        rest = Rests(running_us, max(whole.longest_us, longest_us))
        learnt_us += int(time_us[-1] - time_us[0]) - whole.now_us
        stuck_after_us = stuck_after(rest.longest_us, learnt_us, usual_us, float(value[-1]))
        if on_since_us <= time_us[0]:
            noise = noise_left(value)
    return PointExam(
        int(time_us[0]), now_us, len(series), pace, gaps, float(1.0 - inside.mean()), jumps, rest, stuck_after_us,
        noise, learnt_us,
    )  # fmt: skip


def stuck_after(longest_us: int, learnt_us: int, usual_us: int, value: float) -> int | None:
    """
    Return for how long a gauge may stand still before it is stuck; None if it may for good or nobody can tell.

    Parameters
    ----------
    longest_us : the longest rest that it was seen to take [µs]
    learnt_us : how much of its past is known; less than a day tells nothing [µs]
    usual_us : between two readings [µs]
    value : at which it stands; zero is where flows and currents rest
    """
    if learnt_us < DAY_US or value == 0.0 or 2 * longest_us > learnt_us:
        return None
    least_us = _LIVELY_STUCK_US if longest_us < _LIVELY_US else _STUCK_US
    return max(least_us, _STUCK_TIMES * longest_us, _STUCK_READINGS * usual_us)


def _rests_before(before: Aggregates | None) -> tuple[int, int]:
    """Return the longest rest in hourly sums, and how long they reach back. [µs]"""
    if before is None or len(before) == 0:
        return 0, 0
    # An hour that holds one value, and the same as the hour before, goes on with its rest.
    flat = before.min == before.max
    same = np.append(False, (before.last[1:] == before.last[:-1]) & (np.diff(before.time_us) == HOUR_US))
    length = longest = 0
    for i in range(len(before)):
        length = length + 1 if flat[i] and (same[i] or length == 0) else int(flat[i])
        longest = max(longest, length)
    return longest * HOUR_US, int(before.time_us[-1] - before.time_us[0]) + HOUR_US


def _on_since(sign: OffSign | None, series: Mapping[int, Series], start_us: int) -> int:
    """Return since when a machine has been on without a break; `start_us` if it always was or cannot tell."""
    if sign is None:
        return start_us
    if sign.power >= 0:
        found = series.get(sign.power)
        if found is None or not len(found):
            return start_us
        return _last_time(found.time_us, np.abs(found.value) < sign.power_below, start_us)
    # Off as long as all of its parts are: since the last moment at which the last of them was off.
    ends: list[int] = []
    for point, codes in zip(sign.states, sign.off, strict=True):
        found = series.get(point)
        if found is None or not len(found):
            return start_us
        ends.append(_last_time(found.time_us, np.isin(np.round(found.value), list(codes)), start_us))
    return min(ends)


def _last_time(time_us: Times, chosen: NDArray[np.bool_], start_us: int) -> int:
    at = np.flatnonzero(chosen)
    return int(time_us[at[-1]]) if at.size else start_us
