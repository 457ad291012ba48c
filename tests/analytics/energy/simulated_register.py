"""A register that is simulated with all that happens to one in a year, and with the truth kept beside it.

What a reset destroys cannot be known: the truth counts up to the last reading before the reset, and from zero after it.
Exchanges and resets lie at least four days apart, outages (of up to a day and a half) anywhere, on them too. A reset
that looks like a roll-over, or that hides because the register passes its old count before it is read again, is not
put in: nobody could tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from facility.site import Dated, MeterExchange, Register

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2025, 1, 1, tzinfo=ZONE)
START_US = int(START.timestamp()) * 1_000_000
MINUTE_US = 60_000_000
QUARTER_US = 15 * MINUTE_US
DAY_US = 1440 * MINUTE_US
_APART_US = 4 * DAY_US

Times = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What is to happen; when is drawn from `seed`."""

    seed: int
    days: int = 10
    every_min: int = 15
    digits: int | None = None
    decimals: int = 2
    per_pulse: float | None = None
    jitter: bool = False
    idle: bool = False
    exchanges: int = 0
    resets: int = 0
    outages: int = 0
    wrong: int = 0  # single readings that leap away and come back
    ratio_changes: bool = False
    clock_off: bool = False


@dataclass
class Simulated:
    """A register's readings, its entry in the site file, what it truly counted, and how often it was reset."""

    register: Register
    time_us: Times
    value: Floats
    true_units: float
    resets: int
    quality: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.quality = np.zeros(self.time_us.shape[0], dtype=np.uint8)


