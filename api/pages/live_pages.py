"""Live pages: which parts of a page there are, drawn anew, and sent only where they differ from what was sent before.

Parts are drawn by the page's own templates, so that a page looks the same whether it was loaded or has been open for a
month. All streams of one page in one language share what is drawn in one second.
"""

from __future__ import annotations

import asyncio
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.responses import dumps

Parts = Mapping[str, str]

PACE_S: Final = 1.0
_SHARED_FOR_S: Final = 0.8
_MOST_SHARED: Final = 256
_GZIP: Final = 16 + zlib.MAX_WBITS


class SharedParts:
    """Draws the parts of a page at most once in `_SHARED_FOR_S`, however many people look at it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: OrderedDict[object, tuple[float, Parts]] = OrderedDict()

    def get(self, key: object, draw: Callable[[], Parts]) -> Parts:
        """Return the parts for `key`, drawn now or a moment ago."""
        with self._lock:
            kept = self._drawn.get(key)
            if kept is not None and time.monotonic() - kept[0] < _SHARED_FOR_S:
                return kept[1]
        # Drawn outside the lock: two may draw at once, which costs a moment; waiting for the store would cost all.
        parts = draw()
        with self._lock:
            self._drawn[key] = (time.monotonic(), parts)
            self._drawn.move_to_end(key)
            while len(self._drawn) > _MOST_SHARED:
                self._drawn.popitem(last=False)
        return parts


def event(name: str, data: bytes) -> bytes:
    """Return one server-sent event; the data holds no line break, since JSON escapes them."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


async def stream(
    draw: Callable[[], Parts], version: str, gone: Callable[[], bool], pace_s: float = PACE_S
) -> AsyncIterator[bytes]:
    """
    Yield server-sent events: `hello` with the version, then `parts`, those that changed since the last turn.

    Parameters
    ----------
    draw : returns all parts as they are now; runs in a thread
    gone : True once the service stops or the reader may no longer read
    """
    sent: dict[str, int] = {}
    yield b"retry: 2000\n\n" + event("hello", version.encode())
    while not gone():
        started = time.monotonic()
        parts = await run_in_threadpool(draw)
        changed = {name: html for name, html in parts.items() if sent.get(name) != hash(html)}
        sent = {name: hash(html) for name, html in parts.items()}
        yield event("parts", dumps(changed))
        await asyncio.sleep(max(0.2, pace_s - (time.monotonic() - started)))


async def packed(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    Yield the same events as one gzip stream, flushed after each.

    An event resembles the one before it, which is still in the compressor's window: some tenth of the bytes is left.
    Events hold no secret that a reader's own input could be set beside, so their length gives nothing away.
    """
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    async for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
