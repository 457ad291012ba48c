"""What a register counted in each quarter of an hour, through all that happens to registers."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from analytics.energy.habits import Habits
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, STEP_US
from analytics.energy.registers import Booked, affected, book, book_many, learn
from facility.calendar import to_us
from facility.names import LANGUAGES
from facility.readings import GOOD, OUT_OF_RANGE, Series
from facility.site import Dated, MeterExchange, Register

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "registers.yaml").read_text(encoding="utf-8"))
ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)  # all steps are counted from here
T0 = to_us(MONDAY)
PLAIN = Register("total", "kWh")
# A register that counts 10 a quarter of an hour at its busiest.
BUSY = Habits(most_an_hour=40.0)


def at(steps: float) -> int:
    """Return a time, in steps after Monday's midnight."""
    return T0 + round(steps * STEP_US)


def moment(steps: float) -> datetime:
    return MONDAY + timedelta(minutes=15 * steps)


def register(**facts: object) -> Register:
    return Register("total", "kWh", **facts)  # type: ignore[arg-type]


def booked(
    readings: dict[float, float],
    meter: Register = PLAIN,
    habits: Habits | None = BUSY,
    steps: int | None = None,
    quality: dict[float, int] | None = None,
) -> Booked:
    """Book readings, given by steps after Monday's midnight."""
    times = np.array([at(s) for s in readings], dtype=np.int64)
    bits = np.array([(quality or {}).get(s, GOOD) for s in readings], dtype=np.uint8)
    n = steps if steps is not None else math.ceil(max(readings))
    return book(times, np.array(list(readings.values())), bits, meter, T0, at(n), ZONE, habits)


def row(first: float, *values: float) -> dict[float, float]:
    """Return readings a quarter of an hour apart from step `first` on."""
    return {first + i: v for i, v in enumerate(values)}


def used(result: Booked) -> str:
    """Write steps as `10 5e _`: measured 10, estimated 5, missing."""
    words = {MEASURED: "", ESTIMATED: "e", MISSING: ""}
    return " ".join(
        "_" if math.isnan(u) else f"{u:.6g}{words[int(g)]}"
        for u, g in zip(result.intervals.used, result.intervals.grade, strict=True)
    )


def kinds(result: Booked) -> list[str]:
    return [e.kind for e in result.events]


class TestPlainCounting:
    def test_what_is_counted_between_two_readings_belongs_to_the_time_between_them(self) -> None:
        assert used(booked(row(0, 100, 110, 113, 113))) == "10 3 0"

    def test_a_reading_within_a_step_parts_its_energy_by_time(self) -> None:
        # Home Assistant would book all 12 in the step of the later reading.
        assert used(booked({0: 100, 0.5: 104, 1.5: 116, 2: 118})) == "10 8"

    def test_one_late_reading_is_no_outage_and_two_are(self) -> None:
        assert used(booked({0: 0, 1: 10, 3: 26})) == "10 8 8"
        assert used(booked({0: 0, 1: 10, 4: 34})) == "10 8e 8e 8e"

    def test_a_reading_that_is_a_little_late_opens_no_outage(self) -> None:
        assert used(booked({0: 0, 2.1: 21, 3: 30})) == "10 10 10"

    def test_time_before_the_first_reading_and_after_the_last_is_missing(self) -> None:
        assert used(booked(row(1, 100, 110), steps=4)) == "_ 10 _ _"

    def test_a_step_that_is_known_in_part_holds_that_part_and_is_estimated(self) -> None:
        assert used(booked({0.5: 100, 1: 105, 2: 115})) == "5e 10"

    def test_no_readings_at_all_are_missing_and_not_zero(self) -> None:
        assert used(booked({1: 5}, steps=3)) == "_ _ _"
        empty = book(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8), PLAIN, T0, at(2), ZONE)
        assert used(empty) == "_ _"

    def test_pulses_are_booked_in_the_unit_of_the_register(self) -> None:
        assert used(booked(row(0, 100, 110), register(per_pulse=0.1))) == "1"

    def test_readings_out_of_range_below_zero_or_without_a_value_do_not_count(self) -> None:
        readings = {0: 100.0, 1: 5.0, 2: 120.0, 3: -1.0, 4: 140.0, 5: math.nan, 6: 160.0}
        assert used(booked(readings, quality={1: OUT_OF_RANGE})) == "10 10 10 10 10 10"

    def test_hourly_readings_are_the_usual_and_measured(self) -> None:
        hourly = {4.0 * i: 40.0 * i for i in range(30)}
        assert set(booked(hourly, habits=None).intervals.grade.tolist()) == {MEASURED}

    def test_daily_readings_are_spread_and_estimated(self) -> None:
        daily = {96.0 * i: 960.0 * i for i in range(30)}
        result = booked(daily, habits=None)
        assert set(result.intervals.grade.tolist()) == {ESTIMATED}
        assert result.intervals.total.amount == pytest.approx(29 * 960.0)


