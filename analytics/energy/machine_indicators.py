"""
How well machines and plants turn one thing into another: boilers, chillers, oxygen generators, transformers.

Each indicator puts registers of the machine itself over one another; what they are is data in `indicators.yaml`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.energy.indicators import Indicator, Side, Span, judge
from analytics.energy.intervals import MISSING, STEP_US, Intervals, Total
from analytics.energy.reasons import Reason
from facility.factor_library import STEAM_ENTHALPY_KJ_KG
from facility.indicator_library import Conversion, IndicatorLibrary, MachineIndicator, PlantIndicator, RegisterSide
from facility.names import Names
from facility.site import Equipment, Site

# Lower heating value of pipeline gas where the site does not know its own: GB/T 2589-2020 has 32.2 to 39.0 MJ/m³.
GAS_HEAT_MJ_NM3: Final = 35.5
# Of steam and feed water where nobody measures them: a deaerator at 104 °C.
_FEED_WATER_C: Final = 104.0
_WATER_KJ_KG_K: Final = 4.19
_STEAM_MPA: Final = (0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.3, 1.6)
_STEAM_KJ_KG: Final = (2725.3, 2738.4, 2748.5, 2756.3, 2767.9, 2780.7, 2788.8, 2794.4)
_STEP_H: Final = STEP_US / 3_600_000_000

# Gauges whose means an indicator takes, by class: steam pressure [MPa above atmosphere], feed water [°C].
STEAM_PRESSURE: Final = "steam_pressure"
FEED_WATER: Final = "feedwater_temperature"


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """
    What the indicators of machines rest on, over one span.

    Attributes
    ----------
    totals : of registers by their keys `equipment/point`; what is absent is not known
    means : of gauges by their keys while the machine ran, in the points' units; what is absent is not known
    gas_heat_mj_nm3 : lower heating value of the gas [MJ/Nm³]
    """

    totals: Mapping[str, Total]
    means: Mapping[str, float]
    gas_heat_mj_nm3: float = GAS_HEAT_MJ_NM3


def gauges_wanted(site: Site) -> list[str]:
    """Return the keys of the gauges whose means the indicators take, so that they can be asked for at once."""
    return [
        f"{item.id}/{point}"
        for item in site.equipment.values()
        if item.cls.id == "gas_steam_boiler"
        for point in (STEAM_PRESSURE, FEED_WATER)
        if point in item.points
    ]


def steam_enthalpy(pressure_mpa: float) -> float:
    """
    Return the enthalpy of saturated steam at a pressure above atmosphere, 0.2 to 1.6 MPa. [kJ/kg]

    Source: steam tables after IAPWS-IF97, between their values by straight lines, within 1 kJ/kg.
    """
    return float(np.interp(pressure_mpa, _STEAM_MPA, _STEAM_KJ_KG))


def machine_indicators(
    library: IndicatorLibrary, machines: Iterable[Equipment], figures: MachineFigures, span: Span
) -> list[Indicator]:
    """Return the indicators of each machine that has the registers for them."""
    found: list[Indicator] = []
    for item in machines:
        for spec in library.machines:
            if spec.class_ == item.cls.id and spec.of.point in item.points and spec.over.point in item.points:
                found.append(_machine(spec, item, figures, span))
    return found


def _machine(spec: MachineIndicator, item: Equipment, figures: MachineFigures, span: Span) -> Indicator:
    above, below = (_register(side, item, figures) for side in (spec.of, spec.over))
    return judge(spec, "machine", item.id, span, above, below)


def _register(side: RegisterSide, item: Equipment, figures: MachineFigures) -> Side:
    total = figures.totals.get(f"{item.id}/{side.point}")
    if total is None:
        name = item.points[side.point].name
        return Side.unknown(Reason("not-booked", Names(zh=f"{name.zh}没有数据", en=f"{name.en} is not known")))
    factor, reasons = _conversion(side.as_, item, figures)
    return Side(Total(total.amount * factor, total.measured, total.estimated, total.missing), reasons)


def _conversion(
    conversion: Conversion | None, item: Equipment, figures: MachineFigures
) -> tuple[float, tuple[Reason, ...]]:
    """Return by what a register's amount is multiplied to become heat [GJ], and what was assumed for that."""
    if conversion is None:
        return 1.0, ()
    if conversion == "gas_heat":
        return figures.gas_heat_mj_nm3 / 1000.0, ()
    pressure = figures.means.get(f"{item.id}/{STEAM_PRESSURE}", math.nan)
    feed_c = figures.means.get(f"{item.id}/{FEED_WATER}", math.nan)
    steam = steam_enthalpy(pressure) if math.isfinite(pressure) else STEAM_ENTHALPY_KJ_KG
    reasons: list[Reason] = []
    if not math.isfinite(feed_c):
        feed_c = _FEED_WATER_C
        reasons.append(
            Reason(
                "feed-water-assumed",
                Names(
                    zh=f"没有给水温度，按 {feed_c:g} °C 计算",
                    en=f"feed water is taken as {feed_c:g} °C, for it is not known",
                ),
                feed_c, blocking=False,
            )
        )  # fmt: skip
    # A tonne takes up so many megajoules, a thousandth of that in gigajoules.
    return (steam - _WATER_KJ_KG_K * feed_c) / 1000.0, tuple(reasons)


