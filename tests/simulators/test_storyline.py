"""The small site's storyline holds what a demo must show."""

from __future__ import annotations

from functools import cache

import numpy as np

from facility.site import Site
from simulators.fault_catalogue import find_fault
from simulators.hospital import Hospital
from simulators.scenario import Scenario, load_scenario
from tests.simulators.conftest import DAY_US, ROOT, WEDNESDAY_US, minutes
from tests.simulators.trial import small_site

_US = 1_000_000


@cache
def storyline() -> Scenario:
    return load_scenario(ROOT / "examples/small/scenarios/storyline.yaml", small_site())


def test_a_life_safety_fault_comes_within_a_minute_waste_and_a_creeping_one_follow_and_one_is_repaired() -> None:
    live = [e for e in storyline().events(0) if 0 <= e.start_us < 600 * _US]
    first = min(live, key=lambda event: event.start_us)
    assert first.start_us <= 60 * _US
    assert find_fault(first.fault).life_safety
    assert any(event.end_us is not None and event.end_us <= 600 * _US for event in live)
    assert any(find_fault(event.fault).waste for event in live)
    assert any(find_fault(event.fault).onset.kind == "creeping" for event in live)


def test_the_life_safety_fault_crosses_its_limit_within_a_minute_at_any_hour(site: Site) -> None:
    for hour in range(0, 24, 3):
        start = WEDNESDAY_US + hour * DAY_US // 24
        hospital = Hospital(site, 1, storyline().events(start))
        hospital.step(start)
        shown = [hospital.step(start + second * 1_000_000)["oz-icu/pressure"] for second in (60, 90, 120)]
        # GB 50751-2012, 7.1.4: 320 kPa.
        assert max(shown) < 320.0, hour


def test_history_holds_a_running_tap_of_ten_nights_and_a_month_of_low_power_factor(site: Site) -> None:
    now = WEDNESDAY_US
    values = Hospital(site, 1, storyline().events(now)).run(minutes(now - 14 * DAY_US, 14 * 1440))
    nights = [values["w-outpatient/flow"][d * 1440 + 120 : d * 1440 + 240].min() for d in range(14)]
    assert min(nights[5:]) > max(nights[:3]) + 0.3
    p = np.diff(values["hv1/energy_import"][[2880, -1]])[0]
    q = np.diff(values["hv1/reactive_energy_import"][[2880, -1]])[0]
    assert p / np.hypot(p, q) < 0.88
