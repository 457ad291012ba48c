"""The overview: one row a system in an order that never changes, life safety in a strip of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.records import Alert, StoredFinding, Ticket
from api.pages import times
from api.pages.curves import Spark, spark
from api.pages.marks import RANK, Mark, alert_mark, is_acknowledged, stale_mark, worst
from api.pages.numbers import joined, range_text
from api.pages.plant import Arrivals, arrivals, by_equipment, machine_mark, system_name, systems_present, total
from api.pages.sources import Live, Sources
from api.pages.values import (
    ValueView,
    alerts_by_point,
    is_stale,
    limits_of,
    scale_of,
    telling_points,
    value_view,
)
from api.pages.wording import machine_name, mark_of, state_of, title_of, value_of, what_of, without_machine
from api.pages.words import Words
from facility.equipment_classes import System
from facility.formats import MISSING, decimals_of, number
from facility.readings import Latest
from facility.site import Equipment, Site

DAY_US: Final = 86_400_000_000
SPARK_STEP_US: Final = 900_000_000  # 96 steps a day: as many as the drawing has room for
VALUES_IN_A_ROW: Final = 3
WASTE_SHOWN: Final = 3
# Points that say what a machine draws from the mains, by preference.
_POWER_POINTS: Final = ("active_power", "power_input", "power")


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in the side card."""

    id: int
    mark: Mark
    title: str
    detail: str
    number: str
    unit: str
    plate: str
    age: str
    loud: bool  # a P1 that nobody has taken

    @property
    def href(self) -> str:
        """Return the alert's page."""
        return f"/alerts/{self.id}"


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One system: how it is, three values, a day's curve, its power."""

    system: str
    name: str
    href: str
    mark: Mark | None
    tone: str  # p1, p2, p3 or quiet: the row's bar and weight
    state: str
    detail: str
    values: tuple[ValueView, ...]
    spark: Spark | None
    spark_label: str
    power: str


@dataclass(frozen=True, slots=True)
class ChainNode:
    """A box of the supply strip."""

    name: str
    number: str
    unit: str
    tone: str  # empty, idle or p1
    href: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """Lines between two columns of the strip, in a drawing 20 wide and as high as the columns."""

    solid: str
    idle: str
    cut: str
    height: float


@dataclass(frozen=True, slots=True)
class LifeCard:
    """One life-safety supply: a strip from its sources to its zones, or one value in its band."""

    title: str
    mark: Mark | None
    tone: str
    columns: tuple[tuple[ChainNode, ...], ...]
    pipes: tuple[Pipe, ...]
    value: ValueView | None
    note: str


