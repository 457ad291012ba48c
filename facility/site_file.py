"""Reading a site: from YAML that an engineer wrote to a checked `Site`, with every mistake told at once.

A site is one file, or a folder whose `*.yaml` files are read together. Lists (equipment, rooms ...) may be spread over
the files; the keys that stand once (`site`) may stand in one file only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from facility.allocation_file import AllocationFile
from facility.allocation_rules import AllocationRules
from facility.calendar import not_one_time
from facility.circles import cut, way_around
from facility.contract_checks import misfits
from facility.documents import Document, KeyPath, read_document, validate
from facility.equipment_classes import (
    METER_REGISTERS,
    Band,
    ClassLibrary,
    ClassSpec,
    Duration,
    EquipmentClass,
    Limit,
    LimitSpec,
    PointSpec,
    Priority,
    QuantityText,
    Tier,
    Unit,
    compile_limit,
    load_library,
    read_rating,
    symbols_of,
)
from facility.errors import ConfigurationError, Problem
from facility.expressions import ExpressionError
from facility.factor_library import CarbonFile, CarbonSettings
from facility.measure_file import MeasureFile
from facility.measures import Measure
from facility.names import CannotStand, Id, Names
from facility.retention_file import RetentionFile
from facility.site import (
    AnomalySettings,
    Building,
    Crew,
    Criticality,
    Dated,
    Department,
    Equipment,
    MeterExchange,
    Register,
    Room,
    Site,
    Size,
    SparkplugSettings,
    Telemetry,
    TopicPattern,
)
from facility.sparkplug_names import group_of
from facility.store.levels import Retention
from facility.target_file import TargetFile
from facility.targets import Target
from facility.tariff_file import TariffFile, billed_twice, contract_of, other_meters, wrong_meter
from facility.tariff_model import Contract, Tariff
from facility.telemetry_file import PatternFile, SparkplugName, TelemetryFile, known_zone, read_telemetry, shared_topics
from facility.units import Quantity, conversion, parse_quantity
from facility.virtual_meter_file import VirtualMeterFile
from facility.virtual_meter_file import resolve as resolve_virtual_meters
from facility.virtual_meters import VirtualMeter
from facility.when_file import Day, TimeOfDay
from facility.wording import nearest

T = TypeVar("T")

ROOM_KINDS: Final = (
    "power_room", "boiler_room", "oxygen_station", "pump_room", "water_supply_room", "heat_station", "chiller_plant",
    "sewage_station", "waste_store", "machine_room", "department", "outdoor", "other",
)  # fmt: skip
DEFAULT_PATTERNS: Final = (
    TopicPattern("{site}/{room}/{equipment}/telemetry", "json"),
    TopicPattern("{site}/{room}/{equipment}/{point}", "plain"),
)
_DEFAULT_LEARN_S = 7 * 86400.0


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError(f"{text!r} is no currency; write its three letters, such as CNY")
    return text


def _phone(value: Any) -> str:
    # A bare number has lost its leading zeros, if it had some, before it is seen here.
    if not isinstance(value, str) or not re.fullmatch(r"\+?[0-9][0-9 ()-]{2,24}", value):
        raise ValueError(f"{value!r} is no phone number; write it in quotes, such as '8010' or '+86 21 5550 0110'")
    return value


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a time; write it as '2026-03-02 10:20'") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


def _area(value: Any) -> float:
    if not isinstance(value, str | int | float):
        raise ValueError("write a number with a unit, such as '1200 m²'")
    quantity = parse_quantity(value)
    if quantity.unit == "":
        raise ValueError(f"{value!r} has no unit; write it with one, such as '{quantity.value:g} m²'")
    area = quantity.to("m²")
    if area < 0:
        raise ValueError(f"{value!r} is below zero")
    return area


Area = Annotated[float, BeforeValidator(_area)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class _Since(_Strict, Generic[T]):
    from_: Day = Field(alias="from")
    is_: T = Field(alias="is")


class _SiteHead(_Strict):
    id: Id
    name: Names
    time_zone: Annotated[str, AfterValidator(known_zone)] = "Asia/Shanghai"
    currency: Annotated[str, AfterValidator(_currency)] = "CNY"


class _SizeFile(_Strict):
    from_: Day = Field(alias="from")
    floor_area: Area | None = None
    beds: Annotated[float, Field(ge=0)] | None = None


class _BuildingFile(_Strict):
    id: Id
    name: Names


class _RoomFile(_Strict):
    id: Id
    kind: Literal[ROOM_KINDS]  # type: ignore[valid-type]
    name: Names
    building: str | None = None


class _DepartmentFile(_Strict):
    id: Id
    name: Names
    cost_centre: str | int | None = None
    building: str | None = None
    floor_area: Area | list[_Since[Area]] | None = None
    beds: float | list[_Since[float]] | None = None
    staff: float | list[_Since[float]] | None = None


class _SparkplugFile(_Strict):
    host_id: SparkplugName | None = None
    groups: tuple[Annotated[str, AfterValidator(group_of)], ...] = ()
    old_state: bool = False

    @model_validator(mode="after")
    def _tells_as_somebody(self) -> _SparkplugFile:
        if self.old_state and self.host_id is None:
            raise ValueError("old_state tells gateways of a host, but none is named; add host_id: ...")
        return self


def _ratio(value: float) -> float:
    if not 0.0 < value < 1e9:
        raise ValueError(f"{value:g} is no ratio; write what the readings are multiplied by, such as 80")
    return value


Ratio = Annotated[float, AfterValidator(_ratio)]


def _shown(count: float) -> float:
    if count < 0.0:
        raise CannotStand(
            Names(
                zh=f"{count:.10g} 小于零；请填写表上的示数",
                en=f"{count:.10g} is below zero; write what the register showed",
            )
        )
    return count


class _ExchangeFile(_Strict):
    at: Moment
    end: Annotated[float, Field(allow_inf_nan=False), AfterValidator(_shown)]
    start: Annotated[float, Field(allow_inf_nan=False), AfterValidator(_shown)]
    digits: Annotated[int, Field(ge=3, le=15)] | None = None


class _RegisterFile(_Strict):
    point: str | None = None
    unit: Unit | None = None
    digits: Annotated[int, Field(ge=3, le=15)] | None = None
    per_pulse: QuantityText | None = None
    ratio: Ratio | list[_Since[Ratio]] = 1.0


class _LimitChange(_Strict):
    hold: Duration | None = None
    at: QuantityText | None = None
    clear: QuantityText | None = None
    priority: Priority | None = None
    off: bool = False


class _PointChange(_Strict):
    normal: Band | None = None
    physical: Band | None = None
    scale: Band | None = None
    every: Duration | None = None
    name: Names | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    absent: bool = False


class _AnomalyFile(_Strict):
    points: tuple[str, ...] | None = None
    learn: Duration = _DEFAULT_LEARN_S
    step: Duration | None = None
    off: bool = False


class _EquipmentFile(_Strict):
    id: Id
    class_: str = Field(alias="class")
    name: Names | None = None
    room: str | None = None
    criticality: Criticality = "B"
    rating: Mapping[str, Any] = Field(default_factory=dict)
    fed_by: tuple[str, ...] = ()
    serves: list[str | _Since[list[str]]] = Field(default_factory=list)
    limits: Mapping[str, Mapping[Tier, str | float | _LimitChange]] = Field(default_factory=dict)
    points: Mapping[str, _PointChange] = Field(default_factory=dict)
    telemetry: TelemetryFile | None = None
    register_: _RegisterFile | None = Field(default=None, alias="register")
    exchanges: list[_ExchangeFile | None] = Field(default_factory=list)
    anomaly: _AnomalyFile = _AnomalyFile()
    since: Day | None = None
    until: Day | None = None


class _CrewFile(_Strict):
    id: Id
    name: Names
    phone: Annotated[str, BeforeValidator(_phone)]
    from_: TimeOfDay = Field(default=0, alias="from")
    to: TimeOfDay = 24 * 60
    rooms: tuple[str, ...] = Field(min_length=1)

    def crew(self) -> Crew:
        return Crew(self.id, self.name, self.phone, self.from_, self.to, self.rooms)


_SECTIONS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "site": TypeAdapter(_SiteHead),
    "sizes": TypeAdapter(_SizeFile),
    "buildings": TypeAdapter(_BuildingFile),
    "rooms": TypeAdapter(_RoomFile),
    "departments": TypeAdapter(_DepartmentFile),
    "equipment": TypeAdapter(_EquipmentFile),
    "telemetry": TypeAdapter(PatternFile),
    "sparkplug": TypeAdapter(_SparkplugFile),
    "retention": TypeAdapter(RetentionFile),
    "tariffs": TypeAdapter(TariffFile),
    "shifts": TypeAdapter(_CrewFile),
    "contractors": TypeAdapter(_CrewFile),
    "allocation": TypeAdapter(AllocationFile),
    "carbon": TypeAdapter(CarbonFile),
    "targets": TypeAdapter(TargetFile),
    "measures": TypeAdapter(MeasureFile),
    "virtual_meters": TypeAdapter(VirtualMeterFile),
}


_EXCHANGE: Final[TypeAdapter[Any]] = TypeAdapter(_ExchangeFile)

_ONCE: Final = ("site", "sparkplug", "retention", "carbon")


@dataclass
class _Item(Generic[T]):
    """One checked entry, and where it stands."""

    value: T
    document: Document
    path: KeyPath

    def problem(self, message: str, *steps: str | int, zh: str = "") -> Problem:
        return self.document.problem((*self.path, *steps), message, zh)


@dataclass
class _Draft:
    """What could be read so far; `problems` grows until the whole site has been looked at."""

    library: ClassLibrary
    items: dict[str, list[_Item[Any]]] = field(default_factory=lambda: {name: [] for name in _SECTIONS})
    claimed: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in _SECTIONS})
    problems: list[Problem] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)  # what cannot be computed, and stops nothing else


def load_site(path: Path | str, library: ClassLibrary | None = None) -> Site:
    """
    Read and check a site file, or a folder of them.

    Raises
    ------
    ConfigurationError
        With every mistake: file, line, place, value, and what to write instead.
    """
    folder = Path(path)
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else [folder]
    if not files:
        raise ConfigurationError([Problem(str(folder), 0, "", "the folder holds no *.yaml file; put site.yaml there")])
    draft = _Draft(library or load_library())
    for file in files:
        _read_sections(read_document(file), draft)
    site = _resolve(draft, tuple(str(f) for f in files))
    if draft.problems or site is None:
        raise ConfigurationError(sorted({*draft.problems, *draft.left_out}, key=lambda p: (p.file, p.line)))
    draft.left_out += _misfits(draft, site)
    return replace(site, left_out=tuple(sorted(draft.left_out, key=lambda p: (p.file, p.line))))


def _read_sections(document: Document, draft: _Draft) -> None:
    draft.problems += document.problems
    if document.data is None:
        return
    if not isinstance(document.data, dict):
        draft.problems.append(document.problem((), "a site file is a mapping of sections; begin with `site:`"))
        return
    for section, data in document.data.items():
        adapter = _SECTIONS.get(section)
        if adapter is None:
            draft.problems.append(
                document.problem((section,), f"section {section!r} is not known{nearest(str(section), _SECTIONS)}")
            )
        elif section in _ONCE:
            _read_item(adapter, data, document, (section,), draft)
        elif not isinstance(data, list):
            draft.problems.append(document.problem((section,), "a list belongs here: start each entry with `- `"))
        else:
            for i, entry in enumerate(data):
                _read_item(adapter, entry, document, (section, i), draft)


def _read_item(adapter: TypeAdapter[Any], data: Any, document: Document, path: KeyPath, draft: _Draft) -> None:
    section = str(path[0])
    if isinstance(data, dict) and isinstance(data.get("id"), str):
        # An entry with a mistake in it still has its name: what refers to it is not a second mistake.
        draft.claimed[section].add(data["id"])
    if section == "equipment" and isinstance(data, dict) and isinstance(data.get("exchanges"), list):
        data = {**data, "exchanges": _exchanges_that_can_be(data["exchanges"], document, path, draft)}
    value, problems = validate(adapter, data, document, path)
    if section == "virtual_meters":
        draft.left_out += problems
        problems = []
    draft.problems += problems
    if value is None and isinstance(data, dict):
        # Look at the rest of the entry too, so that one edit mends all of it.
        wrong = {e["loc"][0] for e in _errors(adapter, data) if e["loc"]}
        value, _ = validate(adapter, {k: v for k, v in data.items() if k not in wrong}, document, path)
    if value is not None:
        draft.items[section].append(_Item(value, document, path))


def _exchanges_that_can_be(entries: list[Any], document: Document, path: KeyPath, draft: _Draft) -> list[Any]:
    """Return the exchanges of a meter, None for one that cannot have been: its readings then tell what lacks."""
    kept: list[Any] = []
    for i, entry in enumerate(entries):
        value, problems = validate(_EXCHANGE, entry, document, (*path, "exchanges", i))
        draft.left_out += problems
        kept.append(entry if value is not None else None)
    return kept


def _errors(adapter: TypeAdapter[Any], data: Any) -> Sequence[Any]:
    try:
        adapter.validate_python(data)
    except ValidationError as error:
        return error.errors()
    return ()


def _resolve(draft: _Draft, files: tuple[str, ...]) -> Site | None:
    heads = draft.items["site"]
    # What stands in a file that could not be read nobody knows.
    if not heads and not any(p.place == "" or p.place.startswith("site") for p in draft.problems):
        draft.problems.append(Problem(files[0], 0, "site", "the section is missing; add site: {id: ..., name: ...}"))
    for once, what in (
        (heads, "site"),
        (draft.items["sparkplug"], "section"),
        (draft.items["retention"], "section"),
        (draft.items["carbon"], "section"),
    ):
        if len(once) > 1:
            draft.problems.append(once[1].problem(f"the {what} stands in {once[0].document.file} already; keep one"))
    for section in ("buildings", "rooms", "departments", "equipment", "shifts", "contractors", "measures"):
        _refuse_doubles(draft, section)
    for section in ("rooms", "departments"):
        for item in draft.items[section]:
            _refer(draft, item, item.value.building, "buildings", "building")
    for item in draft.items["shifts"] + draft.items["contractors"]:
        for i, room in enumerate(item.value.rooms):
            _refer(draft, item, room, "rooms", "rooms", i)
    zone = ZoneInfo(heads[0].value.time_zone) if heads else ZoneInfo("UTC")
    equipment, circles = _supplied(
        draft, [e for item in draft.items["equipment"] if (e := _equipment(item, draft, zone)) is not None]
    )
    _refuse_shared_topics(draft, equipment)
    contracts = _contracts(draft, equipment)
    allocation = _allocation(draft, equipment)
    virtual_meters = _virtual_meters(draft, equipment)
    sizes = sorted(draft.items["sizes"], key=lambda i: i.value.from_)
    _refuse_same_day(draft, [(i, i.value.from_) for i in sizes])
    if not heads:
        return None
    head: _SiteHead = heads[0].value
    targets = _targets(draft, head.currency)
    measures = _measures(draft, equipment, head.currency)
    return Site(
        id=head.id,
        name=head.name,
        time_zone=zone,
        currency=head.currency,
        sizes=Dated(tuple(i.value.from_ for i in sizes), tuple(Size(i.value.floor_area, i.value.beds) for i in sizes))
        if sizes
        else Dated.always(Size()),
        buildings={i.value.id: Building(i.value.id, i.value.name) for i in draft.items["buildings"]},
        rooms={
            i.value.id: Room(i.value.id, i.value.kind, i.value.name, i.value.building) for i in draft.items["rooms"]
        },
        departments={d.id: d for d in (_department(i, draft) for i in draft.items["departments"])},
        equipment={e.id: e for e in equipment},
        tariffs=_tariffs(contracts),
        contracts=contracts,
        patterns=tuple(i.value.pattern() for i in draft.items["telemetry"]) or DEFAULT_PATTERNS,
        library=draft.library,
        files=files,
        sparkplug=next(
            (SparkplugSettings(i.value.host_id, i.value.groups, i.value.old_state) for i in draft.items["sparkplug"]),
            SparkplugSettings(),
        ),
        retention=next((i.value.retention() for i in draft.items["retention"]), Retention()),
        shifts={i.value.id: i.value.crew() for i in draft.items["shifts"]},
        contractors={i.value.id: i.value.crew() for i in draft.items["contractors"]},
        allocation=allocation,
        carbon=next((i.value.settings() for i in draft.items["carbon"]), CarbonSettings()),
        targets=targets,
        measures=measures,
        virtual_meters=virtual_meters,
        circles=circles,
    )


def _refuse_doubles(draft: _Draft, section: str) -> None:
    first: dict[str, _Item[Any]] = {}
    for item in draft.items[section]:
        if item.value.id in first:
            other = first[item.value.id]
            where = f"{other.document.file}:{other.document.line(other.path)}"
            draft.problems.append(item.problem(f"id {item.value.id!r} is taken at {where}; choose another", "id"))
        first.setdefault(item.value.id, item)


def _refer(draft: _Draft, item: _Item[Any], name: str | None, section: str, *steps: str | int) -> None:
    if name is not None and name not in draft.claimed[section]:
        what = section.rstrip("s") if section != "equipment" else "equipment"
        draft.problems.append(
            item.problem(f"no {what} is called {name!r}{nearest(name, draft.claimed[section])}", *steps)
        )


def _dated(values: Any, default: T, draft: _Draft, item: _Item[Any], key: str) -> Dated[T]:
    if isinstance(values, list):
        ordered = sorted(values, key=lambda v: v.from_)
        _refuse_same_day(draft, [(item, v.from_) for v in ordered], key)
        return (
            Dated(tuple(v.from_ for v in ordered), tuple(v.is_ for v in ordered)) if ordered else Dated.always(default)
        )
    return Dated.always(default if values is None else values)


def _refuse_same_day(draft: _Draft, days: Sequence[tuple[_Item[Any], date]], *steps: str) -> None:
    for (_, before), (item, day) in pairwise(days):
        if before == day:
            draft.problems.append(item.problem(f"two values begin on {day}; give each a day of its own", *steps))


def _department(item: _Item[_DepartmentFile], draft: _Draft) -> Department:
    value = item.value
    return Department(
        value.id,
        value.name,
        None if value.cost_centre is None else str(value.cost_centre),
        value.building,
        _dated(value.floor_area, None, draft, item, "floor_area"),
        _dated(value.beds, None, draft, item, "beds"),
        _dated(value.staff, None, draft, item, "staff"),
    )


def _equipment(item: _Item[_EquipmentFile], draft: _Draft, zone: ZoneInfo) -> Equipment | None:
    value = item.value
    _refer(draft, item, value.room, "rooms", "room")
    for i, source in enumerate(value.fed_by):
        _refer(draft, item, source, "equipment", "fed_by", i)
    if value.class_ not in draft.library:
        known = draft.library.classes
        draft.problems.append(
            item.problem(f"class {value.class_!r} is not in the library{nearest(value.class_, known)}", "class")
        )
        return None
    cls = draft.library[value.class_]
    numbers, choices, found = read_rating(cls.spec, value.rating)
    draft.problems += [item.problem(message, "rating", key) for key, message in found]
    points = _points(item, cls, draft)
    limits = _limits(item, cls, points, numbers, draft)
    return Equipment(
        id=value.id,
        name=value.name or Names(zh=f"{cls.spec.name.zh} {value.id}", en=f"{cls.spec.name.en} {value.id}"),
        cls=cls,
        room=value.room,
        criticality=value.criticality,
        rating=numbers,
        choices=choices,
        fed_by=value.fed_by,
        serves=_serves(item, draft),
        points=points,
        limits=limits,
        telemetry=_telemetry(item, points, draft),
        register=_register(item, cls, points, draft, zone),
        anomaly=_anomaly(item, points, draft),
        since=value.since,
        until=value.until,
    )


def _serves(item: _Item[_EquipmentFile], draft: _Draft) -> Dated[tuple[str, ...]]:
    plain = [s for s in item.value.serves if isinstance(s, str)]
    dated = [s for s in item.value.serves if not isinstance(s, str)]
    if plain and dated:
        draft.problems.append(
            item.problem("departments with and without dates are mixed; give all of them dates", "serves")
        )
    for i, entry in enumerate(item.value.serves):
        for name in [entry] if isinstance(entry, str) else entry.is_:
            _refer(draft, item, name, "departments", "serves", i)
    if dated:
        ordered = sorted(dated, key=lambda s: s.from_)
        return Dated(tuple(s.from_ for s in ordered), tuple(tuple(s.is_) for s in ordered))
    return Dated.always(tuple(plain))


def _points(item: _Item[_EquipmentFile], cls: EquipmentClass, draft: _Draft) -> dict[str, PointSpec]:
    points = dict(cls.points)
    for name, change in item.value.points.items():
        if name not in points:
            draft.problems.append(
                item.problem(f"{name!r} is not a point of {cls.id!r}{nearest(name, cls.points)}", "points", name)
            )
            continue
        if change.absent:
            del points[name]
            continue
        given = {k: v for k, v in change.model_dump(exclude={"absent"}).items() if v is not None}
        if change.name is not None:
            given["name"] = change.name
        changed = points[name].model_copy(update=given)
        # A band that the site widens takes the class's display scale with it, instead of sticking out of it.
        if changed.normal and changed.scale and "scale" not in given:
            low, high = min(changed.scale[0], changed.normal[0]), max(changed.scale[1], changed.normal[1])
            changed = changed.model_copy(update={"scale": (low, high)})
        points[name] = changed
    return points


def _limits(
    item: _Item[_EquipmentFile],
    cls: EquipmentClass,
    points: Mapping[str, PointSpec],
    rating: Mapping[str, float],
    draft: _Draft,
) -> tuple[Limit, ...]:
    spec: ClassSpec = cls.spec
    symbols = symbols_of(spec, rating)
    used: set[tuple[str, str]] = set()
    result: list[Limit] = []
    for limit in cls.limits:
        if any(p not in points for p in limit.condition.points):
            continue  # the machine lacks what the limit looks at
        names = (limit.subject, limit.spec.id)
        change = next(
            (c[limit.spec.tier] for n in names if (c := item.value.limits.get(n)) and limit.spec.tier in c), None
        )
        used |= {(n, limit.spec.tier) for n in names}
        try:
            result += _changed(limit, change, symbols)
        except (ExpressionError, ValueError) as error:
            subject = next((n for n in names if n in item.value.limits), limit.subject)
            draft.problems.append(item.problem(str(error), "limits", subject, limit.spec.tier))
    for subject, tiers in item.value.limits.items():
        for tier in tiers:
            if (subject, tier) not in used:
                known = sorted({f"{li.subject}: {li.spec.tier}" for li in cls.limits})
                draft.problems.append(
                    item.problem(
                        f"{cls.id!r} has no {tier!r} limit for {subject!r}{nearest(f'{subject}: {tier}', known)}",
                        "limits", subject, tier,
                    )
                )  # fmt: skip
    return tuple(result)


def _changed(limit: Limit, change: Any, symbols: Any) -> list[Limit]:
    spec: LimitSpec = limit.spec
    if change is None:
        return [compile_limit(spec, symbols)]
    if isinstance(change, str | int | float):
        change = _LimitChange(at=parse_quantity(change))
    if change.off:
        if spec.life_safety:
            raise ValueError(f"{limit.id} guards life safety and cannot be switched off; change its value instead")
        return []
    update: dict[str, Any] = {}
    if change.at is not None:
        update["when"] = _with_threshold(limit, change.at)
        # The class's clearing value belongs to the class's limit; with another limit keep the same distance.
        update["clear"] = change.clear or _moved_clear(limit, change.at)
    elif change.clear is not None:
        update["clear"] = change.clear
    if change.hold is not None:
        update["hold"] = change.hold
    if change.priority is not None:
        if spec.life_safety and change.priority != "P1":
            raise ValueError(f"{limit.id} guards life safety and stays P1")
        update["priority"] = change.priority
    return [compile_limit(spec.model_copy(update=update), symbols)]


def _in_unit_of(limit: Limit, value: Quantity) -> float:
    unit = limit.condition.comparisons[0].left.unit
    return value.value if value.unit == "" else value.to(unit)


def _with_threshold(limit: Limit, value: Quantity) -> str:
    first = limit.condition.comparisons[0]
    if first.threshold is None:
        raise ValueError(f"{limit.id} compares two points, not a number; change the class instead")
    wanted = f"{first.left.text} {first.op} {_in_unit_of(limit, value)!r} {first.left.unit}".rstrip()
    rest = limit.condition.text.split(" and ", 1)
    return f"{wanted} and {rest[1]}" if len(rest) == 2 else wanted


def _moved_clear(limit: Limit, value: Quantity) -> Quantity | None:
    first = limit.condition.comparisons[0]
    if limit.clear is None or first.threshold is None:
        return None
    return Quantity(_in_unit_of(limit, value) - first.threshold + limit.clear, first.left.unit)


def _telemetry(item: _Item[_EquipmentFile], points: Mapping[str, PointSpec], draft: _Draft) -> Telemetry | None:
    spec = item.value.telemetry
    if spec is None:
        return None
    telemetry, told = read_telemetry(spec, points, _places(item, draft), item.value.class_)
    draft.problems += [item.problem(message, "telemetry", *place) for place, message in told]
    return telemetry


def _places(item: _Item[_EquipmentFile], draft: _Draft) -> dict[str, str]:
    """Return what stands for the places in a machine's topic."""
    heads = draft.items["site"]
    room = next((r.value for r in draft.items["rooms"] if r.value.id == item.value.room), None)
    return {
        "site": heads[0].value.id if heads else "",
        "equipment": item.value.id,
        "room": room.id if room else "",
        "building": (room.building or "") if room else "",
    }


