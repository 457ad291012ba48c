"""The indicators of a month, all together: hospital, departments, machines, plants and transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np

from analytics.energy.activity import ActivityTotal
from analytics.energy.indicators import Figures, Indicator, Span, hospital_indicators
from analytics.energy.intervals import Intervals, Total
from analytics.energy.machine_indicators import (
    MachineFigures,
    TransformerUse,
    machine_indicators,
    plant_indicators,
    transformer_use,
)
from analytics.energy.weather import DegreeDays
from facility.activity import ACTIVITY_KINDS, ActivityKind
from facility.indicator_library import Amount, IndicatorLibrary, load_indicators
from facility.metering import BOUGHT, booked_registers, points_of_supply
from facility.site import Dated, Site

_MONTHS: Final = 12
_ACTIVE: Final = "energy_import"
_REACTIVE: Final = "reactive_energy_import"


@dataclass(frozen=True, slots=True)
class MonthAccounts:
    """
    What a month's accounts say.

    Attributes
    ----------
    month : its first day
    last : the last day that they hold: of a running month yesterday or today
    amounts : of the whole hospital: what was bought by carrier, `cost` [currency], `coal` [kgce], `carbon` [kgCO₂];
        what is absent is not known
    departments : the same of each department, as far as it was allocated
    """

    month: date
    last: date
    amounts: Mapping[Amount, Total]
    departments: Mapping[str, Mapping[Amount, Total]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What consumption is put over, as functions of the first and the last day.

    Attributes
    ----------
    activity : what was done, of a kind and a department (None: the whole site)
    weather : degree-days
    """

    activity: Callable[[ActivityKind, str | None, date, date], ActivityTotal]
    weather: Callable[[date, date], DegreeDays]


@dataclass(frozen=True, slots=True)
class MonthIndicators:
    """All indicators of a month, and what each transformer carried and lost, by its id."""

    month: date
    indicators: tuple[Indicator, ...]
    transformers: Mapping[str, TransformerUse]

    def to_json(self) -> dict[str, Any]:
        """Return them as plain values; what is not known is null."""
        return {
            "month": self.month.isoformat(),
            "indicators": [_indicator_json(found) for found in self.indicators],
            "transformers": {
                id_: {name: _plain(value) for name, value in asdict(use).items()} | {"losses_kwh": use.losses_kwh}
                for id_, use in self.transformers.items()
            },
        }


def registers_wanted(site: Site, library: IndicatorLibrary | None = None) -> list[str]:
    """Return the registers of machines and plants that the indicators look at, each once."""
    library = library or load_indicators()
    wanted: dict[str, None] = {}
    for item in site.equipment.values():
        for machine in library.machines:
            if machine.class_ == item.cls.id:
                wanted |= {f"{item.id}/{side.point}": None for side in (machine.of, machine.over)}
        for plant in library.plants:
            for plant_side in (plant.of, plant.over):
                if item.cls.id in plant_side.classes:
                    wanted[f"{item.id}/{plant_side.point}"] = None
    return [key for key in wanted if key.split("/")[1] in site.equipment[key.split("/")[0]].points]


def intervals_wanted(site: Site) -> list[str]:
    """Return the registers of transformers whose quarter hours tell load and losses."""
    return [
        f"{item.id}/{point}"
        for item in site.equipment.values()
        if item.cls.id == "dry_type_transformer"
        for point in (_ACTIVE, _REACTIVE)
        if point in item.points
    ]


def month_indicators(
    site: Site,
    months: Sequence[MonthAccounts],
    machines: MachineFigures,
    intervals: Mapping[str, Intervals],
    around: Surroundings,
    library: IndicatorLibrary | None = None,
) -> MonthIndicators:
    """
    Return the indicators of the last of some months, and of the year that ends with it.

    Parameters
    ----------
    months : MonthAccounts
        Consecutive months, oldest first; with twelve or more there are indicators of a year.
    machines : MachineFigures
        Of the last month.
    intervals : Mapping
        Of the registers that `intervals_wanted` names, over the last month.

    Raises
    ------
    ValueError
        If there is no month, or they do not follow each other.
    """
    if not months or any((b.month - a.month).days not in range(28, 32) for a, b in pairwise(months)):
        raise ValueError("months must be one or more that follow each other, oldest first")
    library = _of_site(site, library or load_indicators())
    last = months[-1]
    found = _of_span(site, [last], around, library, "month")
    if len(months) >= _MONTHS:
        found += _of_span(site, months[-_MONTHS:], around, library, "year")
    found += machine_indicators(library, site.equipment.values(), machines, "month")
    found += plant_indicators(library, site, machines, "month")
    return MonthIndicators(last.month, tuple(found), _transformers(site, intervals))


