"""The collector: what the broker sends is decoded, stored, and only then acknowledged.

Two threads. The link's thread reads and decodes into a draft. The commit thread takes the draft, writes it, tells the
live sinks, and gives its packet ids back for acknowledgement; what has arrived meanwhile is the next draft (group
commit). While it can be written nowhere the drafts stay in hand and unacknowledged, and the link stops reading once
enough is waiting: the broker keeps the rest. What is in hand is judged all the same, once, and a `Watch` judges what
the broker keeps back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.arrivals import ArrivalLedger
from collector.broker import BrokerAddress
from collector.decode import Decoder, Draft
from collector.filters import FilterMemory, shared_filters
from collector.gateways import GatewayBook, GatewayTimes
from collector.link import Link
from collector.mapping import TopicMap
from collector.quarantine import Quarantine
from collector.sparkplug.births import Births
from collector.sparkplug.host import SparkplugHost
from collector.sparkplug.living import Living
from collector.sparkplug.presence import Presence
from collector.sparkplug.sequence_file import SequenceFile
from collector.status import CollectorSettings, CollectorStatus
from collector.watch import Watch
from facility.errors import StoreUnavailable
from facility.readings import CLOCK_SUSPECT, HISTORICAL, ReadingBatch, StaleNotice
from facility.site import Site
from facility.sparkplug_names import SPARKPLUG_TOPICS
from facility.store import TelemetryStore

log = logging.getLogger(__name__)

Sink = Callable[[ReadingBatch], None]
OnStale = Callable[[StaleNotice], object]
_FLUSH_S = 5.0
_TICK_S = 0.1  # how often waiting messages of Sparkplug are looked at
_LOOK_S = 2.0  # how often it is asked whether the watch is still needed
_PROMPT_MESSAGES = 20  # mosquitto lets only 20 fly with MQTT 3.1.1: waiting for more would wait for nothing


@dataclass(slots=True)
class _Job:
    """A draft on its way to the store."""

    draft: Draft
    batch: ReadingBatch
    connection: int  # number of the connection that it came by
    began_us: int  # when its first message arrived
    told: bool = False  # the sinks have it


class _Yardstick:
    """Tells when the collector has caught up with what the watch hears: by how much each has received."""

    def __init__(self, received: int) -> None:
        self._first = self._received = received
        self._heard = 0
        self._looked_s = time.monotonic()

    def caught_up(self, received: int, heard: int) -> bool:
        """Return True if all that the watch has heard has come, and no backlog comes any more. Answers seldom."""
        if time.monotonic() - self._looked_s < _LOOK_S:
            return False
        here, there = received - self._received, heard - self._heard
        self._received, self._heard, self._looked_s = received, heard, time.monotonic()
        return here <= 1.2 * there + 20 and received - self._first >= 0.98 * heard - 20


def session_name(site: Site) -> str:
    """Return the client id of a site's collector, unless it is given another."""
    return f"wardwatt-{site.id}"


