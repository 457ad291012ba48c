"""What steam and hot-water boilers have in common: a gas burner that modulates, cycles, and can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.site import Equipment
from simulators.physics import boiler as physics
from simulators.physics import combustion
from simulators.physics.combustion import NATURAL_GAS
from simulators.scene import Array, Scene

LEAST_FIRE: Final = 0.25  # turn-down 1 to 4
POWER_FACTOR: Final = 0.84
_GAS_KPA: Final = 22.0
_DEPOSIT: Final = 0.010  # scale and soot of a badly fouled boiler [m²·K/W]
_ECONOMISER_NTU: Final = 1.9
_USUAL_OXYGEN: Final = 3.5
_NONE: Final = np.zeros(1)

Ills = Callable[[str, Equipment], Array]


@dataclass(frozen=True, slots=True)
class Fire:
    """
    How a boiler burns.

    Attributes
    ----------
    duty : share of the time in which it burns [-]
    fire : heat while it burns, over that at full fire [-]
    flue_c, left_c : flue gas behind the boiler, and behind the economiser if there is one [°C]
    oxygen, co_ppm : in the dry flue gas
    gas_nm3h : gas in the mean [Nm³/h]
    starts : how often it starts [1/h]
    """

    duty: Array
    fire: Array
    flue_c: Array
    left_c: Array
    oxygen: Array
    co_ppm: Array
    gas_nm3h: Array
    starts: Array


@dataclass(frozen=True, slots=True)
class Burner:
    """
    A boiler as its burner sees it.

    Attributes
    ----------
    full_kw : heat into the water at full fire [kW]
    water_c, air_c, feed_c : water in the boiler, air in its room, and what comes to the economiser (None: it has none)
    band_kj : heat between the points at which the burner goes on and off [kJ]
    noise : how the oxygen (% of volume) and the flue gas (K) wander
    """

    full_kw: float
    water_c: Array
    air_c: Array
    feed_c: Array | None
    band_kj: Array
    noise: tuple[Array, Array]

    def burn(self, item: Equipment, heat_kw: Array, ills: Ills) -> Fire:
        """
        Return the fire that brings so much heat into the water.

        Below its turn-down a burner goes on and off; above it, it follows the load. One that has lost its turn-down
        only knows full fire and none.
        """
        load = heat_kw / self.full_kw
        fire = np.clip(load, LEAST_FIRE + (1.0 - LEAST_FIRE) * ills("BO-F15", item), 1.1)
        duty = np.minimum(load / fire, 1.0)
        # Less air than the gas needs leaves no oxygen; more than its fan gives cannot be.
        oxygen = 5.0 - 1.6 * fire + self.noise[0] + 7.0 * ills("BO-F07", item) - 4.0 * ills("BO-F08", item)
        oxygen = np.maximum(oxygen, 0.4)
        co_ppm = combustion.carbon_monoxide(oxygen)
        flame = combustion.flame_temperature(self.air_c, oxygen)
        flue_share = fire * combustion.wet_flue_gas(oxygen) / combustion.wet_flue_gas(np.array(_USUAL_OXYGEN))
        deposit = _DEPOSIT * ills("BO-F05", item)
        units = physics.transfer_units(flue_share, flame, deposit)
        flue = physics.flue_after_surface(flame, self.water_c, units) + self.noise[1]
        left = flue
        if self.feed_c is not None:
            reached = 1.0 - 0.8 * ills("BO-F06", item)
            units = physics.economiser_units(_ECONOMISER_NTU * reached, flue_share, deposit)
            left, _ = physics.economiser(flue, self.feed_c, units, 0.29 * flue_share / fire)
        efficiency = physics.efficiency(left, self.air_c, oxygen, co_ppm)
        starts = physics.cycles_per_hour(duty, self.band_kj, fire * self.full_kw)
        purges_kw = starts / 3600.0 * physics.purge_loss(self.full_kw, self.water_c, self.air_c)
        gas = physics.gas_flow(heat_kw + purges_kw, efficiency)
        return Fire(duty, fire, flue, left, oxygen, co_ppm, gas, starts)


def cycle(scene: Scene, item: Equipment, fire: Fire) -> tuple[Array, Array]:
    """
    Turn the burner on and off.

    Returns burning (0 or 1), and where in its band the store stands: from -0.5 when the burner lights to 0.5 when it
    goes out, 0 where it burns through or not at all.
    """
    phase = scene.memory.get(f"{item.id}/phase", 0.0) + np.cumsum(fire.starts * scene.span.dt_s / 3600.0)
    scene.memory[f"{item.id}/phase"] = float(phase[-1] % 1.0)
    place = phase % 1.0
    cycling = (fire.duty > 0.0) & (fire.duty < 1.0)
    on = place < fire.duty
    rising = place / np.maximum(fire.duty, 1e-6)
    falling = 1.0 - (place - fire.duty) / np.maximum(1.0 - fire.duty, 1e-6)
    burning = np.where(cycling, on, fire.duty > 0.0).astype(np.float64)
    return burning, np.where(cycling, np.where(on, rising, falling) - 0.5, 0.0)


def lit_share(scene: Scene, fire: Fire, burning: Array) -> Array:
    """Return the share of each step in which it burns: in the mean where a step is long beside a cycle. [-]"""
    return np.where(fire.starts * scene.span.dt_s > 0.2 * 3600.0, fire.duty, burning)


def shares(
    scene: Scene, boilers: Sequence[Equipment], ratings: Sequence[float], demand: Array, able: dict[str, Array]
) -> tuple[dict[str, Array], Array]:
    """
    Share a demand among boilers, and return what none of them can give.

    The lead boiler is fired to 85 % of its rating, then the next one joins; the lead changes over every week. A boiler
    that is not `able` (0 of 0 to 1) is passed over.
    """
    each = {item.id: scene.zeros() for item in boilers}
    left = np.array(np.broadcast_to(demand, (len(scene),)))
    week = scene.span.week
    for begin, end in pairwise([0, *(np.flatnonzero(np.diff(week)) + 1).tolist(), len(scene)]):
        lead = int(week[begin]) % len(boilers)
        for most_share in (0.85, 0.2):  # the last fifth is for when all of them are needed
            for rank in (*range(lead, len(boilers)), *range(lead)):
                name = boilers[rank].id
                given = np.minimum(left[begin:end], most_share * ratings[rank] * able[name][begin:end])
                each[name][begin:end] += given
                left[begin:end] -= given
    return each, left


def locked_out(scene: Scene, item: Equipment) -> NDArray[np.bool_]:
    """Return whether the flame guard has locked the burner out."""
    locked: NDArray[np.bool_] = np.broadcast_to(np.asarray(scene.fault("BO-F04", item)) > 0.0, (len(scene),))
    return locked


def show(
    scene: Scene, item: Equipment, fire: Fire, burning: Array, rated_nm3h: float, idle_c: Array, power_kw: Array
) -> None:
    """Show what belongs to the burner; `idle_c` is what the flue cools towards while it does not burn."""
    lit = burning > 0.5
    # Fresh air fills a boiler that does not burn.
    left = scene.lag(f"{item.id}/flue", np.where(lit, fire.left_c, idle_c), 240.0)
    scene.put(item, "economiser_flue_temperature", left, 0.3)
    scene.put(item, "flue_temperature", left + np.where(lit, fire.flue_c - fire.left_c, 0.0), 0.4)
    scene.put(item, "flue_oxygen", np.where(lit, fire.oxygen, 20.8), 0.04)
    scene.put(item, "flue_co", np.where(lit, fire.co_ppm, 2.0), np.where(lit, 1.0 + 0.01 * fire.co_ppm, 0.5))
    scene.put(item, "flue_nox", np.where(lit, 62.0 - 2.5 * (fire.oxygen - 3.5), 3.0), 1.0)
    scene.put(item, "furnace_pressure", np.where(lit, 120.0 + 420.0 * fire.fire, 5.0), 6.0)
    gas_now = np.where(fire.duty > 0.0, fire.gas_nm3h / np.maximum(fire.duty, 0.05), 0.0) * burning
    scene.put(item, "gas_flow", gas_now, 0.004 * rated_nm3h * lit)
    scene.count(item, "gas_total", fire.gas_nm3h)
    main_kpa = _GAS_KPA + 0.3 * scene.wander("gas|pressure", 900.0)
    scene.put(item, "gas_pressure", main_kpa - 1.5 * fire.fire * burning, 0.05)
    scene.put(item, "firing_rate", 100.0 * np.minimum(fire.fire, 1.0) * burning, 0.2 * lit)
    scene.put(item, "burner_running", burning)
    scene.put(item, "flame", burning)
    scene.put(item, "lockout", locked_out(scene, item))
    scene.count(item, "burner_starts", fire.starts)
    scene.count(item, "run_hours", fire.duty)
    scene.put(item, "gas_leak", np.abs(0.4 * scene.wander(f"{item.id}|lel", 600.0)) + 0.6 * leak_lel(scene), 0.1)
    scene.put(item, "room_co", 1.2 + 0.3 * scene.wander(f"{item.id}|co", 900.0), 0.1)
    scene.put(item, "active_power", power_kw, 0.05)
    scene.count(item, "energy_import", power_kw)
    scene.draw(item, power_kw, POWER_FACTOR)
    scene.gas[item.id] = fire.gas_nm3h


def rated_gas(full_kw: float) -> float:
    """Return the gas that full fire takes. [Nm³/h]"""
    return 3600.0 * full_kw / (0.95 * NATURAL_GAS.heating_value)


def leak_lel(scene: Scene) -> Array:
    """Return what a detector at the gas train shows of all leaks: about 12 %LEL for 1 Nm³/h beside it. [%LEL]"""
    leak = _NONE
    for meter in scene.each("gas_meter"):
        leak = leak + leaking(scene, meter)
    return 12.0 * leak


def leaking(scene: Scene, meter: Equipment) -> Array:
    """Return the gas that escapes behind a meter. [Nm³/h]"""
    return 3.0 * np.asarray(scene.fault("BO-F21", meter))


def run_gas_meters(scene: Scene) -> None:
    """Every meter counts what burns below it: boilers, kitchens, and what escapes."""
    meters = {m.id: m for m in scene.each("gas_meter")}
    for name in sorted(meters, key=lambda n: len(scene.site.upstream(n)), reverse=True):
        item = meters[name]
        flow = scene.zeros()
        for below in scene.site.feeds(name):
            flow = flow + scene.gas.get(below, _NONE)
        for department in item.serves.latest:
            flow = flow + scene.demand[department].gas_nm3h
        leak = leaking(scene, item)
        scene.waste("BO-F21", item, leak)
        flow = flow + leak
        scene.gas[name] = flow
        rated = item.rating.get("flow", 400.0)
        # A worn meter lets a share of the gas slip past its rotor.
        counted = flow * (1.0 - 0.08 * np.asarray(scene.fault("BO-F22", item)))
        scene.put(item, "flow", counted, 0.002 * rated)
        scene.count(item, "volume_total", counted)
        main_kpa = _GAS_KPA + 3.0 + 0.3 * scene.wander("gas|pressure", 900.0)
        scene.put(item, "pressure", main_kpa - 1.2 * flow / rated, 0.05)
        scene.put(item, "temperature", 0.6 * scene.outdoor_c + 6.0, 0.1)
        nearby = scene.lag(f"{name}/lel", 12.0 * leak, 20.0)
        scene.put(item, "gas_leak", np.abs(0.5 * scene.wander(f"{name}|lel", 600.0)) + nearby, 0.1)
