"""Logging in and out, and one's own password: plain forms that need no script."""

from __future__ import annotations

import logging
from contextlib import suppress
from html import escape
from typing import Annotated, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import URL
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.errors import ApiError
from api.pages.rendering import render
from api.pages.way_up import page_above
from api.security.access import (
    DEVICE_COOKIE,
    FORM_COOKIE,
    SESSION_COOKIE,
    Require,
    check_form,
    identify,
    logins_of,
)
from api.security.logins import Identity
from api.security.secret_words import new_secret
from facility.errors import StoreUnavailable

log = logging.getLogger(__name__)

public = APIRouter(tags=["login"], include_in_schema=False)
router = APIRouter(tags=["login"], include_in_schema=False)

_A_YEAR_S: Final = 365 * 86_400
Text = Annotated[str, Form()]


async def _own_login_form(request: Request) -> None:
    """Refuse a login that another site sends, which would put somebody into a stranger's account."""
    await check_form(request, request.cookies.get(FORM_COOKIE, ""))


@public.get("/login")
def login_page(request: Request, identity: Annotated[Identity | None, Depends(identify)], next: str = "/") -> Response:
    """Show the login form; whoever is logged in already goes on."""
    if identity is not None:
        return RedirectResponse(safe_next(next), 303)
    return _login_form(request, safe_next(next))


@public.post("/login", dependencies=[Depends(_own_login_form)])
def log_in(request: Request, name: Text = "", password: Text = "", next: Text = "/") -> Response:
    """Check name and password; set the cookie and go on, or show the form again with what is wrong."""
    target = safe_next(next)
    try:
        login = logins_of(request).log_in(
            name,
            password,
            request.app.state.context.clock(),
            address=address_of(request),
            device=request.cookies.get(DEVICE_COOKIE),
            user_agent=request.headers.get("User-Agent", ""),
        )
    except ApiError as error:
        return _login_form(request, target, name, error)
    response = RedirectResponse(target, 303)
    # A session's cookie lives as long as the server's own record of it says, so it carries no age.
    _set_cookie(request, response, SESSION_COOKIE, login.token)
    _set_cookie(request, response, DEVICE_COOKIE, login.device, _A_YEAR_S)
    response.delete_cookie(FORM_COOKIE)
    return response


@router.post("/logout")
def log_out(
    request: Request, identity: Annotated[Identity, Depends(Require("viewer", even_before_new_password=True))]
) -> Response:
    """End this login."""
    logins_of(request).log_out(identity, request.app.state.context.clock())
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/account/password")
def password_page(
    request: Request, identity: Annotated[Identity, Depends(Require("viewer", even_before_new_password=True))]
) -> Response:
    """Show the form for one's own password."""
    return render(request, "password.html", error="", message="", mend="", done=False, must_change=identity.must_change)


@router.post("/account/password")
def change_password(
    request: Request,
    identity: Annotated[Identity, Depends(Require("viewer", even_before_new_password=True))],
    old: Text = "",
    new: Text = "",
    again: Text = "",
) -> Response:
    """Set one's own password; all other logins end."""
    try:
        if identity.by != "session":
            raise ApiError(403, "login-needed", "A token cannot change a password.", "Log in at /login.")
        if new != again:
            raise ApiError(400, "passwords-differ", "The two new passwords differ.", "Type the new password twice.")
        logins_of(request).change_password(
            identity, old, new, request.app.state.context.clock(), address=address_of(request)
        )
    except ApiError as error:
        return render(
            request,
            "password.html",
            status=error.status,
            error=error.code,
            message=error.message,
            mend=error.mend,
            done=False,
            must_change=identity.must_change,
        )
    return render(request, "password.html", error="", message="", mend="", done=True, must_change=False)


def error_page(request: Request, error: ApiError) -> Response:
    """Return an error as a page, in the reader's language; on a worker thread."""
    try:
        if error.status in (404, 405) and getattr(request.state, "user", None) is None:
            # No route took the request, so nobody has asked yet who sends it.
            with suppress(ApiError, StoreUnavailable):
                request.state.user = identify(request)
        response = render(
            request,
            "error.html",
            status=error.status,
            error=error.code,
            message=error.message,
            mend=error.mend,
            zh=error.zh,
            above=page_above(request),
        )
    except Exception:
        # The page that tells of a failure must not fail itself: then it is bare words.
        log.exception("an error page failed", extra={"code": error.code})
        text = f"<!doctype html><title>Wardwatt</title><p>{escape(error.message)}</p><p>{escape(error.mend)}</p>"
        response = HTMLResponse(text, error.status)
    response.headers.update(error.headers)
    return response


def safe_next(target: str) -> str:
    """
    Return the path to go to after the login if it is one of ours, else the front page.

    A browser reads `//host`, `/\\host` and a few spellings with control characters as another host's address.
    """
    if len(target) > 2048 or not target.startswith("/") or any(c < " " or c in "\\\x7f" for c in target):
        return "/"
    # However it is spelt: two slashes in front and what follows is a host.
    if unquote(target).replace("\\", "/").startswith("//") or target.split("?")[0] in ("/login", "/logout"):
        return "/"
    return quote(target, safe="/?&=%#~:@!$'()*+,;-._")


def login_address(request: Request) -> str:
    """Return where to log in and come back to this page; from a form, to the page that the form stood on."""
    here = request.url
    if request.method != "GET":
        # The browser says where the form stood; only a page of ours counts.
        came_from = URL(request.headers.get("Referer", ""))
        here = came_from if came_from.netloc == request.headers.get("Host") else URL("/")
    target = safe_next(here.path + (f"?{here.query}" if here.query else ""))
    return "/login" if target == "/" else f"/login?next={quote(target, safe='')}"


def address_of(request: Request) -> str:
    """Return the address that a request comes from; the server reads a trusted proxy's word for it."""
    return request.client.host if request.client else ""


def _login_form(request: Request, target: str, name: str = "", error: ApiError | None = None) -> Response:
    word = request.cookies.get(FORM_COOKIE) or new_secret()
    request.state.csrf = word
    response = render(
        request,
        "login.html",
        status=error.status if error else 200,
        next=target,
        name=name[:64],
        error=error.code if error else "",
        message=error.message if error else "",
        mend=error.mend if error else "",
    )
    if error:
        response.headers.update(error.headers)
    _set_cookie(request, response, FORM_COOKIE, word)
    return response


def _set_cookie(request: Request, response: Response, name: str, value: str, age_s: int | None = None) -> None:
    https = request.app.state.context.settings.https or request.url.scheme == "https"
    # Lax, not Strict: an alert opened from a chat message must find its reader logged in.
    response.set_cookie(name, value, max_age=age_s, httponly=True, samesite="lax", secure=https)
