"""A value as pages show it: never bare, always against its normal band and its limits, on a scale that stays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analytics.live import cause_of
from analytics.records import Alert
from api.pages import times
from api.pages.marks import RANK
from api.pages.numbers import plain, range_text, unit_name
from api.pages.sources import Live, stale_after_us
from api.pages.words import Words
from facility.equipment_classes import Limit, PointSpec
from facility.formats import MISSING, decimals_of, number
from facility.readings import OUT_OF_RANGE, Latest
from facility.site import Equipment, Site

ValueState = Literal["normal", "P1", "P2", "P3", "P4", "stale", "unknown", "missing"]


@dataclass(frozen=True, slots=True)
class PointLimit:
    """One limit as it concerns one point: the number, which side of it is wrong, and what it raises."""

    threshold: float
    above: bool
    priority: str
    limit: Limit
    always: bool  # False where it holds under a condition that the value alone does not show

    @property
    def id(self) -> str:
        """Return the standard's number for it, such as `MG-L05`."""
        return self.limit.spec.id


@dataclass(frozen=True, slots=True)
class Band:
    """Geometry of the track below a value, in per cent of its width, so that marks keep their size on any width."""

    normal_x: float
    normal_width: float
    ticks: tuple[float, ...]
    limits: tuple[float, ...]
    pointer: float | None
    pointer_kind: str  # nd, g1, g2, g3 or p4
    hatched: bool


@dataclass(frozen=True, slots=True)
class ValueView:
    """One value with everything that stands around it."""

    key: str
    label: str
    number: str
    unit: str
    state: ValueState
    band: Band | None
    hint: str  # band and limits in words, for the tooltip and for screen readers
    when: str  # time of the last reading where it is stale, else empty
    href: str
    offline: str = ""  # where its device has told that it has no value: since when, in words

    @property
    def dom_id(self) -> str:
        """Return a name that may stand in an attribute."""
        return self.key.replace("/", ".")

    @property
    def plate(self) -> str:
        """Return the class of the number: a plate where it is outside a limit, nothing while it is normal."""
        return {"P1": "o1", "P2": "o2", "P3": "o3", "P4": "o4"}.get(self.state, "")

    @property
    def abnormal(self) -> bool:
        """Return True if the value deserves a look before the normal ones."""
        return self.state != "normal"


def all_limits_of(item: Equipment, point: str) -> tuple[PointLimit, ...]:
    """Return the limits with a number that a point must keep, lowest first."""
    found: list[PointLimit] = []
    for limit in item.limits:
        first = limit.condition.comparisons[0]
        if first.threshold is None or first.op in ("==", "!=") or point not in first.left.points:
            continue
        # A limit on max(winding_temperature) is drawn on each winding: any of them may break it.
        if first.left.text == point or limit.subject != first.left.text:
            found.append(
                PointLimit(first.threshold, first.op in (">", ">="), limit.spec.priority, limit, _always(limit))
            )
    return tuple(sorted(found, key=lambda p: p.threshold))


def _always(limit: Limit) -> bool:
    """Return True if only running is asked for besides: a machine that stands still has no such value to judge."""
    return all(
        c.op == "==" and "running" in c.left.text and c.threshold == 1.0 for c in limit.condition.comparisons[1:]
    )


def limits_of(item: Equipment, point: str) -> tuple[PointLimit, ...]:
    """Return the limits that are drawn beside a value: those that hold whenever it has one."""
    return tuple(p for p in all_limits_of(item, point) if p.always)


def scale_of(item: Equipment, point: str) -> tuple[float, float] | None:
    """
    Return the fixed scale on which a point is always drawn, or None if there is nothing to draw it against.

    The class file's scale stands; without one it is what spans the normal band and all limits, with a margin.
    """
    spec = item.points[point]
    if spec.scale is not None:
        return spec.scale
    ends = [*(spec.normal or ()), *(limit.threshold for limit in limits_of(item, point))]
    if not ends or spec.kind in ("state", "total_increasing"):
        return None
    low, high = min(ends), max(ends)
    margin = 0.1 * (high - low) or max(abs(high), 1.0) * 0.1
    low, high = (low if low == 0 else low - margin), high + margin
    if spec.physical is not None:
        low, high = max(low, spec.physical[0]), min(high, spec.physical[1])
    return (low, high) if low < high else None


