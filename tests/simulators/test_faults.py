"""Faults are changes of the physics: what they move, what they leave alone, and what they truly waste."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from facility.site import Site
from simulators.fault_catalogue import UnknownFault, faults_of, find_fault
from simulators.faults import FaultBook, FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import HOUR_US, WEDNESDAY_US, minutes

Values = Mapping[str, NDArray[np.float64]]

# From six in the morning, so that every plant is at work.
START_US = WEDNESDAY_US + 6 * HOUR_US
COUNT = 8 * 60

# For each fault, a machine of the demo that is in duty on that day.
PATIENTS = {
    "dry_type_transformer": "tx1", "lv_feeder": "fd-medical", "capacitor_bank": "cap1", "diesel_generator": "gen1",
    "gas_steam_boiler": "b1", "gas_meter": "g-boilers", "oxygen_outlet_station": "ox-main",
    "oxygen_pipeline_zone": "oz-icu", "psa_oxygen_generator": "psa1", "pump": "cp1", "water_meter": "w-outpatient",
}  # fmt: skip
# Nothing of these plants hangs on the faulty one.
ELSEWHERE = {
    "EL": "b1/steam_flow oz-icu/pressure w-main/flow", "BO": "oz-icu/pressure w-main/flow hv1/voltage_ab",
    "MG": "b1/steam_flow w-main/flow tx1/voltage_ab", "PU": "oz-icu/pressure b1/steam_flow w-main/flow",
    "WS": "oz-icu/pressure b1/steam_flow tx1/active_power",
}  # fmt: skip


@pytest.fixture(scope="module")
def healthy(site: Site) -> Values:
    return Hospital(site, seed=1).run(minutes(START_US, COUNT))


@cache
def _sick(site_id: int, fault_id: str) -> tuple[Values, FaultEvent]:
    site = _SITES[site_id]
    fault = find_fault(fault_id)
    machine = next(m for c, m in PATIENTS.items() if c in fault.classes)
    event = FaultEvent(fault_id, machine, 1.0, START_US, 0.0)
    return Hospital(site, 1, [event]).run(minutes(START_US, COUNT)), event


_SITES: dict[int, Site] = {}


def sick(site: Site, fault_id: str) -> tuple[Values, FaultEvent]:
    """Return what the sensors show and the event, of a hospital that has one fault in full from the start."""
    _SITES[id(site)] = site
    return _sick(id(site), fault_id)


def used(values: Values, key: str) -> float:
    return float(values[key][-1] - values[key][0])


class TestEffect:
    """The size of an effect, where a number from outside says how large it must be."""

    def test_a_zone_whose_valve_is_turned_shut_falls_below_the_area_alarm_and_others_do_not(
        self, site: Site, healthy: Values
    ) -> None:
        values, _ = sick(site, "MG-F02")
        # GB 50751-2012, 7.1.4: 20 % below 400 kPa.
        assert values["oz-icu/pressure"].max() < 320.0
        assert values["oz-surgical/pressure"].min() > 400.0

    def test_a_tired_sieve_falls_below_the_pharmacopoeias_floor(self, site: Site) -> None:
        values, _ = sick(site, "MG-F09")
        assert values["psa1/oxygen_purity"].min() < 90.0


class TestEvent:
    def test_a_sudden_fault_is_there_in_full_at_once_and_gone_when_mended(self) -> None:
        event = FaultEvent("WS-F03", "w", 0.6, 100, 0.0, 200)
        assert event.at(np.array([99, 100, 199, 200])).tolist() == [0.0, 0.6, 0.6, 0.0]

    def test_a_creeping_fault_grows_in_a_line_to_its_severity(self) -> None:
        event = FaultEvent("BO-F05", "b", 0.8, 0, 100.0)
        at = np.array([0, 25, 100, 400], dtype=np.int64) * 1_000_000
        assert event.at(at).tolist() == pytest.approx([0.0, 0.2, 0.8, 0.8])


class TestBook:
    def test_the_worst_of_several_events_counts(self, site: Site) -> None:
        book = FaultBook(site, [FaultEvent("WS-F03", "w-main", s, 0, 0.0) for s in (0.3, 0.7, 0.5)])
        assert book.severity("WS-F03", "w-main", np.array([5])) == 0.7

    def test_what_never_was_is_zero(self, site: Site) -> None:
        assert FaultBook(site).severity("WS-F03", "w-main", np.array([5])) == 0.0

    def test_ending_a_fault_ends_what_is_on_and_cancels_what_would_come(self, site: Site) -> None:
        book = FaultBook(site, [FaultEvent("WS-F03", "w-main", 0.5, start, 0.0) for start in (0, 1000)])
        ended = book.end("WS-F03", "w-main", 500)
        assert [e.end_us for e in ended] == [500]
        assert book.on(1500) == []

    @pytest.mark.parametrize(
        ("fault_id", "equipment", "message"),
        [
            ("MG-F22", "oz-icu", "fault 'MG-F22' is not in the catalogue; did you mean 'MG-F20'?"),
            ("MG-F02", "oz-ici", "no equipment is called 'oz-ici'; did you mean 'oz-icu'?"),
            (
                "MG-F02",
                "tx1",
                "'tx1' is a dry_type_transformer and cannot have MG-F02; it belongs to oz-icu, oz-theatre",
            ),
        ],
    )
    def test_a_wrong_name_is_told_with_the_right_one(
        self, site: Site, fault_id: str, equipment: str, message: str
    ) -> None:
        with pytest.raises(UnknownFault) as told:
            FaultBook(site).check(fault_id, equipment)
        assert message in str(told.value)

    @pytest.mark.parametrize("severity", [0.0, -1.0, 1.2, float("nan")])
    def test_a_severity_outside_its_band_is_refused(self, site: Site, severity: float) -> None:
        with pytest.raises(ValueError, match="severity"):
            FaultBook(site, [FaultEvent("WS-F03", "w-main", severity, 0, 0.0)])

    def test_a_fault_that_ends_before_it_starts_is_refused(self, site: Site) -> None:
        with pytest.raises(ValueError, match="before it starts"):
            FaultBook(site, [FaultEvent("WS-F03", "w-main", 0.5, 100, 0.0, 100)])

    def test_ids_may_be_written_small(self) -> None:
        assert find_fault(" mg-f02 ").id == "MG-F02"

    def test_a_machine_knows_the_faults_that_it_can_have(self, site: Site) -> None:
        possible = faults_of(site.equipment["oz-icu"])
        assert {"MG-F02", "MG-F07", "DA-F01", "DA-F02"} <= {f.id for f in possible}
        assert not {"EL-F04", "DA-F08"} & {f.id for f in possible}
