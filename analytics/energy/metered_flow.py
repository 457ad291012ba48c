"""How much of what was supplied each meter accounts for, so that all of it adds up to what was bought.

What a meter counted less what the meters below it counted is its own: a pot that is shared out. Where the meters below
count more than what feeds them, the upper meter is believed, since the bill is above all of them, and those below are
taken down in proportion. Only a meter with gaps is not believed against them: it is taken up to what they counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.meter_tree import Counted, Group, MeterTree, Node, is_meter_by_trade
from analytics.energy.meter_use import MeterUse
from analytics.energy.reasons import Reason
from facility.metering import BookedRegister
from facility.names import Names
from facility.units import conversion

Floats = NDArray[np.float64]

# What is followed down the tree, side by side: amount [unit], its cost [currency], amount in dear hours [unit].
MEASURES: Final = ("use", "cost", "peak")

_WHOLE: Final = 0.001  # a meter with less of its time missing is believed
_WORTH_SAYING: Final = 0.005  # two meters of class 0.5 differ by so much
_NOTHING: Final = 1e-6  # [unit]; no register has so many decimals


@dataclass(frozen=True, slots=True, eq=False)
class Pot:
    """
    An amount to be shared out.

    Attributes
    ----------
    nodes : machines whose meters counted it; empty for what no meter below the supply counted
    values : (3,) float, by `MEASURES`
    leaf : True if no meter is below
    measured, estimated, missing : shares of the time
    """

    nodes: tuple[str, ...]
    values: Floats
    leaf: bool
    measured: float
    estimated: float
    missing: float


@dataclass(frozen=True, slots=True)
class Flow:
    """
    What came in, in pots.

    Attributes
    ----------
    bought, made : through the meters of supply or by the bill; by machines of the hospital [unit]
    """

    unit: str
    bought: float
    made: float
    pots: tuple[Pot, ...]
    problems: tuple[Reason, ...]


@dataclass(slots=True)
class _Amounts:
    """What each node took and gave, as far as its registers tell."""

    used: dict[str, Floats]
    passed: dict[str, Floats]
    grade: dict[str, tuple[float, float, float]]

    def raise_by(self, node: Node, amount: Floats) -> None:
        self.passed[node.id] = self.passed[node.id] + amount
        if node.passed == node.used:
            self.used[node.id] = self.used[node.id] + amount


def metered_flow(
    tree: MeterTree,
    registers: Mapping[str, BookedRegister],
    uses: Mapping[str, MeterUse],
    bought: float | None = None,
    unit: str | None = None,
) -> Flow:
    """
    Follow a carrier from where it comes in down to the last meters.

    Parameters
    ----------
    uses : what each register counted; one that is absent counted nothing that is known
    bought : what the bill says was bought; None: what the meters of supply counted [unit]
    unit : of the carrier; None: that of the first register

    Returns
    -------
    Flow whose pots add up to `bought + made`.
    """
    unit = unit or _unit(tree, registers)
    problems: list[Reason] = []
    values = _values(tree, registers, uses, unit, problems)
    amounts = _amounts(tree, uses, values)
    for group in reversed(tree.groups):
        # With a bill above it a meter of supply need not be believed against the meters below.
        supply = bought is not None and set(group.parents) <= set(tree.sources)
        _fill(group, tree, amounts, problems, always=supply)
    pots: list[Pot] = []
    made = _enter(tree, amounts, bought, pots, problems)
    total = math.fsum(float(amounts.used[s][0]) for s in _bought_by(tree)) if bought is None else bought
    feeding = {p for g in tree.groups for p in g.parents}
    for group in tree.groups:
        made += _pass_down(group, tree, amounts, pots)
    pots += [_leaf(tree.nodes[n], amounts.used[n], amounts) for n in _ends(tree, feeding)]
    # What a generator makes that feeds no meter is used by those whom it serves.
    pots += [
        _leaf(tree.nodes[s], amounts.passed[s], amounts)
        for s in tree.sources
        if tree.nodes[s].makes and s not in feeding
    ]
    return Flow(unit, total, made, tuple(p for p in pots if p.values[0] > _NOTHING), tuple(problems))


def _unit(tree: MeterTree, registers: Mapping[str, BookedRegister]) -> str:
    names = tree.sources or tuple(tree.nodes)
    return registers[tree.nodes[names[0]].registers[0]].unit if names else ""


def _bought_by(tree: MeterTree) -> list[str]:
    """Return the meters through which it is bought: those by trade. What a heat exchanger gives is made here."""
    return [s for s in tree.sources if tree.nodes[s].used and is_meter_by_trade(tree.nodes[s].equipment)]


def _ends(tree: MeterTree, feeding: set[str]) -> list[str]:
    """Return the nodes whose use is shared out itself: no meter is below, or what they give is not what they took."""
    counted = {c for g in tree.groups for c in g.children} | set(tree.sources)
    return [
        n
        for n, node in tree.nodes.items()
        if n in counted and node.used and (n not in feeding or node.used != node.passed)
    ]


def _values(
    tree: MeterTree,
    registers: Mapping[str, BookedRegister],
    uses: Mapping[str, MeterUse],
    unit: str,
    problems: list[Reason],
) -> dict[str, Floats]:
    """Return what is known of each register: (3,) by `MEASURES`, in one unit."""
    found: dict[str, Floats] = {}
    keys = [k for node in tree.nodes.values() for k in node.registers]
    for key in keys:
        use = uses.get(key)
        if use is None or not math.isfinite(use.amount):
            if key not in _loose_keys(tree):
                problems.append(_unknown(key))
            continue
        try:
            scale = conversion(registers[key].unit, unit)[0]
        except ValueError:
            problems.append(_wrong_unit(key, registers[key].unit, unit))
            continue
        amount = use.amount * scale
        found[key] = np.array([amount, use.cost, use.peak * scale]) if abs(amount) > _NOTHING else np.zeros(3)
    first = [k for s in tree.sources for k in tree.nodes[s].registers]
    for measure in (1, 2):
        # What is not known step by step is taken at the mean of what came in.
        mean = _ratio([found[k] for k in first if k in found], measure) or _ratio(list(found.values()), measure) or 1.0
        for value in found.values():
            if not math.isfinite(value[measure]):
                value[measure] = value[0] * mean
    return found


def _loose_keys(tree: MeterTree) -> set[str]:
    return {k for n in tree.loose for k in tree.nodes[n].registers}


def _ratio(values: Sequence[Floats], measure: int) -> float | None:
    known = [v for v in values if math.isfinite(v[measure])]
    amount = math.fsum(v[0] for v in known)
    return math.fsum(v[measure] for v in known) / amount if amount > 0 else None


def _amounts(tree: MeterTree, uses: Mapping[str, MeterUse], values: Mapping[str, Floats]) -> _Amounts:
    def add(counted: tuple[Counted, ...]) -> Floats:
        total = np.zeros(3)
        for c in counted:
            if c.key in values:
                total = total + c.sign * values[c.key]
        return total

    grade = {}
    for name, node in tree.nodes.items():
        known = [uses[k] for k in node.registers if k in values]
        n = max(len(known), 1)
        grade[name] = (
            (sum(u.measured for u in known) / n, sum(u.estimated for u in known) / n, sum(u.missing for u in known) / n)
            if known
            else (0.0, 0.0, 1.0)
        )
    return _Amounts(
        {n: add(node.used) for n, node in tree.nodes.items()},
        {n: add(node.passed) for n, node in tree.nodes.items()},
        grade,
    )


def _wanted(group: Group, amounts: _Amounts) -> tuple[Floats, Floats]:
    """Return what the children took, and what children gave back."""
    taken = [np.maximum(amounts.used[c], 0.0) for c in group.children]
    given = [np.maximum(-amounts.used[c], 0.0) for c in group.children]
    return np.sum(taken, axis=0), np.sum(given, axis=0)


def _fill(group: Group, tree: MeterTree, amounts: _Amounts, problems: list[Reason], *, always: bool) -> None:
    """Take a meter with gaps up to what the meters below it counted; a meter without too if `always`."""
    wanted, given = _wanted(group, amounts)
    short = wanted - given - np.sum([np.maximum(amounts.passed[p], 0.0) for p in group.parents], axis=0)
    holes = [p for p in group.parents if amounts.grade[p][2] > _WHOLE] or (list(group.parents) if always else [])
    if short[0] <= 0 or group.unmetered_sources:
        return
    if not holes:
        supply = float(wanted[0] - short[0])
        if short[0] > _WORTH_SAYING * supply:
            problems.append(
                _exceeds(
                    _called(tree, group.parents), float(short[0]), float(short[0]) / supply if supply > 0 else math.inf
                )
            )
        return
    for name in holes:
        amounts.passed[name] = np.maximum(amounts.passed[name], 0.0)
        amounts.raise_by(tree.nodes[name], np.maximum(short, 0.0) / len(holes))
        problems.append(_filled(_called(tree, [name]), amounts.grade[name][2], float(short[0]) / len(holes)))


def _enter(tree: MeterTree, amounts: _Amounts, bought: float | None, pots: list[Pot], problems: list[Reason]) -> float:
    """Bring the meters of supply to what was bought, and return what the hospital made itself."""
    sources = _bought_by(tree)
    for name in sources:
        amounts.used[name] = np.maximum(amounts.used[name], 0.0)
    counted = np.sum([amounts.used[s] for s in sources] or [np.zeros(3)], axis=0)
    if bought is not None and counted[0] > 0:
        scale = bought / counted[0]
        if abs(scale - 1.0) > _WORTH_SAYING:
            problems.append(_bill_differs(bought, float(counted[0])))
        down = min(1.0, scale)
        for name in sources:
            _scale(tree.nodes[name], amounts, np.full(3, down))
        if scale > 1.0:
            left = bought - counted[0]
            pots.append(_unmetered(np.array([left, *(counted[1:] / counted[0] * left)])))
    elif bought:
        pots.append(_unmetered(np.array([bought, bought, bought])))
    return math.fsum(max(float(amounts.passed[s][0]), 0.0) for s in tree.sources if s not in sources)


def _unmetered(values: Floats) -> Pot:
    return Pot((), values, leaf=False, measured=0.0, estimated=0.0, missing=1.0)


def _scale(node: Node, amounts: _Amounts, by: Floats) -> None:
    amounts.used[node.id] = np.maximum(amounts.used[node.id], 0.0) * by
    if node.passed == node.used:
        amounts.passed[node.id] = amounts.used[node.id]


def _pass_down(group: Group, tree: MeterTree, amounts: _Amounts, pots: list[Pot]) -> float:
    """Bring the children to what their parents gave, and return what came in beside them without a meter."""
    wanted, given = _wanted(group, amounts)
    supply = np.sum([np.maximum(amounts.passed[p], 0.0) for p in group.parents], axis=0) + given
    beside = 0.0
    if group.unmetered_sources:
        beside = max(float(wanted[0] - supply[0]), 0.0)
        supply = np.maximum(supply, wanted)
    scale = np.divide(supply, wanted, out=np.ones(len(MEASURES)), where=wanted > supply)
    for child in group.children:
        _scale(tree.nodes[child], amounts, scale)
    made = math.fsum(
        max(float(amounts.passed[c][0]), 0.0)
        for c in group.children
        if tree.nodes[c].passed and tree.nodes[c].passed != tree.nodes[c].used
    )
    left = np.maximum(supply - np.sum([amounts.used[c] for c in group.children], axis=0), 0.0)
    grades = np.mean([amounts.grade[p] for p in group.parents], axis=0)
    pots.append(Pot(group.parents, left, False, *(float(g) for g in grades)))
    return beside + float(given[0]) + made


def _leaf(node: Node, values: Floats, amounts: _Amounts) -> Pot:
    return Pot((node.id,), np.maximum(values, 0.0), True, *amounts.grade[node.id])


def _called(tree: MeterTree, nodes: Sequence[str]) -> Names:
    names = [tree.nodes[n].equipment.name for n in nodes]
    return Names(zh=" + ".join(n.zh for n in names), en=" + ".join(n.en for n in names))


def _unknown(key: str) -> Reason:
    return Reason(
        "meter-unknown",
        Names(
            zh=f"{key} 本期没有可用读数，按未计量处理",
            en=f"{key} has no reading in the period; what it would have counted goes as not metered.",
        ),
        blocking=False,
    )


def _wrong_unit(key: str, unit: str, wanted: str) -> Reason:
    return Reason(
        "unit-does-not-fit",
        Names(
            zh=f"{key} 的单位 {unit} 不能换算为 {wanted}，未计入；请在站点文件 register 中改正单位",
            en=f"{key} counts in {unit}, which does not convert to {wanted}, and is left out; mend its unit.",
        ),
    )


def _filled(name: Names, missing: float, by: float) -> Reason:
    return Reason(
        "raised-to-branches",
        Names(
            zh=f"{name.zh} 比下级表计之和少 {by:,.1f}，缺数时间 {missing:.1%}，按下级表计之和计",
            en=f"{name.en} counted {by:,.1f} less than its branches, {missing:.1%} of its time missing; it is raised.",
        ),
        value=missing,
        blocking=False,
    )


def _exceeds(name: Names, amount: float, by: float) -> Reason:
    return Reason(
        "branches-exceed-main",
        Names(
            zh=f"{name.zh} 的下级表计之和比上级多 {amount:,.1f}，已按上级等比例调减",
            en=f"The meters below {name.en} counted {amount:,.1f} more; they are taken down to it.",
        ),
        value=by if math.isfinite(by) else None,
        limit=_WORTH_SAYING,
        blocking=False,
    )


def _bill_differs(bought: float, counted: float) -> Reason:
    return Reason(
        "bill-differs-from-meter",
        Names(
            zh=f"账单用量 {bought:,.1f} 与总表读数 {counted:,.1f} 相差 {bought / counted - 1.0:+.1%}，以账单为准",
            en=f"The bill says {bought:,.1f}, the meters of supply counted {counted:,.1f} "
            f"({bought / counted - 1.0:+.1%}); the bill is taken.",
        ),
        value=bought / counted - 1.0,
        limit=_WORTH_SAYING,
        blocking=False,
    )
