"""
The anomaly detector for a group of correlated points of one machine.

It learns from the machine's own past (the leading rows) and judges every later row by what came before it. See
docs/detector.md for the method, its limits and its measured figures.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.anomaly.following import follow, learn_normal
from analytics.anomaly.learning import build_streams, learn_scaling
from analytics.anomaly.parameters import DetectorParameters

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

DEFAULT_PARAMETERS = DetectorParameters()
_ABSURD = 1e100  # no sensor reports this; squares of it would overflow


class Verdict(enum.Enum):
    """Three answers, not two."""

    NORMAL = "normal"
    ODD = "odd"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Examination:
    """What the detector makes of every row, and on what grounds; `n` rows, `k` points."""

    scores: Floats  # (n,) 1 or more where something odd begins or grows, 0.5 to 1 while it lasts, less when normal
    labels: Labels  # (n,) 1 while an alarm lasts
    threshold: float  # share at which a point's contribution begins an alarm, and score from which a row is news
    contributions: Floats  # (n, k) share of its threshold that each point has reached; 0 where it is not judged
    expected: Floats  # (n, k) in the point's unit; NaN for training rows and points that are not judged
    tolerance: Floats  # (k,) deviation of a single row from the expected value that would be an alarm
    told: npt.NDArray[np.bool_]  # (n,) false where nothing can be said of the row
    train_rows: int  # rows that were learnt from
    reasons: tuple[str | None, ...]  # (k,) why a point is not judged, None where it is
    reason: str | None  # why nothing at all can be said, None where something can

    def verdict(self, row: int) -> Verdict:
        """The verdict on one row."""
        if not self.told[row]:
            return Verdict.CANNOT_TELL
        return Verdict.ODD if self.labels[row] else Verdict.NORMAL


@dataclass(frozen=True, slots=True)
class PointEvidence:
    """One point in one row."""

    column: int
    measured: float  # NaN where missing
    expected: float  # NaN where the point is not judged
    tolerance: float
    contribution: float  # share of the threshold it has reached
    reason: str | None  # why it is not judged


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why one row got its verdict; the oddest point comes first."""

    row: int
    verdict: Verdict
    reason: str
    score: float
    threshold: float
    points: tuple[PointEvidence, ...]


