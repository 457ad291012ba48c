"""What happened to a register that its consumption must not simply be the difference of two readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from facility.names import Names

EventKind = Literal[
    "roll_over", "roll_overs", "roll_over_guessed", "reset", "exchange", "exchange_moved", "exchange_unfit", "glitch",
    "backwards", "stuck", "outage", "jump", "jump_kept", "fall",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegisterEvent:
    """
    One thing that happened to a register.

    Attributes
    ----------
    kind : what happened
    from_us, to_us : the readings, or moments, between which it happened [µs UTC]
    before, after : what the register showed then, in its own counts
    counted : what was booked between the two, in counts; NaN where that cannot be known
    """

    kind: EventKind
    from_us: int
    to_us: int
    before: float
    after: float
    counted: float

    @property
    def told(self) -> Names:
        """Return what happened, what was made of it, and what a person can do, in both languages."""
        facts = {"before": f"{self.before:,.10g}", "after": f"{self.after:,.10g}", "counted": f"{self.counted:,.6g}"}
        words = _WORDS[self.kind]
        return Names(zh=words.zh.format(**facts), en=words.en.format(**facts))


_WORDS: Final[Mapping[EventKind, Names]] = {
    "roll_over": Names(
        zh="计数器由 {before} 翻转到 {after}，其间计 {counted}。",
        en="The register rolled over from {before} to {after}; {counted} was counted across it.",
    ),
    "roll_overs": Names(
        zh="{before} 与 {after} 之间长时间没有读数，按平常用量已翻转不止一次；按最接近的次数计 {counted}，标为估算。",
        en="No reading came for so long between {before} and {after} that at its usual pace the register rolled over "
        "more than once; {counted} was counted, by the number of times that comes nearest, and marked estimated.",
    ),
    "roll_over_guessed": Names(
        zh="计数器由 {before} 到 {after} 像是翻转，按此计 {counted}；请在站点文件中填写 digits。",
        en="From {before} to {after} looks like a roll-over and was booked as one, {counted}; give the register's "
        "digits in the site file.",
    ),
    "reset": Names(
        zh="计数器由 {before} 归零，现为 {after}；归零后计 {counted}，末次读数到归零之间的用量无从得知。",
        en="The register fell from {before} to zero and now shows {after}; {counted} was counted since, and what was "
        "used between the last reading and the reset cannot be known.",
    ),
    "exchange": Names(
        zh="换表：旧表止度 {before}，新表起度 {after}；其间计 {counted}。",
        en="The meter was exchanged: old end {before}, new start {after}; {counted} was counted across it.",
    ),
    "exchange_moved": Names(
        zh="换表：旧表止度 {before}，新表起度 {after}；读数表明换表时间与登记不同，按读数计 {counted}。请核对时间。",
        en="The meter was exchanged: old end {before}, new start {after}; the readings show another time than the one "
        "entered and were followed, {counted} counted. Check the time.",
    ),
    "exchange_unfit": Names(
        zh="换表登记与读数不符：{before} 之后不能是 {after}；该段按缺失处理。请更正止度、起度或时间。",
        en="The exchange does not fit the readings: {after} cannot follow {before}; this stretch is missing. Correct "
        "the end, the start or the time.",
    ),
    "glitch": Names(
        zh="读数由 {before} 跳到 {after} 又跳回，视为误读，未计入。",
        en="Readings leapt from {before} to {after} and back; they were left out.",
    ),
    "backwards": Names(
        zh="计数器由 {before} 退到 {after}，计为零。请检查是否倒流。",
        en="The register ran back from {before} to {after}; nothing was counted. Look for back-flow.",
    ),
    "stuck": Names(
        zh="读数停在 {before}，随后补到 {after}；补上的 {counted} 按典型曲线分摊，标为估算。",
        en="The reading stood at {before} and then caught up to {after}; {counted} was spread over the standstill as "
        "usual days run, and marked estimated.",
    ),
    "outage": Names(
        zh="{before} 与 {after} 之间没有读数；{counted} 按典型曲线分摊，标为估算。",
        en="There are no readings between {before} and {after}; {counted} was spread as usual days run, and marked "
        "estimated.",
    ),
    "jump": Names(
        zh="读数由 {before} 跳到 {after}，该表不可能走这么快；该段按缺失处理。若换过表，请登记换表。",
        en="From {before} to {after} is more than this meter can count; this stretch is missing. If the meter was "
        "exchanged, enter the exchange.",
    ),
    "jump_kept": Names(
        zh="读数由 {before} 到 {after}，比该表以往快得多；{counted} 照计，标为估算。请核对。",
        en="From {before} to {after} is far faster than this meter has ever counted; {counted} was kept and marked "
        "estimated. Check it.",
    ),
    "fall": Names(
        zh="读数由 {before} 降到 {after}，既非翻转也非归零；该段按缺失处理。若换过表，请登记换表。",
        en="From {before} to {after} is neither a roll-over nor a reset; this stretch is missing. If the meter was "
        "exchanged, enter the exchange.",
    ),
}  # fmt: skip
