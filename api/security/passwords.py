"""Passwords: hashed with Argon2id, checked in the same time whether or not the person exists."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import ApiError, bad_request

SHORTEST: Final = 10
LONGEST: Final = 256  # longer ones would only cost time to hash
# OWASP Password Storage Cheat Sheet, Argon2id: 19 MiB, 2 passes, 1 lane.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Each check takes its memory and a core for tens of milliseconds; many at once must not starve the plant's pages.
_AT_ONCE: Final = 2
_slots = threading.BoundedSemaphore(_AT_ONCE)
# Whoever waits for a slot holds one of the server's worker threads, so few may wait.
_WAITING: Final = 8
_queue = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
# Without 0 O 1 l I: somebody will read it from a screen or a note.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def hash_password(password: str) -> str:
    """Return what may be stored of a password."""
    with _slot():
        return _HASHER.hash(_normal(password))


def password_fits(password_hash: str | None, password: str) -> bool:
    """
    Return True if the password is the one that was hashed.

    None (nobody of that name) takes the same time as a wrong password, so that the time tells no names.
    """
    if len(password) > LONGEST:
        return False
    with _slot():
        try:
            fits = _HASHER.verify(password_hash or _nobody(), _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return fits and password_hash is not None


def needs_new_hash(password_hash: str) -> bool:
    """Return True if the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def random_password() -> str:
    """Return a password of 99 random bits in groups that can be read out."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def check_new_password(password: str, name: str) -> None:
    """
    Refuse a password that would soon be guessed.

    Raises
    ------
    ApiError
        `weak-password`, with what to change.
    """
    password = _normal(password)
    if len(password) > LONGEST:
        raise _weak(f"it has {len(password)} characters", f"Choose one of {SHORTEST} to {LONGEST} characters.")
    if len(password) < SHORTEST:
        raise _weak(f"it has {len(password)} characters", f"Choose one of {SHORTEST} characters or more.")
    if name and name.casefold() in password.casefold():
        raise _weak("it holds the user's name", "Choose one that does not.")
    kinds = sum(any(map(test, password)) for test in (str.islower, str.isupper, str.isdigit, _is_sign))
    if len(set(password)) < 6 or (kinds < 3 and len(password) < 16):
        raise _weak(
            "it is too simple",
            "Mix small letters, capitals, digits and signs (three of the four), or use 16 characters.",
        )


def _is_sign(character: str) -> bool:
    return not character.isalnum() or not character.isascii()


def _weak(why: str, mend: str) -> ApiError:
    return bad_request("weak-password", f"The new password is not accepted: {why}.", mend)


def _normal(password: str) -> str:
    # The same characters may arrive composed or decomposed, depending on the keyboard.
    return unicodedata.normalize("NFC", password)


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe())


@contextmanager
def _slot() -> Iterator[None]:
    if not _queue.acquire(blocking=False):
        raise ApiError(
            503, "busy", "Too many logins are being checked at once.", "Try again shortly.", {"Retry-After": "5"}
        )
    try:
        with _slots:
            yield
    finally:
        _queue.release()
