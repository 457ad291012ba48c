"""The telemetry store: one contract (`contract`), and its keepers."""

from facility.store.contract import Expired, LevelSize, PointsRefused, StoreSize, TelemetryStore
from facility.store.levels import Level, Retention

__all__ = ["Expired", "Level", "LevelSize", "PointsRefused", "Retention", "StoreSize", "TelemetryStore"]
