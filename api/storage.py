"""Where readings go: the store, the spool before it, and the quarantine for what the store refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from api.options import Options
from collector.quarantine import Quarantine
from collector.rejections import Rejections
from facility.errors import StoreUnavailable
from facility.readings import Latest, ReadingBatch
from facility.reserve import Reserve
from facility.site import Site
from facility.store import PointsRefused, TelemetryStore
from facility.store.opening import open_store
from facility.store.spooled import Refused, SpooledSettings, SpooledStore
from facility.store.waiting import Remembered


def open_storage(
    options: Options, site: Site, quarantine: Quarantine, reserve: Reserve, clock: Callable[[], int]
) -> SpooledStore:
    """
    Open the store with a spool before it; a store that is away opens by itself later.

    Raises
    ------
    ConfigurationError
        If the store's setting is wrong, or the data folder cannot be used.
    StoreHeld
        If another process holds the data folder or the store's file.
    """
    return SpooledStore(
        lambda: open_store(options.store_url, zone=site.time_zone.key),
        options.data / "spool",
        SpooledSettings(spool=options.spool),
        table=site.points,
        on_refused=_to_quarantine(quarantine, clock),
        hold=reserve.why_not if _on_disk_of(options.data, options.store_url) else lambda: "",
        clock=clock,
    )


def remembered(store: TelemetryStore) -> Remembered:
    """Return where a start finds what was read lately: the store if it answers, else what waits for it."""
    if not isinstance(store, SpooledStore):
        return store
    try:
        store.latest([])
    except StoreUnavailable:
        return store.waiting()
    return store


def newest(store: TelemetryStore) -> Mapping[str, Latest]:
    """Return the newest reading of every point, as far as it is to be had now."""
    try:
        return store.latest()
    except StoreUnavailable:
        return store.newest_spooled() if isinstance(store, SpooledStore) else {}


def _to_quarantine(quarantine: Quarantine, clock: Callable[[], int]) -> Refused:
    def keep(part: ReadingBatch, error: PointsRefused) -> None:
        rejections, now = Rejections(), clock()
        for i in np.unique(part.point).tolist():
            one = part.take(part.point == i)
            detail = f"{len(one)} readings, the last {one.value[-1]:g}, are not in the store: {error.words}"
            rejections.add(part.table.key(i), "refused-by-store", detail, b"", 0, now)
        quarantine.record(rejections)

    return keep


def _on_disk_of(folder: Path, store_url: str | Path) -> bool:
    """Return whether the store is a file on the same disk as the data folder."""
    text = str(store_url)
    if text.startswith("influxdb"):
        return False
    path = Path(text.removeprefix("duckdb:///"))
    there = next((p for p in (path, *path.absolute().parents) if p.exists()), folder)
    return there.stat().st_dev == folder.stat().st_dev
