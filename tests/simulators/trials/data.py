"""Trials of the faults of data."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("DA-F01", "tx1", hours=2.0),
    Trial("DA-F02", "b1/steam_pressure", hours=2.0),
    Trial("DA-F03", "oz-icu/pressure", hours=2.0),
    Trial("DA-F04", "cp1/outlet_pressure", hours=4.0, share=0.03),
    Trial("DA-F05", "w-main/volume_total", hours=2.0),
    Trial("DA-F06", "fd-plant/energy_import", hours=2.0),
)