def expected_sessions(site: Site, client_id: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return what an `EmbeddedBroker` needs to know of the collector that is to come, to keep its messages."""
    return {client_id or session_name(site): TopicMap(site).filters()}


class Collector:
    """
    Collects one site's telemetry from one broker.

    Parameters
    ----------
    site, store, broker : what to collect, where to keep it, where it comes from
    sinks : called with each batch once it is stored; if it can be stored nowhere, before that. One that raises is
        counted, nothing more. Without sinks nothing is judged.
    quarantine : where rejected messages go
    client_id : the session's name at the broker; each collector needs its own
    data_dir : folder for the notes that bridge a crash; None keeps them in memory
    subscriptions : topic filters in place of those that the site file implies
    share : name of the group of collectors that share the messages; None: all of them come here
    births : where births of Sparkplug outlast a restart; None keeps them in memory
    on_stale : told which points have no value any more; in the commit thread, after the batches that came before, and
        in `start` of what was so before
    clock : returns the time now [µs]
    """

    def __init__(
        self,
        site: Site,
        store: TelemetryStore,
        broker: BrokerAddress,
        *,
        quarantine: Quarantine,
        sinks: Sequence[Sink] = (),
        client_id: str | None = None,
        data_dir: Path | None = None,
        subscriptions: Sequence[str] | None = None,
        share: str | None = None,
        births: Births | None = None,
        on_stale: OnStale = lambda _notice: None,
        settings: CollectorSettings | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._settings = settings or CollectorSettings()
        self._store = store
        self._sinks = tuple(sinks)
        self._quarantine = quarantine
        self._clock = clock
        name = client_id or session_name(site)
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        self._ledger = ArrivalLedger(data_dir / f"arrivals-{safe}" if data_dir is not None else None)
        self._topics = TopicMap(site)
        self._on_stale = on_stale
        self._sparkplug = self._make_sparkplug(births, data_dir / f"sparkplug-{safe}" if data_dir is not None else None)
        self._decoder = Decoder(self._topics, self._ledger, self._settings.max_payload, self._sparkplug)
        self._gateways = GatewayBook(site)
        filters = tuple(subscriptions) if subscriptions is not None else self._topics.filters()
        self._telling = threading.Lock()
        self._make_watch: Callable[[], Watch] = lambda: Watch(
            site, broker, f"{name}-watch", filters, self._tell, births=births, clock=clock,
            max_payload=self._settings.max_payload, settings=self._settings.link,
        )  # fmt: skip
        self._watch: Watch | None = None
        self._living = Living()
        self._yardstick = _Yardstick(0)
        self._link = Link(
            broker,
            name,
            shared_filters(filters, share) if share is not None else filters,
            on_message=self._on_message,
            on_pause=self._offer,
            may_read=self._may_read,
            on_connected=self._on_connected,
            presence=Presence.of(site.sparkplug),
            memory=FilterMemory(data_dir / f"topics-{safe}.json" if data_dir is not None else None),
            settings=self._settings.link,
        )
        if self._sparkplug is not None:
            self._sparkplug.send, self._sparkplug.announce = self._link.publish, self._link.announce
        self._turn = threading.Condition()
        self._handed: tuple[Draft, int, int] | None = None  # draft, number of its connection, arrival of its first
        self._handed_us = 0  # when the last message of that draft arrived
        self._draft_began_us = 0
        self._jobs: deque[_Job] = deque()
        self._jobs_messages = self._jobs_bytes = 0
        self._idle = True
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._began_s = self._flushed_s = self._ticked_s = 0.0
        self._received = self._redelivered = self._stored = self._quarantined = self._batches = 0
        self._sink_failures = 0
        self._last_message_us = self._last_commit_us = self._last_error_us = None  # type: int | None
        self._last_error = ""
        self._store_available = True

    def start(self) -> None:
        """Start collecting; returns at once and connects by itself, however long the broker takes to appear."""
        if self._sparkplug is not None:
            self._tell_stale(self._sparkplug.offline())
        self._thread = threading.Thread(target=self._commit_forever, name="collector-commit", daemon=True)
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """
        Stop in order: commit and acknowledge what is in hand, then disconnect; the broker keeps the session.

        With the store away it waits `stop_s` at most; what is not committed stays with the broker.
        """
        self._stopping.set()
        with self._turn:
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(self._settings.stop_s)
        self._link.request_stop()
        self._link.join(self._settings.stop_s)
        self._end_watch()
        if self._sparkplug is not None:
            left = Draft()
            self._sparkplug.give_up(left, self._clock())
            if left.messages:
                self._commit([_Job(left, left.batch(self._topics), 0, self._clock())])
        self._flushed_s = 0.0
        self._flush_counts()

    def status(self) -> CollectorStatus:
        """Return how things stand; from any thread."""
        link = self._link
        troubles = [(self._last_error_us, self._last_error), (link.last_error_us, link.last_error)]
        error_us, error = max(((at, words) for at, words in troubles if at is not None), default=(None, ""))
        drafts = [self._decoder.draft]
        handed, watch = self._handed, self._watch
        drafts += [handed[0]] if handed is not None else []
        return CollectorStatus(
            connected=link.state == "connected",
            state=link.state,
            detail=link.detail,
            protocol=link.protocol,
            received=self._received,
            redelivered=self._redelivered,
            stored=self._stored,
            quarantined=self._quarantined,
            batches=self._batches,
            waiting=sum(d.messages for d in drafts) + self._jobs_messages,
            waiting_bytes=sum(d.bytes for d in drafts) + self._jobs_bytes,
            last_message_us=self._last_message_us,
            last_commit_us=self._last_commit_us,
            store_available=self._store_available,
            last_error=error,
            last_error_us=error_us,
            sink_failures=self._sink_failures,
            connections=link.connections,
            watching=watch is not None and watch.state == "connected",
        )

    def gateways(self) -> Mapping[str, GatewayTimes]:
        """Return how late each gateway's messages were by its own clock, lately; from any thread."""
        return self._gateways.times()

    def living(self) -> NDArray[np.int32]:
        """Return the points whose devices say that they live, so that their last values hold; from any thread."""
        watch = self._watch
        if watch is not None:
            return watch.living()  # our own connection does not read while there is no room
        return self._living.of(self._link)

    # In the link's thread ----------------------------------------------------------------------------------------

    def _on_message(self, topic: str, payload: bytes, mid: int, dup: bool, retained: bool) -> None:
        now_us = self._clock()
        self._received += 1
        self._last_message_us = now_us
        if dup:
            self._redelivered += 1
        if not self._decoder.draft.messages:
            self._draft_began_us = now_us
        watch = self._watch
        if watch is not None and watch.covers(now_us) and not topic.startswith(SPARKPLUG_TOPICS):
            # The broker held back what comes now, nobody knows for how long: its arrival says nothing.
            retained = True
        try:
            self._decoder.add(topic, payload, now_us, mid, dup, retained)
        except Exception as error:
            # Our own fault, not the message's: it is kept for us, and the next message gets its chance.
            log.exception("a message could not be decoded", extra={"topic": topic})
            self._decoder.draft.rejections.add(
                topic, "internal-fault", f"{type(error).__name__}: {error}; please report this payload", payload,
                len(payload), now_us, retained=retained,
            )  # fmt: skip

    def _on_connected(self) -> None:
        if self._sparkplug is not None:
            self._sparkplug.connected(self._decoder.draft, self._clock())

    def _may_read(self) -> bool:
        draft, most = self._decoder.draft, self._settings
        return (
            draft.messages + self._jobs_messages < most.max_waiting_messages
            and draft.bytes + self._jobs_bytes < most.max_waiting_bytes
        )

    def _offer(self) -> None:
        """Hand the draft to the commit thread if that has nothing to do."""
        draft = self._decoder.draft
        if self._sparkplug is not None and time.monotonic() - self._ticked_s >= _TICK_S:
            self._ticked_s = time.monotonic()
            self._sparkplug.tick(draft, self._clock())
            self._living.note(self._sparkplug)
        if not draft.messages or not self._idle:
            return
        few = draft.messages < _PROMPT_MESSAGES and not self._stopping.is_set()
        if few and time.monotonic() - self._began_s < self._settings.linger_s:
            return
        with self._turn:
            if self._idle and self._handed is None:
                self._handed = (self._decoder.take(), self._link.connection, self._draft_began_us)
                self._handed_us = self._last_message_us or 0
                self._idle = False
                self._turn.notify_all()

    # In the commit thread ----------------------------------------------------------------------------------------

    def _commit_forever(self) -> None:
        while True:
            jobs: tuple[_Job, ...] = ()
            try:
                # The link may hold a few messages back for company: it is asked to look again.
                linger_s = self._settings.linger_s if self._decoder.draft.messages else 0.25
                self._take_over(0.0 if self._jobs else linger_s)
                jobs = tuple(self._jobs)
                if jobs:
                    self._began_s = time.monotonic()
                    if not self._commit(jobs):
                        return
                elif self._decoder.draft.messages:
                    self._link.wake()
                elif self._stopping.is_set():
                    return
                else:
                    self._flush_counts()
                self._look_after_watch()
            except Exception as error:
                # A fault of ours. Not acknowledged: the broker sends these messages again on the next connection.
                messages = sum(job.draft.messages for job in jobs)
                log.exception("a batch could not be committed", extra={"messages": messages})
                self._last_error = f"internal fault, {messages} messages stay at the broker: {error}"
                self._last_error_us = self._clock()
            for job in jobs:
                self._jobs.popleft()
                self._jobs_messages -= job.draft.messages
                self._jobs_bytes -= job.draft.bytes

    def _take_over(self, wait_s: float) -> bool:
        """Take the next draft from the link, if it has one within so long."""
        with self._turn:
            if self._handed is None:
                self._idle = True
                self._turn.wait(wait_s)
            handed, self._handed = self._handed, None
        if handed is None:
            return False
        draft, connection, began_us = handed
        self._gateways.learn(draft, self._topics, self._handed_us)
        self._jobs.append(_Job(draft, draft.batch(self._topics), connection, began_us))
        self._jobs_messages += draft.messages
        self._jobs_bytes += draft.bytes
        return True

    def _commit(self, jobs: Sequence[_Job]) -> bool:
        """Store, tell the sinks, record, acknowledge. False if it was given up, on stopping with the store away."""
        batch = jobs[0].batch if len(jobs) == 1 else ReadingBatch.concat([job.batch for job in jobs])
        if not self._until_done("store", lambda: self._store.write(batch) if len(batch) else None):
            return False
        for job in jobs:
            self._tell_once(job, as_history=self._is_watched(job))
        rejected = [job.draft.rejections for job in jobs]
        if not (self._until_done("quarantine", lambda: self._quarantine.record(chain.from_iterable(rejected)))
                and all(self._keep_births(job.draft) for job in jobs)):  # fmt: skip
            return False
        self._stored += len(batch)
        self._quarantined += sum(map(len, rejected))
        self._batches += 1
        self._last_commit_us = self._clock()
        if len(jobs) == len(self._jobs):
            # The next draft may be handed over now; what came during a failure is still to be committed.
            self._idle = True
        for job in jobs:
            self._link.acknowledge(job.connection, job.draft.mids)
        return True

    def _keep_births(self, draft: Draft) -> bool:
        sparkplug = self._sparkplug
        return sparkplug is None or self._until_done("births", lambda: sparkplug.keep(draft))

    def _flush_counts(self) -> None:
        """Write what the quarantine holds back, when there is nothing else to do."""
        if time.monotonic() - self._flushed_s < _FLUSH_S:
            return
        self._flushed_s = time.monotonic()
        try:
            self._quarantine.flush()
        except StoreUnavailable as error:
            log.warning("counts of unknown keys were not written yet", extra={"why": str(error)})

    def _until_done(self, what: Literal["store", "quarantine", "births"], write: Callable[[], None]) -> bool:
        wait = self._settings.first_retry_s
        while True:
            try:
                write()
            except Exception as error:
                if self._store_available:
                    words = "is not available" if isinstance(error, StoreUnavailable) else "failed"
                    log.error(
                        "writing failed; readings wait at the broker until it succeeds",
                        extra={"what": what, "why": str(error)},
                        exc_info=not isinstance(error, StoreUnavailable),
                    )
                    self._last_error = f"the {what} {words}: {error}"
                    self._last_error_us = self._clock()
                self._store_available = False
                self._judge_what_waits(wait)
                if self._stopping.is_set():
                    return False
                wait = min(wait * 2, self._settings.longest_retry_s)
            else:
                if not self._store_available:
                    log.info("writing succeeds again", extra={"what": what})
                self._store_available = True
                return True

    def _make_sparkplug(self, births: Births | None, path: Path | None) -> SparkplugHost | None:
        if not SparkplugHost.needed(self._topics):
            return None
        return SparkplugHost(self._topics, births, SequenceFile(path), max_payload=self._settings.max_payload)

    # Judging ------------------------------------------------------------------------------------------------------

    def _judge_what_waits(self, seconds: float) -> None:
        """Let the sinks have what cannot be committed, and what comes in the next seconds too."""
        if self._sinks and self._watch is None:
            log.warning("readings cannot be committed: what comes is judged without being stored")
            self._yardstick = _Yardstick(self._received)
            self._watch = self._make_watch()
            self._watch.start()
        until = time.monotonic() + seconds
        while True:
            for job in self._jobs:
                if not self._is_watched(job):
                    self._tell_once(job)
            left = until - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                return
            if not self._take_over(min(left, self._settings.linger_s if self._decoder.draft.messages else 0.25)):
                self._link.wake()

    def _is_watched(self, job: _Job) -> bool:
        """Return whether the watch has judged what this draft holds."""
        return self._watch is not None and self._watch.covers(job.began_us)

    def _tell_once(self, job: _Job, *, as_history: bool = False) -> None:
        if job.told:
            return
        job.told = True
        batch = job.batch
        if as_history:
            # Judged already. What is told now serves derived points; of what has no sure time not even that.
            batch = batch.take((batch.quality & CLOCK_SUSPECT) == 0)
            batch = replace(batch, quality=batch.quality | np.uint8(HISTORICAL))
        self._tell(batch, job.draft.sparkplug.notices())

    def _tell(self, batch: ReadingBatch, notices: Sequence[StaleNotice]) -> None:
        with self._telling:
            if len(batch):
                self._tell_sinks(batch)
            self._tell_stale(notices)

    def _look_after_watch(self) -> None:
        """End the watch once readings are committed again and the broker holds none back."""
        watch = self._watch
        if watch is not None and self._yardstick.caught_up(self._received, watch.received):
            log.info("readings are committed as they come again: the watch ends")
            self._end_watch()

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def _tell_stale(self, notices: Sequence[StaleNotice]) -> None:
        for notice in notices:
            try:
                self._on_stale(notice)
            except Exception:
                self._sink_failures += 1
                log.exception("a notice of stale points was not taken", extra={"gateway": notice.gateway})

    def _tell_sinks(self, batch: ReadingBatch) -> None:
        for sink in self._sinks:
            try:
                sink(batch)
            except Exception:
                self._sink_failures += 1
                if self._sink_failures <= 10:
                    log.exception("a live sink failed; the readings are stored", extra={"sink": repr(sink)})
