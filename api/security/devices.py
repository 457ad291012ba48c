"""The mark of a browser in which a person has logged in before (OWASP calls it a device cookie).

It grants nothing. It only gives that browser's logins a count of their own in the throttle.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from api.security.secret_words import new_secret, same
from facility.database import Database, read_setting, write_setting

_SETTING: Final = "security.device_key"


class DeviceMarks:
    """Makes and checks marks with a key that is kept in the database."""

    def __init__(self, database: Database) -> None:
        with database.session() as session:
            key = read_setting(session, _SETTING)
            if key is None:
                key = new_secret()
                write_setting(session, _SETTING, key)
        self._key = str(key).encode()

    def mark(self, user_id: int) -> str:
        """Return a mark for a browser in which this person has just logged in."""
        told = f"{user_id}.{secrets.token_hex(8)}"
        return f"{told}.{self._sign(told)}"

    def known(self, mark: str | None, user_id: int | None) -> str | None:
        """Return the name to count this browser by if its mark is genuine and this person's, else None."""
        if not mark or user_id is None or len(mark) > 200:
            return None
        told, _, signature = mark.rpartition(".")
        if told.split(".")[0] != str(user_id) or not same(signature, self._sign(told)):
            return None
        return told

    def _sign(self, told: str) -> str:
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()
