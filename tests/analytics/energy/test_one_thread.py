"""Linear algebra is held to one thread while a baseline is fitted, and let go after it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.energy.baseline import fit, model
from analytics.energy.one_thread import linear_algebra


def threads() -> list[int]:
    return [library["num_threads"] for library in linear_algebra().info()]


def test_a_fit_runs_on_one_thread_and_lets_go(monkeypatch):
    seen = []
    whole = model.fit_daily
    monkeypatch.setattr(model, "fit_daily", lambda *given: (seen.extend(threads()), whole(*given))[1])
    before = threads()
    days = np.arange("2025-01-01", "2025-03-01", dtype="datetime64[D]")
    fit(days, np.full(days.size, 5.0))
    assert seen == [1] * len(before)
    assert threads() == before


def test_it_lets_go_of_what_raised():
    before = threads()
    with pytest.raises(RuntimeError, match="stop"), linear_algebra().limit(limits=1):
        raise RuntimeError("stop")
    assert threads() == before
