"""Who may call a route: `require(role)` is the dependency that every route but a few public ones carries."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import FormData

from api.errors import ApiError
from api.security.logins import Identity, Logins
from api.security.roles import Role, may
from api.security.secret_words import same

SESSION_COOKIE: Final = "wardwatt_session"
DEVICE_COOKIE: Final = "wardwatt_device"
FORM_COOKIE: Final = "wardwatt_form"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def logins_of(request: Request) -> Logins:
    """Return the logins of the application that serves this request."""
    logins: Logins = request.app.state.logins
    return logins


def identify(request: Request) -> Identity | None:
    """
    Return who sends this request; None if nobody is logged in. Reads the database: call it on a worker thread.

    Raises
    ------
    ApiError
        `token-refused`: a program that sends a worthless token should hear so, whatever cookies it has.
    """
    logins, now_us = logins_of(request), request.app.state.context.clock()
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        identity = logins.by_token(token.strip(), now_us) if scheme.lower() == "bearer" and token.strip() else None
        if identity is None:
            raise ApiError(
                401,
                "token-refused",
                "The token is unknown, revoked, or its owner is disabled.",
                "Send 'Authorization: Bearer ww_…' with a token that stands; wardwatt token add makes one.",
                {"WWW-Authenticate": "Bearer"},
            )
        return identity
    cookie = request.cookies.get(SESSION_COOKIE)
    return logins.by_session(cookie, now_us) if cookie else None


class Require:
    """
    A dependency that lets nobody through below a role; the handler gets the identity.

    It refuses a request that changes something unless it comes from one of our own forms (a session's requests carry
    its CSRF word; a token is proof by itself), and everything but the change itself while the password must be changed.
    """

    def __init__(self, role: Role, *, even_before_new_password: bool = False) -> None:
        self.role = role
        self.even_before_new_password = even_before_new_password

    async def __call__(self, request: Request, identity: Annotated[Identity | None, Depends(identify)]) -> Identity:
        if identity is None:
            raise ApiError(
                401,
                "login-needed",
                "Nobody is logged in.",
                "Log in at /login, or send 'Authorization: Bearer' with an API token.",
                {"WWW-Authenticate": "Bearer"},
            )
        request.state.user = identity
        request.state.csrf = identity.csrf
        if not may(identity.role, self.role):
            raise ApiError(
                403,
                "role-too-low",
                f"This needs the role {self.role}; {identity.name!r} has the role {identity.role} here.",
                "Ask an administrator, or use another login or token.",
            )
        if identity.by == "session":
            if request.method not in _SAFE_METHODS:
                await check_form(request, identity.csrf)
            if identity.must_change and not self.even_before_new_password:
                raise ApiError(
                    403,
                    "new-password-needed",
                    "The password was set by somebody else and must be changed first.",
                    "Change it at /account/password.",
                )
        return identity


def require(role: Role) -> Require:
    """Return the dependency that lets nobody through below `role`."""
    return Require(role)


async def check_form(request: Request, expected: str) -> None:
    """
    Refuse a request that another site has made the browser send.

    Raises
    ------
    ApiError
        `form-refused`, if the CSRF word is missing or is not the expected one.
    """
    # Cookies do not know ports: a page of another service on this machine is as foreign as any.
    foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    word = request.headers.get(CSRF_HEADER)
    if word is None and request.headers.get("Content-Type", "").split(";")[0].strip().lower() in _FORMS:
        field = (await _form(request)).get(CSRF_FIELD)
        word = field if isinstance(field, str) else None
    if foreign or not expected or word is None or not same(word, expected):
        raise ApiError(
            403,
            "form-refused",
            "The request did not come from a page of this session.",
            f"Load the page again and repeat it; programs send {CSRF_HEADER}, or use an API token.",
        )


async def _form(request: Request) -> FormData:
    return await request.form()
