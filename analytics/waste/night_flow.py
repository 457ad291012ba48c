"""
Minimum night flow of water: what still flows from two to four at night is a leak, or a tap that nobody closed.

Source: IWA water-loss practice; J. Thornton, R. Sturm, G. Kunkel, Water Loss Control, 2nd ed., 2008, ch. 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.alerts.wording import short_title
from analytics.findings import Finding, Verdict, Waste
from analytics.waste.rule import Rule, RuleContext
from facility.calendar import NightWindow, day_of
from facility.equipment_classes import METER_REGISTERS
from facility.formats import money, quantity
from facility.names import Names
from facility.site import Equipment, Site
from facility.tariff import unit_price

Floats = NDArray[np.float64]

CODE: Final = "water.night_flow"
_STANDARD: Final = "IWA water balance; Thornton, Sturm, Kunkel, Water Loss Control, 2nd ed., 2008, ch. 16"
_SAMPLE_US: Final = 15 * 60 * 1_000_000
_NIGHTS: Final = 30
_WINDOW: Final = NightWindow(2 * 60, 4 * 60)
_MAKEUP: Final = "makeup_total"  # what a machine takes from the water supply and counts itself


@dataclass(frozen=True, slots=True)
class NightFlowParameters:
    """
    Attributes
    ----------
    allowance_m3h : legitimate night use of what the meter serves [m³/h]
    persistence_nights : one long night shift is not a leak
    baseline_nights : a baseline needs so many nights before the trouble began
    deviations : median absolute deviations above the baseline's median
    least_step_m3h : a rise that is smaller is not worth a search: the resolution of meters [m³/h]
    least_step_share : nor is one below this share of the baseline
    suspect_ratio : share of the day's mean flow from which the night's floor by itself is a leak (§5c: above 0.5)
    min_coverage : share of a night's samples that must have arrived
    rolling_samples : the floor is the lowest mean of so many samples: one hour
    """

    allowance_m3h: float = 0.8
    persistence_nights: int = 3
    baseline_nights: int = 7
    deviations: float = 3.0
    least_step_m3h: float = 0.1
    least_step_share: float = 0.05
    suspect_ratio: float = 0.5
    min_coverage: float = 0.9
    rolling_samples: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class NightFlowVerdict:
    """
    Attributes
    ----------
    verdict : fault, healthy, or cannot_tell
    floor_m3h : (nights,) minimum night flow, NaN where too little has arrived [m³/h]
    baseline_m3h, limit_m3h : median of the nights before, and the limit above it; NaN without enough nights
    first_night : index of the night with which the excess began; None without one
    nights_over : known nights in the run that ends with the last known night
    excess_m3h : what flows and should not [m³/h]; 0 if nothing
    ratio : median floor over the mean flow of all days; NaN if that is not known
    never_zero : no sample of any night was zero
    nights_known, nights_needed : how many nights there are, and how many a verdict needs
    """

    verdict: Verdict
    floor_m3h: Floats
    baseline_m3h: float
    limit_m3h: float
    first_night: int | None
    nights_over: int
    excess_m3h: float
    ratio: float
    never_zero: bool
    nights_known: int
    nights_needed: int


def night_flow(flow_m3h: Floats, mean_flow_m3h: float, p: NightFlowParameters) -> NightFlowVerdict:
    """
    Judge whether a meter's minimum night flow has risen above its own past, or stands above any legitimate use.

    Parameters
    ----------
    flow_m3h : (nights, samples) float
        15-minute means from 02:00 to 04:00 local time, oldest night first, NaN where missing. [m³/h]
    mean_flow_m3h : float
        Mean flow over all hours of the same days, NaN if not known. [m³/h]

    Raises
    ------
    ValueError
        If `flow_m3h` is not two-dimensional.

    Notes
    -----
    Two ways to be a leak. Risen: for some night, all known nights from it on, three or more, lie above median plus
    three median absolute deviations of the seven or more known nights before it. Standing: the median of seven or more
    nights lies above the legitimate night use and above half of the mean flow, and no sample was ever zero.
    A night without data is no proof of repair: it neither lengthens a run nor ends it.
    """
    if flow_m3h.ndim != 2:
        raise ValueError(f"flow_m3h has shape {flow_m3h.shape}; reshape it to (nights, samples), one row a night")
    floor = minimum_flow(flow_m3h, p)
    known = np.flatnonzero(np.isfinite(floor))
    levels = floor[known]
    samples = flow_m3h[known]
    never_zero = bool(known.size) and not bool((samples[np.isfinite(samples)] <= 0).any())
    ratio = float(np.median(levels) / mean_flow_m3h) if known.size and mean_flow_m3h > 0 else float("nan")
    needed = p.baseline_nights + p.persistence_nights

    for start in range(p.baseline_nights, known.size - p.persistence_nights + 1):
        middle, limit = _limit(levels[:start], p)
        if (levels[start:] > limit).all():
            excess = float(np.median(levels[start:]) - middle)
            return NightFlowVerdict(
                "fault", floor, middle, limit, int(known[start]), int(known.size - start), excess, ratio, never_zero,
                int(known.size), needed,
            )  # fmt: skip
    enough = known.size >= needed
    middle, limit = _limit(levels[: -p.persistence_nights], p) if enough else (float("nan"), float("nan"))
    standing = float(np.median(levels)) - p.allowance_m3h if known.size >= p.baseline_nights else 0.0
    if standing > p.least_step_m3h and ratio > p.suspect_ratio and never_zero:
        return NightFlowVerdict(
            "fault", floor, middle, limit, int(known[0]), int(known.size), standing, ratio, never_zero,
            int(known.size), needed,
        )  # fmt: skip
    return NightFlowVerdict(
        "healthy" if enough else "cannot_tell", floor, middle, limit, None, 0, 0.0, ratio, never_zero,
        int(known.size), needed,
    )  # fmt: skip


def minimum_flow(flow_m3h: Floats, p: NightFlowParameters) -> Floats:
    """
    Return each night's lowest one-hour mean: (nights, samples) -> (nights,), NaN where too few samples arrived.

    Hours with a missing sample do not count. [m³/h]
    """
    nights, samples = flow_m3h.shape
    width = min(p.rolling_samples, samples)
    floor = np.full(nights, np.nan)
    if width == 0:
        return floor
    arrived = np.isfinite(flow_m3h)
    hours = np.lib.stride_tricks.sliding_window_view(flow_m3h, width, axis=1).mean(axis=2)
    usable = np.isfinite(hours).any(axis=1) & (arrived.sum(axis=1) >= p.min_coverage * samples)
    floor[usable] = np.nanmin(hours[usable], axis=1)
    return floor


def _limit(levels: Floats, p: NightFlowParameters) -> tuple[float, float]:
    """Return median and limit of baseline nights."""
    middle = float(np.median(levels))
    spread = float(np.median(np.abs(levels - middle)))
    step = max(p.deviations * spread, p.least_step_m3h, p.least_step_share * middle)
    return middle, middle + step


# -- from readings to findings


def _run(context: RuleContext) -> list[Finding]:
    meters = [
        e for e in context.site.equipment.values() if e.cls.id == "water_meter" and ("flow" in e.points or _register(e))
    ]  # fmt: skip
    return [_judge(context, meter) for meter in meters]


def _register(meter: Equipment) -> str | None:
    name = meter.register.point if meter.register else METER_REGISTERS.get(meter.cls.id)
    return name if name in meter.points else None


def _judge(context: RuleContext, meter: Equipment) -> Finding:
    site = context.site
    today = day_of(context.now_us, site.time_zone)
    # Tonight counts once it is over.
    last = today if context.now_us >= _WINDOW.bounds_us(today, site.time_zone)[1] else today - timedelta(days=1)
    days = [last - timedelta(days=n) for n in range(_NIGHTS - 1, -1, -1)]
    start_us = _WINDOW.bounds_us(days[0], site.time_zone)[0]
    point, flow = _flow(context, meter, start_us)
    known_use = _known_use(context, meter, start_us, flow.size)
    if known_use.machines:
        flow = flow - known_use.flow_m3h
    samples = (_WINDOW.end_minute - _WINDOW.start_minute) * 60_000_000 // _SAMPLE_US
    nights = np.full((len(days), samples), np.nan)
    for i, day in enumerate(days):
        first = (_WINDOW.bounds_us(day, site.time_zone)[0] - start_us) // _SAMPLE_US
        part = flow[first : first + samples]
        nights[i, : part.size] = part
    parameters = NightFlowParameters(allowance_m3h=_allowance_m3h(site, meter, context))
    finite = flow[np.isfinite(flow)]
    verdict = night_flow(nights, float(finite.mean()) if finite.size else float("nan"), parameters)
    since_us = _WINDOW.bounds_us(days[verdict.first_night or 0], site.time_zone)[0]
    if verdict.first_night is None:
        since_us = context.now_us
    return _finding(context, meter, point, verdict, parameters, known_use, since_us)


@dataclass(frozen=True, slots=True, eq=False)
class _KnownUse:
    """What machines below a meter took and counted themselves: boilers, cooling towers, heating circuits. [m³/h]"""

    machines: tuple[str, ...]
    flow_m3h: Floats


def _known_use(context: RuleContext, meter: Equipment, start_us: int, count: int) -> _KnownUse:
    below = [context.site.equipment[i] for i in context.site.downstream(meter.id)]
    counted = [e.id for e in below if _MAKEUP in e.points]
    flows = {machine: _consumption(context, f"{machine}/{_MAKEUP}", start_us, count) for machine in counted}
    # One that never reported says nothing; one that reports with gaps leaves its gaps unknown.
    flows = {machine: flow for machine, flow in flows.items() if np.isfinite(flow).any()}
    return _KnownUse(tuple(flows), sum(flows.values(), np.zeros(count)))


def _consumption(context: RuleContext, key: str, start_us: int, count: int) -> Floats:
    """Return what a register counted in each quarter hour, as a flow; NaN where missing or where it fell. [m³/h]"""
    # A quarter hour more at the front: the first difference needs it.
    totals, end_us = np.full(count + 1, np.nan), start_us + count * _SAMPLE_US
    found = context.store.aggregate([key], start_us - _SAMPLE_US, end_us, _SAMPLE_US, origin_us=start_us)[key]
    totals[(found.time_us - start_us) // _SAMPLE_US + 1] = found.last
    used = np.diff(totals)
    # A register that falls was exchanged or rolled over: that quarter hour is unknown, not negative.
    return np.where(used >= 0, used, np.nan) * (3_600_000_000 / _SAMPLE_US)


def _flow(context: RuleContext, meter: Equipment, start_us: int) -> tuple[str, Floats]:
    """Return the point read, and its flow by quarter hours from `start_us` to now, NaN where missing. [m³/h]"""
    count = max(0, (context.now_us - start_us) // _SAMPLE_US)
    flow = np.full(count, np.nan)
    end_us = start_us + count * _SAMPLE_US
    if count == 0:
        return "flow", flow
    if "flow" in meter.points:
        key = f"{meter.id}/flow"
        found = context.store.aggregate([key], start_us, end_us, _SAMPLE_US, origin_us=start_us)[key]
        flow[(found.time_us - start_us) // _SAMPLE_US] = found.mean
        if len(found):
            return "flow", flow
    register = _register(meter)
    if register is None:
        return "flow", flow
    return register, _consumption(context, f"{meter.id}/{register}", start_us, count)


def _allowance_m3h(site: Site, meter: Equipment, context: RuleContext) -> float:
    """
    Return the legitimate night use: 2 litres a bed and hour (domain facts §5c: 1 to 3), at least 0.1 m³/h.

    A meter that feeds all (nothing above it) stands for all beds of the site, another for those that it serves.
    """
    day = day_of(context.now_us, site.time_zone)
    beds = sum(d.beds.on(day) or 0.0 for d in site.affected(meter.id, day))
    if not meter.fed_by:
        beds = max(beds, site.sizes.on(day).beds or 0.0)
    return max(0.1, 0.002 * beds)


def _finding(
    context: RuleContext,
    meter: Equipment,
    point: str,
    v: NightFlowVerdict,
    p: NightFlowParameters,
    known_use: _KnownUse,
    since_us: int,
) -> Finding:
    site = context.site
    tariff = site.tariffs.get("water")
    today = day_of(context.now_us, site.time_zone)
    price = unit_price(tariff.on(today), context.now_us, site.time_zone) if tariff else None
    # Pressure is taken as constant over the day (exponent 1 of §5c with equal pressures): 24 hours of the excess.
    waste_m3d = 24.0 * v.excess_m3h
    cost = waste_m3d * price if price is not None else None
    recent = v.floor_m3h[np.isfinite(v.floor_m3h)][-p.persistence_nights :]
    floor = float(np.median(recent)) if recent.size else float("nan")
    shown = quantity(floor, "m³/h", 2, limits=[v.limit_m3h])
    name_zh, name_en = meter.name.zh, meter.name.en
    if v.verdict == "fault":
        figure = quantity(waste_m3d, "m³", 0)
        per_day = Names(zh=f"{figure}/天", en=f"{figure}/day")
        cost_zh = f"，约 {money(cost, site.currency, 'zh', per_day=True)}" if cost is not None else ""
        cost_en = f", about {money(cost, site.currency, 'en', per_day=True)}" if cost is not None else ""
        base = quantity(v.baseline_m3h if np.isfinite(v.baseline_m3h) else p.allowance_m3h, "m³/h", 2)
        title = short_title(meter, Names(zh="夜间流量大", en="night flow high"), per_day)
        summary = Names(
            zh=f"{name_zh}：夜间最小流量 {shown}，应为 {base} 左右，"
            f"已连续 {v.nights_over} 夜；多流 {per_day.zh}{cost_zh}。",
            en=f"{name_en}: minimum night flow {shown} where {base} is usual, for {v.nights_over} nights; "
            f"{per_day.en} too much{cost_en}.",
        )  # fmt: skip
    elif v.verdict == "healthy":
        title = short_title(meter, Names(zh="夜间流量正常", en="night flow normal"))
        summary = Names(
            zh=f"{name_zh}：夜间最小流量 {shown}，在自身常态之内。",
            en=f"{name_en}: minimum night flow {shown}, within its own past.",
        )
    else:
        title = short_title(meter, Names(zh="夜间流量无法判断", en="night flow cannot be told"))
        summary = Names(
            zh=f"{name_zh}：近 {_NIGHTS} 夜中 {v.nights_known} 夜数据足够，判断需要 {v.nights_needed} 夜。",
            en=f"{name_en}: {v.nights_known} of {_NIGHTS} nights have enough samples; "
            f"the rule needs {v.nights_needed}.",
        )
    evidence = {
        "window": "02:00-04:00", "nights_known": v.nights_known, "nights_needed": v.nights_needed,
        "nights_over": v.nights_over, "floor_m3h": _plain(floor), "baseline_m3h": _plain(v.baseline_m3h),
        "limit_m3h": _plain(v.limit_m3h), "excess_m3h": v.excess_m3h, "allowance_m3h": p.allowance_m3h,
        "without_makeup_of": list(known_use.machines), "ratio_to_mean": _plain(v.ratio),
        "never_zero": v.never_zero, "price": price,
        "floors_m3h": [_plain(x) for x in v.floor_m3h],
    }  # fmt: skip
    return Finding(
        code=CODE, equipment=meter.id, points=(point,), verdict=v.verdict, title=title, summary=summary,
        evidence=evidence, since_us=since_us, found_us=context.now_us,
        confidence=_confidence(v), priority="P4", source=f"rule {CODE}", standard=_STANDARD, advice=_ADVICE,
        cost_per_day=cost if v.verdict == "fault" else None,
        waste=Waste(waste_m3d, "m³") if v.verdict == "fault" else None,
    )  # fmt: skip


def _confidence(v: NightFlowVerdict) -> float:
    """How sure: more nights over, and a floor that never touches zero, leave less room for chance."""
    if v.verdict != "fault":
        return 0.8
    return min(0.95, 0.6 + 0.05 * v.nights_over + (0.1 if v.never_zero else 0.0))


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


_ADVICE: Final = (
    Names(zh="夜里到表前看指针，关一路听一路", en="At night watch the meter, close branch by branch and listen"),
    Names(zh="查水箱浮球阀、溢流管和冷却塔补水", en="Check float valves, overflows and cooling-tower make-up"),
    Names(zh="查公共卫生间长流水和坐便器漏水", en="Check running taps and leaking toilets"),
    Names(zh="核对透析、洗衣是否夜间排班", en="Ask whether dialysis or laundry now work at night"),
)

RULE: Final = Rule(
    code=CODE,
    name=Names(zh="夜间最小流量", en="Minimum night flow"),
    reason=Names(
        zh="凌晨两点到四点用水最少，此时仍然多流的水是漏水或长流水。",
        en="Between two and four at night use is lowest; what then flows above it is a leak or a running tap.",
    ),
    source=_STANDARD,
    unit="m³",
    run=_run,
)
