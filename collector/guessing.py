"""Which point is it, and of what kind of machine? Guessed from a key's words, its unit, its values and its state words.

Everything here is a guess for a person to look at: each comes with a score, and with the runner-up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from facility.equipment_classes import ClassLibrary, EquipmentClass, PointSpec
from facility.units import canonical_unit, conversion

ENOUGH: Final = 0.5  # a match below this is not proposed
_MAX_KEY = 120

_PER_CENT: Final = 100.0  # where a per cent is sent as a part of one
_KEYWORDS_FILE: Final = Path(__file__).parent / "keywords.yaml"
_UNIT_IN_BRACKETS = re.compile(r"[\[(（【]\s*([^\])）】]{1,12})\s*[\])）】]\s*$")
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[\u4e00-\u9fff]+")
_TAILS: Final = (".value", ".val", ".v", ".data")


@dataclass(frozen=True, slots=True)
class Keywords:
    """The words of `keywords.yaml`, ready to be looked up."""

    meant: Mapping[str, tuple[str, ...]]  # word -> meanings
    chinese: tuple[str, ...]  # the longest first
    whole: Mapping[str, frozenset[str]]
    empty: frozenset[str]
    units: Mapping[str, str]
    other_units: Mapping[str, tuple[str, ...]]
    yes: frozenset[str]
    no: frozenset[str]
    states: Mapping[str, frozenset[str]]


@lru_cache(maxsize=1)
def keywords() -> Keywords:
    """Return the words, read once a process."""
    data = yaml.safe_load(_KEYWORDS_FILE.read_text(encoding="utf-8"))
    meant: dict[str, list[str]] = {}
    for meaning, words in data["meanings"].items():
        for word in words.split():
            meant.setdefault(word, []).append(meaning)
    return Keywords(
        meant={word: tuple(found) for word, found in meant.items()},
        chinese=tuple(sorted((w for w in meant if is_chinese(w)), key=len, reverse=True)),
        whole={key: frozenset(said.split()) for said, keys in data["whole"].items() for key in keys.split()},
        empty=frozenset(data["empty"].split()),
        units=data["units"],
        other_units={unit: tuple(others.split()) for unit, others in data["other_units"].items()},
        yes=frozenset(data["yes"].split()),
        no=frozenset(data["no"].split()),
        states={state: frozenset(words.split()) for state, words in data["states"].items()},
    )


def is_chinese(text: str) -> bool:
    """Return True if the text begins with a Chinese character."""
    return "\u4e00" <= text[:1] <= "\u9fff"


@dataclass(slots=True)
class KeyFacts:
    """
    What was seen under one key.

    Attributes
    ----------
    low, high : of its numbers; NaN if there was none
    numbers, words : how many numbers came, and which words
    rising : every number was at least as large as the one before
    whole : every number was a whole one
    unit : that the payload itself names, if it does
    """

    low: float = math.nan
    high: float = math.nan
    last: float = math.nan
    numbers: int = 0
    words: list[str] = field(default_factory=list)
    rising: bool = True
    whole: bool = True
    truths: bool = False
    unit: str | None = None

    def add(self, value: float) -> None:
        """Take in one number."""
        self.low = value if not self.low <= value else self.low
        self.high = value if not self.high >= value else self.high
        self.rising = self.rising and not value < self.last
        self.whole = self.whole and value == math.floor(value)
        self.last = value
        self.numbers += 1


@dataclass(frozen=True, slots=True)
class Match:
    """A key that stands for a point; `unit` is the one that its values seem to be in, None: the point's own."""

    key: str
    point: str
    score: float
    unit: str | None = None
    scale: float = 1.0
    states: Mapping[str, int] = field(default_factory=dict)
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class ClassGuess:
    """A class that fits some keys; `score` is 0 to 1."""

    cls: EquipmentClass
    score: float
    matches: tuple[Match, ...]


def guess_classes(
    keys: Mapping[str, KeyFacts],
    library: ClassLibrary,
    words_about: str = "",
    most: int = 3,
    likely: Collection[str] = (),
) -> list[ClassGuess]:
    """
    Return the classes that fit best, the best first.

    Parameters
    ----------
    keys : what a device sends
    words_about : topic, and whatever else may name the kind of machine
    likely : classes that are favoured a little, since machines with names like this one's are of them
    """
    about = meanings(words_about)
    found = []
    for cls in library.classes.values():
        matches = match_points(keys, cls.points)
        if not matches:
            continue
        measured = sum(p.kind != "derived" for p in cls.points.values())
        # What the class works out by itself is no point to map, but it speaks for the class.
        derived = sum(_bare(k).lower() in cls.points and cls.points[_bare(k).lower()].kind == "derived" for k in keys)
        fit = sum(m.score for m in matches) + 0.9 * derived
        # Most of what is sent should be a point of the class, and of two classes the one with fewer points beside.
        score = 0.72 * fit / max(1, len(keys)) + 0.18 * min(1.0, fit / max(1, measured))
        score += 0.1 * max(_named(cls, words_about, about), 0.8 * (cls.id in likely))
        found.append(ClassGuess(cls, min(1.0, score), matches))
    return sorted(found, key=lambda g: -g.score)[:most]


