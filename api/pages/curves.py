"""Curves as drawings: geometry only, worked out here so that a page shows its trends without any script.

Resampling keeps each step's minimum and maximum, so a spike of one second still stands in a drawing of thirty days. A
gap is a gap: it is hatched, never joined and never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.pages.values import PointLimit
from facility.readings import Aggregates

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_MISSED: Final = 3.0  # as many intervals without a reading are a gap
SPARK_SIZE: Final = (124.0, 34.0)


@dataclass(frozen=True, slots=True)
class Highlight:
    """A stretch of a curve outside a limit, in that priority's colour."""

    path: str
    priority: str  # P1, P2, P3 or P4

    @property
    def stroke(self) -> str:
        """Return the class of the stroke."""
        return f"x{self.priority[-1]}"


@dataclass(frozen=True, slots=True)
class EndPoint:
    """Where a curve ends now: a dot, or the shape of the priority that it has reached."""

    x: float
    y: float
    kind: str  # nd, P1, P2, P3, P4


@dataclass(frozen=True, slots=True)
class Spark:
    """A small curve of one point, without words."""

    width: float
    height: float
    band_y: float | None
    band_height: float
    limit_ys: tuple[float, ...]
    gaps: tuple[tuple[float, float], ...]  # x and width
    path: str
    highlights: tuple[Highlight, ...]
    end: EndPoint | None


def curve_path(x: Floats, low: Floats, high: Floats, breaks: Bools) -> str:
    """Return a path through the steps; a step whose ends differ visibly is drawn from the nearer end to the other."""
    parts: list[str] = []
    before = np.nan
    for i in range(x.size):
        start = i == 0 or bool(breaks[i])
        near, far = low[i], high[i]
        if not start and abs(before - far) < abs(before - near):
            near, far = far, near
        parts.append(f"{'M' if start else 'L'}{x[i]:.1f} {near:.1f}")
        before = near
        if abs(far - near) >= 0.4:
            parts.append(f"V{far:.1f}")
            before = far
    return "".join(parts)


def breaks_at(time_us: NDArray[np.int64], gap_us: float) -> Bools:
    """Return True for each step before which readings are missing: a curve is never joined over a gap."""
    breaks = np.zeros(time_us.shape, dtype=bool)
    breaks[1:] = _missing(time_us, gap_us)
    return breaks


def _missing(time_us: NDArray[np.int64], gap_us: float) -> Bools:
    """
    Return for each pair of neighbours whether readings are missing between them.

    A gateway may send more seldom than the class expects, or may have done so for a time: what comes regularly is not
    missing, so a gap must also stand out against the spacing beside it.
    """
    spacing = np.diff(time_us).astype(float)
    edge = np.full(min(1, spacing.size), np.inf)
    beside = np.minimum(np.concatenate([edge, spacing[:-1]]), np.concatenate([spacing[1:], edge]))
    missing: Bools = (spacing > gap_us) & ((spacing > _MISSED * beside) | np.isinf(beside))
    return missing


def _drawn(value: Floats, scale: tuple[float, float], top: float, bottom: float) -> Floats:
    share = np.clip((value - scale[0]) / (scale[1] - scale[0]), 0.0, 1.0)
    return np.asarray(bottom - share * (bottom - top), dtype=np.float64)


def worst_rank(lows: Floats, highs: Floats, limits: Sequence[PointLimit]) -> NDArray[np.int64]:
    """Return for each step the number of the worst priority whose limit it is beyond, 9 where it is beyond none."""
    rank = np.full(lows.shape, 9, dtype=np.int64)
    for limit in limits:
        beyond = highs > limit.threshold if limit.above else lows < limit.threshold
        rank[beyond] = np.minimum(rank[beyond], int(limit.priority[-1]))
    return rank


def highlights(x: Floats, low: Floats, high: Floats, breaks: Bools, rank: NDArray[np.int64]) -> tuple[Highlight, ...]:
    """Return the stretches of a curve that are beyond a limit."""
    found: list[Highlight] = []
    i = 0
    while i < x.size:
        j = i + 1
        while j < x.size and rank[j] == rank[i] and not breaks[j]:
            j += 1
        if rank[i] <= 4:
            # One step alone would be a dot without length; it is drawn with the step before it.
            first = i - 1 if j - i == 1 and i > 0 and not breaks[i] else i
            whole = np.zeros(j - first, dtype=bool)
            found.append(Highlight(curve_path(x[first:j], low[first:j], high[first:j], whole), f"P{rank[i]}"))
        i = j
    return tuple(found)


