"""A keeper anyone can read: a dictionary of (key, time). The fast ones must agree with it."""

from __future__ import annotations

import math
from collections import defaultdict

from facility.readings import OUT_OF_RANGE, ReadingBatch

Reading = tuple[int, float, int]  # time [µs], value, quality
Step = tuple[int, float, float, float, float, int]  # start [µs], mean, min, max, last, count


class NaiveStore:
    """The contract's promises, word for word."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], tuple[float, int]] = {}

    def write(self, batch: ReadingBatch) -> None:
        rows = zip(
            batch.point.tolist(), batch.time_us.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        )
        for point, time_us, value, quality in rows:
            self.held[batch.table.key(point), time_us] = (value, quality)

    def latest(self) -> dict[str, Reading]:
        newest: dict[str, Reading] = {}
        for (key, time_us), (value, quality) in sorted(self.held.items()):
            newest[key] = (time_us, value, quality)
        return newest

    def series(self, key: str, start_us: int, end_us: int) -> list[Reading]:
        return sorted((t, v, q) for (k, t), (v, q) in self.held.items() if k == key and start_us <= t < end_us)

    def aggregate(self, key: str, start_us: int, end_us: int, step_us: int, origin_us: int) -> list[Step]:
        steps: dict[int, list[float]] = defaultdict(list)
        for time_us, value, quality in self.series(key, start_us, end_us):
            if not quality & OUT_OF_RANGE:
                steps[origin_us + (time_us - origin_us) // step_us * step_us].append(value)
        return [(s, math.fsum(v) / len(v), min(v), max(v), v[-1], len(v)) for s, v in sorted(steps.items())]

    def delete_before(self, time_us: int) -> int:
        old = [key for key in self.held if key[1] < time_us]
        for key in old:
            del self.held[key]
        return len(old)

    def points(self) -> list[str]:
        return sorted({key for key, _ in self.held})
