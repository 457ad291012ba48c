"""Sparkplug as the collector reads it: bytes in, readings into the draft, requests for rebirths out.

The session of each node (`session`) says what is to be done with a message and when; here it is done: metrics become
readings of points, births and deaths are noted, points of the dead become stale.

A message that waits for a birth is not acknowledged before its readings are stored or it is quarantined, so that a
crash loses none that the broker can send again. With QoS 0, which Sparkplug asks of data, the broker keeps nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from collector.check import EARLIEST_US, FUTURE_US, implausible, judged_time, number_of
from collector.mapping import Plan, TopicMap
from collector.sparkplug.births import Births, stale_by
from collector.sparkplug.changes import BirthRecord, Mark, Owner, notices_of
from collector.sparkplug.metrics import is_believed, property_of, type_name, value_of
from collector.sparkplug.payload import BD_SEQ, bd_seq_of, broken, read_payload, rebirth_command
from collector.sparkplug.presence import Presence
from collector.sparkplug.sequence_file import SequenceFile
from collector.sparkplug.session import (
    NODE,
    AskRebirth,
    Born,
    Died,
    GivenUp,
    Heard,
    Kind,
    NodeSession,
    SessionSettings,
    Step,
    Values,
)
from facility.errors import PayloadRejected
from facility.readings import GOOD, HISTORICAL, StaleNotice
from facility.sparkplug_names import SparkplugTopic, read_topic, topic_of
from facility.units import conversion

if TYPE_CHECKING:
    from collector.decode import Draft

log = logging.getLogger(__name__)

_COMMANDS: Final = frozenset({"NCMD", "DCMD"})
_MAX_LISTED: Final = 20
_MAX_NAME: Final = 128
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Metric:
    """
    A metric as its birth made it known.

    `slot` is -1 where no point is mapped to it; `quiet`: it is the node's own business, and nobody misses a mapping.
    """

    name: str
    datatype: int
    slot: int
    quiet: bool


@dataclass(frozen=True, slots=True)
class Book:
    """The metrics of one birth."""

    by_name: dict[str, Metric]
    by_alias: dict[int, Metric]


@dataclass(slots=True, eq=False)
class Message:
    """A message on its way: what it said, and what is owed for it. `mid` is 0 once it needs no acknowledgement."""

    topic: str
    raw: bytes
    payload: Any
    mid: int


@dataclass(slots=True, eq=False)
class Node:
    """An edge node from which the site expects something."""

    group: str
    name: str
    plans: dict[str, Plan]
    session: NodeSession
    books: dict[str, Book] = field(default_factory=dict)

    def owner(self, device: str) -> Owner:
        """Return the name of a device of this node, or of the node itself."""
        return Owner(self.group, self.name, device)


@dataclass(slots=True)
class Findings:
    """What one message holds beside readings: names of metrics, by what is the matter with them."""

    unknown: list[str] = field(default_factory=list)
    unborn: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class SparkplugHost:
    """
    Reads all Sparkplug of one site. One thread only, but for `keep`.

    Parameters
    ----------
    topics : what is mapped
    births : where births outlast us; None keeps them in memory
    sequence : where the sequence numbers of committed messages outlast us
    max_payload : larger messages are refused [bytes]
    settings : how long nodes are waited for

    Attributes
    ----------
    send : publishes a command: topic and payload
    announce : says again that we are there
    rebirths_asked : requests so far
    """

    def __init__(
        self,
        topics: TopicMap,
        births: Births | None = None,
        sequence: SequenceFile | None = None,
        *,
        max_payload: int = 1024 * 1024,
        settings: SessionSettings | None = None,
    ) -> None:
        self._topics = topics
        self._births = births
        self._sequence = sequence or SequenceFile(None)
        self._max_payload = max_payload
        self._presence = Presence.of(topics.site.sparkplug)
        self._records: dict[Owner, BirthRecord] = {}
        self._points: dict[Owner, Sequence[int]] = {}
        self._nodes: dict[tuple[str, str], Node] = {}
        self.send: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self.announce: Callable[[], None] = lambda: None
        self.rebirths_asked = 0
        by_node: dict[tuple[str, str], dict[str, Plan]] = {}
        for parts, plan in topics.sparkplug_plans().items():
            by_node.setdefault((parts.group, parts.node), {})[parts.device] = plan
            self._points[Owner(parts.group, parts.node, parts.device)] = topics.points_of(plan)
        for (group, name), plans in by_node.items():
            session = NodeSession(frozenset(plans), settings or SessionSettings())
            self._nodes[group, name] = Node(group, name, plans, session)
        if births is not None and self._nodes:
            self._restore(births.load())

    @staticmethod
    def needed(topics: TopicMap) -> bool:
        """Return whether the site has anything to do with Sparkplug."""
        return bool(topics.sparkplug_plans() or topics.site.sparkplug.host_id or topics.site.sparkplug.groups)

    def _restore(self, records: Sequence[BirthRecord]) -> None:
        self._records = {r.owner: r for r in records if (r.owner.group, r.owner.node) in self._nodes}
        for node in self._nodes.values():
            own = self._records.get(node.owner(NODE))
            alive = own is not None and own.died_us is None
            aliases: dict[str, frozenset[int]] = {}
            for device in (NODE, *node.plans):
                record = self._records.get(node.owner(device))
                if record is None or record.died_us is not None or not record.payload or not alive:
                    continue
                try:
                    payload = read_payload(record.payload, self._max_payload)
                except PayloadRejected:
                    continue
                aliases[device] = _aliases_defined(payload)
                node.books[device] = self._book(node, device, payload)
            if own is not None:
                seq = self._sequence.read((node.group, node.name))
                node.session.restore(own.bd_seq, seq, alive and NODE in aliases, aliases)

    def offline(self) -> list[StaleNotice]:
        """Return which points are offline by what is on record; to be told before the first message."""
        return notices_of(stale_by(self._records.values(), self._points))

    # Messages -----------------------------------------------------------------------------------------------------

    def add(self, draft: Draft, topic: str, payload: bytes, arrival_us: int, mid: int, retained: bool) -> None:
        """
        Take one message. Never raises for what it holds: that goes to the draft's rejections.

        `mid` is the packet id of a QoS 1 message; it is added to the draft's once the message needs to wait no longer.
        """
        message = Message(topic, payload, None, mid)
        try:
            waits = self._take(draft, message, arrival_us, retained)
        except PayloadRejected as error:
            waits = False
            draft.rejections.add(topic, error.reason, error.detail, payload, len(payload), arrival_us)
        if waits:
            draft.messages -= 1  # it counts in the draft in which it is dealt with
        elif message.mid:
            draft.mids.append(message.mid)

    def _take(self, draft: Draft, message: Message, arrival_us: int, retained: bool) -> bool:
        """Return whether the message waits; PayloadRejected if it cannot be read or is not expected."""
        parts = read_topic(message.topic)
        if parts is None:
            if self._presence is None or message.topic != self._presence.topic:
                raise PayloadRejected("unknown-topic", "this is no topic of Sparkplug's; correct the gateway")
            if self._presence.contradicts(message.raw):
                # The will of an earlier connection of ours, or somebody else: we are here.
                self.announce()
            return False
        if parts.kind in _COMMANDS:
            return False
        if len(message.raw) > self._max_payload:
            raise PayloadRejected(
                "payload-too-large",
                f"the payload has {len(message.raw):,} bytes, more than the {self._max_payload:,} allowed; "
                "let the gateway send smaller messages",
            )
        node = self._nodes.get((parts.group, parts.node))
        message.payload = read_payload(message.raw, self._max_payload)
        if node is None:
            raise PayloadRejected("unknown-topic", _nobody(parts))
        if retained:
            self._carry_out(draft, node, node.session.ask(arrival_us), arrival_us)
            raise PayloadRejected(
                "sparkplug-retained",
                "the broker had kept this message, nobody knows for how long; let the gateway publish without retain",
            )
        heard = self._heard(node, parts, message, arrival_us)
        self._carry_out(draft, node, node.session.take(heard, arrival_us), arrival_us)
        return any(heard is other for other in node.session.waiting())

    def tick(self, draft: Draft, now_us: int) -> None:
        """Let time pass: gaps close, waiting ends, requests are repeated."""
        for node in self._nodes.values():
            if node.session.waits:
                self._carry_out(draft, node, node.session.tick(now_us), now_us)

    def connected(self, draft: Draft, now_us: int) -> None:
        """The connection to the broker is new: packet ids of the one before are void, births may have been missed."""
        for node in self._nodes.values():
            for heard in node.session.waiting():
                cast(Message, heard.body).mid = 0
            self._carry_out(draft, node, node.session.connected(now_us), now_us)

    def give_up(self, draft: Draft, now_us: int) -> None:
        """Hand to the quarantine what waits and would be lost with us; what the broker still has stays there."""
        for node in self._nodes.values():
            steps = [s for s in node.session.give_up() if not (isinstance(s, GivenUp) and s.heard.body.mid)]
            self._carry_out(draft, node, steps, now_us)

    def keep(self, draft: Draft) -> None:
        """Make lasting what a draft says of births and deaths; in the commit's thread. StoreUnavailable: try again."""
        if self._births is not None and draft.sparkplug.births:
            self._births.save(draft.sparkplug.births.values())
        self._sequence.write(draft.sparkplug.seqs)

    def _heard(self, node: Node, parts: SparkplugTopic, message: Message, arrival_us: int) -> Heard:
        payload, kind = message.payload, cast(Kind, parts.kind)
        seq = int(payload.seq) if payload.HasField("seq") else None
        if seq is not None and seq > 255:
            raise broken(f"the sequence number is {seq}, where 0 to 255 belongs")
        if kind in ("NBIRTH", "DBIRTH"):
            aliases = _aliases_defined(payload)
        elif kind in ("NDATA", "DDATA"):
            try:
                aliases = frozenset(m.alias for m in payload.metrics if not m.name)
            except UnicodeDecodeError:
                raise broken("a metric's name is not UTF-8") from None
        else:
            aliases = frozenset()
        at_us = int(payload.timestamp) * 1000 if payload.timestamp else arrival_us
        if not EARLIEST_US <= at_us <= arrival_us:
            at_us = arrival_us
        bd_seq = bd_seq_of(payload) if kind in ("NBIRTH", "NDEATH") else None
        return Heard(
            kind, parts.device, seq, bd_seq, at_us, arrival_us, aliases, hash(message.raw), len(message.raw), message
        )

    # What is to be done -------------------------------------------------------------------------------------------

    def _carry_out(self, draft: Draft, node: Node, steps: list[Step], now_us: int) -> None:
        for step in steps:
            match step:
                case Born(heard):
                    self._born(draft, node, heard)
                    self._settle(draft, heard, now_us)
                case Values(heard):
                    self._read(draft, node, heard)
                    self._settle(draft, heard, now_us)
                case GivenUp(heard, why):
                    # What speaks for itself, by name and type, is stored; the rest is kept for a person.
                    self._read(draft, node, heard, why)
                    self._settle(draft, heard, now_us)
                case Died(devices, at_us):
                    for device in devices:
                        self._died(draft, node, device, at_us)
                case AskRebirth():
                    self.rebirths_asked += 1
                    self.send(topic_of(node.group, "NCMD", node.name), rebirth_command(now_us))
        if node.session.seq is not None:
            draft.sparkplug.seqs[node.group, node.name] = node.session.seq

    @staticmethod
    def _settle(draft: Draft, heard: Heard, now_us: int) -> None:
        """Note that a message that had to wait needs to wait no longer."""
        message = cast(Message, heard.body)
        if heard.arrival_us != now_us:
            draft.messages += 1
        if message.mid:
            draft.mids.append(message.mid)
            message.mid = 0

    def _born(self, draft: Draft, node: Node, heard: Heard) -> None:
        message = cast(Message, heard.body)
        if heard.device == NODE:
            node.books.clear()
        elif heard.device not in node.plans:
            self._tell(draft, message, heard, "unknown-topic", _nobody(cast(SparkplugTopic, read_topic(message.topic))))
            return
        node.books[heard.device] = self._book(node, heard.device, message.payload)
        owner = node.owner(heard.device)
        record = BirthRecord(owner, heard.bd_seq, heard.arrival_us, None, message.raw)
        self._records[owner] = draft.sparkplug.births[owner] = record
        self._check_units(draft, node, heard)
        self._read(draft, node, heard)

    def _died(self, draft: Draft, node: Node, device: str, at_us: int) -> None:
        for mine in node.plans if device == NODE else [device]:
            node.books.pop(mine, None)
            for point in self._points.get(node.owner(mine), ()):
                draft.sparkplug.stale[point] = Mark(at_us, node.owner(device))
        node.books.pop(device, None)
        if device != NODE and device not in node.plans:
            return
        owner = node.owner(device)
        before = self._records.get(owner)
        record = BirthRecord(
            owner, before.bd_seq if before else None, before.born_us if before else 0, at_us,
            before.payload if before else b"",
        )  # fmt: skip
        self._records[owner] = draft.sparkplug.births[owner] = record
        draft.messages = max(draft.messages, 1)  # a draft without a message would not be committed

    # Metrics ------------------------------------------------------------------------------------------------------

    def _book(self, node: Node, device: str, payload: Any) -> Book:
        plan = node.plans.get(device)
        by_name: dict[str, Metric] = {}
        by_alias: dict[int, Metric] = {}
        for metric in payload.metrics:
            name = metric.name
            known = self._known(plan, name, metric.datatype)
            by_name[name] = known
            if metric.HasField("alias"):
                by_alias[metric.alias] = known
        return Book(by_name, by_alias)

    @staticmethod
    def _known(plan: Plan | None, name: str, datatype: int) -> Metric:
        mapped = plan is not None and (name in plan.keys or name in plan.bits)
        quiet = name == BD_SEQ or name.startswith("Node Control/") or (plan is not None and plan.ignores(name))
        slot = plan.keys.get(name, _NOBODY) if plan is not None and mapped else _NOBODY
        return Metric(name, datatype, slot, quiet or (mapped and slot == _NOBODY))

    def _read(self, draft: Draft, node: Node, heard: Heard, why: str = "") -> None:
        """
        Turn a message's metrics into readings.

        With `why` no birth explains the message: only metrics that name themselves and their type are read.
        """
        message = cast(Message, heard.body)
        plan = node.plans.get(heard.device)
        if plan is None and heard.device:
            detail = _nobody(cast(SparkplugTopic, read_topic(message.topic)))
            self._tell(draft, message, heard, "unknown-topic", detail)
            return
        book = None if why else node.books.get(heard.device)
        found = Findings()
        groups: dict[tuple[int, bool], tuple[list[int], list[float]]] = {}
        birth = heard.kind in ("NBIRTH", "DBIRTH")
        sent_ms = int(message.payload.timestamp)
        for metric in message.payload.metrics:
            name = metric.name
            known = (book.by_name.get(name) if name else book.by_alias.get(metric.alias)) if book is not None else None
            if known is None:
                if not name or not metric.datatype:
                    found.unborn.append(name or f"alias {metric.alias}")
                    continue
                known = self._known(plan, name, metric.datatype)
                if book is not None and not known.quiet:
                    # A metric that the birth did not name: there must have been another birth.
                    self._carry_out(draft, node, node.session.ask(heard.arrival_us), heard.arrival_us)
            if known.slot == _NOBODY and (plan is None or known.name not in plan.bits):
                if not known.quiet:
                    found.unknown.append(known.name)
                continue
            metric_ms = int(metric.timestamp) or sent_ms
            # A birth tells what holds when it is sent, however long ago it was measured.
            at_ms = max(metric_ms, sent_ms) if birth and not metric.is_historical else metric_ms
            slots, values = groups.setdefault((at_ms, metric.is_historical), ([], []))
            self._one(draft, node, heard, cast(Plan, plan), known, metric, found, slots, values)
        for (at_ms, historical), (slots, values) in groups.items():
            if slots:
                self._put(draft, heard, cast(Plan, plan), at_ms * 1000, historical, slots, values)
        self._report(draft, node, heard, plan, found, why)

    def _one(
        self, draft: Draft, node: Node, heard: Heard, plan: Plan, known: Metric, metric: Any, found: Findings,
        slots: list[int], values: list[float],
    ) -> None:  # fmt: skip
        """Add one mapped metric's readings, or say why it has none."""
        name = known.name
        if metric.is_null or not is_believed(metric):
            if not metric.is_null:
                found.bad.append(name)
            if not metric.is_historical:
                self._lose(draft, node, heard, plan, name)
            return
        value = value_of(metric, known.datatype)
        if value is None:
            found.unreadable.append(f"{name[:_MAX_NAME]!r} is a {type_name(metric.datatype or known.datatype)}")
            return
        for bit, slot in plan.bits.get(name, ()):
            if isinstance(value, float) and value.is_integer():
                slots.append(slot)
                values.append(float(int(value) >> bit & 1))
            else:
                found.unreadable.append(f"{name[:_MAX_NAME]!r} is {value!r:.80} and has no bits")
        if known.slot == _NOBODY:
            return
        number = _number(value, plan, known.slot)
        if number is None:
            found.unreadable.append(f"{name[:_MAX_NAME]!r} is {value!r:.80}")
            return
        slots.append(known.slot)
        values.append(number)

    def _lose(self, draft: Draft, node: Node, heard: Heard, plan: Plan, name: str) -> None:
        """The device has no value for a metric: what was read last does not speak for now."""
        mark = Mark(heard.at_us, node.owner(heard.device))
        table = self._topics.slots().point
        for slot in (plan.keys.get(name), *(slot for _, slot in plan.bits.get(name, ()))):
            if slot is not None:
                draft.sparkplug.stale[int(table[slot])] = mark

    def _put(
        self, draft: Draft, heard: Heard, plan: Plan, at_us: int, historical: bool, slots: list[int],
        values: list[float],
    ) -> None:  # fmt: skip
        """Add readings of one time to the draft."""
        message = cast(Message, heard.body)
        try:
            if not at_us:
                at_us, quality = heard.arrival_us, GOOD
            elif historical:
                if not EARLIEST_US <= at_us <= heard.arrival_us + FUTURE_US:
                    raise implausible(at_us, heard.arrival_us)
                quality = HISTORICAL
            else:
                at_us, quality = judged_time(plan, at_us, heard.arrival_us)
        except PayloadRejected as error:
            self._tell(draft, message, heard, error.reason, error.detail, plan)
            return
        draft.slot += slots
        draft.value += values
        draft.count.append(len(slots))
        draft.time_us.append(at_us)
        draft.quality.append(quality)
        draft.plan.append(plan)
        if draft.sparkplug.stale and not quality & HISTORICAL:
            for point in self._topics.slots().point[np.array(slots)].tolist():
                draft.sparkplug.stale.pop(point, None)

    # What a person is told ----------------------------------------------------------------------------------------

    def _report(self, draft: Draft, node: Node, heard: Heard, plan: Plan | None, found: Findings, why: str) -> None:
        message, owner = cast(Message, heard.body), node.owner(heard.device)
        if found.unborn:
            self._tell(
                draft, message, heard, "sparkplug-no-birth",
                f"{why or 'its birth does not name them'}: {_listed(found.unborn)} of {owner} cannot be told without "
                f"its birth; {node.group}/{node.name} was asked for a rebirth: see that it takes commands, and that "
                f"the broker lets us publish to spBv1.0/{node.group}/NCMD/#", plan,
            )  # fmt: skip
        if found.unknown and plan is not None:
            self._tell(
                draft, message, heard, "unknown-key",
                f"no point is mapped to {_listed(found.unknown)}; map it under telemetry.points, or leave it: "
                "the rest is stored", plan,
            )  # fmt: skip
        if found.bad:
            self._tell(
                draft, message, heard, "sparkplug-bad-quality",
                f"the device itself says that {_listed(found.bad)} is bad or stale; look at its sensor or bus", plan,
            )  # fmt: skip
        if found.unreadable:
            self._tell(
                draft, message, heard, "not-a-number",
                f"{'; '.join(found.unreadable[:_MAX_LISTED])} where a number belongs; map another metric, or give the "
                "point states: words", plan,
            )  # fmt: skip

    def _check_units(self, draft: Draft, node: Node, heard: Heard) -> None:
        """Say so if a birth names a unit, and the mapping takes it for another."""
        message, plan = cast(Message, heard.body), node.plans.get(heard.device)
        if plan is None:
            return
        slots = self._topics.slots()
        wrong: list[str] = []
        for metric in message.payload.metrics:
            slot = plan.keys.get(metric.name)
            told = property_of(metric, "engUnit") if slot is not None else None
            if slot is None or not isinstance(told, str) or slots.scale[slot] != 1.0 or slots.offset[slot] != 0.0:
                continue
            address = self._topics.site.points.addresses[int(slots.point[slot])]
            try:
                differs = conversion(told, address.unit) != (1.0, 0.0)
            except ValueError:
                continue  # units that are only written otherwise are no mistake
            if differs:
                wrong.append(f"{metric.name[:_MAX_NAME]!r} comes in {told}, {address.key} is kept in {address.unit}")
        if wrong:
            self._tell(
                draft, message, heard, "sparkplug-unit",
                f"{'; '.join(wrong[:_MAX_LISTED])}: write its unit: at the point's mapping; the values are stored as "
                "if they were right", plan,
            )  # fmt: skip

    @staticmethod
    def _tell(draft: Draft, message: Message, heard: Heard, reason: str, detail: str, plan: Plan | None = None) -> None:
        draft.rejections.add(
            message.topic, reason, detail, message.raw, len(message.raw), heard.arrival_us,
            plan.gateway if plan is not None else None,
        )  # fmt: skip


def _aliases_defined(payload: Any) -> frozenset[int]:
    try:
        if not all(metric.name for metric in payload.metrics):
            raise broken("a metric of the birth has no name")
    except UnicodeDecodeError:
        raise broken("a metric's name is not UTF-8") from None
    return frozenset(metric.alias for metric in payload.metrics if metric.HasField("alias"))


def _number(value: float | str, plan: Plan, slot: int) -> float | None:
    words = plan.words.get(slot)
    if isinstance(value, str):
        word = value.strip().lower()
        if words and word in words:
            return words[word]
        return number_of(value)
    if not math.isfinite(value):
        return None
    if slot in plan.coded and words:
        return words.get(f"{value:g}")
    return value


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:_MAX_NAME]) for name in names[:_MAX_LISTED])
    return f"{shown} and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else shown


def _nobody(parts: SparkplugTopic) -> str:
    device = f", device: {parts.device}" if parts.device else ""
    return (
        f"no machine reports there; give one telemetry: {{format: sparkplug, group: {parts.group}, node: {parts.node}"
        f"{device}}}"
    )
