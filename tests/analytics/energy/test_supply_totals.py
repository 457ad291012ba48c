"""Several meters of one supply count together, each for the time in which it was there."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from analytics.energy.intervals import Totals
from analytics.energy.supply_totals import together
from facility.calendar import at_us
from facility.metering import BookedRegister
from tests.analytics.energy.supply import Hospital, hospital, meter
from tests.analytics.energy.tariffs import MARCH, SHANGHAI

EDGES = np.array([at_us(MARCH + timedelta(days=i), 0, SHANGHAI) for i in range(4)], dtype=np.int64)
NAN = float("nan")


def days(*amounts: float) -> Totals:
    known = np.isfinite(amounts)
    return Totals(EDGES, np.array(amounts), known.astype(float), np.zeros(3), (~known).astype(float))


def supplied(found: Hospital) -> list[BookedRegister]:
    return [r for r in found.registers.values() if r.carrier == "electricity" and r.flow == "in"]


def test_a_day_of_which_one_meter_is_unknown_is_unknown() -> None:
    found = hospital([meter("m1"), meter("m2")])
    registers = supplied(found)
    result = together(registers, {"m1/energy_import": days(1, 2, 3), "m2/energy_import": days(1, NAN, 1)}, SHANGHAI)
    assert result.amount.tolist() == pytest.approx([2.0, NAN, 4.0], nan_ok=True)
    assert result.missing.tolist() == [0.0, 1.0, 0.0]


def test_a_meter_misses_nothing_before_it_was_there_and_after_it_went() -> None:
    second = MARCH + timedelta(days=1)
    found = hospital([meter("old", until=MARCH), meter("new", since=second), meter("m")])
    registers = supplied(found)
    counted = {
        "old/energy_import": days(1, NAN, NAN), "new/energy_import": days(NAN, 2, 3), "m/energy_import": days(5, 5, 5),
    }  # fmt: skip
    assert together(registers, counted, SHANGHAI).amount.tolist() == [6.0, 7.0, 8.0]


def test_where_no_meter_was_there_nothing_is_known() -> None:
    found = hospital([meter("new", since=date(2026, 3, 2))])
    result = together(supplied(found), {"new/energy_import": days(NAN, 2, 3)}, SHANGHAI)
    assert result.amount.tolist() == pytest.approx([NAN, 2.0, 3.0], nan_ok=True)


def test_what_other_contracts_bill_is_taken_off() -> None:
    found = hospital([meter("m1"), meter("m2", fed_by=["m1"])])
    registers = supplied(found)
    counted = {"m1/energy_import": days(5, 5, 5), "m2/energy_import": days(1, 2, 3)}
    assert together(registers, counted, SHANGHAI, taken_off=1).amount.tolist() == [4.0, 3.0, 2.0]