@dataclass(frozen=True, slots=True)
class WasteLine:
    """A finding that costs money every day."""

    id: int
    title: str
    detail: str
    nobody: bool
    money: str
    href: str


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A machine in its room, with its first value."""

    name: str
    mark: Mark | None
    value: ValueView | None
    href: str


@dataclass(frozen=True, slots=True)
class RoomCard:
    """A plant room with its machines."""

    id: str
    name: str
    place: str
    lines: tuple[RoomLine, ...]


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """Everything of the overview."""

    rooms: tuple[RoomCard, ...]
    life: tuple[LifeCard, ...]
    rows: tuple[SystemRow, ...]
    alerts: tuple[AlertLine, ...]
    alerts_note: str
    alerts_empty: str
    waste: tuple[WasteLine, ...]
    waste_note: str
    waste_empty: str


def overview(sources: Sources, words: Words, live: Live, sparks: Mapping[str, Spark]) -> OverviewPage:
    """
    Build the overview.

    `sparks` holds the curves that `day_curves` drew, by `equipment/point`; they change by the minute, the rest by the
    second.
    """
    site = sources.site
    alerts = sources.desk.open_alerts()
    of_machine = by_equipment(alerts)
    tickets = sources.desk.open_tickets()
    wasting = _wasting(sources)
    return OverviewPage(
        rooms=_rooms(sources, live, words, of_machine),
        life=_life_cards(sources, live, words, of_machine),
        rows=tuple(
            _row(sources, system, machines, live, words, of_machine, sparks)
            for system, machines in systems_present(site).items()
        ),
        alerts=tuple(alert_line(sources, a, live, words) for a in sort_alerts(alerts)),
        alerts_note=_alerts_note(alerts, words),
        alerts_empty=_nothing_open(sources, live, words),
        waste=tuple(_waste_line(sources, f, tickets, words) for f in wasting[:WASTE_SHOWN]),
        waste_note=_waste_note(wasting, words),
        waste_empty=words("No waste found so far. Waste rules judge a day when it is over."),
    )


def sort_alerts(alerts: Sequence[Alert]) -> list[Alert]:
    """Return alerts as lists show them: by priority, those that nobody has taken first, then the newest."""
    return sorted(alerts, key=lambda a: (RANK.get(a.priority, 9), is_acknowledged(a), -a.started_us))


def alert_line(sources: Sources, alert: Alert, live: Live, words: Words) -> AlertLine:
    """Return an alert as one entry of a list."""
    text, unit, plate = value_of(sources, alert, live, words)
    return AlertLine(
        id=alert.id,
        mark=mark_of(alert, words),
        title=title_of(sources, alert, words),
        detail=state_of(sources, alert, live.now_us, words),
        number=text,
        unit=unit,
        plate=plate if alert.resolved_us is None else "",
        age=times.age(alert.started_us, live.now_us, words),
        loud=alert.priority == "P1" and not is_acknowledged(alert),
    )


def _alerts_note(alerts: Sequence[Alert], words: Words) -> str:
    taken = sum(is_acknowledged(a) for a in alerts)
    return words("%(n)s acknowledged", n=taken) if taken else ""


def _nothing_open(sources: Sources, live: Live, words: Words) -> str:
    heard = total(arrivals(item, live) for item in sources.site.equipment.values())
    watched = words(
        "%(systems)s systems and %(points)s points are watched.",
        systems=len(systems_present(sources.site)),
        points=f"{heard.points:,}",
    )
    past = [a for a in sources.desk.recent_alerts() if a.resolved_us is not None]
    if not past:
        return watched
    last = max(a.resolved_us or 0 for a in past)
    closed = words("The last alert cleared at %(time)s.", time=times.when(last, live.now_us, sources.site.time_zone))
    return words.in_context("sentences", "%(first)s %(second)s", first=watched, second=closed)


# --- a system's row ---------------------------------------------------------------------------------------------------


def _row(
    sources: Sources,
    system: System,
    machines: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
    sparks: Mapping[str, Spark],
) -> SystemRow:
    site = sources.site
    alerts = [a for m in machines for a in of_machine.get(m.id, ())]
    first = worst(alerts)
    heard = {m.id: arrivals(m, live) for m in machines}
    silent = [m for m in machines if heard[m.id].silent]
    mark: Mark | None = None
    tone = "quiet"
    if first is not None:
        mark = mark_of(first, words)
        tone = first.priority.lower() if first.priority != "P4" else ""
        state = title_of(sources, first, words) if len(machines) > 1 else what_of(sources, first, words)
        detail = _alert_detail(sources, first, len(alerts) - 1, live, words)
    elif silent:
        mark, tone = stale_mark(words), ""
        state, detail = _silence(site, silent, machines, heard, live, words)
    else:
        state = words("Normal")
        detail = _quiet_detail(machines, live, words)
    values = row_values(site, machines, live, words, of_machine)
    drawn = next((v for v in values if v.key in sparks), None)
    return SystemRow(
        system=system,
        name=system_name(system, words),
        href=f"/plant?system={system}",
        mark=mark,
        tone=tone,
        state=state,
        detail=detail,
        values=values,
        spark=sparks.get(drawn.key) if drawn else None,
        spark_label=words("%(what)s, last 24 h", what=drawn.label) if drawn else "",
        power=_power(system, machines, live),
    )


def _alert_detail(sources: Sources, alert: Alert, more: int, live: Live, words: Words) -> str:
    parts = [words("since %(time)s", time=times.when(alert.started_us, live.now_us, sources.site.time_zone))]
    if is_acknowledged(alert):
        parts.append(
            words("acked by %(who)s", who=alert.acknowledged_name or sources.desk.called(alert.acknowledged_by))
        )
    else:
        parts += [times.age(alert.started_us, live.now_us, words), words("not acknowledged")]
    if more > 0:
        parts.append(words.plural("%(n)s more", "%(n)s more", more))
    return " · ".join(parts)


def _silence(
    site: Site,
    silent: Sequence[Equipment],
    machines: Sequence[Equipment],
    heard: Mapping[str, Arrivals],
    live: Live,
    words: Words,
) -> tuple[str, str]:
    newest = max((heard[m.id].newest_us or 0 for m in silent), default=0)
    if len(silent) == 1:
        state = words("%(machine)s: no data", machine=words.name(silent[0].name))
    else:
        state = words("%(n)s of %(all)s machines without data", n=len(silent), all=len(machines))
    if newest == 0:
        return state, words("nothing has ever arrived")
    return state, words(
        "last data %(time)s, %(age)s ago",
        time=times.when(newest, live.now_us, site.time_zone),
        age=times.age(newest, live.now_us, words),
    )


def _quiet_detail(machines: Sequence[Equipment], live: Live, words: Words) -> str:
    """Return how many machines there are, how many of those that can stand still run, and how many values are late."""
    late = 0
    states: list[bool] = []
    for item in machines:
        running = live.reading(f"{item.id}/running")
        if running is not None and not is_stale(item.points["running"], running, live.now_us):
            states.append(running.value == 1.0)
        heard = arrivals(item, live)
        late += heard.points - heard.fresh
    parts = [words.plural("%(n)s machine", "%(n)s machines", len(machines))]
    if len(states) > 1:
        parts.append(words.plural("%(n)s running", "%(n)s running", sum(states)))
    if late:
        parts.append(words.plural("%(n)s value late", "%(n)s values late", late))
    return " · ".join(parts)


def short_name(item: Equipment, machines: Sequence[Equipment], words: Words) -> str:
    """Return a machine's name for a tight label: nothing where the system has one machine only."""
    return words.name(item.name) if len(machines) > 1 else ""


