"""What an operator may change about a collector, and how one is doing."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.link import LinkSettings, LinkState


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """
    What an operator may change.

    Attributes
    ----------
    max_payload : larger payloads go to the quarantine [bytes]
    linger_s : a batch of few messages waits this long for company, since each commit costs a disk flush [s]
    max_waiting_messages, max_waiting_bytes : no more is read while this much waits for the store
    first_retry_s, longest_retry_s : pauses between attempts to write while the store is away [s]
    stop_s : how long `stop` waits for the last commit [s]
    link : the connection's own settings
    """

    max_payload: int = 1024 * 1024
    linger_s: float = 0.05
    max_waiting_messages: int = 20_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    first_retry_s: float = 0.25
    longest_retry_s: float = 15.0
    stop_s: float = 10.0
    link: LinkSettings = field(default_factory=LinkSettings)


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """
    How the collector is doing.

    Attributes
    ----------
    connected : the broker has answered which topics we get, and has not gone since
    state, detail : the connection's state as a code, and in words
    protocol : `MQTT 5` or `MQTT 3.1.1`
    received : messages since the start, those sent again included
    redelivered : of them, marked by the broker as sent again
    stored : readings committed since the start
    quarantined : messages and values rejected since the start
    batches : commits since the start
    waiting, waiting_bytes : messages received and not committed yet, and about the memory they hold
    last_message_us, last_commit_us : when; None: not yet
    store_available : the last write succeeded
    last_error, last_error_us : the newest trouble in words, and when; "" and None: there was none
    sink_failures : how often a live sink raised
    connections : times that the broker greeted us
    watching : readings cannot be committed, and are judged by the watch meanwhile
    """

    connected: bool
    state: LinkState
    detail: str
    protocol: str
    received: int
    redelivered: int
    stored: int
    quarantined: int
    batches: int
    waiting: int
    waiting_bytes: int
    last_message_us: int | None
    last_commit_us: int | None
    store_available: bool
    last_error: str
    last_error_us: int | None
    sink_failures: int
    connections: int
    watching: bool = False
