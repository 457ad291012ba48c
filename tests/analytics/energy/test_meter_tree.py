"""Which meters hang below which, and count what others count again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from analytics.energy.meter_tree import MeterTree, meter_tree
from facility.metering import booked_registers
from facility.site_file import load_site
from tests.analytics.energy.supply import hospital, meter

EXAMPLES = Path(__file__).parents[3] / "examples"


def tree(*machines, carrier="electricity", during=None) -> MeterTree:
    found = hospital(machines)
    return meter_tree(found.site, found.registers, carrier, during)


def groups(found: MeterTree) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(g.parents, g.children) for g in found.groups]


def test_a_main_and_its_branches_are_a_group() -> None:
    found = tree(meter("main"), meter("a", fed_by=["main"]), meter("b", fed_by=["main"]))
    assert groups(found) == [(("main",), ("a", "b"))]
    assert found.sources == ("main",)
    assert found.problems == ()


def test_a_machine_without_a_register_is_looked_through() -> None:
    found = tree(meter("main"), meter("ats", "transfer_switch", fed_by=["main"]), meter("a", fed_by=["ats"]))
    assert groups(found) == [(("main",), ("a",))]


def test_two_mains_into_one_tank_are_one_group() -> None:
    found = tree(
        meter("w1", "water_meter"),
        meter("w2", "water_meter"),
        meter("tank", "water_tank", fed_by=["w1", "w2"]),
        meter("a", "water_meter", fed_by=["tank"]),
        meter("b", "water_meter", fed_by=["w2"]),
        carrier="water",
    )
    assert groups(found) == [(("w1", "w2"), ("a", "b"))]


def test_a_chiller_does_not_pass_its_electricity_on_to_the_air_handlers() -> None:
    found = tree(
        meter("main"),
        meter("ch1", "chiller", fed_by=["main"]),
        meter("ahu", "air_handling_unit", fed_by=["main", "ch1"]),
    )
    assert groups(found) == [(("main",), ("ch1", "ahu"))]


def test_a_pump_that_hangs_on_its_drive_is_not_fed_past_it() -> None:
    found = tree(meter("main"), meter("vfd", "vfd", fed_by=["main"]), meter("pump", "pump", fed_by=["main", "vfd"]))
    assert groups(found) == [(("main",), ("vfd",)), (("vfd",), ("pump",))]


def test_what_a_machine_makes_is_a_supply() -> None:
    found = tree(meter("b1", "gas_steam_boiler"), meter("sm", "steam_meter", fed_by=["b1"]), carrier="steam")
    assert found.sources == ("b1",)
    assert groups(found) == [(("b1",), ("sm",))]
    assert [c.key for c in found.nodes["b1"].passed] == ["b1/steam_total"]


def test_what_flows_back_through_a_meter_is_taken_off() -> None:
    node = tree(meter("main", export=True)).nodes["main"]
    assert {c.key: c.sign for c in node.used} == {"main/energy_import": 1.0, "main/energy_export": -1.0}
    assert node.used == node.passed
    assert not node.makes


def test_liquid_oxygen_is_a_supply_that_nobody_meters() -> None:
    found = tree(
        meter("psa", "psa_oxygen_generator"),
        meter("lox", "liquid_oxygen_tank"),
        meter("outlet", "oxygen_outlet_station", fed_by=["psa", "lox"]),
        carrier="oxygen",
    )
    assert found.groups[0].unmetered_sources == ("lox",)


def test_a_consumer_below_no_meter_is_left_out_and_told() -> None:
    found = tree(meter("main"), meter("pump", "pump"))
    assert found.loose == ("pump",)
    assert "fed_by" in str(found.problems[0])
    assert not found.problems[0].blocking


def test_meters_that_are_not_in_service_are_left_out() -> None:
    machines = [
        meter("main"),
        meter("old", fed_by=["main"], until=date(2026, 2, 28)),
        meter("new", fed_by=["main"], since=date(2026, 3, 31)),
        meter("later", fed_by=["main"], since=date(2026, 4, 1)),
    ]
    found = tree(*machines, during=(date(2026, 3, 1), date(2026, 3, 31)))
    assert groups(found) == [(("main",), ("new",))]


def test_a_circle_is_told_and_the_rest_stands() -> None:
    found = tree(
        meter("main"),
        meter("a", fed_by=["main"]),
        meter("x", fed_by=["y"]),
        meter("y", fed_by=["x"]),
        meter("below", fed_by=["y"]),
    )
    assert groups(found) == [(("main",), ("a",)), (("y",), ("below",))]
    assert [p.code for p in found.problems if p.blocking] == ["supply-circle"]
    assert "x, y" in str(found.problems[0])


def test_groups_that_feed_each_other_become_one() -> None:
    # r hangs on c1, and feeds c2 together with s, which stands beside the mains of c1: nobody can cut between them.
    found = tree(
        meter("p"),
        meter("q"),
        meter("s"),
        meter("c1", fed_by=["p", "q"]),
        meter("c3", fed_by=["q", "s"]),
        meter("r", fed_by=["c1"]),
        meter("c2", fed_by=["s", "r"]),
    )
    assert groups(found) == [(("p", "q", "s"), ("c3", "c2"))]


def test_a_chain_of_thousands_is_no_recursion() -> None:
    machines = [meter("m0")] + [meter(f"m{i}", fed_by=[f"m{i - 1}"]) for i in range(1, 3000)]
    assert len(tree(*machines).groups) == 2999


@pytest.mark.parametrize("folder", ["hospital", "small"])
@pytest.mark.parametrize("carrier", ["electricity", "water", "gas", "heat", "steam", "oxygen"])
def test_in_the_example_hospitals_every_register_has_a_place(folder: str, carrier) -> None:
    site = load_site(EXAMPLES / folder)
    found = meter_tree(site, booked_registers(site), carrier)
    children = [c for g in found.groups for c in g.children]
    assert len(children) == len(set(children))
    assert set(found.nodes) == {*found.sources, *found.loose, *children}
    assert not any(p.blocking for p in found.problems)
