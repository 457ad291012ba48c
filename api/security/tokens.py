"""Tokens by which programs act for a person: shown once, kept as hashes, revocable, never above the person's role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select

from api.errors import ApiError, bad_request, shown, unknown
from api.security import audit
from api.security.roles import ROLES, Role, is_role, lower
from api.security.secret_words import kept_form, new_secret
from api.security.tables import ApiToken, User
from api.security.users import user_name
from api.times import now_us
from facility.database import Database

_MARK: Final = "ww_"  # so that a token found in a script or a log is recognised for what it is
_PREFIX: Final = 9
_MOST_PER_PERSON: Final = 50


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that has just been made; the text is shown once and cannot be had again."""

    id: int
    prefix: str
    role: Role
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it may be listed."""

    id: int
    user: str
    name: str
    prefix: str
    role: Role
    created_us: int
    last_used_us: int | None
    revoked_us: int | None


def create_token(database: Database, user: str, name: str, role: str | None = None, *, by: str = "command") -> NewToken:
    """
    Make a token for a person.

    Parameters
    ----------
    user : whose it is
    name : what it is for, `prometheus`
    role : what it may do at most; None: what the person may. A person's role below it caps it at any time.

    Raises
    ------
    ApiError
        If there is no such person or role, the name cannot be used, or the person has too many.
    """
    name = name.strip()
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise bad_request("bad-name", f"{shown(name)} cannot name a token.", "Use 1 to 64 printable characters.")
    if role is not None and not is_role(role):
        raise bad_request("unknown-role", f"There is no role {shown(role)}.", f"Use one of {', '.join(ROLES)}.")
    text = _MARK + new_secret()
    with database.session() as session:
        owner = session.scalar(select(User).where(User.name == user_name(user)))
        if owner is None:
            raise unknown("user", user, session.scalars(select(User.name)), "wardwatt user list")
        held = session.scalar(select(func.count()).where(ApiToken.user_id == owner.id, ApiToken.revoked_us.is_(None)))
        if (held or 0) >= _MOST_PER_PERSON:
            raise ApiError(
                409, "too-many-tokens", f"{shown(owner.name)} has {held} tokens.", "Revoke those no longer used."
            )
        owners = owner.role if is_role(owner.role) else "viewer"
        granted = owners if role is None else lower(owners, role)
        token = ApiToken(
            user_id=owner.id,
            name=name,
            token_hash=kept_form(text),
            prefix=text[:_PREFIX],
            role=granted,
            created_us=now_us(),
        )
        session.add(token)
        session.flush()
        audit.record(session, token.created_us, by, "token-created", f"token {token.id}", {
            "user": owner.name, "name": name, "role": granted,
        })  # fmt: skip
        return NewToken(token.id, token.prefix, granted, text)


def list_tokens(database: Database, user: str | None = None) -> Sequence[TokenInfo]:
    """Return all tokens, or one person's, oldest first."""
    query = select(ApiToken, User.name).join(User, User.id == ApiToken.user_id).order_by(ApiToken.id)
    if user is not None:
        query = query.where(User.name == user_name(user))
    with database.reading() as session:
        return tuple(
            TokenInfo(
                id=token.id,
                user=owner,
                name=token.name,
                prefix=token.prefix,
                role=token.role if is_role(token.role) else "viewer",
                created_us=token.created_us,
                last_used_us=token.last_used_us,
                revoked_us=token.revoked_us,
            )
            for token, owner in session.execute(query)
        )


def revoke_token(database: Database, token_id: int, *, owner: str | None = None, by: str = "command") -> None:
    """
    Make a token worthless at once; a second call changes nothing.

    Raises
    ------
    ApiError
        If there is no such token, or it is not `owner`'s (which looks the same).
    """
    with database.session() as session:
        query = select(ApiToken, User.name).join(User, User.id == ApiToken.user_id).where(ApiToken.id == token_id)
        found = session.execute(query).one_or_none()
        if found is None or (owner is not None and found[1] != owner):
            raise ApiError(404, "unknown-token", f"There is no token {token_id}.", "GET /api/v1/tokens lists yours.")
        token, user = found
        if token.revoked_us is None:
            token.revoked_us = now_us()
            audit.record(
                session, token.revoked_us, by, "token-revoked", f"token {token.id}", {"user": user, "name": token.name}
            )
