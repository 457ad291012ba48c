"""
Energy performance indicators: consumption, cost and carbon of a hospital or a department, over what they were for.

An indicator is as good as both its sides. Where too much of either is missing there is no figure to judge, only the
reason; where bed-days are not reported, beds stand for them and the indicator says so.

References
----------
ISO 50006:2023, GB/T 36713: energy performance indicators, relevant variables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from analytics.energy.activity import ActivityTotal
from analytics.energy.intervals import Total
from analytics.energy.reasons import Reason
from analytics.energy.weather import DegreeDays
from facility.indicator_library import Amount, Benchmark, Better, HospitalIndicator, IndicatorLibrary, Per, Spec
from facility.names import Names

Verdict = Literal["good", "usual", "poor", "no_benchmark", "cannot_tell"]
Subject = Literal["hospital", "department", "machine", "plant"]
Span = Literal["month", "year"]

# With more of a side's time missing than this, nothing is judged.
MOST_MISSING: Final = 0.10
# Both registers of a ratio must have been known over the same time, but for this share.
MOST_APART: Final = 0.02

_PER_NAMES: Final[Mapping[Per, Names]] = {
    "area": Names(zh="建筑面积", en="floor area"),
    "beds": Names(zh="床位数", en="number of beds"),
    "bed_days": Names(zh="占用床日", en="bed-days"),
    "visits": Names(zh="门急诊人次", en="outpatient visits"),
    "surgeries": Names(zh="手术台次", en="surgeries"),
    "staff": Names(zh="在岗职工数", en="staff on duty"),
    "heating_degree_days": Names(zh="采暖度日", en="heating degree-days"),
    "cooling_degree_days": Names(zh="制冷度日", en="cooling degree-days"),
}


@dataclass(frozen=True, slots=True)
class Indicator:
    """
    One indicator of one subject over a month, or over the twelve months that end with it.

    Attributes
    ----------
    id, name, unit : what it is
    kind, subject : hospital, department, machine or plant, and its id
    span : a month or a year
    value : NaN where nobody can tell
    numerator, denominator : both sides, in the units of the accounts; NaN where not known
    measured, estimated, missing : shares of the numerator's time, together 1
    better : which way is good
    benchmark : what is usual; None where nothing says so
    verdict : good, usual, poor, no_benchmark, or cannot_tell
    reasons : why nobody can tell, and what else a reader should know
    """

    id: str
    name: Names
    unit: str
    kind: Subject
    subject: str
    span: Span
    value: float
    numerator: float
    denominator: float
    measured: float
    estimated: float
    missing: float
    better: Better
    benchmark: Benchmark | None
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What stands above or below the line: its amount, how good it is, and what to know about it."""

    total: Total
    reasons: tuple[Reason, ...] = ()

    @classmethod
    def certain(cls, amount: float, *reasons: Reason) -> Side:
        """Return a side that is no measurement, such as a floor area."""
        return cls(Total(amount, 1.0, 0.0, 0.0), reasons)

    @classmethod
    def unknown(cls, reason: Reason) -> Side:
        """Return a side of which nothing is known."""
        return cls(Total(math.nan, 0.0, 0.0, 1.0), (reason,))


@dataclass(frozen=True, slots=True)
class Figures:
    """
    What the indicators of a hospital or a department rest on, over one span.

    Attributes
    ----------
    days : how many days the span has so far
    amounts : consumption by carrier, `cost`, `coal` and `carbon`; what is absent is not known
    area_m2, beds : means over the days; None where the site file does not say
    activity : what was done, by kind
    weather : degree-days
    """

    days: int
    amounts: Mapping[Amount, Total]
    area_m2: float | None = None
    beds: float | None = None
    activity: Mapping[str, ActivityTotal] = field(default_factory=dict)
    weather: DegreeDays | None = None


