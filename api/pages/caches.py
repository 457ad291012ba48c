"""What all readers of pages share, kept with the application, so that many open pages cost little more than one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeVar, cast

from fastapi import Depends, Request

from api.context import context_of
from api.pages.curves import Spark
from api.pages.energy_work import Work
from api.pages.live_pages import SharedParts
from api.pages.sources import Desktop, Live, Sources, simulation_begun
from api.pages.system_rows import day_curves, spark_points
from api.pages.words import words_of
from facility.errors import StoreUnavailable
from facility.readings import Aggregates

_CURVES_HOLD_S: Final = 60.0
_MAKING: Final = threading.Lock()

Readings = Mapping[str, Aggregates]
T = TypeVar("T")


@dataclass
class PageCaches:
    """The desk's lists of this second, parts drawn this second, curves of this minute, and what takes longer."""

    desktop: Desktop
    parts: SharedParts = field(default_factory=SharedParts)
    work: Work = field(default_factory=Work)
    _curves: dict[str, tuple[float, Spark]] = field(default_factory=dict)
    _held: dict[object, tuple[float, object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, key: object, for_s: float, make: Callable[[], T]) -> T:
        """Return what `make` makes, made anew only once it is older than `for_s` seconds."""
        now = time.monotonic()
        with self._lock:
            self._held = {k: kept for k, kept in self._held.items() if now < kept[0]}
            if key in self._held:
                return cast(T, self._held[key][1])
        made = make()
        with self._lock:
            self._held[key] = (now + for_s, made)
        return made

    def day_curves(self, sources: Sources, live: Live) -> Mapping[str, Spark]:
        """Return the overview's curves, read from the store once a minute; without them while the store is away."""
        wanted = {f"{item.id}/{point}": (item, point) for item, point in spark_points(sources, live, words_of("zh"))}
        now = time.monotonic()
        with self._lock:
            missing = [w for key, w in wanted.items() if key not in self._curves or self._old(key, now)]
            if missing:
                try:
                    drawn = day_curves(sources, missing, live.now_us)
                except StoreUnavailable:
                    drawn = {}
                self._curves.update({key: (now, curve) for key, curve in drawn.items()})
            return {key: self._curves[key][1] for key in wanted if key in self._curves}

    def _old(self, key: str, now: float) -> bool:
        return now - self._curves[key][0] > _CURVES_HOLD_S


def caches_of(request: Request) -> PageCaches:
    """Return the caches of the application, made at the first request."""
    state = request.app.state
    with _MAKING:
        if not hasattr(state, "page_caches"):
            context = context_of(request)
            state.page_caches = PageCaches(
                Desktop(context.desk, context.people, lambda: simulation_begun(context.database))
            )
    return cast(PageCaches, state.page_caches)


def sources_of(request: Request) -> Sources:
    """Return what pages read."""
    return Sources.of(context_of(request), caches_of(request).desktop)


Caches = Annotated[PageCaches, Depends(caches_of)]
From = Annotated[Sources, Depends(sources_of)]
