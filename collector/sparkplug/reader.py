"""From metrics to readings: names and aliases to points, values to numbers, and a word on what could not be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from collector.check import EARLIEST_US, FUTURE_US, implausible, judged_time, number_of
from collector.mapping import Plan, TopicMap
from collector.sparkplug.changes import Mark, Owner
from collector.sparkplug.message import Message, aliases_defined
from collector.sparkplug.metrics import FRACTIONS, is_believed, property_of, type_name, value_of
from collector.sparkplug.session import Heard
from facility.errors import PayloadRejected
from facility.readings import GOOD, HISTORICAL
from facility.sparkplug_payload import BD_SEQ
from facility.units import conversion

if TYPE_CHECKING:
    from collector.decode import Draft

_MAX_LISTED: Final = 20
_MAX_NAME: Final = 128
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Metric:
    """
    A metric as its birth made it known.

    `slot` is -1 where no point is mapped to it; `quiet`: nobody misses a mapping, as it is the node's own business;
    `plain`: a number that comes for it is its value.
    """

    name: str
    datatype: int
    slot: int
    quiet: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class Book:
    """The metrics of one birth."""

    by_name: dict[str, Metric]
    by_alias: dict[int, Metric]


@dataclass(slots=True)
class Source:
    """
    A message that is being read.

    `book` is None where no birth explains it, which `why` tells; then only metrics that say their own name and type are
    read. `stored`: some of its values are readings. The lists gather what is the matter with metrics, by name.
    """

    owner: Owner
    plan: Plan | None
    book: Book | None
    heard: Heard
    why: str
    stored: bool = False
    unknown: list[str] = dataclasses.field(default_factory=list)
    unborn: list[str] = dataclasses.field(default_factory=list)
    bad: list[str] = dataclasses.field(default_factory=list)
    unreadable: list[str] = dataclasses.field(default_factory=list)

    @property
    def message(self) -> Message:
        """Return the message."""
        return cast(Message, self.heard.body)


class MetricReader:
    """Puts the metrics of messages into a draft. One thread only."""

    def __init__(self, topics: TopicMap) -> None:
        self._topics = topics

    def book(self, plan: Plan | None, metrics: Sequence[Any]) -> Book:
        """Return what a birth makes known."""
        by_name: dict[str, Metric] = {}
        by_alias: dict[int, Metric] = {}
        defined = aliases_defined(metrics)
        for metric in metrics:
            known = by_name[metric.name] = _known(plan, metric.name, metric.datatype)
            if metric.HasField("alias") and metric.alias in defined:
                by_alias[metric.alias] = known
        return Book(by_name, by_alias)

    def read(
        self, draft: Draft, owner: Owner, plan: Plan | None, book: Book | None, heard: Heard, why: str = ""
    ) -> bool:
        """
        Turn a message's metrics into readings.

        Parameters
        ----------
        owner, plan : whose message it is, and what is mapped of it; without a plan it is told that nothing is
        book : the birth that explains it; None if there is none, for the reason `why`

        Returns
        -------
        bool
            Whether it holds a metric that the birth does not name: there must have been another birth.
        """
        source = Source(owner, plan, book, heard, why)
        if plan is None and owner.device:
            self._tell(draft, source, "unknown-topic", nobody(owner))
            return False
        groups: dict[tuple[int, bool], tuple[list[int], list[float]]] = {}
        strange = False
        birth = heard.kind in ("NBIRTH", "DBIRTH")
        sent_ms = int(source.message.payload.timestamp)
        by_name, by_alias = (book.by_name, book.by_alias) if book is not None else ({}, {})
        for metric in source.message.metrics:
            name = metric.name
            known = by_name.get(name) if name else by_alias.get(metric.alias)
            if known is None:
                if not name or not metric.datatype:
                    source.unborn.append(name or f"alias {metric.alias}")
                    continue
                known = _known(plan, name, metric.datatype)
                strange = strange or (book is not None and not known.quiet)
            if plan is None or (known.slot == _NOBODY and known.name not in plan.bits):
                if not known.quiet:
                    source.unknown.append(known.name)
                continue
            metric_ms = int(metric.timestamp) or sent_ms
            # A birth tells what holds when it is sent, however long ago it was measured.
            at_ms = max(metric_ms, sent_ms) if birth and not metric.is_historical else metric_ms
            group = groups.get((at_ms, metric.is_historical))
            if group is None:
                group = groups[at_ms, metric.is_historical] = ([], [])
            slots, values = group
            if known.plain:
                # Most metrics, and most of the time: a number of which nothing special is told.
                field = metric.WhichOneof("value")
                if field in FRACTIONS and not metric.is_null and not metric.HasField("properties"):
                    value = getattr(metric, field)
                    if isfinite(value):
                        slots.append(known.slot)
                        values.append(value)
                        continue
            self._one(draft, source, plan, known, metric, slots, values)
        for (at_ms, historical), (slots, values) in groups.items():
            if slots and plan is not None:
                self._put(draft, source, plan, at_ms * 1000, historical, slots, values)
        self._report(draft, source)
        return strange

    def check_units(self, draft: Draft, owner: Owner, plan: Plan, heard: Heard) -> None:
        """Say so if a birth names a unit, and the mapping takes it for another."""
        source = Source(owner, plan, None, heard, "")
        slots = self._topics.slots()
        wrong: list[str] = []
        for metric in source.message.metrics:
            slot = plan.keys.get(metric.name)
            told = property_of(metric, "engUnit") if slot is not None else None
            if slot is None or not isinstance(told, str) or slots.scale[slot] != 1.0 or slots.offset[slot] != 0.0:
                continue
            address = self._topics.site.points.addresses[int(slots.point[slot])]
            try:
                differs = conversion(told, address.unit) != (1.0, 0.0)
            except ValueError:
                continue  # units that are only written otherwise are no mistake
            if differs:
                wrong.append(f"{metric.name[:_MAX_NAME]!r} comes in {told}, {address.key} is kept in {address.unit}")
        if wrong:
            self._tell(
                draft, source, "sparkplug-unit",
                f"{'; '.join(wrong[:_MAX_LISTED])}: write unit: at the point's mapping; until then the values are "
                "stored as they come",
            )  # fmt: skip

    def _one(
        self, draft: Draft, source: Source, plan: Plan, known: Metric, metric: Any, slots: list[int],
        values: list[float],
    ) -> None:  # fmt: skip
        """Add one mapped metric's readings, or note why it has none."""
        name = known.name
        believed = is_believed(metric)
        if metric.is_null or not believed:
            if not believed:
                source.bad.append(name)
            if not metric.is_historical:
                self._lose(draft, source, plan, name)
            return
        value = value_of(metric, known.datatype)
        if value is None:
            source.unreadable.append(f"{name[:_MAX_NAME]!r} is a {type_name(metric.datatype or known.datatype)}")
            return
        for bit, slot in plan.bits.get(name, ()):
            if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
                slots.append(slot)
                values.append(float(int(value) >> bit & 1))
            else:
                source.unreadable.append(f"{name[:_MAX_NAME]!r} is {value!r:.80} and has no bits")
        if known.slot == _NOBODY:
            return
        number = _number(value, plan, known.slot)
        if number is None:
            source.unreadable.append(f"{name[:_MAX_NAME]!r} is {value!r:.80}")
            return
        slots.append(known.slot)
        values.append(number)

    def _lose(self, draft: Draft, source: Source, plan: Plan, name: str) -> None:
        """The device has no value for a metric: what was read last does not speak for now."""
        mark = Mark(source.heard.at_us, source.owner)
        table = self._topics.slots().point
        for slot in (plan.keys.get(name), *(slot for _, slot in plan.bits.get(name, ()))):
            if slot is not None:
                draft.sparkplug.stale[int(table[slot])] = mark

    def _put(
        self, draft: Draft, source: Source, plan: Plan, at_us: int, historical: bool, slots: list[int],
        values: list[float],
    ) -> None:  # fmt: skip
        """Add readings of one time to the draft."""
        arrival_us = source.heard.arrival_us
        try:
            if not at_us:
                at_us, quality = arrival_us, GOOD
            elif historical:
                if not EARLIEST_US <= at_us <= arrival_us + FUTURE_US:
                    raise implausible(at_us, arrival_us)
                quality = HISTORICAL
            else:
                at_us, quality = judged_time(plan, at_us, arrival_us)
        except PayloadRejected as error:
            self._tell(draft, source, error.reason, error.detail)
            return
        draft.slot += slots
        draft.value += values
        draft.count.append(len(slots))
        draft.time_us.append(at_us)
        draft.quality.append(quality)
        draft.plan.append(plan)
        source.stored = True
        if draft.sparkplug.stale and not quality & HISTORICAL:
            for point in self._topics.slots().point[np.array(slots)].tolist():
                draft.sparkplug.stale.pop(point, None)

    def _report(self, draft: Draft, source: Source) -> None:
        if source.unborn:
            group, node = source.owner.group, source.owner.node
            self._tell(
                draft, source, "sparkplug-no-birth",
                f"{source.why or 'its birth does not name them'}: {_listed(source.unborn)} of {source.owner} cannot be "
                f"told without its birth; {group}/{node} was asked for a rebirth: see that it takes commands, and that "
                f"the broker lets us publish to spBv1.0/{group}/NCMD/#",
            )  # fmt: skip
        if source.unknown and source.plan is not None:
            self._tell(
                draft, source, "unknown-key",
                f"no point is mapped to {_listed(source.unknown)}; map it under telemetry.points, or leave it: "
                "the rest is stored",
            )  # fmt: skip
        if source.bad:
            self._tell(
                draft, source, "sparkplug-bad-quality",
                f"the device itself says that {_listed(source.bad)} is bad or stale; look at its sensor or bus",
            )  # fmt: skip
        if source.unreadable:
            self._tell(
                draft, source, "not-a-number",
                f"{'; '.join(source.unreadable[:_MAX_LISTED])} where a number belongs; map another metric, or give the "
                "point states: words",
            )  # fmt: skip

    @staticmethod
    def _tell(draft: Draft, source: Source, reason: str, detail: str) -> None:
        message, plan = source.message, source.plan
        draft.rejections.add(
            message.topic, reason, detail, message.raw, len(message.raw), source.heard.arrival_us,
            plan.gateway if plan is not None else None, stored=source.stored,
        )  # fmt: skip


