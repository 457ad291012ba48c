"""Oxygen by pressure-swing adsorption: purity and air over flow, and the towers in turn."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AIR_OXYGEN: Final = 0.2095  # [m³/m³]
_RATED_PURITY: Final = 0.937


def purity(load: Array, sieve_health: Array) -> Array:
    """
    Return the oxygen content of a generator's product. [% V/V]

    95.6 % (the rest is argon) at low flow; falls with the square of the flow over what the sieve can still do. Typical
    of makers' curves up to 130 % load; `sieve_health` is the capacity left, 1 when new.
    """
    strain = load / np.maximum(sieve_health, 0.1)
    return np.maximum(95.6 - 1.9 * strain**2 - 9.0 * np.maximum(strain - 1.0, 0.0), 21.0)


def feed_air(load: Array, rated_nm3h: float, recovery: float = 0.47, idle: float = 0.06) -> Array:
    """
    Return the air that the beds take at a flow of product, over the rated flow `load`. [Nm³/h]

    At the rated flow a share `recovery` of the air's oxygen becomes product: 0.35 to 0.50 with lithium or 5A zeolite at
    0.4 to 0.6 MPa. A share `idle` of the air is spent on filling and blowing off the towers whatever is drawn; the
    cycle stretches with the flow for the rest.
    """
    rated_air = rated_nm3h * _RATED_PURITY / (AIR_OXYGEN * recovery)
    return rated_air * (idle + (1.0 - idle) * load)


def recovery(product_nm3h: Array, purity_percent: Array, air_nm3h: Array) -> Array:
    """Return the share of the air's oxygen that leaves as product: a balance of oxygen over the generator. [-]"""
    return product_nm3h * purity_percent / 100.0 / (AIR_OXYGEN * air_nm3h)


def tower_pressures(time_s: Array, cycle_s: float, feed_mpa: Array) -> tuple[Array, Array]:
    """
    Return the pressures of the two towers: one adsorbs under pressure while the other is blown off and purged. [MPa]

    Each is filled within 8 % of the cycle and blown off within 5 %; 0.13 MPa are lost between feed and bed.
    """
    top = np.maximum(feed_mpa - 0.13, 0.0)

    def tower(place: Array) -> Array:
        rise, fall = np.clip(place / 0.08, 0.0, 1.0), np.clip((place - 0.5) / 0.05, 0.0, 1.0)
        return 0.02 + top * (rise - fall)

    phase = time_s / cycle_s
    return tower(phase % 1.0), tower((phase + 0.5) % 1.0)
