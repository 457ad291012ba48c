"""The diesel generator: on standby, tested every week."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulators.scene import Scene

_AUTO, _OFF = 2.0, 0.0
_TEST_START_H, _TEST_MINUTES = 10.0, 12.0  # Mondays, without load
_FUEL_A_TEST: Final = 0.12  # share of the tank that a test burns [%]


def run(scene: Scene) -> None:
    """Work out every diesel generator."""
    span = scene.span
    for item in scene.each("diesel_generator"):
        left_off = np.asarray(scene.fault("EL-F23", item))
        minute = (span.hour - _TEST_START_H) * 60.0
        testing = (span.weekday == 0) & (minute >= 0.0) & (minute < _TEST_MINUTES) & (left_off == 0.0)
        on = testing.astype(np.float64)
        room_c = 18.0 + 0.5 * (scene.outdoor_c - 15.0)
        scene.put(item, "running", on)
        scene.put(item, "mode", np.where(left_off > 0.0, _OFF, _AUTO))
        for point in ("fault", "start_failure", "breaker_closed"):
            scene.put(item, point, 0.0)
        scene.put(item, "mains_present", 1.0)
        scene.put(item, "voltage", 400.0 * on, 0.4 * on)
        scene.put(item, "frequency", 50.0 * on, 0.05 * on)
        scene.put(item, "active_power", 0.0)
        # The jacket heater keeps it warm; left off, the engine cools to the room's temperature.
        heated = np.where(left_off > 0.0, room_c, 41.0) + 36.0 * on
        scene.put(item, "coolant_temperature", scene.lag(f"{item.id}/coolant", heated, 2400.0), 0.2)
        scene.put(item, "oil_pressure", 380.0 * on, 4.0 * on)
        # So does the charger with the battery, which loses a tenth of a volt an hour on its own.
        battery = scene.lag(f"{item.id}/battery", np.where(left_off > 0.0, 21.5, 26.8), 100_000.0) - 0.4 * on
        scene.put(item, "battery_voltage", battery, 0.02)
        burnt = np.cumsum(on * span.dt_s) / (_TEST_MINUTES * 60.0) * _FUEL_A_TEST
        fuel = scene.memory.get(f"{item.id}/fuel_level", scene.own(f"{item.id}|fuel", 84.0, 93.0)) - burnt
        scene.memory[f"{item.id}/fuel_level"] = float(fuel[-1])
        scene.put(item, "fuel_level", fuel, 0.05)
        scene.put(item, "room_temperature", room_c, 0.1)
        scene.count(item, "energy_export", 0.0)
        scene.count(item, "run_hours", on)
        scene.count_starts(item, "starts", testing)
