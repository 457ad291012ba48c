"""The library of equipment classes: one YAML file a class in `facility/classes/`, checked whole when it is loaded.

A class says what points a kind of equipment has, within which limits they are healthy, and how it is maintained. Adding
a class is adding a file; nothing else changes. A site may bring a folder of classes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from facility.documents import Document, read_document, read_folder, validate
from facility.errors import ConfigurationError, Problem
from facility.expressions import (
    Condition,
    ExpressionError,
    Formula,
    Symbols,
    compile_condition,
    compile_formula,
)
from facility.names import Names
from facility.units import (
    CalendarInterval,
    Quantity,
    canonical_unit,
    parse_duration,
    parse_interval,
    parse_quantity,
)
from facility.wording import nearest

CLASSES_FOLDER: Final = Path(__file__).parent / "classes"
VOCABULARY_FILE: Final = Path(__file__).parent / "vocabulary.yaml"

System = Literal[
    "power", "oxygen", "boilers", "pumps", "secondary_water", "heat", "central_ac", "split_ac", "sewage", "lifts",
    "other",
]  # fmt: skip
# The order of systems never changes, whatever is alarming (look: same thing, same place).
SYSTEMS: Final[tuple[System, ...]] = get_args(System)
Kind = Literal["gauge", "state", "total_increasing", "derived"]
# What a register counts. Tariffs exist for the first six; the others tell how well a plant makes its product.
Carrier = Literal[
    "electricity", "water", "gas", "heat", "oxygen", "steam", "reactive", "cooling", "air", "hot_water", "sewage"
]
# Into the machine or through the meter; or out of the machine that makes it, or back to the supplier.
Flow = Literal["in", "out"]
Priority = Literal["P1", "P2", "P3", "P4"]
Tier = Literal["warn", "alarm", "trip", "low_warn", "low_alarm", "low_trip"]

# Classes whose consumption is booked: what the register counts, by the point that counts it.
METER_REGISTERS: Final[Mapping[str, str]] = {
    "electricity_meter": "energy_import",
    "water_meter": "volume_total",
    "gas_meter": "volume_total",
    "heat_meter": "heat_total",
    "oxygen_meter": "oxygen_total",
    "steam_meter": "steam_total",
}

Unit = Annotated[str, AfterValidator(canonical_unit)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Interval = Annotated[CalendarInterval, BeforeValidator(parse_interval)]
QuantityText = Annotated[Quantity, BeforeValidator(lambda v: v if isinstance(v, Quantity) else parse_quantity(v))]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError(f"[{pair[0]:g}, {pair[1]:g}] is no band; write the lower end first, then the upper")
    return pair


Band = Annotated[tuple[float, float], AfterValidator(_ordered)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class RatingSpec(_Strict):
    """One nameplate value: a number in `unit`, or one of `values`."""

    name: Names
    unit: Unit | None = None
    values: tuple[str, ...] | None = None
    default: float | str | None = None

    @model_validator(mode="after")
    def _number_or_choice(self) -> RatingSpec:
        if (self.unit is None) == (self.values is None):
            raise ValueError("give either a unit (for a number) or values (for a choice)")
        if self.values is not None and self.default is not None and self.default not in self.values:
            raise ValueError(f"default {self.default!r} is not one of {', '.join(self.values)}")
        if self.unit is not None and isinstance(self.default, str):
            raise ValueError(f"default {self.default!r} is not a number; give one in {self.unit or 'no unit'}")
        return self


class RateSpec(_Strict):
    """The fastest change that a point can make, and why: `{change: 3 °C, within: 1 min, source: ...}`."""

    change: QuantityText
    within: Duration
    source: Annotated[str, Field(min_length=3)]

    @property
    def a_second(self) -> float:
        """Return the rate in the point's unit a second."""
        return self.change.value / self.within

    @model_validator(mode="after")
    def _above_zero(self) -> RateSpec:
        if self.change.value <= 0 or self.within <= 0:
            raise ValueError("change and within must be above zero, such as {change: 3 °C, within: 1 min}")
        return self


