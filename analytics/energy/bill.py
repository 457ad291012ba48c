"""The bill of a month, line by line as the supplier writes it: energy, basic charge, power factor, minimum, tax.

Nothing is invented: energy that is missing is not charged, a charge that cannot be worked out is left out, and the bill
says both, with how it is mended. Every line is rounded by itself, and the total is the exact sum of the lines.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics.energy.basic_charge import LEAST_DECLARED, basic_lines, earns_load_rate
from analytics.energy.bill_lines import Bill, BillLine, cents, line, next_month, rounded
from analytics.energy.bill_problems import BillProblem, problem, raises_total
from analytics.energy.charges_by_day import day_charges
from analytics.energy.day_charges import DayCharge
from analytics.energy.demand import Peak, maximum_demand
from analytics.energy.energy_charge import energy_charges
from analytics.energy.intervals import MISSING, Intervals, Total
from facility.calendar import at_us, day_kind
from facility.names import Names
from facility.tariff import power_factor, power_factor_adjustment
from facility.tariff_model import DAY_WORDS, HOLIDAYS, Contract, Tariff
from facility.units import conversion

# A power factor that rests on less of the month is told as uncertain.
_ENOUGH_FOR_FACTOR: Final = 0.95

_CALENDAR_DAYS: Final = frozenset({*HOLIDAYS, *DAY_WORDS} - {"hot", "weekdays"})


@dataclass(frozen=True, slots=True)
class _Segment:
    """Days [start, end) of a month with one tariff; None: none holds."""

    start: date
    end: date
    tariff: Tariff | None


@dataclass
class _Draft:
    """
    A bill that is being written.

    `adjustable` is what the power-factor adjustment applies to, by target and tax; `taxable` is all of it, by tax.
    """

    contract: Contract
    month: date
    end: date
    zone: ZoneInfo
    segments: list[_Segment]
    lines: list[BillLine] = field(default_factory=list)
    days: list[DayCharge] = field(default_factory=list)
    adjustable: dict[tuple[float, float], int] = field(default_factory=dict)
    taxable: dict[float, int] = field(default_factory=dict)
    problems: dict[BillProblem, None] = field(default_factory=dict)

    def tell(self, code: str, **facts: Any) -> None:
        place = f"tariffs '{self.contract.id}'"
        self.problems[problem(code, place=place, month=f"{self.month:%Y-%m}", **facts)] = None

    def charge(self, lines: list[BillLine], segment: _Segment) -> None:
        """Write lines of a segment; where the tariff changes within the month, they say for which days."""
        tariff = segment.tariff
        assert tariff is not None
        for x in lines:
            self.write(x if len(self.segments) == 1 else _with_days(x, segment), tariff.tax)
            if x.adjusted and tariff.power_factor_target is not None:
                key = tariff.power_factor_target, tariff.tax
                self.adjustable[key] = self.adjustable.get(key, 0) + x.amount_cents

    def write(self, x: BillLine, tax: float) -> None:
        self.lines.append(x)
        self.taxable[tax] = self.taxable.get(tax, 0) + x.amount_cents

    def share(self, segment: _Segment) -> Fraction:
        """Return the share of the month; of a month that runs, what is due for it is due whole, not by the day."""
        after = next_month(self.month)
        until = after if segment.end == self.end else segment.end
        return Fraction((until - segment.start).days, (after - self.month).days)

    def window(self, whole: Intervals, segment: _Segment) -> Intervals:
        return whole.window(at_us(segment.start, 0, self.zone), at_us(segment.end, 0, self.zone))


def _with_days(x: BillLine, segment: _Segment) -> BillLine:
    last = segment.end - timedelta(days=1)
    zh, en = f"{segment.start} 至 {last}", f"{segment.start} to {last}"
    if x.detail:
        zh, en = f"{zh}；{x.detail.zh}", f"{en}; {x.detail.en}"
    return replace(x, detail=Names(zh=zh, en=en))


def bill(
    contract: Contract,
    month: date,
    use: Intervals,
    *,
    zone: ZoneInfo,
    unit: str | None = None,
    currency: str = "CNY",
    through_meters: Intervals | None = None,
    reactive: Intervals | None = None,
    silent: Sequence[str] = (),
    capacity_kva: float | None = None,
    peak: Peak | None = None,
    used_before: Total | None = None,
    hot_days: Mapping[date, bool] | None = None,
    through: date | None = None,
) -> Bill:
    """
    Make the bill of a contract for a month.

    Parameters
    ----------
    month : any day of it
    use : energy that the contract bills: what went through its meters, less what meters of other contracts below them
        counted
    unit : of `use`; None: the tariff's
    through_meters : all that went through its meters, by which demand, load rate and power factor go; None: `use`
    reactive : reactive energy through them, import and export by amount [kvarh]; None: no register counts it
    silent : registers of reactive energy that have told nothing in the month
    capacity_kva : of the transformers behind the meters; the tariff's own comes first
    peak : maximum demand as the supplier read it; None: the largest step of `use`
    used_before : what was used from the year's begin to the month's, for yearly tiers; None: not known
    hot_days : of each day that is known, whether it reaches the temperature of a rule with bands on hot days
    through : day after the last one that has passed, of a month that runs; None: the month has ended

    Returns
    -------
    The bill; `problems` says what is not on it. A month without a tariff gives a bill without lines.

    Raises
    ------
    ValueError
        If no day of the month has passed.
    """
    first = month.replace(day=1)
    end = min(through or next_month(first), next_month(first))
    if end <= first:
        raise ValueError(f"the month begins on {first}, and no day of it has passed by {end}")
    segments = [_Segment(*s) for s in contract.segments(first, end)]
    draft = _Draft(contract, first, end, zone, segments)
    held = use.window(at_us(first, 0, zone), at_us(end, 0, zone))
    _tell_missing(draft, held)
    _standing(draft)
    _energy(draft, held, unit, used_before, hot_days or {})
    last = next((s.tariff for s in reversed(segments) if s.tariff), contract.tariffs[0])
    kwh = _in_kwh(_under_contract(draft, held if through_meters is None else through_meters), unit or last.unit)
    # By capacity too, so that the ways of the basic charge can be compared.
    peak = (peak or maximum_demand(kwh)) if any(s.tariff and s.tariff.basic for s in segments) else None
    _basic(draft, kwh, peak, capacity_kva)
    factor = _power_factor(draft, kwh, reactive, silent)
    _minimum_and_tax(draft)
    total = held.total
    return Bill(
        contract=contract.id,
        name=contract.name,
        carrier=contract.carrier,
        month=first,
        through=end,
        currency=currency,
        lines=tuple(draft.lines),
        days=tuple(draft.days),
        used=total.amount,
        unit=unit or last.unit,
        measured=total.measured,
        estimated=total.estimated,
        missing=total.missing,
        peak_kw=peak.kw if peak else None,
        peak_at_us=peak.at_us if peak else None,
        power_factor=factor,
        problems=tuple(draft.problems),
        at_least=any(raises_total(p.code) for p in draft.problems),
    )


def _tell_missing(draft: _Draft, held: Intervals) -> None:
    share = float(np.mean(held.grade == MISSING))
    if share == 1.0:
        draft.tell("no-energy")
    elif share > 0.0:
        draft.tell("energy-missing", share=share)


def _energy(
    draft: _Draft, held: Intervals, unit: str | None, used_before: Total | None, hot_days: Mapping[date, bool]
) -> None:
    hot = {day for day, is_hot in hot_days.items() if is_hot}
    so_far = 0.0  # this month, in the unit of the meters; days without a tariff count towards the tiers too
    for segment in draft.segments:
        part = draft.window(held, segment)
        tariff, made = segment.tariff, None
        if tariff is None:
            last = segment.end - timedelta(days=1)
            draft.tell("no-tariff", start=segment.start, last=last, first=draft.contract.since[0])
        elif (factor := _unit_factor(draft, unit, tariff)) is not None:
            _tell_days(draft, tariff, segment, hot_days)
            before = (
                0.0 if tariff.tiers is None else _before(draft, tariff.tiers.period == "month", used_before) + so_far
            )
            made = energy_charges(tariff, part.scaled(factor), draft.zone, hot, before * factor)
            draft.charge([c.line for c in made.charges], segment)
            for component in made.unpriced:
                draft.tell("no-price", component=component.code)
        draft.days += day_charges(made, part, segment.start, segment.end, draft.zone)
        so_far += max(0.0, part.total.amount) if part.total.known else 0.0


def _under_contract(draft: _Draft, held: Intervals) -> Intervals:
    """Return the days from the first tariff on: what was used before is nothing to demand and power factor."""
    begin = next((s.start for s in draft.segments if s.tariff), draft.month)
    return held.window(at_us(begin, 0, draft.zone), at_us(draft.end, 0, draft.zone))


def _unit_factor(draft: _Draft, unit: str | None, tariff: Tariff) -> float | None:
    """Return how many units of the tariff one of the meters is; None, and told, if the one is not the other."""
    if unit is None or unit == tariff.unit:
        return 1.0
    try:
        factor, offset = conversion(unit, tariff.unit)
    except ValueError:
        offset = math.nan
    if offset != 0.0:
        draft.tell("unit", counted=unit, unit=tariff.unit)
        return None
    return factor


def _in_kwh(held: Intervals, unit: str) -> Intervals:
    """Return the same in kWh, by which demand, load rate and power factor go; what is no energy stays as it is."""
    try:
        return held.scaled(conversion(unit, "kWh")[0])
    except ValueError:
        return held


def _before(draft: _Draft, monthly: bool, used_before: Total | None) -> float:
    """Return what counts towards the tiers at the month's begin, in the unit of the meters."""
    if monthly or draft.month.month == 1:
        return 0.0
    if used_before is None or not used_before.known or used_before.missing > 0.0:
        draft.tell("tier-unknown")
    return used_before.amount if used_before is not None and used_before.known else 0.0


