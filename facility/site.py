"""A hospital as data: buildings, rooms, equipment, meters, departments, and where each reading comes from.

The model holds what the site file says, checked and resolved; `facility.site_file` reads it. Facts that change carry
dates: `Dated` holds each value from a day until the next one begins.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from facility.allocation_rules import AllocationRules
from facility.equipment_classes import METER_REGISTERS, ClassLibrary, EquipmentClass, Limit, PointSpec
from facility.errors import Problem
from facility.factor_library import CarbonSettings
from facility.measures import Measure
from facility.names import Names
from facility.readings import PointAddress, PointTable
from facility.store.levels import Retention
from facility.targets import Target
from facility.tariff_model import Contract, Tariff
from facility.virtual_meters import VirtualMeter

V = TypeVar("V")

Criticality = Literal["A", "B", "C"]
TimeUnit = Literal["auto", "s", "ms", "us", "iso"]
PayloadFormat = Literal["json", "plain", "sparkplug"]


@dataclass(frozen=True, slots=True)
class Dated(Generic[V]):
    """A fact with dates: `values[i]` holds from `since[i]` until the next begins; before the first, the first holds."""

    since: tuple[date, ...]
    values: tuple[V, ...]

    @classmethod
    def always(cls, value: V) -> Dated[V]:
        """Return a fact that has never changed."""
        return cls((date.min,), (value,))

    def on(self, day: date) -> V:
        """Return the value that holds on `day`."""
        return self.values[max(0, bisect.bisect_right(self.since, day) - 1)]

    @property
    def latest(self) -> V:
        """Return the value that holds last."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the hospital is; a value that is not given is None."""

    floor_area_m2: float | None = None
    beds: float | None = None


@dataclass(frozen=True, slots=True)
class Building:
    """A building of the site."""

    id: str
    name: Names


@dataclass(frozen=True, slots=True)
class Room:
    """A plant room."""

    id: str
    kind: str
    name: Names
    building: str | None


@dataclass(frozen=True, slots=True)
class Department:
    """A department or cost centre; area, beds and staff carry dates."""

    id: str
    name: Names
    cost_centre: str | None
    building: str | None
    floor_area_m2: Dated[float | None]
    beds: Dated[float | None]
    staff: Dated[float | None] = field(default_factory=lambda: Dated.always(None))


@dataclass(frozen=True, slots=True)
class MeterExchange:
    """
    A meter replaced at `at` (site time): the old register's end and the new one's start, in register units.

    `digits` are the new register's; None: it has as many as the old one.
    """

    at: datetime
    end: float
    start: float
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """
    A meter's cumulative register.

    Attributes
    ----------
    point : the point that carries the register
    unit : unit of the readings
    digits : digits before the decimal point, after which it rolls over; None if not known
    per_pulse : units a pulse, where the register counts pulses
    ratio : multiplier (current and voltage transformers), with dates
    exchanges : oldest first
    """

    point: str
    unit: str
    digits: int | None = None
    per_pulse: float | None = None
    ratio: Dated[float] = field(default_factory=lambda: Dated.always(1.0))
    exchanges: tuple[MeterExchange, ...] = ()


