"""Contracts and consumption that the tests of bills share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import yaml

from analytics.energy.bill_lines import Bill
from analytics.energy.intervals import MEASURED, MISSING, STEP_US, Intervals
from facility.calendar import at_us, month_bounds_us
from facility.names import Names
from facility.tariff_model import Contract, Tariff

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
MARCH: Final = date(2026, 3, 1)
CASES: Final = Path(__file__).parents[2] / "cases"


def case(file: str, name: str) -> dict[str, Any]:
    """Return a worked case of `tests/cases/`."""
    found: dict[str, Any] = yaml.safe_load((CASES / file).read_text("utf-8"))[name]
    return found


def contract(*tariffs: Tariff, since: tuple[date, ...] = (date(2020, 1, 1),), meters: tuple[str, ...] = ()) -> Contract:
    """Return a contract with tariffs from days on."""
    carrier = tariffs[0].carrier
    return Contract(carrier, carrier, Names(zh="合同", en="Contract"), meters, since, tariffs)  # type: ignore[arg-type]


def even(kwh: float, month: date = MARCH) -> Intervals:
    """Return a month in which the same was used in each step, `kwh` in all."""
    start, end = month_bounds_us(month, SHANGHAI)
    steps = (end - start) // STEP_US
    return Intervals(start, np.full(steps, kwh / steps), np.full(steps, MEASURED, dtype=np.int8))


def with_peak(kwh: float, kw: float, month: date = MARCH, day: int = 10, minute: int = 600) -> Intervals:
    """Return a month of `kwh` in all with one step of `kw`, the rest spread evenly."""
    use = even(kwh, month)
    at = (at_us(month.replace(day=day), minute, SHANGHAI) - use.start_us) // STEP_US
    use.used[:] = (kwh - kw / 4) / (len(use) - 1)
    use.used[at] = kw / 4
    return use


def without(use: Intervals, first: date, last: date) -> Intervals:
    """Return the same with the days [first, last) missing."""
    grade, used = use.grade.copy(), use.used.copy()
    low = (at_us(first, 0, SHANGHAI) - use.start_us) // STEP_US
    high = (at_us(last, 0, SHANGHAI) - use.start_us) // STEP_US
    grade[low:high], used[low:high] = MISSING, np.nan
    return Intervals(use.start_us, used, grade)


def amounts(made: Bill) -> dict[str, float]:
    """Return the amount of each line, by its code, in whole units of the currency."""
    found: dict[str, float] = {}
    for x in made.lines:
        found[x.code] = round(found.get(x.code, 0.0) + x.amount_cents / 100, 2)
    return found


def codes(made: Bill) -> list[str]:
    """Return the codes of the bill's problems."""
    return [p.code for p in made.problems]