def match_points(keys: Mapping[str, KeyFacts], points: Mapping[str, PointSpec]) -> tuple[Match, ...]:
    """Return the best match of keys to points, each key and each point at most once, in the order of the keys."""
    names = [name for name, spec in points.items() if spec.kind != "derived"]
    listed = list(keys)
    if not names or not listed:
        return ()
    table = [[_match(key, keys[key], name, points[name]) for name in names] for key in listed]
    scores: NDArray[np.float64] = np.array([[m.score if m else 0.0 for m in row] for row in table])
    rows, columns = linear_sum_assignment(-scores)
    chosen = [table[r][c] for r, c in zip(rows.tolist(), columns.tolist(), strict=True)]
    return tuple(m for m in chosen if m is not None and m.score >= ENOUGH)


def _match(key: str, facts: KeyFacts, point: str, spec: PointSpec) -> Match | None:
    likeness = _likeness(key, point, spec)
    if likeness <= 0.15:
        return None
    if spec.kind == "state":
        states = state_words(facts.words, spec)
        if states is None:
            return None
        believed = 1.0 if facts.words or facts.truths else 0.95 if facts.whole and facts.high <= _most(spec) else 0.3
        return Match(key, point, likeness * believed, states=states)
    if not facts.numbers:
        return None
    if spec.kind == "total_increasing":
        believed = 1.0 if facts.rising and facts.low >= 0 else 0.3
    else:
        believed = 0.6 if facts.truths else 1.0
    unit, scale, fits, doubt = _unit(key, facts, spec)
    return Match(key, point, likeness * believed * fits, unit, scale, doubt=doubt)


def _most(spec: PointSpec) -> int:
    return max(spec.states or {1: ""})


# --- words ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=20_000)
def meanings(text: str) -> frozenset[str]:
    """Return what the words of a key or name may mean; a word that is not known stands for itself."""
    text = text[-_MAX_KEY:]
    whole = re.sub(r"[^a-z0-9]", "", text.lower())
    known = keywords()
    if whole in known.whole:
        return known.whole[whole]
    found: set[str] = set()
    for part in _PARTS.findall(text):
        if is_chinese(part):
            found |= _chinese_meanings(part)
            continue
        word = part.lower()
        if word in known.empty:
            continue
        found.update(known.meant.get(word, (word,)))
    letters = re.findall(r"([ABCabc])相", text)
    return frozenset(found | {f"phase_{letter.lower()}" for letter in letters})


def _chinese_meanings(text: str) -> set[str]:
    found: set[str] = set()
    for word in keywords().chinese:
        if word in text:
            found.update(keywords().meant[word])
            text = text.replace(word, " ")
    return found | {c for c in text if c.strip()}


@lru_cache(maxsize=50_000)
def _likeness_of(key: str, name: str) -> float:
    """Return how alike the meanings of two texts are, 0 to 1; words that may mean two things count once."""
    a, b = meanings(key), meanings(name)
    if not a or not b:
        return 0.0
    both = len(a & b)
    return both / (0.55 * len(b) + 0.45 * min(len(a), 2 * len(b))) if both else 0.0


def _likeness(key: str, point: str, spec: PointSpec) -> float:
    bare, last, said = _read(key)
    names = spec.name
    if bare.lower() == point or bare == names.zh:
        return 1.0
    if spec.code and bare.lower() == spec.code.lower():
        return 0.95
    if last != bare and (last.lower() == point or last == names.zh):
        return 0.97
    if said.isdisjoint(_said(point, names.zh, names.en)):
        return 0.0
    best = max(_likeness_of(bare, point), _likeness_of(bare, names.zh), _likeness_of(bare, names.en))
    if last != bare:
        # What stands before the last dot is often the device, not the quantity.
        best = max(best, 0.95 * _likeness_of(last, point), 0.95 * _likeness_of(last, names.zh))
    return min(0.94, best)


