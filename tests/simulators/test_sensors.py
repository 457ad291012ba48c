"""Faults of data change what is shown, and never the plant."""

from __future__ import annotations

import numpy as np
import pytest

from facility.readings import ReadingBatch
from facility.site import Site
from simulators.fault_catalogue import UnknownFault, catalogue
from simulators.faults import FaultBook, FaultEvent
from simulators.hospital import Hospital
from tests.simulators.conftest import HOUR_US, MINUTE_US, ROOT, WEDNESDAY_US, minutes

START_US = WEDNESDAY_US + 6 * HOUR_US
FROM_US, TO_US = START_US + 30 * MINUTE_US, START_US + 60 * MINUTE_US


def shown(
    site: Site, fault: str, place: str, severity: float = 1.0, to_us: int | None = TO_US
) -> dict[str, np.ndarray]:
    return Hospital(site, 1, [FaultEvent(fault, place, severity, FROM_US, 0.0, to_us)]).run(minutes(START_US, 120))


def test_a_stuck_sensor_holds_its_last_value_and_tells_the_truth_again_afterwards(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))["b1/steam_pressure"]
    stuck = shown(site, "DA-F02", "b1/steam_pressure")["b1/steam_pressure"]
    assert set(stuck[30:60]) == {healthy[30]}
    assert np.array_equal(stuck[:30], healthy[:30])
    assert np.array_equal(stuck[60:], healthy[60:])


def test_a_stuck_sensor_holds_over_the_pieces_in_which_it_is_asked(site: Site) -> None:
    hospital = Hospital(site, 1, [FaultEvent("DA-F02", "b1/steam_pressure", 1.0, FROM_US, 0.0, TO_US)])
    pieces = [hospital.run(minutes(START_US, 120)[i : i + 7])["b1/steam_pressure"] for i in range(0, 120, 7)]
    assert np.array_equal(np.concatenate(pieces), shown(site, "DA-F02", "b1/steam_pressure")["b1/steam_pressure"])


def test_a_silent_device_tells_nothing_and_counts_on(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))
    values = shown(site, "DA-F01", "w-main")
    assert np.isnan(values["w-main/volume_total"][30:60]).all()
    assert np.array_equal(values["w-main/volume_total"][60:], healthy["w-main/volume_total"][60:])
    live = Hospital(site, 1, [FaultEvent("DA-F01", "w-main", 1.0, START_US, 0.0)]).step(START_US)
    assert not [key for key in live if key.startswith("w-main/")]
    assert "w-inpatient/flow" in live


def test_a_fault_of_a_machine_without_a_point_is_one_of_all_its_sensors(site: Site) -> None:
    values = shown(site, "DA-F02", "b1")
    assert len(set(values["b1/steam_pressure"][30:60])) == 1
    assert len(set(values["b1/flue_temperature"][30:60])) == 1


def test_a_drifting_sensor_goes_to_one_side_by_its_severity(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))["oz-icu/pressure"]
    half = shown(site, "DA-F03", "oz-icu/pressure", 0.5)["oz-icu/pressure"] - healthy
    full = shown(site, "DA-F03", "oz-icu/pressure", 1.0)["oz-icu/pressure"] - healthy
    assert len(set(np.sign(full[30:60]))) == 1
    assert full[30:60].mean() == pytest.approx(2.0 * half[30:60].mean(), rel=0.05)


def test_spikes_are_few_and_far(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))["cp1/outlet_pressure"]
    values = shown(site, "DA-F04", "cp1/outlet_pressure", to_us=None)["cp1/outlet_pressure"]
    leaps = (values != healthy)[30:]
    assert 1 <= leaps.sum() <= 15
    assert np.abs(values - healthy)[30:][leaps].min() > 0.1


def test_a_reset_register_begins_at_zero_and_counts_what_flows(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))["w-main/volume_total"]
    values = shown(site, "DA-F05", "w-main/volume_total")["w-main/volume_total"]
    assert values[30] == 0.0
    assert values[-1] == pytest.approx(healthy[-1] - healthy[30], abs=0.01)


