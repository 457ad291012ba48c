"""Trials of the faults of oxygen, medical air and vacuum."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("MG-F01", "ox-main"),
    Trial("MG-F02", "oz-icu"),
    Trial("MG-F07", "oz-icu"),
    Trial("MG-F09", "psa1"),
    Trial("MG-F10", "psa1"),
)
