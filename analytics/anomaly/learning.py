"""
What the training rows teach: which points can be judged, what predicts them, and how far they stray when healthy.

Every point that can be judged gives one stream of deviations (from its daily rhythm, if it has one), and a second one
if the other points predict it. All learning is linear algebra on the training rows alone; the deviations of
the training rows themselves are out of sample (blocked cross-validation), since in-sample ones would look too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.anomaly.parameters import DetectorParameters

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_DAY_S = 86_400.0
_RIDGE = 0.01  # of the training rows: the predictors are standardised, so this shrinks a lone one by 1 %
_BEYOND = 1.0  # spreads beyond what training reached: farther out, a learnt relation is not asked
_LEANING = 0.1  # spreads of the predicted point for one spread of the other
_HARMONICS = 6  # of the day: a load that switches within two hours is still followed


@dataclass(frozen=True, slots=True)
class Streams:
    """Deviations to be followed; `j` streams over `n` rows, in units of the point's training spread."""

    values: Floats  # (n, j), NaN where the point is missing
    prediction: Floats  # (n, j) what the rhythm or the other points predict, before the slow level
    columns: Indices  # (j,) the point each stream belongs to
    redundant: Flags  # (j,) true where the other points predict it


@dataclass(frozen=True, slots=True)
class Scaling:
    """Centre and spread of each point in the training rows, and why a point is not judged."""

    centre: Floats  # (k,)
    spread: Floats  # (k,) NaN where not judged
    low: Floats  # (k,) what the training rows reach, in spreads from the centre
    high: Floats  # (k,)
    reasons: tuple[str | None, ...]  # (k,) None where judged

    @property
    def judged(self) -> Indices:
        """Columns that can be judged."""
        return np.flatnonzero([reason is None for reason in self.reasons])


def learn_scaling(train: Floats, p: DetectorParameters) -> Scaling:
    """
    Centre and spread of every point, from the middle 98 % of its training values.

    Parameters
    ----------
    train : (m, k) float
        Training rows, NaN where missing.
    """
    rows, k = train.shape
    centre, spread, low, high = (np.full(k, np.nan) for _ in range(4))
    reasons: list[str | None] = []
    for j in range(k):
        seen = train[np.isfinite(train[:, j]), j]
        if seen.size < max(p.minimum_rows, p.minimum_coverage * rows):
            reasons.append(f"only {seen.size} of {rows} training rows have a value")
            continue
        bottom, top = np.quantile(seen, [0.01, 0.99])
        usual = np.clip(seen, bottom, top)
        middle, deviation = float(usual.mean()), float(usual.std())
        size = float(np.abs(seen).max())
        if float(seen.std()) <= 1e-9 * size:
            reasons.append("constant in the training rows")
            continue
        if deviation <= 0.05 * float(seen.std()):
            reasons.append("moved in too few of the training rows")
            continue
        reasons.append(None)
        centre[j], spread[j] = middle, deviation
        low[j], high[j] = (bottom - middle) / deviation - _BEYOND, (top - middle) / deviation + _BEYOND
    return Scaling(centre, spread, low, high, tuple(reasons))


def build_streams(seconds: Floats, values: Floats, train_rows: int, scaling: Scaling, p: DetectorParameters) -> Streams:
    """
    Learn predictors on the training rows and turn all rows into deviations from them.

    Parameters
    ----------
    seconds : (n,) float
        Time since the first row's midnight [s].
    values : (n, k) float
        NaN where missing.
    train_rows : int
        Leading rows to learn from.
    """
    judged = scaling.judged
    z = (values[:, judged] - scaling.centre[judged]) / scaling.spread[judged]
    # A predictor keeps its last value while it is missing; too old, or out of its learnt range, it predicts nothing.
    low, high = scaling.low[judged], scaling.high[judged]
    held, old = _hold(np.clip(z, low, high), train_rows, p)
    strange = old | (z < low) | (z > high)
    known = np.isfinite(z[:train_rows])
    folds = _folds(seconds[:train_rows])

    calendar = _calendar(seconds, train_rows)
    rhythm = np.zeros_like(z)
    if calendar is not None:
        fit, gain = _regress(calendar, held, known, folds)
        rhythm[:, gain < p.rhythm_gain] = fit[:, gain < p.rhythm_gain]

    streams, predictions, columns, redundant = [z - rhythm], [rhythm], [judged], [np.zeros(judged.size, dtype=bool)]
    if judged.size > 1 and train_rows >= 5 * judged.size:
        fit, gain = _regress_on_each_other(held, strange, known, folds)
        chosen = np.flatnonzero(gain < p.redundancy_gain)
        streams.append(z[:, chosen] - fit[:, chosen])
        predictions.append(fit[:, chosen])
        columns.append(judged[chosen])
        redundant.append(np.ones(chosen.size, dtype=bool))
    return Streams(
        np.clip(np.hstack(streams), -1e6, 1e6),
        np.hstack(predictions),
        np.concatenate(columns),
        np.concatenate(redundant),
    )


