"""Air compressors with their receiver and dryer: work, load and unload, dew point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.physics.pipeline import ATMOSPHERE_KPA

Array = NDArray[np.float64]


def specific_work(pressure_kpa: float, intake_c: float = 20.0, efficiency: float = 0.80) -> float:
    """
    Return the electricity that compresses a cubic metre of air. [kWh/Nm³]

    Isentropic work of an ideal gas from the atmosphere to `pressure_kpa` [kPa gauge], over the efficiency of the whole
    package with motor and cooler (0.70 to 0.82 for oil-flooded screws of 20 to 100 kW, one stage). Air is counted at
    0 °C and 101.3 kPa and taken in at `intake_c`. Valid for one stage, up to about 1.3 MPa.
    """
    ratio = (pressure_kpa + ATMOSPHERE_KPA) / ATMOSPHERE_KPA
    drawn_in = ATMOSPHERE_KPA * (intake_c + 273.15) / 273.15
    return float(3.5 * drawn_in * (ratio ** (1.0 / 3.5) - 1.0) / efficiency / 3600.0)


def load_unload_power(duty: Array, full_kw: float, unloaded: float = 0.20) -> Array:
    """
    Return the mean power of a compressor that loads and unloads and never stops. [kW]

    `duty` is the share of time loaded, 0 to 1. Unloaded it still takes 15 to 35 % of its full power (US DOE, Improving
    Compressed Air System Performance), here `unloaded`. Blow-down after each unloading is left out.
    """
    return full_kw * (unloaded + (1.0 - unloaded) * np.clip(duty, 0.0, 1.0))


def cycles_per_hour(duty: Array, capacity_nm3h: float, receiver_m3: Array, band_kpa: float) -> Array:
    """
    Return how often a machine starts that fills a receiver between two switch points. [1/h]

    A receiver holds `receiver * band / 101.3 kPa` between them, which fills with `capacity * (1 - duty)` and empties
    with `capacity * duty`. Zero at no load and at full load; highest at half. Isothermal receiver, steady draw.
    """
    duty = np.clip(duty, 0.0, 1.0)
    return capacity_nm3h * duty * (1.0 - duty) / (receiver_m3 * band_kpa / ATMOSPHERE_KPA)


def in_cycle(phase: Array, duty: Array) -> tuple[NDArray[np.bool_], Array]:
    """
    Return whether the machine runs at a place in its cycle, and how full the receiver is then (0 to 1). [-]

    `phase` counts cycles, each of which begins at the lower switch point: it runs for the share `duty`, then rests.
    """
    place = phase % 1.0
    filling, emptying = place / np.maximum(duty, 1e-9), (1.0 - place) / np.maximum(1.0 - duty, 1e-9)
    running = place < duty
    return running, np.clip(np.where(running, filling, emptying), 0.0, 1.0)


def vapour_pressure(dew_point_c: Array) -> Array:
    """
    Return the pressure of water vapour at a dew point, below 0 °C over ice. [kPa]

    Source: Magnus formulas with the coefficients of Alduchov and Eskridge (J. Appl. Meteor. 35, 1996) over water and of
    Sonntag (1990) over ice, joined at 0 °C; within 0.6 % from -60 to 45 °C.
    """
    water = 0.61115 * np.exp(17.625 * dew_point_c / (dew_point_c + 243.04))
    ice = 0.61115 * np.exp(22.452 * dew_point_c / (dew_point_c + 272.55))
    return np.where(dew_point_c < 0.0, ice, water)


def dew_point(vapour_kpa: Array) -> Array:
    """Return the dew point of a vapour pressure, below 0 °C the frost point: the inverse of `vapour_pressure`. [°C]"""
    times = np.log(vapour_kpa / 0.61115)
    return np.where(times < 0.0, 272.55 * times / (22.452 - times), 243.04 * times / (17.625 - times))


def dried(dry_c: Array, aftercooler_c: Array, slipping: Array) -> Array:
    """
    Return the pressure dew point behind a desiccant dryer that lets a share of the water slip. [°C]

    Air comes saturated from the aftercooler; a sound dryer takes it to `dry_c`, a dead one (`slipping` 1) not at all.
    """
    saturated = vapour_pressure(aftercooler_c)
    return dew_point(vapour_pressure(dry_c) * (1.0 - slipping) + saturated * slipping)