def test_a_register_near_its_last_digit_rolls_over(site: Site) -> None:
    healthy = Hospital(site, 1).run(minutes(START_US, 120))["fd-plant/energy_import"]
    values = shown(site, "DA-F06", "fd-plant/energy_import")["fd-plant/energy_import"]
    assert values[30] == pytest.approx(999_990.0, abs=0.01)
    assert values[-1] == pytest.approx(healthy[-1] - healthy[30] - 10.0, abs=0.02)


def test_a_hospital_that_goes_on_does_not_lose_its_register_a_second_time(site: Site) -> None:
    event = FaultEvent("DA-F05", "w-main/volume_total", 1.0, FROM_US, 0.0)
    hospital = Hospital(site, 1, [event])
    hospital.run(minutes(START_US, 60))
    kept = hospital.snapshot()
    later = hospital.run(minutes(START_US + HOUR_US, 60))["w-main/volume_total"]
    again = Hospital(site, 1, [event])
    again.restore(kept)
    assert np.array_equal(again.run(minutes(START_US + HOUR_US, 60))["w-main/volume_total"], later)


@pytest.mark.parametrize(
    ("fault", "place", "message"),
    [
        ("DA-F02", "b1/steam_presure", "'steam_presure' of 'b1' can have DA-F02; did you mean 'steam_pressure'?"),
        ("DA-F05", "b1/steam_pressure", "no point 'steam_pressure' of 'b1' can have DA-F05"),
        ("DA-F05", "lox1", "'lox1' has no point of kind total_increasing, as DA-F05 needs"),
        ("DA-F01", "b1/steam_pressure", "DA-F01 is a fault of a whole machine; write 'b1' without the point"),
        ("DA-F08", "gw-pump-3", "no gateway is called 'gw-pump-3'; did you mean 'gw-pump-2'?"),
        ("MG-F02", "oz-icu/pressure", "MG-F02 is a fault of a whole machine"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_have_it_is_told(site: Site, fault: str, place: str, message: str) -> None:
    with pytest.raises(UnknownFault) as told:
        FaultBook(site).check(fault, place)
    assert message in str(told.value)


class Kept:
    """Takes a history as a store does."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[int, float]]] = {}

    def write(self, batch: ReadingBatch) -> None:
        for point, at, value in zip(batch.point, batch.time_us, batch.value, strict=True):
            self.rows.setdefault(batch.table.key(point), []).append((int(at), float(value)))


def history(site: Site, *events: FaultEvent) -> dict[str, list[tuple[int, float]]]:
    kept = Kept()
    Hospital(site, 1, events).write_history(kept, START_US, START_US + 2 * HOUR_US)
    return kept.rows


class TestHistory:
    """What lies in the past suffers as what is published does."""

    def test_a_silent_device_and_a_silent_gateway_leave_gaps(self, site: Site) -> None:
        device = history(site, FaultEvent("DA-F01", "w-main", 1.0, FROM_US, 0.0, TO_US))["w-main/flow"]
        gateway = history(site, FaultEvent("DA-F08", "gw-pump-2", 1.0, FROM_US, 0.0, TO_US))
        whole = history(site)
        assert [at for at, _ in device] == [at for at, _ in whole["w-main/flow"] if not FROM_US <= at < TO_US]
        assert [at for at, _ in gateway["cp1/flow"]] == [at for at, _ in whole["cp1/flow"] if not FROM_US <= at < TO_US]
        assert gateway["cp2/flow"] == whole["cp2/flow"]

    def test_a_wrong_clock_writes_wrong_times(self, site: Site) -> None:
        slow = history(site, FaultEvent("DA-F07", "gw-pump-2", 0.5, START_US, 0.0))
        whole = history(site)
        assert slow["cp1/flow"] == [(at - 15 * MINUTE_US, value) for at, value in whole["cp1/flow"]]
        assert slow["cp2/flow"] == whole["cp2/flow"]

    def test_a_line_that_is_cut_loses_nothing(self, site: Site) -> None:
        assert history(site, FaultEvent("DA-F10", "gw-pump-2", 1.0, FROM_US, 0.0, TO_US)) == history(site)


def test_the_page_about_data_faults_lists_each_of_them() -> None:
    page = (ROOT / "docs/simulators/data-faults.md").read_text(encoding="utf-8")
    for fault in catalogue().values():
        if fault.of_data:
            assert f"| {fault.id} | {fault.name.zh} · {fault.name.en} |" in page
