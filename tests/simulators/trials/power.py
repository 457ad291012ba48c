"""Trials of the faults of the power room."""

from __future__ import annotations

from tests.simulators.trial import Trial

TRIALS = (
    Trial("EL-F01", "hv1"),
    Trial("EL-F02", "ats1"),
    Trial("EL-F03", "tx1"),
    Trial("EL-F04", "tx1"),
    Trial("EL-F05", "tx1"),
    Trial("EL-F06", "fd-medical"),
    Trial("EL-F07", "fd-medical"),
    Trial("EL-F08", "fd-wards"),
    Trial("EL-F09", "fd-medical"),
    Trial("EL-F10", "fd-medical"),
    Trial("EL-F11", "cap2"),
    Trial("EL-F12", "cap1"),
    Trial("EL-F13", "cap1"),
    # At night, when little is to be compensated.
    Trial("EL-F14", "cap1", start="2026-01-14 22:00"),
    Trial("EL-F16", "em-outpatient", start="2026-01-14 22:00"),
    Trial("EL-F16", "fd-clinics", start="2026-01-14 22:00"),
    # A Sunday.
    Trial("EL-F17", "em-outpatient", start="2026-01-18 06:00"),
    Trial("EL-F17", "fd-clinics", start="2026-01-18 06:00"),
    Trial("EL-F19", "em-outpatient"),
    Trial("EL-F20", "fd-plant"),
    Trial("EL-F21", "ipp1"),
    Trial("EL-F22", "ups1"),
    Trial("EL-F23", "gen1"),
    # Three trips, each followed by a slow warming up again.
    Trial("EL-F24", "fd-medical", share=0.05, usual_onset=True),
)
