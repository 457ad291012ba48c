"""Trend charts: the normal band, every limit, gaps hatched, alerts and tickets in a lane on the same time axis.

A chart is geometry worked out here and written down by a template as SVG, once for a desk and once for a phone, since
words in a drawing must not shrink with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from api.pages.curves import EndPoint, Highlight, breaks_at, curve_path, end_kind, gaps_between, highlights, worst_rank
from api.pages.marks import RANK, Mark
from api.pages.numbers import joined, plain
from api.pages.values import PointLimit
from api.pages.words import Words
from facility.formats import duration, moment, number
from facility.readings import Aggregates

HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class TrendRange:
    """A stretch of time that a chart can show, in steps that give some 300 of them."""

    key: str
    span_us: int
    step_us: int


RANGES: Final[tuple[TrendRange, ...]] = (
    TrendRange("24h", 24 * HOUR_US, 300_000_000),
    TrendRange("7d", 7 * 24 * HOUR_US, 1_800_000_000),
    TrendRange("30d", 30 * 24 * HOUR_US, 7_200_000_000),
)


def range_words(key: str, words: Words) -> str:
    """Return what a range is called on its switch."""
    return {"24h": words("24 h"), "7d": words("7 d"), "30d": words("30 d")}.get(key, "")


def range_of(key: str | None) -> TrendRange:
    """Return the range that a page's address names; the day if it names none."""
    return next((r for r in RANGES if r.key == key), RANGES[0])


@dataclass(frozen=True, slots=True)
class TrendSeries:
    """One curve's data: the readings by steps, and what it is called where several stand in one chart."""

    label: str
    readings: Aggregates


@dataclass(frozen=True, slots=True)
class TrendSubject:
    """What a chart is about: a point, or up to three that belong together, on one scale."""

    title: str
    unit: str
    decimals: int
    every_s: float
    scale: tuple[float, float] | None
    normal: tuple[float, float] | None
    limits: tuple[PointLimit, ...]
    states: Mapping[int, str]  # words of the codes, for a point that is a state


@dataclass(frozen=True, slots=True)
class TrendEvent:
    """An alert or a ticket on the time axis."""

    at_us: int
    mark: Mark
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Label:
    """Text in the drawing."""

    x: float
    y: float
    text: str
    strong: bool = False
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class LaneMark:
    """A mark in the event lane, with its hairline."""

    x: float
    symbol: str
    title: str
    href: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class CurveDrawing:
    """One curve."""

    path: str
    stroke: str  # ln, ln2 or ln3
    highlights: tuple[Highlight, ...]
    end: EndPoint | None


@dataclass(frozen=True, slots=True)
class TrendDrawing:
    """Everything of one chart at one size."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    band_y: float | None
    band_height: float
    limit_lines: tuple[float, ...]
    gaps: tuple[tuple[float, float], ...]
    gap_labels: tuple[Label, ...]
    x_ticks: tuple[Label, ...]
    y_ticks: tuple[Label, ...]
    side_labels: tuple[Label, ...]
    curves: tuple[CurveDrawing, ...]
    lane: tuple[LaneMark, ...]
    lane_y: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A chart with its words."""

    title: str
    unit: str
    sentence: str
    desk: TrendDrawing
    phone: TrendDrawing
    empty: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    y_ticks: int
    label_room: float

    def x(self, time_us: NDArray[np.int64] | int, start_us: int, end_us: int) -> NDArray[np.float64]:
        share = (np.asarray(time_us, dtype=np.float64) - start_us) / (end_us - start_us)
        return np.asarray(self.left + np.clip(share, 0.0, 1.0) * (self.right - self.left))

    def y(self, value: NDArray[np.float64] | float, scale: tuple[float, float]) -> NDArray[np.float64]:
        share = np.clip((np.asarray(value, dtype=np.float64) - scale[0]) / (scale[1] - scale[0]), 0.0, 1.0)
        return np.asarray(self.bottom - share * (self.bottom - self.top))


