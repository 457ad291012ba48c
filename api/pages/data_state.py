"""Who speaks and who is silent, as the page Data health shows it: gateways, machines, points, problems in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np

from analytics.data_health import HealthState
from analytics.data_health.codes import TROUBLES
from analytics.data_health.findings import AHEAD_S, BEHIND_S, point_troubles, trouble_since
from analytics.records import StoredFinding
from api.pages import times
from api.pages.marks import RANK, Mark, plain_mark, stale_mark, unknown_mark
from api.pages.plant import system_name
from api.pages.sources import Live, Sources
from api.pages.words import Words
from facility.formats import duration

T = TypeVar("T")

Show = Literal["look", "silent", "off", "all"]
SHOWS: Final[tuple[Show, ...]] = ("look", "silent", "off", "all")
PAGE_ROWS: Final = 50
_LATE_SHOWN: Final = 20
_PROBLEMS_SHOWN: Final = 30
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Tab:
    """One list to choose."""

    text: str
    count: int
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a list that does not fit stands: `51–100 of 312`, and the ways on and back."""

    text: str
    back: str
    on: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about data: a sentence, since when, and what to do first."""

    mark: Mark
    name: str
    sentence: str
    since: str
    age: str
    do: str
    cause: str
    href: str


@dataclass(frozen=True, slots=True)
class PointLine:
    """One point of which something is wrong; `more` counts others of its machine with the same."""

    name: str
    key: str
    machine: str
    what: str
    since: str
    do: str
    href: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class HealthLine:
    """A gateway or a machine: how many of its points speak, and since when it is silent."""

    name: str
    note: str
    href: str
    mark: Mark | None
    fresh: int
    points: int
    share: float  # per cent of points that speak
    seen: str
    age: str
    state: str
    loud: bool
    late: tuple[PointLine, ...]
    more: int


def as_show(text: str | None) -> Show:
    """Return the list that an address names, or the one that needs a look."""
    return next((s for s in SHOWS if s == text), "look")


def page_number(text: str) -> int:
    """Return the page that an address names; what is none is the first."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1


# --- problems ---------------------------------------------------------------------------------------------------------


def problems(sources: Sources, now_us: int, words: Words) -> tuple[tuple[Problem, ...], int]:
    """Return the findings about data that have not ended, worst first, and how many more there are."""
    found = [f for f in sources.desk.open_findings() if f.code in TROUBLES and f.verdict == "fault"]
    found.sort(key=lambda f: (RANK.get(f.priority, 9), f.since_us))
    shown = tuple(_problem(sources, f, now_us, words) for f in found[:_PROBLEMS_SHOWN])
    return shown, max(0, len(found) - _PROBLEMS_SHOWN)


def _problem(sources: Sources, finding: StoredFinding, now_us: int, words: Words) -> Problem:
    trouble = TROUBLES[finding.code]
    point = finding.points[0] if finding.points else ""
    item = sources.site.equipment.get(finding.equipment)
    href = ""
    if item is not None:
        href = f"/plant/{item.id}?point={point}#trend" if point in item.points else f"/plant/{item.id}"
    return Problem(
        mark=plain_mark(finding.priority),
        name=words.name(trouble.name),
        sentence=words.either(finding.summary_zh, finding.summary_en),
        since=times.when(finding.since_us, now_us, sources.site.time_zone),
        age=times.age(finding.since_us, now_us, words),
        do=words.name(trouble.advice[0]),
        cause=words.name(trouble.cause),
        href=href,
    )


# --- gateways ---------------------------------------------------------------------------------------------------------


