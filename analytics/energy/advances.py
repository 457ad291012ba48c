"""How far a register truly advanced from reading to reading: through roll-overs, resets, and readings that are wrong.

A reading is believed unless something speaks against it. What does: a fall, a leap beyond what this meter can count,
and a standstill with a leap at its end. Each is looked at with what came before and what came after, for at most
`LOOK_US`, so that a stretch of readings can be judged without all that lie far from it.

A fall without an exchange is taken as a new start from zero if the register then stands near zero, as Home Assistant
does (`homeassistant/components/sensor/recorder.py`, `reset_detected`; there any fall by a tenth is one). What was used
between the last reading and the reset is lost in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.energy.habits import ABSURD, BRISK, HOUR_US, ODD, Habits
from analytics.energy.intervals import ESTIMATED, MEASURED, MISSING, Floats, Times
from analytics.energy.register_events import EventKind, RegisterEvent

LOOK_US: Final = 24 * HOUR_US
# People read a display without its decimals: by so much an end or a start may lie on the wrong side of a reading.
ANCHOR_TOLERANCE: Final = 1.0
# A fall by less than a tenth is no reset (Home Assistant's bound), but back-flow or a correction.
_STILL_SHARE: Final = 0.9
# So many advances of nothing before a leap make a standstill; of a register that stands still at times, one is none.
_STANDSTILL: Final = 2
# Without known digits: where counters of meters, 16-bit and 32-bit registers begin again, in counts.
_USUAL_MODULI: Final = tuple(sorted([10.0**k for k in range(3, 13)] + [2.0**16, 2.0**31, 2.0**32]))
_LEAST_LOOK: Final = 2  # readings that are looked at though they lie beyond `LOOK_US`, behind an outage
_AFTER_A_LEAP: Final = 4  # readings that may show that a leap was the beginning of a heavier load


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """
    Readings of one and the same meter.

    Attributes
    ----------
    time_us, count : (n,) rising times, what it showed [µs UTC], [counts]
    begins, ends : the first, the last entry is no reading but the start, the end of an exchange that a person entered
    modulus : at which count the register begins again from zero; None: not known
    """

    time_us: Times
    count: Floats
    begins: bool = False
    ends: bool = False
    modulus: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Advances:
    """
    How far a register advanced between the readings that are believed.

    Attributes
    ----------
    time_us : (k,) their times [µs UTC]
    counted : (k - 1,) float, never negative; 0 where missing [counts]
    grade : (k - 1,) int8, MEASURED, ESTIMATED (to be spread) or MISSING
    events : what was not simply a difference of two close readings
    """

    time_us: Times
    counted: Floats
    grade: NDArray[np.int8]
    events: tuple[RegisterEvent, ...]


def advances(run: Run, habits: Habits) -> Advances:
    """Judge the readings of one meter; gaps longer than the habits' longest are marked to be spread."""
    steps, lengths = np.diff(run.count), np.diff(run.time_us)
    doubtful = (steps < 0.0) | (steps > habits.most_each(lengths, ODD))
    doubtful[1:] |= (steps[:-1] == 0.0) & (steps[1:] > habits.most_each(lengths[1:], BRISK))
    if run.modulus is not None and math.isfinite(habits.mean_an_hour):
        doubtful |= (lengths > habits.longest_gap_us) & (_lacking(steps, lengths, habits) > run.modulus / 2.0)
    if not doubtful.any():
        grade = _grades(lengths, habits)
        return Advances(run.time_us, steps, grade, tuple(_outages(run.time_us, run.count, steps, grade)))
    judge = _Judge(run, habits)
    for i in np.flatnonzero(doubtful) + 1:
        judge.look_at(int(i))
    return judge.verdict()


def _lacking(steps: Floats, lengths: Times, habits: Habits) -> Floats:
    """Return how much less was counted in each gap than usually is."""
    lacking: Floats = habits.mean_an_hour * lengths / HOUR_US - steps
    return lacking


def _grades(lengths: Times, habits: Habits) -> NDArray[np.int8]:
    return np.where(lengths > habits.longest_gap_us, ESTIMATED, MEASURED).astype(np.int8)


