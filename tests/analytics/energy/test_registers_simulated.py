"""The simulated hospital's registers: nothing is found where nothing happened, and its data faults are booked right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from analytics.energy.intervals import ESTIMATED, Intervals
from analytics.energy.registers import Booked, book_many
from facility.calendar import to_us
from facility.metering import booked_registers
from facility.readings import ReadingBatch, Series
from facility.site import Site
from facility.site_file import load_site
from simulators.faults import FaultEvent
from simulators.hospital import Hospital

DAY_US = 86_400_000_000
DAYS = 21
METER = "em-kitchen/energy_import"


class Kept:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.batches: list[ReadingBatch] = []

    def write(self, batch: ReadingBatch) -> None:
        self.batches.append(batch)


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(__file__).parents[3] / "examples" / "hospital")


def start_us(site: Site) -> int:
    return to_us(datetime(2026, 7, 1, tzinfo=site.time_zone))


def run(site: Site, events: Sequence[FaultEvent] = ()) -> dict[str, Booked]:
    """Let the hospital run for three weeks, and book its registers."""
    registers = booked_registers(site)
    kept, begin = Kept(), start_us(site)
    end = begin + DAYS * DAY_US
    Hospital(site, seed=3, events=events).write_history(
        kept, begin, end + 1_000_000, 900.0, walk_s=900.0, only=set(registers)
    )
    whole = ReadingBatch.concat(kept.batches)
    series = {}
    for key in registers:
        own = whole.point == site.points.index[key]
        series[key] = Series(whole.time_us[own], whole.value[own], whole.quality[own])
    return book_many(series, {k: r.register for k, r in registers.items()}, begin, end, site.time_zone)


@pytest.fixture(scope="module")
def healthy(site: Site) -> dict[str, Booked]:
    return run(site)


def test_nothing_happens_to_the_registers_of_a_healthy_hospital(healthy: dict[str, Booked]) -> None:
    assert {key: b.events for key, b in healthy.items() if b.events} == {}
    assert all(b.intervals.total.measured == 1.0 for b in healthy.values())


def fault(site: Site, name: str, place: str, day: float, hours: float) -> FaultEvent:
    begin = start_us(site) + round(day * DAY_US)
    return FaultEvent(name, place, 1.0, begin, 0.0, begin + round(hours * DAY_US / 24))


def days(intervals: Intervals) -> np.ndarray:
    return intervals.used.reshape(DAYS, 96).sum(axis=1)


def test_a_silent_meter_loses_nothing_and_its_day_looks_like_its_days(site: Site, healthy: dict[str, Booked]) -> None:
    silent = run(site, [fault(site, "DA-F01", "em-kitchen", 14.0, 36.0)])[METER]
    truth = healthy[METER].intervals
    assert silent.intervals.total.amount == pytest.approx(truth.total.amount, abs=0.01)
    assert [e.kind for e in silent.events] == ["outage"]
    estimated = silent.intervals.grade == ESTIMATED
    assert 36 * 4 <= estimated.sum() <= 36 * 4 + 2
    # A kitchen cooks at the same hours each day: spread by its days, each step is far nearer than spread evenly.
    error = np.abs(silent.intervals.used - truth.used)[estimated].sum()
    evenly = np.abs(truth.used[estimated] - truth.used[estimated].mean()).sum()
    assert error < 0.25 * evenly


def test_a_reset_loses_at_most_what_was_used_between_two_readings(site: Site, healthy: dict[str, Booked]) -> None:
    reset = run(site, [fault(site, "DA-F05", METER, 10.4, 1.0)])[METER]
    truth = healthy[METER].intervals
    lost = truth.total.amount - reset.intervals.total.amount
    assert -0.01 <= lost <= truth.used.max()
    assert [e.kind for e in reset.events] == ["reset"]
    np.testing.assert_allclose(np.delete(days(reset.intervals), 10), np.delete(days(truth), 10), atol=0.05)
