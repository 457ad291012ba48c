"""A site whose feeders report as Sparkplug, and an edge node made with somebody else's library."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facility.site import Site
from facility.site_file import load_site

PUBLISHER = "pysparkplug==0.6.1"
HERE = Path(__file__).parent

SITE = """
site: {id: demo, name: {zh: 示范医院, en: Demo Hospital}, time_zone: Asia/Shanghai}
sparkplug: {host_id: wardwatt-demo}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}
equipment:
  - id: f1
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    telemetry:
      gateway: gw-1
      format: sparkplug
      group: Hospital
      node: edge-1
      device: dev-7
      points:
        voltage_a: Electrical/Voltage A
        current_a: {key: Electrical/Current A, scale: 0.1}
        active_power: {key: Electrical/Power, unit: W}
        breaker_closed: {key: Breaker, states: {closed: 1, open: 0}}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One feeder, which reports as a device of a Sparkplug edge node."""
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return load_site(path)


@pytest.fixture(scope="session")
def publisher_python() -> Path:
    """The Python of an environment with the publisher's library, made once and kept in a temporary folder."""
    name = hashlib.blake2b(f"{PUBLISHER} {sys.version}".encode(), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"wardwatt-sparkplug-{name}"
    python = folder / "bin" / "python"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        if not (folder / "complete").exists():
            venv.create(folder, with_pip=True, clear=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PUBLISHER]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.fail(
                    f"{PUBLISHER} cannot be installed for the test; is a package index reachable?\n{done.stderr}"
                )
            (folder / "complete").touch()
    return python


class EdgeNode:
    """A running edge node, commanded over a pipe."""

    def __init__(self, python: Path, port: int, bd_seq: int) -> None:
        command = [str(python), str(HERE / "edge_node.py"), str(port), str(bd_seq)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def do(self, what: str, **more: Any) -> Any:
        """Carry out a command, and return the node's answer."""
        self._say(what, more)
        return self._answer()

    def send(self, values: dict[str, Any], **more: Any) -> None:
        """Send data of the device."""
        self.do("data", values=values, **more)

    @property
    def rebirths(self) -> int:
        """How many rebirths were asked of it."""
        return int(self.do("tell")["rebirths"])

    def vanish(self) -> None:
        """End without a word: the broker sends the will."""
        self._say("vanish", {})
        self._process.wait(20)

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(20)

    def _say(self, what: str, more: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the edge node has ended"
        return json.loads(line)


@pytest.fixture
def edge_node(publisher_python: Path, mosquitto: Any) -> Iterator[Callable[..., EdgeNode]]:
    """Start edge nodes at the test's broker; they are ended with the test."""
    made: list[EdgeNode] = []

    def start(bd_seq: int = 0) -> EdgeNode:
        made.append(EdgeNode(publisher_python, mosquitto.port, bd_seq))
        return made[-1]

    yield start
    for one in made:
        one.close()
