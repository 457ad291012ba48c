"""Sewage treatment: what the hospital lets go, through equalisation, aeration, membranes and disinfection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Equipment
from simulators.physics import sewage as physics
from simulators.scene import Array, Scene

_RETURNED: Final = 0.88  # share of the departments' water that comes back as sewage
_SEWER_S: Final = 1800.0
_TANK_H: Final = 8.0  # equalisation, biological stage, contact tank: hours of the rated flow
_BIOLOGY_H: Final = 7.0
_CONTACT_H: Final = 2.0
_DEAD_SHARE, _SPAN_SHARE = (
    0.2,
    0.6,
)  # of the tank: what stays in it, and what the pumps' control uses up to the rated flow
_USUAL_SHARE: Final = 0.4  # of the rated flow, on the mean of a day
_PUMP_SHARE: Final = 1.3  # of the rated flow
_INFILTRATION_SHARE: Final = 0.25
_RAIN_M2: Final = 0.15  # roof that drains into a leaky sewer, in 1000 m² for each m³/h of the rated flow
_COD, _AMMONIA = 270.0, 30.0  # of hospital sewage [mg/L]; HJ 2029-2013 gives 150 to 300, and 10 to 50
_COD_RATE, _AMMONIA_RATE = 0.42, 0.26  # of removal at 20 °C with oxygen in plenty [1/h]
_IDLE_KG_M3: Final = 0.025  # what the biology breathes for itself, for each m³/h of the rated flow [kg/h]
_OXYGEN_SET: Final = 2.8  # [mg/L]
_DIFFUSERS: Final = 0.20  # standard oxygen transfer efficiency
_MOST_AIR, _LEAST_AIR = 18.0, 1.5  # of the blowers, for each m³/h of the rated flow [Nm³/h]
_WATER_KPA: Final = 40.0  # of four metres over the diffusers
_MEMBRANE_LMH: Final = 30.0  # at the rated flow
_MEMBRANE_CLEAN: Final = 0.75  # [kPa per L/(m²·h)]
_MOST_SUCTION_KPA: Final = 55.0
_CLEANED_S: Final = 90 * 86400.0  # between two chemical cleanings
_CHLORINE_SET: Final = 4.8  # [mg/L]
_CHLORINE_DECAY: Final = 0.1  # of combined chlorine at 20 °C [1/h]
_SOLUTION_G_L: Final = 100.0  # sodium hypochlorite of ten percent
_DAYS_OF_CHLORINE: Final = 12.0  # that the tank holds at the rated flow
_POWER_FACTOR: Final = 0.83
_SQRT3: Final = float(np.sqrt(3.0))


def run(scene: Scene) -> None:
    """Work out every sewage plant; several share what comes."""
    plants = list(scene.each("sewage_plant"))
    if not plants:
        return
    water = np.sum([d.water_m3h for d in scene.demand.values()], axis=0) if scene.demand else scene.zeros()
    drained = np.sum([scene.zeros(), *scene.sewage.values()], axis=0) + _RETURNED * water
    for item in plants:
        _run_plant(scene, item, drained / len(plants))


@dataclass(frozen=True, slots=True)
class _Line:
    """The water's way: flows [m³/h], content of the equalisation tank as a share, and membrane resistance."""

    inflow: Array
    outflow: Array
    level: Array
    resistance: Array
    infiltration: Array
    water_c: Array


def _run_plant(scene: Scene, item: Equipment, drained: Array) -> None:
    rated = item.rating.get("capacity", 50.0)
    line = _hydraulics(scene, item, drained, rated)
    cod_in, ammonia_in, ph = _influent(scene, item, line)
    blower_kw, cod = _biology(scene, item, line, cod_in, ammonia_in, ph, rated)
    _disinfect(scene, item, line, cod, rated)
    _show_gases(scene, item)
    _show_sludge(scene, item, line, cod_in - cod, rated)
    flux = line.outflow / rated * _MEMBRANE_LMH
    suction = physics.membrane_pressure(flux, line.resistance, line.water_c)
    scene.put(item, "membrane_flux", flux, 0.05)
    scene.put(item, "membrane_pressure", suction, 0.15)
    # Lifting over ten metres, membrane suction and recirculation, and what always runs: mixers, odour fans, lights.
    pumps_kw = line.outflow * (10.0 / 367.0 / 0.5 + suction / 3600.0 / 0.4 + 0.12)
    power = blower_kw + pumps_kw + 0.06 * rated
    scene.draw(item, power, _POWER_FACTOR)
    scene.count(item, "energy_import", power)
    scene.put(item, "uplink", 1.0)


