"""Logging in and staying logged in: sessions that the server keeps, found by a hash of what the cookie holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlalchemy import delete, select

from api.errors import ApiError
from api.security import audit
from api.security.devices import DeviceMarks
from api.security.passwords import check_new_password, hash_password, needs_new_hash, password_fits
from api.security.roles import Role, is_role, lower
from api.security.secret_words import kept_form, new_secret
from api.security.tables import ApiToken, LoginSession, User
from api.security.throttle import LoginThrottle
from api.security.users import folded, person_of
from facility.database import Database
from facility.errors import StoreUnavailable
from facility.names import Language

log = logging.getLogger(__name__)

# Noting each use of a session would be a write for each request.
_NOTE_USE_EACH_US: Final = 60_000_000
_LONGEST_USER_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Who sends a request, and what they may do.

    Attributes
    ----------
    role : the person's, or the token's if that is lower
    by : a browser's `session` or a program's `token`
    key : hash of the session's or token's secret; it names the session in the table
    csrf : what forms of this session carry; empty for a token
    """

    id: int
    name: str
    display_name: str
    role: Role
    language: Language
    must_change: bool
    by: Literal["session", "token"]
    key: str = field(repr=False)
    csrf: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """A login that has just succeeded: what goes into the browser's cookies."""

    name: str
    token: str = field(repr=False)
    device: str = field(repr=False)


