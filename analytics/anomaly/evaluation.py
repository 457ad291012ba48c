"""
How good is a detector: the scoring rules of the public benchmarks, as pure functions on labels and scores.

Row-wise rules take a boolean `counted` mask, so that rows that were learnt from are not judged. Rates whose
denominator is empty are NaN: a file without healthy rows has no false alarm rate.

References
----------
I. Katser, V. Kozitsin, Skoltech Anomaly Benchmark (SKAB), 2020: F1, FAR, MAR and the change-point score.
A. Lavin, S. Ahmad, Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark, ICMLA 2015.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analytics.anomaly.detector import detect

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]

FALSE_ALARM_COST = 0.11
"""What one false detection costs against 1 for a missed event: NAB's standard profile, also used by SKAB."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows by truth and by verdict; add two of them to pool files."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        return RowCounts(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def f1(self) -> float:
        """TP / (TP + (FP + FN) / 2) [-]."""
        return _share(self.true_positive, self.true_positive + (self.false_positive + self.false_negative) / 2)

    @property
    def false_alarm_rate(self) -> float:
        """FAR = FP / (FP + TN) [-]."""
        return _share(self.false_positive, self.false_positive + self.true_negative)

    @property
    def missed_alarm_rate(self) -> float:
        """MAR = FN / (FN + TP) [-]."""
        return _share(self.false_negative, self.false_negative + self.true_positive)


def count_rows(truth: npt.ArrayLike, flagged: npt.ArrayLike, counted: npt.ArrayLike | None = None) -> RowCounts:
    """
    Compare row labels with the truth.

    Parameters
    ----------
    truth, flagged : (n,) 0/1
    counted : (n,) bool, optional
        Rows to judge; all when left out.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """
    true, flag = np.asarray(truth).astype(bool), np.asarray(flagged).astype(bool)
    judge = np.ones(true.shape, dtype=bool) if counted is None else np.asarray(counted).astype(bool)
    if true.shape != flag.shape or true.shape != judge.shape or true.ndim != 1:
        raise ValueError(
            f"truth {true.shape}, flagged {flag.shape} and counted {judge.shape} must have one dimension and one length"
        )
    return RowCounts(
        int(np.sum(true & flag & judge)),
        int(np.sum(~true & flag & judge)),
        int(np.sum(true & ~flag & judge)),
        int(np.sum(~true & ~flag & judge)),
    )


@dataclass(frozen=True, slots=True)
class EventReport:
    """One true event and what the detector made of it."""

    start: int
    end: int
    """Rows `start` to `end` (exclusive) are labelled."""
    found: bool
    delay_s: float
    """Seconds from the first labelled row to the first flagged one; NaN when nothing was flagged."""
    already_ringing: bool
    """Flagged on the row before the onset as well: such an alarm did not announce this event."""


def runs(flags: npt.ArrayLike) -> list[tuple[int, int]]:
    """Start (inclusive) and end (exclusive) of every run of true rows, oldest first."""
    edge = np.diff(np.concatenate(([0], np.asarray(flags).astype(bool).astype(np.int8), [0])))
    return [(int(a), int(b)) for a, b in zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True)]


def report_events(timestamps: Times, truth: npt.ArrayLike, flagged: npt.ArrayLike) -> list[EventReport]:
    """
    Say of every labelled event whether and how fast it was found.

    Parameters
    ----------
    timestamps : (n,) datetime64, oldest first
    truth, flagged : (n,) 0/1
    """
    flag = np.asarray(flagged).astype(bool)
    seconds = _seconds(timestamps)
    reports = []
    for start, end in runs(truth):
        inside = np.flatnonzero(flag[start:end])
        delay = float(seconds[start + inside[0]] - seconds[start]) if inside.size else math.nan
        ringing = bool(start > 0 and flag[start - 1])
        reports.append(EventReport(start, end, bool(inside.size), delay, ringing))
    return reports


def flagged_before_onset(truth: npt.ArrayLike, flagged: npt.ArrayLike, first_row: int = 0) -> float:
    """Share of the rows from `first_row` to the first labelled row (exclusive) that are flagged; NaN if none [-]."""
    onset = next(iter(runs(truth)), (len(np.asarray(truth)), 0))[0]
    before = np.asarray(flagged).astype(bool)[first_row:onset]
    return float(before.mean()) if before.size else math.nan


@dataclass(frozen=True, slots=True)
class ChangePointTally:
    """Points won and events known; add two of them to pool files."""

    points: float = 0.0
    change_points: int = 0

    def __add__(self, other: ChangePointTally) -> ChangePointTally:
        return ChangePointTally(self.points + other.points, self.change_points + other.change_points)

    @property
    def score(self) -> float:
        """0 for a detector that never speaks, 100 for a perfect one; NaN without change points."""
        return 100.0 * _share(self.points + self.change_points, 2 * self.change_points)


