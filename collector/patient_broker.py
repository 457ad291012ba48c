"""amqtt, made patient: nobody is told "delivered" before a collector has stored the message.

amqtt as it comes gives up on a message that is not acknowledged within five seconds or before the receiver's line
breaks, and answers the publisher before anyone has the message. With a broker that keeps everything in memory, both
lose readings. Here a QoS 1 message stays with its session until it is acknowledged, and the publisher's own
acknowledgement waits for that: when this process dies, every publisher still has what was not stored, and sends it
again.

The methods with a leading underscore are amqtt's inner ones, as they are in 0.12; `tests/collector/test_broker.py`
shows that they do what is said here.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker, BrokerContext
from amqtt.contexts import Action, BrokerConfig
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import NOT_AUTHORIZED, UNACCEPTABLE_PROTOCOL_VERSION, ConnackPacket
from amqtt.mqtt.constants import QOS_1
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import (
    ApplicationMessage,
    IncomingApplicationMessage,
    OutgoingApplicationMessage,
    Session,
)

_VERSION_3_1_1 = 4
_WINDOW = 1_000  # messages on their way to one receiver
_ROOM = 30_000  # messages waiting for one expected session; more wait with their publishers (packet ids end at 65,535)
_KEPT_FOR_STRANGERS = 1_000  # messages kept for a session that nobody said would come
_MAX_QOS_0 = 20_000  # messages without a promise that are under way; more are dropped and counted


class PasswordPlugin(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in whoever knows the one user and password."""

    @dataclass
    class Config:
        """What the broker's configuration gives."""

        user: str = ""
        password: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Return True if user and password are right."""
        given = f"{session.username or ''}\0{session.password or ''}".encode()
        right = f"{self.config.user}\0{self.config.password}".encode()
        return bool(self.config.password) and hmac.compare_digest(given, right)


class _Rewound(ReaderAdapter):  # type: ignore[misc]
    """A reader that first gives back what has been read from it already."""

    def __init__(self, reader: ReaderAdapter, seen: bytes) -> None:
        self._reader = reader
        self._seen = seen

    async def read(self, n: int = -1) -> bytes:
        """Read `n` bytes."""
        first, self._seen = self._seen[:n], self._seen[n:]
        return first if len(first) == n else first + await self._reader.read(n - len(first))

    def feed_eof(self) -> None:
        """Acknowledge the end."""
        self._reader.feed_eof()


async def _speaks_3_1_1(reader: ReaderAdapter, writer: WriterAdapter) -> ReaderAdapter:
    """
    Look at the version in CONNECT; MQTTError, after an answer that says so, if it is another one.

    amqtt looks at it only after it has read the whole packet by the rules of 3.1.1, and waits for ever on one of 5.
    """
    seen = await reader.read(1)
    while len(seen) < 5 and (len(seen) == 1 or seen[-1] & 0x80):  # the length, one to four bytes
        seen += await reader.read(1)
    head = await reader.read(7)  # two bytes length, "MQTT", version
    if head[:6] == b"\x00\x04MQTT" and head[6] != _VERSION_3_1_1:
        await ConnackPacket.build(0, UNACCEPTABLE_PROTOCOL_VERSION).to_stream(writer)
        await writer.close()
        raise MQTTError(f"MQTT version {head[6]} is not spoken here")
    return _Rewound(reader, seen + head)


class PatientHandler(BrokerProtocolHandler):  # type: ignore[misc]
    """One connection, on which QoS 1 messages wait for their acknowledgement as long as it takes."""

    def __init__(self, broker: PatientBroker) -> None:
        super().__init__(broker.plugins_manager)
        self._broker = broker
        self._window = asyncio.Semaphore(_WINDOW)
        self.ready = False  # between greeting and end: messages may be sent
        self._repeats: set[asyncio.Task[None]] = set()

    async def _retry_deliveries(self) -> None:
        # Called once the client is greeted: first what an earlier connection left open.
        self.ready = True
        for message in list(self.session.inflight_out.values()):
            task = asyncio.create_task(self._handle_message_flow(message))
            self._repeats.add(task)
            task.add_done_callback(self._repeats.discard)

    async def _handle_qos1_message_flow(
        self, app_message: OutgoingApplicationMessage | IncomingApplicationMessage
    ) -> None:
        if isinstance(app_message, IncomingApplicationMessage):
            session = self.session
            if session is None or await self._broker.distribute(session, app_message):
                await self._send_packet(PubackPacket.build(app_message.packet_id))
            return
        session, packet_id = self.session, app_message.packet_id
        session.inflight_out[packet_id] = app_message
        async with self._window:
            waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._puback_waiters[packet_id] = waiter
            try:
                again = app_message.publish_packet is not None
                app_message.publish_packet = app_message.build_publish_packet(dup=again)
                await self._send_packet(app_message.publish_packet)
                app_message.puback_packet = await waiter
            finally:
                if self._puback_waiters.get(packet_id) is waiter:
                    del self._puback_waiters[packet_id]
        # Only an acknowledged message leaves the session; one cut off is sent again on the next connection.
        session.inflight_out.pop(packet_id, None)
        self._broker.settle(app_message)

    async def stop(self) -> None:
        """Stop the connection's tasks; what is not acknowledged stays in the session."""
        self.ready = False
        for task in list(self._repeats):
            task.cancel()
        await super().stop()


