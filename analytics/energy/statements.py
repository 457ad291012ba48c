"""Monthly documents of the accounts, by version: provisional while the month runs, then closed and never changed.

What changes a closed month makes a new version, and the old one stays; a published report names the versions that it
used, and finds them for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from analytics.desk import ActionRefused
from analytics.energy.tables import EnergyReportRow, EnergyStatementRow
from facility.names import Names

Kind = Literal["bill", "resale", "balance", "allocation", "carbon", "targets", "indicators"]
KINDS: Final[tuple[Kind, ...]] = ("bill", "resale", "balance", "allocation", "carbon", "targets", "indicators")


@dataclass(frozen=True, slots=True)
class Told:
    """What a statement could not say, where to look, and what to do about it."""

    place: str
    words: Names

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"place": self.place, "zh": self.words.zh, "en": self.words.en}


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement as it was worked out now; `figures` is what JSON can hold."""

    kind: Kind
    subject: str
    month: date
    figures: Mapping[str, Any]
    problems: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One version of a monthly document.

    Attributes
    ----------
    subject : what it is of: a contract, a carrier, or `site`
    month : first day of the month
    version : from 1; counts up when a closed month changes
    provisional : the month is not closed yet, and this version is replaced as it goes on
    cause : why there is this version; empty for the first
    """

    kind: str
    subject: str
    month: date
    version: int
    provisional: bool
    made_us: int
    cause: str
    figures: Mapping[str, Any]
    problems: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A month as it was published: who published it when, and the version of each statement, by `kind/subject`."""

    month: date
    published_us: int
    published_by: str
    versions: Mapping[str, int]


def keep(session: Session, draft: Draft, closed: bool, cause: str, now_us: int) -> tuple[Statement, Statement | None]:
    """
    Keep a statement; return it as it stands now, and the closed version that it takes the place of, if it does.

    The same figures again change nothing. A provisional version is replaced; a closed one gets a successor, as does
    one that was published while it was provisional.
    """
    figures, problems = _plain(draft.figures), [told.to_json() for told in draft.problems]
    row = _newest(session, draft.kind, draft.subject, draft.month)
    if row is None:
        row = EnergyStatementRow(
            kind=draft.kind, subject=draft.subject, month=_month(draft.month), version=1, provisional=not closed,
            made_us=now_us, cause="", figures=figures, problems=problems,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return _statement(row), None
    same = row.figures == figures and row.problems == problems
    frozen = not row.provisional or _is_published(session, row)
    if same:
        # A month that is closed once does not open again, even if the clock is set back.
        row.provisional = row.provisional and not closed
        return _statement(row), None
    if not frozen:
        row.figures, row.problems, row.made_us = figures, problems, now_us
        row.provisional = not closed
        return _statement(row), None
    before = _statement(row)
    row = EnergyStatementRow(
        kind=draft.kind, subject=draft.subject, month=_month(draft.month), version=row.version + 1,
        provisional=row.provisional and not closed, made_us=now_us, cause=cause, figures=figures, problems=problems,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _statement(row), before if not before.provisional else None


def find(session: Session, kind: str, subject: str, month: date, version: int | None = None) -> Statement | None:
    """Return a statement, its newest version unless another is asked for; None if there is none."""
    row = EnergyStatementRow
    if version is None:
        newest = _newest(session, kind, subject, month)
        return None if newest is None else _statement(newest)
    found = session.scalars(
        select(row).where(row.kind == kind, row.subject == subject, row.month == _month(month), row.version == version)
    ).first()
    return None if found is None else _statement(found)


def find_all(
    session: Session,
    *,
    kind: str | None = None,
    subject: str | None = None,
    month: date | None = None,
    newest_only: bool = True,
) -> list[Statement]:
    """Return statements, by month, kind, subject and version."""
    row = EnergyStatementRow
    query = select(row).order_by(row.month, row.kind, row.subject, row.version)
    for column, wanted in (
        (row.kind, kind), (row.subject, subject), (row.month, None if month is None else _month(month)),
    ):  # fmt: skip
        if wanted is not None:
            query = query.where(column == wanted)
    found = [_statement(each) for each in session.scalars(query)]
    if not newest_only:
        return found
    return list({(s.month, s.kind, s.subject): s for s in found}.values())


def months(session: Session) -> set[date]:
    """Return the months that have a statement."""
    return {_day(month) for month in session.scalars(select(EnergyStatementRow.month).distinct())}


def publish(session: Session, month: date, who: str, now_us: int) -> Report:
    """
    Publish a month as it stands: the report names the versions, and they never change again.

    ActionRefused if there is nothing to publish, or if it is published as it stands already.
    """
    newest = find_all(session, month=month)
    if not newest:
        raise ActionRefused(
            Names(
                zh=f"{_month(month)} 还没有报表；请先更新账簿",
                en=f"there are no statements of {_month(month)} yet; bring the books up to date first",
            )
        )
    versions = {f"{s.kind}/{s.subject}": s.version for s in newest}
    before = next(iter(reports(session, month)), None)
    if before is not None and before.versions == versions:
        raise ActionRefused(
            Names(
                zh=f"{before.published_by} 已用这些版本发布 {_month(month)}；有报表出了新版本后可再次发布",
                en=f"{before.published_by} has published {_month(month)} with these versions already; it can be "
                "published again once a statement has another",
            )
        )
    session.add(EnergyReportRow(month=_month(month), published_us=now_us, published_by=who, versions=dict(versions)))
    session.flush()
    return Report(month, now_us, who, versions)


def reports(session: Session, month: date | None = None) -> list[Report]:
    """Return what was published, newest first."""
    query = select(EnergyReportRow).order_by(EnergyReportRow.id.desc())
    if month is not None:
        query = query.where(EnergyReportRow.month == _month(month))
    return [
        Report(_day(row.month), row.published_us, row.published_by, {k: int(v) for k, v in row.versions.items()})
        for row in session.scalars(query)
    ]


def amount_of(figures: Mapping[str, Any]) -> tuple[float | None, str]:
    """Return the one figure by which a statement's versions are compared in the list of restatements, and its unit."""
    told = figures.get("headline")
    return (None, "") if told is None else (told.get("value"), str(told.get("unit", "")))


def _newest(session: Session, kind: str, subject: str, month: date) -> EnergyStatementRow | None:
    row = EnergyStatementRow
    return session.scalars(
        select(row)
        .where(row.kind == kind, row.subject == subject, row.month == _month(month))
        .order_by(row.version.desc())
        .limit(1)
    ).first()


def _is_published(session: Session, row: EnergyStatementRow) -> bool:
    name = f"{row.kind}/{row.subject}"
    return any(r.versions.get(name) == row.version for r in reports(session, _day(row.month)))


def _statement(row: EnergyStatementRow) -> Statement:
    problems: Sequence[Mapping[str, Any]] = row.problems
    return Statement(
        row.kind, row.subject, _day(row.month), row.version, row.provisional, row.made_us, row.cause, row.figures,
        tuple(Told(p["place"], Names(zh=p["zh"], en=p["en"])) for p in problems),
    )  # fmt: skip


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as they come back from the database: numbers of numpy as numbers, NaN as null, dates as text."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(figures, option=orjson.OPT_SERIALIZE_NUMPY))
    return plain


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
