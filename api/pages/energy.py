"""Energy today and this month: cost, carriers against plan, electricity by day, departments, waste."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from analytics.energy.intervals import Total, Totals
from analytics.records import StoredFinding
from api.pages.energy_accounts import CarrierAccount, PeriodAccounts
from api.pages.energy_charts import (
    BarChart,
    Bars,
    LineChart,
    PlanBar,
    Quality,
    bar_charts,
    chart_unit,
    plan_bar,
    quality,
    running_total,
)
from api.pages.energy_figures import (
    amount_text,
    cents_text,
    difference_text,
    doubt,
    few_decimals,
    money_unit,
    range_words,
    share_text,
    shares_label,
    whole_money,
)
from api.pages.energy_head import Link
from api.pages.energy_parts import part_names, shaded_parts
from api.pages.energy_ranking import DepartmentCard, department_card
from api.pages.energy_reading import whole
from api.pages.energy_waste import WASTE_SHOWN, WasteRow, so_far, waste_rows, wasting
from api.pages.numbers import joined
from api.pages.sources import Sources
from api.pages.wording import money_a_day
from api.pages.words import Words
from facility.formats import MISSING, NO_BREAK_SPACE, money, number
from facility.metering import CARRIER_NAMES

_COST = "cost"  # drawn in place of a carrier


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A name, a figure, and what to hold it against."""

    name: str
    text: str
    note: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class CarrierRow:
    """A carrier against its plan."""

    name: str
    href: str
    amount: str
    unit: str
    on_plan: str
    on_expected: str
    bar: PlanBar | None
    at_end: str
    half_width: str
    end_on_plan: str
    will_exceed: bool
    cost: str
    priced: bool
    quality: Quality
    off: str = ""
    off_words: str = ""


@dataclass(frozen=True, slots=True)
class ChartCard:
    """A carrier by hour, day or month, with the running total above what was expected."""

    title: str
    unit: str
    key: str
    sentence: str
    carriers: tuple[Link, ...]
    desk: BarChart | None
    phone: BarChart | None
    running_title: str = ""
    running_sentence: str = ""
    running_desk: LineChart | None = None
    running_phone: LineChart | None = None


@dataclass(frozen=True, slots=True)
class EnergyPage:
    """Everything of the page."""

    figures: tuple[KeyFigure, ...]
    key: Quality
    forecasts: bool
    end_words: str
    money_unit: str
    carriers: tuple[CarrierRow, ...]
    carrier_notes: tuple[str, ...]
    no_carriers: str
    chart: ChartCard
    departments: DepartmentCard
    waste: tuple[WasteRow, ...]
    waste_note: str
    waste_empty: str
    a_day_words: str


def energy_page(sources: Sources, words: Words, accounts: PeriodAccounts, chosen: str, now_us: int) -> EnergyPage:
    """
    Build the page.

    Parameters
    ----------
    accounts : the period's figures
    chosen : the carrier whose bars are drawn; electricity, or the first there is, where it has none of that name
    """
    currency = sources.site.currency
    found = wasting(sources)
    unit = money_unit(currency, words)
    return EnergyPage(
        figures=_figures(sources, words, accounts, found, now_us),
        key=quality(Total(0.0, 0.6, 0.25, 0.15), words("measured, hatched = estimated, empty = missing")),
        forecasts=any(c.at_end is not None or c.no_forecast is not None for c in accounts.carriers),
        end_words=words("At period end") if accounts.period.span != "month" else words("At month end"),
        money_unit=unit,
        carriers=tuple(_carrier_row(c, accounts, words) for c in accounts.carriers),
        carrier_notes=_carrier_notes(accounts, words, bool(sources.site.targets)),
        no_carriers=words(
            "The accounts count meters with a register. Add meters to the site file (docs/site-file.md), or wait for "
            "the first readings; booking runs every 15 minutes."
        ),
        chart=_chart(sources, words, accounts, chosen),
        departments=department_card(accounts, words, currency),
        waste=waste_rows(sources, words, found, now_us),
        waste_note=words("the first %(n)s of %(all)s", n=min(len(found), WASTE_SHOWN), all=len(found)) if found else "",
        waste_empty=words("No open finding costs money. The rules go on looking."),
        a_day_words=money_a_day(sources.site, words),
    )


# --- key figures ------------------------------------------------------------------------------------------------------