class TestRollOver:
    def test_a_register_of_known_digits_begins_again_from_zero(self) -> None:
        result = booked(row(0, 99980, 99990, 3, 13), register(digits=5))
        assert used(result) == "10 13 10"
        assert kinds(result) == ["roll_over"]
        assert result.events[0].counted == 13.0

    def test_it_may_roll_over_in_an_outage(self) -> None:
        result = booked({0: 99970, 1: 99980, 5: 20, 6: 30}, register(digits=5))
        assert used(result) == "10 10e 10e 10e 10e 10"
        assert kinds(result) == ["roll_over"]

    def test_it_may_roll_over_in_an_outage_of_days(self) -> None:
        result = booked({0: 98980, 1: 98990, 500: 4000, 501: 4010}, register(digits=5))
        assert result.intervals.total.amount == pytest.approx(5030.0)
        assert kinds(result) == ["roll_over"]

    @pytest.mark.parametrize(
        ("days", "after", "counted", "kind"),
        [
            (4, 3840.0, 3840.0, "outage"),  # the usual 960 a day, and no round
            (4, 500.0, 500.0, "outage"),  # half the days it stood still: less than half a round lacks
            (12, 1500.0, 11500.0, "roll_overs"),  # a whole round, and it shows more than before
            (24, 3000.0, 23000.0, "roll_overs"),
        ],
    )
    def test_rounds_that_nobody_saw_in_a_long_outage_are_counted_by_the_usual_pace(
        self, days: int, after: float, counted: float, kind: str
    ) -> None:
        habits = Habits(most_an_hour=100.0, mean_an_hour=40.0)
        result = booked({0: 0, 1: 0, 1 + 96 * days: after}, register(digits=4), habits)
        assert result.intervals.total.amount == pytest.approx(counted)
        assert kinds(result) == [kind]
        assert set(result.intervals.grade[1:].tolist()) == {ESTIMATED}

    def test_a_fall_over_an_outage_may_be_the_second_round(self) -> None:
        habits = Habits(most_an_hour=100.0, mean_an_hour=40.0)
        result = booked({0: 9000, 1: 9000, 1 + 96 * 12: 200}, register(digits=4), habits)
        assert result.intervals.total.amount == pytest.approx(11200.0)
        assert kinds(result) == ["roll_overs"]

    def test_a_fall_that_is_too_far_for_a_roll_over_is_none(self) -> None:
        assert kinds(booked(row(0, 50000, 50010, 3, 13), register(digits=5))) == ["reset"]

    def test_without_digits_a_fall_from_just_below_a_power_of_ten_is_guessed_and_told(self) -> None:
        result = booked(row(0, 99980, 99990, 3, 13))
        assert used(result) == "10 13e 10"
        assert kinds(result) == ["roll_over_guessed"]

    def test_digits_that_the_readings_contradict_are_not_used(self) -> None:
        assert kinds(booked(row(0, 654990, 655000, 3, 13), register(digits=4))) == ["reset"]

    def test_a_register_read_by_hand_rolls_over_without_known_habits(self) -> None:
        months = {0: 99000.0, 96 * 30: 99900.0, 96 * 60: 800.0}
        result = booked(months, register(digits=5), habits=None)
        assert result.intervals.total.amount == pytest.approx(1800.0)