def tally_change_points(
    timestamps: Times,
    change_points: npt.ArrayLike,
    flagged: npt.ArrayLike,
    window_s: float = 60.0,
    first_row: int = 0,
) -> ChangePointTally:
    """
    Score the switches of the row labels against the true change points, as SKAB does.

    Each change point opens a window of `window_s` to its right. The first switch inside earns from 1 (at once) to
    -0.11 (at the window's end) along -tanh, a switch outside every window costs 0.11, a window without a switch 1.

    Parameters
    ----------
    timestamps : (n,) datetime64, oldest first
    change_points : (n,) 0/1
        1 on the row of each true change point.
    flagged : (n,) 0/1
        Row labels; a detection is a row whose label differs from the row before.
    window_s : float
        Length of a window [s].
    first_row : int
        Rows before it were learnt from and are not judged.
    """
    seconds = _seconds(timestamps)
    flag = np.asarray(flagged).astype(bool).copy()
    flag[:first_row] = False
    switches = [int(i) for i in np.flatnonzero(flag[1:] != flag[:-1]) + 1]
    starts = [int(i) for i in np.flatnonzero(np.asarray(change_points)) if i >= first_row]
    points, explained = 0.0, set[int]()
    for position, start in enumerate(starts):
        until = seconds[start] + window_s
        if position + 1 < len(starts):
            until = min(until, seconds[starts[position + 1]])
        inside = [i for i in switches if seconds[start] <= seconds[i] <= until and i >= start and i not in explained]
        explained.update(inside)
        points += _window_reward(float(seconds[inside[0]] - seconds[start]) / window_s) if inside else -1.0
    points -= FALSE_ALARM_COST * sum(1 for i in switches if i not in explained)
    return ChangePointTally(points, len(starts))


def _window_reward(position: float) -> float:
    """1 at the window's start (position 0), -0.11 at its end (1), along -tanh over one half period."""
    half = (1.0 + FALSE_ALARM_COST) / 2
    middle = (1.0 - FALSE_ALARM_COST) / 2
    return middle - half * math.tanh(math.pi * (position - 0.5)) / math.tanh(math.pi / 2)


@dataclass(frozen=True, slots=True)
class NabTally:
    """Points won and windows known under NAB's standard profile; add two of them to pool files."""

    points: float = 0.0
    windows: int = 0

    def __add__(self, other: NabTally) -> NabTally:
        return NabTally(self.points + other.points, self.windows + other.windows)

    @property
    def score(self) -> float:
        """0 for a detector that never speaks, 100 for a perfect one; NaN without windows."""
        return 100.0 * _share(self.points + self.windows, 2 * self.windows)


def probation(rows: int) -> int:
    """Rows of a NAB file that may be learnt from and are not judged: 15 %, at most 750."""
    return min(int(0.15 * rows), 750)


def tally_nab(scores: npt.ArrayLike, windows: Sequence[tuple[int, int]], threshold: float, first_row: int) -> NabTally:
    """
    Score one file as the Numenta Anomaly Benchmark does (standard profile: hit 1, miss 1, false alarm 0.11).

    Parameters
    ----------
    scores : (n,) float
        A row is a detection when its score is `threshold` or more.
    windows : first and last row (both inclusive) of every labelled window, oldest first
    threshold : float
        In the unit of the scores; one for all files.
    first_row : int
        Rows before it are not judged; see `probation`.
    """
    hits = [int(i) for i in np.flatnonzero(np.asarray(scores, dtype=float) >= threshold) if i >= first_row]
    points, inside = 0.0, set[int]()
    for first, last in windows:
        own = [i for i in hits if first <= i <= last]
        inside.update(own)
        width = last - first + 1
        points += _sigmoid(-(last - own[0] + 1) / width) / _sigmoid(-1.0) if own else -1.0
    for i in hits:
        if i in inside:
            continue
        behind = [(first, last) for first, last in windows if last < i]
        if behind:
            first, last = behind[-1]
            # The farther behind a window, the worse: a detection just after its end is nearly forgiven.
            points += FALSE_ALARM_COST * _sigmoid((i - last) / max(last - first, 1))
        else:
            points -= FALSE_ALARM_COST
    return NabTally(points, len(windows))