def _figures(
    sources: Sources, words: Words, accounts: PeriodAccounts, findings: Sequence[StoredFinding], now_us: int
) -> tuple[KeyFigure, ...]:
    currency = sources.site.currency
    found = [_cost(accounts, words, currency)]
    found += _cost_at_end(accounts, words, currency)
    carbon = accounts.carbon
    if carbon is None:
        told = accounts.no_carbon or words("worked out by month, once a month has figures")
        found.append(KeyFigure(words("Carbon"), MISSING, told))
    else:
        parts = words(", ").join(
            f"{words.name(name)} {number(t, 0 if t >= 10 else 1)}" for name, t in carbon.by_energy[:3]
        )
        text = joined(
            f"{'≥' if carbon.at_least else ''}{number(carbon.tonnes, 0 if carbon.tonnes >= 10 else 1)}", "tCO₂"
        )
        found.append(KeyFigure(words("Carbon"), text, " · ".join(p for p in (parts, carbon.note) if p)))
    a_day = sum(f.cost_per_day or 0.0 for f in findings)
    this_month = sum(so_far(f, sources, now_us) for f in findings)
    found.append(
        KeyFigure(
            words("Waste"),
            money(a_day, currency, words.language, per_day=True),
            words.plural("%(n)s finding", "%(n)s findings", len(findings))
            + (
                " · " + words("%(money)s this month", money=money(this_month, currency, words.language))
                if findings
                else ""
            ),
            "/alerts?show=advice",
        )
    )
    savings = accounts.savings
    if savings is None:
        found.append(
            KeyFigure(words("Savings, verified"), MISSING, words("no measure is written down"), "/energy/savings")
        )
    else:
        found.append(
            KeyFigure(
                words("Savings, verified"),
                cents_text(savings.cents, currency, words, headline=True),
                words("%(proven)s of %(all)s measures", proven=savings.proven, all=savings.measures)
                + (
                    " · " + words("±%(money)s at 90%%", money=cents_text(savings.half_width_cents, currency, words))
                    if savings.half_width_cents is not None
                    else ""
                ),
                "/energy/savings",
            )
        )
    return tuple(found)


def _cost(accounts: PeriodAccounts, words: Words, currency: str) -> KeyFigure:
    name, href = words("Cost"), f"/energy/bill?month={accounts.period.first:%Y-%m}"
    if accounts.cost_cents is None:
        told = words("no bill can be made: no tariff") if accounts.no_tariff else words("Nothing is known of it yet.")
        return KeyFigure(name, MISSING, told, href)
    text = cents_text(accounts.cost_cents, currency, words, headline=True, at_least=accounts.cost_at_least)
    notes = [
        words("without the month's fixed charges") if accounts.period.span in ("day", "week") else "",
        words("%(difference)s on plan", difference=difference_text(accounts.cost_cents, accounts.cost_plan_cents))
        if accounts.cost_plan_cents
        else "",
        words(
            "without %(carriers)s",
            carriers=words(", ").join(words.name(CARRIER_NAMES[c]) for c in accounts.without_cost),
        )
        if accounts.without_cost
        else "",
    ]
    return KeyFigure(name, text, " · ".join(n for n in notes if n) or words("by the tariffs of the site"), href)


def _cost_at_end(accounts: PeriodAccounts, words: Words, currency: str) -> tuple[KeyFigure, ...]:
    """Return what the period will cost; nothing for one that is over, or that is not forecast at all, as a day."""
    name = words("Forecast to month end") if accounts.period.span == "month" else words("Forecast to period end")
    if accounts.end_cents is None:
        why = next((c.no_forecast for c in accounts.carriers if c.no_forecast and c.cost_cents is not None), None)
        return (KeyFigure(name, MISSING, words.name(why)),) if why is not None else ()
    text = cents_text(accounts.end_cents, currency, words, headline=True)
    note = ""
    if accounts.end_half_width_cents is not None and accounts.end_cents > 0:
        share = number(100 * accounts.end_half_width_cents / accounts.end_cents, 1)
        note = words("±%(share)s%%, holds in %(level)s of 100", share=share, level=round(100 * accounts.end_level))
    if accounts.cost_plan_whole_cents:
        on_plan = difference_text(accounts.end_cents, accounts.cost_plan_whole_cents)
        note = words("%(difference)s on plan", difference=on_plan) + (f" ({note})" if note else "")
    return (KeyFigure(name, text, note),)


# --- carriers ---------------------------------------------------------------------------------------------------------