_DESK: Final = _Frame(848, 272, 40, 764, 10, 210, 6, 120)
_PHONE: Final = _Frame(358, 226, 38, 300, 10, 168, 5, 84)
_STROKES: Final = ("ln", "ln2", "ln3")
MOST_CURVES: Final = len(_STROKES)


def nice_ticks(scale: tuple[float, float], most: int) -> list[float]:
    """Return round numbers on a scale, at most `most` of them."""
    width = scale[1] - scale[0]
    raw = width / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(scale[0] / step - 1e-9) * step
    return [
        round(first + i * step, 10) for i in range(most + 1) if first + i * step <= scale[1] + 1e-9 * max(1.0, width)
    ]


_TICK_MINUTES: Final = (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14400)


def time_ticks(start_us: int, end_us: int, zone: ZoneInfo, most: int) -> list[tuple[int, str]]:
    """Return times on the axis at round minutes, hours or days of the site's clock, at most `most`, with labels."""
    span_min = (end_us - start_us) / 60e6
    step = next((m for m in _TICK_MINUTES if span_min / m <= most), _TICK_MINUTES[-1])
    tick = moment(start_us, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[tuple[int, str]] = []
    while True:
        at = _us(tick)
        if at > end_us:
            return found
        if at >= start_us:
            found.append((at, tick.strftime("%H:%M" if step < 1440 else "%m-%d")))
        # Wall-clock steps: a day with a change of daylight saving time still ends at midnight.
        tick = tick + timedelta(minutes=step) if step < 1440 else tick + timedelta(days=step // 1440)


def _us(time: datetime) -> int:
    return round(time.timestamp()) * 1_000_000


def _own_scale(series: Sequence[TrendSeries]) -> tuple[float, float]:
    lows = [float(s.readings.min.min()) for s in series if len(s.readings)]
    highs = [float(s.readings.max.max()) for s in series if len(s.readings)]
    if not lows:
        return (0.0, 1.0)
    low, high = min(lows), max(highs)
    margin = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return (low - margin, high + margin)


def apart(labels: Sequence[Label], gap: float, top: float, bottom: float) -> tuple[Label, ...]:
    """Push labels of one column apart, keeping their order and the drawing's ends."""
    ordered = sorted(labels, key=lambda label: label.y)
    ys = [label.y for label in ordered]
    for i in range(1, len(ys)):
        ys[i] = max(ys[i], ys[i - 1] + gap)
    for i in range(len(ys) - 1, -1, -1):
        ys[i] = min(ys[i], bottom - gap * (len(ys) - 1 - i))
    return tuple(
        Label(label.x, round(max(top, y), 1), label.text, label.strong, label.anchor)
        for label, y in zip(ordered, ys, strict=True)
    )


def trend(
    subject: TrendSubject,
    series: Sequence[TrendSeries],
    events: Sequence[TrendEvent],
    chosen: TrendRange,
    now_us: int,
    zone: ZoneInfo,
    words: Words,
    *,
    ends_now: bool = True,
) -> Trend:
    """
    Draw a chart of up to three curves that ends at `now_us`; `ends_now` False where that moment has passed.

    `series` holds the readings by the range's own steps, from `start_of(chosen, now_us)` on.
    """
    start_us = start_of(chosen, now_us)
    kept = series[:MOST_CURVES]
    return Trend(
        title=subject.title,
        unit=subject.unit,
        sentence=_sentence(subject, kept, chosen, words),
        desk=_draw(_DESK, subject, kept, events, chosen, start_us, now_us, zone, words, False, ends_now),
        phone=_draw(_PHONE, subject, kept, events, chosen, start_us, now_us, zone, words, True, ends_now),
        empty=not any(len(s.readings) for s in kept),
    )


def start_of(chosen: TrendRange, now_us: int) -> int:
    """Return where a range begins: at a whole step, so that steps are the same from one second to the next."""
    return (now_us - chosen.span_us) // chosen.step_us * chosen.step_us


def _draw(
    frame: _Frame,
    subject: TrendSubject,
    series: Sequence[TrendSeries],
    events: Sequence[TrendEvent],
    chosen: TrendRange,
    start_us: int,
    end_us: int,
    zone: ZoneInfo,
    words: Words,
    sparse: bool,
    ends_now: bool,
) -> TrendDrawing:
    step_us = chosen.step_us
    scale = subject.scale
    if subject.states:
        scale = (min(subject.states) - 0.5, max(subject.states) + 0.5)
    elif scale is None:
        scale = _own_scale(series)
    gap_us = max(3 * subject.every_s * 1e6, 2.0 * step_us)
    limits = [p for p in subject.limits if scale[0] < p.threshold < scale[1]]
    curves: list[CurveDrawing] = []
    side: list[Label] = []
    for one, stroke in zip(series, _STROKES, strict=False):
        curves.append(_curve(frame, one, stroke, subject, scale, start_us, end_us, step_us, gap_us))
        end = curves[-1].end
        if end is not None:
            text = number(float(one.readings.last[-1]), subject.decimals, limits=[p.threshold for p in subject.limits])
            if subject.states:
                text = subject.states.get(round(float(one.readings.last[-1])), text)
            name = one.label or (words("now") if ends_now else words.in_context("value", "last"))
            side.append(Label(frame.right + 9, end.y + 4, f"{name} {text}", True))
    seen: set[float] = set()
    for p in limits:
        if p.threshold not in seen:
            seen.add(p.threshold)
            text = f"{plain(p.threshold, subject.decimals)} {_raised(p.threshold, limits)}"
            side.append(Label(frame.right + 5, float(frame.y(p.threshold, scale)) + 4, text))
    first = series[0].readings if series else None
    gaps = gaps_between(first.time_us, step_us, start_us, end_us, gap_us) if first is not None else []
    gap_xs = [(float(frame.x(a, start_us, end_us)), float(frame.x(b, start_us, end_us))) for a, b in gaps]
    band = frame.y(np.asarray(subject.normal), scale) if subject.normal is not None else None
    return TrendDrawing(
        width=frame.width,
        height=frame.height,
        left=frame.left,
        right=frame.right,
        top=frame.top,
        bottom=frame.bottom,
        band_y=None if band is None else round(float(band[1]), 1),
        band_height=0.0 if band is None else round(float(band[0] - band[1]), 1),
        limit_lines=tuple(sorted({round(float(frame.y(p.threshold, scale)), 1) for p in limits})),
        gaps=tuple((round(a, 1), round(b - a, 1)) for a, b in gap_xs if b > a),
        gap_labels=tuple(
            Label(round((a + b) / 2, 1), frame.top + 14, _no_data(t1 - t0, words),
                  False, "middle")
            for (a, b), (t0, t1) in zip(gap_xs, gaps, strict=True)
            if b - a > frame.label_room
        ),
        x_ticks=tuple(
            Label(round(float(frame.x(at, start_us, end_us)), 1), frame.bottom + 15, text, False, "middle")
            for at, text in time_ticks(start_us, end_us, zone, 4 if sparse else 7)
        ),
        y_ticks=_y_ticks(frame, subject, scale),
        side_labels=apart(side, 14, frame.top + 4, frame.bottom + 4),
        curves=tuple(curves),
        lane=_lane(frame, events, start_us, end_us),
        lane_y=frame.bottom + 22,
    )  # fmt: skip


def _no_data(length_us: int, words: Words) -> str:
    return words("no data, %(age)s", age=duration(length_us, words.language))


def _raised(threshold: float, limits: Sequence[PointLimit]) -> str:
    return min((p.priority for p in limits if p.threshold == threshold), key=lambda p: RANK.get(p, 9))


def _y_ticks(frame: _Frame, subject: TrendSubject, scale: tuple[float, float]) -> tuple[Label, ...]:
    if subject.states:
        marks = [(float(code), word) for code, word in subject.states.items()]
    else:
        ticks = nice_ticks(scale, frame.y_ticks)
        decimals = max((_decimals_needed(t) for t in ticks), default=0)
        marks = [(t, number(t, decimals)) for t in ticks]
    return tuple(
        Label(frame.left - 6, round(float(frame.y(value, scale)) + 4, 1), text, False, "end") for value, text in marks
    )


def _decimals_needed(value: float) -> int:
    return next((d for d in range(6) if math.isclose(round(value, d), value, abs_tol=1e-9)), 6)


def _curve(
    frame: _Frame,
    series: TrendSeries,
    stroke: str,
    subject: TrendSubject,
    scale: tuple[float, float],
    start_us: int,
    end_us: int,
    step_us: int,
    gap_us: float,
) -> CurveDrawing:
    r = series.readings
    if not len(r):
        return CurveDrawing("", stroke, (), None)
    x = frame.x(np.minimum(r.time_us + step_us // 2, end_us), start_us, end_us)
    low, high = frame.y(r.min, scale), frame.y(r.max, scale)
    breaks = breaks_at(r.time_us, gap_us)
    rank = worst_rank(r.min, r.max, subject.limits)
    last = len(r) - 1
    current = end_us - int(r.time_us[last]) - step_us <= gap_us
    end = EndPoint(round(float(x[last]), 1), round(float(frame.y(r.last[last], scale)), 1), end_kind(int(rank[last])))
    return CurveDrawing(
        curve_path(x, low, high, breaks), stroke, highlights(x, low, high, breaks, rank), end if current else None
    )


def _lane(frame: _Frame, events: Sequence[TrendEvent], start_us: int, end_us: int) -> tuple[LaneMark, ...]:
    """Place marks on the lane; marks that would cover each other become one, a word stands where there is room."""
    inside = sorted((e for e in events if start_us <= e.at_us <= end_us), key=lambda e: e.at_us)
    groups: list[list[tuple[float, TrendEvent]]] = []
    for event in inside:
        x = float(frame.x(event.at_us, start_us, end_us))
        if groups and x - groups[-1][-1][0] < 16:
            groups[-1].append((x, event))
        else:
            groups.append([(x, event)])
    placed: list[LaneMark] = []
    for i, group in enumerate(groups):
        x, first = group[0]
        worst = min((e for _, e in group), key=lambda e: (e.mark.symbol[:1] != "m", e.mark.symbol))
        room = (groups[i + 1][0][0] if i + 1 < len(groups) else frame.right) - x - 24
        text = worst.label if len(group) == 1 else f"{worst.label} +{len(group) - 1}"
        fits = _width(text) <= room
        placed.append(
            LaneMark(
                round(x, 1),
                worst.mark.symbol,
                "\n".join(e.label for _, e in group),
                worst.href if len(group) == 1 else first.href,
                Label(round(x + 12, 1), frame.bottom + 37, text) if fits else None,
            )
        )
    return tuple(placed)


def _width(text: str) -> float:
    return sum(12.0 if ord(c) > 0x2E80 else 6.6 for c in text)


def _sentence(subject: TrendSubject, series: Sequence[TrendSeries], chosen: TrendRange, words: Words) -> str:
    span = range_words(chosen.key, words) or duration(chosen.span_us, words.language)
    known = [s for s in series if len(s.readings)]
    if not known:
        return words("%(what)s, last %(span)s: no data.", what=subject.title, span=span)
    limits = [p.threshold for p in subject.limits]
    decimals = subject.decimals if not subject.states else 0

    def say(value: float) -> str:
        return joined(number(value, decimals, limits=limits), subject.unit)

    return words(
        "%(what)s, last %(span)s: lowest %(low)s, highest %(high)s, last %(last)s.",
        what=subject.title,
        span=span,
        low=say(min(float(s.readings.min.min()) for s in known)),
        high=say(max(float(s.readings.max.max()) for s in known)),
        last=say(float(known[0].readings.last[-1])),
    )
