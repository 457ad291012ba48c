"""What virtual meters counted, and how good it is."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US, Intervals
from analytics.energy.virtual import computed, inputs_of, means_by_step
from facility.calendar import to_us
from facility.names import Names
from facility.virtual_meters import Input, VirtualMeter, compile_meter

ZONE = ZoneInfo("Asia/Shanghai")
T0 = to_us(datetime(2026, 3, 2, tzinfo=ZONE))
KNOWN = {
    "em-a": Input("register", "em-a/energy_import", "kWh"),
    "em-b": Input("register", "em-b/energy_import", "kWh"),
    "fd-1/active_power": Input("point", "fd-1/active_power", "W"),
    "v0": Input("virtual", "v0", "MWh"),
}


def virtual(name: str, text: str, unit: str = "kWh", since: datetime | None = None) -> VirtualMeter:
    formula = compile_meter(text, unit, KNOWN)
    inputs = {p: KNOWN.get(p, Input("hours", "h", "h")) for p in formula.points}
    day = since.date() if since else None
    return VirtualMeter(name, Names(zh="虚", en="V"), "electricity", unit, formula, inputs, day)


def steps(words: str) -> Intervals:
    """Read `1 2e _`: measured 1, estimated 2, missing."""
    used = [math.nan if w == "_" else float(w.rstrip("e")) for w in words.split()]
    grade = [MISSING if w == "_" else ESTIMATED if w.endswith("e") else MEASURED for w in words.split()]
    return Intervals(T0, np.array(used), np.array(grade, dtype=np.int8))


def told(found: Intervals) -> str:
    words = {MEASURED: "", ESTIMATED: "e", MISSING: ""}
    return " ".join(
        "_" if math.isnan(u) else f"{u:g}{words[int(g)]}" for u, g in zip(found.used, found.grade, strict=True)
    )


def result(*meters: VirtualMeter, n: int = 4, a: str = "10 10 10 10", b: str = "1 2e _ 4") -> dict[str, str]:
    used = {"em-a/energy_import": steps(a), "em-b/energy_import": steps(b)}
    means = {"fd-1/active_power": np.array([8000.0, math.nan, 4000.0, 0.0])}
    found = computed({m.id: m for m in meters}, used, means, T0, T0 + n * STEP_US, ZONE)
    return {name: told(i) for name, i in found.items()}


def test_a_step_is_as_good_as_the_worst_of_its_meters() -> None:
    assert result(virtual("v", "em-a - 0.5 * em-b")) == {"v": "9.5 9e _ 8"}


def test_a_load_counts_by_the_length_of_the_step() -> None:
    assert result(virtual("v", "em-a + 12 kW * h")) == {"v": "13 13 13 13"}


def test_a_load_that_nobody_measures_is_estimated() -> None:
    assert result(virtual("v", "12 kW * h"))["v"] == "3e 3e 3e 3e"


@pytest.mark.filterwarnings("error")
def test_what_no_number_can_hold_is_missing() -> None:
    assert result(virtual("v", "em-a * 1e308"), b="0 0 0 0")["v"] == "_ _ _ _"


def test_a_gauge_counts_by_its_mean_in_the_unit_of_the_meter() -> None:
    # 8000 W over a quarter of an hour are 2 kWh.
    assert result(virtual("v", "fd-1/active_power * h")) == {"v": "2 _ 1 0"}


def test_a_virtual_meter_may_use_another_in_another_unit() -> None:
    assert result(virtual("v0", "em-a", "MWh"), virtual("v", "v0 + em-a"))["v"] == "20 20 20 20"


def test_the_larger_of_two_is_missing_where_one_is() -> None:
    assert result(virtual("v", "max(em-a, em-b)")) == {"v": "10 10e _ 10"}


def test_a_division_by_nothing_is_missing() -> None:
    assert result(virtual("v", "em-a * em-b / em-b"), b="1 0 2 2") == {"v": "10 _ 10 10"}


def test_before_its_first_day_it_counts_nothing_that_is_known() -> None:
    tomorrow = datetime(2026, 3, 3, tzinfo=ZONE)
    assert result(virtual("v", "em-a", since=tomorrow)) == {"v": "_ _ _ _"}
    assert result(virtual("v", "em-a", since=datetime(2026, 3, 2, tzinfo=ZONE))) == {"v": "10 10 10 10"}


def test_a_difference_may_fall_below_zero() -> None:
    assert result(virtual("v", "em-b - em-a"), b="1 1 1 1") == {"v": "-9 -9 -9 -9"}


def test_what_is_not_handed_over_is_missing() -> None:
    found = computed({"v": virtual("v", "em-a + fd-1/active_power * h")}, {}, {}, T0, T0 + 2 * STEP_US, ZONE)
    assert told(found["v"]) == "_ _"


def test_time_beyond_the_registers_is_missing() -> None:
    assert result(virtual("v", "em-a"), n=6) == {"v": "10 10 10 10 _ _"}


def test_the_inputs_of_all_are_named_once() -> None:
    both = [virtual("v", "em-a + fd-1/active_power * h"), virtual("w", "em-a - em-b")]
    assert inputs_of(both) == (("em-a/energy_import", "em-b/energy_import"), ("fd-1/active_power",))


def test_means_stand_in_their_steps_and_nowhere_else() -> None:
    times = np.array([T0 - STEP_US, T0, T0 + 2 * STEP_US, T0 + 9 * STEP_US])
    found = means_by_step(times, np.array([9.0, 1.0, 3.0, 9.0]), T0, T0 + 4 * STEP_US)
    np.testing.assert_array_equal(found, [1.0, math.nan, 3.0, math.nan])


def test_means_of_other_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 4 steps"):
        computed(
            {"v": virtual("v", "fd-1/active_power * h")}, {}, {"fd-1/active_power": np.zeros(3)}, T0,
            T0 + 4 * STEP_US, ZONE,
        )  # fmt: skip
    with pytest.raises(ValueError, match="whole steps"):
        computed({}, {}, {}, T0 + 1, T0 + STEP_US, ZONE)
