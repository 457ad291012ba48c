"""What is usual for a register, learnt from its own readings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.energy.habits import HOUR_US, learn_pace
from analytics.energy.intervals import STEP_US

MINUTE_US = 60_000_000


def readings(steps: list[float], every_us: int = STEP_US) -> tuple[np.ndarray, np.ndarray]:
    count = np.concatenate([[0.0], np.cumsum(steps)])
    return every_us * np.arange(count.shape[0], dtype=np.int64), count


@pytest.mark.parametrize(
    ("every_min", "usual_min"), [(1, 15), (5, 15), (15, 15), (16, 15), (20, 30), (30, 30), (60, 60), (1440, 60)]
)
def test_the_usual_gap_is_a_quarter_to_an_hour(every_min: int, usual_min: int) -> None:
    assert learn_pace(*readings([1.0] * 50, every_min * MINUTE_US)).usual_gap_us == usual_min * MINUTE_US


def test_the_pace_is_that_of_its_busiest_quarters_of_an_hour() -> None:
    habits = learn_pace(*readings([2.0, 10.0] * 50))
    assert habits.most_an_hour == pytest.approx(40.0)


def test_readings_each_minute_are_judged_by_the_quarter_of_an_hour() -> None:
    # 1 in one minute out of ten is 1.5 a quarter of an hour on average, 2 at most.
    habits = learn_pace(*readings([1.0] + [0.0] * 9 + ([1.0] + [0.0] * 9) * 60, MINUTE_US))
    assert habits.most(HOUR_US, 1.0) == pytest.approx(8.0)


@pytest.mark.parametrize("every_min", [5, 15])
@pytest.mark.parametrize("place", [1, 30, 31, 32, 58, 59])
@pytest.mark.parametrize("wrong", [0.0, 9e6])
def test_one_reading_that_leaps_and_comes_back_teaches_nothing(every_min: int, place: int, wrong: float) -> None:
    times, count = readings([2.0 * every_min / 15] * 60, every_min * MINUTE_US)
    count[place] = wrong
    assert learn_pace(times, count).most_an_hour == pytest.approx(16.0)


def test_an_exchange_teaches_nothing() -> None:
    times, count = readings([2.0] * 600)
    count[300:] += 9e6
    at_us = int(times[290])  # entered half a day beside the truth
    assert learn_pace(times, count, exchanged_us=(at_us,)).most_an_hour == pytest.approx(16.0)


def test_what_was_seen_once_is_not_usual() -> None:
    assert learn_pace(*readings([2.0] * 60 + [90.0] + [2.0] * 60)).most_an_hour == pytest.approx(16.0)


def test_the_mean_pace_leaves_out_what_was_no_counting() -> None:
    times, count = readings([2.0, 0.0] * 200)
    count[350:] += 9e6
    assert learn_pace(times, count).mean_an_hour == pytest.approx(4.0, rel=0.01)


def test_a_register_that_counts_in_large_units_may_count_two_at_once() -> None:
    habits = learn_pace(*readings([0.0, 0.0, 0.0, 10.0] * 30))
    assert habits.most(STEP_US, 1.0) == pytest.approx(20.0)


def test_too_few_readings_teach_nothing() -> None:
    assert not learn_pace(*readings([2.0] * 11)).pace_known
    assert learn_pace(*readings([2.0] * 12)).pace_known
    assert learn_pace(np.zeros(0, np.int64), np.zeros(0)).most_an_hour == math.inf


def test_the_plate_of_a_machine_keeps_its_load_from_being_doubted() -> None:
    assert learn_pace(*readings([2.0] * 60), rated_an_hour=500.0).most_an_hour == 500.0
    assert learn_pace(*readings([2.0] * 3), rated_an_hour=500.0).most_an_hour == 500.0