def _hold(z: Floats, train_rows: int, p: DetectorParameters) -> tuple[Floats, Flags]:
    """Fill gaps with the last value before them (first: with the centre), and say where that has become too old."""
    row = np.arange(z.shape[0])[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(z), row, -1), axis=0)
    age = row - last
    usual = age[:train_rows].max(axis=0)
    held = np.nan_to_num(np.take_along_axis(z, np.maximum(last, 0), axis=0))
    return held, age > np.maximum(usual, max(p.windows))


def _folds(seconds: Floats) -> list[Indices]:
    """Contiguous blocks: whole days where there are days, so that no row is predicted by its neighbours."""
    days = (seconds[-1] - seconds[0]) / _DAY_S
    count = 5 if days < 2 else int(min(10, max(2, round(days))))
    return [fold for fold in np.array_split(np.arange(seconds.size), min(count, seconds.size)) if fold.size]


def _calendar(seconds: Floats, train_rows: int) -> Floats | None:
    """Harmonics of the day and, from two weeks on, the weekday; None where the training rows cover no rhythm."""
    span = seconds[train_rows - 1] - seconds[0]
    steps = np.diff(seconds[:train_rows])
    interval = float(np.median(steps)) if steps.size else 0.0
    if span < 1.9 * _DAY_S or not 0.0 < interval <= _DAY_S / 6:
        return None
    phase = 2 * np.pi * seconds / _DAY_S
    harmonics = min(_HARMONICS, int(_DAY_S / interval / 4))
    day = [f(h * phase) for h in range(1, harmonics + 1) for f in (np.sin, np.cos)]
    features = [np.ones_like(seconds), *day]
    if span >= 13.5 * _DAY_S:
        weekday = np.floor_divide(seconds, _DAY_S).astype(np.int64) % 7
        features += [(weekday == d).astype(np.float64) for d in range(7)]
        # A weekend's day has another shape, not only another height; which days those are is learnt from all seven.
        features += [(weekday == d) * wave for d in range(7) for wave in day[:4]]
    return np.column_stack(features)


def _regress(features: Floats, targets: Floats, known: Flags, folds: list[Indices]) -> tuple[Floats, Floats]:
    """
    Ridge regression of all targets on common features, out of sample on the training rows.

    Returns the prediction (n, k) and the share of each target's variance that is left (k,).
    """
    m = known.shape[0]
    x, y = features[:m], targets[:m]
    gram, moment = x.T @ x, x.T @ y
    prediction = features @ _solve(gram, moment, 2 * _RIDGE * m)
    for fold in folds:
        xf = x[fold]
        prediction[fold] = xf @ _solve(gram - xf.T @ xf, moment - xf.T @ y[fold], 2 * _RIDGE * m)
    return prediction, _variance_left(y, prediction[:m], known, folds)


def _regress_on_each_other(held: Floats, strange: Flags, known: Flags, folds: list[Indices]) -> tuple[Floats, Floats]:
    """As `_regress`, each point on all the others; no prediction (NaN) from ones in a strange place."""
    m, k = known.shape
    x = np.hstack([np.ones((held.shape[0], 1)), held])
    gram = x[:m].T @ x[:m]
    parts = [x[fold].T @ x[fold] for fold in folds]
    prediction = np.empty_like(held)
    for j in range(k):
        others = np.delete(np.arange(k + 1), j + 1)
        pick = np.ix_(others, others)
        weights = _solve(gram[pick], gram[others, j + 1], _RIDGE * m)
        prediction[:, j] = x[:, others] @ weights
        leans = np.delete(np.arange(k), j)[np.abs(weights[1:]) > _LEANING]
        for fold, part in zip(folds, parts, strict=True):
            weights = _solve((gram - part)[pick], (gram - part)[others, j + 1], _RIDGE * m)
            prediction[fold, j] = x[np.ix_(fold, others)] @ weights
        prediction[m:][strange[m:][:, leans].any(axis=1), j] = np.nan
    return prediction, _variance_left(held[:m], prediction[:m], known, folds)


def _solve(gram: Floats, moment: Floats, ridge: float) -> Floats:
    damped = gram + ridge * np.eye(gram.shape[0])
    damped[0, 0] -= ridge * (1 - 1e-6)  # the mean is not shrunk
    return np.asarray(np.linalg.solve(damped, moment), dtype=np.float64)


def _variance_left(y: Floats, prediction: Floats, known: Flags, folds: list[Indices]) -> Floats:
    """Mean square out-of-sample error against that of predicting the mean of the other folds."""
    plain = np.empty_like(y)
    for fold in folds:
        rest = max(len(y) - fold.size, 1)
        plain[fold] = (y.sum(axis=0) - y[fold].sum(axis=0)) / rest
    weight = known.astype(np.float64)
    error = (weight * np.clip(y - prediction, -5, 5) ** 2).sum(axis=0)
    worst = (weight * np.clip(y - plain, -5, 5) ** 2).sum(axis=0)
    return np.asarray(error / np.maximum(worst, 1e-12), dtype=np.float64)