def is_stale(spec: PointSpec, reading: Latest, now_us: int) -> bool:
    """
    Return True if the last reading no longer speaks for now: its device says so, or too many have been missed since.
    """
    return reading.offline_us is not None or now_us - max(reading.time_us, reading.held_us) > stale_after_us(spec)


def _pointer(value: float, scale: tuple[float, float]) -> float:
    share = (value - scale[0]) / (scale[1] - scale[0])
    return round(min(1.0, max(0.0, share)) * 100.0, 1)


def band_of(item: Equipment, point: str, value: float | None, state: ValueState) -> Band | None:
    """Return the band's geometry; the pointer sticks to the end when a value leaves the scale."""
    spec, scale = item.points[point], scale_of(item, point)
    if scale is None:
        return None
    if spec.normal is not None:
        low, high = _pointer(spec.normal[0], scale), _pointer(spec.normal[1], scale)
        # A band that reaches the scale's own end has no edge there.
        ticks = tuple(x for x in (low, high) if 0 < x < 100)
    else:
        low, high, ticks = 0.0, 0.0, ()
    dead = state in ("stale", "unknown", "missing")
    kind = {"P1": "g1", "P2": "g2", "P3": "g3", "P4": "p4"}.get(state, "nd")
    limits = tuple(
        sorted({_pointer(p.threshold, scale) for p in limits_of(item, point) if scale[0] < p.threshold < scale[1]})
    )
    return Band(
        normal_x=low,
        normal_width=round(high - low, 1),
        ticks=ticks,
        limits=limits,
        pointer=None if dead or value is None else _pointer(value, scale),
        pointer_kind=kind,
        hatched=dead,
    )


def state_word(item: Equipment, point: str, code: float, words: Words) -> str:
    """Return the word for a state's code; a code that the class does not know is shown as it came."""
    names = item.cls.state_names.get(point, {}).get(round(code)) if math.isfinite(code) else None
    return words.name(names) if names is not None else number(code, 0)


def alerts_by_point(item: Equipment, alerts: Sequence[Alert], live: Live) -> Mapping[str, Alert]:
    """Return the worst open alert on each point of a machine, for the points that have brought it about."""
    found: dict[str, Alert] = {}
    # One that is over but was never seen is still in the lists; its value is normal again.
    going_on = [a for a in alerts if a.resolved_us is None]
    for alert in sorted(going_on, key=lambda a: RANK.get(a.priority, 9), reverse=True):
        for point in telling_points(item, alert, live):
            found[point] = alert
    return found


def limit_of_alert(item: Equipment, alert: Alert) -> Limit | None:
    """Return the limit that raised an alert, or None if the site file no longer has it."""
    fitting = (limit for limit in item.limits if limit.id == alert.limit_id and cause_of(item.id, limit) == alert.cause)
    return next(fitting, None)


def points_of_alert(item: Equipment, alert: Alert) -> tuple[str, ...]:
    """Return the points of a machine that an alert's limit compares first, in the class's order."""
    limit = limit_of_alert(item, alert)
    if limit is None:
        return ()
    if limit.subject in item.points:
        return (limit.subject,)
    return tuple(p for p in limit.condition.comparisons[0].left.points if p in item.points)


def telling_points(item: Equipment, alert: Alert, live: Live) -> tuple[str, ...]:
    """
    Return the points that have brought an alert about, the furthest gone first.

    A limit on max(winding_temperature) is about the one winding that is hot, not about the two that are not; where
    none is beyond the level at which the alert clears, it is about the one that came closest.
    """
    points = points_of_alert(item, alert)
    limit = limit_of_alert(item, alert)
    if len(points) < 2 or limit is None or limit.threshold is None:
        return points
    above = limit.condition.comparisons[0].op in (">", ">=")
    level = limit.clear if limit.clear is not None else limit.threshold
    readings = {p: r.value for p in points if (r := live.reading(f"{item.id}/{p}")) is not None}
    ranked = sorted(readings, key=lambda p: readings[p], reverse=above)
    beyond = [p for p in ranked if (readings[p] > level if above else readings[p] < level)]
    return tuple(beyond or ranked[:1] or points[:1])


