"""Pictures of the accounts as geometry: bars by day, running totals, bars against a plan, quality marks, fits.

Everything is worked out here and written down by templates as SVG: pages carry neither styles nor scripts. A chart
with words in it is drawn twice, for a desk and for a phone; words must not shrink with the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.energy.intervals import Floats, Total
from api.pages.trends import Label, nice_ticks
from facility.formats import number

# A bar is marked where it is so far above what was expected.
OVER_EXPECTED: Final = 0.04
_QUALITY_WIDTH: Final = 52.0
_LEAST_SEEN: Final = 3.0  # width below which a share could not be seen, and is drawn so wide all the same


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Quality:
    """A data-quality mark: what was measured solid, estimated hatched, missing left empty."""

    measured: float
    estimated: float
    label: str


@dataclass(frozen=True, slots=True)
class PlanBar:
    """Used so far, forecast with its uncertainty, and plan on one scale; what is not known is None. [drawing units]"""

    width: float
    done: float
    forecast: float | None
    whisker: tuple[float, float] | None
    plan: float | None
    label: str


@dataclass(frozen=True, slots=True)
class RatioBar:
    """A department's index on a scale about 1.0, from `x` over `width`; `over`: beyond the band."""

    x: float
    width: float
    over: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke at one height."""

    x1: float
    x2: float
    y: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """Everything of one bar chart at one size."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    shaded: tuple[Box, ...]
    measured: tuple[Box, ...]
    estimated: tuple[Box, ...]
    gaps: tuple[Box, ...]
    forecast: tuple[Box, ...]
    expected: tuple[Line, ...]
    over: tuple[tuple[float, float], ...]
    plan_y: float | None
    plan_label: str
    now_x: float | None
    x_ticks: tuple[Label, ...]
    y_ticks: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class LineChart:
    """A running total under a bar chart, on the same axis."""

    width: int
    height: int
    left: float
    right: float
    zero_y: float
    path: str
    end: tuple[float, float]
    end_label: Label
    y_ticks: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """
    What a bar chart shows, one entry a bar, in the chart's unit.

    Attributes
    ----------
    amount : (n,) float, NaN where nothing is known
    estimated, missing : (n,) float, shares of the bar's time
    names : of the bars, for the axis
    shaded : (n,) bool, days on which people do not work
    begun : how many bars have begun; those after are still to come
    expected, forecast : (n,) float, NaN where not known
    plan : what the plan allows a bar on average, or None
    """

    amount: Floats
    estimated: Floats
    missing: Floats
    names: Sequence[str]
    shaded: Sequence[bool]
    begun: int
    expected: Floats
    forecast: Floats
    plan: float | None


