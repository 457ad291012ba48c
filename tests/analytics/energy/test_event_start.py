"""The first day of a load change is told by the sharp change, not by slow errors of the model beside it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.energy.event_start import sharpest

DAYS = np.arange(120)
FIRSTS = np.arange(40, 81)
TEMPLATES = (FIRSTS[:, None] <= DAYS).astype(float)
MEAN, NOTHING_HELD = np.ones((120, 1)), np.zeros((0, 1))


@pytest.mark.parametrize("seed", range(6))
def test_a_step_is_found_beside_slow_errors_that_turn_earlier(seed):
    noise = 0.2 * np.random.default_rng(seed).normal(size=120)
    slow = 1.2 * np.tanh((DAYS - 45) / 12.0)
    days = noise + slow + 3.0 * (DAYS >= 60)
    remainder = noise + slow - slow.mean()
    assert FIRSTS[sharpest(TEMPLATES, MEAN, NOTHING_HELD, days, remainder)] == 60


def test_days_without_noise_have_their_step_where_it_is():
    days = 5.0 * (DAYS >= 52)
    assert FIRSTS[sharpest(TEMPLATES, MEAN, NOTHING_HELD, days, np.zeros(120))] == 52


def test_candidates_that_explain_nothing_give_the_first():
    assert sharpest(np.zeros((3, 120)), MEAN, NOTHING_HELD, DAYS.astype(float), np.full(120, np.nan)) == 0
