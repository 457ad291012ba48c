"""What has voltage: worked out before the plants, since what hangs on a dark board stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# Nothing of this can be without voltage, on whatever machine.
_NEEDS_VOLTAGE: Final = frozenset(
    {"active_power", "current", "energy_import", "frequency", "motor_load", "run_hours", "running", "speed"}
)


@dataclass(slots=True)
class Grid:
    """
    The state of the supply of electricity over a stretch of time, and the loads that it turned out to carry.

    Attributes
    ----------
    live : share of each step over which a board's load side, a generator or a machine's supply has voltage, by
        equipment; whatever has it all the time is left out [-]
    dark : of `live`, the machines that only draw: neither boards nor generators
    second : share of each step over which a transfer switch gives voltage from its second source [-]
    tested : 1 where a generator is tested under load [-]
    turning : share of each step over which a generator's engine turns [-]
    mains : whether the mains are there that a generator stands by for [-]
    charge : of the battery of an uninterruptible supply, 1 is full [-]
    filled : share of its battery that an uninterruptible supply charges in a step [-]
    load : what generators, transfer switches and uninterruptible supplies give: (kW, kvar)
    """

    live: dict[str, Array] = field(default_factory=dict)
    dark: dict[str, Array] = field(default_factory=dict)
    second: dict[str, Array] = field(default_factory=dict)
    tested: dict[str, Array] = field(default_factory=dict)
    turning: dict[str, Array] = field(default_factory=dict)
    mains: dict[str, Array | float] = field(default_factory=dict)
    charge: dict[str, Array | float] = field(default_factory=dict)
    filled: dict[str, Array | float] = field(default_factory=dict)
    load: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    def alive(self, equipment: str) -> Array | float:
        """Return the share of each step over which a board or a machine's supply has voltage. [-]"""
        return self.live.get(equipment, 1.0)

    def let_through(self, equipment: str, point: str, value: Array) -> Array:
        """Return what a machine shows at a point, or counts there, with the voltage that it has."""
        if equipment in self.dark and point in _NEEDS_VOLTAGE:
            return value * self.dark[equipment]
        return value


def all_the_time(live: Array | float) -> bool:
    """Return True if there is voltage at every time."""
    return bool(np.all(np.asarray(live) >= 1.0))
