"""Findings about plans: a month or a year that will pass its plan, told while something can still be done."""

from __future__ import annotations

from typing import Any, Final, Literal

from analytics.energy.standings import Standing
from analytics.energy.targets import Progress
from analytics.findings import Finding, Verdict
from facility.formats import money, number
from facility.metering import CARRIER_NAMES, booked_registers, points_of_supply
from facility.names import Language, Names
from facility.site import Site
from facility.targets import Measure, Target

CODE: Final = "energy.plan"
_STANDARD: Final = "the site's own plan (targets in the site file); ISO 50001:2018, 6.2 and 9.1"
_ALL: Final = Names(zh="全部能源", en="All energy")
_MEASURES: Final[dict[Measure, Names]] = {
    "use": Names(zh="用量", en="use"),
    "cost": Names(zh="费用", en="cost"),
    "carbon": Names(zh="碳排放", en="carbon"),
    "coal": Names(zh="标准煤", en="standard coal"),
}
# The unit that a person reads, how many of the accounts' unit it holds, and its decimals.
_LARGE: Final[dict[str, tuple[str, float, int]]] = {
    "kWh": ("MWh", 1000.0, 1),
    "kgCO₂": ("tCO₂", 1000.0, 1),
    "kgce": ("tce", 1000.0, 1),
}

Period = Literal["month", "year"]


def plan_findings(site: Site, standings: list[Standing], now_us: int) -> list[Finding]:
    """Return one finding for the month and one for the year of each plan: fault, healthy or cannot_tell."""
    found: list[Finding] = []
    for standing in standings:
        for period, progress in (("month", standing.month), ("year", standing.year)):
            if progress is not None:
                found.append(_finding(site, standing, "month" if period == "month" else "year", progress, now_us))
    return found


def plan_name(site: Site, target: Target) -> Names:
    """Return what a plan is of: `Electricity`, `Electricity of Intensive care`, `Cost of all energy`."""

    def one(language: Language) -> str:
        carrier = (_ALL if target.carrier is None else CARRIER_NAMES[target.carrier]).in_(language)
        department = site.departments.get(target.department or "")
        measure = "" if target.measure == "use" else _MEASURES[target.measure].in_(language)
        if language == "zh":
            return (department.name.zh if department else "") + carrier + measure
        words = f"{carrier} {measure}".rstrip()
        return f"{words}, {department.name.en}" if department else words

    return Names(zh=one("zh"), en=one("en"))


def _finding(site: Site, standing: Standing, period: Period, progress: Progress, now_us: int) -> Finding:
    target = standing.target
    verdict: Verdict = (
        "fault"
        if progress.verdict in ("will_exceed", "exceeded")
        else "healthy"
        if progress.verdict == "on_track"
        else "cannot_tell"
    )
    name, when = plan_name(site, target), _when(standing, period)
    return Finding(
        code=CODE, equipment=_supply(site, target), points=(), verdict=verdict, title=_title(name, when, progress),
        summary=_summary(site, target, name, when, progress), evidence=_evidence(standing, period, progress),
        since_us=progress.since_us if progress.since_us is not None else now_us, found_us=now_us,
        confidence=_confidence(progress), priority="P4", source=f"plan {target.key}", standard=_STANDARD,
        advice=_ADVICE if verdict == "fault" else (),
        subject=f"{target.key}/{period}", reach="line",
    )  # fmt: skip


def _supply(site: Site, target: Target) -> str:
    """Return the machine that a finding about a plan stands with: the first meter through which the carrier comes."""
    registers = booked_registers(site)
    for carrier in (target.carrier or "electricity", "electricity", "gas", "water", "heat", "steam", "oxygen"):
        supply = points_of_supply(site, registers, carrier)
        if supply:
            return supply[0].equipment.id
    return next(iter(site.equipment), site.id)


def _when(standing: Standing, period: Period) -> Names:
    month = standing.month_start
    if period == "year":
        return Names(zh=f"{month.year} 年", en=str(month.year))
    return Names(zh=f"{month.month} 月", en=f"{month:%B}")