def _tell_days(draft: _Draft, tariff: Tariff, segment: _Segment, hot_known: Container[date]) -> None:
    days = [segment.start + timedelta(days=i) for i in range((segment.end - segment.start).days)]
    unknown = sum(day not in hot_known for day in days)
    if tariff.needs_hot_days and unknown:
        draft.tell("hot-days-unknown", days=unknown)
    by_calendar = any(b.days & _CALENDAR_DAYS for b in tariff.bands)
    if by_calendar and any(day_kind(d, draft.zone).basis != "official" for d in days):
        draft.tell("holidays-unknown", year=draft.month.year)


def _basic(draft: _Draft, held: Intervals, peak: Peak | None, capacity_kva: float | None) -> None:
    for segment in draft.segments:
        basic = segment.tariff.basic if segment.tariff else None
        if basic is None:
            continue
        capacity = basic.capacity_kva or capacity_kva
        declared = basic.declared_kw(draft.month.year, draft.month.month)
        lines = basic_lines(
            basic,
            capacity_kva=capacity,
            peak_kw=peak.kw if peak else None,
            declared_kw=declared,
            discount=basic.load_rate_discount and earns_load_rate(held.total.amount, capacity),
            share=draft.share(segment),
        )
        draft.charge(lines, segment)
        if basic.by == "capacity":
            if not lines:
                draft.tell("no-capacity")
            continue
        if basic.load_rate_discount:
            _check_load_rate(draft, held.total, capacity)
        if peak is None:
            draft.tell("no-demand")
        elif peak.estimated or peak.missing > 0.0:
            draft.tell("peak-uncertain", kw=peak.kw, share=peak.missing)
        elif peak.hidden > 0.0:
            draft.tell("peak-hidden", kw=peak.kw, share=peak.hidden)
        if basic.by == "contract_demand":
            _check_declared(draft, declared, capacity)


