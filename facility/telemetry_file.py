"""The telemetry of a site file: where a machine's readings come from, and how its gateway writes them.

A profile is a ready mapping for a kind of gateway: one YAML file in `facility/gateways/`. The site file names it, fills
in what differs from one device to the next, and changes what it must, point by point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from facility.documents import read_folder
from facility.equipment_classes import Duration, PointSpec, Unit
from facility.errors import ConfigurationError, Problem
from facility.names import Id, Names
from facility.site import (
    Equipment,
    Layout,
    Parts,
    PayloadFormat,
    PointMapping,
    Rows,
    Telemetry,
    TimeUnit,
    TopicPattern,
    Where,
)
from facility.sparkplug_names import data_topic, group_of, name_of
from facility.units import conversion
from facility.wording import nearest

PROFILES_FOLDER: Final = Path(__file__).parent / "gateways"
PLACEHOLDERS: Final = ("site", "building", "room", "equipment", "point", "device", "channel")
PATTERN_PLACEHOLDERS: Final = ("site", "building", "room", "equipment", "point")
_MAX_BIT = 63
# What machines on one topic must have in common, and the place in the file that says it.
_SHARED: Final = (
    ("time_keys", "time"), ("time_unit", "time"), ("time_zone", "time"), ("samples", "samples"), ("rows", "rows"),
    ("values", "values"), ("quality", "quality"), ("good", "quality"),
)  # fmt: skip
_PARTS: Final = ("value", "time", "quality")
# How long the last values hold after a machine that reports by exception was heard. Sparkplug tells lives and deaths:
# there it only has to bridge a new connection with its rebirths.
_ALIVE_S: Final = 300.0
_SPARKPLUG_ALIVE_S: Final = 60.0
_LEAST_ALIVE_S: Final = 30.0

Step = str | int
Told = tuple[tuple[Step, ...], str]  # where below the telemetry, and what is wrong


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


def known_zone(text: str) -> str:
    """Return the name of a time zone; ValueError if there is none of that name."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {text!r} is not known{nearest(text, available_timezones())}") from None
    return text


def _topic(text: str) -> str:
    if len(text.encode()) > 65535 or not text or "\x00" in text or "+" in text or "#" in text:
        raise ValueError(f"{text!r} is no topic to publish on; leave out + and #, and write {{point}} for the point")
    unknown = [p for p in re.findall(r"\{([^}]*)\}", text) if p not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"placeholder {{{unknown[0]}}} is not known{nearest(unknown[0], PLACEHOLDERS)}")
    return text


def _keys(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _parts(value: Any) -> Any:
    """Read `[value, time]` as the places of the parts in a small list."""
    if not isinstance(value, list):
        return value
    if "value" not in value or any(name not in _PARTS for name in value) or len(set(value)) != len(value):
        raise ValueError("name what stands in the list in its order, such as [value, time] or [time, value, quality]")
    return {name: place for place, name in enumerate(value)}


def _good(value: Any) -> Any:
    words = value if isinstance(value, list) else [value]
    return [_word(w) for w in words]


def _word(value: Any) -> Any:
    """Write a word, number or truth as it stands in a payload, in small letters."""
    return str(value).strip().lower() if isinstance(value, str | int | float) else value


def _states(value: Any) -> Any:
    # YAML reads a gateway's code as a number; in the table it is a word like the others.
    return {str(k): code for k, code in value.items()} if isinstance(value, dict) else value


def _one_quality(value: Any) -> Any:
    return {"key": value} if isinstance(value, str) else value


# A register's number is a key as well: YAML reads it as a number.
Key = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v), Field(min_length=1)]
Topic = Annotated[str, AfterValidator(_topic)]
SparkplugName = Annotated[str, AfterValidator(name_of)]


class _PointFile(_Strict):
    key: Key | None = None
    unit: Unit | None = None
    scale: float = 1.0
    offset: float = 0.0
    states: Annotated[Mapping[str, float], BeforeValidator(_states)] = Field(default_factory=dict)
    bit: Annotated[int, Field(ge=0, le=_MAX_BIT)] | None = None
    topic: Topic | None = None


