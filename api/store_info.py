"""What a store holds, as `wardwatt store info` and the API tell it."""

from __future__ import annotations

from typing import Any

from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.spooled import SpooledStore


def keeper_of(store: TelemetryStore) -> TelemetryStore:
    """Return the keeper behind a spool, or the store itself."""
    return store.keeper if isinstance(store, SpooledStore) else store


def info_of(store: TelemetryStore) -> dict[str, Any]:
    """
    Return what a store is and holds.

    `levels` says of the readings (`raw`) and of each roll-up level how many rows are stored and from when on they are
    kept; `only_rollups_before_us` is the time before which the readings have been deleted by age, so that only
    roll-ups tell of it. `waiting` is how many readings wait in the spool for the keeper.
    """
    keeper, size, levels = keeper_of(store), store.size(), store.levels()
    raw = next((level for level in levels if level.level is None), None)
    address = getattr(keeper, "address", None)
    return {
        "keeper": "duckdb" if isinstance(keeper, DuckDBStore) else "influxdb",
        "place": str(keeper.path) if isinstance(keeper, DuckDBStore) else f"{address.url}/{address.database}",  # type: ignore[union-attr]
        "readings": size.readings,
        "points": size.points,
        "bytes": size.bytes,
        "bytes_per_reading": round(size.bytes / size.readings, 2) if size.readings and size.bytes else None,
        "first_us": size.first_us,
        "last_us": size.last_us,
        "levels": [
            {
                "level": "raw" if level.level is None else level.level.value,
                "rows": level.rows,
                "kept_from_us": level.kept_from_us,
            }
            for level in levels
        ],
        "waiting": store.spool_status().readings if isinstance(store, SpooledStore) else 0,
        "only_rollups_before_us": raw.kept_from_us if raw is not None else None,
    }
