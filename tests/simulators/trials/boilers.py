"""Trials of the faults of the boiler room and the steam network."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("BO-F05", "b1"),
    Trial("BO-F07", "b1"),
    Trial("BO-F15", "b1"),
    Trial("BO-F21", "g-boilers"),
)