def judge(
    spec: Spec, kind: Subject, subject: str, span: Span, numerator: Side, denominator: Side, unit: str | None = None
) -> Indicator:
    """
    Put one side over the other and judge the result by its benchmark.

    Parameters
    ----------
    unit : instead of the spec's, where that depends on the site

    Notes
    -----
    There is a value wherever both sides are known at all, and a verdict only where at most a tenth of either is
    missing, both were known over the same time, the denominator is at least the least that carries a ratio, and the
    value is plausible. A value that cannot be is not shown, whatever else speaks against it.
    """
    above, below = numerator.total, denominator.total
    reasons = [*numerator.reasons, *denominator.reasons]
    blocked = any(r.blocking for r in reasons)
    value = math.nan
    if above.known and below.known and below.amount > 0:
        value = above.amount / below.amount * spec.times
    elif not blocked:
        reasons.append(_nothing(above, below))
    if math.isfinite(value):
        reasons += _doubts(spec, above, below, value)
    benchmark = spec.month if span == "month" else spec.year
    cannot_tell = not math.isfinite(value) or any(r.blocking for r in reasons)
    verdict: Verdict = (
        "cannot_tell" if cannot_tell else "no_benchmark" if benchmark is None else _against(value, benchmark, spec)
    )
    if _cannot_be(spec, value):
        value = math.nan
    return Indicator(
        id=spec.id, name=spec.name, unit=unit if unit is not None else spec.unit, kind=kind, subject=subject, span=span,
        value=value, numerator=above.amount, denominator=below.amount, measured=above.measured,
        estimated=above.estimated, missing=above.missing, better=spec.better, benchmark=benchmark, verdict=verdict,
        reasons=tuple(reasons),
    )  # fmt: skip


def _cannot_be(spec: Spec, value: float) -> bool:
    return spec.plausible is not None and math.isfinite(value) and not spec.plausible[0] <= value <= spec.plausible[1]


def _against(value: float, benchmark: Benchmark, spec: Spec) -> Verdict:
    sign = 1.0 if spec.better == "lower" else -1.0
    if sign * value <= sign * benchmark.good:
        return "good"
    return "poor" if sign * value > sign * benchmark.poor else "usual"


def _nothing(above: Total, below: Total) -> Reason:
    if not above.known:
        return Reason("no-numerator", Names(zh="没有消耗数据", en="nothing is known of what was consumed"))
    if not below.known:
        return Reason("no-denominator", Names(zh="没有分母数据", en="nothing is known of what it was for"))
    return Reason("zero-denominator", Names(zh="分母为零", en="there was nothing that it was for"), below.amount)


def _doubts(spec: Spec, above: Total, below: Total, value: float) -> list[Reason]:
    found: list[Reason] = []
    missing = max(above.missing, below.missing)
    # What is missing above an area that is known makes the figure smaller, and is told as such.
    apart = below.missing - above.missing
    if not isinstance(spec, HospitalIndicator):
        apart = abs(apart)
    if missing > MOST_MISSING:
        text = f"{missing:.0%}"
        found.append(
            Reason(
                "partly-missing", Names(zh=f"{text} 的时间没有数据", en=f"{text} of the time is missing"),
                missing, MOST_MISSING,
            )
        )  # fmt: skip
    elif apart > MOST_APART:
        found.append(
            Reason(
                "not-the-same-time",
                Names(zh="分子和分母缺失的时间不同", en="the two sides are not known over the same time"),
                apart, MOST_APART,
            )
        )  # fmt: skip
    elif missing > 0.001:
        text = f"{missing:.1%}"
        found.append(
            Reason(
                "partly-missing", Names(zh=f"{text} 的时间没有数据", en=f"{text} of the time is missing"),
                missing, MOST_MISSING, blocking=False,
            )
        )  # fmt: skip
    if below.amount < spec.least:
        found.append(
            Reason(
                "too-little",
                Names(
                    zh=f"分母只有 {below.amount:.4g}，至少 {spec.least:g} 才能判断",
                    en=f"what it was for is only {below.amount:.4g}; a verdict needs {spec.least:g}",
                ),
                below.amount, spec.least,
            )
        )  # fmt: skip
    if spec.plausible is not None and _cannot_be(spec, value) and not any(r.blocking for r in found):
        low, high = spec.plausible
        found.append(
            Reason(
                "implausible",
                Names(
                    zh=f"{value:.4g} 不在 {low:g} 到 {high:g} 之间，先查表计和倍率",
                    en=f"{value:.4g} lies outside {low:g} to {high:g}: check the meters and their ratios first",
                ),
                value,
            )
        )  # fmt: skip
    return found