def _one_point(value: Any) -> Any:
    return {"key": value} if isinstance(value, str | int) else value


# One shape, not a choice of two: then each mistake in it is told once.
_Point = Annotated[_PointFile, BeforeValidator(_one_point)]


class _TimeFile(_Strict):
    key: Annotated[tuple[Key, ...], BeforeValidator(_keys)] = ()
    unit: TimeUnit = "auto"
    zone: Annotated[str, AfterValidator(known_zone)] | None = None


class _RowsFile(_Strict):
    inside: Key | None = Field(default=None, alias="in")
    name: Key
    value: Key
    time: Key | None = None
    quality: Key | None = None


_PartKey = Annotated[str, Field(min_length=1)] | int


class _PartsFile(_Strict):
    value: _PartKey
    time: _PartKey | None = None
    quality: _PartKey | None = None


class _QualityFile(_Strict):
    key: Key | None = None
    good: Annotated[tuple[str, ...], BeforeValidator(_good)] = ()


class _WhereFile(_Strict):
    key: Key
    equals: str | int | float


class _LayoutFile(_Strict):
    format: PayloadFormat = "json"
    time: _TimeFile = _TimeFile()
    samples: Key | None = None
    rows: _RowsFile | None = None
    values: Annotated[_PartsFile, BeforeValidator(_parts)] | None = None
    quality: Annotated[_QualityFile, BeforeValidator(_one_quality)] = _QualityFile()
    reports: Literal["regularly", "on_change"] | None = None
    alive: Duration | None = None

    @model_validator(mode="after")
    def _alive_on_change(self) -> _LayoutFile:
        if self.alive is not None and self.reports == "regularly":
            raise ValueError("what reports regularly is late by its points' every; take alive: out")
        if self.alive is not None and self.alive < _LEAST_ALIVE_S:
            raise ValueError(f"alive: {self.alive:g} s is too short for a network; write {_LEAST_ALIVE_S:g} s or more")
        return self

    @model_validator(mode="after")
    def _only_for_json(self) -> _LayoutFile:
        laid_out = [n for n in ("samples", "rows", "values") if getattr(self, n) is not None]
        if self.format != "json" and laid_out:
            raise ValueError(f"format {self.format} has no {laid_out[0]}; take that out, or write format: json")
        if self.rows is not None and self.values is not None:
            raise ValueError("rows name the columns of value, time and quality themselves; take values: out")
        return self


class TelemetryFile(_LayoutFile):
    """How one machine reports, as its entry in the site file says."""

    profile: str | None = None
    group: Annotated[str, AfterValidator(group_of)] | None = None
    node: SparkplugName | None = None
    device: Key | None = None
    channel: int | str | None = None
    gateway: Id | None = None
    topic: Topic | None = None
    where: _WhereFile | None = None
    ignore: tuple[Key, ...] = ()
    points: Mapping[str, _Point] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> TelemetryFile:
        given = self.model_fields_set
        if self.format == "sparkplug":
            if wrong := given & {"topic", "time", "quality", "where", "profile", "channel"}:
                raise ValueError(
                    f"Sparkplug fixes the {sorted(wrong)[0]}; leave it out, and write group:, node: and device:"
                )
            if self.group is None or self.node is None:
                raise ValueError("Sparkplug tells machines by group, node and device; add group: and node:")
            if self.device is not None:
                name_of(self.device)
            return self
        if wrong := given & {"group", "node"}:
            raise ValueError(f"{sorted(wrong)[0]!r} belongs to format: sparkplug; write format: sparkplug, or a topic")
        if self.profile is None:
            if self.topic is None:
                raise ValueError(
                    "the topic is missing; add topic: ..., or a profile, or group: and node: with format: sparkplug"
                )
            if wrong := {name for name in given & {"device", "channel"} if "{" + name + "}" not in self.topic}:
                raise ValueError(
                    f"{sorted(wrong)[0]!r} belongs to a profile or to format: sparkplug; name one, or leave it out"
                )
        return self


