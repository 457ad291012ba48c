"""What energy cost and emitted by the day, and by the hour of one day."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from analytics.energy.carbon import Carbon
from analytics.energy.day_costs import DayCost
from api.context import Context, context_of
from api.errors import bad_request, shown
from api.pages.energy_period import read_day
from facility.calendar import day_of

router = APIRouter(prefix="/api/v1/energy", tags=["energy"])

Here = Annotated[Context, Depends(context_of)]
MOST_DAYS: Final = 400


class BandCostOut(BaseModel):
    """What was used in a band of a day, and what that cost with all its components."""

    used: float
    cents: int


class DayCostOut(BaseModel):
    """
    What the energy of a day cost under a contract: what is charged by the unit, and nothing that is due by the month.

    `cents` is null where nothing is known or no price holds; `missing` is the share of the day (of today, of the part
    that has passed) that is not in it; `at_least`: more was charged, for what is missing or has no price. `hours` stand
    where one day was asked for, null where nothing is known.
    """

    contract: str
    carrier: str
    day: date
    used: float | None
    unit: str
    cents: int | None
    missing: float
    at_least: bool
    provisional: bool
    bands: dict[str, BandCostOut]
    hours: list[int | None] | None = None


class DayCarbonOut(BaseModel):
    """What the energy of a day emitted; `at_least`: some of it is missing."""

    day: date
    kg: float
    at_least: bool


class CostsOut(BaseModel):
    """Cost by contract and day, and carbon by day; `currency` counts in `cents` of 1/100."""

    currency: str
    costs: list[DayCostOut]
    carbon: list[DayCarbonOut]


@router.get("/costs")
def costs(
    here: Here,
    from_: Annotated[str, Query(alias="from", description="a date, such as 2026-07-01")],
    to: Annotated[str, Query(description="the last date, which is counted")],
) -> CostsOut:
    """Give what the energy of each day cost by contract, and what it emitted; of today so far."""
    first, last = _day(from_, "from"), _day(to, "to")
    if last < first:
        raise bad_request("bad-range", f"'to' ({last}) lies before 'from' ({first}).", "Swap them.")
    if (last - first).days >= MOST_DAYS:
        raise bad_request("too-many-days", f"{first} to {last} is too long.", f"Ask for {MOST_DAYS} days at most.")
    today = day_of(here.clock(), here.site.time_zone)
    found = here.books.costs(first, last) + (here.books.costs_of(today) if first <= today <= last else [])
    return _out(here, found, here.books.carbon(first, min(last, today)) if first <= today else [])


@router.get("/costs/{day}")
def costs_of_day(here: Here, day: str) -> CostsOut:
    """Give the same of one day by its hours too."""
    asked = _day(day, "day")
    today = day_of(here.clock(), here.site.time_zone)
    return _out(here, here.books.costs_of(asked), here.books.carbon(asked, asked) if asked <= today else [])


def _out(here: Context, found: list[DayCost], emitted: list[tuple[date, Carbon]]) -> CostsOut:
    return CostsOut(
        currency=here.site.currency,
        costs=[DayCostOut(**c.to_json()) for c in found],
        carbon=[
            DayCarbonOut(day=d, kg=c.kg, at_least=any(n.code.startswith("amount-") for n in c.notes))
            for d, c in emitted
            if c.rows
        ],
    )


def _day(text: str, name: str) -> date:
    found = read_day(text)
    if found is None:
        raise bad_request("bad-day", f"'{name}' is {shown(text)}, which is no day.", "Write it as 2026-07-16.")
    return found
