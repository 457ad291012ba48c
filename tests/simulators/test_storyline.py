"""The demo's storyline holds what a demo must show."""

from __future__ import annotations

import numpy as np
import pytest

from facility.site import Site
from simulators.fault_catalogue import UnknownFault, find_fault
from simulators.faults import FaultBook
from simulators.hospital import Hospital
from simulators.storyline import DEMO, HISTORY, Turn, events
from tests.simulators.conftest import DAY_US, WEDNESDAY_US, minutes


def test_every_turn_fits_the_demos_site(site: Site) -> None:
    told = events((*HISTORY, *DEMO), site, WEDNESDAY_US)
    assert len(told) == len(HISTORY) + len(DEMO)
    FaultBook(site, told)


def test_a_life_safety_fault_comes_within_a_minute_and_one_fault_is_repaired() -> None:
    first = min(DEMO, key=lambda turn: turn.after_s)
    assert first.after_s <= 60.0
    assert find_fault(first.fault).life_safety
    assert any(turn.until_s is not None for turn in DEMO)
    assert any(find_fault(turn.fault).waste for turn in DEMO)


def test_the_life_safety_fault_crosses_its_limit_within_a_minute_at_any_hour(site: Site) -> None:
    for hour in range(0, 24, 3):
        start = WEDNESDAY_US + hour * DAY_US // 24
        hospital = Hospital(site, 1, events(DEMO, site, start))
        hospital.step(start)
        shown = [hospital.step(start + second * 1_000_000)["oz-icu/pressure"] for second in (60, 90, 120)]
        # GB 50751-2012, 7.1.4: 320 kPa.
        assert max(shown) < 320.0, hour


def test_history_holds_a_running_tap_of_ten_nights_and_a_month_of_low_power_factor(site: Site) -> None:
    now = WEDNESDAY_US
    values = Hospital(site, 1, events(HISTORY, site, now)).run(minutes(now - 14 * DAY_US, 14 * 1440))
    nights = [values["w-outpatient/flow"][d * 1440 + 120 : d * 1440 + 240].min() for d in range(14)]
    assert max(nights[:3]) < 0.2
    assert min(nights[5:]) > 0.4
    p = np.diff(values["hv1/energy_import"][[2880, -1]])[0]
    q = np.diff(values["hv1/reactive_energy_import"][[2880, -1]])[0]
    assert p / np.hypot(p, q) < 0.88


def test_machines_that_a_site_lacks_are_left_out_and_unknown_faults_are_told(site: Site) -> None:
    assert events([Turn(0.0, "MG-F02", "nobody", 0.5, None)], site, 0) == []
    with pytest.raises(UnknownFault, match="MG-F99"):
        events([Turn(0.0, "MG-F99", "oz-icu", 0.5, None)], site, 0)
