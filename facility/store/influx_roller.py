"""Storing an InfluxDB's roll-ups as time goes by, and mending those that late readings made doubtful."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from facility.errors import StoreUnavailable, WardwattError
from facility.store.influx_book import Entry
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_ledger import State
from facility.store.influx_link import WriteRefused
from facility.store.influx_questions import LIMIT_US
from facility.store.influx_reading import Reader
from facility.store.influx_rollups import FIRST_US, LAST_US, LOT_US, STORED, Points, RollupReader
from facility.store.influx_rows import row_lines, stored_rows
from facility.store.influx_text import LEASE, identifier
from facility.store.levels import DAY_US, HOUR_US, Level, Steps
from facility.store.rollups import HOLD_US, LevelRows, coarser, roll_up, within

log = logging.getLogger(__name__)

_REQUEST_ROWS: Final = 20_000
_END_S: Final = 2.0  # so long is waited for a pass under way


@dataclass(frozen=True, slots=True)
class RollingSettings:
    """
    How roll-ups are kept up to date.

    Attributes
    ----------
    every_s
        So often is looked for work; 0: only when it is asked for.
    behind_us
        Steps are stored when they are so old: what comes later than that makes them doubtful for a while. [µs]
    settle_s
        No write of any process lasts so long, from when it looked how far the roll-ups reach to the server's answer.
    lease_s
        A process that has not been heard of for so long no longer rolls up.
    """

    every_s: float = 60.0
    behind_us: int = 2 * HOUR_US
    settle_s: float = 60.0
    lease_s: float = 120.0


class Roller:
    """Stores roll-ups of one database; of several processes one does it at a time."""

    def __init__(
        self, database: InfluxDatabase, reader: Reader, rollups: RollupReader, settings: RollingSettings
    ) -> None:
        self._database = database
        self._reader = reader
        self._rollups = rollups
        self._settings = settings
        self._working = threading.RLock()
        self._stopping = threading.Event()
        self._lease = Lease(database, settings.lease_s, min(1.0, settings.settle_s))
        self._announced: tuple[int, float] | None = None  # how far, and when this process first knew
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Roll up every so often, in a thread of its own."""
        if self._settings.every_s > 0:
            self._thread = threading.Thread(target=self._run, name="InfluxDB roll-ups", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and let another process take over."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_END_S)
        self._lease.let_go()

    def _run(self) -> None:
        failing = False
        while not self._stopping.wait(self._settings.every_s):
            try:
                self.roll_up()
                failing = False
            except WardwattError as error:
                # The store's users tell of a server that is away; here it is told once, and tried again.
                if not failing and not self._stopping.is_set():
                    log.warning("roll-ups wait: %s", error)
                failing = True
            except Exception:
                log.exception("roll-ups wait for the next try")

    def roll_up(self) -> None:
        """Mend doubtful steps and store complete ones, unless another process does."""
        self._database.ready()
        if self._database.link.version().major >= 3:
            return  # it cannot delete marks: everything is summed up when it is asked for
        with self._working:
            if not self._lease.held():
                return
            steps = self._database.steps()
            self._mend(steps)
            self._advance(steps)

    # Complete steps

    def _advance(self, steps: Steps) -> None:
        state = self._database.ledger.state()
        goal_us = (int(time.time() * 1e6) - self._settings.behind_us) // HOUR_US * HOUR_US
        self.announce(goal_us, state)
        until_us, since_s = self._announced or (-LIMIT_US, 0.0)
        if time.monotonic() - since_s >= self._settings.settle_s:
            self.store_until(until_us, steps)

    def announce(self, goal_us: int, state: State) -> None:
        """Let writers mark what is older than `goal_us`, unless an earlier announcement has not settled yet."""
        known = self._announced
        if known is None or known[0] != state.announced_us:
            self._announced = known = state.announced_us, time.monotonic()
        settled = time.monotonic() - known[1] >= self._settings.settle_s
        if settled and state.rolled_us >= state.announced_us and goal_us > state.announced_us:
            self._database.ledger.note(announced_us=goal_us)
            self._announced = goal_us, time.monotonic()

    def store_until(self, until_us: int, steps: Steps) -> None:
        """Store the steps that end by `until_us`, a whole hour that has been announced and has settled."""
        points = Points.of(self._database.entries(None))
        lot_us = max(DAY_US, LOT_US // max(len(points.keys), 1))
        is_gap = True
        while not self._stopping.is_set():
            state = self._database.ledger.state()
            from_us = max(state.rolled_us, state.whole_us)
            if from_us >= until_us:
                return
            first_us = self._first(points, from_us, until_us, state) if is_gap else from_us
            end_us = min(steps.end(Level.DAY, min(first_us + lot_us, LAST_US) - 1), until_us)
            is_gap = not self._store(points, steps.floor(Level.HOUR, first_us), end_us, state, steps)
            # The day that had been begun may have ended without another reading.
            begun_us = steps.floor(Level.DAY, max(from_us, FIRST_US))
            if begun_us < steps.floor(Level.DAY, first_us):
                self._store_days(points, begun_us, steps.end(Level.DAY, begun_us), state, steps)
                begun_us = steps.floor(Level.DAY, first_us)
            self._store_days(points, begun_us, steps.floor(Level.DAY, end_us), state, steps)
            self._lease.keep()
            self._database.ledger.note(rolled_us=end_us)

    def _first(self, points: Points, from_us: int, until_us: int, state: State) -> int:
        """Return from when on in [from, until) there may be something to store. [µs]"""
        if from_us == state.whole_us > -LIMIT_US:
            return from_us  # states that were noted when older readings went
        extent = self._reader.extent(points.all_entries, from_us - HOLD_US, until_us)
        return until_us if extent is None else max(from_us, extent[0])

    def _store(self, points: Points, start_us: int, end_us: int, state: State, steps: Steps) -> bool:
        """Store the quarters and hours in [start, end), from a whole hour on; return whether there are any."""
        found = False
        for begin_us, until_us, readings in self._rollups.readings(
            points, Level.HOUR, start_us, end_us, state.whole_us, steps
        ):
            found = found or len(readings) > 0
            for level in (Level.QUARTER, Level.HOUR):
                # A step that holds readings which have gone is stored already.
                begun_us = max(begin_us, steps.ceil(level, max(state.whole_us, FIRST_US)))
                first, last = steps.number(level, np.array([begun_us, until_us])).tolist()
                rows = within(roll_up(readings, points.is_state, level, steps), first, last)
                self.write(rows, points.entries, level, steps)
        return found

    def _store_days(self, points: Points, start_us: int, end_us: int, state: State, steps: Steps) -> None:
        """Store the days in [start, end), both midnights, whose hours are stored."""
        start_us = max(start_us, steps.ceil(Level.DAY, max(state.whole_us, FIRST_US)))
        if start_us < end_us:
            days = self._made(points, Level.DAY, start_us, end_us, state, steps)
            self.write(days, points.entries, Level.DAY, steps)

    def _made(self, points: Points, level: Level, start_us: int, end_us: int, state: State, steps: Steps) -> LevelRows:
        """Sum up steps: days from stored hours, where a day is whole hours, all else from readings."""
        if level is Level.DAY and of_hours(start_us, end_us, steps):
            hours = stored_rows(self._database, points.entries, Level.HOUR, start_us, end_us, steps)
            return coarser(hours, Level.HOUR, Level.DAY, steps)
        return LevelRows.concat(self._rollups.summed(points, level, start_us, end_us, state.whole_us, steps))

    # Doubtful steps

    def _mend(self, steps: Steps) -> None:
        ledger = self._database.ledger
        state, marks, until_us = ledger.state_and_marks(self._settings.settle_s)
        if until_us is None:
            return
        points = Points.of(self._database.entries(sorted({key for mark in marks for key in mark.keys})))
        for level in STORED:
            start_us = steps.ceil(level, max(state.whole_us, FIRST_US))
            end_us = steps.floor(level, max(state.rolled_us, FIRST_US))
            for ids, first_us, last_us in self._rollups.doubtful(points, level, marks, start_us, end_us, steps):
                some = points.take(ids)
                anew = self._made(some, level, first_us, last_us, state, steps)
                stored = stored_rows(self._database, some.entries, level, first_us, last_us, steps)
                self.write(_emptied(stored, anew), some.entries, level, steps, anew=True)
                self.write(anew, some.entries, level, steps, anew=True)
        ledger.unmark(until_us)

    def write(
        self, rows: LevelRows, entries: Sequence[Entry], level: Level, steps: Steps, *, anew: bool = False
    ) -> None:
        """Store rows; `anew`: over others."""
        lines = list(row_lines(rows, entries, level, steps, anew=anew))
        for start in range(0, len(lines), _REQUEST_ROWS):
            self.send("".join(lines[start : start + _REQUEST_ROWS]))

    def send(self, text: str) -> None:
        """Write lines that are our own."""
        self._lease.keep()
        try:
            self._database.link.write(text)
        except WriteRefused as error:
            raise self._database.link.refused(str(error)) from error

    def settle(self) -> None:
        """Wait until no write can be under way that did not know what has just been announced."""
        self._stopping.wait(self._settings.settle_s)
        self._announced = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else roll up meanwhile; StoreUnavailable if another process does."""
        with self._working:
            if not self._lease.held():
                raise StoreUnavailable(
                    f"InfluxDB at {self._database.address.url}: another process is keeping the roll-ups of "
                    f"{self._database.address.database!r}; let it delete what is old, or try again when it has ended"
                )
            yield


class Lease:
    """Of several processes, the one that may roll up: its name stands in the database, with a count that moves."""

    def __init__(self, database: InfluxDatabase, lease_s: float, settle_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._settle_s = settle_s
        self._name = secrets.token_hex(8)
        self._beat = 0
        self._renewed_s = -1e9
        self._is_held = False
        self._other: tuple[str, int] = ("", 0)
        self._other_s = 0.0

    def held(self) -> bool:
        """Take the lease, if nobody has it or its holder has not been heard of for long; return whether it is ours."""
        holder = self._read()
        if holder[0] not in ("", self._name):
            if holder != self._other:
                self._other, self._other_s = holder, time.monotonic()
            if time.monotonic() - self._other_s < self._lease_s:
                self._is_held = False
                return False
        self._renew()
        if not self._is_held:
            # Another one may have found it free at the same moment: whose name stands in the end has it.
            time.sleep(self._settle_s)
            self._is_held = self._read()[0] == self._name
        return self._is_held

    def keep(self) -> None:
        """Let others know now and then that we are alive; StoreUnavailable if one has taken the lease meanwhile."""
        if time.monotonic() - self._renewed_s < self._lease_s / 4:
            return
        if self._read()[0] != self._name:
            self._is_held = False
            raise StoreUnavailable("another process has taken over the roll-ups, because this one was held up")
        self._renew()

    def _renew(self) -> None:
        self._beat += 1
        self._write(self._name)
        self._renewed_s = time.monotonic()

    def let_go(self) -> None:
        """Let others have it."""
        if self._is_held:
            self._is_held = False
            with suppress(WardwattError):
                self._write("")

    def _read(self) -> tuple[str, int]:
        found = self._database.link.query(
            [f'SELECT "by", "beat" FROM {identifier(LEASE)} WHERE time = 0'],  # noqa: S608
            lambda block: block.rows[0],
            patience="prompt",
        )
        return (str(found[0][1] or ""), int(found[0][2])) if found else ("", 0)

    def _write(self, name: str) -> None:
        self._database.link.write(f'{LEASE} by="{name}",beat={self._beat}i 0\n')


def _emptied(stored: LevelRows, anew: LevelRows) -> LevelRows:
    """Return, of steps that are stored but hold nothing any more, rows that say so."""
    held = set(zip(anew.point.tolist(), anew.number.tolist(), strict=True))
    gone = [pair not in held for pair in zip(stored.point.tolist(), stored.number.tolist(), strict=True)]
    rows = stored.take(np.array(gone, dtype=np.bool_))
    none = np.zeros(len(rows), dtype=np.int64)
    return replace(rows, count=none, known_us=none)


def of_hours(start_us: int, end_us: int, steps: Steps) -> bool:
    """Return whether all days in [start, end), themselves at midnights, begin at whole hours of UTC."""
    first, last = steps.number(Level.DAY, np.array([start_us, end_us])).tolist()
    return not bool((steps.start(Level.DAY, np.arange(first, last + 1)) % HOUR_US).any())
