"""Fit, predict, and compare: our baselines and OpenDSM's, on the same rows."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.baseline import fit
from analytics.energy.baseline_benchmark import opendsm_models
from analytics.energy.baseline_benchmark.trials import Trial, trials
from facility.errors import WardwattError

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]

_FITS: Final = 5
_USUAL_C: Final = 15.0
_LONGEST_S: Final = 3600


class OpenDsmFailed(WardwattError):
    """The other Python does not run OpenDSM: name one that does, or leave it out."""


def run(folder: Path, opendsm: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """
    Judge the baselines on the recorded meters under `folder`.

    Parameters
    ----------
    folder : with any of opendsm, eensight, power_demand, shootout
    opendsm : a Python that has opendsm, to judge its models on the same splits; None leaves them out
    progress : told what is done, and which share of it

    Returns
    -------
    For each trial: CV(RMSE) and NMBE of rows and of months, out of sample, and median seconds of a fit (by the clock,
    and of processors, which other work on the machine disturbs less), of ours and of OpenDSM; PROBEN1's squared error
    percentage where it is defined. Only rows for which both know an answer count.

    Raises
    ------
    RecordedDataMissing
        If `folder` holds none of the sets.
    OpenDsmFailed
        If the other Python cannot be run.
    """
    told = progress or (lambda _name, _share: None)
    listed = list(trials(folder))
    theirs = _theirs(listed, opendsm) if opendsm is not None else None
    results: dict[str, Any] = {}
    for i, trial in enumerate(listed):
        told(trial.name, i / len(listed))
        other = theirs["trials"][i] if theirs is not None else None
        results[trial.name] = _judge(trial, other)
    told("done", 1.0)
    result: dict[str, Any] = {"trials": results, "summary": _summary(results)}
    result["opendsm"] = f"version {theirs['version']}" if theirs is not None else "left out; name a Python that has it"
    errors = [r["wardwatt"]["proben1_e_percent"] for r in results.values() if "proben1_e_percent" in r["wardwatt"]]
    if errors:
        # E of PROBEN1 is the mean over outputs and patterns.
        result["proben1_e_percent"] = sum(errors) / len(errors)
    return result


def _judge(trial: Trial, other: dict[str, Any] | None) -> dict[str, Any]:
    expected = np.full(trial.times.size, np.nan)
    seconds, busy, kinds = [], [], set()
    for fitted, judged in trial.folds:
        past = trial.drivers[fitted] if trial.drivers is not None else None
        later = trial.drivers[judged] if trial.drivers is not None else None
        for _ in range(_FITS if len(trial.folds) == 1 else 1):
            start, start_busy = time.perf_counter(), time.process_time()
            model = fit(trial.times[fitted], trial.energy[fitted], past)
            seconds.append(time.perf_counter() - start)
            busy.append(time.process_time() - start_busy)
        expected[judged] = model.predict(trial.times[judged], later)
        kinds.add(model.kind)
    asked = np.any([judged for _, judged in trial.folds], axis=0)
    actual = np.where(asked, trial.energy, np.nan) / trial.scale
    answers = {"wardwatt": expected}
    if other is not None and "expected" in other:
        answers["opendsm"] = np.array([np.nan if x is None else x for x in other["expected"]])
    known = np.isfinite(actual) & np.all([np.isfinite(answer) for answer in answers.values()], axis=0)
    result: dict[str, Any] = {"rows": int(known.sum())}
    for name, answer in answers.items():
        result[name] = _figures(trial, actual, answer, known)
    result["wardwatt"] |= {
        "fit_seconds": round(float(np.median(seconds)), 4),
        "fit_processor_seconds": round(float(np.median(busy)), 4),
        "kind": ", ".join(sorted(kinds)),
    }
    if other is not None:
        if "expected" in other:
            result["opendsm"] |= {
                "fit_seconds": round(other["fit_seconds"], 4),
                "fit_processor_seconds": round(other["fit_processor_seconds"], 4),
                "kind": other["model"],
            }
            for kind in ("", "processor_"):
                ours, others = (result[who][f"fit_{kind}seconds"] for who in ("wardwatt", "opendsm"))
                result[f"fit_{kind}time_ratio"] = round(ours / others, 4)
        else:
            result["opendsm"] = {"error": other["error"]}
    return result


def _figures(trial: Trial, actual: Floats, expected: Floats, known: NDArray[np.bool_]) -> dict[str, float]:
    y, model = actual[known], expected[known]
    mean = float(y.mean())
    _, month = np.unique(trial.times[known].astype("datetime64[M]"), return_inverse=True)
    month_y, month_model = np.bincount(month, y), np.bincount(month, model)
    result = {
        "cv_rmse": math.sqrt(float(np.mean((y - model) ** 2))) / mean,
        "nmbe": float(np.mean(y - model)) / mean,
        "monthly_cv_rmse": math.sqrt(float(np.mean((month_y - month_model) ** 2))) / float(month_y.mean()),
        "worst_month": float(np.max(np.abs(month_y - month_model) / np.abs(month_y))),
    }
    if trial.proben1_range is not None:
        # Outputs are coded as 0 to 0.9; the range of the representation is taken as that of its network's output, 1.
        result["proben1_e_percent"] = 100.0 * float(np.mean((0.9 * (y - model) / trial.proben1_range) ** 2))
    return {name: round(value, 5) for name, value in result.items()}


def _theirs(listed: list[Trial], python: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="wardwatt-baseline-") as name:
        source, target = Path(name) / "trials.npz", Path(name) / "results.json"
        arrays: dict[str, NDArray[Any]] = {}
        for i, trial in enumerate(listed):
            # A model that asks for a temperature where there is none gets one that says nothing.
            nothing = _USUAL_C + 1e-3 * np.sin(np.arange(trial.times.size))
            arrays |= {
                f"times_{i}": trial.times,
                f"energy_{i}": trial.energy,
                f"celsius_{i}": nothing if trial.drivers is None else trial.drivers[:, 0],
                f"fitted_{i}": np.array([fitted for fitted, _ in trial.folds]),
                f"judged_{i}": np.array([judged for _, judged in trial.folds]),
                f"daily_{i}": np.array(trial.frequency == "daily"),
                f"electricity_{i}": np.array(trial.electricity),
            }
        np.savez(source, **arrays)  # type: ignore[arg-type]
        command = [str(python), str(Path(opendsm_models.__file__)), str(source), str(target)]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise OpenDsmFailed(f"{python} does not run: {problem}; name a Python that has opendsm") from problem
        if ran.returncode != 0 or not target.exists():
            last = ran.stderr.strip().splitlines()[-1:] or ["no message"]
            raise OpenDsmFailed(f"{python} cannot run OpenDSM: {last[0]}; install opendsm there, or leave it out")
        result: dict[str, Any] = json.loads(target.read_text())
        return result


def _summary(results: dict[str, Any]) -> dict[str, Any]:
    both = [r for r in results.values() if "cv_rmse" in r.get("opendsm", {})]
    if not both:
        return {"trials": len(results)}
    better = sum(r["wardwatt"]["cv_rmse"] <= r["opendsm"]["cv_rmse"] for r in both)
    nearer = sum(abs(r["wardwatt"]["nmbe"]) <= abs(r["opendsm"]["nmbe"]) for r in both)
    ratios = [r["fit_time_ratio"] for r in both]
    processor = [r["fit_processor_time_ratio"] for r in both]
    return {
        "trials": len(results),
        "compared": len(both),
        "cv_rmse_at_least_equal": better,
        "nmbe_at_least_equal": nearer,
        "median_fit_time_ratio": round(float(np.median(ratios)), 4),
        "largest_fit_time_ratio": round(max(ratios), 4),
        "largest_fit_processor_time_ratio": round(max(processor), 4),
    }
