"""Which meter is most likely at fault where a balance does not close.

A meter that counts k times what flows through it throws two balances off: where it stands among the branches, what it
counts beyond the truth is lacking there, and where it is the main, it is in excess. Each meter of the balance is tried
as the only one at fault, for the whole period or from a day on, or as having stopped; a true loss is tried as well.
Days differ in how much went through which meter, so the course of the error over the days tells the meters apart. The
better an explanation fits all balances that it touches, the likelier it is; explanations that fit alike share the
likelihood, and then the answer is that it cannot be told.

References
----------
For the choice among explanations by their fit: G. Schwarz, Estimating the dimension of a model, Annals of Statistics 6
(1978), 461-464.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.energy.meter_tree import Group
from facility.names import Names

Floats = NDArray[np.float64]

Cause = Literal["factor", "reversed", "stopped"]

_FEWEST_DAYS: Final = 7
_FEWEST_BEFORE: Final = 3  # days on either side of a change
_LEAST_EXPLAINED: Final = 0.6
_LEAST_CONFIDENCE: Final = 0.6
_MOST_CONFIDENCE: Final = 0.95
_DAYS_ALIKE: Final = 5.0  # days that follow each other err alike; so many count as one
_BEST_FIT: Final = 0.3  # mean square in units of what accuracy explains; better is chance
_STANDSTILL: Final = 8.0
_STEADY: Final = 0.6  # part of a meter's accuracy by which it is off every day alike
_DAILY: Final = (0.1, 0.2, 0.5, 1.0)  # parts by which days may differ; the one that fits best is taken
_CLEAR: Final = 10.0  # by so much an explanation must better the misfit, or accuracy alone may be the cause
_FITS: Final = 1.5  # mean square misfit of an explanation that leaves nothing unexplained
_SMALLEST_FACTOR: Final = 0.05

# What a meter's factor most often comes from: counted over true, and what to look at.
_KNOWN_FACTORS: Final[Sequence[tuple[float, Names]]] = (
    (2.0, Names(zh="倍率可能多乘了2倍", en="its ratio may be entered twice too large")),
    (0.5, Names(zh="倍率可能少了一半", en="its ratio may be entered half as large as it is")),
    (2 / 3, Names(zh="可能缺一相（熔断器或互感器断线）", en="one phase of three may be missing (fuse, transformer)")),
    (
        1 / 3,
        Names(zh="可能缺两相, 或一相互感器接反", en="two phases may be missing, or one current transformer reversed"),
    ),
    (1.5, Names(zh="互感器变比可能按大一档填写", en="the ratio may be that of the next larger current transformer")),
    (0.8, Names(zh="互感器变比可能按小一档填写", en="the ratio may be that of the next smaller current transformer")),
    (1.25, Names(zh="互感器变比可能按大一档填写", en="the ratio may be that of the next larger current transformer")),
    (10.0, Names(zh="小数点或脉冲当量可能差10倍", en="a decimal place or the value of a pulse may be off by ten")),
    (0.1, Names(zh="小数点或脉冲当量可能差10倍", en="a decimal place or the value of a pulse may be off by ten")),
    (100.0, Names(zh="脉冲当量或单位可能差100倍", en="the value of a pulse or the unit may be off by a hundred")),
    (0.01, Names(zh="脉冲当量或单位可能差100倍", en="the value of a pulse or the unit may be off by a hundred")),
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """
    The meter that best explains why a balance does not close.

    Attributes
    ----------
    node : the machine that has the meter
    cause : it counts a constant multiple of the truth; it counts backwards; it stopped
    factor : counted over true; 0 where it stopped
    since : first day of the fault, as a place among the days compared; 0: from the first on
    confidence : 0 to 1: this explanation against all others that were tried
    words : the reason, for a person
    """

    node: str
    cause: Cause
    factor: float
    since: int
    confidence: float
    words: Names


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What explains a balance that does not close.

    Attributes
    ----------
    suspect : the meter, if one stands out
    loss : likelihood that nothing is wrong with the meters: a leak, a loss, or a user without a meter
    words : the answer for a person; in it, why it cannot be told where it cannot
    """

    suspect: Suspect | None
    loss: float
    words: Names