class PatternFile(_LayoutFile):
    """A topic for the whole site."""

    topic: Topic
    format: Literal["json", "plain"] = "json"

    @model_validator(mode="after")
    def _names_its_equipment(self) -> PatternFile:
        unknown = [p for p in re.findall(r"\{([^}]*)\}", self.topic) if p not in PATTERN_PLACEHOLDERS]
        if unknown:
            raise ValueError(f"placeholder {{{unknown[0]}}} belongs to the topic of one machine, not of the whole site")
        if "{equipment}" not in self.topic:
            raise ValueError(f"{self.topic!r} does not say which machine it is from; put {{equipment}} into it")
        if (self.format == "plain") != ("{point}" in self.topic):
            raise ValueError("a plain topic carries one value, so it names its {point}; a json topic does not")
        return self

    def pattern(self) -> TopicPattern:
        """Return it as the site keeps it."""
        return TopicPattern(self.topic, self.format, layout_of(self), alive_of(self))


class ProfileFile(_LayoutFile):
    """A ready mapping for a kind of gateway."""

    profile: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    name: Names
    source: Annotated[str, Field(min_length=10)]
    topic: Topic
    channel: int | str | None = None
    where: _WhereFile | None = None
    ignore: tuple[Key, ...] = ()
    points: Annotated[Mapping[str, _Point], Field(min_length=1)]


_PROFILE: Final = TypeAdapter(ProfileFile)


def load_profiles_of(folder: Path) -> Mapping[str, ProfileFile]:
    """
    Load and check all profiles of a folder, by name.

    Raises
    ------
    ConfigurationError
        With every mistake in every file.
    """
    problems: list[Problem] = []
    profiles: dict[str, ProfileFile] = {}
    for document, profile, found in read_folder(folder, _PROFILE):
        problems += found
        if profile is None:
            continue
        stem = Path(document.file).stem
        if profile.profile != stem:
            problems.append(document.problem(("profile",), f"the file is named {stem!r}; name both the same"))
        for name, entry in profile.points.items():
            if entry.key is None:
                problems.append(document.problem(("points", name), "'key' is missing; add it"))
        profiles[profile.profile] = profile
    if problems:
        raise ConfigurationError(problems)
    return profiles


@lru_cache(maxsize=1)
def load_profiles() -> Mapping[str, ProfileFile]:
    """Load the profiles that come with Wardwatt, once a process."""
    return load_profiles_of(PROFILES_FOLDER)


def layout_of(spec: _LayoutFile) -> Layout:
    """Return the layout that a part of a file describes."""
    rows, values = spec.rows, spec.values
    return Layout(
        time_keys=spec.time.key,
        time_unit=spec.time.unit,
        time_zone=None if spec.time.zone is None else ZoneInfo(spec.time.zone),
        samples=spec.samples,
        rows=None if rows is None else Rows(rows.inside or "", rows.name, rows.value, rows.time, rows.quality),
        values=None if values is None else Parts(values.value, values.time, values.quality),
        quality=spec.quality.key,
        good=frozenset(spec.quality.good),
    )


def alive_of(spec: _LayoutFile) -> float | None:
    """Return for how long last values hold after the machine was heard; None where it reports regularly. [s]"""
    sparkplug = spec.format == "sparkplug"
    if spec.reports == "regularly" or not (spec.reports or spec.alive or sparkplug):
        return None
    return spec.alive or (_SPARKPLUG_ALIVE_S if sparkplug else _ALIVE_S)


