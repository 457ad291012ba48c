"""Harmonics of a low-voltage bus: what kinds of load send out, how it adds up, and the distortion that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ORDERS: Final = np.array([3.0, 5.0, 7.0, 11.0, 13.0])

# Currents of the ORDERS as shares of the fundamental, of many such loads together: single devices send out two to four
# times as much, in different phases. Sources: IEC 61000-3-6 (summation law), J. Arrillaga and N. R. Watson, Power
# System Harmonics, 2nd ed., Wiley, 2003, ch. 3 (six-pulse drives, switch-mode supplies, lamps).
SPECTRA: Final[Mapping[str, tuple[float, ...]]] = {
    "lights and offices": (0.085, 0.055, 0.035, 0.015, 0.010),
    "wards": (0.070, 0.050, 0.030, 0.012, 0.008),
    "imaging": (0.030, 0.130, 0.075, 0.045, 0.030),
    "laboratories": (0.080, 0.070, 0.045, 0.020, 0.012),
    "kitchens and laundries": (0.020, 0.030, 0.018, 0.010, 0.006),
    "motors and drives": (0.000, 0.090, 0.050, 0.028, 0.018),
    "rectifiers with filter": (0.010, 0.025, 0.018, 0.010, 0.008),
}


def distortion(harmonics: Array, fundamental: Array) -> Array:
    """Return the total harmonic distortion: root of the sum of squares over the fundamental, (m, n) and (n,). [-]"""
    share: Array = np.sqrt(np.sum(harmonics**2, axis=0)) / np.maximum(fundamental, 1e-6)
    return np.where(fundamental > 1e-3, share, 0.0)


def bus_distortion(injected: Array, rated_kva: float, reactance: float, amplification: Array) -> Array:
    """
    Return the voltage distortion that harmonic currents make over a transformer. [-]

    Parameters
    ----------
    injected : (5, n) currents of the ORDERS as apparent power at rated voltage [kVA]
    rated_kva, reactance : of the transformer; short-circuit reactance as a share
    amplification : (5, n) of each order by the capacitors at the bus [-]

    A transformer's reactance grows with the order: U_h = h * x * I_h. Resistance and the network above are left out,
    which is good to a tenth where the network's short-circuit power is over ten times the transformer's.
    """
    volts = ORDERS[:, None] * reactance * injected / rated_kva * amplification
    distorted: Array = np.sqrt(np.sum(volts**2, axis=0))
    return distorted
