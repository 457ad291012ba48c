"""Trials of the faults of the water supply."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("WS-F01", "w-outpatient"),
    Trial("WS-F02", "w-outpatient"),
    Trial("WS-F03", "w-outpatient"),
)