@dataclass(frozen=True, slots=True)
class PointMapping:
    """
    Where in a payload a point's value stands, and how it becomes the point's unit: `y = x * scale + offset`.

    Attributes
    ----------
    point : name of the point
    key : the key in the payload, with dots for what lies in objects and lists; in a plain topic the word for it
    scale, offset : from what is sent to the point's unit
    states : words, or numbers as text, that a gateway sends for codes
    bit : the value is this bit of the number that is sent, 0 being the lowest; None: the number itself
    topic : where it is published, if not on the machine's topic
    """

    point: str
    key: str
    scale: float = 1.0
    offset: float = 0.0
    states: Mapping[str, float] = field(default_factory=dict)
    bit: int | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """
    Values that come as rows of a list: each names its point and carries its value, and perhaps its time and quality.

    `inside` is the key of the list; "": the payload itself is the list. The others name the columns.
    """

    inside: str
    name: str
    value: str
    time: str | None = None
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Values that are small objects (the parts' keys) or small lists (their places, from 0)."""

    value: str | int
    time: str | int | None = None
    quality: str | int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How a JSON payload is laid out. Machines that share a topic share its layout.

    Attributes
    ----------
    time_keys : where the time stands, best first; empty: the usual names are tried
    time_unit : of a time that is a number
    time_zone : of a time in words that names none; None: the site's
    samples : key of a list of samples, each with its time and values; None: a payload that is a list is one
    rows : the values come as rows; None: each under a key of its own
    values : each value is an object or a list of its parts; None: the bare value
    quality : key of the word that says how good the values beside it are
    good : words and numbers that say good, in small letters; empty: the usual ones
    """

    time_keys: tuple[str, ...] = ()
    time_unit: TimeUnit = "auto"
    time_zone: ZoneInfo | None = None
    samples: str | None = None
    rows: Rows | None = None
    values: Parts | None = None
    quality: str | None = None
    good: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Where:
    """Which messages, samples or rows of a shared topic are a machine's: those whose `key` says `equals`."""

    key: str
    equals: str


@dataclass(frozen=True, slots=True)
class Telemetry:
    """
    How one piece of equipment reports.

    Attributes
    ----------
    topic : an MQTT topic; `{point}` in it stands for the point, one value a message
    format : `json` (many values a message), `plain` (one value a message) or `sparkplug` (Sparkplug B; `topic` is then
        the topic of the data, and tells group, node and device)
    gateway : the gateway that publishes it, or None
    layout : how a JSON payload is laid out
    points : how each point is found; without a profile every measured point of the class is here
    where : what tells its values from those of other machines on the topic
    ignore : keys that are meant to be left out; `*` stands for all that are not mapped
    alive_s : it sends a value only when that changes, and its last values hold for so long after it was heard; None: it
        reports regularly
    """

    topic: str
    format: PayloadFormat
    gateway: str | None
    layout: Layout
    points: Mapping[str, PointMapping]
    where: Where | None = None
    ignore: frozenset[str] = frozenset()
    alive_s: float | None = None

    def topic_of(self, mapping: PointMapping) -> str:
        """Return the topic on which a point's value comes."""
        topic = mapping.topic or self.topic
        return topic.replace("{point}", mapping.key) if self.format == "plain" else topic

    @property
    def topics(self) -> tuple[str, ...]:
        """Return all topics of the machine, the main one first."""
        return tuple(dict.fromkeys([self.topic, *(m.topic for m in self.points.values() if m.topic)]))


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """How the anomaly detector watches a machine: which points together, learning from how much healthy running."""

    points: tuple[str, ...]
    learn_s: float
    step_s: float


@dataclass(frozen=True)
class Equipment:
    """
    One piece of equipment.

    `points` are its points as they hold for it (the class's, with the site's changes); `limits` likewise, compiled for
    its own rating. `fed_by` names equipment or utility supplies upstream; `serves` names departments.
    """

    id: str
    name: Names
    cls: EquipmentClass
    room: str | None
    criticality: Criticality
    rating: Mapping[str, float]
    choices: Mapping[str, str]
    fed_by: tuple[str, ...]
    serves: Dated[tuple[str, ...]]
    points: Mapping[str, PointSpec]
    limits: tuple[Limit, ...]
    telemetry: Telemetry | None
    register: Register | None
    anomaly: AnomalySettings | None  # None: fewer than two points that could be watched together
    since: date | None = None
    until: date | None = None

    def in_service(self, first: date, last: date) -> bool:
        """Return whether it was in service on any day of [first, last]."""
        return (self.since is None or self.since <= last) and (self.until is None or self.until >= first)

    @property
    def is_meter(self) -> bool:
        """Return True if its consumption is booked."""
        return self.cls.id in METER_REGISTERS or self.register is not None


@dataclass(frozen=True, slots=True)
class Crew:
    """
    People who answer for plant rooms: a shift of the hospital's own, or a contractor.

    Attributes
    ----------
    phone : where they are called, as it is dialled
    start_minute, end_minute : their hours (minutes after midnight; an end at or before the start runs past midnight)
    rooms : ids of the rooms that they answer for
    """

    id: str
    name: Names
    phone: str
    start_minute: int
    end_minute: int
    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """A site-wide topic with placeholders `{site}`, `{building}`, `{room}`, `{equipment}`, `{point}`."""

    topic: str
    format: PayloadFormat
    layout: Layout = Layout()
    alive_s: float | None = None  # as in `Telemetry`


@dataclass(frozen=True, slots=True)
class SparkplugSettings:
    """
    How the site takes part in Sparkplug.

    Attributes
    ----------
    host_id : the name under which the collector tells gateways that it is there; None: it does not
    groups : groups to listen to beside those in which the site's equipment reports
    old_state : tell it as Sparkplug 2.2 did, for gateways that know nothing newer; one connection can leave one will,
        so it is told one way or the other
    """

    host_id: str | None = None
    groups: tuple[str, ...] = ()
    old_state: bool = False


@dataclass(frozen=True)
class Site:
    """A whole hospital. Made by `facility.site_file.load_site`; everything in it has been checked."""

    id: str
    name: Names
    time_zone: ZoneInfo
    currency: str
    sizes: Dated[Size]
    buildings: Mapping[str, Building]
    rooms: Mapping[str, Room]
    departments: Mapping[str, Department]
    equipment: Mapping[str, Equipment]
    tariffs: Mapping[str, Dated[Tariff]]
    patterns: tuple[TopicPattern, ...]
    library: ClassLibrary
    files: tuple[str, ...] = ()
    sparkplug: SparkplugSettings = field(default_factory=SparkplugSettings)
    retention: Retention = field(default_factory=Retention)
    shifts: Mapping[str, Crew] = field(default_factory=dict)
    contractors: Mapping[str, Crew] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    allocation: Mapping[str, Dated[AllocationRules]] = field(default_factory=dict)  # by carrier
    carbon: CarbonSettings = field(default_factory=CarbonSettings)
    targets: tuple[Target, ...] = ()
    measures: Mapping[str, Measure] = field(default_factory=dict)
    virtual_meters: Mapping[str, VirtualMeter] = field(default_factory=dict)  # each after those that it uses
    circles: tuple[frozenset[str], ...] = ()  # machines that feed each other in the file: those links are left out
    left_out: tuple[Problem, ...] = ()  # what cannot be computed; the rest of the site does without it

    @cached_property
    def points(self) -> PointTable:
        """Return all measured points (derived ones included, since they are stored too), in the site file's order."""
        return PointTable(tuple(self._addresses()))

    def _addresses(self) -> Iterator[PointAddress]:
        for item in self.equipment.values():
            room = self.rooms.get(item.room or "")
            for name, point in item.points.items():
                yield PointAddress(
                    equipment=item.id,
                    point=name,
                    equipment_class=item.cls.id,
                    unit=point.unit,
                    site=self.id,
                    building=(room.building or "") if room else "",
                    room=item.room or "",
                    kind=point.kind,
                )

    def point(self, key: str) -> PointSpec | None:
        """Return the point named `equipment/point`, or None if there is none."""
        equipment, _, name = key.partition("/")
        item = self.equipment.get(equipment)
        return item.points.get(name) if item else None

    def in_room(self, room: str) -> Sequence[Equipment]:
        """Return the equipment that stands in a room, in the order of the file."""
        return [e for e in self.equipment.values() if e.room == room]

    @cached_property
    def _derived(self) -> Mapping[int, tuple[int, ...]]:
        index = self.points.index
        derived: dict[int, list[int]] = {}
        for item in self.equipment.values():
            for name, formula in item.cls.formulas.items():
                for source in formula.points if name in item.points else ():
                    if source in item.points:
                        derived.setdefault(index[f"{item.id}/{source}"], []).append(index[f"{item.id}/{name}"])
        return {source: tuple(points) for source, points in derived.items()}

    def derived_from(self, points: Iterable[int]) -> tuple[int, ...]:
        """Return the derived points that are computed from any of some points, all as indices into `points`."""
        return tuple(sorted({p for source in points for p in self._derived.get(source, ())}))

    @cached_property
    def _below(self) -> Mapping[str, tuple[str, ...]]:
        below: dict[str, list[str]] = {}
        for item in self.equipment.values():
            for source in item.fed_by:
                below.setdefault(source, []).append(item.id)
        return {source: tuple(ids) for source, ids in below.items()}

    def feeds(self, equipment: str) -> tuple[str, ...]:
        """Return what hangs directly below a piece of equipment in the supply tree."""
        return self._below.get(equipment, ())

    def downstream(self, equipment: str) -> tuple[str, ...]:
        """Return everything below a piece of equipment in the supply tree, nearest first, each once."""
        found: dict[str, None] = {}
        queue = list(self.feeds(equipment))
        while queue:
            item = queue.pop(0)
            if item not in found:
                found[item] = None
                queue += self.feeds(item)
        return tuple(found)

    def upstream(self, equipment: str) -> tuple[str, ...]:
        """Return everything that a piece of equipment hangs on, nearest first, each once."""
        found: dict[str, None] = {}
        queue = list(self.equipment[equipment].fed_by)
        while queue:
            item = queue.pop(0)
            if item not in found:
                found[item] = None
                queue += self.equipment[item].fed_by
        return tuple(found)

    def affected(self, equipment: str, day: date) -> tuple[Department, ...]:
        """Return the departments that a piece of equipment, or anything below it, serves on `day`."""
        ids: dict[str, None] = {}
        for item in (equipment, *self.downstream(equipment)):
            ids.update(dict.fromkeys(self.equipment[item].serves.on(day)))
        return tuple(self.departments[i] for i in ids)
