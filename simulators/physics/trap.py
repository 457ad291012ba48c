"""Steam traps: what blows through one that stays open."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.steam import ATMOSPHERE_MPA

Array = NDArray[np.float64]

_MM_PER_INCH: Final = 25.4
_PSI_PER_MPA: Final = 145.038
_KG_PER_LB: Final = 0.45359


def napier(diameter_mm: Array | float, pressure_mpa: Array | float, discharge: float = 0.7) -> Array:
    """
    Return dry saturated steam through a round hole into the open. [kg/h]

    Source: Napier, `W = 51.45 * A * P` with lb/h, in² and psia (as in ASME BPVC section I for safety valves), times a
    discharge coefficient: 0.7 for a sharp edge. For gauge pressures above 0.08 MPa, where the flow chokes; a trap's
    hole is seldom free, so it is the most that passes.
    """
    area = np.pi / 4.0 * (np.asarray(diameter_mm) / _MM_PER_INCH) ** 2
    pressure = (np.asarray(pressure_mpa) + ATMOSPHERE_MPA) * _PSI_PER_MPA
    return discharge * 51.45 * area * pressure * _KG_PER_LB
