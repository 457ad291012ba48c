"""Automatic transfer switch: from a source that is lost to one that is there, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a switch waits: to go over to a second source that has voltage, and to go back to the first. [s]"""

    over_s: float = 2.0
    back_s: float = 300.0


class Place(NamedTuple):
    """Where a switch stands: on its second source or not, and for how long it has waited to change. [s]"""

    second: bool = False
    waited_s: float = 0.0


def transfer(
    first: Array, second: Array, able: Array, tested: Array, dt_s: Array, place: Place, delays: Delays
) -> tuple[Array, Array, Place]:
    """
    Follow a switch through losses of its sources.

    Parameters
    ----------
    first, second : (n,) share of each step over which a source has voltage; a part of a step is taken as its end [-]
    able : (n,) 1 where the mechanism moves [-]
    tested : (n,) 1 where a test lays the load on the second source, though the first one is there [-]
    dt_s : (n,) length of the step that ends at each sample [s]
    place : where it stands before the first step

    Returns
    -------
    Shares of each step over which the load has voltage, and over which it has it from the second source [-], and where
    the switch stands at the end. The change itself takes under 0.1 s and is left out.
    """
    live, from_second = np.zeros_like(dt_s), np.zeros_like(dt_s)
    on_second, waited = place
    rows = zip(first.tolist(), second.tolist(), able.tolist(), tested.tolist(), dt_s.tolist(), strict=True)
    for i, (one, two, moves, test, dt) in enumerate(rows):
        if test and moves and one >= 1.0 and not on_second:
            # It leaves a sound source only for another sound one, and goes back as soon as the test is over.
            live[i], from_second[i] = 1.0, two
            continue
        mine, other, delay = (two, one, delays.back_s) if on_second else (one, two, delays.over_s)
        if on_second and two <= 0.0:
            delay = delays.over_s  # its source is gone: it does not wait for the first one to settle
        wants = other > 0.0 and (on_second or mine < 1.0)
        waited = waited + other * dt if wants and moves else 0.0
        if wants and moves and waited >= delay:
            after = min(waited - delay, other * dt) / dt if dt > 0.0 else 0.0
            # Until it moves the load has what its old source gives; afterwards the new one, which is there to the end.
            before = min(mine, 1.0 - after)
            live[i] = before + after
            from_second[i] = before if on_second else after
            on_second, waited = not on_second, 0.0
        else:
            live[i] = mine
            from_second[i] = mine if on_second else 0.0
    return live, from_second, Place(on_second, waited)
