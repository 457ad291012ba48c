"""The benchmark of baselines: what it reads, what it judges, and what it says where something is wanting."""

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.baseline_benchmark import run
from analytics.energy.baseline_benchmark.run import OpenDsmFailed
from analytics.energy.baseline_benchmark.trials import RecordedDataMissing, trials
from tests.analytics.energy.baseline.made import ward, weather


@pytest.fixture
def recorded(tmp_path):
    """A folder with one meter of quarter hours, and one building of two years, as the recorded sets are laid out."""
    rng = np.random.default_rng(1)
    (tmp_path / "power_demand").mkdir()
    hours = np.arange(24 * 7 * 8)
    demand = 100.0 + 50.0 * ((hours % 24 > 7) & (hours // 24 % 7 < 5)) + rng.normal(0, 1, hours.size)
    with gzip.open(tmp_path / "power_demand" / "demand.txt.gz", "wt") as file:
        file.writelines(f"{value:.2f}\n" for value in np.repeat(demand, 4))
    times, temperature = weather(730)
    for part, rows in (("train", slice(0, 8760)), ("test", slice(8760, None))):
        folder = tmp_path / "eensight" / "demo_site_9" / part
        folder.mkdir(parents=True)
        energy = ward(times, temperature) + rng.normal(0, 2, times.size)
        for name, values in (("consumption", energy), ("temperature", temperature)):
            with gzip.open(folder / f"{name}.csv.gz", "wt", newline="") as file:
                table = csv.writer(file)
                table.writerow(["", "timestamp", name])
                stamps = [str(time).replace("T", " ") for time in times[rows]]
                table.writerows(zip(range(len(stamps)), stamps, values[rows].round(3), strict=True))
    return tmp_path


def test_each_meter_is_judged_out_of_sample(recorded):
    result = run(recorded)
    assert set(result["trials"]) == {
        "power demand, last quarter",
        "power demand, last quarter, days",
        "eensight demo_site_9, next year",
        "eensight demo_site_9, two months left out",
        "eensight demo_site_9, next year, days",
    }
    for trial in result["trials"].values():
        assert trial["wardwatt"]["cv_rmse"] < 0.06
        assert trial["wardwatt"]["fit_seconds"] > 0
    assert result["opendsm"].startswith("left out")


def test_no_row_is_both_fitted_to_and_judged(recorded):
    for trial in trials(recorded):
        for fitted, judged in trial.folds:
            assert fitted.any()
            assert judged.any()
            assert not (fitted & judged).any()


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(RecordedDataMissing, match="has none of the folders opendsm, eensight, power_demand, shootout"):
        run(tmp_path)


def test_a_python_that_is_not_there_is_named(recorded):
    with pytest.raises(OpenDsmFailed, match="no-such-python does not run"):
        run(recorded, Path("/no-such-python"))


def test_a_python_without_opendsm_says_so(recorded):
    with pytest.raises(OpenDsmFailed, match="cannot run OpenDSM: ModuleNotFoundError"):
        run(recorded, Path(sys.executable))
