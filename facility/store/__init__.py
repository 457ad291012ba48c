"""The telemetry store: one contract (`contract`), and its keepers."""

from facility.store.contract import StoreSize, TelemetryStore

__all__ = ["StoreSize", "TelemetryStore"]