def default_points(machines: Sequence[Equipment]) -> list[tuple[Equipment, str]]:
    """
    Return the values that a system shows while it is well: first key points of different classes, then second ones.

    Machines come by criticality, then as the site file has them, so that the same value always stands in one place.
    """
    ranked = sorted(machines, key=lambda m: m.criticality)
    found: list[tuple[Equipment, str]] = []
    for turn in range(VALUES_IN_A_ROW):
        seen: set[str] = set()
        for item in ranked:
            # Words without a band tell least at a glance; they come last.
            keys = sorted(item.cls.spec.key_points, key=lambda p: scale_of(item, p) is None if p in item.points else 2)
            if item.cls.id in seen or turn >= len(keys) or keys[turn] not in item.points:
                continue
            seen.add(item.cls.id)
            found.append((item, keys[turn]))
    return found


def row_values(
    site: Site,
    machines: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
) -> tuple[ValueView, ...]:
    """Return three values: those that an alert is about first, then the usual ones in their places."""
    chosen: dict[tuple[str, str], Equipment] = {}
    alerts = [a for m in machines for a in of_machine.get(m.id, ())]
    for alert in sorted(alerts, key=lambda a: (RANK.get(a.priority, 9), a.started_us)):
        item = site.equipment[alert.equipment]
        for point in telling_points(item, alert, live)[:1]:
            chosen.setdefault((item.id, point), item)
    for item, point in default_points(machines):
        if len(chosen) >= VALUES_IN_A_ROW:
            break
        chosen.setdefault((item.id, point), item)
    views: list[ValueView] = []
    for (_, point), item in list(chosen.items())[:VALUES_IN_A_ROW]:
        by_point = alerts_by_point(item, of_machine.get(item.id, ()), live)
        machine = short_name(item, machines, words)
        label = f"{machine} {words.name(item.points[point].name)}".strip()
        views.append(value_view(site, item, point, live, words, by_point, label=label))
    return tuple(views)


def _power(system: str, machines: Sequence[Equipment], live: Live) -> str:
    # The power room feeds the others: its own figure would count them twice.
    if system == "power":
        return ""
    watts: list[float] = []
    for item in machines:
        point = next((p for p in _POWER_POINTS if p in item.points and item.points[p].unit == "kW"), None)
        reading = live.reading(f"{item.id}/{point}") if point else None
        if reading is not None and point is not None and not is_stale(item.points[point], reading, live.now_us):
            watts.append(reading.value)
    return number(sum(watts), 0) if watts else ""


def _telling_point(item: Equipment, alerts: Mapping[str, Alert]) -> str | None:
    """Return the one value that stands for a machine: the one in alarm, else a key point that can be drawn."""
    known = [p for p in (*alerts, *item.cls.spec.key_points, *item.points) if p in item.points]
    return next((p for p in known if p in alerts or scale_of(item, p) is not None), next(iter(known), None))


