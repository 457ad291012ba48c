"""Heating circuits and domestic hot water: curve of the supply temperature, emitters, storage, loop."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.steam import WATER_KJ_KG_K, WATER_KWH_M3_K

Array = NDArray[np.float64]

EMITTER_EXPONENT: Final = 1.3  # radiators, EN 442; fan coils are nearer to 1


def heating_curve(
    outdoor_c: Array, design_c: float = -4.0, hottest_c: float = 62.0, room_c: float = 20.0, coldest_c: float = 42.0
) -> Array:
    """
    Return the supply temperature that the weather asks for. [°C]

    The load goes with the difference to the room, the emitter's excess temperature with its power of 1/1.3 (EN 442).
    `hottest_c` is reached at the outdoor temperature `design_c` of the winter's design day (GB 50736: -2.2 °C for
    Shanghai, a little below here); never below `coldest_c`.
    """
    load = np.clip((room_c - outdoor_c) / (room_c - design_c), 0.0, 1.0)
    return np.maximum(room_c + (hottest_c - room_c) * load ** (1.0 / EMITTER_EXPONENT), coldest_c)


def emitter_share(mean_c: Array, design_mean_c: Array, room_c: float = 20.0) -> Array:
    """Return an emitter's heat over that at another mean water temperature: excess temperature to the 1.3. [-]"""
    excess = np.maximum(mean_c - room_c, 0.0) / np.maximum(design_mean_c - room_c, 1.0)
    share: Array = excess**EMITTER_EXPONENT
    return share


def draw_heat(flow_m3h: Array, hot_c: Array, cold_c: Array) -> Array:
    """Return the heat that hot water takes with it. [kW]"""
    return WATER_KWH_M3_K * flow_m3h * (hot_c - cold_c)


def loop_return(supply_c: Array, flow_m3h: Array, loss_kw_k: Array, around_c: float = 22.0) -> Array:
    """
    Return the temperature at which a circulation loop comes back. [°C]

    A pipe of one surrounding temperature: the difference falls as exp(-UA / C). `loss_kw_k`: UA of the loop's pipes.
    """
    units = loss_kw_k / np.maximum(WATER_KWH_M3_K * flow_m3h, 1e-6)
    return around_c + (supply_c - around_c) * np.exp(-units)


def loop_loss(supply_c: Array, flow_m3h: Array, loss_kw_k: Array, around_c: float = 22.0) -> Array:
    """Return the heat that a circulation loop loses to where it runs. [kW]"""
    return WATER_KWH_M3_K * flow_m3h * (supply_c - loop_return(supply_c, flow_m3h, loss_kw_k, around_c))


def buffer(rated_kw: float, band_k: float) -> float:
    """Return the heat between the switch points of a hot-water boiler with 3 L of water for each kW. [kJ]"""
    return 3.0 * rated_kw * WATER_KJ_KG_K * band_k


def pump_power(rated_kw: float, share: Array) -> Array:
    """
    Return the electricity of a circulating pump on a drive, over its flow as a share of rated. [kW]

    Affinity: the third power of the speed for the friction of the circuit; 8 % for what the drive and the control
    valves' pressure take at any flow.
    """
    return rated_kw * np.where(share > 0.0, 0.08 + 0.92 * share**3, 0.0)
