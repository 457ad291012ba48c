"""
Following the machine row by row: a slow level for each stream, averages of the deviation from it, and alarms.

The slow level adapts to healthy drift, never faster than it moved in training. It learns rows with a lag and stands
still while its own stream is in alarm, so a fault is not learnt. An alarm that has lasted as long as the training did
is taken for a new normal and followed again: it has been reported long since.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.anomaly.parameters import DetectorParameters

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_WILD = 25.0  # five spreads, squared: enough for a first look at how the square strays


@dataclass(frozen=True, slots=True)
class Normal:
    """How far `j` streams stray in the training rows, by `w` averages: one a window, and one of the square."""

    noise: Floats  # (j,) spread of the deviation from row to row
    calm: Floats  # (j,) mean square of the deviation [noise²]
    gains: Floats  # (w, 1) weight of the newest row in each average
    fading: Floats  # (w, j) what is left of an average after a row without a value
    clip: Floats  # (w, j) largest deviation that enters an average [noise]
    threshold: Floats  # (w, j) average that is an alarm [noise]
    level: Floats  # (j,) at the end of the training rows
    rate: float  # weight of the newest row in the level
    pace: Floats  # (j,) fastest healthy move of the level in one row
    waiting: Floats  # (lag, j) last training rows, which the level has not learnt yet
    patience: int  # rows after which a lasting alarm is followed again


@dataclass(frozen=True, slots=True)
class Followed:
    """Per row: how far each stream is gone, as a share of its threshold."""

    ratio: Floats  # (n, j) largest over the averages
    ringing: Flags  # (n, j)
    level: Floats  # (n, j) before the row was seen


def learn_normal(streams: Floats, interval_s: float, p: DetectorParameters) -> Normal:
    """
    Run over the training rows as if they were live, and keep how far their averages stray.

    Parameters
    ----------
    streams : (m, j) float
        Deviations of the training rows, out of sample; NaN where missing.
    interval_s : float
        Usual time from row to row [s].
    """
    m, j = streams.shape
    tau = max(min(float(p.level_rows), m / 4), 1.0)
    lag = min(p.level_lag, m // 8)
    rate = 1.0 / tau
    settled = min(int(tau) + lag, m // 2)
    levels = _levels(streams, rate, lag, settled)
    deviation = streams - levels
    noise = _noise(deviation[settled:])
    scaled = deviation / noise

    # The last average is of the square of what the shorter average leaves: it rises when a point gets restless, or
    # jitters against its companions.
    lengths = (*p.windows, p.windows[-1])
    windows = np.array(lengths, dtype=np.float64)
    gains = (2.0 / (windows + 1.0))[:, None]
    # Points that arrive seldom forget slowly: a gap of their usual length keeps most of the average.
    arrivals = np.maximum(np.isfinite(streams).mean(axis=0), 1.0 / m)
    fading = 1.0 - 0.25 * gains * arrivals
    fading[0] = 0.0

    independent = np.maximum((m - settled) / windows, 1.0)
    limit = p.limit * (1.0 + p.short_training / np.sqrt(independent))
    limit[-1] *= p.unrest_factor
    floor = np.sqrt(gains[:, 0] / (2.0 - gains[:, 0]))  # what averaging leaves of white noise
    floor[-1] *= math.sqrt(2.0)  # the spread of its square
    clip = np.full((windows.size, j), np.inf)
    unit = np.empty((windows.size, j))
    square = scaled**2  # until the shorter average is known
    calm = np.ones(j)
    for w, window in enumerate(lengths):
        restless = w == windows.size - 1
        drive = square - 1.0 if restless else scaled
        if window > 1:
            free = _average(np.minimum(drive, _WILD) if restless else drive, gains[w], fading[w], clip[w])
            usual = np.maximum(_stray(_side(free[settled:], restless), window, p), floor[w])
            clip[w] = p.lone_row_share * p.limit * usual / gains[w]
        if restless:
            bounded = np.where(np.isfinite(square), np.minimum(square, clip[w]), 0.0)[settled:]
            calm = bounded.sum(axis=0) / np.maximum(np.isfinite(square[settled:]).sum(axis=0), 1)
            drive = square - calm
        average = _average(drive, gains[w], fading[w], clip[w])
        if w == 1:
            square = (scaled - np.vstack([np.zeros((1, j)), average[:-1]])) ** 2
        unit[w] = np.maximum(_stray(_side(average[settled:], restless), window, p), floor[w])

    tail = streams[-min(m, max(p.windows)) :]
    arrived = np.isfinite(tail)
    recent = np.where(arrived, tail, 0.0).sum(axis=0) / np.maximum(arrived.sum(axis=0), 1)
    # The last training rows are normal by definition: what follows is measured from there.
    level = np.where(arrived.any(axis=0), recent, levels[-1])
    span = min(int(tau), m - 1)
    pace = np.maximum(np.abs(levels[span:] - levels[: m - span]).max(axis=0) / span, 0.2 * noise / tau)
    patience = int(min(m, np.clip(p.patience_s / max(interval_s, 1e-6), *p.patience_rows)))
    threshold = unit * limit[:, None]
    return Normal(noise, calm, gains, fading, clip, threshold, level, rate, pace, streams[m - lag :], patience)


def follow(streams: Floats, interval_s: float, normal: Normal, stuck: Floats, p: DetectorParameters) -> Followed:
    """
    Judge rows one after the other, adapting to drift.

    Parameters
    ----------
    streams : (n, j) float
        Deviations of the rows after training; NaN where missing.
    interval_s : float
        Usual time from row to row [s].
    stuck : (n, j) float
        How long the stream's point has repeated itself, as a share of what is an alarm.
    """
    n, j = streams.shape
    arrived = np.isfinite(streams)
    complete: Flags = np.asarray(arrived.all(axis=1))
    filled = np.where(arrived, streams, 0.0)
    first = 0 if interval_s >= p.lone_row_alarm_s else 1
    gains, clip, noise = normal.gains, normal.clip, normal.noise
    sensitivity = 1.0 / normal.threshold
    softest = sensitivity / p.habituation_limit

    level = normal.level.copy()
    average = np.zeros_like(normal.threshold)
    ringing: Flags = np.zeros(j, dtype=bool)
    age = np.zeros(j)
    lag = normal.waiting.shape[0]
    late = np.concatenate([normal.waiting, streams])  # row i of it is `lag` rows older than row i of `streams`
    since = np.full(j, np.inf)  # rows since the last alarm
    quiet = np.zeros(j)
    ratios, levels = np.empty((n, j)), np.empty((n, j))
    alarms = np.empty((n, j), dtype=bool)
    longer = slice(2, None)
    drive = np.empty_like(average)
    floor = np.full((average.shape[0], 1), -1.0)  # both sides count...
    floor[-1] = 0.0  # ...but a point may well be calmer than it was
    for i in range(n):
        levels[i] = level
        error = filled[i] - level
        scaled = error / noise
        drive[:-1] = scaled
        drive[-1] = (scaled - average[1]) ** 2 - normal.calm
        step = gains * (np.minimum(np.maximum(drive, -clip), clip) - average)
        if complete[i]:
            average += step
        else:
            here = arrived[i]
            average = np.where(here, average + step, average * normal.fading)
        share = np.maximum(average, floor * average) * sensitivity
        if ringing.any():
            # On its way back: let the long averages forget, or the alarm would trail behind.
            size = np.abs(average)
            quiet = np.where(ringing & (size[1] < p.quiet * size[2:-1].max(axis=0)), quiet + 1.0, 0.0)
            if (back := quiet >= p.windows[1]).any():
                average[longer] = np.where(back, 0.8 * average[longer], average[longer])
                share = np.maximum(average, floor * average) * sensitivity
        own = np.maximum(share[first:].max(axis=0), stuck[i])
        ratios[i] = np.maximum(own, share[0])
        before = ringing
        ringing = np.asarray(own >= np.where(before, p.release, 1.0))
        alarms[i] = ringing
        ended: Flags = np.logical_and(before, ~ringing)
        if ended.any():
            sensitivity = np.where(ended, np.maximum(sensitivity / p.habituation, softest), sensitivity)
        age = np.where(ringing, age + 1.0, 0.0)
        # Learnt with a lag, never from rows in alarm, and no faster than the machine moved when it was healthy.
        since = np.where(ringing & (age <= normal.patience), 0.0, since + 1.0)
        move = normal.rate * np.where((since > lag) & np.isfinite(late[i]), late[i] - level, 0.0)
        pace = np.where(age > normal.patience, np.inf, normal.pace)
        level = level + np.minimum(np.maximum(move, -pace), pace)
    return Followed(ratios, alarms, levels)


def _levels(streams: Floats, rate: float, lag: int, settled: int) -> Floats:
    """Slow level of each stream before each row (m, j)."""
    head = streams[: max(5, settled // 2)]
    arrived = np.isfinite(head)
    start = [float(np.median(head[arrived[:, j], j])) if arrived[:, j].any() else 0.0 for j in range(streams.shape[1])]
    level = np.array(start)
    levels = np.empty_like(streams)
    known = np.isfinite(streams)
    for i in range(streams.shape[0]):
        levels[i] = level
        if i >= lag:
            level = level + rate * np.where(known[i - lag], streams[i - lag] - level, 0.0)
    return levels


def _noise(deviation: Floats) -> Floats:
    """Robust spread from row to row, never far below the root mean square; 1 where nothing is known."""
    known = np.isfinite(deviation)
    noise = np.ones(deviation.shape[1])
    for j in range(noise.size):
        d = deviation[known[:, j], j]
        if d.size:
            rms = float(np.sqrt(np.mean(d**2)))
            noise[j] = max(float(np.median(np.abs(d))) * 1.4826, 0.5 * rms)
    return np.maximum(noise, 1e-9)


def _average(scaled: Floats, gain: Floats, fading: Floats, clip: Floats) -> Floats:
    """Exponential average (m, j) of one window, as `follow` computes it."""
    known = np.isfinite(scaled)
    bounded = np.minimum(np.maximum(np.where(known, scaled, 0.0), -clip), clip)
    keep = np.where(known, 1.0 - gain, fading)
    add = gain * bounded
    out = np.empty_like(scaled)
    state = np.zeros(scaled.shape[1])
    for i in range(scaled.shape[0]):
        state = keep[i] * state + add[i]
        out[i] = state
    return out


def _side(average: Floats, restless: bool) -> Floats:
    """Only a rise counts of the average square; the others stray to both sides."""
    return np.maximum(average, 0.0) if restless else average


def _stray(average: Floats, window: int, p: DetectorParameters) -> Floats:
    """Spread of an average, or its largest excursion divided so that `limit` spreads exceed it by the margin."""
    size = np.abs(average)
    spread = np.sqrt(np.mean(np.minimum(size, 1.5 * np.quantile(size, 0.98, axis=0)) ** 2, axis=0))
    length = max(2 * window, size.shape[0] // 20, 1)
    blocks = max(size.shape[0] // length, 1)
    peaks = np.sort(
        [block.max(axis=0) for block in np.array_split(size, blocks)],
        axis=0,
    )
    top = peaks[-1] if blocks < 3 else np.minimum(peaks[-1], p.lone_excursion * peaks[-2])
    return np.asarray(np.maximum(spread, top * p.excursion_margin / p.limit), dtype=np.float64)
