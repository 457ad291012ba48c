"""Vibration: bearing tones against a published bearing, and how parts add up."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.physics.vibration import Bearing, acceleration, overall
from tests.simulators.physics.cases import array, case


def test_defect_frequencies_are_those_of_a_published_bearing() -> None:
    told = case("pumps", "bearing")
    bearing = Bearing(told["balls"], told["ball_mm"], told["pitch_mm"])
    assert bearing.outer == pytest.approx(told["outer"], rel=1e-3)
    assert bearing.inner == pytest.approx(told["inner"], rel=1e-3)
    assert bearing.cage == pytest.approx(told["cage"], rel=1e-3)
    assert bearing.ball == pytest.approx(told["ball"], rel=1e-3)


def test_all_balls_pass_once_a_turn_of_ring_against_ring() -> None:
    bearing = Bearing(9, 13.5, 60.0)
    assert bearing.outer + bearing.inner == pytest.approx(9.0)
    assert bearing.cage * 9 == pytest.approx(bearing.outer)


def test_a_contact_angle_brings_the_tones_of_both_rings_together() -> None:
    straight, slanted = Bearing(9, 13.5, 60.0), Bearing(9, 13.5, 60.0, angle_deg=40.0)
    assert slanted.inner - slanted.outer < straight.inner - straight.outer


def test_parts_add_up_by_their_squares_and_nothing_adds_nothing() -> None:
    assert overall([array(3.0), array(4.0), array(0.0)])[0] == pytest.approx(5.0)


def test_a_tone_of_10_mm_s_at_159_hz_is_one_g() -> None:
    assert acceleration(array(10.0), array(159.2))[0] == pytest.approx(10.0, rel=1e-3)
    assert acceleration(np.zeros(1), array(50.0))[0] == 0.0
