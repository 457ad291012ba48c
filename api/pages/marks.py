"""Marks: shape, colour and digit of a priority or a state, and the words a screen reader says for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from analytics.records import Alert
from api.pages.words import Words

RANK: Final = {"P1": 1, "P2": 2, "P3": 3, "P4": 4}


@dataclass(frozen=True, slots=True)
class Mark:
    """A symbol of the sprite and its name."""

    symbol: str
    label: str


def priority_words(priority: str, words: Words) -> str:
    """Return `生命安全`, `重要` …, the plain word for a priority."""
    return {
        "P1": words("Life safety"),
        "P2": words("Important"),
        "P3": words("General"),
        "P4": words("Advisory"),
    }.get(priority, priority)


def alert_mark(priority: str, acknowledged: bool, words: Words) -> Mark:
    """Return the mark of an open alert: filled until someone has acknowledged it, hollow with a tick after."""
    digit = priority[-1]
    if priority == "P4":
        return Mark("m4", "P4")
    if acknowledged:
        return Mark(f"m{digit}a", words("%(priority)s acknowledged", priority=priority))
    if priority == "P1":
        return Mark("m1u", words("%(priority)s not acknowledged", priority=priority))
    return Mark(f"m{digit}", priority)


def plain_mark(priority: str) -> Mark:
    """Return the bare mark of a priority, as in the legend and the tally."""
    return Mark(f"m{priority[-1]}", priority)


def zero_mark(priority: str) -> Mark:
    """Return the outline that stands in the tally where a priority has no alert."""
    return Mark(f"m{priority[-1]}z" if priority != "P4" else "m4", priority)


def stale_mark(words: Words) -> Mark:
    """Return the mark of data that are too old."""
    return Mark("stale", words("stale"))


def unknown_mark(words: Words) -> Mark:
    """Return the mark of what cannot be told."""
    return Mark("unk", words("cannot tell"))


def is_acknowledged(alert: Alert) -> bool:
    """Return True once someone has taken an alert."""
    return alert.acknowledged_us is not None


def worst(alerts: Iterable[Alert]) -> Alert | None:
    """
    Return the alert that a row shows: highest priority, what goes on before what is over, not acknowledged before
    acknowledged, oldest first.
    """
    ranked = sorted(
        alerts,
        key=lambda a: (RANK.get(a.priority, 9), a.resolved_us is not None, is_acknowledged(a), a.started_us, a.id),
    )
    return ranked[0] if ranked else None
