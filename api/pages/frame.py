"""What stands around every page: brand, navigation, tally, alarm banner, age of the data, clock and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from api.pages import times
from api.pages.marks import Mark, is_acknowledged, plain_mark, worst, zero_mark
from api.pages.numbers import joined, limit_text
from api.pages.plant import arrivals, total
from api.pages.sources import PRIORITIES, AlertRecord, Live, PageUser, Sources
from api.pages.values import limit_of_alert, points_of_alert, telling_points, value_view
from api.pages.words import Words
from facility.formats import clock, decimals_of, number, weekday
from facility.formats import moment as site_time

Theme = Literal["auto", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("auto", "light", "dark")
Place = Literal["overview", "plant", "alerts", "tickets", "data", "help", "more", "none"]

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


@dataclass(frozen=True)
class Frame:
    """Everything of a page that is not its own."""

    words: Words
    theme: Theme
    site_name: str
    place: Place
    title: str
    path: str
    user: PageUser | None
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


def may_act(user: PageUser | None) -> bool:
    """Return True if a person may acknowledge alerts and work on tickets."""
    return user is not None and user.role in _MAY_ACT


def open_by_priority(alerts: Sequence[AlertRecord]) -> dict[str, int]:
    """Count open alerts by priority."""
    return {p: sum(a.priority == p for a in alerts) for p in PRIORITIES}


def value_of_alert(sources: Sources, alert: AlertRecord, live: Live, words: Words) -> tuple[str, str, str]:
    """Return an alert's value as number, unit and plate class; the value now where it is live, else as it fired."""
    plate = f"o{alert.priority[-1]}"
    item = sources.site.equipment.get(alert.equipment)
    if item is not None and alert.resolved_us is None:
        for point in telling_points(item, alert, live):
            view = value_view(sources.site, item, point, live, words, {point: alert})
            if view.state in PRIORITIES:
                return view.number, view.unit, plate
    if alert.value is None:
        return "", "", plate
    decimals = decimals_of(alert.unit)
    if item is not None:
        for point in points_of_alert(item, alert)[:1]:
            spec = item.points[point]
            if spec.kind == "state":
                names = item.cls.state_names.get(point, {}).get(round(alert.value))
                return (words.name(names) if names else number(alert.value, 0)), "", plate
            decimals = decimals_of(spec.unit, spec.decimals)
    limits = () if alert.threshold is None else (alert.threshold,)
    return number(alert.value, decimals, limits=limits), alert.unit, plate


def place_of(sources: Sources, equipment: str, words: Words) -> str:
    """Return where a machine stands: building, room, machine."""
    item = sources.site.equipment.get(equipment)
    if item is None:
        return equipment
    room = sources.site.rooms.get(item.room or "")
    building = sources.site.buildings.get(room.building or "") if room else None
    return " · ".join([*(words.name(b.name) for b in (building, room) if b is not None), words.name(item.name)])


def limit_words(sources: Sources, alert: AlertRecord, words: Words) -> str:
    """Return the limit that was passed, in words: `下限 320 kPa`; empty where a state or a finding raised the alert."""
    if alert.threshold is None:
        return ""
    item = sources.site.equipment.get(alert.equipment)
    limit = limit_of_alert(item, alert) if item is not None else None
    if limit is not None and limit.condition.comparisons[0].op in ("==", "!="):
        return ""
    text = limit_text(alert.threshold, alert.unit)
    if limit is not None and limit.condition.comparisons[0].op in ("<", "<="):
        return words("lower limit %(limit)s", limit=text)
    return words("upper limit %(limit)s", limit=text)


def who_has_it(alert: AlertRecord, now_us: int, sources: Sources, words: Words) -> str:
    """Return `未确认`, or who has acknowledged and when."""
    if alert.acknowledged_us is None:
        return words("not acknowledged")
    return words(
        "acknowledged by %(who)s %(time)s",
        who=alert.acknowledged_name or alert.acknowledged_by or "",
        time=times.when(alert.acknowledged_us, now_us, sources.site.time_zone),
    )


def _banner(sources: Sources, alerts: Sequence[AlertRecord], live: Live, words: Words) -> Banner:
    zone, now = sources.site.time_zone, live.now_us
    waiting = [a for a in alerts if not is_acknowledged(a) and a.priority in ("P1", "P2")]
    first = worst(waiting)
    if first is not None:
        text, unit, _ = value_of_alert(sources, first, live, words)
        value = f" {joined(text, unit)}" if text else ""
        limit = limit_words(sources, first, words)
        what = words.either(first.title_zh, first.title_en) + (value if value.strip() not in first.title_en else "")
        more = len([a for a in waiting if a.priority == first.priority]) - 1
        side = words("Not acknowledged")
        if more > 0:
            side = words("%(n)s more not acknowledged", n=more) if first.priority == "P1" else side
        return Banner(
            kind="p1" if first.priority == "P1" else "p2",
            what=words.in_context("banner", "%(what)s, %(limit)s", what=what, limit=limit) if limit else what,
            detail=words(
                "%(place)s · since %(time)s, %(age)s",
                place=place_of(sources, first.equipment, words),
                time=times.when(first.started_us, now, zone, seconds=True),
                age=times.age(first.started_us, now, words),
            ),
            side=side,
            href=f"/alerts/{first.id}",
            action=words("Open and acknowledge"),
        )
    return Banner(
        kind="calm",
        what=words("No unacknowledged P1 or P2."),
        detail=_life_safety_record(sources, now, words),
        side="",
        href="/alerts?show=cleared",
        action=words("See the record"),
    )


def _life_safety_record(sources: Sources, now_us: int, words: Words) -> str:
    past = [a for a in sources.desk.alerts(limit=200) if a.life_safety]
    if any(a.resolved_us is None for a in past):
        return words("A life-safety alert is acknowledged and still open.")
    if not past:
        return words("Life-safety supply: no alarm on record.")
    last = max(past, key=lambda a: a.started_us)
    ended = last.resolved_us if last.resolved_us is not None else now_us
    return words(
        "Life-safety supply: %(quiet)s without an alarm; the last was %(what)s on %(time)s, back in %(lasted)s.",
        quiet=times.age(ended, now_us, words),
        what=words.either(last.title_zh, last.title_en),
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
    user: PageUser | None = None,
    csrf: str = "",
    live_page: str = "",
    back: NavLink | None = None,
    live: Live | None = None,
) -> Frame:
    """Gather what stands around a page; with the desk or the board away, the errors are the caller's."""
    if live is None:
        live = Live(sources.site, sources.snapshot(), sources.now_us())
    now, zone = live.now_us, sources.site.time_zone
    alerts = sources.desk.open_alerts()
    counts = open_by_priority(alerts)
    waiting = sum(counts[p] for p in ("P1", "P2", "P3"))
    heard = total(arrivals(item, live) for item in sources.site.equipment.values())
    open_tickets = sum(t.state != "closed" for t in sources.desk.tickets(limit=500))
    links: tuple[tuple[Place, str, str, int | None], ...] = (
        ("overview", "/", words("Overview"), None),
        ("plant", "/plant", words("Plant"), None),
        ("alerts", "/alerts", words("Alerts"), waiting),
        ("tickets", "/tickets", words("Tickets"), open_tickets),
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
        banner=_banner(sources, alerts, live, words),
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
        simulated=False,
        live_page=live_page,
        back=back,
    )
