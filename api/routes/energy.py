"""Energy accounts: consumption with how good it is, monthly statements, restatements, readings by hand, measures."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Annotated, Final, Literal

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from analytics.energy.entries import EnteredExchange, HandReading
from analytics.energy.entry_texts import at_wall
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, Totals
from analytics.energy.ledger import Restatement
from analytics.energy.measure_book import EnteredMeasure, MeasureRefused
from analytics.energy.statements import KINDS, Report, Statement
from analytics.energy.virtual_booking import PREFIX
from api import energy_actions
from api.context import Context, context_of
from api.errors import ApiError, bad_request, shown, unknown
from api.pages.caches import caches_of, sources_of
from api.pages.energy_counted import counted_meters
from api.pages.energy_period import read_day
from api.pages.energy_reading import measure_account
from api.pages.energy_savings import MeasureAccount
from api.routes.energy_models import (
    BookingOut,
    BooksOut,
    ConsumptionOut,
    EnteredMeasureOut,
    EnteredOut,
    EventOut,
    EventsOut,
    ExchangeIn,
    ExchangeOut,
    ExchangesOut,
    ImportedOut,
    LoadChangeOut,
    MeasureIn,
    MeasureOut,
    MeasuresOut,
    ProblemOut,
    ReadingIn,
    ReadingOut,
    ReadingsOut,
    ReasonOut,
    RegisterOut,
    ReportIn,
    ReportOut,
    ReportsOut,
    RestatementOut,
    RestatementsOut,
    SeriesOut,
    StatementOut,
    StatementsOut,
    Step,
)
from api.security.access import require
from api.security.logins import Identity
from api.times import parse_time
from facility.measures import Measure
from facility.metering import BookedRegister
from facility.names import Names
from facility.spreadsheet import NotATable, TableRefused

router = APIRouter(prefix="/api/v1/energy", tags=["energy"])

Here = Annotated[Context, Depends(context_of)]
Operator = Annotated[Identity, Depends(require("operator"))]
Engineer = Annotated[Identity, Depends(require("engineer"))]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Month = Annotated[str, Query(description="such as 2026-07")]

MOST_REGISTERS: Final = 200
MOST_STEPS: Final = 200_000  # in one answer, all its registers together
_STEP_US: Final = {"15min": 900_000_000, "hour": 3_600_000_000, "day": 86_400_000_000, "month": 28 * 86_400_000_000}


# --- standing and consumption -----------------------------------------------------------------------------------------


@router.get("")
def standing(here: Here) -> BooksOut:
    """Say how far the books go, and what is being booked."""
    books, progress = here.books, here.books.progress()
    return BooksOut(
        booked_until_us=books.booked_until_us,
        closed_before=books.closed_before(),
        wanted=books.wanted,
        booking=BookingOut(stage=progress.stage, share=progress.share, since_us=progress.since_us)
        if progress is not None
        else None,
        registers=len(books.registers()),
        left_out=[ProblemOut(place=p.where, words=p.words) for p in here.site.left_out],
    )


@router.post("/book", status_code=202)
def book(here: Here, _user: Operator) -> BooksOut:
    """Want the books brought up to date soon; GET says how far that is."""
    here.books.ask()
    return standing(here)


@router.get("/registers")
def registers(
    here: Here,
    carrier: Annotated[str | None, Query(description="only of this carrier")] = None,
    equipment: Annotated[str | None, Query(description="only of this equipment")] = None,
) -> list[RegisterOut]:
    """List the registers that are booked, in the order of the site file, then virtual meters."""
    found = here.books.registers()
    virtual = here.site.virtual_meters.values() if equipment is None else ()
    known = {r.carrier for r in found.values()} | {v.carrier for v in virtual}
    if carrier is not None and carrier not in known:
        raise unknown("carrier", carrier, known, "GET /api/v1/energy/registers")
    return [
        RegisterOut(
            key=r.key,
            equipment=r.equipment.id,
            name=r.equipment.name,
            carrier=r.carrier,
            flow=r.flow,
            unit=r.unit,
            digits=r.register.digits,
            per_pulse=r.register.per_pulse,
            ratio=r.register.ratio.latest,
        )
        for r in found.values()
        if (carrier is None or r.carrier == carrier) and (equipment is None or r.equipment.id == equipment)
    ] + [
        RegisterOut(
            key=f"{PREFIX}{v.id}", equipment=None, name=v.name, carrier=v.carrier, flow="in", unit=v.unit, digits=None,
            per_pulse=None, ratio=None, formula=v.formula.text,
        )
        for v in virtual
        if carrier is None or v.carrier == carrier
    ]  # fmt: skip


@router.get("/consumption")
def consumption(
    here: Here,
    register: Annotated[list[str], Query(description=f"equipment/point; up to {MOST_REGISTERS} times")],
    from_: Annotated[str, Query(alias="from", description="ISO 8601 or µs; by day and month a date")],
    to: Annotated[str, Query(description="the end, which is not counted; by day and month the last date, which is")],
    step: Step = "day",
) -> ConsumptionOut:
    """Give what registers counted, by 15 minutes, hours, days or months of the site."""
    meters = counted_meters(here.site, here.books.registers())
    keys = list(dict.fromkeys(register))
    for key in keys:
        if key not in meters:
            raise unknown("register", key, meters, "GET /api/v1/energy/registers")
    if len(keys) > MOST_REGISTERS:
        mend = f"Ask for {MOST_REGISTERS} at most at a time."
        raise bad_request("too-many-registers", f"{len(keys)} registers were asked for.", mend)
    zone, books = here.site.time_zone, here.books
    if step in ("day", "month"):
        first, last = _day(from_, "from"), _day(to, "to")
        if last < first:
            raise bad_request("bad-range", f"'to' ({last}) lies before 'from' ({first}).", "Swap them.")
        _check_size(len(keys), ((last - first).days + 1) * 86_400_000_000, step)
        found = books.daily(keys, first, last) if step == "day" else books.monthly(keys, first, last)
    else:
        start_us, end_us = parse_time(from_, "from", zone), parse_time(to, "to", zone)
        if end_us <= start_us:
            raise bad_request("bad-range", f"'to' ({end_us} µs) is not after 'from' ({start_us} µs).", "Swap them.")
        _check_size(len(keys), end_us - start_us, step)
        found = books.hourly(keys, start_us, end_us) if step == "hour" else _quarters(here, keys, start_us, end_us)
    edges = next(iter(found.values())).edges_us
    return ConsumptionOut(
        step=step,
        from_us=int(edges[0]),
        to_us=int(edges[-1]),
        registers={key: _series(meters[key].unit, own) for key, own in found.items()},
    )


def _quarters(here: Context, keys: list[str], start_us: int, end_us: int) -> dict[str, Totals]:
    return {
        key: Totals(
            np.append(own.begins_us, own.end_us),
            own.used,
            *((own.grade == grade).astype(float) for grade in (MEASURED, ESTIMATED, MISSING)),
        )
        for key, own in here.books.intervals(keys, start_us, end_us).items()
    }


def _check_size(keys: int, span_us: int, step: Step) -> None:
    steps = keys * max(1, span_us // _STEP_US[step])
    if steps > MOST_STEPS:
        raise bad_request(
            "too-many-steps",
            f"This would be {steps:,} steps; {MOST_STEPS:,} are the most.",
            "Ask for a shorter time, fewer registers or longer steps.",
        )


def _series(unit: str, own: Totals) -> SeriesOut:
    return SeriesOut(
        unit=unit,
        start_us=own.edges_us[:-1].tolist(),
        amount=[_known(float(a)) for a in own.amount],
        measured=[round(float(s), 4) for s in own.measured],
        estimated=[round(float(s), 4) for s in own.estimated],
        missing=[round(float(s), 4) for s in own.missing],
    )


# --- statements and restatements --------------------------------------------------------------------------------------


@router.get("/statements")
def statements(
    here: Here,
    month: Month,
    kind: Annotated[str | None, Query(description=", ".join(KINDS))] = None,
    subject: Annotated[str | None, Query(max_length=200, description="a contract, a carrier, or site")] = None,
    versions: Annotated[Literal["newest", "all"], Query(description="of each statement")] = "newest",
) -> StatementsOut:
    """Give the statements of a month."""
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS, "GET /api/v1/energy/statements")
    found = here.books.statements(
        kind=kind, subject=subject, month=_month(month, "month"), newest_only=versions == "newest"
    )
    return StatementsOut(statements=[_statement(s) for s in found])


@router.get("/statements/{kind}/{subject}/{month}")
def statement(
    here: Here,
    kind: str,
    subject: str,
    month: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="the newest if left out")] = None,
) -> StatementOut:
    """Give one statement, in a version that is never changed if the month was closed or published."""
    found = here.books.statement(kind, subject, _month(month, "month"), version)
    if found is None:
        told = f"There is no statement {shown(f'{kind}/{subject}')} of {shown(month)}"
        told += "." if version is None else f" in version {version}."
        raise ApiError(404, "unknown-statement", told, "GET /api/v1/energy/statements?month=… lists them.")
    return _statement(found)


@router.get("/restatements")
def restatements(
    here: Here,
    kind: Annotated[str | None, Query(max_length=40, description="register, or the kind of a statement")] = None,
    subject: Annotated[str | None, Query(max_length=200, description="a register's key, or a statement's")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RestatementsOut:
    """List closed figures that were changed, the newest first."""
    found = here.books.restatements(kind=kind, subject=subject, limit=limit)
    return RestatementsOut(restatements=[_restatement(r) for r in found])


@router.get("/reports")
def reports(here: Here, month: Annotated[str | None, Query(description="such as 2026-07")] = None) -> ReportsOut:
    """List what was published: a report keeps the versions that it used."""
    found = here.books.reports(_month(month, "month") if month is not None else None)
    return ReportsOut(reports=[_report(r) for r in found])


@router.post("/reports", status_code=201)
def publish(here: Here, user: Engineer, body: ReportIn) -> ReportOut:
    """Publish a month as it stands."""
    return _report(energy_actions.publish(here, user, _month(body.month, "month")))


# --- registers: events, readings, exchanges ---------------------------------------------------------------------------


@router.get("/registers/{equipment}/{point}/events")
def events(here: Here, equipment: str, point: str) -> EventsOut:
    """List what happened to a register: roll-overs, resets, exchanges, outages."""
    key = _register(here, f"{equipment}/{point}").key
    return EventsOut(
        events=[
            EventOut(
                kind=str(e["kind"]), from_us=int(e["from_us"]), to_us=int(e["to_us"]),
                told=e["told"] if isinstance(e["told"], Names) else Names(**e["told"]),
            )
            for e in here.books.events(key)
        ]
    )  # fmt: skip


@router.get("/registers/{equipment}/{point}/readings")
def readings(here: Here, equipment: str, point: str, withdrawn: bool = False) -> ReadingsOut:
    """List readings by hand; with those that were withdrawn, if asked."""
    key = _register(here, f"{equipment}/{point}").key
    return ReadingsOut(readings=[_reading(r) for r in here.books.hand_readings(key, withdrawn=withdrawn)])


@router.post("/registers/{equipment}/{point}/readings", status_code=201)
def add_reading(here: Here, user: Operator, equipment: str, point: str, body: ReadingIn) -> ReadingOut:
    """Enter a reading by hand; the same one again changes nothing."""
    key = _register(here, f"{equipment}/{point}").key
    at_us = _entered_at(here, body.at)
    return _reading(
        energy_actions.enter_reading(here, user, key, at_us, body.value, body.note, confirmed=body.confirmed)
    )


@router.post("/registers/{equipment}/{point}/readings/{number}/withdraw")
def withdraw_reading(here: Here, user: Operator, equipment: str, point: str, number: Number) -> ReadingOut:
    """Let a reading count no more; it stays on record."""
    key = _register(here, f"{equipment}/{point}").key
    return _reading(energy_actions.withdraw_reading(here, user, key, number))


@router.get("/registers/{equipment}/{point}/exchanges")
def exchanges(here: Here, equipment: str, point: str, withdrawn: bool = False) -> ExchangesOut:
    """List exchanges that people entered; with those that were withdrawn, if asked."""
    key = _register(here, f"{equipment}/{point}").key
    return ExchangesOut(exchanges=[_exchange(e) for e in here.books.exchanges(key, withdrawn=withdrawn)])


@router.post("/registers/{equipment}/{point}/exchanges", status_code=201)
def add_exchange(here: Here, user: Engineer, equipment: str, point: str, body: ExchangeIn) -> ExchangeOut:
    """Enter an exchange of a meter; the same one again changes nothing."""
    key = _register(here, f"{equipment}/{point}").key
    at_us = _entered_at(here, body.at)
    entered = energy_actions.enter_exchange(
        here, user, key, at_us, body.end, body.start, body.note, confirmed=body.confirmed
    )
    return _exchange(entered)


@router.post("/registers/{equipment}/{point}/exchanges/{number}/withdraw")
def withdraw_exchange(here: Here, user: Engineer, equipment: str, point: str, number: Number) -> ExchangeOut:
    """Let an exchange count no more; it stays on record."""
    key = _register(here, f"{equipment}/{point}").key
    return _exchange(energy_actions.withdraw_exchange(here, user, key, number))


@router.post("/readings/import", status_code=201)
async def import_readings(
    here: Here,
    user: Operator,
    request: Request,
    name: Annotated[str, Query(max_length=200, description="of the file; .csv, .xlsx or .xlsm")] = "readings.csv",
    confirmed: Annotated[bool, Query(description="unlikely values are meant")] = False,
) -> ImportedOut:
    """Take a table of readings by hand, the request's body: all of it, or with a mistake in it nothing."""
    content = await request.body()
    try:
        entered = await run_in_threadpool(
            energy_actions.import_readings, here, user, name, content, confirmed=confirmed
        )
    except TableRefused as refused:
        mend = "Mend these rows; nothing of the table was taken."
        raise ApiError(422, "table-refused", str(refused), mend, zh=refused.zh) from None
    except NotATable as refused:
        mend = "Send CSV in UTF-8, or an .xlsx with name=….xlsx."
        raise ApiError(400, "no-table", f"{refused}.", mend, zh=refused.words.zh) from None
    return ImportedOut(entered=entered)


