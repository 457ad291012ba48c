"""Which way a command reaches a store: through the service that holds it, or by opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from api.local_service import local_service
from api.service_store import ServiceStore
from api.store_info import info_of
from facility.errors import ConfigurationError, Problem, StoreHeld
from facility.store import TelemetryStore
from facility.store.influx_address import without_secret
from facility.store.opening import open_store

EMBEDDED: Final = "telemetry.duckdb"


@dataclass(frozen=True, slots=True)
class Reached:
    """
    A store, and how it was reached.

    Attributes
    ----------
    store : the keeper itself, or the running service that is asked
    way : in words, for the person at the command line
    """

    store: TelemetryStore | ServiceStore
    way: str

    def info(self) -> dict[str, Any]:
        """Return what the store is and holds."""
        return self.store.info() if isinstance(self.store, ServiceStore) else info_of(self.store)

    @property
    def keeper(self) -> Literal["duckdb", "influxdb"]:
        """Return which kind of keeper it is."""
        return "duckdb" if self.info()["keeper"] == "duckdb" else "influxdb"


def store_file(store: str | Path | None, data: Path) -> Path | None:
    """Return the DuckDB file that a setting names, from the root; None where it names a server."""
    text = str(store) if store is not None else str(data / EMBEDDED)
    return None if text.startswith("influx") else Path(text.removeprefix("duckdb:///")).absolute()


def running_service(data: Path, store: str | Path | None) -> ServiceStore | None:
    """Return the running service whose store is meant: the one named, or, if none is named, whatever it works with."""
    service = local_service(data)
    if service is None:
        return None
    wanted = None if store is None else store_file(store, data)
    if store is not None and (wanted is None or not service.store or wanted.resolve() != Path(service.store).resolve()):
        return None
    asked = ServiceStore(service)
    return asked if asked.running() else None


@contextmanager
def reached(
    data: Path,
    store: str | Path | None,
    *,
    write: bool = False,
    makes: Literal["never", "named"] = "never",
    zone: str | None = None,
    origin: str = "",
) -> Iterator[Reached]:
    """
    Reach a store: through the running service if it holds it, else by opening it.

    Parameters
    ----------
    store : path or URL; None: that of the service with this data folder, else the DuckDB file in it
    write : readings are to be changed
    makes : whether a DuckDB file that is not there is made; `named`: only one that `store` names
    zone : whose midnights begin the days of roll-ups, where the store is made
    origin : what is written, for the audit trail

    Raises
    ------
    ConfigurationError
        If the store is not there, or is none.
    StoreHeld
        If a process that serves no API holds it.
    """
    service = running_service(data, store)
    if service is not None:
        yield Reached(ServiceStore(service.service, origin), f"Asking the running service at {service.service.url}.")
        return
    place = store if store is not None else data / EMBEDDED
    file = store_file(store, data)
    if file is not None and not file.exists() and (makes == "never" or store is None):
        mend = "name the service's data folder with --data, or the store with --store"
        if makes == "named":
            mend += f"; to make a new one, say --store {file}"
        raise ConfigurationError([Problem("", 0, "store", f"there is no {file}; {mend}")])
    shown = without_secret(str(place))
    try:
        opened = open_store(place, zone=zone, read_only=not write)
    except StoreHeld as error:
        raise StoreHeld(
            f"{error}. That process serves no pages with this data folder, so it cannot be asked: name its --data, or "
            "stop it"
        ) from error
    with opened:
        yield Reached(opened, f"Asking {shown}." if file is None else f"Opening {shown}; no service runs with it.")
