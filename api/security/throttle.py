"""Slowing down whoever guesses passwords, without shutting out those who know theirs.

A failed login counts against the name and against the address that it came from. A browser that has logged in before
carries a mark (`api.security.devices`) and has a count of its own, so a stranger who fails on purpose under somebody's
name, or behind the same proxy, does not lock that person out.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

CAPACITY: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at_us: int


class Throttle:
    """
    A leaky bucket for each key: `limit` failures at once, then one more each `window_s / limit`.

    Memory is bounded: of more than `capacity` keys, those untouched for longest are forgotten. The time is an argument.
    """

    def __init__(self, limit: int, window_s: float, capacity: int = CAPACITY) -> None:
        self.limit = limit
        self.leak_per_us = limit / (window_s * 1e6)
        self.capacity = capacity
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def charge(self, key: str, now_us: int) -> float:
        """
        Count one attempt before it is made, so that many at once are counted too.

        Returns
        -------
        0 if it may be made; else the seconds until it may, and nothing is counted.
        """
        with self._lock:
            bucket = self._buckets.pop(key, None) or _Bucket(0.0, now_us)
            # A clock that was set back must not fill the bucket.
            level = max(0.0, bucket.level - max(0, now_us - bucket.at_us) * self.leak_per_us)
            allowed = level + 1.0 <= self.limit
            self._buckets[key] = _Bucket(level + 1.0 if allowed else level, now_us)
            while len(self._buckets) > self.capacity:
                self._buckets.popitem(last=False)
            return 0.0 if allowed else (level + 1.0 - self.limit) / self.leak_per_us / 1e6

    def refund(self, key: str) -> None:
        """Take back the count of an attempt that turned out to be right."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.level = max(0.0, bucket.level - 1.0)

    def __len__(self) -> int:
        return len(self._buckets)


class LoginThrottle:
    """The counts that a login is held against: the known browser's own, or the name's and the address's."""

    def __init__(self) -> None:
        self._known = Throttle(limit=10, window_s=900)
        self._names = Throttle(limit=10, window_s=900)
        # Many people may share one address behind a proxy.
        self._addresses = Throttle(limit=50, window_s=900)

    def charge(self, name: str, address: str, device: str | None, now_us: int) -> int:
        """Count an attempt; return 0 if it may be made, else the whole seconds until the next may."""
        if device is not None:
            return math.ceil(self._known.charge(device, now_us))
        wait = self._addresses.charge(network_of(address), now_us)
        if wait:
            return math.ceil(wait)
        wait = self._names.charge(name, now_us)
        if wait:
            self._addresses.refund(network_of(address))
        return math.ceil(wait)

    def refund(self, name: str, address: str, device: str | None) -> None:
        """Take back the count of an attempt that turned out to be right."""
        if device is not None:
            self._known.refund(device)
        else:
            self._addresses.refund(network_of(address))
            self._names.refund(name)


def network_of(address: str) -> str:
    """Return the address by which to count: of IPv6 the /64, since one machine has all of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
