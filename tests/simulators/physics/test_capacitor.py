"""Capacitor banks: what is needed, what switches on, blown fuses by circuit theory, resonance by worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.physics import capacitor
from simulators.physics.harmonics import ORDERS
from tests.simulators.physics.cases import array, rows

UPPER = ORDERS[1:, None]


@pytest.mark.parametrize("row", rows("power", "compensation"), ids=lambda row: f"{row['from']} to {row['to']}")
def test_a_kilowatt_needs_the_kvar_of_the_handbooks(row: dict[str, float]) -> None:
    assert capacitor.needed(array(1.0), array(row["from"]), row["to"])[0] == pytest.approx(row["kvar"], abs=0.001)


class TestSteps:
    def test_whole_steps_and_never_one_too_many(self) -> None:
        on = capacitor.steps_on(array(-5.0, 0.0, 39.9, 40.0, 119.0, 9999.0), np.full(6, 40.0), 10.0)
        assert on.tolist() == [0.0, 0.0, 0.0, 1.0, 2.0, 10.0]

    @given(st.floats(0.0, 600.0), st.floats(0.0, 600.0))
    def test_more_missing_never_means_fewer(self, one: float, other: float) -> None:
        few, many = capacitor.steps_on(array(min(one, other), max(one, other)), np.full(2, 40.0), 12.0)
        assert few <= many


def test_a_delta_with_one_open_line_gives_half_its_power() -> None:
    # Line to line voltages of 1, three equal susceptances of 1; line B open.
    a, b, c = np.exp(-1j * np.arange(3) * 2.0 * np.pi / 3.0) / np.sqrt(3.0)
    whole = 3.0 * abs(a - b) ** 2
    direct, through = abs(c - a) ** 2, 0.5 * abs(a - c) ** 2
    line = abs((a - c) * 1.5)
    power, outer, middle = capacitor.blown_fuse(array(1.0))
    assert power[0] == pytest.approx((direct + through) / whole)
    assert outer[0] == pytest.approx(line / (np.sqrt(3.0) * abs(a - b)))
    assert middle[0] == 0.0
    assert [float(x[0]) for x in capacitor.blown_fuse(array(0.0))] == [1.0, 1.0, 1.0]


class TestResonance:
    @pytest.mark.parametrize("row", rows("power", "resonance"), ids=lambda row: f"{row['kvar']} kvar")
    def test_is_at_the_order_of_the_worked_examples(self, row: dict[str, float]) -> None:
        order = capacitor.resonant_order(row["short_circuit"], array(row["kvar"]))[0]
        assert order == pytest.approx(row["order"], abs=0.06)

    def test_nothing_switched_on_changes_nothing(self) -> None:
        onward, inward = capacitor.resonance(UPPER, array(0.0), 1600.0, 0.06, array(0.07), 0.15)
        assert onward == pytest.approx(np.ones((4, 1)), abs=1e-6)
        assert inward == pytest.approx(np.zeros((4, 1)), abs=1e-6)

    def test_without_reactors_the_harmonic_at_resonance_is_amplified_many_times(self) -> None:
        # 1600 kVA, 6 %: 544 kvar resonate at the seventh.
        kvar = array(1600.0 / 0.06 / 49.0)
        onward, inward = capacitor.resonance(UPPER, kvar, 1600.0, 0.06, array(0.0), 0.15)
        assert onward[1, 0] > 5.0
        assert inward[1, 0] > 5.0
        # Circuit theory: at resonance the amplification is the network's impedance over its resistance.
        assert onward[1, 0] == pytest.approx(1.0 / 0.15, rel=0.01)

    @given(st.floats(10.0, 700.0))
    def test_with_seven_percent_reactors_no_harmonic_from_the_fifth_on_is_amplified(self, kvar: float) -> None:
        onward, _ = capacitor.resonance(UPPER, array(kvar), 1600.0, 0.06, array(0.07), 0.15)
        assert (onward <= 1.0).all()

    def test_current_is_conserved_where_the_bank_meets_the_network(self) -> None:
        # Far above resonance both are inductive and in phase, but for the damping: shares add up to the whole.
        onward, inward = capacitor.resonance(UPPER, array(300.0), 1600.0, 0.06, array(0.07), 0.0)
        assert onward + inward == pytest.approx(np.ones((4, 1)))
