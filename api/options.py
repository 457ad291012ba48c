"""What a service is started with: where its site, data, broker, store and database are."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from facility.equipment_classes import CLASSES_FOLDER, ClassLibrary, load_classes
from facility.site import Site
from facility.site_file import load_site

ROOT: Final = Path(__file__).parent.parent
DEMO_SITE: Final = ROOT / "examples" / "demo"


@dataclass(frozen=True, slots=True)
class Options:
    """
    Where a service finds its parts.

    Attributes
    ----------
    site : the site file, or its folder
    data : folder for everything that the service writes
    broker : MQTT URL; None: an embedded broker on loopback
    store, database : None: files in the data folder
    host, port : where the pages are served
    classes : folders with equipment classes of the hospital's own
    hosts : names by which browsers reach the pages, besides this machine's own
    https : browsers come through https (a proxy in front)
    """

    site: Path
    data: Path
    broker: str | None = None
    store: str | None = None
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    classes: tuple[Path, ...] = field(default=())
    hosts: tuple[str, ...] = field(default=())
    https: bool = False

    @property
    def store_url(self) -> str | Path:
        """Return the store as named, or the embedded one in the data folder."""
        return self.store or self.data / "telemetry.duckdb"

    @property
    def database_url(self) -> str:
        """Return the relational database as named, or the SQLite file in the data folder."""
        return self.database or f"sqlite:///{(self.data / 'wardwatt.db').absolute()}"

    def library(self) -> ClassLibrary:
        """Return the equipment classes; raises ConfigurationError with every mistake."""
        return load_classes([CLASSES_FOLDER, *self.classes])

    def load_site(self) -> Site:
        """Return the site; raises ConfigurationError with every mistake."""
        return load_site(self.site, self.library())


@dataclass(frozen=True, slots=True)
class BrokerSecret:
    """Address and login of the embedded broker, as it lies in the data folder for the commands that publish to it."""

    port: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """Return the URL that a client connects with."""
        return f"mqtt://{self.user}:{self.password}@127.0.0.1:{self.port}"


def broker_secret(data: Path, port: int) -> BrokerSecret:
    """Return the embedded broker's login, made at the first start; the port is that of the last start."""
    known = read_broker_secret(data)
    secret = BrokerSecret(port, "wardwatt", known.password if known else secrets.token_urlsafe(18))
    path = data / "broker.json"
    content = json.dumps({"port": secret.port, "user": secret.user, "password": secret.password})
    # Readable for the service's own account alone, from its first byte on.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    return secret


def read_broker_secret(data: Path) -> BrokerSecret | None:
    """Return the embedded broker's login, or None where none has ever run with this data folder."""
    try:
        content = json.loads((data / "broker.json").read_text(encoding="utf-8"))
        return BrokerSecret(int(content["port"]), str(content["user"]), str(content["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