@dataclass(frozen=True, slots=True)
class Size:
    """How large a drawing is, and where in it the axes stand."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    y_ticks: int
    most_names: int


_DESK: Final = Size(816, 242, 52, 750, 8, 218, 6, 16)
_PHONE: Final = Size(358, 220, 42, 318, 8, 196, 5, 8)
# Without a running total below it: as high as both are together.
_DESK_ALONE: Final = Size(816, 376, 52, 750, 8, 352, 8, 16)
_DESK_LINE: Final = Size(816, 92, 52, 750, 8, 84, 4, 16)
_PHONE_LINE: Final = Size(358, 92, 42, 318, 8, 84, 4, 8)
_WIDE_LINE: Final = Size(1380, 110, 60, 1290, 8, 102, 4, 16)


def quality(total: Total, label: str) -> Quality:
    """Return the mark of a total; a share that is there at all can be seen."""
    estimated, missing = _seen(total.estimated), _seen(total.missing)
    measured = max(0.0, _QUALITY_WIDTH - estimated - missing)
    return Quality(round(measured, 1), round(min(estimated, _QUALITY_WIDTH - measured), 1), label)


def _seen(share: float) -> float:
    return max(_LEAST_SEEN, share * _QUALITY_WIDTH) if share > 0.0005 else 0.0


def plan_bar(
    done: float,
    plan: float | None,
    forecast: float | None,
    half_width: float | None,
    label: str,
    width: float = 250.0,
) -> PlanBar:
    """Return a bar whose scale holds plan and forecast with some room; the plan stands at the same place in each."""
    known = [x for x in (done, plan, (forecast or 0.0) + (half_width or 0.0)) if x is not None and math.isfinite(x)]
    full = max(1.144 * (plan or 0.0), 1.02 * max(known, default=0.0)) or 1.0

    def at(value: float) -> float:
        return round(min(max(value, 0.0) / full, 1.0) * width, 1)

    whisker = None
    if forecast is not None and half_width is not None and math.isfinite(half_width):
        whisker = (at(forecast - half_width), at(forecast + half_width))
    return PlanBar(
        width=width,
        done=at(done) if math.isfinite(done) else 0.0,
        forecast=at(forecast) if forecast is not None else None,
        whisker=whisker,
        plan=at(plan) if plan is not None else None,
        label=label,
    )


def ratio_bar(
    index: float, band: float = 0.05, width: float = 128.0, low: float = 0.85, high: float = 1.25
) -> RatioBar:
    """Return the bar from 1.0 to an index, which sticks to the end of the scale where it is beyond."""

    def at(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low) * width

    start, end = sorted((at(1.0), at(index)))
    return RatioBar(round(start, 1), round(max(end - start, 1.0), 1), index > 1.0 + band + 1e-9)


def ratio_x(value: float, width: float = 128.0, low: float = 0.85, high: float = 1.25) -> float:
    """Return where a value stands on the scale of `ratio_bar`."""
    return round((value - low) / (high - low) * width, 1)


def chart_unit(unit: str, largest: float) -> tuple[str, float]:
    """Return the unit of a chart, and what its values are divided by: MWh for many kWh."""
    larger = {"kWh": "MWh", "kvarh": "Mvarh"}.get(unit)
    return (larger, 1000.0) if larger is not None and largest >= 10_000.0 else (unit, 1.0)


def tick_text(value: float, step: float) -> str:
    """Return a round number of an axis with no more decimals than its step needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if 0 < step < 1 else 0
    if 1 <= step < 10 and abs(step - round(step)) > 1e-9:
        decimals = 1
    return number(value, decimals)


def bar_charts(bars: Bars, *, alone: bool = False) -> tuple[BarChart, BarChart] | None:
    """Return a bar chart for a desk, higher where it stands `alone`, and for a phone; None: nothing to draw."""
    known = np.concatenate([x[np.isfinite(x)] for x in (bars.amount, bars.expected, bars.forecast)])
    if known.size == 0 or not len(bars.names):
        return None
    largest = max(float(known.max()), bars.plan or 0.0, 1e-9)
    lowest = min(0.0, float(known.min()))
    return _bar_chart(bars, _DESK_ALONE if alone else _DESK, lowest, largest), _bar_chart(bars, _PHONE, lowest, largest)