# -- of plants


def plant_indicators(library: IndicatorLibrary, site: Site, figures: MachineFigures, span: Span) -> list[Indicator]:
    """Return the indicators of each room of a kind that has the machines for them."""
    found: list[Indicator] = []
    for spec in library.plants:
        for room in site.rooms.values():
            if room.kind == spec.room_kind:
                inside = [e for e in site.equipment.values() if e.room == room.id]
                made, used = (_members(inside, spec, side) for side in ("of", "over"))
                if made and used:
                    sides = (_together(made, figures), _together(used, figures))
                    found.append(judge(spec, "plant", room.id, span, *sides))
    return found


def _members(inside: list[Equipment], spec: PlantIndicator, side: str) -> list[str]:
    wanted = getattr(spec, side)
    return [f"{e.id}/{wanted.point}" for e in inside if e.cls.id in wanted.classes and wanted.point in e.points]


def _together(keys: list[str], figures: MachineFigures) -> Side:
    """Return the sum of registers; of one that is not known the plant cannot do without."""
    totals = [figures.totals.get(key) for key in keys]
    absent = [key for key, total in zip(keys, totals, strict=True) if total is None or not total.known]
    if absent:
        return Side.unknown(
            Reason(
                "member-unknown",
                Names(zh=f"缺少 {'、'.join(absent)}", en=f"{', '.join(absent)} {_are(absent)} not known"),
            )
        )
    known = [total for total in totals if total is not None]
    # The worst of them says how much is missing.
    worst = max(known, key=lambda t: t.missing)
    return Side(Total(sum(t.amount for t in known), worst.measured, worst.estimated, worst.missing))


def _are(words: list[str]) -> str:
    return "is" if len(words) == 1 else "are"


# -- transformers


@dataclass(frozen=True, slots=True)
class TransformerUse:
    """
    What a transformer carried and lost over a span.

    Attributes
    ----------
    energy_kwh : active energy that it passed on
    mean_load, peak_load : shares of its rated power, apparent where reactive energy is known
    hours : hours of which the load is known
    no_load_kwh, load_kwh : losses over those hours
    loss_share : losses over what it took, the energy passed on and the losses; NaN where it passed nothing on
    missing : share of the time that is not known
    apparent : reactive energy was known, so the loads are of apparent power
    """

    energy_kwh: float
    mean_load: float
    peak_load: float
    hours: float
    no_load_kwh: float
    load_kwh: float
    loss_share: float
    missing: float
    apparent: bool

    @property
    def losses_kwh(self) -> float:
        """Return both losses together."""
        return self.no_load_kwh + self.load_kwh


def transformer_use(
    active: Intervals, reactive: Intervals | None, rated_kva: float, no_load_loss_kw: float, load_loss_kw: float
) -> TransformerUse | None:
    """
    Return load and losses of a transformer, from what its low-voltage registers counted by quarter hours.

    The no-load loss is there as long as it is energised; the load loss grows with the square of the load, so the mean
    load of a month would understate it. None if nothing is known, or the plate does not say what it takes.

    Raises
    ------
    ValueError
        If the reactive energy does not cover the same steps.

    References
    ----------
    IEC 60076-1: no-load loss and load loss at rated current; the latter as the square of the load factor.
    """
    if not rated_kva > 0 or not no_load_loss_kw >= 0 or not load_loss_kw >= 0:
        return None
    if reactive is not None and (reactive.start_us != active.start_us or len(reactive) != len(active)):
        raise ValueError("active and reactive energy must cover the same steps; cut them by `window` first")
    known = active.grade != MISSING
    apparent_known = reactive is not None and bool((known & (reactive.grade != MISSING)).any())
    if apparent_known and reactive is not None:
        known &= reactive.grade != MISSING
    if not known.any():
        return None
    power_kw = active.used[known] / _STEP_H
    other_kvar = reactive.used[known] / _STEP_H if apparent_known and reactive is not None else np.zeros(1)
    load = np.hypot(power_kw, other_kvar) / rated_kva
    hours = float(known.sum()) * _STEP_H
    no_load, by_load = no_load_loss_kw * hours, load_loss_kw * float((load**2).sum()) * _STEP_H
    energy = float(active.used[known].sum())
    taken = energy + no_load + by_load
    return TransformerUse(
        energy, float(load.mean()), float(load.max()), hours, no_load, by_load,
        (no_load + by_load) / taken if energy > 0 else math.nan, 1.0 - float(known.mean()), apparent_known,
    )  # fmt: skip
