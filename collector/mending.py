"""The change of the site file that would mend what the quarantine refused, computed from topic and payloads."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from collector.check import FUTURE_US
from collector.discovery import Device, gathered
from collector.guessing import ENOUGH, KeyFacts, Match, match_points, state_words
from collector.mapping import Plan, TopicMap
from collector.proposal import point_lines, propose, quoted, site_yaml
from collector.rejections import RawMessage
from facility.equipment_classes import ClassLibrary
from facility.site import Equipment, Site

Kind = Literal["add-machine", "move-topic", "map-keys", "name-states", "set-time", "set-zone", "plain-value"]

_MOST_KEYS: Final = 40


@dataclass(frozen=True, slots=True)
class Mend:
    """
    A proposal for the site file.

    Attributes
    ----------
    kind : what it does, as a code for pages
    equipment : the machine whose entry changes, or the id of the new one
    yaml : to be copied
    """

    kind: Kind
    equipment: str
    yaml: str


class Mender:
    """Proposes mends for one site; from any thread."""

    def __init__(self, site: Site, library: ClassLibrary | None = None) -> None:
        self._site = site
        self._library = library or site.library
        self._topics = TopicMap(site)
        self._lock = threading.Lock()  # a table of topics learns while it is asked

    def mend(self, reason: str, messages: Sequence[RawMessage]) -> Mend | None:
        """Return what would mend messages of one topic, the newest first; None if no change of the site file would."""
        with self._lock:
            return self._mend(reason, messages) if messages else None

    def _mend(self, reason: str, messages: Sequence[RawMessage]) -> Mend | None:
        devices = gathered((m.topic, m.payload, m.arrival_us) for m in reversed(messages)).devices()
        if reason == "unknown-topic":
            return self._unknown_topic(devices)
        item = self._owner(messages[0].topic)
        if item is None:
            return None
        if reason in ("not-an-object", "broken-json"):
            return _plain_value(item, messages[0].topic, devices)
        if not devices:
            return None
        device = devices[0]
        if reason == "unknown-key":
            return self._unknown_key(item, device)
        if reason == "not-a-number":
            return self._words(item, device)
        if reason in ("time-implausible", "time-unreadable"):
            return self._time(item, device, messages[0])
        return None

    def _plan(self, topic: str) -> Plan | None:
        plan = self._topics.resolve(topic)
        return plan if isinstance(plan, Plan) else None

    def _owner(self, topic: str) -> Equipment | None:
        """Return the machine that a topic belongs to; None if it belongs to none, or to several."""
        plan = self._plan(topic)
        if plan is None or plan.routes:
            return None
        owners = {key.partition("/")[0] for key in self._points(plan).values()}
        return self._site.equipment.get(owners.pop()) if len(owners) == 1 else None

    def _points(self, plan: Plan) -> dict[str, str]:
        """Return `equipment/point` of each key of a plan."""
        point = self._topics.slots().point
        return {key: self._site.points.key(int(point[slot])) for key, slot in plan.keys.items()}

    def _unknown_topic(self, devices: Sequence[Device]) -> Mend | None:
        taken = {name: item.cls.id for name, item in self._site.equipment.items()}
        proposals = propose(devices[:5], self._library, taken, self._site.rooms)
        near = self._near(devices[0]) if devices else None
        new = [p for p in proposals if p.guesses]
        yaml = site_yaml(new, head=False) if new else ""
        if near is not None:
            item, matches = near
            other = f"\n# Or, if it is a machine that the site file does not know:\n{yaml}" if yaml else ""
            return Mend("move-topic", item.id, _telemetry(item, devices[0], matches) + other)
        return Mend("add-machine", new[0].id, yaml) if new else None

    def _near(self, device: Device) -> tuple[Equipment, tuple[Match, ...]] | None:
        """Return the machine whose name is most like a level of the topic and that has points for most keys."""
        if not device.keys:
            return None
        for level in reversed(device.topic.split("/")):
            for name in difflib.get_close_matches(level.lower()[:64], list(self._site.equipment), n=3, cutoff=0.7):
                item = self._site.equipment[name]
                matches = match_points(device.keys, item.points)
                if sum(m.score for m in matches) >= ENOUGH * len(device.keys):
                    return item, matches
        return None

    def _unknown_key(self, item: Equipment, device: Device) -> Mend | None:
        plan = self._plan(device.topic)
        if plan is None:
            return None
        times = {key for key, _ in device.times}
        unknown = {k: f for k, f in device.keys.items() if k not in plan.keys and k not in plan.bits and k not in times}
        unknown = {k: f for k, f in list(unknown.items())[:_MOST_KEYS] if not plan.ignores(k)}
        heard = {p.partition("/")[2] for key, p in self._points(plan).items() if key in device.keys}
        free = {name: spec for name, spec in item.points.items() if name not in heard}
        matches = match_points(unknown, free)
        left = [key for key in unknown if key not in {m.key for m in matches}]
        if device.identity is not None and device.identity not in plan.keys:
            left.insert(0, device.identity)
        if not matches and not left:
            return None
        lines = [f"  {line}" for line in point_lines(matches, unknown)]
        return Mend("map-keys", item.id, _changed(item, device.topic, {"points": lines, "ignore": _list(left)}))

    def _words(self, item: Equipment, device: Device) -> Mend | None:
        plan = self._plan(device.topic)
        if plan is None:
            return None
        matches: list[Match] = []
        for key, point in self._points(plan).items():
            spec, facts = item.points[point.partition("/")[2]], device.keys.get(key)
            if facts is None or not facts.words or not spec.states:
                continue
            words = state_words(facts.words, spec)
            doubt = ""
            if words is None:
                words = {word: min(spec.states) for word in facts.words}
                codes = ", ".join(f"{code} {word}" for code, word in spec.states.items())
                doubt = f"write the right code beside each word: {codes}"
            if words:
                matches.append(Match(key, point.partition("/")[2], 1.0, states=words, doubt=doubt))
        if not matches:
            return None
        lines = [f"  {line}" for line in point_lines(matches, device.keys)]
        return Mend("name-states", item.id, _changed(item, device.topic, {"points": lines}))

    def _time(self, item: Equipment, device: Device, message: RawMessage) -> Mend | None:
        found = device.time
        if found is None:
            return None
        key, unit = found
        zone = self._shifted_zone(message, key) if unit == "iso" else None
        inner = f"{{key: {quoted(key)}, unit: {unit}{f', zone: {zone}' if zone else ''}}}"
        kind: Kind = "set-zone" if zone else "set-time"
        return Mend(kind, item.id, _changed(item, device.topic, {"time": inner}))

    def _shifted_zone(self, message: RawMessage, key: str) -> str | None:
        """Return UTC if a time that names no zone is right when it is read as UTC, and wrong in the site's zone."""
        for value in _values(message, key):
            try:
                moment = datetime.fromisoformat(value.strip().replace("/", "-"))
            except ValueError:
                continue
            if moment.tzinfo is None:
                site_us = moment.replace(tzinfo=self._site.time_zone).timestamp() * 1e6
                offset_us = (self._site.time_zone.utcoffset(moment) or moment - moment).total_seconds() * 1e6
                utc_us = site_us + offset_us
                if abs(utc_us - message.arrival_us) < FUTURE_US < abs(site_us - message.arrival_us):
                    return "UTC"
        return None


