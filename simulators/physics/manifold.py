"""Cylinder manifold: two banks, of which one supplies until it is empty and the other takes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.pipeline import ATMOSPHERE_KPA

Array = NDArray[np.float64]

CYLINDER_M3: Final = 0.040
LEFT, RIGHT = 0, 1


def contents(pressure_mpa: float, cylinders: float, celsius: float = 20.0) -> float:
    """
    Return the gas in a bank. [Nm³]

    Ideal gas in cylinders of 40 L: 5.6 Nm³ each at 15 MPa and 20 °C, which is 6 m³ at 20 °C. Real oxygen has some 6 %
    more at 15 MPa, and none at 1 MPa.
    """
    absolute = pressure_mpa * 1000.0 + ATMOSPHERE_KPA
    return cylinders * CYLINDER_M3 * absolute / ATMOSPHERE_KPA * 273.15 / (celsius + 273.15)


def bank_pressure(contents_nm3: Array, cylinders: float, celsius: Array) -> Array:
    """Return the pressure of a bank: the inverse of `contents`. [MPa gauge]"""
    absolute = contents_nm3 / (cylinders * CYLINDER_M3) * ATMOSPHERE_KPA * (celsius + 273.15) / 273.15
    return (absolute - ATMOSPHERE_KPA) / 1000.0


@dataclass(slots=True)
class Banks:
    """
    State of a manifold.

    Attributes
    ----------
    left, right : gas in the banks [Nm³]
    side : LEFT or RIGHT, the bank in use
    empty_s : for how long a bank has been waiting for full cylinders [s]
    """

    left: float
    right: float
    side: int = LEFT
    empty_s: float = 0.0


def walk(
    banks: Banks, asked_nm3h: Array, dt_s: Array, full_nm3: float, empty_nm3: float, exchange_s: float
) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """
    Draw from the banks and return contents of left and right [Nm³], the side in use, and what was given [Nm³/h].

    At `empty_nm3` the other bank takes over if it has more; `exchange_s` after a bank has become empty its cylinders
    are changed for full ones. With both empty nothing is given. `banks` is moved on.
    """
    held = [banks.left, banks.right]
    lefts, rights, sides, given = [], [], [], []
    for asked, dt in zip(asked_nm3h.tolist(), dt_s.tolist(), strict=True):
        need = asked * dt / 3600.0
        taken = 0.0
        for _ in held:
            part = min(need - taken, max(held[banks.side] - empty_nm3, 0.0))
            held[banks.side] -= part
            taken += part
            if held[banks.side] <= empty_nm3 and held[1 - banks.side] > empty_nm3:
                banks.side = 1 - banks.side
        banks.empty_s = banks.empty_s + dt if min(held) <= empty_nm3 else 0.0
        if banks.empty_s >= exchange_s:
            held = [full_nm3 if h <= empty_nm3 else h for h in held]
            banks.empty_s = 0.0
        lefts.append(held[LEFT])
        rights.append(held[RIGHT])
        sides.append(banks.side)
        given.append(asked * min(taken / need, 1.0) if need > 0.0 else asked)
    banks.left, banks.right = held
    return np.array(lefts), np.array(rights), np.array(sides, dtype=np.int64), np.array(given)