def _hydraulics(scene: Scene, item: Equipment, drained: Array, rated: float) -> _Line:
    cracked = np.asarray(scene.fault("SW-F12", item))
    infiltration = cracked * rated * (_INFILTRATION_SHARE + _RAIN_M2 * scene.rain_mm_h)
    inflow = scene.lag(f"{item.id}/sewer", drained, _SEWER_S) + infiltration
    # Hot taps, dishes and people warm the sewage; the ground keeps it.
    water_c = scene.lag(f"{item.id}/water", 0.55 * scene.mains_c + 0.45 * 24.0, 12 * 3600.0)
    age = np.mod(scene.span.time_us / 1e6 + scene.own(f"{item.id}|cleaned", 0.0, _CLEANED_S), _CLEANED_S) / _CLEANED_S
    fouled = np.asarray(scene.fault("SW-F09", item))
    resistance = _MEMBRANE_CLEAN * (1.0 + 0.35 * age) * (1.0 + 3.0 * fouled)
    passes = _MOST_SUCTION_KPA / physics.membrane_pressure(np.ones(1), resistance, water_c) / _MEMBRANE_LMH * rated
    clogged = np.asarray(scene.fault("SW-F07", item))
    most = np.minimum(_PUMP_SHARE * rated * (1.0 - clogged) * (1.0 - 0.5 * clogged), passes)
    volume = _TANK_H * rated
    name = f"{item.id}/equalisation_level"
    start_percent = scene.memory.get(name, 100.0 * (_DEAD_SHARE + _SPAN_SHARE * _USUAL_SHARE))
    outflow, content, _ = physics.equalise(
        np.broadcast_to(inflow, (len(scene),)),
        np.broadcast_to(most, (len(scene),)),
        scene.span.dt_s,
        start_percent / 100.0 * volume,
        volume,
        volume * _DEAD_SHARE,
        _SPAN_SHARE * _TANK_H,
    )
    scene.memory[name] = float(content[-1]) / volume * 100.0
    scene.put(item, "inlet_flow", inflow, 0.01 * rated)
    scene.put(item, "outlet_flow", outflow, 0.004 * rated)
    scene.count(item, "volume_total", outflow)
    scene.put(item, "screen_level", 0.55 + 0.45 * np.sqrt(inflow / rated), 0.01)
    scene.put(item, "equalisation_level", content / volume * 100.0, 0.2)
    scene.put(item, "contact_level", 2.75 + 0.3 * (outflow / rated) ** 0.67, 0.005)
    scene.put(item, "water_temperature", water_c, 0.05)
    scene.put(item, "lift_pump_running", outflow > 0.02 * rated)
    scene.put(item, "lift_pump_fault", clogged > 0.6)
    return _Line(inflow, outflow, content / volume, resistance, infiltration, water_c)


def _influent(scene: Scene, item: Equipment, line: _Line) -> tuple[Array, Array, Array]:
    """Return COD, ammonia nitrogen [mg/L] and pH behind the equalisation tank, which mixes what comes over hours."""
    day = 1.0 + 0.18 * np.sin((scene.span.hour - 7.0) * np.pi / 12.0)
    diluted = 1.0 - line.infiltration / np.maximum(line.inflow, 1e-6)
    shock = np.asarray(scene.fault("SW-F05", item))
    wander = scene.wander(f"{item.id}|load", 6 * 3600.0)
    cod = _COD * day * (1.0 + 0.08 * wander) * (1.0 + 1.6 * shock) * diluted
    ammonia = _AMMONIA * day * (1.0 + 0.08 * wander) * (1.0 + 0.5 * shock) * diluted
    # Lye of the laundry or acid of the laboratory that nobody neutralised.
    ph = 7.5 + 0.12 * scene.wander(f"{item.id}|ph", 5400.0) + 2.8 * np.asarray(scene.fault("SW-F04", item))
    scene.put(item, "inlet_ph", ph, 0.02)
    mixed_s = 0.5 * _TANK_H * 3600.0
    return (
        scene.lag(f"{item.id}/cod", cod, mixed_s),
        scene.lag(f"{item.id}/ammonia", ammonia, mixed_s),
        scene.lag(f"{item.id}/ph", ph, mixed_s),
    )


