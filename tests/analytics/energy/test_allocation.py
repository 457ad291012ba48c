"""Who bears what: own meters, shares, the rest, and the lines of the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pytest

from analytics.energy.allocation import Allocation, AllocationRow, Charge, allocate
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals
from analytics.energy.meter_use import MeterUse, meter_uses
from facility.allocation_rules import AllocationRules, Share
from facility.site import Dated, Department, Equipment
from tests.analytics.energy.supply import department, hospital, meter, names

MARCH = (date(2026, 3, 1), date(2026, 3, 31))
WARDS = [
    department("icu", area=1000, beds=20, staff=60, centre="3107"),
    department("theatre", area=3000, staff=90, centre="3112"),
    department("ward", area=4000, beds=60, staff=50, centre="3107"),
]


def shared(
    machines: Sequence[Equipment],
    amounts: Mapping[str, float | MeterUse],
    rules: AllocationRules | None = None,
    departments: Sequence[Department] = WARDS,
    **more,
) -> Allocation:
    dated = {"electricity": Dated((date(2024, 1, 1),), (rules,))} if rules else {}
    found = hospital(machines, departments, allocation=dated)
    uses = {
        k if "/" in k else f"{k}/energy_import": v if isinstance(v, MeterUse) else MeterUse(v)
        for k, v in amounts.items()
    }
    return allocate(found.site, found.registers, "electricity", *MARCH, uses, **more)


def borne(found: Allocation) -> dict[str | None, float]:
    return {r.department: r.amount for r in found.rows}


def row(found: Allocation, name: str | None) -> AllocationRow:
    return next(r for r in found.rows if r.department == name)


def codes(found: Allocation) -> list[str]:
    return [p.code for p in found.problems]


MAIN = [meter("main"), meter("em-icu", fed_by=["main"], serves=["icu"])]


def test_an_own_meter_is_its_departments_and_the_rest_goes_by_area() -> None:
    found = shared(MAIN, {"main": 9000, "em-icu": 1000})
    assert borne(found) == {"icu": 2000, "theatre": 3000, "ward": 4000}
    icu = row(found, "icu")
    assert (icu.direct, icu.shared, icu.rest) == (1000, 0, 1000)
    assert (found.bought, found.made, found.amount, found.unit) == (9000, 0, 9000, "kWh")


def test_a_meter_for_several_is_shared_among_them_by_area() -> None:
    machines = [meter("main"), meter("fd", fed_by=["main"], serves=["icu", "theatre"])]
    found = shared(machines, {"main": 4000, "fd": 4000})
    assert borne(found) == {"icu": 1000, "theatre": 3000}
    assert row(found, "icu").parts[0].by == "floor_area"


def test_a_sub_meters_use_is_taken_off_before_the_rest_of_its_feeder_is_shared() -> None:
    machines = [
        meter("main"),
        meter("fd", fed_by=["main"], serves=["icu", "theatre", "ward"]),
        meter("em-icu", fed_by=["fd"], serves=["icu"]),
    ]
    found = shared(machines, {"main": 8000, "fd": 8000, "em-icu": 1000})
    # The icu has a meter of its own below, so what is left of the feeder is the others'.
    assert borne(found) == {"icu": 1000, "theatre": 3000, "ward": 4000}


def test_a_machine_that_serves_nobody_is_borne_by_those_who_hang_on_it() -> None:
    machines = [
        meter("main"),
        meter("ch1", "chiller", fed_by=["main"]),
        meter("ahu", "air_handling_unit", fed_by=["main", "ch1"], serves=["theatre"]),
    ]
    found = shared(machines, {"main": 600, "ch1": 400, "ahu": 200})
    assert borne(found) == {"theatre": 600}
    assert row(found, "theatre").direct == 600


RULES = [
    (Share("beds"), {"icu": 1000, "ward": 3000}),
    (Share("staff"), {"icu": 1200, "theatre": 1800, "ward": 1000}),
    (Share("equal"), {"icu": 1333.4, "theatre": 1333.3, "ward": 1333.3}),
    (Share("floor_area", to=("icu", "theatre")), {"icu": 1000, "theatre": 3000}),
    (Share("fixed", ("icu", "ward"), (), {"icu": 0.25, "ward": 0.75}), {"icu": 1000, "ward": 3000}),
    (Share(None, to=("ward",)), {"ward": 4000}),
]


@pytest.mark.parametrize(("rule", "expected"), RULES, ids=lambda x: getattr(x, "by", ""))
def test_a_meter_is_shared_by_the_sites_rule(rule: Share, expected: dict[str, float]) -> None:
    machines = [meter("main"), meter("fd", fed_by=["main"], serves=["icu", "theatre", "ward"])]
    found = shared(machines, {"main": 4000, "fd": 4000}, AllocationRules({"fd": rule}))
    assert borne(found) == expected


def test_a_boilers_gas_goes_as_the_steam_meters_count() -> None:
    machines = [
        meter("main"),
        meter("b1", "gas_steam_boiler", fed_by=["main"], serves=["icu", "theatre", "ward"]),
        meter("s1", "steam_meter", fed_by=["b1"], serves=["icu"]),
        meter("s2", "steam_meter", fed_by=["b1"], serves=["theatre", "ward"]),
    ]
    rules = AllocationRules({"b1": Share("meters", of=("s1/steam_total", "s2/steam_total"))})
    amounts = {"main": 1000, "b1": 1000, "s1/steam_total": 30, "s2/steam_total": 70}
    assert borne(shared(machines, amounts, rules)) == {"icu": 300, "theatre": 300, "ward": 400}


def test_lifts_go_by_their_running_hours() -> None:
    machines = [
        meter("main"),
        meter("fd", fed_by=["main"]),
        meter("l1", "pump", fed_by=["main"], serves=["icu"]),
        meter("l2", "pump", fed_by=["main"], serves=["ward"]),
    ]
    rules = AllocationRules({"fd": Share("running_hours", ("icu", "ward"), ("l1", "l2"))})
    found = shared(machines, {"main": 400, "fd": 400, "l1": 0, "l2": 0}, rules, running_hours={"l1": 100, "l2": 300})
    assert borne(found) == {"icu": 100, "ward": 300}


def test_the_rest_may_follow_what_own_meters_counted() -> None:
    machines = [*MAIN, meter("em-ward", fed_by=["main"], serves=["ward"])]
    found = shared(machines, {"main": 4400, "em-icu": 1000, "em-ward": 3000}, AllocationRules(rest=Share("use")))
    assert borne(found) == {"icu": 1100, "ward": 3300}


def test_a_rule_without_a_basis_in_the_month_falls_back_and_says_so() -> None:
    found = shared(MAIN, {"main": 8000, "em-icu": 0}, AllocationRules(rest=Share("use")))
    assert borne(found) == {"icu": 1000, "theatre": 3000, "ward": 4000}
    assert codes(found) == ["share-has-no-basis"]


def test_a_department_that_lacks_what_a_rule_asks_for_is_named() -> None:
    found = shared(MAIN, {"main": 8000, "em-icu": 0}, AllocationRules(rest=Share("beds")))
    assert borne(found) == {"icu": 2000, "ward": 6000}
    assert codes(found) == ["share-not-known"]
    assert "theatre" in str(found.problems[0])


def test_rules_hold_from_their_day_on_and_before_it_the_usual_ones() -> None:
    machines = [meter("main"), meter("fd", fed_by=["main"], serves=["icu", "ward"])]
    rules = Dated((date(2026, 4, 1),), (AllocationRules({"fd": Share("beds")}),))
    found = hospital(machines, WARDS, allocation={"electricity": rules})
    uses = {"main/energy_import": MeterUse(1000), "fd/energy_import": MeterUse(1000)}
    march = allocate(found.site, found.registers, "electricity", *MARCH, uses)
    april = allocate(found.site, found.registers, "electricity", date(2026, 4, 1), date(2026, 4, 30), uses)
    assert borne(march) == {"icu": 200, "ward": 800}
    assert borne(april) == {"icu": 250, "ward": 750}


def test_a_ward_that_grew_within_the_month_counts_by_its_days() -> None:
    grown = Department(
        "ward", names("ward"), None, None, Dated((date(2020, 1, 1), date(2026, 3, 17)), (1000.0, 3000.0)),
        Dated.always(None),
    )  # fmt: skip
    found = shared([meter("main")], {"main": 31000}, departments=[department("icu", area=1000), grown])
    # 16 days of a half, 15 days of three quarters
    assert borne(found) == {"icu": 16 * 500 + 15 * 250, "ward": 16 * 500 + 15 * 750}


def test_a_meter_that_changed_hands_within_the_month_is_shared_by_days() -> None:
    serves = Dated((date(2020, 1, 1), date(2026, 3, 11)), (("icu",), ("ward",)))
    machines = [meter("main"), meter("em", fed_by=["main"], serves=serves)]
    assert borne(shared(machines, {"main": 3100, "em": 3100})) == {"icu": 1000, "ward": 2100}


def test_branches_that_exceed_their_main_are_taken_down_to_it_and_told() -> None:
    machines = [*MAIN, meter("em-ward", fed_by=["main"], serves=["ward"])]
    found = shared(machines, {"main": 3000, "em-icu": 1000, "em-ward": 3000})
    assert borne(found) == {"icu": 750, "ward": 2250}
    assert codes(found) == ["branches-exceed-main"]


def test_a_main_with_a_gap_is_taken_up_to_its_branches() -> None:
    machines = [
        meter("main"),
        meter("fd", fed_by=["main"], serves=["icu"]),
        meter("em-icu", fed_by=["fd"], serves=["icu"]),
        meter("em-ward", fed_by=["fd"], serves=["ward"]),
    ]
    gap = MeterUse(2000, measured=0.5, missing=0.5)
    found = shared(machines, {"main": 4000, "fd": gap, "em-icu": 1000, "em-ward": 3000})
    assert borne(found) == {"icu": 1000, "ward": 3000}
    assert codes(found) == ["raised-to-branches"]


def test_a_meter_of_which_nothing_is_known_leaves_its_use_in_the_rest() -> None:
    found = shared(MAIN, {"main": 8000})
    assert borne(found) == {"icu": 1000, "theatre": 3000, "ward": 4000}
    assert codes(found) == ["meter-unknown"]


def test_the_bill_is_believed_before_the_meter_of_supply() -> None:
    found = shared(MAIN, {"main": 8000, "em-icu": 1000}, bought=9000)
    assert found.amount == 9000
    assert row(found, "icu").direct == 1000
    assert codes(found) == ["bill-differs-from-meter"]
    found = shared(MAIN, {"main": 8000, "em-icu": 1000}, bought=4000)
    assert (found.amount, row(found, "icu").direct) == (4000, 1000)
    found = shared(MAIN, {"main": 8000, "em-icu": 1000}, bought=400)
    assert borne(found) == {"icu": 400}


def test_a_main_that_stood_still_does_not_take_the_branches_with_it() -> None:
    machines = [*MAIN, meter("em-ward", fed_by=["main"], serves=["ward"])]
    found = shared(machines, {"main": 0, "em-icu": 1000, "em-ward": 3000}, bought=4000)
    assert borne(found) == {"icu": 1000, "ward": 3000}


def test_what_a_generator_made_is_shared_too_but_was_not_bought() -> None:
    machines = [
        meter("main"),
        meter("gen", "diesel_generator"),
        meter("ats", "transfer_switch", fed_by=["main", "gen"]),
        meter("fd", fed_by=["ats"], serves=["icu"]),
    ]
    found = shared(machines, {"main": 900, "gen/energy_export": 100, "fd": 1000})
    assert (found.bought, found.made, found.amount) == (900, 100, 1000)
    assert borne(found) == {"icu": 1000}


def test_without_departments_nobody_bears_it_and_that_is_told() -> None:
    found = shared([meter("main")], {"main": 500}, departments=[], charges=[Charge("energy", 100)])
    assert borne(found) == {None: 500}
    assert found.rows[0].cents == 100
    assert codes(found) == ["unallocated"]


def test_a_bill_without_any_use_is_shared_as_the_rest_is() -> None:
    found = shared([meter("main")], {"main": 0}, charges=[Charge("basic", 8000)])
    assert {r.department: r.cents for r in found.rows} == {"icu": 1000, "theatre": 3000, "ward": 4000}
    assert codes(found) == ["bill-without-use"]


def test_energy_is_paid_by_when_it_was_used_and_the_basic_charge_by_the_rule() -> None:
    machines = [
        meter("main"),
        meter("a", fed_by=["main"], serves=["icu"]),
        meter("b", fed_by=["main"], serves=["ward"]),
    ]
    uses = {
        "main": MeterUse(2000, cost=1500, peak=500),
        "a": MeterUse(1000, cost=500, peak=0),  # by night
        "b": MeterUse(1000, cost=1000, peak=500),
    }
    charges = [Charge("energy", 150_000), Charge("basic", 60_000, "peak"), Charge("power factor", -1_000)]
    found = shared(machines, uses, charges=charges)
    assert row(found, "icu").charges == {"energy": 50_000, "basic": 0, "power factor": -333}
    assert row(found, "ward").charges == {"energy": 100_000, "basic": 60_000, "power factor": -667}
    assert found.total_cents == 209_000
    by_use = shared(machines, uses, charges=[Charge("basic", 60_000, "use")])
    assert [r.cents for r in by_use.rows] == [30_000, 30_000]


def test_a_meter_without_steps_pays_the_mean_price() -> None:
    machines = [
        meter("main"),
        meter("a", fed_by=["main"], serves=["icu"]),
        meter("b", fed_by=["main"], serves=["ward"]),
    ]
    uses = {"main": MeterUse(2000, cost=1500), "a": MeterUse(1000, cost=700), "b": MeterUse(1000)}
    found = shared(machines, uses, charges=[Charge("energy", 145_000)])
    assert [r.cents for r in found.rows] == [70_000, 75_000]


def test_each_row_says_how_much_of_it_was_measured() -> None:
    uses = {"main": MeterUse(2000, measured=1.0), "em-icu": MeterUse(1000, measured=0.6, estimated=0.4)}
    icu = row(shared(MAIN, uses, AllocationRules(rest=Share(None, ("icu",)))), "icu")
    assert (icu.measured, icu.estimated) == (pytest.approx(0.8), pytest.approx(0.2))


def test_cost_centres_add_up_their_departments() -> None:
    found = shared([meter("main")], {"main": 8000}, charges=[Charge("energy", 800)])
    assert found.by_cost_centre() == {"3107": (5000, 500), "3112": (3000, 300)}


def test_the_parts_of_a_row_say_from_which_meter_and_by_what() -> None:
    icu = row(shared(MAIN, {"main": 9000, "em-icu": 1000}), "icu").parts
    assert [(p.source, p.meters, p.by, p.amount) for p in icu] == [
        ("direct", ("em-icu",), None, 1000),
        ("rest", ("main",), "floor_area", 1000),
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"bought": -1.0}, "zero or more"),
        ({"bought": float("nan")}, "zero or more"),
        ({"charges": [Charge("a", 1), Charge("a", 2)]}, "one code"),
    ],
)
def test_what_makes_no_sense_is_refused(more: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        shared(MAIN, {"main": 1}, **more)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    found = hospital(MAIN, WARDS)
    with pytest.raises(ValueError, match="before it begins"):
        allocate(found.site, found.registers, "electricity", MARCH[1], MARCH[0], {})


def test_uses_are_summed_with_their_cost_and_their_grade() -> None:
    steps = Intervals(0, np.array([1.0, 2.0, 3.0, np.nan]), np.array([MEASURED, MEASURED, ESTIMATED, MISSING], np.int8))
    prices, dear = np.array([1.0, 1.0, 0.5, 9.0]), np.array([False, True, True, True])
    use = meter_uses({"a": steps}, prices, dear)["a"]
    assert (use.amount, use.cost, use.peak) == (6.0, 4.5, 5.0)
    assert (use.measured, use.estimated, use.missing) == (0.5, 0.25, 0.25)


def test_prices_of_other_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        meter_uses({"a": Intervals.missing(0, 4 * STEP_US)}, np.ones(3))


def test_it_can_be_kept_as_json() -> None:
    data = shared(MAIN, {"main": 9000, "em-icu": 1000}, charges=[Charge("energy", 900_000)]).to_json()
    assert data["rows"][0]["charges"] == {"energy": 200_000}
    assert data["rows"][0]["parts"][0]["meters"] == ["em-icu"]
    assert sum(r["cents"] for r in data["rows"]) == data["total_cents"]
    assert sum(c["cents"] for c in data["cost_centres"]) == data["total_cents"]
