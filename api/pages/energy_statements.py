"""What monthly statements have in common on pages: the names in them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analytics.energy.statements import Told
from api.pages.energy_head import Note
from api.pages.words import Words


def names_of(value: Any, words: Words, otherwise: str = "") -> str:
    """Return a name that a statement holds in both languages."""
    if isinstance(value, Mapping) and "zh" in value:
        return words.either(str(value["zh"]), str(value.get("en", value["zh"])))
    return str(value) if value else otherwise


def problem_notes(problems: Iterable[Mapping[str, Any]], words: Words) -> tuple[Note, ...]:
    """Return the problems that figures carry, each once."""
    found: dict[str, Note] = {}
    for problem in problems:
        what = names_of(problem.get("words") or problem.get("text"), words, str(problem.get("code", "")))
        found.setdefault(what, Note(what))
    return tuple(found.values())


def told_notes(told: Iterable[Told], words: Words) -> tuple[Note, ...]:
    """Return what a statement could not say, each once, with the place to look at."""
    return tuple({t.words.en: Note(words.name(t.words), t.place) for t in told}.values())
