"""Capacitor banks: how much is needed, which steps are on, blown fuses, and resonance with the transformer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def needed(kw: Array, power_factor: Array, target: float) -> Array:
    """Return the capacitors' power that raises a power factor to a target: `P * (tan phi1 - tan phi2)`. [kvar]"""
    kvar: Array = kw * (np.sqrt(1.0 / power_factor**2 - 1.0) - math.sqrt(1.0 / target**2 - 1.0))
    return kvar


def steps_on(missing_kvar: Array, step_kvar: Array, steps: float) -> Array:
    """Return how many whole steps a controller switches on; a step more than is missing is never taken. [-]"""
    return np.clip(np.floor(missing_kvar / np.maximum(step_kvar, 1e-6) + 1e-9), 0.0, steps)


def blown_fuse(share: Array) -> tuple[Array, Array, Array]:
    """
    Return what is left when a share of the steps has lost the fuse of line B, each as a share of the sound value. [-]

    Reactive power, current of lines A and C, current of line B. A delta with one open line has one capacitor at full
    voltage and two in series: half the power (1.5 of 3), sqrt(3)/2 of the current in two lines and none in the third.
    """
    return 1.0 - 0.5 * share, 1.0 - (1.0 - math.sqrt(3.0) / 2.0) * share, 1.0 - share


def resonant_order(short_circuit_kva: float, kvar: Array) -> Array:
    """
    Return the order at which a bank without reactors resonates with the network: `sqrt(Ssc / Qc)`. [-]

    Source: IEC 61642:1997. Infinite where no step is on.
    """
    with np.errstate(divide="ignore"):
        order: Array = np.sqrt(short_circuit_kva / np.asarray(kvar, dtype=np.float64))
    return order


def resonance(
    order: Array, kvar: Array, rated_kva: float, reactance: float, detuning: Array, damping: float
) -> tuple[Array, Array]:
    """
    Return how a bank changes a harmonic: current that goes on into the network, and into the bank, over what comes. [-]

    Parameters
    ----------
    order : (m, 1) orders of the harmonics; the third cannot enter a delta and must be left out
    kvar : (n,) power of the steps that are on
    rated_kva, reactance : of the transformer; short-circuit reactance as a share
    detuning : (n,) reactors' reactance over the capacitors' at 50 Hz; 0.07 is usual, 0 is none
    damping : resistance of loads and conductors over the network's reactance at the harmonic; 0.1 to 0.3 is usual

    A current divider between the network (h x, with damping) and the bank (h p xc - xc/h), per unit of the transformer.
    """
    capacitive = rated_kva / np.maximum(kvar, 1e-6)
    network = order * reactance * (damping + 1j)
    bank = 1j * capacitive * (order * detuning - 1.0 / order)
    into_network = np.abs(bank / (network + bank))
    into_bank = np.abs(network / (network + bank))
    return into_network, into_bank