def nobody(owner: Owner) -> str:
    """Return what to do about a node or device that no machine of the site file reports as."""
    device = f", device: {owner.device}" if owner.device else ""
    return (
        "no machine reports there; give one telemetry: "
        f"{{format: sparkplug, group: {owner.group}, node: {owner.node}{device}}}"
    )


def _known(plan: Plan | None, name: str, datatype: int) -> Metric:
    mapped = plan is not None and (name in plan.keys or name in plan.bits)
    quiet = name == BD_SEQ or name.startswith("Node Control/") or (plan is not None and plan.ignores(name))
    slot = plan.keys.get(name, _NOBODY) if plan is not None else _NOBODY
    plain = plan is not None and slot != _NOBODY and name not in plan.bits and slot not in plan.coded
    return Metric(name, datatype, slot, quiet or mapped, plain)


def _number(value: float | str | bool, plan: Plan, slot: int) -> float | None:
    """Return the number that stands for a value, None if none does."""
    words = plan.words.get(slot, {})
    if isinstance(value, str):
        word = value.strip().lower()
        return words[word] if word in words else number_of(value)
    if slot in plan.coded:
        # The gateway's own codes, to be looked up; a boolean without a word of its own is 1 or 0.
        found = words.get(str(value).lower() if isinstance(value, bool) else f"{value:g}")
        return found if found is not None or not isinstance(value, bool) else float(value)
    return float(value) if isfinite(value) else None


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:_MAX_NAME]) for name in names[:_MAX_LISTED])
    return f"{shown} and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else shown
