"""Which meter is most likely at fault where a balance does not close.

A meter that counts k times what flows through it throws two balances off: where it stands among the branches, what it
counts beyond the truth is lacking there, and where it is the main, it is in excess. Each meter of the balance is tried
as the only one at fault, for the whole period or from a day on, or as having stopped; a true loss is tried as well.
Days differ in how much went through which meter, so the course of the error over the days tells the meters apart. The
better an explanation fits all balances that it touches, the likelier it is; explanations that fit alike share the
likelihood, and then the answer is that it cannot be told. What a meter with nothing below it counts too little may as
well be used by somebody without a meter whose days run alike, unless the factor is one that wiring or ratios bring.

References
----------
For the choice among explanations by their fit: G. Schwarz, Estimating the dimension of a model, Annals of Statistics 6
(1978), 461-464.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.meter_tree import Group
from analytics.energy.suspect_words import Cause, blamed, cannot_tell, known_factor, none_fits, too_few, true_loss
from facility.names import Names

Floats = NDArray[np.float64]

_FEWEST_DAYS: Final = 7
_FEWEST_BEFORE: Final = 3  # days on either side of a change
_LEAST_EXPLAINED: Final = 0.6
_LEAST_CONFIDENCE: Final = 0.6
_MOST_CONFIDENCE: Final = 0.95
_DAYS_ALIKE: Final = 5.0  # days that follow each other err alike; so many count as one
_BEST_FIT: Final = 0.3  # mean square in units of what accuracy explains; better is chance
_STANDSTILL: Final = 8.0
_LIKE_USUAL: Final = 0.5
_STEADY: Final = 0.6  # part of a meter's accuracy by which it is off every day alike
_DAILY: Final = (0.1, 0.2, 0.5, 1.0)  # parts by which days may differ; the one that fits best is taken
_CLEAR: Final = 10.0  # by so much an explanation must better the misfit, or accuracy alone may be the cause
_FITS: Final = 1.5  # mean square misfit of an explanation that leaves nothing unexplained
_BETTER: Final = 0.9  # of its misfit an explanation may leave in the balance that it is to explain
_SMALLEST_FACTOR: Final = 0.05
_WELL_KNOWN: Final = 2  # as many parameters worse is chance where a factor is one that meters are known to be wrong by


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
    at_head: float  # its misfit in the balance that does not close

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
    open: bool

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
        return cls(days.group, days.excess, days.fed, whiten, whiten @ days.excess, spread, days.open)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """
    How well each of several courses of an error explains the balances.

    Attributes
    ----------
    size : (k,) float, with which a course fits best; 0 where it explains nothing
    misfit, at_head : (k,) float, what it leaves unexplained in all balances, and in the first
    """

    size: Floats
    misfit: Floats
    at_head: Floats

    @classmethod
    def of(cls, cases: Sequence[_Case], courses: Sequence[Floats]) -> _Fit:
        """Fit each of (d, k) courses, which is given for each of the balances."""
        weight = np.zeros(courses[0].shape[1])
        along = np.zeros(courses[0].shape[1])
        total = 0.0
        shapes = [case.whiten @ course for case, course in zip(cases, courses, strict=True)]
        for case, shape in zip(cases, shapes, strict=True):
            weight += np.sum(shape**2, axis=0)
            along += case.cleaned @ shape
            total += float(case.cleaned @ case.cleaned)
        telling = weight > 1e-9
        size = np.where(telling, along / np.where(telling, weight, 1.0), 0.0)
        at_head = np.sum((cases[0].cleaned[:, None] - shapes[0] * size) ** 2, axis=0)
        return cls(size, np.maximum(total - size**2 * weight, 0.0), at_head)


@dataclass(frozen=True, slots=True)
class _Bar:
    """What an explanation may leave unexplained at most, in all balances and in the first."""

    misfit: float
    at_head: float

    @classmethod
    def of(cls, cases: Sequence[_Case]) -> _Bar:
        """Set the bar by what is to be explained."""
        days = cases[0].excess.size
        null = math.fsum(float(c.cleaned @ c.cleaned) for c in cases)
        # What closes a neighbour's balance explains nothing of this one.
        head = float(cases[0].cleaned @ cases[0].cleaned)
        return cls(
            min(null - _CLEAR, max((1.0 - _LEAST_EXPLAINED) * null, _FITS * days * len(cases))),
            min(max((1.0 - _LEAST_EXPLAINED) * head, _FITS * days), _BETTER * head),
        )

    def passed(self, fit: _Fit) -> NDArray[np.bool_]:
        """Return which of the courses leave no more than that, (k,)."""
        return np.asarray((fit.misfit <= self.misfit) & (fit.at_head <= self.at_head))


def find_suspect(
    group: GroupDays, around: Sequence[GroupDays], through: Mapping[str, Floats], names: Mapping[str, Names]
) -> Verdict:
    """
    Return what most likely keeps a group's balance from closing.

    Parameters
    ----------
    around : groups next above and below, on the same days
    through : (d,) float by node, what its meters counted on the same days
    names : of the nodes, by which they are called
    """
    days = group.excess.size
    if days < _FEWEST_DAYS:
        return Verdict(None, math.nan, too_few(days, _FEWEST_DAYS))
    cases, tried = _best_described([group, *around], through)
    samples = days * len(cases)
    if not tried:
        return Verdict(None, math.nan, none_fits())
    shares = _likelihoods(tried, samples)
    loss = shares.get(None, 0.0)
    node, share = max(((n, s) for n, s in shares.items() if n is not None), key=lambda i: i[1], default=(None, 0.0))
    if loss >= _LEAST_CONFIDENCE:
        return Verdict(None, loss, true_loss(min(loss, _MOST_CONFIDENCE)))
    if node is None or share < _LEAST_CONFIDENCE:
        return Verdict(None, loss, cannot_tell(shares, names))
    chosen = min((t for t in tried if t.node == node), key=lambda t: t.score(samples))
    assert chosen.cause is not None
    confidence = min(share, _MOST_CONFIDENCE)
    words = blamed(names[node], chosen.cause, chosen.factor, sum(_sign(c.group, node) != 0 for c in cases))
    return Verdict(Suspect(node, chosen.cause, chosen.factor, chosen.since, confidence, words), loss, words)


def _best_described(groups: Sequence[GroupDays], through: Mapping[str, Floats]) -> tuple[list[_Case], list[_Tried]]:
    """Return the balances and the explanations that hold, with the daily errors that describe the days best."""
    found: list[tuple[float, list[_Case], list[_Tried]]] = []
    for part in _DAILY:
        cases = [_Case.of(g, part) for g in groups]
        misfit, tried = _explanations(cases, through)
        found.append((misfit + math.fsum(c.spread for c in cases), cases, tried))
    _, cases, tried = min(found, key=lambda f: f[0])
    return cases, tried


def _explanations(cases: Sequence[_Case], through: Mapping[str, Floats]) -> tuple[float, list[_Tried]]:
    """Return the least misfit of all that was tried, 0 if nothing could be, and what explains enough."""
    head = cases[0]
    days = head.excess.size
    bar = _Bar.of(cases)
    changes = np.array([0, *range(_FEWEST_BEFORE, days - _FEWEST_BEFORE + 1)])
    after = (np.arange(days)[:, None] >= changes).astype(np.float64)
    least, tried = math.inf, list[_Tried]()
    for node in (*head.group.parents, *head.group.children):
        counted = through[node]
        fit = _Fit.of(cases, [_sign(c.group, node) * counted[:, None] * after for c in cases])
        factors = _factors(fit.size)
        told = np.isfinite(factors)
        least = min(least, float(np.min(fit.misfit, where=told, initial=math.inf)))
        alone = node in head.group.children and sum(_sign(c.group, node) != 0 for c in cases) == 1
        for i in np.flatnonzero(told & bar.passed(fit)).tolist():
            factor, since = float(factors[i]), int(changes[i])
            misfit, at_head, parameters = float(fit.misfit[i]), float(fit.at_head[i]), 1 + (since > 0)
            tried.append(
                _Tried(node, "reversed" if factor < 0 else "factor", factor, since, misfit, parameters, at_head)
            )
            if alone and 0 < factor < 1:
                chance = _WELL_KNOWN if known_factor(factor) is not None else 0
                tried.append(_Tried(None, None, math.nan, since, misfit, parameters + chance, at_head))
        stopped = counted <= 0
        if 0 < np.count_nonzero(stopped) <= days - _FEWEST_BEFORE:
            for still in _standstill(cases, node, counted, stopped):
                least = min(least, still.misfit)
                if still.misfit <= bar.misfit and still.at_head <= bar.at_head:
                    tried.append(still)
    for course in (np.ones(days), np.maximum(head.fed, 0.0)):
        fit = _Fit.of(cases, [course[:, None] * after if c is head else np.zeros_like(after) for c in cases])
        told = fit.size > 0
        least = min(least, float(np.min(fit.misfit, where=told, initial=math.inf)))
        for i in np.flatnonzero(told & bar.passed(fit)).tolist():
            since = int(changes[i])
            tried.append(
                _Tried(None, None, math.nan, since, float(fit.misfit[i]), 1 + (since > 0), float(fit.at_head[i]))
            )
    return (least if math.isfinite(least) else 0.0), tried


def _standstill(cases: Sequence[_Case], node: str, counted: Floats, stopped: NDArray[np.bool_]) -> Iterator[_Tried]:
    """Explain the days on which a meter stood still by what it would have counted: lacking above, in excess below."""
    usual = float(np.median(counted[~stopped]))
    guesses = [usual * np.ones(counted.size)]
    for case in cases:
        # Users differ from day to day, so what lacks is taken as theirs as long as it is like what they use.
        sign = _sign(case.group, node)
        if sign:
            lacks = -sign * (case.excess - _usual_excess(case, ~stopped))
            guesses.append(np.clip(lacks, (1.0 - _LIKE_USUAL) * usual, (1.0 + _LIKE_USUAL) * usual))
    for guess in guesses:
        lacking = guess * stopped
        # Below an open main nothing is in excess: nobody knows what its users without a meter took meanwhile.
        known = [0.0 if c.open and node in c.group.parents else -_sign(c.group, node) for c in cases]
        explained = [sign * lacking for sign in known]
        at_head = _misfit(cases[:1], explained[:1])
        yield _Tried(node, "stopped", 0.0, int(np.argmax(stopped)), _misfit(cases, explained), 2, at_head)


def _usual_excess(case: _Case, running: NDArray[np.bool_]) -> Floats:
    """Return what is lost on a day as on those days on which the meter ran, in proportion to what is fed."""
    days = running & (case.fed > 1e-6)
    share = float(np.median(case.excess[days] / case.fed[days])) if days.any() else 0.0
    return share * np.maximum(case.fed, 0.0)


def _sign(group: Group, node: str) -> float:
    """Return how a meter's error enters a balance: as the main it adds to the excess, as a branch it takes away."""
    return float(node in group.parents) - float(node in group.children)


