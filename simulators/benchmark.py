"""How fast a simulated hospital writes its past into a store, and what a live second of all its points takes."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from facility.readings import ReadingBatch
from facility.site import Site
from simulators.gateways import reporter_of
from simulators.hospital import HistorySink, Hospital

Progress = Callable[[str, float], None]  # what is being done, and the share that is done

START_US: Final = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
STEP_S: Final = 900.0
_DAY_US: Final = 86_400_000_000
_US: Final = 1_000_000
_KEPT_DAYS: Final = 15.0  # whose readings are held in memory, for the store alone


class _Memory:
    """Takes readings as a store does, and holds them."""

    def __init__(self) -> None:
        self.batches: list[ReadingBatch] = []

    def write(self, batch: ReadingBatch) -> None:
        self.batches.append(batch)


class _Nowhere:
    def write(self, batch: ReadingBatch) -> None:
        """Take readings, and forget them."""


def run(
    site: Site,
    store: HistorySink,
    other: HistorySink,
    days: float = 365.0,
    seconds: int = 60,
    seed: int = 1,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """
    Write a past at 15 min into an empty store, then live through some seconds.

    Parameters
    ----------
    store, other : two empty stores; the second takes readings from memory, with no physics beside it

    Returns
    -------
    dict
        `past`: seconds, readings and readings a second of physics and store together; of the physics alone; of the
        store alone with the same readings from memory; and the ratio of the first to the last. `live`: the time that a
        second of all points takes, physics and messages of all machines, at p50 and p95, and the share of one core.
        `peak_mb` of this process.
    """
    end_us = START_US + round(days * _DAY_US)
    hospital = Hospital(site, seed)
    began = time.perf_counter()
    readings = _write(hospital, store, end_us, lambda done: progress("A past into the store", done))
    past_s = time.perf_counter() - began
    peak_mb = _peak_mb()
    began = time.perf_counter()
    _write(Hospital(site, seed), _Nowhere(), end_us, lambda done: progress("Physics alone", done))
    physics_s = time.perf_counter() - began
    memory = _Memory()
    kept = _write(Hospital(site, seed), memory, min(end_us, START_US + round(_KEPT_DAYS * _DAY_US)), lambda _: None)
    store_s = _store_alone(other, memory.batches, progress)
    return {
        "site": site.id,
        "machines": len(site.equipment),
        "points": len(hospital.step(end_us)),
        "past": {
            "days": days,
            "step_s": STEP_S,
            "seconds": round(past_s, 2),
            "readings": readings,
            "readings_per_s": round(readings / past_s),
            "physics_alone_seconds": round(physics_s, 2),
            "store_alone_readings_per_s": round(kept / store_s),
            "ratio_to_store_alone": round(readings / past_s / (kept / store_s), 3),
        },
        "live": _live(site, hospital, seconds, progress),
        "peak_mb": round(peak_mb, 1),
        "processors": os.cpu_count(),
    }


def _write(hospital: Hospital, sink: HistorySink, end_us: int, progress: Callable[[float], None]) -> int:
    return hospital.write_history(sink, START_US, end_us, STEP_S, lambda done, _: progress(done), STEP_S)


def _store_alone(store: HistorySink, batches: Sequence[ReadingBatch], progress: Progress) -> float:
    """Return how long a store takes over readings that are there already. [s]"""
    began = time.perf_counter()
    for number, batch in enumerate(batches, start=1):
        store.write(batch)
        progress("The store alone", number / len(batches))
    return time.perf_counter() - began


def _live(site: Site, hospital: Hospital, seconds: int, progress: Progress) -> dict[str, float]:
    """Measure seconds in which every machine is asked and tells everything that it has."""
    speaking = [r for item in site.equipment.values() if (r := reporter_of(site, item)) is not None]
    second_us = hospital.now_us or START_US
    took_ms: list[float] = []
    messages = 0
    cpu_s = time.process_time()
    for number in range(1, seconds + 1):
        second_us += _US
        began = time.perf_counter()
        values = hospital.step(second_us)
        for reporter in speaking:
            messages += sum(1 for _ in reporter.messages(values, second_us))
        took_ms.append((time.perf_counter() - began) * 1e3)
        progress("Live", number / seconds)
    cpu_s = time.process_time() - cpu_s
    p50, p95 = np.percentile(took_ms, [50, 95]).tolist()
    return {
        "seconds": seconds,
        "messages_per_s": round(messages / seconds, 1),
        "ms_p50": round(p50, 1),
        "ms_p95": round(p95, 1),
        "core_share": round(cpu_s / seconds, 4),
    }


def _peak_mb() -> float:
    peak = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024
