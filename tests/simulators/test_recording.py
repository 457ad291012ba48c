"""The recording of the pump rig that the repository holds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from simulators.recording import MENDED_S, ONSET_S, write
from tests.simulators.conftest import ROOT

FILE = ROOT / "tests/data/recordings/pump-rig.csv"


def test_the_file_in_the_repository_is_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path / "rig.csv")
    assert (tmp_path / "rig.csv").read_bytes() == FILE.read_bytes()


def test_it_has_the_rigs_columns_and_one_labelled_stretch() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) == 1200
    wrong = np.array([row["anomaly"] == "1.0" for row in rows])
    edges = np.flatnonzero(np.diff(wrong.astype(int)))
    assert len(edges) == 2
    # One row a second, a few of which the logger missed.
    assert ONSET_S - 12 <= edges[0] <= ONSET_S
    assert MENDED_S - 12 <= edges[1] <= MENDED_S
    assert sum(row["changepoint"] == "1.0" for row in rows) == 7


def test_closing_the_valve_lowers_flow_pressure_and_current() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    for column in ("Volume Flow RateRMS", "Pressure", "Current"):
        value = np.array([float(row[column]) for row in rows])
        wrong = np.array([row["anomaly"] == "1.0" for row in rows])
        assert value[wrong].mean() < value[~wrong].mean() - 0.5 * value[~wrong].std(), column
