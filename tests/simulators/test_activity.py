"""What the simulated hospital reports of its days."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from facility.activity import ActivityKind
from facility.site_file import load_site
from simulators.activity import reported_activity

SITE = load_site(Path(__file__).parents[2] / "examples" / "hospital")


def total(kind: ActivityKind, first: date, last: date, seed: int = 1) -> float:
    return sum(a.value or 0.0 for a in reported_activity(SITE, first, last, seed) if a.kind == kind)


def test_beds_are_taken_as_in_a_tertiary_hospital() -> None:
    beds = sum(d.beds.on(date(2026, 3, 2)) or 0.0 for d in SITE.departments.values())
    assert total("bed_days", date(2026, 3, 2), date(2026, 3, 8)) / (7 * beds) == pytest.approx(0.9, abs=0.06)


def test_clinics_and_theatres_rest_on_sundays() -> None:
    monday, sunday = date(2026, 3, 2), date(2026, 3, 8)
    assert 2500 < total("visits", monday, monday) < 5000
    assert total("visits", sunday, sunday) < 0.3 * total("visits", monday, monday)
    assert total("surgeries", sunday, sunday) < 0.3 * total("surgeries", monday, monday)
    assert total("staff", sunday, sunday) < total("staff", monday, monday)


def test_many_go_home_for_the_spring_festival() -> None:
    festival, usual = date(2026, 2, 18), date(2026, 3, 18)
    assert total("bed_days", festival, festival) < 0.8 * total("bed_days", usual, usual)


def test_the_same_seed_reports_the_same_and_another_another() -> None:
    day = date(2026, 3, 2)
    assert reported_activity(SITE, day, day, 1) == reported_activity(SITE, day, day, 1)
    assert reported_activity(SITE, day, day, 1) != reported_activity(SITE, day, day, 2)


def test_figures_are_whole_and_of_departments_that_have_them() -> None:
    reported = reported_activity(SITE, date(2026, 3, 2), date(2026, 3, 2), 1)
    assert all(a.value is not None and a.value == np.round(a.value) >= 0 for a in reported)
    of = {kind: {a.department for a in reported if a.kind == kind} for kind in ("bed_days", "visits", "staff")}
    assert "icu" in of["bed_days"]
    assert "laboratory" not in of["bed_days"]
    assert "outpatient-medical" in of["visits"]
    assert of["staff"] == {None}
