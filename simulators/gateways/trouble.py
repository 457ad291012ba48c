"""What the data faults of a gateway do to it at a time: to its clock, its uplink, the order of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.faults import FaultBook
from simulators.history import CLOCK, CLOCK_LOSES_US, SILENT

DISORDER: Final = "DA-F09"
UPLINK: Final = "DA-F10"
DISORDERED: Final = 0.5  # of the messages, at full severity


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    How a gateway suffers.

    Attributes
    ----------
    lost_us : so much its clock has lost [µs]
    cut : nothing gets through to the broker
    hangs : it does not even ask its machines
    disordered : share of its messages that come twice, or after the next one [-]
    """

    lost_us: int = 0
    cut: bool = False
    hangs: bool = False
    disordered: float = 0.0


WELL: Final = Trouble()


def troubles(book: FaultBook, time_us: int) -> dict[str, Trouble]:
    """Return the gateways that suffer at a time, by id, and how."""
    bad: dict[str, dict[str, float]] = {}
    for fault_id, gateway in book.of_data("gateway"):
        severity = float(np.max(book.severity(fault_id, gateway, np.array([time_us], dtype=np.int64))))
        if severity > 0.0:
            bad.setdefault(gateway, {})[fault_id] = severity
    return {
        gateway: Trouble(
            lost_us=round(CLOCK_LOSES_US * severities.get(CLOCK, 0.0)),
            cut=SILENT in severities or UPLINK in severities,
            hangs=SILENT in severities,
            disordered=DISORDERED * severities.get(DISORDER, 0.0),
        )
        for gateway, severities in bad.items()
    }
