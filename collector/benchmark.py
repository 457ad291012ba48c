"""How many messages a second are stored and acknowledged, against a bare paho loop that does nothing with them.

One mosquitto on loopback serves both. For each round a publisher of its own process fills the receiver's persistent
session with the whole load; then the receiver, alone in a fresh process, drains it. So neither the publisher nor the
broker's intake is measured, only the receiver. Bare and collecting rounds alternate; the medians are compared.

    python -m collector.benchmark
"""

from __future__ import annotations

import json
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.broker import BrokerAddress
from collector.quarantine import Quarantine
from collector.service import Collector
from facility.database import Database
from facility.errors import ConfigurationError, Problem
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

VALUES: Final = ("voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c")
_MACHINES = 50
_STEP_US = 1_000_000
_PATIENCE_S = 300.0
_KEEP_S = 3600


def find_mosquitto() -> str:
    """Return the path of mosquitto; ConfigurationError, saying how to install it, if there is none."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if found is None:
        raise ConfigurationError(
            [Problem("", 0, "mosquitto", "the broker is not installed; run: sudo apt-get install mosquitto")]
        )
    return found


def run(messages: int = 60_000, rounds: int = 3) -> dict[str, Any]:
    """
    Measure, with `messages` messages of six values each, in `rounds` rounds of both receivers.

    Returns
    -------
    dict
        `messages_per_s` (stored in DuckDB and acknowledged), `bare_paho_per_s`, `ratio` of the two, all by medians;
        `lost` and `duplicated` readings of all rounds, `peak_rss_mb` of the collecting process, and details.

    Raises
    ------
    ConfigurationError
        If mosquitto is not installed.
    """
    bare: list[Mapping[str, Any]] = []
    collected: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="wardwatt-bench-") as name:
        folder = Path(name)
        site_file = _write_site(folder)
        with mosquitto(folder) as port:
            for turn in range(rounds):
                _open_session(port, "bench-bare", "bare")
                _worker("publish", port=port, messages=messages, turn=turn, tree="bare")
                bare.append(_worker("bare", port=port, messages=messages))
                _open_session(port, "bench-collector", "bench")
                _worker("publish", port=port, messages=messages, turn=turn, tree="bench")
                collected.append(
                    _worker("collect", port=port, messages=messages, folder=name, turn=turn, site=str(site_file))
                )
    per_s, bare_per_s = _median(collected, "per_s"), _median(bare, "per_s")
    return {
        "messages_per_s": round(per_s),
        "bare_paho_per_s": round(bare_per_s),
        "ratio": round(per_s / bare_per_s, 3),
        "lost": sum(int(c["lost"]) for c in collected),
        "duplicated": sum(int(c["duplicated"]) for c in collected),
        "peak_rss_mb": max(float(c["peak_rss_mb"]) for c in collected),
        "readings_per_s": round(per_s * len(VALUES)),
        "messages": messages,
        "rounds": rounds,
        "values_per_message": len(VALUES),
        "payload_bytes": len(_payload(0, 0)),
        "left_at_broker": sum(int(c["left_at_broker"]) for c in collected),
        "messages_per_s_rounds": [round(c["per_s"]) for c in collected],
        "bare_paho_per_s_rounds": [round(b["per_s"]) for b in bare],
        # Processor time, all threads: steadier than the clock on a machine that has other work.
        "cpu_us_per_message": round(_median(collected, "cpu_us"), 1),
        "bare_paho_cpu_us_per_message": round(_median(bare, "cpu_us"), 1),
        "messages_per_commit": round(_median(collected, "messages_per_commit")),
    }


def _median(rounds: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(float(one[key]) for one in rounds)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Run a mosquitto on a free loopback port, its files in `folder`; gives the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\npersistence false\n")
    process = subprocess.Popen(
        [find_mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"mosquitto did not start; try: mosquitto -c {config}") from None
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _write_site(folder: Path) -> Path:
    lines = [
        "site: {id: bench, name: {zh: 测试, en: Bench}}",
        "rooms:",
        "  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}",
        "equipment:",
    ]
    for i in range(_MACHINES):
        name = f"{{zh: 馈线{i}, en: Feeder {i}}}"
        lines.append(f"  - {{id: f{i}, class: lv_feeder, room: power-1, rating: {{current: 400 A}}, name: {name}}}")
    path = folder / "site.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _topic(tree: str, number: int) -> str:
    return f"{tree}/power-1/f{number % _MACHINES}/telemetry"


def _payload(number: int, first_us: int) -> bytes:
    wave = [round(230 + (number * 7 + 3 * i) % 100 / 10, 2) for i in range(len(VALUES))]
    return orjson.dumps(
        {"ts": (first_us + number * _STEP_US // _MACHINES) // 1000, **dict(zip(VALUES, wave, strict=True))}
    )


def _first_us(turn: int) -> int:
    # A fixed day of the past year, so that times are believable whenever the benchmark runs.
    day = 86_400_000_000
    return (time.time_ns() // 1000 // day - 300 + turn) * day


def _client(client_id: str, port: int, *, receive_maximum: int | None = None) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = _KEEP_S
    if receive_maximum is not None:
        properties.ReceiveMaximum = receive_maximum
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    return client


def _open_session(port: int, client_id: str, tree: str) -> None:
    """Make the receiver's session and its subscription, so that the broker keeps what is published from now on."""
    client = _client(client_id, port)
    client.on_connect = lambda c, *_: c.subscribe(f"{tree}/#", options=SubscribeOptions(qos=1))
    client.on_subscribe = lambda c, *_: c.disconnect()
    client.loop_forever()