def _register(
    item: _Item[_EquipmentFile], cls: EquipmentClass, points: Mapping[str, PointSpec], draft: _Draft, zone: ZoneInfo
) -> Register | None:
    value = item.value.register_
    usual = METER_REGISTERS.get(cls.id)
    if value is None and usual is None and not item.value.exchanges:
        return None
    value = value or _RegisterFile()
    name = value.point or usual
    counters = [n for n, p in points.items() if p.kind == "total_increasing"]
    if name is None or name not in counters:
        draft.problems.append(
            item.problem(f"the register is read from no counter{nearest(name or '', counters)}", "register", "point")
        )
        return None
    unit = value.unit or points[name].unit
    per_pulse = None
    try:
        conversion(unit, points[name].unit)
        per_pulse = value.per_pulse.to(unit) if value.per_pulse else None
        if per_pulse is not None and per_pulse <= 0.0:
            raise ValueError(f"a pulse of {value.per_pulse} counts nothing; write it such as '0.1 m³'")
    except ValueError as error:
        draft.problems.append(item.problem(str(error), "register"))
    return Register(
        name,
        unit,
        value.digits,
        per_pulse,
        _dated(value.ratio, 1.0, draft, item, "register"),
        _exchanges(item, value.digits, draft, zone),
    )


def _exchanges(
    item: _Item[_EquipmentFile], digits: int | None, draft: _Draft, zone: ZoneInfo
) -> tuple[MeterExchange, ...]:
    entries = [
        (i, e, e.at if e.at.tzinfo else e.at.replace(tzinfo=zone)) for i, e in enumerate(item.value.exchanges) if e
    ]
    found: list[MeterExchange] = []
    for i, entry, at in sorted(entries, key=lambda e: e[2]):
        after = entry.digits if entry.digits is not None else digits
        told = [
            (
                key,
                f"{count:.10g} has more than the register's {most} digits; check it, or the digits",
                f"{count:.10g} 超出该表的 {most} 位数；请核对示数或位数",
            )
            for key, count, most in (("end", entry.end, digits), ("start", entry.start, after))
            if most is not None and count >= 10.0**most
        ]
        if entry.at.tzinfo is None and (words := not_one_time(entry.at, zone)) is not None:
            told.append(("at", words.en, words.zh))
        if found and found[-1].at == at:
            mend = "a meter is exchanged once at a time: keep one"
            told.append(
                (
                    "at",
                    f"two exchanges are at {at:%Y-%m-%d %H:%M}; {mend}",
                    f"{at:%Y-%m-%d %H:%M} 有两次换表；请只保留一次",
                )
            )
        draft.left_out += [item.problem(en, "exchanges", i, key, zh=zh) for key, en, zh in told]
        if not told:
            found.append(MeterExchange(at, entry.end, entry.start, entry.digits))
            digits = after
    return tuple(found)


