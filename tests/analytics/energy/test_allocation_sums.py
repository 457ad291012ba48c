"""Whatever hangs on whatever, and whatever the meters say: what is allocated is what was bought, to the cent."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.energy.allocation import Charge, allocate
from analytics.energy.meter_use import MeterUse
from analytics.energy.rounding import scaled_to_whole, shared_out
from facility.allocation_rules import AllocationRules, Basis, Share
from facility.site import Dated
from tests.analytics.energy.supply import DAYS, department, hospital, meter

MARCH = (date(2026, 3, 1), date(2026, 3, 31))
BASES: list[Basis | None] = [None, "floor_area", "beds", "staff", "equal", "use", "running_hours", "meters"]


@given(st.integers(-(10**12), 10**12), st.lists(st.floats(0, 1e9), min_size=1, max_size=60).filter(any))
def test_parts_of_a_whole_number_add_up_to_it_and_are_off_by_less_than_one(total: int, weights: list[float]) -> None:
    array = np.array(weights)
    parts = shared_out(total, array)
    assert int(parts.sum()) == total
    exact = total * (array / array.max() / math.fsum(array / array.max()))
    assert bool(np.all(np.abs(parts - exact) < 1.0 + 1e-3))
    assert bool(np.all(parts[array == 0] == 0))


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [math.nan], []])
def test_what_is_no_weight_is_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        shared_out(100, np.array(weights))


amounts = st.one_of(st.floats(0, 1e6), st.just(math.nan), st.floats(-1e4, 0))


@st.composite
def hospitals(draw: st.DrawFn):
    """A random supply of meters, departments, rules, readings and a bill."""
    departments = [
        department(
            f"d{i}",
            area=draw(st.one_of(st.none(), st.floats(0, 5000))),
            beds=draw(st.one_of(st.none(), st.integers(0, 60))),
            staff=draw(st.one_of(st.none(), st.integers(0, 90))),
        )
        for i in range(draw(st.integers(0, 5)))
    ]
    ids = [d.id for d in departments]
    some = st.lists(st.sampled_from(ids), unique=True, max_size=3) if ids else st.just([])
    machines = []
    for i in range(draw(st.integers(1, 12))):
        above = draw(st.lists(st.sampled_from([m.id for m in machines]), unique=True, max_size=2)) if machines else []
        kind = (
            draw(st.sampled_from(["electricity_meter", "lv_feeder", "transfer_switch", "pump"])) if i else "hv_incomer"
        )
        machines.append(meter(f"m{i}", kind, fed_by=above, serves=draw(some)))
    shares = st.builds(
        lambda by, to: Share(by, tuple(to), tuple(_of(by, machines))), by=st.sampled_from(BASES), to=some
    )
    rules = AllocationRules(
        draw(st.dictionaries(st.sampled_from([m.id for m in machines]), shares, max_size=4)),
        draw(shares),
    )
    site = hospital(machines, departments, allocation={"electricity": Dated.always(rules)})
    return (
        site,
        {
            key: MeterUse(
                draw(amounts),
                cost=draw(st.one_of(st.just(math.nan), st.floats(0, 1e6))),
                measured=1.0 - (gap := draw(st.sampled_from([0.0, 0.0, 0.2, 1.0]))),
                missing=gap,
            )
            for key in site.registers
        },
        [
            Charge("energy", draw(st.integers(0, 10**9))),
            Charge("basic", draw(st.integers(0, 10**8)), draw(st.sampled_from(["cost", "use", "peak"]))),
            Charge("power factor", draw(st.integers(-(10**6), 10**6))),
        ],
        draw(st.one_of(st.none(), st.just(0.0), st.floats(0, 1e6))),
    )


def _of(by, machines):
    if by == "running_hours":
        return [machines[0].id]
    return [f"{machines[-1].id}/energy_import"] if by == "meters" else []


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(hospitals())
def test_what_is_allocated_is_what_was_bought_to_the_cent(case) -> None:
    site, uses, charges, bought = case
    found = allocate(
        site.site, site.registers, "electricity", *MARCH, uses, charges, bought, running_hours={"m0": 12.0}
    )
    whole = [scaled_to_whole(r.amount, found.decimals) for r in found.rows]
    assert sum(whole) == scaled_to_whole(found.amount, found.decimals)
    assert sum(r.cents for r in found.rows) == found.total_cents == sum(c.cents for c in charges)
    for charge in charges:
        assert sum(r.charges.get(charge.code, 0) for r in found.rows) == charge.cents
    assert scaled_to_whole(found.bought + found.made, found.decimals) == scaled_to_whole(found.amount, found.decimals)
    if bought is not None:
        assert found.bought == pytest.approx(bought, abs=0.0500001)  # half of the last decimal
    for row in found.rows:
        parts = (row.direct, row.shared, row.rest)
        assert all(p >= 0 for p in parts)
        assert sum(scaled_to_whole(p, found.decimals) for p in parts) == scaled_to_whole(row.amount, found.decimals)
        assert sum(scaled_to_whole(p.amount, found.decimals) for p in row.parts) == scaled_to_whole(
            row.amount, found.decimals
        )


def test_the_days_of_the_tests_are_a_month() -> None:
    assert len(DAYS) == 31
