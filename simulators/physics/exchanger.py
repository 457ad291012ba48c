"""Plate heat exchangers: water to water, and steam to water with the condensate's level as the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics.steam import WATER_KJ_KG_K, saturation_temperature, steam_enthalpy

Array = NDArray[np.float64]

# Bisections over the primary flow: the last one is within 1/4000 of the valve's range.
_HALVINGS: Final = 12


def counterflow(units: Array, ratio: Array | float) -> Array:
    """
    Return the effectiveness of a counterflow exchanger. [-]

    `units`: UA over the smaller heat capacity flow; `ratio`: the smaller over the larger, 0 (condensing) to 1. Source:
    Kays and London, Compact Heat Exchangers; VDI Heat Atlas C1. Constant properties.
    """
    slack = 1.0 - np.minimum(ratio, 1.0 - 1e-9)
    decay = np.exp(-units * slack)
    return (1.0 - decay) / (1.0 - (1.0 - slack) * decay)


def log_mean_difference(first_k: Array, second_k: Array) -> Array:
    """Return the logarithmic mean of the temperature differences at both ends. [K]"""
    equal = np.abs(first_k - second_k) < 1e-6 * np.abs(first_k)
    ratio = np.where(equal, 2.0, first_k / second_k)
    return np.where(equal, first_k, (first_k - second_k) / np.log(ratio))


def fouled(ua_kw_k: Array | float, fouling: Array) -> Array:
    """
    Return the UA behind a layer of scale and sludge. [kW/K]

    `fouling`: the layer's resistance over that of the clean exchanger [-]; a UA that has lost 20 % has 0.25.
    """
    return ua_kw_k / (1.0 + fouling)


@dataclass(frozen=True, slots=True)
class Primary:
    """
    What the primary side does.

    Attributes
    ----------
    heat_kw : what it gives; less than asked for where area or flow do not suffice
    return_c : temperature at which its water or condensate leaves
    flow_kg_s : of water or steam
    """

    heat_kw: Array
    return_c: Array
    flow_kg_s: Array


def from_water(
    heat_kw: Array, hot_c: Array, return_c: Array, secondary_kw_k: Array, ua_kw_k: Array, most_kw_k: float, least: Array
) -> Primary:
    """
    Return the primary water that a control valve lets through for an amount of heat.

    Parameters
    ----------
    heat_kw : asked for [kW]
    hot_c, return_c : primary supply and secondary return [°C]
    secondary_kw_k : heat capacity flow of the secondary side [kW/K]
    ua_kw_k : of the exchanger [kW/K]
    most_kw_k : heat capacity flow of the primary side with the valve open [kW/K]
    least : what a shut valve still lets through, as a share of that [-]
    """

    def given(share: Array) -> Array:
        primary = np.maximum(share * most_kw_k, 1e-6)
        smaller, larger = np.minimum(primary, secondary_kw_k), np.maximum(primary, secondary_kw_k)
        smaller = np.maximum(smaller, 1e-6)
        heat: Array = counterflow(ua_kw_k / smaller, smaller / np.maximum(larger, 1e-6)) * smaller * (hot_c - return_c)
        return heat

    low, high = np.broadcast_to(least, heat_kw.shape), np.ones_like(heat_kw)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        enough = given(middle) >= heat_kw
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    # The last piece is a line: what is given then is what was asked for.
    under, over = given(low), given(high)
    part = np.clip((heat_kw - under) / np.maximum(over - under, 1e-9), 0.0, 1.0)
    share = low + part * (high - low)
    heat = np.where(share > 1e-5, under + part * (over - under), 0.0)
    flow = share * most_kw_k
    left = np.where(flow > 1e-4, hot_c - heat / np.maximum(flow, 1e-4), return_c)
    return Primary(heat, left, flow / WATER_KJ_KG_K)


def from_steam(
    heat_kw: Array,
    pressure_mpa: Array | float,
    return_c: Array,
    secondary_kw_k: Array,
    ua_kw_k: Array,
    most_kg_s: Array | float,
    least: Array | float,
) -> Primary:
    """
    Return the steam that condenses for an amount of heat, where a valve in the condensate holds it back.

    Steam condenses at one temperature on the free part of the surface; the flooded part cools the condensate in
    counterflow. The more heat is asked for, the less is flooded, and the hotter the condensate leaves.

    Parameters
    ----------
    heat_kw : asked for [kW]
    pressure_mpa : of the steam, gauge [MPa]
    return_c : water that comes back from the secondary side [°C]
    secondary_kw_k : its heat capacity flow [kW/K]
    ua_kw_k : of the whole surface while steam condenses on it; a flooded one has 0.66 of that [kW/K]
    most_kg_s : condensate that valve and trap let through [kg/s]
    least : what a shut valve still lets through, as a share of that [-]
    """
    steam_c, enthalpy = saturation_temperature(pressure_mpa), steam_enthalpy(pressure_mpa)
    capacity = np.maximum(secondary_kw_k, 1e-6)
    gap = np.maximum(steam_c - return_c, 1.0)
    # With nothing flooded, the whole surface condenses.
    most_kw = capacity * -np.expm1(-ua_kw_k / capacity) * gap
    left = return_c + 5.0
    flow = heat_kw / (enthalpy - WATER_KJ_KG_K * left)
    for _ in range(3):
        flow = np.clip(np.minimum(heat_kw, most_kw) / (enthalpy - WATER_KJ_KG_K * left), least * most_kg_s, most_kg_s)
        small = np.maximum(flow, 1e-6) * WATER_KJ_KG_K
        cooling = small * (steam_c - left)
        condensing = np.maximum(flow * (enthalpy - WATER_KJ_KG_K * steam_c), 0.0)
        after_cooling = return_c + cooling / capacity
        rest = 1.0 - condensing / (capacity * np.maximum(steam_c - after_cooling, 1.0))
        free = np.clip(-np.log(np.maximum(rest, 1e-6)) * capacity / ua_kw_k, 0.0, 1.0)
        units = 0.66 * ua_kw_k * (1.0 - free) / small
        left = steam_c - counterflow(units, np.minimum(small / capacity, 1.0)) * gap
    return Primary(flow * (enthalpy - WATER_KJ_KG_K * left), left, flow)
