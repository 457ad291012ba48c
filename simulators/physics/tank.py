"""Liquid oxygen: contents, boil-off, pressure build-up, level by differential pressure, the ambient vaporiser."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NM3_PER_KG: Final = 0.6998  # 22.414 L/mol over 31.998 g/mol, with the gas's own 0.1 % below the ideal volume
_LIQUID_HEAT_CAPACITY: Final = 1.8  # at 100 to 125 K [kJ/(kg·K)]
_CRITICAL_K: Final = 154.58
_BOILING_K: Final = 90.19  # at 101.3 kPa
_HEAT_AT_BOILING: Final = 213.1  # there [kJ/kg]
_ANTOINE: Final = (3.9523, 340.024, -4.144)  # log10(bar), K: NIST Chemistry WebBook, 54 to 154 K
# The warm layer on top sets the pressure: it rises faster than if all of the liquid were at one temperature.
_STRATIFICATION: Final = 3.0
_GRAVITY: Final = 9.81


def saturation_temperature(pressure_mpa: float) -> float:
    """Return the temperature at which oxygen boils under a pressure, 0.02 to 3 MPa absolute, within 0.4 K. [K]"""
    a, b, c = _ANTOINE
    return b / (a - float(np.log10(pressure_mpa * 10.0))) - c


def temperature_per_pressure(pressure_mpa: float) -> float:
    """Return how much hotter oxygen boils for more pressure, from the same formula. [K/MPa]"""
    a, b, _ = _ANTOINE
    bar = pressure_mpa * 10.0
    return b / (a - float(np.log10(bar))) ** 2 / (bar * float(np.log(10.0))) * 10.0


def heat_of_vaporisation(kelvin: float) -> float:
    """Return the heat that evaporates oxygen, from its boiling point by Watson's rule; 60 to 150 K. [kJ/kg]"""
    left = (_CRITICAL_K - kelvin) / (_CRITICAL_K - _BOILING_K)
    return _HEAT_AT_BOILING * float(left**0.38)


def heat_leak(capacity_kg: float, boil_off_a_day: float) -> float:
    """
    Return the heat that comes through the jacket. [kW]

    Makers give it as what evaporates in a day at atmospheric pressure, over the capacity: 0.2 to 0.5 % for vacuum with
    perlite at the size of hospitals' tanks.
    """
    return capacity_kg * boil_off_a_day * _HEAT_AT_BOILING / 86_400.0


def pressure_walk(
    start_mpa: float,
    heat_kw: Array,
    drawn_kgh: Array,
    dt_s: Array,
    mass_kg: float,
    economiser_mpa: float,
    relief_mpa: float,
    economiser_kgh: float,
) -> tuple[Array, Array, Array]:
    """
    Return pressure [MPa gauge], gas that the economiser passes to the line and gas that the relief valve vents [kg/h].

    Liquid and vapour boil together: the heat that comes in goes into evaporating what is taken out as gas, and the rest
    warms the contents along the saturation line. The economiser opens in proportion over 0.05 MPa, up to
    `economiser_kgh` and to what the line draws (`drawn_kgh`). Above `relief_mpa` the relief valve lets go what it must.
    `mass_kg` is taken as constant: the thermal mass of a tank in its usual range. The pressure-building coil holds the
    pressure while liquid is drawn, which leaves no trace here. Valid for steps up to half an hour.
    """
    absolute = economiser_mpa + 0.1
    vaporise = heat_of_vaporisation(saturation_temperature(absolute))
    per_kj = _STRATIFICATION / (mass_kg * _LIQUID_HEAT_CAPACITY * temperature_per_pressure(absolute))
    pressure, passed, vented = [], [], []
    p = start_mpa
    for kw, drawn, dt in zip(heat_kw.tolist(), drawn_kgh.tolist(), dt_s.tolist(), strict=True):
        gas = min(min(max((p - economiser_mpa) / 0.05, 0.0), 1.0) * economiser_kgh, drawn)
        p += per_kj * (kw * 3600.0 - gas * vaporise) * dt / 3600.0
        lost = 0.0
        if p > relief_mpa:
            lost = (p - relief_mpa) / per_kj / vaporise * 3600.0 / dt if dt > 0.0 else 0.0
            p = relief_mpa
        pressure.append(p)
        passed.append(gas)
        vented.append(lost)
    return np.array(pressure), np.array(passed), np.array(vented)


def level_by_differential(mass_kg: Array, capacity_kg: float, height_m: float, false_kpa: Array) -> Array:
    """
    Return what a differential-pressure level gauge shows, of full. [%]

    It weighs the liquid's column, so the density does not matter; a full tank gives 11.2 kPa for each metre
    of `height_m`. `false_kpa` is what ice or liquid in its lines adds.
    """
    full_kpa = 1140.0 * _GRAVITY * height_m / 1000.0
    return 100.0 * (mass_kg / capacity_kg + false_kpa / full_kpa)


def vaporiser_outlet(outdoor_c: Array, flow_share: Array, surface: Array) -> Array:
    """
    Return the gas temperature behind an ambient vaporiser. [°C]

    A heat exchanger whose one side, the air, does not change: what is left of the difference falls with
    exp(-NTU), which is 2.6 at the rated flow with a clean surface (some 12 K under the air). `surface` is the share
    that ice has left. The liquid's heat of vaporisation is taken as part of the gas's heat capacity.
    """
    ntu = 2.6 * surface / np.maximum(flow_share, 0.02)
    return outdoor_c - (outdoor_c + 155.0) * np.exp(-ntu)


def contents_walk(
    start_kg: float,
    lost_kgh: Array,
    dt_s: Array,
    lorry_may_come: NDArray[np.bool_],
    order_kg: float,
    full_kg: float,
    pumped_kgh: float,
    filling: bool,
) -> tuple[Array, bool]:
    """
    Return what is in the tank [kg], and whether a lorry is filling it at the end: a mass balance.

    When the contents are below `order_kg` and a lorry may come, it pumps `pumped_kgh` until `full_kg` are in.
    """
    mass = start_kg - np.cumsum(lost_kgh * dt_s) / 3600.0
    if not filling and mass.min() >= order_kg:
        return mass, False
    held, kept = start_kg, []
    for lost, dt, may in zip(lost_kgh.tolist(), dt_s.tolist(), lorry_may_come.tolist(), strict=True):
        held = max(held - lost * dt / 3600.0, 0.0)
        filling = filling or (may and held < order_kg)
        if filling:
            held = min(held + pumped_kgh * dt / 3600.0, full_kg)
            filling = held < full_kg
        kept.append(held)
    return np.array(kept), filling
