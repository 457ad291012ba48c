"""The watch: a second pair of ears that judges what comes and stores nothing.

While readings can be committed nowhere, the broker keeps back what is not acknowledged, and the collector hears nothing
new. An oxygen alarm must ring all the same: so a connection of its own, without a session and with QoS 0, listens to
the same topics, decodes, and tells the live sinks only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.arrivals import ArrivalLedger
from collector.broker import BrokerAddress
from collector.decode import Decoder, Draft
from collector.link import Link, LinkSettings, LinkState
from collector.mapping import TopicMap
from collector.sparkplug.births import Births
from collector.sparkplug.host import SparkplugHost
from collector.sparkplug.living import Living
from facility.readings import ReadingBatch, StaleNotice
from facility.site import Site

log = logging.getLogger(__name__)

# What the broker passed on before it heard what we want may reach others after its answer to us: theirs to judge.
_GRACE_US: Final = 1_000_000
_TICK_S: Final = 0.1


class Watch:
    """
    Listens to one site's telemetry and hands on what it says now.

    Parameters
    ----------
    site, broker : what to listen to, and where
    client_id : the connection's name at the broker; it must not be the collector's
    filters : topic filters
    tell : takes batches, and notices of points without a value; in the connection's thread; must not raise
    births : what is known of Sparkplug devices; only read
    max_payload : larger messages are left out [bytes]
    clock : the time now [µs]

    Attributes
    ----------
    received : messages since the start
    """

    def __init__(
        self,
        site: Site,
        broker: BrokerAddress,
        client_id: str,
        filters: Sequence[str],
        tell: Callable[[ReadingBatch, Sequence[StaleNotice]], None],
        *,
        births: Births | None = None,
        max_payload: int = 1024 * 1024,
        settings: LinkSettings | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._topics = TopicMap(site)
        self._tell = tell
        self._clock = clock
        self._sparkplug = None
        if SparkplugHost.needed(self._topics):
            self._sparkplug = SparkplugHost(self._topics, births, max_payload=max_payload)
        self._decoder = Decoder(self._topics, ArrivalLedger(None), max_payload, self._sparkplug)
        self._hears_from_us: int | None = None
        self._ticked_s = 0.0
        self._living = Living()
        self.received = 0
        self._link = Link(
            broker,
            client_id,
            filters,
            on_message=self._on_message,
            on_pause=self._hand_on,
            may_read=lambda: True,
            on_connected=self._on_connected,
            on_subscribed=self._on_subscribed,
            watching=True,
            settings=settings,
        )
        if self._sparkplug is not None:
            # It does not know the numbers of what came last, so nothing is understood before a rebirth.
            self._sparkplug.send = self._link.publish

    def start(self) -> None:
        """Start listening; connects by itself, however long the broker takes to appear."""
        self._link.start()

    def stop(self) -> None:
        """Hang up; nothing is left behind at the broker."""
        self._link.request_stop()
        self._link.join(10.0)

    @property
    def state(self) -> LinkState:
        """Return the connection's state as a code."""
        return self._link.state

    @property
    def detail(self) -> str:
        """Return the connection's state in words."""
        return self._link.detail

    def covers(self, at_us: int) -> bool:
        """Return whether what came to others from this time on came to us too."""
        since = self._hears_from_us
        return self._link.state == "connected" and since is not None and at_us >= since

    def living(self) -> NDArray[np.int32]:
        """Return the points whose devices say that they live, so that their last values hold; from any thread."""
        return self._living.of(self._link)

    # In the connection's thread

    def _on_connected(self) -> None:
        self._hears_from_us = None
        if self._sparkplug is not None:
            self._sparkplug.connected(self._decoder.draft, self._clock())

    def _on_subscribed(self) -> None:
        self._hears_from_us = self._clock() + _GRACE_US

    def _on_message(self, topic: str, payload: bytes, _mid: int, _dup: bool, retained: bool) -> None:
        self.received += 1
        if retained:
            return  # of nobody knows when
        try:
            self._decoder.add(topic, payload, self._clock(), 0, False, False)
        except Exception:
            log.exception("a message could not be decoded", extra={"topic": topic})

    def _hand_on(self) -> None:
        draft = self._decoder.draft
        if self._sparkplug is not None and time.monotonic() - self._ticked_s >= _TICK_S:
            self._ticked_s = time.monotonic()
            self._sparkplug.tick(draft, self._clock())
            self._living.note(self._sparkplug)
        if draft.messages:
            self._tell_of(self._decoder.take())

    def _tell_of(self, draft: Draft) -> None:
        try:
            self._tell(draft.batch(self._topics), draft.sparkplug.notices())
        except Exception:
            log.exception("what the watch has heard was not taken")
