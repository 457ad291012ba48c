"""Cylinder manifold: contents, change-over, exchange, balance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import manifold

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gases.yaml").read_text("utf-8"))
FULL, EMPTY = manifold.contents(14.0, 10), manifold.contents(0.8, 10)


def walk(banks: manifold.Banks, asked: float, minutes: int) -> tuple[manifold.Array, ...]:
    return manifold.walk(banks, np.full(minutes, asked), np.full(minutes, 60.0), FULL, EMPTY, 3600.0)


def test_a_cylinder_holds_what_suppliers_say() -> None:
    at_20_c = manifold.contents(15.0, 1) * 293.15 / 273.15
    assert at_20_c == pytest.approx(CASES["cylinder"]["m3"], rel=0.02)


@given(st.floats(0.0, 20.0), st.floats(-10.0, 45.0))
def test_pressure_and_contents_are_each_others_inverse(pressure: float, celsius: float) -> None:
    held = np.array([manifold.contents(pressure, 10, celsius)])
    assert manifold.bank_pressure(held, 10, np.array([celsius]))[0] == pytest.approx(pressure, abs=1e-9)


def test_at_rest_nothing_changes() -> None:
    left, right, side, given_ = walk(manifold.Banks(FULL, FULL), 0.0, 600)
    assert np.ptp(left) == np.ptp(right) == 0.0
    assert set(side) == {manifold.LEFT}
    assert given_.max() == 0.0


def test_when_one_bank_is_empty_the_other_takes_over_without_a_gap_and_cylinders_are_changed_within_the_hour() -> None:
    banks = manifold.Banks(FULL, FULL)
    left, right, side, given_ = walk(banks, 25.0, 240)
    assert (given_ == 25.0).all()
    changed_over = int(np.argmax(side == manifold.RIGHT))
    assert left[changed_over] == pytest.approx(EMPTY)
    assert (right[: changed_over - 1] == FULL).all()
    assert left[changed_over + 60] == pytest.approx(FULL)


def test_with_both_empty_nothing_is_given() -> None:
    _, _, _, given_ = walk(manifold.Banks(EMPTY, EMPTY), 25.0, 30)
    assert given_.max() == 0.0


@given(st.floats(1.0, 200.0))
def test_what_is_given_is_what_the_banks_lose(asked: float) -> None:
    banks = manifold.Banks(FULL, FULL)
    left, right, _, given_ = walk(banks, asked, 55)  # no cylinders are changed so soon
    assert 2.0 * FULL - left[-1] - right[-1] == pytest.approx(float(given_.sum()) / 60.0, rel=1e-9)
    assert (banks.left, banks.right) == (left[-1], right[-1])