def _anomaly(item: _Item[_EquipmentFile], points: Mapping[str, PointSpec], draft: _Draft) -> AnomalySettings | None:
    value = item.value.anomaly
    gauges = [n for n, p in points.items() if p.kind == "gauge" and p.every <= 600]
    for i, name in enumerate(value.points or ()):
        if name not in points or points[name].kind not in ("gauge", "state"):
            draft.problems.append(
                item.problem(f"{name!r} is not a gauge of this machine{nearest(name, gauges)}", "anomaly", "points", i)
            )
            return None
    chosen = value.points or tuple(gauges)
    if value.off or len(chosen) < 2:
        return None
    step = value.step or max(points[n].every for n in chosen)
    return AnomalySettings(chosen, value.learn, step)


def _supplied(draft: _Draft, equipment: Sequence[Equipment]) -> tuple[list[Equipment], tuple[frozenset[str], ...]]:
    """Return the machines without links that run in a circle: following `fed_by` upwards never comes back."""
    items: dict[str, _Item[Any]] = {}
    for item in draft.items["equipment"]:
        items.setdefault(item.value.id, item)
    links = {name: item.value.fed_by for name, item in items.items()}
    left, found = cut(links)
    for circle in found:
        first = next(name for name in items if name in circle)
        way = " -> ".join(way_around(circle, links, first))
        told = f"the supply runs in a circle: {way}; take one link out"
        zh = f"供电（供水、供气）关系成环：{way}；请去掉其中一条，在此之前环内的连接不计"
        draft.left_out.append(items[first].problem(told, "fed_by", zh=zh))
    return [replace(e, fed_by=left[e.id]) for e in equipment], found