def _rooms(
    sources: Sources, live: Live, words: Words, of_machine: Mapping[str, Sequence[Alert]]
) -> tuple[RoomCard, ...]:
    site = sources.site
    cards: list[RoomCard] = []
    for room in site.rooms.values():
        machines = site.in_room(room.id)
        if not machines:
            continue
        building = site.buildings.get(room.building or "")
        lines: list[RoomLine] = []
        for item in machines:
            alerts = of_machine.get(item.id, ())
            by_point = alerts_by_point(item, alerts, live)
            point = _telling_point(item, by_point)
            lines.append(
                RoomLine(
                    name=words.name(item.name),
                    mark=machine_mark(item, alerts, arrivals(item, live), words),
                    value=value_view(site, item, point, live, words, by_point) if point is not None else None,
                    href=f"/plant/{item.id}",
                )
            )
        place = words.name(building.name) if building is not None else ""
        cards.append(RoomCard(room.id, words.name(room.name), place, tuple(lines)))
    return tuple(cards)


# --- a day's curve ----------------------------------------------------------------------------------------------------


def spark_points(sources: Sources, live: Live, words: Words) -> list[tuple[Equipment, str]]:
    """Return the points that the rows draw: the first value of each row."""
    of_machine = by_equipment(sources.desk.open_alerts())
    found: list[tuple[Equipment, str]] = []
    for machines in systems_present(sources.site).values():
        values = row_values(sources.site, machines, live, words, of_machine)
        for value in values:
            equipment, _, point = value.key.partition("/")
            item = sources.site.equipment[equipment]
            if item.points[point].kind in ("gauge", "derived"):
                found.append((item, point))
                break
    return found


def day_curves(sources: Sources, points: Sequence[tuple[Equipment, str]], now_us: int) -> dict[str, Spark]:
    """Draw the last 24 hours of each point; StoreUnavailable is the caller's to tell."""
    end = now_us - now_us % SPARK_STEP_US + SPARK_STEP_US
    start = end - DAY_US
    keys = [f"{item.id}/{point}" for item, point in points]
    readings = sources.store.aggregate(keys, start, end, SPARK_STEP_US) if keys else {}
    return {
        key: spark(
            readings[key],
            start,
            now_us,
            SPARK_STEP_US,
            item.points[point].every,
            scale_of(item, point),
            item.points[point].normal,
            limits_of(item, point),
        )
        for key, (item, point) in zip(keys, points, strict=True)
    }


# --- life safety ------------------------------------------------------------------------------------------------------


def life_safety_machines(site: Site) -> list[Equipment]:
    """Return the machines on which lives hang: those whose class has a life-safety limit."""
    return [e for e in site.equipment.values() if any(limit.spec.life_safety for limit in e.limits)]


def _life_cards(
    sources: Sources, live: Live, words: Words, of_machine: Mapping[str, Sequence[Alert]]
) -> tuple[LifeCard, ...]:
    site = sources.site
    vital = {e.id: e for e in life_safety_machines(site)}
    # What joins two of them, such as a change-over manifold, belongs to the strip even without such a limit.
    for item in site.equipment.values():
        if (
            item.id not in vital
            and any(f in vital for f in item.fed_by)
            and any(b in vital for b in site.feeds(item.id))
        ):
            vital[item.id] = item
    cards: list[LifeCard] = []
    for group in _supplies(vital):
        cards.append(_life_card(sources, group, live, words, of_machine))
    return tuple(sorted(cards, key=lambda c: -len(c.columns)))


def _supplies(vital: Mapping[str, Equipment]) -> list[list[Equipment]]:
    """Return the machines by supply: those that feed each other, and emergency power together."""
    group_of: dict[str, str] = {i: i for i in vital}

    def root(i: str) -> str:
        while group_of[i] != i:
            i = group_of[i]
        return i

    for item in vital.values():
        for source in item.fed_by:
            if source in vital and vital[source].cls.spec.system == item.cls.spec.system:
                group_of[root(item.id)] = root(source)
    power = [i for i, e in vital.items() if e.cls.spec.system == "power"]
    for i in power[1:]:
        group_of[root(i)] = root(power[0])
    groups: dict[str, list[Equipment]] = {}
    for i, item in vital.items():
        groups.setdefault(root(i), []).append(item)
    return list(groups.values())


