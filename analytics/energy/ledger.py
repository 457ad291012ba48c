"""The ledger of the energy accounts: what each register counted on each day, and every closed figure that changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from analytics.energy.day_figures import DayFigures
from analytics.energy.tables import EnergyDayRow, EnergyRegisterRow, EnergyRestatementRow
from facility.database import Database

Cause = Literal["late data", "hand reading", "exchange", "correction", "profile", "tariff"]  # why a figure is another

_MOST_NAMED: Final = 500  # names of registers in one question; beyond it all are read and picked
_ROWS_AT_A_TIME: Final = 50_000
_DAY_COLUMNS: Final = (
    "register", "day", "amount", "measured", "estimated", "missing", "readings", "signature", "booked_us",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Restatement:
    """
    A figure that had been closed and was changed.

    Attributes
    ----------
    kind : `register`, or the kind of a statement (`bill`, `balance` ...)
    subject : the register's key, or the statement's subject
    old, new : of all days from the first to the last together; NaN where nothing was known
    days : each changed day, with its old and its new figure
    """

    kind: str
    subject: str
    first_day: date
    last_day: date
    old: float
    new: float
    unit: str
    cause: Cause
    found_us: int
    days: tuple[tuple[date, float, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it; what was not known is null."""
        return {
            "kind": self.kind, "subject": self.subject, "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(), "old": _known(self.old), "new": _known(self.new),
            "unit": self.unit, "cause": self.cause, "found_us": self.found_us,
            "days": [[day.isoformat(), _known(old), _known(new)] for day, old, new in self.days],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegisterState:
    """How a register stood when it was booked last; `events` are those of all its past, oldest first."""

    register: str
    unit: str
    definition: str
    booked_us: int
    events: tuple[Mapping[str, Any], ...] = ()


class Ledger:
    """Reads and writes the ledger's tables; sessions are the caller's where several writes belong together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- days

    def days(self, keys: Sequence[str], first_day: date, last_day: date) -> DayFigures:
        """Return the figures of registers from the first to the last day, both counted."""
        figures = DayFigures.empty(keys, first_day, max(0, (last_day - first_day).days + 1))
        if not keys or not figures.amount.shape[1]:
            return figures
        row = EnergyDayRow
        query = select(
            row.register, row.day, row.amount, row.measured, row.estimated, row.missing, row.readings, row.signature
        ).where(row.day >= first_day.isoformat(), row.day <= last_day.isoformat())
        if len(keys) <= _MOST_NAMED:
            query = query.where(row.register.in_(keys))
        place = {key: i for i, key in enumerate(keys)}
        column = {day.isoformat(): j for j, day in enumerate(figures.days)}
        with self._database.reading() as session:
            for part in session.execute(query).partitions(_ROWS_AT_A_TIME):
                rows = [r for r in part if r[0] in place]
                if not rows:
                    continue
                register, day, *figure = zip(*rows, strict=True)
                at = (np.array([place[r] for r in register]), np.array([column[d] for d in day]))
                figures.amount[at] = np.array(figure[0], dtype=float)  # null becomes NaN
                for array, values in zip(
                    (figures.measured, figures.estimated, figures.missing, figures.readings, figures.signature),
                    figure[1:],
                    strict=True,
                ):
                    array[at] = values
                figures.held[at] = True
        return figures

    def span(self) -> tuple[date, date] | None:
        """Return the first and the last day that is booked, of any register; None if none is."""
        with self._database.reading() as session:
            first, last = session.execute(select(func.min(EnergyDayRow.day), func.max(EnergyDayRow.day))).one()
        return None if first is None else (date.fromisoformat(first), date.fromisoformat(last))

    @staticmethod
    def write_days(
        session: Session, figures: DayFigures, fresh: NDArray[np.bool_], there: NDArray[np.bool_], now_us: int
    ) -> None:
        """
        Write some figures.

        Parameters
        ----------
        fresh, there : (keys, days) bool
            Which figures are written, and which of them the ledger has already.
        """
        row = EnergyDayRow
        names = [day.isoformat() for day in figures.days]
        replaced = [{"r": figures.keys[i], "a": names[a], "b": names[b]} for i, a, b in _stretches(fresh & there)]
        for part in _parts(replaced, _ROWS_AT_A_TIME):
            session.connection().execute(
                delete(row).where(row.register == bindparam("r"), row.day.between(bindparam("a"), bindparam("b"))), part
            )
        at = np.nonzero(fresh)
        columns: tuple[list[Any], ...] = (
            [figures.keys[i] for i in at[0].tolist()],
            [names[j] for j in at[1].tolist()],
            [_known(amount) for amount in figures.amount[at].tolist()],
            *(getattr(figures, name)[at].tolist() for name in ("measured", "estimated", "missing")),
            *(getattr(figures, name)[at].tolist() for name in ("readings", "signature")),
        )
        for part in _parts(list(zip(*columns, strict=True)), _ROWS_AT_A_TIME):
            _insert_many(session.connection(), _DAY_COLUMNS, [(*values, now_us) for values in part])

    # -- registers

    def registers(self) -> dict[str, RegisterState]:
        """Return how each register stood when it was booked last."""
        with self._database.reading() as session:
            return {
                row.register: RegisterState(row.register, row.unit, row.definition, row.booked_us, tuple(row.events))
                for row in session.scalars(select(EnergyRegisterRow))
            }

    def counted(self) -> list[str]:
        """Return the keys of all registers of which a day's amount is known, by name."""
        row = EnergyDayRow
        query = select(row.register).where(row.amount.is_not(None)).distinct().order_by(row.register)
        with self._database.reading() as session:
            return list(session.scalars(query))

    @staticmethod
    def write_registers(session: Session, states: Sequence[RegisterState], known: Mapping[str, RegisterState]) -> None:
        """Write how registers stand now; `known` are those that the ledger has, as they stood."""
        row = EnergyRegisterRow
        other = [state for state in states if known.get(state.register) != state]
        fresh = [asdict(state) for state in other if state.register not in known]
        if fresh:
            session.execute(insert(row), fresh)
        moved = [state for state in other if state.register in known]
        if moved:
            session.execute(update(row), [asdict(state) for state in moved])

    # -- restatements

    @staticmethod
    def add_restatements(session: Session, restatements: Sequence[Restatement]) -> None:
        """Put changed figures on record."""
        if restatements:
            session.execute(insert(EnergyRestatementRow), [restatement.to_json() for restatement in restatements])

    def restatements(
        self, *, kind: str | None = None, subject: str | None = None, limit: int = 200, before_id: int | None = None
    ) -> list[Restatement]:
        """Return what was restated, newest first."""
        row = EnergyRestatementRow
        query = select(row).order_by(row.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(row.kind == kind)
        if subject is not None:
            query = query.where(row.subject == subject)
        if before_id is not None:
            query = query.where(row.id < before_id)
        with self._database.reading() as session:
            return [_restatement(found) for found in session.scalars(query)]


def _restatement(row: EnergyRestatementRow) -> Restatement:
    return Restatement(
        row.kind, row.subject, date.fromisoformat(row.first_day), date.fromisoformat(row.last_day), _number(row.old),
        _number(row.new), row.unit, cast(Cause, row.cause), row.found_us,
        tuple((date.fromisoformat(day), _number(old), _number(new)) for day, old, new in row.days),
    )  # fmt: skip


def _stretches(wanted: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Return where (keys, days) is true: key, first and last day of each run of days."""
    edges = np.diff(np.pad(wanted, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    key, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    return list(zip(key.tolist(), first.tolist(), last.tolist(), strict=True))


def _insert_many(connection: Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert days as the driver takes them: naming each value of many rows costs more than storing it."""
    compiled = insert(EnergyDayRow).compile(dialect=connection.dialect, column_keys=list(names))
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        connection.exec_driver_sql(str(compiled), [dict(zip(names, row, strict=True)) for row in rows])


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _parts(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
