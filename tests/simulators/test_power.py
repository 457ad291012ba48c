"""The power room as a whole: balances, the loss of the mains second by second, and the size of what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.site import Site
from facility.site_file import load_site
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from simulators.physics.battery import ups_losses
from tests.simulators.trial import ROOT, small_site

Values = Mapping[str, NDArray[np.float64]]
# A fault, the machine that has it, and from which second to which (None: to the end).
Event = tuple[str, str, float, float | None]

TEN = "2026-01-14 10:00"

ONE_BOARD = """
site: {id: one, name: {zh: 一, en: One}, time_zone: Asia/Shanghai, currency: CNY}
rooms: [{id: p, kind: power_room, name: {zh: 配电房, en: Power room}}]
departments: [{id: laboratory, name: {zh: 检验科, en: Laboratory}, floor_area: 900 m²}]
telemetry: [{topic: "{site}/{equipment}/{point}", format: plain}]
equipment:
  - {id: hv1, class: hv_incomer, room: p, rating: {current: 100 A, contract_demand: 500 kW}}
  - id: tx1
    class: dry_type_transformer
    room: p
    rating: {power: 1600 kVA, current: 2309 A, no_load_loss: 1.96 kW, load_loss: 11.73 kW}
    fed_by: [hv1]
  - {id: gen1, class: diesel_generator, room: p, rating: {power: 200 kW, tank: 400 L, consumption: 52 L/h}}
  - {id: fd1, class: lv_feeder, room: p, rating: {current: 250 A}, fed_by: [tx1]}
  - {id: ats1, class: transfer_switch, room: p, rating: {current: 160 A}, fed_by: [fd1, gen1]}
  - {id: ups1, class: ups, room: p, rating: {power: 80 kVA, float_voltage: 432 V}, fed_by: [ats1], serves: [laboratory]}
"""


@cache
def shown(start: str, steps: int, step_s: float, events: Sequence[Event] = ()) -> Values:
    """Return what the sensors of the small site show from a time on, with faults."""
    site = small_site()
    start_us = int(datetime.fromisoformat(start).replace(tzinfo=site.time_zone).timestamp()) * 1_000_000
    book = [
        FaultEvent(
            fault, machine, 1.0, start_us + int(on * 1e6), 0.0, None if off is None else start_us + int(off * 1e6)
        )
        for fault, machine, on, off in events
    ]
    times = start_us + np.arange(steps, dtype=np.int64) * round(step_s * 1e6)
    return Hospital(site, 1, book).run(times)


def quarters(day: str, days: int) -> NDArray[np.int64]:
    """Return the quarters of an hour of some days."""
    start_us = int(datetime.fromisoformat(day).replace(tzinfo=small_site().time_zone).timestamp()) * 1_000_000
    return start_us + np.arange(days * 96 + 1, dtype=np.int64) * 900_000_000


def one_board(folder: Path) -> Site:
    """Return a site with one laboratory, behind one UPS, transfer switch, feeder and transformer, and a generator."""
    (folder / "site.yaml").write_text(ONE_BOARD, "utf-8")
    return load_site(folder)


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


@pytest.fixture(scope="module")
def seconds() -> Values:
    """The incomer dies 10 s after ten o'clock and is back 200 s later, seen every second."""
    return shown(TEN, 900, 1.0, (("EL-F01", "hv1", 10.0, 210.0),))