def _title(name: Names, when: Names, progress: Progress) -> Names:
    share = _share(progress)
    if progress.verdict in ("exceeded", "will_exceed") and not progress.planned:
        return Names(
            zh=f"{name.zh}：{when.zh}计划为零，却有使用", en=f"{name.en} in use, though none is planned for {when.en}"
        )
    if progress.verdict == "exceeded":
        return Names(zh=f"{name.zh}已超 {when.zh}计划 {share}", en=f"{name.en} {share} over the plan of {when.en}")
    if progress.verdict == "will_exceed":
        return Names(zh=f"{name.zh}将超 {when.zh}计划 {share}", en=f"{name.en} to pass plan of {when.en} by {share}")
    if progress.verdict == "on_track":
        return Names(zh=f"{name.zh}在 {when.zh}计划之内", en=f"{name.en} within the plan of {when.en}")
    return Names(zh=f"{name.zh}：{when.zh}计划无法判断", en=f"{name.en}: plan of {when.en} cannot be told")


def _share(progress: Progress) -> str:
    if not progress.planned:
        return ""
    over = abs(progress.over_share)
    return f"{over:.0%}" if over >= 0.1 else f"{over:.1%}"


def _summary(site: Site, target: Target, name: Names, when: Names, progress: Progress) -> Names:
    def amount(value: float, language: Language) -> str:
        return amount_text(value, target, site, language)

    def both(value: float) -> tuple[str, str]:
        return amount(value, "zh"), amount(value, "en")

    planned, consumed = both(progress.planned), both(progress.consumed)
    share = _share(progress)
    if progress.verdict == "exceeded":
        return Names(
            zh=f"{name.zh}：{when.zh}已用 {consumed[0]}，超过计划 {planned[0]}。",
            en=f"{name.en}: {consumed[1]} so far is more than the plan of {when.en}, {planned[1]}.",
        )
    if progress.verdict == "cannot_tell":
        why = next((r.words for r in progress.reasons if r.blocking), None)
        why = why or next((r.words for r in progress.reasons), Names(zh="没有数据", en="no data"))
        return Names(
            zh=f"{name.zh}：能否守住 {when.zh}计划 {planned[0]} 无法判断：{why.zh}。",
            en=f"{name.en}: nobody can tell whether it keeps to the plan of {when.en}, {planned[1]}: {why.en}.",
        )
    forecast, low, high = both(progress.forecast), both(progress.low), both(progress.high)
    band = Names(zh=f"{forecast[0]}（{low[0]} 至 {high[0]}）", en=f"{forecast[1]} ({low[1]} to {high[1]})")
    if progress.verdict == "will_exceed":
        return Names(
            zh=f"{name.zh}：{when.zh}预计 {band.zh}，将超过计划 {planned[0]}{f' 约 {share}' if share else ''}；"
            f"还可用 {amount(progress.left, 'zh')}。",
            en=f"{name.en}: {band.en} is expected for {when.en}, {f'{share} ' if share else ''}over the plan of "
            f"{planned[1]}; {amount(progress.left, 'en')} is left.",
        )
    return Names(
        zh=f"{name.zh}：{when.zh}预计 {band.zh}，计划 {planned[0]}。",
        en=f"{name.en}: {band.en} is expected for {when.en}, the plan is {planned[1]}.",
    )


def amount_text(value: float, target: Target, site: Site, language: Language) -> str:
    """Write an amount of a plan as a person reads it: `1,184.2 MWh`, `94.16 万元`."""
    if target.measure == "cost":
        return money(value, site.currency, language, headline=True)
    unit, times, decimals = _LARGE.get(target.unit, (target.unit, 1.0, 0))
    return f"{number(value / times, decimals)} {unit}"


def _confidence(progress: Progress) -> float:
    """How sure: of what was counted as sure as its data, of what is foreseen as likely as it is."""
    if progress.verdict == "exceeded":
        return 0.99
    if progress.verdict == "will_exceed":
        return progress.chance
    return 1.0 - progress.chance if progress.verdict == "on_track" else 0.5


def _evidence(standing: Standing, period: Period, progress: Progress) -> dict[str, Any]:
    found = standing.to_json()["month" if period == "month" else "year_so_far"]
    return {
        "plan": standing.target.key, "period": period, "month": standing.month_start.isoformat(),
        "unit": standing.target.unit, **{name: found[name] for name in found if name != "since_us"},
        "days": standing.to_json()["days"] if period == "month" else None,
    }  # fmt: skip


_ADVICE: Final = (
    Names(
        zh="看能源页的部门排名和逐日曲线，找出多用在哪里、从哪天开始",
        en="On the energy page see which departments use more, and since which day",
    ),
    Names(
        zh="先处理仍未关闭的浪费发现，按金额从大到小",
        en="Close the open findings of waste first, the dearest before the others",
    ),
    Names(
        zh="核对是否新增设备、门诊量或天气所致；确有原因则调整计划并留说明",
        en="If new machines, more patients or the weather explain it, change the plan and say why",
    ),
)