def read_telemetry(
    spec: TelemetryFile, points: Mapping[str, PointSpec], filled: Mapping[str, str], class_id: str
) -> tuple[Telemetry | None, list[Told]]:
    """
    Resolve a machine's telemetry: the profile, what the site changes of it, units, and the places in topics.

    Parameters
    ----------
    points : the machine's points
    filled : what stands for `{site}`, `{building}`, `{room}` and `{equipment}`
    class_id : for messages

    Returns
    -------
    telemetry, problems
        None if it names a profile that does not exist; problems with their place below `telemetry`.
    """
    measured = {name: p for name, p in points.items() if p.kind != "derived"}
    told: list[Told] = []
    profile: ProfileFile | None = None
    if spec.profile is not None:
        profile = load_profiles().get(spec.profile)
        if profile is None:
            return None, [
                (("profile",), f"profile {spec.profile!r} is not known{nearest(spec.profile, load_profiles())}")
            ]
    own = {name: getattr(spec, name) for name in spec.model_fields_set}
    ready = {name: getattr(profile, name) for name in profile.model_fields_set} if profile else {}
    merged = TelemetryFile.model_construct(**{**_without(ready, "profile", "name", "source"), **own})
    fill = _Fill(
        {**filled, **{n: str(v) for n in ("device", "channel") if (v := getattr(merged, n, None)) is not None}}
    )
    mappings = dict(_mappings(spec, profile, measured, class_id, fill, told))
    if merged.format == "sparkplug":
        topic = data_topic(spec.group or "", spec.node or "", spec.device)
    else:
        topic = fill(merged.topic or "", ("topic",), told)
    if profile is None:
        # A point that nobody mentions stands under its own name, unless that key has been given to another.
        taken = {(m.key, m.topic) for m in mappings.values()}
        usual = {n: PointMapping(n, n) for n in measured if n not in mappings and (n, None) not in taken}
        mappings = {n: m for n in measured if (m := mappings.get(n) or usual.get(n)) is not None}
    elif not mappings and not told:
        known = ", ".join(profile.points)
        told.append(
            (("profile",), f"{class_id!r} has none of the points of {spec.profile!r}: {known}; map points: here")
        )
    if merged.format == "plain" and "{point}" not in topic and len(mappings if profile else spec.points) != 1:
        told.append((("topic",), "a plain topic carries one value: put {point} into it, or name the one point"))
    if merged.format == "plain" and merged.where is not None:
        told.append((("where",), "a plain topic carries one value and nothing to tell machines apart by; take it out"))
    for name, mapping in mappings.items():
        if mapping.bit is not None and measured[name].kind == "total_increasing":
            told.append((("points", name, "bit"), f"{name!r} counts up and cannot be one bit; take the bit out"))
    where = None if merged.where is None else Where(merged.where.key, _word_of(merged.where.equals, fill, told))
    layout = layout_of(merged)
    if layout.samples is not None:
        layout = replace(layout, samples=fill(layout.samples, ("samples",), told))
    ignore = frozenset(fill(k, ("ignore",), told) for k in (*ready.get("ignore", ()), *spec.ignore))
    alive_s = alive_of(merged)
    return Telemetry(topic, merged.format, spec.gateway, layout, mappings, where, ignore, alive_s), told


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _word_of(value: str | int | float, fill: _Fill, told: list[Told]) -> str:
    return fill(str(value), ("where", "equals"), told)


@dataclass(frozen=True, slots=True)
class _Fill:
    """Puts the machine's own words into the places of a topic or key."""

    words: Mapping[str, str]

    def __call__(self, text: str, place: tuple[Step, ...], told: list[Told]) -> str:
        for name, word in self.words.items():
            text = text.replace("{" + name + "}", word)
        for name in ("device", "channel"):
            if "{" + name + "}" in text:
                told.append(((name,), f"{name!r} is missing: {text!r} needs it; add {name}: with what it is called"))
        return text