class TestLossOfTheMains:
    def test_the_generator_starts_and_essential_load_is_back_within_15_seconds(self, seconds: Values) -> None:
        dark = np.flatnonzero(seconds["ats1/load_present"] == 0.0)
        assert dark[0] == 10
        # JGJ 312-2013, 4.4.5, and IEC 60364-7-710: 15 s.
        assert 5 <= len(dark) <= 15
        assert seconds["ats1/position"][30] == 2.0
        assert seconds["gen1/running"][10] == 1.0

    def test_what_waits_for_the_mains_stays_dark(self, seconds: Values) -> None:
        for key in (
            "em-icu/active_power",
            "fd-wards/current_a",
            "fd-plant/voltage_a",
            "tx1/voltage_ab",
            "hv1/voltage_ab",
        ):
            assert not seconds[key][10:210].any(), key
            assert seconds[key][0] > 0.0
            assert seconds[key][-1] > 0.0

    def test_the_battery_bridges_the_gap_and_the_laboratory_notices_nothing(self, seconds: Values) -> None:
        assert (seconds["ups1/supply_mode"][10:18] == 2.0).all()
        assert seconds["ups1/supply_mode"][30] == 1.0
        assert (seconds["ups1/output_voltage"] > 375.0).all()

    def test_the_generator_carries_what_the_switch_gives(self, seconds: Values) -> None:
        kva = np.sqrt(3.0) * 0.385 * seconds["ats1/current"][30:200]
        kw = seconds["gen1/active_power"][30:200]
        assert (kw < kva).all()
        assert (kw > 0.85 * kva).all()

    def test_the_load_goes_back_after_five_minutes_and_the_engine_cools_down(self, seconds: Values) -> None:
        back = np.flatnonzero(seconds["ats1/position"] == 2.0)[-1]
        assert back == pytest.approx(210 + 300, abs=2)
        assert seconds["ats1/load_present"][210:].all()
        last = np.flatnonzero(seconds["gen1/running"])[-1]
        assert last == pytest.approx(210 + 600, abs=2)
        assert seconds["gen1/active_power"][back + 2 :].max() == 0.0

    def test_what_turns_by_electricity_stands_still_and_liquid_oxygen_takes_over(self, seconds: Values) -> None:
        for key in ("psa1/outlet_flow", "bp1/flow", "cp1/running", "lift1/active_power"):
            assert not seconds[key][12:200].any(), key
        assert seconds["vz-icu/pressure"][200] > seconds["vz-icu/pressure"][5] + 5.0
        assert (seconds["oz-icu/pressure"] > 400.0).all()

    def test_both_moves_and_the_start_are_counted(self, seconds: Values) -> None:
        assert used(seconds, "ats1/operations") == 2.0
        assert used(seconds, "gen1/starts") == 1.0

    def test_by_the_minute_it_generates_as_much_as_by_the_second(self, seconds: Values) -> None:
        minutes = shown(TEN, 15, 60.0, (("EL-F01", "hv1", 10.0, 210.0),))
        by_the_second, by_the_minute = (used(v, "gen1/energy_export") for v in (seconds, minutes))
        # A minute in which the mains go counts as dark from its beginning.
        assert by_the_minute == pytest.approx(by_the_second, rel=0.15)


def test_whatever_the_pieces_in_which_an_outage_is_run_it_is_the_same_to_the_bit(tmp_path: Path) -> None:
    times = quarters("2026-01-12", 1)
    outage = int(times[30]) + 1, int(times[50]) + 1

    def hospital() -> Hospital:
        return Hospital(one_board(tmp_path), 1, [FaultEvent("EL-F01", "hv1", 1.0, outage[0], 0.0, outage[1])])

    whole, pieces = hospital().run(times), hospital()
    parts = [pieces.run(piece) for piece in np.split(times, [7, 31, 32, 50, 80])]
    assert all(np.array_equal(whole[k], np.concatenate([p[k] for p in parts])) for k in whole)


@pytest.mark.parametrize(
    ("line", "switches", "generator"), [("hv1", ("ats1",), "gen1"), ("hv2", ("ats2", "ats3"), "gen2")]
)
def test_the_large_hospital_keeps_its_essential_boards_when_either_line_is_lost(
    line: str, switches: Sequence[str], generator: str
) -> None:
    site = load_site(ROOT / "examples" / "hospital")
    times = quarters("2026-01-14", 1)[40:44]
    values = Hospital(site, 1, [FaultEvent("EL-F01", line, 1.0, int(times[1]), 0.0)]).run(times)
    assert values[f"{generator}/running"].tolist() == [0.0, 1.0, 1.0, 1.0]
    assert values[f"{generator}/active_power"][-1] > 50.0
    for switch in ("ats1", "ats2", "ats3"):
        assert values[f"{switch}/load_present"].all()
        assert values[f"{switch}/position"][-1] == (2.0 if switch in switches else 1.0)
    for ups in ("ups1", "ups2"):
        assert values[f"{ups}/output_voltage"].min() > 375.0


