"""Routes of the energy pages: thin handlers that read the books, ask a view function and fill in its template."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.errors import ApiError, unknown
from api.pages import times
from api.pages.caches import Caches, From
from api.pages.data_state import page_number
from api.pages.energy import energy_page, until_words
from api.pages.energy_balance import balance_page
from api.pages.energy_bill import bill_page, version_words
from api.pages.energy_carbon import carbon_page
from api.pages.energy_costs import costs_shown
from api.pages.energy_counted import counted_meters
from api.pages.energy_csv import period_csv
from api.pages.energy_departments import NOBODY, charge_names, department_name, department_page, departments_page
from api.pages.energy_framing import framed_energy, head_of, month_asked, titled, today_at
from api.pages.energy_head import span_links
from api.pages.energy_indicators import indicators_page
from api.pages.energy_period import Period, asked_period
from api.pages.energy_reading import part_totals, period_accounts
from api.pages.energy_restatements import restatements_page
from api.pages.energy_shown import Shown, months_of, statements_of
from api.pages.energy_statements import told_notes
from api.pages.frame import NavLink
from api.pages.visit import Visit, visit_of
from api.security.access import require
from api.security.logins import Identity
from facility.metering import CARRIER_NAMES

router = APIRouter(include_in_schema=False)

_RESTATEMENTS: Final = 2_000

Reader = Annotated[Identity, Depends(require("viewer"))]
Visiting = Annotated[Visit, Depends(visit_of)]
Asked = Annotated[str, Query()]


# --- the head ---------------------------------------------------------------------------------------------------------


# --- accounts of a period ---------------------------------------------------------------------------------------------


@router.get("/energy")
def energy_route(
    sources: From,
    _reader: Reader,
    visit: Visiting,
    caches: Caches,
    span: Asked = "",
    at: Asked = "",
    carrier: Asked = "electricity",
) -> Response:
    """Show a day, a week, a month or a year."""
    words, now_us, today = visit.words, sources.now_us(), today_at(sources)
    period = asked_period(span, at, now_us, sources.site.time_zone)

    def address(p: Period) -> str:
        return f"/energy?span={p.span}&at={p.at}"

    accounts = period_accounts(sources, words, caches, period)
    head = head_of(
        sources,
        caches,
        words,
        "accounts",
        period,
        address,
        note=until_words(accounts, today, words),
        spans=span_links(period, today, address, words),
        csv=f"/energy/{period.span}-{period.at}.csv",
        notes=accounts.notes,
    )
    page = energy_page(sources, words, accounts, carrier, now_us)
    return framed_energy(sources, visit, "energy.html", titled(words("Energy"), period, words), head, page)


@router.get("/energy/{name}.csv")
def energy_csv_route(sources: From, _reader: Reader, visit: Visiting, name: str) -> Response:
    """Send what every register counted in a period, by its hours, days or months, and what its days cost."""
    # The day has hyphens too: what stands before the first names the span.
    span, _, at = name.partition("-")
    period = asked_period(span, at, sources.now_us(), sources.site.time_zone)
    if (period.span, period.at) != (span, at):
        # Another month's figures under this name would be taken for this one's.
        raise ApiError(404, "unknown-file", "There is no such file.", "Name it as month-2026-07.csv.")
    books = sources.context.books
    meters = counted_meters(sources.site, books.registers())
    parts = part_totals(books, list(meters), period)
    shown = Shown(period, today_at(sources), sources.now_us(), books.registers())
    costs = costs_shown(books, shown)
    bills = statements_of(books, "bill", months_of(period)) if period.span == "year" else []
    return Response(
        # A spreadsheet takes UTF-8 for what it is only with the mark at its beginning.
        "\ufeff" + period_csv(sources.site, visit.words, period, meters, parts, costs, bills, sources.now_us()),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="energy-{period.span}-{period.at}.csv"'},
    )


# --- statements of a month --------------------------------------------------------------------------------------------


@router.get("/energy/bill")
def bill_route(
    sources: From,
    _reader: Reader,
    visit: Visiting,
    caches: Caches,
    month: Asked = "",
    contract: Annotated[str, Query()] = "",
    version: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> Response:
    """Show the invoice, line by line."""
    words, period, books = visit.words, month_asked(sources, month), sources.context.books
    every = [
        s for kind in ("bill", "resale") for s in books.statements(kind=kind, month=period.first, newest_only=False)
    ]
    versions: dict[str, list[Any]] = {}
    for statement in every:
        versions.setdefault(statement.subject, []).append(statement)
    if contract and contract not in versions:
        raise unknown("contract", contract, versions, f"/energy/bill?month={period.at}")
    shown = []
    for subject, own in versions.items():
        wanted = next((s for s in own if s.version == version), None) if contract == subject else None
        if wanted is None and contract == subject and version is not None:
            raise ApiError(404, "unknown-version", f"{subject} has no version {version}.", "See the list of versions.")
        shown.append(wanted or own[-1])
    page = bill_page(sources.site, words, period.first, shown, versions, sources.now_us())
    head = head_of(sources, caches, words, "bill", period, lambda p: f"/energy/bill?month={p.at}")
    return framed_energy(
        sources, visit, "energy_bill.html", titled(words.in_context("energy", "Bill"), period, words), head, page
    )


@router.get("/energy/balance")
def balance_route(
    sources: From, _reader: Reader, visit: Visiting, caches: Caches, month: Asked = "", carrier: Asked = "electricity"
) -> Response:
    """Show what went into each part of the supply and what came out."""
    words, period = visit.words, month_asked(sources, month)
    found = {s.subject: s for s in sources.context.books.statements(kind="balance", month=period.first)}
    present = tuple(c for c in CARRIER_NAMES if c in found)
    chosen = carrier if carrier in found else next(iter(present), "")
    own = found.get(chosen)
    told = version_words(sources.site, own, sources.now_us(), words) if own is not None else ""
    page = balance_page(sources.site, words, period.at, chosen, present, own.figures if own is not None else None, told)
    head = head_of(
        sources, caches, words, "balance", period, lambda p: f"/energy/balance?month={p.at}&carrier={chosen}"
    )
    title = titled(words.in_context("energy", "Balance"), period, words)
    return framed_energy(sources, visit, "energy_balance.html", title, head, page)


@router.get("/energy/departments")
def departments_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches, month: Asked = "") -> Response:
    """Show who bears what."""
    words, period = visit.words, month_asked(sources, month)
    found = sources.context.books.statements(kind="allocation", month=period.first)
    page = departments_page(sources.site, words, period.at, {s.subject: s.figures for s in found})
    notes = (*page.notes, *(n for s in found for n in told_notes(s.problems, words)))
    head = head_of(
        sources, caches, words, "departments", period, lambda p: f"/energy/departments?month={p.at}", notes=notes
    )
    return framed_energy(
        sources, visit, "energy_departments.html", titled(words("Departments"), period, words), head, page
    )


@router.get("/energy/departments/{department}")
def department_route(
    sources: From, _reader: Reader, visit: Visiting, caches: Caches, department: str, month: Asked = ""
) -> Response:
    """Show what one department bears, and by which rule."""
    words, period = visit.words, month_asked(sources, month)
    if department != NOBODY and department not in sources.site.departments:
        raise unknown("department", department, sources.site.departments, "/energy/departments")
    who = None if department == NOBODY else department
    found = sources.context.books.statements(month=period.first)
    page = department_page(
        sources.site,
        words,
        who,
        period.first,
        {s.subject: s.figures for s in found if s.kind == "allocation"},
        charge_names([s.figures for s in found if s.kind == "bill"]),
        next((s.figures["indicators"] for s in found if s.kind == "indicators"), ()),
    )
    head = head_of(
        sources, caches, words, "departments", period, lambda p: f"/energy/departments/{department}?month={p.at}"
    )
    title = titled(department_name(sources.site, who, words), period, words)
    back = NavLink("energy", f"/energy/departments?month={period.at}", words("Departments"), False)
    return framed_energy(sources, visit, "energy_department.html", title, head, page, back)


@router.get("/energy/restatements")
def restatements_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches, page: Asked = "") -> Response:
    """Show the closed figures that were changed."""
    words, books = visit.words, sources.context.books
    found = books.restatements(limit=_RESTATEMENTS)
    shown = restatements_page(sources.site, words, books.registers(), found, sources.now_us(), page_number(page))
    head = head_of(sources, caches, words, "restatements")
    return framed_energy(sources, visit, "energy_restatements.html", words("Restatements"), head, shown)


@router.get("/energy/indicators")
def indicators_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches, month: Asked = "") -> Response:
    """Show indicators and plans."""
    words, period, books = visit.words, month_asked(sources, month), sources.context.books
    own = {kind: books.statement(kind, "site", period.first) for kind in ("indicators", "targets")}
    figures = {kind: s.figures if s is not None else None for kind, s in own.items()}
    now_us, zone = sources.now_us(), sources.site.time_zone
    page = indicators_page(
        sources.site, words, figures["indicators"], figures["targets"], lambda us: times.when(us, now_us, zone)
    )
    notes = tuple(n for s in own.values() if s is not None for n in told_notes(s.problems, words))
    head = head_of(
        sources, caches, words, "indicators", period, lambda p: f"/energy/indicators?month={p.at}", notes=notes
    )
    title = titled(words("Indicators and targets"), period, words)
    return framed_energy(sources, visit, "energy_indicators.html", title, head, page)


@router.get("/energy/carbon")
def carbon_route(sources: From, _reader: Reader, visit: Visiting, caches: Caches, month: Asked = "") -> Response:
    """Show carbon dioxide and standard coal, with factors and their sources."""
    words, period = visit.words, month_asked(sources, month)
    own = sources.context.books.statement("carbon", "site", period.first)
    page = carbon_page(words, own.figures if own is not None else None)
    told = version_words(sources.site, own, sources.now_us(), words) if own is not None else ""
    head = head_of(sources, caches, words, "carbon", period, lambda p: f"/energy/carbon?month={p.at}", note=told)
    return framed_energy(sources, visit, "energy_carbon.html", titled(words("Carbon"), period, words), head, page)
