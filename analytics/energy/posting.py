"""Posting fresh figures to the ledger: with the restatements that they make, and the months whose statements change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy import changed_months
from analytics.energy.booking import Bools
from analytics.energy.bookkeeper import Bookkeeper
from analytics.energy.day_figures import ARRAYS, DayFigures, cut, differs
from analytics.energy.ledger import Cause, Ledger, RegisterState
from analytics.energy.restating import CLOSING_US, restated
from facility.calendar import day_of


@dataclass(frozen=True, slots=True, eq=False)
class Posted:
    """
    What a posting changed.

    Attributes
    ----------
    other : (registers, days) bool, figures that are not what they were
    months : whose days that are over changed, and why the first of them did
    restatements : how many closed figures were changed
    """

    other: Bools
    months: Mapping[date, Cause]
    restatements: int


def post(
    keeper: Bookkeeper,
    whole: DayFigures,
    fresh: DayFigures,
    rows: Sequence[int],
    days: slice,
    *,
    units: Mapping[str, str],
    cause_of: Callable[[str], Cause],
    states: Sequence[RegisterState],
    known: Mapping[str, RegisterState],
    now_us: int,
    until_us: int,
    zone: ZoneInfo,
) -> Posted:
    """
    Write figures to the ledger in one transaction, and then to `whole`, which is the ledger as it is remembered.

    Parameters
    ----------
    keeper : lets write
    fresh : figures of the registers in `rows` of `whole`, on `days` of it
    units, cause_of : of each register; why it was booked anew
    states, known : how registers stand now, and how the ledger has them
    until_us : up to when there is something to book [µs UTC]
    """
    before = cut(whole, rows, days)
    told = restated(before, fresh, day_of(now_us - CLOSING_US, zone), cause_of, units, now_us)
    other = ~before.held | differs(before, fresh)
    months: dict[date, Cause] = {}
    for r in told:
        for day, _, _ in r.days:
            months.setdefault(day.replace(day=1), r.cause)
    # Statements are made of days that are over.
    over = (day_of(until_us, zone) - fresh.first_day).days
    for j in np.flatnonzero(other[:, : max(over, 0)].any(axis=0)).tolist():
        months.setdefault((fresh.first_day + timedelta(days=j)).replace(day=1), "late data")
    if other.any() or states:
        with keeper.session() as session:
            Ledger.write_days(session, fresh, other, before.held, now_us)
            Ledger.add_restatements(session, told)
            Ledger.write_registers(session, states, known)
            changed_months.note(session, months)
    for name in ARRAYS:
        getattr(whole, name)[np.ix_(rows, range(days.start, days.stop))] = getattr(fresh, name)
    return Posted(other, months, len(told))
