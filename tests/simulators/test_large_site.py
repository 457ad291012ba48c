"""The large hospital of the demo: as large as it says, supplied in every department, healthy, and with a storyline."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from facility.site import Site
from facility.site_file import load_site
from simulators.fault_catalogue import find_fault
from simulators.hospital import Hospital
from simulators.scenario import load_scenario
from tests.simulators.conftest import ROOT, minutes
from tests.simulators.test_hospital import fired

_US = 1_000_000


@pytest.fixture(scope="module")
def large() -> Site:
    return load_site(ROOT / "examples" / "hospital")


def test_it_is_as_large_as_it_says(large: Site) -> None:
    size = large.sizes.latest
    areas = [d.floor_area_m2.latest for d in large.departments.values()]
    beds = [d.beds.latest for d in large.departments.values()]
    assert (size.beds, size.floor_area_m2) == (800.0, 98_000.0)
    assert sum(b or 0.0 for b in beds) == size.beds
    assert sum(a or 0.0 for a in areas) == size.floor_area_m2
    assert len(large.departments) == 40
    assert len(large.equipment) >= 120
    assert len(large.points) >= 1200


def test_every_department_is_supplied_and_every_room_has_a_machine(large: Site) -> None:
    served = {d for item in large.equipment.values() for d in item.serves.latest}
    assert served == set(large.departments)
    assert {item.room for item in large.equipment.values()} == set(large.rooms)


def test_it_has_tariffs_shifts_and_contractors(large: Site) -> None:
    assert set(large.tariffs) == {"electricity", "water", "gas", "oxygen", "steam", "heat"}
    assert large.shifts
    assert large.contractors


@pytest.mark.parametrize("day", ["2026-01-14", "2026-07-15"])
def test_well_it_shows_every_point_and_breaks_no_limit(large: Site, day: str) -> None:
    start_us = int(datetime.fromisoformat(day).replace(tzinfo=large.time_zone).timestamp()) * _US
    values = Hospital(large, seed=3).run(minutes(start_us, 1440))
    measured = {a.key for a in large.points.addresses if a.kind != "derived"}
    assert set(values) == measured
    assert all(np.isfinite(value).all() for value in values.values())
    plants = [
        item for item in large.equipment.values() if item.cls.id != "weather_station"
    ]  # frost and heat are no fault
    assert [line for item in plants for line in fired(item, values, 60.0)] == []


def test_its_storyline_has_life_safety_waste_what_creeps_and_what_is_repaired_within_ten_minutes(large: Site) -> None:
    storyline = load_scenario(ROOT / "examples/hospital/scenarios/storyline.yaml", large)
    events = storyline.events(0)
    live = [e for e in events if 0 <= e.start_us < 600 * _US]
    first = min(live, key=lambda event: event.start_us)
    assert first.start_us <= 60 * _US
    assert find_fault(first.fault).life_safety
    assert any(find_fault(event.fault).waste for event in live)
    assert any(find_fault(event.fault).onset.kind == "creeping" for event in live)
    assert any(event.end_us is not None and event.end_us <= 600 * _US for event in live)
    assert any(find_fault(event.fault).waste for event in events if event.start_us < 0)
