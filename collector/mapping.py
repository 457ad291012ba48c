"""From a topic to a decoding plan: which equipment, which payload keys, which points.

Known topics are one table look-up. A topic that is seen for the first time is tried against the site-wide patterns
once; what comes out, plan or refusal, is kept (bounded, since a publisher may invent topics without end).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.check import number_of
from collector.nesting import Nest, nest_of
from facility.equipment_classes import PointSpec
from facility.errors import PayloadRejected
from facility.site import Equipment, Layout, PayloadFormat, PointMapping, Site, Telemetry, TimeUnit, TopicPattern
from facility.sparkplug_names import NAMESPACE, SparkplugTopic, read_topic, state_topic
from facility.wording import nearest

# Time keys that gateways commonly use, best known first; tried when the site file names none.
TIME_KEYS: Final = ("ts", "time", "timestamp", "t", "datetime")

_MAX_SHAPES = 16  # layouts remembered for one topic; a gateway has a few, an attacker any number
_MAX_SHAPE_KEYS = 1024
_MAX_NESTS = 4  # nested layouts with the same outermost keys
_MAX_REFUSED = 10_000  # topics whose refusal is remembered
_MAX_LEARNED = 100_000  # topics learned from patterns
_MAX_HINTS = 1_000  # "did you mean" costs milliseconds: not for a flood of invented topics


Taker = tuple[int, Callable[[Any], float]]  # a slot, and how its value comes out of what stands in the payload


@dataclass(frozen=True, slots=True)
class Shape:
    """
    One layout of an object: its keys in order, resolved once, so that later ones need no look-up a key.

    Attributes
    ----------
    pick : takes the values that have a point, in order, out of all values of the object
    slots : slot of each picked value
    time_at : where the time stands among the values; -1: the object carries none
    colons : colons in a payload with these keys; more of them mean a key that stands twice
    unknown : keys that no point is mapped to
    """

    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    slots: list[int]
    time_at: int
    colons: int
    unknown: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """
    How the messages of one topic are read; with `routes`, how those of one machine on it are.

    Attributes
    ----------
    topic, gateway, format, layout : as the site file names them
    time_unit, zone : of a time that is a number; of one that names none
    keys : payload key (nested: dotted) -> slot; a plain plan has the one key ""
    bits : payload key -> (bit, slot) of each point that is one bit of what stands there
    words : slot -> words in lower case that stand for numbers
    coded : slots whose numbers are codes of the gateway's own, to be looked up among the words
    ignore : keys that are left out without a word; `*`: all that are not mapped
    time_keys : where the time may stand, best first
    branches : objects and lists inside which something is mapped, dotted: `data` and `data.phase` for `data.phase.a`
    route_key, routes : the key that says whose the values are, and the plan for each of its words
    shapes, whole_shapes : layouts of samples seen so far; of whole payloads likewise, none where they hold samples
    nests : nested layouts of whole payloads, by their outermost keys
    row_shapes : by the names of all rows, which of them have a point
    takers : by key, what its value is for; filled in as they are met
    late_by_us, late_since_us : how late its messages come, and since when by about the same; see `decode`
    """

    topic: str
    format: PayloadFormat
    gateway: str | None
    layout: Layout
    zone: tzinfo
    time_keys: tuple[str, ...]
    keys: dict[str, int] = field(default_factory=dict)
    bits: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    words: dict[int, Mapping[str, float]] = field(default_factory=dict)
    coded: set[int] = field(default_factory=set)
    ignore: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()
    route_key: str | None = None
    routes: dict[str, Plan] = field(default_factory=dict)
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict)
    whole_shapes: dict[tuple[str, ...], Shape] = field(init=False)
    time_unit: TimeUnit = field(init=False)
    nests: dict[tuple[str, ...], tuple[Nest, ...]] = field(default_factory=dict)
    row_shapes: dict[tuple[Any, ...], Shape] = field(default_factory=dict)
    takers: dict[str, Sequence[Taker]] = field(default_factory=dict)
    late_by_us: int = 0
    late_since_us: int = 0

    def __post_init__(self) -> None:
        self.whole_shapes = self.shapes if self.layout.samples is None else {}
        self.time_unit = self.layout.time_unit

    def ignores(self, key: str) -> bool:
        """Return whether a key that no point is mapped to is left out without a word."""
        return key in self.ignore or "*" in self.ignore

    def learn(self, keys: tuple[str, ...]) -> None:
        """Remember a flat layout; does nothing once enough are known, or where what it holds needs a closer look."""
        if len(self.shapes) >= _MAX_SHAPES or len(keys) > _MAX_SHAPE_KEYS or not self._simple(keys):
            return
        if not self.branches.isdisjoint(keys):
            return
        time_key = next((k for k in self.time_keys if k in keys), None)
        at = [i for i, key in enumerate(keys) if key in self.keys]
        if not at:
            return
        self.shapes[keys] = Shape(
            pick=_picker(at),
            slots=[self.keys[keys[i]] for i in at],
            time_at=keys.index(time_key) if time_key is not None else -1,
            colons=len(keys) + sum(key.count(":") for key in keys),
            unknown=tuple(k for k in keys if k not in self.keys and k != time_key and not self.expects(k)),
        )

    def expects(self, key: str) -> bool:
        """Return whether a key that no point is mapped to has its place in the site file all the same."""
        return (
            key == self.route_key
            or key == self.layout.quality
            or key in self.layout.time_keys
            or key in self.ignore
            or "*" in self.ignore
        )

    def learn_nested(self, data: dict[str, Any]) -> None:
        """Remember a nested layout of whole payloads, under the same conditions."""
        keys = tuple(data)
        known = self.nests.get(keys, ())
        if not known and len(self.nests) >= _MAX_SHAPES:
            return
        if self.layout.samples is not None or not self._simple((*self.bits, *self.keys)):
            return
        if any(nest.read(data) is not None for nest in known):
            return
        expected = {*self.ignore, *self.layout.time_keys} | ({self.route_key} if self.route_key is not None else set())
        nest = nest_of(data, self.branches, self.keys, self.time_keys, expected)
        if nest is not None:
            self.nests[keys] = (nest, *known[: _MAX_NESTS - 1])

    def learn_rows(self, names: tuple[str, ...]) -> None:
        """Remember the names of a list of rows, under the same conditions."""
        if len(self.row_shapes) >= _MAX_SHAPES or len(names) > _MAX_SHAPE_KEYS:
            return
        at = [i for i, name in enumerate(names) if name in self.keys]
        if not at or any(name in self.bits or self.keys.get(name) in self.coded for name in names):
            return
        self.row_shapes[names] = Shape(
            pick=_picker(at),
            slots=[self.keys[names[i]] for i in at],
            time_at=-1,
            colons=0,
            unknown=tuple(n for n in names if n not in self.keys and not self.ignores(n)),
        )

    def _simple(self, keys: Iterable[str]) -> bool:
        return not (
            any(key in self.bits or self.keys.get(key) in self.coded for key in keys)
            or self.layout.quality is not None
            or self.layout.values is not None
        )


def _picker(at: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if list(at) == list(range(at[0], at[0] + len(at))):  # also one value, for which itemgetter gives no tuple
        return itemgetter(slice(at[0], at[0] + len(at)))
    return itemgetter(*at)


@dataclass(frozen=True, slots=True, eq=False)
class SlotTable:
    """
    What each slot stands for: `value = payload * scale + offset` of `point`.

    Attributes
    ----------
    point : (n,) int32, index into the site's `PointTable`
    scale, offset : (n,) float64
    low, high : (n,) float64, what is physically possible, in the point's unit; infinite where nothing is known
    plain : True if every scale is 1 and every offset 0
    """

    point: NDArray[np.int32]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    plain: bool


class TopicMap:
    """All topics of a site. Not thread-safe: one thread resolves, `slots()` may be read from another."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._slot_of: dict[tuple[int, float, float], int] = {}
        self._slots: list[tuple[int, float, float, float, float]] = []
        self._table: SlotTable | None = None
        self._known: dict[str, Plan] = {}
        self._learned: OrderedDict[str, Plan] = OrderedDict()
        self._refused: OrderedDict[str, PayloadRejected] = OrderedDict()
        self._hints = 0
        self._ignored = f"{site.id}/simulator/"  # commands to a simulator are no telemetry
        self._unread: set[str] = set()  # topics of a gateway that the site file leaves out
        self._patterns = [(pattern, _pattern_regex(pattern.topic, site)) for pattern in site.patterns]
        for item in site.equipment.values():
            self._add_own_topics(item)

    def resolve(self, topic: str) -> Plan | PayloadRejected | None:
        """
        Return the plan of a topic; why it has none (`unknown-topic`); or None if it is none of telemetry's business.
        """
        plan = self._known.get(topic) or self._learned.get(topic)
        if plan is not None:
            return plan
        refusal = self._refused.get(topic)
        if refusal is not None:
            return refusal
        if topic.startswith(self._ignored) or topic in self._unread:
            return None
        try:
            plan = self._match(topic)
        except PayloadRejected as error:
            self._refused[topic] = error.with_traceback(None)
            if len(self._refused) > _MAX_REFUSED:
                self._refused.popitem(last=False)
            return error
        self._learned[topic] = plan
        if len(self._learned) > _MAX_LEARNED:
            self._learned.popitem(last=False)
        return plan

    def slots(self) -> SlotTable:
        """Return the table of all slots that have been given out so far."""
        slots, table = self._slots, self._table
        n = len(slots)
        if table is None or len(table.point) != n:
            columns = np.array(slots[:n], dtype=np.float64).reshape(n, 5)
            scale, offset = columns[:, 1].copy(), columns[:, 2].copy()
            table = SlotTable(
                columns[:, 0].astype(np.int32), scale, offset, columns[:, 3].copy(), columns[:, 4].copy(),
                bool(np.all(scale == 1.0) and np.all(offset == 0.0)),
            )  # fmt: skip
            self._table = table
        return table

    def _add_own_topics(self, item: Equipment) -> None:
        telemetry = item.telemetry
        if telemetry is None:
            return
        for mapping in telemetry.points.values():
            topic = telemetry.topic_of(mapping)
            root = self._known.get(topic)
            if root is None:
                root = self._known[topic] = self._plan(topic, telemetry.format, telemetry.gateway, telemetry.layout)
            root.ignore |= telemetry.ignore
            if telemetry.format == "plain":
                self._map(root, item, [replace(mapping, key="")])
                if "{point}" not in telemetry.topic:
                    break
                continue
            plan = root
            if telemetry.where is not None:
                # Several machines may share a gateway's topic: by keys of their own, or by a word in the payload.
                root.route_key = telemetry.where.key
                plan = root.routes.get(telemetry.where.equals) or self._plan(
                    topic, telemetry.format, telemetry.gateway, telemetry.layout
                )
                root.routes[telemetry.where.equals] = plan
                plan.route_key, plan.ignore = root.route_key, plan.ignore | telemetry.ignore
            self._map(plan, item, [mapping])
        if telemetry.format == "plain":
            self._unread |= {telemetry.topic.replace("{point}", key) for key in telemetry.ignore}

    def _plan(self, topic: str, form: PayloadFormat, gateway: str | None, layout: Layout) -> Plan:
        return Plan(
            topic, form, gateway, layout, layout.time_zone or self.site.time_zone, layout.time_keys or TIME_KEYS
        )

    def _map(self, plan: Plan, item: Equipment, mappings: Iterable[PointMapping]) -> None:
        index = self.site.points.index
        for mapping in mappings:
            spec = item.points[mapping.point]
            slot = self._slot(index[f"{item.id}/{mapping.point}"], spec, mapping.scale, mapping.offset)
            if mapping.bit is not None:
                plan.bits.setdefault(mapping.key, []).append((mapping.bit, slot))
            else:
                plan.keys[mapping.key] = slot
            words = _words(spec, mapping)
            if plan.format == "plain":
                words = {"true": 1.0, "false": 0.0} | words
            if words:
                plan.words[slot] = words
            if any(number_of(word) is not None or word.lower() in ("true", "false") for word in mapping.states):
                plan.coded.add(slot)
        mapped = (*plan.keys, *plan.bits)
        # A key that carries a value is not the time, though it may be called `t`.
        plan.time_keys = tuple(k for k in plan.time_keys if k not in plan.keys and k not in plan.bits)
        beside = [key for key in (plan.route_key, plan.layout.quality) if key is not None]
        steps = [key.split(".") for key in (*mapped, *plan.time_keys, *plan.ignore, *beside)]
        plan.branches = frozenset(".".join(s[:n]) for s in steps for n in range(1, len(s)))

    def _slot(self, point: int, spec: PointSpec, scale: float, offset: float) -> int:
        identity = (point, scale, offset)
        if identity not in self._slot_of:
            low, high = spec.physical or (-np.inf, np.inf)
            if spec.states:
                low, high = float(min(spec.states)), float(max(spec.states))
            self._slots.append((*identity, low, high))
            self._slot_of[identity] = len(self._slots) - 1
        return self._slot_of[identity]

    def _match(self, topic: str) -> Plan:
        for pattern, regex in self._patterns:
            found = regex.fullmatch(topic)
            if found is not None:
                return self._plan_by_pattern(topic, pattern, found.groupdict())
        raise PayloadRejected(
            "unknown-topic",
            "the topic fits no pattern and no machine's own topic in the site file; "
            + ("give the machine a telemetry topic, or publish as " + self._patterns[0][0].topic if self._patterns else
               "give the machine a telemetry topic"),
            case="no-pattern",
        )  # fmt: skip

    def _plan_by_pattern(self, topic: str, pattern: TopicPattern, named: Mapping[str, str]) -> Plan:
        site = self.site
        item = site.equipment.get(named["equipment"])
        if item is None:
            hint = self._hint(named["equipment"], site.equipment)
            raise PayloadRejected(
                "unknown-topic", f"no equipment {named['equipment'][:64]!r} in the site file{hint}",
                case="no-equipment", equipment=named["equipment"][:64],
            )  # fmt: skip
        room = site.rooms.get(item.room or "")
        where = {"room": item.room or "", "building": (room.building or "") if room else ""}
        for placeholder, right in where.items():
            if named.get(placeholder, right) != right:
                raise PayloadRejected(
                    "unknown-topic",
                    f"{item.id!r} stands in {placeholder} {right!r}, not {named[placeholder][:64]!r}; "
                    "correct the topic or the site file",
                    case="other-place", equipment=item.id, right=right, wrong=named[placeholder][:64],
                )  # fmt: skip
        measured = {name: spec for name, spec in item.points.items() if spec.kind != "derived"}
        plan = self._plan(topic, pattern.format, None, pattern.layout)
        if pattern.format == "json":
            own = item.telemetry.points if item.telemetry is not None else None
            self._map(plan, item, own.values() if own else [PointMapping(name, name) for name in measured])
            return plan
        name = named["point"]
        if name not in measured:
            hint = self._hint(name, measured)
            raise PayloadRejected(
                "unknown-topic", f"{item.id!r} has no measured point {name[:64]!r}{hint}",
                case="no-point", equipment=item.id, point=name[:64],
            )  # fmt: skip
        self._map(plan, item, [PointMapping(name, "")])
        return plan

    def _hint(self, word: str, known: Iterable[str]) -> str:
        self._hints += 1
        return nearest(word[:64], known) if self._hints <= _MAX_HINTS else ""

    def filters(self) -> tuple[str, ...]:
        """
        Return the topic filters to subscribe to: everything below the site's own id, and what lies elsewhere.

        The whole tree of the site is taken, so that a topic with a mistake in it is seen and not missed. No filter
        covers another: a broker may deliver a message once for each filter that fits.
        """
        wanted = [f"{self.site.id}/#"]
        for pattern in self.site.patterns:
            wanted.append(re.sub(r"\{(?!site\})\w+\}", "+", pattern.topic).replace("{site}", self.site.id))
        for item in self.site.equipment.values():
            if item.telemetry is not None and item.telemetry.format != "sparkplug":
                wanted += _topics_of(item.telemetry)
        wanted += self._sparkplug_filters()
        # `+` must fill a whole level; `a/x{point}` is taken one level wider.
        whole = dict.fromkeys("/".join("+" if "+" in level else level for level in f.split("/")) for f in wanted)
        return tuple(f for f in whole if not any(o != f and _covers(o, f) for o in whole))

    def sparkplug_plans(self) -> Mapping[SparkplugTopic, Plan]:
        """Return the plans of all that reports as Sparkplug, by the topic of its data."""
        plans = {topic: plan for topic, plan in self._known.items() if plan.format == "sparkplug"}
        return {parts: plan for topic, plan in plans.items() if (parts := read_topic(topic)) is not None}

    def points_of(self, plan: Plan) -> tuple[int, ...]:
        """Return the points that a plan is about, as indices into the site's table."""
        table = self.slots().point
        slots = {*plan.keys.values(), *(slot for bits in plan.bits.values() for _, slot in bits)}
        return tuple(sorted({int(table[slot]) for slot in slots}))

    def _sparkplug_filters(self) -> list[str]:
        # The whole group: a node's sequence of messages is only whole with those of devices that nobody has mapped.
        settings = self.site.sparkplug
        groups = dict.fromkeys((*(parts.group for parts in self.sparkplug_plans()), *settings.groups))
        own = [state_topic(settings.host_id, settings.old_state)] if settings.host_id else []
        return [f"{NAMESPACE}/{group}/#" for group in groups] + own


