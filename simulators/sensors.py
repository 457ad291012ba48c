"""
Faults of data between the plant and its gateway: silent devices, sensors that stick, drift or leap, registers.

The physics has run its course, and truly goes on, before anything here happens; only what is shown changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.equipment_classes import PointSpec
from facility.site import Equipment
from simulators import noise
from simulators.fault_catalogue import find_fault
from simulators.scene import Array, Scene

_DRIFT: Final = 0.15  # of the span, at full severity
_SPIKES: Final = 0.06  # of the samples, at full severity
_LEAST_DIGITS: Final = 6  # of a register of which the site file does not say how many it has
_BEFORE_THE_END: Final = 10.0  # units


def disturb(scene: Scene) -> None:
    """Let what the sensors show suffer the data faults that are on."""
    for fault_id, place in scene.faults.of_data("point"):
        machine, keys = _points(scene, fault_id, place)
        severity = scene.faults.severity(fault_id, place, scene.span.time_us)
        for key in keys:
            _EFFECTS[fault_id](scene, machine, key, np.broadcast_to(severity, (len(scene),)))
    for fault_id, machine_id in scene.faults.of_data("machine"):
        silent = np.broadcast_to(scene.faults.severity(fault_id, machine_id, scene.span.time_us) > 0.0, (len(scene),))
        if silent.any():
            for key in _keys(scene, scene.site.equipment[machine_id], scene.site.equipment[machine_id].points):
                scene.values[key] = np.where(silent, np.nan, scene.values[key])


def forget_registers(memory: dict[str, float]) -> None:
    """Let what happens to registers happen once more, when a hospital comes into view: until then none has counted."""
    for name in [n for n in memory if n.startswith(("reset|", "roll|"))]:
        del memory[name]


def _points(scene: Scene, fault_id: str, place: str) -> tuple[Equipment, Sequence[str]]:
    machine_id, _, point = place.partition("/")
    machine, kinds = scene.site.equipment[machine_id], find_fault(fault_id).kinds
    names = [point] if point else [name for name, spec in machine.points.items() if spec.kind in kinds]
    return machine, _keys(scene, machine, names)


def _keys(scene: Scene, machine: Equipment, names: Sequence[str] | Mapping[str, PointSpec]) -> Sequence[str]:
    return [key for name in names if (key := f"{machine.id}/{name}") in scene.values]


def _stuck(scene: Scene, _machine: Equipment, key: str, severity: Array) -> None:
    """Hold the value that was shown when the sensor hung."""
    name = f"stuck|{key}"
    hangs = severity > 0.0
    held = scene.memory.get(name)
    if hangs.any():
        shown = scene.values[key]
        begins = hangs & ~np.concatenate([[held is not None], hangs[:-1]])
        last = np.maximum.accumulate(np.where(begins, np.arange(len(shown)), -1))
        scene.values[key] = np.where(hangs, np.where(last >= 0, shown[last], held if held is not None else 0.0), shown)
    if hangs[-1]:
        scene.memory[name] = float(scene.values[key][-1])
    else:
        scene.memory.pop(name, None)


def _drift(scene: Scene, machine: Equipment, key: str, severity: Array) -> None:
    if not severity.any():
        return
    spec = machine.points[key.partition("/")[2]]
    side = 1.0 if scene.own(f"drift|{key}", 0.0, 1.0) < 0.5 else -1.0
    away = scene.values[key] + side * _DRIFT * _span(spec, scene.values[key]) * severity
    scene.values[key] = np.where(severity > 0.0, scene.resolved(spec, away), scene.values[key])


def _spikes(scene: Scene, machine: Equipment, key: str, severity: Array) -> None:
    if not severity.any():
        return
    spec = machine.points[key.partition("/")[2]]
    second = scene.span.time_us // 1_000_000
    drawn = noise.uniform(noise.stream(scene.seed, f"spike|{key}"), second)
    leap = 6.0 * noise.uniform(noise.stream(scene.seed, f"leap|{key}"), second) - 3.0
    leap = np.where(np.abs(leap) < 0.5, np.copysign(0.5, leap), leap)
    away = scene.resolved(spec, scene.values[key] + leap * _span(spec, scene.values[key]))
    scene.values[key] = np.where(drawn < _SPIKES * severity, away, scene.values[key])


def _span(spec: PointSpec, shown: Array) -> float:
    """Return how far a point's values reach in its usual life, in its unit."""
    band = spec.normal or spec.scale or spec.physical
    return band[1] - band[0] if band is not None else max(1.0, float(np.nanmax(np.abs(shown))))


def _reset(scene: Scene, _machine: Equipment, key: str, severity: Array) -> None:
    first = _first(scene, f"reset|{key}", severity)
    if first is not None:
        _move(scene, key, first, -float(scene.values[key][first]))


def _roll_over(scene: Scene, machine: Equipment, key: str, severity: Array) -> None:
    name = f"roll|{key}"
    first = _first(scene, name, severity)
    if first is not None:
        stands = float(scene.values[key][first])
        digits = max(_LEAST_DIGITS, len(str(int(stands))))
        if machine.register is not None and machine.register.digits and key.endswith(f"/{machine.register.point}"):
            digits = machine.register.digits
        scene.memory[name] = 10.0**digits
        _move(scene, key, first, 10.0**digits - _BEFORE_THE_END - stands)
    if name in scene.memory:
        scene.values[key] = np.mod(scene.values[key], scene.memory[name])
        scene.registers[key] = scene.registers[key] % scene.memory[name]


def _first(scene: Scene, name: str, severity: Array) -> int | None:
    """Return the step at which a fault that happens once happens, None if it does not, or has."""
    if not severity.any():
        scene.memory.pop(f"{name}|done", None)
        return None
    if f"{name}|done" in scene.memory:
        return None
    scene.memory[f"{name}|done"] = 1.0
    return int(np.argmax(severity > 0.0))


def _move(scene: Scene, key: str, first: int, by: float) -> None:
    """Put a register elsewhere from a step on; the meter itself counts on from there."""
    moved = scene.values[key].copy()
    moved[first:] = np.round(moved[first:] + by, 6)
    scene.values[key] = moved
    scene.registers[key] += by


_EFFECTS: Final[Mapping[str, Callable[[Scene, Equipment, str, NDArray[np.float64]], None]]] = {
    "DA-F02": _stuck,
    "DA-F03": _drift,
    "DA-F04": _spikes,
    "DA-F05": _reset,
    "DA-F06": _roll_over,
}
