"""A collector in a process of its own, made to be killed. Started by test_collector.py."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from collector.broker import BrokerAddress, EmbeddedBroker
from collector.quarantine import Quarantine
from collector.service import Collector, expected_sessions
from collector.sparkplug.births import Births
from facility.database import Database
from facility.site_file import load_site
from facility.store.opening import open_store
from facility.store.spooled import SpooledStore


class DyingStore:
    """The real store, whose process is killed right after a given number of writes: stored, not yet acknowledged."""

    def __init__(self, inner: Any, writes: int) -> None:
        self._inner = inner
        self._writes = writes

    def write(self, batch: Any) -> None:
        self._inner.write(batch)
        self._writes -= 1
        if self._writes == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    task = json.loads(sys.argv[1])
    folder = Path(task["folder"])
    database = Database(f"sqlite:///{folder}/wardwatt.db")
    database.upgrade()
    site = load_site(Path(task["site"]))
    store: Any = SpooledStore(
        lambda: open_store(task.get("store") or folder / "telemetry.duckdb"), folder / "spool", table=site.points
    )
    if task.get("embedded"):
        broker = EmbeddedBroker(port=task["embedded"], data_dir=folder, sessions=expected_sessions(site))
        broker.start()
    collector = Collector(
        site, DyingStore(store, task["writes"]) if task["writes"] else store,
        BrokerAddress.parse(task["broker"]), quarantine=Quarantine(database), data_dir=folder,
        share=task.get("share"), client_id=task.get("client_id"),
        births=Births(database),
    )  # fmt: skip
    collector.start()
    while True:
        print(json.dumps({"stored": collector.status().stored, "connected": collector.status().connected}), flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