def _worker(role: str, **task: Any) -> Mapping[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "collector.benchmark", role, json.dumps(task)],
        capture_output=True, text=True, timeout=_PATIENCE_S + 60, check=False,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the benchmark's {role} process failed:\n{done.stderr[-2000:]}")
    result: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _publish(port: int, messages: int, turn: int, tree: str) -> dict[str, Any]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-publisher", protocol=mqtt.MQTTv5)
    client.max_inflight_messages = 2_000
    client.connect("127.0.0.1", port)
    client.loop_start()
    first_us = _first_us(turn)
    info = None
    for number in range(messages):
        info = client.publish(_topic(tree, number), _payload(number, first_us), qos=1)
        if number % 10_000 == 9_999:
            info.wait_for_publish(_PATIENCE_S)
    if info is not None:
        info.wait_for_publish(_PATIENCE_S)
    client.disconnect()
    client.loop_stop()
    return {}


def _bare(port: int, messages: int) -> dict[str, Any]:
    """Receive QoS 1 as paho does it by itself: acknowledge each message, do nothing else."""
    seen = 0
    began, ended = (0.0, 0.0), (0.0, 0.0)

    def on_message(client: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal seen, began, ended
        if seen == 0:
            began = time.perf_counter(), time.process_time()
        seen += 1
        if seen == messages:
            ended = time.perf_counter(), time.process_time()
            client.disconnect()

    client = _client("bench-bare", port)
    client.on_message = on_message
    client.loop_forever()
    return {"per_s": messages / (ended[0] - began[0]), "cpu_us": (ended[1] - began[1]) / messages * 1e6}


def _collect(port: int, messages: int, folder: str, turn: int, site: str) -> dict[str, Any]:
    here = Path(folder) / f"round-{turn}"
    here.mkdir()
    database = Database(f"sqlite:///{here}/wardwatt.db")
    database.upgrade()
    plan = load_site(Path(site))
    with open_store(here / "telemetry.duckdb") as store:
        began = (0.0, 0.0)

        def clock() -> int:
            nonlocal began
            if not began[0]:
                began = time.perf_counter(), time.process_time()
            return time.time_ns() // 1000

        collector = Collector(
            plan, store, BrokerAddress("127.0.0.1", port), quarantine=Quarantine(database), client_id="bench-collector",
            data_dir=here, subscriptions=["bench/#"], clock=clock,
        )  # fmt: skip
        collector.start()
        until = time.monotonic() + _PATIENCE_S
        while True:
            status = collector.status()
            if (status.received >= messages and not status.waiting) or time.monotonic() > until:
                break
            time.sleep(0.005)
        took, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        collector.stop()
        status = collector.status()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lost, duplicated = _compare(store, messages, turn)
    return {
        "per_s": messages / took,
        "cpu_us": cpu / messages * 1e6,
        "lost": lost,
        "duplicated": duplicated,
        "peak_rss_mb": round(peak, 1),
        "left_at_broker": _left(port),
        "messages_per_commit": messages / max(1, status.batches),
    }


def _compare(store: TelemetryStore, messages: int, turn: int) -> tuple[int, int]:
    """Return how many readings are missing or wrong, and how many are there twice."""
    first_us = _first_us(turn)
    lost = duplicated = 0
    for machine in range(_MACHINES):
        sent = [orjson.loads(_payload(n, first_us)) for n in range(machine, messages, _MACHINES)]
        times = np.array([p["ts"] * 1000 for p in sent], dtype=np.int64)
        keys = [f"f{machine}/{value}" for value in VALUES]
        stored = store.series(keys, 0, 2**62)
        for key, name in zip(keys, VALUES, strict=True):
            there = stored[key]
            right = dict(zip(times.tolist(), (p[name] for p in sent), strict=True))
            found = dict(zip(there.time_us.tolist(), there.value.tolist(), strict=True))
            lost += sum(1 for at, value in right.items() if found.get(at) != value)
            duplicated += len(there) - len(found) + sum(1 for at in found if at not in right)
    return lost, duplicated


def _left(port: int) -> int:
    """Return how many messages the broker still holds for the collector, not knowing them as acknowledged."""
    left = 0

    def on_message(_client: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal left
        left += 1

    client = _client("bench-collector", port)
    client.on_message = on_message
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        client.loop(0.05)
    client.disconnect()
    return left


_ROLES: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {"publish": _publish, "bare": _bare, "collect": _collect}


if __name__ == "__main__":
    outcome = _ROLES[sys.argv[1]](**json.loads(sys.argv[2])) if len(sys.argv) > 2 else run()
    print(json.dumps(outcome))  # noqa: T201 - this is how the processes talk
