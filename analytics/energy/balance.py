"""Main against branches: what went into each part of the supply, what the meters below account for, and what is lost.

The figures of a row are those of the days on which all its meters are known, so that a gap in one meter is not taken
for a loss. They are rounded once, and the loss is the difference of what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.balance_figures import (
    Balance,
    BalanceMeter,
    BalanceParameters,
    BalanceRow,
    Finding,
    finding_words,
)
from analytics.energy.intervals import Totals
from analytics.energy.meter_tree import Counted, Group, MeterTree, meter_tree
from analytics.energy.meter_use import decimals_of
from analytics.energy.reasons import Reason
from analytics.energy.rounding import scaled_to_whole
from analytics.energy.suspects import GroupDays, Suspect, find_suspect
from facility.equipment_classes import Carrier
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Site
from facility.units import conversion

Floats = NDArray[np.float64]

_KNOWN_DAY: Final = 0.001  # a day with less of it missing counts as known
_HARDLY_USES: Final = frozenset({"capacitor_bank"})  # electricity that is worth a meter


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    """What a node took and gave on each day, NaN where it is not known; and its grade over the period."""

    used: Floats
    passed: Floats
    grade: tuple[float, float, float]


def balance(
    site: Site,
    registers: Mapping[str, BookedRegister],
    carrier: Carrier,
    first: date,
    totals: Mapping[str, Totals],
    parameters: BalanceParameters | None = None,
    unit: str | None = None,
) -> Balance:
    """
    Balance a carrier's meters over consecutive days.

    Parameters
    ----------
    first : the first day
    totals : by register, its days: all of the same edges. Virtual meters are left out
    unit : of the carrier; None: that of the first register of its supply

    Returns
    -------
    Balance. A part of the supply of which too little is known is a row that says so; what is wrong with the tree of
    meters, such as a circle, is told in `problems`, and what can be balanced is.

    Raises
    ------
    ValueError
        If the registers' days differ.
    """
    edges = next(iter(totals.values())).edges_us if totals else np.zeros(1, dtype=np.int64)
    for key, total in totals.items():
        if not np.array_equal(total.edges_us, edges):
            raise ValueError(f"the days of {key} are not those of {next(iter(totals))}; sum both over the same days")
    days = edges.size - 1
    last = first + timedelta(days=max(days - 1, 0))
    tree = meter_tree(site, registers, carrier, (first, last))
    names = tree.sources or tuple(tree.nodes)
    unit = unit or (registers[tree.nodes[names[0]].registers[0]].unit if names else "")
    problems = list(tree.problems)
    known = {n: _days_of(tree, n, registers, totals, unit, days, problems) for n in tree.nodes}
    below = {p: g.children for g in tree.groups for p in g.parents}
    settings = parameters or BalanceParameters()
    maker = _Rows(site, tree, known, settings, first, decimals_of(unit), np.diff(edges), below)
    rows = tuple(maker.row(g) for g in tree.groups)
    return Balance(carrier, first, last, unit, decimals_of(unit), tree.sources, rows, tuple(problems))


def _days_of(
    tree: MeterTree,
    name: str,
    registers: Mapping[str, BookedRegister],
    totals: Mapping[str, Totals],
    unit: str,
    days: int,
    problems: list[Reason],
) -> _Days:
    node = tree.nodes[name]
    values: dict[str, Floats] = {}
    for key in node.registers:
        total = totals.get(key)
        if total is None or not bool(np.any(np.isfinite(total.amount))):
            continue
        try:
            scale = conversion(registers[key].unit, unit)[0]
        except ValueError:
            problems.append(_wrong_unit(key, registers[key].unit, unit))
            continue
        values[key] = np.where(total.missing <= _KNOWN_DAY, total.amount * scale, np.nan)

    def add(counted: Iterable[Counted]) -> Floats:
        terms = list(counted)
        # A register of what flows back that never came counts as none: many meters are read one way only.
        here = [c for c in terms if c.key in values]
        if not any(c.sign > 0 for c in here):
            return np.full(days, np.nan)
        return np.asarray(np.sum([c.sign * values[c.key] for c in here], axis=0), dtype=np.float64)

    graded = [totals[k] for k in values]
    n = max(len(graded) * days, 1)
    grade = (
        tuple(float(sum(getattr(t, g).sum() for t in graded)) / n for g in ("measured", "estimated", "missing"))
        if graded
        else (0.0, 0.0, 1.0)
    )
    return _Days(add(node.used), add(node.passed), (grade[0], grade[1], grade[2]))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Makes the rows of one tree."""

    site: Site
    tree: MeterTree
    known: Mapping[str, _Days]
    parameters: BalanceParameters
    first: date
    decimals: int
    lengths_us: NDArray[np.int64]
    children_of: Mapping[str, tuple[str, ...]]

    def row(self, group: Group) -> BalanceRow:
        absent = tuple(c for c in group.children if not np.any(np.isfinite(self.known[c].used)))
        children = tuple(c for c in group.children if c not in absent)
        compared = self._compared(group.parents, children)
        parents_shown = [self._meter(p, self.known[p].passed, compared) for p in group.parents]
        children_shown = [self._meter(c, self.known[c].used, compared) for c in children]
        fed = sum(scaled_to_whole(m.amount, self.decimals) for m in parents_shown)
        used = sum(scaled_to_whole(m.amount, self.decimals) for m in children_shown)
        scale = float(10**self.decimals)
        low, high = self._expected(group.parents, children, compared)
        unmetered, machines = self._unmetered(group), self._unmetered_machines(group)
        lacking = [self.site.departments[d].name for d in unmetered]
        lacking += [self.site.equipment[m].name for m in (*machines, *absent)]
        finding = self._finding(fed / scale, (fed - used) / scale, low, high, compared, bool(lacking), group)
        suspect, since, words = self._explained(group, finding, compared, lacking, absent)
        return BalanceRow(
            parents=tuple(parents_shown),
            children=tuple(children_shown),
            fed=fed / scale,
            used=used / scale,
            loss=(fed - used) / scale,
            loss_share=(fed - used) / fed if fed else math.nan,
            expected_low=round(low, self.decimals),
            expected_high=round(high, self.decimals),
            finding=finding,
            days=self.lengths_us.size,
            days_known=int(np.count_nonzero(compared)),
            unmetered=unmetered,
            unmetered_machines=machines,
            absent=absent,
            suspect=suspect,
            suspect_since=since,
            words=words,
        )

    def _compared(self, parents: Sequence[str], children: Sequence[str]) -> NDArray[np.bool_]:
        """Return the days on which all meters are known; none if there is nothing on one side."""
        if not parents or not children:
            return np.zeros(self.lengths_us.size, dtype=np.bool_)
        arrays = [self.known[p].passed for p in parents] + [self.known[c].used for c in children]
        return np.asarray(np.all([np.isfinite(a) for a in arrays], axis=0), dtype=np.bool_)

    def _meter(self, node: str, values: Floats, compared: NDArray[np.bool_]) -> BalanceMeter:
        amount = scaled_to_whole(float(values[compared].sum()), self.decimals) / float(10**self.decimals)
        return BalanceMeter(node, amount, *self.known[node].grade)

    def _transformer_loss(self, children: Sequence[str]) -> Floats:
        """Return what transformers between the parents and their own meters lose each day. [kWh]"""
        total = np.zeros(self.lengths_us.size)
        if self.tree.carrier != "electricity":
            return total
        hours = self.lengths_us / 3.6e9
        for name in children:
            item = self.tree.nodes[name].equipment
            if item.cls.id != "dry_type_transformer":
                continue
            used = np.maximum(self.known[name].used, 0.0)
            rating = item.rating
            if {"power", "no_load_loss", "load_loss"} <= rating.keys() and rating["power"] > 0:
                load = used / (hours * rating["power"] * self.parameters.power_factor)
                total += hours * (rating["no_load_loss"] + rating["load_loss"] * load**2 * self.parameters.load_shape)
            else:
                total += used * self.parameters.transformer_loss
        return total

    def _expected(
        self, parents: Sequence[str], children: Sequence[str], compared: NDArray[np.bool_]
    ) -> tuple[float, float]:
        sums = [float(self.known[p].passed[compared].sum()) for p in parents]
        sums += [float(self.known[c].used[compared].sum()) for c in children]
        # Over many days a meter's own error stays; it does not average out as noise would.
        accuracy = self.parameters.error.get(self.tree.carrier, 0.02) * math.sqrt(math.fsum(s * s for s in sums))
        transformers = float(self._transformer_loss(children)[compared].sum()) if children else 0.0
        fed = math.fsum(sums[: len(parents)])
        lost = self.parameters.loss.get(self.tree.carrier, 0.05) * max(fed, 0.0)
        # A transformer's losses are known to about a quarter, since its load within the day is not.
        return 0.75 * transformers - accuracy, 1.25 * transformers + lost + accuracy

    def _unmetered(self, group: Group) -> tuple[str, ...]:
        """Return departments that the parents serve and that have no meter below; a machine of theirs is none."""
        below: set[str] = set()
        queue = list(group.children)
        seen = set(queue)
        while queue:
            node = self.tree.nodes[queue.pop()]
            if node.passed:
                below.update(node.equipment.serves.on(self.first))
            for child in self.children_of.get(node.id, ()):
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
        served = [d for p in group.parents for d in self.tree.nodes[p].equipment.serves.on(self.first)]
        return tuple(dict.fromkeys(d for d in served if d not in below))

    def _unmetered_machines(self, group: Group) -> tuple[str, ...]:
        """Return machines that hang on the parents, with no meter of their own, above or below."""
        if self.tree.carrier != "electricity":
            return ()  # what hangs on a pipe may be there to watch it, and takes nothing
        found: dict[str, None] = {}
        queue, seen = list(group.parents), set(group.parents)
        while queue:
            for name in self.site.feeds(queue.pop()):
                if name in seen or name in self.tree.nodes:
                    continue
                seen.add(name)
                queue.append(name)
                metered = any(d in self.tree.nodes for d in self.site.downstream(name))
                if not metered and self.site.equipment[name].cls.id not in _HARDLY_USES:
                    found[name] = None
        return tuple(found)

    def _finding(
        self,
        fed: float,
        loss: float,
        low: float,
        high: float,
        compared: NDArray[np.bool_],
        unmetered: bool,
        group: Group,
    ) -> Finding:
        if not compared.any():
            return "cannot_tell"
        if loss < low and not group.unmetered_sources:
            return "gain"
        if loss > high:
            return "unmetered" if unmetered else "loss"
        return "balanced"

    def _explained(
        self,
        group: Group,
        finding: Finding,
        compared: NDArray[np.bool_],
        lacking: Sequence[Names],
        absent: Sequence[str],
    ) -> tuple[Suspect | None, date | None, Names]:
        if finding == "cannot_tell":
            return None, None, self._why_not(group, absent)
        stands_still = any(self._stood_still(n, compared) for n in (*group.parents, *group.children))
        if finding not in ("loss", "gain") and not stands_still:
            return None, None, finding_words(finding, lacking)
        around = [g for g in self.tree.groups if g is not group and _meet(g, group)]
        ready = [(g, self._compared(g.parents, g.children)) for g in around]
        # Only a neighbour that is known on nearly all of the days can tell something about them.
        ready = [(g, c) for g, c in ready if np.count_nonzero(c & compared) >= 0.8 * np.count_nonzero(compared)]
        days = np.logical_and.reduce([compared, *(c for _, c in ready)])
        present = [c for c in group.children if c not in absent]
        head = self._case(group, days, present)
        through = {n: self._through(n)[days] for n in (*group.parents, *present)}
        verdict = find_suspect(head, [self._case(g, days, g.children) for g, _ in ready], through, self._names(through))
        first = finding_words(finding, lacking)
        if finding not in ("loss", "gain") and (verdict.suspect is None or verdict.suspect.cause != "stopped"):
            return None, None, first  # a machine that was off; where users have no meter, changes are theirs
        since = None
        if verdict.suspect is not None:
            since = self.first + timedelta(days=int(np.flatnonzero(days)[verdict.suspect.since]))
        words = Names(zh=f"{first.zh} {verdict.words.zh}", en=f"{first.en} {verdict.words.en}")
        return verdict.suspect, since, words

    def _stood_still(self, node: str, compared: NDArray[np.bool_]) -> bool:
        counted = self._through(node)[compared]
        return bool(np.any(counted <= 0)) and bool(np.any(counted > 0))

    def _through(self, node: str) -> Floats:
        days = self.known[node]
        return days.passed if self.tree.nodes[node].makes else days.used

    def _case(self, group: Group, days: NDArray[np.bool_], children: Sequence[str]) -> GroupDays:
        fed = np.sum([self.known[p].passed[days] for p in group.parents], axis=0)
        used = np.sum([self.known[c].used[days] for c in children], axis=0)
        lost = self._transformer_loss(children)[days] + 0.5 * self.parameters.loss.get(self.tree.carrier, 0.05) * fed
        unmetered = bool(self._unmetered(group) or self._unmetered_machines(group))
        opened = unmetered or len(children) < len(group.children) or bool(group.unmetered_sources)
        kept = Group(group.parents, tuple(children), group.unmetered_sources)
        counted = [self.known[p].passed[days] for p in group.parents] + [self.known[c].used[days] for c in children]
        return GroupDays(
            group=kept,
            excess=fed - used - lost,
            fed=fed,
            counted=np.array(counted),
            error=self.parameters.error.get(self.tree.carrier, 0.02),
            # As if any loss up to the allowed one were as likely as any other.
            loss=self.parameters.loss.get(self.tree.carrier, 0.05) / math.sqrt(12.0),
            open=opened,
        )

    def _names(self, nodes: Iterable[str]) -> dict[str, Names]:
        return {n: self.tree.nodes[n].equipment.name for n in nodes}

    def _why_not(self, group: Group, absent: Sequence[str]) -> Names:
        unknown = [p for p in group.parents if not np.any(np.isfinite(self.known[p].passed))] + list(absent)
        if unknown:
            called = self._names(unknown).values()
            zh, en = "、".join(n.zh for n in called), ", ".join(n.en for n in called)
            return Names(
                zh=f"无法判断：{zh} 本期没有完整的日数据",
                en=f"It cannot be told: nothing is known of {en} on any whole day.",
            )
        return Names(
            zh="无法判断：没有一天各表数据都齐全",
            en="It cannot be told: there is no day on which all meters are known.",
        )


def _meet(one: Group, other: Group) -> bool:
    return not {*one.parents, *one.children}.isdisjoint((*other.parents, *other.children))


def _wrong_unit(key: str, unit: str, wanted: str) -> Reason:
    return Reason(
        "unit-does-not-fit",
        Names(
            zh=f"{key} 的单位 {unit} 不能换算为 {wanted}，未计入；请在站点文件 register 中改正单位",
            en=f"{key} counts in {unit}, which does not convert to {wanted}, and is left out; mend its unit.",
        ),
    )