def _carrier_row(c: CarrierAccount, accounts: PeriodAccounts, words: Words) -> CarrierRow:
    label = shares_label(c.total, words)
    expected = c.expected_so_far
    bar = None
    if c.total.known:
        bar = plan_bar(c.total.amount, c.plan, c.at_end, c.half_width, _bar_words(c, words))
    decimals = few_decimals(c.at_end, c.unit) if c.at_end is not None else 0
    return CarrierRow(
        name=words.name(CARRIER_NAMES[c.carrier]),
        href=f"/energy?span={accounts.period.span}&at={accounts.period.at}&carrier={c.carrier}#chart",
        amount=amount_text(c.total, c.unit),
        unit=c.unit,
        on_plan=difference_text(c.total.amount, c.plan_to_date),
        on_expected=difference_text(c.comparable, expected),
        bar=bar,
        at_end=number(c.at_end, decimals) if c.at_end is not None else ("?" if c.no_forecast else MISSING),
        half_width=f"±{number(c.half_width, decimals)}" if c.at_end is not None and c.half_width is not None else "",
        end_on_plan=difference_text(c.at_end, c.plan),
        will_exceed=c.will_exceed,
        cost=whole_money(c.cost_cents, at_least=c.cost_at_least) if c.priced else words("no tariff"),
        priced=c.priced,
        quality=quality(c.total, label),
        off=words("off") if c.off else "",
        off_words=words("out of season; left out of totals, which is not the same as zero") if c.off else "",
    )


def _bar_words(c: CarrierAccount, words: Words) -> str:
    parts = [words("%(amount)s %(unit)s so far", amount=amount_text(c.total, c.unit), unit=c.unit)]
    if c.at_end is not None:
        parts.append(words("%(amount)s expected at the end", amount=number(c.at_end, few_decimals(c.at_end, c.unit))))
    if c.plan is not None:
        parts.append(words("plan %(amount)s", amount=number(c.plan, few_decimals(c.plan, c.unit))))
    return words(", ").join(parts)


