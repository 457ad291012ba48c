"""Meters made from known loads, so that a baseline can be judged against the truth."""

from __future__ import annotations

import numpy as np


def weather(days: int, seed: int = 1, hourly: bool = True):
    """Return times and outdoor temperature of a temperate climate: a year's course, a day's course, fronts of days."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    front = np.repeat(rng.normal(0.0, 3.0, days), 24)
    temperature = (
        14.0
        - 12.0 * np.cos(2 * np.pi * (hours / 24 - 15) / 365.25)
        - 4.0 * np.cos(2 * np.pi * (hours - 3) / 24)
        + front
    )
    times = np.datetime64("2023-01-01T00", "h") + hours
    if hourly:
        return times.astype("datetime64[s]"), temperature
    return times[::24].astype("datetime64[s]"), temperature.reshape(-1, 24).mean(axis=1)


def is_workday(times):
    """Return which times are of Monday to Friday."""
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7 < 5


def five_parameters(temperature, base=400.0, heating_c=12.0, heating=9.0, cooling_c=20.0, cooling=15.0):
    """Return daily energy of a 5P model. [kWh]"""
    return base + heating * np.maximum(heating_c - temperature, 0) + cooling * np.maximum(temperature - cooling_c, 0)


def ward(times, temperature):
    """Return hourly energy of a building that works by day on workdays, and heats and cools. [kWh]"""
    hour = times.astype("datetime64[h]").astype(np.int64) % 24
    open_hours = (hour >= 8) & (hour < 18) & is_workday(times)
    weather_load = 1.2 * np.maximum(14.0 - temperature, 0) + 2.0 * np.maximum(temperature - 20.0, 0)
    return 40.0 + 35.0 * open_hours + weather_load
