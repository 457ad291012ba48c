"""What a batch must be for any keeper to take it."""

from __future__ import annotations

import numpy as np

from facility.readings import ReadingBatch


def check_batch(batch: ReadingBatch, *, limit_us: int | None = None) -> None:
    """
    Refuse a batch that no try would store.

    Parameters
    ----------
    batch : ReadingBatch
        At least one reading.
    limit_us : int, optional
        InfluxDB holds only times t with -limit_us < t < limit_us. [µs]

    Raises
    ------
    ValueError
        If a point is not of the batch's table, a value is not finite or a time is out of InfluxDB's years.
    """
    strange = (batch.point < 0) | (batch.point >= len(batch.table))
    if bool(strange.any()):
        wrong = int(batch.point[strange][0])
        raise ValueError(f"point index {wrong} is outside the batch's table of {len(batch.table)} points")
    inside = np.ones(len(batch), dtype=np.bool_)
    if limit_us is not None:
        inside = (batch.time_us > -limit_us) & (batch.time_us < limit_us)
    held = np.isfinite(batch.value) & inside
    if not bool(held.all()):
        i = int(np.argmin(held))
        mend = "leave missing values out of the batch" if inside[i] else "InfluxDB keeps the years 1677 to 2262"
        raise ValueError(
            f"{batch.table.key(int(batch.point[i]))} at {int(batch.time_us[i])} µs: value {batch.value[i]} "
            f"is not a reading; {mend}"
        )
