"""Trials of the faults of the boiler room and the steam network."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("BO-F01", "b1"),
    Trial("BO-F02", "b1"),
    Trial("BO-F03", "b1"),
    Trial("BO-F04", "b1"),
    Trial("BO-F04", "hb1"),
    Trial("BO-F05", "b1"),
    Trial("BO-F05", "hb1"),
    Trial("BO-F06", "b1"),
    Trial("BO-F07", "b1"),
    Trial("BO-F07", "hb1"),
    Trial("BO-F08", "b1"),
    Trial("BO-F08", "hb1"),
    Trial("BO-F09", "fw1"),
    Trial("BO-F10", "b1"),
    # Salt gathers slowly.
    Trial("BO-F11", "b1", hours=72.0, step_s=300.0, start="2026-01-14 09:00"),
    Trial("BO-F12", "fw1"),
    Trial("BO-F13", "sm-process"),
    Trial("BO-F14", "hx1", start="2026-01-14 00:00"),
    Trial("BO-F15", "b1"),
    Trial("BO-F16", "b2"),
    Trial("BO-F18", "fw1"),
    Trial("BO-F19", "b1"),
    Trial("BO-F20", "fw1"),
    Trial("BO-F21", "g-boilers"),
    Trial("BO-F22", "g-boilers"),
)
