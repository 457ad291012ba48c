"""
Noise that depends on nothing but a seed, a name and the time.

A value is a hash of (seed, name, index of time), so it does not matter in which order, in how many pieces or in which
process the times are asked for: the same seed gives the same hospital.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_MASK: Final = 0xFFFFFFFFFFFFFFFF


@lru_cache(maxsize=65536)
def stream(seed: int, name: str) -> np.uint64:
    """Return the number that stands for one stream of noise."""
    digest = hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def uniform(key: np.uint64, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Return numbers evenly spread over the open interval (0, 1), one for each index. [-]

    Source: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014) as a hash of key and index.
    """
    x = index.astype(np.uint64) * np.uint64(_GOLDEN) + key
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX_2)
    x = x ^ (x >> np.uint64(31))
    # The upper 53 bits, put in the middle of their step: neither 0 nor 1 can come out.
    return ((x >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


@lru_cache(maxsize=65536)
def _one(key: int, index: int) -> float:
    """Return `gaussian` of one index: the same to the bit, and far quicker for a single time than arrays are."""
    x = (index * _GOLDEN + key) & _MASK
    x = ((x ^ (x >> 30)) * _MIX_1) & _MASK
    x = ((x ^ (x >> 27)) * _MIX_2) & _MASK
    x ^= x >> 31
    return float(ndtri(((x >> 11) + 0.5) * 2.0**-53))


def gaussian(key: np.uint64, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers of the standard normal distribution, one for each index. [-]"""
    values: NDArray[np.float64] = ndtri(uniform(key, index))
    return values


def white(seed: int, name: str, time_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return noise of standard deviation 1 that is new every second. [-]"""
    key = stream(seed, name)
    if time_us.shape[0] == 1:
        return np.array([_one(int(key), int(time_us[0]) // 1_000_000)])
    return gaussian(key, time_us // 1_000_000)


def smooth(seed: int, name: str, time_us: NDArray[np.int64], period_s: float) -> NDArray[np.float64]:
    """
    Return noise of standard deviation 1 that wanders: a new normal number every `period_s`, joined without kinks. [-]

    Between two numbers the weights are smoothstep, scaled so that the variance is 1 everywhere.
    """
    period_us = max(1, round(period_s * 1e6))
    key = stream(seed, name)
    if time_us.shape[0] == 1:
        moment = int(time_us[0])
        knot = moment // period_us
        rise = _smoothstep((moment - knot * period_us) / period_us)
        return np.array([_blend(rise, _one(int(key), knot), _one(int(key), knot + 1), math.sqrt)])
    knots = time_us // period_us
    rises = _smoothstep((time_us - knots * period_us) / period_us)
    low, high = int(knots.min()), int(knots.max())
    if high - low < knots.shape[0]:
        # Many times between few knots, as is usual: each knot's number is drawn once.
        drawn = gaussian(key, np.arange(low, high + 2, dtype=np.int64))
        first, second = drawn[knots - low], drawn[knots - low + 1]
    else:
        first, second = gaussian(key, knots), gaussian(key, knots + 1)
    blended: NDArray[np.float64] = _blend(rises, first, second, np.sqrt)
    return blended


def _smoothstep(share: Any) -> Any:
    return share * share * (3.0 - 2.0 * share)


def _blend(rise: Any, first: Any, second: Any, root: Callable[[Any], Any]) -> Any:
    rest = 1.0 - rise
    return (rest * first + rise * second) / root(rise * rise + rest * rest)


@lru_cache(maxsize=65536)
def fixed(seed: int, name: str, low: float, high: float) -> float:
    """Return one number between `low` and `high` that belongs to a name for good, such as a machine's own tolerance."""
    return low + (high - low) * float(uniform(stream(seed, name), np.zeros(1, dtype=np.int64))[0])
