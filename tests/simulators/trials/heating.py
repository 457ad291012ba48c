"""Trials of the faults of heat-exchange stations, hot water and heat meters."""

from __future__ import annotations

from tests.simulators.trial import Trial

NIGHT, SPRING, MILD = "2026-01-14 00:00", "2026-03-18 00:00", "2026-05-13 06:00"

TRIALS = (
    Trial("HS-F01", "hx1", start=NIGHT),
    Trial("HS-F02", "hx1", start=NIGHT),
    Trial("HS-F04", "hx1", start=SPRING),
    Trial("HS-F05", "hx1", start=NIGHT),
    Trial("HS-F07", "hx1", start=NIGHT),
    Trial("HS-F08", "hx1", start=NIGHT),
    Trial("HS-F09", "hx1", start=NIGHT),
    Trial("HS-F10", "hx1", start=MILD),
    Trial("HS-F11", "dhw1"),
    Trial("HS-F12", "dhw1"),
    Trial("HS-F13", "hm-wards", start=NIGHT),
)
