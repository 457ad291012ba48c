"""Three-phase induction motor and its frequency converter: efficiency at part load, current, winding temperature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FIXED = 0.35  # share of the rated losses that does not follow the load: core, friction, fan
_MAGNETISING = 0.30  # of the rated current; four poles, 5 to 100 kW


def rated_efficiency(rated_kw: float) -> float:
    """
    Return the efficiency at rated load of a four-pole 50 Hz motor of class IE3. [-]

    The interpolation of IEC 60034-30-1:2014, valid from 0.12 to 200 kW and held outside.
    """
    lg = math.log10(min(max(rated_kw, 0.12), 200.0))
    return (0.0773 * lg**3 - 1.8951 * lg**2 + 9.2984 * lg + 83.7025) / 100.0


def losses(shaft_kw: Array, speed: Array, rated_kw: float) -> Array:
    """
    Return what a running motor turns to heat. [kW]

    Fixed losses (core, friction, fan) fall with the speed to the power 1.5; the rest goes with the torque squared.
    Their split, 35 to 65 at rated load, is typical of four-pole motors of 5 to 100 kW (IEC 60034-2-1 segregates them).

    Parameters
    ----------
    speed : share of rated [-]
    """
    whole = rated_kw * (1.0 / rated_efficiency(rated_kw) - 1.0)
    torque = shaft_kw / (rated_kw * np.maximum(speed, 0.05))
    heat: Array = whole * (_FIXED * speed**1.5 + (1.0 - _FIXED) * torque**2)
    return heat


def current(shaft_kw: Array, speed: Array, rated_kw: float, rated_a: float) -> Array:
    """
    Return the current of a running motor: magnetising and torque-giving parts at a right angle. [A]

    At rated load and speed it is the rated current; without load it is 30 % of it. Flux is constant over the speed.
    """
    torque = shaft_kw / (rated_kw * np.maximum(speed, 0.05))
    amperes: Array = rated_a * np.hypot(_MAGNETISING, math.sqrt(1.0 - _MAGNETISING**2) * torque)
    return amperes


def winding_rise(heat_kw: Array, speed: Array, rated_kw: float, rated_rise_k: float = 70.0) -> Array:
    """
    Return the steady rise of the winding over the room. [K]

    It goes with the losses; the shaft's own fan blows less at lower speed (down to 40 % of its effect at standstill).
    `rated_rise_k`: at rated load; class F motors used to class B stay under 80 K (IEC 60034-1).
    """
    whole = rated_kw * (1.0 / rated_efficiency(rated_kw) - 1.0)
    rise: Array = rated_rise_k * heat_kw / whole / (0.4 + 0.6 * speed)
    return rise


def unbalance_heat(unbalance_percent: Array) -> Array:
    """
    Return by how much current unbalance multiplies the winding's rise: `1 + 5 u²`, u in per unit. [-]

    NEMA MG-1, 14.36: the rise grows by twice the square of the voltage unbalance in percent; currents are about 6.3
    times as unbalanced as voltages.
    """
    factor: Array = 1.0 + 5.0 * (unbalance_percent / 100.0) ** 2
    return factor


def drive_losses(output_kw: Array, rated_kw: float) -> Array:
    """
    Return what a frequency converter that feeds a running motor turns to heat. [kW]

    1 % of its rating at any load (control, fan, link) and 2 % of what it passes on: 97 % efficient at rated load. The
    reference converter of IEC 61800-9-2 loses more; class IE2 of that standard is at least 25 % better.
    """
    return 0.01 * rated_kw + 0.02 * output_kw
