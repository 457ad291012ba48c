"""Uninterruptible supply with a lead-acid battery: losses, endurance, charge, voltage, ageing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Volts a cell: float at 25 °C (IEEE 1188), full and empty at rest, at the end of discharge.
FLOAT_V: Final = 2.25
_FULL_V, _EMPTY_V = 2.12, 1.93
# Of constant-power discharges, see `endurance`.
_EXPONENT: Final = 1.40


def ups_losses(output_kw: Array, rated_kw: float) -> Array:
    """
    Return the losses of a double-conversion supply that is on. [kW]

    A part at no load, a part with the load and a part with its square: 91 % efficient at a quarter of the load, 94 to
    95 % from half of it on. Typical of three-phase units of 10 to 200 kVA (IEC 62040-3 asks makers for these points).
    """
    load = output_kw / rated_kw
    losses: Array = rated_kw * (0.018 + 0.017 * load + 0.020 * load**2)
    return losses


def endurance(load: Array, minutes_at_full: float, capacity: Array) -> Array:
    """
    Return how long a full battery carries a load (share of rated power). [min]

    `t = t_full * capacity / load^k`, after W. Peukert, Elektrotech. Z. 20 (1897). k is 1.40 for constant power from 10
    to 120 min, fitted to a maker's table (`tests/cases/power.yaml`). Loads below 5 % count as 5 %.
    """
    minutes: Array = minutes_at_full * capacity / np.maximum(load, 0.05) ** _EXPONENT
    return minutes


def charge(dark: Array, drain: Array, dt_s: Array, start: float, recharge_s: float) -> tuple[Array, Array, Array]:
    """
    Follow a battery through losses of its supply.

    Parameters
    ----------
    dark : (n,) share of each step without supply [-]
    drain : (n,) share of a full battery that the load takes in an hour [1/h]
    dt_s : (n,) length of the step that ends at each sample [s]
    start : charge before the first step, 1 is full [-]
    recharge_s : from empty to full [s]

    Returns
    -------
    (n,) charge at the end of each step, share of each step over which the load has voltage, share of a full battery
    that was charged in each step [-].
    """
    left, carried, filled = np.empty_like(dt_s), np.ones_like(dt_s), np.zeros_like(dt_s)
    now = start
    for i, (gone, rate, dt) in enumerate(zip(dark.tolist(), drain.tolist(), dt_s.tolist(), strict=True)):
        wanted = gone * rate * dt / 3600.0
        taken = min(wanted, now)
        if wanted > 0.0:
            carried[i] = 1.0 - gone * (1.0 - taken / wanted)
        filled[i] = min((1.0 - gone) * dt / recharge_s, 1.0 - (now - taken))
        now = now - taken + filled[i]
        left[i] = now
    return left, carried, filled


def cell_voltage(charged: Array, floating: Array, load: Array) -> Array:
    """
    Return the voltage of a cell. [V]

    On float 2.25 V once full, less while it charges; carrying the load, from 2.12 V full to 1.93 V empty at rest, less
    0.20 V for a full load's current.
    """
    discharging = _EMPTY_V + (_FULL_V - _EMPTY_V) * charged - 0.20 * load
    charging = FLOAT_V - 0.10 * (1.0 - charged)
    volts: Array = np.where(floating > 0.5, charging, discharging)
    return volts


def capacity_left(age_years: Array, design_years: float, mean_c: float) -> Array:
    """
    Return the capacity of an ageing battery over its rated one. [-]

    The end of life is 80 % of the capacity (IEEE 1188), reached at the design life at 25 °C and in half of it for each
    10 K more; it falls with the square of the age, slowly at first.
    """
    spent = np.asarray(age_years, dtype=np.float64) / design_years * 2.0 ** ((mean_c - 25.0) / 10.0)
    left: Array = np.clip(1.0 - 0.20 * spent**2, 0.1, 1.0)
    return left
