"""The invoice of a month, contract by contract and line by line: quantity × price = amount, to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.energy.intervals import Total
from analytics.energy.statements import Statement
from api.pages import times
from api.pages.energy_charts import Quality, quality
from api.pages.energy_figures import exact_money, exact_text, money_unit, shares_label
from api.pages.energy_head import Link, Note
from api.pages.energy_restatements import cause_words
from api.pages.energy_statements import names_of, problem_notes, told_notes
from api.pages.words import Words
from facility.formats import MISSING, number
from facility.site import Site

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the bill; `percent`: its price is a share of an amount of money, not money a unit."""

    name: str
    quantity: str
    unit: str
    price: str
    percent: bool
    amount: str
    detail: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure that the bill rests on."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ChoiceCard:
    """What the basic charge would have come to by each way, over which months, and what follows from it."""

    title: str
    ways: tuple[Fact, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class BillCard:
    """The bill of one contract."""

    name: str
    period: str
    version: str
    total: str
    quality: Quality | None
    notes: tuple[Note, ...]
    lines: tuple[LineRow, ...]
    facts: tuple[Fact, ...]
    choice: ChoiceCard | None
    versions: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class BillPage:
    """All bills of the month."""

    bills: tuple[BillCard, ...]
    money_unit: str
    empty: str


def bill_page(
    site: Site,
    words: Words,
    month: date,
    shown: Sequence[Statement],
    versions: Mapping[str, Sequence[Statement]],
    now_us: int,
) -> BillPage:
    """
    Build the page.

    Parameters
    ----------
    shown : the statement of each contract, in the version that is asked for
    versions : all versions of each contract, oldest first
    """
    return BillPage(
        bills=tuple(_card(site, words, month, s, versions.get(s.subject, (s,)), now_us) for s in shown),
        money_unit=money_unit(site.currency, words),
        empty=words(
            "No bill was made for this month. Bills are made from the tariffs in the site file (docs/tariffs.md)."
        )
        if site.tariffs
        else words("The site has no tariff. Add tariffs: to the site file; wardwatt tariffs lists those of provinces."),
    )


def version_words(site: Site, statement: Statement, now_us: int, words: Words) -> str:
    """Return which version of a statement this is: `version 2, 07-03 05:20, late data`, or that it is provisional."""
    made = times.when(statement.made_us, now_us, site.time_zone)
    if statement.provisional:
        return words("provisional, as of %(time)s", time=made)
    told = words("version %(n)s of %(time)s", n=statement.version, time=made)
    return f"{told} · {cause_words(statement.cause, words)}" if statement.cause else told


def _card(
    site: Site, words: Words, month: date, own: Statement, versions: Sequence[Statement], now_us: int
) -> BillCard:
    figures = own.figures
    total = Total(
        _known(figures.get("used")),
        _share(figures, "measured"),
        _share(figures, "estimated"),
        _share(figures, "missing"),
    )
    name = names_of(figures.get("name"), words, own.subject)
    if own.kind == "resale":
        name = words("%(contract)s, sold on", contract=name)
    first = month.isoformat()
    through = str(figures.get("through", ""))
    cents = figures.get("total_cents")
    sign = "≥" if figures.get("at_least") else ""
    address = f"/energy/bill?month={month:%Y-%m}"
    return BillCard(
        name=name,
        period=words("%(first)s to before %(end)s", first=first, end=through) if through else f"{month:%Y-%m}",
        version=version_words(site, own, now_us, words),
        total=f"{sign}{exact_money(int(cents))}" if cents is not None and figures.get("lines") else MISSING,
        quality=quality(total, shares_label(total, words)) if figures.get("measured") is not None else None,
        notes=(*told_notes(own.problems, words), *problem_notes(figures.get("problems", ()), words)),
        lines=_lines(site, words, figures.get("lines", ())),
        facts=_facts(site, words, figures, now_us),
        choice=_choice(site, words, figures),
        versions=tuple(
            Link(f"{address}&contract={own.subject}&version={v.version}", _short(words, v), v.version == own.version)
            for v in versions
        ),
    )


def _short(words: Words, statement: Statement) -> str:
    return words("version %(n)s", n=statement.version)


def _known(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _share(figures: Figures, name: str) -> float:
    return float(figures.get(name) or 0.0)


def _lines(site: Site, words: Words, lines: Sequence[Figures]) -> tuple[LineRow, ...]:
    """Return the lines; those of one unit have as many decimals as the finest of them, in quantity and price."""
    quantities: dict[str, int] = {}
    prices: dict[str, int] = {}
    for line in lines:
        unit = str(line["unit"])
        quantities[unit] = max(quantities.get(unit, 0), _needed(float(line["quantity"]), 3))
        prices[unit] = max(prices.get(unit, 2), _needed(float(line["price"]), 6))
    return tuple(_line(site, words, x, quantities[str(x["unit"])], prices[str(x["unit"])]) for x in lines)


def _line(site: Site, words: Words, line: Figures, quantity_places: int, price_places: int) -> LineRow:
    detail = [names_of(line.get("detail"), words)]
    share = float(line.get("share", 1.0))
    if share != 1.0:
        detail.append(words("×%(share)s of the month", share=number(share, 4)))
    if float(line.get("missing") or 0.0) > 0.0005:
        detail.append(words("%(share)s%% of its time is missing", share=number(100 * float(line["missing"]), 1)))
    percent, price = line["unit"] == "%", float(line["price"])
    return LineRow(
        name=names_of(line["name"], words, str(line["code"])),
        quantity=number(float(line["quantity"]), 2 if percent else quantity_places),
        # A surcharge or a rebate in per cent is one on an amount of money.
        unit=money_unit(site.currency, words) if percent else str(line["unit"]),
        price=f"{number(100 * price, 2, signed=True)}%" if percent else number(price, price_places),
        percent=percent,
        amount=exact_money(int(line["amount_cents"])),
        detail=" · ".join(d for d in detail if d),
    )


def _needed(value: float, most: int) -> int:
    """Return how many decimals a value has, up to `most`."""
    return len(f"{value:.{most}f}".rstrip("0").partition(".")[2])


def _facts(site: Site, words: Words, figures: Figures, now_us: int) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    # What carries no maximum demand has its use in its lines.
    if figures.get("used") is not None and (figures.get("peak_kw") is not None or not figures.get("lines")):
        facts.append(Fact(words("Used"), f"{number(float(figures['used']), 0)} {figures.get('unit', '')}"))
    if figures.get("peak_kw") is not None:
        text = f"{number(float(figures['peak_kw']), 1)} kW"
        if figures.get("peak_at_us") is not None:
            text += f" · {times.when(int(figures['peak_at_us']), now_us, site.time_zone)}"
        facts.append(Fact(words("Maximum demand"), text))
    forecast = figures.get("peak_forecast")
    if isinstance(forecast, Mapping) and forecast.get("kw") is not None:
        text = f"{number(float(forecast['kw']), 0)} kW"
        if forecast.get("low_kw") is not None and forecast.get("high_kw") is not None:
            text += f" ({number(float(forecast['low_kw']), 0)}–{number(float(forecast['high_kw']), 0)})"
        facts.append(Fact(words("Demand expected to month end"), text))
    if figures.get("bought_cents") is not None:
        bought = exact_text(int(figures["bought_cents"]), site.currency, words)
        facts.append(Fact(words("Same energy at the hospital's own price"), bought))
    if figures.get("power_factor") is not None:
        facts.append(Fact(words("Power factor"), number(float(figures["power_factor"]), 2)))
    return tuple(facts)


def _choice(site: Site, words: Words, figures: Figures) -> ChoiceCard | None:
    """Return the ways of the basic charge over the months that are known, and which of them is the cheapest."""
    choice = figures.get("basic_charge")
    if not isinstance(choice, Mapping) or not choice.get("cents"):
        return None
    declared = choice.get("declared_kw")
    named = {
        "capacity": words("by capacity"),
        "demand": words("by maximum demand"),
        "contract_demand": words("by a contract demand of %(kw)s kW", kw=number(float(declared), 0))
        if declared is not None
        else words("by contract demand"),
    }
    now, cheapest = str(choice.get("now") or ""), str(choice.get("cheapest") or "")
    ways = tuple(
        Fact(
            words.in_context("basic charge", "%(way)s, in force", way=named.get(way, way))
            if way == now
            else named.get(way, way),
            exact_text(int(cents), site.currency, words),
        )
        for way, cents in choice["cents"].items()
        if cents is not None
    )
    saving = int(choice.get("saving_cents") or 0)
    if cheapest == now:
        told = words("The way in force is the cheapest.")
    elif saving > 0:
        told = words(
            "Cheapest is %(way)s: %(saving)s less than the way in force.",
            way=named.get(cheapest, cheapest),
            saving=exact_text(saving, site.currency, words),
        )
    else:
        told = words("Cheapest is %(way)s.", way=named.get(cheapest, cheapest))
    even = choice.get("break_even_kw")
    if even is not None:
        by_demand = words(
            "Demand costs less than capacity while the month's maximum stays below %(kw)s kW.",
            kw=number(float(even), 0),
        )
        told = words.in_context("sentences", "%(first)s %(second)s", first=told, second=by_demand)
    return ChoiceCard(
        title=words.plural(
            "What the basic charge would have come to in the last %(n)s month",
            "What the basic charge would have come to in the last %(n)s months together",
            int(choice.get("months") or 1),
        ),
        ways=ways,
        verdict=told,
    )
