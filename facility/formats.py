"""How figures, times and titles are written for people, in Chinese and in English; see the rules in each function.

Every text is plain: pages escape it. A number and its unit are joined by a no-break space, so that they never part.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from facility.names import Language

MINUS: Final = "\N{MINUS SIGN}"
NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
MISSING: Final = "\N{EM DASH}"  # never 0, never an empty cell

# Decimals by unit where a point does not name its own: what an engineer in the field reads off the instrument.
_DECIMALS: Final = {
    "": 2, "%": 0, "%RH": 0, "%LEL": 0, "%V/V": 1, "A": 0, "V": 0, "kV": 2, "W": 0, "kW": 0, "MW": 2, "kVA": 0,
    "kvar": 0, "kWh": 0, "MWh": 1, "kvarh": 0, "mA": 0, "Hz": 1, "kPa": 0, "MPa": 2, "Pa": 0, "bar": 2, "°C": 0,
    "K": 1, "mm/s": 1, "mg/L": 2, "NTU": 2, "pH": 1, "m³": 1, "m³/h": 1, "Nm³": 0, "Nm³/h": 0, "t": 1, "t/h": 1,
    "L/min": 1, "L/h": 0, "ppm": 0, "µS/cm": 0, "r/min": 0, "h": 0, "s": 0, "min": 0, "kgCO₂": 0, "starts": 0,
    "beds": 0, "persons": 0,
}  # fmt: skip
_MOST_DECIMALS: Final = 9
# 20 Chinese characters take the width of 45 Latin letters: what fits into one line of a phone.
_TITLE_WIDTH: Final = 20.0
_LATIN_WIDTH: Final = 20.0 / 45.0

_WEEKDAYS: Final = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}


@dataclass(frozen=True, slots=True)
class _Unit:
    seconds: int
    zh: str
    en: str


_DURATIONS: Final = (_Unit(86400, "天", "d"), _Unit(3600, "小时", "h"), _Unit(60, "分", "min"), _Unit(1, "秒", "s"))


def decimals_of(unit: str, own: int | None = None) -> int:
    """Return how many decimals a value in `unit` is shown with; `own` is the point's setting, which stands above."""
    return own if own is not None else _DECIMALS.get(unit, 1)


def number(value: float, decimals: int, *, limits: Iterable[float] = (), signed: bool = False) -> str:
    """
    Write a number: 1,021,400 and −0.5, with `decimals` decimals.

    A value is never rounded onto or across one of `limits`: 319.6 against 320 stays 319.6 and gets as many decimals
    as that takes. `signed` puts a plus before what is above zero, for differences. NaN is an em dash.
    """
    if not math.isfinite(value):
        return MISSING
    bounds = [b for b in limits if math.isfinite(b)]
    places = decimals
    while places < _MOST_DECIMALS and any(_side(round(value, places), b) != _side(value, b) for b in bounds):
        places += 1
    rounded = round(value, places)
    digits = f"{abs(rounded):,.{places}f}"
    if rounded < 0:
        return MINUS + digits
    return f"+{digits}" if signed and rounded > 0 else digits


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def quantity(
    value: float, unit: str, decimals: int | None = None, *, limits: Iterable[float] = (), signed: bool = False
) -> str:
    """Write a number with its unit: `312 kPa`, `85%`; no space before a per cent sign, none where there is no unit."""
    text = number(value, decimals_of(unit, decimals), limits=limits, signed=signed)
    if not unit or text == MISSING:
        return text
    return f"{text}{unit}" if unit.startswith("%") else f"{text}{NO_BREAK_SPACE}{unit}"


def band(low: float, high: float, decimals: int, language: Language) -> str:
    """Write a range: `350～480` in Chinese, `350–480` in English."""
    return f"{number(low, decimals)}{'～' if language == 'zh' else '–'}{number(high, decimals)}"


def money(value: float, currency: str, language: Language, *, per_day: bool = False, headline: bool = False) -> str:
    """
    Write an amount in whole units: `1,204 元`, `¥1,204`; a day: `320 元/天`, `¥320/day`.

    A Chinese headline of 10,000 and more counts in 万元: `94.16 万元`.
    """
    if not math.isfinite(value):
        return MISSING
    if currency != "CNY":
        text = f"{currency}{NO_BREAK_SPACE}{number(value, 0)}"
        return text + (("/天" if language == "zh" else "/day") if per_day else "")
    if language == "en":
        return f"{MINUS if round(value) < 0 else ''}¥{number(abs(value), 0)}{'/day' if per_day else ''}"
    unit = "元/天" if per_day else "元"
    if headline and abs(value) >= 10_000:
        return f"{number(value / 10_000, 2)}{NO_BREAK_SPACE}万{unit}"
    return f"{number(value, 0)}{NO_BREAK_SPACE}{unit}"


def duration(length_us: int, language: Language) -> str:
    """
    Write a length of time in at most two units that follow each other: `2 小时 23 分`, `2 h 23 min`, `42 s`.

    What is left over is cut off, not rounded up: an alarm that is 59 s old is not one minute old.
    """
    left = max(0, length_us) // 1_000_000
    first = next((i for i, u in enumerate(_DURATIONS) if left >= u.seconds), len(_DURATIONS) - 1)
    words: list[str] = []
    for unit in _DURATIONS[first : first + 2]:
        count, left = divmod(left, unit.seconds)
        if count or not words:
            words.append(f"{count}{NO_BREAK_SPACE}{unit.zh if language == 'zh' else unit.en}")
    return " ".join(words)


def moment(time_us: int, zone: ZoneInfo) -> datetime:
    """Return a time in the site's zone, to the microsecond."""
    seconds, micros = divmod(time_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).astimezone(zone)


def offset_text(time_us: int, zone: ZoneInfo) -> str:
    """Write how far the site's clock is ahead of UTC at a time: +08:00."""
    return moment(time_us, zone).isoformat()[-6:]


def which_of_two(time_us: int, zone: ZoneInfo) -> str:
    """Return what stands after a time that the clock shows twice, when it is put back: `+01:00`; else nothing."""
    shown = moment(time_us, zone)
    twice = shown.replace(fold=0).timestamp() != shown.replace(fold=1).timestamp()
    return offset_text(time_us, zone) if twice else ""


def exact_minute(time_us: int, zone: ZoneInfo) -> str:
    """Write a time to the minute so that it names one: 2026-07-16 02:49, 2026-10-25 02:30+01:00."""
    return f"{moment(time_us, zone):%Y-%m-%d %H:%M}{which_of_two(time_us, zone)}"


def clock(time_us: int, zone: ZoneInfo, *, seconds: bool = True) -> str:
    """Write a time of day: 02:49:02, or 02:49."""
    return moment(time_us, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def list_time(time_us: int, zone: ZoneInfo) -> str:
    """Write a time as it stands in lists: 07-13 05:20."""
    return moment(time_us, zone).strftime("%m-%d %H:%M")


def report_date(day: date) -> str:
    """Write a day as it stands in reports: 2026-07-03."""
    return day.isoformat()


def weekday(day: date, language: Language) -> str:
    """Write the day of the week: 周四, Thu."""
    return _WEEKDAYS[language][day.weekday()]


def title_width(text: str) -> float:
    """Return how wide a title is, in Chinese characters; a Latin letter takes 20/45 of one."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else _LATIN_WIDTH for c in text)


def fits_title(text: str) -> bool:
    """Return True if a title has at most 20 Chinese characters or 45 Latin letters, or a mixture as wide."""
    return title_width(text) <= _TITLE_WIDTH + 1e-9