def _biology(
    scene: Scene, item: Equipment, line: _Line, cod_in: Array, ammonia_in: Array, ph: Array, rated: float
) -> tuple[Array, Array]:
    """Return the blower's power [kW], and COD behind the biology [mg/L]."""
    hours = _BIOLOGY_H * rated / np.maximum(line.outflow, 0.05 * rated)
    shock = np.asarray(scene.fault("SW-F05", item))
    vigour = 1.06 ** (line.water_c - 20.0) * np.clip(1.0 - 0.4 * np.maximum(np.abs(ph - 7.4) - 1.0, 0.0), 0.1, 1.0)
    vigour = vigour * (1.0 - 0.35 * shock)
    plenty_cod = physics.left_over(_COD_RATE * vigour, hours)
    plenty_ammonia = physics.left_over(_AMMONIA_RATE * vigour, hours)
    # A step whose water stands has nothing to remove but lives on.
    demand = physics.oxygen_demand(
        line.outflow, cod_in * (1.0 - plenty_cod), ammonia_in * (1.0 - plenty_ammonia), _IDLE_KG_M3 * rated
    )
    saturation = physics.oxygen_saturation(line.water_c)
    slack, clogged = np.asarray(scene.fault("SW-F06", item)), np.asarray(scene.fault("SW-F16", item))
    manual = scene.fault("SW-F10", item)

    def aerate(dirty: Array | float, by_hand: Array | float) -> tuple[Array, Array, Array]:
        """Return air [Nm³/h], its pressure [kPa] and its power [kW] with diffusers so dirty, and so left in manual."""
        efficiency = _DIFFUSERS * (1.0 - 0.3 * dirty)
        wanted = physics.transfer_for(_OXYGEN_SET, saturation, demand)
        needed = wanted / physics.transfer(np.ones(1), efficiency, line.water_c)
        held = np.clip(needed, _LEAST_AIR * rated, _MOST_AIR * rated)
        air = (held + by_hand * (_MOST_AIR * rated - held)) * np.clip(1.0 - slack, 0.0, 1.0)
        loss = (4.0 + 45.0 * dirty) * (air / (_MOST_AIR * rated)) ** 2 + 7.0 * dirty
        pressure = np.where(air > 0.0, _WATER_KPA + loss, 0.0)
        return air, pressure, physics.blower_power(air, pressure)

    air, pressure, power = aerate(clogged, manual)
    if not isinstance(manual, float):
        scene.waste("SW-F10", item, power - aerate(clogged, 0.0)[2])
    if clogged.ndim:
        scene.waste("SW-F16", item, power - aerate(0.0, manual)[2])
    brought = physics.transfer(air, _DIFFUSERS * (1.0 - 0.3 * clogged), line.water_c)
    oxygen = scene.lag(
        f"{item.id}/oxygen", np.where(air > 0.0, physics.dissolved_oxygen(brought, saturation, demand), 0.05), 1500.0
    )
    shown = oxygen * (1.0 + 0.05 * scene.wander(f"{item.id}|oxygen", 900.0))
    breath = physics.breathing(oxygen)
    mixed_s = _BIOLOGY_H * 3600.0
    cod = scene.lag(f"{item.id}/cod_out", cod_in * physics.left_over(_COD_RATE * vigour * breath, hours), mixed_s)
    ammonia = scene.lag(
        f"{item.id}/ammonia_out", ammonia_in * physics.left_over(_AMMONIA_RATE * vigour * breath, hours), mixed_s
    )
    _show_analysers(scene, item, cod, ammonia)
    scene.put(item, "dissolved_oxygen", shown, 0.03)
    scene.put(item, "blower_running", air > 0.02 * rated)
    scene.put(item, "blower_pressure", pressure, 0.2)
    scene.put(item, "blower_current", power / (_SQRT3 * 0.38 * _POWER_FACTOR), 0.1)
    scene.put(item, "outlet_ph", ph - 0.25 * breath + 0.1, 0.02)
    scene.put(item, "suspended_solids", 14.0 + 0.05 * cod + 1.5 * scene.wander(f"{item.id}|solids", 3600.0), 0.4)
    return power, cod


