"""The web server, which lets go of event streams at once when it is told to stop."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

# Requests in hand may finish; a client that does not take its answer is not waited for.
_LAST_REQUESTS_S = 5


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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams, then wait for the requests in hand."""
        self.app.state.streams.close()
        await super().shutdown(sockets)
