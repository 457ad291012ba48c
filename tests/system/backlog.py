"""A collector that was away finds a backlog at the broker, and drains it in bounded memory."""

import os
import subprocess
import time
from pathlib import Path

from harness import WARDWATT, eventually

from collector.benchmark import load, receivers
from collector.benchmark.servers import mosquitto
from facility.store.opening import open_store

CLIENT = "wardwatt-bench"


def drain(folder, messages):
    """Publish so many messages to the session of a collector that is away, start it, and return the figures."""
    site = load.write_site(folder)
    data = folder / "data"
    broker_folder = folder / "mosquitto"
    broker_folder.mkdir()
    with mosquitto(broker_folder) as port:
        receivers.open_session(port, CLIENT, "bench/#")
        load.fill(port, messages, 0, "bench")
        log = (folder / "collector.log").open("w")
        began = time.monotonic()
        process = subprocess.Popen(
            [WARDWATT, "collect", "--site", site, "--data", data, "--broker", f"mqtt://127.0.0.1:{port}"],
            stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            # The file grows while there is something to store; when it has not for a while, all is there.
            sizes = []

            def quiet():
                assert process.poll() is None, (folder / "collector.log").read_text()
                sizes.append(_io(process.pid))
                time.sleep(0.5)
                return len(sizes) > 10 and sizes[-1] == sizes[-6] and sizes[-1] > sizes[0]

            eventually(quiet, 60 + messages / 2_000, "the backlog is not drained")
            took = time.monotonic() - began - 3.0
            peak = _peak_mb(process.pid)
        finally:
            process.terminate()
            process.wait(60)
    with open_store(data / "telemetry.duckdb", read_only=True) as store:
        lost, duplicated = load.compare([store], messages, 0)
    return {
        "messages": messages,
        "lost": lost,
        "duplicated": duplicated,
        "peak_rss_mb": round(peak),
        "messages_a_second": round(messages / took),
    }


def _io(pid):
    """Return how many bytes a process has written so far."""
    return int(Path(f"/proc/{pid}/io").read_text().split("wchar:")[1].split()[0])


def _peak_mb(pid):
    """Return the most memory that a process has held."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
