"""The link to an MQTT broker, as gateways and the replay use it: QoS 1, reconnecting, nothing lost while it is away."""

from __future__ import annotations

import ssl
from typing import Final, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

KEEPALIVE_S: Final = 30


class Broker(Protocol):
    """Where a broker is: anything with these attributes will do."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> bool: ...
    @property
    def user(self) -> str | None: ...
    @property
    def password(self) -> str | None: ...


def make_client(broker: Broker, client_id: str, queue: int, on_the_wire: int = 20) -> mqtt.Client:
    """
    Make a client that keeps up to `queue` unacknowledged messages (0: any number), at most `on_the_wire` of them under
    way, and sends them again after a reconnect.

    `loop_start` lets it connect; it keeps trying, from the first connection on. The session is clean: what is not yet
    acknowledged is kept here, not at the broker, and nothing is left behind there.
    """
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
    client.max_queued_messages_set(queue)
    client.max_inflight_messages_set(on_the_wire)
    client.reconnect_delay_set(1, 15)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        ca_file = getattr(broker, "ca_file", None)
        client.tls_set_context(ssl.create_default_context(cafile=ca_file))
    client.connect_async(broker.host, broker.port, keepalive=KEEPALIVE_S)
    return client