# --- measures ---------------------------------------------------------------------------------------------------------


@router.get("/measures")
def measures(here: Here, request: Request) -> MeasuresOut:
    """Give the measures and what they saved; what is still being worked out says so."""
    entered = {e.id: e for e in here.measure_book.entered()}
    known = here.measure_book.measures()
    found = [_measure(request, own, entered.get(id_)) for id_, own in known.items()]
    unfit = [
        MeasureOut(id=e.id, name=Names(**e.entry["name"]), state="failed", why=e.why_not, entered=_entered(e))
        for e in entered.values()
        if e.measure is None
    ]
    return MeasuresOut(measures=[*found, *unfit])


@router.post("/measures", status_code=201)
def enter_measure(here: Here, user: Engineer, body: MeasureIn) -> EnteredMeasureOut:
    """Enter a measure whose saving is to be proven."""
    entry = body.model_dump(by_alias=True, exclude_none=True, exclude={"ticket"})
    if isinstance(body.cost, float):
        entry["cost"] = f"{body.cost:.2f}"
    try:
        own = energy_actions.enter_measure(here, user, entry, body.ticket or None)
    except MeasureRefused as refused:
        mend = "Mend these fields; nothing was entered."
        raise ApiError(422, "measure-refused", f"{refused}.", mend, zh=refused.words.zh) from None
    return EnteredMeasureOut(id=own.id, entry=dict(own.entry), entered=_entered(own))


