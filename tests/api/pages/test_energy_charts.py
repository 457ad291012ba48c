"""Charts of the accounts: what is drawn solid, hatched, left open; plans and forecasts on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.energy.intervals import Total
from api.pages.energy_charts import Bars, bar_charts, chart_unit, plan_bar, quality, ratio_bar, running_total
from api.pages.energy_fit_charts import fit_charts

NAN = float("nan")


def bars(amount: list[float], **changed: object) -> Bars:
    n = len(amount)
    fields: dict[str, object] = {
        "amount": np.array(amount),
        "estimated": np.zeros(n),
        "missing": np.where(np.isfinite(amount), 0.0, 1.0),
        "names": [str(i + 1) for i in range(n)],
        "shaded": [False] * n,
        "begun": n,
        "expected": np.full(n, NAN),
        "forecast": np.full(n, NAN),
        "plan": None,
    }
    return Bars(**{**fields, **changed})  # type: ignore[arg-type]


def test_measured_is_solid_from_zero_and_as_high_as_its_amount() -> None:
    drawn = bar_charts(bars([50.0, 100.0]))
    assert drawn is not None
    low, high = drawn[0].measured
    assert low.y + low.height == pytest.approx(drawn[0].bottom)
    assert high.height == pytest.approx(2 * low.height, abs=0.2)


def test_an_estimated_part_is_hatched_on_top_of_what_was_measured() -> None:
    drawn = bar_charts(bars([100.0], estimated=np.array([0.25])))
    assert drawn is not None
    solid, hatched = drawn[0].measured[0], drawn[0].estimated[0]
    assert hatched.y + hatched.height == pytest.approx(solid.y)
    assert hatched.height == pytest.approx(solid.height / 3, abs=0.2)


def test_a_missing_day_is_a_gap_and_never_zero() -> None:
    drawn = bar_charts(bars([100.0, NAN]))
    assert drawn is not None
    assert len(drawn[0].measured) == 1
    assert [gap.y for gap in drawn[0].gaps] == [drawn[0].top]


def test_a_day_to_come_is_no_gap_but_an_outline_if_it_is_forecast() -> None:
    drawn = bar_charts(bars([100.0, NAN, NAN], begun=1, forecast=np.array([NAN, 90.0, NAN])))
    assert drawn is not None
    assert drawn[0].gaps == ()
    assert len(drawn[0].forecast) == 1
    assert drawn[0].now_x is not None


@pytest.mark.parametrize(("amount", "marked"), [(103.9, 0), (104.1, 1)])
def test_a_day_is_marked_where_it_is_four_per_cent_over_what_was_expected(amount: float, marked: int) -> None:
    drawn = bar_charts(bars([amount], expected=np.array([100.0])))
    assert drawn is not None
    assert len(drawn[0].over) == marked


def test_nothing_known_is_no_chart() -> None:
    assert bar_charts(bars([NAN, NAN])) is None
    assert running_total(np.array([NAN, 1.0]), "") is None
    assert fit_charts(np.array([NAN]), np.array([1.0]), np.zeros(0), np.zeros(0), None) is None


def test_a_plan_bar_holds_what_was_used_the_forecast_and_the_plan() -> None:
    bar = plan_bar(1_021_400, 2_010_000, 2_094_000, 38_000, "")
    assert bar.plan is not None
    assert bar.forecast is not None
    assert bar.whisker is not None
    assert 0 < bar.done < bar.plan < bar.forecast <= bar.width
    assert bar.whisker[0] < bar.forecast < bar.whisker[1] <= bar.width


def test_plans_stand_at_one_place_whatever_their_size() -> None:
    assert plan_bar(5, 10, 10.5, None, "").plan == plan_bar(500, 1000, 900, None, "").plan


def test_a_plan_bar_without_a_plan_or_a_forecast_shows_what_is_known() -> None:
    bar = plan_bar(40.0, None, None, None, "")
    assert (bar.plan, bar.forecast, bar.whisker) == (None, None, None)
    assert bar.done > 0
    assert plan_bar(NAN, 10.0, None, None, "").done == 0.0


@pytest.mark.parametrize(("share", "seen"), [(0.0, 0.0), (0.002, 3.0), (0.5, 26.0)])
def test_a_share_that_is_there_at_all_can_be_seen(share: float, seen: float) -> None:
    assert quality(Total(1.0, 1.0 - share, share, 0.0), "").estimated == seen


@pytest.mark.parametrize(("index", "over"), [(1.05, False), (1.051, True), (0.8, False)])
def test_an_index_is_over_beyond_the_band(index: float, over: bool) -> None:
    assert ratio_bar(index).over is over


def test_an_index_beyond_the_scale_sticks_to_its_end() -> None:
    bar = ratio_bar(9.0)
    assert bar.x + bar.width == pytest.approx(128.0)


def test_many_kilowatt_hours_are_megawatt_hours() -> None:
    assert chart_unit("kWh", 9_999.0) == ("kWh", 1.0)
    assert chart_unit("kWh", 10_000.0) == ("MWh", 1000.0)
    assert chart_unit("m³", 1e6) == ("m³", 1.0)


def test_a_long_fit_draws_evenly_picked_dots() -> None:
    x = np.linspace(-10, 35, 9_000)
    drawn = fit_charts(x, 2 * x + 100, np.zeros(0), np.zeros(0), (x, 2 * x + 100), most=1000)
    assert drawn is not None
    assert 900 <= len(drawn[0].dots) <= 1000
    assert drawn[0].path.startswith("M")


def test_bars_that_stand_alone_take_the_room_of_the_running_total() -> None:
    beside, alone = bar_charts(bars([50.0, 100.0])), bar_charts(bars([50.0, 100.0]), alone=True)
    assert beside is not None
    assert alone is not None
    assert alone[0].height > beside[0].height
    assert alone[1].height == beside[1].height
