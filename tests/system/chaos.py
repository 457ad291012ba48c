"""
Everything that can go wrong on a bad day, at random moments, while gateways publish: is every reading stored once?

A real mosquitto with persistence, a real `wardwatt collect` behind a network that can be cut, a real DuckDB file or a
real influxd, and a data folder on a small disk of its own. The short run is a system test, the long one `make soak`.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import chaos_publisher as publisher
import numpy as np
import psutil
from harness import WARDWATT, eventually
from proxy import Network

from facility.errors import StoreUnavailable
from facility.store.opening import open_store

_DISK_MB = 256
_ROUNDS = 20  # of waiting for the backlog to drain
SITE = (
    "site: {id: chaos, name: {zh: 混沌, en: Chaos}, time_zone: UTC}\n"
    "rooms:\n  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}\n"
    "equipment:\n"
    + "".join(
        f"  - {{id: f{i}, class: lv_feeder, room: power-1, rating: {{current: 400 A}}, "
        f"name: {{zh: 馈线{i}, en: F{i}}}}}\n"
        for i in range(publisher.MACHINES)
    )
    + "  - id: bare\n    class: lv_feeder\n    room: power-1\n    rating: {current: 400 A}\n"
    "    name: {zh: 单值表, en: Bare meter}\n"
    '    telemetry: {gateway: gw, topic: "field/meter/{point}", format: plain, points: {voltage_a: U1}}\n'
)


@dataclass
class Plan:
    """How long and how rough: `events` says how often each kind of trouble comes."""

    messages: int
    a_second: int = 2_000
    seed: int = field(default_factory=lambda: int(os.environ.get("CHAOS_SEED") or random.randrange(10**6)))
    events: Counter = field(default_factory=Counter)
    disk_full_s: float = 3.0
    store_away_s: float = 5.0


@contextmanager
def small_disk(folder):
    """Give a folder on a disk of its own of 256 MB, which the test can fill. Needs the right to mount."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Chaos:
    """One run; `store` is None for DuckDB in the data folder, or an Influxd of the tests and a database's name."""

    def __init__(self, plan, folder, data, broker, influxd=None):
        self.plan, self.folder, self.data, self.broker, self.influxd = plan, folder, data, broker, influxd
        self.random = random.Random(plan.seed)
        self.site = folder / "site.yaml"
        self.site.write_text(SITE, encoding="utf-8")
        self.network = Network(broker.port)
        self.log = folder / "collector.log"
        self.process = None
        self.starts = 0  # how often the log will have said so once the collector that was started last collects
        self.peak_rss_mb = 0.0
        self.done = Counter()
        self.start_ms = int(time.time() * 1000)

    @property
    def store(self):
        return self.influxd.url("chaos") if self.influxd else str(self.data / "telemetry.duckdb")

    def run(self):
        """Return the figures; nothing is asserted here."""
        began = time.monotonic()
        self._start()
        self._await_start()
        time.sleep(2)  # the session must be there before the first message
        stream = subprocess.Popen(
            [sys.executable, Path(publisher.__file__), str(self.broker.port), str(self.plan.messages),
             str(self.plan.a_second), str(self.start_ms)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            self._trouble()
            out, err = stream.communicate(timeout=self.plan.messages / self.plan.a_second + 300)
        finally:
            stream.kill()
        assert stream.returncode == 0, err
        found = self._drained()
        self.network.close()
        return {
            "keeper": "InfluxDB" if self.influxd else "DuckDB",
            "seed": self.plan.seed,
            **json.loads(out),
            "readings": sum(self._expected().values()),
            **found,
            "trouble": dict(self.done),
            "peak_rss_mb": round(self.peak_rss_mb),
            "took_s": round(time.monotonic() - began),
        }

    # Trouble ----------------------------------------------------------------------------------------------------

    def _trouble(self):
        events = list(self.plan.events.elements())
        self.random.shuffle(events)
        pause = self.plan.messages / self.plan.a_second / (len(events) + 1)
        for name in events:
            time.sleep(self.random.uniform(0.4, 1.2) * pause)
            getattr(self, name)()
            self.done[name] += 1

    def kill_collector(self):
        self._watch_memory()
        self.process.kill()
        self.process.wait()
        time.sleep(self.random.uniform(0, 1))
        self._start()

    def restart_broker(self):
        self.broker.stop()
        time.sleep(self.random.uniform(0, 1))
        self.broker.start()

    def cut_connections(self):
        self.network.cut()

    def network_down(self):
        self.network.down()
        time.sleep(2)
        self.network.up()

    def fill_disk(self):
        filler = self.data / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65_536))
            except OSError:
                pass
        time.sleep(self.plan.disk_full_s)
        self._watch_memory()
        filler.unlink()

    def store_away(self):
        self.influxd.kill()
        time.sleep(self.plan.store_away_s)
        self._watch_memory()
        self.influxd.start()

    # The collector ----------------------------------------------------------------------------------------------

    def _start(self):
        self.starts = self.log.read_text().count("\nCollecting") + 1 if self.log.exists() else 1
        arguments = ["--store", self.store] if self.influxd else []
        with self.log.open("a") as log:
            log.write("\n")
            log.flush()
            self.process = subprocess.Popen(
                [WARDWATT, "collect", "--site", self.site, "--data", self.data, "--broker",
                 f"mqtt://{self.broker.USER}:{self.broker.PASSWORD}@127.0.0.1:{self.network.port}", *arguments],
                stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def _await_start(self):
        """Wait until the collector that was started last says that it collects."""
        eventually(
            lambda: self.log.read_text().count("\nCollecting") >= self.starts, 60, "the collector does not start"
        )

    def _stop(self):
        self.process.terminate()
        self.process.wait(60)

    def _watch_memory(self):
        with suppress(psutil.NoSuchProcess):
            self.peak_rss_mb = max(self.peak_rss_mb, psutil.Process(self.process.pid).memory_info().rss / 2**20)

    # The reckoning ----------------------------------------------------------------------------------------------

    def _expected(self):
        """Return how many readings each point must have."""
        turns, rest = divmod(self.plan.messages, publisher.MACHINES + 1)
        expected = {
            f"f{machine}/{name}": turns + (machine < rest)
            for machine in range(publisher.MACHINES)
            for name in publisher.VALUES
        }
        return {**expected, "bare/voltage_a": turns}

    def _drained(self):
        """Let the collector work off what is left, stopping it in order now and then to look; return the verdict."""
        for _ in range(_ROUNDS):
            self._await_start()
            time.sleep(4)
            self._watch_memory()
            self._stop()
            verdict = self._verdict()
            if verdict is not None and not verdict["lost"]:
                return verdict
            self._start()
        self._stop()
        return self._verdict()

    def _verdict(self):
        try:
            with open_store(self.store) as store:
                series = store.series(list(self._expected()), 0, 2**62)
        except StoreUnavailable:
            return None
        lost = wrong = extra = 0
        turns, rest = divmod(self.plan.messages, publisher.MACHINES + 1)
        for machine in range(publisher.MACHINES):
            numbers = [t * (publisher.MACHINES + 1) + machine for t in range(turns + (machine < rest))]
            times = [publisher.time_ms(t, self.start_ms) * 1000 for t in range(len(numbers))]
            sent = [publisher.values(n) for n in numbers]
            for name in publisher.VALUES:
                there = series[f"f{machine}/{name}"]
                found = dict(zip(there.time_us.tolist(), there.value.tolist(), strict=True))
                right = {at: values[name] for at, values in zip(times, sent, strict=True)}
                lost += len(right.keys() - found.keys())
                wrong += sum(found[at] != value for at, value in right.items() if at in found)
                extra += len(found.keys() - right.keys()) + len(there) - len(found)
        bare = Counter(np.round(series["bare/voltage_a"].value, 3).tolist())
        wanted = {publisher.bare_value(turn) for turn in range(turns)}
        return {
            "lost": lost + len(wanted - bare.keys()),
            "wrong": wrong,
            "extra": extra + len(bare.keys() - wanted),
            "doubled": sum(count - 1 for count in bare.values()),
        }
