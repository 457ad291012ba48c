"""Diesel sets and transfer switches: in time, without gaps that should not be, and alike in steps of any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulators.physics import generator, transfer
from tests.simulators.physics.cases import array, case, rows

Array = NDArray[np.float64]

SEQUENCE = generator.Sequence(start_s=8.0, cool_s=600.0)
DELAYS = transfer.Delays(over_s=2.0, back_s=300.0)
AT_REST = (0.0, 0.0)


def called(seconds: int, length: int, step: int) -> tuple[Array, Array, Array]:
    """Return call, ability and step lengths for a set that is called at the start for so many seconds."""
    times = np.arange(0, length, step)
    return (times < seconds).astype(np.float64), np.ones(len(times)), np.full(len(times), float(step))


class TestStart:
    def test_voltage_comes_after_the_start_and_well_within_the_standards_time(self) -> None:
        call, able, dt = called(600, 600, 1)
        turning, voltage, _ = generator.start_and_stop(call, able, dt, AT_REST, SEQUENCE)
        assert turning.all()
        assert voltage[:8].tolist() == [0.0] * 8
        assert voltage[8:].all()
        assert 8.0 + DELAYS.over_s <= case("power", "start")["seconds"]

    def test_it_runs_on_to_cool_down_and_then_stands(self) -> None:
        call, able, dt = called(600, 1800, 1)
        turning, voltage, state = generator.start_and_stop(call, able, dt, AT_REST, SEQUENCE)
        assert turning.sum() == pytest.approx(1200.0)
        assert voltage.sum() == pytest.approx(1192.0)
        assert state == AT_REST

    @pytest.mark.parametrize("step", [1, 60, 300])
    def test_steps_of_any_length_give_the_same_hours(self, step: int) -> None:
        call, able, dt = called(3600, 7200, step)
        turning, voltage, _ = generator.start_and_stop(call, able, dt, AT_REST, SEQUENCE)
        assert float(turning @ dt) == pytest.approx(4200.0)
        assert float(voltage @ dt) == pytest.approx(4192.0)

    def test_called_again_while_cooling_down_it_is_there_at_once(self) -> None:
        call = np.r_[np.ones(60), np.zeros(60), np.ones(60)]
        _, voltage, _ = generator.start_and_stop(call, np.ones(180), np.ones(180), AT_REST, SEQUENCE)
        assert voltage[8:].all()

    def test_left_off_it_does_not_start(self) -> None:
        call, able, dt = called(600, 600, 1)
        turning, voltage, _ = generator.start_and_stop(call, 0.0 * able, dt, AT_REST, SEQUENCE)
        assert not turning.any()
        assert not voltage.any()


class TestFuel:
    @pytest.mark.parametrize("row", rows("power", "diesel_fuel"), ids=lambda row: f"{row['rated']} kW")
    def test_agrees_with_the_makers_chart(self, row: dict[str, list[float]]) -> None:
        loads = np.array(case("power", "diesel_fuel")["loads"])
        burnt = generator.fuel_flow(loads, row["litres"][-1])
        assert burnt.tolist() == pytest.approx(row["litres"], rel=0.05)

    def test_full_load_burns_the_nameplates_fuel_and_idling_some(self) -> None:
        assert generator.fuel_flow(array(1.0), 150.0)[0] == pytest.approx(150.0)
        assert 0.05 * 150.0 < generator.fuel_flow(array(0.0), 150.0)[0] < 0.2 * 150.0


def test_the_heater_keeps_a_resting_engine_warm_and_load_makes_it_hotter() -> None:
    zero, one, room = array(0.0), array(1.0), array(12.0)
    assert generator.coolant_target(zero, zero, one, room)[0] == 41.0
    assert generator.coolant_target(zero, zero, zero, room)[0] == 12.0
    idle, full = (generator.coolant_target(one, load, one, room)[0] for load in (zero, one))
    assert 70.0 < idle < full < 95.0


def over(
    first: list[float], second: list[float], step: float, second_place: bool = False
) -> tuple[Array, Array, transfer.Place]:
    """Follow a switch that can move and is not tested."""
    n = len(first)
    place = transfer.Place(second=second_place)
    return transfer.transfer(
        np.array(first), np.array(second), np.ones(n), np.zeros(n), np.full(n, step), place, DELAYS
    )


class TestTransfer:
    def test_a_lost_source_is_replaced_after_the_delay(self) -> None:
        live, second, place = over([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], 2.0)
        assert live.tolist() == [1.0, 0.0, 0.0, 1.0]
        assert place.second
        assert second[0] == 0.0

    def test_it_goes_back_only_after_the_first_source_has_been_there_for_a_while_and_without_a_gap(self) -> None:
        live, second, place = over([0.0] + [1.0] * 9, [1.0] * 10, 60.0)
        assert live[1:].tolist() == [1.0] * 9
        # Two seconds to go over, five minutes to come back.
        assert float(second.sum() * 60.0) == pytest.approx(58.0 + 300.0)
        assert not place.second

    def test_it_never_moves_to_a_dead_source(self) -> None:
        live, second, place = over([0.0] * 5, [0.0] * 5, 60.0)
        assert not live.any()
        assert not second.any()
        assert not place.second

    def test_if_the_second_source_goes_it_returns_at_once(self) -> None:
        live, _, place = over([1.0, 1.0], [0.0, 0.0], 60.0, second_place=True)
        assert live[0] == pytest.approx(58.0 / 60.0)
        assert not place.second

    def test_jammed_it_stays(self) -> None:
        live, _, place = transfer.transfer(
            np.zeros(9), np.ones(9), np.zeros(9), np.zeros(9), np.full(9, 60.0), transfer.Place(), DELAYS
        )
        assert not live.any()
        assert not place.second

    def test_a_test_moves_a_sound_supply_without_a_gap(self) -> None:
        tested = np.array([0.0, 1.0, 1.0, 0.0])
        live, second, place = transfer.transfer(
            np.ones(4), tested, np.ones(4), tested, np.full(4, 60.0), transfer.Place(), DELAYS
        )
        assert live.all()
        assert second.tolist() == tested.tolist()
        assert place == transfer.Place()

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
    def test_the_load_never_has_more_than_its_sources(self, there: list[tuple[bool, bool]]) -> None:
        first, second = [float(a) for a, _ in there], [float(b) for _, b in there]
        live, from_second, _ = over(first, second, 60.0)
        assert (live <= np.maximum(first, second) + 1e-12).all()
        assert (from_second <= np.array(second) + 1e-12).all()
        assert (from_second <= live + 1e-12).all()
