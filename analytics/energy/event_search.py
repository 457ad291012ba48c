"""The search for spans of days on which a load was added: least squares over all pairs of first and last day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from analytics.energy.day_noise import FORTNIGHT, memory_of, noise_of_days
from analytics.energy.event_start import sharpest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

_LEAST_OF_KIND: Final = 4  # rest days and workdays, for a saving of their own
_BENDS: Final = (15.0, 30.0, 45.0, 60.0, 75.0, 90.0)  # per cent of the days are colder
# How large, in shares of the mean load, the measure's fixed part and errors that go with weather are thought to be.
# Days that tell otherwise outweigh it; where they tell nothing, a step in summer is not put down to the weather.
_USUAL_FIXED: Final = 0.02
_USUAL_ERROR: Final = 0.03
_NEARLY: Final = 3.84  # squares of standard errors by which a first day may fit worse than the best (95 %)


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """Where a span may lie, and from when on it counts."""

    earliest_days: int = 14  # a load added before that cannot be told from the measure itself
    shortest_days: int = 14  # a bad week is no change of the load
    most: int = 5
    # Of a span's squares, what measure and weather must not already hold; a share of the load is easier mistaken.
    least_apart: float = 0.02
    least_apart_proportional: float = 0.3
    threshold: float = 3.9  # standard errors: what chance shows in few healthy years, see docs/baselines.md
    worth_trying: float = 2.5  # a candidate below it ends the search
    temporary_extra: float = 8.0  # squares of standard errors by which a span that ends must fit better
    outlier_deviations: float = 4.0  # a day further from its fortnight counts as that far


@dataclass(frozen=True, slots=True)
class Span:
    """Days [first, last) on which a load is added: the same each day, or in proportion to what is expected."""

    first: int
    last: int
    proportional: bool


@dataclass(frozen=True, slots=True, eq=False)
class SpanFit:
    """
    Measure, weather and spans fitted together.

    Attributes
    ----------
    sizes, errors : (s,) float, of each span's template, and standard errors with the residuals' memory
    templates : (s, n) float, what one unit of each span adds on each day
    remainder : (n,) float, what is left, NaN where not known
    terms : fitted in all
    chance : squares that one more term takes off by chance, with the days' memory
    """

    sizes: Floats
    errors: Floats
    templates: Floats
    remainder: Floats
    terms: int
    chance: float

    def added(self, i: int) -> Floats:
        """Return what span `i` added on each day, (n,)."""
        return np.asarray(self.sizes[i] * self.templates[i])

    def mean_size(self, i: int) -> float:
        """Return what span `i` added a day, on average over its days."""
        return float(self.sizes[i] * self._mean(i))

    def mean_error(self, i: int) -> float:
        """Return the standard error of `mean_size`."""
        return float(self.errors[i] * abs(self._mean(i)))

    def _mean(self, i: int) -> float:
        inside = self.templates[i][self.templates[i] != 0.0]
        return float(inside.mean()) if inside.size else 0.0

    @property
    def deviations(self) -> Floats:
        """Return each span's size in standard errors, (s,); 0 of one that the days cannot tell."""
        told = self.errors > 0.0
        return np.asarray(np.divide(np.abs(self.sizes), self.errors, out=np.zeros(self.sizes.size), where=told))