class _Use:
    """What is used, running up evenly within each quarter of an hour."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        n = (plan.days + 2) * 96
        hour = np.arange(n) % 96 / 4.0
        shape = 1.0 + 0.6 * np.sin((hour - 8.0) / 24.0 * 2.0 * np.pi) + 0.2 * rng.random(n)
        shape *= 1.0 + 0.3 * np.sin(np.arange(n) / 96.0 / 365.0 * 2.0 * np.pi)
        if plan.idle:
            shape[(hour < 9.0) | (hour > 17.0)] = 0.0
        # A register is chosen so that its digits last for weeks, not for hours.
        most_an_hour = min(500.0, 0.2 * 10.0**plan.digits / 72.0 if plan.digits else 500.0)
        used = shape * float(rng.uniform(0.2, 1.0)) * most_an_hour / 4.0 / shape.max()
        self.edges = START_US + QUARTER_US * np.arange(n + 1, dtype=np.int64)
        self.total = np.concatenate([[0.0], np.cumsum(used)])
        self.day = 24.0 * most_an_hour

    def by(self, time_us: Times) -> Floats:
        return np.interp(time_us, self.edges, self.total)


class _Life:
    """One meter from its start, or from its reset, on."""

    def __init__(self, plan: Plan, use: _Use, begins_us: int, start: float) -> None:
        self.plan, self.use, self.start = plan, use, start
        self.before = float(use.by(np.array([begins_us]))[0])

    def counts(self, time_us: Times) -> Floats:
        """Return what it has counted, with what its roll-overs hide, cut as its display is."""
        scale = 10.0**self.plan.decimals
        return np.floor((self.start + self.use.by(time_us) - self.before) * scale + 1e-6) / scale


def simulate(plan: Plan) -> Simulated:
    """Let a register run through the plan."""
    rng = np.random.default_rng(plan.seed)
    use = _Use(plan, rng)
    modulus = 10.0**plan.digits if plan.digits else None
    moments = _moments(plan, rng)
    read_us = _without_outages(plan, rng, _reading_times(plan, rng), moments)

    life = _Life(plan, use, START_US, float(rng.uniform(0.2, 0.99) * (modulus or 2e6)))
    counts, counted_from, done = np.zeros(read_us.shape[0]), None, 0
    since, ratios = [START.date() - timedelta(days=999)], [float(rng.choice([1.0, 20.0, 400.0]))]
    exchanges: list[MeterExchange] = []
    true_counts, resets = [], 0
    for moment_us, kind in moments:
        i = int(np.searchsorted(read_us, moment_us))
        if i - done < 20:
            continue
        here = life.counts(read_us[done:i])
        last, stands = float(here[-1]), float(life.counts(np.array([moment_us]))[0])
        if kind == "reset" and not _can_be_told(last, modulus, use.day):
            continue
        counts[done:i] = here
        first = float(here[0]) if counted_from is None else counted_from
        true_counts.append(((last if kind == "reset" else stands) - first) * ratios[-1])
        counted_from, done = 0.0, i
        if kind == "reset":
            resets += 1
        else:
            counted_from = float(rng.integers(0, 300))
            end = round(stands % modulus if modulus else stands, 6)
            gap_us = int(read_us[i] - read_us[i - 1])
            clear = abs(end - counted_from) > use.day and gap_us < 2 * plan.every_min * MINUTE_US
            off_min = int(rng.integers(-90, 90)) if plan.clock_off and clear else 0
            at = START + timedelta(microseconds=moment_us - START_US) + timedelta(minutes=off_min)
            exchanges.append(MeterExchange(at, end, counted_from))
            if plan.ratio_changes:
                since.append(at.date())
                ratios.append(float(rng.choice([1.0, 10.0, 80.0])))
        life = _Life(plan, use, moment_us, counted_from)
    counts[done:] = life.counts(read_us[done:])
    first = float(counts[0]) if counted_from is None else counted_from
    true_counts.append((float(counts[-1]) - first) * ratios[-1])
    register = Register(
        "total", "kWh", plan.digits, plan.per_pulse, Dated(tuple(since), tuple(ratios)), tuple(exchanges)
    )
    value = np.round(np.mod(counts, modulus) if modulus else counts, 6)
    for i in _wrong_places(plan, rng, read_us, moments, value):
        value[i] = rng.choice([0.0, 0.3 * value[i], value[i] + 30.0 * use.day])
    return Simulated(register, read_us, value, sum(true_counts) * (plan.per_pulse or 1.0), resets)


def _moments(plan: Plan, rng: np.random.Generator) -> list[tuple[int, str]]:
    """Return when the meter is exchanged or reset: never at a reading, at least four days apart."""
    kinds = ["exchange"] * plan.exchanges + ["reset"] * plan.resets
    room = int((plan.days - 2) * DAY_US // _APART_US)
    places = np.sort(rng.permutation(room)[: len(kinds)])
    times = START_US + DAY_US + places * _APART_US + rng.integers(0, DAY_US // 2, places.shape[0])
    return list(
        zip((times // MINUTE_US * MINUTE_US + 7_000_001).tolist(), rng.permutation(kinds).tolist(), strict=False)
    )


def _reading_times(plan: Plan, rng: np.random.Generator) -> Times:
    every_us = plan.every_min * MINUTE_US
    times = START_US + every_us * np.arange(plan.days * DAY_US // every_us + 1, dtype=np.int64)
    if plan.jitter:
        times[1:-1] += rng.integers(-every_us // 5, every_us // 5, times.shape[0] - 2)
    return times


def _without_outages(plan: Plan, rng: np.random.Generator, read_us: Times, moments: list[tuple[int, str]]) -> Times:
    keep = np.ones(read_us.shape[0], dtype=np.bool_)
    for k in range(plan.outages):
        length = int(rng.integers(plan.every_min, 1.5 * 1440)) * MINUTE_US
        at = int(rng.integers(START_US, read_us[-1]))
        if k < len(moments) and rng.random() < 0.5:
            at = moments[k][0] - int(rng.integers(0, length))
        keep &= (read_us < at) | (read_us > at + length)
    keep[0] = keep[-1] = True
    return read_us[keep]


def _wrong_places(
    plan: Plan, rng: np.random.Generator, read_us: Times, moments: list[tuple[int, str]], value: Floats
) -> Times:
    """Return inner readings, a day or more from all else that happens, and two days from each other."""
    away = np.ones(read_us.shape[0], dtype=np.bool_)
    for moment_us, _ in moments:
        away &= np.abs(read_us - moment_us) > DAY_US
    # At the edge of an outage a reading of zero may as well be the reset that the outage hides.
    beside = np.diff(read_us) <= 3 * plan.every_min * MINUTE_US
    away[1:] &= beside
    away[:-1] &= beside
    away[1:] &= np.diff(value) >= 0.0
    # Beside a roll-over a reading of zero is no leap.
    away &= value > 0.1 * value.max()
    places = np.flatnonzero(away & (np.arange(away.shape[0]) > 0) & (np.arange(away.shape[0]) < away.shape[0] - 1))
    chosen: list[int] = []
    for i in rng.permutation(places):
        if len(chosen) < plan.wrong and all(abs(int(read_us[i]) - int(read_us[j])) > 2 * DAY_US for j in chosen):
            chosen.append(int(i))
    return np.array(chosen, dtype=np.int64)


def _can_be_told(last: float, modulus: float | None, day: float) -> bool:
    if modulus is not None:
        last %= modulus
        return 3.0 * day < last < 0.7 * modulus
    near = [m for m in (65536.0, *(10.0**k for k in range(3, 13))) if 0.9 * m <= last <= m]
    return last > 3.0 * day and not near
