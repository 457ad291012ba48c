"""Main against branches, and which meter is most likely wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.energy.balance import balance
from analytics.energy.balance_figures import Balance, BalanceRow
from analytics.energy.intervals import Totals
from facility.calendar import at_us
from facility.site import Equipment
from tests.analytics.energy.supply import DAYS, department, hospital, meter

FIRST = DAYS[0]
WARDS = [department("icu", area=1000), department("theatre", area=2000)]


def course(level: float, seed: int, days: int = 31) -> np.ndarray:
    """Return a month's days of one user, with weekends and chance of its own."""
    rng = np.random.default_rng(seed)
    d = np.arange(days)
    return level * np.where(d % 7 >= 5, rng.uniform(0.4, 1.2), 1.0) * np.exp(0.1 * rng.standard_normal(days))


def daily(amount: np.ndarray, missing: np.ndarray | None = None) -> Totals:
    zone = hospital([]).site.time_zone
    edges = np.array([at_us(FIRST + timedelta(days=i), 0, zone) for i in range(amount.size + 1)], dtype=np.int64)
    gaps = np.zeros(amount.size) if missing is None else missing
    return Totals(edges, amount, 1.0 - gaps, np.zeros(amount.size), gaps)


def balanced(machines: list[Equipment], amounts: Mapping[str, np.ndarray | Totals], departments=(), **more) -> Balance:
    found = hospital(machines, departments)
    totals = {
        k if "/" in k else f"{k}/energy_import": v if isinstance(v, Totals) else daily(v) for k, v in amounts.items()
    }
    return balance(found.site, found.registers, more.pop("carrier", "electricity"), FIRST, totals, **more)


def only(found: Balance) -> BalanceRow:
    assert len(found.rows) == 1
    return found.rows[0]


MAIN = [meter("main"), meter("a", fed_by=["main"]), meter("b", fed_by=["main"]), meter("c", fed_by=["main"])]
USE = {n: course(level, i) for i, (n, level) in enumerate({"a": 300.0, "b": 500.0, "c": 900.0}.items())}
TRUE = USE["a"] + USE["b"] + USE["c"]


@pytest.mark.parametrize(
    ("factor", "finding"),
    [
        (1.0, "balanced"),
        (1.03, "balanced"),  # cables
        (1.06, "loss"),
        (0.995, "balanced"),  # accuracy
        (0.96, "gain"),
    ],
)
def test_main_and_branches_balance_within_losses_and_accuracy(factor: float, finding: str) -> None:
    assert only(balanced(MAIN, {"main": TRUE * factor, **USE})).finding == finding


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5)), min_size=1, max_size=40))
def test_the_loss_is_the_difference_of_the_figures_that_are_shown(days: list[tuple[float, float, float]]) -> None:
    main, a, b = (np.array(column) for column in zip(*days, strict=True))
    row = only(balanced(MAIN[:3], {"main": main, "a": a, "b": b}))
    assert round(row.loss * 10) == round(row.fed * 10) - round(row.used * 10)
    assert round(row.fed * 10) == sum(round(m.amount * 10) for m in row.parents)
    assert round(row.used * 10) == sum(round(m.amount * 10) for m in row.children)


def test_a_day_on_which_a_meter_has_a_gap_is_not_compared() -> None:
    gap = np.zeros(31)
    gap[4] = 0.5
    half = USE["a"].copy()
    half[4] *= 0.5
    row = only(balanced(MAIN, {"main": TRUE * 1.01, "b": USE["b"], "c": USE["c"], "a": daily(half, gap)}))
    assert (row.days, row.days_known, row.finding) == (31, 30, "balanced")
    assert row.fed == pytest.approx(TRUE.sum() * 1.01 - TRUE[4] * 1.01, abs=0.1)
    assert next(m for m in row.children if m.node == "a").missing == pytest.approx(0.5 / 31)


def test_a_main_of_which_nothing_is_known_cannot_be_balanced() -> None:
    row = only(balanced(MAIN, USE))
    assert row.finding == "cannot_tell"
    assert "main" in row.words.en


def test_a_branch_of_which_nothing_is_known_is_named_and_no_loss_is_claimed() -> None:
    row = only(balanced(MAIN, {"main": TRUE, "a": USE["a"], "b": USE["b"]}))
    assert (row.finding, row.absent) == ("unmetered", ("c",))
    assert row.suspect is None
    assert "c" in row.words.en


