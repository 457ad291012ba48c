"""Telling gateways whether this host is there: the STATE message, and the will that speaks when we no longer can."""

from __future__ import annotations

import json
from dataclasses import dataclass

from facility.site import SparkplugSettings
from facility.sparkplug_names import state_topic


@dataclass(frozen=True, slots=True)
class Announcement:
    """A retained message, QoS 1."""

    topic: str
    payload: bytes


class Presence:
    """
    What one host says of itself.

    Each connection has its own time, which its will and its greeting share: so a gateway can tell that a will that
    comes late is that of an earlier connection.
    """

    def __init__(self, host_id: str, old: bool = False) -> None:
        self.topic = state_topic(host_id, old)
        self._old = old

    @classmethod
    def of(cls, settings: SparkplugSettings) -> Presence | None:
        """Return what the site file asks for; None if it names no host."""
        return cls(settings.host_id, settings.old_state) if settings.host_id is not None else None

    def online(self, connected_us: int) -> Announcement:
        """Return the greeting of a connection that was begun at `connected_us`."""
        return self._said(True, connected_us)

    def offline(self, connected_us: int) -> Announcement:
        """Return what is said at the end of that connection, by us or as our will."""
        return self._said(False, connected_us)

    def contradicts(self, payload: bytes) -> bool:
        """Return whether a message on our topic says that we are not there."""
        if self._old:
            return payload.strip().upper() == b"OFFLINE"
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        return isinstance(said, dict) and said.get("online") is False

    def _said(self, online: bool, connected_us: int) -> Announcement:
        if self._old:
            return Announcement(self.topic, b"ONLINE" if online else b"OFFLINE")
        return Announcement(self.topic, json.dumps({"online": online, "timestamp": connected_us // 1000}).encode())