@router.get("/measures/{measure}")
def measure(here: Here, request: Request, measure: str) -> MeasureOut:
    """Give one measure."""
    known = here.measure_book.measures()
    if measure not in known:
        raise unknown("measure", measure, known, "GET /api/v1/energy/measures")
    entered = next((e for e in here.measure_book.entered() if e.id == measure and e.measure is not None), None)
    return _measure(request, known[measure], entered)


@router.post("/measures/{measure}/withdraw")
def withdraw_measure(here: Here, user: Engineer, measure: str) -> EnteredMeasureOut:
    """Let a measure that was entered be judged no more; it stays on record. Those of the site file change there."""
    own = energy_actions.withdraw_measure(here, user, measure)
    return EnteredMeasureOut(id=own.id, entry=dict(own.entry), entered=_entered(own))


def _measure(request: Request, own: Measure, entered: EnteredMeasure | None) -> MeasureOut:
    # An entered one whose id the site file took since is not what is judged.
    by = _entered(entered) if entered is not None and entered.measure is not None else None
    worked = measure_account(sources_of(request), caches_of(request), own)
    if worked.result is None:
        state: Literal["waiting", "failed"] = "waiting" if worked.waiting else "failed"
        return MeasureOut(
            id=own.id, name=own.name, state=state, why=worked.failed.en if worked.failed else "", entered=by
        )
    return account_out(worked.result).model_copy(update={"entered": by})


