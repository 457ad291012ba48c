"""Trials of the faults of split air conditioners."""

from __future__ import annotations

from tests.simulators.trial import Trial

_SUMMER = "2026-07-22 07:00"

TRIALS = (
    Trial("AC-F01", "ac-office-1", "2026-07-22 16:00", 16.0),
    Trial("AC-F02", "ac-office-1", _SUMMER, 12.0),
    Trial("AC-F03", "ac-office-1", _SUMMER, 12.0),
    Trial("AC-F04", "ac-office-1", _SUMMER, 12.0),
    Trial("AC-F05", "ac-office-1", _SUMMER, 12.0),
    Trial("AC-F06", "ac-office-1", _SUMMER, 12.0),
    Trial("AC-F07", "ac-office-1", _SUMMER, 12.0),
)
