"""Indicators and plans of a month: each against what is usual or planned, and why nobody can tell where that is so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.energy.intervals import Total
from api.pages.energy_charts import PlanBar, Quality, plan_bar, quality
from api.pages.energy_figures import doubt, few_decimals, shares_label, unit_text
from api.pages.energy_statements import names_of
from api.pages.words import Words
from facility.formats import MISSING, number
from facility.metering import CARRIER_NAMES
from facility.site import Site

Figures = Mapping[str, Any]

# Those of departments stand on the departments' own pages.
_KINDS: Final = ("hospital", "plant", "machine")


@dataclass(frozen=True, slots=True)
class IndicatorRow:
    """An indicator of a month, with the twelve months that end with it where it has them."""

    subject: str
    href: str
    name: str
    unit: str
    month: str
    year: str
    sides: str
    usual: str
    source: str
    verdict: str
    poor: bool
    quality: Quality
    reason: str


@dataclass(frozen=True, slots=True)
class IndicatorGroup:
    """Indicators of one kind of subject."""

    name: str
    rows: tuple[IndicatorRow, ...]


@dataclass(frozen=True, slots=True)
class TransformerRow:
    """A transformer's load and losses."""

    name: str
    href: str
    mean: str
    peak: str
    energy: str
    losses: str
    share: str


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A plan: how much of it is used, and where it will end."""

    name: str
    unit: str
    planned: str
    used: str
    due: str
    forecast: str
    bar: PlanBar | None
    verdict: str
    loud: bool
    over: str
    since: str
    annual: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndicatorsPage:
    """Everything of the page."""

    targets: tuple[TargetRow, ...]
    no_targets: str
    groups: tuple[IndicatorGroup, ...]
    transformers: tuple[TransformerRow, ...]
    no_indicators: str


def indicators_page(
    site: Site, words: Words, indicators: Figures | None, targets: Figures | None, when: Any
) -> IndicatorsPage:
    """
    Build the page.

    Parameters
    ----------
    indicators, targets : figures of the month's statements; None: there are none
    when : writes a time in µs
    """
    return IndicatorsPage(
        targets=tuple(target_row(site, words, row, when) for row in (targets or {}).get("rows", ())),
        no_targets=words(
            "No plan is written down for this year. Add one under targets: in the site file, by carrier, department, "
            "money or carbon (docs/energy-accounts.md)."
        ),
        groups=indicator_groups(site, words, (indicators or {}).get("indicators", ())),
        transformers=_transformers(site, words, (indicators or {}).get("transformers", {})),
        no_indicators=words("No indicator could be worked out for this month: it has no figures yet."),
    )


# --- indicators -------------------------------------------------------------------------------------------------------


def indicator_groups(
    site: Site, words: Words, found: Sequence[Figures], kinds: Sequence[str] = _KINDS, subject: str | None = None
) -> tuple[IndicatorGroup, ...]:
    """Return indicators by what they are of: only of these kinds, and of one subject where one is named."""
    rows: dict[tuple[str, str, str], dict[str, Figures]] = {}
    for each in found:
        if subject is not None and each["subject"] != subject:
            continue
        rows.setdefault((each["kind"], each["subject"], each["id"]), {})[each["span"]] = each
    groups = []
    for kind in kinds:
        own = [_row(site, words, spans) for (k, _, _), spans in rows.items() if k == kind and _tells(spans)]
        if own:
            groups.append(IndicatorGroup(_kind_words(kind, words), tuple(own)))
    return tuple(groups)


def _tells(spans: Mapping[str, Figures]) -> bool:
    """Return True for what has a value, or a reason that is more than an absent meter."""
    return any(s.get("value") is not None or s.get("reasons") for s in spans.values())


def _kind_words(kind: str, words: Words) -> str:
    return {
        "hospital": words("The hospital"),
        "plant": words("Plants"),
        "machine": words("Machines"),
        "department": words("Departments"),
    }[kind]


def subject_name(site: Site, kind: str, subject: str, words: Words) -> tuple[str, str]:
    """Return what an indicator is about and the page of that, if it has one."""
    if kind == "machine" and subject in site.equipment:
        return words.name(site.equipment[subject].name), f"/plant/{subject}"
    if kind == "department" and subject in site.departments:
        return words.name(site.departments[subject].name), f"/energy/departments/{subject}"
    if kind == "plant" and subject in site.rooms:
        return words.name(site.rooms[subject].name), ""
    return ("" if kind == "hospital" else subject), ""


def _row(site: Site, words: Words, spans: Mapping[str, Figures]) -> IndicatorRow:
    month, year = spans.get("month"), spans.get("year")
    known = [s for s in (year, month) if s is not None]
    # The span with a verdict tells most; where none has one, the month.
    judged = next((s for s in known if s["verdict"] in ("good", "usual", "poor")), known[-1])
    name, href = subject_name(site, judged["kind"], judged["subject"], words)
    benchmark = judged.get("benchmark")
    total = Total(
        float("nan") if judged.get("value") is None else float(judged["value"]),
        float(judged["measured"]), float(judged["estimated"]), float(judged["missing"]),
    )  # fmt: skip
    reasons = [names_of(r.get("words"), words) for r in judged.get("reasons", ())]
    return IndicatorRow(
        subject=name,
        href=href,
        name=names_of(judged["name"], words),
        unit=unit_text(judged["unit"], site.currency, words),
        month=_value(month),
        year=_value(year),
        sides=words(
            "%(above)s over %(below)s", above=_side(judged.get("numerator")), below=_side(judged.get("denominator"))
        ),
        usual=_usual(benchmark, judged["better"], words),
        source=_benchmark_source(benchmark, words),
        verdict=verdict_words(judged["verdict"], words),
        poor=judged["verdict"] == "poor",
        quality=quality(total, shares_label(total, words)),
        reason=" · ".join(r for r in reasons if r),
    )


def _value(own: Figures | None) -> str:
    if own is None or own.get("value") is None:
        return MISSING
    value = float(own["value"])
    total = Total(value, float(own["measured"]), float(own["estimated"]), float(own["missing"]))
    places = 0 if abs(value) >= 1000 else 1 if abs(value) >= 20 else 2 if abs(value) >= 0.2 else 3
    return f"{doubt(total) if total.missing > 0 else ''}{number(value, places)}"


def _side(value: Any) -> str:
    return MISSING if value is None else number(float(value), few_decimals(float(value), ""))


def _usual(benchmark: Figures | None, better: str, words: Words) -> str:
    if not benchmark:
        return ""
    low, high = sorted((float(benchmark["good"]), float(benchmark["poor"])))
    places = 0 if high >= 100 else 2
    told = words("%(low)s to %(high)s", low=number(low, places), high=number(high, places))
    way = words("lower is better") if better == "lower" else words("higher is better")
    return f"{told} · {way}"


def _benchmark_source(benchmark: Figures | None, words: Words) -> str:
    if not benchmark:
        return ""
    if benchmark.get("checked", True):
        return str(benchmark["source"])
    return words("%(source)s (not checked)", source=benchmark["source"])


def verdict_words(verdict: str, words: Words) -> str:
    """Return what a verdict says."""
    return {
        "good": words("good"),
        "usual": words("usual"),
        "poor": words("poor"),
        "no_benchmark": words("no benchmark"),
        "cannot_tell": words("cannot tell"),
    }.get(verdict, verdict)


def _transformers(site: Site, words: Words, found: Mapping[str, Figures]) -> tuple[TransformerRow, ...]:
    def share(own: Figures, name: str) -> str:
        return f"{number(100 * float(own[name]), 1)}%" if own.get(name) is not None else MISSING

    rows = []
    for machine, own in found.items():
        item = site.equipment.get(machine)
        losses, energy = own.get("losses_kwh"), own.get("energy_kwh")
        rows.append(
            TransformerRow(
                name=words.name(item.name) if item is not None else machine,
                href=f"/plant/{machine}",
                mean=share(own, "mean_load"),
                peak=share(own, "peak_load"),
                energy=number(float(energy), 0) if energy is not None else MISSING,
                losses=number(float(losses), 0) if losses is not None else MISSING,
                share=share(own, "loss_share"),
            )
        )
    return tuple(rows)


# --- plans ------------------------------------------------------------------------------------------------------------


def target_row(site: Site, words: Words, row: Figures, when: Any) -> TargetRow:
    """Return a plan as a line."""
    month = row.get("month")
    unit = unit_text(str(row["unit"]), site.currency, words)
    name = _target_name(site, words, row)
    if month is None:
        problem = row.get("problem") or {}
        return TargetRow(
            name, unit, MISSING, MISSING, MISSING, MISSING, None, words("cannot tell"), False, "", "",
            number(float(row["annual"]), 0), names_of(problem.get("words"), words),
        )  # fmt: skip
    total = Total(
        float("nan") if month["consumed"] is None else float(month["consumed"]),
        float(month["measured"]), float(month["estimated"]), float(month["missing"]),
    )  # fmt: skip
    planned, forecast = float(month["planned"]), month.get("forecast")
    half = (
        (float(month["high"]) - float(month["low"])) / 2 if forecast is not None and month["high"] is not None else None
    )
    places = few_decimals(planned, str(row["unit"]))

    def text(value: Any) -> str:
        return number(float(value), places) if value is not None else MISSING

    verdict = str(month["verdict"])
    over = ""
    if verdict in ("will_exceed", "exceeded") and month.get("over") is not None:
        over = f"{text(month['over'])} {unit}"
        if month.get("over_share") is not None:
            over = words(
                "by %(amount)s %(unit)s, %(share)s%%",
                amount=text(month["over"]), unit=unit, share=number(100 * float(month["over_share"]), 1, signed=True),
            )  # fmt: skip
    # Figures of a running month end with the last midnight: today is no hole.
    whole = float(month["missing"]) * float(month["elapsed"]) * len(row["days"]) < 1.0
    reasons = [
        names_of(r.get("words"), words)
        for r in month.get("reasons", ())
        if not (whole and r.get("code") == "partly-missing")
    ]
    return TargetRow(
        name=name,
        unit=unit,
        planned=text(planned),
        used=f"{'' if whole and not total.estimated else doubt(total)}{text(total.amount)}" if total.known else MISSING,
        due=text(month.get("expected")),
        forecast=text(forecast) + (f" ±{number(half, places)}" if half is not None and half > 0 else ""),
        bar=plan_bar(
            total.amount, planned, float(forecast) if forecast is not None else None, half,
            words("%(used)s of %(plan)s", used=text(total.amount), plan=text(planned)),
        )
        if total.known
        else None,
        verdict=plan_words(verdict, words),
        loud=verdict in ("will_exceed", "exceeded"),
        over=over,
        since=words("since %(time)s", time=when(int(month["since_us"]))) if month.get("since_us") else "",
        annual=number(float(row["annual"]), 0),
        reason=" · ".join(r for r in reasons if r),
    )  # fmt: skip


def _target_name(site: Site, words: Words, row: Figures) -> str:
    what = {
        "use": words.name(CARRIER_NAMES[row["carrier"]]) if row.get("carrier") else "",
        "cost": words("Cost"),
        "carbon": words("Carbon"),
        "coal": words("Standard coal"),
    }.get(str(row["measure"]), str(row["measure"]))
    if row["measure"] != "use" and row.get("carrier"):
        what = f"{what} · {words.name(CARRIER_NAMES[row['carrier']])}"
    department = site.departments.get(row.get("department") or "")
    return f"{what} · {words.name(department.name)}" if department is not None else what


def plan_words(verdict: str, words: Words) -> str:
    """Return how a plan stands."""
    return {
        "on_track": words("on track"),
        "will_exceed": words("will be passed"),
        "exceeded": words("is passed"),
        "cannot_tell": words("cannot tell"),
    }.get(verdict, verdict)