@dataclass(frozen=True, slots=True, eq=False)
class GroupDays:
    """
    A group's balance by day, on the days on which all its meters are known.

    Attributes
    ----------
    excess : (d,) float, fed less used less the losses to be expected
    fed : (d,) float
    counted : (m, d) float, what each of its meters counted
    error : accuracy of a meter
    loss : share of what is fed by which the true losses may differ from those expected, one standard deviation
    open : True if users without a meter hang on it, so that an excess is no error
    """

    group: Group
    excess: Floats
    fed: Floats
    counted: Floats
    error: float
    loss: float
    open: bool


@dataclass(frozen=True, slots=True)
class _Tried:
    node: str | None  # None: a true loss
    cause: Cause | None
    factor: float
    since: int
    misfit: float
    parameters: int

    def score(self, samples: int) -> float:
        """Return how badly it explains what was seen: the lower, the likelier."""
        n = samples / _DAYS_ALIKE
        score = n * math.log(max(self.misfit / samples, _BEST_FIT)) + self.parameters * math.log(n)
        # That a register stands still on just the days on which its use is lacking would be a strange coincidence.
        return score - _STANDSTILL if self.cause == "stopped" else score


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A group's balance with its days made comparable: what accuracy and unknown losses throw off counts little."""

    group: Group
    excess: Floats
    fed: Floats
    whiten: Floats
    cleaned: Floats
    spread: float  # logarithm of how widely the days may lie

    @classmethod
    def of(cls, days: GroupDays, daily_part: float) -> _Case:
        # A meter's error is mostly the same every day; a small part of it is not.
        steady, daily = _STEADY * days.error, daily_part * days.error
        squares = np.sum(days.counted**2, axis=0)
        floor = (0.2 * daily) ** 2 * float(squares.mean()) + 1e-12
        cover = np.diag(daily**2 * squares + floor)
        cover += steady**2 * days.counted.T @ days.counted + days.loss**2 * np.outer(days.fed, days.fed)
        lower = np.linalg.cholesky(cover)
        whiten: Floats = np.asarray(np.linalg.inv(lower), dtype=np.float64)
        if days.open:
            # What users without a meter took is not known; it may be anything steady, or a share of what was fed.
            unknown = whiten @ np.column_stack([np.ones(days.fed.size), days.fed])
            whiten = np.asarray(whiten - unknown @ np.linalg.pinv(unknown) @ whiten, dtype=np.float64)
        spread = 2.0 * float(np.sum(np.log(np.diag(lower))))
        return cls(days.group, days.excess, days.fed, whiten, whiten @ days.excess, spread)


def find_suspect(group: GroupDays, around: Sequence[GroupDays], through: Mapping[str, Floats]) -> Verdict:
    """
    Return what most likely keeps a group's balance from closing.

    Parameters
    ----------
    around : groups next above and below, on the same days
    through : (d,) float by node, what its meters counted on the same days
    """
    days = group.excess.size
    if days < _FEWEST_DAYS:
        return Verdict(None, math.nan, _too_few(days))
    cases, tried = _best_described([group, *around], through)
    samples = days * len(cases)
    null = math.fsum(float(c.cleaned @ c.cleaned) for c in cases)
    best = min((t.misfit for t in tried), default=math.inf)
    if best > null - _CLEAR or best > max((1.0 - _LEAST_EXPLAINED) * null, _FITS * samples):
        return Verdict(None, math.nan, _none_fits())
    shares = _likelihoods(tried, samples)
    loss = shares.get(None, 0.0)
    node, share = max(((n, s) for n, s in shares.items() if n is not None), key=lambda i: i[1], default=(None, 0.0))
    if loss >= _LEAST_CONFIDENCE:
        return Verdict(None, loss, _true_loss(loss))
    if node is None or share < _LEAST_CONFIDENCE:
        return Verdict(None, loss, _cannot_tell(shares))
    chosen = min((t for t in tried if t.node == node), key=lambda t: t.score(samples))
    assert chosen.cause is not None
    confidence = min(share, _MOST_CONFIDENCE)
    words = _words(chosen, node, sum(_sign(c.group, node) != 0 for c in cases))
    return Verdict(Suspect(node, chosen.cause, chosen.factor, chosen.since, confidence, words), loss, words)