def _bar_chart(bars: Bars, size: Size, lowest: float, largest: float) -> BarChart:
    n = len(bars.names)
    slot = (size.right - size.left) / n
    width = slot * (0.62 if n > 12 else 0.55)
    scale = (lowest, largest * 1.08)

    def y(value: float) -> float:
        return round(size.bottom - (value - scale[0]) / (scale[1] - scale[0]) * (size.bottom - size.top), 1)

    def x(i: int) -> float:
        return round(size.left + slot * i + (slot - width) / 2, 1)

    measured: list[Box] = []
    estimated: list[Box] = []
    gaps: list[Box] = []
    forecast: list[Box] = []
    expected: list[Line] = []
    over: list[tuple[float, float]] = []
    for i in range(n):
        amount = float(bars.amount[i])
        missing = float(bars.missing[i]) if i < bars.begun else 0.0
        if i < bars.begun and missing > 0.0005:
            # As wide as its share of the time, and as high as the plot: how much is missing is not known.
            wide = max(min(2.0, width), width * missing)
            gaps.append(Box(round(x(i) + width - wide, 1), size.top, round(wide, 1), round(y(0.0) - size.top, 1)))
        if math.isfinite(amount):
            known = max(1e-9, 1.0 - float(bars.missing[i]))
            guessed = amount * min(1.0, float(bars.estimated[i]) / known)
            low, high = sorted((y(0.0), y(amount - guessed)))
            if high > low:
                measured.append(Box(x(i), low, round(width, 1), round(high - low, 1)))
            if guessed > 0:
                top = y(amount)
                estimated.append(Box(x(i), top, round(width, 1), round(max(0.0, y(amount - guessed) - top), 1)))
        if math.isfinite(bars.expected[i]) and i < bars.begun:
            at = y(float(bars.expected[i]))
            expected.append(Line(round(x(i) - width * 0.15, 1), round(x(i) + width * 1.15, 1), at))
            if amount > (1.0 + OVER_EXPECTED) * float(bars.expected[i]):
                over.append((round(x(i) + width / 2, 1), max(size.top + 5.0, y(amount) - 9.0)))
        if i >= bars.begun and math.isfinite(bars.forecast[i]):
            top = y(float(bars.forecast[i]))
            forecast.append(Box(x(i), top, round(width, 1), round(y(0.0) - top, 1)))
    every = max(1, -(-n // size.most_names))
    values = nice_ticks(scale, size.y_ticks)
    step = values[1] - values[0] if len(values) > 1 else 1.0
    return BarChart(
        width=size.width,
        height=size.height,
        left=size.left,
        right=size.right,
        top=size.top,
        bottom=y(0.0),
        shaded=tuple(
            Box(round(size.left + slot * i, 1), size.top, round(slot, 1), round(size.bottom - size.top, 1))
            for i in range(n)
            if bars.shaded[i]
        ),
        measured=tuple(measured),
        estimated=tuple(estimated),
        gaps=tuple(gaps),
        forecast=tuple(forecast),
        expected=tuple(expected),
        over=tuple(over),
        plan_y=y(bars.plan) if bars.plan is not None else None,
        plan_label=tick_text(bars.plan, step / 10) if bars.plan is not None else "",
        now_x=round(size.left + slot * bars.begun, 1) if 0 < bars.begun < n and forecast else None,
        x_ticks=tuple(
            Label(round(size.left + slot * (i + 0.5), 1), size.bottom + 15, bars.names[i], anchor="middle")
            for i in range(0, n, every)
        ),
        y_ticks=tuple(Label(size.left - 6, y(v), tick_text(v, step), anchor="end") for v in values),
    )


def running_total(difference: Floats, label: str, *, wide: bool = False) -> tuple[LineChart, LineChart] | None:
    """
    Return the running total of a difference for a desk and for a phone; None if fewer than two parts of it are known.

    Parameters
    ----------
    difference : (n,) float, one a bar; NaN where not known, which adds nothing
    label : what stands at its end
    wide : the desk's drawing fills the page
    """
    known = np.flatnonzero(np.isfinite(difference))
    if known.size < 2:
        return None
    until = int(known[-1]) + 1
    total = np.cumsum(np.nan_to_num(difference[:until]))
    return (
        _line_chart(total, len(difference), label, _WIDE_LINE if wide else _DESK_LINE),
        _line_chart(total, len(difference), label, _PHONE_LINE),
    )


def _line_chart(total: Floats, n: int, label: str, size: Size) -> LineChart:
    low, high = min(0.0, float(total.min())), max(0.0, float(total.max()))
    room = (high - low) or 1.0
    scale = (low - 0.08 * room, high + 0.08 * room)
    slot = (size.right - size.left) / n

    def y(value: float) -> float:
        return round(size.bottom - (value - scale[0]) / (scale[1] - scale[0]) * (size.bottom - size.top), 1)

    xs = [round(size.left + slot * (i + 0.5), 1) for i in range(len(total))]
    ys = [y(float(v)) for v in total]
    values = nice_ticks(scale, size.y_ticks)
    step = values[1] - values[0] if len(values) > 1 else 1.0
    beside = xs[-1] < size.left + 0.62 * (size.right - size.left)
    return LineChart(
        width=size.width,
        height=size.height,
        left=size.left,
        right=size.right,
        zero_y=y(0.0),
        path="M" + "L".join(f"{px} {py}" for px, py in zip(xs, ys, strict=True)),
        end=(xs[-1], ys[-1]),
        end_label=Label(
            xs[-1] + 10 if beside else xs[-1],
            ys[-1] + 4 if beside else max(12.0, ys[-1] - 8),
            label,
            strong=True,
            anchor="start" if beside else "end",
        ),
        y_ticks=tuple(Label(size.left - 6, y(v), tick_text(v, step), anchor="end") for v in values),
    )
