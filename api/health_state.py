"""How the data fare, for pages, API and metrics alike: from the watch of this process, or from the newest readings."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from analytics.data_health import HealthState, state_of_readings
from analytics.data_health.plan import HealthPlan, make_plan
from api.context import Context
from facility.readings import PointTable
from facility.site import Site

_PLANS: Final[WeakKeyDictionary[PointTable, HealthPlan]] = WeakKeyDictionary()


def plan_of(site: Site) -> HealthPlan:
    """Return a site laid out for questions about its data; made once a site."""
    table = site.points
    if table not in _PLANS:
        _PLANS[table] = make_plan(site)
    return _PLANS[table]


def health_state(context: Context) -> HealthState:
    """Return how the data fare; by the newest readings alone where no watch runs in this process."""
    state = context.health()
    if state is not None:
        return state
    board = context.live.snapshot()
    heard_us = np.maximum(board.time_us, board.held_us)
    return state_of_readings(plan_of(context.site), heard_us, board.value, context.clock())


def count_machines(state: HealthState) -> dict[str, int]:
    """Return how many machines are in which state: silent, never_heard, partly, stopped, speaking."""
    kinds = machine_states(state)
    return {kind: kinds.count(kind) for kind in ("speaking", "partly", "stopped", "silent", "never_heard")}


def machine_states(state: HealthState) -> list[str]:
    """Return the state of each machine, in the order of the plan."""
    plan, silence = state.plan, state.silence
    partly = np.zeros(len(plan.machines), dtype=bool)
    np.logical_or.at(partly, plan.machine, silence.point)
    return [
        "never_heard"
        if silence.never_machine[m]
        else "silent"
        if silence.machine[m]
        else "partly"
        if partly[m]
        else "stopped"
        if state.off[m]
        else "speaking"
        for m in range(len(plan.machines))
    ]
