"""Who I am here, and my tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from api.context import Context, context_of
from api.errors import ApiError
from api.security.access import require
from api.security.logins import Identity
from api.security.tokens import create_token, list_tokens, revoke_token

router = APIRouter(prefix="/api/v1", tags=["account"])

Here = Annotated[Context, Depends(context_of)]
Me = Annotated[Identity, Depends(require("viewer"))]


class MeOut(BaseModel):
    """Who a request comes from, and what they may do by this login or token."""

    name: str
    display_name: str
    role: str
    language: str
    by: str


class TokenOut(BaseModel):
    """One of my tokens; the token itself was shown when it was made."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    prefix: str
    role: str
    created_us: int
    last_used_us: int | None
    revoked_us: int | None


class TokensOut(BaseModel):
    """My tokens, oldest first."""

    tokens: list[TokenOut]


class NewTokenIn(BaseModel):
    """What a token is for, and what it may do at most; left out: what I may."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    role: str | None = Field(default=None, max_length=20)


class NewTokenOut(BaseModel):
    """A token, shown this once."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    prefix: str
    role: str
    token: str


@router.get("/me")
def me(user: Me) -> MeOut:
    """Tell who I am here."""
    return MeOut(name=user.name, display_name=user.display_name, role=user.role, language=user.language, by=user.by)


@router.get("/tokens")
def tokens(here: Here, user: Me) -> TokensOut:
    """List my tokens."""
    return TokensOut(tokens=[TokenOut.model_validate(token) for token in list_tokens(here.database, user.name)])


@router.post("/tokens", status_code=201)
def make_token(here: Here, user: Me, wanted: NewTokenIn) -> NewTokenOut:
    """Make a token for a program of mine; by a login only, so that a stolen token cannot make others."""
    _only_by_login(user)
    made = create_token(here.database, user.name, wanted.name, wanted.role, by=user.name)
    return NewTokenOut.model_validate(made)


@router.delete("/tokens/{token}", status_code=204)
def drop_token(here: Here, user: Me, token: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> None:
    """Make one of my tokens worthless, at once; by a login only."""
    _only_by_login(user)
    revoke_token(here.database, token, owner=user.name, by=user.name)


def _only_by_login(user: Identity) -> None:
    if user.by != "session":
        raise ApiError(
            403, "login-needed", "A token can neither make nor revoke tokens.", "Log in at /login, or use the command."
        )
