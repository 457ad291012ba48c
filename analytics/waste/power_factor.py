"""
Low power factor: the month's mean against the target of the contract, and what it adds to the bill.

Source: 水电财字〔83〕215号 (power-factor adjustment of the electricity charge).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.alerts.wording import short_title
from analytics.findings import Finding, Verdict, Waste
from analytics.waste.rule import DAY_US, Rule, RuleContext
from facility.calendar import day_of, month_bounds_us
from facility.formats import money, number
from facility.names import Names
from facility.site import Equipment, Site
from facility.tariff import power_factor, power_factor_adjustment, unit_prices
from facility.tariff_model import Tariff

Floats = NDArray[np.float64]

CODE: Final = "power.low_factor"
_STANDARD: Final = "水电财字〔83〕215号"
_HOUR_US: Final = 3_600_000_000
_DAYS_A_MONTH: Final = 30.0


@dataclass(frozen=True, slots=True)
class PowerFactorParameters:
    """
    Attributes
    ----------
    target : power factor of the contract: 0.90, 0.85 or 0.80
    min_days : a mean over fewer days says little about the month [d]
    min_coverage : share of the window's hours whose energy is known
    """

    target: float
    min_days: float = 3.0
    min_coverage: float = 0.7


@dataclass(frozen=True, slots=True)
class PowerFactorVerdict:
    """
    Attributes
    ----------
    factor : mean of the window, NaN where no energy is known
    adjustment_percent : what the bill changes by, below zero a reward [%]
    penalty_month : what a month like the window costs extra [currency]; 0 at or above the target
    excess_kvarh_day : reactive energy beyond what the target allows, a day [kvarh]
    active_kwh, reactive_kvarh : of the hours in which both are known
    coverage : share of hours, from the first known one on, in which both are known
    """

    verdict: Verdict
    factor: float
    adjustment_percent: float
    penalty_month: float
    excess_kvarh_day: float
    active_kwh: float
    reactive_kvarh: float
    coverage: float
    days: float


def low_power_factor(
    active_kwh: Floats, reactive_kvarh: Floats, price: Floats, basic_charge: float, p: PowerFactorParameters
) -> PowerFactorVerdict:
    """
    Judge the mean power factor of a window of hours, and project its penalty to a month of 30 days.

    Parameters
    ----------
    active_kwh, reactive_kvarh : (hours,) float
        Energy of each hour, NaN where missing. Of reactive energy the amount counts, either way it flows.
    price : (hours,) float
        Price of active energy in each hour [currency/kWh].
    basic_charge : float
        Capacity or demand charge of a month, which the adjustment is applied to as well [currency].

    Raises
    ------
    ValueError
        If the arrays differ in length, or the target is none of the three.
    """
    if not active_kwh.shape == reactive_kvarh.shape == price.shape or active_kwh.ndim != 1:
        raise ValueError("active, reactive and price must be one-dimensional and of one length, one value an hour")
    known = np.isfinite(active_kwh) & np.isfinite(reactive_kvarh)
    if known.any():
        # Before the first known hour nobody measured yet; that is no gap.
        begun = slice(int(np.argmax(known)), None)
        active_kwh, reactive_kvarh, price, known = active_kwh[begun], reactive_kvarh[begun], price[begun], known[begun]
    hours = int(known.sum())
    coverage = hours / active_kwh.size if active_kwh.size else 0.0
    active, reactive = float(active_kwh[known].sum()), float(np.abs(reactive_kvarh[known]).sum())
    factor = power_factor(active, reactive)
    days = hours / 24.0
    if not math.isfinite(factor) or days < p.min_days or coverage < p.min_coverage or active < 0:
        return PowerFactorVerdict("cannot_tell", factor, math.nan, 0.0, 0.0, active, reactive, coverage, days)
    percent = power_factor_adjustment(factor, p.target)
    charge = float((active_kwh[known] * price[known]).sum()) * _DAYS_A_MONTH / days + basic_charge
    allowed = active * math.tan(math.acos(p.target))
    low = percent > 0
    return PowerFactorVerdict(
        "fault" if low else "healthy", factor, percent, charge * percent / 100.0 if low else 0.0,
        max(0.0, reactive - allowed) / days if low else 0.0, active, reactive, coverage, days,
    )  # fmt: skip


def hourly_energy(totals: Floats, digits: int | None = None) -> Floats:
    """
    Return what a register counted in each hour: (hours,) readings at the hours' ends -> (hours,), NaN where unknown.

    The first hour is unknown. A register that rolls over goes on from zero, if its digits are known; any other fall is
    an exchange or a reset, and what was used then is unknown. Energy over missing hours belongs to none of them.
    """
    used = np.diff(totals, prepend=np.nan)
    if digits is not None:
        rolled = used + 10.0**digits
        # Only from near the top to near zero: a reset in mid-range is no roll-over.
        used = np.where((used < 0) & (rolled < 0.1 * 10.0**digits), rolled, used)
    return np.where(used >= 0, used, np.nan)


# -- from readings to findings


def _run(context: RuleContext) -> list[Finding]:
    site = context.site
    tariffs = site.tariffs.get("electricity")
    tariff = tariffs.on(day_of(context.now_us, site.time_zone)) if tariffs else None
    if tariff is None or tariff.power_factor_target is None:
        return []  # the contract knows no adjustment
    return [_judge(context, meter, tariff, tariff.power_factor_target) for meter in _billed(site)]


def _billed(site: Site) -> list[Equipment]:
    """Return the machines whose registers stand for the bill: those with both registers and none such above them."""
    both = {e.id for e in site.equipment.values() if {"energy_import", "reactive_energy_import"} <= e.points.keys()}
    return [site.equipment[i] for i in site.equipment if i in both and not both & set(site.upstream(i))]


def _window(context: RuleContext, p: PowerFactorParameters) -> tuple[int, int, str]:
    """Return the month so far; before it says anything, the last 30 days."""
    zone = context.site.time_zone
    start_us, _ = month_bounds_us(day_of(context.now_us, zone), zone)
    # Whole hours from the site's midnight, also where its zone is half an hour off.
    end_us = start_us + (context.now_us - start_us) // _HOUR_US * _HOUR_US
    if end_us - start_us >= 2 * p.min_days * DAY_US:
        return start_us, end_us, "month"
    return end_us - round(_DAYS_A_MONTH) * DAY_US, end_us, "30 days"


def _judge(context: RuleContext, meter: Equipment, tariff: Tariff, target: float) -> Finding:
    p = PowerFactorParameters(target)
    start_us, end_us, window = _window(context, p)
    keys = [f"{meter.id}/{name}" for name in (
        "energy_import", "reactive_energy_import", "reactive_energy_export",
    )]  # fmt: skip
    count = (end_us - start_us) // _HOUR_US
    # One hour more at the front: the first difference needs it.
    found = context.store.aggregate(keys, start_us - _HOUR_US, end_us, _HOUR_US, origin_us=start_us)
    digits = meter.register.digits if meter.register and meter.register.point == "energy_import" else None
    ratio = meter.register.ratio.on(day_of(context.now_us, context.site.time_zone)) if meter.register else 1.0
    energy: list[Floats] = []
    for key in keys:
        totals = np.full(count + 1, np.nan)
        totals[(found[key].time_us - start_us) // _HOUR_US + 1] = found[key].last
        energy.append(hourly_energy(totals, digits)[1:] * ratio)
    active, lagging, leading = energy
    # Reactive energy that flows back is counted as well, by its amount; many meters do not have that register.
    reactive = lagging + np.where(np.isfinite(leading), leading, 0.0)
    hours = start_us + np.arange(count, dtype=np.int64) * _HOUR_US
    price = unit_prices(tariff, hours, context.site.time_zone)
    basic = _basic_charge(context.site, meter, tariff, active)
    verdict = low_power_factor(active, reactive, price, basic, p)
    return _finding(context, meter, verdict, p, basic, window, start_us)


def _basic_charge(site: Site, meter: Equipment, tariff: Tariff, active_kwh: Floats) -> float:
    """
    Return a month's demand or capacity charge, if the tariff names a price for either. [currency]

    Demand is taken from the largest hour, a little less than the quarter hour that is billed.
    """
    basic = tariff.basic
    if basic is None:
        return 0.0
    if basic.by != "capacity" and basic.demand_price is not None:
        known = active_kwh[np.isfinite(active_kwh)]
        return basic.demand_price * float(known.max()) if known.size else 0.0
    if basic.capacity_price is not None:
        below = [site.equipment[i] for i in (meter.id, *site.downstream(meter.id))]
        return basic.capacity_price * sum(e.rating.get("power", 0.0) for e in below if "transformer" in e.cls.id)
    return 0.0


def _finding(
    context: RuleContext, meter: Equipment, v: PowerFactorVerdict, p: PowerFactorParameters, basic: float, window: str,
    start_us: int,
) -> Finding:  # fmt: skip
    currency = context.site.currency
    name_zh, name_en = meter.name.zh, meter.name.en
    factor = number(v.factor, 2, limits=[p.target])
    target = f"{p.target:.2f}"
    if v.verdict == "fault":
        per_month_zh, per_month_en = (money(v.penalty_month, currency, "zh"), money(v.penalty_month, currency, "en"))
        title = short_title(meter, Names(zh="功率因数低", en="power factor low"), Names(zh=factor, en=factor))
        summary = Names(
            zh=f"{name_zh}：功率因数 {factor}，考核标准 {target}，"
            f"电费加收 {v.adjustment_percent:g}%，每月约 {per_month_zh}。",
            en=f"{name_en}: power factor {factor} against {target}; the bill rises by {v.adjustment_percent:g}%, "
            f"about {per_month_en} a month.",
        )  # fmt: skip
    elif v.verdict == "healthy":
        title = short_title(meter, Names(zh="功率因数达标", en="power factor on target"), Names(zh=factor, en=factor))
        summary = Names(
            zh=f"{name_zh}：功率因数 {factor}，不低于考核标准 {target}。",
            en=f"{name_en}: power factor {factor}, not below the target of {target}.",
        )
    else:
        title = short_title(meter, Names(zh="功率因数无法判断", en="power factor cannot be told"))
        summary = Names(
            zh=f"{name_zh}：有功、无功电量仅 {v.days:.1f} 天可用，判断至少需要 {p.min_days:g} 天且数据占 "
            f"{p.min_coverage:.0%}。",
            en=f"{name_en}: active and reactive energy are known for {v.days:.1f} days; "
            f"the rule needs {p.min_days:g} days and {p.min_coverage:.0%} of the hours.",
        )
    return Finding(
        code=CODE, equipment=meter.id, points=("energy_import", "reactive_energy_import"), verdict=v.verdict,
        title=title, summary=summary,
        evidence={
            "window": window, "window_start_us": start_us, "days_known": round(v.days, 2),
            "coverage": round(v.coverage, 4), "power_factor": _plain(v.factor), "target": p.target,
            "adjustment_percent": _plain(v.adjustment_percent), "penalty_month": v.penalty_month,
            "basic_charge": basic, "active_kwh": v.active_kwh, "reactive_kvarh": v.reactive_kvarh,
        },
        since_us=start_us, found_us=context.now_us, confidence=min(0.99, 0.5 + 0.5 * v.coverage),
        priority="P4", source=f"rule {CODE}", standard=_STANDARD, advice=_ADVICE,
        cost_per_day=v.penalty_month / _DAYS_A_MONTH if v.verdict == "fault" else None,
        waste=Waste(v.excess_kvarh_day, "kvarh") if v.verdict == "fault" else None,
    )  # fmt: skip


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


_ADVICE: Final = (
    Names(zh="看电容柜投入组数，查跳闸和熔断的组", en="See how many capacitor steps are on, look for tripped ones"),
    Names(zh="查补偿控制器的目标值和电流互感器极性", en="Check the controller's target and its transformer's polarity"),
    Names(zh="查轻载电机和长期空载的变压器", en="Look for lightly loaded motors and idle transformers"),
    Names(zh="目标值设为 0.95 以上", en="Set the target to 0.95 or above"),
)

RULE: Final = Rule(
    code=CODE,
    name=Names(zh="功率因数低", en="Low power factor"),
    reason=Names(
        zh="月均功率因数低于合同标准时，供电公司按表加收电费。",
        en="Below the contract's target the utility adds to the month's bill by its table.",
    ),
    source=_STANDARD,
    unit="kvarh",
    run=_run,
)
