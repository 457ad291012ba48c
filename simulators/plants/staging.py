"""How many pumps of a group run: what its controller decides, and when."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulators.scene import Array, Scene

_QUARTER_US: Final = 900_000_000


def staged(scene: Scene, name: str, flow: Array, rated_m3h: float, most: int) -> Array:
    """
    Return how many pumps a flow takes; none where there is no flow. [-]

    The controller looks every quarter of an hour, and at once when the flow is more than its pumps can give; it takes a
    pump away only when the rest would have a tenth to spare. So it decides alike in steps of a second and of a quarter.

    Parameters
    ----------
    name : under which the group's state is remembered
    rated_m3h : flow of one pump; from 95 % of it on, another is called
    """
    running, seen = f"{name}/staged", f"{name}/staged_at"
    state, last = scene.memory.get(running, -1.0), scene.memory.get(seen, -1.0)
    quarters = (scene.span.time_us // _QUARTER_US).tolist()
    called = []
    for asked, quarter in zip(flow.tolist(), quarters, strict=True):
        if quarter != last or asked > 1.15 * rated_m3h * state:
            last = quarter
            up = min(most, -int(-asked // (0.95 * rated_m3h)))
            if up > state or asked < 0.85 * rated_m3h * (state - 1.0) or asked <= 0.0:
                state = float(up)
        called.append(state)
    scene.memory[running], scene.memory[seen] = state, float(last)
    return np.where(flow > 0.0, np.maximum(called, 1.0), 0.0)
