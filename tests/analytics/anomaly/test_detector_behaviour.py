"""What the detector promises, on machines small enough to imagine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.anomaly import DetectorParameters, Verdict, detect, examine, explain, score

SECOND = np.timedelta64(1, "s")
START = np.datetime64("2026-03-02T08:00:00", "us")


def seconds(n, step=SECOND):
    return START + np.arange(n) * step


def pump(n, seed=0, points=3):
    """Flow, pressure and power of a steady pump: white noise round a working point, power following flow."""
    rng = np.random.default_rng(seed)
    flow = 32.0 + 0.4 * rng.standard_normal(n)
    pressure = 0.35 + 0.01 * rng.standard_normal(n)
    power = 1.1 + 0.02 * (flow - 32.0) + 0.002 * rng.standard_normal(n)
    return np.column_stack([flow, pressure, power])[:, :points]


class TestCausality:
    @pytest.mark.parametrize("cut", [401, 450, 599, 777])
    def test_the_score_of_a_prefix_is_the_prefix_of_the_score(self, cut):
        values = pump(800)
        values[600:, 0] -= 3.0
        values[500:520, 1] = np.nan
        whole = examine(seconds(800), values, 400)
        part = examine(seconds(cut), values[:cut], 400)
        np.testing.assert_array_equal(part.scores, whole.scores[:cut])
        np.testing.assert_array_equal(part.labels, whole.labels[:cut])
        np.testing.assert_array_equal(part.expected, whole.expected[:cut])

    @settings(max_examples=25, deadline=None)
    @given(
        future=arrays(
            np.float64,
            st.tuples(st.integers(1, 20), st.just(2)),
            elements=st.floats(allow_nan=True, allow_infinity=True, width=64),
        )
    )
    def test_no_future_changes_the_past_and_no_value_breaks_it(self, future):
        values = np.vstack([pump(120, points=2), future])
        now = score(seconds(120), values[:120], 80)
        later = score(seconds(len(values)), values, 80)
        np.testing.assert_array_equal(later[:120], now)
        assert np.isfinite(later).all()

    @pytest.mark.parametrize("n", [0, 1, 30, 80])
    def test_training_rows_are_not_judged(self, n):
        values = pump(80)
        values[40] = 1e6
        assert not score(seconds(80)[:n], values[:n], 80).any()

    def test_a_daily_rhythm_is_causal_too(self):
        times = seconds(24 * 40, np.timedelta64(1, "h"))
        values = np.sin(np.arange(960) / 24 * 2 * np.pi)[:, None] + 0.1 * pump(960, points=1)
        np.testing.assert_array_equal(score(times[:700], values[:700], 480), score(times, values, 480)[:700])


class TestDriftAndFault:
    def test_a_healthy_machine_raises_no_alarm(self):
        assert not detect(seconds(6000), pump(6000), 1000).any()

    def test_a_slow_warm_up_that_training_has_seen_raises_no_alarm_however_far_it_goes(self):
        values = pump(6000)
        values[:, 0] += np.arange(6000) * 0.002  # twelve litres a minute, thirty times the noise, within the recording
        assert detect(seconds(6000), values, 1000).mean() < 0.01

    def test_a_step_is_found_and_ends_when_the_machine_is_back(self):
        values = pump(1500)
        values[700:1100, 0] -= 1.5
        labels = detect(seconds(1500), values, 400)
        assert not labels[:700].any()
        assert labels[725:1100].all()
        assert not labels[1160:].any()

    def test_a_step_on_top_of_a_warm_up_is_found_too(self):
        values = pump(1500)
        values[:, 0] += np.arange(1500) * 0.001
        values[700:1100, 0] -= 2.0
        labels = detect(seconds(1500), values, 400)
        assert not labels[:700].any()
        assert labels[725:1050].all()

    def test_a_break_between_points_is_found_that_no_point_shows_by_itself(self):
        values = pump(1500)
        values[700:, 2] = 1.1 - (values[700:, 2] - 1.1)  # power now falls when flow rises
        alone = detect(seconds(1500), values[:, [2]], 400)
        together = examine(seconds(1500), values, 400)
        assert not alone.any()
        assert together.labels[750:1000].all()
        assert together.contributions[750:1000].argmax(axis=1).tolist().count(1) == 0  # pressure has no part in it

    def test_one_wild_row_a_second_apart_is_a_glitch_but_scores_high(self):
        values = pump(800)
        values[600, 0] = 500.0
        examination = examine(seconds(800), values, 400)
        assert not examination.labels.any()
        assert examination.scores[600] > 10
        assert examination.scores[:600].max() < 1

    def test_one_wild_row_an_hour_apart_rings(self):
        values = pump(800)
        values[600, 0] = 500.0
        labels = detect(seconds(800, np.timedelta64(1, "h")), values, 400)
        assert labels[600]

    def test_a_sensor_that_never_repeated_itself_and_now_does_is_stuck(self):
        values = pump(800)
        values[600:, 1] = values[600, 1]
        examination = examine(seconds(800), values, 400)
        assert not examination.labels[:620].any()
        assert examination.labels[700:].all()
        assert examination.contributions[700].argmax() == 1

    def test_a_state_that_dwells_is_not_stuck(self):
        values = pump(1500)
        values[:, 1] = np.arange(1500) // 10 % 3
        values[600:, 1] = 2.0
        assert not detect(seconds(1500), values, 400)[600:].any()

    def test_an_oddity_is_news_once_and_then_known(self):
        values = pump(1500)
        values[700:1000, 0] -= 2.5
        scores = score(seconds(1500), values, 400)
        assert scores[700:720].max() >= 1
        assert (scores[760:1000] < 1).all()
        assert (scores[760:1000] > 0.5).all()
        assert scores[:700].max() < 0.5

    def test_a_restless_point_is_found_though_its_mean_stays(self):
        values = pump(1500)
        values[700:, 1] += 0.04 * np.random.default_rng(2).standard_normal(800)
        labels = detect(seconds(1500), values, 400)
        assert not labels[:700].any()
        assert labels[730:1000].all()

    def test_a_lasting_change_becomes_the_new_normal_after_as_long_as_training_took(self):
        values = pump(4000)
        values[700:, 0] -= 1.5
        labels = detect(seconds(4000), values, 400)
        assert labels[725:1100].all()
        assert not labels[2500:].any()

    def test_a_load_with_a_daily_rhythm_is_odd_when_the_rhythm_fails(self):
        hours = np.arange(24 * 30)
        load = 100 + 40 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(3).standard_normal(hours.size)
        load[24 * 25 : 24 * 26] = 100.0 + np.random.default_rng(4).standard_normal(24)  # within the usual range
        labels = detect(seconds(hours.size, np.timedelta64(1, "h")), load[:, None], 24 * 20)
        assert not labels[: 24 * 25].any()
        assert labels[24 * 25 : 24 * 26].mean() > 0.4


class TestInvariance:
    @pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.8, 32.0), (-1.0, 100.0)])
    def test_units_do_not_matter(self, factor, offset):
        values = pump(800)
        values[600:, 0] -= 2.0
        expected = examine(seconds(800), values, 400)
        other = examine(seconds(800), values * factor + offset, 400)
        np.testing.assert_allclose(other.scores, expected.scores, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(other.labels, expected.labels)

    def test_the_order_of_the_points_does_not_matter(self):
        values = pump(800)
        values[600:, 0] -= 2.0
        order = [2, 0, 1]
        straight, turned = examine(seconds(800), values, 400), examine(seconds(800), values[:, order], 400)
        np.testing.assert_allclose(turned.scores, straight.scores, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(turned.contributions, straight.contributions[:, order], rtol=1e-6, atol=1e-9)

    def test_the_same_rows_give_the_same_answer_and_are_left_alone(self):
        values, times = pump(800), seconds(800)
        kept = values.copy()
        np.testing.assert_array_equal(score(times, values, 400), score(times, values, 400))
        np.testing.assert_array_equal(values, kept)

    def test_a_constant_point_changes_nothing(self):
        values = pump(800)
        values[600:, 0] -= 2.0
        wider = np.column_stack([values, np.full(800, 7.0), np.full(800, np.nan)])
        np.testing.assert_array_equal(score(seconds(800), wider, 400), score(seconds(800), values, 400))


class TestMissing:
    def test_gaps_are_no_evidence(self):
        values = pump(3000)
        values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
        assert not detect(seconds(3000), values, 1000).any()

    def test_a_fault_is_found_through_gaps(self):
        values = pump(1500)
        values[700:, 0] -= 2.0
        values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
        labels = detect(seconds(1500), values, 400)
        assert not labels[:700].any()
        assert labels[740:1000].all()

    def test_an_alarm_does_not_outlive_the_point_that_raised_it(self):
        values = pump(1500)
        values[700:750, 0] -= 3.0
        values[750:, 0] = np.nan
        labels = detect(seconds(1500), values, 400)
        assert labels[740]
        assert not labels[950:].any()

    def test_infinity_is_missing(self):
        values = pump(800)
        values[600:610, 0] = np.inf
        missing = values.copy()
        missing[600:610, 0] = np.nan
        np.testing.assert_array_equal(score(seconds(800), values, 400), score(seconds(800), missing, 400))


class TestCannotTell:
    @pytest.mark.parametrize("train_length", [-5, 0, 1, 29])
    def test_too_few_training_rows(self, train_length):
        examination = examine(seconds(100), pump(100), train_length)
        assert examination.verdict(99) is Verdict.CANNOT_TELL
        assert "at least 30" in examination.reason
        assert not examination.scores.any()
        assert not examination.labels.any()

    def test_more_training_rows_than_rows(self):
        examination = examine(seconds(100), pump(100), 5000)
        assert not examination.scores.any()
        assert examination.verdict(99) is Verdict.CANNOT_TELL

    @pytest.mark.parametrize(
        ("column", "reason"),
        [
            (np.full(200, 5.0), "constant in the training rows"),
            (np.full(200, np.nan), "only 0 of 100 training rows have a value"),
            (np.where(np.arange(200) == 50, 1.0, 0.0), "moved in too few of the training rows"),
        ],
    )
    def test_points_that_teach_nothing_say_why(self, column, reason):
        examination = examine(seconds(200), column[:, None], 100)
        assert examination.reasons == (reason,)
        assert examination.verdict(150) is Verdict.CANNOT_TELL
        assert not examination.labels.any()

    def test_a_row_without_any_value(self):
        values = pump(800)
        values[600:700] = np.nan
        examination = examine(seconds(800), values, 400)
        assert examination.verdict(650) is Verdict.CANNOT_TELL
        assert examination.verdict(750) is Verdict.NORMAL
        assert explain(seconds(800), values, 400, 650).reason == "no point that could be judged has a value"

    def test_no_rows_and_no_points(self):
        assert score(seconds(0), np.empty((0, 3)), 10).shape == (0,)
        assert detect(seconds(50), np.empty((50, 0)), 40).tolist() == [0] * 50


class TestEvidence:
    def test_the_guilty_point_comes_first_with_what_was_expected_of_it(self):
        values = pump(800)
        values[600:, 1] += 0.3
        evidence = explain(seconds(800), values, 400, 640)
        assert evidence.verdict is Verdict.ODD
        first = evidence.points[0]
        assert first.column == 1
        assert first.contribution > evidence.threshold
        assert first.expected == pytest.approx(0.35, abs=0.02)
        assert first.measured == values[640, 1]
        assert abs(first.measured - first.expected) > first.tolerance

    def test_a_normal_row_has_grounds_too(self):
        evidence = explain(seconds(800), pump(800), 400, 640)
        assert evidence.verdict is Verdict.NORMAL
        assert evidence.score < 1
        assert [point.expected for point in evidence.points] == pytest.approx(
            [point.measured for point in evidence.points], rel=0.2
        )

    def test_a_training_row_says_that_it_is_one(self):
        evidence = explain(seconds(800), pump(800), 400, 10)
        assert evidence.verdict is Verdict.CANNOT_TELL
        assert "one of the" in evidence.reason

    def test_there_must_be_such_a_row(self):
        with pytest.raises(ValueError, match="row is 800; give one from 0 to 799"):
            explain(seconds(800), pump(800), 400, 800)


class TestShapes:
    def test_values_must_be_a_table(self):
        with pytest.raises(ValueError, match=r"values has shape \(10,\); reshape it to \(rows, points\)"):
            score(seconds(10), np.zeros(10), 5)

    def test_there_must_be_one_time_a_row(self):
        with pytest.raises(ValueError, match="give one time a row"):
            score(seconds(9), np.zeros((10, 1)), 5)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_unit_of_time_will_do(unit):
    values = pump(500)
    np.testing.assert_array_equal(
        score(seconds(500).astype(f"datetime64[{unit}]"), values, 300), score(seconds(500), values, 300)
    )


def test_irregular_and_repeated_times_are_taken_as_they_come():
    values = pump(800)
    gaps = np.random.default_rng(5).integers(0, 90, 800)
    assert not detect(START + np.cumsum(gaps) * SECOND, values, 400).any()


def test_a_higher_limit_finds_less():
    values = pump(1000)
    values[600:, 0] -= 1.0
    strict = examine(seconds(1000), values, 400, DetectorParameters(limit=9.0))
    assert strict.scores[600:].max() < examine(seconds(1000), values, 400).scores[600:].max()


@pytest.mark.parametrize("windows", [(1, 5), (2, 5, 20), (1, 20, 5)])
def test_windows_rise_from_one(windows):
    with pytest.raises(ValueError, match="three or more rising numbers of rows, the first 1"):
        DetectorParameters(windows=windows)
