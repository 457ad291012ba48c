"""
What the plant modules share while they work out one stretch of time: demand, weather, faults, memory, sensor values.

The modules run in a fixed order (demand before supply), each reading what earlier ones left here and adding to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facility.equipment_classes import PointSpec
from facility.site import Equipment, Site
from facility.tariff import unit_prices
from simulators import noise
from simulators.fault_catalogue import Fault, find_fault
from simulators.faults import FaultBook
from simulators.grid import Grid
from simulators.physics.lag import first_order
from simulators.rhythm import Span
from simulators.supply import Tree, supply_tree

Array = NDArray[np.float64]

# What a gateway sends is rounded to what its instrument resolves: (decimal places) by unit.
_DECIMALS: Final[Mapping[str, int]] = {
    "kV": 3, "V": 1, "A": 2, "kW": 2, "kvar": 2, "kVA": 2, "Hz": 2, "%": 2, "": 3, "°C": 1, "MPa": 4, "kPa": 1,
    "kWh": 2, "kvarh": 2, "m³": 3, "m³/h": 3, "Nm³": 3, "Nm³/h": 2, "t": 3, "t/h": 3, "L/min": 1, "h": 2, "starts": 0,
    "%V/V": 2, "mm/s": 2, "m/s²": 3, "gE": 2, "%LEL": 1, "ppm": 1, "mm": 1, "W/m²": 0, "m/s": 1, "GJ": 3,
}  # fmt: skip
_DEFAULT_DECIMALS: Final = 3
# Flows, openings, currents, loads: instruments cut off what is too little to tell, so noise alone is never below zero.
_CUT_AT_ZERO: Final = frozenset({"m³/h", "Nm³/h", "L/min", "t/h", "%", "A", "kW"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A register that comes into view has counted for about this long.
_USUAL_LIFE: Final = timedelta(days=5 * 365)
# Where a register may stand when its meter first comes into view: (low, high) by unit.
_FIRST_READING: Final[Mapping[str, tuple[float, float]]] = {
    "kWh": (80_000, 900_000), "kvarh": (30_000, 300_000), "m³": (9_000, 90_000), "Nm³": (20_000, 200_000),
    "t": (2_000, 20_000), "h": (3_000, 20_000), "starts": (200, 2_400), "GJ": (1_000, 20_000), "mm": (200, 900),
}  # fmt: skip


def _none() -> Array:
    return np.zeros(1)


@dataclass(slots=True)
class Demand:
    """
    What one department draws at each time, and who is in it.

    Attributes
    ----------
    power_kw, reactive_kvar : electricity of its own lights and devices, air conditioning by plant left out
    water_m3h : cold water, what is heated for it included
    hot_water_m3h : of that, what is drawn hot at the taps
    oxygen_lmin, air_lmin, vacuum_lmin : medical gases, at 0 °C and 101.3 kPa [L/min]
    steam_th : process steam [t/h]
    gas_nm3h : gas for cooking [Nm³/h]
    people : how many of those whom it can hold are there [-], 0 to 1
    cooling_kw, heating_kw : heat to be taken from its rooms, and to be brought to them, by whatever plant does it
    """

    power_kw: Array
    reactive_kvar: Array
    water_m3h: Array
    oxygen_lmin: Array
    steam_th: Array
    gas_nm3h: Array
    hot_water_m3h: Array = field(default_factory=_none)
    air_lmin: Array = field(default_factory=_none)
    vacuum_lmin: Array = field(default_factory=_none)
    people: Array = field(default_factory=_none)
    cooling_kw: Array = field(default_factory=_none)
    heating_kw: Array = field(default_factory=_none)


@dataclass(slots=True, eq=False)
class Scene:
    """
    One stretch of time of one hospital.

    Attributes
    ----------
    memory : what the physics remembers from one stretch to the next (temperatures, switches), by name
    registers : where each counter stands, by `equipment/point`, in units of the register
    trees : supply trees that were worked out already
    members : the equipment of some classes, where it was asked for already
    values : what the sensors show, by `equipment/point`
    demand : by department
    power : electricity that machines draw, by equipment: (kW, kvar)
    water : water that machines draw, by equipment [m³/h]
    gas : gas that machines burn or pass on, by equipment [Nm³/h]
    steam : steam that machines draw, by equipment [t/h]
    heat : heat that machines take from the hot water that feeds them, by equipment [kW]
    cooling : heat that machines give to the chilled water that feeds them, by equipment [kW]
    circulated : water that pumps move for a machine, where not all of it runs through it, by `equipment/point` of its
        flow [m³/h]
    needless : cold that a fault asks for without need, by (fault, machine that has it) [kW]
    sewage : water that goes to the drain, by the machine that lets it go [m³/h]; departments' own is not in it
    outdoor_c : outdoor temperature [°C]
    humidity : outdoor relative humidity [%]
    wet_bulb_c : outdoor wet-bulb temperature [°C]
    sun_w_m2 : global radiation on the level [W/m²]
    mains_c : temperature of the city's water [°C]
    prices : what a unit costs at each time, by carrier, as far as it was asked [currency/unit]
    rain_mm_h : rain [mm/h]
    climate : id of the climate in which the site stands
    grid : what has voltage, worked out before the plants
    """

    site: Site
    seed: int
    span: Span
    faults: FaultBook
    memory: dict[str, float]
    registers: dict[str, float]
    trees: dict[tuple[frozenset[str], date], Tree]
    members: dict[tuple[str, ...], tuple[Equipment, ...]] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    demand: dict[str, Demand] = field(default_factory=dict)
    power: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    water: dict[str, Array] = field(default_factory=dict)
    gas: dict[str, Array] = field(default_factory=dict)
    steam: dict[str, Array] = field(default_factory=dict)
    heat: dict[str, Array] = field(default_factory=dict)
    cooling: dict[str, Array] = field(default_factory=dict)
    circulated: dict[str, Array] = field(default_factory=dict)
    needless: dict[tuple[str, str], Array] = field(default_factory=dict)
    sewage: dict[str, Array] = field(default_factory=dict)
    prices: dict[str, Array] = field(default_factory=dict)
    outdoor_c: Array = field(default_factory=_none)
    humidity: Array = field(default_factory=_none)
    wet_bulb_c: Array = field(default_factory=_none)
    sun_w_m2: Array = field(default_factory=_none)
    mains_c: Array = field(default_factory=_none)
    rain_mm_h: Array = field(default_factory=_none)
    climate: str = "hangzhou"
    grid: Grid = field(default_factory=Grid)

    def __len__(self) -> int:
        return len(self.span)

    def zeros(self) -> Array:
        """Return zero at each time."""
        return np.zeros(len(self.span))

    def each(self, *classes: str) -> Sequence[Equipment]:
        """Return the equipment of some classes, in the order of the site file."""
        if classes not in self.members:
            self.members[classes] = tuple(e for e in self.site.equipment.values() if e.cls.id in classes)
        return self.members[classes]

    @property
    def today(self) -> date:
        """Return the site's date at the beginning of the stretch."""
        return datetime.fromtimestamp(int(self.span.time_us[0]) // 1_000_000, self.site.time_zone).date()

    def tree(self, classes: frozenset[str]) -> Tree:
        """Return the supply tree that runs through some equipment classes, as it stands today."""
        key = (classes, self.today)
        if key not in self.trees:
            self.trees[key] = supply_tree(self.site, *key)
        return self.trees[key]

    def wander(self, name: str, period_s: float) -> Array:
        """Return noise of standard deviation 1 that wanders with a period. [-]"""
        return noise.smooth(self.seed, name, self.span.time_us, period_s)

    def own(self, name: str, low: float, high: float) -> float:
        """Return a number that belongs to a name for good, such as a machine's tolerance."""
        return noise.fixed(self.seed, name, low, high)

    def fault(self, fault_id: str, item: Equipment) -> Array | float:
        """Return how bad a fault of a machine is at each time, or 0.0 if it has none. [-]"""
        return self.faults.severity(fault_id, item.id, self.span.time_us)

    def alive(self, item: Equipment) -> Array | float:
        """Return the share of each step over which a machine's supply of electricity has voltage; 1.0 if always. [-]"""
        return self.grid.alive(item.id)

    def waste(self, fault_id: str, item: Equipment, per_hour: Array) -> None:
        """Count what a fault truly wastes, at a rate an hour in the fault's own unit."""
        amounts = np.broadcast_to(per_hour * self.span.dt_s / 3600.0, (len(self.span),))
        if not amounts.any():
            return
        first_us, last_us = int(self.span.time_us[0]), int(self.span.time_us[-1])
        cost = self._cost(find_fault(fault_id), amounts)
        self.faults.charge(fault_id, item.id, float(np.sum(amounts)), first_us, last_us, cost)

    def _cost(self, fault: Fault, amounts: Array) -> float | None:
        """Return what wasted amounts cost by the site's tariffs; None if no tariff says."""
        if fault.waste is None or fault.waste.unit == "CNY":
            return float(np.sum(amounts)) if fault.waste is not None else None
        tariffs = self.site.tariffs.get(fault.carrier)
        if tariffs is None:
            return None
        if fault.carrier not in self.prices:
            tariff = tariffs.on(self.today)
            self.prices[fault.carrier] = unit_prices(tariff, self.span.time_us, self.site.time_zone)
        return float(np.sum(amounts * self.prices[fault.carrier]))

    def lag(self, name: str, target: Array, tau_s: float) -> Array:
        """Follow a target with a time constant, from where the last stretch left off (at first: at the target)."""
        if target.shape != (len(self.span),):
            target = np.broadcast_to(target, (len(self.span),))
        followed = first_order(target, self.span.dt_s, tau_s, self.memory.get(name, float(target[0])))
        self.memory[name] = float(followed[-1])
        return followed

    def put(self, item: Equipment, point: str, value: NDArray[Any] | float, sigma: NDArray[Any] | float = 0.0) -> None:
        """Let a sensor show a value, with noise of standard deviation `sigma`, rounded to what it resolves."""
        spec = item.points.get(point)
        if spec is None:
            return  # this machine is without that sensor
        key = f"{item.id}/{point}"
        shown = np.asarray(value, dtype=np.float64)
        if shown.shape != (len(self.span),):
            shown = np.full(len(self.span), shown)
        if isinstance(sigma, np.ndarray) or sigma > 0.0:
            noisy = shown + sigma * noise.white(self.seed, key, self.span.time_us)
            shown = np.maximum(noisy, np.minimum(shown, 0.0)) if spec.unit in _CUT_AT_ZERO else noisy
        shown = self.grid.let_through(item.id, point, shown)
        if spec.kind == "state":
            self.values[key] = np.rint(shown)
        else:
            self.values[key] = self.resolved(spec, shown)

    def resolved(self, spec: PointSpec, shown: Array) -> Array:
        """Return values as an instrument can tell them: within its range, and rounded to what it resolves."""
        if spec.physical is not None:
            shown = np.minimum(np.maximum(shown, spec.physical[0]), spec.physical[1])
        return np.round(shown, _DECIMALS.get(spec.unit, _DEFAULT_DECIMALS))

    def count(self, item: Equipment, point: str, per_hour: Array | float) -> None:
        """Let a register run on at a rate an hour; it rolls over, and is exchanged, as the site file says."""
        spec = item.points.get(point)
        if spec is None:
            return
        key = f"{item.id}/{point}"
        rate = self.grid.let_through(item.id, point, np.broadcast_to(per_hour, (len(self.span),)))
        added = np.cumsum(rate * self.span.dt_s / 3600.0)
        register = item.register if item.register is not None and item.register.point == point else None
        if register is not None:
            added = added / register.ratio.latest / (register.per_pulse or 1.0)
        reading = self._first_reading(item, key, spec.unit) + added
        if register is not None:
            for exchange in register.exchanges:
                at_us = (exchange.at - _EPOCH) // timedelta(microseconds=1)
                before = int(np.searchsorted(self.span.time_us, at_us))
                started_us = int(self.span.time_us[0] - self.span.dt_s[0] * 1e6)
                if started_us < at_us and before < len(self.span):
                    passed = reading[before - 1] if before > 0 else self.registers[key]
                    reading[before:] += exchange.start - passed
            if register.digits is not None:
                reading = np.mod(reading, 10.0**register.digits)
        self.registers[key] = float(reading[-1])
        # Registers are cut, not rounded: a display never shows what has not yet passed.
        step = 10.0 ** _DECIMALS.get(spec.unit, _DEFAULT_DECIMALS)
        self.values[key] = np.floor(reading * step + 1e-6) / step

    def count_starts(self, item: Equipment, point: str, on: NDArray[np.bool_]) -> None:
        """Let a register count how often a machine has started."""
        before = self.memory.get(f"{item.id}/on", float(on[0]))
        self.memory[f"{item.id}/on"] = float(on[-1])
        starts = np.diff(on.astype(np.float64), prepend=before) > 0.5
        # A register adds up a rate: one start in a step is one over the step's length.
        self.count(item, point, starts / np.maximum(self.span.dt_s, 1e-6) * 3600.0)

    def _first_reading(self, item: Equipment, key: str, unit: str) -> float:
        if key not in self.registers:
            # What never flows backwards has never counted backwards.
            backwards = key.endswith(("energy_export", "/reverse_total"))
            low, high = (0.0, 0.0) if backwards else _FIRST_READING.get(unit, (0.0, 0.0))
            self.registers[key] = float(round(self._after_exchanges(item, key, self.own(f"first|{key}", low, high))))
        return self.registers[key]

    def _after_exchanges(self, item: Equipment, key: str, usual: float) -> float:
        """Return where a register stands that is exchanged at known times, given what it counts in its usual life."""
        register = item.register
        if register is None or not register.exchanges or key != f"{item.id}/{register.point}":
            return usual
        now = datetime.fromtimestamp(int(self.span.time_us[0]) // 1_000_000, UTC)
        past = [e for e in register.exchanges if e.at <= now]
        if past:
            return past[-1].start + usual * min((now - past[-1].at) / _USUAL_LIFE, 1.0)
        first = register.exchanges[0]
        return max(first.end - usual * min((first.at - now) / _USUAL_LIFE, 1.0), 0.0)

    def draw(self, item: Equipment, power_kw: Array, power_factor: float) -> None:
        """Let a machine draw electricity."""
        self.power[item.id] = (power_kw, power_kw * float(np.sqrt(1.0 / power_factor**2 - 1.0)))
