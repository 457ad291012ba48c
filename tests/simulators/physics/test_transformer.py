"""Transformers: losses, windings and ageing, at their limits and against published figures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.physics import transformer
from tests.simulators.physics.cases import array, rows

Array = NDArray[np.float64]

# GB 20052-2024, 10 kV dry type class F, 1600 kVA grade 3.
P0, PK = 1.96, 11.73


@pytest.mark.parametrize("row", rows("power", "transformer_losses"), ids=lambda row: f"{row['rated']} kVA")
class TestLosses:
    def test_no_load_and_rated_load_are_those_of_the_standard(self, row: dict[str, float]) -> None:
        lost = transformer.losses(array(0.0, 1.0), row["no_load"], row["load"])
        assert lost.tolist() == pytest.approx([row["no_load"], row["no_load"] + row["load"]])

    def test_a_year_without_load_costs_what_the_sheet_says(self, row: dict[str, float]) -> None:
        hourly = float(transformer.losses(array(0.0), row["no_load"], row["load"])[0])
        assert hourly * 8760.0 / 1000.0 == pytest.approx(row["no_load_mwh"], abs=0.05)

    def test_efficiency_is_best_where_load_losses_equal_no_load_losses(self, row: dict[str, float]) -> None:
        load = np.linspace(0.05, 1.2, 2301)
        lost = transformer.losses(load, row["no_load"], row["load"])
        best = load[np.argmax(load / (load * row["rated"] + lost))]
        assert best == pytest.approx(row["best"], abs=0.006)
        assert best == pytest.approx(np.sqrt(row["no_load"] / row["load"]), abs=0.001)


class TestWinding:
    MODEL = transformer.WindingModel()

    def follow(self, load: float, room: float, fans: float = 1.0) -> tuple[Array, Array]:
        minutes = 24 * 60
        rise = np.repeat(transformer.winding_rise(np.full(minutes, load), self.MODEL)[:, None], 3, axis=1)
        return transformer.winding_temperatures(
            rise, np.full(minutes, room), np.full(minutes, 60.0), np.full(minutes, fans), (room,) * 3, False, self.MODEL
        )

    def test_without_load_it_settles_above_the_room_by_its_no_load_rise(self) -> None:
        windings, fan = self.follow(0.0, 25.0)
        assert windings[-1] == pytest.approx([25.0 + self.MODEL.no_load_rise_k] * 3, abs=0.01)
        assert not fan.any()

    def test_at_rated_load_and_40_degrees_it_stays_within_class_f(self) -> None:
        windings, fan = self.follow(1.0, 40.0)
        # Class F: 100 K over 40 °C in the mean of the winding (IEC 60076-11).
        assert windings.max() < 140.0
        assert fan[-1] == 1.0
        cooled = self.MODEL.fan_share * (self.MODEL.no_load_rise_k + self.MODEL.rated_rise_k)
        assert windings[-1, 0] == pytest.approx(40.0 + cooled, abs=0.1)

    def test_fans_that_move_no_air_do_not_cool(self) -> None:
        windings, fan = self.follow(0.95, 30.0, fans=0.0)
        assert fan[-1] == 1.0
        rise = float(transformer.winding_rise(array(0.95), self.MODEL)[0])
        assert windings[-1, 0] == pytest.approx(30.0 + rise, abs=0.01)


class TestAgeing:
    @pytest.mark.parametrize("row", rows("power", "ageing"), ids=lambda row: f"{row['hot_spot']} °C")
    def test_agrees_with_the_table_of_the_standard(self, row: dict[str, float]) -> None:
        hot = array(row["hot_spot"])
        assert transformer.ageing_rate(hot)[0] == pytest.approx(row["plain"], rel=1e-9)
        # The table is rounded to two or three figures.
        assert transformer.ageing_rate_upgraded(hot)[0] == pytest.approx(row["upgraded"], rel=0.015)

    def test_a_day_at_98_degrees_ages_the_paper_one_day_and_at_104_two(self) -> None:
        assert float(np.sum(transformer.ageing_rate(np.full(24, 98.0)))) == pytest.approx(24.0)
        assert float(np.sum(transformer.ageing_rate(np.full(24, 104.0)))) == pytest.approx(48.0)

    def test_dry_insulation_ages_twice_as_fast_for_each_ten_kelvin(self) -> None:
        assert transformer.ageing_rate_dry(array(145.0, 155.0, 125.0)).tolist() == pytest.approx([1.0, 2.0, 0.25])
