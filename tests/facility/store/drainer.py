"""A process that writes through a spool whose keeper comes and goes, until it is killed.

It tells on its output how many readings are safe, and each time that a part of the spool has been stored.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from facility.errors import StoreUnavailable
from facility.readings import PointTable, ReadingBatch
from facility.store.duckdb import DuckDBStore
from facility.store.spooled import SpooledSettings, SpooledStore

TABLE = PointTable.of_keys(["tx1/load_kw", "tx1/hot_spot_c"])


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Moody(DuckDBStore):
    """A keeper that takes every third write."""

    turn = 0

    def write(self, batch: ReadingBatch) -> None:
        self.turn += 1
        if self.turn % 3:
            raise StoreUnavailable("away")
        super().write(batch)
        say("drained", len(batch))


def main() -> None:
    """Go on behind the last reading that the one before was told is safe; the rest is written again."""
    folder = Path(sys.argv[1])
    settings = SpooledSettings(first_retry_s=0.005, longest_retry_s=0.01, drain_readings=60)
    store = SpooledStore(lambda: Moody(folder / "x.duckdb"), folder / "spool", settings, table=TABLE)
    noted = folder / "safe"
    safe = int(noted.read_text()) if noted.exists() else 0
    while True:
        numbers = np.arange(safe, safe + 7)
        store.write(ReadingBatch.of(TABLE, np.zeros(7, int), 1_735_689_600_000_000 + numbers, numbers.astype(float)))
        safe += 7
        fresh = folder / "safe.new"
        fresh.write_text(str(safe))
        fresh.replace(noted)
        say("safe", safe)


if __name__ == "__main__":
    main()
