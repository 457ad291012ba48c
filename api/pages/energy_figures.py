"""Figures of the accounts in words: amounts that say whether they are whole, money from cents, shares, differences."""

from __future__ import annotations

import math

from analytics.energy.intervals import Total
from api.pages.numbers import joined
from api.pages.words import Words
from facility.formats import MINUS, MISSING, decimals_of, money, number

# A share below this is not worth a sign in front of a figure: a quarter of an hour in a month.
_NOTICED = 0.0003


def amount_text(total: Total, unit: str, decimals: int | None = None) -> str:
    """Return an amount: `≈1,204` with estimates in it, `≥1,204` with gaps; an em dash where nothing is known."""
    if not total.known:
        return MISSING
    places = few_decimals(total.amount, unit) if decimals is None else decimals
    return f"{doubt(total)}{number(total.amount, places)}"


def few_decimals(value: float, unit: str) -> int:
    """Return how many decimals an amount is written with: whole ones from a hundred on, some below."""
    usual = decimals_of(unit)
    if not math.isfinite(value) or abs(value) >= 100 or value == 0:
        return 0
    return max(usual, 1) if abs(value) >= 1 else 2


def doubt(total: Total) -> str:
    """Return the sign before a sum that is not wholly measured."""
    if total.missing > _NOTICED:
        return "≥"
    return "≈" if total.estimated > _NOTICED else ""


def share_text(share: float, decimals: int = 1) -> str:
    """Return a share in per cent, never rounded onto 0 or 100 unless it is that."""
    if not math.isfinite(share):
        return MISSING
    return f"{number(100 * share, decimals, limits=(0.0, 100.0))}%" if decimals else f"{_whole(100 * share)}%"


def _whole(percent: float) -> str:
    rounded = round(percent)
    if rounded == 100 and percent < 100:
        rounded = 99
    if rounded == 0 and percent > 0:
        rounded = 1
    return number(rounded, 0)


def difference_text(value: float | None, reference: float | None, decimals: int = 1) -> str:
    """Return how far a value lies above (+) or below (−) a reference, in per cent; an em dash where not known."""
    if value is None or reference is None or not math.isfinite(value) or not math.isfinite(reference) or reference <= 0:
        return MISSING
    return f"{number(100 * (value / reference - 1), decimals, signed=True)}%"


def shares_label(total: Total, words: Words) -> str:
    """Return the words of a data-quality mark."""
    return words(
        "measured %(measured)s, estimated %(estimated)s, missing %(missing)s",
        measured=share_text(total.measured),
        estimated=share_text(total.estimated),
        missing=share_text(total.missing),
    )


def cents_text(
    cents: int | None, currency: str, words: Words, *, headline: bool = False, at_least: bool = False
) -> str:
    """Return money from cents in whole units, as headlines and notes have it."""
    if cents is None:
        return MISSING
    return f"{'≥' if at_least else ''}{money(cents / 100, currency, words.language, headline=headline)}"


def whole_money(cents: int | None, *, signed: bool = False, at_least: bool = False) -> str:
    """Return money from cents as tables have it: whole units, the unit stands in the column's head."""
    if cents is None:
        return MISSING
    return f"{'≥' if at_least else ''}{number(cents / 100, 0, signed=signed)}"


def exact_money(cents: int) -> str:
    """Return money from cents as a bill has it, to the cent."""
    sign = MINUS if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def exact_text(cents: int, currency: str, words: Words) -> str:
    """Return money from cents with its unit, to the cent: `¥1,940,590.40`, `1,940,590.40 元`."""
    return with_unit(exact_money(cents), money_unit(currency, words))


def with_unit(text: str, unit: str) -> str:
    """Return a figure with its unit; the sign of money stands before the figures: `≥¥1,204`, but `1,204 kWh`."""
    if unit != "¥":
        return joined(text, unit)
    mark = text[:1] if text[:1] in "≥≈+−" else ""
    return f"{mark}¥{text[len(mark) :]}"


def range_words(least: float, most: float, total: str, unit: str, words: Words) -> str:
    """Return the least and the most of some parts, and what they come to, `total` as it is written."""
    places = few_decimals(most, unit)
    return words(
        "From %(least)s to %(most)s, %(total)s in all.",
        least=with_unit(number(least, places), unit if unit == "¥" else ""),
        most=with_unit(number(most, places), unit),
        total=with_unit(total, unit),
    )


def unit_text(unit: str, currency: str, words: Words) -> str:
    """Return a unit for people: what counts in the site's currency by its sign, `元/m²`."""
    money, per, rest = unit.partition("/")
    return f"{money_unit(currency, words)}{per}{rest}" if money == currency else unit


def money_unit(currency: str, words: Words) -> str:
    """Return what money counts in, for the head of a column."""
    return words("¥") if currency == "CNY" else currency