def _refuse_shared_topics(draft: _Draft, equipment: Sequence[Equipment]) -> None:
    items = {i.value.id: i for i in draft.items["equipment"]}
    for machine, place, message in shared_topics(equipment):
        draft.problems.append(items[machine].problem(message, "telemetry", *place))


def _contracts(draft: _Draft, equipment: Sequence[Equipment]) -> dict[str, Contract]:
    found: dict[str, list[_Item[TariffFile]]] = {}
    for item in draft.items["tariffs"]:
        found.setdefault(item.value.id or item.value.carrier, []).append(item)
    contracts: dict[str, Contract] = {}
    known = {e.id: e for e in equipment}
    for name, items in found.items():
        items.sort(key=lambda i: i.value.from_)
        _refuse_same_day(draft, [(i, i.value.from_) for i in items])
        for item in items:
            if item.value.carrier != items[0].value.carrier:
                told = f"contract {name!r} is for {items[0].value.carrier} already; give this one another id"
                draft.problems.append(item.problem(told, "carrier"))
        contracts[name] = contract_of(name, [i.value for i in items])
        for i, words in other_meters([i.value for i in items]):
            draft.left_out.append(items[i].problem(words.en, "meters", zh=words.zh))
        for item in items:
            for i, meter in enumerate(item.value.meters):
                if wrong := wrong_meter(meter, item.value.carrier, known):
                    draft.problems.append(item.problem(wrong, "meters", i))
    for name, told in billed_twice(contracts.values()):
        draft.problems.append(found[name][0].problem(told, "meters"))
    return contracts


