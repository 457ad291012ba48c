"""
Efficiency measures as people enter them, beside those of the site file.

Nothing is deleted: a measure that was entered wrongly is withdrawn, stays on record, and is judged no more. Who may
enter is the caller's to check, and the audit trail the caller's to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from analytics.desk import ActionRefused, NoSuchRecord
from analytics.energy.tables import EnteredMeasureRow
from analytics.tables import TicketRow
from facility.calendar import day_of
from facility.database import Database, take_turn
from facility.measure_entry import EntryMistake, id_from, read_entry
from facility.measure_file import MeasureFile
from facility.measures import Measure
from facility.names import Names
from facility.site import Site
from facility.wording import quoted_zh

_TURN: Final = "energy.measures"

# Within a transaction: writes to the audit trail which measure was entered or withdrawn. The upper floor knows how.
Note = Callable[[Session, str], None]


class MeasureRefused(ActionRefused):
    """A measure that cannot stand as it was entered; `mistakes` has every one of them with its field."""

    def __init__(self, mistakes: Sequence[EntryMistake]) -> None:
        self.mistakes = tuple(mistakes)
        # The words name no fields: a form shows each at its own.
        words = Names(zh="；".join(m.words.zh for m in mistakes), en="; ".join(m.words.en for m in mistakes))
        super().__init__(words, "; ".join(str(m) for m in mistakes))


@dataclass(frozen=True, slots=True)
class EnteredMeasure:
    """
    A measure as a person entered it. Times in µs UTC.

    Attributes
    ----------
    measure : None if it no longer fits the site; `unfit` says why
    ticket : number of the ticket under which the work was done
    """

    id: str
    measure: Measure | None
    unfit: Names | None
    entry: Mapping[str, Any]
    ticket: str | None
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None

    @property
    def why_not(self) -> str:
        """Why it no longer fits the site, in English; empty if it does."""
        return self.unfit.en if self.unfit is not None else ""


class MeasureBook:
    """
    The measures of a site; safe to call from several threads.

    Parameters
    ----------
    site, database : the hospital, and the relational side, migrated
    clock : the time now [µs UTC]
    """

    def __init__(self, site: Site, database: Database, clock: Callable[[], int]) -> None:
        self._site, self._database, self._clock = site, database, clock

    def measures(self) -> dict[str, Measure]:
        """Return the measures that are judged, by id: the site file's, then those that people entered."""
        with self._database.reading() as session:
            return self._measures(session)

    def entered(self, *, withdrawn: bool = False) -> list[EnteredMeasure]:
        """Return what people entered, oldest first; withdrawn ones only if asked."""
        with self._database.reading() as session:
            return self._entered(session, withdrawn)

    def add(
        self, entry: Mapping[str, Any], who: str, *, ticket: str | None = None, audit: Note | None = None
    ) -> EnteredMeasure:
        """
        Take a measure.

        Parameters
        ----------
        entry : keys as in the site file's `measures`, and `work: {from, to}` for the days of the work, from which the
            periods follow (see `facility.measure_entry`); without `id` one is made from the English name
        ticket : number of the ticket under which the work was done

        Raises
        ------
        MeasureRefused
            With every mistake; nothing is entered then.
        """
        data = dict(entry)
        given = data.get("id") or None
        if ticket and not data.get("source"):
            data["source"] = ticket
        with self._database.session() as session:
            take_turn(session, _TURN)
            known = self._measures(session)
            if given is None:
                name = data.get("name")
                data["id"] = id_from(str(name.get("en", "")) if isinstance(name, Mapping) else "", known)
            read = read_entry(data, self._site, self._today())
            mistakes = list(read.mistakes)
            if given is not None and given in known:
                taken = Names(
                    zh=f"编号{quoted_zh(given)}已被占用；每项措施需有自己的编号",
                    en=f"id {given!r} is taken; every measure needs its own",
                )
                mistakes.append(EntryMistake("id", taken))
            if ticket and not self._is_ticket(session, ticket):
                told = Names(
                    zh=f"没有工单{quoted_zh(ticket[:40])}；请按工单列表中的编号填写",
                    en=f"there is no ticket {ticket[:40]!r}; write its number as the list of tickets shows it",
                )
                mistakes.append(EntryMistake("ticket", told))
            if mistakes or read.measure is None:
                raise MeasureRefused(mistakes)
            row = EnteredMeasureRow(
                measure=read.measure.id, entry=dict(read.entry), ticket=ticket or None, entered_us=self._clock(),
                entered_by=who, withdrawn_us=None, withdrawn_by=None,
            )  # fmt: skip
            session.add(row)
            session.flush()
            if audit is not None:
                audit(session, row.measure)
            return self._record(row)

    def withdraw(self, measure: str, who: str, *, audit: Note | None = None) -> EnteredMeasure:
        """
        Let a measure that was entered be judged no more; a second time changes nothing.

        Raises
        ------
        ActionRefused
            If it stands in the site file.
        NoSuchRecord
            If nobody entered it.
        """
        query = select(EnteredMeasureRow).where(EnteredMeasureRow.measure == measure)
        with self._database.session() as session:
            take_turn(session, _TURN)
            rows = session.scalars(query.order_by(EnteredMeasureRow.id)).all()
            row = next((r for r in rows if r.withdrawn_us is None), rows[-1] if rows else None)
            if row is None and measure in self._site.measures:
                raise ActionRefused(
                    Names(
                        zh=f"{quoted_zh(measure)}写在站点文件的 measures: 之下；请在该文件中删去",
                        en=f"{measure!r} stands in the site file under measures:; take it out there",
                    )
                )
            if row is None:
                raise NoSuchRecord(
                    Names(
                        zh=f"没有人录入过措施{quoted_zh(measure[:80])}；请从列表中查找",
                        en=f"nobody entered a measure {measure[:80]!r}; look for it in the list",
                    )
                )
            if row.withdrawn_us is None:
                row.withdrawn_us, row.withdrawn_by = self._clock(), who
                if audit is not None:
                    audit(session, row.measure)
            return self._record(row)

    # -- inside

    def _measures(self, session: Session) -> dict[str, Measure]:
        found = dict(self._site.measures)
        for entered in self._entered(session, withdrawn=False):
            if entered.measure is not None:
                found.setdefault(entered.id, entered.measure)
        return found

    def _entered(self, session: Session, withdrawn: bool) -> list[EnteredMeasure]:
        query = select(EnteredMeasureRow).order_by(EnteredMeasureRow.id)
        if not withdrawn:
            query = query.where(EnteredMeasureRow.withdrawn_us.is_(None))
        return [self._record(row) for row in session.scalars(query)]

    def _record(self, row: EnteredMeasureRow) -> EnteredMeasure:
        # What fitted when it was entered may not fit a site file that has changed since.
        measure, told = MeasureFile.model_validate(row.entry).measure(
            self._site.equipment, self._site.virtual_meters, self._site.currency
        )
        unfit = None
        if told:
            unfit = Names(zh="；".join(w.zh for _, w in told), en="; ".join(w.en for _, w in told))
        if row.withdrawn_us is None and row.measure in self._site.measures:
            measure = None
            unfit = Names(
                zh=f"编号{quoted_zh(row.measure)}现已用于配置文件中的措施；请撤销本条，或给那一条改编号",
                en=f"id {row.measure!r} is the site file's by now; withdraw this one or rename that one",
            )
        return EnteredMeasure(
            id=row.measure, measure=measure, unfit=unfit, entry=dict(row.entry), ticket=row.ticket,
            entered_us=row.entered_us, entered_by=row.entered_by, withdrawn_us=row.withdrawn_us,
            withdrawn_by=row.withdrawn_by,
        )  # fmt: skip

    def _today(self) -> date:
        return day_of(self._clock(), self._site.time_zone)

    @staticmethod
    def _is_ticket(session: Session, number: str) -> bool:
        if not number.isprintable():
            return False
        return session.scalar(select(TicketRow.id).where(TicketRow.number == number)) is not None
