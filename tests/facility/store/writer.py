"""A process that writes to a DuckDB store until it is killed, telling on its output what has been acknowledged.

It goes on where an earlier one was killed. Arguments: FILE HOT_READINGS [ROOM]. With ROOM, files may not grow beyond
so many bytes, as on a full disk; room is made again at the first failure.
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

import numpy as np

from facility.errors import StoreUnavailable
from facility.readings import PointTable, ReadingBatch
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings

POINTS, ROWS = 5, 300
TABLE = PointTable.of_keys(f"pump-{i}/flow_m3h" for i in range(POINTS))


def batch(n: int) -> ReadingBatch:
    """Return batch `n`: new readings, and once more those of the batch before with the value of this one."""
    time_us = np.repeat(np.arange(n * ROWS - ROWS, n * ROWS + ROWS), POINTS) * 1_000_000
    time_us = time_us[time_us >= 0]
    return ReadingBatch.of(TABLE, np.arange(time_us.shape[0]) % POINTS, time_us, np.full(time_us.shape, float(n)))


def main() -> None:
    """Write batch after batch."""
    settings = DuckDBSettings(hot_readings=int(sys.argv[2]), fan_in=2, memory_mb=64)
    store = DuckDBStore(Path(sys.argv[1]), settings=settings)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if len(sys.argv) > 3:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), unlimited))
    first = TABLE.key(0)
    n = len(store.series([first], 0, 2**62)[first]) // ROWS
    while True:
        try:
            store.write(batch(n))
        except StoreUnavailable as error:
            sys.stdout.write(f"failed {n} {error}\n")
            sys.stdout.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
            continue
        sys.stdout.write(f"stored {n}\n")
        sys.stdout.flush()
        n += 1


if __name__ == "__main__":
    main()
