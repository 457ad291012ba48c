"""Trials of the faults of the water supply."""

from __future__ import annotations

from tests.simulators.trial import Trial

NIGHT = "2026-01-14 22:00"

TRIALS = (
    Trial("WS-F01", "w-outpatient"),
    Trial("WS-F02", "w-outpatient"),
    Trial("WS-F03", "w-outpatient"),
    Trial("WS-F04", "w-outpatient"),
    Trial("WS-F05", "tank1", hours=24.0),
    Trial("WS-F06", "tank1", hours=24.0),
    Trial("WS-F07", "wq1"),
    Trial("WS-F08", "wq1"),
    Trial("WS-F09", "tank1"),
    Trial("WS-F10", "w-high", start=NIGHT),
    Trial("WS-F11", "wq1"),
    Trial("WS-F12", "bs1", start=NIGHT),
    Trial("WS-F14", "w-inpatient"),
    Trial("WS-F15", "w-outpatient"),
    Trial("WS-F16", "wq1"),
)