def supply_title(group: Sequence[Equipment], words: Words) -> str:
    """Return what a life-safety supply is called, from the classes of its machines."""
    ids = " ".join(item.cls.id for item in group)
    if all(item.cls.spec.system == "power" for item in group):
        return words("Emergency power")
    if "oxygen" in ids:
        return words("Medical oxygen")
    if "vacuum" in ids:
        return words("Medical vacuum")
    if "air" in ids:
        return words("Medical air")
    return words.name(group[0].name)


def _life_card(
    sources: Sources,
    group: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
) -> LifeCard:
    site = sources.site
    alerts = [a for item in group for a in of_machine.get(item.id, ())]
    first = worst(a for a in alerts if a.life_safety) or worst(alerts)
    mark = alert_mark(first.priority, is_acknowledged(first), words) if first is not None else None
    tone = "p1" if first is not None and first.priority == "P1" else ""
    members = {item.id for item in group}
    linked = any(f in members for item in group for f in item.fed_by)
    if linked:
        columns, pipes = _chain(site, group, live, words, of_machine)
        return LifeCard(supply_title(group, words), mark, tone, columns, pipes, None, "")
    item = group[0]
    keys = [p for p in item.cls.spec.key_points if p in item.points] or list(item.points)[:1]
    # A value in its band tells more at a glance than a word; the word follows below.
    keys.sort(key=lambda p: scale_of(item, p) is None)
    views = [
        value_view(site, item, p, live, words, alerts_by_point(item, of_machine.get(item.id, ()), live)) for p in keys
    ]
    note = " · ".join(f"{v.label} {joined(v.number, v.unit)}" for v in views[1:3])
    return LifeCard(supply_title(group, words), mark, tone, (), (), views[0], note)


def _depth(item: Equipment, members: Mapping[str, Equipment], seen: frozenset[str] = frozenset()) -> int:
    above = [members[f] for f in item.fed_by if f in members and f not in seen]
    return 1 + max((_depth(a, members, seen | {item.id}) for a in above), default=-1)


ZONES_NAMED: Final = 2


def _chain(
    site: Site,
    group: Sequence[Equipment],
    live: Live,
    words: Words,
    of_machine: Mapping[str, Sequence[Alert]],
) -> tuple[tuple[tuple[ChainNode, ...], ...], tuple[Pipe, ...]]:
    members = {item.id: item for item in group}
    depth = {item.id: _depth(item, members) for item in group}
    columns: list[list[tuple[ChainNode, list[Equipment]]]] = []
    for level in range(max(depth.values()) + 1):
        machines = [item for item in group if depth[item.id] == level]
        loud = [m for m in machines if _is_loud(of_machine.get(m.id, ()))]
        calm = [m for m in machines if m not in loud]
        column: list[tuple[ChainNode, list[Equipment]]] = []
        if len(machines) > ZONES_NAMED + 1 and calm:
            keep = calm[: max(0, ZONES_NAMED - len(loud))] if len(loud) < ZONES_NAMED else []
            rest = [m for m in calm if m not in keep]
            if len(rest) > 1:
                column.append((_rest_node(rest, bool(keep or loud), live, words), rest))
                calm = keep
        column += [(_node(site, m, live, words, of_machine.get(m.id, ())), [m]) for m in calm]
        column += [(_node(site, m, live, words, of_machine.get(m.id, ())), [m]) for m in loud]
        columns.append(column)
    pipes = tuple(_pipe(columns[i], columns[i + 1], site) for i in range(len(columns) - 1))
    return tuple(tuple(node for node, _ in column) for column in columns), pipes


def _is_loud(alerts: Sequence[Alert]) -> bool:
    return any(a.priority == "P1" for a in alerts)


def _first_key(item: Equipment) -> str | None:
    return next((p for p in item.cls.spec.key_points if p in item.points), None)


def _node(site: Site, item: Equipment, live: Live, words: Words, alerts: Sequence[Alert]) -> ChainNode:
    point = _first_key(item)
    text, unit = "", ""
    if point is not None:
        view = value_view(site, item, point, live, words, alerts_by_point(item, alerts, live))
        text, unit = view.number, view.unit
    running = live.reading(f"{item.id}/running")
    idle = running is not None and running.value == 0
    tone = "p1" if _is_loud(alerts) else "idle" if idle else ""
    name = words.name(item.name)
    if idle:
        name = words("%(machine)s, standby", machine=name)
    # The strip is tight: what a purity is a share of need not stand there.
    return ChainNode(name, text, "%" if unit == "%V/V" else unit, tone, f"/plant/{item.id}")


