"""Trials of the faults of pumps and drives."""

from __future__ import annotations

from tests.simulators.trial import Trial

# In that week cp1 and cp3 run, and cp2 rests.
TRIALS = (
    Trial("PU-F01", "cp1"),
    Trial("PU-F02", "cp1"),
    Trial("PU-F03", "cp1"),
    Trial("PU-F04", "cp1"),
    Trial("PU-F05", "cp2"),
    Trial("PU-F06", "cp1"),
    Trial("PU-F07", "cp1"),
    Trial("PU-F08", "cp1"),
    Trial("PU-F09", "hp1"),
    Trial("PU-F10", "cp1"),
    Trial("PU-F11", "cp1"),
    Trial("PU-F12", "cp1"),
    Trial("PU-F13", "cp1"),
    Trial("PU-F13", "cp2"),
    Trial("PU-F14", "cp1"),
    Trial("PU-F15", "cp2"),
    Trial("PU-F16", "hp1", start="2026-07-15 06:00"),
    Trial("PU-F17", "bs1"),
    Trial("PU-F18", "bs1", start="2026-01-14 22:00"),
    Trial("PU-F20", "cp2"),
)
