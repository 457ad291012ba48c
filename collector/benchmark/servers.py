"""The real servers that a benchmark runs against, each on a free loopback port with its files in one folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from facility.errors import ConfigurationError, Problem

_PLACES: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin:/opt/homebrew/bin"
_INFLUXD: Final = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "error"
"""


def find_mosquitto() -> str:
    """Return the path of mosquitto; ConfigurationError, saying how to install it, if there is none."""
    found = _find("mosquitto")
    if found is None:
        raise ConfigurationError(
            [Problem("", 0, "mosquitto", "the broker is not installed; run: sudo apt-get install mosquitto")]
        )
    return found


def find_influxd() -> str | None:
    """Return the path of InfluxDB's server, or None where it is not installed."""
    return _find("influxd")


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_PLACES)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Run a mosquitto that keeps every message; gives its port."""
    (port,) = _free_ports(1)
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\npersistence false\n")
    with _running([find_mosquitto(), "-c", str(config)], port):
        yield port


@contextmanager
def influxd(program: str, folder: Path) -> Iterator[int]:
    """Run an InfluxDB server that asks nobody for a password; gives its port."""
    port, backup_port = _free_ports(2)
    folder.mkdir()
    config = folder / "influxd.conf"
    config.write_text(_INFLUXD.format(folder=folder, port=port, backup_port=backup_port))
    with _running([program, "run", "-config", str(config)], port):
        yield port


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} did not start; try: {' '.join(command)}") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