def _misfit(cases: Sequence[_Case], explained: Sequence[Floats]) -> float:
    return math.fsum(float(np.sum((c.cleaned - c.whiten @ e) ** 2)) for c, e in zip(cases, explained, strict=True))


def _factors(error: Floats) -> Floats:
    """Return counted over true, (k,), of meters of which the share `error` of what they count is wrong; NaN if none."""
    true = 1.0 - error
    close = (error == 0.0) | (np.abs(true) < 1e-6)
    factor = 1.0 / np.where(close, 1.0, true)
    likely = ~close & (np.abs(factor) >= _SMALLEST_FACTOR) & (np.abs(factor) <= 1.0 / _SMALLEST_FACTOR)
    return np.where(likely, factor, math.nan)


def _likelihoods(tried: Sequence[_Tried], samples: int) -> dict[str | None, float]:
    """Return for each meter, and for a true loss (None), how likely its best explanation is beside the others'."""
    scores: dict[str | None, float] = {}
    for t in tried:
        scores[t.node] = min(t.score(samples), scores.get(t.node, math.inf))
    best = min(scores.values())
    weights = {node: math.exp(-0.5 * (score - best)) for node, score in scores.items()}
    total = math.fsum(weights.values())
    return {node: w / total for node, w in weights.items()}
