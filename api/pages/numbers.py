"""Numbers on pages, beyond `facility.formats`: ends of bands, limits, sizes at rest."""

from __future__ import annotations

import math

from api.pages.words import Words
from facility.formats import NO_BREAK_SPACE, decimals_of, number
from facility.names import Language


def plain(value: float, decimals: int) -> str:
    """Return a limit or an end of a band with no more decimals than it needs."""
    for few in range(decimals + 3):
        if math.isclose(round(value, few), value, abs_tol=1e-9):
            return number(value, few)
    return number(value, decimals)


def unit_name(unit: str, words: Words) -> str:
    """Return a unit as pages write it: counted things are words of the language, pH says itself in its label."""
    return {
        "pH": "",
        "starts": words.in_context("unit", "starts"),
        "persons": words.in_context("unit", "persons"),
        "beds": words.in_context("unit", "beds"),
        "pulses": words.in_context("unit", "pulses"),
        "h": words.in_context("unit", "h"),
        "min": words.in_context("unit", "min"),
        "s": words.in_context("unit", "s"),
    }.get(unit, unit)


def joined(text: str, unit: str) -> str:
    """Return a number that is written already with its unit: no space before a per cent sign, and never parted."""
    if not unit:
        return text
    return f"{text}{unit}" if unit.startswith("%") else f"{text}{NO_BREAK_SPACE}{unit}"


def limit_text(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a limit with its unit: `320 kPa`, `0.34 MPa`, `91%V/V`."""
    return joined(plain(value, decimals_of(unit, decimals)), unit)


def range_text(ends: tuple[float, float], unit: str, decimals: int, language: Language) -> str:
    """Return `350～480 kPa` in Chinese, `350–480 kPa` in English."""
    between = "～" if language == "zh" else "–"
    return joined(f"{plain(ends[0], decimals)}{between}{plain(ends[1], decimals)}", unit)


def bytes_text(size: int) -> str:
    """Return a size at rest: `12.4 MB`."""
    value = float(size)
    for unit, decimals in (("B", 0), ("KB", 0), ("MB", 1), ("GB", 1)):
        if value < 1000:
            return f"{number(value, decimals)}{NO_BREAK_SPACE}{unit}"
        value /= 1000
    return f"{number(value, 2)}{NO_BREAK_SPACE}TB"
