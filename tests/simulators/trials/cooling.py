"""Trials of the faults of chillers, cooling towers, air handling units and clean rooms."""

from __future__ import annotations

from tests.simulators.trial import Trial

# A working day of high summer, of a mild month with cool nights, and of winter.
_SUMMER, _MILD, _WINTER = "2026-07-22 06:00", "2026-05-13 06:00", "2026-01-14 00:00"

TRIALS = (
    Trial("CH-F01", "ch2", _SUMMER, 12.0),
    Trial("CH-F02", "ch2", _SUMMER, 12.0),
    Trial("CH-F03", "ch2", _SUMMER, 12.0),
    Trial("CH-F04", "ch2", _SUMMER, 12.0),
    Trial("CH-F05", "ch2", _SUMMER, 12.0),
    Trial("CH-F06", "ch2", _SUMMER, 12.0),
    Trial("CH-F07", "ahu-outpatient", _SUMMER, 12.0),
    Trial("CH-F08", "ahu-outpatient", _MILD, 12.0),
    Trial("CH-F09", "ahu-outpatient", _SUMMER, 12.0),
    Trial("CH-F10", "ch2", _SUMMER, 12.0),
    Trial("CH-F11", "ct1", _SUMMER, 12.0),
    Trial("CH-F12", "ct1", _MILD, 12.0),
    Trial("CH-F13", "ahu-outpatient", "2026-07-22 18:00", 12.0),
    Trial("CH-F14", "or-1", "2026-07-22 18:00", 12.0),
    Trial("CH-F15", "ahu-outpatient", _SUMMER, 12.0),
    Trial("CH-F16", "ch1", _MILD, 12.0),
    Trial("CH-F17", "ch2", _MILD, 12.0),
    Trial("CH-F18", "ahu-theatre", _WINTER, 12.0),
    Trial("CH-F19", "or-1", _WINTER, 12.0),
    Trial("CH-F19", "iso-1", _WINTER, 12.0),
    Trial("CH-F20", "ahu-theatre", _WINTER, 12.0),
    Trial("CH-F21", "ahu-theatre", _WINTER, 12.0),
    Trial("CH-F22", "ch2", _SUMMER, 12.0),
    Trial("CH-F23", "ch2", "2026-07-22 18:00", 12.0),
    Trial("CH-F24", "ch2", _SUMMER, 12.0),
    Trial("WS-F13", "ct1", _SUMMER, 12.0),
)
