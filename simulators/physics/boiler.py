"""Gas-fired boilers: heating surface, economiser, losses, cycling of the burner, salt of the water, deaerator."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulators.physics import exchanger
from simulators.physics.combustion import NATURAL_GAS, flue_loss, unburnt_loss
from simulators.physics.steam import WATER_KJ_KG_K, steam_enthalpy, water_enthalpy

Array = NDArray[np.float64]

_AIR_KJ_NM3_K: Final = 1.30
WATER_T_PER_TH: Final = 1.7  # water of a shell boiler for each t/h of rating [t]
_STORE_T_PER_TH: Final = 2.0  # the same, with its steel reckoned as water [t]
_K_PER_MPA: Final = 52.0  # how the boiling point moves with the pressure, about 0.7 MPa [K/MPa]
_RATED_NTU: Final = 3.6
_FILM: Final = 0.025  # resistance of the gas film on clean tubes, nearly all there is [m²·K/W]


def transfer_units(flue_share: Array, flame_c: Array, deposit: Array) -> Array:
    """
    Return the number of transfer units of a boiler's heating surface. [-]

    A quarter of the surface's conductance is radiation of the flame, which goes with the third power of its absolute
    temperature; the rest is convection, with the flow to the power of 0.8. Turbulent flow: from a tenth of full fire.

    Parameters
    ----------
    flue_share : flue gas over that at full fire [-]
    flame_c : see `combustion.flame_temperature`; the rated number holds at 1800 °C [°C]
    deposit : resistance of scale and soot [m²·K/W]; 1 mm of scale (1 W/(m·K)) is 0.001, 0.5 mm of soot (0.1 W/(m·K))
        0.005
    """
    share = np.maximum(flue_share, 0.1)
    conductance = 0.75 * share**0.8 + 0.25 * share**0.8 * ((flame_c + 273.15) / 2073.0) ** 3
    clean = _RATED_NTU * conductance / share
    film = _FILM / conductance
    return clean * film / (film + deposit)


def flue_after_surface(flame_c: Array, water_c: Array, units: Array) -> Array:
    """Return the flue gas's temperature behind a surface with water of one temperature on its other side. [°C]"""
    return water_c + (flame_c - water_c) * np.exp(-units)


def economiser_units(rated: Array | float, flue_share: Array, deposit: Array) -> Array:
    """
    Return the number of transfer units of an economiser, from that at full fire: the same gas film, without flame. [-]

    `flue_share` and `deposit` as for `transfer_units`.
    """
    share = np.maximum(flue_share, 0.1)
    film = _FILM * share**-0.8
    return rated * share**-0.2 * film / (film + deposit)


def economiser(flue_c: Array, feed_c: Array, units: Array, capacity_ratio: Array | float = 0.29) -> tuple[Array, Array]:
    """
    Return flue gas behind an economiser and feed water behind it. [°C]

    Counterflow by effectiveness. `capacity_ratio`: heat capacity of the flue gas over that of the feed water, 17 kJ/K
    of gas and 14 kg of steam for each Nm³.
    """
    taken = exchanger.counterflow(units, capacity_ratio) * (flue_c - feed_c)
    return flue_c - taken, feed_c + capacity_ratio * taken


def efficiency(flue_c: Array, air_c: Array, oxygen: Array, co_ppm: Array) -> Array:
    """
    Return what the fire gives to the water, as a share of the lower heating value; the shell's loss not counted. [-]

    Indirect method: 1 less warmth and less carbon monoxide in the flue gas (GB/T 10180, q2 and q3).
    """
    return 1.0 - flue_loss(flue_c, air_c, oxygen) - unburnt_loss(co_ppm, oxygen)


def shell_loss(rated_kw: float, water_c: Array, air_c: Array) -> Array:
    """
    Return what a hot boiler loses through its shell, burning or not. [kW]

    1.2 % of its rating at 170 °C in a room of 20 °C, as GB/T 10180 gives q5 for 2 to 6 t/h; with the difference of
    temperature.
    """
    return 0.012 * rated_kw * np.maximum(water_c - air_c, 0.0) / 150.0


def gas_flow(heat_kw: Array, efficiency_: Array) -> Array:
    """Return the gas that brings so much heat into the water. [Nm³/h]"""
    return 3600.0 * heat_kw / (efficiency_ * NATURAL_GAS.heating_value)


def steam_heat(steam_th: Array, pressure_mpa: Array | float, feed_kj_kg: Array) -> Array:
    """Return the heat that makes so much steam of so warm feed water. [kW]"""
    return steam_th * (steam_enthalpy(pressure_mpa) - feed_kj_kg) / 3.6


