"""
How good is the forecast to month's end: recorded meters, every whole month, forecast from several of its days.

Beside it, on the same months, stands what a spreadsheet would say: the days so far, times the month's length.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.day_response import day_kinds
from analytics.energy.forecast import ForecastParameters, forecast

Floats = NDArray[np.float64]

# How many days of the month are known when it is forecast.
FROM_DAYS: Final = (5, 10, 15, 20, 25)


@dataclass(frozen=True, slots=True, eq=False)
class DailyMeter:
    """
    A recorded meter by days.

    Attributes
    ----------
    first : its first day
    used : (n,) float, NaN where a day is missing
    temperature_c : (n,) mean outdoor temperature, None where none was recorded [°C]
    zone : where its weekdays and holidays are taken from
    """

    name: str
    first: date
    used: Floats
    temperature_c: Floats | None
    zone: ZoneInfo


def run(folder: Path) -> dict[str, Any]:
    """
    Forecast every month of the recorded meters in a folder that holds `opendsm`, `eensight` and `power_demand`.

    Returns
    -------
    For each meter and each day of the month from which it was forecast: how many months, the mean absolute error of
    the total and of the pro-rata total [%], the share of the totals inside the interval, and its mean half-width [%].

    Raises
    ------
    ValueError
        If the folder holds none of them.
    """
    meters = list(_meters(folder))
    if not meters:
        raise ValueError(f"{folder} holds none of opendsm/, eensight/ and power_demand/; name the folder that does")
    began, forecasts = perf_counter(), 0
    result: dict[str, Any] = {}
    pooled: dict[int, list[_Trial]] = {day: [] for day in FROM_DAYS}
    for meter in meters:
        trials = {day: list(_trials(meter, day)) for day in FROM_DAYS}
        result[meter.name] = {f"from day {day}": _score(found) for day, found in trials.items() if found}
        for day, found in trials.items():
            pooled[day] += found
            forecasts += len(found)
    result["all meters"] = {f"from day {day}": _score(found) for day, found in pooled.items()}
    result["confidence"] = ForecastParameters().confidence
    result["ms a forecast"] = round(1000.0 * (perf_counter() - began) / max(1, forecasts), 1)
    return result


@dataclass(frozen=True, slots=True)
class _Trial:
    truth: float
    total: float
    low: float
    high: float
    pro_rata: float


def _trials(meter: DailyMeter, known_days: int) -> Iterator[_Trial]:
    days = [meter.first + timedelta(days=i) for i in range(meter.used.size)]
    kinds = day_kinds(days, meter.zone)
    for start, end in _months(days):
        if not np.isfinite(meter.used[start:end]).all():
            continue
        now = start + known_days
        used = meter.used[:end].copy()
        used[now:] = np.nan
        temperature = None if meter.temperature_c is None else meter.temperature_c[:end].copy()
        if temperature is not None:
            temperature[now:] = np.nan
        found = forecast(used, kinds[:end], temperature, start)
        truth = float(meter.used[start:end].sum())
        if found.reason is None and truth > 0:
            pro_rata = float(np.mean(meter.used[start:now])) * (end - start)
            yield _Trial(truth, found.total, found.low, found.high, pro_rata)


def _months(days: list[date]) -> Iterator[tuple[int, int]]:
    """Return the [first, end) of the months that the days hold whole."""
    starts = [i for i, day in enumerate(days) if day.day == 1]
    if days and (days[-1] + timedelta(days=1)).day == 1:
        starts.append(len(days))
    yield from pairwise(starts)


def _score(trials: list[_Trial]) -> dict[str, float | int]:
    truth, total, low, high, pro_rata = (
        np.array([getattr(t, name) for t in trials]) for name in ("truth", "total", "low", "high", "pro_rata")
    )
    return {
        "months": len(trials),
        "error %": round(float(np.mean(np.abs(total - truth) / truth)) * 100, 2),
        "pro rata error %": round(float(np.mean(np.abs(pro_rata - truth) / truth)) * 100, 2),
        "in interval": round(float(np.mean((low <= truth) & (truth <= high))), 3),
        "half-width %": round(float(np.mean((high - low) / 2 / truth)) * 100, 2),
    }


# -- the recorded meters


def _meters(folder: Path) -> Iterator[DailyMeter]:
    readers: tuple[Callable[[Path], Iterator[DailyMeter]], ...] = (_opendsm, _eensight, _power_demand)
    for read in readers:
        yield from read(folder)


def _opendsm(folder: Path) -> Iterator[DailyMeter]:
    for file in sorted((folder / "opendsm").glob("*-daily.csv.gz")):
        # The weather of a state: `il-gas-hdd-only-daily` stands beside `il-tempF`.
        weather = file.with_name(f"{file.name.split('-')[0]}-tempF.csv.gz")
        fahrenheit = _by_day(_rows(weather, "dt", "tempF"), np.mean) if weather.exists() else {}
        temperature = {day: (value - 32.0) / 1.8 for day, value in fahrenheit.items()}
        used = _by_day(_rows(file, "start", "value"), np.sum)
        yield _meter(file.name.removesuffix(".csv.gz"), used, temperature, "US/Central")


def _eensight(folder: Path) -> Iterator[DailyMeter]:
    for site in sorted((folder / "eensight").glob("demo_site_*")):
        used: dict[date, float] = {}
        temperature: dict[date, float] = {}
        for part in ("train", "test"):
            used |= _by_day(_rows(site / part / "consumption.csv.gz", "timestamp", "consumption"), np.sum, 24)
            temperature |= _by_day(_rows(site / part / "temperature.csv.gz", "timestamp", "temperature"), np.mean, 12)
        yield _meter(f"eensight {site.name}", used, temperature, "Europe/Rome")


def _power_demand(folder: Path) -> Iterator[DailyMeter]:
    for file in sorted((folder / "power_demand").glob("*.txt.gz")):
        with gzip.open(file, "rt") as lines:
            values = np.array([float(line) for line in lines if line.strip()])
        daily = values[: values.size // 96 * 96].reshape(-1, 96).sum(axis=1)
        yield DailyMeter("power_demand", date(1997, 1, 1), daily, None, ZoneInfo("Europe/Amsterdam"))


def _rows(file: Path, time: str, value: str) -> Iterator[tuple[date, float]]:
    with gzip.open(file, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            yield datetime.fromisoformat(row[time]).date(), float(row[value] or "nan")


def _by_day(rows: Iterator[tuple[date, float]], sum_up: Callable[[Floats], Any], least: int = 1) -> dict[date, float]:
    """Return one value a day; a day with fewer than `least` values is left out."""
    values: dict[date, list[float]] = {}
    for day, value in rows:
        if np.isfinite(value):
            values.setdefault(day, []).append(value)
    return {day: float(sum_up(np.array(found))) for day, found in values.items() if len(found) >= least}


def _meter(name: str, used: Mapping[date, float], temperature: Mapping[date, float], zone: str) -> DailyMeter:
    first, last = min(used), max(used)
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    nan = float("nan")
    return DailyMeter(
        name, first, np.array([used.get(d, nan) for d in days]), np.array([temperature.get(d, nan) for d in days]),
        ZoneInfo(zone),
    )  # fmt: skip
