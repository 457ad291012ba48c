"""Which departments pay for a pot, and each one's share: by whom the meter serves, and by the site's rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from analytics.energy.meter_tree import MeterTree
from analytics.energy.meter_use import MeterUse
from analytics.energy.metered_flow import Pot
from analytics.energy.reasons import Reason
from facility.allocation_rules import BASIS_NAMES, AllocationRules, Basis, Share
from facility.names import Names
from facility.site import Department, Equipment, Site

# What is tried in turn where no rule names a basis.
_USUAL: Final[tuple[Basis, ...]] = ("floor_area", "beds", "staff", "equal")


@dataclass(frozen=True, slots=True)
class Fractions:
    """
    How a pot is shared.

    Attributes
    ----------
    by : the basis taken; None where the pot is one department's own
    of : share of each department, together 1
    """

    by: Basis | None
    of: Mapping[str, float]


class DepartmentShares:
    """Shares in one period of one carrier. Departments, areas and beds that change inside of it count by their days."""

    def __init__(
        self,
        site: Site,
        tree: MeterTree,
        rules: AllocationRules,
        uses: Mapping[str, MeterUse],
        running_hours: Mapping[str, float],
        first: date,
        last: date,
    ) -> None:
        self._site = site
        self._tree = tree
        self._rules = rules
        self._uses = uses
        self._hours = running_hours
        self._stretches = _stretches(site, tree, rules, first, last)
        self._group_of = {p: g for g in tree.groups for p in g.parents}
        self._covered: dict[tuple[str, date], frozenset[str]] = {}
        self.problems: dict[str, Reason] = {}

    def of_pot(self, pot: Pot, own_use: Mapping[str, float] | None) -> Fractions | None:
        """
        Return how a meter's own pot is shared, or None if it belongs to the rest.

        `own_use` is what each department's own meters counted; None: not known yet, and what is shared by it is not
        asked for.
        """
        rule = next((self._rules.meters[n] for n in pot.nodes if n in self._rules.meters), None)
        parts: list[tuple[float, Fractions]] = []
        for weight, day in self._stretches:
            to = self._served(pot, rule, day)
            if not to:
                return None
            parts.append((weight, self._fractions(rule or Share(), to, day, own_use, "+".join(pot.nodes))))
        return _mean(parts)

    def of_rest(self, own_use: Mapping[str, float]) -> Fractions | None:
        """Return how the rest is shared, or None if the site has no departments."""
        rest = self._rules.rest
        to = rest.to or tuple(self._site.departments)
        if not to:
            return None
        return _mean([(w, self._fractions(rest, to, day, own_use, "rest")) for w, day in self._stretches])

    def waits_for_use(self, pot: Pot) -> bool:
        """Return True if a pot is shared as the departments' own meters counted."""
        return any(self._rules.meters[n].by == "use" for n in pot.nodes if n in self._rules.meters)

    def _served(self, pot: Pot, rule: Share | None, day: date) -> tuple[str, ...]:
        if rule is not None and rule.to:
            return rule.to
        served = tuple(dict.fromkeys(d for n in pot.nodes for d in self._site.equipment[n].serves.on(day)))
        if pot.leaf:
            return served or tuple(
                dict.fromkeys(d.id for n in pot.nodes for d in self._site.affected(n, day))
            )  # who hangs on a plant machine that serves nobody directly
        below = frozenset[str]().union(*(self._covered_below(n, day) for n in pot.nodes))
        return tuple(d for d in served if d not in below) or served

    def _covered_below(self, node: str, day: date) -> frozenset[str]:
        """Return the departments that have a meter of their own somewhere below."""
        known = self._covered.get((node, day))
        if known is not None:
            return known
        # Without recursion, since meters may hang in long chains.
        found: set[str] = set()
        queue, seen = [node], {node}
        while queue:
            group = self._group_of.get(queue.pop())
            for child in group.children if group else ():
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
                    if self._tree.nodes[child].passed:
                        found.update(self._tree.nodes[child].equipment.serves.on(day))
        self._covered[node, day] = frozenset(found)
        return self._covered[node, day]

    def _fractions(
        self, share: Share, to: Sequence[str], day: date, own_use: Mapping[str, float] | None, subject: str
    ) -> Fractions:
        if len(to) == 1 and share.by != "fixed":
            return Fractions(None, {to[0]: 1.0})
        if share.by is not None:
            weights = self._weights(share, to, day, own_use)
            total = math.fsum(weights.values())
            if total > 0:
                self._tell_of_absent(share.by, weights, subject)
                return Fractions(share.by, {d: w / total for d, w in weights.items() if w > 0})
            self._tell_of_nothing(share.by, subject)
        return self._usual(to, day)

    def _usual(self, to: Sequence[str], day: date) -> Fractions:
        for basis in _USUAL:
            weights = {d: _size(self._site.departments[d], basis, day) for d in to}
            if all(w > 0 for w in weights.values()):
                total = math.fsum(weights.values())
                return Fractions(basis, {d: w / total for d, w in weights.items()})
        raise AssertionError("equal parts always fit")

    def _weights(
        self, share: Share, to: Sequence[str], day: date, own_use: Mapping[str, float] | None
    ) -> dict[str, float]:
        if share.by == "fixed":
            return dict(share.shares)
        if share.by == "use":
            return {d: (own_use or {}).get(d, 0.0) for d in to}
        if share.by == "meters":
            amounts = {k: max(self._uses[k].amount, 0.0) for k in share.of if k in self._uses}
            return self._by_machines({k: a for k, a in amounts.items() if math.isfinite(a)}, to, day)
        if share.by == "running_hours":
            return self._by_machines({m: max(self._hours.get(m, 0.0), 0.0) for m in share.of}, to, day)
        return {d: _size(self._site.departments[d], share.by or "equal", day) for d in to}

    def _by_machines(self, amounts: Mapping[str, float], to: Sequence[str], day: date) -> dict[str, float]:
        """Give what each meter or machine stands for to those whom it serves, as far as they are asked for."""
        weights = dict.fromkeys(to, 0.0)
        for key, amount in amounts.items():
            item: Equipment = self._site.equipment[key.partition("/")[0]]
            served = item.serves.on(day) or tuple(d.id for d in self._site.affected(item.id, day))
            own = [d for d in served if d in weights]
            for department, part in self._usual(own, day).of.items() if own else ():
                weights[department] += amount * part
        return weights

    def _tell_of_absent(self, by: Basis, weights: Mapping[str, float], subject: str) -> None:
        absent = [d for d, w in weights.items() if w <= 0] if by in ("floor_area", "beds", "staff") else []
        if absent:
            names = ", ".join(absent)
            self.problems[f"{subject} {by}"] = Reason(
                "share-not-known",
                Names(
                    zh=f"{subject} {BASIS_NAMES[by].zh}分摊，但 {names} 未填写，未分得；请在 departments 中补充",
                    en=f"{subject} is shared {BASIS_NAMES[by].en}, but {names} has none and pays nothing of it; "
                    f"add it under departments, or leave it out of to.",
                ),
                blocking=False,
            )

    def _tell_of_nothing(self, by: Basis, subject: str) -> None:
        self.problems[f"{subject} {by}"] = Reason(
            "share-has-no-basis",
            Names(
                zh=f"{subject} 应{BASIS_NAMES[by].zh}分摊，但本期没有任何数值，改按建筑面积、床位、人数或平均分摊",
                en=f"{subject} should be shared {BASIS_NAMES[by].en}, but nothing is known of that in the period; "
                f"floor area, beds, staff or equal parts stand in for it.",
            ),
            blocking=False,
        )


