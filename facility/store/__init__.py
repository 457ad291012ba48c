"""The telemetry store: one contract (`contract`), and its keepers."""

from facility.store.contract import PointsRefused, StoreSize, TelemetryStore

__all__ = ["PointsRefused", "StoreSize", "TelemetryStore"]
