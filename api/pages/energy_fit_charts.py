"""Pictures of a baseline as geometry: dots and a curve over temperature or time, with what happened marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.energy.intervals import Floats
from api.pages.energy_charts import Size, tick_text
from api.pages.trends import Label, nice_ticks

_DESK_FIT: Final = Size(680, 260, 56, 664, 8, 228, 6, 9)
_WIDE_FIT: Final = Size(1380, 320, 60, 1360, 8, 288, 6, 18)
_PHONE_FIT: Final = Size(358, 240, 46, 350, 8, 210, 5, 5)


@dataclass(frozen=True, slots=True)
class FitChart:
    """Points and a curve over an axis: energy over temperature, or residuals over time."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    zero_y: float | None
    dots: tuple[tuple[float, float], ...]
    later: tuple[tuple[float, float], ...]  # of the reporting period
    path: str
    under: bool  # the line lies under the dots
    marks: tuple[tuple[float, float, str], ...]
    x_ticks: tuple[Label, ...]
    y_ticks: tuple[Label, ...]


def fit_charts(
    x: Floats,
    y: Floats,
    later_x: Floats,
    later_y: Floats,
    curve: tuple[Floats, Floats] | None,
    x_names: Sequence[tuple[float, str]] = (),
    marks: Sequence[tuple[float, str]] = (),
    most: int = 1500,
    *,
    wide: bool = False,
) -> tuple[FitChart, FitChart] | None:
    """
    Return dots and a curve for a desk and for a phone; None if there are no dots.

    Parameters
    ----------
    x, y : (n,) float, dots of the baseline period; NaN where not known
    later_x, later_y : (m,) float, dots of the reporting period
    curve : a line over x, or None
    x_names : names for places on the axis, such as months; none: round numbers
    marks : places on the axis that are marked by a hairline, with what stands there
    most : dots that are drawn at most, evenly picked
    wide : the desk's drawing fills the page, and the line lies under the dots
    """
    first, second = _picked(x, y, most), _picked(later_x, later_y, most)
    xs, ys = np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    if xs.size == 0:
        return None
    if curve is not None:
        ys = np.concatenate([ys, curve[1][np.isfinite(curve[1])]])
    bounds = (float(xs.min()), float(xs.max())), (min(0.0, float(ys.min())), float(ys.max()))
    parts = (first, second, curve, bounds, x_names, marks)
    return _fit_chart(*parts, _WIDE_FIT if wide else _DESK_FIT, wide), _fit_chart(*parts, _PHONE_FIT, wide)


def _picked(x: Floats, y: Floats, most: int) -> tuple[Floats, Floats]:
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    known = known[:: max(1, -(-known.size // most))]
    return x[known], y[known]


def _fit_chart(
    first: tuple[Floats, Floats],
    second: tuple[Floats, Floats],
    curve: tuple[Floats, Floats] | None,
    bounds: tuple[tuple[float, float], tuple[float, float]],
    x_names: Sequence[tuple[float, str]],
    marks: Sequence[tuple[float, str]],
    size: Size,
    under: bool,
) -> FitChart:
    (x_low, x_high), (y_low, y_high) = bounds
    x_room, y_room = (x_high - x_low) or 1.0, (y_high - y_low) or 1.0
    x_low, x_high = x_low - 0.02 * x_room, x_high + 0.02 * x_room
    y_low, y_high = (y_low - 0.05 * y_room if y_low < 0 else y_low), y_high + 0.06 * y_room

    def px(value: float) -> float:
        return round(size.left + (value - x_low) / (x_high - x_low) * (size.right - size.left), 1)

    def py(value: float) -> float:
        return round(size.bottom - (value - y_low) / (y_high - y_low) * (size.bottom - size.top), 1)

    path = ""
    if curve is not None:
        known = np.isfinite(curve[0]) & np.isfinite(curve[1]) & (curve[0] >= x_low) & (curve[0] <= x_high)
        path = "L".join(f"{px(float(a))} {py(float(b))}" for a, b in zip(curve[0][known], curve[1][known], strict=True))
    y_values = nice_ticks((y_low, y_high), size.y_ticks)
    y_step = y_values[1] - y_values[0] if len(y_values) > 1 else 1.0
    names = list(x_names)
    if not names:
        x_values = nice_ticks((x_low, x_high), size.most_names)
        x_step = x_values[1] - x_values[0] if len(x_values) > 1 else 1.0
        names = [(v, tick_text(v, x_step)) for v in x_values]
    names = names[:: max(1, -(-len(names) // size.most_names))]
    return FitChart(
        width=size.width,
        height=size.height,
        left=size.left,
        right=size.right,
        top=size.top,
        bottom=size.bottom,
        zero_y=py(0.0) if y_low < 0 else None,
        dots=tuple((px(float(a)), py(float(b))) for a, b in zip(*first, strict=True)),
        later=tuple((px(float(a)), py(float(b))) for a, b in zip(*second, strict=True)),
        path=f"M{path}" if path else "",
        under=under,
        # One below the other, so that the words of two that are close together can be read.
        marks=tuple(
            (px(at), size.top + 10 + 14 * (i % 3), text)
            for i, (at, text) in enumerate((at, text) for at, text in marks if x_low <= at <= x_high)
        ),
        x_ticks=tuple(Label(px(v), size.bottom + 16, text, anchor="middle") for v, text in names),
        y_ticks=tuple(Label(size.left - 6, py(v), tick_text(v, y_step), anchor="end") for v in y_values),
    )
