"""What a balance says: its rows, their figures, what may be lost, and how it is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from analytics.energy.reasons import Reason
from analytics.energy.suspects import Suspect
from facility.equipment_classes import Carrier
from facility.names import Names

# balanced: within losses and accuracy; unmetered: more goes in, to users known to have no meter; loss: more goes in
# than losses explain; gain: the branches count more than what feeds them; cannot_tell: too little is known.
Finding = Literal["balanced", "unmetered", "loss", "gain", "cannot_tell"]


@dataclass(frozen=True, slots=True)
class BalanceParameters:
    """
    What may be lost and misread.

    Attributes
    ----------
    loss : by carrier, share that cables and pipes may lose, of a network in order; of steam with what the deaerator
        takes and what condenses in the lines. Typical practice
    error : by carrier, accuracy of a meter in use: class 1 (GB/T 17215.321) on transformers of class 0.5, class 2
        (OIML R 49), class 1.5 (OIML R 137), class 3 (OIML R 75), 3 % for vortex meters of steam and oxygen
    transformer_loss : of a transformer whose rating says nothing, typical of dry-type units at usual load
    power_factor : at which a transformer's load follows from its energy
    load_shape : mean square over square of the mean of a hospital's load
    """

    loss: Mapping[str, float] = field(
        default_factory=lambda: {
            "electricity": 0.03, "water": 0.05, "gas": 0.01, "heat": 0.05, "steam": 0.15, "oxygen": 0.03,
        }
    )  # fmt: skip
    error: Mapping[str, float] = field(
        default_factory=lambda: {
            "electricity": 0.015, "water": 0.02, "gas": 0.015, "heat": 0.03, "steam": 0.03, "oxygen": 0.03,
        }
    )  # fmt: skip
    transformer_loss: float = 0.02
    power_factor: float = 0.95
    load_shape: float = 1.1


@dataclass(frozen=True, slots=True)
class BalanceMeter:
    """What one machine's meters counted on the days compared, and how good its whole period is."""

    node: str
    amount: float
    measured: float
    estimated: float
    missing: float


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """
    One part of the supply.

    Attributes
    ----------
    parents, children : meters that feed, and those next below
    fed, used, loss : [unit]; `loss` is `fed - used` in the figures themselves
    loss_share : of what was fed; NaN where nothing was
    expected_low, expected_high : between which the loss lies if all is well [unit]
    days, days_known : of the period, and those compared
    unmetered : departments that are served and have no meter below
    unmetered_machines : machines that hang on the parents and have no meter, of electricity
    absent : machines among the children of which nothing is known
    suspect : the meter most likely at fault
    words : the finding for a person
    """

    parents: tuple[BalanceMeter, ...]
    children: tuple[BalanceMeter, ...]
    fed: float
    used: float
    loss: float
    loss_share: float
    expected_low: float
    expected_high: float
    finding: Finding
    days: int
    days_known: int
    unmetered: tuple[str, ...]
    unmetered_machines: tuple[str, ...]
    absent: tuple[str, ...]
    suspect: Suspect | None
    suspect_since: date | None
    words: Names

    @property
    def id(self) -> str:
        """Return a name that stays as long as the parents do."""
        return "+".join(p.node for p in self.parents)


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of one carrier over a period: a row for each part of its supply, top down."""

    carrier: Carrier
    first: date
    last: date
    unit: str
    decimals: int
    sources: tuple[str, ...]
    rows: tuple[BalanceRow, ...]
    problems: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the balance as plain values."""
        return {
            "carrier": self.carrier,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "unit": self.unit,
            "decimals": self.decimals,
            "sources": list(self.sources),
            "rows": [_row_json(r) for r in self.rows],
            "problems": [p.as_json() for p in self.problems],
        }


def _row_json(row: BalanceRow) -> dict[str, Any]:
    suspect = row.suspect
    return {
        "id": row.id,
        "parents": [_meter_json(m) for m in row.parents],
        "children": [_meter_json(m) for m in row.children],
        "fed": row.fed,
        "used": row.used,
        "loss": row.loss,
        "loss_share": row.loss_share if math.isfinite(row.loss_share) else None,
        "expected_low": row.expected_low,
        "expected_high": row.expected_high,
        "finding": row.finding,
        "days": row.days,
        "days_known": row.days_known,
        "unmetered": list(row.unmetered),
        "unmetered_machines": list(row.unmetered_machines),
        "absent": list(row.absent),
        "words": {"zh": row.words.zh, "en": row.words.en},
        "suspect": None
        if suspect is None
        else {
            "node": suspect.node,
            "cause": suspect.cause,
            "factor": round(suspect.factor, 4),
            "since": row.suspect_since.isoformat() if row.suspect_since else None,
            "confidence": round(suspect.confidence, 2),
            "words": {"zh": suspect.words.zh, "en": suspect.words.en},
        },
    }


def _meter_json(meter: BalanceMeter) -> dict[str, Any]:
    return {
        "node": meter.node,
        "amount": meter.amount,
        "measured": round(meter.measured, 4),
        "estimated": round(meter.estimated, 4),
        "missing": round(meter.missing, 4),
    }


def finding_words(finding: Finding, lacking: Sequence[Names]) -> Names:
    """Return a finding as a sentence; `lacking` are departments and machines that no meter below counts."""
    zh, en = "、".join(n.zh for n in lacking), ", ".join(n.en for n in lacking)
    return {
        "balanced": Names(zh="平衡：差额在损耗与表计精度之内。", en="Balanced: within losses and accuracy."),
        "unmetered": Names(
            zh=f"上级多出的部分流向未计量的用户：{zh}。",
            en=f"More went in than the meters below counted; no meter below counts {en}.",
        ),
        "loss": Names(
            zh="损失超出允许值：漏损、未计量用户或表计误差。",
            en="More is lost than losses explain: a leak, a user without a meter, or a wrong meter.",
        ),
        "gain": Names(
            zh="下级表计之和大于上级，必有表计或供应关系有误。",
            en="The branches count more than what feeds them: a meter, or the supply as written down, is wrong.",
        ),
        "cannot_tell": Names(zh="无法判断。", en="It cannot be told."),
    }[finding]