def _entered(own: EnteredMeasure) -> EnteredOut:
    return EnteredOut(
        by=own.entered_by, at_us=own.entered_us, ticket=own.ticket, why_not=own.why_not,
        withdrawn_us=own.withdrawn_us, withdrawn_by=own.withdrawn_by,
    )  # fmt: skip


def account_out(own: MeasureAccount) -> MeasureOut:
    """Return what a measure saved, as the API gives it."""
    saving, model = own.saving, own.model
    out = MeasureOut(
        id=own.id,
        name=own.name,
        state="known",
        unit=own.unit,
        baseline=own.baseline,
        reporting=own.reporting,
        reasons=[ReasonOut(**r.as_json()) for r in own.reasons],
    )
    if model is not None:
        out.model, out.cv_rmse, out.nmbe = str(model.kind), _known(float(model.cv_rmse)), _known(float(model.nmbe))
    if own.money is not None:
        out.money, out.money_uncertainty = own.money
    if saving is not None:
        out.saving, out.relative_saving = _known(saving.saving), _known(saving.relative_saving)
        out.uncertainty, out.adjusted_saving = _known(saving.uncertainty), _known(saving.adjusted_saving)
        out.expected, out.used, out.acceptable = _known(saving.expected), _known(saving.used), saving.acceptable
        out.non_routine_events = [
            LoadChangeOut(
                start=str(e.start), end=str(e.end) if e.end is not None else None, month=e.month, size=e.size,
                confidence=e.confidence,
            )
            for e in saving.non_routine_events
        ]  # fmt: skip
    return out