class Logins:
    """Opens, finds and closes sessions, and finds tokens; every method takes the time."""

    def __init__(self, database: Database, idle_s: float, longest_s: float) -> None:
        self.database = database
        self.idle_us = int(idle_s * 1e6)
        self.longest_us = int(longest_s * 1e6)
        self.throttle = LoginThrottle()
        self.devices = DeviceMarks(database)
        # The first check of an unknown name must take no longer than the others.
        password_fits(None, "")

    def log_in(
        self, name: str, password: str, now_us: int, *, address: str, device: str | None = None, user_agent: str = ""
    ) -> Login:
        """
        Open a session for a person who knows their password.

        Raises
        ------
        ApiError
            `bad-credentials`, in one wording and one time for a wrong name, a wrong password and a disabled person;
            `too-many-attempts` with the seconds to wait.
        """
        name = folded(name)[:64]
        with self.database.reading() as session:
            user = session.scalar(select(User).where(User.name == name))
        known = self.devices.known(device, user.id if user else None)
        wait_s = self.throttle.charge(name, address, known, now_us)
        if wait_s:
            raise ApiError(
                429,
                "too-many-attempts",
                "There were too many failed logins.",
                f"Wait {wait_s} s and try again.",
                {"Retry-After": str(wait_s)},
            )
        fits = password_fits(user.password_hash if user else None, password)
        if user is None or user.disabled or not fits:
            self._note_refusal(user, now_us, address)
            raise _bad_credentials()
        self.throttle.refund(name, address, known)
        new_hash = hash_password(password) if needs_new_hash(user.password_hash) else None
        token = new_secret()
        with self.database.session() as session:
            session.execute(delete(LoginSession).where(LoginSession.expires_us <= now_us))
            row = session.get_one(User, user.id)
            if row.disabled or row.password_hash != user.password_hash:
                # Changed while we were looking: the new password ends all logins, this one too.
                raise _bad_credentials()
            row.password_hash = new_hash or row.password_hash
            session.add(
                LoginSession(
                    token_hash=kept_form(token),
                    user_id=user.id,
                    csrf=new_secret(),
                    created_us=now_us,
                    last_seen_us=now_us,
                    expires_us=now_us + self.longest_us,
                    user_agent=user_agent[:_LONGEST_USER_AGENT],
                )
            )
            audit.record(session, now_us, user.name, "logged-in", user.name, {"address": address})
        return Login(user.name, token, known_or_new(device, known, self.devices, user.id))

    def _note_refusal(self, user: User | None, now_us: int, address: str) -> None:
        # A name that nobody has is not kept: people type passwords into the wrong field.
        with self.database.session() as session:
            audit.record(session, now_us, "", "login-refused", user.name if user else "", {"address": address})

    def by_session(self, token: str, now_us: int) -> Identity | None:
        """Return who is logged in with this cookie, or None if nobody is any more; notes that they are still here."""
        key = kept_form(token)
        with self.database.reading() as session:
            found = session.execute(
                select(LoginSession, User).join(User).where(LoginSession.token_hash == key)
            ).one_or_none()
        if found is None:
            return None
        login, user = found
        if user.disabled or now_us >= login.expires_us or now_us >= login.last_seen_us + self.idle_us:
            return None
        if now_us - login.last_seen_us >= _NOTE_USE_EACH_US:
            self._note_use(LoginSession, key, "last_seen_us", now_us)
        return _identity(user, person_of(user).role, "session", key, login.csrf)

    def by_token(self, token: str, now_us: int) -> Identity | None:
        """Return whom a program acts for with this token, or None if it is worth nothing; notes its use."""
        key = kept_form(token)
        with self.database.reading() as session:
            found = session.execute(select(ApiToken, User).join(User).where(ApiToken.token_hash == key)).one_or_none()
        if found is None:
            return None
        kept, user = found
        if user.disabled or kept.revoked_us is not None:
            return None
        if kept.last_used_us is None or now_us - kept.last_used_us >= _NOTE_USE_EACH_US:
            self._note_use(ApiToken, kept.id, "last_used_us", now_us)
        role = lower(person_of(user).role, kept.role if is_role(kept.role) else "metrics")
        return _identity(user, role, "token", key, "")

    def _note_use(self, table: type[LoginSession | ApiToken], key: str | int, column: str, now_us: int) -> None:
        try:
            with self.database.session() as session:
                row = session.get(table, key)
                if row is not None:
                    setattr(row, column, now_us)
        except StoreUnavailable as error:
            # With a full disk the plant must still be seen.
            log.warning("the use of a login was not noted", extra={"why": str(error)})

    def log_out(self, identity: Identity, now_us: int) -> None:
        """End the session that this request came with."""
        with self.database.session() as session:
            session.execute(delete(LoginSession).where(LoginSession.token_hash == identity.key))
            audit.record(session, now_us, identity.name, "logged-out", identity.name)

    def change_password(self, identity: Identity, old: str, new: str, now_us: int, *, address: str) -> None:
        """
        Set a person's own password and end all their other sessions.

        Raises
        ------
        ApiError
            `bad-credentials` if the old one is wrong, `weak-password`, `too-many-attempts`.
        """
        # A session left open on a shared desk must not be a way to guess the password either.
        wait_s = self.throttle.charge(identity.name, address, f"session {identity.key}", now_us)
        if wait_s:
            raise ApiError(
                429,
                "too-many-attempts",
                "There were too many failed attempts.",
                f"Wait {wait_s} s and try again.",
                {"Retry-After": str(wait_s)},
            )
        with self.database.reading() as session:
            user = session.get(User, identity.id)
        if user is None or not password_fits(user.password_hash, old):
            raise ApiError(401, "bad-credentials", "The old password is wrong.", "Check it and try again.")
        self.throttle.refund(identity.name, address, f"session {identity.key}")
        if new == old:
            raise ApiError(400, "weak-password", "The new password is the old one.", "Choose another one.")
        check_new_password(new, identity.name)
        password_hash = hash_password(new)
        with self.database.session() as session:
            row = session.get_one(User, identity.id)
            row.password_hash = password_hash
            row.must_change = False
            session.execute(
                delete(LoginSession).where(LoginSession.user_id == row.id, LoginSession.token_hash != identity.key)
            )
            audit.record(session, now_us, identity.name, "password-changed", identity.name)


def _bad_credentials() -> ApiError:
    # One wording for a wrong name, a wrong password and a disabled person.
    return ApiError(
        401, "bad-credentials", "Name or password is wrong.", "Check both; an administrator can set a new one."
    )


def known_or_new(device: str | None, known: str | None, devices: DeviceMarks, user_id: int) -> str:
    """Return the mark that the browser brought if it is genuine, else a new one."""
    return device if device is not None and known is not None else devices.mark(user_id)


def _identity(user: User, role: Role, by: Literal["session", "token"], key: str, csrf: str) -> Identity:
    person = person_of(user)
    return Identity(
        id=person.id,
        name=person.name,
        display_name=person.display_name,
        role=role,
        language=person.language,
        must_change=person.must_change,
        by=by,
        key=key,
        csrf=csrf,
    )
