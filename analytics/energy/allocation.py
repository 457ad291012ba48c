"""Who used what was bought, and what each pays: by department, to the last decimal and to the cent.

What a department's own meter counted is its own, less what meters below it counted for others. What a meter counted for
several is shared by the site's rule; what no meter counted, and losses, by the rule for the rest. Each line of the bill
is shared by what caused it: energy by what each department's use cost in the hours in which it was used, the basic
charge by the site's rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.energy.department_shares import DepartmentShares, Fractions
from analytics.energy.meter_tree import meter_tree
from analytics.energy.meter_use import MeterUse, decimals_of
from analytics.energy.metered_flow import MEASURES, Flow, Pot, metered_flow
from analytics.energy.reasons import Reason
from analytics.energy.rounding import scaled_to_whole, shared_out
from facility.allocation_rules import AllocationRules, Basis, ChargeBasis
from facility.equipment_classes import Carrier
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Site

# What one meter counted for one department alone; for several; what no meter below the supply counted, and losses.
Source = Literal["direct", "shared", "rest"]
SOURCES: Final[tuple[Source, ...]] = ("direct", "shared", "rest")


@dataclass(frozen=True, slots=True)
class Charge:
    """
    A part of a bill.

    Attributes
    ----------
    by : what it is shared by: what the use cost step by step, its amount, or its amount in dear hours
    """

    code: str
    cents: int
    by: ChargeBasis = "cost"


@dataclass(frozen=True, slots=True)
class Part:
    """
    What a department bears of one meter's use.

    Attributes
    ----------
    meters : machines whose meters counted it; empty for the rest
    by : how it was shared; None: it is the department's own
    share : of what the meter counted beyond the meters below it
    amount : in the carrier's unit
    """

    source: Source
    meters: tuple[str, ...]
    by: Basis | None
    share: float
    amount: float


@dataclass(frozen=True, slots=True)
class AllocationRow:
    """
    What a department bears.

    Attributes
    ----------
    department : None for what no department bears
    direct, shared, rest : parts of `amount`
    cents : of the bill, and what of each charge
    measured, estimated, missing : shares of the amount: by meters, estimated, counted by no meter
    """

    department: str | None
    cost_centre: str | None
    direct: float
    shared: float
    rest: float
    amount: float
    cents: int
    charges: Mapping[str, int]
    measured: float
    estimated: float
    missing: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """
    What was bought or made in a period, and who bears it. Amounts and cents of the rows add up to the totals exactly.

    Attributes
    ----------
    decimals : with which the amounts add up
    bought, made : in `unit`; `amount` is both
    """

    carrier: Carrier
    first: date
    last: date
    unit: str
    decimals: int
    bought: float
    made: float
    amount: float
    total_cents: int
    rows: tuple[AllocationRow, ...]
    problems: tuple[Reason, ...]

    def by_cost_centre(self) -> dict[str | None, tuple[float, int]]:
        """Return amount and cents of each cost centre; None for what has none."""
        found: dict[str | None, tuple[float, int]] = {}
        for row in self.rows:
            amount, cents = found.get(row.cost_centre, (0.0, 0))
            found[row.cost_centre] = (round(amount + row.amount, self.decimals), cents + row.cents)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the allocation as plain values."""
        return {
            "carrier": self.carrier,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "unit": self.unit,
            "decimals": self.decimals,
            "bought": self.bought,
            "made": self.made,
            "amount": self.amount,
            "total_cents": self.total_cents,
            "cost_centres": [
                {"cost_centre": centre, "amount": amount, "cents": cents}
                for centre, (amount, cents) in self.by_cost_centre().items()
            ],
            "rows": [
                {
                    "department": r.department,
                    "cost_centre": r.cost_centre,
                    "direct": r.direct,
                    "shared": r.shared,
                    "rest": r.rest,
                    "amount": r.amount,
                    "cents": r.cents,
                    "charges": dict(r.charges),
                    "measured": round(r.measured, 4),
                    "estimated": round(r.estimated, 4),
                    "missing": round(r.missing, 4),
                    "parts": [
                        {
                            "source": p.source,
                            "meters": list(p.meters),
                            "by": p.by,
                            "share": round(p.share, 6),
                            "amount": p.amount,
                        }
                        for p in r.parts
                    ],
                }
                for r in self.rows
            ],
            "problems": [p.as_json() for p in self.problems],
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """A pot's part that one department bears."""

    department: str | None
    source: Source
    by: Basis | None
    share: float
    pot: Pot

    @property
    def values(self) -> NDArray[np.float64]:
        return self.pot.values * self.share


def rules_on(site: Site, carrier: Carrier, first: date) -> AllocationRules:
    """Return the rules that hold for a carrier in a month: the usual ones where none are stated, or none yet."""
    dated = site.allocation.get(carrier)
    return dated.on(first) if dated is not None and dated.since[0] <= first else AllocationRules()


def allocate(
    site: Site,
    registers: Mapping[str, BookedRegister],
    carrier: Carrier,
    first: date,
    last: date,
    uses: Mapping[str, MeterUse],
    charges: Sequence[Charge] = (),
    bought: float | None = None,
    unit: str | None = None,
    running_hours: Mapping[str, float] | None = None,
) -> Allocation:
    """
    Share out a carrier and its bill among the departments.

    Parameters
    ----------
    first, last : days of the period, as a rule a month; the rules are those of the first day
    uses : by register, of this carrier and of those that a rule shares by
    charges : the bill's parts; none if nothing is billed
    bought : what the bill says; None: what the meters of supply counted [unit]
    unit : of the carrier; None: that of its first register
    running_hours : by machine, for rules that share by them [h]

    Returns
    -------
    Allocation whose rows add up to `bought + made` and to the charges exactly. What nobody bears stands in a row
    without a department.

    Raises
    ------
    ValueError
        If the period is empty, the bill's amount is below zero, or two charges have one code.
    """
    if last < first:
        raise ValueError(f"the period ends on {last}, before it begins on {first}")
    if bought is not None and not (math.isfinite(bought) and bought >= 0):
        raise ValueError(f"bought is {bought}; give an amount of zero or more, or None if no bill says it")
    if len({c.code for c in charges}) < len(charges):
        raise ValueError(f"two charges have one code: {', '.join(c.code for c in charges)}")
    rules = rules_on(site, carrier, first)
    tree = meter_tree(site, registers, carrier, (first, last))
    flow = metered_flow(tree, registers, uses, bought, unit)
    shares = DepartmentShares(site, tree, rules, uses, running_hours or {}, first, last)
    cells = _cells(flow.pots, shares)
    decimals = decimals_of(flow.unit)
    total = scaled_to_whole(flow.bought, decimals) + scaled_to_whole(flow.made, decimals)
    problems = [*tree.problems, *flow.problems, *shares.problems.values()]
    if total and not cells:
        cells = [_Cell(None, "rest", None, 1.0, Pot((), np.ones(len(MEASURES)), False, 0.0, 0.0, 1.0))]
    values = np.array([c.values for c in cells]).reshape(len(cells), len(MEASURES))
    whole = shared_out(total, values[:, 0]) if total else np.zeros(len(cells), dtype=np.int64)
    keys = _order(site, cells)
    if not keys and any(c.cents for c in charges):
        # A bill without any use, such as a standing charge of a month that nobody was there.
        keys, problems = _bearers(shares, problems)
    place = {key: i for i, key in enumerate(keys)}
    own: list[list[tuple[_Cell, int]]] = [[] for _ in keys]
    weights = np.zeros((len(keys), len(MEASURES)))
    for cell, part, value in zip(cells, whole, values, strict=True):
        own[place[cell.department]].append((cell, int(part)))
        weights[place[cell.department]] += value
    split = {c.code: _split(c, keys, weights, shares) for c in charges}
    rows = tuple(
        _row(site, key, own[i], decimals, {code: int(parts[i]) for code, parts in split.items()})
        for i, key in enumerate(keys)
    )
    return Allocation(
        carrier,
        first,
        last,
        flow.unit,
        decimals,
        _round(scaled_to_whole(flow.bought, decimals), decimals),
        _round(scaled_to_whole(flow.made, decimals), decimals),
        _round(total, decimals),
        sum(c.cents for c in charges),
        rows,
        tuple(problems) + tuple(_nobody(rows, flow)),
    )


def _round(whole: int, decimals: int) -> float:
    return whole / float(10**decimals)


def _cells(pots: Iterable[Pot], shares: DepartmentShares) -> list[_Cell]:
    cells: list[_Cell] = []
    rest: list[Pot] = []
    late: list[Pot] = []
    for pot in pots:
        if not pot.nodes:
            rest.append(pot)
        elif shares.waits_for_use(pot):
            late.append(pot)
        else:
            _spread(pot, shares.of_pot(pot, None), cells, rest)
    for pot in late:
        _spread(pot, shares.of_pot(pot, _own_use(cells)), cells, rest)
    if rest:
        fractions = shares.of_rest(_own_use(cells))
        for pot in rest:
            for department, share in fractions.of.items() if fractions else ((None, 1.0),):
                cells.append(_Cell(department, "rest", fractions.by if fractions else None, share, pot))
    return cells


def _spread(pot: Pot, fractions: Fractions | None, cells: list[_Cell], rest: list[Pot]) -> None:
    if fractions is None:
        rest.append(pot)
        return
    source: Source = "direct" if len(fractions.of) == 1 else "shared"
    cells += [_Cell(d, source, fractions.by, share, pot) for d, share in fractions.of.items()]


def _own_use(cells: Iterable[_Cell]) -> dict[str, float]:
    found: dict[str, float] = {}
    for cell in cells:
        if cell.department is not None:
            found[cell.department] = found.get(cell.department, 0.0) + float(cell.values[0])
    return found


def _order(site: Site, cells: Sequence[_Cell]) -> list[str | None]:
    named = {c.department for c in cells}
    return [*(d for d in site.departments if d in named), *([None] if None in named else [])]


def _bearers(shares: DepartmentShares, problems: list[Reason]) -> tuple[list[str | None], list[Reason]]:
    fractions = shares.of_rest({})
    note = Reason(
        "bill-without-use",
        Names(
            zh="账单有金额但本期没有用量，按余量规则分摊",
            en="There is a bill, but no use is known; it is shared as the rest is.",
        ),
        blocking=False,
    )
    return (list(fractions.of) if fractions else [None]), [*problems, note]


def _split(
    charge: Charge, keys: Sequence[str | None], weights: NDArray[np.float64], shares: DepartmentShares
) -> NDArray[np.int64]:
    """Share out one charge among the rows, to the cent, by (rows, measures) of their use."""
    for measure in (MEASURES.index(charge.by), 0):
        if weights[:, measure].sum() > 0:
            return shared_out(charge.cents, weights[:, measure])
    fractions = shares.of_rest({})
    rest = np.array([fractions.of.get(k or "", 0.0) if fractions else 1.0 for k in keys])
    return shared_out(charge.cents, rest if rest.sum() > 0 else np.ones(len(keys)))


def _row(
    site: Site, key: str | None, own: Sequence[tuple[_Cell, int]], decimals: int, charges: Mapping[str, int]
) -> AllocationRow:
    by_source = {s: sum(w for c, w in own if c.source == s) for s in SOURCES}
    total = sum(by_source.values())
    department = site.departments[key] if key is not None else None

    def graded(name: Literal["measured", "estimated", "missing"]) -> float:
        if total <= 0:
            return 0.0
        return math.fsum(w * getattr(c.pot, name) for c, w in own) / total

    return AllocationRow(
        department=key,
        cost_centre=department.cost_centre if department else None,
        direct=_round(by_source["direct"], decimals),
        shared=_round(by_source["shared"], decimals),
        rest=_round(by_source["rest"], decimals),
        amount=_round(total, decimals),
        cents=sum(charges.values()),
        charges=charges,
        measured=graded("measured"),
        estimated=graded("estimated"),
        missing=graded("missing"),
        parts=tuple(Part(c.source, c.pot.nodes, c.by, c.share, _round(w, decimals)) for c, w in own if w),
    )


def _nobody(rows: Sequence[AllocationRow], flow: Flow) -> list[Reason]:
    left = next((r for r in rows if r.department is None), None)
    if left is None:
        return []
    return [
        Reason(
            "unallocated",
            Names(
                zh=f"{left.amount:,.1f} {flow.unit} 没有部门承担；请在站点文件中添加 departments",
                en=f"{left.amount:,.1f} {flow.unit} is borne by nobody; add departments to the site file.",
            ),
            value=left.amount,
        )
    ]
