"""From payloads to arrays, in bulk.

Messages are decoded one after the other into plain lists, and the lists become arrays once a batch. A layout that was
seen before costs one look-up a message and none a value; every other message takes the exact way, which knows all
that can be wrong with it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from collector.arrivals import ArrivalLedger
from collector.check import judged_time, number_of, range_quality, time_us
from collector.mapping import Plan, TopicMap
from collector.quarantine import Rejections
from collector.sparkplug.changes import Changes
from facility.errors import PayloadRejected
from facility.readings import CLOCK_SUSPECT, GOOD, HISTORICAL, ReadingBatch

if TYPE_CHECKING:
    from collector.sparkplug.host import SparkplugHost

SPARKPLUG_TOPICS: Final = ("spBv1.0/", "STATE/")
_NUMERIC: Final = frozenset((float, int, bool))
_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_MAX_LISTED = 20
_MAX_KEY = 128


@dataclass(slots=True)
class Draft:
    """
    What is decoded and not yet committed.

    One entry a message in `count`, `time_us`, `quality` and `plan`; one a value in `slot` and `value`.
    """

    slot: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    time_us: list[int] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    plan: list[Plan] = field(default_factory=list)
    mids: list[int] = field(default_factory=list)  # to acknowledge, in the order of arrival
    messages: int = 0
    rejections: Rejections = field(default_factory=Rejections)
    sparkplug: Changes = field(default_factory=Changes)

    @property
    def bytes(self) -> int:
        """Return about how much memory the draft holds: a value is a float and an index, the rest are samples."""
        return 48 * len(self.value) + 100 * self.messages + self.rejections.bytes

    def batch(self, topics: TopicMap) -> ReadingBatch:
        """Return the readings as arrays; a value that scaling made infinite is rejected here."""
        slots = topics.slots()
        slot = np.array(self.slot, dtype=np.int32)
        value = np.array(self.value, dtype=np.float64)
        count = np.array(self.count, dtype=np.intp)
        if not slots.plain:
            value = value * slots.scale[slot] + slots.offset[slot]
        at = np.repeat(np.array(self.time_us, dtype=np.int64), count)
        quality = np.repeat(np.array(self.quality, dtype=np.uint8), count)
        quality |= range_quality(value, slots.low[slot], slots.high[slot])
        finite = np.isfinite(value)
        if not finite.all():
            ends = np.cumsum(count)
            for i in np.flatnonzero(~finite).tolist():
                plan = self.plan[int(np.searchsorted(ends, i, side="right"))]
                key = topics.site.points.key(int(slots.point[slot[i]]))
                self.rejections.add(
                    plan.topic, "not-a-number", f"{key}: the value is too large once scaled; correct its scale",
                    b"", 0, int(at[i]), plan.gateway,
                )  # fmt: skip
            slot, value, at, quality = slot[finite], value[finite], at[finite], quality[finite]
        return ReadingBatch(topics.site.points, slots.point[slot], at, value, quality)


class Decoder:
    """
    Decodes messages into the current `Draft`. One thread only.

    Parameters
    ----------
    topics : what each topic means
    ledger : arrival times of messages that carry none, against redelivery
    max_payload : larger payloads are refused [bytes]
    sparkplug : reads what comes as Sparkplug; None where the site has none
    """

    def __init__(
        self, topics: TopicMap, ledger: ArrivalLedger, max_payload: int, sparkplug: SparkplugHost | None = None
    ) -> None:
        self.topics = topics
        self.sparkplug = sparkplug
        self.draft = Draft()
        self._ledger = ledger
        self._max_payload = max_payload
        self._zone = topics.site.time_zone

    def take(self) -> Draft:
        """Return the draft so far and begin a new one."""
        draft, self.draft = self.draft, Draft()
        return draft

    def add(self, topic: str, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool) -> None:
        """
        Decode one message. Never raises for what the message holds: that goes to the rejections.

        `mid` is the packet id of a QoS 1 message (to be acknowledged), 0 otherwise.
        """
        draft = self.draft
        draft.messages += 1
        if self.sparkplug is not None and topic.startswith(SPARKPLUG_TOPICS):
            self.sparkplug.add(draft, topic, payload, arrival_us, mid, retained)
            return
        if mid:
            draft.mids.append(mid)
        plan = self.topics.resolve(topic)
        if plan is None:
            return
        try:
            if plan.__class__ is not Plan:
                raise plan if isinstance(plan, PayloadRejected) else TypeError(plan)
            if len(payload) > self._max_payload:
                raise _too_large(len(payload), self._max_payload)
            if plan.format == "json":
                self._json(plan, payload, arrival_us, mid, dup, retained)
            else:
                self._plain(plan, payload, arrival_us, mid, dup, retained)
        except PayloadRejected as error:
            gateway = plan.gateway if isinstance(plan, Plan) else None
            draft.rejections.add(topic, error.reason, error.detail, payload, len(payload), arrival_us, gateway)

    def _json(self, plan: Plan, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool) -> None:
        draft = self.draft
        try:
            data = orjson.loads(payload)
        except orjson.JSONDecodeError:
            self._exact(plan, None, payload, arrival_us, mid, dup, retained)
            return
        if data.__class__ is dict:
            keys = tuple(data)
            shape = plan.shapes.get(keys)
            if shape is not None:
                values = tuple(data.values())
                picked = shape.pick(values)
                colons = shape.colons
                raw = None
                if shape.time_at >= 0:
                    raw = values[shape.time_at]
                    if raw.__class__ is str:
                        colons += raw.count(":")
                if _NUMERIC.issuperset(map(type, picked)) and payload.count(b":") == colons:
                    if raw is None:
                        at, quality = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
                    else:
                        at, quality = self._own_time(plan, raw, arrival_us)
                    draft.slot += shape.slots
                    draft.value += picked
                    draft.count.append(len(picked))
                    draft.time_us.append(at)
                    draft.quality.append(quality)
                    draft.plan.append(plan)
                    if shape.unknown:
                        self._tell_unknown(plan, shape.unknown, payload, arrival_us)
                    return
        self._exact(plan, data, payload, arrival_us, mid, dup, retained)

    def _own_time(self, plan: Plan, raw: Any, arrival_us: int) -> tuple[int, int]:
        return judged_time(plan, time_us(raw, plan.layout.time_unit, self._zone), arrival_us)

    def _arrived(
        self, topic: str, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool
    ) -> tuple[int, int]:
        if retained:
            # The broker kept it for nobody knows how long: good as a last known value, not for live rules.
            return arrival_us, HISTORICAL | CLOCK_SUSPECT
        if mid:
            arrival_us = self._ledger.arrival(mid, topic, payload, arrival_us, dup)
        return arrival_us, GOOD

    def _exact(
        self, plan: Plan, data: Any, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool
    ) -> None:
        if data is None or _doubtful(data, payload):
            data, twice = _careful(payload, plan)
        else:
            twice = frozenset()
        if not isinstance(data, dict):
            raise PayloadRejected(
                "not-an-object",
                f"the payload is a JSON {_json_word(data)}, not an object of keys and values; "
                "for one bare value a message, give the topic format: plain",
            )
        if not data:
            raise PayloadRejected("no-values", "the object is empty; correct what the gateway sends")
        flat = list(_flatten(data, plan))
        found = dict(flat)
        time_key = next((k for k in plan.time_keys if found.get(k) is not None), None)
        if time_key is None:
            at, quality = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
        elif time_key in twice:
            raise PayloadRejected(
                "time-unreadable", f"the time {time_key!r} stands twice in the payload; correct what the gateway sends"
            )
        else:
            at, quality = self._own_time(plan, found[time_key], arrival_us)
        slots: list[int] = []
        values: list[float] = []
        unknown: list[str] = []
        bad: list[tuple[str, str]] = []
        for key, raw in found.items():
            slot = plan.keys.get(key)
            if slot is None:
                # A time that is null is no time, but nothing unknown either.
                if key != time_key and not (raw is None and key in plan.time_keys):
                    unknown.append(key)
            elif key in twice:
                bad.append(("duplicate-key", f"{key!r} stands twice in the payload; correct what the gateway sends"))
            elif raw is not None:  # null is a missing value, not a reading
                try:
                    values.append(_number(key, raw, plan.words.get(slot)))
                    slots.append(slot)
                except PayloadRejected as error:
                    bad.append((error.reason, error.detail))
        draft = self.draft
        if slots:
            draft.slot += slots
            draft.value += values
            draft.count.append(len(slots))
            draft.time_us.append(at)
            draft.quality.append(quality)
            draft.plan.append(plan)
        if unknown:
            self._tell_unknown(plan, tuple(unknown), payload, arrival_us)
        for reason in dict.fromkeys(reason for reason, _ in bad):
            details = [detail for r, detail in bad if r == reason]
            more = f" (and {len(details) - _MAX_LISTED} more)" if len(details) > _MAX_LISTED else ""
            detail = "; ".join(details[:_MAX_LISTED]) + more
            draft.rejections.add(plan.topic, reason, detail, payload, len(payload), arrival_us, plan.gateway)
        if not twice and not bad and not any(isinstance(v, dict | list) for v in data.values()):
            plan.learn(tuple(data))

    def _tell_unknown(self, plan: Plan, unknown: tuple[str, ...], payload: bytes, arrival_us: int) -> None:
        def detail() -> str:
            names = ", ".join(repr(k[:_MAX_KEY]) for k in unknown[:_MAX_LISTED])
            more = f" and {len(unknown) - _MAX_LISTED} more" if len(unknown) > _MAX_LISTED else ""
            return (
                f"no point is mapped to {names}{more}; map it under telemetry.points, or leave it: the rest is stored"
            )

        self.draft.rejections.add(
            plan.topic, "unknown-key", detail, payload, len(payload), arrival_us, plan.gateway
        )  # fmt: skip

    def _plain(self, plan: Plan, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool) -> None:
        try:
            text = payload.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise _not_utf8(error) from None
        if not text:
            raise _empty()
        if len(text) >= 2 and text[0] == text[-1] == '"':
            text = text[1:-1]
        slot = plan.keys[""]
        value = _number("", text, plan.words.get(slot))
        at, quality = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
        draft = self.draft
        draft.slot.append(slot)
        draft.value.append(value)
        draft.count.append(1)
        draft.time_us.append(at)
        draft.quality.append(quality)
        draft.plan.append(plan)


def _too_large(size: int, limit: int) -> PayloadRejected:
    return PayloadRejected(
        "payload-too-large",
        f"the payload has {size:,} bytes, more than the {limit:,} allowed; let the gateway send smaller messages",
    )


def _empty() -> PayloadRejected:
    return PayloadRejected("empty-payload", "the payload is empty; correct what the gateway sends")


def _not_utf8(error: UnicodeDecodeError) -> PayloadRejected:
    return PayloadRejected(
        "not-utf8", f"byte {error.start} of the payload is not UTF-8; let the gateway send JSON or plain text in UTF-8"
    )


def _number(key: str, raw: Any, words: Mapping[str, float] | None) -> float:
    """Return the number that stands for `raw`; PayloadRejected if it is none."""
    if isinstance(raw, str):
        word = raw.strip().lower()
        if words and word in words:
            return words[word]
        number = number_of(raw)
        if number is not None and math.isfinite(number):
            return number
    elif isinstance(raw, int | float):
        try:
            number = float(raw)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    shown = f"{_json_word(raw)} " if isinstance(raw, dict | list) else ascii(raw) if _huge(raw) else repr(raw)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    where = f"{key[:_MAX_KEY]!r} is {shown.strip()}" if key else f"the payload is {shown.strip()}"
    known = f"; the words known here are {', '.join(sorted(words))}" if words else ""
    raise PayloadRejected(
        "not-a-number", f"{where} where a number belongs{known}; correct the gateway, or give the point states: words"
    )


def _huge(raw: Any) -> bool:
    return isinstance(raw, str) and not raw.isprintable()


def _json_word(data: Any) -> str:
    kinds = {dict: "object", list: "list", str: "text", bool: "true/false", type(None): "null"}
    return kinds.get(type(data), "number")


def _flatten(data: dict[str, Any], plan: Plan, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value), going only into objects in which something is mapped."""
    for key, value in data.items():
        path = prefix + key
        if isinstance(value, dict) and path in plan.branches:
            yield from _flatten(value, plan, path + ".")
        else:
            yield path, value


