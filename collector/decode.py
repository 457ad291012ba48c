"""From payloads to arrays, in bulk.

Messages are decoded one after the other into plain lists, and the lists become arrays once a batch. A layout that was
seen before costs one look-up a message and none a value; every other message takes the exact way, which knows all
that can be wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from collector.arrivals import ArrivalLedger
from collector.check import judged_time, range_quality, time_us
from collector.gathering import MAX_LISTED, NUMERIC, gather, numbers_of, route_word
from collector.mapping import Plan, Shape, TopicMap
from collector.nesting import Nest
from collector.payload import NO_REPEATS, bit, careful, doubtful, empty, not_utf8, number
from collector.quarantine import Rejections
from collector.settling import settle
from collector.sparkplug.changes import Changes
from facility.errors import PayloadRejected
from facility.readings import CLOCK_SUSPECT, GOOD, HISTORICAL, ReadingBatch
from facility.sparkplug_names import SPARKPLUG_TOPICS

if TYPE_CHECKING:
    from collector.sparkplug.host import SparkplugHost

_MAX_KEY: Final = 128


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
        if isinstance(plan, PayloadRejected):
            # Not raised: the map keeps it, and a raised error keeps alive all that was on the way to it.
            self._refuse(plan, topic, None, payload, arrival_us, mid, dup, retained)
            return
        try:
            if len(payload) > self._max_payload:
                raise _too_large(len(payload), self._max_payload)
            if plan.format == "json":
                self._json(plan, payload, arrival_us, mid, dup, retained)
            else:
                self._plain(plan, payload, arrival_us, mid, dup, retained)
        except PayloadRejected as error:
            self._refuse(error, topic, plan.gateway, payload, arrival_us, mid, dup, retained)

    def _refuse(
        self, error: PayloadRejected, topic: str, gateway: str | None, payload: bytes, arrival_us: int, mid: int,
        dup: bool, retained: bool,
    ) -> None:  # fmt: skip
        if mid:
            # It may be decoded again one day: then its time is when it first arrived.
            arrival_us = self._ledger.arrival(mid, topic, payload, arrival_us, dup)
        self.draft.rejections.add(
            topic, error.reason, error.detail, payload, len(payload), arrival_us, gateway, facts=error.facts,
            retained=retained,
        )  # fmt: skip

    def _json(self, plan: Plan, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool) -> None:
        draft = self.draft
        try:
            data = orjson.loads(payload)
        except orjson.JSONDecodeError:
            self._exact(plan, None, payload, arrival_us, mid, dup, retained)
            return
        if data.__class__ is dict:
            own, keys = plan, tuple(data)
            flat = plan.whole_shapes.get(keys)
            if flat is None and plan.routes:
                own = plan.routes.get(route_word(data.get(plan.route_key, "")), plan)
                flat = own.whole_shapes.get(keys)
            shape: Shape | Nest | None = flat
            raw: Any = None
            if flat is not None:
                values = tuple(data.values())
                picked: Any = flat.pick(values)
                colons = flat.colons
                if flat.time_at >= 0:
                    raw = values[flat.time_at]
                    if raw.__class__ is str:
                        colons += raw.count(":")
                    elif raw is None or raw.__class__ is list:  # columns, or perhaps another time: a closer look
                        colons = -1
            else:
                for nest in own.nests.get(keys, ()):
                    if (seen := nest.read(data)) is not None:
                        shape, (picked, raw, colons) = nest, seen
                        break
            if shape is not None:
                if not NUMERIC.issuperset(map(type, picked)):
                    picked = numbers_of(picked, own, shape.slots)
                if picked is not None and payload.count(b":") == colons:
                    if raw is None:
                        at, quality = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
                    else:
                        at, quality = judged_time(own, time_us(raw, own.time_unit, own.zone), arrival_us)
                    draft.slot += shape.slots
                    draft.value += picked
                    draft.count.append(len(picked))
                    draft.time_us.append(at)
                    draft.quality.append(quality)
                    draft.plan.append(own)
                    if shape.unknown:
                        came_us = at if raw is None else arrival_us
                        self._tell_unknown(plan, shape.unknown, payload, came_us, retained, True)
                    return
        self._exact(plan, data, payload, arrival_us, mid, dup, retained)

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
        repeats = NO_REPEATS
        if data is None or doubtful(data, payload):
            data, repeats = careful(payload)
        found = gather(plan, data, repeats)
        arrived = None
        if found.count:
            if any(time is None for time in found.time):
                arrived = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
            owner = found.owner or plan
            times, qualities = settle(owner, found, arrival_us, arrived)
            draft = self.draft
            draft.slot += found.slot
            draft.value += found.value
            draft.count += found.count
            draft.time_us += times
            draft.quality += qualities
            draft.plan += [owner] * len(times)
        stored = bool(found.count)
        if arrived is not None:
            arrival_us = arrived[0]
        elif mid and not stored:
            arrival_us = self._ledger.arrival(mid, plan.topic, payload, arrival_us, dup)
        if found.unknown:
            self._tell_unknown(plan, tuple(found.unknown), payload, arrival_us, retained, stored)
        for reason, details in found.refused.items():
            more = found.refusals[reason] - len(details)
            detail = "; ".join(details) + (f" (and {more:,} more)" if more else "")
            self.draft.rejections.add(
                plan.topic, reason, detail, payload, len(payload), arrival_us, plan.gateway,
                facts=found.facts.get(reason), retained=retained, stored=stored,
            )  # fmt: skip

    def _tell_unknown(
        self, plan: Plan, unknown: tuple[str, ...], payload: bytes, arrival_us: int, retained: bool, stored: bool
    ) -> None:
        def detail() -> str:
            names = ", ".join(repr(k[:_MAX_KEY]) for k in unknown[:MAX_LISTED])
            more = f" and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
            return (
                f"no point is mapped to {names}{more}; map it under telemetry.points, or leave it: the rest is stored"
            )

        self.draft.rejections.add(
            plan.topic, "unknown-key", detail, payload, len(payload), arrival_us, plan.gateway,
            facts={"case": "unmapped", "keys": ", ".join(k[:_MAX_KEY] for k in unknown[:MAX_LISTED])},
            retained=retained, stored=stored,
        )  # fmt: skip

    def _plain(self, plan: Plan, payload: bytes, arrival_us: int, mid: int, dup: bool, retained: bool) -> None:
        try:
            text = payload.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise not_utf8(error) from None
        if not text:
            raise empty()
        if len(text) >= 2 and text[0] == text[-1] == '"':
            text = text[1:-1]
        readings = [(slot, number("", text, plan.words.get(slot), slot in plan.coded)) for slot in plan.keys.values()]
        readings += [(slot, bit("", text, place)) for place, slot in plan.bits.get("", ())]
        at, quality = self._arrived(plan.topic, payload, arrival_us, mid, dup, retained)
        draft = self.draft
        draft.slot += [slot for slot, _ in readings]
        draft.value += [value for _, value in readings]
        draft.count.append(len(readings))
        draft.time_us.append(at)
        draft.quality.append(quality)
        draft.plan.append(plan)


def _too_large(size: int, limit: int) -> PayloadRejected:
    return PayloadRejected(
        "payload-too-large",
        f"the payload has {size:,} bytes, more than the {limit:,} allowed; let the gateway send smaller messages",
        case="too-large", size=size, limit=limit,
    )  # fmt: skip
