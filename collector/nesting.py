"""Layouts of objects inside objects that were seen before: where each value stands, so that no name is looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MAX_LEAVES: Final = 1024

Spot = tuple[int, Any]  # which object or list, 0 the payload, and the key or place in it


@dataclass(frozen=True, slots=True)
class Nest:
    """
    One nested layout, resolved once.

    Attributes
    ----------
    inside : objects and lists that hold something mapped: the spot of each, and its keys in order or its length
    spots, slots : where each value with a point stands, and its slot
    time : where the time stands; None: the payload carries none
    texts : where all else stands, which may be text with colons in it
    colons : colons in a payload with these keys; more of them mean a key that stands twice
    unknown : keys that no point is mapped to
    """

    inside: tuple[tuple[int, Any, tuple[str, ...] | int], ...]
    spots: tuple[Spot, ...]
    slots: list[int]
    time: Spot | None
    texts: tuple[Spot, ...]
    colons: int
    unknown: tuple[str, ...]

    def read(self, data: dict[str, Any]) -> tuple[list[Any], Any, int] | None:
        """Return the values, the time and the colons that the payload must have; None if it is not this layout."""
        nodes: list[Any] = [data]
        for parent, key, keys in self.inside:
            node = nodes[parent][key]
            if node.__class__ is dict:
                if tuple(node) != keys:
                    return None
            elif node.__class__ is not list or len(node) != keys:
                return None
            nodes.append(node)
        time, colons = None, self.colons
        if self.time is not None:
            time = nodes[self.time[0]][self.time[1]]
            if time is None or time.__class__ is list:
                return None  # another time may count, or the values are columns
            if time.__class__ is str:
                colons += time.count(":")
        for at, key in self.texts:
            text = nodes[at][key]
            if text.__class__ is str:
                colons += text.count(":")
        return [nodes[at][key] for at, key in self.spots], time, colons


def nest_of(
    data: dict[str, Any],
    branches: Collection[str],
    keys: Mapping[str, int],
    time_keys: Sequence[str],
    expected: Collection[str],
) -> Nest | None:
    """
    Resolve the layout of a payload.

    Parameters
    ----------
    branches : objects and lists inside which something is mapped, dotted
    keys : key, dotted -> slot
    time_keys : where the time may stand, best first
    expected : keys that no point is mapped to, and that are no surprise; `*`: all

    Returns
    -------
    Nest or None
        None where nothing is mapped, a key stands in two ways, or there is too much of it.
    """
    inside: list[tuple[int, Any, tuple[str, ...] | int]] = []
    leaves: dict[str, Spot] = {}
    colons = 0

    def walk(node: Any, at: int, prefix: str) -> Iterator[tuple[str, Spot]]:
        nonlocal colons
        if isinstance(node, dict):
            colons += len(node) + sum(key.count(":") for key in node)
            items: Any = node.items()
        else:
            items = enumerate(node)
        for key, value in items:
            path = f"{prefix}{key}"
            if path in branches and isinstance(value, dict | list):
                inside.append((at, key, tuple(value) if isinstance(value, dict) else len(value)))
                yield from walk(value, len(inside), path + ".")
            else:
                yield path, (at, key)

    for path, spot in walk(data, 0, ""):
        if path in leaves or len(leaves) >= _MAX_LEAVES:
            return None
        leaves[path] = spot
    mapped = [path for path in leaves if path in keys]
    time_key = next((key for key in time_keys if key in leaves), None)
    if not mapped:
        return None
    rest = [path for path in leaves if path not in keys and path != time_key]
    return Nest(
        inside=tuple(inside),
        spots=tuple(leaves[path] for path in mapped),
        slots=[keys[path] for path in mapped],
        time=leaves[time_key] if time_key is not None else None,
        texts=tuple(leaves[path] for path in rest),
        colons=colons,
        unknown=() if "*" in expected else tuple(path for path in rest if path not in expected),
    )
