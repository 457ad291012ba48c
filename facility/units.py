"""Units of measure: one registry, quantities written as text, and linear conversions between units.

A quantity in a site or class file is text such as `1600 kVA`, `60 s`, `12 months` or `0.1 m³`. Conversions are
pairs (scale, offset) with `y = x * scale + offset`, so that whole arrays convert in one step.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import pint

from facility.wording import nearest

# Engineers' spellings, mapped to one canonical spelling each. Canonical units are what pages show.
_SPELLINGS = {
    "m3": "m³", "m3/h": "m³/h", "m^3": "m³", "m^3/h": "m³/h", "Nm3": "Nm³", "Nm3/h": "Nm³/h", "m2": "m²", "m^2": "m²",
    "degC": "°C", "℃": "°C", "C": "°C", "KW": "kW", "kw": "kW", "KWh": "kWh", "kwh": "kWh", "kVAR": "kvar",
    "Kvar": "kvar", "kva": "kVA", "KVA": "kVA", "Mpa": "MPa", "mpa": "MPa", "Kpa": "kPa", "KPa": "kPa", "kpa": "kPa",
    "uS/cm": "µS/cm", "μS/cm": "µS/cm", "hz": "Hz", "HZ": "Hz", "l/min": "L/min", "l/h": "L/h", "l": "L",
    "kW·h": "kWh", "Pa·s": "Pa s", "1": "", "-": "", "–": "", "％": "%", "元": "CNY", "yuan": "CNY",
    "kgCO2": "kgCO₂", "tCO2": "tCO₂",
    "seconds": "s", "second": "s", "sec": "s", "minute": "min", "minutes": "min", "hour": "h", "hours": "h",
    "day": "d", "days": "d", "week": "weeks", "month": "months", "year": "years",
}  # fmt: skip

# Canonical spelling -> what pint understands.
_PINT = {
    "": "dimensionless", "%": "percent", "°C": "degC", "K": "kelvin", "kVA": "kVA", "kvar": "kvar", "kvarh": "kvarh",
    "m³": "meter**3", "m³/h": "meter**3/hour", "m²": "meter**2", "Nm³": "Nm3", "Nm³/h": "Nm3/hour",
    "Nm³/t": "Nm3/tonne", "t": "tonne", "t/h": "tonne/hour", "kg/h": "kilogram/hour", "L": "liter",
    "L/min": "liter/minute", "L/h": "liter/hour", "mm/s": "millimeter/second", "m/s": "meter/second",
    "m/s²": "meter/second**2", "mg/L": "milligram/liter", "mg/m³": "milligram/meter**3", "µS/cm": "microsiemens/cm",
    "mmol/L": "millimole/liter", "%RH": "percent_rh", "%LEL": "percent_lel", "%V/V": "percent_vol", "ppm": "ppm",
    "NTU": "NTU", "pH": "pH_unit", "gE": "g_envelope", "g": "gram",
    "dB": "dB_level", "CNY": "CNY", "kWh/m³": "kWh/meter**3",
    "kWh/Nm³": "kWh/Nm3", "LMH": "liter/meter**2/hour", "kgCO₂": "kgCO2", "tCO₂": "tCO2",
    "kgCO₂/kWh": "kgCO2/kWh", "d": "day",
    "min": "minute", "s": "second", "h": "hour", "weeks": "week", "months": "month", "years": "year", "mV": "millivolt",
    "mW/cm²": "milliwatt/cm**2", "Wh/(m³·m)": "watt_hour/meter**4", "CNY/kWh": "CNY/kWh", "CNY/m³": "CNY/meter**3",
    "CNY/Nm³": "CNY/Nm3", "CNY/d": "CNY/day", "1/h": "1/hour", "starts": "starts", "GJ": "gigajoule", "MΩ": "megaohm",
    "kΩ": "kiloohm", "lux": "lux", "W/m²": "watt/meter**2", "°": "degree", "r/min": "revolutions_per_minute",
    "kJ/kg": "kilojoule/kilogram", "MJ/Nm³": "megajoule/Nm3", "kWh/t": "kWh/tonne", "K/min": "kelvin/minute",
    "MPa/min": "megapascal/minute", "mm": "millimeter", "cm": "centimeter", "m": "meter",
}  # fmt: skip

_DIRECT = ("V", "kV", "A", "mA", "W", "kW", "MW", "kWh", "MWh", "GWh", "Wh", "Hz", "Pa", "kPa", "MPa", "bar", "kg",
           "MJ", "kJ", "mg", "kgce", "tce", "ms", "ohm", "beds", "persons", "pulses")  # fmt: skip

_QUANTITY = re.compile(r"^\s*([+-]?\d+(?:[_,]\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*$")


def _make_registry() -> pint.UnitRegistry[float]:
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    for definition in (
        "kVA = kilovolt * ampere",
        "kvar = kilovolt * ampere",
        "kvarh = kvar * hour",
        # A normal cubic metre is an amount of gas, not a volume of water: it must not convert to m³ by accident.
        "Nm3 = [gas_amount]",
        "percent_rh = [relative_humidity]",
        "percent_lel = [lower_explosive_limit]",
        "percent_vol = 0.01 = _",
        "NTU = [turbidity]",
        "pH_unit = [acidity]",
        "g_envelope = [bearing_envelope]",
        "dB_level = [sound_level]",
        "CNY = [money]",
        "kgCO2 = [carbon]",
        "tCO2 = 1000 * kgCO2",
        "kgce = 29.3076 * megajoule",
        "tce = 1000 * kgce",
        "starts = []",
        "beds = []",
        "persons = []",
        "pulses = []",
    ):
        registry.define(definition)
    return registry


_REGISTRY = _make_registry()
KNOWN_UNITS: tuple[str, ...] = tuple(sorted({*_PINT, *_DIRECT} - {""}))

# Calendar units are kept as written: a month is not 30.44 days in a maintenance plan.
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "weeks": 604800.0}
_MONTHS = {"months": 1, "years": 12}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, as an engineer wrote it."""

    value: float
    unit: str

    def to(self, unit: str) -> float:
        """Return the value in `unit`; ValueError if the dimensions differ."""
        scale, offset = conversion(self.unit, unit)
        return self.value * scale + offset

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}".rstrip()


