"""How much the store holds, for pages and health checks that are asked often: a server may count for long."""

from __future__ import annotations

import threading
import time
from typing import Final
from weakref import WeakKeyDictionary

from facility.store import StoreSize, TelemetryStore

# An InfluxDB server reads through all it has to count it: a page that is open must not keep it busy with that.
_HELD: Final = 100.0
_KEPT: WeakKeyDictionary[TelemetryStore, tuple[float, StoreSize]] = WeakKeyDictionary()
_LOCK: Final = threading.Lock()


def size_of(store: TelemetryStore) -> StoreSize:
    """
    Return how much a store holds, counted anew after a hundred times as long as the last count took.

    Raises
    ------
    StoreUnavailable
        If the store is away when a count is due.
    """
    with _LOCK:
        until_s, size = _KEPT.get(store, (0.0, None))
    now_s = time.monotonic()
    if size is not None and now_s < until_s:
        return size
    size = store.size()
    done_s = time.monotonic()
    with _LOCK:
        _KEPT[store] = (done_s + _HELD * (done_s - now_s), size)
    return size
