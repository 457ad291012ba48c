"""Ridge regression whose terms come in groups, chosen by cross-validation on blocks of days.

Each group of columns has its own penalty; infinity leaves it out. The sums of squares of each block are formed once, so
that trying a penalty costs one small linear solve a block, and no pass over the rows.

Source: T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd ed., 2009, sections 3.4, 7.10.
Blocks instead of random rows, as neighbouring hours are alike: D. R. Roberts et al., Ecography 40 (2017) 913.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUT: Final = float("inf")
_JITTER: Final = 1e-8
_CHANCE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a design, in named groups: `matrix` (n, p) and, for each group, its first and one-past-last column."""

    matrix: Floats
    groups: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, parts: Mapping[str, Floats]) -> Columns:
        """Put the named blocks of columns side by side, in their order."""
        groups, place = {}, 0
        for name, part in parts.items():
            groups[name] = (place, place + part.shape[1])
            place += part.shape[1]
        return cls(np.concatenate(list(parts.values()), axis=1), groups)


Penalties = dict[str, float]


class BlockedSums:
    """
    The sums that every penalty shares: X'WX, X'Wy and y'Wy of each block.

    Parameters
    ----------
    columns : (n, p)
    target : (n,) float, finite
    weight : (n,) float, 0 where a row does not count
    block : (n,) int, 0 to blocks - 1
    """

    def __init__(self, columns: Columns, target: Floats, weight: Floats, block: Ints, blocks: int) -> None:
        self.groups = columns.groups
        self.blocks = blocks
        self.columns = columns.matrix.shape[1]
        self.gram = np.zeros((blocks, self.columns, self.columns))
        self._count(columns.matrix, weight, block, 1.0)
        self._sum(columns, target, weight, block)

    def exchange(
        self, rows: Ints, before: tuple[Floats, Floats], columns: Columns, target: Floats, weight: Floats, block: Ints
    ) -> None:
        """
        Take some rows in another way.

        Parameters
        ----------
        rows : (m,) int, those whose columns or weights have changed
        before : (m, p) columns and (m,) weights that they had
        columns, target, weight, block : of all rows, as they are now
        """
        self._count(before[0], before[1], block[rows], -1.0)
        self._count(columns.matrix[rows], weight[rows], block[rows], 1.0)
        # What was measured may have been absurd, so that it cannot be subtracted again.
        self._sum(columns, target, weight, block)

    def _count(self, x: Floats, weight: Floats, block: Ints, sign: float) -> None:
        ends = np.append(np.flatnonzero(np.diff(block)) + 1, block.size)
        for first, last in pairwise((0, *ends.tolist())):
            part, w = x[first:last], weight[first:last]
            # A product with its own transpose takes half the work of another one.
            part = part if np.all(w == 1.0) else part * np.sqrt(w)[:, None]
            self.gram[block[first]] += sign * (part.T @ part)

    def _sum(self, columns: Columns, target: Floats, weight: Floats, block: Ints) -> None:
        weighted = weight * target
        spread = np.zeros((self.blocks, block.size))
        spread[block, np.arange(block.size)] = weighted
        self.moment = spread @ columns.matrix
        self.power = np.bincount(block, weighted * target, self.blocks)
        self.gram_all, self.moment_all = self.gram.sum(axis=0), self.moment.sum(axis=0)
        self.gram_outside, self.moment_outside = self.gram_all - self.gram, self.moment_all - self.moment
        self._jitter = _JITTER * (1.0 + np.diag(self.gram_all))

    def diagonal(self, penalties: Mapping[str, float]) -> tuple[Floats, Ints]:
        """Return the penalty of each column that takes part, and which columns those are."""
        full = np.full(self.columns, OUT)
        for name, (first, last) in self.groups.items():
            full[first:last] = penalties.get(name, OUT)
        taken = np.flatnonzero(np.isfinite(full))
        return full[taken] + self._jitter[taken], taken

    def left_out(self, penalties: Mapping[str, float]) -> tuple[Floats, Floats]:
        """
        Return the squared error of each block by the model that did not see it, and those models.

        Returns
        -------
        errors : (blocks,)
        coefficients : (blocks, p), zero in columns that take no part
        """
        penalty, taken = self.diagonal(penalties)
        system = self.gram_outside[:, taken][:, :, taken]
        places = np.arange(taken.size)
        system[:, places, places] += penalty
        beta = np.zeros((self.blocks, self.columns))
        beta[:, taken] = _solved(system, self.moment_outside[:, taken])
        inside = np.matmul(self.gram, beta[..., None])[..., 0]
        error = self.power - 2.0 * np.sum(beta * self.moment, axis=1) + np.sum(beta * inside, axis=1)
        return np.maximum(error, 0.0), beta

    def coefficients(self, penalties: Mapping[str, float]) -> Floats:
        """Return the (p,) coefficients over all blocks."""
        penalty, taken = self.diagonal(penalties)
        system = self.gram_all[np.ix_(taken, taken)] + np.diag(penalty)
        beta = np.zeros(self.columns)
        beta[taken] = np.linalg.solve(system, self.moment_all[taken])
        return beta

    def solve(self, penalties: Mapping[str, float]) -> tuple[Floats, float]:
        """Return the (p,) coefficients over all blocks, and how many parameters they are worth (trace of the hat)."""
        penalty, taken = self.diagonal(penalties)
        gram = self.gram_all[np.ix_(taken, taken)]
        system = gram + np.diag(penalty)
        worth = np.linalg.solve(system, np.column_stack([self.moment_all[taken], gram]))
        beta = np.zeros(self.columns)
        beta[taken] = worth[:, 0]
        return beta, float(np.trace(worth[:, 1:]))

    def choose(
        self, start: Penalties, tries: Sequence[tuple[str, Sequence[float]]], gain: float
    ) -> tuple[Penalties, float]:
        """
        Try other penalties, one group after the other, and keep those that lower the error of the blocks left out.

        Parameters
        ----------
        start : penalties to begin with; groups that are not named are out
        tries : groups in the order in which they are tried, with the penalties to try
        gain : a group comes in, or is freed, only if it takes this fraction off the error [-]
        """
        best, errors = dict(start), self.left_out(start)[0]
        for name, options in tries:
            if name not in self.groups:
                continue
            held = best.get(name, OUT)
            for option in options:
                if option == best.get(name, OUT):
                    continue
                found = self.left_out({**best, name: option})[0]
                if better(errors, found, gain if option < held else 0.0):
                    best, errors = {**best, name: option}, found
        return best, float(errors.sum())


def _solved(systems: Floats, known: Floats) -> Floats:
    """Return the solutions, (k, p), of symmetric positive definite `systems` (k, p, p)."""
    found = np.empty_like(known)
    for i, system in enumerate(systems):
        # A matrix that is its own transpose need not be copied to the order of columns that LAPACK reads.
        _, found[i], failed = dposv(system.T, known[i], lower=1)
        if failed:  # by rounding alone: the penalties make every system positive definite
            found[i] = np.linalg.solve(system, known[i])
    return found


def better(errors: Floats, found: Floats, gain: float) -> bool:
    """
    Return whether an error is less by the fraction `gain`, and by more than chance among the blocks makes it.

    `errors`, `found`: (blocks,) squared errors. With a gain of 0, any less will do: the model became simpler.
    """
    less = errors - found
    total = float(less.sum())
    if gain <= 0.0 or less.size < 2:
        return total > gain * float(errors.sum())
    apart = less - total / less.size
    chance = math.sqrt(float(apart @ apart) * less.size / (less.size - 1))
    return total > gain * float(errors.sum()) and total > _CHANCE * chance
