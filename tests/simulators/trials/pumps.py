"""Trials of the faults of pumps and drives."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("PU-F01", "cp1"),
    Trial("PU-F04", "cp1"),
    Trial("PU-F06", "cp1"),
    Trial("PU-F13", "cp1"),
)
