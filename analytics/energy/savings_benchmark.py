"""How true are stated savings: recorded meters whose saving is known, loads added to them, and synthetic years.

Meters of opendsm saved a known share of their annual load by construction; those of eensight had no known measure, so
that their saving is taken as none. A load is added to the reporting year to see whether it is told with its month.
Synthetic years, with noise that has a memory, say how often an interval holds the truth, how often a healthy year is
said to hold an event, and how often an added load is found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.baseline import fit
from analytics.energy.baseline_benchmark.trials import Trial, trials
from analytics.energy.savings import Saving, estimate

Floats = NDArray[np.float64]

_ADDED: Final = (0.1, 0.2, 0.4)  # of the baseline's mean
_STEP_DAY: Final = 165  # of the reporting period
_BASELINE_DAYS: Final = np.arange("2016-01-01", "2016-12-31", dtype="datetime64[D]")
_REPORTING_DAYS: Final = np.arange("2017-01-01", "2018-01-01", dtype="datetime64[D]")


def savings_benchmark(folder: Path, years: int = 40) -> dict[str, Any]:
    """
    Judge stated savings on the recorded meters under `folder`, and on `years` synthetic years of each kind.

    Raises
    ------
    RecordedDataMissing
        If `folder` holds none of the sets.
    """
    meters = {}
    for trial in trials(folder):
        truth = _truth(trial)
        if truth is not None:
            meters[trial.name] = _meter(trial, truth)
    return {"meters": meters, "synthetic": _synthetic(years)}


def _truth(trial: Trial) -> float | None:
    """Return the saving that is known of a trial's judged year, as a share; None if it has no such year."""
    if len(trial.folds) != 1 or np.ptp(trial.times[trial.folds[0][1]]) < np.timedelta64(300, "D"):
        return None
    return 1.0 - trial.scale


def _meter(trial: Trial, truth: float) -> dict[str, Any]:
    (fitted, judged), drivers = trial.folds[0], trial.drivers
    model = fit(trial.times[fitted], trial.energy[fitted], None if drivers is None else drivers[fitted])
    times, used = trial.times[judged], trial.energy[judged]
    later = None if drivers is None else drivers[judged]
    plain = estimate(model, times, used, later)
    result = {
        "true_saving": round(truth, 4),
        "stated_saving": round(plain.relative_saving, 4),
        "uncertainty": round(plain.relative_uncertainty, 4),
        "holds_the_truth": abs(plain.relative_saving - truth) <= plain.relative_uncertainty,
        "points_off": round(100.0 * (plain.relative_saving - truth), 2),
        "events": [_told(event) for event in plain.non_routine_events],
        "acceptable": plain.acceptable,
        "reasons": [reason.code for reason in plain.reasons],
    }
    step = times.min().astype("datetime64[D]") + _STEP_DAY
    mean = float(np.nanmean(trial.energy[fitted]))
    for share in _ADDED:
        more = np.where(times >= step, used + share * mean, used)
        found = estimate(model, times, more, later).non_routine_events
        result[f"load_of_{share:.0%}_added_on_{step}"] = [_told(event) for event in found]
    return result


def _told(event: Any) -> str:
    until = "" if event.end is None else f" to {event.end}"
    return f"{event.month}: {event.size:+.4g} a day from {event.start}{until}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Noise of a synthetic meter: its scatter, as a share of the load, and its memory from day to day."""

    scatter: float
    memory: float


def _synthetic(years: int) -> dict[str, Any]:
    kinds = (_Kind(0.05, 0.0), _Kind(0.05, 0.5), _Kind(0.15, 0.3))
    return {f"scatter {k.scatter:.0%}, memory {k.memory:g}": _of_kind(k, years) for k in kinds}


def _of_kind(kind: _Kind, years: int) -> dict[str, float]:
    held = false = found = in_month = lasting = 0
    off, widths = [], []
    for seed in range(years):
        rng = np.random.default_rng(seed)
        weather, load, used = _year(kind, rng)
        n = _BASELINE_DAYS.size
        model = fit(_BASELINE_DAYS, used[:n], weather[:n, None])
        plain = estimate(model, _REPORTING_DAYS, used[n:], weather[n:, None])
        true = 0.1 * float(load[n:].sum())
        held += abs(plain.saving - true) <= plain.uncertainty
        off.append((plain.saving - true) / plain.expected)
        widths.append(plain.relative_uncertainty)
        false += bool(plain.non_routine_events)
        start = int(rng.integers(60, 270))
        size = float(rng.uniform(0.1, 0.3)) * load.mean()
        until = start + 42 if seed % 2 else None
        more = used[n:].copy()
        more[start:until] += size
        hit = _hit(estimate(model, _REPORTING_DAYS, more, weather[n:, None]), start)
        found += hit is not None
        lasting += hit is not None and (hit.end is None) == (until is None)
        in_month += hit is not None and hit.month == str(_REPORTING_DAYS[start].astype("datetime64[M]"))
    return {
        "years": years,
        "interval_holds_the_truth": round(held / years, 3),
        "mean_half_width": round(float(np.mean(widths)), 4),
        "rms_error": round(math.sqrt(float(np.mean(np.square(off)))), 4),
        "healthy_years_with_an_event": round(false / years, 3),
        "added_loads_found": round(found / years, 3),
        "in_the_right_month": round(in_month / years, 3),
        "rightly_ended_or_lasting": round(lasting / years, 3),
    }


def _hit(result: Saving, start: int) -> Any | None:
    near = [e for e in result.non_routine_events if abs((e.start - _REPORTING_DAYS[start]).astype(int)) <= 31]
    return min(near, key=lambda e: abs(e.start - _REPORTING_DAYS[start]), default=None)


def _year(kind: _Kind, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return temperature [°C], load without noise, and what was used: a tenth less in the reporting year."""
    n = _BASELINE_DAYS.size + _REPORTING_DAYS.size
    season = np.cos(2.0 * np.pi * (np.arange(n) - 15) / 365.0)
    weather = 13.0 - 12.0 * season + 4.0 * _noise(n, 0.75, rng)
    cooling, heating = np.maximum(0.0, weather - 18.0), np.maximum(0.0, 14.0 - weather)
    share, base = rng.uniform(0.0, 1.0), rng.uniform(0.2, 0.8)
    load = base + (1.0 - base) * (share * cooling / cooling.mean() + (1.0 - share) * heating / heating.mean())
    used = load * (1.0 + kind.scatter * _noise(n, kind.memory, rng))
    used[_BASELINE_DAYS.size :] *= 0.9
    return weather, load, used


def _noise(n: int, memory: float, rng: np.random.Generator) -> Floats:
    fresh = rng.normal(size=n)
    for i in range(1, n):
        fresh[i] = memory * fresh[i - 1] + math.sqrt(1.0 - memory**2) * fresh[i]
    return fresh
