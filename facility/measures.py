"""Efficiency measures: what was done to save energy, on which meter, when, and which periods are compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from facility.equipment_classes import Carrier
from facility.names import Names


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the site, the first counted and the last; `to` is None for a period that still runs."""

    from_: date
    to: date | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """
    An efficiency measure whose saving is to be proven.

    Attributes
    ----------
    id, name : what it is called
    meter : the meter or machine that counts what it changes, or None if a carrier of the whole hospital is judged
    carrier : what is counted; None for a meter that counts one carrier only
    baseline : the days before, from which the model is taken
    reporting : the days since
    drivers : points that explain the use: the outdoor temperature first, such as `ws1/temperature`
    cost : what it cost, in units of the site's currency, or None
    owner : who answers for it, or None
    source : where it is written down, such as a contract or a ticket, or None
    """

    id: str
    name: Names
    meter: str | None
    carrier: Carrier | None
    baseline: Period
    reporting: Period
    drivers: tuple[str, ...] = ()
    cost: float | None = None
    owner: str | None = None
    source: str | None = None
