"""What stands around every page: brand, navigation, tally, alarm banner, age of the data, clock and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from analytics.records import Alert
from api.pages import times
from api.pages.marks import Mark, plain_mark, worst, zero_mark
from api.pages.numbers import bytes_text
from api.pages.plant import arrivals, total
from api.pages.sources import ALARMS, PRIORITIES, Live, Sources
from api.pages.wording import headline, place_of, spell_of, title_of
from api.pages.words import Words
from api.security.logins import Identity
from facility.formats import clock, weekday
from facility.formats import moment as site_time
from facility.store.spooled import SPOOL_WARNING

Theme = Literal["auto", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("auto", "light", "dark")
Place = Literal["overview", "plant", "alerts", "tickets", "energy", "data", "help", "more", "none"]

# What each role may do beyond reading; the server checks again when the form arrives.

_MAY_ACT: Final = frozenset({"operator", "engineer", "admin"})


@dataclass(frozen=True, slots=True)
class NavLink:
    """One link of the navigation."""

    place: Place
    href: str
    text: str
    current: bool
    badge: int | None = None


@dataclass(frozen=True, slots=True)
class TallyCount:
    """How many alerts of one priority are open."""

    mark: Mark
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Banner:
    """The band under the header: a P1 that nobody has taken, or quiet words."""

    kind: Literal["p1", "p2", "calm"]
    what: str
    detail: str
    side: str
    href: str
    action: str
    spoken: str = ""  # what a screen reader is told once: it holds no figure that moves


@dataclass(frozen=True)
class Frame:
    """Everything of a page that is not its own."""

    words: Words
    theme: Theme
    site_name: str
    place: Place
    title: str
    path: str
    user: Identity | None
    csrf: str
    may_act: bool
    nav: tuple[NavLink, ...]
    tally: tuple[TallyCount, ...]
    banner: Banner | None
    fresh: str
    fresh_points: str
    clock: str
    clock_time: str
    simulated: bool
    live_page: str
    back: NavLink | None = None

    @property
    def back_query(self) -> str:
        """Return this page's address, quoted to stand inside another."""
        return quote(self.path, safe="")


def may_act(user: Identity | None) -> bool:
    """Return True if a person may acknowledge alerts and work on tickets."""
    return user is not None and user.role in _MAY_ACT


def counts_by_priority(sources: Sources) -> dict[str, int]:
    """Count open alerts by priority; P4 counts the findings that advise something, since none of them is an alert."""
    alerts = sources.desk.open_alerts()
    counts = {p: sum(a.priority == p for a in alerts) for p in ALARMS}
    return {**counts, "P4": sum(f.priority == "P4" and f.verdict == "fault" for f in sources.desk.open_findings())}


def _banner(
    sources: Sources, alerts: Sequence[Alert], live: Live, words: Words, own_alert: int | None
) -> Banner | None:
    waiting = [a for a in alerts if a.acknowledged_us is None and a.priority in ("P1", "P2") and a.id != own_alert]
    first = worst(waiting)
    if first is None or first.priority != "P1":
        # While nothing can be stored or nothing comes in, "no alarm" would be a lie.
        blind = _blindness(sources, live, words)
        if blind is not None:
            return blind
    if first is None and own_alert is not None:
        # The page says it already, larger.
        return None
    if first is None:
        return Banner(
            kind="calm",
            what=words("No unacknowledged P1 or P2."),
            detail=_life_safety_record(sources, live.now_us, words),
            side="",
            href="/alerts?show=cleared",
            action=words("See the record"),
        )
    detail = words(
        "%(place)s · since %(time)s, %(age)s",
        place=place_of(sources, first.equipment, words),
        time=times.when(first.started_us, live.now_us, sources.site.time_zone, seconds=True),
        age=times.age(first.started_us, live.now_us, words),
    )
    also = _blindness(sources, live, words) if first.priority == "P1" else None
    if also is not None:
        # The P1 has the band; that readings wait or alarms may be missing must not go unsaid beside it.
        detail = f"{detail} · {also.what}"
    what, side = headline(sources, first, live, words), words("Not acknowledged")
    if first.resolved_us is not None:
        what, side = words("%(what)s, back to normal, not acknowledged", what=title_of(sources, first, words)), ""
        detail = f"{place_of(sources, first.equipment, words)} · {spell_of(sources, first, live.now_us, words)}"
        detail = f"{detail} · {also.what}" if also is not None else detail
    more = len([a for a in waiting if a.priority == first.priority]) - 1
    return Banner(
        kind="p1" if first.priority == "P1" else "p2",
        what=what,
        detail=detail,
        side=words("%(n)s more not acknowledged", n=more) if more else side,
        href=f"/alerts/{first.id}",
        action=words("Open and acknowledge"),
        spoken=f"{first.priority} {title_of(sources, first, words)}, {words('not acknowledged')}",
    )


