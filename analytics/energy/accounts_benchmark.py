"""How long the accounts of many meters take: a month from nothing, and a whole year restated; beside reading alone."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from analytics.energy.books import Books
from analytics.energy.intervals import STEP_US
from facility.calendar import at_us
from facility.database import Database
from facility.readings import PointTable, ReadingBatch
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore

Progress = Callable[[str, float], None]

_LAST_MONTH: Final = date(2025, 12, 1)
_AFTER: Final = date(2026, 1, 3)  # by then the month is closed
_FLOORS: Final = 20
_DEPARTMENTS: Final = 50
_TARIFF: Final = """
tariffs:
  - carrier: electricity
    from: 2020-01-01
    unit: kWh
    price: 0.62
    source: made up for the benchmark
    bands:
      - {name: peak, price: 1.02, from: "08:00", to: "11:00"}
      - {name: peak, price: 1.02, from: "18:00", to: "21:00"}
      - {name: valley, price: 0.31, from: "22:00", to: "06:00"}
"""


@dataclass(frozen=True, slots=True)
class _Plant:
    """A hospital of many meters, its store, and its counters so far."""

    site: Site
    store: TelemetryStore
    settle: Callable[[], None]
    keys: tuple[str, ...]
    table: PointTable


def run(
    store: TelemetryStore, settle: Callable[[], None], folder: Path, meters: int, days: int, progress: Progress
) -> dict[str, Any]:
    """
    Measure the accounts of a hospital with many electricity meters, each read every 15 minutes.

    Parameters
    ----------
    store, settle : an empty store, and what lets it put in order what was written
    folder : for the site file and the relational database
    meters, days : how many; the last month of the days is booked first, the others come late

    Returns
    -------
    Seconds, ratios to reading the same readings from the store alone, and the largest memory so far. [s], [MB]
    """
    site = _site(folder, meters, 40)
    keys = tuple(f"{e.id}/energy_import" for e in site.equipment.values())
    wanted = set(keys)
    table = PointTable(tuple(a for a in site.points.addresses if a.key in wanted))
    plant = _Plant(site, store, settle, keys, table)
    begin = _LAST_MONTH - timedelta(days=max(0, days - 31))
    database = Database(f"sqlite:///{folder}/wardwatt.db")
    try:
        database.upgrade()
        result: dict[str, Any] = {"meters": meters, "days": days}
        _fill(plant, _LAST_MONTH, 31, begin, progress)
        result["month"] = _month(plant, database, progress)
        if days > 31:
            _fill(plant, begin, days - 31, begin, progress)
            result["year"] = _year(plant, database, folder, begin, progress)
    finally:
        database.close()
    return result


def _month(plant: _Plant, database: Database, progress: Progress) -> dict[str, Any]:
    """Book a month from nothing, with its bill and its allocation, as a new site does."""
    reading_s, readings = _read(plant, _LAST_MONTH, 31)
    books = Books(plant.site, plant.store, database, lambda: _us(plant, _AFTER))
    stages: dict[str, float] = {}
    cpu_s = time.process_time()
    took_s = _timed(lambda: books.bring_up_to_date(_staged(stages, progress)))
    cpu_s = time.process_time() - cpu_s
    bill = books.statement("bill", "electricity", _LAST_MONTH)
    shared = books.statement("allocation", "electricity", _LAST_MONTH)
    cents = 0 if bill is None else int(bill.figures["total_cents"])
    allocated = 0 if shared is None else sum(int(row["cents"]) for row in shared.figures["rows"])
    again_s = _timed(lambda: books.bring_up_to_date())
    return {
        "readings": readings, "all_s": round(took_s, 2), "cpu_s": round(cpu_s, 2),
        **{f"{name}_s": s for name, s in stages.items()},
        "reading_alone_s": round(reading_s, 2), "ratio_to_reading": round(took_s / reading_s, 1),
        "nothing_new_s": round(again_s, 2), "bill_cents": cents, "allocated_cents": allocated,
        "peak_rss_mb": _peak_mb(),
    }  # fmt: skip


def _year(plant: _Plant, database: Database, folder: Path, begin: date, progress: Progress) -> dict[str, Any]:
    """Let the months before come late, then correct the ratio of every meter, which restates every day."""
    days = (_LAST_MONTH - begin).days + 31
    reading_s, readings = _read(plant, begin, days)
    books = Books(plant.site, plant.store, database, lambda: _us(plant, _AFTER))
    stages: dict[str, float] = {}
    late_s = _timed(lambda: books.bring_up_to_date(_staged(stages, progress)))
    late_mb = _peak_mb()
    corrected = _site(folder, len(plant.keys), 50)
    books = Books(corrected, plant.store, database, lambda: _us(plant, _AFTER))
    again: dict[str, float] = {}
    cpu_s = time.process_time()
    took_s = _timed(lambda: books.bring_up_to_date(_staged(again, progress)))
    cpu_s = time.process_time() - cpu_s
    return {
        "readings": readings, "reading_alone_s": round(reading_s, 2), "booked_late_s": round(late_s, 2),
        "restated_s": round(took_s, 2), "restated_cpu_s": round(cpu_s, 2),
        **{f"restated_{name}_s": s for name, s in again.items()},
        "ratio_to_reading": round(took_s / reading_s, 1), "peak_rss_booked_mb": late_mb, "peak_rss_mb": _peak_mb(),
    }  # fmt: skip


def _site(folder: Path, meters: int, ratio: float) -> Site:
    lines = ["site: {id: bench, name: {zh: 基准医院, en: Bench Hospital}, time_zone: Asia/Shanghai}"]
    lines += ["rooms: [{id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}]", "departments:"]
    lines += [
        f"  - {{id: d{i}, name: {{zh: 科室{i}, en: Department {i}}}, cost_centre: {3000 + i}, floor_area: 500 m²}}"
        for i in range(_DEPARTMENTS)
    ]
    lines += ["equipment:"]
    for i in range(meters):
        fed = "" if i == 0 else "fed_by: [m0], " if i <= _FLOORS else f"fed_by: [m{1 + i % _FLOORS}], "
        serves = "" if i <= _FLOORS else f"serves: [d{i % _DEPARTMENTS}], "
        lines.append(
            f"  - {{id: m{i}, class: electricity_meter, room: power-1, {fed}{serves}"
            f"register: {{digits: 8, ratio: {ratio:g}}}}}"
        )
    path = folder / "site.yaml"
    path.write_text("\n".join(lines) + _TARIFF, encoding="utf-8")
    return load_site(path)


def _fill(plant: _Plant, first: date, days: int, begin: date, progress: Progress) -> None:
    """
    Write the readings of some days, and let the store put them in order, for which a hospital gives it the whole time.

    What a meter counts follows from the time alone, so any order will do.
    """
    times = _us(plant, first) + STEP_US * np.arange(96 * days, dtype=np.int64)
    hours = (times - _us(plant, begin)) / 3_600_000_000
    # The integral of a load that is twice as high at noon as at midnight.
    course = hours - 4.0 / np.pi * np.sin(2.0 * np.pi * hours / 24.0) * 0.5
    n, some = len(plant.keys), 250
    for i in range(0, n, some):
        rows = np.arange(i, min(i + some, n), dtype=np.int32)
        loads = np.array([_load(int(k), n) for k in rows])
        for j in range(0, times.size, 96 * 7):
            progress("fill", (i + some * j / times.size) / n)
            part = course[j : j + 96 * 7]
            values = np.round(1000.0 + loads[:, None] * part[None, :], 2).ravel()
            point = np.repeat(rows, part.size)
            plant.store.write(ReadingBatch.of(plant.table, point, np.tile(times[j : j + 96 * 7], rows.size), values))
    plant.settle()
    progress("fill", 1.0)


def _load(k: int, meters: int) -> float:
    """Return what a meter counts in an hour: each main the sum of its branches, and some more."""
    leaves = max(1, meters - _FLOORS - 1)
    return 1.05 * leaves if k == 0 else 1.02 * leaves / _FLOORS if k <= _FLOORS else 0.5 + (k % 11) / 10.0


def _read(plant: _Plant, first: date, days: int) -> tuple[float, int]:
    """Return how long reading all readings takes, and how many there are."""
    readings = 0

    def read() -> None:
        nonlocal readings
        for i in range(0, days, 31):
            start = first + timedelta(days=i)
            end = first + timedelta(days=min(i + 31, days))
            found = plant.store.series(plant.keys, _us(plant, start), _us(plant, end))
            readings += sum(len(series) for series in found.values())

    return _timed(read), readings


def _us(plant: _Plant, day: date) -> int:
    return at_us(day, 0, plant.site.time_zone)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _staged(stages: dict[str, float], progress: Progress) -> Progress:
    """Return a progress that notes how long each stage takes."""
    now: list[tuple[str, float]] = []

    def told(stage: str, share: float) -> None:
        at = time.perf_counter()
        if now and now[-1][0] == stage:
            stages[stage] = round(at - now[-1][1], 2)
        else:
            now.append((stage, at))
        progress(stage, share)

    return told


def _peak_mb() -> float:
    """Return the largest memory that this process has held. [MB]"""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
