"""Deleting what is old from an InfluxDB: readings when their roll-ups are stored, then each level in its turn."""

# ruff: noqa: S608 (InfluxQL has no parameters; these names are our own, everything else is our own numbers)

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facility.readings import OUT_OF_RANGE
from facility.store.contract import Expired
from facility.store.influx_database import InfluxDatabase
from facility.store.influx_housekeeping import Housekeeping
from facility.store.influx_ledger import Mark, State
from facility.store.influx_questions import EVER, LIMIT_US, ns
from facility.store.influx_reading import Reader
from facility.store.influx_roller import Roller, of_hours
from facility.store.influx_rollups import FIRST_US, Points, RollupReader
from facility.store.influx_rows import seed_lines, stored_rows
from facility.store.influx_text import ROLLUPS, SEEDS, identifier
from facility.store.last_write import Readings
from facility.store.levels import Level, Retention, Steps
from facility.store.rollups import HOLD_US, LevelRows, merged, roll_up, within, without_states


class Expiry:
    """Deletes what is old from one database; safe to use from several threads."""

    def __init__(
        self,
        database: InfluxDatabase,
        reader: Reader,
        housekeeping: Housekeeping,
        rollups: RollupReader,
        roller: Roller,
    ) -> None:
        self._database = database
        self._reader = reader
        self._housekeeping = housekeeping
        self._rollups = rollups
        self._roller = roller

    def expire(self, retention: Retention, now_us: int) -> Expired:
        """Delete what is older than `retention` allows, roll-ups of readings being stored first; see the contract."""
        self._database.ready()
        if retention == Retention.for_ever():
            return Expired(0, dict.fromkeys(Level, 0))
        self._housekeeping.must_delete()
        steps = self._database.steps()
        cuts = {level: steps.cut(retention.of(level), now_us) for level in Level}
        raw_us = steps.cut(retention.raw_us, now_us)
        with self._roller.alone():
            readings = 0
            if raw_us is not None:
                readings = self._readings(raw_us, cuts, steps)
            return Expired(readings, {level: self._level(level, cut_us) for level, cut_us in cuts.items()})

    def _readings(self, until_us: int, cuts: Mapping[Level, int | None], steps: Steps) -> int:
        """Store the roll-ups of all readings before a midnight, and delete these readings."""
        ledger = self._database.ledger
        points = Points.of(self._database.entries(None))
        state = ledger.state()
        if state.deleting_us > state.kept[None]:
            # The last call was cut short when the roll-ups were stored.
            self._delete(state.deleting_us)
            state = ledger.state()
        kept_us = state.kept[None]
        readings = self._add_late(points, kept_us, steps)
        if until_us <= kept_us:
            return readings
        if state.announced_us < until_us:
            # From here on readings that come for these days are marked.
            ledger.note(announced_us=until_us)
            self._roller.settle()
        self._store(points, until_us, kept_us, cuts, steps)
        self._note_states(points, until_us, kept_us)
        ledger.note(deleting_us=until_us, rolled_us=max(state.rolled_us, until_us))
        return readings + self._delete(until_us)

    def _store(
        self, points: Points, until_us: int, kept_us: int, cuts: Mapping[Level, int | None], steps: Steps
    ) -> None:
        """Store the steps of all levels, as far as these are kept, of the readings in [kept, until)."""
        start_us = max(kept_us, FIRST_US)
        # Where days begin at whole hours, lots of whole days are lots of whole steps of every level.
        together = of_hours(until_us, until_us, steps)
        for levels in [tuple(Level)] if together else [(level,) for level in Level]:
            coarsest = levels[-1]
            for begin_us, end_us, lot in self._rollups.readings(
                points,
                coarsest,
                steps.floor(coarsest, start_us),
                steps.ceil(coarsest, until_us),
                kept_us,
                steps,
            ):
                readings = lot if end_us <= until_us else lot.take(lot.time_us < until_us)
                for level in levels:
                    cut_us = cuts[level]
                    if cut_us is None or end_us > cut_us:
                        first, last = steps.number(level, np.array([begin_us, end_us])).tolist()
                        rows = within(roll_up(readings, points.is_state, level, steps), first, last)
                        if begin_us < kept_us:  # the step that the last cut went through is half stored
                            stored = stored_rows(self._database, points.entries, level, begin_us, kept_us, steps)
                            rows = merged(LevelRows.concat([rows, stored]))
                        self._roller.write(rows, points.entries, level, steps, anew=True)

    def _delete(self, until_us: int) -> int:
        readings = self._housekeeping.delete(until_us)
        self._database.ledger.note(kept={None: until_us})
        return readings

    def _add_late(self, points: Points, before_us: int, steps: Steps) -> int:
        """Add readings that came for steps whose readings had gone, and delete them; return how many."""
        if before_us == -LIMIT_US:
            return 0
        state = self._database.ledger.state()
        for level in Level:
            start_us = max(state.kept[level], FIRST_US)
            for begin_us, end_us, readings in self._rollups.readings(
                points, Level.DAY, start_us, before_us, start_us, steps
            ):
                first, last = steps.number(level, np.array([begin_us, end_us])).tolist()
                late = within(without_states(roll_up(readings, points.is_state, level, steps)), first, last)
                stored = stored_rows(self._database, points.entries, level, begin_us, end_us, steps)
                together = merged(LevelRows.concat([stored, late]))
                self._roller.write(together, points.entries, level, steps, anew=True)
        return self._housekeeping.delete(before_us)

    def _note_states(self, points: Points, until_us: int, kept_us: int) -> None:
        """Note which states are in force when the readings before `until_us` have gone."""
        states = points.take(np.flatnonzero(points.is_state).tolist())
        found = self._reader.raw(states.all_entries, max(until_us - HOLD_US, kept_us), until_us)
        last = []
        for i, key in enumerate(states.keys):
            possible = np.flatnonzero((found[key].quality & OUT_OF_RANGE) == 0) if key in found else np.empty(0)
            if possible.shape[0]:
                at = int(possible[-1])
                last.append((i, int(found[key].time_us[at]), float(found[key].value[at])))
        seeds = Readings(
            np.array([row[0] for row in last], dtype=np.int32),
            np.array([row[1] for row in last], dtype=np.int64),
            np.array([row[2] for row in last], dtype=np.float64),
            np.zeros(len(last), dtype=np.uint8),
        )
        older = f"DELETE FROM {identifier(SEEDS)} WHERE time < {ns(until_us - HOLD_US)}"
        self._database.query([older], lambda _, __: None)
        if last:
            self._roller.send("".join(seed_lines(seeds, states.entries)))

    def _level(self, level: Level, cut_us: int | None) -> int:
        """Delete the steps of a level before a midnight; return how many there were."""
        if cut_us is None:
            return 0
        older = f"FROM {identifier(ROLLUPS[level])} WHERE time < {ns(cut_us)}"
        counted = self._database.query(
            [f'SELECT count("count") {older}'], lambda _, block: int(block.rows[0][1] or 0), patience="long"
        )
        if cut_us > self._database.ledger.state().kept[level]:
            self._database.ledger.note(kept={level: cut_us})
        if sum(counted):
            self._database.query([f"DELETE {older}"], lambda _, __: None, patience="long")
        return sum(counted)

    def delete_before(self, time_us: int) -> int:
        """Delete all readings older than `time_us`, and what roll-ups say of them; return how many readings."""
        entries = self._database.entries(None)
        self._housekeeping.must_delete()
        state: State = self._database.ledger.state()
        if state.announced_us == -LIMIT_US and state.kept[None] == -LIMIT_US:
            return self._housekeeping.delete(time_us)  # nothing has been rolled up yet
        steps = self._database.steps()
        with self._roller.alone():
            # Marked first: whatever cuts this short, roll-ups then follow the readings.
            self._database.ledger.mark([Mark(EVER[0], time_us, tuple(sorted({entry.key for entry in entries})))])
            readings = self._housekeeping.delete(time_us)
            self._database.query(
                [
                    f"DELETE FROM {identifier(ROLLUPS[level])} WHERE time < {ns(steps.floor(level, time_us))}"
                    for level in Level
                ]
                + [f"DELETE FROM {identifier(SEEDS)} WHERE time < {ns(time_us)}"],
                lambda _, __: None,
                patience="long",
            )
            return readings
