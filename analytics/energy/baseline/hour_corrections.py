"""What each hour of the day adds to what all hours share: a ridge regression an hour, chosen on blocks left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.energy.baseline.ridge import OUT, Columns, Penalties
from analytics.energy.baseline.rows import Floats, Ints

_TRIES: Final = (
    ("weekday", (100.0, 20.0, 5.0, 1.0, 0.2)),
    ("year", (300.0, 50.0)),
    ("rest_year", (300.0, 50.0)),
    ("temperature", (300.0, 50.0, 10.0)),
    ("slow", (300.0, 50.0)),
    ("others", (300.0, 50.0)),
)
_GAIN: Final = 0.002


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    The corrections that help.

    Attributes
    ----------
    beta : (24, q), zero where none helps
    parameters : how many they are worth
    left_out : (24, blocks, q), of the models that did not see a block
    """

    beta: Floats
    parameters: float
    left_out: Floats


class HourCorrections:
    """
    A ridge regression for each hour of the day on what the shared layer leaves.

    Parameters
    ----------
    own : (D * 24, q) columns
    residual : (D, 24, blocks + 1); first of the model of all blocks, then of each model that did not see a block
    weight : (D, 24) float, 0 where a cell does not count
    block : (D,) int
    """

    def __init__(self, own: Columns, residual: Floats, weight: Floats, block: Ints, blocks: int) -> None:
        q = own.matrix.shape[1]
        self.groups = own.groups
        root = np.sqrt(weight.T)[:, :, None]
        z, r = own.matrix.reshape(-1, 24, q).transpose(1, 0, 2) * root, residual.transpose(1, 0, 2) * root
        self.gram = np.empty((24, blocks, q, q))
        moment = np.empty((24, blocks, q, blocks + 1))
        self.power = np.empty((24, blocks))
        for k in range(blocks):
            days = np.flatnonzero(block == k)
            part = np.ascontiguousarray(z[:, days].transpose(0, 2, 1))
            self.gram[:, k] = np.matmul(part, part.transpose(0, 2, 1))
            moment[:, k] = np.matmul(part, r[:, days])
            self.power[:, k] = np.sum(r[:, days, k + 1] ** 2, axis=1)
        every = np.arange(blocks)
        self.inside = moment[:, every, :, every + 1].transpose(1, 0, 2)
        total = moment.sum(axis=1)
        self.outside = total[:, :, 1:].transpose(0, 2, 1) - self.inside
        self.moment_all = total[:, :, 0]
        self.gram_all = self.gram.sum(axis=1)
        self.gram_outside = self.gram_all[:, None] - self.gram

    def choose(self) -> Chosen:
        """Add one group after the other, as strongly held as helps, and keep what lowers the error left out."""
        best: Penalties = {}
        error, outside = self._left_out(best)
        for name, options in _TRIES:
            for option in options if name in self.groups else ():
                found, beta = self._left_out({**best, name: option})
                if found > error * (1.0 - _GAIN):
                    break  # what does not help at a strong penalty is not tried at a weak one
                best, error, outside = {**best, name: option}, found, beta
        return Chosen(*self._solve(best), outside)

    def _taken(self, penalties: Mapping[str, float]) -> tuple[Floats, Ints]:
        full = np.full(self.gram.shape[-1], OUT)
        for name, (first, last) in self.groups.items():
            full[first:last] = penalties.get(name, OUT)
        taken = np.flatnonzero(np.isfinite(full))
        return full[taken], taken

    def _left_out(self, penalties: Mapping[str, float]) -> tuple[float, Floats]:
        """Return the squared error of the blocks left out in turn, summed, and the (24, blocks, q) models without."""
        penalty, taken = self._taken(penalties)
        beta = np.zeros(self.outside.shape)
        if not taken.size:
            return float(self.power.sum()), beta
        system = self.gram_outside[:, :, taken][:, :, :, taken]
        places = np.arange(taken.size)
        system[:, :, places, places] += penalty
        beta[:, :, taken] = np.linalg.solve(system, self.outside[:, :, taken][..., None])[..., 0]
        squares = np.sum(np.matmul(self.gram, beta[..., None])[..., 0] * beta, axis=-1)
        crossed = np.sum(beta * self.inside, axis=-1)
        return float(np.sum(self.power - 2.0 * crossed + squares)), beta

    def _solve(self, penalties: Mapping[str, float]) -> tuple[Floats, float]:
        penalty, taken = self._taken(penalties)
        beta = np.zeros((24, self.gram.shape[-1]))
        if not taken.size:
            return beta, 0.0
        gram = self.gram_all[:, taken][:, :, taken]
        known = np.concatenate([self.moment_all[:, taken, None], gram], axis=2)
        worth = np.linalg.solve(gram + np.diag(penalty), known)
        beta[:, taken] = worth[:, :, 0]
        return beta, float(np.trace(worth[:, :, 1:], axis1=1, axis2=2).sum())
