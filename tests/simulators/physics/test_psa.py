"""Oxygen by pressure-swing adsorption: purity, recovery, energy, towers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import compressor, psa

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gases.yaml").read_text("utf-8"))


def array(*values: float) -> psa.Array:
    return np.array(values, dtype=np.float64)


def test_a_generator_makes_93_to_96_percent_up_to_its_rating() -> None:
    pure = psa.purity(np.linspace(0.0, 1.0, 11), np.ones(11))
    assert pure.min() >= 93.0
    assert pure.max() <= CASES["oxygen_93"]["between"][1]
    assert (np.diff(pure) < 0.0).all()


def test_a_tired_sieve_gives_less_oxygen_at_the_same_flow() -> None:
    floor = CASES["oxygen_93"]["between"][0]
    assert psa.purity(array(0.9), array(0.6))[0] < floor < psa.purity(array(0.9), array(1.0))[0]


def test_no_sieve_gives_no_less_than_air() -> None:
    assert psa.purity(array(3.0), array(0.0))[0] == pytest.approx(21.0)


def test_at_the_rating_as_much_oxygen_is_recovered_as_was_asked_for() -> None:
    air = psa.feed_air(array(1.0), 25.0, recovery=0.45)
    assert psa.recovery(array(25.0), array(93.7), air)[0] == pytest.approx(0.45)
    low, high = CASES["psa"]["air_to_oxygen"]
    assert low < psa.feed_air(array(1.0), 1.0)[0] < high


@given(st.floats(0.05, 1.1))
def test_no_more_oxygen_leaves_than_comes_in_with_the_air(load: float) -> None:
    air = psa.feed_air(array(load), 25.0)
    assert 0.0 < psa.recovery(array(25.0 * load), psa.purity(array(load), array(1.0)), air)[0] < 0.5


def test_the_specific_energy_is_that_of_such_plants_and_rises_at_low_flow() -> None:
    load = array(1.0, 0.7, 0.5, 0.2)
    air = psa.feed_air(load, 25.0)
    capacity = 1.1 * air[0]
    full_kw = compressor.specific_work(700.0) * capacity
    specific = compressor.load_unload_power(air / capacity, full_kw) * 1.03 / (25.0 * load)
    low, high = CASES["psa"]["specific_energy"]
    assert low < specific[0] < high
    assert low < specific[1] < high
    assert (np.diff(specific) > 0.0).all()


def test_the_towers_take_turns_and_one_is_always_under_pressure() -> None:
    second = np.arange(0.0, 680.0)
    a, b = psa.tower_pressures(second, 68.0, np.full(680, 0.7))
    assert np.maximum(a, b).min() > 0.25
    assert np.roll(a, 34) == pytest.approx(b)
    assert a.max() == pytest.approx(0.59)
    assert a.min() == pytest.approx(0.02)
