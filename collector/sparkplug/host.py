"""Sparkplug as the collector reads it: bytes in, readings into the draft, requests for rebirths out.

The session of each node (`session`) says what is to be done with a message and when; here it is done: metrics become
readings of points, births and deaths are noted, points of the dead become stale.

A message that waits for a birth is not acknowledged before its readings are stored or it is quarantined, so that a
crash loses none that the broker can send again. With QoS 0, which Sparkplug asks of data, the broker keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from collector.mapping import Plan, TopicMap
from collector.sparkplug.births import Births, stale_by
from collector.sparkplug.changes import BirthRecord, Mark, Owner, notices_of
from collector.sparkplug.message import Message, aliases_defined, heard_of
from collector.sparkplug.payload import read_payload, rebirth_command
from collector.sparkplug.presence import Presence
from collector.sparkplug.reader import Book, MetricReader, nobody
from collector.sparkplug.sequence_file import SequenceFile
from collector.sparkplug.session import (
    NODE,
    AskRebirth,
    Born,
    Died,
    GivenUp,
    Heard,
    NodeSession,
    SessionSettings,
    Step,
    Values,
)
from facility.errors import PayloadRejected
from facility.readings import StaleNotice
from facility.sparkplug_names import read_topic, topic_of

if TYPE_CHECKING:
    from collector.decode import Draft

_COMMANDS: Final = frozenset({"NCMD", "DCMD"})


@dataclass(slots=True, eq=False)
class Node:
    """An edge node from which the site expects something."""

    group: str
    name: str
    plans: dict[str, Plan]
    session: NodeSession
    books: dict[str, Book] = field(default_factory=dict)
    waiting: tuple[Heard, ...] = ()

    def owner(self, device: str) -> Owner:
        """Return the name of a device of this node, or of the node itself."""
        return Owner(self.group, self.name, device)


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
        self._reader = MetricReader(topics)
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
                aliases[device] = aliases_defined(payload.metrics)
                node.books[device] = self._reader.book(node.plans.get(device), payload.metrics)
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
            raise PayloadRejected("unknown-topic", nobody(Owner(parts.group, parts.node, parts.device)))
        if retained:
            self._carry_out(draft, node, node.session.ask(arrival_us), arrival_us)
            raise PayloadRejected(
                "sparkplug-retained",
                "the broker had kept this message, nobody knows for how long; let the gateway publish without retain",
            )
        heard = heard_of(parts, message, arrival_us)
        self._carry_out(draft, node, node.session.take(heard, arrival_us), arrival_us)
        return any(heard is other for other in node.waiting)

    def tick(self, draft: Draft, now_us: int) -> None:
        """Let time pass: gaps close, waiting ends, requests are repeated."""
        for node in self._nodes.values():
            if node.session.waits:
                self._carry_out(draft, node, node.session.tick(now_us), now_us)

    def living(self) -> NDArray[np.int32]:
        """Return the points whose last values hold, since their devices are known to live: indices into the table."""
        found = [
            self._points[node.owner(device)]
            for node in self._nodes.values()
            for device in node.plans
            if node.session.vouches_for(device)
        ]
        return np.array([point for points in found for point in points], dtype=np.int32)

    def connected(self, draft: Draft, now_us: int) -> None:
        """The connection to the broker is new: packet ids of the one before are void, births may have been missed."""
        for node in self._nodes.values():
            for heard in node.waiting:
                cast(Message, heard.body).mid = 0
            self._carry_out(draft, node, node.session.connected(now_us), now_us)

    def give_up(self, draft: Draft, now_us: int) -> None:
        """Hand to the quarantine what waits and would be lost with us; what the broker still has stays there."""
        for node in self._nodes.values():
            node.waiting = ()
            steps = [s for s in node.session.give_up() if not (isinstance(s, GivenUp) and s.heard.body.mid)]
            self._carry_out(draft, node, steps, now_us)
            draft.messages += len(steps)

    def keep(self, draft: Draft) -> None:
        """Make lasting what a draft says of births and deaths; in the commit's thread. StoreUnavailable: try again."""
        if self._births is not None and draft.sparkplug.births:
            self._births.save(draft.sparkplug.births.values())
        self._sequence.write(draft.sparkplug.seqs)

    # What is to be done -------------------------------------------------------------------------------------------

    def _carry_out(self, draft: Draft, node: Node, steps: list[Step], now_us: int) -> None:
        for step in steps:
            match step:
                case Born(heard):
                    self._born(draft, node, heard)
                case Values(heard):
                    self._read(draft, node, heard)
                case GivenUp(heard, why):
                    # What speaks for itself, by name and type, is stored; the rest is kept for a person.
                    self._read(draft, node, heard, why)
                case Died(devices, at_us):
                    for device in devices:
                        self._died(draft, node, device, at_us)
                case AskRebirth():
                    self.rebirths_asked += 1
                    self.send(topic_of(node.group, "NCMD", node.name), rebirth_command(now_us))
        if node.session.seq is not None:
            draft.sparkplug.seqs[node.group, node.name] = node.session.seq
        self._settle(draft, node)

    @staticmethod
    def _settle(draft: Draft, node: Node) -> None:
        """Let messages that wait no longer be acknowledged with the draft that holds what they said."""
        before, node.waiting = node.waiting, tuple(node.session.waiting())
        still = {id(heard) for heard in node.waiting}
        for heard in before:
            if id(heard) not in still:
                message = cast(Message, heard.body)
                draft.messages += 1
                if message.mid:
                    draft.mids.append(message.mid)

    def _born(self, draft: Draft, node: Node, heard: Heard) -> None:
        message = cast(Message, heard.body)
        plan, owner = node.plans.get(heard.device), node.owner(heard.device)
        if heard.device == NODE:
            node.books.clear()
        if heard.device == NODE or plan is not None:
            node.books[heard.device] = self._reader.book(plan, message.metrics)
            record = BirthRecord(owner, heard.bd_seq, heard.arrival_us, None, message.raw)
            self._records[owner] = draft.sparkplug.births[owner] = record
        if plan is not None:
            self._reader.check_units(draft, owner, plan, heard)
        self._read(draft, node, heard)

    def _read(self, draft: Draft, node: Node, heard: Heard, why: str = "") -> None:
        device = heard.device
        book = None if why else node.books.get(device)
        if self._reader.read(draft, node.owner(device), node.plans.get(device), book, heard, why):
            self._carry_out(draft, node, node.session.ask(heard.arrival_us), heard.arrival_us)

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
