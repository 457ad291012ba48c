"""
What the hospital did in a stretch of days, from what was reported by day or by month, and where that is not known.

A month's figure stands for its days evenly where no daily figure does. The hospital's own figure of a day stands above
the sum of its departments'; where it is not known, the sum takes its place. A day of which nothing was reported is not
a day on which nothing was done.
"""

from __future__ import annotations

import calendar
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, cast

from sqlalchemy import Index, func, insert, select
from sqlalchemy.orm import Mapped, Session

from analytics.energy.entry_texts import read_value
from facility.activity import ACTIVITY_KINDS, ACTIVITY_NAMES, MEANS, MOST_A_DAY, Activity, ActivityKind, Period
from facility.database import Base, Database, Identity, Microseconds
from facility.names import Names
from facility.site import Site
from facility.spreadsheet import Mistake, Row, TableRefused, read_rows
from facility.wording import nearest, nearest_zh, quoted_zh


@dataclass(frozen=True, slots=True)
class ActivityTotal:
    """
    What was done in a stretch of days.

    Attributes
    ----------
    value : the sum over the days that are known (of `staff` their mean); NaN where none is
    days, days_known : how many days there are, and of how many something was reported
    monthly : of the known days, how many rest on a month's figure
    """

    value: float
    days: int
    days_known: int
    monthly: int = 0

    @property
    def complete(self) -> bool:
        """Return True if every day is known."""
        return self.days_known == self.days


class ActivityRecord:
    """
    What was reported, ready to be added up.

    Parameters
    ----------
    reported : of any kind and department; of two figures for one day the later in order counts. A month's figures are
        those whose day is the month's first.
    """

    def __init__(self, reported: Iterable[Activity]) -> None:
        self._latest: dict[ActivityKind, dict[tuple[str | None, Period, date], float | None]] = {}
        departments: dict[ActivityKind, set[str]] = {}
        for item in reported:
            self._latest.setdefault(item.kind, {})[item.department, item.period, item.day] = item.value
            if item.department is not None:
                departments.setdefault(item.kind, set()).add(item.department)
        self._departments = {kind: sorted(found) for kind, found in departments.items()}

    def total(self, kind: ActivityKind, department: str | None, first: date, last: date) -> ActivityTotal:
        """Return what was done from the first day to the last."""
        days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
        latest = self._latest.get(kind)
        if latest is None:
            return ActivityTotal(math.nan, len(days), 0)
        total, known, monthly = 0.0, 0, 0
        for day in days:
            value, of_month = _on(latest, department, day, kind)
            if value is None and department is None:
                parts = [_on(latest, each, day, kind) for each in self._departments.get(kind, ())]
                values = [v for v, _ in parts if v is not None]
                value, of_month = (sum(values), any(m for _, m in parts)) if values else (None, False)
            if value is not None:
                total, known, monthly = total + value, known + 1, monthly + of_month
        if not known:
            return ActivityTotal(math.nan, len(days), 0)
        return ActivityTotal(total / known if kind in MEANS else total, len(days), known, monthly)


def activity_total(
    reported: Iterable[Activity], kind: ActivityKind, department: str | None, first: date, last: date
) -> ActivityTotal:
    """Return what was done from the first day to the last, by what was reported."""
    return ActivityRecord(reported).total(kind, department, first, last)


def _on(
    latest: Mapping[tuple[str | None, Period, date], float | None],
    department: str | None,
    day: date,
    kind: ActivityKind,
) -> tuple[float | None, bool]:
    """Return a day's figure, and whether it is a share of its month's."""
    own = latest.get((department, "day", day))
    if own is not None:
        return own, False
    month = latest.get((department, "month", day.replace(day=1)))
    if month is None:
        return None, False
    return month if kind in MEANS else month / calendar.monthrange(day.year, day.month)[1], True


# -- as people report it


class ActivityRow(Base):
    """What a person reported. Rows are added, never changed: of several for one day the newest counts."""

    __tablename__ = "energy_activity"

    id: Mapped[Identity]
    kind: Mapped[str]
    department: Mapped[str]  # empty for the whole site
    period: Mapped[str]
    day: Mapped[str]
    value: Mapped[float | None]
    entered_us: Mapped[Microseconds]
    entered_by: Mapped[str]

    __table_args__ = (Index(None, "day", "kind", "department"),)


_COLUMNS: Final[dict[str, Sequence[str]]] = {
    "kind": ("项目", "指标", "类别"),
    "department": ("科室", "部门"),
    "day": ("date", "month", "日期", "月份"),
    "value": ("数值", "数量", "amount"),
}
_ROWS_AT_A_TIME: Final = 5_000
_FIRST_YEAR: Final = 2000

