"""Who supplies whom: the lowest meter that serves a department, and machines on their normal source."""

from __future__ import annotations

from datetime import date

from facility.site import Site
from simulators.supply import supply_tree

ELECTRIC = frozenset({"hv_incomer", "dry_type_transformer", "lv_feeder", "electricity_meter"})
TODAY = date(2026, 1, 14)


def test_a_department_hangs_on_its_own_meter_where_it_has_one_and_else_on_its_feeder(site: Site) -> None:
    share = supply_tree(site, ELECTRIC, TODAY).share
    assert share["icu"] == ("em-icu",)
    assert share["ward-medical"] == ("fd-wards",)


def test_every_machine_comes_before_what_feeds_it(site: Site) -> None:
    tree = supply_tree(site, ELECTRIC, TODAY)
    place = {name: i for i, name in enumerate(tree.order)}
    assert all(place[child] < place[above] for child, above in tree.parent.items() if child in place)
    assert tree.order[-1] == "hv1"


def test_machines_of_other_carriers_hang_on_the_first_source_of_this_one(site: Site) -> None:
    tree = supply_tree(site, ELECTRIC, TODAY)
    assert tree.parent["bp1"] == "fd-plant"
    assert "cap1" in tree.children("tx1")
    water = supply_tree(site, frozenset({"water_meter", "pump"}), TODAY)
    assert water.parent["bp1"] == "w-main"
    assert water.parent["fw1"] == "w-services"
