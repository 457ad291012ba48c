"""What a Prometheus server may scrape: how the service fares, in counters and gauges that cost nothing to read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.tables import AlertRow, FindingRow, TicketRow
from api.context import Context
from api.health_state import count_machines, health_state
from api.streams import Streams
from facility.errors import StoreUnavailable

_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one application, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, context: Context, streams: Streams) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "wardwatt_http_requests_total",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "wardwatt_http_request_seconds",
            "Time to answer a request, event streams left out.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(PlantMetrics(context, streams))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them; asks the database, so call it on a worker thread."""
        return generate_latest(self.registry)


class PlantMetrics(Collector):
    """Figures that other parts keep already; read when somebody asks."""

    def __init__(self, context: Context, streams: Streams) -> None:
        self.context = context
        self.streams = streams

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry must not read the plant while it is being made."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the figures as they stand now."""
        yield from self._live()
        yield from self._data_health()
        try:
            yield from self._desk()
            database = 1
        except StoreUnavailable:
            database = 0
        yield GaugeMetricFamily("wardwatt_database_available", "1 if the relational database can be read.", database)
        yield GaugeMetricFamily("wardwatt_event_streams", "Event streams open.", self.streams.open)
        yield CounterMetricFamily(
            "wardwatt_event_streams_dropped", "Event streams dropped for reading too slowly.", self.streams.dropped
        )
        yield from self._spool()
        status = self.context.collector_state()
        if status is not None:
            yield GaugeMetricFamily("wardwatt_broker_connected", "1 if the broker is connected.", int(status.connected))
            yield CounterMetricFamily("wardwatt_messages_received", "Messages received.", status.received)
            yield CounterMetricFamily("wardwatt_readings_stored", "Readings committed to the store.", status.stored)
            yield CounterMetricFamily("wardwatt_quarantined", "Messages and values rejected.", status.quarantined)
            yield CounterMetricFamily("wardwatt_commits", "Batches committed to the store.", status.batches)
            yield CounterMetricFamily(
                "wardwatt_sink_failures", "Times that a live rule or page failed.", status.sink_failures
            )
            yield GaugeMetricFamily(
                "wardwatt_messages_waiting", "Messages received and not yet committed.", status.waiting
            )
            yield GaugeMetricFamily(
                "wardwatt_store_available", "1 if store or spool took the last write.", int(status.store_available)
            )

    def _spool(self) -> Iterable[Metric]:
        spool = self.context.spool_state()
        if spool is None:
            return
        yield GaugeMetricFamily("wardwatt_spool_bytes", "Readings that wait on disk for their store. [B]", spool.bytes)
        yield GaugeMetricFamily("wardwatt_spool_bound_bytes", "Most that may wait. [B]", spool.bound_bytes)
        yield GaugeMetricFamily("wardwatt_spool_readings", "Readings that wait on disk.", spool.readings)
        age = (self.context.clock() - spool.oldest_us) / 1e6 if spool.oldest_us is not None else 0.0
        yield GaugeMetricFamily("wardwatt_spool_oldest_age_seconds", "How long the oldest has waited. [s]", age)
        away = int(spool.away_since_us is not None)
        yield GaugeMetricFamily("wardwatt_store_away", "1 while the store takes no readings.", away)
        yield CounterMetricFamily(
            "wardwatt_refused_by_store", "Readings that the store refused for good.", spool.refused
        )
        yield CounterMetricFamily(
            "wardwatt_spool_damaged", "Stretches of the spool that were unreadable.", spool.damaged
        )

    def _desk(self) -> Iterable[Metric]:
        alerts = GaugeMetricFamily("wardwatt_alerts_open", "Alerts not resolved.", labels=("priority", "acknowledged"))
        tickets = GaugeMetricFamily("wardwatt_tickets_open", "Tickets not closed.", labels=("priority", "state"))
        findings = GaugeMetricFamily("wardwatt_findings_active", "Findings not ended.", labels=("verdict",))
        seen = AlertRow.acknowledged_us.is_not(None)
        # Counted by the database, so that a scrape costs the same however many there are.
        with self.context.database.reading() as session:
            for priority, acknowledged, count in session.execute(
                select(AlertRow.priority, seen, func.count())
                .where(AlertRow.resolved_us.is_(None))
                .group_by(AlertRow.priority, seen)
            ):
                alerts.add_metric((priority, "yes" if acknowledged else "no"), count)
            for priority, state, count in session.execute(
                select(TicketRow.priority, TicketRow.state, func.count())
                .where(TicketRow.closed_us.is_(None))
                .group_by(TicketRow.priority, TicketRow.state)
            ):
                tickets.add_metric((priority, state), count)
            for verdict, count in session.execute(
                select(FindingRow.verdict, func.count())
                .where(FindingRow.ended_us.is_(None))
                .group_by(FindingRow.verdict)
            ):
                findings.add_metric((verdict,), count)
        yield from (alerts, tickets, findings)

    def _data_health(self) -> Iterable[Metric]:
        state = health_state(self.context)
        machines = count_machines(state)
        gateways, points = int(state.silence.gateway.sum()), int(state.silence.point.sum())
        yield GaugeMetricFamily("wardwatt_silent_gateways", "Gateways of which nothing is heard.", gateways)
        yield GaugeMetricFamily("wardwatt_silent_machines", "Machines of which nothing is heard.", machines["silent"])
        yield GaugeMetricFamily("wardwatt_silent_points", "Measured points that are silent.", points)
        stopped = machines["stopped"]
        yield GaugeMetricFamily("wardwatt_stopped_machines", "Machines that report that they are off.", stopped)
        clocks = GaugeMetricFamily(
            "wardwatt_gateway_clock_behind_seconds", "How far a gateway's clock is behind ours.", labels=("gateway",)
        )
        for g, clock in state.clocks.items():
            clocks.add_metric((state.plan.gateways[g].id,), clock.behind_s)
        yield clocks

    def _live(self) -> Iterable[Metric]:
        board = self.context.live.snapshot()
        read = board.time_us > 0
        yield GaugeMetricFamily("wardwatt_points", "Points that the site has.", len(read))
        yield GaugeMetricFamily("wardwatt_points_read", "Points that have ever been read.", int(read.sum()))
        newest = float(board.time_us.max(initial=0)) / 1e6 if np.any(read) else float("nan")
        yield GaugeMetricFamily("wardwatt_newest_reading_seconds", "Time of the newest reading. [s since 1970]", newest)


class Measured:
    """Counts and times every request by its route, never by its path: paths are endless."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status, streamed = 500, False

        async def send_noted(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
                streamed = (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            if not streamed:
                self.metrics.seconds.labels(route).observe(time.perf_counter() - began)
