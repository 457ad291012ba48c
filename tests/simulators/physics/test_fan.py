"""Fans by the affinity laws; filters."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics.fan import FanCurve, filter_drop
from tests.simulators.physics.cases import array, rows

FAN = FanCurve(10_000.0, 900.0)


def test_at_its_rated_point_it_runs_at_rated_speed() -> None:
    assert FAN.speed_for(array(10_000.0), array(900.0))[0] == pytest.approx(1.0)
    assert FAN.pressure(array(10_000.0), array(1.0))[0] == pytest.approx(900.0)
    assert FAN.power(array(10_000.0), array(900.0), array(1.0))[0] == pytest.approx(2.5 / (0.68 * 0.91 * 0.96))


@pytest.mark.parametrize("row", rows("cooling", "fan_laws"), ids=lambda row: f"{row['speed']} of the speed")
def test_follows_the_affinity_laws(row: dict[str, float]) -> None:
    flow, pressure, speed = array(10_000.0 * row["flow"]), array(900.0 * row["pressure"]), array(row["speed"])
    assert FAN.speed_for(flow, pressure) == pytest.approx(speed)
    rated = FAN.power(array(10_000.0), array(900.0), array(1.0))[0]
    assert FAN.power(flow, pressure, speed)[0] == pytest.approx(rated * row["power"])


def test_more_resistance_takes_more_speed() -> None:
    assert (np.diff(FAN.speed_for(np.full(5, 8000.0), np.linspace(300.0, 900.0, 5))) > 0.0).all()


def test_a_filter_takes_nothing_without_air_and_twice_as_much_when_loaded() -> None:
    drop = filter_drop(80.0, array(0.0, 1.0, 1.0), array(1.0, 1.0, 0.0))
    assert drop.tolist() == [80.0, 160.0, 0.0]
