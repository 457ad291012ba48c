"""Vibration of a rotating machine: tones and broadband noise, added up to the overall values that sensors send."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bearing:
    """
    A rolling bearing's geometry.

    Attributes
    ----------
    balls : how many
    ball_mm, pitch_mm : diameters of a ball and of the circle on which the balls run
    angle_deg : contact angle; 0 for deep-groove bearings
    """

    balls: int
    ball_mm: float
    pitch_mm: float
    angle_deg: float = 0.0

    @property
    def outer(self) -> float:
        """Return how often a turn the balls pass a defect of the outer ring (BPFO). [-]"""
        return self.balls / 2.0 * (1.0 - self._slant)

    @property
    def inner(self) -> float:
        """Return how often a turn the balls pass a defect of the inner ring (BPFI). [-]"""
        return self.balls / 2.0 * (1.0 + self._slant)

    @property
    def ball(self) -> float:
        """Return how often a turn a defect of a ball strikes, both rings counted (twice the ball's spin). [-]"""
        return self.pitch_mm / self.ball_mm * (1.0 - self._slant**2)

    @property
    def cage(self) -> float:
        """Return the turns of the cage a turn of the shaft (FTF). [-]"""
        return (1.0 - self._slant) / 2.0

    @property
    def _slant(self) -> float:
        return self.ball_mm / self.pitch_mm * math.cos(math.radians(self.angle_deg))


def overall(parts: Iterable[Array]) -> Array:
    """Return the overall value of parts at different frequencies: the root of the sum of their squares (RMS)."""
    total: Array = np.sqrt(sum(np.square(part) for part in parts))
    return total


def acceleration(velocity_mm_s: Array, frequency_hz: Array) -> Array:
    """Return the acceleration of a tone from its velocity: `2 pi f v`. [m/s²]"""
    return 2.0 * math.pi * frequency_hz * velocity_mm_s / 1000.0
