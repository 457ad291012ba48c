"""The meters of one carrier as they hang below one another: which count together what others below them count again.

A machine stands in the tree if it has a register of the carrier; what lies between without one (a transfer switch, a
tank) is looked through. A tank with two mains above it and three meters below is one group of two parents and three
children: nobody can say which main fed which meter, but what goes in and what comes out must be equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from analytics.energy.reasons import Reason
from facility.circles import circles, in_order
from facility.equipment_classes import METER_REGISTERS, Carrier
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Equipment, Site

# Machines that bring a carrier in beside the meters and have no register of it.
_UNMETERED_SOURCES: Final[Mapping[Carrier, frozenset[str]]] = {
    "oxygen": frozenset({"liquid_oxygen_tank", "oxygen_manifold", "psa_oxygen_generator"}),
}
_METERS_BY_TRADE: Final = frozenset({*METER_REGISTERS, "hv_incomer"})


@dataclass(frozen=True, slots=True)
class Counted:
    """One register and how it enters a sum: +1, or -1 for what flows back."""

    key: str
    sign: float


@dataclass(frozen=True, slots=True)
class Node:
    """
    A machine with registers of the carrier.

    Attributes
    ----------
    used : what it takes from above, as registers that are summed
    passed : what it gives to those below; empty if it uses up what it takes
    """

    id: str
    equipment: Equipment
    used: tuple[Counted, ...]
    passed: tuple[Counted, ...]

    @property
    def registers(self) -> tuple[str, ...]:
        """Return the keys of all its registers of the carrier."""
        return tuple(dict.fromkeys(c.key for c in (*self.used, *self.passed)))

    @property
    def makes(self) -> bool:
        """Return True if it makes the carrier, rather than passing on what it took."""
        return bool(self.passed) and not self.used


@dataclass(frozen=True, slots=True)
class Group:
    """
    Meters that feed together, and the meters next below them.

    Attributes
    ----------
    parents, children : ids of machines; what the parents pass on is what the children use, but for losses and users
        without a meter
    unmetered_sources : ids of machines that feed the children too, without a register
    """

    parents: tuple[str, ...]
    children: tuple[str, ...]
    unmetered_sources: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return a name that stays as long as the parents do."""
        return "+".join(self.parents)


@dataclass(frozen=True, slots=True)
class MeterTree:
    """
    The meters of one carrier.

    Attributes
    ----------
    nodes : by machine, in the order of the site file
    sources : where the carrier comes in or is made
    groups : top down
    loose : machines with a register below no metered supply, which are no supply themselves
    problems : circles, loose registers; what could be built is
    """

    carrier: Carrier
    nodes: Mapping[str, Node]
    sources: tuple[str, ...]
    groups: tuple[Group, ...]
    loose: tuple[str, ...]
    problems: tuple[Reason, ...]


def meter_tree(
    site: Site,
    registers: Mapping[str, BookedRegister],
    carrier: Carrier,
    during: tuple[date, date] | None = None,
) -> MeterTree:
    """
    Return the meters of a carrier as they hang below one another.

    A link past a meter is left out: a pump that hangs on its drive and, in the file, on the drive's feeder too, is fed
    through the drive. Machines that were not in service on any day of `during` (first and last day) are left out. Links
    that run in a circle are no part of a site; the circles are told.
    """
    equipment = {e.id: e for e in site.equipment.values() if during is None or e.in_service(*during)}
    nodes = _nodes(equipment, registers, carrier)
    above, beside = _next_above(equipment, nodes, carrier)
    parents = _without_detours({n: above[n] for n in nodes if nodes[n].used})
    groups = _groups(parents, nodes, beside)
    feeding = {p for g in groups for p in g.parents}
    lonely = [n for n in nodes if not parents.get(n)]
    sources = tuple(n for n in lonely if _is_source(nodes[n], feeding))
    loose = tuple(n for n in lonely if n not in sources)
    problems = [_circle_problem(c) for c in _circles_above(site, nodes)]
    problems += [_loose_problem(nodes[n]) for n in loose]
    return MeterTree(carrier, nodes, sources, groups, loose, tuple(problems))


def is_meter_by_trade(item: Equipment) -> bool:
    """Return True for a meter, and False for a machine that counts beside its work."""
    return item.cls.id in _METERS_BY_TRADE


def _is_source(node: Node, feeding: Collection[str]) -> bool:
    return node.makes or node.id in feeding or is_meter_by_trade(node.equipment)


