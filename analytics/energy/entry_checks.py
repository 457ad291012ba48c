"""What a person enters of a register, against what is known of it: what cannot be, and what asks for a second look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from analytics.desk import ActionRefused
from facility.calendar import to_us
from facility.formats import exact_minute
from facility.metering import BookedRegister
from facility.names import Names
from facility.wording import kept_text, too_long

_EARLIEST_US: Final = to_us(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
_MOST_NOTE: Final = 500
_MOST_DIGITS: Final = 15  # the site file's limit; above, a float no longer tells single counts apart
_DAY_US: Final = 86_400_000_000
# A jump asks for a second look where it is so many times what the register counts in so much time on the average.
_JUMP: Final = 20.0
# Two readings closer together say little about how much a register counts in a day.
_SHORTEST_US: Final = 3600 * 1_000_000

# What a value is, in what is told of it.
READING: Final = Names(zh="读数", en="the reading")
OLD_END: Final = Names(zh="旧表止度", en="the old meter's end")
NEW_START: Final = Names(zh="新表起度", en="the new meter's start")
NOTE: Final = Names(zh="备注", en="the note")


class EntryRefused(ActionRefused):
    """
    An entry that cannot stand as it is; its text is `words` in English.

    Attributes
    ----------
    words : place, value and mend, in both languages
    confirmable : it is taken if a person says that it is meant
    """

    def __init__(self, words: Names, confirmable: bool = False) -> None:
        super().__init__(words)
        self.confirmable = confirmable


@dataclass(frozen=True, slots=True)
class Point:
    """What a register showed at a time. [µs UTC]"""

    at_us: int
    value: float


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a register around a time: readings before it and after it, oldest first; times of exchanges."""

    before: Sequence[Point] = ()
    after: Sequence[Point] = ()
    exchanges_us: Sequence[int] = ()


def check_reading(
    register: BookedRegister, at_us: int, value: float, around: Around, now_us: int, zone: ZoneInfo, confirmed: bool
) -> None:
    """
    Raise EntryRefused if a reading cannot be right; one that is only unlikely passes if it is `confirmed`.

    A register never runs back: less than before, or more than after, is wrong unless the meter was exchanged or the
    register rolled over in between.
    """
    _check_time(at_us, now_us, zone)
    _check_value(register, value, READING)
    if confirmed:
        return
    previous = around.before[-1] if around.before else None
    following = around.after[0] if around.after else None
    if previous is not None and value < previous.value and not _between(around, previous.at_us, at_us):
        since = exact_minute(previous.at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"{value:,.10g} 低于前一次读数（{since}，{previous.value:,.10g} {register.unit}）；请更正；"
                "若已换表，请登记换表；若计数器已翻转归零，请确认",
                en=f"{value:,.10g} is below the reading before it, {previous.value:,.10g} {register.unit} on {since}; "
                "correct it, enter the exchange if the meter was exchanged, or confirm it if the register rolled over",
            ),
            True,
        )
    if following is not None and value > following.value and not _between(around, at_us, following.at_us):
        until = exact_minute(following.at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"{value:,.10g} 高于后一次读数（{until}，{following.value:,.10g} {register.unit}）；请更正；"
                "若已换表，请登记换表；若计数器已翻转归零，请确认",
                en=f"{value:,.10g} is above the reading after it, {following.value:,.10g} {register.unit} on {until}; "
                "correct it, enter the exchange if the meter was exchanged, or confirm it if the register rolled over",
            ),
            True,
        )
    _check_jump(register, at_us, value, around, zone)


