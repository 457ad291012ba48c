"""Meters whose truth is known: base load, heating and cooling, a saving, an added load, and noise with a memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BASELINE = np.arange("2016-01-01", "2016-12-31", dtype="datetime64[D]")
REPORTING = np.arange("2017-01-01", "2018-01-01", dtype="datetime64[D]")


@dataclass(frozen=True)
class Meter:
    """Two years by day: what the weather was, what would be used without noise, what was used."""

    temperature: Floats
    load: Floats
    used: Floats

    @property
    def before(self) -> tuple[NDArray[np.datetime64], Floats, Floats]:
        """Return times, energy and drivers of the baseline year."""
        return BASELINE, self.used[: BASELINE.size], self.temperature[: BASELINE.size, None]

    @property
    def after(self) -> tuple[NDArray[np.datetime64], Floats, Floats]:
        """Return times, energy and drivers of the reporting year."""
        return REPORTING, self.used[BASELINE.size :], self.temperature[BASELINE.size :, None]

    @property
    def true_saving(self) -> float:
        """Return what the measure really saved."""
        return float(np.sum(self.load[BASELINE.size :]) * 0.1)


def noise(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """Return (n,) of mean 0 and spread 1, each day correlated with the one before by `memory`."""
    fresh = rng.normal(size=n)
    out = np.empty(n)
    out[0] = fresh[0]
    for i in range(1, n):
        out[i] = memory * out[i - 1] + math.sqrt(1.0 - memory**2) * fresh[i]
    return out


def meter(
    seed: int,
    scatter: float = 0.06,
    memory: float = 0.3,
    saving: float = 0.1,
    added: tuple[str, str | None, float] = (),
) -> Meter:
    """
    Return a meter of 100 kWh a day on average, which saves a share of its load from the reporting year's first day on.

    `added`: first day, day after the last (None: on), and kWh a day.
    """
    rng = np.random.default_rng(seed)
    days = np.concatenate([BASELINE, REPORTING])
    season = np.cos(2.0 * np.pi * (np.arange(days.size) - 15) / 365.0)
    temperature = 13.0 - 12.0 * season + 4.0 * noise(days.size, 0.75, rng)
    cooling, heating = np.maximum(0.0, temperature - 18.0), np.maximum(0.0, 14.0 - temperature)
    share = rng.uniform(0.2, 0.8)
    weather = share * cooling / cooling.mean() + (1.0 - share) * heating / heating.mean()
    load = 100.0 * (0.5 + 0.5 * weather)
    used = load * (1.0 + scatter * noise(days.size, memory, rng))
    used[BASELINE.size :] *= 1.0 - saving
    if added:
        first, last, size = added
        held = (days >= np.datetime64(first)) & ((days < np.datetime64(last)) if last else True)
        used = used + size * held
    return Meter(temperature, load, used)