def _mappings(
    spec: TelemetryFile,
    profile: ProfileFile | None,
    measured: Mapping[str, PointSpec],
    class_id: str,
    fill: _Fill,
    told: list[Told],
) -> Iterator[tuple[str, PointMapping]]:
    ready = {name: _fields(entry) for name, entry in profile.points.items() if name in measured} if profile else {}
    for name in spec.points:
        if name not in measured:
            told.append(
                (("points", name), f"{name!r} is not a measured point of this machine{nearest(name, measured)}")
            )
    own = {name: _fields(entry) for name, entry in spec.points.items() if name in measured}
    for name in {**ready, **own}:
        place = ("points", name)
        fields = {**ready.get(name, {}), **own.get(name, {})}
        if fields.get("key") is None:
            told.append((place, "'key' is missing; add it"))
            continue
        key = fill(fields["key"], place, told)
        topic = fill(fields["topic"], (*place, "topic"), told) if fields.get("topic") else None
        scale, offset = fields.get("scale", 1.0), fields.get("offset", 0.0)
        try:
            if fields.get("unit") is not None:
                unit_scale, unit_offset = conversion(fields["unit"], measured[name].unit)
                # First the payload's own scale and offset, then the unit.
                scale, offset = scale * unit_scale, offset * unit_scale + unit_offset
        except ValueError as error:
            told.append(((*place, "unit"), str(error)))
        yield name, PointMapping(name, key, scale, offset, dict(fields.get("states", {})), fields.get("bit"), topic)


def _fields(entry: _PointFile) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.model_fields_set}


def shared_topics(equipment: Sequence[Equipment]) -> Iterator[tuple[str, tuple[Step, ...], str]]:
    """
    Find machines that are in each other's way on one topic.

    Yields
    ------
    equipment, place below its telemetry, problem
        One for each machine.
    """
    taken: dict[tuple[str, str, int | None, Where | None], str] = {}
    first: dict[str, Equipment] = {}
    for machine in equipment:
        telemetry = machine.telemetry
        if telemetry is None:
            continue
        found = _in_the_way(machine, telemetry, taken, first)
        if found is not None:
            yield machine.id, *found


def _in_the_way(
    machine: Equipment,
    telemetry: Telemetry,
    taken: dict[tuple[str, str, int | None, Where | None], str],
    first: dict[str, Equipment],
) -> tuple[tuple[Step, ...], str] | None:
    problem: tuple[tuple[Step, ...], str] | None = None
    for mapping in telemetry.points.values():
        topic = telemetry.topic_of(mapping)
        spot = (topic, mapping.key, mapping.bit, telemetry.where)
        name = f"{machine.id}/{mapping.point}"
        other = taken.setdefault(spot, name)
        if other != name and problem is None:
            owner, _, point = other.partition("/")
            if owner != machine.id:
                problem = (
                    ("topic",),
                    f"topic {topic!r} with key {mapping.key!r} is already {owner!r}'s; each value has one owner",
                )
            else:
                problem = (
                    ("points", mapping.point),
                    f"key {mapping.key!r} is already that of {point!r}; each value has one owner",
                )
        neighbour = first.setdefault(topic, machine)
        if problem is None and neighbour is not machine and neighbour.telemetry is not None:
            problem = _differs(topic, telemetry, neighbour.id, neighbour.telemetry)
    return problem


def _differs(
    topic: str, telemetry: Telemetry, neighbour: str, theirs: Telemetry
) -> tuple[tuple[Step, ...], str] | None:
    """Return what a machine says of a shared topic otherwise than the first machine on it, or None."""
    told = f"on topic {topic!r} {neighbour!r} has another"
    if telemetry.format != theirs.format:
        return ("format",), f"{told} format; write the same for both"
    mine, other = telemetry.layout, theirs.layout
    for name, place in _SHARED:
        if getattr(mine, name) != getattr(other, name):
            return (place,), f"{told} {place}; write the same for both"
    if (telemetry.where is None) != (theirs.where is None):
        return ("where",), f"on topic {topic!r} only one of this machine and {neighbour!r} has where:; give it to both"
    if telemetry.where is not None and theirs.where is not None and telemetry.where.key != theirs.where.key:
        return ("where", "key"), f"{told} key, {theirs.where.key!r}; write the same for both"
    return None
