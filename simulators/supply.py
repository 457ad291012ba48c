"""Which machine supplies which department: the lowest meter or board of a carrier that names it in `serves`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from facility.site import Equipment, Site


@dataclass(frozen=True)
class Tree:
    """
    One carrier's supply tree.

    Attributes
    ----------
    order : the carrier's own machines, every one before whatever feeds it
    share : of each department, the machines that supply it, each with an equal share
    parent : of each machine, carrier's or consumer, the carrier's machine that normally feeds it
    """

    order: tuple[str, ...]
    share: Mapping[str, tuple[str, ...]]
    parent: Mapping[str, str]

    def children(self, equipment: str) -> tuple[str, ...]:
        """Return what hangs on a machine of the carrier, in the order of the site file."""
        return tuple(child for child, above in self.parent.items() if above == equipment)


def supply_tree(site: Site, classes: frozenset[str], day: date) -> Tree:
    """Return the supply tree of the carrier that runs through some equipment classes, as it stands on a day."""
    nodes = {e.id: e for e in site.equipment.values() if e.cls.id in classes}
    parent: dict[str, str] = {}
    for item in site.equipment.values():
        source = next((s for s in item.fed_by if s in nodes), None)
        if source is not None:
            parent[item.id] = source
    served: dict[str, list[str]] = {}
    for item in nodes.values():
        for department in item.serves.on(day):
            served.setdefault(department, []).append(item.id)
    share = {d: _lowest(holders, nodes, parent) for d, holders in served.items()}
    return Tree(_leaves_first(nodes), share, parent)


def _lowest(holders: Collection[str], nodes: Mapping[str, Equipment], parent: Mapping[str, str]) -> tuple[str, ...]:
    above: set[str] = set()
    for holder in holders:
        here = parent.get(holder)
        while here is not None and here in nodes:
            above.add(here)
            here = parent.get(here)
    return tuple(h for h in holders if h not in above)


def _leaves_first(nodes: Mapping[str, Equipment]) -> tuple[str, ...]:
    @cache
    def depth(name: str) -> int:
        # Of all its sources, not only the usual one: a transfer switch comes before either.
        return max((depth(source) + 1 for source in nodes[name].fed_by if source in nodes), default=0)

    return tuple(sorted(nodes, key=depth, reverse=True))