def test_departments_without_a_meter_below_make_an_excess_no_loss() -> None:
    machines = [meter("main", serves=["icu", "theatre"]), meter("a", fed_by=["main"], serves=["icu"])]
    row = only(balanced(machines, {"main": TRUE, "a": USE["a"]}, WARDS))
    assert (row.finding, row.unmetered) == ("unmetered", ("theatre",))


def test_a_machine_of_a_department_is_no_meter_of_it() -> None:
    machines = [meter("main", serves=["icu"]), meter("ahu", "air_handling_unit", fed_by=["main"], serves=["icu"])]
    row = only(balanced(machines, {"main": TRUE, "ahu": USE["a"]}, WARDS))
    assert (row.finding, row.unmetered) == ("unmetered", ("icu",))


def test_machines_without_a_meter_are_named() -> None:
    machines = [*MAIN, meter("ups", "ups", fed_by=["main"]), meter("cap", "capacitor_bank", fed_by=["main"])]
    row = only(balanced(machines, {"main": TRUE * 1.2, **USE}))
    assert (row.finding, row.unmetered_machines) == ("unmetered", ("ups",))
    assert "ups" in row.words.en


def test_a_transformers_losses_are_expected() -> None:
    rating = {"power": 1600.0, "no_load_loss": 1.96, "load_loss": 11.73}
    machines = [meter("hv", "hv_incomer"), meter("tx", "dry_type_transformer", fed_by=["hv"], rating=rating)]
    used = course(800 * 24, 1)
    load = used / (24 * 1600 * 0.95)
    lost = 24 * (1.96 + 11.73 * load**2 * 1.1)
    row = only(balanced(machines, {"hv": used + lost, "tx": used}))
    assert row.finding == "balanced"
    assert row.expected_low < lost.sum() < row.expected_high


def test_two_mains_together_feed_what_hangs_on_both() -> None:
    machines = [
        meter("w1", "water_meter"),
        meter("w2", "water_meter"),
        meter("a", "water_meter", fed_by=["w1", "w2"]),
    ]
    use = {"w1/volume_total": course(40, 1), "w2/volume_total": course(60, 2)}
    row = only(balanced(machines, {**use, "a/volume_total": sum(use.values())}, carrier="water"))
    assert row.id == "w1+w2"
    assert row.finding == "balanced"


def test_liquid_oxygen_beside_the_generators_makes_a_gain_no_fault() -> None:
    machines = [
        meter("psa", "psa_oxygen_generator"),
        meter("lox", "liquid_oxygen_tank"),
        meter("out", "oxygen_outlet_station", fed_by=["psa", "lox"]),
    ]
    amounts = {"psa/oxygen_total": course(100, 1), "out/oxygen_total": course(150, 2)}
    assert only(balanced(machines, amounts, carrier="oxygen")).finding == "balanced"


def test_what_the_sun_gave_back_lessens_what_the_branches_took() -> None:
    machines = [meter("main"), meter("a", fed_by=["main"]), meter("roof", fed_by=["main"], export=True)]
    sun = course(100, 5)
    amounts = {"main": USE["a"] - sun, "a": USE["a"], "roof": np.zeros(31), "roof/energy_export": sun}
    row = only(balanced(machines, amounts))
    assert row.finding == "balanced"
    assert next(m for m in row.children if m.node == "roof").amount == pytest.approx(-sun.sum(), abs=0.1)


def test_a_register_in_another_unit_is_converted_and_one_that_does_not_fit_is_told() -> None:
    machines = [meter("main", unit="MWh"), meter("a", fed_by=["main"])]
    found = balanced(machines, {"main": USE["a"] / 1000, "a": USE["a"]}, unit="kWh")
    assert only(found).finding == "balanced"
    machines = [meter("main"), meter("a", fed_by=["main"], unit="m³")]
    found = balanced(machines, {"main": USE["a"], "a": USE["a"]})
    assert only(found).finding == "cannot_tell"
    assert [p.code for p in found.problems] == ["unit-does-not-fit"]


def test_days_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="same days"):
        balanced(MAIN[:2], {"main": TRUE, "a": USE["a"][:20]})


def test_a_circle_is_told_and_the_rest_is_balanced() -> None:
    machines = [*MAIN, meter("x", fed_by=["y"]), meter("y", fed_by=["x"])]
    found = balanced(machines, {"main": TRUE, **USE, "x": TRUE, "y": TRUE})
    assert [r.finding for r in found.rows] == ["balanced"]
    assert "supply-circle" in [p.code for p in found.problems]