# Within a transaction: writes down who changed how many figures. The upper floor knows how.
Audit = Callable[[Session, int], None]


class ActivityBook:
    """
    What was reported, in the database.

    Parameters
    ----------
    site : whose departments are known
    database : where it is kept
    clock : the time now [µs UTC]
    """

    def __init__(self, site: Site, database: Database, clock: Callable[[], int]) -> None:
        self._site, self._database, self._clock = site, database, clock
        self._lock = threading.Lock()
        self._held: tuple[tuple[date, date, int], ActivityRecord] | None = None

    def add(self, reported: Sequence[Activity], who: str, audit: Audit | None = None) -> int:
        """
        Put figures on record, all or none; those that stand already are left as they are.

        Parameters
        ----------
        audit : writes to the audit trail within the same transaction; is told how many were new or different

        Returns
        -------
        How many were new or different.

        Raises
        ------
        ValueError
            If a department is not known or a value cannot be.
        """
        for item in reported:
            told = _refusal(item, self._site)
            if told is not None:
                raise ValueError(told[1].en)
        if not reported:
            return 0
        days = sorted(item.day for item in reported)
        standing = {_key(item): item.value for item in self.reported(days[0], days[-1])}
        fresh = {_key(item): item for item in reported}
        changed = [item for key, item in fresh.items() if key not in standing or standing[key] != item.value]
        now_us = self._clock()
        with self._database.session() as session:
            for first in range(0, len(changed), _ROWS_AT_A_TIME):
                session.execute(
                    insert(ActivityRow),
                    [_row(item, now_us, who) for item in changed[first : first + _ROWS_AT_A_TIME]],
                )
            if audit is not None and changed:
                audit(session, len(changed))
        return len(changed)

    def reported(self, first: date, last: date) -> list[Activity]:
        """Return what stands for the days from the first to the last, and for the months that hold them."""
        query = (
            select(
                ActivityRow.kind, ActivityRow.department, ActivityRow.period, ActivityRow.day, ActivityRow.value
            )
            .where(ActivityRow.day >= first.replace(day=1).isoformat(), ActivityRow.day <= last.isoformat())
            .order_by(ActivityRow.id)
        )  # fmt: skip
        standing: dict[tuple[str, str | None, str, date], Activity] = {}
        with self._database.reading() as session:
            for kind, department, period, day, value in session.execute(query):
                first_day = date.fromisoformat(day)
                item = Activity(cast(ActivityKind, kind), department or None, cast(Period, period), first_day, value)
                standing[_key(item)] = item
        return list(standing.values())

    def total(self, kind: ActivityKind, department: str | None, first: date, last: date) -> ActivityTotal:
        """Return what was done from the first day to the last; what was read for a question serves those after it."""
        return self._record(first, last).total(kind, department, first, last)

    def _record(self, first: date, last: date) -> ActivityRecord:
        with self._database.reading() as session:
            newest = session.scalar(select(func.max(ActivityRow.id))) or 0
        with self._lock:
            if self._held is None or self._held[0] != (first, last, newest):
                self._held = ((first, last, newest), ActivityRecord(self.reported(first, last)))
            return self._held[1]

    def import_table(self, name: str, content: bytes, who: str, audit: Audit | None = None) -> int:
        """
        Take a table with the columns kind, day, value and perhaps department; the day may be a month, as 2026-03.

        Returns
        -------
        How many figures were new or different.

        Raises
        ------
        NotATable
            If the file is none.
        TableRefused
            With every mistake in it; nothing is taken then.
        """
        mistakes: list[Mistake] = []
        found: dict[tuple[str, str | None, str, date], tuple[int, Activity]] = {}
        for row in read_rows(name, content, _COLUMNS, ("kind", "day", "value")):
            item = _activity(row, self._site, mistakes)
            if item is None:
                continue
            first = found.setdefault(_key(item), (row.number, item))[0]
            if first != row.number:
                told = Names(
                    zh=f"第 {first} 行已有同一数据；请只保留一个",
                    en=f"row {first} has the same figure; keep one of them",
                )
                mistakes.append(Mistake(row.number, "day", row.cells["day"], told))
        if mistakes:
            raise TableRefused(mistakes)
        return self.add([item for _, item in found.values()], who, audit)


def _key(item: Activity) -> tuple[str, str | None, str, date]:
    return item.kind, item.department, item.period, item.day


