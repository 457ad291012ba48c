"""What one batch could not understand: added up by topic and reason, with the raw messages to decode again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

KEPT_BYTES: Final = 64 * 1024  # of a payload, as the sample of a row
MAX_MESSAGE: Final = 1024 * 1024  # a longer payload is refused for its length, so there is nothing to decode again
_MAX_DETAIL: Final = 2000


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it came: enough to decode it again. `arrival_us` is when it first arrived [µs UTC]."""

    topic: str
    payload: bytes
    arrival_us: int
    retained: bool = False


@dataclass(slots=True)
class Rejection:
    """
    What is to be added to one row.

    `stored` is True if other values of every one of these messages were stored; `facts` say what is wrong as a code and
    its parameters, for pages in other languages than `detail`'s.
    """

    topic: str
    reason: str
    detail: str
    payload: bytes
    payload_size: int
    first_us: int
    last_us: int
    count: int
    gateway: str | None
    facts: Mapping[str, Any] | None = None
    stored: bool = False
    messages: list[RawMessage] = field(default_factory=list)


class Rejections:
    """The rejections of one batch, added up; `bytes` is about the memory they hold."""

    __slots__ = ("bytes", "count", "rows")

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Rejection] = {}
        self.count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self.rows.values())

    def add(
        self,
        topic: str,
        reason: str,
        detail: str | Callable[[], str],
        payload: bytes,
        size: int,
        at_us: int,
        gateway: str | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        retained: bool = False,
        stored: bool = False,
    ) -> None:
        """
        Count one message or value; detail and sample of the first one in the batch stand for all.

        Parameters
        ----------
        payload : the raw message; it is kept to be decoded again if it is whole (`size` bytes) and not empty
        at_us : when the message first arrived [µs UTC]
        facts : a code under `case`, and its parameters
        retained : the broker had kept the message
        stored : other values of the message were stored, so that losing it in a crash loses no reading
        """
        self.count += 1
        if "\0" in topic:
            topic = _storable(topic)
        row = self.rows.get((topic, reason))
        if row is None:
            text = _storable(detail if isinstance(detail, str) else detail())
            if facts:
                facts = {name: _storable(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
            row = self.rows[topic, reason] = Rejection(
                topic, reason, text[:_MAX_DETAIL], bytes(payload[:KEPT_BYTES]), size, at_us, at_us, 0, gateway,
                facts or None, stored,
            )  # fmt: skip
            self.bytes += min(size, KEPT_BYTES) + len(topic) + len(text) + 500
        row.count += 1
        row.last_us = at_us
        row.stored = row.stored and stored
        if 0 < size <= MAX_MESSAGE and len(payload) == size:
            row.messages.append(RawMessage(topic, bytes(payload), at_us, retained))
            self.bytes += size + 200


def _storable(text: str) -> str:
    """
    Return text with what no database and no answer can hold written out: NUL, and halves of characters.

    JSON may hold both, as `\\u0000` and `\\ud800`.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
