"""Split units: rated points, the room's balance, and what a thermostat does."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import split
from simulators.physics.split import Room, Unit
from tests.simulators.physics.cases import array, case

UNIT, ROOM = Unit(1.1), Room(0.056, 0.6)
COOLING = np.array([False])


def held(step_s: float, hours: float = 6.0, most_kw: float = 3.6, start_c: float = 31.0) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]
    n = round(hours * 3600.0 / step_s)
    ones = np.ones(n)
    return split.hold(
        ROOM, start_c, 1.2 * ones, 33.0 * ones, 0.0 * ones, -most_kw * ones, 0.0 * ones, 26.0 * ones, step_s * ones
    )


def test_at_rated_conditions_it_is_what_the_nameplate_says() -> None:
    most = split.capacity(UNIT, array(35.0), COOLING)
    assert most[0] == pytest.approx(UNIT.cooling_kw)
    assert split.power(UNIT, most, most, array(35.0), COOLING)[0] == pytest.approx(UNIT.power_kw)


def test_its_figures_are_those_of_units_of_its_size() -> None:
    figures = case("cooling", "split_unit")
    most = split.capacity(UNIT, array(33.0), COOLING)
    low, high = figures["power"]
    assert low < 1000.0 * split.power(UNIT, most, most, array(33.0), COOLING)[0] < high
    low, high = figures["difference"]
    for load in (0.3, 0.6, 1.0):
        assert low < split.outlet_difference(UNIT, load * most, split.air_share(array(load)), COOLING)[0] <= high + 0.5


def test_it_takes_less_for_the_same_heat_when_it_is_cooler_outdoors_and_when_it_may_go_slowly() -> None:
    heat, most = array(1.5), array(3.6)
    assert (
        split.power(UNIT, heat, most, array(28.0), COOLING)[0] < split.power(UNIT, heat, most, array(36.0), COOLING)[0]
    )
    slow = split.power(UNIT, heat, most, array(33.0), COOLING)[0]
    assert slow < split.power(UNIT, heat, array(1.6), array(33.0), COOLING)[0]


def test_without_load_it_takes_nothing() -> None:
    assert split.power(UNIT, array(0.0), array(3.6), array(33.0), COOLING)[0] == 0.0


def test_the_room_comes_to_its_set_point_and_stays_there() -> None:
    room_c, brought = held(60.0)
    assert room_c[-1] == pytest.approx(26.0)
    assert brought[-1] == pytest.approx(-(1.2 + ROOM.loss_kw_k * 7.0))


def test_a_unit_that_is_too_small_lets_the_room_settle_by_its_balance() -> None:
    room_c, brought = held(60.0, hours=120.0, most_kw=1.0)
    assert brought[-1] == -1.0
    assert room_c[-1] == pytest.approx(33.0 + (1.2 - 1.0) / ROOM.loss_kw_k, abs=0.01)


@pytest.mark.parametrize("step_s", [1.0, 300.0, 900.0])
def test_the_heat_of_a_cool_down_does_not_depend_on_the_step(step_s: float) -> None:
    fine, coarse = held(60.0)[1], held(step_s)[1]
    assert coarse.sum() * step_s == pytest.approx(fine.sum() * 60.0, rel=1e-6)


def test_heat_in_is_heat_stored_and_lost() -> None:
    room_c, brought = held(60.0, hours=1.0)
    before = np.concatenate([[31.0], room_c[:-1]])
    stored = ROOM.mass_kwh_k * (room_c[-1] - 31.0)
    lost = ROOM.loss_kw_k * ((before + room_c) / 2.0 - 33.0) / 60.0
    assert stored == pytest.approx(float(np.sum((1.2 + brought) / 60.0 - lost)), abs=2e-3)