def _doubtful(data: Any, payload: bytes) -> bool:
    """Return True if a key may stand twice: more ends of keys in the text than keys that came out of it."""
    keys = _count_keys(data)
    return payload.count(b":") != keys and len(_KEY_END.findall(payload)) != keys


def _count_keys(data: Any) -> int:
    count, stack = 0, [data]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            count += len(node)
            stack += [v for v in node.values() if isinstance(v, dict | list)]
        elif isinstance(node, list):
            stack += [v for v in node if isinstance(v, dict | list)]
    return count


def _careful(payload: bytes, plan: Plan) -> tuple[Any, frozenset[str]]:
    """
    Parse JSON slowly: NaN and Infinity are let through (their keys are named later), keys that stand twice are found.

    Returns
    -------
    data, twice
        The value, and the dotted keys that stand twice in their object.

    Raises
    ------
    PayloadRejected
        With the reason for which the payload cannot be read.
    """
    if not payload.strip():
        raise _empty()
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None
    repeated: dict[int, tuple[dict[str, Any], set[str]]] = {}  # the object is kept, so that its id stays its own

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            repeated[id(result)] = (result, {key for key, _ in pairs if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
        return result

    try:
        data = json.loads(text, object_pairs_hook=build, parse_int=_integer)
    except RecursionError:
        raise PayloadRejected(
            "too-deep", "the payload nests objects or lists too deep to be read; let the gateway send flat JSON"
        ) from None
    except ValueError as error:
        where = f"{error.msg} at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise PayloadRejected(
            "broken-json", f"the payload is not JSON: {where}; correct the gateway, or give the topic format: plain"
        ) from None
    return data, frozenset(_twice(data, plan, repeated) if repeated else ())


def _twice(
    data: Any, plan: Plan, repeated: dict[int, tuple[dict[str, Any], set[str]]], prefix: str = ""
) -> Iterator[str]:
    if isinstance(data, dict):
        own = repeated.get(id(data), (data, set()))[1]
        for key, value in data.items():
            if key in own:
                yield prefix + key
            elif isinstance(value, dict) and prefix + key in plan.branches:
                yield from _twice(value, plan, repeated, prefix + key + ".")


def _integer(text: str) -> float:
    # Python refuses to read integers of thousands of digits; as a float they are infinite, and said to be no number.
    return int(text) if len(text) < 400 else float("inf")