# ---- The meter most likely at fault ----

TREE = [
    meter("main", "hv_incomer"),
    *(meter(n, "lv_feeder", fed_by=["main"]) for n in ("f1", "f2", "f3")),
    *(meter(f"{f}{m}", fed_by=[f]) for f in ("f1", "f2", "f3") for m in "abcd"),
]


def tree_of_meters(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    use = {
        f"f{f}{m}": course(rng.uniform(100, 900), 100 * seed + 10 * f + i)
        for f in (1, 2, 3)
        for i, m in enumerate("abcd")
    }
    for f in ("f1", "f2", "f3"):
        use[f] = sum(v for k, v in use.items() if k[:2] == f) * 1.01
    use["main"] = (use["f1"] + use["f2"] + use["f3"]) * 1.01
    return {k: v * (1 + rng.uniform(-0.005, 0.005)) for k, v in use.items()}


def suspects(found: Balance) -> set[str]:
    return {r.suspect.node for r in found.rows if r.suspect}


@pytest.mark.parametrize("node", ["f1b", "f2", "f3a"])
@pytest.mark.parametrize("factor", [2.0, 0.5, 2 / 3, 1 / 3, -1.0])
def test_a_meter_that_counts_wrongly_is_named_with_its_factor(node: str, factor: float) -> None:
    use = tree_of_meters()
    use[node] = use[node] * factor
    found = balanced(TREE, use)
    assert suspects(found) == {node}
    suspect = next(r.suspect for r in found.rows if r.suspect)
    assert suspect.factor == pytest.approx(factor, rel=0.12)
    assert suspect.confidence >= 0.6
    assert suspect.cause == ("reversed" if factor < 0 else "factor")


@pytest.mark.parametrize(
    ("factor", "words"),
    [(2.0, "ratio"), (2 / 3, "one phase"), (1 / 3, "reversed"), (10.0, "pulse")],
)
def test_a_factor_that_is_known_names_what_to_look_at(factor: float, words: str) -> None:
    use = tree_of_meters()
    use["f2"] = use["f2"] * factor
    suspect = next(r.suspect for r in balanced(TREE, use).rows if r.suspect)
    assert words in suspect.words.en
    assert "balances" in suspect.words.en


def test_a_feeder_is_named_in_both_balances_in_which_it_stands() -> None:
    use = tree_of_meters()
    use["f2"] = use["f2"] * 0.8
    rows = {r.id: r for r in balanced(TREE, use).rows}
    assert rows["main"].finding == "loss"
    assert rows["f2"].finding == "gain"
    assert [rows[r].suspect.node for r in ("main", "f2")] == ["f2", "f2"]


def test_a_fault_that_begins_within_the_month_is_named_with_its_day() -> None:
    use = tree_of_meters()
    use["f3"] = np.where(np.arange(31) >= 15, use["f3"] * 0.5, use["f3"])
    row = next(r for r in balanced(TREE, use).rows if r.suspect)
    assert row.suspect.node == "f3"
    assert abs((row.suspect_since - date(2026, 3, 16)).days) <= 1


@pytest.mark.parametrize("node", ["main", "f1", "f2b"])
def test_a_meter_that_stops_is_named_with_its_day(node: str) -> None:
    use = tree_of_meters()
    use[node] = np.where(np.arange(31) >= 20, 0.0, use[node])
    found = balanced(TREE, use)
    assert suspects(found) == {node}
    row = next(r for r in found.rows if r.suspect)
    assert (row.suspect.cause, row.suspect_since) == ("stopped", date(2026, 3, 21))


def test_a_feeder_that_stops_is_named_though_some_of_its_users_have_no_meter() -> None:
    machines = [m for m in TREE if m.id != "f1"]
    machines.insert(1, meter("f1", "lv_feeder", fed_by=["main"], serves=["icu"]))
    use = tree_of_meters()
    use["f1"] = use["f1"] * 1.5
    use["main"] = (use["f1"] + use["f2"] + use["f3"]) * 1.01
    use["f1"] = np.where(np.arange(31) >= 20, 0.0, use["f1"])
    rows = {r.id: r for r in balanced(machines, use, WARDS).rows}
    assert (rows["main"].suspect.node, rows["main"].suspect.cause) == ("f1", "stopped")


def test_a_main_that_rested_is_not_blamed_for_a_branch_that_counts_wrongly() -> None:
    use = tree_of_meters()
    off = np.arange(31) < 8
    use["main"] = use["main"] - np.where(off, use["f2"], 0.0)
    for name in ("f2", "f2a", "f2b", "f2c", "f2d"):
        use[name] = np.where(off, 0.0, use[name])
    use["f2b"] = use["f2b"] * 0.5
    assert suspects(balanced(TREE, use)) == {"f2b"}


def test_a_machine_that_was_off_is_no_meter_that_stopped() -> None:
    use = tree_of_meters()
    off = np.where(np.arange(31) >= 20, use["f2b"], 0.0)
    for name in ("f2b", "f2", "main"):
        use[name] = use[name] - off
    found = balanced(TREE, use)
    assert suspects(found) == set()
    assert {r.finding for r in found.rows} == {"balanced"}


def test_a_leak_is_blamed_on_no_meter() -> None:
    use = tree_of_meters()
    lost = 0.1 * float(use["f2"].mean())
    for name in ("f2", "main"):
        use[name] = use[name] + lost
    found = balanced(TREE, use)
    row = next(r for r in found.rows if r.id == "f2")
    assert row.finding == "loss"
    assert "true loss" in row.words.en
    assert suspects(found) == set()


def test_a_main_that_counts_too_much_cannot_be_told_from_a_loss() -> None:
    use = tree_of_meters()
    use["main"] = use["main"] * 1.3
    row = balanced(TREE, use).rows[0]
    assert (row.finding, row.suspect) == ("loss", None)
    assert "main" in row.words.en
    assert "loss" in row.words.en


def test_one_branch_alone_cannot_be_told_from_its_main() -> None:
    machines = [meter("main"), meter("a", fed_by=["main"])]
    row = only(balanced(machines, {"main": USE["a"], "a": USE["a"] * 1.2}))
    assert (row.finding, row.suspect) == ("gain", None)
    assert "fit alike" in row.words.en


def test_a_few_days_do_not_tell_which_meter_is_wrong() -> None:
    use = {k: v[:6] for k, v in tree_of_meters().items()}
    use["f2"] = use["f2"] * 0.5
    row = balanced(TREE, use).rows[0]
    assert (row.finding, row.suspect) == ("loss", None)
    assert "6 days" in row.words.en


def test_of_a_hundred_healthy_months_none_is_suspected() -> None:
    for seed in range(100):
        found = balanced(TREE, tree_of_meters(seed))
        assert {r.finding for r in found.rows} == {"balanced"}


def test_users_that_nobody_wrote_down_are_blamed_on_no_meter() -> None:
    blamed = []
    for seed in range(40):
        use = tree_of_meters(seed)
        hidden = course(float(use["f2"].mean()) * 0.12, 9000 + seed)
        for name in ("f2", "main"):
            use[name] = use[name] + hidden
        found = balanced(TREE, use)
        assert "loss" in {r.finding for r in found.rows}
        blamed += suspects(found)
    assert len(blamed) <= 1


def test_a_branch_that_counts_too_little_by_a_factor_of_no_known_cause_may_be_a_user_without_a_meter() -> None:
    use = tree_of_meters()
    use["f1b"] = use["f1b"] * 0.41
    row = next(r for r in balanced(TREE, use).rows if r.id == "f1")
    assert (row.finding, row.suspect) == ("loss", None)
    assert "f1b" in row.words.en
    assert "a user without a meter" in row.words.en


def test_a_feeder_is_not_blamed_for_the_balance_above_it_that_its_error_would_not_close() -> None:
    for seed in range(20):
        use = tree_of_meters(seed)
        use["main"] = use["main"] + course(float(use["main"].mean()) * 0.06, 500 + seed)
        below = course(float(use["f1"].mean()) * 0.3, 700 + seed)
        for name in ("f1", "main"):
            use[name] = use[name] + below
        row = next(r for r in balanced(TREE, use).rows if r.id == "main")
        assert (row.finding, row.suspect) == ("loss", None)


def test_it_can_be_kept_as_json() -> None:
    use = tree_of_meters()
    use["f2"] = use["f2"] * 0.5
    data = balanced(TREE, use).to_json()
    assert data["rows"][0]["suspect"]["node"] == "f2"
    assert data["rows"][0]["loss"] == pytest.approx(data["rows"][0]["fed"] - data["rows"][0]["used"])
    assert data["sources"] == ["main"]
