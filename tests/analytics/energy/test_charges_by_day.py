"""The days of a month cost what its energy lines say, to the cent, by band and by hour."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.energy.bill import bill
from analytics.energy.bill_lines import Bill
from analytics.energy.intervals import MEASURED, STEP_US, Intervals, Total
from facility.calendar import month_bounds_us
from facility.tariff_model import ALL_MONTHS, COMPONENT_NAMES, Basic, Component, Tariff, TariffBand, Tiers, TierStep
from tests.analytics.energy.tariffs import MARCH, SHANGHAI, contract, even, without
from tests.analytics.energy.test_bill import FUNDS, PLAIN, TRANSMISSION, TWO_PART

REFUND = Component("other", COMPONENT_NAMES["other"], -0.0137, floats=True)
ENERGY = ("energy", "tier")


def energy_cents(made: Bill) -> int:
    return sum(x.amount_cents for x in made.lines if x.code.startswith(ENERGY))


def made(tariff: Tariff, use: Intervals, **more: object) -> Bill:
    return bill(contract(tariff), MARCH, use, zone=SHANGHAI, **more)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 1e4), st.sampled_from(["bands", "tiers", "refund", "flat", "net"]))
def test_days_hours_and_bands_add_up_to_the_energy_lines_to_the_cent(seed: int, scale: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    use = even(0.0)
    use.used[:] = scale * rng.exponential(size=len(use)) * (rng.random(len(use)) > 0.3)
    if kind == "net":  # meters below may count more than the one above
        use.used[:] -= scale * rng.exponential(size=len(use))
    use = without(use, date(2026, 3, 5), date(2026, 3, 8)) if seed % 2 else use
    total = abs(float(np.nansum(use.used))) + 1e-6
    tiers = Tiers("year", (TierStep(total * 0.2, 3.0), TierStep(total * 1.1, 3.6), TierStep(None, 5.0)))
    tariff = {
        "bands": TWO_PART,
        "tiers": replace(PLAIN, tiers=tiers, components=(replace(FUNDS, share=0.9),)),
        "refund": replace(TWO_PART, components=(REFUND, TRANSMISSION)),
        "flat": PLAIN,
        "net": TWO_PART,
    }[kind]
    result = made(tariff, use, used_before=Total(total * 0.5, 1.0, 0.0, 0.0))
    assert sum(d.cents or 0 for d in result.days) == energy_cents(result)
    for day in result.days:
        assert (day.cents is None) == math.isnan(day.used)
        if day.cents is not None:
            assert sum(h or 0 for h in day.hours) == day.cents
            assert not day.bands or sum(b.cents for b in day.bands) == day.cents


def test_what_is_due_for_the_month_is_no_days() -> None:
    tariff = replace(TWO_PART, standing_charge=100.0, tax=0.09)
    result = made(tariff, even(74_400.0), reactive=even(0.0))
    # 2400 kWh a day: 12 h of peak, 8 of valley, 4 flat.
    day = result.days[4]
    assert {b.band: b.used for b in day.bands} == pytest.approx({"peak": 1200.0, "flat": 400.0, "valley": 800.0})
    assert {b.band: b.cents for b in day.bands} == {"peak": 108_000, "flat": 23_200, "valley": 27_200}
    assert day.hours[12] == 9_000
    assert result.total_cents > sum(d.cents or 0 for d in result.days)


def test_a_day_of_which_nothing_is_known_or_that_has_no_price_has_no_cost_and_not_zero() -> None:
    use = without(even(310.0), date(2026, 3, 20), date(2026, 3, 21))
    result = bill(contract(PLAIN, since=(date(2026, 3, 11),)), MARCH, use, zone=SHANGHAI)
    by_day = {d.day.day: (d.cents, d.missing) for d in result.days}
    assert (by_day[10], by_day[11], by_day[20]) == ((None, 0.0), (5_000, 0.0), (None, 1.0))


def test_a_day_whose_component_has_no_price_costs_at_least_the_rest() -> None:
    unpriced = replace(TRANSMISSION, price=None, prices={(2026, 2): 0.15})
    assert not made(TWO_PART, even(310.0), reactive=even(0.0)).days[0].at_least
    assert made(replace(TWO_PART, components=(FUNDS, unpriced)), even(310.0), reactive=even(0.0)).days[0].at_least


def test_a_tier_that_is_reached_within_the_month_makes_its_days_dearer_from_then_on() -> None:
    gas = Tariff("gas", 3.0, "Nm³", tiers=Tiers("year", (TierStep(1000.0, 3.0), TierStep(None, 4.0))))
    result = made(gas, even(310.0), used_before=Total(895.0, 1.0, 0.0, 0.0))
    assert [d.cents for d in result.days[9:12]] == [3_000, 3_500, 4_000]


def test_a_day_on_which_the_clocks_are_changed_has_its_own_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    band = TariffBand("peak", 1.0, 8 * 60, 20 * 60, ALL_MONTHS)
    start, end = month_bounds_us(MARCH, berlin)
    steps = (end - start) // STEP_US
    use = Intervals(start, np.ones(steps), np.full(steps, MEASURED, dtype=np.int8))
    tariff = Tariff("electricity", 0.5, "kWh", (band,), basic=Basic("demand", demand_price=40.0))
    result = bill(contract(tariff), MARCH, use, zone=berlin)
    spring = result.days[28]
    assert (spring.day, len(spring.hours), spring.cents) == (date(2026, 3, 29), 23, (48 * 100 + 44 * 50))
    assert sum(d.cents or 0 for d in result.days) == energy_cents(result)


def test_the_days_stand_in_the_statement() -> None:
    figures = made(PLAIN, even(310.0), through=date(2026, 3, 3)).to_json()
    assert figures["energy_cents"] == 10_000
    assert figures["days"][1] == {
        "day": "2026-03-02",
        "used": 10.0,
        "cents": 5_000,
        "missing": 0.0,
        "at_least": False,
        "bands": {},
    }
