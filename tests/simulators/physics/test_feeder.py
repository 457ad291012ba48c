"""Three-phase feeders: charge is conserved in the star point, and symmetry gives no neutral and no unbalance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulators.physics import feeder
from tests.simulators.physics.cases import array

EQUAL = np.full((3, 1), 220.0)
PHASORS = np.exp(-1j * np.arange(3) * 2.0 * np.pi / 3.0)


def column(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)[:, None]


class TestNeutral:
    def test_equal_currents_cancel_and_triplen_harmonics_add_up(self) -> None:
        assert feeder.neutral_current(column(100.0, 100.0, 100.0), array(0.0))[0] == pytest.approx(0.0)
        assert feeder.neutral_current(column(100.0, 100.0, 100.0), array(90.0))[0] == pytest.approx(90.0)

    def test_one_loaded_phase_returns_through_the_neutral(self) -> None:
        assert feeder.neutral_current(column(80.0, 0.0, 0.0), array(0.0))[0] == pytest.approx(80.0)

    @given(st.tuples(*[st.floats(0.0, 500.0)] * 3))
    def test_is_the_sum_of_three_phasors(self, amperes: tuple[float, float, float]) -> None:
        expected = abs(np.sum(np.array(amperes) * PHASORS))
        assert feeder.neutral_current(column(*amperes), array(0.0))[0] == pytest.approx(expected, abs=1e-4)


class TestCurrents:
    def test_1000_kva_at_400_volts_are_1443_amperes(self) -> None:
        volts = np.full((3, 1), 400.0 / np.sqrt(3.0))
        kvar = float(np.sqrt(1000.0**2 / 9.0 - 300.0**2))
        amperes = feeder.phase_currents(column(300.0, 300.0, 300.0), column(kvar, kvar, kvar), volts, array(0.0))
        assert amperes[:, 0].tolist() == pytest.approx([1443.4] * 3, abs=0.1)

    def test_harmonics_add_by_their_squares(self) -> None:
        sound = feeder.phase_currents(column(30.0, 30.0, 30.0), np.zeros((3, 1)), EQUAL, array(0.0))
        distorted = feeder.phase_currents(column(30.0, 30.0, 30.0), np.zeros((3, 1)), EQUAL, array(0.75))
        assert distorted == pytest.approx(1.25 * sound)

    def test_without_voltage_nothing_flows(self) -> None:
        assert not feeder.phase_currents(column(0.0, 0.0, 0.0), np.zeros((3, 1)), np.zeros((3, 1)), array(0.0)).any()


class TestVoltage:
    def test_lines_are_root_three_of_phases(self) -> None:
        assert feeder.line_voltages(EQUAL)[:, 0].tolist() == pytest.approx([220.0 * np.sqrt(3.0)] * 3)

    def test_equal_phases_have_no_unbalance_and_a_dead_one_has_half(self) -> None:
        assert feeder.voltage_unbalance(EQUAL)[0] == pytest.approx(0.0, abs=1e-12)
        # One of three vectors missing: positive 2/3, negative 1/3.
        assert feeder.voltage_unbalance(column(220.0, 220.0, 0.0))[0] == pytest.approx(0.5)
        assert feeder.voltage_unbalance(np.zeros((3, 1)))[0] == 0.0

    def test_nothing_is_lost_without_load_and_more_with_more(self) -> None:
        kw = np.linspace(0.0, 300.0, 5)
        left = feeder.voltage_share(kw, 0.5 * kw, 900.0, 0.014, 0.006)
        assert left[0] == 1.0
        assert (np.diff(left) < 0.0).all()
        assert left[-1] == pytest.approx(1.0 - (0.014 * 1.0 + 0.006 * 0.5))

    def test_drops_by_the_whole_short_circuit_voltage_only_at_its_own_angle(self) -> None:
        resistance, reactance = 0.009, 0.059
        impedance = np.hypot(resistance, reactance)
        kw, kvar = 500.0 * resistance / impedance, 500.0 * reactance / impedance
        assert feeder.voltage_share(array(kw), array(kvar), 1500.0, resistance, reactance)[0] == pytest.approx(
            1.0 - impedance
        )


class TestFloatingStar:
    def test_equal_loads_keep_the_star_point_without_any_neutral(self) -> None:
        assert feeder.floating_star(EQUAL, np.ones(3), array(0.0)) == pytest.approx(EQUAL)

    def test_a_sound_neutral_keeps_it_whatever_the_loads(self) -> None:
        assert feeder.floating_star(EQUAL, np.array([5.0, 1.0, 0.2]), array(1e9)) == pytest.approx(EQUAL, rel=1e-6)

    def test_the_lightly_loaded_phase_rises_and_the_heavy_one_falls(self) -> None:
        left = feeder.floating_star(EQUAL, np.array([0.55, 1.225, 1.225]), array(0.0))[:, 0]
        assert left[0] > 250.0
        assert left[1] < 210.0

    @given(st.tuples(*[st.floats(0.1, 5.0)] * 3))
    def test_no_charge_gathers_in_the_star_point(self, conductance: tuple[float, float, float]) -> None:
        weight = np.array(conductance)
        star = np.sum(weight * 220.0 * PHASORS) / np.sum(weight)
        left = feeder.floating_star(EQUAL, weight, array(0.0))[:, 0]
        assert left.tolist() == pytest.approx(np.abs(220.0 * PHASORS - star).tolist(), rel=1e-9)
