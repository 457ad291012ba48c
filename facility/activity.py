"""What a hospital did: bed-days, outpatient visits, surgeries, staff; by day or by month, as people report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from facility.names import Names

ActivityKind = Literal["bed_days", "visits", "surgeries", "staff"]
Period = Literal["day", "month"]

ACTIVITY_KINDS: Final[tuple[ActivityKind, ...]] = get_args(ActivityKind)

ACTIVITY_NAMES: Final[Mapping[ActivityKind, Names]] = {
    "bed_days": Names(zh="实际占用总床日", en="Occupied bed-days"),
    "visits": Names(zh="门急诊人次", en="Outpatient and emergency visits"),
    "surgeries": Names(zh="手术台次", en="Surgeries"),
    "staff": Names(zh="在岗职工", en="Staff on duty"),
}
ACTIVITY_UNITS: Final[Mapping[ActivityKind, str]] = {
    "bed_days": "bed·d",
    "visits": "visits",
    "surgeries": "surgeries",
    "staff": "persons",
}
# Of what is a state and no count, the mean of the days stands for a period, not their sum.
MEANS: Final[frozenset[ActivityKind]] = frozenset({"staff"})
# More in a day than any hospital has: a slip of the pen.
MOST_A_DAY: Final[Mapping[ActivityKind, float]] = {
    "bed_days": 20_000, "visits": 100_000, "surgeries": 3_000, "staff": 50_000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Activity:
    """
    One figure of what was done.

    Attributes
    ----------
    kind : what is counted
    department : whose; None for the whole site
    period : a day or a calendar month
    day : the day, or the month's first
    value : how much; None takes back what was reported before
    """

    kind: ActivityKind
    department: str | None
    period: Period
    day: date
    value: float | None
