"""People who may log in: made, changed and listed by the command and, at first start, by the service itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api.errors import ApiError, bad_request, shown, unknown
from api.security import audit
from api.security.passwords import check_new_password, hash_password, random_password
from api.security.roles import PEOPLE_ROLES, Role, is_role
from api.security.tables import LoginSession, User
from api.times import now_us
from facility.database import Database
from facility.names import LANGUAGES, Language

FIRST_USER: Final = "admin"
_NAME: Final = re.compile(r"\w[\w.@-]{0,62}")
# What the service and its command do by themselves stands under these names in histories and in the audit trail.
_RESERVED: Final = frozenset({"wardwatt", "command", "system"})
_LONGEST_DISPLAY_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, to be shown once. Not to be logged: the representation leaves the password out."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """A person who may log in, as others may see them."""

    id: int
    name: str
    display_name: str
    role: Role
    language: Language
    created_us: int
    disabled: bool
    must_change: bool


def ensure_first_user(database: Database) -> Credentials | None:
    """
    Make the first administrator, with a random password, if nobody may log in yet.

    Returns
    -------
    The credentials, to be printed once; None if there is somebody already.
    """
    password = random_password()
    password_hash = hash_password(password)
    with database.session() as session:
        if session.scalar(select(func.count()).select_from(User)):
            return None
        at_us = now_us()
        session.add(_user(FIRST_USER, "", "admin", "zh", password_hash, at_us, must_change=False))
        audit.record(session, at_us, "", "user-created", FIRST_USER, {"role": "admin", "why": "first start"})
    return Credentials(FIRST_USER, password)


def create_user(
    database: Database,
    name: str,
    role: str,
    *,
    display_name: str = "",
    language: str = "zh",
    password: str | None = None,
    must_change: bool = True,
    by: str = "command",
) -> Credentials:
    """
    Let one more person log in; with a random password, unless one is given.

    Parameters
    ----------
    must_change : the password must be changed at the first login, since somebody else knows it

    Raises
    ------
    ApiError
        If the name is taken, or name, role, language or password cannot be accepted.
    """
    name = user_name(name)
    if name in _RESERVED:
        raise bad_request("bad-name", f"{shown(name)} stands for the service itself.", "Choose another name.")
    checked_role = _role(role)
    checked_language = _language(language)
    display_name = _display_name(display_name)
    password, password_hash = _password(password, name)
    with database.session() as session:
        if session.scalar(select(User.id).where(User.name == name)) is not None:
            raise ApiError(
                409,
                "name-taken",
                f"There is a user {shown(name)} already.",
                "Choose another name; a disabled user can be enabled again.",
            )
        at_us = now_us()
        session.add(
            _user(name, display_name, checked_role, checked_language, password_hash, at_us, must_change=must_change)
        )
        audit.record(session, at_us, by, "user-created", name, {"role": checked_role})
    return Credentials(name, password)


def set_password(
    database: Database, name: str, password: str | None = None, *, by: str = "command", must_change: bool = True
) -> Credentials:
    """
    Give a person a new password, a random one if none is given, and end all their logins.

    Raises
    ------
    ApiError
        If there is no such person, or the password is weak.
    """
    name = user_name(name)
    password, password_hash = _password(password, name)
    with database.session() as session:
        user = _find(session, name)
        user.password_hash = password_hash
        user.must_change = must_change
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
        audit.record(session, now_us(), by, "password-changed", name)
    return Credentials(name, password)


def set_role(database: Database, name: str, role: str, *, by: str = "command") -> None:
    """Give a person another role; ApiError if it would leave nobody to administer."""
    checked_role = _role(role)
    with database.session() as session:
        user = _find(session, user_name(name))
        if checked_role != "admin":
            _keep_an_administrator(session, user)
        before, user.role = user.role, checked_role
        audit.record(session, now_us(), by, "role-changed", user.name, {"from": before, "to": checked_role})


def set_disabled(database: Database, name: str, disabled: bool, *, by: str = "command") -> None:
    """Shut a person out, logins and tokens included, or let them in again; ApiError if nobody could administer."""
    with database.session() as session:
        user = _find(session, user_name(name))
        if disabled:
            _keep_an_administrator(session, user)
            session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
        user.disabled = disabled
        audit.record(session, now_us(), by, "user-disabled" if disabled else "user-enabled", user.name)


def list_users(database: Database) -> Sequence[Person]:
    """Return everybody, by name."""
    with database.reading() as session:
        return tuple(person_of(user) for user in session.scalars(select(User).order_by(User.name)))


def person_of(user: User) -> Person:
    """Return what others may see of a user."""
    return Person(
        id=user.id,
        name=user.name,
        display_name=user.display_name or user.name,
        role=user.role if is_role(user.role) else "viewer",
        language="en" if user.language == "en" else "zh",
        created_us=user.created_us,
        disabled=user.disabled,
        must_change=user.must_change,
    )


def user_name(text: str) -> str:
    """
    Return a user's name in its one spelling, whatever the keyboard: capitals and full-width letters do not matter.

    Raises
    ------
    ApiError
        If it cannot be a name.
    """
    name = folded(text)
    if _NAME.fullmatch(name) is None:
        raise bad_request(
            "bad-name",
            f"{shown(text)} cannot be a user's name.",
            "Use 1 to 63 letters, digits and . _ - @, beginning with a letter or digit.",
        )
    return name


def folded(text: str) -> str:
    """Return text as names are compared."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _user(
    name: str, display_name: str, role: Role, language: Language, password_hash: str, at_us: int, *, must_change: bool
) -> User:
    return User(
        name=name,
        display_name=display_name,
        password_hash=password_hash,
        role=role,
        language=language,
        created_us=at_us,
        disabled=False,
        must_change=must_change,
    )


def _password(password: str | None, name: str) -> tuple[str, str]:
    if password is None:
        password = random_password()
    else:
        check_new_password(password, name)
    # Hashed before the session is opened: hashing is slow, and the session holds the one write lock.
    return password, hash_password(password)


def _find(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise unknown("user", name, session.scalars(select(User.name)), "wardwatt user list")
    return user


def _keep_an_administrator(session: Session, user: User) -> None:
    others = session.scalar(
        select(func.count()).where(User.role == "admin", User.disabled.is_(False), User.id != user.id)
    )
    if not others:
        raise ApiError(
            409,
            "last-administrator",
            f"{shown(user.name)} is the only administrator.",
            "Make somebody else an administrator first.",
        )


def _role(text: str) -> Role:
    if is_role(text) and text in PEOPLE_ROLES:
        return text
    raise bad_request("unknown-role", f"There is no role {shown(text)}.", f"Use one of {', '.join(PEOPLE_ROLES)}.")


def _language(text: str) -> Language:
    for language in LANGUAGES:
        if text == language:
            return language
    raise bad_request("unknown-language", f"There is no language {shown(text)}.", f"Use one of {', '.join(LANGUAGES)}.")


def _display_name(text: str) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > _LONGEST_DISPLAY_NAME or not name.isprintable():
        raise bad_request(
            "bad-name",
            f"{shown(text)} cannot be shown as a name.",
            f"Use up to {_LONGEST_DISPLAY_NAME} printable characters.",
        )
    return name
