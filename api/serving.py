"""The web server, which lets go of event streams when it is told to stop, and of connections that say nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

# Requests in hand may finish; a client that does not take its answer is not waited for.
_LAST_REQUESTS_S = 5
# In this time a request must have come whole, on the slowest of phones too: each open connection costs a file handle,
# and the store and the database need some.
_WHOLE_REQUEST_S = 60.0
_TICKS = 10  # of a tenth of a second


class Server(uvicorn.Server):
    """
    Uvicorn for one application.

    An event stream never ends by itself, and uvicorn waits for every response before it ends the application; so the
    streams are closed first.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                ssl_certfile=ssl_certfile,
                ssl_keyfile=ssl_keyfile,
                server_header=False,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_LAST_REQUESTS_S,
            )
        )
        self.app = app
        # Connections from which a request is awaited: since when, and after which request.
        self._awaited: dict[Any, tuple[float, Any]] = {}

    async def on_tick(self, counter: int) -> bool:
        """Close what has been awaited for too long; then what uvicorn does."""
        if counter % _TICKS == 0:
            self._close_awaited(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _close_awaited(self, now_s: float) -> None:
        awaited: dict[Any, tuple[float, Any]] = {}
        for connection in tuple(self.server_state.connections):
            request = getattr(connection, "cycle", None)
            if request is not None and not request.response_complete and not request.more_body:
                continue
            since_s, before = self._awaited.get(connection, (now_s, request))
            awaited[connection] = (since_s if before is request else now_s, request)
            if now_s - awaited[connection][0] > _WHOLE_REQUEST_S:
                connection.transport.close()
        self._awaited = awaited

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams, then wait for the requests in hand."""
        self.app.state.streams.close()
        await super().shutdown(sockets)
