"""How fast a store takes readings and answers pages, and how much room a reading takes; plain numpy beside it.

The load is a site's: 5,000 points, most of them once a minute, one in a hundred every five seconds, and some that have
been read once a minute for a year. Values are what plants send: noise of sensors, rounded as their converters round,
registers that count up, states that seldom change. They arrive as a collector writes them, minute by minute.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facility.readings import PointAddress, PointTable, ReadingBatch
from facility.store.contract import TelemetryStore
from facility.store.duckdb import DuckDBStore

POINTS: Final = 5_000
_LONG_SHARE: Final = 0.25  # of all readings, those of points that span a year
_DENSE: Final = 50  # points that are read every five seconds
_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 1_440 * _MINUTE_US
_YEAR_MINUTES: Final = 365 * 1_440
_DENSE_A_MINUTE: Final = 12
_START_US: Final = 1_735_689_600_000_000
_BLOCK_MINUTES: Final = 60  # so many are made at once; each minute is a write of its own
_LONG_WRITE: Final = 100_000  # history comes in larger pieces

Progress = Callable[[str, float], None]  # what is being done, and the share that is done


@dataclass(frozen=True, slots=True)
class Plan:
    """How many points span a year, and how many minutes all points are read."""

    long: int
    minutes: int

    @classmethod
    def of(cls, readings: int) -> Plan:
        """Return the load that has about so many readings; ValueError if they are too few for all points."""
        if readings < 2 * POINTS:
            raise ValueError(f"--readings {readings} is too few; give at least {2 * POINTS:_}, two a point")
        long = min(round(readings * _LONG_SHARE / _YEAR_MINUTES), POINTS // 10)
        a_minute = POINTS - _DENSE + _DENSE * _DENSE_A_MINUTE
        return cls(long, max(1, round((readings - long * _YEAR_MINUTES) / a_minute)))

    @property
    def end_us(self) -> int:
        """Return when the load ends. [µs]"""
        return _START_US + max(_YEAR_MINUTES, self.minutes) * _MINUTE_US


def table() -> PointTable:
    """Return the points: ten a machine, of three kinds."""
    kinds = ["gauge"] * 7 + ["total_increasing"] * 2 + ["state"]
    return PointTable(
        tuple(
            PointAddress(f"m{i // 10:03d}", f"p{i % 10}", "bench_machine", "kW", "bench", "main", f"r{i // 500}", kind)
            for i, kind in ((i, kinds[i % 10]) for i in range(POINTS))
        )
    )


class Load:
    """
    The readings of a plan, made as they are wanted; the same seed gives the same ones.

    A point's place in its machine says what it sends: 0 to 6 a sensor, 7 and 8 a register, 9 a state. The first points
    of the table are the dense ones, the last those that span a year.
    """

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self.plan = plan
        self.table = table()
        self._chance = np.random.default_rng(seed)
        place = np.arange(POINTS) % 10
        self._register, self._state = (place == 7) | (place == 8), place == 9
        self._level = self._chance.uniform(5.0, 500.0, POINTS)
        self._digits = self._chance.choice([0.1, 0.01, 0.5], POINTS)  # what a step of the converter is worth
        self._total = np.round(self._chance.uniform(1e3, 1e6, POINTS), 1)
        self._now = self._chance.integers(0, 2, POINTS).astype(float)
        # Most gateways stamp whole milliseconds, each with a delay of its own.
        self._offset_us = self._chance.integers(0, 60_000, POINTS) * 1_000

    def batches(self) -> Iterator[ReadingBatch]:
        """Yield the readings in the order in which they are written: old history first, then minute by minute."""
        first_minute = max(_YEAR_MINUTES, self.plan.minutes) - self.plan.minutes
        for point in range(POINTS - self.plan.long, POINTS):
            yield from self._history(point, first_minute)
        for minute in range(0, self.plan.minutes, _BLOCK_MINUTES):
            yield from self._block(first_minute + minute, min(_BLOCK_MINUTES, self.plan.minutes - minute))

    def _history(self, point: int, minutes: int) -> Iterator[ReadingBatch]:
        """Yield what a point was before the minutes that all points are read."""
        for start in range(0, minutes, _LONG_WRITE):
            count = min(_LONG_WRITE, minutes - start)
            time_us = _START_US + (start + np.arange(count)) * _MINUTE_US + self._offset_us[point]
            value = self._values(np.array([point]), count)[:, 0]
            yield ReadingBatch.of(self.table, np.full(count, point), time_us, value)

    def _block(self, first_minute: int, minutes: int) -> Iterator[ReadingBatch]:
        everyone, dense = np.arange(POINTS), np.arange(_DENSE)
        values = self._values(everyone, minutes)
        quick = self._values(dense, minutes * (_DENSE_A_MINUTE - 1)).reshape(minutes, _DENSE_A_MINUTE - 1, _DENSE)
        points = np.concatenate([everyone, np.tile(dense, _DENSE_A_MINUTE - 1)]).astype(np.int32)
        seconds = np.repeat(np.arange(1, _DENSE_A_MINUTE), _DENSE) * 5_000_000
        offsets = np.concatenate([self._offset_us, seconds + np.tile(self._offset_us[:_DENSE] % 5_000_000, 11)])
        offsets[:_DENSE] %= 5_000_000
        for minute in range(minutes):
            time_us = _START_US + (first_minute + minute) * _MINUTE_US + offsets
            yield ReadingBatch.of(self.table, points, time_us, np.concatenate([values[minute], quick[minute].ravel()]))

    def _values(self, points: NDArray[np.intp], count: int) -> NDArray[np.float64]:
        """Return the next values (count, points) of some points."""
        shape = (count, points.shape[0])
        level, step = self._level[points], self._digits[points]
        swing = np.sin(np.arange(count) / 1_440 * 2 * np.pi)[:, None] * level * 0.1
        sensor = np.round((level + swing + self._chance.normal(0.0, 1.0, shape) * 3 * step) / step) * step
        total = np.round(self._total[points] + np.cumsum(self._chance.integers(0, 4, shape) * 0.1, axis=0), 1)
        turned = np.cumsum(self._chance.random(shape) < 0.002, axis=0)
        state = (self._now[points] + turned) % 2
        self._total[points], self._now[points] = total[-1], state[-1]
        return np.where(self._register[points], total, np.where(self._state[points], state, np.round(sensor, 2)))


@dataclass(slots=True)
class _Times:
    """How long something took, over and over. [s]"""

    took_s: list[float] = field(default_factory=list)

    def measure(self, do: Callable[[], object]) -> None:
        begun = time.perf_counter()
        do()
        self.took_s.append(time.perf_counter() - begun)

    def told(self, name: str) -> dict[str, float]:
        p50, p95 = np.percentile(np.array(self.took_s) * 1e3, [50, 95]).tolist()
        return {f"{name}_p50_ms": round(p50, 2), f"{name}_p95_ms": round(p95, 2)}


def run(
    store: TelemetryStore,
    folder: Path,
    readings: int = 100_000_000,
    rounds: int = 100,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """
    Fill an empty store and measure it; `folder` takes the file of the plain numpy pass.

    Returns
    -------
    dict
        `write_values_per_s`, with all compaction, and `write_ratio_to_plain_file`: to appending the same arrays to a
        file, synced as often. For each query, milliseconds at p50 and p95 over `rounds` random points and days:
        `one_point_day` (raw), `one_point_year` (steps of a day) and `one_point_year_raw`, `fifty_points_day_1min`,
        `latest_all_points`; the `ratio_to_numpy` of some, to summing up the same readings in memory.
        `bytes_per_reading` at rest, `peak_rss_mb` of this process.

    Raises
    ------
    ValueError
        If the store is not empty, or `readings` are too few.
    """
    held = store.size().readings
    if held:
        raise ValueError(f"the store holds {held} readings; measure an empty one")
    load = Load(Plan.of(readings))
    result = _write(store, folder, load, readings, progress)
    result |= _read(store, load, rounds, progress)
    size = store.size()
    result |= {
        "readings": size.readings,
        "points": size.points,
        "points_over_a_year": load.plan.long,
        "days_of_all_points": round(load.plan.minutes / 1_440, 2),
        "bytes": size.bytes,
        "bytes_per_reading": round(size.bytes / size.readings, 3),
        "peak_rss_mb": round(_peak_rss_mb(), 1),
        "rounds": rounds,
        "processors": os.cpu_count(),
    }
    return result


def _write(store: TelemetryStore, folder: Path, load: Load, readings: int, progress: Progress) -> dict[str, Any]:
    stored_s = plain_s = 0.0
    written, longest_s = 0, 0.0
    commits = _Times()
    cpu_s = time.process_time()
    with (folder / "plain.bin").open("wb") as plain:
        for batch in load.batches():
            begun = time.perf_counter()
            store.write(batch)
            took_s = time.perf_counter() - begun
            stored_s, longest_s = stored_s + took_s, max(longest_s, took_s)
            commits.took_s.append(took_s)
            plain_s += _append(plain, batch)
            written += len(batch)
            progress("Writing", written / readings)
    (folder / "plain.bin").unlink()
    begun = time.perf_counter()
    if isinstance(store, DuckDBStore):
        progress("Compacting", 0.0)
        store.compact()
    stored_s += time.perf_counter() - begun
    cpu_s = time.process_time() - cpu_s
    return {
        "write_values_per_s": round(written / stored_s),
        "write_ratio_to_plain_file": round(plain_s / stored_s, 4),
        "write_longest_ms": round(longest_s * 1e3, 1),
        "write_cpu_us_per_reading": round(cpu_s / written * 1e6, 2),
        **commits.told("write_commit"),
    }


def _append(file: Any, batch: ReadingBatch) -> float:
    """Append the same arrays to a plain file, synced; return how long it took. [s]"""
    begun = time.perf_counter()
    for column in (batch.point, batch.time_us, batch.value, batch.quality):
        file.write(column.tobytes())
    file.flush()
    os.fsync(file.fileno())
    if file.tell() > 1 << 28:
        file.truncate(0)  # the speed is wanted, not the room
        file.seek(0)
    return time.perf_counter() - begun


def _read(store: TelemetryStore, load: Load, rounds: int, progress: Progress) -> dict[str, Any]:
    plan, end_us = load.plan, load.plan.end_us
    chance = np.random.default_rng(2)
    names = [load.table.key(i) for i in range(POINTS)]
    # The points that are queried have been read once a minute; the days lie where all points have readings.
    usual = names[_DENSE : POINTS - plan.long]
    longest = names[POINTS - plan.long :] or usual
    last_start = max(end_us - plan.minutes * _MINUTE_US, _START_US)

    def a_day() -> int:
        return int(chance.integers(last_start, max(last_start + 1, end_us - _DAY_US)))

    def some(count: int) -> list[str]:
        return [usual[i] for i in chance.choice(len(usual), count, replace=False).tolist()]

    result: dict[str, Any] = {}
    queries: dict[str, Callable[[], object]] = {
        "one_point_day": lambda: store.series([key := some(1)[0]], start := a_day(), start + _DAY_US)[key],
        "fifty_points_day_1min": lambda: store.aggregate(some(50), start := a_day(), start + _DAY_US, _MINUTE_US),
        "one_point_year": lambda: store.aggregate(
            [longest[int(chance.integers(len(longest)))]], _START_US, end_us, _DAY_US
        ),
        "one_point_year_raw": lambda: store.series([longest[int(chance.integers(len(longest)))]], _START_US, end_us),
        "latest_all_points": store.latest,
    }
    for i, (name, query) in enumerate(queries.items()):
        times = _Times()
        query()  # the first one pays for what all later ones find warm
        for turn in range(rounds):
            times.measure(query)
            progress("Asking", (i + (turn + 1) / rounds) / len(queries))
        result |= times.told(name)
    result |= _beside_numpy(store, some(50), longest[0], a_day(), end_us, rounds)
    for name in ("fifty_points_day_1min", "one_point_year"):
        result[f"{name}_ratio_to_numpy"] = round(
            result[f"{name}_p50_ms"] / max(result[f"{name}_numpy_p50_ms"], 1e-9), 1
        )
    return result


def _beside_numpy(
    store: TelemetryStore, fifty: list[str], long: str, start_us: int, end_us: int, rounds: int
) -> dict[str, float]:
    """Sum up the same readings with numpy alone, from arrays in memory: the least that any store could take."""
    day = list(store.series(fifty, start_us, start_us + _DAY_US).values())
    year = [store.series([long], _START_US, end_us)[long]]

    def sums(all_series: list[Any], step_us: int) -> None:
        for series in all_series:
            if len(series):
                step = (series.time_us - series.time_us[0]) // step_us
                starts = np.concatenate(([0], np.flatnonzero(np.diff(step)) + 1))
                np.add.reduceat(series.value, starts)
                np.minimum.reduceat(series.value, starts)
                np.maximum.reduceat(series.value, starts)

    fifty_times, year_times = _Times(), _Times()
    for _ in range(rounds):
        fifty_times.measure(lambda: sums(day, _MINUTE_US))
        year_times.measure(lambda: sums(year, _DAY_US))
    return fifty_times.told("fifty_points_day_1min_numpy") | year_times.told("one_point_year_numpy")


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