def _misfits(draft: _Draft, site: Site) -> Iterator[Problem]:
    for told in misfits(site):
        named = [i for i in draft.items["tariffs"] if (i.value.id or i.value.carrier) == told.contract]
        item = next(i for i in named if told.since is None or i.value.from_ == told.since)
        yield item.problem(told.words.en, told.key, zh=told.words.zh)


def _tariffs(contracts: Mapping[str, Contract]) -> dict[str, Dated[Tariff]]:
    """Return what a unit of each carrier costs: by the contract without an id, else by the first."""
    main: dict[str, Contract] = {}
    for contract in contracts.values():
        if not contract.resold and (contract.carrier not in main or contract.id == contract.carrier):
            main[contract.carrier] = contract
    return {carrier: Dated(c.since, c.tariffs) for carrier, c in main.items()}


def _targets(draft: _Draft, currency: str) -> tuple[Target, ...]:
    found: dict[str, Target] = {}
    for item in draft.items["targets"]:
        _refer(draft, item, item.value.department, "departments", "department")
        targets, problems = item.value.targets(currency)
        draft.problems += [item.problem(message, key) for key, message in problems]
        for target in targets:
            if target.key in found:
                draft.problems.append(item.problem(f"the plan {target.key} stands twice; keep one"))
            found.setdefault(target.key, target)
    return tuple(found.values())


