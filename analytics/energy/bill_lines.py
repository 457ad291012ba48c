"""A bill as data: lines whose rounded amounts add up exactly, how good its figures are, and what it could not say."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Final

from analytics.energy.bill_problems import BillProblem
from analytics.energy.day_charges import DayCharge
from facility.names import Language, Names
from facility.tariff_model import BAND_NAMES

# What is printed is what was multiplied: amounts to a thousandth, demand as finely as suppliers print it.
QUANTITY_DECIMALS: Final = 3
DEMAND_DECIMALS: Final = 6
PRICE_DECIMALS: Final = 9


def rounded(value: float, decimals: int) -> float:
    """Return a figure as it is printed, half away from zero."""
    return float(_exact(value).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))


def cents(quantity: float, price: float, share: Fraction = Fraction(1)) -> int:
    """Return quantity × price × share in 1/100 of the currency, half away from zero, reckoned exactly."""
    amount = Fraction(_exact(quantity)) * Fraction(_exact(price)) * share * 100
    whole = (abs(amount) + Fraction(1, 2)) // 1
    return int(whole if amount >= 0 else -whole)


def _exact(value: float) -> Decimal:
    # By its shortest decimal: 0.285 is meant as 0.285, though the float is a little less.
    return Decimal(repr(float(value)))


@dataclass(frozen=True, slots=True)
class BillLine:
    """
    A line of a bill: quantity × price × share is its amount.

    Attributes
    ----------
    code : stable name, such as `energy.purchase.peak`, `basic.demand`, `power_factor`
    quantity, unit : what is charged
    price : of a unit [currency/unit]; of lines with the unit %, the share of the amount in `quantity` [currency]
    amount_cents : rounded half up [1/100 currency]
    share : of the month, where it does not hold for all of it
    band : sharp, peak, flat, valley, deep; "": all
    adjusted : the power-factor adjustment is applied to it
    missing : share of the line's time of which no energy is known
    detail : what the figures rest on
    """

    code: str
    name: Names
    quantity: float
    unit: str
    price: float
    amount_cents: int
    share: Fraction = Fraction(1)
    band: str = ""
    adjusted: bool = False
    missing: float = 0.0
    detail: Names | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "code": self.code,
            "name": self.name.model_dump(),
            "band": self.band or None,
            "quantity": self.quantity,
            "unit": self.unit,
            "price": self.price,
            "share": float(self.share),
            "amount_cents": self.amount_cents,
            "missing": self.missing,
            "detail": self.detail.model_dump() if self.detail else None,
        }


def line(
    code: str, name: Names, quantity: float, unit: str, price: float, *, share: Fraction = Fraction(1), band: str = "",
    adjusted: bool = False, missing: float = 0.0, detail: Names | None = None, decimals: int = QUANTITY_DECIMALS,
) -> BillLine:  # fmt: skip
    """Make a line; quantity and price are rounded as they are printed, then multiplied."""
    quantity, price = rounded(quantity, decimals), rounded(price, PRICE_DECIMALS)
    if band:
        name = Names(zh=f"{name.zh}（{BAND_NAMES[band].zh}）", en=f"{name.en}, {BAND_NAMES[band].en.lower()}")
    amount = cents(quantity, price, share)
    return BillLine(code, name, quantity, unit, price, amount, share, band, adjusted, missing, detail)


@dataclass(frozen=True, slots=True)
class Bill:
    """
    The bill of a contract for a month.

    Attributes
    ----------
    contract, name, carrier : whose
    month : its first day
    through : day after the last that is on it; before the month's end the bill is provisional
    lines : in the order of a Chinese bill
    used, unit : of the carrier; NaN if nothing is known
    measured, estimated, missing : shares of the time, together 1
    peak_kw, peak_at_us : maximum demand [kW], [µs UTC]; None: not known or not asked
    power_factor : mean of the month, rounded to 0.01; None: not known or not asked
    problems : what is not on it, and how that is mended
    at_least : something that is charged is not on it, so that the true total is higher
    days : what of the energy lines falls on each day
    """

    contract: str
    name: Names
    carrier: str
    month: date
    through: date
    currency: str
    lines: tuple[BillLine, ...]
    used: float
    unit: str
    measured: float
    estimated: float
    missing: float
    peak_kw: float | None = None
    peak_at_us: int | None = None
    power_factor: float | None = None
    problems: tuple[BillProblem, ...] = ()
    at_least: bool = False
    days: tuple[DayCharge, ...] = ()

    @property
    def energy_cents(self) -> int:
        """Return the sum of the lines that are charged by the unit, which the days add up to. [1/100 currency]"""
        return sum(d.cents or 0 for d in self.days)

    @property
    def total_cents(self) -> int:
        """Return the sum of the lines. [1/100 currency]"""
        return sum(x.amount_cents for x in self.lines)

    @property
    def provisional(self) -> bool:
        """Return True if the month has not ended."""
        return self.through < next_month(self.month)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs, and to be kept."""
        return {
            "contract": self.contract,
            "name": self.name.model_dump(),
            "carrier": self.carrier,
            "month": f"{self.month:%Y-%m}",
            "through": self.through.isoformat(),
            "provisional": self.provisional,
            "currency": self.currency,
            "used": self.used if self.used == self.used else None,
            "unit": self.unit,
            "measured": self.measured,
            "estimated": self.estimated,
            "missing": self.missing,
            "peak_kw": self.peak_kw,
            "peak_at_us": self.peak_at_us,
            "power_factor": self.power_factor,
            "lines": [x.to_json() for x in self.lines],
            "total_cents": self.total_cents,
            "energy_cents": self.energy_cents,
            "days": [d.to_json() for d in self.days],
            "at_least": self.at_least,
            "problems": [p.to_json() for p in self.problems],
        }

    def to_text(self, language: Language) -> str:
        """Return it as lines of text, columns aligned."""
        rows = [_row(x, language) for x in self.lines]
        word = {"zh": "合计", "en": "Total"}[language]
        total = ("≥ " if self.at_least else "") + _amount(self.total_cents)
        rows.append((word, "", "", "", "", f"{total} {self.currency}"))
        widths = [max(_width(r[i]) for r in rows) for i in range(6)]
        text = ["  ".join(_padded(cell, w, left=i in (0, 2)) for i, (cell, w) in enumerate(zip(r, widths, strict=True)))
                for r in rows]  # fmt: skip
        head = f"{self.name.in_(language)} {self.month:%Y-%m}"
        return "\n".join([head, *(t.rstrip() for t in text), *(f"! {p.text.in_(language)}" for p in self.problems)])


def next_month(month: date) -> date:
    """Return the first day of the month after the one whose first day is given."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _row(x: BillLine, language: Language) -> tuple[str, ...]:
    percent = x.unit == "%"
    price = _trimmed(x.price * (100 if percent else 1), 6)
    return (
        x.name.in_(language),
        _trimmed(x.quantity, QUANTITY_DECIMALS),
        "" if percent else x.unit,
        f"{price} %" if percent else price,
        f"× {float(x.share):.4f}" if x.share != 1 else "",
        _amount(x.amount_cents),
    )


def _trimmed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(amount_cents: int) -> str:
    sign = "−" if amount_cents < 0 else ""
    return f"{sign}{abs(amount_cents) // 100:,}.{abs(amount_cents) % 100:02d}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int, left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if left else space + text
