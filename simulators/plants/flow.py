"""The flow of power through the boards: each phase and harmonic, summed from the leaves up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulators.grid import Grid
from simulators.physics.harmonics import SPECTRA, distortion
from simulators.scene import Array
from simulators.supply import Tree

# A flow is (11, n): real power of the phases [kW], reactive power of the phases [kvar], harmonic currents of the three
# phases together as apparent power at the fundamental's voltage [kVA], by harmonics.ORDERS.
ACTIVE, REACTIVE, HARMONIC = slice(0, 3), slice(3, 6), slice(6, 11)
_ROWS: Final = 11
_THIRDS: Final = np.arange(3)[:, None] * 2.0 * np.pi / 3.0
_SPECTRA: Final = {kind: np.array(shares)[:, None] for kind, shares in SPECTRA.items()}


def empty(n: int) -> Array:
    """Return a flow of nothing."""
    return np.zeros((_ROWS, n))


def balanced(kw: Array, kvar: Array, kind: str, strength: Array | float = 1.0) -> Array:
    """Return the flow of a load that is alike on all phases, with the harmonics of its kind times `strength`."""
    flow = empty(len(kw))
    flow[ACTIVE], flow[REACTIVE] = kw / 3.0, kvar / 3.0
    flow[HARMONIC] = _SPECTRA[kind] * (np.hypot(kw, kvar) * strength)
    return flow


def tilt(flow: Array, amount: float, angle: Array | float) -> Array:
    """Return a flow with more on the phase at `angle` and less on those across; the sum stays."""
    factors = 1.0 + amount * np.cos(angle - _THIRDS)
    tilted = flow.copy()
    tilted[ACTIVE] *= factors
    tilted[REACTIVE] *= factors
    return tilted


def active(flow: Array) -> Array:
    """Return the real power of all phases. [kW]"""
    kw: Array = np.sum(flow[ACTIVE], axis=0)
    return kw


def reactive(flow: Array) -> Array:
    """Return the reactive power of all phases. [kvar]"""
    kvar: Array = np.sum(flow[REACTIVE], axis=0)
    return kvar


def current_distortion(flow: Array) -> Array:
    """Return the THD of the current. [-]"""
    return distortion(flow[HARMONIC], np.hypot(active(flow), reactive(flow)))


def power_factor(kw: Array, kvar: Array) -> Array:
    """Return the power factor; 1 where nothing flows. [-]"""
    kva = np.hypot(kw, kvar)
    factor: Array = np.where(kva > 1e-3, kw / np.maximum(kva, 1e-3), 1.0)
    return factor


@dataclass(slots=True)
class Net:
    """
    All boards of a stretch of time.

    Attributes
    ----------
    flow : what each board gives to its load, as a flow
    phases : what a board has left of its phases, (3, n) of 0 to 1, by board; those that have all are left out [-]
    volts : to neutral, at each board's load side, (3, n) [V]
    hv_kv : voltage of the city's supply [kV]
    frequency : [Hz]
    """

    tree: Tree
    grid: Grid
    hv_kv: Array
    frequency: Array
    flow: dict[str, Array] = field(default_factory=dict)
    phases: dict[str, Array] = field(default_factory=dict)
    volts: dict[str, Array] = field(default_factory=dict)

    def add(self, board: str, flow: Array) -> None:
        """Let a board give a load what its voltage and its phases let through."""
        through = flow * self.grid.alive(board)
        if board in self.phases:
            through[ACTIVE] *= self.phases[board]
            through[REACTIVE] *= self.phases[board]
            through[HARMONIC] *= np.mean(self.phases[board], axis=0)
        self.flow[board] = self.flow[board] + through

    def pass_up(self, board: str, flow: Array) -> None:
        """Let the board above give what a board takes."""
        above = self.tree.parent.get(board)
        if above is not None:
            self.flow[above] = self.flow[above] + flow
