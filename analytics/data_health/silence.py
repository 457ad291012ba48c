"""
Who is silent: a gateway, a machine, or some of a machine's points, told apart by who still speaks.

Pure functions of arrays; the time now is an argument. Silence counts only while we listen: before `listening_us`
nothing could be heard, and that is nobody's fault but ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.data_health.plan import HealthPlan

Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

# A point may miss two of its readings before it counts as silent (domain facts §0.2: stale after three intervals).
MISSED: Final = 3
LEAST_ALLOWED_US: Final = 30_000_000
# Where nobody has seen yet how often a machine reports, this is waited at least.
UNKNOWN_PACE_US: Final = 600_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Silence:
    """
    Who is silent at one moment. What is above explains what is below and is not told again.

    Attributes
    ----------
    all : nobody on the whole site is heard, though there are several gateways: it is our side, or the broker
    gateway : (gateways,) silent with all its machines
    machine : (machines,) silent, whatever explains it
    never_machine : (machines,) not one of its points was ever heard
    point : (points,) silent, whatever explains it; only measured points that were heard before
    never_point : (points,) measured points that were never heard
    quiet_us : (points,) how long each has been silent while we listened [µs]
    judged : (points,) it is known how often the point reports
    """

    all: bool
    gateway: Mask
    machine: Mask
    never_machine: Mask
    point: Mask
    never_point: Mask
    quiet_us: Times
    judged: Mask

    def devices(self, plan: HealthPlan) -> Mask:
        """Return the silent machines whose gateway speaks: (machines,)."""
        found: Mask = self.machine & ~self.gateway[plan.gateway] & (not self.all)
        return found

    def lone_points(self, plan: HealthPlan) -> Mask:
        """Return the silent points of machines that speak: (points,)."""
        found: Mask = self.point & ~self.machine[plan.machine] & ~self.gateway[plan.gateway[plan.machine]]
        return found & (not self.all)


def allowed_silence(every_us: Times, usual_us: Times, longest_us: Times, regular: Mask) -> Times:
    """
    Return how long each point may be silent: (points,). [µs]

    Three of the declared or the usual intervals, whichever are longer, and no less than half a minute. What is sent
    only when it changes may rest twice as long as it ever did.

    Parameters
    ----------
    every_us : declared intervals
    usual_us, longest_us : as seen; 0 where nothing was seen yet
    regular : it comes at even times
    """
    even = MISSED * np.maximum(every_us, usual_us)
    uneven = np.maximum(even, 2 * longest_us)
    allowed: Times = np.maximum(np.where(regular, even, uneven), LEAST_ALLOWED_US)
    return allowed


def silence_of(
    plan: HealthPlan, heard_us: Times, allowed_us: Times, judged: Mask, dead_us: Times, listening_us: int, now_us: int
) -> Silence:
    """
    Tell who is silent now.

    Parameters
    ----------
    heard_us : (points,) when each point was last heard, 0: never [µs]
    allowed_us : (points,) how long it may be silent [µs]
    judged : (points,) `allowed_us` rests on what was seen, not on what was declared
    dead_us : (points,) when its gateway or device said goodbye (Sparkplug), 0: it did not [µs]
    listening_us : since when we could hear anything [µs]

    A machine is silent when nothing of it is heard for longer than its fastest point may be silent; a gateway when two
    of its machines are (all, if it has fewer) and no other has spoken since.
    """
    ever = (heard_us > 0) & plan.measured
    dead = ever & (dead_us > 0) & (heard_us <= dead_us)
    quiet = np.where(ever, now_us - np.maximum(heard_us, listening_us), 0)
    overdue = ever & (dead | (judged & (quiet > allowed_us)))

    machines = len(plan.machines)
    heard_machine = _highest(heard_us * ever, plan.machine, machines)
    ever_machine = heard_machine > 0
    unseen = np.where(ever, np.where(judged, allowed_us, np.maximum(allowed_us, UNKNOWN_PACE_US)), _FAR)
    allowed_machine = -_highest(-unseen, plan.machine, machines, start=-_FAR)
    quiet_machine = now_us - np.maximum(heard_machine, listening_us)
    dead_machine = ever_machine & (_highest((ever & ~dead).astype(np.int64), plan.machine, machines) == 0)
    silent = ever_machine & (dead_machine | (quiet_machine > allowed_machine))

    gateway = _silent_gateways(plan, heard_machine, allowed_machine, silent, ever_machine)
    machine = silent | (gateway[plan.gateway] & ever_machine)
    # A machine that is silent as a whole has no points of its own that are.
    point = overdue | (ever & machine[plan.machine])
    known = np.array([bool(ever_machine[plan.machines_of(g)].any()) for g in range(len(plan.gateways))], dtype=bool)
    return Silence(
        all=int(known.sum()) > 1 and bool(gateway[known].all()),
        gateway=gateway,
        machine=machine,
        never_machine=~ever_machine & (_highest(plan.measured.astype(np.int64), plan.machine, machines) > 0),
        point=point,
        never_point=plan.measured & (heard_us == 0),
        quiet_us=quiet,
        judged=judged,
    )


_FAR: Final = np.iinfo(np.int64).max // 4


def _highest(value: Times, group: NDArray[np.intp], groups: int, start: int = 0) -> Times:
    """Return the highest value of each group, `start` for a group without any: (groups,)."""
    found = np.full(groups, start, dtype=np.int64)
    np.maximum.at(found, group, value)
    return found


def _silent_gateways(plan: HealthPlan, heard: Times, allowed: Times, silent: Mask, ever: Mask) -> Mask:
    found = np.zeros(len(plan.gateways), dtype=bool)
    for g, gateway in enumerate(plan.gateways):
        mine = plan.machines_of(g)
        mine = mine[ever[mine]]
        due = mine[silent[mine]]
        # One machine of a room without a named gateway is a machine, not a gateway.
        needed = 2 if len(mine) > 1 or not gateway.named else 1
        if len(due) < needed:
            continue
        others = mine[~silent[mine]]
        # Messages of one turn do not come in the same moment: one missed turn is not yet "spoken since".
        spoken = heard[others] > int(heard[due].max()) + int(allowed[due].min()) // MISSED
        found[g] = not bool(spoken.any())
    return found
