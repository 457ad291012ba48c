"""Meters that were exchanged: the readings of one register, parted into those of one meter after the other.

A person enters when a meter was exchanged, where the old one ended and where the new one started. The time is rarely
that of the readings, whose gateway has a clock of its own; where another gap between two readings, less than a day
off, fits the end and the start and the entered one does not, the readings are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analytics.energy.advances import ANCHOR_TOLERANCE, LOOK_US, Run
from analytics.energy.habits import ODD, Habits
from analytics.energy.intervals import Floats, Times
from analytics.energy.register_events import RegisterEvent
from facility.calendar import to_us
from facility.site import MeterExchange, Register

SEARCH_US: Final = LOOK_US


@dataclass(frozen=True, slots=True)
class Parted:
    """
    Readings by meter, oldest first; consecutive runs share the moment of the exchange.

    `moved` tells of each exchange when it was by the readings, by when it was entered. [µs UTC]
    """

    runs: tuple[Run, ...]
    events: tuple[RegisterEvent, ...] = ()
    moved: Mapping[int, int] = field(default_factory=dict)


def modulus_of(digits: int | None) -> float | None:
    """Return at which count a register of so many digits begins again from zero; None if they are not known."""
    return None if digits is None else 10.0**digits


def parted(time_us: Times, count: Floats, register: Register, habits: Habits) -> Parted:
    """Part a register's readings by its exchanges."""
    modulus = modulus_of(register.digits)
    if not register.exchanges:
        return Parted((Run(time_us, count, modulus=modulus),))
    runs: list[Run] = []
    events: list[RegisterEvent] = []
    moved: dict[int, int] = {}
    done, opening = 0, None  # opening: moment and start of the exchange before
    for exchange in _one_a_moment(register.exchanges):
        i, at_us = _moment(time_us, count, exchange, modulus, habits)
        if opening is not None and at_us <= opening[0]:
            # Two exchanges were moved into the same gap: the later one follows at once.
            at_us = opening[0] + 1
        i = max(i, done)
        runs.append(_run(time_us[done:i], count[done:i], opening, (at_us, exchange.end), modulus))
        events.append(_told(time_us, count, i, done, at_us, exchange))
        moved[to_us(exchange.at)] = at_us
        done, opening = i, (at_us, exchange.start)
        modulus = modulus_of(exchange.digits) or modulus
    runs.append(_run(time_us[done:], count[done:], opening, None, modulus))
    return Parted(tuple(runs), tuple(events), moved)


def _one_a_moment(exchanges: Sequence[MeterExchange]) -> list[MeterExchange]:
    return list({to_us(e.at): e for e in sorted(exchanges, key=lambda e: to_us(e.at))}.values())


def _run(
    time_us: Times,
    count: Floats,
    opening: tuple[int, float] | None,
    closing: tuple[int, float] | None,
    modulus: float | None,
) -> Run:
    times, counts = [time_us], [count]
    if opening is not None:
        times.insert(0, np.array([opening[0]], dtype=np.int64))
        counts.insert(0, np.array([opening[1]]))
    if closing is not None:
        times.append(np.array([closing[0]], dtype=np.int64))
        counts.append(np.array([closing[1]]))
    return Run(np.concatenate(times), np.concatenate(counts), opening is not None, closing is not None, modulus)


def _moment(
    time_us: Times, count: Floats, exchange: MeterExchange, modulus: float | None, habits: Habits
) -> tuple[int, int]:
    """Return which reading is the new meter's first, and when the exchange was by the readings. [µs]"""
    at_us = to_us(exchange.at)
    entered = int(np.searchsorted(time_us, at_us, side="right"))
    first = int(np.searchsorted(time_us, at_us - SEARCH_US))
    last = int(np.searchsorted(time_us, at_us + SEARCH_US, side="right"))
    gaps = [i for i in {entered, *range(first, last + 1)} if _fits(time_us, count, i, at_us, exchange, modulus, habits)]
    found = min(gaps, key=lambda i: (_plain(count, i), _off(time_us, i, at_us), i), default=entered)
    return found, _inside(time_us, found, at_us)


def _plain(count: Floats, i: int) -> bool:
    """Return True if nothing shows that reading `i` is another meter's than the one before."""
    return i in (0, len(count)) or bool(count[i] >= count[i - 1])


def _off(time_us: Times, i: int, at_us: int) -> int:
    """Return how far a moment lies from the gap before reading `i`. [µs]"""
    before = max(0, int(time_us[i - 1]) - at_us) if i > 0 else 0
    return before + (max(0, at_us - int(time_us[i])) if i < len(time_us) else 0)


def _inside(time_us: Times, i: int, at_us: int) -> int:
    """Return the moment of the gap before reading `i` that is nearest to `at_us`, not one of a reading itself."""
    if i > 0:
        at_us = max(at_us, int(time_us[i - 1]) + 1)
    if i < len(time_us):
        at_us = min(at_us, int(time_us[i]) - 1)
    return at_us


def _fits(
    time_us: Times,
    count: Floats,
    i: int,
    at_us: int,
    exchange: MeterExchange,
    modulus: float | None,
    habits: Habits,
) -> bool:
    """Return True if the old meter can have ended, and the new one have started, just before reading `i`."""
    from_us = int(time_us[i - 1]) if i > 0 else at_us
    until_us = int(time_us[i]) if i < len(time_us) else at_us
    most = habits.most(max(0, until_us - from_us), ODD)
    ended = exchange.end - float(count[i - 1]) if i > 0 else 0.0
    if modulus is not None and ended < -ANCHOR_TOLERANCE:
        ended += modulus
        # Without a known pace any fall could be a roll-over; only a small part of the digits is believed.
        most = min(most, 0.1 * modulus)
    started = float(count[i]) - exchange.start if i < len(time_us) else 0.0
    return -ANCHOR_TOLERANCE <= ended <= most and -ANCHOR_TOLERANCE <= started <= most


def _told(time_us: Times, count: Floats, i: int, done: int, at_us: int, exchange: MeterExchange) -> RegisterEvent:
    moved = at_us != to_us(exchange.at)
    before = float(count[i - 1]) if i > done else exchange.end
    after = float(count[i]) if i < len(count) else exchange.start
    counted = max(0.0, exchange.end - before) + max(0.0, after - exchange.start)
    return RegisterEvent(
        "exchange_moved" if moved and abs(at_us - to_us(exchange.at)) > 1 else "exchange",
        int(time_us[i - 1]) if i > done else at_us,
        int(time_us[i]) if i < len(count) else at_us,
        exchange.end,
        exchange.start,
        counted,
    )
