"""Random secrets that are handed out once and kept only as hashes."""

from __future__ import annotations

import hashlib
import secrets


def new_secret() -> str:
    """Return 256 random bits as text for a cookie or a header."""
    return secrets.token_urlsafe(32)


def kept_form(secret: str) -> str:
    """
    Return what may be stored of a secret.

    A plain hash is enough: nobody can try out 256 random bits, so there is nothing for a slow hash to slow down.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in a time that does not tell how far the two agree."""
    return secrets.compare_digest(one.encode(), other.encode())
