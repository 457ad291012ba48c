"""How long machines ran, for rules that share by it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.energy.run_hours import counters_wanted, hours_of, hours_run
from facility.allocation_rules import AllocationRules, Share


@pytest.mark.parametrize(
    ("readings", "hours"),
    [
        ([100.0, 110.0, 134.0], 34.0),
        ([100.0, np.nan, 134.0], 34.0),
        ([100.0, 110.0, 2.0, 5.0], 13.0),  # set back to zero
        ([100.0], 0.0),
        ([], 0.0),
    ],
)
def test_a_counters_rises_are_the_hours(readings: list[float], hours: float) -> None:
    assert hours_run(np.array(readings)) == hours


def test_only_machines_that_a_rule_asks_for_are_looked_at() -> None:
    rules = AllocationRules({"fd": Share("running_hours", (), ("l1", "l2")), "x": Share("beds")})
    wanted = counters_wanted(rules)
    assert wanted == {"l1": "l1/run_hours", "l2": "l2/run_hours"}
    assert hours_of(wanted, {"l1/run_hours": np.array([1.0, 9.0]), "l2/run_hours": np.array([4.0])}) == {"l1": 8.0}
