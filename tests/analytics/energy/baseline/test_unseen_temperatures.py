"""Beyond the temperatures that were seen, energy that rises goes on rising, and energy that falls is held."""

import numpy as np
import pytest

from analytics.energy.baseline import fit, from_json

SEEN_C = 25.0 + 5.0 * np.sin(np.arange(120) * 0.7)


def _fitted(hours, slope):
    """Fit to 20 to 30 °C, at which energy answers in a straight line."""
    days = np.datetime64("2024-05-01T00", "s") + np.arange(120) * np.timedelta64(86400, "s")
    times = (days[:, None] + np.arange(hours) * np.timedelta64(3600, "s")).ravel()
    celsius = np.repeat(SEEN_C, hours)
    return fit(times, 100.0 + slope * (celsius - 25.0), celsius)


def _lasting(model, hours, celsius):
    """Return what is expected after two days of one temperature."""
    days = np.datetime64("2024-09-02T00", "s") + np.arange(3) * np.timedelta64(86400, "s")
    times = (days[:, None] + np.arange(hours) * np.timedelta64(3600, "s")).ravel()
    return model.predict(times, np.full(times.size, celsius))[-hours:].mean()


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize(("slope", "rising_c", "falling_c"), [(4.0, 34.0, 12.0), (-4.0, 16.0, 38.0)])
def test_a_rise_is_drawn_on_and_a_fall_is_held(hours, slope, rising_c, falling_c):
    model = _fitted(hours, slope)
    assert _lasting(model, hours, rising_c) == pytest.approx(100.0 + slope * (rising_c - 25.0), rel=0.05)
    assert _lasting(model, hours, falling_c) == pytest.approx(80.0, rel=0.05)
    response = model.temperature_response(np.array([falling_c, 25.0 - np.sign(slope) * 5.0, np.nan]))
    assert response[0] == pytest.approx(response[1], rel=1e-3)
    assert np.isnan(response[2])


def test_a_fall_is_held_by_a_baseline_that_was_kept_too():
    model = _fitted(24, 4.0)
    assert _lasting(from_json(model.to_json()), 24, 12.0) == _lasting(model, 24, 12.0)