def _blindness(sources: Sources, live: Live, words: Words) -> Banner | None:
    """Return the band that says why alarms may be missing or readings wait, or None if all goes its way."""
    state, spool = sources.collector_state(), sources.spool_state()
    kind: Literal["p1", "p2"] = "p2"
    since = state.last_error_us if state is not None else None
    if state is not None and not state.store_available:
        kind = "p1"
        if state.watching:
            what = words("Readings cannot be stored; alarms are judged all the same")
        else:
            what = words("Readings cannot be stored: alarms may be missing")
        detail = words("They wait at the broker; make room on the disk, or start the store again.")
    elif state is not None and not state.connected and state.state != "connecting":
        what = words("No connection to the broker: alarms may be missing")
        detail = words("Nothing comes in; check the broker and the network.")
    elif spool is not None and spool.away_since_us is not None:
        since = spool.away_since_us
        what = words("The store is away; alarms are judged, readings wait on this machine's disk")
        detail = words(
            "%(share)s of the room for them is used (%(used)s of %(bound)s). Nothing is lost; make room on the disk, "
            "or start the store again.",
            share=f"{spool.share:.0%}", used=bytes_text(spool.bytes), bound=bytes_text(spool.bound_bytes),
        )  # fmt: skip
    elif spool is not None and spool.share >= SPOOL_WARNING:
        since = spool.oldest_us
        what = words("Many readings still wait on this machine's disk for the store")
        detail = words(
            "The store is back and takes them; %(share)s of the room for them is used (%(used)s of %(bound)s).",
            share=f"{spool.share:.0%}", used=bytes_text(spool.bytes), bound=bytes_text(spool.bound_bytes),
        )  # fmt: skip
    else:
        return None
    side = ""
    if since is not None:
        side = words("since %(time)s", time=times.when(since, live.now_us, sources.site.time_zone, seconds=True))
    return Banner(kind=kind, what=what, detail=detail, side=side, href="/data", action=words("See why"), spoken=what)


def _life_safety_record(sources: Sources, now_us: int, words: Words) -> str:
    past = [a for a in sources.desk.recent_alerts() if a.life_safety]
    if any(a.resolved_us is None for a in past):
        return words("A life-safety alert is acknowledged and still open.")
    if not past:
        return words("Life-safety supply: no alarm on record.")
    last = max(past, key=lambda a: a.started_us)
    ended = last.resolved_us if last.resolved_us is not None else now_us
    return words(
        "Life-safety supply: %(quiet)s without an alarm; the last was %(what)s on %(time)s, back in %(lasted)s.",
        quiet=times.age(ended, now_us, words),
        what=title_of(sources, last, words),
        time=times.when(last.started_us, now_us, sources.site.time_zone),
        lasted=times.age(last.started_us, ended, words),
    )


def build_frame(
    sources: Sources,
    words: Words,
    *,
    place: Place,
    title: str,
    path: str,
    theme: Theme = "auto",
    user: Identity | None = None,
    csrf: str = "",
    live_page: str = "",
    back: NavLink | None = None,
    live: Live | None = None,
    own_alert: int | None = None,
) -> Frame:
    """Gather what stands around a page; `own_alert` is the alert that the page itself is about."""
    if live is None:
        live = sources.live()
    now, zone = live.now_us, sources.site.time_zone
    alerts = sources.desk.open_alerts()
    counts = counts_by_priority(sources)
    waiting = sum(counts[p] for p in ALARMS)
    heard = total(arrivals(item, live) for item in sources.site.equipment.values())
    open_tickets = len(sources.desk.open_tickets())
    links: tuple[tuple[Place, str, str, int | None], ...] = (
        ("overview", "/", words("Overview"), None),
        ("plant", "/plant", words("Plant"), None),
        ("alerts", "/alerts", words("Alerts"), waiting),
        ("tickets", "/tickets", words("Tickets"), open_tickets),
        ("energy", "/energy", words("Energy"), None),
        ("data", "/data", words.in_context("page", "Data"), None),
        ("help", "/help", words("Help"), None),
    )
    nav = tuple(NavLink(where, href, text, where == place, badge) for where, href, text, badge in links)
    here = site_time(now, zone)
    return Frame(
        words=words,
        theme=theme,
        site_name=words.name(sources.site.name),
        place=place,
        title=title,
        path=path,
        user=user,
        csrf=csrf,
        may_act=may_act(user),
        nav=nav,
        tally=tuple(
            TallyCount(
                plain_mark(p) if counts[p] else zero_mark(p),
                counts[p],
                "/alerts?show=advice" if p == "P4" else "/alerts",
            )
            for p in PRIORITIES
        ),
        banner=_banner(sources, alerts, live, words, own_alert),
        fresh=words("no data yet")
        if heard.newest_us is None
        else words("data %(age)s old", age=times.age(heard.newest_us, now, words)),
        fresh_points=words("%(fresh)s of %(all)s points", fresh=f"{heard.fresh:,}", all=f"{heard.points:,}"),
        clock=words(
            "%(weekday)s %(date)s %(time)s",
            weekday=weekday(here.date(), words.language),
            date=here.strftime("%m-%d"),
            time=clock(now, zone),
        ),
        clock_time=clock(now, zone),
        simulated=sources.desk.simulated(),
        live_page=live_page,
        back=back,
    )