def canonical_unit(text: str) -> str:
    """Return the one spelling of a unit; ValueError names a unit that is not known."""
    stripped = text.strip()
    unit = _SPELLINGS.get(stripped, stripped)
    if unit in _PINT or unit in _DIRECT:
        return unit
    raise ValueError(f"unit {text!r} is not known{nearest(stripped, KNOWN_UNITS)}")


@lru_cache(maxsize=4096)
def conversion(source: str, target: str) -> tuple[float, float]:
    """
    Return (scale, offset) such that `y = x * scale + offset` takes a value in `source` to `target`.

    Raises
    ------
    ValueError
        If a unit is not known or the two do not measure the same thing.
    """
    a, b = canonical_unit(source), canonical_unit(target)
    if a == b:
        return 1.0, 0.0
    unit_a, unit_b = _PINT.get(a, a), _PINT.get(b, b)
    try:
        at_zero = float(_REGISTRY.Quantity(0.0, unit_a).to(unit_b).magnitude)
        at_one = float(_REGISTRY.Quantity(1.0, unit_a).to(unit_b).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"{a!r} cannot be converted to {b!r}: they do not measure the same thing") from None
    # Pint multiplies its way there; 15 digits give back the round number that a unit is defined by.
    return float(f"{at_one - at_zero:.15g}"), float(f"{at_zero:.15g}")


@lru_cache(maxsize=1024)
def pint_unit(unit: str) -> pint.Unit:
    """Return pint's unit for a canonical spelling, for dimension checks of formulas."""
    return _REGISTRY.Unit(_PINT.get(canonical_unit(unit), canonical_unit(unit)))


def parse_quantity(text: str | int | float) -> Quantity:
    """
    Read `1600 kVA`, `-20 °C`, `95 %` or a bare number (no unit).

    Raises
    ------
    ValueError
        If there is no number, or the unit is not known.
    """
    if isinstance(text, bool):
        raise ValueError("a yes/no value stands where a number with a unit belongs, such as '60 s'")
    if isinstance(text, int | float):
        return Quantity(_finite(text), "")
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a number with a unit, such as '60 s' or '1600 kVA'")
    number = _finite(match[1].replace("_", "").replace(",", ""))
    return Quantity(number, canonical_unit(match[2] or ""))


def _finite(text: str | int | float) -> float:
    """Return a number that can be reckoned with: with an infinite rating no limit would ever be reached."""
    try:
        number = float(text)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{str(text)[:40]} is no number that can be reckoned with; write it as it stands on the plate")
    return number


def parse_duration(text: str | int | float) -> float:
    """
    Read `60 s`, `15 min`, `2 h`, `7 d` and return seconds; ValueError if it is none of these or is negative.
    """
    quantity = parse_quantity(text)
    if quantity.unit not in _SECONDS:
        raise ValueError(f"{text!r} is not a duration; give a number with ms, s, min, h, d or weeks, such as '15 min'")
    if quantity.value < 0:
        raise ValueError(f"{text!r} is a negative duration; give one of zero or above, such as '15 min'")
    return quantity.value * _SECONDS[quantity.unit]


@dataclass(frozen=True, slots=True)
class CalendarInterval:
    """An interval of a maintenance plan: whole months, or seconds where it is shorter than a month."""

    months: int = 0
    seconds: float = 0.0


def parse_interval(text: str | int | float) -> CalendarInterval:
    """Read `12 months`, `2 years`, `1 weeks`, `3 d` or `12 h`; ValueError if it is none of these or not above zero."""
    quantity = parse_quantity(text)
    if quantity.value <= 0:
        raise ValueError(f"{text!r} is not above zero; give an interval such as '6 months'")
    if quantity.unit in _MONTHS:
        months = quantity.value * _MONTHS[quantity.unit]
        if months != int(months):
            raise ValueError(f"{text!r} is not a whole number of months; write weeks or days instead")
        return CalendarInterval(months=int(months))
    return CalendarInterval(seconds=parse_duration(text))
