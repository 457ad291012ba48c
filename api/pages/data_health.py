"""Data health: who speaks and who is silent, what cannot be believed, and how much is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.data_health import HealthState
from analytics.data_health.examination import DAY_US
from api.health_state import health_state
from api.pages import times
from api.pages.connection import connection_words
from api.pages.data_state import (
    HealthLine,
    Pager,
    PointLine,
    Problem,
    Show,
    Tab,
    chosen_machines,
    gateway_lines,
    machine_line,
    machine_tabs,
    paged,
    point_line,
    problems,
    troubled_points,
)
from api.pages.numbers import bytes_text
from api.pages.sources import Live, Sources
from api.pages.words import Words
from api.store_size import size_of
from facility.errors import StoreUnavailable
from facility.formats import duration, number
from facility.store.spooled import SPOOL_WARNING, SpooledStore


@dataclass(frozen=True, slots=True)
class Figure:
    """A name and a figure, in the head of the page."""

    name: str
    text: str
    note: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class DataPage:
    """Everything of the page."""

    figures: tuple[Figure, ...]
    trouble: str
    problems: tuple[Problem, ...]
    more_problems: int
    no_problem: str  # what stands in place of problems
    judged: str
    gateways: tuple[HealthLine, ...]
    tabs: tuple[Tab, ...]
    machines: tuple[HealthLine, ...]
    machine_pager: Pager | None
    points: tuple[PointLine, ...]
    point_pager: Pager | None
    quarantine: str


def data_page(
    sources: Sources, words: Words, live: Live, show: Show = "look", page: int = 1, rows: int = 1
) -> DataPage:
    """
    Build the page.

    Parameters
    ----------
    show : which machines
    page, rows : which part of the machines, and of the points with a problem; counted from 1
    """
    state = health_state(sources.context)
    found, more = problems(sources, live.now_us, words)
    machines, machine_pager = paged(
        chosen_machines(state, show), page, lambda n: f"/data?show={show}&page={n}#machines", words
    )
    points, point_pager = paged(troubled_points(state), rows, lambda n: f"/data?show={show}&rows={n}#points", words)
    return DataPage(
        figures=(
            *_silence_figures(state, live, words),
            *_collector_figures(sources, live, words),
            *_store_figures(sources, live, words),
        ),
        trouble=_trouble(sources, live.now_us),
        problems=found,
        more_problems=more,
        no_problem=_no_problem_words(state, words),
        judged=_judged_words(state, words),
        gateways=gateway_lines(sources, state, live, words),
        tabs=machine_tabs(state, show, words),
        machines=tuple(machine_line(sources, state, m, live, words) for m in machines),
        machine_pager=machine_pager,
        points=tuple(point_line(sources, state, code, own, live.now_us, words) for code, own in points),
        point_pager=point_pager,
        quarantine=words("%(n)s messages and values could not be understood", n=number(sources.quarantine.total(), 0)),
    )


def _no_problem_words(state: HealthState, words: Words) -> str:
    if not state.listening.ears:
        return words("Nothing reaches us, so nothing can be said about the data")
    if state.silence.gateway.any() or state.silence.machine.any():
        return words("Silent since a moment ago: told here once it lasts")
    return words("Nothing is wrong that is known of")


def _trouble(sources: Sources, now_us: int) -> str:
    """Return the newest trouble of the last hour, as the collector or the spool tells it; "" if there was none."""
    told = [
        (s.last_error_us, s.last_error) for s in (sources.collector_state(), sources.spool_state()) if s is not None
    ]
    return max(((at, words) for at, words in told if at is not None and _recent(at, now_us)), default=(0, ""))[1]


def _recent(time_us: int | None, now_us: int) -> bool:
    return time_us is not None and now_us - time_us < 3600 * 1_000_000


def _judged_words(state: HealthState, words: Words) -> str:
    """Return how much of the plant could be judged so far: "cannot tell" is an answer too."""
    measured = int(state.plan.measured.sum())
    known = int((state.silence.judged & state.plan.measured & (state.heard_us > 0)).sum())
    gauges = int((state.plan.gauge & (state.heard_us > 0)).sum())
    learnt = sum(e.learnt_us >= DAY_US for p, e in state.exams.items() if state.plan.gauge[p])
    return words(
        "Silence can be judged for %(known)s of %(measured)s measured points, stuck values for %(learnt)s of "
        "%(gauges)s gauges; for the others there is too little data yet.",
        known=f"{known:,}", measured=f"{measured:,}", learnt=f"{learnt:,}", gauges=f"{gauges:,}",
    )  # fmt: skip


def _silence_figures(state: HealthState, live: Live, words: Words) -> tuple[Figure, ...]:
    silence, plan = state.silence, state.plan
    measured = plan.measured
    fresh, points = int(np.count_nonzero(live.fresh & measured)), int(measured.sum())
    newest = int(live.snapshot.time_us.max(initial=0))
    gateways, machines = int(silence.gateway.sum()), int(silence.machine.sum())
    off = int((state.off & ~silence.machine).sum())
    return (
        Figure(
            words("Points that speak"),
            f"{fresh:,} / {points:,}",
            words("newest reading %(age)s ago", age=times.age(newest, live.now_us, words))
            if newest
            else words("no data yet"),
            fresh < points,
        ),
        Figure(
            words("Silent gateways"), f"{gateways:,} / {len(plan.gateways):,}", _listening_words(state, words),
            gateways > 0,
        ),
        Figure(
            words("Silent machines"),
            f"{machines:,} / {len(plan.machines):,}",
            words.plural("%(n)s stopped, which is no fault", "%(n)s stopped, which is no fault", off),
            machines > 0,
        ),
    )  # fmt: skip


def _listening_words(state: HealthState, words: Words) -> str:
    if not state.listening.ears:
        return words("cannot tell: nothing reaches us")
    return words("all at once: our side") if state.silence.all else ""


def _collector_figures(sources: Sources, live: Live, words: Words) -> tuple[Figure, ...]:
    state = sources.collector_state()
    if state is None:
        return (Figure(words("Collector"), words("elsewhere"), words("no collector runs in this process")),)
    last = (
        words("last message %(age)s ago", age=times.age(state.last_message_us, live.now_us, words))
        if state.last_message_us is not None
        else words("no message yet")
    )
    return (
        Figure(
            words("Broker"),
            words("connected") if state.connected else words("not connected"),
            state.protocol if state.connected else connection_words(state.detail, words),
            not state.connected,
        ),
        Figure(words("Messages since start"), number(state.received, 0), last),
        *_spool_figures(sources, live, words),
        Figure(
            words("Readings stored"),
            number(state.stored, 0),
            words("%(n)s waiting", n=number(state.waiting, 0)) if state.store_available else words("the store is away"),
            not state.store_available,
        ),
    )


def _store_figures(sources: Sources, live: Live, words: Words) -> tuple[Figure, ...]:
    try:
        size = size_of(sources.store)
    except StoreUnavailable:
        return (Figure(words("History"), words("does not answer"), words("readings wait, nothing is lost"), True),)
    readings = words.plural("%(n)s reading", "%(n)s readings", size.readings)
    note = ""
    if size.first_us is not None and size.last_us is not None:
        note = words(
            "since %(time)s, %(age)s",
            time=times.when(size.first_us, live.now_us, sources.site.time_zone),
            age=duration(size.last_us - size.first_us, words.language),
        )
    return (
        # An InfluxDB server need not tell how much room it takes.
        Figure(words("History"), bytes_text(size.bytes), readings)
        if size.bytes
        else Figure(words("History"), readings, ""),
        Figure(words("Points with history"), number(size.points, 0), note),
    )


def _spool_figures(sources: Sources, live: Live, words: Words) -> tuple[Figure, ...]:
    """Return how much waits on disk for the store, where there is a spool."""
    if not isinstance(sources.store, SpooledStore):
        return ()
    spool = sources.store.spool_status()
    if spool.state == "direct":
        note = words("nothing waits")
    elif spool.state == "draining":
        note = words("the store is back and takes what waits")
    elif spool.state == "full":
        note = words("full: readings wait at the broker")
    else:
        age = times.age(spool.away_since_us, live.now_us, words) if spool.away_since_us is not None else ""
        note = words("the store is away for %(age)s, nothing is lost", age=age)
    text = words("%(used)s of %(bound)s", used=bytes_text(spool.bytes), bound=bytes_text(spool.bound_bytes))
    return (Figure(words("Spool on disk"), text, note, spool.state == "full" or spool.share >= SPOOL_WARNING),)