class SpanSearch:
    """
    A reporting period's residuals, in which spans are sought.

    `residual` (n,): used minus expected, NaN where not known; `shape` (n,): expected over its mean; `weather` (n,)
    [°C]; `rest` (n,): which days are rest days; `baseline_residual` (b,): daily, of the baseline period; `level`: mean
    of what is expected a day.
    """

    def __init__(
        self,
        residual: Floats,
        shape: Floats,
        weather: Floats | None,
        rest: Bools | None,
        baseline_residual: Floats | None,
        level: float,
        parameters: SearchParameters,
    ) -> None:
        self._p = parameters
        self._known: Bools = np.isfinite(residual) & np.isfinite(shape)
        self._residual = np.where(self._known, residual, 0.0)
        self._shape = np.where(self._known, shape, 0.0)
        self._routine = self._routine_terms(weather, rest)
        self._thought = self._thought_of(level)
        self._base_memory = 1.0
        if baseline_residual is not None and int(np.isfinite(baseline_residual).sum()) >= FORTNIGHT:
            self._base_memory = memory_of(baseline_residual / noise_of_days(baseline_residual))
        scatter = float(self._residual[self._known].std()) if self._known.any() else 1.0
        self._weight: Floats = self._known / (scatter or 1.0)
        self._target: Floats = self._residual
        self._weigh(())

    def _routine_terms(self, weather: Floats | None, rest: Bools | None) -> Floats:
        """Return what needs no event, (n, q): the measure, fixed and in proportion, and errors that go with weather."""
        terms = [np.ones(self._shape.size), self._shape]
        if (
            rest is not None
            and min(int((self._known & rest).sum()), int((self._known & ~rest).sum())) >= _LEAST_OF_KIND
        ):
            # A measure may save more on one kind of day: that is no load change where holidays cluster.
            terms += [rest.astype(float), rest * self._shape]
        seen = None if weather is None else weather[self._known & np.isfinite(weather)]
        if weather is not None and seen is not None and seen.size > 30 and float(np.ptp(seen)) > 5.0:
            filled = np.where(np.isfinite(weather), weather, np.median(seen)) - float(seen.mean())
            bends = np.percentile(seen, _BENDS) - float(seen.mean())
            terms += [filled, *(np.maximum(0.0, filled - bend) for bend in bends)]
        return np.column_stack(terms)

    def _thought_of(self, level: float) -> Floats:
        """Return rows, (q - 1, q), that draw every routine term but the saved share towards none."""
        spread = np.maximum(self._routine[self._known].std(axis=0), 1e-12)
        usual = np.append(_USUAL_FIXED, np.full(spread.size - 1, _USUAL_ERROR)) * level
        spread[0] = 1.0
        return np.delete(np.diag(spread / usual), 1, axis=0)

    def _design(self, spans: Sequence[Span]) -> Floats:
        """Return the terms of measure, weather and `spans`, weighted, above the rows of `_thought_of`."""
        terms = np.column_stack([self._routine, *(self._template(span) for span in spans)]) * self._weight[:, None]
        return np.vstack([terms, np.pad(self._thought, ((0, 0), (0, len(spans))))])

    def _sizes(self, design: Floats, target: Floats) -> Floats:
        return _least_squares(design, np.append(target, np.zeros(len(self._thought))))

    def _weigh(self, spans: Sequence[Span]) -> None:
        """Take the weights of the days, and draw in outliers, by what is left beside `spans`."""
        design = np.column_stack([self._routine, *(self._template(span) for span in spans)])
        size = self._sizes(self._design(spans), self._residual * self._weight)
        left = np.where(self._known, self._residual - design @ size, np.nan)
        noise = noise_of_days(left, np.maximum(self._shape, 0.0))
        self._weight = np.where(self._known, 1.0 / noise, 0.0)
        size = self._sizes(self._design(spans), self._residual * self._weight)
        explained = design @ size
        scaled = ((self._residual - explained) * self._weight)[self._known]
        usual = ndimage.median_filter(scaled, size=min(FORTNIGHT, scaled.size), mode="nearest")
        reach = self._p.outlier_deviations * 1.4826 * float(np.median(np.abs(scaled - usual)))
        drawn = usual + np.clip(scaled - usual, -reach, reach) if reach > 0.0 else scaled
        self._target = explained * self._weight
        self._target[self._known] += drawn

    def _template(self, span: Span) -> Floats:
        whole = self._shape if span.proportional else self._known.astype(float)
        template = np.zeros(whole.size)
        template[span.first : span.last] = whole[span.first : span.last]
        return template

    def fit(self, spans: Sequence[Span]) -> SpanFit:
        """Fit measure, weather and `spans` together."""
        templates = np.array([self._template(span) for span in spans]).reshape(len(spans), self._shape.size)
        design = self._design(spans)
        size = self._sizes(design, self._target)
        left = self._target - (design @ size)[: self._target.size]
        freedom = max(1, int(self._known.sum()) - design.shape[1])
        memory = max(memory_of(np.where(self._known, left, np.nan)), self._base_memory)
        # The weights make a day's noise 1; where calm seasons were not trusted, the days together show less.
        chance = max(float(left @ left) / freedom, 1.0) * memory
        spread = np.linalg.pinv(design.T @ design) * chance
        q = self._routine.shape[1]
        plain = self._residual - (np.column_stack([self._routine, *templates]) @ size)
        remainder = np.where(self._known, plain, np.nan)
        errors = np.sqrt(np.maximum(np.diag(spread)[q:], 0.0))
        return SpanFit(size[q:], errors, templates, remainder, design.shape[1], chance)

    def significant_spans(self) -> tuple[Span, ...]:
        """Return the spans that stand clear of chance; weights are taken anew once they are known."""
        spans = self._pruned(self._candidates())
        if spans:
            self._weigh(spans)
            spans = self._pruned(self._candidates())
        for i in range(len(spans)):
            spans = (*spans[:i], self._sharpened(spans, i), *spans[i + 1 :])
        return spans

    def _sharpened(self, spans: Sequence[Span], i: int) -> Span:
        """Return span `i` with the first day, of those that are plausible, on which the load changes most sharply."""
        span, others = spans[i], [*spans[:i], *spans[i + 1 :]]
        earliest, latest = self.plausible_first(spans, i)
        tried = [Span(first, span.last, span.proportional) for first in range(earliest, latest + 1)]
        templates = np.array([self._template(each) for each in tried]) * self._weight
        days = self._shape.size
        terms, held = np.split(self._design(others), [days])
        remainder = np.where(self._known, self.fit(spans).remainder * self._weight, np.nan)
        return tried[sharpest(templates, terms, held, self._target, remainder)]

    def _candidates(self) -> tuple[Span, ...]:
        spans: list[Span] = []
        while len(spans) < self._p.most:
            found = self._best(spans)
            if found is None:
                break
            spans.append(found)
            for i in range(len(spans) - 1):
                spans[i] = self._best(spans[:i] + spans[i + 1 :]) or spans[i]
            if self.fit(spans).deviations[-1] < self._p.worth_trying:
                break
        return tuple(spans)

    def _pruned(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        kept = list(spans)
        while kept:
            fit = self.fit(kept)
            weakest = int(np.argmin(fit.deviations))
            # Each must stand clear beside the others, and all of them together: spans that only make up for one
            # another, such as four that fill a summer, do not.
            together = math.sqrt(max(0.0, self._squares(()) - self._squares(kept)) / (fit.chance * len(kept)))
            if min(float(fit.deviations[weakest]), together) >= self._p.threshold:
                break
            del kept[weakest]
        return tuple(kept)

    def _squares(self, spans: Sequence[Span]) -> float:
        design = self._design(spans)
        left = np.append(self._target, np.zeros(len(self._thought))) - design @ self._sizes(design, self._target)
        return float(left @ left)

    def plausible_first(self, spans: Sequence[Span], i: int) -> tuple[int, int]:
        """Return the earliest and the latest first day of span `i` that fits nearly as well, at 95 % confidence."""
        span, others = spans[i], [*spans[:i], *spans[i + 1 :]]
        basis, left = self._left_by(others)
        firsts = np.arange(self._p.earliest_days, max(span.last - self._p.shortest_days, span.first) + 1)
        gain = self._gain(basis, left, firsts, np.full(firsts.size, span.last), span.proportional)
        near = firsts[gain >= gain[span.first - firsts[0]] - _NEARLY * self.fit(spans).chance]
        return int(near.min()), int(near.max())

    @cached_property
    def _pairs(self) -> tuple[Places, Places]:
        n, p = self._shape.size, self._p
        first, last = np.meshgrid(np.arange(p.earliest_days, n), np.arange(n + 1), indexing="ij")
        allowed = (last - first >= p.shortest_days) & ((last == n) | (last <= n - p.shortest_days))
        return first[allowed], last[allowed]

    def _best(self, others: Sequence[Span]) -> Span | None:
        """Return the span that takes most off the squares that the routine terms and `others` leave."""
        basis, left = self._left_by(others)
        freedom = max(1, int(self._known.sum()) - basis.shape[1])
        memory = max(memory_of(np.where(self._known, left, np.nan)), self._base_memory)
        extra = self._p.temporary_extra * memory * max(float(left @ left) / freedom, 1.0)
        ranked = max(self._bests(basis, left, extra, others), default=None, key=lambda found: found[0])
        return None if ranked is None else ranked[1]

    def _left_by(self, spans: Sequence[Span]) -> tuple[Floats, Floats]:
        """Return an orthogonal basis of routine terms and `spans`, (n, k), and what they leave of the days, (n,)."""
        basis = np.linalg.qr(self._design(spans))[0][: self._target.size]
        return basis, self._target - basis @ (basis.T @ self._target)

    def _gain(self, basis: Floats, left: Floats, first: Places, last: Places, proportional: bool) -> Floats:
        """Return the squares that a span over each pair of days would take off what is left, (pairs,)."""
        template = self._weight * (self._shape if proportional else self._known.astype(float))
        along = _between(template * left, first, last)
        square = _between(template * template, first, last)
        apart = square - sum(_between(template * column, first, last) ** 2 for column in basis.T)
        least = self._p.least_apart_proportional if proportional else self._p.least_apart
        return np.asarray(np.where(apart > least * square, along**2 / np.maximum(apart, 1e-300), 0.0))

    def _bests(self, basis: Floats, left: Floats, extra: float, others: Sequence[Span]) -> Iterator[tuple[float, Span]]:
        first, last = self._pairs
        near = self._p.shortest_days
        for other in others:
            # Two spans that begin or end together are one, of another shape.
            apart_from = (np.abs(first - other.first) >= near) & (
                (np.abs(last - other.last) >= near) | (last == self._shape.size)
            )
            first, last = first[apart_from], last[apart_from]
        if not first.size:
            return
        for proportional in (False, True):
            gain = self._gain(basis, left, first, last, proportional) - extra * (last < self._shape.size)
            best = int(np.argmax(gain))
            yield float(gain[best]), Span(int(first[best]), int(last[best]), proportional)


def _between(values: Floats, first: Places, last: Places) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[last] - sums[first])


def _least_squares(design: Floats, target: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0])
