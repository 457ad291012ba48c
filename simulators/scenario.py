"""
Scenario files: which faults a simulated hospital has, from when to when, how bad, who mends what when, and which
measures to save energy its past holds.

A file is checked whole before anything starts; `docs/simulators/scenarios.md` says what it may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from facility.calendar import day_of
from facility.documents import Document, KeyPath, read_checked
from facility.equipment_classes import Carrier
from facility.errors import ConfigurationError, Problem
from facility.measure_entry import read_entry
from facility.names import Id, Names
from facility.site import Site
from facility.units import parse_duration
from facility.wording import nearest
from simulators.fault_catalogue import Onset, Seconds, UnknownFault, find_fault
from simulators.faults import FaultBook, FaultEvent, mended
from simulators.hospital import Hospital
from simulators.plants.outdoors import find_climate

_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTHS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
# When relative times are looked at without a start, and a day that none of them reaches.
_SOME_DAY_US: Final = (datetime(2030, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_NO_DAY_BEFORE: Final = date(9000, 1, 1)
_LONGEST_AGO: Final = timedelta(days=7300)
USUAL_SEVERITY: Final = 0.8
USUAL_SEED: Final = 1

Moment = timedelta | datetime  # after the start, or a site time


def _moment(value: Any) -> Moment:
    if isinstance(value, timedelta | datetime):
        return value
    text = str(value).strip()
    try:
        if text[:1] in "+-":
            return timedelta(seconds=parse_duration(text[1:]) * (-1 if text[0] == "-" else 1))
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None or len(text) < len("2026-01-14 06:30"):
        raise ValueError(
            f"{text!r} is neither a time after the start, such as '30 s' or '-2 h', nor a site time, such as "
            "'2026-01-14 06:30'"
        )
    return moment


def _site_time(value: Any) -> datetime:
    moment = _moment(value)
    if not isinstance(moment, datetime):
        raise ValueError(f"{value!r} is not a site time; write it as 2026-01-14 06:30")
    return moment


def _severity(value: float) -> float:
    if not 0.0 < value <= 1.0:
        raise ValueError(f"severity {value:g} is not above 0 and up to 1")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_Moment = Annotated[Moment, BeforeValidator(_moment)]


class PlannedFault(_Strict):
    """One fault as a scenario plans it; neither `to` nor `lasts_s`: until somebody mends it."""

    fault: str
    equipment: str
    begins: _Moment = Field(default=timedelta(0), alias="from")
    to: _Moment | None = None
    lasts_s: Seconds | None = Field(default=None, alias="for")
    severity: Annotated[float, AfterValidator(_severity)] = USUAL_SEVERITY
    onset: Onset | None = None


class PlannedRepair(_Strict):
    """Somebody mends a machine, and writes down what was done."""

    at: _Moment
    equipment: str
    note: str = Field(min_length=1)


class PlannedMeasure(_Strict):
    """What was done to save energy, and when; without `to` in one day. The faults that it ends are planned as such."""

    id: Id
    name: Names
    begins: _Moment = Field(alias="from")
    to: _Moment | None = None
    meter: str | None = None
    carrier: Carrier | None = None
    cost: str | None = None
    owner: str | None = None
    source: str | None = None


class _ScenarioFile(_Strict):
    seed: int | None = None
    climate: str | None = None
    start: Annotated[datetime, BeforeValidator(_site_time)] | None = None
    faults: tuple[PlannedFault, ...] = ()
    repairs: tuple[PlannedRepair, ...] = ()
    measures: tuple[PlannedMeasure, ...] = ()


_FILE: Final = TypeAdapter(_ScenarioFile)


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What happens to a site's machines.

    Attributes
    ----------
    seed, climate : of the hospital; None: not said
    start_us : the time from which relative times count; None: when the simulation goes live
    """

    site: Site
    faults: tuple[PlannedFault, ...]
    repairs: tuple[PlannedRepair, ...] = ()
    seed: int | None = None
    climate: str | None = None
    start_us: int | None = None
    measures: tuple[PlannedMeasure, ...] = ()

    def events(self, start_us: int) -> list[FaultEvent]:
        """
        Return the events, with the ends that repairs bring them.

        Parameters
        ----------
        start_us : where relative times count from, unless the scenario says it itself

        Raises
        ------
        ValueError
            If one would end before it starts, which only shows where a site time meets a relative one.
        """
        planned = [self._event(fault, start_us) for fault in self.faults]
        for repair in self.repairs:
            at_us = self._time(repair.at, start_us)
            for event in mended(planned, repair.equipment, repair.note, at_us):
                event.end_us = at_us
        return planned

    def measure_entries(self, start_us: int) -> list[dict[str, Any]]:
        """Return the measures as people enter them, by the days of their work (see `facility.measure_entry`)."""
        return [self._entry(planned, start_us) for planned in self.measures]

    def _entry(self, planned: PlannedMeasure, start_us: int) -> dict[str, Any]:
        zone = self.site.time_zone
        first = day_of(self._time(planned.begins, start_us), zone)
        last = first if planned.to is None else day_of(self._time(planned.to, start_us), zone)
        return {
            "id": planned.id, "name": planned.name.model_dump(), "meter": planned.meter, "carrier": planned.carrier,
            "work": {"from": str(first), "to": str(last)}, "cost": planned.cost, "owner": planned.owner,
            "source": planned.source,
        }  # fmt: skip

    def hospital(self, seed: int | None = None, truth: Path | None = None) -> Hospital:
        """Return the hospital in which it happens, without its faults yet; `seed` goes before the scenario's own."""
        chosen = next(number for number in (seed, self.seed, USUAL_SEED) if number is not None)
        if self.climate is None:
            return Hospital(self.site, chosen, truth=truth)
        return Hospital(self.site, chosen, truth=truth, climate=self.climate)

    def _event(self, planned: PlannedFault, start_us: int) -> FaultEvent:
        fault = find_fault(planned.fault)
        begins = self._time(planned.begins, start_us)
        ends = None if planned.to is None else self._time(planned.to, start_us)
        if planned.lasts_s is not None:
            ends = begins + round(planned.lasts_s * _US)
        if ends is not None and ends <= begins:
            raise ValueError(f"{fault.id} of {planned.equipment} would end before it starts; write a later `to`")
        onset = planned.onset or fault.onset
        return FaultEvent.like(onset, fault.id, planned.equipment, planned.severity, begins, ends)

    def _time(self, moment: Moment, start_us: int) -> int:
        return _microseconds(self.site, moment, start_us if self.start_us is None else self.start_us)


