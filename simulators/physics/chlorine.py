"""Free chlorine in drinking water: first-order decay in the bulk and at the wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ACTIVATION_K = 6500.0  # E/R of bulk decay; Powell et al. 2000 report 5 800 to 10 000 K
_REFERENCE_K = 293.15
_DIFFUSIVITY_M2_S = 1.2e-9  # of chlorine in water at 20 °C
_VISCOSITY_M2_S = 1.0e-6  # kinematic, of water at 20 °C


def bulk_decay(water_c: Array, at_20_c: float = 0.02) -> Array:
    """
    Return the rate of bulk decay, by Arrhenius' law. [1/h]

    `at_20_c`: 0.02/h (0.5 a day) is usual for treated surface water; 0.005 to 0.06 are found. About a third less at
    15 °C and half as much again at 26 °C.

    Source: Powell, Hallam, West, Forster, Simms, "Factors which control bulk chlorine decay rates", Water Research 34
    (2000) 117. Valid from 2 to 30 °C.
    """
    rate: Array = at_20_c * np.exp(_ACTIVATION_K * (1.0 / _REFERENCE_K - 1.0 / (water_c + 273.15)))
    return rate


def wall_decay(velocity_m_s: float, diameter_m: float, wall_m_d: float) -> float:
    """
    Return the rate of decay at a pipe's wall: reaction there, and the way through the water to it, in series. [1/h]

    `k = 4/d * k_w k_f / (k_w + k_f)`; `k_f` from the Sherwood number, turbulent (Re above 2300) or laminar and long.

    Parameters
    ----------
    wall_m_d : reaction at the wall; 0 for plastic, 0.05 to 1.5 for iron [m/d]

    Source: Rossman, Clark, Grayman, "Modeling chlorine residuals in drinking-water distribution systems", Journal of
    Environmental Engineering 120 (1994) 803; EPANET 2.2 user manual, appendix D.
    """
    reynolds = velocity_m_s * diameter_m / _VISCOSITY_M2_S
    schmidt = _VISCOSITY_M2_S / _DIFFUSIVITY_M2_S
    sherwood = 0.0149 * reynolds**0.88 * schmidt ** (1.0 / 3.0) if reynolds >= 2300.0 else 3.65
    transfer_m_d = sherwood * _DIFFUSIVITY_M2_S / diameter_m * 86400.0
    return 4.0 / diameter_m * wall_m_d * transfer_m_d / max(wall_m_d + transfer_m_d, 1e-12) / 24.0


def remaining(rate_per_h: Array | float, hours: Array | float) -> Array:
    """Return the share that is left after plug flow through a pipe: `exp(-k t)`. [-]"""
    left: Array = np.exp(-np.asarray(rate_per_h) * hours)
    return left


def remaining_mixed(rate_per_h: Array | float, hours: Array | float) -> Array:
    """Return the share that is left after a well mixed tank in steady state: `1 / (1 + k t)`. [-]"""
    left: Array = 1.0 / (1.0 + np.asarray(rate_per_h) * hours)
    return left