def _outages(time_us: Times, count: Floats, counted: Floats, grade: NDArray[np.int8]) -> list[RegisterEvent]:
    return [
        RegisterEvent(
            "outage", int(time_us[i]), int(time_us[i + 1]), float(count[i]), float(count[i + 1]), float(counted[i])
        )
        for i in np.flatnonzero(grade == ESTIMATED)
    ]


@dataclass(slots=True)
class _Judge:
    """Goes from doubt to doubt; what lies between them was found to be plain counting."""

    run: Run
    habits: Habits
    keep: NDArray[np.bool_] = field(init=False)
    settled: int = -1  # readings up to here are judged
    broken: int = 0  # the register counts on without a break from this reading
    verdicts: dict[int, tuple[float, int]] = field(default_factory=dict)  # by the reading that ends the step
    events: list[RegisterEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keep = np.ones(self.run.time_us.shape[0], dtype=np.bool_)

    def verdict(self) -> Advances:
        kept = np.flatnonzero(self.keep)
        time_us = self.run.time_us[kept]
        counted = np.diff(self.run.count[kept])
        grade = _grades(np.diff(time_us), self.habits)
        if self.verdicts:
            ends = np.searchsorted(kept, np.array(list(self.verdicts), dtype=np.int64)) - 1
            counted[ends] = [amount for amount, _ in self.verdicts.values()]
            grade[ends] = [g for _, g in self.verdicts.values()]
        told = {e.to_us for e in self.events if e.kind != "glitch"}
        outages = [e for e in _outages(time_us, self.run.count[kept], counted, grade) if e.to_us not in told]
        return Advances(time_us, counted, grade, (*self.events, *outages))

    # -- what stands where

    def _count(self, i: int) -> float:
        return float(self.run.count[i])

    def _time(self, i: int) -> int:
        return int(self.run.time_us[i])

    def _most(self, last: int, i: int, times: float) -> float:
        return self.habits.most(self._time(i) - self._time(last), times)

    def _anchored(self, last: int, i: int) -> bool:
        """Return True if the step begins or ends with what a person entered."""
        return (self.run.begins and last == 0) or (self.run.ends and i == len(self.keep) - 1)

    def _look_ahead(self, last: int) -> int:
        """Return the end of the readings that may speak for or against the one after `last`."""
        near = int(np.searchsorted(self.run.time_us, self._time(last) + LOOK_US, side="right"))
        return min(max(near, last + 2 + _LEAST_LOOK), len(self.keep))

    def _look_back(self, last: int) -> int:
        """Return the first of the readings that `last` may have leapt away from."""
        near = int(np.searchsorted(self.run.time_us, self._time(last) - LOOK_US))
        return max(self.broken, min(near, last - _LEAST_LOOK))

    # -- what is made of a doubt

    def look_at(self, i: int) -> None:
        """Judge the step that ends with reading `i`, unless an earlier judgement covers it."""
        if i <= self.settled:
            return
        last = i - 1 if self.keep[i - 1] else int(np.flatnonzero(self.keep[:i])[-1])
        step = self._count(i) - self._count(last)
        if step < 0.0:
            self._fall(last, i)
        elif (more := self._more_rounds(last, i, step)) > 0.0:
            self._settle("roll_overs", last, i, step + more, ESTIMATED)
        elif not self._standstill(last, i, step) and step > self._most(last, i, ODD):
            self._leap(last, i, step)

    def _settle(self, kind: EventKind, last: int, i: int, counted: float, grade: int) -> None:
        self.verdicts[i] = (counted, grade)
        self._tell(kind, last, i, math.nan if grade == MISSING else counted)
        self.settled = i

    def _tell(self, kind: EventKind, last: int, i: int, counted: float) -> None:
        self.events.append(
            RegisterEvent(kind, self._time(last), self._time(i), self._count(last), self._count(i), counted)
        )

    def _leave_out(self, first: int, end: int) -> None:
        """Leave out readings [first, end), which leapt away and came back."""
        self.keep[first:end] = False
        for i in [i for i in self.verdicts if first <= i < end]:
            del self.verdicts[i]
        gone = {self._time(i) for i in range(first, end)}
        self.events = [e for e in self.events if e.to_us not in gone]
        self._tell("glitch", first - 1, first, math.nan)

    def _fall(self, last: int, i: int) -> None:
        before, after = self._count(last), self._count(i)
        rolled = self._rolled(last, i)
        if self._was_wrong(last, i, rolled) or (rolled is None and self._rolled_behind(last, i)):
            return
        guessed = None if rolled is not None or self._anchored(last, i) else self._rolled_by_guess(last, i)
        if rolled is not None:
            more = self._more_rounds(last, i, rolled)
            self._settle("roll_overs" if more else "roll_over", last, i, rolled + more, self._grade(last, i))
        elif self._anchored(last, i):
            if before - after > ANCHOR_TOLERANCE:
                self._settle("exchange_unfit", last, i, 0.0, MISSING)
            else:
                self.verdicts[i] = (0.0, MEASURED)
        elif guessed is not None:
            self._settle("roll_over_guessed", last, i, guessed, ESTIMATED)
        elif after >= _STILL_SHARE * before:
            self._settle("backwards", last, i, 0.0, ESTIMATED)
        elif self._near_zero(last, i):
            self._settle("reset", last, i, after, ESTIMATED)
        else:
            self._settle("fall", last, i, 0.0, MISSING)
        self.broken = i

    def _grade(self, last: int, i: int) -> int:
        return ESTIMATED if self._time(i) - self._time(last) > self.habits.longest_gap_us else MEASURED

    def _near_zero(self, last: int, i: int) -> bool:
        if self.habits.pace_known:
            return self._count(i) <= self._most(last, i, ODD)
        return self._count(i) <= (1.0 - _STILL_SHARE) * self._count(last)

    def _rolled(self, last: int, i: int) -> float | None:
        """Return the advance across a roll-over of known digits, None if it was none."""
        modulus, before, after = self.run.modulus, self._count(last), self._count(i)
        if modulus is None or before >= modulus or after >= modulus:
            return None
        advance = after + modulus - before
        if not self.habits.pace_known:
            return advance if advance <= modulus / 2.0 else None
        # Within an hour a heavy load may begin unseen; over a long gap a register runs no faster than at its busiest.
        burst = ODD * self.habits.most_an_hour * min(1.0, (self._time(i) - self._time(last)) / HOUR_US)
        return advance if advance <= max(burst, self._most(last, i, BRISK)) else None

    def _more_rounds(self, last: int, i: int, counted: float) -> float:
        """Return the whole rounds that a register of known digits made beside, unseen in an outage; 0 if none."""
        modulus, length_us = self.run.modulus, self._time(i) - self._time(last)
        if modulus is None or length_us <= self.habits.longest_gap_us or self._anchored(last, i):
            return 0.0
        lacking = self.habits.mean_an_hour * length_us / HOUR_US - counted
        return modulus * max(0, round(lacking / modulus)) if math.isfinite(lacking) else 0.0

    def _rolled_behind(self, last: int, i: int) -> bool:
        """Leave out a reading that was too low, if the register rolled over just behind it."""
        j = i + 1
        if j >= len(self.keep) or self._anchored(last, i) or self._count(j) >= self._count(i):
            return False
        if self._rolled(last, j) is None:
            return False
        self._leave_out(i, j)
        self.settled = i
        return True

    def _rolled_by_guess(self, last: int, i: int) -> float | None:
        """Return the advance across what can only be a roll-over, though the digits are not known, or not right."""
        before, after = self._count(last), self._count(i)
        known = self.run.modulus
        if not self.habits.pace_known or (known is not None and before < known):
            return None
        most = self._most(last, i, BRISK)
        found = [after + m - before for m in _USUAL_MODULI if _STILL_SHARE * m <= before < m and after < 0.1 * m]
        return next((a for a in found if a <= most), None)

    def _was_wrong(self, last: int, i: int, rolled: float | None) -> bool:
        """Leave out readings that were too low from `i` on, or too high before it; the fewer, if both would explain."""
        low_until = self._low_until(last, i, rolled)
        high_from = self._high_from(last, i) if rolled is None else None
        if high_from is not None and (low_until is None or self.keep[high_from:i].sum() < low_until - i):
            self._leave_out(high_from, i)
            self.settled = i
        elif low_until is not None:
            self._leave_out(i, low_until)
            self.settled = low_until
        else:
            return False
        return True

    def _low_until(self, last: int, i: int, rolled: float | None) -> int | None:
        """Return the first reading after `i` that goes on where the register had stood; None if there is none."""
        if self.run.ends and i == len(self.keep) - 1:
            return None
        before = self._count(last)
        later = np.flatnonzero(self.run.count[i + 1 : self._look_ahead(last)] >= before)
        if not later.shape[0]:
            return None
        j = i + 1 + int(later[0])
        if self._count(j) - before > self._most(last, j, ODD):
            return None
        dipped = self._count(i) >= _STILL_SHARE * before
        # What counts its way back up at its usual pace is a register that began again, not a wrong reading.
        fast = self._most(j - 1, j, BRISK if rolled is None else ODD)
        if self.habits.pace_known and not dipped and self._count(j) - self._count(j - 1) <= fast:
            return None
        return j

    def _high_from(self, last: int, i: int) -> int | None:
        """Return the first of the readings before `i` that had leapt up, if `i` goes on where they leapt from."""
        first = self._look_back(last)
        lower = np.flatnonzero((self.run.count[first:last] <= self._count(i)) & self.keep[first:last])
        if not lower.shape[0]:
            return None
        p = first + int(lower[-1])
        q = p + 1 + int(np.argmax(self.keep[p + 1 : i]))
        if self.habits.pace_known and self._count(q) - self._count(p) <= self._most(p, q, BRISK):
            return None
        return None if self._count(i) - self._count(p) > self._most(p, i, ODD) else p + 1

    def _standstill(self, last: int, i: int, step: float) -> bool:
        """Leave out equal readings before a leap that all of them together explain."""
        if not self.habits.pace_known:
            return False
        s = self._stands_since(last)
        least = 1 if self.habits.never_still else _STANDSTILL
        if last - s < least or not self._most(last, i, BRISK) < step <= self._most(s, i, BRISK):
            return False
        if self._came_back_down(last, i):
            return True
        self.keep[s + 1 : i] = False
        self._settle("stuck", s, i, step, ESTIMATED)
        return True

    def _stands_since(self, last: int) -> int:
        stands, s, width = self._count(last), last, 64
        while s > self.broken:
            first = max(self.broken, s - width)
            other = np.flatnonzero((self.run.count[first:s] != stands) & self.keep[first:s])
            if other.shape[0]:
                return first + int(other[-1]) + 1
            s, width = first, 2 * width
        return s

    def _leap(self, last: int, i: int, step: float) -> None:
        if self._came_back_down(last, i):
            return
        believable = step <= self._most(last, i, ABSURD)
        if self._anchored(last, i):
            self._settle("exchange_unfit", last, i, 0.0, MISSING)
            self.broken = i
        elif believable and self._went_on(last, i, step):
            return
        elif believable and (self._grade(last, i) == ESTIMATED or i == len(self.keep) - 1):
            self._settle("jump_kept", last, i, step, ESTIMATED)
        else:
            self._settle("jump", last, i, 0.0, MISSING)
            self.broken = i

    def _came_back_down(self, last: int, i: int) -> bool:
        """Leave out readings that were too high, if later ones go on where the register had stood."""
        if self.run.ends and i == len(self.keep) - 1:
            return False
        end = self._look_ahead(last)
        count, lengths = self.run.count[i + 1 : end], self.run.time_us[i + 1 : end] - self._time(last)
        before = self._count(last)
        forward = count - before
        if self.run.modulus is not None:
            # It may have rolled over behind the wrong reading.
            forward = np.where((forward < 0.0) & (before < self.run.modulus), forward + self.run.modulus, forward)
        most = self.habits.most_each(lengths, ODD)
        back = np.flatnonzero((count < self._count(i)) & (forward >= 0.0) & (forward <= most))
        if not back.shape[0]:
            return False
        j = i + 1 + int(back[0])
        self._leave_out(i, j)
        self.settled = j - 1
        return True

    def _went_on(self, last: int, i: int, step: float) -> bool:
        """Return True if the leap belongs to a heavier load: what follows, or came just before, runs about as fast."""
        rate = step / (self._time(i) - self._time(last))
        others = [slice(i, i + _AFTER_A_LEAP + 1), slice(max(self.broken, last - 1), last + 1)]
        rates = [np.diff(self.run.count[o]) / np.diff(self.run.time_us[o]) for o in others]
        return bool(np.any(np.concatenate(rates) >= rate / 5.0))
