"""Rounds of receivers side by side, and the figures that come of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from collector.benchmark import load, receivers
from collector.benchmark.servers import find_influxd, influxd, mosquitto
from facility.store.opening import open_store

ROLES: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = {"bare": receivers.bare, "collect": receivers.collect}
_ROOT: Final = Path(__file__).parent.parent.parent
_SHARERS: Final = 2


def run(messages: int = 100_000, rounds: int = 3) -> dict[str, Any]:
    """
    Measure, with `messages` messages of six values each, in `rounds` rounds of all receivers.

    Returns
    -------
    dict
        `messages_per_s` (stored in DuckDB and acknowledged by one process), `bare_paho_per_s`, `ratio` of the two, all
        by medians; the same for `two_processes` that share a subscription, each with a DuckDB file of its own, and
        for `influxdb` (one process; None where the server is not installed); `lost` and `duplicated` readings of all
        rounds of all receivers, `peak_rss_mb` of the largest collecting process, and details.

    Raises
    ------
    ConfigurationError
        If mosquitto is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="wardwatt-bench-") as name, mosquitto(Path(name)) as port:
        bench = _Bench(Path(name), port, messages)
        bare, one, two = [], [], []
        for turn in range(rounds):
            bare.append(bench.bare(turn))
            one.append(bench.collect(turn, f"one-{turn}"))
            two.append(bench.collect(rounds + turn, f"two-{turn}", _SHARERS))
        influx, program = [], find_influxd()
        if program is not None:
            with influxd(program, Path(name) / "influxd") as influx_port:
                for turn in range(rounds):
                    url = f"influxdb://127.0.0.1:{influx_port}/bench{turn}"
                    influx.append(bench.collect(2 * rounds + turn, f"influx-{turn}", url=url))
    per_s, bare_per_s = _median(one, "per_s"), _median(bare, "per_s")
    every = [*one, *two, *influx]
    return {
        "messages_per_s": round(per_s),
        "bare_paho_per_s": round(bare_per_s),
        "ratio": round(per_s / bare_per_s, 3),
        "lost": sum(int(r["lost"]) for r in every),
        "duplicated": sum(int(r["duplicated"]) for r in every),
        "peak_rss_mb": max(float(r["peak_rss_mb"]) for r in every),
        "two_processes": _summary(two, bare_per_s),
        "influxdb": _summary(influx, bare_per_s) if influx else None,
        "readings_per_s": round(per_s * len(load.VALUES)),
        "messages": messages,
        "rounds": rounds,
        "values_per_message": len(load.VALUES),
        "payload_bytes": len(load.payload(0, 0)),
        "left_at_broker": sum(int(r["left_at_broker"]) for r in every),
        "messages_per_s_rounds": [round(r["per_s"]) for r in one],
        "bare_paho_per_s_rounds": [round(r["per_s"]) for r in bare],
        # Processor time, all threads: steadier than the clock on a machine that has other work.
        "cpu_us_per_message": round(_median(one, "cpu_us"), 1),
        "bare_paho_cpu_us_per_message": round(_median(bare, "cpu_us"), 1),
        "messages_per_commit": round(_median(one, "messages_per_commit")),
    }


class _Bench:
    """A broker, a site and a load; each method publishes the load and lets receivers drain it."""

    def __init__(self, folder: Path, port: int, messages: int) -> None:
        self._folder, self._port, self._messages = folder, port, messages
        self._site = load.write_site(folder)

    def bare(self, turn: int) -> Mapping[str, Any]:
        receivers.open_session(self._port, "bench-bare", "bare/#")
        load.fill(self._port, self._messages, turn, "bare")
        return _worker("bare", port=self._port, messages=self._messages)

    def collect(self, turn: int, name: str, processes: int = 1, url: str | None = None) -> Mapping[str, Any]:
        """Let one process collect, or several that share the load; they store in files of their own, or at `url`."""
        names = [f"{name}-{i}" for i in range(processes)]
        stores = [url or str(self._folder / f"{one}.duckdb") for one in names]
        topic_filter = "$share/sharers/bench/#" if processes > 1 else "bench/#"
        for one in names:
            receivers.open_session(self._port, one, topic_filter)
        load.fill(self._port, self._messages, turn, "bench")

        def collect(one: str, store: str) -> Mapping[str, Any]:
            return _worker(
                "collect", port=self._port, messages=self._messages, folder=str(self._folder), name=one,
                topic_filter=topic_filter, site=str(self._site), store=store,
            )  # fmt: skip

        with ThreadPoolExecutor(processes) as pool:
            done = list(pool.map(collect, names, stores))
        for one in names:
            receivers.close_session(self._port, one)
        opened = [open_store(store, read_only=url is None) for store in dict.fromkeys(stores)]
        lost, duplicated = load.compare(opened, self._messages, turn)
        for store in opened:
            store.close()
        took = max(d["ended"] for d in done) - min(d["began"] for d in done if d["received"])
        return {
            "per_s": self._messages / took,
            "cpu_us": sum(d["cpu_us"] * d["received"] for d in done) / self._messages,
            "lost": lost,
            "duplicated": duplicated,
            "peak_rss_mb": max(d["peak_rss_mb"] for d in done),
            "left_at_broker": sum(d["left_at_broker"] for d in done),
            "messages_per_commit": statistics.mean(d["messages_per_commit"] for d in done),
            "received": [d["received"] for d in done],
        }


def _summary(rounds: Sequence[Mapping[str, Any]], bare_per_s: float) -> dict[str, Any]:
    per_s = _median(rounds, "per_s")
    return {
        "messages_per_s": round(per_s),
        "ratio": round(per_s / bare_per_s, 3),
        "cpu_us_per_message": round(_median(rounds, "cpu_us"), 1),
        "peak_rss_mb": max(float(r["peak_rss_mb"]) for r in rounds),
        "messages_per_s_rounds": [round(r["per_s"]) for r in rounds],
        "received": rounds[-1]["received"],
    }


def _median(rounds: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(float(one[key]) for one in rounds)


def _worker(role: str, **task: Any) -> Mapping[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "collector.benchmark", role, json.dumps(task)],
        capture_output=True, text=True, timeout=receivers.PATIENCE_S + 60, check=False, cwd=_ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the benchmark's {role} process failed:\n{done.stderr[-2000:]}")
    result: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
