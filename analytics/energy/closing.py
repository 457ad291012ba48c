"""Keeping the monthly statements: the running month's anew each time, a closed month's only if something changed it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from analytics.energy import changed_months, statements
from analytics.energy.activity import ActivityRow
from analytics.energy.bookkeeper import Bookkeeper
from analytics.energy.ledger import Cause, Ledger, Restatement
from analytics.energy.month_drafts import MonthDrafts
from analytics.energy.restating import CLOSING_US
from analytics.energy.statements import Draft, Statement
from facility.calendar import day_of, month_bounds_us
from facility.database import Database, read_setting, write_setting
from facility.site import Site

log = logging.getLogger(__name__)

_SETTING: Final = "energy.closing"


class Closing:
    """
    Makes and keeps the statements.

    Parameters
    ----------
    site, database : the hospital, and where statements are kept
    keeper : lets write
    drafts : makes them
    clock : the time now [µs UTC]
    """

    def __init__(
        self, site: Site, database: Database, keeper: Bookkeeper, drafts: MonthDrafts, clock: Callable[[], int]
    ) -> None:
        self._site, self._database, self._keeper, self._drafts, self._clock = site, database, keeper, drafts, clock
        self._zone = site.time_zone

    def run(self, months: Sequence[date], progress: Callable[[str, float], None] = lambda *_: None) -> int:
        """
        Make the statements that may have changed, and keep those that have.

        Parameters
        ----------
        months : first days of those that have statements, oldest first

        Returns
        -------
        How many closed statements got a new version.
        """
        with self._database.reading() as session:
            before = read_setting(session, _SETTING, {})
            changed = changed_months.changed(session)
            have = statements.months(session)
            reported = set(
                session.scalars(select(ActivityRow.day).where(ActivityRow.entered_us >= before.get("made_us", 0)))
            )
        now_us, months = self._clock(), sorted(have.union(months))
        prints = {"tariffs": fingerprint(self._site.contracts), "rest": self._rest()}
        causes: dict[date, Cause] = {}
        if before and prints != before.get("prints"):
            cause: Cause = "tariff" if prints["rest"] == before["prints"]["rest"] else "correction"
            causes = dict.fromkeys(months, cause)
        causes |= {_month(day): "correction" for day in reported if _month(day) in months}
        causes |= {month: cause for month, cause in changed.items() if month in months}
        wanted = [m for m in months if m in causes or m not in have or self._goes_on(m, int(before.get("made_us", 0)))]
        restated = 0
        for i, month in enumerate(wanted):
            progress("statements", i / len(wanted))
            restated += self._keep(month, causes.get(month, "late data"), now_us)
        with self._keeper.session() as session:
            write_setting(session, _SETTING, {"made_us": now_us, "prints": prints})
        return restated

    def is_closed(self, month: date, now_us: int) -> bool:
        """Return whether a month was closed at a time."""
        return month_bounds_us(month, self._zone)[1] + CLOSING_US <= now_us

    def _goes_on(self, month: date, made_us: int) -> bool:
        """Return whether a month has another day, or was closed, since the statements were made."""
        now_us = self._clock()
        today = day_of(now_us, self._zone)
        another_day = day_of(made_us, self._zone) < today and not self.is_closed(month, made_us)
        return another_day and month <= today

    def _keep(self, month: date, cause: Cause, now_us: int) -> int:
        closed = self.is_closed(month, now_us)
        drafts = self._drafts.of(month)
        restatements: list[Restatement] = []
        with self._keeper.session() as session:
            for draft in drafts:
                kept, replaced = statements.keep(session, draft, closed, cause, now_us)
                if replaced is not None:
                    restatements += _restated(draft, replaced, kept, cause, now_us)
            Ledger.add_restatements(session, restatements)
            changed_months.settle(session, month)
        return len(restatements)

    def _rest(self) -> str:
        site = self._site
        return fingerprint(
            [site.allocation, site.carbon, site.targets, site.sizes, site.departments, site.currency]
            + [(e.id, e.fed_by, e.serves, dict(e.rating), e.since, e.until) for e in site.equipment.values()]
        )


def fingerprint(data: Any) -> str:
    """Return a text that changes if what some data say does; the order of sets and mappings does not count."""
    return hashlib.sha256(json.dumps(_plain(data), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _plain(data: Any) -> Any:
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {f.name: _plain(getattr(data, f.name)) for f in dataclasses.fields(data)}
    if isinstance(data, Mapping):
        return sorted(([str(key), _plain(value)] for key, value in data.items()), key=lambda pair: str(pair[0]))
    if isinstance(data, Set):
        return sorted(map(str, data))
    if isinstance(data, list | tuple):
        return [_plain(item) for item in data]
    return data if data is None or isinstance(data, str | int | float | bool) else str(data)


def _restated(draft: Draft, old: Statement, new: Statement, cause: Cause, now_us: int) -> list[Restatement]:
    """
    Return which figures of a statement that was closed are others now: its sum, or who bears the same sum.

    One that has other details, but the same sum for the same, is a new version and no other figure.
    """
    was, unit = statements.amount_of(old.figures)
    now, unit_now = statements.amount_of(new.figures)
    changed = [(draft.subject, was, now)]
    if was == now:
        bore, bear = (_by_department(s.figures) for s in (old, new)) if draft.kind == "allocation" else ({}, {})
        # A department that bears nothing has no row.
        changed = [(f"{draft.subject}/{d}", bore.get(d, 0.0), bear.get(d, 0.0)) for d in sorted({*bore, *bear})]
    last = (draft.month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return [
        Restatement(draft.kind, subject, draft.month, last, _known(a), _known(b), unit_now or unit, cause, now_us)
        for subject, a, b in changed
        if a != b
    ]


def _by_department(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return what each department bears, and as `` what none does. [currency]"""
    return {row["department"] or "": int(row["cents"]) / 100.0 for row in figures["rows"]}


def _known(amount: float | None) -> float:
    return math.nan if amount is None else amount


def _month(day: str) -> date:
    return datetime.fromisoformat(day).date().replace(day=1)
