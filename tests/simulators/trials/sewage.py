"""Trials of the faults of the sewage plant."""

from __future__ import annotations

from tests.simulators.trial import Trial

# Eight hours of equalisation and seven of biology stand between the inlet and the outlet: an evening and a night.
_START = "2026-01-14 08:00"

TRIALS = (
    Trial("SW-F01", "stp1", _START, hours=8.0),
    Trial("SW-F02", "stp1", _START, hours=8.0),
    Trial("SW-F04", "stp1", _START, hours=16.0),
    Trial("SW-F05", "stp1", _START, hours=16.0),
    Trial("SW-F06", "stp1", _START, hours=16.0),
    Trial("SW-F07", "stp1", _START, hours=8.0),
    Trial("SW-F09", "stp1", _START, hours=8.0),
    Trial("SW-F10", "stp1", _START, hours=16.0),
    Trial("SW-F11", "stp1", _START, hours=16.0),
    Trial("SW-F12", "stp1", _START, hours=16.0),
    Trial("SW-F13", "stp1", _START, hours=8.0),
    Trial("SW-F16", "stp1", _START, hours=16.0),
)
