"""Rooms: heat and moisture balances, and the psychrometric chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulators.physics import room

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "rooms.yaml").read_text("utf-8"))


def array(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize("case", CASES["moist_air"], ids=lambda c: f"{c['temperature']}-{c['humidity']}")
def test_the_humidity_ratio_is_that_of_the_chart(case: dict[str, Any]) -> None:
    ratio = room.humidity_ratio(array(case["temperature"]), array(case["humidity"]))
    assert ratio[0] == pytest.approx(case["ratio"], abs=0.0001)


def test_relative_humidity_is_the_humidity_ratio_turned_round_and_never_above_saturation() -> None:
    celsius, percent = array(5.0, 20.0, 35.0), array(90.0, 50.0, 30.0)
    ratio = room.humidity_ratio(celsius, percent)
    assert room.relative_humidity_of(ratio, celsius).tolist() == pytest.approx(percent.tolist())
    assert room.relative_humidity_of(ratio, array(-5.0, 0.0, 0.0)).tolist() == [100.0, 100.0, 100.0]


def test_at_its_balance_temperature_a_room_lacks_nothing_and_has_nothing_to_spare() -> None:
    balance = room.balance_temperature(22.0, 8.0, 1.4)
    assert room.surplus(array(8.0), array(1.4), array(balance), 22.0)[0] == pytest.approx(0.0)
    assert room.surplus(array(8.0), array(1.4), array(balance - 5.0), 22.0)[0] == pytest.approx(-7.0)


def test_a_room_without_gains_as_warm_as_the_outdoors_is_in_balance() -> None:
    assert room.surplus(array(0.0), array(2.0), array(18.0), 18.0)[0] == 0.0


def test_dry_outdoor_air_and_nobody_there_leave_nothing_to_condense() -> None:
    assert room.latent_load(array(1000.0), array(0.004), 0.0117, array(0.0))[0] == 0.0


def test_condensing_takes_the_heat_of_evaporation() -> None:
    # 3600 m³/h are 1.2 kg/s of air; 10 g/kg more than the room's are 12 g/s, times 2500 kJ/kg.
    load = room.latent_load(array(3600.0), array(0.0217), 0.0117, array(0.0))
    assert load[0] == pytest.approx(30.0)
