"""Water tank: float valve, mass balance, and what happens to well mixed water while it stays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Filling(NamedTuple):
    """
    What a tank did over steps.

    Attributes
    ----------
    level : at the end of each step, share of the usable volume [-]
    inlet_m3h, outlet_m3h, spill_m3h : means over each step; what comes in is what goes out, spills, or is stored
    """

    level: Array
    inlet_m3h: Array
    outlet_m3h: Array
    spill_m3h: Array


class FloatValve(NamedTuple):
    """A float valve: full open `band` below the level at which it shuts, and straight in between. [-], [m³/h]"""

    most_m3h: float
    shuts_at: float = 0.80
    band: float = 0.08


def fill(
    wanted_m3h: Array,
    dt_s: Array,
    start: float,
    volume_m3: float,
    valve: FloatValve,
    stuck_open: Array | float = 0.0,
    stuck_shut: Array | float = 0.0,
) -> Filling:
    """
    Follow a tank's level through steps of any length; mass is balanced exactly in each.

    Within its band the valve makes the level follow with one time constant, which is solved exactly; at its ends it is
    full open or shut. Above 1 the tank spills, at 0 it gives no more than comes in.

    Parameters
    ----------
    wanted_m3h : what is drawn [m³/h]
    start : level before the first step [-]
    stuck_open : least opening of the valve, whatever the level [-]
    stuck_shut : by how much of its opening the valve's most is reduced [-]
    """
    least = np.broadcast_to(stuck_open, wanted_m3h.shape) * valve.most_m3h
    most = (1.0 - np.broadcast_to(stuck_shut, wanted_m3h.shape)) * valve.most_m3h
    level, rows = start, []
    for want, dt, low, high in zip(
        wanted_m3h.tolist(), (dt_s / 3600.0).tolist(), least.tolist(), most.tolist(), strict=True
    ):
        if dt <= 0.0:
            rows.append((level, 0.0, want, 0.0))
            continue
        goal = valve.shuts_at - valve.band * want / valve.most_m3h
        new = goal + (level - goal) * math.exp(-dt * valve.most_m3h / (valve.band * volume_m3))
        inlet = min(max(want + (new - level) * volume_m3 / dt, min(low, high)), high)
        stored = level * volume_m3 + (inlet - want) * dt
        outlet = want if stored >= 0.0 else max(want + stored / dt, 0.0)
        spill = max(stored - volume_m3, 0.0) / dt
        level = min(max(stored / volume_m3, 0.0), 1.0)
        rows.append((level, inlet, outlet, spill))
    return Filling(*np.array(rows, dtype=np.float64).T)


def mixed(
    start: float,
    inflow: Array,
    exchange_per_h: Array,
    gain_per_h: Array | float,
    loss_per_h: Array | float,
    dt_s: Array,
) -> Array:
    """
    Follow a quantity of well mixed water: `dx/dt = exchange * (inflow - x) + gain - loss * x`, exact for each step.

    Temperature, age and concentration all go this way.

    Parameters
    ----------
    start, inflow : the quantity before the first step, and in what flows in
    exchange_per_h : inflow over the volume that is in the tank [1/h]
    gain_per_h : what it gains by itself: 1 h an hour for the age [unit/h]
    loss_per_h : first-order loss: decay, or heat to the room [1/h]
    """
    rate = np.maximum(exchange_per_h + loss_per_h, 1e-9)
    goal = (exchange_per_h * inflow + gain_per_h) / rate
    keep = np.exp(-rate * dt_s / 3600.0)
    followed, x = [], start
    for target, kept in zip(goal.tolist(), keep.tolist(), strict=True):
        x = target + (x - target) * kept
        followed.append(x)
    return np.array(followed)