def _size(department: Department, by: Basis, day: date) -> float:
    value: float | None = 1.0
    if by == "floor_area":
        value = department.floor_area_m2.on(day)
    elif by == "beds":
        value = department.beds.on(day)
    elif by == "staff":
        value = department.staff.on(day)
    return value if value is not None and value > 0 else 0.0


def _mean(parts: Sequence[tuple[float, Fractions]]) -> Fractions:
    if len(parts) == 1:
        return parts[0][1]
    of: dict[str, float] = {}
    for weight, fractions in parts:
        for department, share in fractions.of.items():
            of[department] = of.get(department, 0.0) + weight * share
    return Fractions(next((f.by for _, f in parts if f.by is not None), "fixed" if len(of) > 1 else None), of)


def _stretches(
    site: Site, tree: MeterTree, rules: AllocationRules, first: date, last: date
) -> list[tuple[float, date]]:
    """Return stretches of days in which nothing changes: their share of the period, and their first day."""
    machines = {*tree.nodes, *(m.partition("/")[0] for s in rules.meters.values() for m in s.of)}
    dated = [d for n in machines if n in site.equipment for d in site.equipment[n].serves.since]
    for department in site.departments.values():
        dated += [*department.floor_area_m2.since, *department.beds.since, *department.staff.since]
    begins = sorted({first, *(d for d in dated if first < d <= last)})
    ends = [*begins[1:], last + timedelta(days=1)]
    days = (last - first).days + 1
    return [((end - begin).days / days, begin) for begin, end in zip(begins, ends, strict=True)]
