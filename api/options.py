"""What a service is started with: where its site, data, broker, store and database are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from collector.broker import BrokerAddress
from facility.equipment_classes import CLASSES_FOLDER, ClassLibrary, load_classes, load_library
from facility.errors import ConfigurationError, Problem
from facility.site import Site
from facility.site_file import load_site
from facility.store.spool import SpoolSettings

ROOT: Final = Path(__file__).parent.parent
LARGE_SITE: Final = ROOT / "examples" / "hospital"
SMALL_SITE: Final = ROOT / "examples" / "small"
DEMO_SITE: Final = LARGE_SITE


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
    spool : how much disk readings may take while their store is away
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
    spool: SpoolSettings = field(default_factory=SpoolSettings)

    @property
    def store_url(self) -> str | Path:
        """Return the store as named, or the embedded one in the data folder."""
        return self.store or self.data / "telemetry.duckdb"

    @property
    def store_file(self) -> str:
        """Return the DuckDB file that is the store, from the root; empty where the store is a server."""
        text = str(self.store_url)
        return "" if text.startswith("influx") else str(Path(text.removeprefix("duckdb:///")).absolute())

    @property
    def database_url(self) -> str:
        """Return the relational database as named, or the SQLite file in the data folder."""
        return self.database or f"sqlite:///{(self.data / 'wardwatt.db').absolute()}"

    def library(self) -> ClassLibrary:
        """Return the equipment classes; raises ConfigurationError with every mistake."""
        return load_classes([CLASSES_FOLDER, *self.classes]) if self.classes else load_library()

    def load_site(self) -> Site:
        """Return the site; raises ConfigurationError with every mistake."""
        return load_site(self.site, self.library())


def write_broker_url(data: Path, url: str) -> None:
    """Note where the embedded broker of the running service is, for the commands that publish to it."""
    # Readable for the service's own account alone, from its first byte on: the URL holds the password.
    with os.fdopen(os.open(data / "broker.url", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(url + "\n")


def read_broker_url(data: Path) -> str | None:
    """Return the URL of the embedded broker, or None where none has ever run with this data folder."""
    try:
        return (data / "broker.url").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def broker_address(url: str) -> BrokerAddress:
    """Read a broker's URL; ConfigurationError tells what is wrong with it."""
    try:
        return BrokerAddress.parse(url)
    except ValueError as error:
        raise ConfigurationError([Problem("", 0, "--broker", str(error))]) from None
