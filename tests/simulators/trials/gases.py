"""Trials of the faults of oxygen, medical air and vacuum."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("MG-F01", "ox-main"),
    Trial("MG-F02", "oz-icu"),
    Trial("MG-F02", "az-icu"),
    Trial("MG-F03", "ox-main"),
    Trial("MG-F04", "ox-main", usual_onset=True),
    Trial("MG-F05", "ox-main"),
    Trial("MG-F06", "lox1"),
    Trial("MG-F07", "oz-icu"),
    Trial("MG-F08", "ox-main"),
    Trial("MG-F09", "psa1"),
    Trial("MG-F10", "psa1"),
    Trial("MG-F11", "air1"),
    Trial("MG-F12", "air1"),
    Trial("MG-F12", "psa1"),
    Trial("MG-F13", "air1"),
    Trial("MG-F13", "vac1"),
    Trial("MG-F14", "vz-theatre"),
    Trial("MG-F15", "vz-icu"),
    # With both generators' product blown off the tank supplies the hospital; else its vaporiser has nothing to do.
    Trial("MG-F16", "lox1", beside=(("MG-F09", "psa1"), ("MG-F09", "psa2"))),
    Trial("MG-F17", "lox1"),
    Trial("MG-F18", "lox1"),
    Trial("MG-F19", "oz-icu"),
    Trial("MG-F20", "ox-main"),
)
