"""How machines report by JSON or plain text: topics, forms, names of values, and how often."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from facility.site import Equipment, Layout, PointMapping, Site, Where
from facility.site_gateways import gateway_of
from simulators.payloads import Value, encode, encode_samples, sent_values

FASTEST_S: Final = 1
SLOWEST_S: Final = 10

Sample = tuple[int, Mapping[str, float]]  # the time by the gateway's clock, and values by `equipment/point`


@dataclass(frozen=True, slots=True)
class Reporter:
    """How one machine reports: topic, form, clock, names of its values, and how often."""

    equipment: str
    gateway: str
    topic: str
    plain: bool
    layout: Layout
    where: Where | None
    points: tuple[tuple[str, PointMapping], ...]  # (key of the point, how it is sent)
    every_s: int
    phase_s: int
    alive_s: float | None = None  # it sends what has changed, and everything within so long; None: always everything

    def messages(
        self, values: Mapping[str, float], time_us: int, digits: int | None = 6
    ) -> Iterator[tuple[str, bytes]]:
        """
        Return the topics and payloads that carry the machine's values at a time.

        A value that was converted has digits that its instrument never had: it is sent with `digits` of them.
        """
        yield from self.bundle([(time_us, values)], digits)

    def bundle(self, samples: Sequence[Sample], digits: int | None = 6) -> Iterator[tuple[str, bytes]]:
        """Return the topics and payloads of several samples: in one message where the form has a list of them."""
        by_topic: dict[str, list[tuple[int, dict[str, Value]]]] = {}
        for time_us, values in samples:
            sent: dict[str, list[tuple[PointMapping, float]]] = {}
            for key, mapping in self.points:
                if key in values:
                    sent.setdefault(mapping.topic or self.topic, []).append((mapping, values[key]))
            for topic, found in sent.items():
                by_topic.setdefault(topic, []).append((time_us, sent_values(found, digits)))
        for topic, rows in by_topic.items():
            if self.plain:
                for _, row in rows:
                    for key, value in row.items():
                        yield topic.replace("{point}", key), json.dumps(value).encode()
            elif self.batches:
                yield topic, encode_samples(self.layout, self.where, rows)
            else:
                for time_us, row in rows:
                    yield topic, encode(self.layout, self.where, row, time_us)

    @property
    def batches(self) -> bool:
        """Return True if its messages can carry several samples."""
        return not self.plain and self.layout.samples is not None


def reporters(site: Site) -> tuple[Reporter, ...]:
    """
    Return how each machine of a site reports that speaks JSON or plain text.

    A machine without telemetry of its own uses the site's first JSON pattern and the gateway of its room.
    """
    speaking = (i for i in site.equipment.values() if i.telemetry is None or i.telemetry.format != "sparkplug")
    return tuple(r for item in speaking if (r := reporter_of(site, item)) is not None)


def reporter_of(site: Site, item: Equipment) -> Reporter | None:
    """
    Return how one machine reports, or None if it measures nothing.

    A machine of Sparkplug reports by the site's pattern, under its own names: a recording can be replayed into it so.
    """
    measured = [(name, spec) for name, spec in item.points.items() if spec.kind != "derived"]
    if not measured:
        return None
    room = site.rooms.get(item.room or "")
    own = item.telemetry
    where = None
    if own is not None and own.format != "sparkplug":
        where = own.where
        topic, plain, layout, alive_s = own.topic, own.format == "plain", own.layout, own.alive_s
        points = tuple((f"{item.id}/{name}", own.points[name]) for name, _ in measured if name in own.points)
    else:
        pattern = next((p for p in site.patterns if p.format == "json"), site.patterns[0])
        topic, plain, layout = pattern.topic, pattern.format == "plain", pattern.layout
        alive_s = pattern.alive_s
        for place, text in (
            ("site", site.id), ("room", item.room or ""), ("equipment", item.id),
            ("building", (room.building or "") if room else ""),
        ):  # fmt: skip
            topic = topic.replace("{" + place + "}", text)
        known = own.points if own is not None else {name: PointMapping(name, name) for name, _ in measured}
        points = tuple((f"{item.id}/{name}", known[name]) for name, _ in measured if name in known)
    every = polled_every(item)
    # Gateways poll their machines one after the other, not all in the same second.
    phase = zlib.crc32(item.id.encode()) % every
    return Reporter(item.id, gateway_of(site, item).id, topic, plain, layout, where, points, every, phase, alive_s)


def polled_every(item: Equipment) -> int:
    """Return how often a gateway asks a machine: as often as its quickest point wants, within reason. [s]"""
    fastest = min(spec.every for spec in item.points.values() if spec.kind != "derived")
    return int(min(max(fastest, FASTEST_S), SLOWEST_S))
