"""Which readings each register has on each day, found out cheaply: a day is looked at where its count has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.energy.booking import Counts, day_signatures, hand_signatures
from analytics.energy.day_figures import DayFigures, months_of
from analytics.energy.intervals import Times
from facility.metering import BookedRegister
from facility.readings import Series
from facility.store import Level, TelemetryStore

_KEYS_AT_A_TIME: Final = 200
_RECENT: Final = timedelta(days=2)
_LONG_AGO_US: Final = -(2**62)

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """
    The readings of registers by day, as they are now.

    Attributes
    ----------
    figures : what the ledger holds of the same registers and days
    edges : (days + 1,) where the days begin, and where the last one ends [µs UTC]
    registers : with the exchanges that people entered
    hand : readings by hand, by register
    counts, signatures : (keys, days) int64, how many readings, and a number that changes if one does
    until_us : up to when there is something to book
    """

    figures: DayFigures
    edges: Times
    registers: Mapping[str, BookedRegister]
    hand: Mapping[str, Series]
    counts: Counts
    signatures: Counts
    until_us: int

    @property
    def over(self) -> int:
        """Return how many of the days are over."""
        days = int(self.counts.shape[1])
        return days - 1 if self.until_us < self.edges[-1] else days

    def place_of(self, time_us: int) -> int:
        """Return the place of the day that holds a time; 0 for what is before all days."""
        return int(np.clip(np.searchsorted(self.edges, time_us, side="right") - 1, 0, self.edges.shape[0] - 1))


class Surveyor:
    """
    Looks at the readings of days, and remembers what need not be looked at again.

    What was seen counts as known only once `settle` is called: a booking that breaks off is looked at anew.
    """

    def __init__(self, store: TelemetryStore) -> None:
        self._store = store
        self._counts: dict[date, Mapping[str, int]] = {}
        self._by_hand: Mapping[str, tuple[bytes, bytes]] = {}
        self._before = 0
        self._seen: tuple[dict[date, Mapping[str, int]], Mapping[str, tuple[bytes, bytes]]] = ({}, {})

    def older_came(self, registers: Mapping[str, BookedRegister], hand: Mapping[str, Series], first_us: int) -> bool:
        """Return whether readings have come from before the first day of the books. [µs UTC]"""
        if any(len(s) and int(s.time_us[0]) < first_us for s in hand.values()):
            return True
        before = sum(self._store.count(list(registers), _LONG_AGO_US, first_us).values())
        older, self._before = before > self._before, before
        return older

    def look(
        self,
        figures: DayFigures,
        edges: Times,
        registers: Mapping[str, BookedRegister],
        hand: Mapping[str, Series],
        until_us: int,
        thorough: bool,
        progress: Progress,
    ) -> Survey:
        """Look at the days that may have changed, at every day if `thorough`; of all others the ledger is believed."""
        counts, signatures = figures.readings.copy(), figures.signature.copy()
        seen = dict(self._counts)
        by_hand = {key: (s.time_us.tobytes(), s.value.tobytes()) for key, s in hand.items()}
        every = thorough or by_hand != self._by_hand
        for month, first, last, counted in self._to_look_at(figures, edges, every):
            part = edges[first : last + 1]
            progress("survey", first / max(1, counts.shape[1]))
            # Most machines have registers that nobody reads.
            had = figures.readings[:, first:last].sum(axis=1).tolist()
            rows = [k for k, key in enumerate(figures.keys) if had[k] or counted[key] or key in hand]
            for i in range(0, len(rows), _KEYS_AT_A_TIME):
                some = rows[i : i + _KEYS_AT_A_TIME]
                rolled = self._store.rollup([figures.keys[k] for k in some], Level.DAY, int(part[0]), int(part[-1]))
                for k in some:
                    key = figures.keys[k]
                    n, mark = day_signatures(rolled[key], part)
                    if key in hand:
                        more, other = hand_signatures(hand[key].time_us, hand[key].value, part)
                        n, mark = n + more, mark ^ other
                    counts[k, first:last], signatures[k, first:last] = n, mark
            seen[month] = counted
        self._seen = (seen, by_hand)
        return Survey(figures, edges, registers, hand, counts, signatures, until_us)

    def settle(self) -> None:
        """Take what was seen last as known: it has been booked."""
        self._counts, self._by_hand = self._seen

    def _to_look_at(
        self, figures: DayFigures, edges: Times, every: bool
    ) -> Iterator[tuple[date, int, int, Mapping[str, int]]]:
        days = figures.days
        for month, first, last in months_of(days):
            counted = self._store.count(figures.keys, int(edges[first]), int(edges[last]))
            if every or self._counts.get(month) != counted or days[last - 1] >= days[-1] - _RECENT:
                yield month, first, last, counted
