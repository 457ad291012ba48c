"""Who looks at a page, in which language and light, and what the page may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from api.pages.frame import THEMES, Frame, NavLink, Place, Theme, build_frame
from api.pages.sources import Live, Sources
from api.pages.templates import fill
from api.pages.words import Words, as_language, words_of
from api.security.logins import Identity

LANGUAGE_COOKIE: Final = "wardwatt_language"
THEME_COOKIE: Final = "wardwatt_theme"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page."""

    words: Words
    theme: Theme
    user: Identity | None
    csrf: str
    path: str


def visit_of(request: Request) -> Visit:
    """
    Read language, theme and person from a request.

    The language is what was chosen by hand, else the person's own, else what the browser asks for, else Chinese.
    """
    user = cast("Identity | None", getattr(request.state, "user", None))
    chosen = request.cookies.get(LANGUAGE_COOKIE) or getattr(user, "language", None)
    theme = request.cookies.get(THEME_COOKIE)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Visit(
        words=words_of(as_language(chosen, request.headers.get("Accept-Language"))),
        theme=theme if theme in THEMES else "auto",
        user=user,
        csrf=str(getattr(request.state, "csrf", "") or ""),
        path=here if len(here) <= 2048 else request.url.path,
    )


def framed(
    sources: Sources,
    visit: Visit,
    template: str,
    *,
    place: Place,
    title: str,
    live: Live,
    live_page: str = "",
    back: NavLink | None = None,
    status: int = 200,
    own_alert: int | None = None,
    **values: Any,
) -> Response:
    """Return a page with its frame: navigation, tally, banner, clock."""
    frame = build_frame(
        sources,
        visit.words,
        place=place,
        title=title,
        path=visit.path,
        theme=visit.theme,
        user=visit.user,
        csrf=visit.csrf,
        live_page=live_page,
        back=back,
        live=live,
        own_alert=own_alert,
    )
    return HTMLResponse(fill(visit.words.language, template, frame=frame, **values), status)


def frame_parts(frame: Frame) -> dict[str, str]:
    """Return the parts of the frame that live pages send again when they change."""
    language = frame.words.language
    return {
        name: fill(language, f"parts/{file}.html", frame=frame)
        for name, file in (
            ("banner", "banner"), ("tally", "tally"), ("fresh", "fresh"), ("fresh-short", "fresh_short"),
            ("clock", "clock"), ("clock-time", "clock_time"),
        )
    }  # fmt: skip
