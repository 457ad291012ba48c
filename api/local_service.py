"""How commands on this machine reach the service that runs with a data folder: its address, and a key for this run.

Whoever may read the data folder may read everything that Wardwatt knows; so the key, which lies in that folder for the
service's own account alone, gives no more than that. It is good for the store's routes only, and for one run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.security.secret_words import new_secret

_FILE: Final = "service.json"
_MARK: Final = "wwl_"
NAME: Final = "command"  # as the audit trail calls whoever works with commands on this machine


@dataclass(frozen=True, slots=True)
class LocalService:
    """
    A service on this machine.

    Attributes
    ----------
    url : where it answers
    key : proves that a request comes from somebody who may read the data folder
    store : the DuckDB file that it holds, from the root; empty where its store is a server
    """

    url: str
    key: str = field(repr=False)
    store: str


@contextmanager
def announced(data: Path, host: str, port: int, store: str) -> Iterator[str]:
    """Let commands find the service while it runs; gives the key that they bring."""
    key = _MARK + new_secret()
    reached = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104 - compared, not bound
    url = f"http://{reached or (f'[{host}]' if ':' in host else host)}:{port}"
    path = data / _FILE
    part = path.with_name(f"{_FILE}.part")
    part.unlink(missing_ok=True)
    # Readable for the service's own account alone, from its first byte on.
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": url, "key": key, "store": store}, file)
    part.replace(path)
    try:
        yield key
    finally:
        found = local_service(data)
        if found is not None and found.key == key:
            path.unlink(missing_ok=True)


def local_service(data: Path) -> LocalService | None:
    """Return the service that said it runs with this data folder; after a kill -9 it may be gone."""
    try:
        told = json.loads((data / _FILE).read_text(encoding="utf-8"))
        return LocalService(str(told["url"]), str(told["key"]), str(told["store"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
