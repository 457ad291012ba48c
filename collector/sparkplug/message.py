"""One Sparkplug message: its bytes read, and what the node's session needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from collector.check import EARLIEST_US
from collector.sparkplug.payload import bd_seq_of, broken
from collector.sparkplug.session import Heard, Kind
from facility.sparkplug_names import SparkplugTopic

_LAST_SEQ = 255


@dataclass(slots=True, eq=False)
class Message:
    """
    A message on its way, as the body of a `Heard`.

    Attributes
    ----------
    topic, raw : as it came
    payload, metrics : as read
    mid : packet id that is to be acknowledged; 0 once there is none
    """

    topic: str
    raw: bytes
    payload: Any
    mid: int
    metrics: Sequence[Any] = ()


def heard_of(parts: SparkplugTopic, message: Message, arrival_us: int) -> Heard:
    """Return what a session needs of a message; PayloadRejected (`broken-sparkplug`) if it breaks the rules."""
    payload, kind = message.payload, cast(Kind, parts.kind)
    message.metrics = metrics = list(payload.metrics)  # each walk over the message itself would unpack them anew
    seq = int(payload.seq) if payload.HasField("seq") else None
    if seq is not None and seq > _LAST_SEQ:
        raise broken(f"the sequence number is {seq}, where 0 to 255 belongs")
    aliases: frozenset[int] = frozenset()
    if kind in ("NBIRTH", "DBIRTH"):
        aliases = aliases_defined(metrics)
    elif kind in ("NDATA", "DDATA"):
        try:
            aliases = frozenset([metric.alias for metric in metrics if not metric.name])
        except UnicodeDecodeError:
            raise broken("a metric's name is not UTF-8") from None
    at_us = int(payload.timestamp) * 1000
    if not EARLIEST_US <= at_us <= arrival_us:
        at_us = arrival_us
    bd_seq = bd_seq_of(payload) if kind in ("NBIRTH", "NDEATH") else None
    return Heard(
        kind, parts.device, seq, bd_seq, at_us, arrival_us, aliases, hash(message.raw), len(message.raw), message
    )


def aliases_defined(metrics: Sequence[Any]) -> frozenset[int]:
    """
    Return the aliases that a birth defines; PayloadRejected (`broken-sparkplug`) if a metric has no name.

    An alias that two metrics bear tells neither: by it a value would end up in the wrong point.
    """
    try:
        if not all(metric.name for metric in metrics):
            raise broken("a metric of the birth has no name")
    except UnicodeDecodeError:
        raise broken("a metric's name is not UTF-8") from None
    named: dict[int, str] = {}
    doubled: set[int] = set()
    for metric in metrics:
        if metric.HasField("alias") and named.setdefault(metric.alias, metric.name) != metric.name:
            doubled.add(metric.alias)
    return frozenset(named.keys() - doubled)
