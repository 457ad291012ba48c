"""
Storylines: faults that come and go by the clock, so that a demo shows something true within minutes.

`HISTORY` lies in the thirty days before the demo starts and goes on into it: waste that the rules must find.
`DEMO` begins with the demo: one fault of life safety, one that creeps, waste, and repairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from facility.site import Site
from simulators.fault_catalogue import find_fault
from simulators.faults import FaultEvent

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR


class Turn(NamedTuple):
    """One turn of a storyline; times are seconds after the demo's start, negative before it. [s]"""

    after_s: float
    fault: str
    equipment: str
    severity: float
    until_s: float | None  # None: nobody mends it


HISTORY: Final[tuple[Turn, ...]] = (
    # Both banks were left in manual after work on the board; nobody has looked since.
    Turn(-24.0 * _DAY, "EL-F13", "cap1", 1.0, None),
    Turn(-24.0 * _DAY, "EL-F13", "cap2", 1.0, None),
    # A flush valve of the clinics has run for ten nights.
    Turn(-9.9 * _DAY, "WS-F03", "w-outpatient", 0.55, None),
    # A pump was found at 50 Hz in manual, and put back.
    Turn(-18.0 * _DAY, "PU-F13", "cp2", 1.0, -15.2 * _DAY),
    # A boiler's damper slipped and was set right by the burner's service.
    Turn(-13.0 * _DAY, "BO-F07", "b1", 0.6, -11.0 * _DAY),
)

DEMO: Final[tuple[Turn, ...]] = (
    Turn(30.0, "MG-F02", "oz-icu", 0.85, 900.0),
    Turn(75.0, "EL-F04", "tx1", 0.9, None),
    Turn(150.0, "PU-F13", "cp3", 1.0, None),
    Turn(180.0, "PU-F06", "cp3", 0.8, None),
    Turn(240.0, "BO-F21", "g-boilers", 0.35, 540.0),
    Turn(330.0, "BO-F07", "b1", 0.6, None),
    Turn(420.0, "MG-F07", "oz-surgical", 0.5, None),
)


def events(turns: Sequence[Turn], site: Site, start_us: int) -> list[FaultEvent]:
    """
    Return the events of a storyline whose demo starts at a time; turns of machines that the site lacks are left out.

    UnknownFault if a turn names a fault that is not in the catalogue.
    """
    return [
        FaultEvent.like(
            find_fault(turn.fault).onset,
            turn.fault,
            turn.equipment,
            turn.severity,
            start_us + round(turn.after_s * 1e6),
            None if turn.until_s is None else start_us + round(turn.until_s * 1e6),
        )
        for turn in turns
        if turn.equipment in site.equipment
    ]