def _values(message: RawMessage, key: str) -> list[str]:
    device = gathered([(message.topic, message.payload, message.arrival_us)]).devices()
    return [word for d in device for word in d.keys.get(key, KeyFacts()).words]


def _plain_value(item: Equipment, topic: str, devices: Sequence[Device]) -> Mend | None:
    """Return a plain mapping where a bare value comes on a topic that is said to carry JSON."""
    plain = next((d for d in devices if d.format == "plain"), None)
    if plain is None:
        return None
    ((_, facts), *_rest) = plain.keys.items()
    levels = [level for level in topic.split("/") if level]
    matches: tuple[Match, ...] = ()
    for level in reversed(levels[-2:]):
        matches = matches or match_points({level: facts}, item.points)
    point = matches[0].point if matches else "POINT"
    lines = [
        f"# In the entry of {item.id}:",
        "telemetry:",
        f"  topic: {quoted(topic, always=True)}",
        "  format: plain",
        f"  points: {{{point}: value}}"
        + ("" if matches else f"  # write for POINT what it is: {', '.join(list(item.points)[:12])}"),
    ]
    return Mend("plain-value", item.id, "\n".join(lines) + "\n")


def _telemetry(item: Equipment, device: Device, matches: Sequence[Match]) -> str:
    lines = [f"# In the entry of {item.id}:", "telemetry:", f"  topic: {quoted(device.topic, always=True)}"]
    if device.format != "json":
        lines.append(f"  format: {device.format}")
    if device.time is not None:
        lines.append(f"  time: {{key: {quoted(device.time[0])}, unit: {device.time[1]}}}")
    lines += ["  points:", *(f"    {line}" for line in point_lines(matches, device.keys))]
    return "\n".join(lines) + "\n"


def _changed(item: Equipment, topic: str, parts: Mapping[str, str | list[str]]) -> str:
    """Return the lines to put under a machine's telemetry, with its topic where it has no telemetry of its own."""
    lines = [f"# In the entry of {item.id}, beside what stands there:", "telemetry:"]
    if item.telemetry is None:
        lines.append(f"  topic: {quoted(topic, always=True)}")
    for name, part in parts.items():
        if isinstance(part, str):
            lines += [f"  {name}: {part}"] if part else []
        elif part:
            lines += [f"  {name}:", *(f"  {line}" for line in part)]
    return "\n".join(lines) + "\n"


def _list(keys: Sequence[str]) -> str:
    return f"[{', '.join(quoted(key, always=True) for key in keys)}]" if keys else ""