def score(timestamps: npt.ArrayLike, values: npt.ArrayLike, train_length: int) -> Floats:
    """
    Say how odd each row is, from what came before it.

    Parameters
    ----------
    timestamps : (n,) datetime64
    values : (n, k) float
        One column a point, NaN where missing.
    train_length : int
        Leading rows to learn from.

    Returns
    -------
    (n,) float
        Higher is odder. From 1 on a row is news: something odd begins or grows. While a known oddity lasts, rows
        score 0.5 to 1; normal ones less. Training rows, and all rows where nothing can be told, are 0.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    return examine(timestamps, values, train_length).scores


def detect(timestamps: npt.ArrayLike, values: npt.ArrayLike, train_length: int) -> Labels:
    """
    Label each row 1 while it belongs to an alarm, else 0; takes and raises what `score` does.

    The thresholds come from the training rows. An alarm begins and ends with hysteresis and lasts as long as the oddity
    does, so labels are not simply the rows whose score is high.
    """
    return examine(timestamps, values, train_length).labels


def explain(timestamps: npt.ArrayLike, values: npt.ArrayLike, train_length: int, row: int) -> Evidence:
    """
    Give the grounds for the verdict on one row.

    Parameters
    ----------
    timestamps, values, train_length
        As for `score`.
    row : int
        From 0; rows after it change nothing.

    Raises
    ------
    ValueError
        If the shapes do not fit or there is no such row.
    """
    times, table = _checked(timestamps, values)
    if not 0 <= row < times.size:
        raise ValueError(f"row is {row}; give one from 0 to {times.size - 1}")
    known = max(row + 1, min(train_length, times.size))  # what was learnt stays the same for every row
    examination = examine(times[:known], table[:known], train_length)
    order = np.argsort(-examination.contributions[row], kind="stable")
    points = tuple(
        PointEvidence(
            int(j),
            float(table[row, j]),
            float(examination.expected[row, j]),
            float(examination.tolerance[j]),
            float(examination.contributions[row, j]),
            examination.reasons[j],
        )
        for j in order
    )
    return Evidence(
        row,
        examination.verdict(row),
        _reason(examination, row),
        float(examination.scores[row]),
        examination.threshold,
        points,
    )


def _reason(examination: Examination, row: int) -> str:
    if examination.reason is not None:
        return examination.reason
    if row < examination.train_rows:
        return f"row {row} is one of the {examination.train_rows} rows that were learnt from"
    if not examination.told[row]:
        return "no point that could be judged has a value"
    size = float(examination.contributions[row].max())
    return f"the oddest point has reached {size:.2f} of its threshold"


def examine(
    timestamps: npt.ArrayLike,
    values: npt.ArrayLike,
    train_length: int,
    parameters: DetectorParameters = DEFAULT_PARAMETERS,
) -> Examination:
    """
    Judge every row after the training rows, causally: row i depends on rows 0 to i only.

    Parameters
    ----------
    timestamps : (n,) datetime64
        Oldest first; may be irregular.
    values : (n, k) float
        One column a point, any unit, NaN where missing.
    train_length : int
        Leading rows to learn from, best free of faults. Too few rows give the verdict "cannot tell".
    parameters : DetectorParameters
        What the detector takes for granted.

    Raises
    ------
    ValueError
        If `values` is not two-dimensional or `timestamps` has another length.
    """
    times, table = _checked(timestamps, values)
    n, k = table.shape
    train_rows = int(min(max(train_length, 0), n))
    if train_rows < parameters.minimum_rows:
        short = f"{train_rows} training rows; at least {parameters.minimum_rows} are needed"
        return _cannot_tell(n, k, train_rows, (short,) * k, short)
    scaling = learn_scaling(table[:train_rows], parameters)
    if scaling.judged.size == 0:
        return _cannot_tell(n, k, train_rows, scaling.reasons, "no point can be judged; see the reason of each")

    seconds = (times - times[0].astype("datetime64[D]")) / np.timedelta64(1, "s")
    # Monday is day 0 of a week, so that weekdays mean the same in every recording.
    seconds = seconds + 86_400.0 * ((int(times[0].astype("datetime64[D]").astype(np.int64)) + 3) % 7)
    steps = np.diff(seconds[:train_rows])
    interval = float(np.median(steps)) if steps.size else 0.0
    streams = build_streams(seconds, table, train_rows, scaling, parameters)
    normal = learn_normal(streams.values[:train_rows], interval, parameters)
    stuck = _stuck(table, train_rows, normal.patience, parameters)[:, streams.columns]
    stuck[:, streams.redundant] = 0.0
    followed = follow(streams.values[train_rows:], interval, normal, stuck[train_rows:], parameters)

    contributions = np.zeros((n, k))
    expected = np.full((n, k), np.nan)
    tolerance = np.full(k, np.nan)
    foreseen = streams.prediction[train_rows:] + followed.level
    for column in scaling.judged:
        own = np.flatnonzero(streams.columns == column)
        oddest = own[np.argmax(followed.ratio[:, own], axis=1)] if n > train_rows else own[:0]
        rows = np.arange(n - train_rows)
        contributions[train_rows:, column] = followed.ratio[rows, oddest]
        # The expectation is that of the prediction which the point contradicts most; failing that, the point's own.
        size = np.where(np.isfinite(foreseen[rows, oddest]), foreseen[rows, oddest], foreseen[:, own[0]])
        expected[train_rows:, column] = scaling.centre[column] + scaling.spread[column] * size
        tolerance[column] = scaling.spread[column] * float(np.min((normal.threshold[0] * normal.noise)[own]))
    told = np.zeros(n, dtype=bool)
    told[train_rows:] = np.isfinite(table[train_rows:][:, scaling.judged]).any(axis=1)
    scores = _surprise(contributions.max(axis=1), parameters)
    labels = np.zeros(n, dtype=np.int64)
    labels[train_rows:] = _held(np.asarray(followed.ringing.any(axis=1)), seconds[train_rows:], parameters.hold_s)
    return Examination(scores, labels, 1.0, contributions, expected, tolerance, told, train_rows, scaling.reasons, None)


def _stuck(values: Floats, train_rows: int, patience: int, p: DetectorParameters) -> Floats:
    """How long each point has repeated one value (n, k), as a share of what its training rows make an alarm."""
    same = np.zeros(values.shape, dtype=bool)
    same[1:] = values[1:] == values[:-1]
    row = np.arange(values.shape[0])[:, None]
    changed = np.maximum.accumulate(np.where(same, -1, row), axis=0)
    run = row - np.maximum(changed, 0)
    longest = run[:train_rows].max(axis=0)
    allowed = p.stuck_factor * longest + p.stuck_rows
    share = np.where(run < allowed + patience, run / allowed, 0.0)
    for j in range(values.shape[1]):
        # States and counters dwell on their values; only what was always on the move can be stuck.
        few = np.unique(values[:train_rows, j]).size < p.stuck_values
        if few or longest[j] > p.stuck_share * train_rows:
            share[:, j] = 0.0
    return np.asarray(share, dtype=np.float64)


def _surprise(gone: Floats, p: DetectorParameters) -> Floats:
    """
    Turn how far each row is gone, as a share of its threshold, into how odd it is given what was already told.

    News (beyond the threshold, and more than is remembered) keep their size, 1 or more. All other rows are mapped to
    x / (1 + x): below 0.5 within the normal range, 0.5 to 1 while a known alarm lasts.
    """
    scores = gone / (1.0 + gone)
    memory, forget = 0.0, 0.5 ** (1.0 / p.memory_rows)
    for i, x in enumerate(gone.tolist()):
        memory *= forget
        if x >= max(1.0, p.news * memory):
            scores[i] = x
        memory = max(memory, x)
    return scores


def _held(ringing: npt.NDArray[np.bool_], seconds: Floats, hold_s: float) -> npt.NDArray[np.bool_]:
    """Keep each alarm until `hold_s` have passed without one."""
    last = np.maximum.accumulate(np.where(ringing, np.arange(ringing.size), -1))
    return np.asarray((last >= 0) & (seconds - seconds[last] < hold_s) | ringing)


def _checked(timestamps: npt.ArrayLike, values: npt.ArrayLike) -> tuple[npt.NDArray[np.datetime64], Floats]:
    times = np.asarray(timestamps, dtype="datetime64[us]")
    table = np.array(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"values has shape {table.shape}; reshape it to (rows, points), one column a point")
    if times.shape != table.shape[:1]:
        raise ValueError(f"timestamps has shape {times.shape}, values has {table.shape[0]} rows; give one time a row")
    table[~(np.abs(table) < _ABSURD)] = np.nan
    return times, table


def _cannot_tell(n: int, k: int, train_rows: int, reasons: tuple[str | None, ...], reason: str) -> Examination:
    return Examination(
        np.zeros(n),
        np.zeros(n, dtype=np.int64),
        1.0,
        np.zeros((n, k)),
        np.full((n, k), np.nan),
        np.full(k, np.nan),
        np.zeros(n, dtype=bool),
        train_rows,
        reasons,
        reason,
    )