def _sigmoid(position: float) -> float:
    """NAB's scaled sigmoid: near 1 at a window's start (-1), 0 at its end (0), -1 far behind it."""
    return -1.0 if position > 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def best_nab_threshold(
    files: Sequence[tuple[npt.ArrayLike, Sequence[tuple[int, int]], int]], candidates: int = 200
) -> tuple[float, float]:
    """
    The one threshold that serves all files best, and the score there.

    It flatters on the files it was chosen on; the honest figure is the one of other files at this threshold.

    Parameters
    ----------
    files : scores (n,), windows and first judged row of each file, as `tally_nab` takes them
    candidates : int
        How many quantiles of the pooled scores to try.
    """
    pooled = np.concatenate([np.asarray(s, dtype=float)[first:] for s, _, first in files])
    tail = 1.0 - np.geomspace(0.5, 0.5 / max(pooled.size, 1), candidates)
    best = (math.inf, 0.0)
    for threshold in np.unique(np.quantile(pooled, tail)):
        total = sum((tally_nab(s, w, float(threshold), first) for s, w, first in files), NabTally())
        if total.score > best[1]:
            best = (float(threshold), total.score)
    return best


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run of a machine, with its labels where it has any."""

    name: str
    timestamps: Times
    values: Floats
    columns: tuple[str, ...]
    truth: Labels | None
    change_points: Labels | None


def read_recording(path: Path) -> Recording:
    """
    Read a recording of the water-pump rig: `;` separated, `datetime`, the points, `anomaly` and `changepoint`.

    Raises
    ------
    ValueError
        If the file has no `datetime` column or a row does not parse; names the file, the line and the value.
    """
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter=";"))
    if not rows or rows[0][:1] != ["datetime"]:
        raise ValueError(f"{path}: the first column is not 'datetime'; give a recording separated by ';' with a header")
    header = rows[0]
    columns = tuple(name for name in header[1:] if name not in ("anomaly", "changepoint"))
    times, table = [], np.full((len(rows) - 1, len(header) - 1), np.nan)
    for number, row in enumerate(rows[1:], start=2):
        try:
            times.append(np.datetime64(dt.datetime.fromisoformat(row[0]), "us"))
            table[number - 2, : len(row) - 1] = [float(cell) if cell else math.nan for cell in row[1:]]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; correct or remove the row") from error

    def marked(name: str) -> Labels | None:
        return table[:, header.index(name) - 1].astype(np.int64) if name in header else None

    keep = [header.index(name) - 1 for name in columns]
    return Recording(path.stem, np.array(times), table[:, keep], columns, marked("anomaly"), marked("changepoint"))


def evaluate_rig(folder: str | Path, train_rows: int = 400, healthy_train_rows: int = 2000) -> dict[str, object]:
    """
    Measure the detector on the recordings of the real water-pump rig (SKAB) below a folder.

    Files with labels are learnt from on their first `train_rows` rows and pooled; files without labels are healthy,
    learnt from on `healthy_train_rows` rows, and every alarm in them is false.

    Parameters
    ----------
    folder : path
        Searched with its subfolders for `*.csv`.

    Returns
    -------
    dict
        `healthy`: per file the share of flagged rows and alarms an hour. `labelled`: files, f1, far, mar, share of
        rows flagged before the onset, events found and their delays in seconds, change-point score; `files`: the
        same for each file.

    Raises
    ------
    ValueError
        If the folder holds no recording.
    """
    paths = sorted(Path(folder).rglob("*.csv"))
    if not paths:
        raise ValueError(f"{folder}: no .csv file below it; give the folder that holds the rig's recordings")
    healthy: dict[str, object] = {}
    files: dict[str, object] = {}
    rows, change = RowCounts(), ChangePointTally()
    before: list[float] = []
    delays: list[float] = []
    events = found = 0
    for path in paths:
        recording = read_recording(path)
        name = path.relative_to(folder).as_posix()
        if recording.truth is None:
            healthy[name] = _judge_healthy(recording, healthy_train_rows)
            continue
        flagged = detect(recording.timestamps, recording.values, train_rows)
        counted = np.arange(flagged.size) >= train_rows
        own = count_rows(recording.truth, flagged, counted)
        marks = recording.change_points if recording.change_points is not None else np.zeros_like(recording.truth)
        own_change = tally_change_points(recording.timestamps, marks, flagged, first_row=train_rows)
        reports = report_events(recording.timestamps, recording.truth, flagged)
        early = flagged_before_onset(recording.truth, flagged, train_rows)
        rows, change = rows + own, change + own_change
        before.append(early)
        events += len(reports)
        found += sum(r.found for r in reports)
        delays += [r.delay_s for r in reports if r.found]
        files[name] = {
            **_rates(own),
            "flagged_before_onset": early,
            "delay_s": [r.delay_s for r in reports],
            "change_point_score": own_change.score,
        }
    labelled = {
        "files": len(files),
        **_rates(rows),
        "flagged_before_onset": float(np.nanmean(before)) if before else math.nan,
        "events": events,
        "events_found": found,
        "median_delay_s": float(np.median(delays)) if delays else math.nan,
        "change_point_score": change.score,
    }
    return {"healthy": healthy, "labelled": labelled, "files": files}


def _judge_healthy(recording: Recording, train_rows: int) -> dict[str, float]:
    flagged = detect(recording.timestamps, recording.values, train_rows)
    judged = flagged[train_rows:]
    seconds = _seconds(recording.timestamps)
    hours = float(seconds[-1] - seconds[train_rows]) / 3600.0 if judged.size > 1 else math.nan
    alarms = len(runs(judged))
    return {
        "rows": float(judged.size),
        "flagged_share": float(judged.mean()) if judged.size else math.nan,
        "alarms": float(alarms),
        "alarms_per_hour": alarms / hours if hours and hours > 0 else math.nan,
    }


def _rates(rows: RowCounts) -> dict[str, float]:
    return {"f1": rows.f1, "far": rows.false_alarm_rate, "mar": rows.missed_alarm_rate}


def _seconds(timestamps: Times) -> Floats:
    return np.asarray(timestamps).astype("datetime64[us]").astype(np.int64).astype(np.float64) / 1e6


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan
