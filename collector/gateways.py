"""How late each gateway's messages are by its own clock: a few samples a minute, taken as drafts are handed over."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.decode import Draft
from collector.mapping import TopicMap
from facility.readings import HISTORICAL
from facility.site import Site
from facility.site_gateways import gateway_of

_US: Final = 1_000_000
# Of a draft only its end is looked at: what stands there has just arrived, and the cost stays the same.
_TAIL: Final = 256
_SAMPLE_EVERY_US: Final = 10 * _US
_KEPT: Final = 8640  # a day of samples
_FAR_PAST: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class GatewayTimes:
    """
    Arrivals of one gateway's messages, oldest first.

    Attributes
    ----------
    arrival_us : (n,) by our clock [µs]
    behind_us : (n,) arrival minus the message's own time; about 0 where messages carry none [µs]
    """

    arrival_us: NDArray[np.int64]
    behind_us: NDArray[np.int64]


class GatewayBook:
    """Learns from drafts; `learn` on one thread, `times` on any."""

    def __init__(self, site: Site) -> None:
        names: dict[str, int] = {}
        of_machine = {m.id: names.setdefault(gateway_of(site, m).id, len(names)) for m in site.equipment.values()}
        self._names = tuple(names)
        self._gateway = np.array([of_machine[a.equipment] for a in site.points.addresses], dtype=np.intp)
        self._samples = [deque[tuple[int, int]](maxlen=_KEPT) for _ in names]
        self._due_us = np.zeros(len(names), dtype=np.int64)
        self._lock = threading.Lock()

    def learn(self, draft: Draft, topics: TopicMap, arrival_us: int) -> None:
        """
        Take at most one sample a gateway from the end of a draft whose last message arrived at `arrival_us`.

        The newest time of each gateway counts, so that history within a message says nothing about the clock; what was
        sent late on purpose, or kept by the broker, is left out.
        """
        if not draft.count or not (self._due_us <= arrival_us).any():
            return
        count = np.array(draft.count[-_TAIL:], dtype=np.intp)
        values = int(count.sum())
        if values == 0:
            return
        filled = count > 0
        slot = np.array(draft.slot[-values:], dtype=np.intp)[(np.cumsum(count) - count)[filled]]
        time_us = np.array(draft.time_us[-_TAIL:], dtype=np.int64)[filled]
        now = (np.array(draft.quality[-_TAIL:], dtype=np.uint8)[filled] & HISTORICAL) == 0
        newest = np.full(len(self._names), _FAR_PAST, dtype=np.int64)
        np.maximum.at(newest, self._gateway[topics.slots().point[slot[now]]], time_us[now])
        for g in np.flatnonzero((newest > _FAR_PAST) & (self._due_us <= arrival_us)):
            with self._lock:
                self._samples[g].append((arrival_us, arrival_us - int(newest[g])))
            self._due_us[g] = arrival_us + _SAMPLE_EVERY_US

    def times(self) -> Mapping[str, GatewayTimes]:
        """Return the samples of each gateway that has some, by its id."""
        with self._lock:
            kept = {name: np.array(s, dtype=np.int64) for name, s in zip(self._names, self._samples, strict=True) if s}
        return {name: GatewayTimes(s[:, 0], s[:, 1]) for name, s in kept.items()}
