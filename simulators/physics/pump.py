"""Centrifugal pump with variable-speed drive: curve, operating point, power, suction, vibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRAVITY = 9.81  # [m/s²]
WATER_DENSITY = 998.0  # at 20 °C [kg/m³]
KPA_PER_M = GRAVITY * WATER_DENSITY / 1000.0  # pressure of a metre of water [kPa/m]


@dataclass(frozen=True, slots=True)
class PumpCurve:
    """
    A pump at its rated speed, from the two figures of its nameplate.

    Attributes
    ----------
    flow_m3h, head_m : rated point, taken as the point of best efficiency
    shut_off : head at no flow over the rated head [-]; 1.2 to 1.35 for single-stage pumps
    efficiency : at the rated point [-]
    npshr_m : suction head that it needs at rated flow and speed [m]
    """

    flow_m3h: float
    head_m: float
    shut_off: float = 1.25
    efficiency: float = 0.76
    npshr_m: float = 3.0

    def head(self, flow_m3h: Array, speed: Array) -> Array:
        """
        Return the head at a flow and a speed (share of rated). [m]

        A parabola at rated speed, carried to other speeds by the affinity laws (flow ~ n, head ~ n²).
        """
        slope = (self.shut_off - 1.0) * self.head_m / self.flow_m3h**2
        head: Array = self.shut_off * self.head_m * speed**2 - slope * flow_m3h**2
        return head

    def efficiency_at(self, flow_m3h: Array, speed: Array) -> Array:
        """
        Return the hydraulic efficiency: a parabola over flow/speed that is zero at no flow, at least 0.05. [-]

        Affinity keeps the efficiency at equal flow over speed; the small loss at low speed is not modelled.
        """
        x = flow_m3h / (self.flow_m3h * np.maximum(speed, 1e-6))
        return np.maximum(self.efficiency * (2.0 * x - x**2), 0.05)

    def shaft_power(self, flow_m3h: Array, speed: Array) -> Array:
        """
        Return the power at the shaft: hydraulic power over the efficiency, in a closed form that holds at no flow. [kW]

        With x = flow over rated flow and speed, head `shut_off - (shut_off - 1) x²` and efficiency `2x - x²`, it is the
        rated power times speed³ times head(x) / (2 - x): about 0.6 of it at the closed valve, as for pumps of low to
        medium specific speed. Valid up to x = 1.5; beyond that it is held.
        """
        x = np.minimum(flow_m3h / (self.flow_m3h * np.maximum(speed, 1e-6)), 1.5)
        rated = WATER_DENSITY * GRAVITY * self.flow_m3h * self.head_m / 3.6e6 / self.efficiency
        power: Array = rated * speed**3 * (self.shut_off - (self.shut_off - 1.0) * x**2) / (2.0 - x)
        return power


def operating_point(curve: PumpCurve, speed: Array, static_m: Array, resistance: Array) -> tuple[Array, Array]:
    """
    Return flow [m³/h] and head [m] where the pump's curve crosses the system's `static + resistance * flow²`.

    `resistance` in m/(m³/h)². No flow where the pump cannot lift the static head.
    """
    slope = (curve.shut_off - 1.0) * curve.head_m / curve.flow_m3h**2
    spare = curve.shut_off * curve.head_m * speed**2 - static_m
    flow = np.sqrt(np.maximum(spare, 0.0) / (slope + resistance))
    return flow, curve.head(flow, speed)


def speed_for_head(curve: PumpCurve, flow_m3h: Array, head_m: Array) -> Array:
    """Return the speed (share of rated) at which the pump gives a flow against a head. [-]"""
    slope = (curve.shut_off - 1.0) * curve.head_m / curve.flow_m3h**2
    speed: Array = np.sqrt((np.maximum(head_m, 0.0) + slope * flow_m3h**2) / (curve.shut_off * curve.head_m))
    return speed


def hydraulic_power(flow_m3h: Array, head_m: Array) -> Array:
    """Return what the water takes up: `density * g * flow * head`, that is flow * head / 367.8 for water. [kW]"""
    return WATER_DENSITY * GRAVITY * flow_m3h / 3600.0 * head_m / 1000.0


def electric_power(
    curve: PumpCurve, flow_m3h: Array, head_m: Array, speed: Array, motor: float = 0.92, drive: float = 0.97
) -> Array:
    """Return the power from the mains: hydraulic over the efficiencies of pump, motor and drive. [kW]"""
    return hydraulic_power(flow_m3h, head_m) / (curve.efficiency_at(flow_m3h, speed) * motor * drive)


def npsh_available(suction_kpa: Array, water_c: Array) -> Array:
    """
    Return the suction head above the vapour pressure, velocity head left out. [m]

    `suction_kpa` gauge at the suction flange. Vapour pressure by Magnus' formula, within 1 % from 0 to 60 °C.
    """
    vapour_kpa = 0.61094 * np.exp(17.625 * water_c / (water_c + 243.04))
    return (suction_kpa + 101.325 - vapour_kpa) / KPA_PER_M


def cavitation(npsha_m: Array, npshr_m: Array) -> Array:
    """
    Return how fully a pump cavitates: 0 with 10 % margin or more, 1 where half the needed suction head is missing. [-]
    """
    margin = npsha_m / np.maximum(npshr_m, 1e-6)
    return np.clip((1.1 - margin) / 0.6, 0.0, 1.0)


def leak_back(head_m: Array, rated_head_m: float, rated_flow_m3h: float, opening: Array) -> Array:
    """
    Return what flows back through a standing pump whose check valve does not close. [m³/h]

    The square root of the head drives it, as through any orifice; `opening` [-] is its flow at rated head over the
    rated flow. A disc that hangs open lets a few percent to a fifth through.
    """
    back: Array = opening * rated_flow_m3h * np.sqrt(np.maximum(head_m, 0.0) / rated_head_m)
    return back
