"""What every waste rule is: a name, a reason, a source, a unit, and a function from readings to findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from analytics.findings import Finding
from facility.names import Names
from facility.site import Site
from facility.store import TelemetryStore

DAY_US: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule looks at: the site, its readings, and the time up to which it judges. [µs]"""

    site: Site
    store: TelemetryStore
    now_us: int


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A kind of waste.

    Attributes
    ----------
    code : stable; the finding's code, and the heading in docs/rules.md
    reason : why it is waste, in one sentence
    source : standard or literature
    unit : what is wasted, a day
    run : returns one finding for each machine that it applies to: fault, healthy or cannot_tell
    """

    code: str
    name: Names
    reason: Names
    source: str
    unit: str
    run: Callable[[RuleContext], list[Finding]]
