"""A small hospital whose meters count what a test says, in a real store, with real books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.energy.books import Books
from analytics.energy.intervals import STEP_US
from facility.calendar import at_us
from facility.database import Database
from facility.readings import PointTable, ReadingBatch
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

ZONE = ZoneInfo("Asia/Shanghai")
MAIN, WARD, WATER, BY_HAND = (
    "em-main/energy_import",
    "em-ward/energy_import",
    "w-main/volume_total",
    "w-old/volume_total",
)
SITE = """
site: {id: s, name: {zh: 院, en: Hospital}, time_zone: Asia/Shanghai}
rooms: [{id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}]
departments: [{id: icu, name: {zh: 重症医学科, en: Intensive care}, cost_centre: 3107, floor_area: 1200 m²}]
equipment:
  - {id: em-main, class: electricity_meter, room: power-1, register: {digits: 6}}
  - {id: em-ward, class: electricity_meter, room: power-1, fed_by: [em-main], serves: [icu], register: {digits: 6}}
  - {id: w-main, class: water_meter, room: power-1}
  - {id: w-old, class: water_meter, room: power-1, fed_by: [w-main]}
"""


def write_site(folder: Path, text: str = SITE) -> Path:
    """Write a site file and return its path."""
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def midnight(day: date) -> int:
    """Return when a day begins at the hospital. [µs UTC]"""
    return at_us(day, 0, ZONE)


def busy(days: int, seed: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return a register that counts more by day than by night, read every 15 minutes: (96 * days,)."""
    noise = np.random.default_rng(seed).uniform(0.8, 1.2, 96 * days)
    shape = np.tile(2.0 + np.sin(np.linspace(-np.pi / 2, 1.5 * np.pi, 96)), days)
    return start + np.round(np.cumsum(shape * noise), 2)


@dataclass
class Accounts:
    """Books over a real store; `now_us` is what their clock says."""

    site: Site
    store: TelemetryStore
    database: Database
    now_us: int = 0

    @classmethod
    def open(cls, folder: Path, database: Database, text: str = SITE) -> Self:
        """Open a store in a folder."""
        site = load_site(write_site(folder, text))
        return cls(site, open_store(folder / "telemetry.duckdb", zone=ZONE.key), database)

    def books(self) -> Books:
        """Return books that know nothing yet but what is in the database."""
        return Books(self.site, self.store, self.database, lambda: self.now_us)

    def feed(
        self, key: str, time_us: Sequence[int] | NDArray[np.int64], value: Sequence[float] | NDArray[np.float64]
    ) -> None:
        """Store readings of a register."""
        table = PointTable(tuple(a for a in self.site.points.addresses if a.key == key))
        times = np.asarray(time_us, dtype=np.int64)
        self.store.write(ReadingBatch.of(table, np.zeros(times.shape[0], dtype=np.int32), times, np.asarray(value)))

    def at(self, day: date, hour: float = 0.0) -> None:
        """Set the clock."""
        self.now_us = midnight(day) + round(hour * 3_600_000_000)


def quarters(first: date, days: int) -> NDArray[np.int64]:
    """Return the quarters of an hour of consecutive days: (96 * days,). [µs UTC]"""
    return midnight(first) + STEP_US * np.arange(96 * days, dtype=np.int64)


def everything(books: Books, keys: Sequence[str], first: date, days: int) -> Mapping[str, NDArray[np.float64]]:
    """Return all that the books say of registers, as one array each: steps, grades, days and their shares."""
    start_us, end_us = midnight(first), midnight(first + timedelta(days=days))
    steps = books.intervals(keys, start_us, end_us)
    daily = books.daily(keys, first, first + timedelta(days=days - 1))
    return {
        key: np.concatenate(
            [
                steps[key].used, steps[key].grade, daily[key].amount, daily[key].measured, daily[key].estimated,
                daily[key].missing,
            ]
        )
        for key in keys
    }  # fmt: skip