def _row(item: Activity, now_us: int, who: str) -> dict[str, Any]:
    return {
        "kind": item.kind, "department": item.department or "", "period": item.period, "day": item.day.isoformat(),
        "value": item.value, "entered_us": now_us, "entered_by": who,
    }  # fmt: skip


def _activity(row: Row, site: Site, mistakes: list[Mistake]) -> Activity | None:
    """Read one row; what is wrong with it is added to `mistakes`."""
    before = len(mistakes)

    def wrong(column: str, mend: Names) -> None:
        mistakes.append(Mistake(row.number, column, row.cells.get(column, ""), mend))

    kind = _kind(row.cells["kind"])
    if kind is None:
        words = [f"{k} ({ACTIVITY_NAMES[k].zh})" for k in ACTIVITY_KINDS]
        kinds = "、".join(ACTIVITY_NAMES[k].zh for k in ACTIVITY_KINDS)
        wrong("kind", Names(zh=f"请填写其中之一：{kinds}", en=f"write one of {', '.join(words)}"))
    department = _department(row.cells.get("department", ""), site)
    if department is None:
        wanted = row.cells["department"]
        names = {name: d.id for d in site.departments.values() for name in (d.id, d.name.zh)}
        wrong(
            "department",
            Names(
                zh=f"没有这个名称的科室{nearest_zh(wanted, names)}",
                en=f"no department is called so{nearest(wanted, site.departments)}",
            ),
        )
    when = _when(row.cells["day"])
    if when is None:
        wrong(
            "day",
            Names(zh="日期请写成 2026-03-02，月份请写成 2026-03", en="write a day as 2026-03-02 or a month as 2026-03"),
        )
    value = read_value(row.cells["value"])
    if value is None:
        wrong("value", Names(zh="请填写数字", en="write a number"))
    if len(mistakes) > before or kind is None or when is None or department is None or value is None:
        return None
    item = Activity(kind, department or None, when[0], when[1], value)
    told = _refusal(item, site)
    if told is not None:
        wrong(told[0], told[1])
        return None
    return item


def _kind(text: str) -> ActivityKind | None:
    plain = text.strip().lower().replace(" ", "_")
    for kind in ACTIVITY_KINDS:
        if plain in (kind, ACTIVITY_NAMES[kind].zh, ACTIVITY_NAMES[kind].en.lower().replace(" ", "_")):
            return kind
    return None


def _department(text: str, site: Site) -> str | None:
    """Return a department's id by its id or either of its names, empty for the site; None if there is none."""
    plain = text.strip()
    if not plain or plain in site.departments:
        return plain
    return next((d.id for d in site.departments.values() if plain in (d.name.zh, d.name.en)), None)


def _when(text: str) -> tuple[Period, date] | None:
    found = _day_or_month(text)
    # A year of two digits is no year of ours.
    return found if found is not None and found[1].year >= _FIRST_YEAR else None


def _day_or_month(text: str) -> tuple[Period, date] | None:
    plain = text.strip().replace("/", "-")
    try:
        if plain.count("-") == 1:
            year, month = plain.split("-")
            return "month", date(int(year), int(month), 1)
        if plain.count("-") == 2:
            # A spreadsheet writes a day as the time at which it begins.
            year, month, day = plain.split("T")[0].split(" ")[0].split("-")
            return "day", date(int(year), int(month), int(day))
    except ValueError:
        pass
    return None


def _refusal(item: Activity, site: Site) -> tuple[str, Names] | None:
    """Return the column that is wrong and how to mend it, None if nothing is."""
    if item.department is not None and item.department not in site.departments:
        return "department", Names(
            zh=f"没有科室{quoted_zh(item.department)}{nearest_zh(item.department, site.departments)}",
            en=f"no department is called {item.department!r}{nearest(item.department, site.departments)}",
        )
    if item.period == "month" and item.day.day != 1:
        return "day", Names(
            zh=f"{item.day} 不是月份的第一天；月数据应记在第一天",
            en=f"{item.day} is not a month's first day; a month's figure stands there",
        )
    if item.value is None:
        return None
    days = 1 if item.period == "day" or item.kind in MEANS else 31
    most = MOST_A_DAY[item.kind] * days
    if not 0 <= item.value <= most:
        return "value", Names(
            zh=f"{item.value:g} 不合理；请填写 0 到 {most:,.0f} 之间的数字",
            en=f"{item.value:g} cannot be; give a number from 0 to {most:,.0f}",
        )
    return None
