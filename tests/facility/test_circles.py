"""Links in a circle are found, told by their way, and cut; all others stand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from facility.circles import circles, cut, in_order, way_around


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, []),
        ({"a": ["a"], "b": ["a"]}, [{"a"}]),
        ({"a": ["b"], "b": ["a"], "c": ["b"], "d": []}, [{"a", "b"}]),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, [{"a", "b", "c"}]),
        # What lies between two circles is on neither.
        ({"a": ["b"], "b": ["a"], "c": ["a"], "d": ["c", "e"], "e": ["d"]}, [{"a", "b"}, {"d", "e"}]),
        # Two that share a machine are one.
        ({"a": ["b", "c"], "b": ["a"], "c": ["a"]}, [{"a", "b", "c"}]),
        ({"a": ["elsewhere"], "b": ["a"]}, []),
    ],
)
def test_a_circle_is_what_reaches_itself(links: Mapping[str, list[str]], found: list[set[str]]) -> None:
    assert circles(links) == found


def test_only_links_within_a_circle_are_cut() -> None:
    left, found = cut({"main": ["a"], "a": ["main", "gen"], "gen": [], "below": ["a"]})
    assert left == {"main": (), "a": ("gen",), "gen": (), "below": ("a",)}
    assert found == (frozenset({"main", "a"}),)


def test_the_way_around_is_the_shortest() -> None:
    links = {"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}
    assert way_around(frozenset(links), links, "a") == ["a", "d", "a"]
    assert way_around(frozenset(links), links, "b") == ["b", "c", "a", "b"]
    assert way_around({"x"}, {"x": ["x"]}, "x") == ["x", "x"]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_has_an_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    links = {f"m{i}": [f"m{j}" for j in rng.integers(0, 30, rng.integers(0, 3))] for i in range(30)}
    left, _ = cut(links)
    order = in_order(left)
    assert sorted(order) == sorted(links)
    assert all(order.index(s) < order.index(n) for n, sources in left.items() for s in sources)