def purge_loss(rated_kw: float, water_c: Array, air_c: Array, seconds: float = 75.0) -> Array:
    """
    Return the heat that one start blows up the stack. [kJ]

    Before and after a fire the fan blows air of full fire through the boiler for `seconds` (EN 676 asks for 30 s before
    it; 15 to 60 s after it are usual); the air leaves 60 % of the way to the water's temperature.
    """
    air_nm3_s = rated_kw / NATURAL_GAS.heating_value * NATURAL_GAS.air * 1.15 / 0.92
    return seconds * air_nm3_s * _AIR_KJ_NM3_K * 0.6 * np.maximum(water_c - air_c, 0.0)


def pressure_store(rated_th: float, band_mpa: Array) -> Array:
    """
    Return the heat between two pressures of a shell boiler. [kJ]

    The store is its water and steel, like 2 t of water for each t/h of rating, whose boiling point moves by 5.2 K for
    0.1 MPa (0.5 to 1 MPa: within 15 %).
    """
    return rated_th * _STORE_T_PER_TH * 1000.0 * WATER_KJ_KG_K * _K_PER_MPA * band_mpa


def warming_heat(rated_th: float, water_c: Array, cold_c: Array) -> Array:
    """Return the heat that brings a cold shell boiler's water and steel, reckoned as water, to a temperature. [kJ]"""
    return rated_th * _STORE_T_PER_TH * 1000.0 * WATER_KJ_KG_K * (water_c - cold_c)


def cycles_per_hour(duty: Array, band_kj: Array | float, heat_kw: Array | float) -> Array:
    """
    Return how often an on-off burner starts. [1/h]

    A store of `band_kj` between the switch points is filled by `heat_kw * (1 - duty)` while the burner is on, and
    emptied by `heat_kw * duty` while it is off, so one cycle takes `band / (heat * duty * (1 - duty))`. Zero at no load
    and at full load; highest at half.
    """
    duty = np.clip(duty, 0.0, 1.0)
    return 3600.0 * heat_kw * duty * (1.0 - duty) / band_kj


def blow_down(salt_in: Array, wanted: Array, raw: float) -> Array:
    """
    Return the blow-down that holds the salt of the boiler's water, as a share of the steam. [-]

    Steam takes no salt with it, so `blow * wanted = salt_in + blow * raw`: `salt_in` is what comes with the water that
    replaces the steam, `raw` what each tonne of blow-down brings with the make-up that replaces it. All as
    conductivity [µS/cm], which goes with dissolved salt (GB/T 1576: 1 mg/L is 1.4 to 1.7 µS/cm).
    """
    return salt_in / np.maximum(wanted - raw, 1.0)


def deaerator_steam(
    feed_th: Array, feed_c: Array | float, condensate_th: Array, condensate_kj_kg: Array, raw_c: Array, loss_kw: float
) -> Array:
    """
    Return the steam that heats make-up and condensate to the temperature of the feed water. [t/h]

    Balance of mass and energy over a tank with a heater of mixed steam: `feed = make-up + condensate + steam`. Zero
    where the condensate is hot enough by itself. Heating steam of 0.6 MPa.
    """
    raw = WATER_KJ_KG_K * raw_c
    needed = feed_th * (water_enthalpy(feed_c) - raw) - condensate_th * (condensate_kj_kg - raw) + 3.6 * loss_kw
    return np.maximum(needed, 0.0) / (steam_enthalpy(0.6) - raw)


def feed_enthalpy(
    feed_th: Array, steam_th: Array, condensate_th: Array, condensate_kj_kg: Array, raw_c: Array, loss_kw: float
) -> Array:
    """Return the enthalpy of the feed water that the same tank gives with so much steam. [kJ/kg]"""
    raw = WATER_KJ_KG_K * raw_c
    brought = condensate_th * (condensate_kj_kg - raw) + steam_th * (steam_enthalpy(0.6) - raw) - 3.6 * loss_kw
    return raw + brought / np.maximum(feed_th, 1e-6)


def dissolved_oxygen(celsius: Array) -> Array:
    """
    Return the oxygen in water that is open to the air. [mg/L]

    Interpolated between values at sea level (9.1 at 20 °C, 4.7 at 60 °C, none where it boils), as in tables for the
    deaeration of boiler feed water.
    """
    table: Array = np.interp(
        celsius, [0, 10, 20, 40, 60, 80, 90, 95, 100], [14.6, 11.3, 9.1, 6.4, 4.7, 2.8, 1.6, 0.9, 0]
    )
    return table