class TestWithoutHelp:
    def test_a_generator_left_off_leaves_the_board_dark_and_the_battery_to_carry_on_alone(self) -> None:
        values = shown(TEN, 150, 60.0, (("EL-F23", "gen1", -60.0, None), ("EL-F01", "hv1", 600.0, None)))
        assert not values["gen1/running"].any()
        assert not values["ats1/load_present"][10:].any()
        left = values["ups1/battery_minutes"]
        assert left[20] < left[5]
        assert values["ups1/supply_mode"][12] == 2.0
        # It ends when the battery is empty, about when it said that it would.
        gone = int(np.argmax(values["ups1/supply_mode"] == 0.0))
        assert gone - 10 == pytest.approx(left[11], rel=0.25)
        assert not values["ups1/output_voltage"][gone + 1 :].any()

    def test_a_jammed_switch_leaves_its_load_dark_though_the_generator_runs(self) -> None:
        values = shown(TEN, 30, 60.0, (("EL-F02", "ats1", 300.0, None),))
        assert values["gen1/running"][6:].all()
        assert values["gen1/active_power"].max() == 0.0
        assert not values["ats1/load_present"][6:].any()
        assert values["fd-wards/active_power"][10] > 10.0


class TestTests:
    def test_it_is_tested_every_monday_and_every_fourth_time_under_load(self) -> None:
        loaded = 0
        for monday in ("2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02"):
            values = shown(f"{monday} 09:30", 90, 60.0)
            assert values["gen1/running"].sum() >= 15.0
            assert values["ats1/load_present"].all()
            assert (values["ups1/supply_mode"] == 1.0).all()
            if values["gen1/active_power"].max() > 0.0:
                loaded += 1
                # NFPA 110: half an hour with 30 % of the nameplate.
                assert (values["gen1/active_power"] > 0.30 * 600.0).sum() >= 29
        assert loaded == 1

    def test_fuel_is_brought_before_it_is_low(self, tmp_path: Path) -> None:
        level = Hospital(one_board(tmp_path), 1).run(quarters("2026-01-01", 364))["gen1/fuel_level"]
        assert level.min() > 55.0
        assert (np.diff(level) > 5.0).any()


class TestBalance:
    def test_a_feeder_gives_what_the_ups_gives_and_loses(self, tmp_path: Path) -> None:
        values = Hospital(one_board(tmp_path), 1).run(quarters("2026-01-14", 2))
        output = values["ups1/active_power"][1:]
        given = float(np.sum(output + ups_losses(output, 72.0))) / 4.0
        assert used(values, "fd1/energy_import") == pytest.approx(given, rel=1e-3)
        load = values["tx1/apparent_power"][1:] / 1600.0
        lost = float(np.sum(1.96 + 11.73 * load**2)) / 4.0
        assert used(values, "hv1/energy_import") == pytest.approx(given + lost, rel=1e-3)

    @pytest.mark.parametrize("start", ["2026-01-12 00:00", "2026-07-20 00:00"])
    def test_a_day_by_the_quarter_hour_counts_what_a_day_by_the_minute_does(self, start: str) -> None:
        fine, coarse = shown(start, 24 * 60 + 1, 60.0), shown(start, 24 * 4 + 1, 900.0)
        for key in ("hv1/energy_import", "hv1/reactive_energy_import", "tx1/energy_import", "fd-critical/energy_import",
                    "gen1/run_hours", "gen1/starts", "gen1/energy_export", "ats1/operations"):  # fmt: skip
            assert used(coarse, key) == pytest.approx(used(fine, key), rel=0.02, abs=0.05), key

    def test_the_phases_add_up_to_the_whole(self) -> None:
        values = shown(TEN, 240, 60.0)
        for board in ("fd-medical", "fd-wards"):
            volts = np.mean([values[f"{board}/voltage_{p}"] for p in "abc"], axis=0)
            kva = volts / 1000.0 * np.sum([values[f"{board}/current_{p}"] for p in "abc"], axis=0)
            thd = values[f"{board}/thd_current"] / 100.0
            kw = kva / np.sqrt(1.0 + thd**2) * values[f"{board}/power_factor"]
            assert float(np.mean(values[f"{board}/active_power"] / kw)) == pytest.approx(1.0, abs=0.01)