def gateway_lines(sources: Sources, state: HealthState, live: Live, words: Words) -> tuple[HealthLine, ...]:
    """Return a line for each gateway: how many of its points speak, and how far its clock is off."""
    plan, found = state.plan, list[HealthLine]()
    gateway = plan.gateway[plan.machine]
    for g, item in enumerate(plan.gateways):
        mine = gateway == g
        machines = int((plan.gateway == g).sum())
        heard = int(state.heard_us[mine & plan.measured].max(initial=0))
        silent = bool(state.silence.gateway[g])
        note = words.plural("%(n)s machine", "%(n)s machines", machines)
        clock = _clock_words(state, g, words)
        points, fresh = int(mine.sum()), int(np.count_nonzero(live.fresh & mine))
        # Slow points are not due yet, or we have only begun to listen: it is not known to be silent, nor does it speak.
        late = not silent and 2 * fresh < int(np.count_nonzero((live.snapshot.time_us > 0) & mine))
        text = (
            words("silent")
            if silent
            else words("never heard")
            if not heard
            else words("late")
            if late
            else words("speaks")
        )
        found.append(
            HealthLine(
                name=words.name(item.name),
                note=f"{note} · {clock}" if clock else note,
                href="",
                mark=stale_mark(words) if silent or late else None if heard else unknown_mark(words),
                fresh=fresh,
                points=points,
                share=round(100 * fresh / points, 1) if points else 0.0,
                seen=times.when(heard, live.now_us, sources.site.time_zone, seconds=True) if heard else "",
                age=times.age(heard, live.now_us, words) if heard else words("never"),
                state=text,
                loud=silent,
                late=(),
                more=0,
            )
        )
    return tuple(found)


def _clock_words(state: HealthState, gateway: int, words: Words) -> str:
    clock = state.clocks.get(gateway)
    if clock is None or not math.isfinite(clock.behind_s):
        return ""
    if abs(clock.behind_s) < 2.0:
        text = words("clock right")
    else:
        length = duration(round(abs(clock.behind_s) * _US), words.language)
        text = (
            words("clock %(length)s behind", length=length)
            if clock.behind_s > 0
            else words("clock %(length)s ahead", length=length)
        )
        if clock.behind_s > BEHIND_S or clock.behind_s < -AHEAD_S:
            text = f"{text} !"
    if math.isfinite(clock.drift_s_day) and abs(clock.drift_s_day) >= 1:
        text += words(", %(drift)s s a day", drift=f"{clock.drift_s_day:+.0f}")
    return text


# --- machines ---------------------------------------------------------------------------------------------------------


def machine_tabs(state: HealthState, show: Show, words: Words) -> tuple[Tab, ...]:
    """Return the lists of machines to choose from."""
    names = {"look": words("Need a look"), "silent": words("Silent"), "off": words("Stopped"), "all": words("All")}
    return tuple(Tab(names[s], len(chosen_machines(state, s)), f"/data?show={s}", s == show) for s in SHOWS)


def chosen_machines(state: HealthState, show: Show) -> list[int]:
    """Return the machines of a list, silent ones first."""
    silence, plan = state.silence, state.plan
    partly = np.zeros(len(plan.machines), dtype=bool)
    np.logical_or.at(partly, plan.machine, silence.point)
    # What its gateway explains needs no look of its own.
    own = ~silence.gateway[plan.gateway] & (not silence.all)
    order = np.lexsort((np.arange(len(plan.machines)), ~partly, ~silence.machine))
    wanted = {
        "look": (own & (silence.machine | partly)) | silence.never_machine,
        "silent": silence.machine,
        "off": state.off & ~silence.machine,
        "all": np.ones(len(plan.machines), dtype=bool),
    }[show]
    return [int(m) for m in order if wanted[m]]


