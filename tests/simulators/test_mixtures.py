"""Many faults at once, on whichever machines: the hospital goes on, and shows numbers."""

from __future__ import annotations

import warnings
from datetime import datetime
from random import Random

import numpy as np
import pytest

from simulators.fault_catalogue import catalogue
from simulators.faults import FaultEvent
from simulators.hospital import Hospital
from tests.simulators.trial import small_site

_US = 1_000_000
_FAULTS = 12


def mixture(seed: int, start_us: int) -> list[FaultEvent]:
    """Return different faults in full, each on a machine of its own choice."""
    random, machines = Random(seed), small_site().equipment.values()
    faults = random.sample([f for f in catalogue().values() if f.target == "machine"], _FAULTS)
    able = [(f, [item.id for item in machines if f.fits(item.cls.id)]) for f in faults]
    return [FaultEvent(f.id, random.choice(items), 1.0, start_us + 1, 0.0) for f, items in able if items]


@pytest.mark.parametrize(
    ("seed", "day", "step_s"),
    [
        (1, "2026-01-14", 900),
        (2, "2026-07-15", 900),
        (3, "2026-07-15", 60),
        (4, "2026-01-14", 60),
        (5, "2026-10-14", 900),
    ],
)
def test_whatever_breaks_at_once_the_numbers_stay_numbers(seed: int, day: str, step_s: int) -> None:
    site = small_site()
    start_us = int(datetime.fromisoformat(day).replace(tzinfo=site.time_zone).timestamp()) * _US
    hospital = Hospital(site, seed, mixture(seed, start_us))
    # Data faults make devices silent, and only silence is no number.
    silent = {e.equipment for e in hospital.book.events() if e.fault.startswith("DA")}
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        shown = hospital.run(start_us + np.arange(2 * 86400 // step_s, dtype=np.int64) * step_s * _US)
    for key, values in shown.items():
        if key.split("/")[0] not in silent:
            assert np.isfinite(values).all(), key
