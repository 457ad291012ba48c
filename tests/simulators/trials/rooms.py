"""Trials of the faults of rooms that are watched."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (Trial("EL-F25", "env-power", hours=8.0),)