def _check_load_rate(draft: _Draft, total: Total, capacity: float | None) -> None:
    if capacity is None:
        draft.tell("load-rate-unknown")
    elif 0.0 < total.missing < 1.0 and draft.end == next_month(draft.month):
        # What is known falls short of the load rate, and what is missing would make it up.
        whole = total.amount / (1.0 - total.missing)
        if earns_load_rate(whole, capacity) and not earns_load_rate(total.amount, capacity):
            draft.tell("load-rate-uncertain", capacity=capacity)


def _check_declared(draft: _Draft, declared: float | None, capacity: float | None) -> None:
    if declared is None:
        draft.tell("no-declaration")
    elif capacity is not None and declared < LEAST_DECLARED * capacity:
        draft.tell("declared-too-low", kw=declared, capacity=capacity)


def _power_factor(draft: _Draft, held: Intervals, reactive: Intervals | None, silent: Sequence[str]) -> float | None:
    if not any(s.tariff and s.tariff.power_factor_target is not None for s in draft.segments):
        return None
    kvarh = (reactive or Intervals.missing(held.start_us, held.end_us)).window(held.start_us, held.end_us)
    both = (held.grade != MISSING) & (kvarh.grade != MISSING)
    if not both.any():
        draft.tell("reactive-silent" if silent else "no-reactive", registers=", ".join(silent))
        return None
    exact = power_factor(float(held.used[both].sum()), float(kvarh.used[both].sum()))
    if math.isnan(exact):
        draft.tell("no-factor")
        return None
    factor = max(0.0, rounded(exact, 2))
    share = float(both.mean())
    if share < _ENOUGH_FOR_FACTOR:
        draft.tell("factor-uncertain", share=share)
    for (target, tax), base in draft.adjustable.items():
        percent = power_factor_adjustment(factor, target)
        told = f"{percent:+.2f}".replace("-", "−")
        detail = Names(
            zh=f"功率因数 {factor:.2f}，标准 {target:.2f}，{told}%",
            en=f"power factor {factor:.2f}, standard {target:.2f}, {told} %",
        )
        name = Names(zh="力调电费（功率因数调整）", en="Power-factor adjustment")
        draft.write(line("power_factor", name, base / 100.0, "%", percent / 100.0, detail=detail), tax)
    return factor


def _standing(draft: _Draft) -> None:
    name = Names(zh="固定费用", en="Standing charge")
    for segment in draft.segments:
        if segment.tariff and segment.tariff.standing_charge:
            standing = line("standing", name, 1.0, "", segment.tariff.standing_charge, share=draft.share(segment))
            draft.charge([standing], segment)


def _minimum_and_tax(draft: _Draft) -> None:
    priced = [(s, s.tariff) for s in draft.segments if s.tariff]
    total = sum(x.amount_cents for x in draft.lines)
    least = sum(cents(tariff.minimum_charge, 1.0, draft.share(segment)) for segment, tariff in priced)
    if total < least and draft.end == next_month(draft.month):
        name = Names(zh="补足最低消费", en="Difference to the minimum charge")
        draft.write(line("minimum", name, (least - total) / 100.0, "", 1.0), priced[-1][1].tax)
    for tax, base in draft.taxable.items():
        if tax:
            draft.lines.append(line("tax", Names(zh="税额", en="Tax"), base / 100.0, "%", tax))