class PatientBroker(Broker):  # type: ignore[misc]
    """
    amqtt's broker with patient handlers.

    Parameters
    ----------
    config : amqtt's own
    sessions : client ids whose session exists from the start, with their topic filters: what is published before they
        first connect waits for them
    """

    def __init__(self, config: BrokerConfig, sessions: Mapping[str, Sequence[str]]) -> None:
        super().__init__(config)
        self._expected = sessions
        self._open: dict[int, asyncio.Future[None]] = {}
        self._deliveries: set[asyncio.Task[Any]] = set()
        self.dropped = 0  # messages that were promised to nobody, or to a stranger

    async def _start_listeners(self) -> None:
        context = BrokerContext(self)
        for client_id, filters in self._expected.items():
            for topic_filter in filters:
                await context.add_subscription(client_id, topic_filter, QOS_1)
                self._sessions[client_id][0].clean_session = False
        await super()._start_listeners()

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._servers["default"].instance.sockets[0].getsockname()[1])

    async def _initialize_client_session(
        self, reader: Any, writer: Any, remote_address: str, remote_port: int
    ) -> tuple[PatientHandler, Session]:
        # amqtt lets a newcomer take over a session of that name before it looks at the password.
        try:
            reader = await _speaks_3_1_1(reader, writer)
            _, fresh = await BrokerProtocolHandler.init_from_connect(reader, writer, self.plugins_manager)
            if not await self._authenticate(fresh, self.listeners_config["default"]):
                await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
                await writer.close()
                raise MQTTError(f"wrong user or password from {remote_address}:{remote_port}")
        except (OSError, EOFError, NoDataError) as error:
            raise MQTTError(f"{remote_address}:{remote_port} went away before it was greeted: {error}") from None
        return PatientHandler(self), await self._session_of(fresh)

    async def _session_of(self, fresh: Session) -> Session:
        if not fresh.client_id:
            raise AMQTTError("a client must name itself")
        old = self._sessions.get(fresh.client_id, (None, None))[0]
        if fresh.clean_session:
            await self._delete_session(fresh.client_id)
            fresh.parent = 0
            return fresh
        if old is None:
            fresh.parent = 0
            return fresh
        for name in ("will_flag", "will_message", "will_topic", "will_qos", "will_retain", "keep_alive", "username",
                     "password", "clean_session", "remote_address", "remote_port"):  # fmt: skip
            setattr(old, name, getattr(fresh, name))
        old.parent = 1
        return old

    async def distribute(self, source: Session, message: IncomingApplicationMessage) -> bool:
        """
        Give a QoS 1 message to everyone who subscribed; return once all expected sessions have acknowledged it.

        Only those: a session that a stranger left behind would hold up every publisher for ever.

        False if the publisher is not to be answered.
        """
        topic = message.topic
        if not topic or "#" in topic or "+" in topic or topic.startswith("$"):
            return True  # not ours to deliver; answered, since sending it again would not mend it
        if not await self._topic_filtering(source, topic=topic, action=Action.PUBLISH):
            return True
        if message.publish_packet is not None and message.publish_packet.retain_flag:
            await self.retain_message(source, topic, message.data, message.qos)
        waiting: list[asyncio.Future[None]] = []
        for session, qos in self._receivers(topic):
            handler = self._get_handler(session)
            ready = isinstance(handler, PatientHandler) and handler.ready
            if qos == 0 or (session.clean_session and not ready):
                if ready:
                    self._run(handler.mqtt_publish(topic, message.data, qos, retain=False))
                continue
            expected = session.client_id in self._expected
            if not expected and len(session.inflight_out) >= _KEPT_FOR_STRANGERS:
                self.dropped += 1
                continue
            while len(session.inflight_out) >= _ROOM:
                await asyncio.sleep(0.05)
            packet_id = session.next_packet_id
            out = OutgoingApplicationMessage(packet_id, topic, QOS_1, message.data, False)
            session.inflight_out[packet_id] = out
            if expected:
                settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._open[id(out)] = settled
                waiting.append(settled)
            if ready:
                self._run(handler._handle_qos1_message_flow(out))
        if waiting:
            await asyncio.gather(*waiting)
        return True

    def _receivers(self, topic: str) -> list[tuple[Session, int]]:
        return [
            receiver
            for topic_filter, subscriptions in self._subscriptions.items()
            if self._matches(topic, topic_filter)
            for receiver in subscriptions
        ]

    def settle(self, message: ApplicationMessage) -> None:
        """Note that a receiver has acknowledged a message."""
        settled = self._open.pop(id(message), None)
        if settled is not None and not settled.done():
            settled.set_result(None)

    async def _broadcast_message(self, *message: Any, **more: Any) -> None:
        # amqtt's own way, for what has no QoS 1: it opens a task for each, without a bound.
        if len(self._tasks_queue) + self._broadcast_queue.qsize() >= _MAX_QOS_0:
            self.dropped += 1
            return
        await super()._broadcast_message(*message, **more)

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        if target_session.retained_messages.qsize() >= _MAX_QOS_0:
            self.dropped += 1
            return
        await super()._retain_broadcast_message(broadcast, qos, target_session)

    async def _delete_session(self, client_id: str) -> None:
        session = self._sessions.get(client_id, (None, None))[0]
        await super()._delete_session(client_id)
        for message in list(session.inflight_out.values()) if session is not None else ():
            self.settle(message)  # the receiver threw its session away: nobody waits for these any more

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._deliveries.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._deliveries.discard(task)
        if not task.cancelled():
            task.exception()  # a line that broke: the message is still in its session