def load_scenario(path: Path, site: Site) -> Scenario:
    """
    Read a scenario for a site.

    Raises
    ------
    ConfigurationError
        With every mistake of the file.
    """
    read = read_checked(path, _FILE)
    file, problems = read.value, read.problems
    if file is not None:
        problems += _mistakes(read.document, file, site)
    if problems or file is None:
        raise ConfigurationError(problems)
    return _scenario(file, site)


def _scenario(file: _ScenarioFile, site: Site) -> Scenario:
    start_us = None if file.start is None else _microseconds(site, file.start, 0)
    return Scenario(site, file.faults, file.repairs, file.seed, file.climate, start_us, file.measures)


def _mistakes(document: Document, file: _ScenarioFile, site: Site) -> list[Problem]:
    found: list[tuple[KeyPath, str]] = []
    if file.climate is not None:
        try:
            find_climate(file.climate)
        except ValueError as error:
            found.append((("climate",), str(error)))
    book = FaultBook(site)
    for number, planned in enumerate(file.faults):
        found += [(("faults", number, key), told) for key, told in _wrong_with(planned, book, file.start is not None)]
    for number, repair in enumerate(file.repairs):
        if repair.equipment not in site.equipment and repair.equipment not in {f.equipment for f in file.faults}:
            told = f"no equipment is called {repair.equipment!r}{nearest(repair.equipment, site.equipment)}"
            found.append((("repairs", number, "equipment"), told))
    found += _wrong_measures(_scenario(file, site))
    if not found and not document.problems:
        scenario = _scenario(file, site)
        found = _too_short(scenario) or _idle_repairs(scenario)
    return [document.problem(path, message) for path, message in found]