class PointSpec(_Strict):
    """One point of a class, as its file defines it."""

    kind: Kind
    name: Names
    unit: Unit = ""
    normal: Band | None = None
    physical: Band | None = None
    max_rate: RateSpec | None = None
    scale: Band | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    every: Duration = 60.0
    states: Mapping[int, str] | None = None
    from_: str | None = Field(default=None, alias="from")
    code: str | None = None
    carrier: Carrier | None = None
    flow: Flow = "in"
    through: bool = False  # what it counts goes on to the machines below, as through a meter; else it is used up here

    @model_validator(mode="after")
    def _fits_its_kind(self) -> PointSpec:
        if self.carrier is not None and self.kind != "total_increasing":
            raise ValueError(f"a point of kind {self.kind} counts nothing; only total_increasing has a carrier")
        if self.through and self.carrier is None:
            raise ValueError("through says that a carrier goes on to the machines below, but there is no carrier")
        if (self.kind == "state") != (self.states is not None):
            raise ValueError("a point of kind state needs states, such as {0: stopped, 1: running}; others have none")
        if (self.kind == "derived") != (self.from_ is not None):
            raise ValueError("a point of kind derived needs from, a formula; others have none")
        if self.normal and self.physical and not (
            self.physical[0] <= self.normal[0] and self.normal[1] <= self.physical[1]
        ):  # fmt: skip
            raise ValueError(f"normal {list(self.normal)} reaches beyond physical {list(self.physical)}")
        if self.normal and self.scale and not (self.scale[0] <= self.normal[0] and self.normal[1] <= self.scale[1]):
            raise ValueError(f"normal {list(self.normal)} reaches beyond scale {list(self.scale)}")
        if self.max_rate is not None and self.max_rate.change.unit != self.unit:
            raise ValueError(
                f"max_rate changes by {self.max_rate.change}; give it in the point's own unit {self.unit!r}"
            )
        if self.every <= 0:
            raise ValueError("every is 0; give a sampling interval such as '1 min'")
        return self


class LimitSpec(_Strict):
    """One limit, as its file defines it."""

    id: Annotated[str, Field(pattern=r"^[A-Z]{1,3}-[A-Z]\d{2,3}[a-z]?$")]
    tier: Tier
    when: str
    hold: Duration = 0.0
    clear: QuantityText | None = None
    priority: Priority
    life_safety: bool = False
    name: Names
    source: Annotated[str, Field(min_length=3)]
    advice: str

    @model_validator(mode="after")
    def _life_safety_is_first(self) -> LimitSpec:
        if self.life_safety and self.priority != "P1":
            raise ValueError(f"a life-safety limit has priority P1, not {self.priority}")
        return self


class MaintenanceTask(_Strict):
    """One task of a maintenance plan: due by the calendar, by run-hours, or by whichever comes first."""

    task: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
    name: Names
    every: Interval | None = None
    run_hours: Duration | None = None
    checklist: Annotated[tuple[Names, ...], Field(min_length=1)]
    source: Annotated[str, Field(min_length=3)]
    statutory: bool = False

    @model_validator(mode="after")
    def _has_an_interval(self) -> MaintenanceTask:
        if self.every is None and self.run_hours is None:
            raise ValueError("give every (such as 12 months) or run_hours (such as 4000 h), or both")
        return self


class Advice(_Strict):
    """First actions, in order, in both languages."""

    zh: Annotated[tuple[str, ...], Field(min_length=1)]
    en: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _same_steps(self) -> Advice:
        if len(self.zh) != len(self.en):
            raise ValueError(f"zh has {len(self.zh)} steps and en has {len(self.en)}; both must say the same")
        return self


class ClassSpec(_Strict):
    """An equipment class, exactly as its file stands."""

    class_: Identifier = Field(alias="class")
    name: Names
    system: System
    brick: str | None = None
    rating: Mapping[Identifier, RatingSpec] = Field(default_factory=dict)
    points: Mapping[Identifier, PointSpec] = Field(default_factory=dict)
    key_points: Annotated[tuple[str, ...], Field(max_length=3)] = ()
    runs_by: str | None = None  # the state that says whether the machine runs, where its name does not
    limits: tuple[LimitSpec, ...] = ()
    advice: Mapping[str, Advice] = Field(default_factory=dict)
    maintenance: tuple[MaintenanceTask, ...] = ()
    indicators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """A limit with its condition compiled for the class's default rating, and its numbers in the points' units."""

    spec: LimitSpec
    condition: Condition
    clear: float | None  # value of the first comparison at which it clears; None: at the limit itself

    @property
    def id(self) -> str:
        """Return `EL-L16/alarm`: unique in a class where the subject is one, and what a site file calls it."""
        return f"{self.spec.id}/{self.spec.tier}"

    @cached_property
    def subject(self) -> str:
        """Return the name by which a site file overrides this limit: the first thing that is compared."""
        text = self.condition.comparisons[0].left.text
        for function in ("max(", "min(", "mean("):
            if text.startswith(function) and text.endswith(")") and text.count("(") == 1:
                return text[len(function) : -1].strip()
        return text

    @property
    def threshold(self) -> float | None:
        """Return the number that the first comparison compares with, in the unit of its left side."""
        return self.condition.comparisons[0].threshold


