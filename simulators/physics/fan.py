"""Fans and filters of air handling units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FanCurve:
    """
    A fan at its rated speed.

    Attributes
    ----------
    flow_m3h, pressure_pa : rated point
    shut_off : pressure at no flow over the rated one [-]
    efficiency : best efficiency, which is at the rated flow [-]
    """

    flow_m3h: float
    pressure_pa: float
    shut_off: float = 1.35
    efficiency: float = 0.68

    def pressure(self, flow_m3h: Array, speed: Array) -> Array:
        """Return the total pressure at a share of rated speed, by the affinity laws. [Pa]"""
        share = flow_m3h / self.flow_m3h
        risen: Array = self.pressure_pa * (self.shut_off * speed**2 - (self.shut_off - 1.0) * share**2)
        return risen

    def speed_for(self, flow_m3h: Array, pressure_pa: Array) -> Array:
        """Return the share of rated speed at which it moves a flow against a pressure. [-]"""
        share = flow_m3h / self.flow_m3h
        return np.sqrt((pressure_pa / self.pressure_pa + (self.shut_off - 1.0) * share**2) / self.shut_off)

    def power(
        self, flow_m3h: Array, pressure_pa: Array, speed: Array, motor: float = 0.91, drive: float = 0.96
    ) -> Array:
        """
        Return the power from the mains: air power over the efficiencies of fan, motor and drive. [kW]

        Efficiency falls with the square of the distance from the best flow at that speed, to no less than 0.25.
        """
        off_best = flow_m3h / self.flow_m3h / np.maximum(speed, 1e-6) - 1.0
        efficiency = np.maximum(self.efficiency * (1.0 - 0.9 * off_best**2), 0.25)
        return flow_m3h / 3600.0 * pressure_pa / 1000.0 / (efficiency * motor * drive)


def filter_drop(clean_pa: float, loading: Array, flow_share: Array, exponent: float = 1.3) -> Array:
    """
    Return the pressure that a filter takes. [Pa]

    Parameters
    ----------
    clean_pa : when new, at rated flow [Pa]
    loading : 0 new, 1 at twice the clean resistance, which is where filters are usually changed [-]
    flow_share : of the rated flow [-]
    exponent : 1.3 for pleated and bag filters; 1.0 for HEPA, where the flow through the paper is laminar
    """
    drop: Array = clean_pa * (1.0 + loading) * np.maximum(flow_share, 0.0) ** exponent
    return drop