def _best_described(groups: Sequence[GroupDays], through: Mapping[str, Floats]) -> tuple[list[_Case], list[_Tried]]:
    """Return the balances and what was tried, with the daily errors that describe the days best."""
    found: list[tuple[float, list[_Case], list[_Tried]]] = []
    for part in _DAILY:
        cases = [_Case.of(g, part) for g in groups]
        tried = list(_explanations(cases, through))
        misfit = min((t.misfit for t in tried), default=0.0)
        found.append((misfit + math.fsum(c.spread for c in cases), cases, tried))
    _, cases, tried = min(found, key=lambda f: f[0])
    return cases, tried


def _explanations(cases: Sequence[_Case], through: Mapping[str, Floats]) -> Iterator[_Tried]:
    head = cases[0]
    days = head.excess.size
    changes = [0, *range(_FEWEST_BEFORE, days - _FEWEST_BEFORE + 1)]
    after = (np.arange(days)[:, None] >= np.array(changes)).astype(np.float64)
    for node in (*head.group.parents, *head.group.children):
        counted = through[node]
        courses = [_sign(c.group, node) * counted[:, None] * after for c in cases]
        for since, size, misfit in zip(changes, *_fitted(cases, courses), strict=True):
            factor = _factor_of(size)
            if factor is not None:
                yield _Tried(node, "reversed" if factor < 0 else "factor", factor, since, misfit, 1 + (since > 0))
        stopped = counted <= 0
        if 0 < np.count_nonzero(stopped) <= days - _FEWEST_BEFORE:
            # What it would have counted is lacking above it, and what was counted below it came from nowhere.
            running = ~stopped & (head.fed > 1e-6)
            share = float(np.median(counted[running] / head.fed[running])) if running.any() else 0.0
            guesses: list[Floats] = [float(np.median(counted[~stopped])) * np.ones(days), share * head.fed]
            # What the meters below it counted meanwhile is the best guess of all.
            guesses += [-c.excess for c in cases if node in c.group.parents]
            for guess in guesses:
                usual = np.maximum(guess, 0.0) * stopped
                misfit = _misfit(cases, [-_sign(c.group, node) * usual for c in cases])
                yield _Tried(node, "stopped", 0.0, int(np.argmax(stopped)), misfit, 1)
    for course in (np.ones(days), np.maximum(head.fed, 0.0)):
        courses = [course[:, None] * after if c is head else np.zeros_like(after) for c in cases]
        for since, size, misfit in zip(changes, *_fitted(cases, courses), strict=True):
            if size > 0:
                yield _Tried(None, None, math.nan, since, misfit, 1 + (since > 0))


def _sign(group: Group, node: str) -> float:
    """Return how a meter's error enters a balance: as the main it adds to the excess, as a branch it takes away."""
    return float(node in group.parents) - float(node in group.children)


def _misfit(cases: Sequence[_Case], explained: Sequence[Floats]) -> float:
    return math.fsum(float(np.sum((c.cleaned - c.whiten @ e) ** 2)) for c, e in zip(cases, explained, strict=True))


def _fitted(cases: Sequence[_Case], courses: Sequence[Floats]) -> tuple[list[float], list[float]]:
    """
    Return for each of (d, k) courses the size with which it fits best, and what it leaves unexplained.

    The size is 0 where a course explains nothing.
    """
    weight = np.zeros(courses[0].shape[1])
    along = np.zeros(courses[0].shape[1])
    total = 0.0
    for case, course in zip(cases, courses, strict=True):
        shape = case.whiten @ course
        weight += np.sum(shape**2, axis=0)
        along += case.cleaned @ shape
        total += float(case.cleaned @ case.cleaned)
    telling = weight > 1e-9
    size = np.where(telling, along / np.where(telling, weight, 1.0), 0.0)
    return size.tolist(), np.maximum(total - size**2 * weight, 0.0).tolist()


