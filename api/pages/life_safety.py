"""The life-safety strip: each supply on which lives hang, from its sources to its zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.records import Alert
from api.pages import times
from api.pages.marks import Mark, alert_mark, is_acknowledged, stale_mark, worst
from api.pages.numbers import joined, range_text
from api.pages.sources import Live, Sources
from api.pages.values import (
    ValueView,
    alerts_by_point,
    scale_of,
    value_view,
)
from api.pages.words import Words
from facility.formats import MISSING, decimals_of, number
from facility.readings import Latest
from facility.site import Equipment, Site


@dataclass(frozen=True, slots=True)
class ChainNode:
    """A box of the supply strip."""

    name: str
    number: str
    unit: str
    tone: str  # empty, idle or p1
    href: str
    late_us: int | None = None  # time of the reading where it no longer speaks for now


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


def life_safety_machines(site: Site) -> list[Equipment]:
    """Return the machines on which lives hang: those whose class has a life-safety limit."""
    return [e for e in site.equipment.values() if any(limit.spec.life_safety for limit in e.limits)]


def life_cards(
    sources: Sources, live: Live, words: Words, of_machine: Mapping[str, Sequence[Alert]]
) -> tuple[LifeCard, ...]:
    """Return the cards of the strip, those with the longest chains first."""
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
    tone = "p1" if _is_loud(alerts) else ""
    members = {item.id for item in group}
    linked = any(f in members for item in group for f in item.fed_by)
    if linked:
        columns, pipes = _chain(site, group, live, words, of_machine)
        late = [n.late_us for column in columns for n in column if n.late_us is not None]
        # The oldest of them: nothing on the strip may look younger than it is.
        note = words("last %(time)s", time=times.when(min(late), live.now_us, site.time_zone)) if late else ""
        mark = mark or (stale_mark(words) if late else None)
        return LifeCard(supply_title(group, words), mark, tone, columns, pipes, None, note)
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
    return any(a.priority == "P1" and a.resolved_us is None for a in alerts)


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
    late_us = _late_us(item, point, live) if point is not None else None
    return ChainNode(name, text, "%" if unit == "%V/V" else unit, tone, f"/plant/{item.id}", late_us)


def _late_us(item: Equipment, point: str, live: Live) -> int | None:
    """Return when a point was last heard if it no longer speaks for now; None if it does, or never spoke."""
    reading = live.reading(f"{item.id}/{point}")
    return reading.time_us if reading is not None and not live.speaks(f"{item.id}/{point}") else None


def _rest_node(machines: Sequence[Equipment], others: bool, live: Live, words: Words) -> ChainNode:
    readings: list[tuple[Equipment, str, Latest]] = []
    for item in machines:
        point = _first_key(item)
        reading = live.reading(f"{item.id}/{point}") if point else None
        if point is not None and reading is not None:
            readings.append((item, point, reading))
    name = _rest_name(machines, others, words)
    if not readings:
        return ChainNode(name, MISSING, "", "", "/plant?system=oxygen")
    late = [t for t in (_late_us(item, point, live) for item, point, _ in readings) if t is not None]
    if len({(item.points[point].unit, point) for item, point, _ in readings}) > 1:
        # A tank's level and a manifold's pressure have no range in common.
        return ChainNode(name, "", "", "", "/plant?system=oxygen", min(late, default=None))
    spec = readings[0][0].points[readings[0][1]]
    low, high = min(r.value for _, _, r in readings), max(r.value for _, _, r in readings)
    decimals = decimals_of(spec.unit, spec.decimals)
    shown = round(low, decimals), round(high, decimals)
    text = range_text(shown, "", decimals, words.language) if shown[0] < shown[1] else number(low, decimals)
    return ChainNode(name, text, spec.unit, "", "/plant?system=oxygen", min(late, default=None))


def _rest_name(machines: Sequence[Equipment], others: bool, words: Words) -> str:
    if all(item.cls.id.endswith("_zone") for item in machines):
        return words("other %(n)s zones", n=len(machines)) if others else words("%(n)s zones", n=len(machines))
    if others:
        return words("other %(n)s machines", n=len(machines))
    return words.plural("%(n)s machine", "%(n)s machines", len(machines))


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