def _wrong_with(planned: PlannedFault, book: FaultBook, dated: bool) -> list[tuple[str, str]]:
    """Return the mistakes of one fault, each with the key at which it stands."""
    found: list[tuple[str, str]] = []
    try:
        find_fault(planned.fault)
    except UnknownFault as error:
        found.append(("fault", str(error)))
    else:
        try:
            book.check(planned.fault, planned.equipment)
        except UnknownFault as error:
            found.append(("equipment", str(error)))
    if planned.to is not None and planned.lasts_s is not None:
        found.append(("for", "both `to` and `for` stand here; keep one of them"))
    elif planned.lasts_s == 0.0:
        found.append(("for", "the fault would end when it starts; give a longer time, such as '15 min'"))
    elif planned.to is not None and _is_before(planned.to, planned.begins):
        found.append(
            ("to", "the fault would end before it starts; write a later time, or `for:` with how long it lasts")
        )
    elif not dated and planned.to is not None and isinstance(planned.to, datetime) != isinstance(
        planned.begins, datetime
    ):  # fmt: skip
        found.append(("to", "`from` and `to` differ in kind; write both after the start, or both as site times"))
    return found


def _wrong_measures(scenario: Scenario) -> list[tuple[KeyPath, str]]:
    """Return the mistakes of the measures; relative times are looked at as if the simulation went live on some day."""
    found: list[tuple[KeyPath, str]] = []
    taken = set(scenario.site.measures)
    for number, planned in enumerate(scenario.measures):
        here: KeyPath = ("measures", number)
        if planned.id in taken:
            found.append(((*here, "id"), f"id {planned.id!r} is taken; every measure needs its own"))
        taken.add(planned.id)
        moments: dict[str, Moment] = (
            {"from": planned.begins} if planned.to is None else {"from": planned.begins, "to": planned.to}
        )
        late = [key for key, m in moments.items() if isinstance(m, timedelta) and m > timedelta(0)]
        if late and scenario.start_us is None:
            told = "it lies after the start, and a measure belongs to the past; write such as -120 d"
            found.append(((*here, late[0]), told))
            continue
        if any(isinstance(m, timedelta) and m < -_LONGEST_AGO for m in moments.values()):
            found.append(((*here, "from"), f"it lies more than {_LONGEST_AGO.days:,} days back; write a later time"))
            continue
        entry = scenario._entry(planned, _SOME_DAY_US)
        for mistake in read_entry(entry, scenario.site, _NO_DAY_BEFORE).mistakes:
            key = mistake.field.removeprefix("work.")
            found.append(((*here, *key.split(".")) if key else here, mistake.message))
    return found


def _is_before(end: Moment, begin: Moment) -> bool:
    if isinstance(end, datetime) and isinstance(begin, datetime):
        return end <= begin
    return isinstance(end, timedelta) and isinstance(begin, timedelta) and end <= begin


def _too_short(scenario: Scenario) -> list[tuple[KeyPath, str]]:
    """Return the faults whose site time and relative time turn out to be in the wrong order."""
    found: list[tuple[KeyPath, str]] = []
    for number, planned in enumerate(scenario.faults):
        try:
            scenario._event(planned, 0)
        except ValueError as error:
            found.append((("faults", number, "to"), str(error)))
    return found


