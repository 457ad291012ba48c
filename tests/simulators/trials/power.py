"""Trials of the faults of the power room."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("EL-F03", "tx1"),
    Trial("EL-F04", "tx1"),
    Trial("EL-F05", "tx1"),
    Trial("EL-F06", "fd-medical"),
    Trial("EL-F13", "cap1"),
    Trial("EL-F23", "gen1"),
)
