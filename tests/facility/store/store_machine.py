"""A store behind a spool that is written to, cleared out, shut away, killed and opened again, beside a naive model."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from facility.readings import GOOD, OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.levels import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Level, Retention
from facility.store.rollups import HOLD_US
from facility.store.spool import SpoolSettings
from facility.store.spooled import SpooledSettings, SpooledStore
from tests.facility.store.naive import NaiveStore
from tests.facility.store.naive_rollups import Row, roll_up

ZONE = "Europe/Berlin"
T0 = 1_743_116_400 * SECOND_US  # 2025-03-28T00:00 in Berlin; the 30th has 23 hours
TABLE = PointTable(
    (PointAddress("pump-1", "running", "pump", kind="state"), PointAddress("pump-1", "power_kw", "pump"))
)
KEYS = [TABLE.key(i) for i in range(2)]
EVER = (-(2**62), 2**62)
ANY = np.inf  # of a step all of whose readings were late, `last` may be any of theirs
SETTINGS = SpooledSettings(
    first_retry_s=0.001,
    longest_retry_s=0.001,
    drain_readings=3,
    spool=SpoolSettings(bound_bytes=4 << 20, reserved_bytes=0, segment_bytes=1 << 20, spare_bytes=0),
)
KEEPERS = [
    DuckDBSettings(hot_readings=3, fan_in=2, rolled_from=0, compact_in_background=False),
    DuckDBSettings(hot_readings=50, fan_in=2, rolled_from=2, compact_in_background=False),
]
# Few times, so that keys meet: whole hours and odd ones over six days.
TIMES = st.builds(
    lambda hour, off: T0 + hour * HOUR_US + off,
    st.integers(0, 6 * 24 - 1),
    st.sampled_from([0, 1, 59 * SECOND_US, MINUTE_US, 30 * MINUTE_US, HOUR_US - 1]),
)
ROWS = st.lists(
    st.tuples(st.integers(0, 1), TIMES, st.integers(-3, 3), st.sampled_from([GOOD, GOOD, GOOD, OUT_OF_RANGE])),
    min_size=1,
    max_size=8,
)


class Model:
    """What the contract promises: readings in a dictionary, and steps whose readings have expired in another."""

    def __init__(self) -> None:
        self.raw = NaiveStore()
        self.kept: dict[Level | None, int] = dict.fromkeys([None, *Level], EVER[0])
        self.closed: dict[tuple[Level, str], dict[int, Row]] = {(level, key): {} for level in Level for key in KEYS}

    def write(self, key: str, time_us: int, value: float, quality: int) -> None:
        """Take a reading; of a step whose readings have expired it is added, once while it is remembered."""
        late = time_us < self.kept[None]
        if late and (key, time_us) in self.raw.held:
            return
        self.raw.held[key, time_us] = (value, quality)
        if not late or quality & OUT_OF_RANGE:
            return
        one = NaiveStore()
        one.held[key, time_us] = (value, quality)
        for level in Level:
            (row,) = roll_up(one, key, level, ZONE, is_state=False)
            steps = self.closed[level, key]
            row = (*row[:4], ANY, *row[5:])
            steps[row[0]] = _added(steps[row[0]], row) if row[0] in steps else row

    def open_steps(self, level: Level, key: str) -> dict[int, Row]:
        """Steps that are summed up from readings."""
        rows = roll_up(self.raw, key, level, ZONE, is_state=key == KEYS[0])
        return {row[0]: row for row in rows if row[0] >= self.kept[None]}

    def steps(self, level: Level, key: str) -> dict[int, Row]:
        """All steps of a level that are kept."""
        both = {**self.closed[level, key], **self.open_steps(level, key)}
        return {start: row for start, row in sorted(both.items()) if start >= self.kept[level]}

    def expire(self, kept: dict[Level | None, int]) -> None:
        """Close the steps before what is kept now."""
        for (level, key), steps in self.closed.items():
            steps |= {start: row for start, row in self.open_steps(level, key).items() if start < kept[None]}
        self.kept = kept
        self.raw.delete_before(kept[None] - HOLD_US)

    def delete_before(self, time_us: int) -> None:
        """Take readings away, and what is said of them."""
        self.raw.delete_before(time_us)
        for place, steps in self.closed.items():
            self.closed[place] = {start: row for start, row in steps.items() if start >= time_us}


def _added(old: Row, late: Row) -> Row:
    start, mean, low, high, last, count, time_mean, known_us = old
    if count == 0:
        return (*late[:6], time_mean, known_us)
    total = count + 1
    return (
        start,
        (mean * count + late[1]) / total,
        min(low, late[2]),
        max(high, late[3]),
        last,
        total,
        time_mean,
        known_us,
    )


class StoreMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order, the store says what the model says."""

    @initialize(how=st.sampled_from(KEEPERS))
    def begin(self, how: DuckDBSettings) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.place, self.how, self.away, self.lives = self.folder / "0", how, False, 0
        self.place.mkdir()
        self.model, self.waiting = Model(), list[tuple[str, int, float, int]]()
        self.newest_us = T0
        self.told: dict[tuple[str, int], tuple[float, int]] = {}
        self.open()

    def open(self) -> None:
        self.store = SpooledStore(
            lambda: DuckDBStore(self.place / "t.duckdb", zone=ZONE, settings=self.how),
            self.place / "spool",
            SETTINGS,
            table=TABLE,
            hold=lambda: "kept away by the test" if self.away else "",
        )

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @property
    def keeper(self) -> DuckDBStore:
        keeper = self.store.keeper
        assert isinstance(keeper, DuckDBStore)
        return keeper

    @rule(rows=ROWS, again=st.booleans())
    def write(self, rows: list[tuple[int, int, float, int]], again: bool) -> None:
        batch = []
        for point, time_us, value, quality in rows:
            # What is late beyond the retention comes again as it was; all else may come with another value.
            known = (KEYS[point], time_us)
            if time_us < self.newest_us:
                value, quality = self.told.setdefault(known, (value, quality))
            self.told[known] = (value, quality)
            batch.append((point, time_us, value, quality))
        columns = [list(column) for column in zip(*batch, strict=True)]
        for _ in range(2 if again else 1):
            self.store.write(ReadingBatch.of(TABLE, *columns))
            self.waiting += [(KEYS[p], t, float(v), q) for p, t, v, q in batch]
        self.settle()

    def settle(self) -> None:
        if self.away:
            return
        until = time.monotonic() + 30
        while self.store.spool_status().readings and time.monotonic() < until:
            time.sleep(0.001)
        assert self.store.spool_status().state == "direct"
        for key, time_us, value, quality in self.waiting:
            self.model.write(key, time_us, value, quality)
        self.waiting.clear()

    @rule()
    def compact(self) -> None:
        self.keeper.compact()

    @rule(raw=st.integers(1, 3), minutes=st.integers(0, 2), day=st.integers(2, 7))
    def expire(self, raw: int, minutes: int, day: int) -> None:
        ages = (raw * DAY_US, (raw + minutes) * DAY_US, None, None, None)
        self.store.expire(Retention(*ages), T0 + day * DAY_US)
        kept = {size.level: size.kept_from_us for size in self.store.levels()}
        self.model.expire({level: EVER[0] if us is None else us for level, us in kept.items()})
        self.newest_us = max(self.newest_us, self.model.kept[None])

    @rule(time_us=TIMES)
    def delete_before(self, time_us: int) -> None:
        # In a step whose readings have gone nothing says which of them were older: by whole days, then.
        if time_us < self.model.kept[None]:
            time_us = self.model.kept[None]
        deleted = self.store.delete_before(time_us)
        assert deleted == sum(t < time_us for _, t in self.model.raw.held)
        self.model.delete_before(time_us)

    @rule(away=st.booleans())
    def go_away_or_come_back(self, away: bool) -> None:
        self.away = away
        self.settle()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()
        self.settle()

    @rule()
    def kill(self) -> None:
        """Go on with the files as they lie, of a process that has never closed them."""
        self.lives += 1
        place = self.folder / str(self.lives)
        shutil.copytree(self.place, place)
        self.store.close()
        shutil.rmtree(self.place)
        self.place = place
        self.open()
        self.settle()

    @rule(zone=st.just(ZONE))
    @precondition(lambda self: not self.away)
    def copy(self, zone: str) -> None:
        """A backup holds the same."""
        target = self.folder / "copy.duckdb"
        self.keeper.snapshot(target)
        with DuckDBStore(target, read_only=True) as copied:
            self.compare(copied)
        target.unlink()

    @invariant()
    def is_what_the_model_says(self) -> None:
        if hasattr(self, "store"):
            self.compare(self.keeper)

    def compare(self, store: DuckDBStore) -> None:
        model, kept_us = self.model, self.model.kept[None]
        for level in Level:
            found = store.rollup(KEYS, level, *EVER)
            for key in KEYS:
                r = found[key]
                columns = (r.time_us, r.mean, r.min, r.max, r.last, r.count, r.time_mean, r.known_us)
                there = list(zip(*(c.tolist() for c in columns), strict=True))
                wanted = list(model.steps(level, key).values())
                assert [row[0] for row in there] == [row[0] for row in wanted], (level, key)
                a, b = (np.array(rows).reshape(-1, 8) for rows in (there, wanted))
                b[:, 4] = np.where(b[:, 4] == ANY, a[:, 4], b[:, 4])
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=f"{level} {key}")
        raw = store.series(KEYS, kept_us, EVER[1])
        newest, held = store.latest(), model.raw.latest()
        hours = store.aggregate(KEYS, *EVER, HOUR_US)
        for key in KEYS:
            series = list(zip(*(c.tolist() for c in (raw[key].time_us, raw[key].value, raw[key].quality)), strict=True))
            assert series == model.raw.series(key, kept_us, EVER[1])
            if key in held and held[key][0] >= kept_us:
                assert (newest[key].time_us, newest[key].value, newest[key].quality) == held[key]
            steps = [row for row in model.steps(Level.HOUR, key).values() if row[5]]
            assert hours[key].time_us.tolist() == [row[0] for row in steps]
            assert hours[key].count.tolist() == [row[5] for row in steps]
            np.testing.assert_allclose(hours[key].mean, [row[1] for row in steps], rtol=1e-9, atol=1e-12)
        counted = {key: sum(k == key for k, _ in model.raw.held) for key in KEYS}
        assert store.count(KEYS, *EVER) == counted
        size = store.size()
        assert (size.readings, size.points) == (sum(counted.values()), sum(n > 0 for n in counted.values()))
        assert store.points() == [key for key in sorted(KEYS) if counted[key]]
