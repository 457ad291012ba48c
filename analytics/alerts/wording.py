"""How a limit that fires is put into words: machine, what, how bad. See look: "Wording of alerts"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

from analytics.live import LimitEvent
from facility.equipment_classes import Limit
from facility.formats import MISSING, duration, fits_title, quantity, title_width
from facility.names import Language, Names
from facility.site import Equipment

_CLAUSE_ENDS: Final = re.compile("[；。]|; |\\.$")
_LONGEST_HEADING: Final = 200


def value_text(machine: Equipment, limit: Limit, value: float) -> str:
    """
    Write the value that a limit is about: `312 kPa`; empty for states and where there is none.

    It is never rounded onto or across the limit.
    """
    first = limit.condition.comparisons[0]
    points = [machine.points[p] for p in first.left.points if p in machine.points]
    if not math.isfinite(value) or any(p.kind == "state" for p in points):
        return ""
    own = points[0].decimals if points and points[0].unit == first.left.unit else None
    bounds = [b for b in (first.threshold, limit.clear) if b is not None]
    text = quantity(value, first.left.unit, own, limits=bounds)
    return "" if text == MISSING else text


def limit_title(machine: Equipment, limit: Limit, value: float) -> Names:
    """
    Return the title of an alert: machine, limit, value; at most 20 Chinese characters or 45 Latin letters.

    Where that is too long the machine goes by its id, and then without: nothing is ever cut off.
    """
    text = value_text(machine, limit, value)
    name = limit.spec.name
    return Names(
        zh=_shortest(_words(" ", who, name.zh, text) for who in (machine.name.zh, machine.id, "")),
        en=_shortest(
            _joined_en(who, name.en, text) for who in (machine.name.en, machine.id, "")
        ),
    )  # fmt: skip


def short_title(machine: Equipment, what: Names, value: Names | None = None) -> Names:
    """Return the title of a ticket about a machine: who, what and a figure, by the same measure."""

    def one(language: Language) -> str:
        tail = value.in_(language) if value else ""
        join = _joined_en if language == "en" else lambda *words: _words(" ", *words)
        return _shortest(join(who, what.in_(language), tail) for who in (machine.name.in_(language), machine.id, ""))

    return Names(zh=one("zh"), en=one("en"))


def heading(sentence: str) -> str:
    """Return a finding's sentence as far as a title needs it: `HV incomer 1: power factor 0.87 against 0.90`."""
    return _CLAUSE_ENDS.split(sentence, maxsplit=1)[0][:_LONGEST_HEADING]


def limit_summary(machine: Equipment, event: LimitEvent) -> Names:
    """Return one sentence: what stands at which value against which limit, held for how long."""
    limit, first = event.limit, event.limit.condition.comparisons[0]
    value = value_text(machine, limit, event.value)
    held_zh, held_en = "", ""
    if limit.spec.hold >= 1.0:
        held_us = round(limit.spec.hold * 1e6)
        held_zh = f"，已持续 {duration(held_us, 'zh')}以上"
        held_en = f", for {duration(held_us, 'en')} or longer"
    if not value or first.threshold is None:
        return Names(
            zh=f"{machine.name.zh}：{limit.spec.name.zh}{held_zh}（{limit.spec.when}）。",
            en=f"{machine.name.en}: {_lower(limit.spec.name.en)}{held_en} ({limit.spec.when}).",
        )
    points = [machine.points[p] for p in first.left.points if p in machine.points]
    own = points[0].decimals if points and points[0].unit == first.left.unit else None
    bound = quantity(first.threshold, first.left.unit, own, limits=[first.threshold])
    return Names(
        zh=f"{machine.name.zh}：{limit.spec.name.zh}，{value}，限值 {bound}{held_zh}。",
        en=f"{machine.name.en}: {_lower(limit.spec.name.en)}, {value} against {bound}{held_en}.",
    )


def _lower(text: str) -> str:
    """Take a sentence's capital away, but not an abbreviation's."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].lower() + text[1:]


def _words(join: str, *words: str) -> str:
    return join.join(w for w in words if w)


def _joined_en(who: str, what: str, value: str) -> str:
    head = f"{who} {_lower(what)}" if who else what
    return f"{head}, {value}" if value else head


def _shortest(candidates: Iterable[str]) -> str:
    """Return the first that fits, or the narrowest if none does."""
    known = list(candidates)
    return next((c for c in known if fits_title(c)), min(known, key=title_width))