# -- of the hospital and its departments


def hospital_indicators(
    library: IndicatorLibrary, figures: Figures, span: Span, currency: str, department: str | None = None,
    subject: str = "",
) -> list[Indicator]:  # fmt: skip
    """
    Return the indicators of the hospital, or of a department.

    Parameters
    ----------
    department : its id; None: the whole hospital, which goes by `subject`
    """
    if department is None:
        return [
            judge(
                spec, "hospital", subject, span, amount_side(spec, figures), per_side(spec, figures),
                _unit(spec, currency),
            )
            for spec in library.hospital
        ]  # fmt: skip
    found: list[Indicator] = []
    for spec in library.hospital:
        below = per_side(spec, figures)
        # A laundry has no beds and a ward no visits: nothing is lacking there.
        if spec.departments and spec.of in figures.amounts and (below.total.known or spec.over == "area"):
            above = amount_side(spec, figures)
            found.append(judge(spec, "department", department, span, above, below, _unit(spec, currency)))
    return found


def _unit(spec: Spec, currency: str) -> str:
    return spec.unit.replace("{currency}", currency)


def amount_side(spec: HospitalIndicator, figures: Figures) -> Side:
    """Return what was consumed."""
    total = figures.amounts.get(spec.of)
    if total is None:
        return Side.unknown(
            Reason("not-accounted", Names(zh="没有计量或没有结算", en="it is not metered or not accounted"))
        )
    return Side(total)


def per_side(spec: HospitalIndicator, figures: Figures) -> Side:
    """Return what it was for."""
    per = spec.over
    if per == "area":
        return _certain(per, figures.area_m2)
    if per == "beds":
        return _certain(per, figures.beds)
    if per in ("heating_degree_days", "cooling_degree_days"):
        return _weather_side(per, figures.weather)
    done = figures.activity.get(per)
    if done is not None and done.days_known:
        missing = 1.0 - done.days_known / done.days
        return Side(Total(done.value, 1.0 - missing, 0.0, missing))
    if per == "bed_days" and figures.beds:
        return Side.certain(
            figures.beds * figures.days,
            Reason(
                "all-beds",
                Names(
                    zh=f"没有占用床日数据，按全部 {figures.beds:g} 张床位计算",
                    en=f"no bed-days are reported, so all {figures.beds:g} beds count as taken",
                ),
                figures.beds, blocking=False,
            ),
        )  # fmt: skip
    name = _PER_NAMES[per]
    return Side.unknown(
        Reason(
            "not-reported",
            Names(
                zh=f"没有{name.zh}数据，请用 wardwatt energy activity import 导入",
                en=f"no {name.en} are reported; bring them in with wardwatt energy activity import",
            ),
        )
    )


def _certain(per: Per, amount: float | None) -> Side:
    if amount is None or amount <= 0:
        name = _PER_NAMES[per]
        return Side.unknown(
            Reason(
                "not-in-site-file",
                Names(zh=f"站点文件中没有{name.zh}", en=f"the site file does not say the {name.en}"),
            )
        )
    return Side.certain(amount)


def _weather_side(per: Per, weather: DegreeDays | None) -> Side:
    if weather is None or not weather.days_known:
        return Side.unknown(Reason("no-weather", Names(zh="没有室外温度数据", en="no outdoor temperature is known")))
    value = weather.heating if per == "heating_degree_days" else weather.cooling
    missing = 1.0 - weather.days_known / weather.days
    return Side(Total(value, 1.0 - missing, 0.0, missing))
