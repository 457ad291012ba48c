"""The connection to the broker: one thread that reads, hands on, and sends the acknowledgements it is given.

paho-mqtt speaks the protocol; the loop around it is ours, by the calls that paho offers for that. It reads all that
has come before it waits again, stops reading while there is no room (the broker then waits), and sends many
acknowledgements in one go.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.broker import BrokerAddress
from collector.filters import FilterMemory
from collector.inbound import NOT_UTF8, Inbound, OnMessage
from collector.sparkplug.presence import Announcement, Presence

log = logging.getLogger(__name__)

LinkState = Literal["stopped", "connecting", "connected", "waiting", "refused"]

_BURST = 512  # packets read before acknowledgements get their turn
_MOST_OUTGOING = 10_000
_PUBACK = 0x40
_DISCONNECT = b"\xe0\x00"  # in order, in both versions
_FAREWELL_S = 2.0
_BRIEF_S, _TOO_OFTEN = 10.0, 3
_SEND_ONLY_IF_NEW = 1  # retained messages: only with a subscription that the session did not have
_SEND_NEVER = 2


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """
    How the connection is kept.

    Attributes
    ----------
    receive_maximum : messages that the broker may send ahead of our acknowledgements (MQTT 5)
    session_expiry_s : how long the broker keeps our messages while we are away (MQTT 5) [s]
    keepalive_s : how often a silent line is tried [s]
    greeting_s : how long a broker may take to answer a connection [s]
    first_wait_s, longest_wait_s : pauses between attempts to connect, doubling from the first to the longest [s]
    """

    receive_maximum: int = 20_000
    session_expiry_s: int = 30 * 86_400
    keepalive_s: int = 30
    greeting_s: float = 8.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


class Link:
    """
    A lasting connection with a named session, or with `watching` one that leaves nothing behind at the broker.

    It is `connected` once the broker has answered what we asked to subscribe to: what is sent to a broker that has not
    read that yet does not come to us.

    Parameters
    ----------
    address, client_id : which broker, and the session's name there
    filters : topic filters to subscribe to, QoS 1; with `watching` QoS 0
    on_message : called in the link's thread with topic, payload, packet id (0: nothing to acknowledge), whether it is
        marked as sent again, whether it was retained; must not raise
    on_pause : called in the link's thread whenever no more is to be read for now; a good moment to hand on
    may_read : asked before each burst; while False nothing is read
    on_connected : called in the link's thread once the broker has greeted us and we have asked to subscribe
    on_subscribed : called in the link's thread once the broker has granted all filters
    presence : what is said of our being there, in a greeting, a farewell and a will; None: nothing
    memory : remembers which filters the session has, so that those no longer wanted are given up; None: in memory only
    watching : begin anew with each connection, and have the broker keep nothing for us
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        filters: Sequence[str],
        *,
        on_message: OnMessage,
        on_pause: Callable[[], None],
        may_read: Callable[[], bool],
        on_connected: Callable[[], None] = lambda: None,
        on_subscribed: Callable[[], None] = lambda: None,
        presence: Presence | None = None,
        memory: FilterMemory | None = None,
        watching: bool = False,
        settings: LinkSettings | None = None,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._filters = tuple(filters)
        self._on_message = on_message
        self._on_pause = on_pause
        self._may_read = may_read
        self._on_connected = on_connected
        self._on_subscribed = on_subscribed
        self._presence = presence
        self._memory = memory or FilterMemory(None)
        self._watching = watching
        self._connected_us = 0
        self._settings = settings or LinkSettings()
        self._stopping = threading.Event()
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_r.setblocking(False)
        self._wake_w.setblocking(False)
        self._acks: deque[tuple[int, bytes]] = deque()
        self._outgoing: deque[tuple[str, bytes, int, bool]] = deque(maxlen=_MOST_OUTGOING)
        self._thread: threading.Thread | None = None
        self._protocol: MQTTProtocolVersion = mqtt.MQTTv5
        self._refused_5 = False  # the broker said that it does not know MQTT 5
        self._greeted = False  # CONNACK with success on this connection
        self._unanswered: set[int | None] = set()  # packet ids of what we asked to subscribe to and to give up
        self._refusal = ""  # what the broker did not grant on this connection, in words
        self._verdict: tuple[LinkState, str] | None = None
        self.connection = 0  # number of the present connection; acknowledgements of older ones are void
        self.state: LinkState = "stopped"
        self.detail = ""
        self.connections = 0
        self.last_error = ""
        self.last_error_us: int | None = None
        self.session_present = False

    @property
    def protocol(self) -> str:
        """Return `MQTT 5` or `MQTT 3.1.1`, as spoken or as tried next."""
        return "MQTT 5" if self._protocol == mqtt.MQTTv5 else "MQTT 3.1.1"

    def start(self) -> None:
        """Start the thread; it connects by itself and goes on trying."""
        self._thread = threading.Thread(target=self._run, name="collector-link", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Let the thread disconnect in order, after the acknowledgements given so far."""
        self._stopping.set()
        self.wake()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def wake(self) -> None:
        """Let the thread look around: something may have changed. From any thread."""
        with contextlib.suppress(OSError):  # full: it is going to look anyway
            self._wake_w.send(b"\0")

    def acknowledge(self, connection: int, mids: Sequence[int]) -> None:
        """Send PUBACKs, in the order given, for messages of connection number `connection`. From any thread."""
        if not mids:
            return
        packets = np.empty((len(mids), 4), dtype=np.uint8)
        ids = np.asarray(mids, dtype=np.uint16)
        packets[:, 0], packets[:, 1], packets[:, 2], packets[:, 3] = _PUBACK, 2, ids >> 8, ids & 0xFF
        self._acks.append((connection, packets.tobytes()))
        self.wake()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a command with QoS 0 if the connection stands; what it would answer is asked for again otherwise."""
        self._outgoing.append((topic, payload, 0, False))
        self.wake()

    def announce(self) -> None:
        """Say that we are there; from the link's thread."""
        if self._presence is not None:
            self._say(self._presence.online(self._connected_us))

    def _say(self, said: Announcement) -> None:
        self._outgoing.append((said.topic, said.payload, 1, True))

    # In the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait = self._settings.first_wait_s
        briefly = 0  # connections in a row that broke soon
        try:
            while not self._stopping.is_set():
                self._greeted, self._verdict = False, None
                tried = self._protocol
                began = time.monotonic()
                self._connect_once()
                if self._stopping.is_set():
                    break
                if self._greeted and not self._refused_5:
                    self._protocol = mqtt.MQTTv5  # what silenced it once may have passed
                brief = self._greeted and time.monotonic() - began < _BRIEF_S
                briefly = briefly + 1 if brief else 0
                if self._greeted and briefly < _TOO_OFTEN:
                    wait = self._settings.first_wait_s
                elif self._greeted:
                    self._trouble(
                        "the connection is lost each time soon after it is made; if another program connects as "
                        f"{self._client_id!r}, give each its own client id"
                    )
                if tried == mqtt.MQTTv5 and self._protocol != tried:
                    continue  # the broker is there and wants the older version: no need to wait
                pause = wait * random.uniform(0.7, 1.3)
                verdict: LinkState = "waiting"
                why = self.last_error
                if self._verdict is not None:
                    verdict, why = self._verdict
                if why != self.detail:
                    log.warning("broker connection lost or refused", extra={"broker": str(self._address), "why": why})
                self.state, self.detail = verdict, why
                wait = min(wait * 2, self._settings.longest_wait_s)
                self._pause(pause)
        except Exception:
            log.exception("the connection's thread ended by a fault of its own")
            self._trouble("internal fault, see the log")
        finally:
            self.state = "stopped"

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < end:
            self._on_pause()
            self._stopping.wait(min(0.25, max(0.0, end - time.monotonic())))

    def _connect_once(self) -> None:
        """Connect, and stay until the connection ends; says in `last_error` why it did."""
        self.state = "connecting"
        tried = self._protocol
        client = self._client(tried)
        self.connection += 1
        self._acks.clear()
        self._outgoing.clear()
        reached = False
        try:
            if tried == mqtt.MQTTv5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = 0 if self._watching else self._settings.session_expiry_s
                properties.ReceiveMaximum = self._settings.receive_maximum
                client.connect(
                    self._address.host, self._address.port, self._settings.keepalive_s,
                    clean_start=self._watching, properties=properties,
                )  # fmt: skip
            else:
                client.connect(self._address.host, self._address.port, self._settings.keepalive_s)
            reached = True
            self._serve(client)
        except (OSError, ValueError) as error:
            self._trouble(_words_of(error))
        finally:
            sock = client.socket()
            if sock is not None:
                client.disconnect()
        if not self._greeted and self._verdict is None and reached:
            # Some brokers close the line on a version they do not know, or fall silent, without a word.
            self._other_protocol()

    def _other_protocol(self) -> None:
        self._protocol = mqtt.MQTTv311 if self._protocol == mqtt.MQTTv5 else mqtt.MQTTv5

    def _client(self, protocol: MQTTProtocolVersion) -> mqtt.Client:
        client = _Client(
            self._on_message,
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if protocol == mqtt.MQTTv5 else self._watching,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = 10.0
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self._address.ca_file))
        if self._presence is not None:
            self._connected_us = time.time_ns() // 1000
            will = self._presence.offline(self._connected_us)
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_publish = self._published
        client.on_subscribe = self._subscribed
        client.on_unsubscribe = self._unsubscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    def _connected(
        self, client: mqtt.Client, _data: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            words = str(reason)
            if "rotocol" in words:
                self._verdict = ("waiting", f"{self._address}: the broker does not speak {self.protocol}")
                self._refused_5 = self._protocol == mqtt.MQTTv5
                self._other_protocol()
            else:
                self._verdict = ("refused", f"{self._address} refused the connection: {words}; check user and password")
            return
        self._greeted = True
        self.session_present = bool(flags.session_present)
        self.connections += 1
        if self.connections == 1:
            # Which protocol the broker speaks had to be tried; that is no trouble to tell of.
            self.last_error, self.last_error_us = "", None
        self.detail = f"{self._address}: the topics are not granted yet; if that lasts, see the broker's log"
        self._subscribe(client)
        self.announce()
        self._on_connected()
        log.info(
            "broker connected",
            extra={"broker": str(self._address), "protocol": self.protocol, "session_present": self.session_present},
        )

    def _subscribe(self, client: mqtt.Client) -> None:
        qos = 0 if self._watching else 1
        held = self._memory.filters if self.session_present else frozenset()
        # What the session was asked for before, and is not wanted any more, would go on coming for ever.
        unwanted = sorted(held - set(self._filters))
        known = held == set(self._filters)
        self._memory.keep({*self._filters, *unwanted})
        if self._protocol == mqtt.MQTTv5:
            options = SubscribeOptions(qos=qos, retainHandling=_SEND_NEVER if self._watching else _SEND_ONLY_IF_NEW)
            _, asked = client.subscribe([(f, options) for f in self._filters])
        else:
            _, asked = client.subscribe([(f, qos) for f in self._filters])
        # With a session that has them all nothing is in doubt, and all that waited there may come before the answer.
        self._unanswered, self._refusal = set() if known else {asked}, ""
        if unwanted:
            log.info("topics that are no longer wanted are given up", extra={"filters": unwanted})
            _, asked = client.unsubscribe(unwanted)
            self._unanswered.add(asked)
        self._settle()

    def _settle(self, answered: int | None = None) -> None:
        """Take the broker's answer to one of the packets; with the last one we are connected."""
        self._unanswered.discard(answered)
        if not self._unanswered:
            self.state = "connected"
            self.detail = self._refusal or f"connected to {self._address} by {self.protocol}"

    def _unsubscribed(self, _client: mqtt.Client, _data: Any, mid: int, *_: Any) -> None:
        self._memory.keep(set(self._filters))
        self._settle(mid)

    def _subscribed(self, _client: mqtt.Client, _data: Any, mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        refused = [f for f, reason in zip(self._filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._trouble(f"the broker let us not subscribe to {', '.join(refused)}; allow it in the broker's ACL")
            self._refusal = self.last_error
            log.error("subscription refused", extra={"filters": refused})
        self._settle(mid)
        if not refused:
            self._on_subscribed()

    def _published(self, _client: mqtt.Client, _data: Any, _mid: int, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            self._trouble(f"the broker let us not publish ({reason}); allow it in the broker's ACL")
            log.error("publishing refused", extra={"why": str(reason)})

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, flags: mqtt.DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        words = "the connection was lost; check the broker and the network"
        if not self._greeted:
            words = "the broker closed the connection before it answered"
        elif flags.is_disconnect_packet_from_server and "taken over" in str(reason):
            words = f"another program connected as {self._client_id!r}; give each collector its own client id"
        elif flags.is_disconnect_packet_from_server:
            words = f"the broker ended the connection: {reason}"
        self._trouble(words)

    def _trouble(self, words: str) -> None:
        self.last_error = f"{self._address}: {words}"
        self.last_error_us = time.time_ns() // 1000

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        # Only what `Inbound` leaves to paho: QoS 2, which we do not subscribe to.
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = NOT_UTF8
        self._on_message(topic, bytes(message.payload), message.mid if message.qos else 0, message.dup, message.retain)

    def _serve(self, client: mqtt.Client) -> None:
        """Read and write until the connection ends or we are asked to stop."""
        sock = client.socket()
        if sock is None:
            self._trouble("the connection closed at once")
            return
        unsent = b""
        stalled_since = 0.0
        next_misc = 0.0
        greet_by = time.monotonic() + self._settings.greeting_s
        pending = getattr(sock, "pending", lambda: 0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_r, selectors.EVENT_READ)
            interest = selectors.EVENT_READ
            selector.register(sock, interest)
            while client.socket() is sock:
                # What is left of a PUBACK must go out before paho writes anything of its own.
                if not unsent and self._acks and not client.want_write():
                    unsent = self._collect()
                if unsent:
                    sent = _send(sock, unsent)
                    unsent = unsent[sent:]
                    stalled_since = 0.0 if sent or not unsent else stalled_since or time.monotonic()
                    if stalled_since and time.monotonic() - stalled_since > 2 * self._settings.keepalive_s:
                        self._trouble("the broker takes no acknowledgements")
                        return
                elif client.want_write() and client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return
                while self._outgoing and not unsent and not client.want_write():
                    topic, payload, qos, retain = self._outgoing.popleft()
                    client.publish(topic, payload, qos, retain)
                stopping = self._stopping.is_set()
                if stopping and not unsent and not self._acks and not self._outgoing:
                    if self._presence is not None and self._greeted:
                        self._take_leave(client, sock, self._presence)
                    client.disconnect()
                    return
                now = time.monotonic()
                if now >= next_misc and not unsent:
                    next_misc = now + 1.0
                    if client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                        return
                if not self._greeted and now > greet_by:
                    self._trouble(f"the broker does not answer to {self.protocol}")
                    return
                reading = not stopping and self._may_read()
                wanted = (selectors.EVENT_READ if reading else 0) | (
                    selectors.EVENT_WRITE if unsent or client.want_write() else 0
                )
                if wanted != interest:
                    interest = self._watch(selector, sock, interest, wanted)
                timeout = 0.0 if (reading and pending()) or (self._acks and not unsent) else 0.5
                ready = {key.fileobj: events for key, events in selector.select(timeout)}
                if self._wake_r in ready:
                    self._drain_wakes()
                if reading and (pending() or ready.get(sock, 0) & selectors.EVENT_READ) and not _read(client, sock):
                    return
                self._on_pause()

    def _take_leave(self, client: mqtt.Client, sock: Any, presence: Presence) -> None:
        """Say that we go, and wait until the broker has read it and closes the line."""
        said = presence.offline(self._connected_us)
        client.publish(said.topic, said.payload, 1, True)
        end = time.monotonic() + _FAREWELL_S
        while client.want_write() and time.monotonic() < end:
            if client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        # Closing while something unread has come from the broker would cut the line: it might never read our
        # DISCONNECT, and would let the will speak.
        with contextlib.suppress(OSError):
            _send(sock, _DISCONNECT)
            while time.monotonic() < end and sock.drop():
                select.select([sock], [], [], 0.1)

    @staticmethod
    def _watch(selector: selectors.BaseSelector, sock: Any, before: int, wanted: int) -> int:
        if not wanted:
            selector.unregister(sock)
        elif not before:
            selector.register(sock, wanted)
        else:
            selector.modify(sock, wanted)
        return wanted

    def _collect(self) -> bytes:
        parts = []
        while self._acks:
            connection, packets = self._acks.popleft()
            # After a new connection the broker sends again what was not acknowledged, and counts anew.
            if connection == self.connection:
                parts.append(packets)
        return b"".join(parts)

    def _drain_wakes(self) -> None:
        try:
            while self._wake_r.recv(4096):
                pass
        except BlockingIOError:
            pass


class _Client(mqtt.Client):
    """paho's client with `Inbound` between it and its socket. paho offers no public place to put one in."""

    def __init__(self, inbound: OnMessage, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._inbound = inbound

    def _create_socket(self) -> Any:
        sock = super()._create_socket()
        return Inbound(sock, properties=self._protocol == mqtt.MQTTv5, on_message=self._inbound)


def _read(client: mqtt.Client, inbound: Any) -> bool:
    """Read what has come, up to a burst; False if the connection ended."""
    left = _BURST
    while left > 0:
        left -= inbound.read(left)
        if not inbound.for_paho:
            break
        if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is not inbound:
            return False
    return True


def _send(sock: Any, data: bytes) -> int:
    try:
        return int(sock.send(data))
    except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
        return 0


def _words_of(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message}); name its authority with ?ca=/path/to/ca.pem"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; start the broker or correct host and port"
    if isinstance(error, socket.gaierror):
        return "the host's name is not known; correct it"
    if isinstance(error, TimeoutError):
        return "no answer; check the network, host and port"
    return str(error) or type(error).__name__