def _carrier_notes(accounts: PeriodAccounts, words: Words, planned: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if any(np.isfinite(c.expected).any() for c in accounts.carriers):
        notes.append(words("Expected = what the days before say, corrected for weather and kind of day."))
    notes += dict.fromkeys(f"? {words.name(c.no_forecast)}" for c in accounts.carriers if c.no_forecast is not None)
    if accounts.carriers and not planned:
        notes.append(words("No plan is written down: add targets to the site file (docs/energy-accounts.md)."))
    if accounts.period.span in ("day", "week") and accounts.cost_cents is not None:
        notes.append(
            words(
                "Cost by day and week is what is charged by the unit. Basic charge, power factor, standing charge and "
                "tax are due by the month."
            )
        )
    return (*notes, *accounts.facts)


# --- bars -------------------------------------------------------------------------------------------------------------


def _chart(sources: Sources, words: Words, accounts: PeriodAccounts, chosen: str) -> ChartCard:
    carriers = [c for c in accounts.carriers if not c.off]
    if not carriers:
        return ChartCard(words("By day"), "", "", words("Nothing has been booked in this period."), (), None, None)
    if chosen == _COST and accounts.cost_parts is not None:
        return _cost_chart(sources, words, accounts, accounts.cost_parts)
    c = next((c for c in carriers if c.carrier == chosen), carriers[0])
    links = _chart_links(accounts, words, c.carrier)
    known = [x for x in (c.parts.amount, c.expected, c.forecast) if np.isfinite(x).any()]
    unit, divisor = chart_unit(c.unit, max((float(np.nanmax(x)) for x in known), default=0.0))
    n = len(c.parts)
    bars = Bars(
        amount=c.parts.amount / divisor,
        estimated=c.parts.estimated,
        missing=c.parts.missing,
        names=part_names(accounts.period, n),
        shaded=shaded_parts(sources.site, accounts.period, n),
        begun=accounts.begun,
        expected=c.expected / divisor,
        forecast=c.forecast / divisor,
        plan=c.plan / n / divisor if c.plan is not None else None,
    )
    has_expected = bool(np.isfinite(c.expected[: accounts.begun]).any())
    known_both = np.where(np.isfinite(c.parts.amount) & (c.parts.missing < 0.02), c.parts.amount, np.nan) - c.expected
    difference = known_both[: accounts.begun] / divisor
    over = float(np.nansum(difference)) if np.isfinite(difference).any() else math.nan
    label = joined(number(over, 1, signed=True), unit)
    running = running_total(np.concatenate([difference, np.full(n - len(difference), np.nan)]), label)
    # While nothing is expected yet, the bars take the room: beside them stands the long list of departments.
    drawn = bar_charts(bars, alone=running is None and bool(accounts.departments.rows))
    key = [words("bar actual, hatched estimated")]
    if has_expected:
        key += [words("line expected"), words("circle over by 4%")]
    return ChartCard(
        title=words("%(carrier)s %(by)s", carrier=words.name(CARRIER_NAMES[c.carrier]), by=_by_words(accounts, words)),
        unit=unit,
        key=words(", ").join(key),
        sentence=_parts_sentence(c.parts, c.total, accounts, unit, divisor, words)
        if drawn
        else words("Nothing is known of it."),
        carriers=links,
        desk=drawn[0] if drawn else None,
        phone=drawn[1] if drawn else None,
        running_title=words("Running total above expected"),
        running_sentence=words("Running total above expected: %(amount)s", amount=label),
        running_desk=running[0] if running else None,
        running_phone=running[1] if running else None,
    )


def _chart_links(accounts: PeriodAccounts, words: Words, current: str) -> tuple[Link, ...]:
    names = {str(c.carrier): words.name(CARRIER_NAMES[c.carrier]) for c in accounts.carriers if not c.off}
    if accounts.cost_parts is not None:
        names[_COST] = words("Cost")
    at = f"/energy?span={accounts.period.span}&at={accounts.period.at}"
    return tuple(Link(f"{at}&carrier={key}#chart", name, key == current) for key, name in names.items())


def _cost_chart(sources: Sources, words: Words, accounts: PeriodAccounts, parts: Totals) -> ChartCard:
    n, unit = len(parts), money_unit(sources.site.currency, words)
    none = np.full(n, np.nan)
    drawn = bar_charts(
        Bars(
            amount=parts.amount,
            estimated=parts.estimated,
            missing=parts.missing,
            names=part_names(accounts.period, n),
            shaded=shaded_parts(sources.site, accounts.period, n),
            begun=accounts.begun,
            expected=none,
            forecast=none,
            plan=None,
        ),
        alone=bool(accounts.departments.rows),
    )
    return ChartCard(
        title=words("%(carrier)s %(by)s", carrier=words("Cost"), by=_by_words(accounts, words)),
        unit=unit,
        key=words("without the month's fixed charges"),
        sentence=_parts_sentence(parts, whole(parts, sources.now_us()), accounts, unit, 1.0, words),
        carriers=_chart_links(accounts, words, _COST),
        desk=drawn[0] if drawn else None,
        phone=drawn[1] if drawn else None,
    )


def _by_words(accounts: PeriodAccounts, words: Words) -> str:
    return {
        "day": words("by hour"),
        "week": words("by day"),
        "month": words("by day"),
        "year": words("by month"),
    }[accounts.period.span]


def _parts_sentence(
    parts: Totals, total: Total, accounts: PeriodAccounts, unit: str, divisor: float, words: Words
) -> str:
    known = parts.amount[: accounts.begun]
    known = known[np.isfinite(known)] / divisor
    if not known.size:
        return words("Nothing is known of it yet.")
    places = few_decimals(float(known.max()), unit)
    in_all = f"{doubt(total)}{number(total.amount / divisor, places)}"
    told = range_words(float(known.min()), float(known.max()), in_all, unit, words)
    if total.missing > 0.0005:
        gaps = words("%(share)s of the time is missing.", share=share_text(total.missing))
        return words.in_context("sentences", "%(first)s %(second)s", first=told, second=gaps)
    return told


# --- departments ------------------------------------------------------------------------------------------------------


# --- waste ------------------------------------------------------------------------------------------------------------


def until_words(accounts: PeriodAccounts, today: date, words: Words) -> str:
    """Return how far the figures of a period go: `to 07-15 24:00, 15 of 31 days`."""
    if not accounts.running or today < accounts.period.first:
        first, last = accounts.period.first.strftime("%m-%d"), accounts.period.last.strftime("%m-%d")
        return "" if first == last else words("%(first)s to %(last)s", first=first, last=last)
    done = min((today - accounts.period.first).days + 1, accounts.period.days)
    until = accounts.until_words.replace(" ", NO_BREAK_SPACE)
    if accounts.period.days == 1:
        return words("to %(time)s", time=until)
    return words("to %(time)s, day %(day)s of %(days)s", time=until, day=done, days=accounts.period.days)
