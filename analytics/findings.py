"""Finding: what a limit, a rule or a detector says about a machine, with enough evidence to redo the claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from facility.equipment_classes import Priority
from facility.names import Names

Verdict = Literal["fault", "healthy", "cannot_tell"]
# How far a fault reaches: a line in the list of findings, work for somebody, or an interruption at once (and work).
Reach = Literal["line", "ticket", "alert"]


@dataclass(frozen=True, slots=True)
class Waste:
    """How much is wasted a day, in the unit of what is wasted."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One answer about one machine.

    Attributes
    ----------
    code : stable name of what was looked for, such as `EL-L16` or `water.night_flow`
    equipment, points : what it is about; points by their names within the equipment. A gateway goes by its own id
    verdict : fault, healthy, or cannot_tell (the summary then says why, and what would settle it)
    title : name of the machine, what, how bad; for a ticket's head
    summary : one sentence
    evidence : what was measured, what was expected, over which window; plain JSON values, names carry units
    since_us : since when, in the time of the data [µs]
    found_us : when it was found [µs]
    confidence : 0 to 1
    cost_per_day : in the site's currency; None where it costs nothing that can be told
    advice : first actions, in order
    source : what says so (a limit, a rule, a detector)
    standard : where the bound comes from
    subject : tells apart several causes of one code on one machine; empty where there is only one
    reach : what a fault becomes
    life_safety : patients depend on it; only for what reaches as far as an alert
    """

    code: str
    equipment: str
    points: tuple[str, ...]
    verdict: Verdict
    title: Names
    summary: Names
    evidence: Mapping[str, Any]
    since_us: int
    found_us: int
    confidence: float
    priority: Priority
    source: str
    standard: str
    advice: tuple[Names, ...] = ()
    cost_per_day: float | None = None
    waste: Waste | None = None
    subject: str = field(default="")
    reach: Reach = "ticket"
    life_safety: bool = False

    @property
    def cause(self) -> str:
        """Return what names the trouble, whoever finds it and how often: `equipment|code`, and the subject if any."""
        cause = f"{self.equipment}|{self.code}"
        return f"{cause}|{self.subject}" if self.subject else cause