@dataclass(frozen=True)
class EquipmentClass:
    """A class ready for use: formulas and limits compiled, words of states known in both languages."""

    spec: ClassSpec
    file: str
    limits: tuple[Limit, ...]
    formulas: Mapping[str, Formula]
    state_names: Mapping[str, Mapping[int, Names]]

    @property
    def id(self) -> str:
        """Return the class's name in snake_case."""
        return self.spec.class_

    @property
    def points(self) -> Mapping[str, PointSpec]:
        """Return the points by name, in the order of the file."""
        return self.spec.points

    def symbols(self, rating: Mapping[str, float]) -> Symbols:
        """Return what names mean in this class's formulas, for equipment with this rating."""
        return symbols_of(self.spec, rating)

    def default_rating(self) -> dict[str, float]:
        """Return the numeric nameplate values that have a default."""
        return _default_rating(self.spec)


@dataclass(frozen=True)
class ClassLibrary:
    """All classes by name, and the words that states may use."""

    classes: Mapping[str, EquipmentClass]
    vocabulary: Mapping[str, Names]

    def __getitem__(self, name: str) -> EquipmentClass:
        return self.classes[name]

    def __contains__(self, name: str) -> bool:
        return name in self.classes


_CLASS = TypeAdapter(ClassSpec)
_VOCABULARY = TypeAdapter(dict[str, Names])


def _default_rating(spec: ClassSpec) -> dict[str, float]:
    return {k: float(r.default) for k, r in spec.rating.items() if r.unit is not None and r.default is not None}


def symbols_of(spec: ClassSpec, rating: Mapping[str, float]) -> Symbols:
    """Return the names that a class's formulas may use: its points, and `rating.*` with the values given."""
    return Symbols(
        units={name: point.unit for name, point in spec.points.items()},
        constants={
            f"rating.{k}": (rating.get(k, float("nan")), r.unit) for k, r in spec.rating.items() if r.unit is not None
        },
        states={
            name: {word: float(code) for code, word in point.states.items()}
            for name, point in spec.points.items()
            if point.states
        },
    )


def compile_limit(limit: LimitSpec, symbols: Symbols) -> Limit:
    """
    Compile a limit for equipment whose names mean `symbols`.

    Raises
    ------
    ExpressionError
        If the condition does not parse, or the value at which it clears lies on the wrong side.
    """
    condition = compile_condition(limit.when, symbols)
    first = condition.comparisons[0]
    clear = None
    if limit.clear is not None:
        try:
            clear = limit.clear.value if limit.clear.unit == "" else limit.clear.to(first.left.unit)
        except ValueError as error:
            raise ExpressionError(f"clear: {error}") from None
        threshold = first.threshold
        if threshold is None or first.op in ("==", "!="):
            raise ExpressionError("clear needs a limit that compares with a number by > or <; leave it out here")
        wrong = clear > threshold if first.op in (">", ">=") else clear < threshold
        if wrong:
            side = "below" if first.op in (">", ">=") else "above"
            raise ExpressionError(
                f"clear {limit.clear} lies beyond the limit itself; give a value {side} {threshold:g} {first.left.unit}"
            )
    return Limit(limit, condition, clear)