@lru_cache(maxsize=20_000)
def _read(key: str) -> tuple[str, str, frozenset[str]]:
    """Return a key without what says nothing, its last part, and all that the two may mean."""
    bare = _bare(key)
    last = re.split(r"[./]", bare)[-1]
    return bare, last, meanings(bare) | meanings(last)


@lru_cache(maxsize=5_000)
def _said(point: str, zh: str, en: str) -> frozenset[str]:
    return meanings(point) | meanings(zh) | meanings(en)


def _bare(key: str) -> str:
    for tail in _TAILS:
        key = key.removesuffix(tail)
    return _UNIT_IN_BRACKETS.sub("", key).strip()


def _named(cls: EquipmentClass, text: str, about: frozenset[str]) -> float:
    names = cls.spec.name
    if names.zh in text or cls.id in text.lower().replace("-", "_"):
        return 1.0
    own = {w.lower() for w in re.findall(r"[A-Za-z]{3,}", names.en)} | meanings(cls.id)
    shared = own & (about | {w.lower() for w in re.findall(r"[A-Za-z]{3,}", text)})
    return min(1.0, len(shared) / max(1, len(own)))


# --- units and states -------------------------------------------------------------------------------------------------


def _unit(key: str, facts: KeyFacts, spec: PointSpec) -> tuple[str | None, float, float, str]:
    """Return (unit in the site file or None, scale, how well it fits 0 to 1, what is doubtful)."""
    named = facts.unit or _unit_of_key(key)
    if named is not None:
        try:
            scale, offset = conversion(named, spec.unit)
        except ValueError:
            return None, 1.0, 0.5, f"unit {named} is not one of {spec.unit or 'a bare number'}"
        fits = _fits(facts, spec, scale, offset)
        return (None if canonical_unit(named) == spec.unit else canonical_unit(named)), 1.0, max(0.7, fits), ""
    own = _fits(facts, spec, 1.0, 0.0)
    best: tuple[str | None, float, float, str] = (None, 1.0, own, "")
    for unit in keywords().other_units.get(spec.unit, ()):
        scale, offset = conversion(unit, spec.unit)
        fits = 0.97 * _fits(facts, spec, scale, offset)
        if fits > best[2] + 0.05:
            best = (unit, 1.0, fits, f"unit guessed by the size of the values: {facts.low:g} to {facts.high:g}")
    if spec.unit in ("%", "%RH") and facts.low >= 0 and facts.high <= 1 and own < 1 and facts.high > facts.low:
        best = (None, _PER_CENT, 0.95, "values from 0 to 1 are taken for parts of one")
    return best


def _unit_of_key(key: str) -> str | None:
    bracket = _UNIT_IN_BRACKETS.search(key)
    if bracket is not None:
        try:
            return canonical_unit(bracket[1])
        except ValueError:
            return None
    parts = [p.lower() for p in _PARTS.findall(_bare(key))]
    return keywords().units.get(parts[-1]) if len(parts) > 1 else None


def _fits(facts: KeyFacts, spec: PointSpec, scale: float, offset: float) -> float:
    """Return how well values lie where the point's may: 1 in its normal band, less farther out."""
    low, high = facts.low * scale + offset, facts.high * scale + offset
    if spec.physical is not None and (low < spec.physical[0] or high > spec.physical[1]):
        return 0.35
    if spec.normal is None or low == high == 0.0:
        return 1.0 if spec.physical is None else 0.97
    width = spec.normal[1] - spec.normal[0]
    outside = max(spec.normal[0] - high, low - spec.normal[1], 0.0)
    within = max(0.0, 1.0 - outside / width) if width > 0 else 1.0
    # Far below the band's size is another unit more often than a machine that stands still.
    small = spec.normal[1] > 0 and 0 < high < 0.01 * spec.normal[1]
    return 0.6 + 0.4 * within - (0.15 if small else 0.0)


def state_words(words: Sequence[str], spec: PointSpec) -> dict[str, int] | None:
    """Return codes for the words that the class does not know itself; None if a word fits none of its states."""
    states = spec.states or {}
    known = {w.lower() for w in states.values()} | ({"on", "off", "true", "false"} if set(states) == {0, 1} else set())
    named: dict[str, int] = {}
    for word in words:
        low = word.strip().lower()
        if low in known:
            continue
        code = _code_of(low, states)
        if code is None:
            return None
        named[word.strip()] = code
    return named


def _code_of(word: str, states: Mapping[int, str]) -> int | None:
    for code, meant in states.items():
        bare = meant.replace("breaker_", "")
        if word in (bare, bare.replace("_", " ")) or word in keywords().states.get(meant, ()):
            return code
    if set(states) == {0, 1}:
        return 1 if word in keywords().yes else 0 if word in keywords().no else None
    return None