def _topics_of(telemetry: Telemetry) -> list[str]:
    """Return the topics of a machine, `+` for the point: as many of them as the points' words have levels."""
    levels = {m.key.count("/") for m in telemetry.points.values()} if telemetry.format == "plain" else {0}
    return [t.replace("{point}", "/".join("+" * (n + 1))) for t in telemetry.topics for n in sorted(levels)]


def _covers(wide: str, narrow: str) -> bool:
    """Return True if every topic that fits `narrow` also fits `wide`."""
    a, b = wide.split("/"), narrow.split("/")
    for i, level in enumerate(a):
        if level == "#":
            return True
        if i >= len(b) or b[i] == "#" or (level != "+" and level != b[i]):
            return False
    return len(a) == len(b)


def _pattern_regex(topic: str, site: Site) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", topic)
    seen: set[str] = set()
    text = ""
    for part in parts:
        name = part[1:-1]
        if not part.startswith("{"):
            text += re.escape(part)
        elif name == "site":
            text += re.escape(site.id)
        elif name in seen:
            text += f"(?P={name})"
        else:
            seen.add(name)
            text += f"(?P<{name}>[^/]+)"
    return re.compile(text)


def _words(spec: PointSpec, mapping: PointMapping) -> dict[str, float]:
    """Return the words that stand for numbers: the class's own states, on/off for a state of two, the site's."""
    words: dict[str, float] = {}
    if spec.states:
        if set(spec.states) == {0, 1}:
            words |= {"off": 0.0, "on": 1.0, "false": 0.0, "true": 1.0}
        words |= {word.lower(): float(code) for code, word in spec.states.items()}
    return words | {word.strip().lower(): float(code) for word, code in mapping.states.items()}
