"""The key that commands on this machine bring: good for the store's routes, and for one run of the service."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.local_service import NAME
from api.security.access import Require, identify
from api.security.logins import Identity
from api.security.roles import Role
from api.security.secret_words import same


class RequireHere:
    """A dependency that lets through who brings this run's key, and logins or tokens of a role."""

    def __init__(self, role: Role) -> None:
        self._require = Require(role)

    async def __call__(self, request: Request) -> Identity:
        if not _brought(request):
            return await self._require(request, await run_in_threadpool(identify, request))
        identity = Identity(0, NAME, NAME, "admin", "en", must_change=False, by="token", key="", csrf="")
        request.state.user = identity
        return identity


def _brought(request: Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected: str = request.app.state.context.local_key
    return bool(expected) and scheme.lower() == "bearer" and same(token.strip(), expected)
