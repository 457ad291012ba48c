"""Dry-type distribution transformer: losses, winding temperature, ageing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def losses(load: Array, no_load_loss_kw: float, load_loss_kw: float) -> Array:
    """
    Return the losses at a load (apparent power over rated power). [kW]

    Source: GB/T 13462, `P0 + load² * Pk`; P0 and Pk for each size and grade stand in GB 20052. Valid at rated
    voltage and at the reference temperature of Pk (120 °C for class F).
    """
    return no_load_loss_kw + load**2 * load_loss_kw


def reactive_losses(load: Array, rated_kva: float, no_load_current: float, impedance: float) -> Array:
    """
    Return the reactive power that a transformer itself takes. [kvar]

    `no_load_current` and `impedance` are shares of rated current and voltage (0.005 and 0.06 for 10 kV dry type).
    Source: GB/T 13462, `Q0 + load² * Qk` with Q0 = I0 * S and Qk = uk * S.
    """
    return rated_kva * (no_load_current + load**2 * impedance)


def ageing_rate(hot_spot_c: Array) -> Array:
    """
    Return how fast non-upgraded paper ages: 1 at 98 °C, twice as fast for each 6 K more. [-]

    Source: IEC 60076-7:2005, equation (2), oil-immersed units, hot spots of 80 to 140 °C.
    """
    return np.exp2((np.asarray(hot_spot_c, dtype=np.float64) - 98.0) / 6.0)


def ageing_rate_upgraded(hot_spot_c: Array) -> Array:
    """
    Return how fast thermally upgraded paper ages: 1 at 110 °C. [-]

    Source: IEC 60076-7:2005, equation (3), `exp(15000/(110+273) - 15000/(hot spot + 273))`.
    """
    return np.exp(15000.0 / 383.0 - 15000.0 / (np.asarray(hot_spot_c, dtype=np.float64) + 273.0))


def ageing_rate_dry(hot_spot_c: Array, rated_hot_spot_c: float = 145.0) -> Array:
    """
    Return how fast the insulation of a dry-type unit ages: 1 at its rated hot spot, twice as fast for each 10 K. [-]

    Source: IEC 60076-12:2008, whose halving interval is 10 K; 145 °C is its rated hot spot of class F.
    """
    return np.exp2((np.asarray(hot_spot_c, dtype=np.float64) - rated_hot_spot_c) / 10.0)


@dataclass(frozen=True, slots=True)
class WindingModel:
    """
    Thermal model of a cast-resin winding, as its Pt100 in the winding shows it.

    Attributes
    ----------
    no_load_rise_k : rise over the room by core losses alone [K]
    rated_rise_k : further rise at rated load without fans [K]; class F allows 100 K in the mean (IEC 60076-11)
    exponent : rise ~ load^exponent; 1.6 for natural cooling (IEC 60076-12), losses² and convection^0.8
    fan_share : rise that is left with the fans running, as a share
    tau_s : time constant [s]
    fan_on_c, fan_off_c : the controller's switch points [°C]
    """

    no_load_rise_k: float = 14.0
    rated_rise_k: float = 78.0
    exponent: float = 1.6
    fan_share: float = 0.68
    tau_s: float = 2400.0
    fan_on_c: float = 85.0
    fan_off_c: float = 72.0


def winding_rise(load: Array, model: WindingModel) -> Array:
    """Return the steady rise of the winding over the room without fans. [K]"""
    rise: Array = model.no_load_rise_k + model.rated_rise_k * np.maximum(load, 0.0) ** model.exponent
    return rise


def winding_temperatures(
    rise_k: Array,
    room_c: Array,
    dt_s: Array,
    fans_work: Array,
    start_c: tuple[float, float, float],
    fan_start: bool,
    model: WindingModel,
) -> tuple[Array, Array]:
    """
    Follow three windings through time, with fans that the hottest of them switches.

    Parameters
    ----------
    rise_k : (n, 3) steady rise of each winding without fans [K]
    room_c : (n,) air around the transformer [°C]
    dt_s : (n,) length of the step that ends at each sample [s]
    fans_work : (n,) 1 where the fans move air when they are on, 0 where they do not [-]
    start_c, fan_start : temperatures [°C] and fan before the first step

    Returns
    -------
    (n, 3) winding temperatures [°C] and (n,) fan on or off; first order with `model.tau_s`, exact over each step.
    """
    windings = np.empty_like(rise_k)
    fan_on = np.empty(rise_k.shape[0])
    temperatures, fan = list(start_c), fan_start
    rises, rooms, steps, works = rise_k.tolist(), room_c.tolist(), dt_s.tolist(), fans_work.tolist()
    for i in range(len(rooms)):
        keep = math.exp(-steps[i] / model.tau_s)
        cooling = 1.0 - (1.0 - model.fan_share) * works[i] if fan else 1.0
        for phase in range(3):
            goal = rooms[i] + rises[i][phase] * cooling
            temperatures[phase] = goal + (temperatures[phase] - goal) * keep
        hottest = max(temperatures)
        fan = hottest > model.fan_off_c if fan else hottest > model.fan_on_c
        windings[i] = temperatures
        fan_on[i] = fan
    return windings, fan_on
