"""Machines that go on and off to give less than their least: how long they are on, and how often they start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def duty_cycle(
    time_s: Array, dt_s: Array, duty: Array, period_s: Array | float, offset_s: float = 0.0
) -> tuple[Array, Array]:
    """
    Return the share of each step for which a cycling machine was on, and its starts in the step.

    It is on for the first `duty` of each period. Over whole periods the share is `duty` to the bit of rounding, however
    long the steps are; a step shorter than the period shows it on or off.

    Parameters
    ----------
    time_s : (n,) end of each step [s]
    dt_s : (n,) length of each step, 0 or more [s]
    duty : (n,) 0 always off, 1 always on [-]
    period_s, offset_s : of its cycle, and where that begins [s]
    """
    share = np.clip(duty, 0.0, 1.0)
    length = np.maximum(dt_s, 1e-3) / period_s
    # From the times themselves, so that a step begins to the bit where the last one ended.
    begin, end = (time_s - np.maximum(dt_s, 1e-3) + offset_s) / period_s, (time_s + offset_s) / period_s
    on = np.clip((_on_until(end, share) - _on_until(begin, share)) * share / length, 0.0, 1.0)
    cycling = (share > 0.0) & (share < 1.0)
    starts = np.where(cycling, np.floor(end) - np.floor(begin), 0.0)
    return np.where(cycling, on, share), starts


def _on_until(cycles: Array, duty: Array) -> Array:
    """Return for how many on-times a machine has been on after a number of cycles. [-]"""
    whole = np.floor(cycles)
    spent: Array = whole + np.minimum((cycles - whole) / np.maximum(duty, 1e-9), 1.0)
    return spent