# --- inside -----------------------------------------------------------------------------------------------------------


def _entered_at(here: Context, text: str) -> int:
    """Return the time of an entry [µs UTC]; ApiError `bad-time`, EntryRefused if the site's clock never shows it."""
    zone = here.site.time_zone
    at_us = parse_time(text, "at", zone)
    try:
        shown = datetime.fromisoformat(text.strip())
    except ValueError:  # microseconds
        return at_us
    return at_us if shown.tzinfo is not None else at_wall(shown, zone)


def _register(here: Context, key: str) -> BookedRegister:
    found = here.books.registers()
    if key not in found:
        raise unknown("register", key, found, "GET /api/v1/energy/registers")
    return found[key]


def _day(text: str, name: str) -> date:
    found = read_day(text)
    if found is None:
        raise bad_request("bad-day", f"'{name}' is {shown(text)}, which is no day.", "Write it as 2026-07-16.")
    return found


def _month(text: str, name: str) -> date:
    found = read_day(text)
    if found is None:
        raise bad_request("bad-month", f"'{name}' is {shown(text)}, which is no month.", "Write it as 2026-07.")
    return found.replace(day=1)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _statement(own: Statement) -> StatementOut:
    return StatementOut(
        kind=own.kind,
        subject=own.subject,
        month=f"{own.month:%Y-%m}",
        version=own.version,
        provisional=own.provisional,
        made_us=own.made_us,
        cause=own.cause,
        problems=[ProblemOut(place=p.place, words=p.words) for p in own.problems],
        figures=dict(own.figures),
    )


def _restatement(own: Restatement) -> RestatementOut:
    return RestatementOut(**own.to_json())


def _report(own: Report) -> ReportOut:
    return ReportOut(
        month=f"{own.month:%Y-%m}",
        published_us=own.published_us,
        published_by=own.published_by,
        versions=dict(own.versions),
    )


def _reading(own: HandReading) -> ReadingOut:
    return ReadingOut(**own.to_json())


def _exchange(own: EnteredExchange) -> ExchangeOut:
    return ExchangeOut(**own.to_json())