def _of_site(site: Site, library: IndicatorLibrary) -> IndicatorLibrary:
    """Return the indicators without those of carriers that do not come in: what is made here is not bought."""
    registers = booked_registers(site)
    absent = {carrier for carrier in BOUGHT if not points_of_supply(site, registers, carrier)}
    kept = tuple(spec for spec in library.hospital if spec.of not in absent)
    return library.model_copy(update={"hospital": kept})


def _of_span(
    site: Site, months: Sequence[MonthAccounts], around: Surroundings, library: IndicatorLibrary, span: Span
) -> list[Indicator]:
    first, last = months[0].month, months[-1].last
    weather = around.weather(first, last)
    whole = _figures(site, months, around, None, first, last, weather)
    found = hospital_indicators(library, whole, span, site.currency, subject=site.id)
    for department in site.departments:
        if any(department in m.departments for m in months):
            figures = _figures(site, months, around, department, first, last, weather)
            found += hospital_indicators(library, figures, span, site.currency, department)
    return found


def _figures(
    site: Site,
    months: Sequence[MonthAccounts],
    around: Surroundings,
    department: str | None,
    first: date,
    last: date,
    weather: DegreeDays,
) -> Figures:
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    amounts = [m.amounts if department is None else m.departments.get(department, {}) for m in months]
    lengths = [(m.last - m.month).days + 1 for m in months]
    if department is None:
        sizes = [site.sizes.on(day) for day in days]
        area, beds = _mean(s.floor_area_m2 for s in sizes), _mean(s.beds for s in sizes)
    else:
        own = site.departments[department]
        area, beds = _mean_dated(own.floor_area_m2, days), _mean_dated(own.beds, days)
    names: dict[Amount, None] = {name: None for of_month in amounts for name in of_month}
    return Figures(
        days=len(days),
        amounts={name: _sum([of.get(name) for of in amounts], lengths) for name in names},
        area_m2=area,
        beds=beds,
        activity={kind: around.activity(kind, department, first, last) for kind in ACTIVITY_KINDS},
        weather=weather,
    )


def _sum(totals: Sequence[Total | None], days: Sequence[int]) -> Total:
    """Return the sum of months; one that is not known is missing, not nothing."""
    weights = np.array(days, dtype=float) / sum(days)
    amounts = [t.amount for t in totals if t is not None and t.known]
    shares = [(t.measured, t.estimated, t.missing) if t is not None else (0.0, 0.0, 1.0) for t in totals]
    measured, estimated, missing = (float(x) for x in weights @ np.array(shares))
    return Total(math.fsum(amounts) if amounts else math.nan, measured, estimated, missing)


def _mean_dated(value: Dated[float | None], days: Sequence[date]) -> float | None:
    return _mean(value.on(day) for day in days)


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean over the days; None if it is not known of every day."""
    known = list(values)
    numbers = [v for v in known if v is not None]
    return math.fsum(numbers) / len(numbers) if numbers and len(numbers) == len(known) else None


def _transformers(site: Site, intervals: Mapping[str, Intervals]) -> dict[str, TransformerUse]:
    found: dict[str, TransformerUse] = {}
    nan = math.nan
    for item in site.equipment.values():
        active = intervals.get(f"{item.id}/{_ACTIVE}")
        if item.cls.id != "dry_type_transformer" or active is None:
            continue
        rated, no_load, load = (item.rating.get(name, nan) for name in ("power", "no_load_loss", "load_loss"))
        use = transformer_use(active, intervals.get(f"{item.id}/{_REACTIVE}"), rated, no_load, load)
        if use is not None:
            found[item.id] = use
    return found


def _indicator_json(found: Indicator) -> dict[str, Any]:
    benchmark = found.benchmark
    return {
        "id": found.id,
        "name": {"zh": found.name.zh, "en": found.name.en},
        "unit": found.unit,
        "kind": found.kind,
        "subject": found.subject,
        "span": found.span,
        "value": _plain(found.value),
        "numerator": _plain(found.numerator),
        "denominator": _plain(found.denominator),
        "measured": found.measured,
        "estimated": found.estimated,
        "missing": found.missing,
        "better": found.better,
        "benchmark": None
        if benchmark is None
        else {
            "good": benchmark.good,
            "poor": benchmark.poor,
            "source": benchmark.source,
            "checked": benchmark.checked,
        },
        "verdict": found.verdict,
        "reasons": [reason.as_json() for reason in found.reasons],
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
