"""Sums of blocks: rows that are exchanged leave what sums made anew would hold."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.energy.baseline.ridge import BlockedSums, Columns

PENALTIES = {"one": 0.0, "slope": 3.0}


def columns_of(x: np.ndarray) -> Columns:
    return Columns.of({"one": np.ones((x.shape[0], 1)), "slope": x})


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e12, 1e40]))
def test_exchanged_rows_leave_what_sums_made_anew_hold(seed: int, spike: float) -> None:
    random = np.random.default_rng(seed)
    n, blocks = int(random.integers(30, 200)), int(random.integers(2, 5))
    block = np.repeat(np.arange(n), int(random.integers(1, 20)))[:n] % blocks
    x, target, weight = random.normal(size=(n, 3)), random.normal(size=n), random.uniform(0.2, 2.0, n)
    rows = np.flatnonzero(random.random(n) < 0.2)
    wrong, wrong_x = target.copy(), x.copy()
    wrong[rows], wrong_x[rows] = spike, random.normal(size=(rows.size, 3))
    later = weight.copy()
    later[rows[::2]] = 0.0
    target[rows[::2]] = wrong[rows[::2]]  # stays, but counts no more
    sums = BlockedSums(columns_of(wrong_x), wrong, weight, block, blocks)
    sums.exchange(rows, (columns_of(wrong_x).matrix[rows], weight[rows]), columns_of(x), target, later, block)
    anew = BlockedSums(columns_of(x), target, later, block, blocks)
    np.testing.assert_allclose(sums.gram, anew.gram, atol=1e-10)
    np.testing.assert_allclose(sums.left_out(PENALTIES)[1], anew.left_out(PENALTIES)[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(sums.solve(PENALTIES)[0], anew.solve(PENALTIES)[0], rtol=1e-8, atol=1e-9)


def test_coefficients_are_those_of_the_normal_equations() -> None:
    random = np.random.default_rng(1)
    x, target, weight = random.normal(size=(60, 3)), random.normal(size=60), random.uniform(0.2, 2.0, 60)
    sums = BlockedSums(columns_of(x), target, weight, np.arange(60) // 20, 3)
    design = columns_of(x).matrix
    system = design.T @ (weight[:, None] * design) + np.diag([0.0, 3.0, 3.0, 3.0])
    expected = np.linalg.solve(system, design.T @ (weight * target))
    np.testing.assert_allclose(sums.solve(PENALTIES)[0], expected, rtol=1e-6)
    errors, left = sums.left_out(PENALTIES)
    for k in range(3):
        out = np.arange(60) // 20 == k
        missed = target[out] - design[out] @ left[k]
        np.testing.assert_allclose(errors[k], np.sum(weight[out] * missed**2), rtol=1e-9)
