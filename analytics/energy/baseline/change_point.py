"""Change-point models of daily energy: a base load, and straight lines below and above balance points.

    1P  E = b0                         4P  E = b0 + b1 (b3 - T)+ + b2 (T - b3)+
    2P  E = b0 + b1 T                  5P  E = b0 + b1 (b3 - T)+ + b2 (T - b4)+,  b3 < b4
    3P  E = b0 + b1 (T - b2)+  for cooling, (b2 - T)+ for heating

The daily mean of hourly degrees above a balance point is no sharp bend in the daily mean temperature: a day of 17 °C
has hours of 21 °C. The bend may therefore be rounded by the spread of temperature within a day, and the temperature be
partly that of the day before, where the data ask for it.

Sources: J. K. Kissock, J. S. Haberl, D. E. Claridge, Inverse Modeling Toolkit (ASHRAE RP-1050), ASHRAE Transactions 109
(2003) part 2; ASHRAE Guideline 14-2014, annex D.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtr

from analytics.energy.baseline.rows import Bools, Floats, Ints

KINDS: Final = ("1P", "2P", "3P-H", "3P-C", "4P", "5P")
_STEP_K: Final = 0.5
_MOST_POINTS: Final = 60
_EDGE: Final = 0.04
_FINE_K: Final = 0.1
_LEAST_GAP_K: Final = 0.9  # below which two balance points are one


@dataclass(frozen=True, slots=True)
class ChangePoints:
    """
    Form of a change-point model, without its slopes.

    Attributes
    ----------
    kind : one of `KINDS`
    heating_c, cooling_c : balance points, None where the kind has no such branch [°C]
    rounding_k : spread of the temperature within a day, by which the bends are rounded [K]
    """

    kind: str
    heating_c: float | None = None
    cooling_c: float | None = None
    rounding_k: float = 0.0

    def columns(self, temperature: Floats) -> Floats:
        """Return the (n, 0 to 2) columns of the branches, heating first, for (n,) °C."""
        if self.kind == "2P":
            return np.asarray(temperature, dtype=float)[:, None]
        parts = []
        if self.heating_c is not None:
            parts.append(bend(self.heating_c - temperature, self.rounding_k))
        if self.cooling_c is not None:
            parts.append(bend(temperature - self.cooling_c, self.rounding_k))
        return np.column_stack(parts) if parts else np.empty((np.size(temperature), 0))

    @property
    def parameters(self) -> int:
        """How many parameters the form has beside the base load: slopes and balance points."""
        return int(self.kind[0]) - 1

    @property
    def slopes(self) -> int:
        """How many slopes the form has."""
        return 1 if self.kind == "2P" else (self.heating_c is not None) + (self.cooling_c is not None)

    def as_json(self) -> dict[str, Any]:
        """Return what `ChangePoints(**data)` reads back."""
        return {
            "kind": self.kind,
            "heating_c": self.heating_c,
            "cooling_c": self.cooling_c,
            "rounding_k": self.rounding_k,
        }


def bend(excess: Floats, rounding: float) -> Floats:
    """Return max(0, excess), or its mean where `excess` spreads normally by `rounding` in the day; same shape, unit."""
    if rounding <= 0.0:
        return np.asarray(np.maximum(excess, 0.0))
    z = excess / rounding
    return np.asarray(excess * ndtr(z) + rounding * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))


def points_to_try(temperature: Floats) -> Floats:
    """Return the (m,) balance points to try: half a kelvin apart, with some days on either side. [°C]"""
    low, high = np.quantile(temperature, [_EDGE, 1.0 - _EDGE])
    if high - low < 2.0 * _STEP_K:
        return np.array([0.5 * (low + high)])
    step = max(_STEP_K, (high - low) / _MOST_POINTS)
    return np.asarray(np.arange(low, high + 0.5 * step, step))


@dataclass(frozen=True, slots=True)
class Search:
    """Best form of each kind that the data allow, with its squared error: both by kind."""

    errors: dict[str, float]
    forms: dict[str, ChangePoints]

    @property
    def least(self) -> float:
        """Least squared error of any kind."""
        return min(self.errors.values())


def search(
    temperature: Floats, energy: Floats, base: Floats, points: Floats, rounding: float = 0.0, fine: bool = True
) -> Search:
    """
    Find the balance points of each kind by least squares over all of `points`, then between them.

    Parameters
    ----------
    temperature, energy : (n,) float, finite [°C], [any unit of energy]
    base : (n, b) columns that every kind has, such as ones and rest days
    points : (m,) balance points to try [°C]
    rounding : of the bends [K]
    fine : whether to look between the points of the best forms
    """
    q, _ = np.linalg.qr(base)
    y = energy - q @ (q.T @ energy)
    total = float(y @ y)
    errors = {"1P": total}
    forms = {"1P": ChangePoints("1P", rounding_k=rounding)}
    line = temperature[:, None] - q @ (q.T @ temperature[:, None])
    power = float(line[:, 0] @ line[:, 0])
    if power > 1e-9 * max(1.0, float(temperature @ temperature)):
        errors["2P"] = total - float(line[:, 0] @ y) ** 2 / power
        forms["2P"] = ChangePoints("2P", rounding_k=rounding)
    table = _Table.of(temperature, y, q, points, points, rounding)
    for kind, found in table.best(total).items():
        errors[kind], forms[kind] = found
    if fine and len(points) > 1:
        step = float(points[1] - points[0])
        near = np.arange(-step, step + 0.5 * _FINE_K, _FINE_K)
        for kind in [kind for kind in forms if kind[0] in "345"]:
            form = forms[kind]
            heating = np.empty(0) if form.heating_c is None else form.heating_c + near
            cooling = np.empty(0) if form.cooling_c is None else form.cooling_c + near
            closer = _Table.of(temperature, y, q, heating, cooling, rounding).best(total).get(kind)
            if closer is not None and closer[0] < errors[kind]:
                errors[kind], forms[kind] = closer
    return Search(errors, forms)


@dataclass(frozen=True, slots=True)
class _Table:
    """Products of all branches with one another and with the energy, the base taken out of each."""

    heating: Floats
    cooling: Floats
    hh: Floats
    cc: Floats
    hy: Floats
    cy: Floats
    hc: Floats
    rounding: float

    @classmethod
    def of(cls, t: Floats, y: Floats, q: Floats, heating: Floats, cooling: Floats, rounding: float) -> _Table:
        h = bend(heating[None, :] - t[:, None], rounding)
        c = bend(t[:, None] - cooling[None, :], rounding)
        h = h - q @ (q.T @ h)
        c = c - q @ (q.T @ c)
        return cls(
            heating, cooling, np.sum(h * h, axis=0), np.sum(c * c, axis=0), h.T @ y, c.T @ y, h.T @ c, rounding
        )  # fmt: skip

    def best(self, total: float) -> dict[str, tuple[float, ChangePoints]]:
        """Return the least squared error and the form of each kind that fits with slopes of the right sign."""
        found: dict[str, tuple[float, ChangePoints]] = {}
        floor = 1e-9 * max(float(np.max(self.hh, initial=0.0)), float(np.max(self.cc, initial=0.0)), 1e-300)

        def keep(kind: str, errors: Floats, allowed: Bools, heats: bool, cools: bool) -> None:
            if not allowed.any():
                return
            place = np.unravel_index(int(np.argmin(np.where(allowed, errors, np.inf))), errors.shape)
            heating = float(self.heating[place[0]]) if heats else None
            cooling = float(self.cooling[place[-1]]) if cools else None
            found[kind] = (float(max(errors[place], 0.0)), ChangePoints(kind, heating, cooling, self.rounding))

        with np.errstate(divide="ignore", invalid="ignore"):
            keep("3P-H", total - self.hy**2 / self.hh, (self.hy > 0) & (self.hh > floor), True, False)
            keep("3P-C", total - self.cy**2 / self.cc, (self.cy > 0) & (self.cc > floor), False, True)
            if self.heating.size and self.cooling.size:
                hh, cc, hy, cy = self.hh[:, None], self.cc[None, :], self.hy[:, None], self.cy[None, :]
                det = hh * cc - self.hc**2
                up, down = (hy * cc - cy * self.hc) / det, (cy * hh - hy * self.hc) / det
                errors = total - up * hy - down * cy
                sound = (det > 1e-9 * hh * cc) & (hh > floor) & (cc > floor)
                gap = self.cooling[None, :] - self.heating[:, None]
                keep("5P", errors, sound & (gap > _LEAST_GAP_K) & (up > 0) & (down > 0), True, True)
                keep("4P", errors, sound & (np.abs(gap) <= 1e-6), True, True)
        return found


def choose_kind(errors: Sequence[dict[str, float]], possible: Container[str], tolerance: float) -> str:
    """
    Return the simplest kind whose error, summed over blocks that were left out, is near the least.

    `errors`: of each block, by kind; a kind that some block lacks is not chosen. `possible`: kinds that all days allow,
    which may be fewer than those of their parts. `tolerance`: how near, as a fraction.
    """
    common = [kind for kind in KINDS if kind in possible and all(kind in block for block in errors)]
    sums = {kind: sum(block[kind] for block in errors) for kind in common}
    least = min(sums.values())
    return next(kind for kind in common if sums[kind] <= least * (1.0 + tolerance))


def left_out_errors(
    temperature: Floats, energy: Floats, base: Floats, block: Ints, points: Floats, rounding: float
) -> list[dict[str, float]]:
    """Return, for each block, the squared error of each kind's best form by a search that did not see the block."""
    result = []
    for k in np.unique(block):
        out = block == k
        if out.all() or (~out).sum() <= base.shape[1] + 4:
            continue
        found = search(temperature[~out], energy[~out], base[~out], points, rounding, fine=False)
        errors = {}
        for kind, form in found.forms.items():
            x = np.column_stack([base, form.columns(temperature)])
            beta = np.linalg.lstsq(x[~out], energy[~out], rcond=None)[0]
            errors[kind] = float(np.sum((energy[out] - x[out] @ beta) ** 2))
        result.append(errors)
    return result
