"""The recorded meters and how each is split in what is fitted to and what is judged.

Every split is out of sample. The meters of opendsm are synthetic, with a saving that is known by construction: their
reporting year, divided by one less that saving, is what would have been used without it. Two months in turn left out of
the baseline year judge the same meters without that knowledge. The meters of eensight are fitted to one year and judged
on the next, the power demand on its last quarter, the shootout as PROBEN1 splits it: three quarters and one.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from facility.errors import WardwattError

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]
Bools = NDArray[np.bool_]

SETS: Final = ("opendsm", "eensight", "power_demand", "shootout")
_HOUR: Final = np.timedelta64(1, "h")


class RecordedDataMissing(WardwattError):
    """The folder holds none of the recorded meters: name the one that does."""


@dataclass(frozen=True, slots=True)
class Trial:
    """
    One meter and one split.

    Attributes
    ----------
    name : of the meter and split
    frequency : of its rows
    times : (n,) datetime64[s], local wall time
    energy : (n,) float, in the meter's unit
    drivers : (n, k) float or None; outdoor temperature first [°C]
    folds : for each fold, which rows are fitted to and which are judged
    scale : what the judged energy is divided by, to be what would have been used without a known saving [-]
    electricity : whether the meter counts electricity, for models that ask
    proben1_range : what 0.9 stands for in PROBEN1's coding of this output, None of other meters
    """

    name: str
    frequency: Literal["hourly", "daily"]
    times: Times
    energy: Floats
    drivers: Floats | None
    folds: tuple[tuple[Bools, Bools], ...]
    scale: float = 1.0
    electricity: bool = True
    proben1_range: float | None = None


def trials(folder: Path) -> Iterator[Trial]:
    """
    Read the recorded meters under `folder`.

    Raises
    ------
    RecordedDataMissing
        If the folder has none of the four sets.
    """
    present = [name for name in SETS if (folder / name).is_dir()]
    if not present:
        raise RecordedDataMissing(f"{folder} has none of the folders {', '.join(SETS)}; name the one that holds them")
    if "opendsm" in present:
        yield from _opendsm(folder / "opendsm")
    if "eensight" in present:
        yield from _eensight(folder / "eensight")
    if "power_demand" in present:
        yield from _power_demand(folder / "power_demand")
    if "shootout" in present:
        yield from _shootout(folder / "shootout")


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _opendsm(folder: Path) -> Iterator[Trial]:
    metadata = json.loads((folder / "metadata.json").read_text())
    for name, facts in metadata.items():
        weather = _rows(folder / facts["temperature_filename"])
        meter = _rows(folder / facts["meter_data_filename"])
        local = np.array([row["start"][:19] for row in meter], dtype="datetime64[s]")
        energy = np.array([_number(row["value"]) for row in meter])
        celsius = np.array([(_number(row["tempF"]) - 32.0) / 1.8 for row in weather])
        if facts["freq"] == "hourly":
            at = {datetime.fromisoformat(row["dt"]): value for row, value in zip(weather, celsius, strict=True)}
            temperature = np.array([at.get(datetime.fromisoformat(row["start"]), np.nan) for row in meter])
        else:
            day = np.array([row["dt"][:10] for row in weather], dtype="datetime64[D]")
            temperature = np.array([np.nanmean(celsius[day == d]) for d in local.astype("datetime64[D]")])
        begins = np.datetime64(facts["blackout_start_date"], "s")
        ends = np.datetime64(facts["blackout_end_date"], "s") + np.timedelta64(1, "D")
        year = np.timedelta64(365, "D")
        baseline = (local >= begins - year) & (local < begins)
        reporting = (local >= ends) & (local < ends + year)
        saved = facts["annual_reporting_total_load"] / facts["annual_baseline_total_load"]
        trial = Trial(
            f"opendsm {name}, reporting year",
            facts["freq"],
            local,
            energy,
            temperature[:, None],
            ((baseline, reporting),),
            scale=saved,
            electricity=facts["interpretation"] == "electricity",
        )
        yield trial
        yield replace(trial, name=f"opendsm {name}, two months left out", folds=_two_months(local, baseline), scale=1.0)


def _two_months(local: Times, period: Bools) -> tuple[tuple[Bools, Bools], ...]:
    pair = local.astype("datetime64[M]").astype(np.int64) % 12 // 2
    return tuple((period & (pair != k), period & (pair == k)) for k in range(6))


def _eensight(folder: Path) -> Iterator[Trial]:
    for site in sorted(path for path in folder.iterdir() if (path / "train").is_dir()):
        parts = []
        for part in ("train", "test"):
            used, weather = (_rows(site / part / f"{kind}.csv.gz") for kind in ("consumption", "temperature"))
            at = {row["timestamp"]: _number(row["temperature"]) for row in weather}
            times = np.array([row["timestamp"] for row in used], dtype="datetime64[s]")
            energy = np.array([_number(row["consumption"]) for row in used])
            parts.append((times, energy, np.array([at.get(row["timestamp"], np.nan) for row in used])))
        times, energy, temperature = (np.concatenate(column) for column in zip(*parts, strict=True))
        fitted = np.arange(times.size) < parts[0][0].size
        trial = Trial(
            f"eensight {site.name}, next year", "hourly", times, energy, temperature[:, None], ((fitted, ~fitted),)
        )
        yield trial
        yield replace(trial, name=f"eensight {site.name}, two months left out", folds=_two_months(times, fitted))
        yield _by_day(trial)


def _by_day(trial: Trial) -> Trial:
    """Return the trial with days for hours: sums of energy over whole days, means of drivers."""
    days, place = np.unique(trial.times.astype("datetime64[D]"), return_inverse=True)
    count = np.bincount(place)
    known = np.bincount(place[np.isfinite(trial.energy)], minlength=days.size)
    total = np.bincount(place, np.nan_to_num(trial.energy))
    # A day with a few hours missing is scaled up; with more, it is not known.
    energy = np.where(known >= 0.9 * count, total * count / np.maximum(known, 1), np.nan)
    drivers = None
    if trial.drivers is not None:
        with np.errstate(invalid="ignore"):
            drivers = np.column_stack([_day_mean(place, column, days.size) for column in trial.drivers.T])
    first = np.searchsorted(place, np.arange(days.size))
    folds = tuple((fitted[first], judged[first]) for fitted, judged in trial.folds)
    return replace(
        trial,
        name=f"{trial.name}, days",
        frequency="daily",
        times=days.astype("datetime64[s]"),
        energy=energy,
        drivers=drivers,
        folds=folds,
    )


def _day_mean(place: NDArray[np.int64], values: Floats, days: int) -> Floats:
    known = np.isfinite(values)
    number = np.bincount(place[known], minlength=days)
    total = np.bincount(place[known], values[known], minlength=days)
    return np.asarray(total / np.where(number > 0, number, np.nan))


def _power_demand(folder: Path) -> Iterator[Trial]:
    for path in sorted(folder.glob("*.txt.gz")):
        with gzip.open(path, "rt") as file:
            quarters = np.array([float(line) for line in file if line.strip()])
        hours = quarters[: quarters.size // 96 * 96].reshape(-1, 4).mean(axis=1)
        times = (np.datetime64("1997-01-01T00", "h") + np.arange(hours.size) * _HOUR).astype("datetime64[s]")
        # Weeks, so that the split does not cut one.
        fitted = np.arange(hours.size) < hours.size // 168 * 3 // 4 * 168
        trial = Trial("power demand, last quarter", "hourly", times, hours, None, ((fitted, ~fitted),))
        yield trial
        yield _by_day(trial)


# Range that PROBEN1's coding of the building problem (its script num2cod) maps to 0 to 0.9.
_PROBEN1: Final = {"WBE": 1300.0, "WBCW": 12.0, "WBHW": 8.8}


def _shootout(folder: Path) -> Iterator[Trial]:
    for path in sorted(folder.glob("*.dat")):
        table = np.loadtxt(path, skiprows=1)
        months = ((1900 + table[:, 2] - 1970) * 12 + table[:, 0] - 1).astype(np.int64).astype("datetime64[M]")
        days = months.astype("datetime64[D]") + (table[:, 1].astype(np.int64) - 1)
        times = (days.astype("datetime64[h]") + (table[:, 3] // 100).astype(np.int64)).astype("datetime64[s]")
        drivers = table[:, 4:8].copy()
        drivers[:, 0] = (drivers[:, 0] - 32.0) / 1.8
        fitted = np.arange(times.size) < times.size * 3 // 4
        for place, (name, full) in enumerate(_PROBEN1.items(), 8):
            yield Trial(
                f"shootout {name}, last quarter", "hourly", times, table[:, place], drivers, ((fitted, ~fitted),),
                electricity=False, proben1_range=full,
            )  # fmt: skip
