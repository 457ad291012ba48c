"""
Faults that can be switched on and off in the simulated hospital, by the IDs of the project's domain sheet.

A fault is a change of the physics, not a value pasted over a point: the catalogue says what it does and on which points
it shows; the plant modules ask `FaultBook.severity` and act on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.names import Names
from facility.site import Equipment, Site
from facility.wording import nearest

Array = NDArray[np.float64]


class UnknownFault(ValueError):
    """A fault that is not in the catalogue, or that this machine cannot have; the text says which ones there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One kind of fault.

    Attributes
    ----------
    id : ID of the domain sheet, such as MG-F02
    name : what a person calls it
    classes : equipment classes that can have it
    onset_s : time from the start to full severity; 0 is sudden [s]
    effect : what it changes in the physics
    points : where it shows, points of the faulty machine first
    waste_unit : unit of the true waste that is counted while it lasts; empty if it wastes nothing that is counted
    life_safety : whether patients depend on it
    """

    id: str
    name: Names
    classes: tuple[str, ...]
    onset_s: float
    effect: str
    points: tuple[str, ...]
    waste_unit: str = ""
    life_safety: bool = False


def _fault(
    id_: str,
    zh: str,
    en: str,
    classes: str,
    onset_s: float,
    effect: str,
    points: str,
    waste_unit: str = "",
    life_safety: bool = False,
) -> Fault:
    return Fault(
        id_,
        Names(zh=zh, en=en),
        tuple(classes.split()),
        onset_s,
        effect,
        tuple(points.split()),
        waste_unit,
        life_safety,
    )


_HOUR, _DAY = 3600.0, 86400.0

CATALOGUE: Final[Mapping[str, Fault]] = {
    fault.id: fault
    for fault in (
        _fault(
            "EL-F03", "变压器过负荷", "Transformer overload", "dry_type_transformer", 600.0,
            "another board is switched over to it: load up to 70 % of its rating more",
            "active_power reactive_power apparent_power current_a current_b current_c winding_temperature_a "
            "winding_temperature_b winding_temperature_c",
        ),
        _fault(
            "EL-F04", "变压器冷却风机故障", "Cooling failure", "dry_type_transformer", 120.0,
            "fans move no air and the ducts are blocked: the rise over the room grows by up to 90 %",
            "winding_temperature_a winding_temperature_b winding_temperature_c core_temperature",
        ),
        _fault(
            "EL-F05", "单相绕组过热", "One winding hot", "dry_type_transformer", 2 * _HOUR,
            "a loose tap on phase B: its rise grows by up to 60 %",
            "winding_temperature_b",
        ),
        _fault(
            "EL-F06", "接头过热", "Overheating joint", "lv_feeder", _HOUR,
            "contact resistance of the joint of phase A grows to up to eleven times",
            "joint_temperature_a",
        ),
        _fault(
            "EL-F13", "功率因数偏低（电容器退出）", "Low power factor, bank off", "capacitor_bank", 0.0,
            "the controller is left in manual and its steps are switched off, in the share of the severity",
            "steps_on reactive_power current_a current_b current_c power_factor auto", "kvarh",
        ),
        _fault(
            "EL-F23", "发电机未处于自动", "Generator not in AUTO", "diesel_generator", 0.0,
            "left in OFF after service: heater and charger are off too, so coolant and battery decay",
            "mode coolant_temperature battery_voltage", "", True,
        ),
        _fault(
            "BO-F05", "受热面结垢", "Fouled heating surface", "gas_steam_boiler", 10 * _DAY,
            "flue gas leaves up to 60 K hotter",
            "flue_temperature gas_flow", "Nm³",
        ),
        _fault(
            "BO-F07", "过量空气偏大", "Excess air", "gas_steam_boiler", 300.0,
            "the air damper slips: up to 7 points more oxygen in the flue gas, and more flue gas to heat",
            "flue_oxygen flue_temperature gas_flow", "Nm³",
        ),
        _fault(
            "BO-F15", "锅炉频繁启停", "Boiler short-cycling", "gas_steam_boiler", 60.0,
            "the pressure switch's band shrinks to as little as an eighth: many starts, each with a purge that cools",
            "burner_starts burner_running steam_pressure gas_flow", "Nm³",
        ),
        _fault(
            "BO-F21", "燃气泄漏", "Gas leak", "gas_meter", 120.0,
            "a flange leaks up to 3 Nm³/h into the boiler room",
            "gas_leak flow", "Nm³",
        ),
        _fault(
            "MG-F01", "供氧压力低", "Line pressure low, all zones", "oxygen_outlet_station", 30.0,
            "the station's regulator sticks: outlet pressure falls by up to 40 %",
            "outlet_pressure", "", True,
        ),
        _fault(
            "MG-F02", "分区氧压低", "Pressure low in one zone", "oxygen_pipeline_zone", 20.0,
            "the zone's valve is turned shut, to 3 % of its opening at full severity",
            "pressure flow", "", True,
        ),
        _fault(
            "MG-F07", "氧气泄漏", "Oxygen leak", "oxygen_pipeline_zone", 0.0,
            "a hose coupling or open flowmeter lets up to 4 Nm³/h escape, day and night",
            "flow oxygen_total", "Nm³",
        ),
        _fault(
            "MG-F09", "制氧浓度低", "PSA concentration low", "psa_oxygen_generator", 600.0,
            "moisture takes up to 45 % of the sieve's capacity; what is under 90.5 % is blown off, the tank takes over",
            "oxygen_purity dew_point outlet_flow", "", True,
        ),
        _fault(
            "MG-F10", "制氧单耗升高", "PSA specific energy high", "psa_oxygen_generator", _DAY,
            "a switching valve vents: up to 45 % more power for the same oxygen",
            "active_power compressor_current", "kWh",
        ),
        _fault(
            "PU-F01", "水泵汽蚀", "Cavitation", "pump", 60.0,
            "the strainer clogs: its drop takes the inlet towards the vapour pressure and chokes the flow",
            "inlet_pressure outlet_pressure flow strainer_differential vibration_velocity vibration_acceleration_1 "
            "vibration_acceleration_2",
        ),
        _fault(
            "PU-F04", "叶轮磨损", "Worn impeller", "pump", 20 * _DAY,
            "head falls by up to 12 % and efficiency by up to 15 points at equal flow and speed",
            "frequency active_power", "kWh",
        ),
        _fault(
            "PU-F06", "轴承缺陷", "Bearing defect", "pump", 6 * _HOUR,
            "the drive-end bearing spalls: envelope first, then velocity, temperature last",
            "vibration_envelope vibration_acceleration_1 vibration_velocity bearing_temperature_de",
        ),
        _fault(
            "PU-F13", "变频器锁定50Hz", "Drive stuck at 50 Hz", "pump", 0.0,
            "the drive is left in manual at 50 Hz and the flow is throttled by the control valves",
            "frequency active_power outlet_pressure auto", "kWh",
        ),
        _fault(
            "WS-F01", "水管爆裂", "Burst main", "water_meter", 10.0,
            "up to 25 m³/h escape and the pressure falls",
            "flow pressure volume_total", "m³",
        ),
        _fault(
            "WS-F02", "管网慢漏", "Slow leak", "water_meter", 10 * _DAY,
            "a joint weeps up to 1.2 m³/h, day and night",
            "flow volume_total", "m³",
        ),
        _fault(
            "WS-F03", "长流水", "Running tap", "water_meter", 0.0,
            "taps or flush valves are left open: up to 0.9 m³/h, day and night",
            "flow volume_total", "m³",
        ),
    )
}  # fmt: skip


@dataclass(slots=True)
class FaultEvent:
    """
    One fault of one machine over a stretch of time.

    `severity`, above 0 and up to 1, is reached `onset_s` after `start_us`; at `end_us` (None: not yet) it is mended.
    `waste` is what it has truly wasted so far, in the fault's `waste_unit`.
    """

    fault: str
    equipment: str
    severity: float
    start_us: int
    onset_s: float
    end_us: int | None = None
    waste: float = field(default=0.0, compare=False)

    def at(self, time_us: NDArray[np.int64]) -> Array:
        """Return how bad the fault is at each time, 0 to `severity`. [-]"""
        since_s = (time_us - self.start_us) / 1e6
        grown = np.clip(since_s / self.onset_s, 0.0, 1.0) if self.onset_s > 0 else (since_s >= 0).astype(np.float64)
        if self.end_us is not None:
            grown = np.where(time_us < self.end_us, grown, 0.0)
        return self.severity * grown


def find_fault(fault_id: str) -> Fault:
    """Return a fault of the catalogue; `UnknownFault` names the nearest one."""
    fault = CATALOGUE.get(fault_id.strip().upper())
    if fault is None:
        raise UnknownFault(f"fault {fault_id!r} is not in the catalogue{nearest(fault_id.upper(), CATALOGUE)}")
    return fault


def faults_of(equipment: Equipment) -> tuple[Fault, ...]:
    """Return the faults that a machine can have."""
    return tuple(f for f in CATALOGUE.values() if equipment.cls.id in f.classes)


class FaultBook:
    """All faults that were, are or will be in a site's machines. Safe to use from several threads."""

    def __init__(self, site: Site, events: Iterable[FaultEvent] = ()) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], list[FaultEvent]] = {}
        for event in events:
            self.add(event)

    def check(self, fault_id: str, equipment_id: str) -> Fault:
        """Return the fault if this machine can have it; `UnknownFault` says what is wrong."""
        fault = find_fault(fault_id)
        item = self._site.equipment.get(equipment_id)
        if item is None:
            raise UnknownFault(f"no equipment is called {equipment_id!r}{nearest(equipment_id, self._site.equipment)}")
        if item.cls.id not in fault.classes:
            able = ", ".join(e.id for e in self._site.equipment.values() if e.cls.id in fault.classes)
            owners = f"it belongs to {able}" if able else "no machine here can"
            raise UnknownFault(f"{equipment_id!r} is a {item.cls.id} and cannot have {fault.id}; {owners}")
        return fault

    def add(self, event: FaultEvent) -> None:
        """Enter an event, past or to come; UnknownFault if its machine cannot have it, ValueError for its severity."""
        fault = self.check(event.fault, event.equipment)
        if not 0.0 < event.severity <= 1.0:
            raise ValueError(f"severity {event.severity:g} is not above 0 and up to 1")
        if event.end_us is not None and event.end_us <= event.start_us:
            raise ValueError(f"{fault.id} of {event.equipment} would end before it starts")
        with self._lock:
            self._events.setdefault((fault.id, event.equipment), []).append(event)

    def end(self, fault_id: str, equipment_id: str, time_us: int) -> list[FaultEvent]:
        """End what is on, or would come on later; return those that were on. `UnknownFault` as for `check`."""
        fault = self.check(fault_id, equipment_id)
        key = (fault.id, equipment_id)
        with self._lock:
            mine = self._events.get(key, [])
            ended = [e for e in mine if e.start_us <= time_us and (e.end_us is None or e.end_us > time_us)]
            for event in ended:
                event.end_us = max(time_us, event.start_us + 1)
            self._events[key] = [e for e in mine if e.start_us <= time_us]
        return ended

    def severity(self, fault_id: str, equipment_id: str, time_us: NDArray[np.int64]) -> Array | float:
        """Return how bad a fault is at each time (the worst of its events), or 0.0 where there is none at all."""
        events = self._events.get((fault_id, equipment_id))
        if not events:
            return 0.0
        first, last = int(time_us[0]), int(time_us[-1])
        worst: Array | float = 0.0
        for event in events:
            if event.start_us <= last and (event.end_us is None or event.end_us > first):
                worst = np.maximum(worst, event.at(time_us))
        return worst

    def charge(self, fault_id: str, equipment_id: str, amount: float, first_us: int, last_us: int) -> None:
        """Count true waste to the event that was on at some time of a stretch."""
        for event in self._events.get((fault_id, equipment_id), ()):
            if event.start_us <= last_us and (event.end_us is None or event.end_us > first_us):
                event.waste += amount
                return

    def events(self) -> Sequence[FaultEvent]:
        """Return all events, in the order of their start."""
        with self._lock:
            return sorted((e for mine in self._events.values() for e in mine), key=lambda e: e.start_us)

    def on(self, time_us: int) -> Sequence[FaultEvent]:
        """Return the events that are on at a time."""
        return [e for e in self.events() if e.start_us <= time_us and (e.end_us is None or e.end_us > time_us)]