class TestSizeOfEffects:
    """Where a number from outside says how large an effect must be."""

    def test_without_its_banks_the_incomer_falls_below_the_billing_class(self) -> None:
        def factor(values: Values) -> float:
            p, q = used(values, "hv1/energy_import"), used(values, "hv1/reactive_energy_import")
            return float(p / np.hypot(p, q))

        assert factor(shown(TEN, 240, 60.0)) > 0.95
        off = shown(TEN, 240, 60.0, (("EL-F13", "cap1", -60.0, None), ("EL-F13", "cap2", -60.0, None)))
        assert 0.80 < factor(off) < 0.88

    def test_a_failed_fan_heats_the_windings_over_hours_not_at_once(self) -> None:
        healthy, sick = shown(TEN, 480, 60.0), shown(TEN, 480, 60.0, (("EL-F04", "tx1", 0.0, None),))
        warmer = sick["tx1/winding_temperature_a"] - healthy["tx1/winding_temperature_a"]
        assert warmer[5] < 0.4 * warmer[-1]
        assert warmer[-1] > 15.0
        assert not sick["tx1/fan_running"].any()

    def test_a_broken_neutral_lifts_a_phase_over_250_volts_and_leaves_the_lines_as_they_were(self) -> None:
        values = shown(TEN, 60, 60.0, (("EL-F08", "fd-wards", 0.0, None),))
        phases = np.stack([values[f"fd-wards/voltage_{p}"] for p in "abc"])[:, 5:]
        # Domain sheet: one above 250 V, one low, line voltages normal.
        assert phases.max(axis=0).min() > 250.0
        assert phases.min(axis=0).max() < 210.0
        assert values["tx1/voltage_ab"].min() > 370.0

    def test_lamps_and_computers_load_the_neutral_more_than_half_as_much_as_a_phase(self) -> None:
        values = shown(TEN, 60, 60.0, (("EL-F10", "fd-medical", 0.0, None),))
        phase = np.max([values[f"fd-medical/current_{p}"] for p in "abc"], axis=0)
        assert (values["fd-medical/current_n"][1:] > 0.5 * phase[1:]).all()

    def test_a_reversed_transformer_leaves_a_third_of_the_energy(self) -> None:
        healthy, sick = shown(TEN, 240, 60.0), shown(TEN, 240, 60.0, (("EL-F19", "em-outpatient", 0.0, None),))
        share = used(sick, "em-outpatient/energy_import") / used(healthy, "em-outpatient/energy_import")
        assert share == pytest.approx(1.0 / 3.0, abs=0.04)

    def test_resonance_shows_as_a_jump_of_capacitor_current_and_voltage_harmonics(self) -> None:
        healthy, sick = shown(TEN, 60, 60.0), shown(TEN, 60, 60.0, (("EL-F12", "cap1", 0.0, None),))
        # IEC 60831-1 allows 1.30 times the rated current.
        assert (sick["cap1/current_a"] / healthy["cap1/current_a"])[5:].min() > 1.2
        assert (sick["cap1/thd_voltage"] - healthy["cap1/thd_voltage"])[5:].min() > 1.0

    def test_a_fault_to_earth_falls_below_the_limit_of_the_standard_and_the_supply_goes_on(self) -> None:
        values = shown(TEN, 60, 60.0, (("EL-F21", "ipp1", 0.0, None),))
        # IEC 60364-7-710: alarm at 50 kΩ.
        assert values["ipp1/insulation_resistance"][1:].max() < 50.0
        assert values["ipp1/load"].min() > 5.0
