"""Sewage treatment: equalisation, aeration, biological removal, membranes, and disinfection with chlorine."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF_RATE_MG_L: Final = 0.5  # dissolved oxygen at which bacteria breathe half as fast as they could
OXYGEN_KG_NM3: Final = 0.299  # oxygen in a cubic metre of air at 0 °C and 101.3 kPa
_SATURATION_20: Final = 9.09  # [mg/L]


def equalise(
    inflow_m3h: Array, most_m3h: Array, dt_s: Array, start_m3: float, volume_m3: float, dead_m3: float, tau_h: float
) -> tuple[Array, Array, Array]:
    """
    Let a tank fill and its lift pumps empty it, faster the fuller it is: `flow = (content - dead) / tau`.

    Each step is solved backwards (implicit Euler), so that long steps stay stable and water balances exactly.

    Parameters
    ----------
    inflow_m3h, most_m3h : what comes in, and the most that can be pumped on [m³/h]
    start_m3, volume_m3, dead_m3 : content before the first step, brim, and what stays in the tank [m³]

    Returns
    -------
    What is pumped on [m³/h], content [m³], and what runs over the brim [m³/h].
    """
    outflow, content, over = np.empty_like(inflow_m3h), np.empty_like(inflow_m3h), np.zeros_like(inflow_m3h)
    held = start_m3
    for i, (comes, most, dt) in enumerate(zip(inflow_m3h.tolist(), most_m3h.tolist(), dt_s.tolist(), strict=True)):
        hours = dt / 3600.0
        full = (held + hours * (comes + dead_m3 / tau_h)) / (1.0 + hours / tau_h)
        leaves = min(max((full - dead_m3) / tau_h, 0.0), most)
        held = held + hours * (comes - leaves)
        if held > volume_m3:
            over[i] = (held - volume_m3) / hours
            held = volume_m3
        outflow[i], content[i] = leaves, held
    return outflow, content, over


def oxygen_saturation(water_c: Array) -> Array:
    """
    Return how much oxygen fresh water holds under air at 101.3 kPa. [mg/L]

    Source: B. B. Benson, D. Krause, Limnol. Oceanogr. 29 (1984) 620, as APHA's Standard Methods give it; 0 to 40 °C.
    """
    t = water_c + 273.15
    return np.exp(-139.34411 + 1.575701e5 / t - 6.642308e7 / t**2 + 1.2438e10 / t**3 - 8.621949e11 / t**4)


def transfer(air_nm3h: Array, efficiency: Array | float, water_c: Array, alpha: float = 0.6) -> Array:
    """
    Return how fast aeration brings oxygen in, for each mg/L that is missing to saturation. [kg/h per mg/L]

    `efficiency` is the standard transfer efficiency of the diffusers in clean water at 20 °C [-]; `alpha` what sewage
    leaves of it. Source: `AOTR = SOTR * alpha * (Cs - C) / 9.09 * 1.024^(T - 20)`, Metcalf & Eddy.
    """
    return air_nm3h * OXYGEN_KG_NM3 * efficiency * alpha / _SATURATION_20 * 1.024 ** (water_c - 20.0)


def dissolved_oxygen(transfer_kg_h: Array, saturation_mg_l: Array, demand_kg_h: Array) -> Array:
    """
    Return the dissolved oxygen at which what is brought in is what is breathed. [mg/L]

    Solves `transfer * (Cs - x) = demand * x / (K + x)`, with Monod's half rate K = 0.5 mg/L; `demand` is what bacteria
    would breathe with oxygen in plenty [kg/h]. Zero without aeration.
    """
    a = np.maximum(transfer_kg_h, 1e-9)
    b = demand_kg_h / a + HALF_RATE_MG_L - saturation_mg_l
    root: Array = (-b + np.sqrt(b**2 + 4.0 * saturation_mg_l * HALF_RATE_MG_L)) / 2.0
    return root


def transfer_for(wanted_mg_l: float, saturation_mg_l: Array, demand_kg_h: Array) -> Array:
    """Return the transfer that holds a dissolved oxygen against a demand. [kg/h per mg/L]"""
    return demand_kg_h * wanted_mg_l / (HALF_RATE_MG_L + wanted_mg_l) / (saturation_mg_l - wanted_mg_l)


def blower_power(air_nm3h: Array, pressure_kpa: Array, efficiency: float = 0.55) -> Array:
    """
    Return the electricity of a blower: isentropic compression from 101.3 kPa over the whole efficiency. [kW]

    Valid for air up to about 100 kPa gauge.
    """
    work = 3.5 * 101.325 * ((1.0 + pressure_kpa / 101.325) ** (0.4 / 1.4) - 1.0)
    power: Array = air_nm3h / 3600.0 * work / efficiency
    return power


def breathing(oxygen_mg_l: Array) -> Array:
    """Return how fast bacteria work at a dissolved oxygen, of the most that they could. [-]"""
    return oxygen_mg_l / (HALF_RATE_MG_L + oxygen_mg_l)


def left_over(rate_per_h: Array, hours: Array) -> Array:
    """Return what a well mixed stage leaves of a substance that decays at a rate of first order. [-]"""
    return 1.0 / (1.0 + rate_per_h * hours)


def oxygen_demand(flow_m3h: Array, cod_removed_mg_l: Array, nitrogen_removed_mg_l: Array, idle_kg_h: float) -> Array:
    """
    Return what bacteria would breathe: 0.5 kg for each kg of COD, 4.57 for each of nitrogen, and to live at all. [kg/h]

    Source: Metcalf & Eddy; 4.57 is the stoichiometry of nitrification.
    """
    return flow_m3h * (0.5 * cod_removed_mg_l + 4.57 * nitrogen_removed_mg_l) / 1000.0 + idle_kg_h


def water_viscosity(water_c: Array) -> Array:
    """
    Return the viscosity of water. [mPa·s]

    Source: Vogel's equation, `2.414e-2 * 10^(247.8 / (T - 140 K))`, within 2.5 % from 0 to 100 °C.
    """
    return 2.414e-2 * 10.0 ** (247.8 / (water_c + 273.15 - 140.0))


def membrane_pressure(flux_lmh: Array, resistance: Array, water_c: Array) -> Array:
    """
    Return the pressure across a membrane: Darcy's law, `viscosity * flux * resistance`. [kPa]

    `resistance` in kPa for each L/(m²·h) of water at 20 °C.
    """
    return flux_lmh * resistance * water_viscosity(water_c) / 1.002


def residual_chlorine(dose_mg_l: Array, instant_mg_l: Array, rate_20: float, hours: Array, water_c: Array) -> Array:
    """
    Return the chlorine that is left after contact: what is not used at once decays by first order. [mg/L]

    `instant_mg_l` is what the water takes up at once; `rate_20` the decay at 20 °C, which doubles in 10 K [1/h].
    """
    left = np.maximum(dose_mg_l - instant_mg_l, 0.0)
    return left * np.exp(-rate_20 * 2.0 ** ((water_c - 20.0) / 10.0) * hours)


def stock(start: float, used: Array, low: float, full: float, may_fill: NDArray[np.bool_]) -> Array:
    """
    Return how a stock runs down and is filled up where it is low and someone may fill it, in the unit of `start`.

    `used` is what each step takes away; below zero it brings. For a stock that grows and is emptied, `low` stands above
    `full`: then it is set to `full` where it is above `low`.
    """
    level = start - np.cumsum(used)
    sign = 1.0 if low < full else -1.0
    at = 0
    while True:
        due = np.flatnonzero((sign * level[at:] < sign * low) & may_fill[at:])
        if due.size == 0:
            return level
        at += int(due[0])
        level[at:] += full - level[at]
        at += 1
