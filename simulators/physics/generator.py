"""Stand-by diesel generator: its start, fuel and temperatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Fuel at no load, with the load and with its square, as shares of that at full load.
_FUEL: Final = (0.13, 0.67, 0.20)


@dataclass(frozen=True, slots=True)
class Sequence:
    """
    How a set comes and goes.

    Attributes
    ----------
    start_s : from the call to voltage at its terminals: a second of confirming, cranking, running up [s]
    cool_s : it runs on without load for so long after the call has ended [s]
    """

    start_s: float = 8.0
    cool_s: float = 300.0


def start_and_stop(
    called: Array, able: Array, dt_s: Array, state: tuple[float, float], sequence: Sequence
) -> tuple[Array, Array, tuple[float, float]]:
    """
    Follow a set that is called and let go.

    Parameters
    ----------
    called, able : (n,) 1 where it is called over the step, and where it can start [-]
    dt_s : (n,) length of the step that ends at each sample [s]
    state : seconds for which it has been called (0: not), and for which it still cools down [s]

    Returns
    -------
    Shares of each step over which the engine turns and over which there is voltage [-], and the new state.
    """
    turning, voltage = np.zeros_like(dt_s), np.zeros_like(dt_s)
    waited, cooling = state
    for i, (call, can, dt) in enumerate(zip(called.tolist(), able.tolist(), dt_s.tolist(), strict=True)):
        if not can:
            waited = cooling = 0.0
        elif call:
            # From cooling down, which is when it has not waited yet, it needs no new start.
            waited = (sequence.start_s if cooling > 0.0 and waited == 0.0 else waited) + dt
            ready = min(max(waited - sequence.start_s, 0.0), dt)
            turning[i], voltage[i] = 1.0, ready / dt if dt > 0.0 else float(waited > sequence.start_s)
            cooling = sequence.cool_s
        elif cooling > 0.0:
            spent = min(cooling, dt)
            turning[i] = voltage[i] = spent / dt if dt > 0.0 else 1.0
            waited, cooling = 0.0, cooling - spent
    return turning, voltage, (waited, cooling)


def fuel_flow(load: Array, full_load_lh: float) -> Array:
    """
    Return the fuel that a running set burns at a load (share of rated power). [L/h]

    A parabola, `f = 0.13 + 0.67 b + 0.20 b²`, fitted to makers' charts of sets of 250 to 1000 kW
    (`tests/cases/power.yaml`): within 4 % of them from a quarter of the load on. Smaller sets burn up to 15 % more.
    """
    idle, straight, bent = _FUEL
    flow: Array = full_load_lh * (idle + straight * load + bent * load**2)
    return flow


def coolant_target(turning: Array, load: Array, heater_on: Array, room_c: Array) -> Array:
    """
    Return the temperature to which the coolant tends. [°C]

    The jacket heater holds 41 °C at rest, the thermostat 76 °C without load and 88 °C at full load, fresh air at 20 °C.
    """
    rest = np.where(heater_on > 0.5, np.maximum(41.0, room_c), room_c)
    hot = 76.0 + 12.0 * load + 0.15 * (room_c - 20.0)
    target: Array = rest + turning * (hot - rest)
    return target