def check_exchange(
    register: BookedRegister, at_us: int, end: float, start: float, around: Around, now_us: int, zone: ZoneInfo,
    confirmed: bool = False,
) -> None:  # fmt: skip
    """
    Raise EntryRefused if an exchange cannot be right: it counts what the old meter showed last, never less.

    One whose old meter would have counted far beyond all use passes if it is `confirmed`.
    """
    _check_time(at_us, now_us, zone)
    _check_value(register, end, OLD_END)
    _check_value(register, start, NEW_START)
    if any(abs(at_us - other) < 60_000_000 for other in around.exchanges_us):
        at = exact_minute(at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"{at} 已登记过一次换表；请先撤销那一条，或更正时间",
                en=f"an exchange at {at} is on record already; withdraw that one first, or correct the time",
            )
        )
    since = max((e for e in around.exchanges_us if e <= at_us), default=None)
    until = min((e for e in around.exchanges_us if e > at_us), default=None)
    previous = around.before[-1] if around.before else None
    if previous is not None and (since is None or previous.at_us > since) and end < previous.value:
        shown = exact_minute(previous.at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"旧表止度 {end:,.10g} 低于该表 {shown} 的示数 {previous.value:,.10g} {register.unit}；"
                "请更正止度或换表时间",
                en=f"the old meter's end {end:,.10g} is below what it showed on {shown}, "
                f"{previous.value:,.10g} {register.unit}; correct the end or the time of the exchange",
            )
        )
    following = around.after[0] if around.after else None
    if following is not None and (until is None or following.at_us < until) and start > following.value:
        shown = exact_minute(following.at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"新表起度 {start:,.10g} 高于该表 {shown} 的示数 {following.value:,.10g} {register.unit}；"
                "请更正起度或换表时间",
                en=f"the new meter's start {start:,.10g} is above what it showed on {shown}, "
                f"{following.value:,.10g} {register.unit}; correct the start or the time of the exchange",
            )
        )
    if not confirmed and (previous is None or since is None or previous.at_us > since):
        _check_jump(register, at_us, end, around, zone)


def _check_jump(register: BookedRegister, at_us: int, value: float, around: Around, zone: ZoneInfo) -> None:
    """Raise EntryRefused if a register would have counted far beyond all use since the reading before."""
    previous, usual = around.before[-1] if around.before else None, _usual_a_day(around)
    if previous is None or usual is None:
        return
    # Within minutes a register that counts in coarse steps may well take one: an hour is the least it is spread over.
    a_day = (value - previous.value) * _DAY_US / max(at_us - previous.at_us, _SHORTEST_US)
    if a_day > _JUMP * usual:
        since = exact_minute(previous.at_us, zone)
        raise EntryRefused(
            Names(
                zh=f"若为 {value:,.10g}，则自 {since} 起平均每天 {a_day:,.4g} {register.unit}，"
                f"而平常每天为 {usual:,.4g}；请更正，或确认无误",
                en=f"{value:,.10g} would be {a_day:,.4g} {register.unit} a day since {since}, "
                f"where {usual:,.4g} is usual; correct it, or confirm it",
            ),
            True,
        )


def plain_note(note: str) -> str:
    """Return a note as it is kept; EntryRefused if it is too long."""
    plain = kept_text(note)
    words = too_long(NOTE, plain, _MOST_NOTE)
    if words is not None:
        raise EntryRefused(words)
    return plain


def _check_time(at_us: int, now_us: int, zone: ZoneInfo) -> None:
    at = exact_minute(at_us, zone)
    if at_us > now_us:
        raise EntryRefused(
            Names(zh=f"{at} 还没有到；请更正时间", en=f"{at} lies in the future; correct the time"),
        )
    if at_us < _EARLIEST_US:
        raise EntryRefused(
            Names(zh=f"{at} 早于 2000 年；请更正时间", en=f"{at} lies before the year 2000; correct the time"),
        )


def _check_value(register: BookedRegister, value: float, what: Names) -> None:
    if not math.isfinite(value) or value < 0.0:
        raise EntryRefused(
            Names(
                zh=f"{what.zh}为 {value:g}；请填写表上的示数，不得小于零",
                en=f"{what.en} is {value:g}; give what the register shows, zero or above",
            )
        )
    digits = register.register.digits
    if digits is not None and value >= 10.0**digits:
        raise EntryRefused(
            Names(
                zh=f"{what.zh} {value:,.10g} 超过计数器的 {digits} 位数；请更正",
                en=f"{what.en} {value:,.10g} has more than the register's {digits} digits; correct it",
            )
        )
    if value >= 10.0**_MOST_DIGITS:
        raise EntryRefused(
            Names(
                zh=f"{what.zh} {value:.4g} 超过任何计数器的位数；请更正",
                en=f"{what.en} {value:.4g} has more digits than any register; correct it",
            )
        )


def _usual_a_day(around: Around) -> float | None:
    """Return what the register counts in a day on the average, by the readings before; None where they say nothing."""
    if len(around.before) < 2:
        return None
    first, last = around.before[0], around.before[-1]
    if last.at_us - first.at_us < _SHORTEST_US or last.value <= first.value:
        return None
    return (last.value - first.value) * _DAY_US / (last.at_us - first.at_us)


def _between(around: Around, from_us: int, to_us_: int) -> bool:
    return any(from_us <= exchange <= to_us_ for exchange in around.exchanges_us)
