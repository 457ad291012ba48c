"""Whatever happens to a register in a year: the sum of its steps is what it truly counted."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.energy.habits import Habits
from analytics.energy.intervals import MISSING, STEP_US
from analytics.energy.registers import affected, book, learn, needs
from facility.site import MeterExchange, Register
from tests.analytics.energy.plain_register import booked_plainly
from tests.analytics.energy.simulated_register import MINUTE_US, START_US, ZONE, Plan, Simulated, simulate

SLOW = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])

plans = st.builds(
    Plan,
    seed=st.integers(0, 2**32 - 1),
    days=st.sampled_from([8, 15, 30, 60]),
    every_min=st.sampled_from([5, 15, 30, 60]),
    digits=st.sampled_from([None, 5, 6, 7, 8]),
    decimals=st.sampled_from([0, 2]),
    per_pulse=st.sampled_from([None, 0.1, 10.0]),
    jitter=st.booleans(),
    idle=st.booleans(),
    exchanges=st.integers(0, 3),
    resets=st.integers(0, 2),
    outages=st.integers(0, 5),
    wrong=st.integers(0, 3),
    ratio_changes=st.booleans(),
    clock_off=st.booleans(),
)
years = st.builds(
    Plan,
    seed=st.integers(0, 2**32 - 1),
    days=st.just(365),
    every_min=st.sampled_from([30, 60]),
    digits=st.sampled_from([None, 5, 6]),
    jitter=st.booleans(),
    idle=st.booleans(),
    exchanges=st.integers(0, 3),
    resets=st.integers(0, 3),
    outages=st.integers(0, 20),
    wrong=st.integers(0, 10),
    ratio_changes=st.booleans(),
    clock_off=st.booleans(),
)


def span(meter: Simulated) -> tuple[int, int]:
    first, last = int(meter.time_us[0]), int(meter.time_us[-1])
    return first - first % STEP_US, -(-last // STEP_US) * STEP_US


def holds_the_books(meter: Simulated) -> None:
    booked = book(meter.time_us, meter.value, meter.quality, meter.register, *span(meter), ZONE)
    known = booked.intervals.used[booked.intervals.grade != MISSING]
    assert known.sum() == pytest.approx(meter.true_units, rel=1e-4)
    assert known.min() >= 0.0
    assert not (booked.intervals.grade == MISSING).any()
    assert sum(e.kind == "reset" for e in booked.events) == meter.resets
    told = sum(e.kind in ("exchange", "exchange_moved") for e in booked.events)
    assert told == len(meter.register.exchanges)


@SLOW
@given(plans)
def test_the_sum_of_the_steps_is_what_the_register_truly_counted(plan: Plan) -> None:
    holds_the_books(simulate(plan))


@settings(SLOW, max_examples=100)
@given(years)
def test_so_it_is_over_a_whole_year(plan: Plan) -> None:
    holds_the_books(simulate(plan))


@settings(SLOW, max_examples=60)
@given(plans)
def test_the_order_in_which_readings_came_changes_nothing(plan: Plan) -> None:
    meter = simulate(plan)
    order = np.random.default_rng(plan.seed).permutation(len(meter.time_us))
    in_order = book(meter.time_us, meter.value, meter.quality, meter.register, *span(meter), ZONE)
    shuffled = book(meter.time_us[order], meter.value[order], meter.quality[order], meter.register, *span(meter), ZONE)
    np.testing.assert_array_equal(in_order.intervals.used, shuffled.intervals.used)
    np.testing.assert_array_equal(in_order.intervals.grade, shuffled.intervals.grade)
    assert in_order.events == shuffled.events


def around(meter: Simulated, from_us: int, to_us: int) -> np.ndarray:
    """Return which readings lie in [from, to], with the last before and the first after."""
    first = max(0, int(np.searchsorted(meter.time_us, from_us)) - 1)
    last = int(np.searchsorted(meter.time_us, to_us, side="right")) + 1
    return np.arange(first, min(last, len(meter.time_us)))


@settings(SLOW, max_examples=150)
@given(plans, st.floats(0, 1), st.integers(1, 3 * 96))
def test_a_part_booked_with_the_readings_it_needs_equals_that_part_of_the_whole(
    plan: Plan, place: float, steps: int
) -> None:
    meter = simulate(plan)
    start_us, end_us = span(meter)
    habits = learn(meter.time_us, meter.value, meter.quality, meter.register, ZONE)
    whole = book(meter.time_us, meter.value, meter.quality, meter.register, start_us, end_us, ZONE, habits)
    from_us = start_us + int(place * ((end_us - start_us) // STEP_US - steps)) * STEP_US
    to_us = from_us + steps * STEP_US
    few = around(meter, *needs(from_us, to_us))
    part = book(meter.time_us[few], meter.value[few], meter.quality[few], meter.register, from_us, to_us, ZONE, habits)
    expected = whole.intervals.window(from_us, to_us)
    np.testing.assert_allclose(part.intervals.used, expected.used, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(part.intervals.grade, expected.grade)


@settings(SLOW, max_examples=150)
@given(plans, st.floats(0, 1), st.integers(1, 400))
def test_late_readings_change_nothing_beyond_what_they_are_said_to_affect(plan: Plan, place: float, n: int) -> None:
    meter = simulate(plan)
    first = int(place * max(0, len(meter.time_us) - n))
    late = np.zeros(len(meter.time_us), dtype=np.bool_)
    late[first : first + n] = True
    late[0] = late[-1] = False
    if not late.any():
        return
    habits = learn(meter.time_us, meter.value, meter.quality, meter.register, ZONE)
    rest = ~late
    before = book(
        meter.time_us[rest], meter.value[rest], meter.quality[rest], meter.register, *span(meter), ZONE, habits
    ).intervals
    after = book(meter.time_us, meter.value, meter.quality, meter.register, *span(meter), ZONE, habits).intervals
    from_us, to_us = affected(meter.time_us[late], meter.time_us[rest])
    outside = (after.begins_us < from_us) | (after.begins_us >= to_us)
    np.testing.assert_allclose(before.used[outside], after.used[outside], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(before.grade[outside], after.grade[outside])


readings = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 60)), min_size=2, max_size=25
)  # minutes / 3 and counts to the next reading


@settings(SLOW, max_examples=300)
@given(readings, st.sampled_from([None, 1000.0]), st.integers(0, 999), st.integers(0, 24))
def test_agrees_with_a_loop_that_anyone_can_read(
    steps: list[tuple[int, int]], modulus: float | None, first: int, exchanged: int
) -> None:
    time_us, value = START_US, float(first)
    rows: list[tuple[int, float]] = []
    exchanges: list[tuple[int, float, float]] = []
    for i, (minutes, counted) in enumerate(steps):
        rows.append((time_us, value))
        later = time_us + minutes * 3 * MINUTE_US
        if i == exchanged and i + 1 < len(steps):
            # Half is counted by the old meter, half by the new one, which starts at 300.
            end = value + counted / 2 - (modulus if modulus and value + counted / 2 >= modulus else 0.0)
            exchanges.append((later - MINUTE_US, end, 300.0))
            value = 300.0 + counted / 2
        else:
            value += counted
        if modulus is not None and value >= modulus:
            value -= modulus
        time_us = later
    register = Register(
        "total",
        "kWh",
        digits=3 if modulus else None,
        exchanges=tuple(MeterExchange(datetime.fromtimestamp(t / 1e6, UTC), e, s) for t, e, s in exchanges),
    )
    n = -(-(rows[-1][0] - START_US) // STEP_US) + 2
    booked = book(
        np.array([t for t, _ in rows]), np.array([v for _, v in rows]), np.zeros(len(rows), np.uint8), register,
        START_US, START_US + n * STEP_US, ZONE, Habits(most_an_hour=400.0),
    )  # fmt: skip
    plain = booked_plainly(rows, exchanges, modulus, START_US, n)
    expected = np.array([math.nan if u is None else u for u in plain])
    np.testing.assert_allclose(booked.intervals.used, expected, atol=1e-6)