def _nodes(
    equipment: Mapping[str, Equipment], registers: Mapping[str, BookedRegister], carrier: Carrier
) -> dict[str, Node]:
    own: dict[str, list[BookedRegister]] = {}
    for register in registers.values():
        if register.carrier == carrier and register.equipment.id in equipment:
            own.setdefault(register.equipment.id, []).append(register)
    found: dict[str, Node] = {}
    for item in equipment.values():
        used: list[Counted] = []
        passed: list[Counted] = []
        for register in own.get(item.id, ()):
            through = item.points[register.key.partition("/")[2]].through
            # What flows back through a meter lessens what went through it; what a machine makes is given.
            counted = Counted(register.key, -1.0 if through and register.flow == "out" else 1.0)
            if register.flow == "in" or through:
                used.append(counted)
            if register.flow == "out" or through:
                passed.append(counted)
        if used or passed:
            found[item.id] = Node(item.id, item, tuple(used), tuple(passed))
    return found


def _next_above(
    equipment: Mapping[str, Equipment], nodes: Mapping[str, Node], carrier: Carrier
) -> tuple[dict[str, dict[str, None]], dict[str, dict[str, None]]]:
    """Return for each machine the nearest machines above that pass on, and the sources without a register."""
    unmetered = _UNMETERED_SOURCES.get(carrier, frozenset())
    links = {e.id: [s for s in e.fed_by if s in equipment] for e in equipment.values()}
    above: dict[str, dict[str, None]] = {}
    beside: dict[str, dict[str, None]] = {}
    for name in in_order(links):
        found: dict[str, None] = {}
        sources: dict[str, None] = {}
        for source in links[name]:
            if source in nodes:
                if nodes[source].passed:
                    found[source] = None
            elif equipment[source].cls.id in unmetered:
                sources[source] = None
            else:
                found.update(above[source])
                sources.update(beside[source])
        above[name], beside[name] = found, sources
    return above, beside


def _without_detours(parents: Mapping[str, Mapping[str, None]]) -> dict[str, tuple[str, ...]]:
    """Leave out a parent that stands above another parent: what it gives comes through that one."""
    ancestors: dict[str, set[str]] = {}
    result: dict[str, tuple[str, ...]] = {}
    for name in in_order(parents):
        over = {p: ancestors.get(p, set()) for p in parents[name]}
        result[name] = tuple(p for p in parents[name] if not any(p in over[q] for q in over if q != p))
        ancestors[name] = set(over).union(*over.values())
    return result


def _groups(
    parents: Mapping[str, tuple[str, ...]], nodes: Mapping[str, Node], beside: Mapping[str, Mapping[str, None]]
) -> tuple[Group, ...]:
    joined = _joined(parents)
    while True:
        links: dict[str, set[str]] = {joined[p]: set() for p in joined}
        for child, own in parents.items():
            # A node that is a child in one group and a parent in another orders the two.
            if own and child in joined and joined[child] != joined[own[0]]:
                links[joined[child]].add(joined[own[0]])
        found = circles(links)
        if not found:
            break
        one = {name: min(circle) for circle in found for name in circle}
        joined = {p: one.get(g, g) for p, g in joined.items()}
    feeding: dict[str, list[str]] = {name: [] for name in links}
    fed: dict[str, list[str]] = {name: [] for name in links}
    for node in nodes:
        if node in joined:
            feeding[joined[node]].append(node)
        if parents.get(node):
            fed[joined[parents[node][0]]].append(node)
    return tuple(_group(feeding[name], fed[name], beside) for name in in_order(links))


def _group(feeding: list[str], fed: list[str], beside: Mapping[str, Mapping[str, None]]) -> Group:
    # What is on both sides of a group lies inside of it and cancels out.
    inside = set(feeding) & set(fed)
    return Group(
        tuple(n for n in feeding if n not in inside),
        tuple(n for n in fed if n not in inside),
        tuple(dict.fromkeys(s for n in fed for s in beside[n])),
    )


def _joined(parents: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return for each parent the group's name: parents with a child in common are of one group."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for own in parents.values():
        for parent in own:
            leader.setdefault(parent, parent)
            leader[find(parent)] = find(own[0])
    return {p: find(p) for p in leader}


def _circles_above(site: Site, nodes: Iterable[str]) -> list[frozenset[str]]:
    """Return the circles of the supply in which a node stands, or above one."""
    if not site.circles:
        return []
    reached = {i for n in nodes for i in (n, *site.upstream(n))}
    return [c for c in site.circles if not c.isdisjoint(reached)]


def _circle_problem(circle: Collection[str]) -> Reason:
    names = ", ".join(sorted(circle))
    return Reason(
        "supply-circle",
        Names(
            zh=f"供应关系成环：{names}；请在站点文件 fed_by 中去掉一条，环内的连接未计入",
            en=f"The supply runs in a circle: {names}. Take one link out of fed_by; the links within were left out.",
        ),
    )


def _loose_problem(node: Node) -> Reason:
    keys = ", ".join(node.registers)
    return Reason(
        "no-metered-supply",
        Names(
            zh=f"{keys} 上游没有该能源的计量表，未计入平衡与分摊；请在 {node.id} 的 fed_by 中写明供应来源",
            en=f"{keys} hangs below no meter of its carrier and is left out; name what feeds {node.id} in its fed_by.",
        ),
        blocking=False,
    )