def gaps_between(
    time_us: NDArray[np.int64], step_us: int, start_us: int, end_us: int, gap_us: float
) -> list[tuple[int, int]]:
    """Return the stretches without readings that are longer than the point's own rhythm explains."""
    if time_us.size == 0:
        return [(start_us, end_us)]
    found: list[tuple[int, int]] = []
    if time_us[0] - start_us > gap_us:
        found.append((start_us, int(time_us[0])))
    for i in np.flatnonzero(_missing(time_us, gap_us)):
        found.append((int(time_us[i]) + step_us, int(time_us[i + 1])))
    if end_us - int(time_us[-1]) - step_us > gap_us:
        found.append((int(time_us[-1]) + step_us, end_us))
    return found


def end_kind(rank: int) -> str:
    """Return the shape in which a curve ends: that of the priority that it has reached, else a dot."""
    return f"P{rank}" if rank <= 4 else "nd"


def spark(
    readings: Aggregates,
    start_us: int,
    end_us: int,
    step_us: int,
    every_s: float,
    scale: tuple[float, float] | None,
    normal: tuple[float, float] | None,
    limits: Sequence[PointLimit],
    size: tuple[float, float] = SPARK_SIZE,
) -> Spark:
    """
    Return the small curve of the status row.

    Parameters
    ----------
    readings : steps of `step_us` between `start_us` and `end_us` [µs]
    every_s : the point's expected interval; three of them without a reading make a gap [s]
    scale : the point's fixed scale; None: the readings' own range
    size : width and height of the drawing; the end mark needs four more on the right
    """
    gap_us = max(3 * every_s * 1e6, 2 * step_us)
    width, height = size
    top, bottom = 2.0, height - 2.0
    if scale is None:
        scale = _own_scale([readings])
    x = (readings.time_us - start_us + step_us / 2) / (end_us - start_us) * width
    x = np.clip(x, 0.0, width)
    low, high = _drawn(readings.min, scale, top, bottom), _drawn(readings.max, scale, top, bottom)
    breaks = breaks_at(readings.time_us, gap_us)
    rank = worst_rank(readings.min, readings.max, limits)
    inside = [t for t in _nearest(limits, normal) if scale[0] < t < scale[1]]
    gaps = gaps_between(readings.time_us, step_us, start_us, end_us, gap_us)
    band = _drawn(np.asarray(normal, dtype=float), scale, top, bottom) if normal is not None else None
    last = len(readings) - 1
    ends_now = last >= 0 and not (gaps and gaps[-1][1] == end_us)
    return Spark(
        width=width,
        height=height,
        band_y=None if band is None else round(float(band[1]), 1),
        band_height=0.0 if band is None else round(float(band[0] - band[1]), 1),
        limit_ys=tuple(round(float(y), 1) for y in _drawn(np.asarray(inside, dtype=float), scale, top, bottom)),
        gaps=tuple(
            (
                round((a - start_us) / (end_us - start_us) * width, 1),
                round((b - a) / (end_us - start_us) * width, 1),
            )
            for a, b in gaps
        ),
        path=curve_path(x, low, high, breaks),
        highlights=highlights(x, low, high, breaks, rank),
        end=EndPoint(
            round(float(x[last]), 1),
            round(float(_drawn(readings.last[last:], scale, top, bottom)[0]), 1),
            end_kind(int(rank[last])),
        )
        if ends_now
        else None,
    )


def _nearest(limits: Sequence[PointLimit], normal: tuple[float, float] | None) -> list[float]:
    """Return the first limit on either side: all that a small drawing has room for."""
    middle = sum(normal) / 2 if normal is not None else 0.0
    highs = [p.threshold for p in limits if p.above and p.threshold >= middle]
    lows = [p.threshold for p in limits if not p.above and p.threshold <= middle]
    return [*([max(lows)] if lows else []), *([min(highs)] if highs else [])]


def _own_scale(series: Sequence[Aggregates]) -> tuple[float, float]:
    lows = [float(s.min.min()) for s in series if len(s)]
    highs = [float(s.max.max()) for s in series if len(s)]
    if not lows:
        return (0.0, 1.0)
    low, high = min(lows), max(highs)
    margin = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return (low - margin, high + margin)
