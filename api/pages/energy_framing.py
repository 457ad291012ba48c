"""What all routes of the energy pages share: the head with progress and neighbours, the frame, the month asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from api.pages.caches import PageCaches
from api.pages.energy_head import EnergyTab, Head, Note, Progress, neighbours, tabs
from api.pages.energy_period import Period, period_of, period_words, read_day
from api.pages.frame import NavLink
from api.pages.sources import Sources
from api.pages.visit import Visit, framed
from api.pages.words import Words
from facility.calendar import day_of
from facility.names import Names
from facility.site import Site

_TELLS_LEFT_OUT: Final = frozenset({"accounts", "balance", "meters"})


def _progress(sources: Sources, caches: PageCaches, words: Words) -> Progress | None:
    booking = sources.context.books.progress()
    if booking is not None and booking.share < 1.0:
        stage = {
            "survey": words("looking for readings that are new"),
            "book": words("booking"),
            "virtual": words("virtual meters"),
            "statements": words("statements of the months"),
        }.get(booking.stage, "")
        told = words("The books are being brought up to date: %(stage)s.", stage=stage or booking.stage)
        return Progress(told, round(100 * booking.share, 1))
    standing = caches.work.standing()
    if standing is None:
        return None
    done, all_ = standing
    return Progress(
        words("Expectations and savings are being worked out: %(done)s of %(all)s.", done=done, all=all_),
        round(100 * done / max(1, all_), 1),
    )


def head_of(
    sources: Sources,
    caches: PageCaches,
    words: Words,
    tab: EnergyTab,
    period: Period | None = None,
    address: Callable[[Period], str] | None = None,
    **more: Any,
) -> Head:
    """Return the head of a page; with a period and its address, the links to its neighbours too."""
    notes = (*more.pop("notes", ()), *(_left_out(sources.site, words) if tab in _TELLS_LEFT_OUT else ()))
    head = Head(tabs=tabs(tab, words), progress=_progress(sources, caches, words), notes=notes, **more)
    if period is None or address is None:
        return head
    before, after = neighbours(period, today_at(sources), address, words)
    return replace(head, before=before, after=after)


def _left_out(site: Site, words: Words) -> tuple[Note, ...]:
    """Return what of the site file cannot be computed, and where it stands."""
    return tuple(
        Note(
            words.name(
                Names(zh=f"站点文件改正前不计入：{p.words.zh}", en=f"Left out until it is mended: {p.words.en}")
            ),
            f"{Path(p.file).name}:{p.line}: {p.place}",
        )
        for p in site.left_out
    )


def today_at(sources: Sources) -> date:
    """Return today at the site."""
    return day_of(sources.now_us(), sources.site.time_zone)


def month_asked(sources: Sources, text: str) -> Period:
    """Return the month that an address names; this month where it names none that can be meant."""
    return period_of("month", read_day(text) or today_at(sources))


def framed_energy(
    sources: Sources,
    visit: Visit,
    template: str,
    title: str,
    head: Head,
    page: object,
    back: NavLink | None = None,
    status: int = 200,
) -> Response:
    """Return an energy page in its frame."""
    return framed(
        sources,
        visit,
        template,
        place="energy",
        title=title,
        live=sources.live(),
        live_page="frame",
        back=back or NavLink("more", "/more", visit.words("More"), False),
        head=head,
        page=page,
        status=status,
    )


def titled(what: str, period: Period, words: Words) -> str:
    """Return what a page is called with its period: `Bill, July 2026`."""
    return words("%(what)s, %(period)s", what=what, period=period_words(period, words))
