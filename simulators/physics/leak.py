"""Leaks and water meters: flow through a hole, its dependence on pressure, and what a meter does not see."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DENSITY = 998.0  # of water at 20 °C [kg/m³]

RIGID, PLASTIC = 0.5, 1.5  # exponents of leaks: a hole in metal, a joint or crack in plastic [-]


def orifice(diameter_mm: Array, pressure_mpa: Array, discharge: float = 0.6) -> Array:
    """Return the flow through a round hole with a sharp edge, into the air: `C A sqrt(2 p / density)`. [m³/h]"""
    area = math.pi / 4.0 * (np.asarray(diameter_mm) / 1000.0) ** 2
    flow: Array = discharge * area * np.sqrt(2.0 * np.maximum(pressure_mpa, 0.0) * 1e6 / _DENSITY) * 3600.0
    return flow


def pressure_factor(pressure_mpa: Array, reference_mpa: float, exponent: float) -> Array:
    """
    Return by how much a leak changes with pressure: `(p / p0) ** N1`. [-]

    N1 is 0.5 for a fixed hole and 1.5 where the hole opens with pressure (fixed and variable area discharge, FAVAD).

    Source: J. May, "Leakage, pressure and control", BICS conference, London 1994; IWA Water Loss Task Force 2003.
    """
    factor: Array = (np.maximum(pressure_mpa, 0.0) / reference_mpa) ** exponent
    return factor


def metered(flow_m3h: Array, permanent_m3h: float, ratio: float = 160.0, starts_at: float = 0.35) -> Array:
    """
    Return what a water meter counts of a flow, in the flow's direction. [m³/h]

    From its minimum flow Q1 = Q3 / R on it is taken as true; below, it runs late; under `starts_at` of Q1 it stands.

    Source: ISO 4064-1:2014 (GB/T 778.1-2018) for Q1, Q3 and R; starting flows are makers' figures, a third of Q1.
    """
    minimum = permanent_m3h / ratio
    seen = np.clip((np.abs(flow_m3h) / minimum - starts_at) / (1.0 - starts_at), 0.0, 1.0)
    counted: Array = flow_m3h * seen
    return counted
