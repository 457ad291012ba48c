"""OpenDSM's own models on the same splits; run by a Python that has opendsm, which is not a dependency of Wardwatt.

Usage: python opendsm_models.py trials.npz results.json. The trials hold, for number i: `times_i`, `energy_i`,
`celsius_i`, `fitted_i` and `judged_i` (folds, n), `daily_i`, `electricity_i`. The results hold, for each trial, either
the expected energy of each row that is judged (null elsewhere), the model and the seconds of a fit, or the error. The
hourly model needs more days than it has columns; where it gives up, CalTRACK's hourly model takes its place.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
import warnings
from typing import Any

import numpy as np


def _expected(
    models: tuple[Any, Any, Any], frame: Any, fitted: Any, judged: Any, electricity: bool, plain: bool, fits: int
) -> tuple[Any, tuple[float, float]]:
    model_class, baseline_class, reporting_class = models
    past, later = frame[fitted], frame[judged]
    past, later = past[~past.index.duplicated()], later[~later.index.duplicated()]
    extra = {} if plain else {"ignore_disqualification": True}
    seconds, busy = [], []
    for _ in range(fits):
        start, start_busy = time.perf_counter(), time.process_time()
        model = model_class().fit(baseline_class(past.copy(), is_electricity_data=electricity), **extra)
        seconds.append(time.perf_counter() - start)
        busy.append(time.process_time() - start_busy)
    asked = later.copy()
    asked["observed"] = 1.0  # the model must not see what it is judged on
    answer = model.predict(reporting_class(asked, is_electricity_data=electricity), **extra)
    answer = answer[~answer.index.duplicated()]
    column = "predicted" if "predicted" in answer else "predicted_usage"
    return answer[column].reindex(frame.index[judged]).to_numpy(), (float(np.median(seconds)), float(np.median(busy)))


def main(source: str, target: str) -> None:
    """Fit and predict every trial."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    pandas: Any = importlib.import_module("pandas")
    opendsm: Any = importlib.import_module("opendsm.eemeter")
    hourly = (opendsm.HourlyModel, opendsm.HourlyBaselineData, opendsm.HourlyReportingData)
    caltrack = (
        opendsm.HourlyCaltrackModel, opendsm.HourlyCaltrackBaselineData, opendsm.HourlyCaltrackReportingData
    )  # fmt: skip
    daily = (opendsm.DailyModel, opendsm.DailyBaselineData, opendsm.DailyReportingData)
    data = np.load(source)
    results: list[dict[str, Any]] = []
    for i in range(sum(name.startswith("times_") for name in data.files)):
        index = pandas.DatetimeIndex(data[f"times_{i}"]).tz_localize("Etc/GMT+6")
        fahrenheit = data[f"celsius_{i}"] * 1.8 + 32.0
        frame = pandas.DataFrame({"observed": data[f"energy_{i}"], "temperature": fahrenheit}, index=index)
        electricity = bool(data[f"electricity_{i}"])
        is_daily = bool(data[f"daily_{i}"])
        tries = (
            [("daily", daily, False)] if is_daily else [("hourly", hourly, False), ("caltrack hourly", caltrack, True)]
        )
        result: dict[str, Any] = {}
        for name, models, plain in tries:
            expected, seconds = np.full(len(frame), np.nan), []
            # The first fit of a process pays for compiling; with many folds the median passes over that by itself.
            fits = 3 if len(data[f"fitted_{i}"]) == 1 else 1
            try:
                for fitted, judged in zip(data[f"fitted_{i}"], data[f"judged_{i}"], strict=True):
                    expected[judged], taken = _expected(models, frame, fitted, judged, electricity, plain, fits)
                    seconds.append(taken)
            except Exception as problem:  # whatever it is, the trial says so and the next one runs
                result = {"error": f"{type(problem).__name__}: {problem}"[:300]}
                continue
            rows = [float(x) if np.isfinite(x) else None for x in expected]
            clock, busy = np.median(np.array(seconds), axis=0).tolist()
            result = {"expected": rows, "model": name, "fit_seconds": clock, "fit_processor_seconds": busy}
            break
        results.append(result)
    with open(target, "w") as file:
        json.dump(
            {"version": importlib.import_module("importlib.metadata").version("opendsm"), "trials": results}, file
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