def _virtual_meters(draft: _Draft, equipment: Sequence[Equipment]) -> Mapping[str, VirtualMeter]:
    items = draft.items["virtual_meters"]
    resolved = resolve_virtual_meters([item.value for item in items], equipment)
    draft.left_out += [items[n].problem(told.en, *place, zh=told.zh) for n, place, told in resolved.problems]
    return resolved.meters


def _measures(draft: _Draft, equipment: Sequence[Equipment], currency: str) -> dict[str, Measure]:
    machines = {e.id: e for e in equipment}
    virtual = draft.claimed.get("virtual_meters", set())
    found: dict[str, Measure] = {}
    for item in draft.items["measures"]:
        # A machine with a mistake of its own is told of there.
        if item.value.meter in draft.claimed["equipment"] and item.value.meter not in machines:
            continue
        measure, told = item.value.measure(machines, virtual, currency)
        draft.problems += [item.problem(words.en, *steps) for steps, words in told]
        if measure is not None:
            found.setdefault(measure.id, measure)
    return found


def _allocation(draft: _Draft, equipment: Sequence[Equipment]) -> dict[str, Dated[AllocationRules]]:
    machines = {e.id: e for e in equipment}
    by_carrier: dict[str, list[tuple[_Item[AllocationFile], AllocationRules]]] = {}
    for item in sorted(draft.items["allocation"], key=lambda i: i.value.from_):
        rules, told = item.value.read(machines, draft.claimed["departments"])
        draft.problems += [item.problem(message, *place) for place, message in told]
        by_carrier.setdefault(item.value.carrier, []).append((item, rules))
    for entries in by_carrier.values():
        _refuse_same_day(draft, [(i, i.value.from_) for i, _ in entries])
    return {c: Dated(tuple(i.value.from_ for i, _ in e), tuple(r for _, r in e)) for c, e in by_carrier.items()}