def machine_line(sources: Sources, state: HealthState, m: int, live: Live, words: Words) -> HealthLine:
    """Return the line of a machine, with the points that are silent."""
    plan, silence = state.plan, state.silence
    item, own = plan.machines[m], plan.points_of(m)
    measured = plan.measured[own]
    heard = int(state.heard_us[own][measured].max(initial=0))
    late = [p for p in range(own.start, own.stop) if silence.point[p]]
    points, fresh = own.stop - own.start, int(np.count_nonzero(live.fresh[own]))
    mark: Mark | None = None
    loud = False
    if silence.never_machine[m]:
        text, mark = words("never heard"), unknown_mark(words)
    elif silence.machine[m]:
        by_gateway = bool(silence.gateway[plan.gateway[m]])
        text = words("silent with its gateway") if by_gateway else words("silent")
        mark, loud = stale_mark(words), not by_gateway
    elif late:
        text, mark = words.plural("%(n)s point silent", "%(n)s points silent", len(late)), stale_mark(words)
    elif state.off[m]:
        text = words("stopped, reports")
    else:
        text = words("all in time")
    shown = () if silence.machine[m] else tuple(late[:_LATE_SHOWN])
    return HealthLine(
        name=words.name(item.name),
        note=f"{words.name(item.cls.spec.name)} · {system_name(item.cls.spec.system, words)}",
        href=f"/plant/{item.id}",
        mark=mark,
        fresh=fresh,
        points=points,
        share=round(100 * fresh / points, 1) if points else 0.0,
        seen=times.when(heard, live.now_us, sources.site.time_zone, seconds=True) if heard else "",
        age=times.age(heard, live.now_us, words) if heard else words("never"),
        state=text,
        loud=loud,
        late=tuple(_late_line(sources, state, p, live.now_us, words) for p in shown),
        more=max(0, len(late) - len(shown)) if shown else 0,
    )


# --- points -----------------------------------------------------------------------------------------------------------


def troubled_points(state: HealthState) -> list[tuple[str, tuple[int, ...]]]:
    """Return (code, points) of each kind of trouble of each speaking machine, silence first."""
    found: dict[tuple[int, str], list[int]] = {}
    for p in np.flatnonzero(state.silence.lone_points(state.plan)).tolist():
        found.setdefault((int(state.plan.machine[p]), "data.point_silent"), []).append(p)
    for p, exam in sorted(state.exams.items()):
        for code in point_troubles(exam):
            found.setdefault((int(state.plan.machine[p]), code), []).append(p)
    return [(code, tuple(points)) for (_, code), points in found.items()]


def point_line(
    sources: Sources, state: HealthState, code: str, points: tuple[int, ...], now_us: int, words: Words
) -> PointLine:
    """Return the trouble of a machine's points in a sentence, by the figures of the first of them."""
    first = points[0]
    if code == "data.point_silent":
        line = _late_line(sources, state, first, now_us, words)
    else:
        exam = state.exams[first]
        what, since_us = words.name(point_troubles(exam)[code]), trouble_since(code, exam)
        line = _line(sources, state, first, code, what, since_us, now_us, words)
    more = len(points) - 1
    return replace(line, more=words.plural("and %(n)s more point", "and %(n)s more points", more) if more else "")


def _late_line(sources: Sources, state: HealthState, point: int, now_us: int, words: Words) -> PointLine:
    heard = int(state.heard_us[point])
    every = duration(int(state.plan.every_us[point]), words.language)
    what = words("no data for %(age)s, due every %(every)s", age=times.age(heard, now_us, words), every=every)
    return _line(sources, state, point, "data.point_silent", what, heard, now_us, words)


def _line(
    sources: Sources, state: HealthState, point: int, code: str, what: str, since_us: int, now_us: int, words: Words
) -> PointLine:
    address = state.plan.site.points.addresses[point]
    item = state.plan.site.equipment[address.equipment]
    return PointLine(
        name=words.name(item.points[address.point].name),
        key=address.key,
        machine=words.name(item.name),
        what=what,
        since=times.when(since_us, now_us, sources.site.time_zone),
        do=words.name(TROUBLES[code].advice[0]),
        href=f"/plant/{address.equipment}?point={address.point}#trend",
    )


# --- paging -----------------------------------------------------------------------------------------------------------


def paged(rows: Sequence[T], page: int, href: Callable[[int], str], words: Words) -> tuple[Sequence[T], Pager | None]:
    """Return the rows of a page (counted from 1; one that is too high is the last) and where it stands."""
    pages = max(1, math.ceil(len(rows) / PAGE_ROWS))
    page = min(max(1, page), pages)
    first = (page - 1) * PAGE_ROWS
    if pages == 1:
        return rows, None
    last = min(first + PAGE_ROWS, len(rows))
    text = words("%(first)s–%(last)s of %(all)s", first=first + 1, last=last, all=f"{len(rows):,}")
    return rows[first:last], Pager(text, href(page - 1) if page > 1 else "", href(page + 1) if page < pages else "")
