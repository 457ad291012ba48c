"""Quantiles of the distributions that errors follow.

scipy is loaded where it is first asked: it takes tens of megabytes, which a collector that fits nothing does without.
"""

from __future__ import annotations


def student_quantile(share: float, freedom: float) -> float:
    """Return below what a `share` of Student's t with `freedom` degrees lies."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def student_above(t: float, freedom: float) -> float:
    """Return how much of Student's t with `freedom` degrees lies above `t`."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def chi_square_quantile(share: float, freedom: float) -> float:
    """Return below what a `share` of chi-square with `freedom` degrees lies."""
    from scipy.special import chdtri

    return float(chdtri(freedom, 1.0 - share))