def breached(item: Equipment, point: str, value: float) -> str | None:
    """Return the worst priority whose number a value is beyond, for limits that are this one comparison only."""
    worst: str | None = None
    for p in limits_of(item, point):
        alone = len(p.limit.condition.comparisons) == 1
        if alone and (value > p.threshold if p.above else value < p.threshold) and (
            worst is None or RANK[p.priority] < RANK[worst]
        ):  # fmt: skip
            worst = p.priority
    return worst


def hint_of(item: Equipment, point: str, words: Words) -> str:
    """Return band and limits in words: `正常 350～480 kPa；MG-L05 低于 320 P1`."""
    spec = item.points[point]
    decimals = decimals_of(spec.unit, spec.decimals)
    parts: list[str] = []
    if spec.normal is not None:
        parts.append(words("normal %(range)s", range=range_text(spec.normal, spec.unit, decimals, words.language)))
    for p in all_limits_of(item, point):
        text = plain(p.threshold, decimals)
        parts.append(
            words("%(id)s above %(limit)s %(priority)s", id=p.id, limit=text, priority=p.priority)
            if p.above
            else words("%(id)s below %(limit)s %(priority)s", id=p.id, limit=text, priority=p.priority)
        )
    return words("; ").join(parts)


def value_view(
    site: Site,
    item: Equipment,
    point: str,
    live: Live,
    words: Words,
    alerts: Mapping[str, Alert],
    *,
    label: str | None = None,
) -> ValueView:
    """Return one point's value now, with its band, and the state that its open alerts and its age give it."""
    spec = item.points[point]
    key = f"{item.id}/{point}"
    reading = live.reading(key)
    decimals = decimals_of(spec.unit, spec.decimals)
    limits = limits_of(item, point)
    state: ValueState = "normal"
    text, when, offline = MISSING, "", ""
    value: float | None = None
    if reading is None:
        state = "missing"
    else:
        value = reading.value
        text = (
            state_word(item, point, value, words)
            if spec.kind == "state"
            else number(value, decimals, limits=[p.threshold for p in limits])
        )
        priority = alerts[point].priority if point in alerts else breached(item, point, value)
        offline = offline_words(site, reading, live, words)
        if offline:
            # No old number: whoever glances at it would take it for the present one.
            state, text, value = "stale", MISSING, None
        elif spec.kind == "derived" and is_stale(spec, reading, live.now_us) and live.speaks(key):
            # All that it is made of speaks: it has no value now, as an efficiency has none while nothing runs.
            text, value = MISSING, None
        elif is_stale(spec, reading, live.now_us):
            state, when = "stale", times.when(reading.time_us, live.now_us, site.time_zone)
        elif reading.quality & OUT_OF_RANGE:
            # The reading is kept and shown, but it is no answer: what cannot be is not a fault of the plant.
            state, text = "unknown", f"{text}\u00a0?"
        elif priority is not None and priority in RANK:
            state = priority  # type: ignore[assignment]
    return ValueView(
        key=key,
        label=label if label is not None else words.name(spec.name),
        number=text,
        unit=unit_name(spec.unit, words) if spec.kind != "state" else "",
        state=state,
        band=band_of(item, point, value, state),
        hint=hint_of(item, point, words),
        when=when,
        href=f"/plant/{item.id}?point={point}",
        offline=offline,
    )


def offline_words(site: Site, reading: Latest, live: Live, words: Words) -> str:
    """Return since when a point's device says that it has no value; empty if it says nothing of the kind."""
    if reading.offline_us is None:
        return ""
    time = times.when(reading.offline_us, live.now_us, site.time_zone)
    return words("no value since %(time)s, its device reports", time=time)
