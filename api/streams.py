"""Event streams: what changes, pushed to browsers that stay connected (server-sent events)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import ApiError
from api.live import Bell, LiveBoard, Wake
from api.responses import dumps

log = logging.getLogger(__name__)

_PACE_S: Final = 0.5  # a person reads no faster than twice a second
_KEPT_EVENTS: Final = 512  # a phone that was in a lift for minutes catches up with what it missed


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One thing that happened, such as an alert that fired; `number` counts them since the start."""

    number: int
    kind: str
    data: dict[str, Any]


class EventLog:
    """The newest events, for streams to read at their own pace; from any thread."""

    def __init__(self, kept: int = _KEPT_EVENTS) -> None:
        self.bell = Bell()
        self.run = secrets.token_hex(4)  # numbers of another run of the service mean nothing in this one
        self._lock = threading.Lock()
        self._events: deque[StreamEvent] = deque(maxlen=kept)
        self._number = 0

    def add(self, kind: str, data: dict[str, Any]) -> None:
        """Tell all streams of an event."""
        with self._lock:
            self._number += 1
            self._events.append(StreamEvent(self._number, kind, data))
        self.bell.ring()

    @property
    def number(self) -> int:
        """Return the number of the newest event."""
        return self._number

    def since(self, number: int) -> list[StreamEvent] | None:
        """Return the events after this number, oldest first; None if some of them are forgotten already."""
        with self._lock:
            missing = self._number - number
            if missing <= 0:
                return [] if missing == 0 else None
            if missing > len(self._events):
                return None
            return list(self._events)[-missing:]

    def name(self, number: int) -> str:
        """Return what a stream calls an event: it comes back as `Last-Event-ID`."""
        return f"{self.run}-{number}"

    def number_in(self, name: str) -> int | None:
        """Return the number in a `Last-Event-ID` of this run; None for any other text."""
        run, _, number = name.partition("-")
        return int(number) if run == self.run and number.isascii() and number.isdigit() and len(number) < 16 else None


@dataclass
class Streams:
    """
    All open streams of an application.

    Attributes
    ----------
    live, events : what they tell of
    most, most_of_one : open at once, and by one person
    pace_s : values are told no more often than this [s]
    heartbeat_s : a line at least so often, so that both ends know that the other is there; the login is checked again
    patience_s : a client that takes nothing for so long is dropped [s]
    """

    live: LiveBoard
    events: EventLog = field(default_factory=EventLog)
    most: int = 256
    most_of_one: int = 32
    pace_s: float = _PACE_S
    heartbeat_s: float = 15.0
    patience_s: float = 20.0
    dropped: int = 0
    _open: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """Return how many streams are open."""
        return self._open.total()

    @contextmanager
    def place(self, who: str) -> Iterator[None]:
        """Count a stream in while the block runs; only on the loop's thread."""
        self.check_room(who)
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def check_room(self, who: str) -> None:
        """Refuse one stream too many; ApiError."""
        if self.open >= self.most or self._open[who] >= self.most_of_one:
            raise ApiError(
                503,
                "too-many-streams",
                f"{self.open} event streams are open, {self._open[who]} of them by {who!r}.",
                "Close pages that nobody looks at, or ask /api/v1/latest instead.",
                {"Retry-After": "30"},
            )

    def close(self) -> None:
        """End all streams and take no more, so that the server can stop at once; from any thread."""
        self.live.close()
        self.events.bell.close()

    @property
    def closed(self) -> bool:
        """Return True once `close` was called."""
        return self.events.bell.closed


class EventStream(Response):
    """
    A response that tells of changes until one side goes.

    Parameters
    ----------
    streams : what there is to tell
    who : whose stream it is
    values : the chosen points' readings that changed after a revision of the board, as JSON data; {} if none did
    still_welcome : called on a worker thread at each heartbeat; False ends the stream
    clock : the time now [µs UTC]
    last_event : `Last-Event-ID` that a reconnecting browser sends
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        who: str,
        values: Callable[[int], dict[str, Any]],
        still_welcome: Callable[[], bool],
        clock: Callable[[], int],
        last_event: str | None,
    ) -> None:
        # A proxy that buffers would hold back what should be seen at once.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self.streams = streams
        self.who = who
        self.values = values
        self.still_welcome = still_welcome
        self.clock = clock
        self.last_event = last_event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.streams.place(self.who):
            telling = asyncio.ensure_future(self._tell(send))
            leaving = asyncio.ensure_future(_disconnect(receive))
            try:
                await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                telling.cancel()
                results = await asyncio.gather(telling, leaving, return_exceptions=True)
        if isinstance(results[0], TimeoutError):
            self.streams.dropped += 1
            log.warning("event stream dropped", extra={"who": self.who, "patience_s": self.streams.patience_s})
        elif isinstance(results[0], Exception):
            raise results[0]

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._parts()) as parts:
            async for part in parts:
                async with asyncio.timeout(self.streams.patience_s):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        async with asyncio.timeout(self.streams.patience_s):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        streams, live, events = self.streams, self.streams.live, self.streams.events
        loop = asyncio.get_running_loop()
        wake = Wake()
        with live.bell.heard_by(wake), events.bell.heard_by(wake):
            known = events.number_in(self.last_event) if self.last_event else events.number
            seen = events.number if known is None or events.since(known) is None else known
            yield b"retry: 2000\n\n"
            yield _event("hello", {"now_us": self.clock()}, events.name(seen))
            if seen != known:
                yield _event("resync", {})
            told = 0
            next_beat = loop.time() + streams.heartbeat_s
            while not streams.closed:
                parts: list[bytes] = []
                missed = events.since(seen)
                if missed is None:
                    seen = events.number
                    parts.append(_event("resync", {}, events.name(seen)))
                for event in missed or ():
                    parts.append(_event(event.kind, event.data, events.name(event.number)))
                    seen = event.number
                revision = live.revision
                values = self.values(told)
                told = revision
                if values:
                    parts.append(_event("values", values))
                if loop.time() >= next_beat:
                    if not await run_in_threadpool(self.still_welcome):
                        yield _event("goodbye", {"reason": "login-ended"})
                        return
                    parts.append(_event("heartbeat", {"now_us": self.clock()}))
                    next_beat = loop.time() + streams.heartbeat_s
                if parts:
                    yield b"".join(parts)
                    await asyncio.sleep(streams.pace_s)
                else:
                    await wake.wait(max(0.0, next_beat - loop.time()))


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(kind: str, data: dict[str, Any], name: str | None = None) -> bytes:
    head = f"id: {name}\nevent: {kind}\n" if name else f"event: {kind}\n"
    # JSON has no line breaks of its own, so one data line is enough.
    return head.encode() + b"data: " + dumps(data) + b"\n\n"