def _rest_node(machines: Sequence[Equipment], others: bool, live: Live, words: Words) -> ChainNode:
    readings: list[tuple[Equipment, str, Latest]] = []
    for item in machines:
        point = _first_key(item)
        reading = live.reading(f"{item.id}/{point}") if point else None
        if point is not None and reading is not None:
            readings.append((item, point, reading))
    name = words("other %(n)s zones", n=len(machines)) if others else words("%(n)s zones", n=len(machines))
    if not readings:
        return ChainNode(name, MISSING, "", "", "/plant?system=oxygen")
    spec = readings[0][0].points[readings[0][1]]
    low, high = min(r.value for _, _, r in readings), max(r.value for _, _, r in readings)
    decimals = decimals_of(spec.unit, spec.decimals)
    shown = round(low, decimals), round(high, decimals)
    text = range_text(shown, "", decimals, words.language) if shown[0] < shown[1] else number(low, decimals)
    return ChainNode(name, text, spec.unit, "", "/plant?system=oxygen")


def _pipe(
    left: Sequence[tuple[ChainNode, list[Equipment]]],
    right: Sequence[tuple[ChainNode, list[Equipment]]],
    site: Site,
) -> Pipe:
    """Draw the lines between two columns: solid feeds, thin dashes stand by, red dashes are cut."""
    pitch = 26.0
    rows = max(len(left), len(right))
    height = rows * pitch - 4

    def middle(column: Sequence[object], i: int) -> float:
        used = len(column) * pitch - 4
        return round((height - used) / 2 + i * pitch + (pitch - 4) / 2, 1)

    solid: list[str] = []
    idle: list[str] = []
    cut: list[str] = []
    for i, (node, _) in enumerate(left):
        target = idle if node.tone == "idle" else solid
        target.append(f"M0 {middle(left, i)}H10")
    ends = [middle(left, i) for i, (n, _) in enumerate(left) if n.tone != "idle"]
    for i, (node, _) in enumerate(right):
        if node.tone == "p1":
            cut.append(f"M10 {height / 2:.1f}V{middle(right, i)}H20")
        else:
            solid.append(f"M10 {middle(right, i)}H20")
            ends.append(middle(right, i))
    if ends and max(ends) > min(ends):
        solid.append(f"M10 {min(ends)}V{max(ends)}")
    idles = [middle(left, i) for i, (n, _) in enumerate(left) if n.tone == "idle"]
    anchor = ends[0] if ends else height / 2
    idle += [f"M10 {y}V{anchor}" for y in idles]
    return Pipe("".join(solid), "".join(idle), "".join(cut), height)


# --- waste ------------------------------------------------------------------------------------------------------------


def _wasting(sources: Sources) -> list[StoredFinding]:
    found = [f for f in sources.desk.open_findings() if f.cost_per_day and f.verdict == "fault"]
    return sorted(found, key=lambda f: -(f.cost_per_day or 0.0))


def _waste_line(sources: Sources, finding: StoredFinding, tickets: Sequence[Ticket], words: Words) -> WasteLine:
    ticket = next((t for t in tickets if t.finding_id == finding.id and t.state != "closed"), None)
    where = machine_name(sources, finding.equipment, words)
    if ticket is not None and ticket.assignee:
        who, nobody = words("%(who)s is on it", who=sources.desk.called(ticket.assignee)), False
    else:
        who, nobody = words("nobody on it"), True
    return WasteLine(
        id=finding.id,
        title=without_machine(words.either(finding.summary_zh, finding.summary_en), where),
        detail=f"{where} · {who}",
        nobody=nobody,
        money=number(finding.cost_per_day or 0.0, 0),
        href=f"/tickets/{ticket.id}" if ticket is not None else f"/plant/{finding.equipment}",
    )


def _waste_note(wasting: Sequence[StoredFinding], words: Words) -> str:
    if not wasting:
        return ""
    money = number(sum(f.cost_per_day or 0.0 for f in wasting), 0)
    return words.plural(
        "%(n)s finding, ¥%(money)s a day", "%(n)s findings, ¥%(money)s a day", len(wasting), money=money
    )