def _factor_of(error: float) -> float | None:
    """Return counted over true, of a meter of which the share `error` of what it counts is wrong."""
    if error == 0.0 or abs(1.0 - error) < 1e-6:
        return None
    factor = 1.0 / (1.0 - error)
    return factor if _SMALLEST_FACTOR <= abs(factor) <= 1.0 / _SMALLEST_FACTOR else None


def _likelihoods(tried: Sequence[_Tried], samples: int) -> dict[str | None, float]:
    """Return for each meter, and for a true loss (None), how likely its best explanation is beside the others'."""
    scores: dict[str | None, float] = {}
    for t in tried:
        scores[t.node] = min(t.score(samples), scores.get(t.node, math.inf))
    best = min(scores.values())
    weights = {node: math.exp(-0.5 * (score - best)) for node, score in scores.items()}
    total = math.fsum(weights.values())
    return {node: w / total for node, w in weights.items()}


def _words(tried: _Tried, node: str, balances: int) -> Names:
    levels_zh = f"，与其所在的 {balances} 处平衡均吻合" if balances > 1 else ""
    levels_en = f"; that fits the {balances} balances in which it stands" if balances > 1 else ""
    if tried.cause == "stopped":
        return Names(
            zh=f"{node} 停走：部分日期读数不动，缺少的正是其平日用量{levels_zh}",
            en=f"{node} stood still on some days, and its usual use is what is lacking{levels_en}.",
        )
    if tried.cause == "reversed":
        return Names(
            zh=f"{node} 可能接反：反向计其用量即可平衡{levels_zh}",
            en=f"{node} may be wired backwards: counted the other way the balance closes{levels_en}.",
        )
    known = next((n for f, n in _KNOWN_FACTORS if abs(tried.factor / f - 1.0) <= _slack(f)), None)
    return Names(
        zh=f"{node} 计得实际的 {tried.factor:.2f} 倍即可解释{levels_zh}{f'；{known.zh}' if known else ''}",
        en=f"{node} counts {tried.factor:.2f} times the truth{levels_en}{f'; {known.en}' if known else ''}.",
    )


def _slack(factor: float) -> float:
    # What a meter counts too much hides how much was true: a factor of ten is known far less well than one of two.
    return 0.03 if 0.2 < factor < 5.0 else 0.15


def _too_few(days: int) -> Names:
    return Names(
        zh=f"只有 {days} 天各表数据齐全, 需 {_FEWEST_DAYS} 天才能判断哪块表有误",
        en=f"All meters are known on {days} days only; {_FEWEST_DAYS} are needed to tell which is wrong.",
    )


def _none_fits() -> Names:
    return Names(
        zh="没有单独一块表的误差能解释各日的差额; 请逐表核对读数、倍率与供应关系",
        en="No single meter's error explains the difference over the days; compare readings, ratios and fed_by.",
    )


def _true_loss(likelihood: float) -> Names:
    share = min(likelihood, _MOST_CONFIDENCE)
    return Names(
        zh=f"没有哪块表能这样解释: 更像实际损失或未计量用户（可能性 {share:.0%}）; 请先查漏损与未装表的用户",
        en=f"No meter explains it as well as a true loss or a user without a meter ({share:.0%}); look there first.",
    )


def _cannot_tell(shares: Mapping[str | None, float]) -> Names:
    best = sorted(shares.items(), key=lambda i: -i[1])[:3]
    likely = [(node, share) for node, share in best if share >= 0.1]
    zh = "、".join(f"{node or '实际损失或未计量用户'} {share:.0%}" for node, share in likely)
    en = ", ".join(f"{node or 'a true loss or a user without a meter'} {share:.0%}" for node, share in likely)
    return Names(
        zh=f"无法确定: 几种解释同样吻合（{zh}）; 请先核对这些",
        en=f"It cannot be told: several explanations fit alike ({en}); look at these first.",
    )