class TestReset:
    def test_a_fall_to_near_zero_counts_from_zero_on(self) -> None:
        result = booked(row(0, 5000, 5010, 4, 14))
        assert used(result) == "10 4e 10"
        assert kinds(result) == ["reset"]
        assert "cannot be known" in result.events[0].told.en

    def test_a_reset_in_an_outage_is_spread_over_it(self) -> None:
        assert used(booked({0: 5000, 1: 5010, 5: 20, 6: 30})) == "10 5e 5e 5e 5e 10"

    def test_a_fall_to_somewhere_else_is_missing_and_told(self) -> None:
        result = booked(row(0, 5000, 5010, 3000, 3010))
        assert used(result) == "10 _ 10"
        assert kinds(result) == ["fall"]

    def test_home_assistants_sums(self) -> None:
        case = CASES["reset"]
        for seen, total in case["sums_after"].items():
            result = booked(row(0, *case["states"][:seen]), habits=Habits(most_an_hour=80.0))
            assert np.nansum(result.intervals.used) == pytest.approx(total)
        dip = CASES["small_dip"]
        assert np.nansum(booked(row(0, *dip["states"])).intervals.used) == pytest.approx(dip["sum"])


class TestExchange:
    OLD_TO_NEW = (MeterExchange(moment(2.5), 5025.0, 7.0),)

    def test_the_end_and_the_start_bridge_the_two_meters(self) -> None:
        result = booked(row(0, 5000, 5010, 5020, 12, 22), register(exchanges=self.OLD_TO_NEW))
        assert used(result) == "10 10 10 10"
        assert kinds(result) == ["exchange"]
        assert result.events[0].counted == 10.0

    def test_an_exchange_in_an_outage_parts_it(self) -> None:
        meter = register(exchanges=(MeterExchange(moment(3), 5030.0, 7.0),))
        assert used(booked({0: 5000, 1: 5010, 5: 47, 6: 57}, meter)) == "10 10 10 20 20 10"

    @pytest.mark.parametrize("entered", [0.2, 1.9, 3.4, 20])
    def test_the_readings_say_when_it_was_if_the_entered_time_is_a_little_off(self, entered: float) -> None:
        meter = register(exchanges=(MeterExchange(moment(entered), 5025.0, 7.0),))
        result = booked(row(0, 5000, 5010, 5020, 12, 22), meter)
        assert used(result) == "10 10 10 10"
        assert kinds(result) == ["exchange_moved"]

    def test_readings_of_the_old_meter_that_come_late_stand_before_the_exchange(self) -> None:
        late = {3: 12.0, 4: 22.0, 0: 5000.0, 2: 5020.0, 1: 5010.0}
        assert used(booked(late, register(exchanges=self.OLD_TO_NEW), steps=4)) == "10 10 10 10"

    def test_an_end_below_the_last_reading_is_told_and_the_rest_is_computed(self) -> None:
        meter = register(exchanges=(MeterExchange(moment(2.5), 4025.0, 7.0),))
        result = booked(row(0, 5000, 5010, 5020, 12, 22), meter)
        assert used(result) == "10 10 5e 10"
        assert "exchange_unfit" in kinds(result)

    def test_a_display_read_without_its_decimals_fits(self) -> None:
        meter = register(exchanges=(MeterExchange(moment(2.01), 5020.0, 7.0),))
        assert "exchange_unfit" not in kinds(booked(row(0, 5000, 5010.4, 5020.8, 17), meter))

    def test_the_old_meter_may_have_rolled_over_before_it_was_taken_out(self) -> None:
        meter = register(digits=5, exchanges=(MeterExchange(moment(2.5), 3.0, 7.0),))
        result = booked(row(0, 99975, 99985, 99995, 12, 22), meter)
        assert used(result) == "10 10 13 10"
        assert sorted(kinds(result)) == ["exchange", "roll_over"]

    def test_the_new_meter_may_have_other_digits(self) -> None:
        meter = register(digits=6, exchanges=(MeterExchange(moment(0.5), 5005.0, 9980.0, 4),))
        assert used(booked(row(0, 5000, 9985, 9995, 5), meter)) == "10 10 10"

    def test_two_exchanges_follow_each_other(self) -> None:
        twice = (MeterExchange(moment(0.5), 5005.0, 0.0), MeterExchange(moment(1.5), 10.0, 800.0))
        assert used(booked(row(0, 5000, 5, 805, 815), register(exchanges=twice))) == "10 10 10"

    def test_an_exchange_that_lies_in_the_future_says_nothing_yet(self) -> None:
        meter = register(exchanges=(MeterExchange(moment(200), 7000.0, 0.0),))
        assert used(booked(row(0, 5000, 5010, 5020), meter, steps=4)) == "10 10 _ _"

    def test_a_meter_that_is_taken_out_and_not_yet_read_again_counts_until_then(self) -> None:
        meter = register(exchanges=(MeterExchange(moment(3), 5025.0, 0.0),))
        assert used(booked(row(0, 5000, 5010, 5020), meter, steps=4)) == "10 10 5 _"

    def test_a_months_water_bill_with_an_exchange(self) -> None:
        case = CASES["meter_exchange"]
        zone = ZoneInfo(case["zone"])
        first, last = (datetime.combine(case[d], datetime.min.time(), zone) for d in ("from", "to"))
        r = case["readings"]
        swap = MeterExchange(case["exchanged"].replace(tzinfo=zone), r["old_end"], r["new_start"])
        times = np.array([to_us(first), to_us(last)], dtype=np.int64)
        values = np.array([r["old_first"], r["new_last"]], dtype=float)
        meter = Register("volume_total", "kgal", exchanges=(swap,))
        result = book(times, values, np.zeros(2, np.uint8), meter, to_us(first), to_us(last), zone)
        assert result.intervals.total.amount == pytest.approx(case["billed"])
        assert round(result.intervals.total.amount * case["price"], 2) == case["charged"]