def _idle_repairs(scenario: Scenario) -> list[tuple[KeyPath, str]]:
    """Return the repairs that would mend nothing: most likely a word, a machine or a time is mistyped."""
    moments = [*(f.begins for f in scenario.faults), *(r.at for r in scenario.repairs)]
    if scenario.start_us is None and len({isinstance(m, datetime) for m in moments}) > 1:
        return []  # that depends on when the simulation goes live
    found: list[tuple[KeyPath, str]] = []
    for number, repair in enumerate(scenario.repairs):
        others = replace(scenario, repairs=scenario.repairs[:number])
        at_us = scenario._time(repair.at, 0)
        if not mended(others.events(0), repair.equipment, repair.note, at_us):
            words = sorted({w for f in scenario.faults if f.equipment.partition("/")[0] == repair.equipment
                            for w in find_fault(f.fault).repair.words})  # fmt: skip
            hint = f"; a note that mends its faults holds one of: {', '.join(words)}" if words else ""
            found.append((("repairs", number, "note"), f"nothing is mended by it at that time{hint}"))
    return found


def _microseconds(site: Site, moment: Moment, start_us: int) -> int:
    if isinstance(moment, timedelta):
        return start_us + moment // timedelta(microseconds=1)
    return (moment.replace(tzinfo=site.time_zone) - _EPOCH) // timedelta(microseconds=1)


def written(scenario: Scenario) -> str:
    """Return a scenario as a file holds it; what is read from it is the same again."""
    head: dict[str, Any] = {}
    if scenario.seed is not None:
        head["seed"] = scenario.seed
    if scenario.climate is not None:
        head["climate"] = scenario.climate
    if scenario.start_us is not None:
        start = _EPOCH + timedelta(microseconds=scenario.start_us)
        head["start"] = _written(start.astimezone(scenario.site.time_zone).replace(tzinfo=None))
    parts = [yaml.safe_dump(head, sort_keys=False)] if head else []
    for key, rows in (
        ("faults", [_fault_row(f) for f in scenario.faults]),
        ("repairs", [{"at": _written(r.at), "equipment": r.equipment, "note": r.note} for r in scenario.repairs]),
        ("measures", [_measure_row(m) for m in scenario.measures]),
    ):
        if rows:
            lines = [yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1000, allow_unicode=True)
                     for row in rows]  # fmt: skip
            parts.append(f"{key}:\n" + "".join(f"  - {line}" for line in lines))
    return "\n".join(parts) or "faults: []\n"


def _fault_row(planned: PlannedFault) -> Mapping[str, Any]:
    row: dict[str, Any] = {
        "fault": planned.fault, "equipment": planned.equipment, "severity": planned.severity,
        "from": _written(planned.begins),
    }  # fmt: skip
    if planned.to is not None:
        row["to"] = _written(planned.to)
    if planned.lasts_s is not None:
        row["for"] = _length(planned.lasts_s)
    if planned.onset is not None:
        onset = planned.onset
        times = {"over": onset.over, "on": onset.on, "every": onset.every}
        row["onset"] = {"kind": onset.kind} | {key: _length(s) for key, s in times.items() if s > 0.0}
    return row


def _measure_row(planned: PlannedMeasure) -> Mapping[str, Any]:
    row = planned.model_dump(exclude_none=True, exclude={"begins", "to"}) | {"from": _written(planned.begins)}
    return row if planned.to is None else row | {"to": _written(planned.to)}


def _written(moment: Moment) -> str:
    if isinstance(moment, timedelta):
        seconds = moment.total_seconds()
        return f"-{_length(-seconds)}" if seconds < 0 else _length(seconds)
    return moment.isoformat(" ", "auto" if moment.second or moment.microsecond else "minutes")


def _length(seconds: float) -> str:
    unit, size = next(((u, s) for u, s in _LENGTHS if seconds % s == 0 and seconds >= s), _LENGTHS[-1])
    return f"{seconds / size:.12g} {unit}"
