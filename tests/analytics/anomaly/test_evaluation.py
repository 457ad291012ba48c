"""The scoring rules against sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.anomaly import evaluation as ev

TIMES = np.datetime64("2026-01-01", "us") + np.arange(200) * np.timedelta64(1, "s")


def flags(n, *spans):
    out = np.zeros(n, dtype=int)
    for start, end in spans:
        out[start:end] = 1
    return out


class TestRows:
    def test_counts_rates_and_f1_by_hand(self):
        #                         TP TP FN FP TN TN
        rows = ev.count_rows([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0])
        assert rows == ev.RowCounts(2, 1, 1, 2)
        assert rows.f1 == pytest.approx(2 / 3)
        assert rows.false_alarm_rate == pytest.approx(1 / 3)
        assert rows.missed_alarm_rate == pytest.approx(1 / 3)

    def test_rows_that_were_learnt_from_do_not_count(self):
        assert ev.count_rows([1, 1, 0], [1, 0, 1], counted=[False, True, True]) == ev.RowCounts(0, 1, 1, 0)

    def test_files_are_pooled_by_adding(self):
        assert ev.RowCounts(1, 2, 3, 4) + ev.RowCounts(1, 1, 1, 1) == ev.RowCounts(2, 3, 4, 5)

    def test_a_rate_of_nothing_is_not_a_number(self):
        assert math.isnan(ev.count_rows([1, 1], [1, 0]).false_alarm_rate)

    def test_lengths_must_agree(self):
        with pytest.raises(ValueError, match=r"truth \(2,\), flagged \(3,\)"):
            ev.count_rows([1, 0], [1, 0, 0])


class TestEvents:
    def test_runs(self):
        assert ev.runs([1, 1, 0, 1]) == [(0, 2), (3, 4)]
        assert ev.runs([]) == []

    def test_delay_is_the_time_from_onset_to_the_first_flag(self):
        (report,) = ev.report_events(TIMES, flags(200, (100, 150)), flags(200, (112, 160)))
        assert report.found
        assert report.delay_s == 12.0
        assert not report.already_ringing

    def test_an_alarm_that_rang_before_says_so(self):
        (report,) = ev.report_events(TIMES, flags(200, (100, 150)), flags(200, (90, 160)))
        assert report.already_ringing

    def test_a_missed_event_has_no_delay(self):
        (report,) = ev.report_events(TIMES, flags(200, (100, 150)), flags(200, (150, 160)))
        assert not report.found
        assert math.isnan(report.delay_s)

    def test_share_flagged_before_the_onset(self):
        assert ev.flagged_before_onset(flags(200, (100, 150)), flags(200, (40, 60)), first_row=50) == 10 / 50
        assert math.isnan(ev.flagged_before_onset(flags(200, (100, 150)), flags(200), first_row=100))


class TestChangePoints:
    def test_silence_is_zero_and_at_once_is_a_hundred(self):
        truth = flags(200, (50, 51), (120, 121))
        assert ev.tally_change_points(TIMES, truth, flags(200)).score == 0.0
        assert ev.tally_change_points(TIMES, truth, flags(200, (50, 120))).score == pytest.approx(100.0)

    def test_half_a_window_late_earns_the_middle(self):
        # One change point, found after 30 s of 60: (1 - 0.11) / 2 = 0.445 points of -1 to 1.
        tally = ev.tally_change_points(TIMES, flags(200, (50, 51)), flags(200, (80, 200)))
        assert tally.points == pytest.approx(0.445)
        assert tally.score == pytest.approx(100 * 1.445 / 2)

    def test_a_switch_outside_costs_a_ninth(self):
        tally = ev.tally_change_points(TIMES, flags(200, (50, 51)), flags(200, (50, 130)))
        assert tally.points == pytest.approx(1.0 - 0.11)

    def test_a_second_switch_inside_is_free(self):
        tally = ev.tally_change_points(TIMES, flags(200, (50, 51)), flags(200, (50, 60)))
        assert tally.points == pytest.approx(1.0)

    def test_switches_in_training_rows_do_not_count(self):
        tally = ev.tally_change_points(TIMES, flags(200, (50, 51)), flags(200, (10, 20), (50, 200)), first_row=40)
        assert tally.points == pytest.approx(1.0)


class TestNab:
    def test_silence_is_zero(self):
        assert ev.tally_nab(np.zeros(100), [(50, 59)], 0.5, 15).score == 0.0

    def test_the_first_row_of_the_window_is_worth_one_point(self):
        scores = np.zeros(100)
        scores[50] = 1.0
        assert ev.tally_nab(scores, [(50, 59)], 0.5, 15).score == pytest.approx(100.0)

    def test_the_last_row_of_the_window_is_worth_what_the_sigmoid_says(self):
        scores = np.zeros(100)
        scores[[59, 57]] = 1.0, 0.2
        # Position -(59 - 59 + 1) / 10 = -0.1: (2 / (1 + e^-0.5) - 1) / (2 / (1 + e^-5) - 1) = 0.24492 / 0.98661
        assert ev.tally_nab(scores, [(50, 59)], 0.5, 15).points == pytest.approx(0.24824, abs=1e-4)

    def test_a_false_alarm_before_any_window_costs_all_of_its_weight(self):
        scores = np.zeros(100)
        scores[[20, 50]] = 1.0
        assert ev.tally_nab(scores, [(50, 59)], 0.5, 15).points == pytest.approx(1.0 - 0.11)

    def test_a_false_alarm_just_behind_a_window_is_nearly_forgiven(self):
        scores = np.zeros(100)
        scores[[50, 60]] = 1.0
        # Position 1 / 9 behind: 0.11 * (2 / (1 + e^(5/9)) - 1) = -0.11 * 0.27085
        assert ev.tally_nab(scores, [(50, 59)], 0.5, 15).points == pytest.approx(1.0 - 0.02979, abs=1e-4)

    def test_probation_is_15_percent_but_at_most_750_rows(self):
        assert ev.probation(1000) == 150
        assert ev.probation(10_000) == 750

    def test_probation_rows_are_not_judged(self):
        scores = np.zeros(100)
        scores[[3, 50]] = 1.0
        assert ev.tally_nab(scores, [(50, 59)], 0.5, 15).points == pytest.approx(1.0)

    def test_one_threshold_serves_all_files(self):
        quiet, loud = np.zeros(100), np.full(100, 0.3)
        quiet[50], loud[50] = 0.6, 0.9
        threshold, best = ev.best_nab_threshold([(quiet, [(50, 59)], 15), (loud, [(50, 59)], 15)])
        assert 0.3 < threshold <= 0.6
        assert best == pytest.approx(100.0)


class TestRig:
    HEADER = "datetime;Pressure;Volume Flow RateRMS;anomaly;changepoint\n"

    def rows(self, n, fault=None):
        rng = np.random.default_rng(7)
        for i in range(n):
            odd = fault is not None and fault[0] <= i < fault[1]
            flow = 32 + 0.4 * rng.standard_normal() - 4 * odd
            label = "" if fault is None else f";{float(odd)};{float(i in fault)}"
            yield f"2026-03-09 {10 + i // 3600:02}:{i // 60 % 60:02}:{i % 60:02};{rng.normal(0.3, 0.1)};{flow}{label}\n"

    def test_measures_healthy_and_labelled_recordings_below_a_folder(self, tmp_path):
        (tmp_path / "valve").mkdir()
        (tmp_path / "valve" / "0.csv").write_text(self.HEADER + "".join(self.rows(800, (500, 650))))
        (tmp_path / "healthy.csv").write_text("datetime;Pressure;Volume Flow RateRMS\n" + "".join(self.rows(700)))
        figures = ev.evaluate_rig(tmp_path, train_rows=300, healthy_train_rows=300)
        assert figures["healthy"]["healthy.csv"]["flagged_share"] == 0.0
        assert figures["labelled"]["events_found"] == figures["labelled"]["events"] == 1
        assert figures["labelled"]["flagged_before_onset"] == 0.0
        assert figures["labelled"]["median_delay_s"] < 20
        assert figures["labelled"]["change_point_score"] > 50
        assert list(figures["files"]) == ["valve/0.csv"]

    def test_an_empty_folder_is_no_rig(self, tmp_path):
        with pytest.raises(ValueError, match="give the folder that holds the rig's recordings"):
            ev.evaluate_rig(tmp_path)

    def test_a_broken_row_is_named(self, tmp_path):
        path = tmp_path / "0.csv"
        path.write_text("datetime;Pressure\n2026-03-09 10:00:00;1.0\n2026-03-09 10:00:01;high\n")
        with pytest.raises(ValueError, match=r"0\.csv, line 3: .*'high'; correct or remove the row"):
            ev.read_recording(path)

    def test_a_file_of_another_kind_is_refused(self, tmp_path):
        path = tmp_path / "0.csv"
        path.write_text("time,value\n1,2\n")
        with pytest.raises(ValueError, match="the first column is not 'datetime'"):
            ev.read_recording(path)

    def test_an_empty_cell_is_missing(self, tmp_path):
        path = tmp_path / "0.csv"
        path.write_text("datetime;Pressure;Current\n2026-03-09 10:00:00;;2.0\n")
        recording = ev.read_recording(path)
        assert math.isnan(recording.values[0, 0])
        assert recording.columns == ("Pressure", "Current")
        assert recording.truth is None