def _compile(
    spec: ClassSpec, document: Document, vocabulary: Mapping[str, Names]
) -> tuple[EquipmentClass | None, list[Problem]]:
    problems: list[Problem] = []

    def tell(path: tuple[str | int, ...], message: str) -> None:
        problems.append(document.problem(path, message))

    symbols = symbols_of(spec, _default_rating(spec))
    formulas: dict[str, Formula] = {}
    state_names: dict[str, dict[int, Names]] = {}
    for name, point in spec.points.items():
        if point.from_ is not None:
            try:
                formulas[name] = compile_formula(point.from_, symbols, point.unit)
                inner = [p for p in formulas[name].points if spec.points[p].kind == "derived"]
                if inner:
                    tell(("points", name, "from"), f"{inner[0]!r} is derived itself; write its formula out here")
            except ExpressionError as error:
                tell(("points", name, "from"), str(error))
        for code, word in (point.states or {}).items():
            if word not in vocabulary:
                tell(("points", name, "states", code), f"{word!r} is not in vocabulary.yaml{nearest(word, vocabulary)}")
            else:
                state_names.setdefault(name, {})[code] = vocabulary[word]
    limits: list[Limit] = []
    for i, limit in enumerate(spec.limits):
        try:
            limits.append(compile_limit(limit, symbols))
        except ExpressionError as error:
            tell(("limits", i, "when" if "clear" not in str(error)[:6] else "clear"), str(error))
        if limit.advice not in spec.advice:
            tell(
                ("limits", i, "advice"),
                f"{limit.advice!r} is not under advice here{nearest(limit.advice, spec.advice)}",
            )
    seen: dict[tuple[str, str, str], int] = {}
    for i, compiled in enumerate(limits):
        identity = (compiled.spec.id, compiled.subject, compiled.spec.tier)
        if identity in seen:
            tell(("limits",), f"{compiled.id} for {compiled.subject!r} stands twice; give one of them another tier")
        seen[identity] = i
    for i, name in enumerate(spec.key_points):
        if name not in spec.points:
            tell(("key_points", i), f"{name!r} is not a point of this class{nearest(name, spec.points)}")
    if spec.runs_by is not None and (spec.runs_by not in spec.points or spec.points[spec.runs_by].kind != "state"):
        tell(("runs_by",), f"{spec.runs_by!r} is no state of this class{nearest(spec.runs_by, spec.points)}")
    tasks = [t.task for t in spec.maintenance]
    for i, task in enumerate(tasks):
        if task in tasks[:i]:
            tell(("maintenance", i, "task"), f"{task!r} stands twice; give the second another name")
    if problems:
        return None, problems
    return EquipmentClass(spec, document.file, tuple(limits), formulas, state_names), []


def load_classes(folders: Sequence[Path], vocabulary_file: Path = VOCABULARY_FILE) -> ClassLibrary:
    """
    Load and check all `*.yaml` in the folders; a later folder may not define a class again.

    Raises
    ------
    ConfigurationError
        With every mistake in every file.
    """
    problems: list[Problem] = []
    vocabulary: Mapping[str, Names] = {}
    document = read_document(vocabulary_file)
    problems += document.problems
    if document.data is not None:
        words, found = validate(_VOCABULARY, document.data, document, ())
        vocabulary, problems = words or {}, problems + found
    classes: dict[str, EquipmentClass] = {}
    for document, spec, found in (each for folder in folders for each in read_folder(folder, _CLASS)):
        problems += found
        if spec is None:
            continue
        stem = Path(document.file).stem
        if spec.class_ != stem:
            problems.append(document.problem(("class",), f"the file is named {stem!r}; name both the same"))
        if spec.class_ in classes:
            first = classes[spec.class_].file
            problems.append(
                document.problem(("class",), f"{spec.class_!r} is already defined in {first}; choose another name")
            )
            continue
        compiled, found = _compile(spec, document, vocabulary)
        problems += found
        if compiled is not None:
            classes[spec.class_] = compiled
    if problems:
        raise ConfigurationError(problems)
    return ClassLibrary(classes, vocabulary)


@lru_cache(maxsize=1)
def load_library() -> ClassLibrary:
    """Load the classes that come with Wardwatt, once a process."""
    return load_classes([CLASSES_FOLDER])


def read_rating(
    spec: ClassSpec, given: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, str], list[tuple[str, str]]]:
    """
    Read the nameplate of one piece of equipment.

    Returns
    -------
    numbers, choices, problems
        Values in the class's units, defaults filled in; problems as (key, message).
    """
    numbers = _default_rating(spec)
    choices = {k: str(r.default) for k, r in spec.rating.items() if r.values is not None and r.default is not None}
    problems: list[tuple[str, str]] = []
    for key, value in given.items():
        known = spec.rating.get(key)
        if known is None:
            problems.append((key, f"key {key!r} is no nameplate value of {spec.class_!r}{nearest(key, spec.rating)}"))
        elif known.values is not None:
            if str(value) in known.values:
                choices[key] = str(value)
            else:
                problems.append((key, f"{value!r} is not one of {', '.join(known.values)}"))
        else:
            unit = known.unit or ""
            try:
                quantity = parse_quantity(value) if isinstance(value, str | int | float) else None
                if quantity is None:
                    problems.append((key, f"write a number with a unit, such as '100 {unit}'"))
                elif quantity.unit == "" and unit:
                    problems.append((key, f"{value!r} has no unit; write it with one, such as '{value} {unit}'"))
                else:
                    numbers[key] = quantity.to(unit)
            except ValueError as error:
                problems.append((key, str(error)))
    return numbers, choices, problems
