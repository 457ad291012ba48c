"""Split air conditioners: a room with a thermostat, and a unit whose compressor follows the load."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.air import CP_AIR, DENSITY

Array = NDArray[np.float64]

LEAST_LOAD: Final = 0.25  # an inverter goes no lower; below it the compressor goes on and off
_SENSIBLE: Final = 0.75
_RATED_DROP_K: Final = 14.0
_OUTDOOR_COOLING_C: Final = 35.0  # rated conditions T1 of GB/T 7725 and ISO 5151: outdoors 35 °C, room 27 °C
_OUTDOOR_HEATING_C: Final = 7.0


@dataclass(frozen=True, slots=True)
class Unit:
    """
    A unit as its nameplate has it.

    Attributes
    ----------
    power_kw : rated power while cooling [kW]
    cop_cooling, cop_heating : at rated conditions; GB 21455-2019 asks an APF of 3.3 or more, rated points lie near it
    """

    power_kw: float
    cop_cooling: float = 3.3
    cop_heating: float = 3.5

    @property
    def cooling_kw(self) -> float:
        """Return the rated cooling. [kW]"""
        return self.power_kw * self.cop_cooling


@dataclass(frozen=True, slots=True)
class Room:
    """
    The room of one unit.

    Attributes
    ----------
    loss_kw_k : through walls, windows and gaps [kW/K]
    mass_kwh_k : heat of what takes part in a day's swing: air, furniture, surfaces [kWh/K]
    """

    loss_kw_k: float
    mass_kwh_k: float


def hold(
    room: Room,
    start_c: float,
    gains_kw: Array,
    outdoor_c: Array,
    opened_kw_k: Array,
    least_kw: Array,
    most_kw: Array,
    setpoint_c: Array,
    dt_s: Array,
) -> tuple[Array, Array]:
    """
    Follow a room whose thermostat brings it to its set-point as far as the unit can.

    Parameters
    ----------
    start_c : before the first step [°C]
    gains_kw : people, devices, sun [kW]
    opened_kw_k : loss through open windows, on top of the room's own [kW/K]
    least_kw, most_kw : heat that the unit can bring: below zero it cools; both zero: it is off [kW]
    dt_s : length of each step [s]

    Returns
    -------
    The room's temperature at the end of each step [°C], and the mean heat that the unit brought in it [kW]. The balance
    `mass * change = gains + heat - loss * (room - outdoors)` is solved exactly over each step.
    """
    temperature = start_c
    shown, brought = np.empty_like(gains_kw), np.empty_like(gains_kw)
    columns = zip(
        gains_kw.tolist(), outdoor_c.tolist(), opened_kw_k.tolist(), least_kw.tolist(), most_kw.tolist(),
        setpoint_c.tolist(), dt_s.tolist(), strict=True,
    )  # fmt: skip
    for i, (gain, outside, opened, least, most, wanted, dt) in enumerate(columns):
        loss = room.loss_kw_k + opened
        pace = loss / room.mass_kwh_k / 3600.0
        # All that it can until the set-point is reached, and then what holds it.
        holding = min(max(loss * (wanted - outside) - gain, least), most)
        full = least if temperature > wanted else most
        goal = outside + (gain + full) / loss
        way, left = goal - temperature, goal - wanted
        reached = log(way / left) / pace if way * left > 0.0 and abs(way) >= abs(left) else dt
        share = min(reached / dt, 1.0) if dt > 0.0 else 1.0
        temperature = goal - way * exp(-pace * share * dt)
        goal = outside + (gain + holding) / loss
        temperature = goal + (temperature - goal) * exp(-pace * (1.0 - share) * dt)
        heat = share * full + (1.0 - share) * holding
        shown[i], brought[i] = temperature, heat
    return shown, brought


def capacity(unit: Unit, outdoor_c: Array, heating: NDArray[np.bool_]) -> Array:
    """
    Return the most that a unit gives: for each kelvin that outdoors is worse than rated 1 % less cooling, or 1.6 % less
    heating, as a heat pump has in frost. From -20 to 45 °C. [kW]
    """
    worse = np.where(heating, _OUTDOOR_HEATING_C - outdoor_c, outdoor_c - _OUTDOOR_COOLING_C)
    return (
        unit.cooling_kw * np.where(heating, 1.1, 1.0) * np.clip(1.0 - np.where(heating, 0.016, 0.01) * worse, 0.4, 1.15)
    )


def power(unit: Unit, heat_kw: Array, most_kw: Array, outdoor_c: Array, heating: NDArray[np.bool_]) -> Array:
    """
    Return the compressor's and outdoor fan's power for a mean heat. [kW]

    COP falls by 2 % for each kelvin that outdoors is worse than rated (GB/T 7725 at 35 and 29 °C), and rises by up to
    25 % as the compressor slows down, as part-load tests of inverter units show; below the least load it goes on and
    off and the COP stays. Below -15 °C outdoors it falls no more; up to 45 °C.
    """
    worse = np.where(heating, _OUTDOOR_HEATING_C - outdoor_c, outdoor_c - _OUTDOOR_COOLING_C)
    load = np.clip(heat_kw / np.maximum(most_kw, 1e-6), LEAST_LOAD, 1.0)
    rated = np.where(heating, unit.cop_heating, unit.cop_cooling)
    cop = rated * np.clip(1.0 - 0.02 * worse, 0.55, 1.5) * (1.0 + 0.33 * (1.0 - load))
    return heat_kw / cop


def air_share(load: Array) -> Array:
    """Return the air that the indoor fan moves in automatic, as a share of its most. [-]"""
    share: Array = np.maximum(np.minimum(load, 1.0) ** 0.8, 0.3)
    return share


def outlet_difference(unit: Unit, heat_kw: Array, share: Array, heating: NDArray[np.bool_]) -> Array:
    """
    Return how much colder, or warmer, the air comes out than it went in. [K]

    At rated cooling and full air it is 14 K: three quarters of the heat cool, the rest condenses water.
    """
    full_kg_s = unit.cooling_kw * _SENSIBLE / (CP_AIR * _RATED_DROP_K)
    dry = np.where(heating, 1.0, _SENSIBLE)
    difference: Array = dry * heat_kw / (CP_AIR * full_kg_s * np.maximum(share, 0.05))
    return difference


def infiltration(volume_m3: float, changes_per_h: Array) -> Array:
    """Return the loss by air that comes in from outdoors, for air changes an hour. [kW/K]"""
    return volume_m3 * changes_per_h / 3600.0 * DENSITY * CP_AIR
