"""Links that run in a circle: found, told by their way, and cut where nobody can say which of them is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence


def in_order(links: Mapping[str, Iterable[str]]) -> list[str]:
    """Return ids such that each comes after all it links to; ids on a circle and those that link to it are left out."""
    known = {n: {s for s in sources if s in links} for n, sources in links.items()}
    users = _backwards(known)
    waiting = {n: len(s) for n, s in known.items()}
    ready = deque(n for n, count in waiting.items() if count == 0)
    order: list[str] = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for user in users[name]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    return order


def circles(links: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """Return the sets of ids that can each be reached from each other of the set, or from itself."""
    known = {n: [s for s in sources if s in links] for n, sources in links.items()}
    users = _backwards(known)
    # What no circle lies behind, or before, is on none; what is left is little.
    left = dict.fromkeys(links)
    for name in (*in_order(known), *in_order(users)):
        left.pop(name, None)
    found: list[frozenset[str]] = []
    while left:
        start = next(iter(left))
        circle = _reached(start, known, left) & _reached(start, users, left)
        found += [circle] if circle else []
        for name in circle or (start,):
            del left[name]
    return found


def cut(links: Mapping[str, Sequence[str]]) -> tuple[dict[str, tuple[str, ...]], tuple[frozenset[str], ...]]:
    """Return links without those from one id of a circle to another of it, and the circles."""
    found = circles(links)
    own = {name: circle for circle in found for name in circle}
    left = {n: tuple(s for s in sources if s not in own.get(n, ())) for n, sources in links.items()}
    return left, tuple(found)


def way_around(circle: Collection[str], links: Mapping[str, Iterable[str]], start: str) -> list[str]:
    """Return the shortest way along links from an id of a circle back to itself: its id stands at both ends."""
    came: dict[str, str] = {}
    queue = deque([start])
    while start not in came:
        name = queue.popleft()
        for other in links[name]:
            if other in circle and other not in came:
                came[other] = name
                queue.append(other)
    way = [start, came[start]]
    while way[-1] != start:
        way.append(came[way[-1]])
    return way[::-1]


def _backwards(links: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {n: [] for n in links}
    for name, sources in links.items():
        for source in sources:
            found[source].append(name)
    return found


def _reached(start: str, links: Mapping[str, Iterable[str]], among: Collection[str]) -> frozenset[str]:
    """Return what can be reached from an id, itself only if on a circle."""
    found: set[str] = set()
    queue = [start]
    while queue:
        for other in links[queue.pop()]:
            if other in among and other not in found:
                found.add(other)
                queue.append(other)
    return frozenset(found)
