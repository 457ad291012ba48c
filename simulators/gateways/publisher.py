"""Runs a hospital at the speed of the clock, and lets its gateways publish it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from simulators.gateways.commands import command_topic, obey
from simulators.gateways.edge_node import EdgeNode, edge_nodes
from simulators.gateways.gateway import Gateway, GatewayStatus, MessageGateway
from simulators.gateways.reporting import Reporter, reporters
from simulators.gateways.trouble import WELL, troubles
from simulators.hospital import Hospital
from simulators.link import Broker, make_client

log = logging.getLogger(__name__)

_US: Final = 1_000_000


class Publisher:
    """
    Runs a hospital at the speed of the clock and publishes it through its gateways, in threads of its own.

    It also listens on `simulator/<site>/command`, which lies outside the site's own topics, for faults to switch:
    `{"fault": "MG-F02", "equipment": "oz-icu", "on": true, "severity": 0.8}`, and for repairs:
    `{"repair": "oz-icu", "note": "valve opened"}`.
    """

    def __init__(
        self, hospital: Hospital, broker: Broker, clock: Callable[[], int] = time.time_ns, client_prefix: str = "sim"
    ) -> None:
        self._hospital = hospital
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        site, seed = hospital.site, hospital.seed
        behind: dict[str, list[Reporter]] = {}
        for reporter in reporters(site):
            behind.setdefault(reporter.gateway, []).append(reporter)
        prefix = f"{client_prefix}-{site.id}"
        self._gateways: list[Gateway] = [
            MessageGateway(name, machines, broker, f"{prefix}-{name}", seed) for name, machines in behind.items()
        ]
        host = site.sparkplug.host_id
        for plan in edge_nodes(site):
            self._gateways.append(EdgeNode(plan, broker, f"{prefix}-{plan.group}-{plan.node}", seed, host))
        self.command_topic = command_topic(site)
        self._desk = make_client(broker, f"{prefix}-desk", 10)
        self._desk.on_connect = lambda client, *_: client.subscribe(self.command_topic, qos=1)
        self._desk.on_message = lambda _client, _data, message: self._command(message.payload)

    def start(self) -> None:
        """Begin to publish; a broker that is away is waited for."""
        if self._thread is not None:
            return
        self._desk.loop_start()
        for gateway in self._gateways:
            gateway.start()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop publishing, let what is under way arrive, and disconnect; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        thread.join(timeout_s)
        until = time.monotonic() + min(1.0, timeout_s)
        while time.monotonic() < until and any(g.is_writing for g in self._gateways):
            time.sleep(0.02)
        for gateway in self._gateways:
            gateway.stop()
        self._desk.disconnect()
        self._desk.loop_stop()

    def status(self) -> Mapping[str, GatewayStatus]:
        """Return how each connection does, by the name of its gateway or edge node."""
        return {g.name: g.status for g in self._gateways}

    def _run(self) -> None:
        second = self._clock() // 1_000_000_000
        while not self._stop.is_set():
            now_ns = self._clock()
            if now_ns // 1_000_000_000 <= second:
                self._stop.wait(max(0.001, (second + 1) - now_ns / 1e9))
                continue
            second = now_ns // 1_000_000_000
            try:
                self._publish(second)
            except Exception:
                # One bad second must not silence the hospital; the next one is tried.
                log.exception("simulator step failed", extra={"second": second})

    def _publish(self, second: int) -> None:
        values = self._hospital.step(second * _US)
        suffering = troubles(self._hospital.book, second * _US)
        for gateway in self._gateways:
            gateway.tick(second, values, suffering.get(gateway.id, WELL))

    def _command(self, payload: bytes | bytearray) -> None:
        try:
            obey(self._hospital, payload)
        except (ValueError, TypeError, KeyError) as error:
            # Anyone on the broker may write here; what is wrong is told and changes nothing.
            log.warning("command refused", extra={"topic": self.command_topic, "why": str(error) or repr(error)})