class TestRatio:
    MIDNIGHT = Dated((date(2020, 1, 1), date(2026, 3, 3)), (1.0, 10.0))

    def test_each_part_is_multiplied_by_the_ratio_of_its_day(self) -> None:
        assert used(booked(row(94, 0, 1, 2, 3, 4), register(ratio=self.MIDNIGHT))).split()[94:] == [
            "1",
            "1",
            "10",
            "10",
        ]

    def test_a_gap_across_the_change_is_parted_at_it(self) -> None:
        result = booked({95.5: 0, 96.5: 4}, register(ratio=self.MIDNIGHT))
        assert used(result).split()[95:] == ["2e", "20e"]

    def test_a_ratio_that_begins_on_the_day_of_an_exchange_begins_with_the_new_meter(self) -> None:
        meter = register(ratio=self.MIDNIGHT, exchanges=(MeterExchange(moment(98.5), 3.5, 100.0),))
        steps = used(booked(row(95, 0, 1, 2, 3, 100.5, 101.5), meter)).split()
        assert steps[95:] == ["1", "1", "1", "5.5", "10"]


class TestWrongReadings:
    @pytest.mark.parametrize("wrong", [0.0, 3.0, 2500.0, 5015.0, 5120.0, 5900.0, 99999.0])
    def test_a_reading_that_leaps_away_and_comes_back_is_left_out(self, wrong: float) -> None:
        result = booked(row(0, 5000, 5010, 5020, wrong, 5040, 5050))
        assert used(result) == "10 10 10 10 10"
        assert kinds(result) == ["glitch"]

    def test_of_two_explanations_the_one_that_leaves_out_less_is_taken(self) -> None:
        # Either 5120 is wrong, or all eight after it.
        result = booked(row(0, 5000, 5010, 5020, 5120, *range(5040, 5160, 10)))
        assert used(result) == " ".join(["10"] * 15)
        assert kinds(result) == ["glitch"]

    @pytest.mark.parametrize("wrong", [0.0, 9000.0])
    def test_a_wrong_reading_before_an_outage_of_more_than_a_day_is_left_out_too(self, wrong: float) -> None:
        result = booked(row(0, 5000, 5010, 5020, wrong) | row(150, 6500, 6510))
        assert result.intervals.total.amount == pytest.approx(1510.0)
        assert sorted(kinds(result)) == ["glitch", "outage"]

    def test_zeros_from_a_gateway_that_starts_up_are_no_reset(self) -> None:
        result = booked(row(0, 5000, 5010, *[0.0] * 5, 5070, 5080))
        assert used(result) == "10 10e 10e 10e 10e 10e 10e 10"
        assert sorted(kinds(result)) == ["glitch", "outage"]

    def test_a_wrong_reading_beside_a_roll_over_hides_it_not(self) -> None:
        for wrong in (30000.0, 250000.0):
            result = booked(row(0, 99980, 99990, wrong, 10, 20), register(digits=5))
            assert used(result) == "10 10 10 10"
            assert sorted(kinds(result)) == ["glitch", "roll_over"]

    def test_a_leap_of_a_slow_register_that_comes_back_is_no_catch_up(self) -> None:
        # Of whole MWh it counts one or two a day; a standstill of weeks would explain the leap.
        slow = {24.0 * i: 5000.0 + i // 3 for i in range(120)}
        wrong = slow | {24.0 * 119 + 1: 5070.0, 24.0 * 119 + 2: 5039.0, 24.0 * 119 + 3: 5039.0}
        result = booked(wrong, habits=Habits(most_an_hour=0.5))
        assert result.intervals.total.amount == pytest.approx(39.0)
        assert "glitch" in kinds(result)

    def test_a_leap_that_stays_is_not_believed(self) -> None:
        result = booked(row(0, 5000, 5010, 90000, 90010, 90020, 90030, 90040))
        assert used(result) == "10 _ 10 10 10 10"
        assert kinds(result) == ["jump"]

    def test_a_leap_is_the_start_of_a_heavy_load_if_it_goes_on(self) -> None:
        result = booked(row(0, 5000, 5001, 5400, 5800, 6200))
        assert used(result) == "1 399 400 400"
        assert kinds(result) == []

    def test_a_leap_in_the_newest_reading_is_kept_and_flagged_until_more_is_known(self) -> None:
        result = booked(row(0, 5000, 5001, 5400))
        assert used(result) == "1 399e"
        assert kinds(result) == ["jump_kept"]

    def test_a_leap_over_an_outage_is_kept_and_flagged(self) -> None:
        result = booked({0: 5000, 1: 5010, 9: 6810, 10: 6820, 11: 6830})
        assert result.intervals.total.amount == 1830.0
        assert kinds(result) == ["jump_kept"]

    def test_a_small_fall_that_does_not_come_back_counts_nothing(self) -> None:
        result = booked(row(0, 5000, 5010, 4910, *[4910.0 + i / 100 for i in range(1, 130)]))
        assert used(result).split()[:3] == ["10", "0e", "0.01"]
        assert kinds(result) == ["backwards"]

    def test_a_standstill_that_ends_in_a_leap_is_spread_over_it(self) -> None:
        result = booked(row(0, 5000, 5010, 5010, 5010, 5010, 5050, 5060))
        assert used(result) == "10 10e 10e 10e 10e 10"
        assert kinds(result) == ["stuck"]

    def test_one_reading_told_twice_is_a_standstill_of_a_register_that_never_stands(self) -> None:
        # Else the step after it would be the month's maximum demand.
        told_twice = row(0, 5000, 5010, 5010, 5030, 5040)
        never = Habits(most_an_hour=40.0, never_still=True)
        assert used(booked(told_twice, habits=never)) == "10 10e 10e 10"
        assert used(booked(told_twice)) == "10 0 20 10"

    def test_whether_a_register_stands_still_is_learnt(self) -> None:
        running = np.arange(200, dtype=float)
        still = np.floor(running / 2)
        times = T0 + STEP_US * np.arange(200, dtype=np.int64)
        good = np.zeros(200, np.uint8)
        assert learn(times, running, good, PLAIN, ZONE).never_still
        assert not learn(times, still, good, PLAIN, ZONE).never_still

    def test_a_load_that_was_off_and_comes_on_is_no_standstill(self) -> None:
        assert used(booked(row(0, 5000, 5000, 5000, 5000, 5010, 5020))) == "0 0 0 10 10"

    def test_every_event_is_told_in_both_languages(self) -> None:
        for event in booked(row(0, 5000, 5010, 3, 13)).events:
            assert all(event.told.in_(language).strip() for language in LANGUAGES)


class TestOutage:
    def test_what_was_counted_is_spread_as_the_meters_own_days_run(self) -> None:
        # Two weeks at 10 a step from 08:00 to 18:00 on workdays and 2 else; the second Wednesday is lost.
        days = np.arange(14 * 96)
        hour, weekday = days % 96 / 4.0, days // 96 % 7
        load = np.where((hour >= 8) & (hour < 18) & (weekday < 5), 10.0, 2.0)
        count = np.concatenate([[0.0], np.cumsum(load)])
        lost = (np.arange(count.shape[0]) > 9 * 96) & (np.arange(count.shape[0]) < 10 * 96)
        result = booked({float(i): float(count[i]) for i in np.flatnonzero(~lost)}, habits=None)
        wednesday = slice(9 * 96, 10 * 96)
        np.testing.assert_allclose(result.intervals.used[wednesday], load[wednesday])
        assert set(result.intervals.grade[wednesday].tolist()) == {ESTIMATED}
        assert kinds(result) == ["outage"]

    def test_without_a_profile_it_is_spread_evenly(self) -> None:
        assert used(booked({0: 0, 1: 10, 6: 60})) == "10 10e 10e 10e 10e 10e"

    def test_a_profile_that_knows_of_no_use_spreads_evenly(self) -> None:
        idle = Habits(most_an_hour=40.0, profile=np.zeros((2, 96)))
        assert used(booked({0: 0, 1: 10, 4: 40}, habits=idle)) == "10 10e 10e 10e"

    def test_readings_within_steps_keep_their_parts_of_the_outage(self) -> None:
        noon = Habits(most_an_hour=40.0, profile=np.ones((2, 96)))
        assert used(booked({0: 0, 1.5: 15, 4.5: 45, 5: 50}, habits=noon)) == "10 10e 10e 10e 10e"


class TestBooksAsAWhole:
    def test_many_registers_are_booked_by_their_keys(self) -> None:
        n = 9
        series = Series(T0 + STEP_US * np.arange(n), np.arange(n, dtype=float), np.zeros(n, np.uint8))
        result = book_many({"a/x": series}, {"a/x": PLAIN, "b/x": PLAIN}, T0, at(8), ZONE)
        assert used(result["a/x"]) == "1 1 1 1 1 1 1 1"
        assert used(result["b/x"]) == "_ _ _ _ _ _ _ _"

    def test_a_start_inside_a_step_is_refused(self) -> None:
        none: NDArray[np.int64] = np.zeros(0, np.int64)
        with pytest.raises(ValueError, match="whole steps"):
            book(none, np.zeros(0), np.zeros(0, np.uint8), PLAIN, T0 + 1, at(2), ZONE)

    def test_arrays_of_different_lengths_are_refused(self) -> None:
        with pytest.raises(ValueError, match="must be"):
            learn(np.zeros(2, np.int64), np.zeros(3), np.zeros(2, np.uint8), PLAIN, ZONE)

    def test_late_readings_reach_to_the_readings_around_them(self) -> None:
        week = 7 * 96
        existing = np.array([at(s) for s in (0, 2 * week, 2.5 * week, 4 * week, 6 * week)], dtype=np.int64)
        assert affected(np.array([at(3 * week)]), existing) == (at(2 * week), at(4 * week + 1))
        with pytest.raises(ValueError, match="no late readings"):
            affected(np.zeros(0, np.int64), existing)
