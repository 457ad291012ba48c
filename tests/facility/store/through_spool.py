"""A spooled store whose every batch goes through the spool, so that the contract's suite tests that way too."""

from __future__ import annotations

import threading
from pathlib import Path

from facility.readings import ReadingBatch
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.spool import SpoolSettings
from facility.store.spooled import SpooledSettings, SpooledStore

SETTINGS = SpooledSettings(
    first_retry_s=0.001,
    longest_retry_s=0.001,
    drain_readings=2,
    spool=SpoolSettings(bound_bytes=64 << 20, reserved_bytes=0, segment_bytes=1 << 20),
)


class ThroughSpool(SpooledStore):
    """Keeps its DuckDB file away while a batch is taken, and waits until the batch has been drained."""

    def __init__(self, place: Path, zone: str | None = None, how: DuckDBSettings | None = None) -> None:
        self._shut = False
        self._one_at_a_time = threading.Lock()
        super().__init__(
            lambda: DuckDBStore(place / "telemetry.duckdb", zone=zone, settings=how),
            place / "spool",
            SETTINGS,
            hold=lambda: "kept away by the test" if self._shut else "",
        )

    def write(self, batch: ReadingBatch) -> None:
        """Write through the spool."""
        with self._one_at_a_time:
            self._shut = True
            try:
                super().write(batch)
            finally:
                self._shut = False
            with self._changed:
                while not self._spool.empty:
                    self._changed.wait(0.002)
