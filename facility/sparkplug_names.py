"""Names of Sparkplug B: how group, edge node and device make a topic, and what a topic says of them."""

from __future__ import annotations

from typing import Final, NamedTuple

NAMESPACE: Final = "spBv1.0"
SPARKPLUG_TOPICS: Final = (NAMESPACE + "/", "STATE/")  # how they begin; the second is that of Sparkplug 2.2
_DEVICE_KINDS: Final = frozenset({"DBIRTH", "DDATA", "DDEATH", "DCMD"})
_NODE_KINDS: Final = frozenset({"NBIRTH", "NDATA", "NDEATH", "NCMD"})
# `spBv1.0/STATE/<host>` would be read as a group of that name.
_NO_GROUP: Final = "STATE"


class SparkplugTopic(NamedTuple):
    """A topic of an edge node; `device` is empty for messages of the node itself."""

    group: str
    kind: str
    node: str
    device: str


def name_of(text: str) -> str:
    """Return a group's, node's, device's or host's name as it is; ValueError if Sparkplug does not allow it."""
    if not text or text != text.strip() or any(c in text for c in "/+#\x00") or len(text.encode()) > 4096:
        raise ValueError(f"{text!r} is no name in Sparkplug; leave out / + # and spaces at its ends")
    return text


def group_of(text: str) -> str:
    """Return a group's name as it is; ValueError if it cannot be one."""
    if text == _NO_GROUP:
        raise ValueError("'STATE' is no group: topics with it are those of hosts; write the group's own name")
    return name_of(text)


def data_topic(group: str, node: str, device: str | None) -> str:
    """Return the topic on which a device, or a node itself, sends its data."""
    return topic_of(group, "DDATA", node, device) if device else topic_of(group, "NDATA", node)


def topic_of(group: str, kind: str, node: str, device: str | None = None) -> str:
    """Return a topic from its parts."""
    parts = (NAMESPACE, group, kind, node, device) if device else (NAMESPACE, group, kind, node)
    return "/".join(parts)


def state_topic(host_id: str, old: bool = False) -> str:
    """Return the topic on which a host tells whether it is there; `old`: as in Sparkplug 2.2."""
    return f"{_NO_GROUP}/{host_id}" if old else f"{NAMESPACE}/{_NO_GROUP}/{host_id}"


def read_topic(topic: str) -> SparkplugTopic | None:
    """Return the parts of an edge node's topic; None if it is none."""
    parts = topic.split("/")
    if parts[0] != NAMESPACE or not all(parts):
        return None
    if len(parts) == 4 and parts[2] in _NODE_KINDS:
        return SparkplugTopic(parts[1], parts[2], parts[3], "")
    if len(parts) == 5 and parts[2] in _DEVICE_KINDS:
        return SparkplugTopic(parts[1], parts[2], parts[3], parts[4])
    return None
