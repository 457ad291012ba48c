"""Low-voltage three-phase feeders: phase currents, neutral, unbalance, voltage drop, and a star point that floats."""

from __future__ import annotations

import cmath
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TURN: Final = cmath.exp(2j * math.pi / 3.0)
# Where the three phases of a supply point: a, b behind it by a third of a turn, c by two thirds.
_DIRECTIONS: Final = np.array([[1.0], [_TURN**2], [_TURN]])


def phase_currents(kw: Array, kvar: Array, volts: Array, distortion: Array) -> Array:
    """
    Return the r.m.s. currents of the phases. [A]

    `kw` and `kvar` of each phase and its voltage to neutral [V], all (3, n); `distortion` is the current's THD as a
    share of the fundamental: r.m.s. = fundamental * sqrt(1 + THD²). No current where there is no voltage.
    """
    fundamental = np.hypot(kw, kvar) * 1000.0 / np.maximum(volts, 1.0)
    amperes: Array = np.where(volts > 1.0, fundamental * np.sqrt(1.0 + distortion**2), 0.0)
    return amperes


def neutral_current(amperes: Array, triplen: Array) -> Array:
    """
    Return the neutral's current: what the phases do not cancel, and the harmonics that add up in it. [A]

    `amperes` (3, n); `triplen` is the third harmonic of the three phases together [A], which is in phase in all of
    them. Phase angles are taken as equal, so the fundamental's part is that of currents a third of a turn apart.
    """
    a, b, c = amperes
    fundamental = np.sqrt(np.maximum(a**2 + b**2 + c**2 - a * b - b * c - c * a, 0.0))
    together: Array = np.hypot(fundamental, triplen)
    return together


def voltage_unbalance(volts: Array) -> Array:
    """
    Return negative over positive sequence of three voltages to neutral that are a third of a turn apart. [-]

    `volts` (3, n). Source: C. L. Fortescue, AIEE Trans. 37 (1918); the definition of IEC 61000-4-30, 5.7.
    """
    positive = np.sum(volts, axis=0) / 3.0
    negative = np.abs(np.sum(volts * _DIRECTIONS**2, axis=0)) / 3.0
    unbalance: Array = np.where(positive > 1.0, negative / np.maximum(positive, 1.0), 0.0)
    return unbalance


def voltage_share(kw: Array, kvar: Array, rated_kva: float, resistance: float, reactance: float) -> Array:
    """
    Return the voltage that is left behind an impedance, as a share of the voltage before it. [-]

    `kw` and `kvar` are of each phase, (3, n) or (n,) with a third of `rated_kva` for each; `resistance` and `reactance`
    are shares at rated power. First order in the drop: `1 - (r p + x q)`, good to 0.1 % below 120 % load.
    """
    return 1.0 - 3.0 * (resistance * kw + reactance * kvar) / rated_kva


def line_voltages(volts: Array) -> Array:
    """Return the voltages ab, bc and ca of three voltages to neutral that are a third of a turn apart, (3, n). [V]"""
    a, b = volts, np.roll(volts, -1, axis=0)
    lines: Array = np.sqrt(a**2 + b**2 + a * b)
    return lines


def floating_star(volts: Array, conductance: Array, neutral: Array) -> Array:
    """
    Return the voltages over three single-phase loads whose neutral has all but gone. [V]

    Parameters
    ----------
    volts : (3, n) voltages of the supply to its own neutral [V]
    conductance : (3,) of the loads, in any unit; taken as constant, as lamps and heaters are
    neutral : (n,) conductance of what is left of the neutral, in the same unit; 0 is a clean break

    Source: J. Millman, Proc. IRE 28 (1940): the star point moves to the weighted mean of the supply's voltages.
    """
    weight = conductance[:, None]
    supply = volts * _DIRECTIONS
    star = np.sum(weight * supply, axis=0) / (np.sum(conductance) + neutral)
    left: Array = np.abs(supply - star)
    return left
