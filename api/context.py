"""What the web application works with: made once by whoever starts the service, read by every request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from api.live import LiveBoard
from facility.site import Site
from facility.store import TelemetryStore


def now_us() -> int:
    """Return the time of the machine's clock. [µs since 1970-01-01 UTC]"""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    How the web application meets the network.

    Attributes
    ----------
    hosts : tuple[str, ...]
        Names by which browsers may call it, besides this machine's own name, localhost and any IP address. A page of
        another name that resolves to this machine is refused: that is how DNS rebinding is done. `*` takes any name.
    https : bool
        Browsers reach it by https (a reverse proxy in front): cookies are then sent by https only.
    max_body_bytes : int
        Longest request body. [bytes]
    max_streams : int
        Most event streams open at once.
    session_idle_s, session_s : float
        A login ends after so long without a request, and after so long in any case. [s]
    """

    hosts: tuple[str, ...] = ()
    https: bool = False
    max_body_bytes: int = 1_048_576
    max_streams: int = 256
    session_idle_s: float = 12 * 3600.0
    session_s: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Context:
    """
    The parts that requests use; `app.state.context`.

    Attributes
    ----------
    site, store : the hospital and its readings
    live : the newest value of each point
    clock : the time now [µs UTC]; an argument, so that tests can turn it
    settings : how the application meets the network
    """

    site: Site
    store: TelemetryStore
    live: LiveBoard
    clock: Callable[[], int] = now_us
    settings: WebSettings = field(default_factory=WebSettings)


def context_of(request: Request) -> Context:
    """Return the context of the application that serves this request; a dependency of every handler."""
    context: Context = request.app.state.context
    return context