def _show_analysers(scene: Scene, item: Equipment, cod: Array, ammonia: Array) -> None:
    """
    Show what the analysers of COD and ammonia measure: the water in their cell.

    One whose sampling pump stands keeps the water that it has, and its reagent grows weaker.
    """
    stands = np.broadcast_to(np.asarray(scene.fault("SW-F11", item)), (len(scene),))
    fresh = stands <= 0.0
    last = np.maximum.accumulate(np.where(fresh, np.arange(len(scene)), -1))
    for point, water, sigma in (("cod", cod, 0.6), ("ammonia_nitrogen", ammonia, 0.12)):
        name = f"{item.id}/cell_{point}"
        held = scene.memory.get(name, float(water[0]))
        cell = np.where(last >= 0, water[np.maximum(last, 0)], held)
        scene.memory[name] = float(cell[-1])
        scene.put(item, point, cell * (1.0 - 0.4 * stands), np.where(fresh, sigma, 0.0))
    scene.put(item, "analyser_fault", stands > 0.5)


def _disinfect(scene: Scene, item: Equipment, line: _Line, cod: Array, rated: float) -> None:
    contact_m3 = item.rating.get("contact_volume", _CONTACT_H * rated)
    hours = contact_m3 / np.maximum(line.outflow, 0.05 * rated)
    instant = 1.5 + 0.03 * cod
    # The controller doses by flow and residual; it knows the water's demand but for what has changed of late.
    kept = physics.residual_chlorine(instant + 1.0, instant, _CHLORINE_DECAY, hours, line.water_c)
    wanted = instant + _CHLORINE_SET / kept * (1.0 + 0.06 * scene.wander(f"{item.id}|dose", 2700.0))
    failed, manual = np.asarray(scene.fault("SW-F01", item)), np.asarray(scene.fault("SW-F02", item))
    dose = wanted * (1.0 + 1.1 * manual) * np.clip(1.0 - failed, 0.0, 1.0)
    left = physics.residual_chlorine(dose, instant, _CHLORINE_DECAY, hours, line.water_c)
    chlorine = scene.lag(f"{item.id}/chlorine", left, 0.7 * _CONTACT_H * 3600.0)
    solution_lh = dose * line.outflow / _SOLUTION_G_L
    tank_l = 0.14 * rated * 24.0 * _DAYS_OF_CHLORINE
    name = f"{item.id}/dosing_tank_level"
    tank = physics.stock(
        scene.memory.get(name, scene.own(name, 45.0, 90.0)),
        solution_lh * scene.span.dt_s / 3600.0 / tank_l * 100.0,
        40.0,
        95.0,
        np.abs(scene.span.hour - 10.0) < 1.0,
    )
    scene.memory[name] = float(tank[-1])
    scene.put(item, "total_chlorine", chlorine, 0.04)
    scene.put(item, "dosing_flow", solution_lh, 0.003 * rated)
    scene.put(item, "dosing_running", solution_lh > 0.0)
    scene.put(item, "dosing_tank_level", tank, 0.1)
    scene.put(item, "chlorine_gas", 0.02 + 0.01 * scene.wander(f"{item.id}|chlorine", 3600.0), 0.003)


def _show_gases(scene: Scene, item: Equipment) -> None:
    """Gases that tanks give off build up as ventilation fails: `concentration = release / ventilation`."""
    still = np.asarray(scene.fault("SW-F13", item))
    thick = scene.lag(
        f"{item.id}/gases", (1.0 + 2.0 * still) / (0.06 + 0.94 * (1.0 - still) ** 2) * np.ones(len(scene)), 600.0
    )
    usual = 1.0 + 0.15 * scene.wander(f"{item.id}|gases", 3600.0)
    scene.put(item, "hydrogen_sulphide", 0.45 * thick * usual, 0.03)
    scene.put(item, "methane", 0.6 * thick * usual, 0.05)
    scene.put(item, "oxygen", 20.9 - 0.035 * thick, 0.02)


def _show_sludge(scene: Scene, item: Equipment, line: _Line, removed: Array, rated: float) -> None:
    """Sludge fills its hopper, 0.3 kg dry for each kg of COD removed; on a working morning a lorry takes it away."""
    name = f"{item.id}/sludge_level"
    # About three weeks from empty to full at the rated flow.
    rise_m = line.outflow / rated * removed / 250.0 * scene.span.dt_s / (21.0 * 86400.0) * 1.3
    morning = scene.span.workday & (np.abs(scene.span.hour - 9.5) < 1.0)
    level = physics.stock(scene.memory.get(name, scene.own(name, 0.3, 1.2)), -rise_m, 1.3, 0.2, morning)
    scene.memory[name] = float(level[-1])
    scene.put(item, "sludge_level", level, 0.01)
