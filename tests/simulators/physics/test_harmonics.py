"""Harmonics: distortion by its definition, and the voltage that currents make over a transformer."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics import harmonics
from tests.simulators.physics.cases import array


def test_distortion_is_the_root_of_the_sum_of_squares_over_the_fundamental() -> None:
    assert harmonics.distortion(np.array([[3.0], [4.0]]), array(50.0))[0] == pytest.approx(0.1)
    assert harmonics.distortion(np.array([[3.0], [4.0]]), array(0.0))[0] == 0.0


def test_a_fifth_harmonic_of_a_tenth_of_the_rating_over_six_percent_distorts_by_three() -> None:
    injected = np.array([[0.0], [160.0], [0.0], [0.0], [0.0]])
    assert harmonics.bus_distortion(injected, 1600.0, 0.06, np.ones((5, 1)))[0] == pytest.approx(5.0 * 0.06 * 0.1)
    assert harmonics.bus_distortion(0.0 * injected, 1600.0, 0.06, np.ones((5, 1)))[0] == 0.0


@pytest.mark.parametrize("kind", harmonics.SPECTRA)
def test_each_kind_of_load_distorts_less_than_a_bare_six_pulse_drive(kind: str) -> None:
    shares = np.array(harmonics.SPECTRA[kind])
    assert len(shares) == len(harmonics.ORDERS)
    # A drive without a reactor: 60 % and more (Arrillaga and Watson).
    assert 0.0 < np.sqrt(np.sum(shares**2)) < 0.30
