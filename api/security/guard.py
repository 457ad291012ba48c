"""What holds for every request and answer: host names, size, headers, and an answer even when a handler fails."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, shown

log = logging.getLogger(__name__)

Answer = Callable[[Request, ApiError], Awaitable[Response]]

HEADERS: Final = {
    # No style or script but from our own files, no frames around us, and forms that go nowhere else.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """
    The outermost layer.

    Parameters
    ----------
    max_body_bytes : of a request
    larger : of requests to paths that take files, which ask who sends them before they read
    answer : turns an error into the response that suits the request
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], max_body_bytes: int, larger: Mapping[str, int], answer: Answer
    ) -> None:
        self.app = app
        self.hosts = frozenset(h.lower() for h in hosts) | {"localhost", socket.gethostname().lower()}
        self.max_body_bytes = max_body_bytes
        self.larger = larger
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Templates and handlers may rely on both, whether or not a route asks who is there.
        scope.setdefault("state", {}).update(user=None, csrf="")
        request = Request(scope, receive)
        started = False
        taken, most = 0, self._most(request)

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                # Plant data and forms with their words must not stay in a shared computer's cache.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        async def receive_so_much() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > most:
                    # The framework lets only its own errors pass while it reads a body.
                    raise HTTPException(413)
            return message

        try:
            self._check(request)
            await self.app(scope, receive_so_much, send_with_headers)
        except ClientDisconnect:
            # Who has gone in the middle of a body waits for no answer, and nothing failed here.
            return
        except Exception as error:
            if started:
                # Too late for another answer: the server closes the connection, which the client sees as cut short.
                raise
            told = error if isinstance(error, ApiError) else _failed(request, error)
            response = await self.answer(request, told)
            await response(scope, receive, send_with_headers)

    def _check(self, request: Request) -> None:
        host = request.headers.get("Host", "")
        if "*" not in self.hosts and not host_is_ours(host, self.hosts):
            raise ApiError(
                400,
                "unknown-host",
                f"This service does not go by the name {shown(host)}.",
                "Use its IP address, or start it with --name and this name.",
            )
        length = request.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            raise ApiError(400, "bad-length", f"Content-Length is {shown(length)}.", "Send the body's length in bytes.")
        if int(length) > self._most(request):
            raise too_large()

    def _most(self, request: Request) -> int:
        return self.larger.get(request.url.path, self.max_body_bytes)


def too_large() -> ApiError:
    """Return the error for a body beyond what the service takes."""
    return ApiError(413, "too-large", "The request's body is longer than this service takes.", "Send less at once.")


def host_is_ours(host: str, names: frozenset[str]) -> bool:
    """
    Return True if a Host header names this service: by an IP address, or by one of its names.

    An address is always ours: a page elsewhere that has rebound its name to us still sends its name.
    """
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.removesuffix(".") in names
    return True


def _failed(request: Request, error: Exception) -> ApiError:
    reference = secrets.token_hex(4)
    log.error(
        "request failed",
        exc_info=error,
        extra={"method": request.method, "path": request.url.path, "reference": reference},
    )
    return ApiError(
        500,
        "internal",
        "The request failed for a reason that lies in Wardwatt, not in the request.",
        f"Try again; if it stays, the service's log has more under the reference {reference}.",
    )
