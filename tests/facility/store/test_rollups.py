"""Roll-ups and retention, put to each keeper: what is promised of them, and the same against a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.readings import GOOD, OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch, Rollups
from facility.store import Expired, Level, Retention, TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.influx_address import InfluxAddress
from facility.store.influx_roller import RollingSettings
from facility.store.influxdb import InfluxDBStore
from facility.store.levels import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.facility.store.asking import asked_by
from tests.facility.store.influxd import SHARED
from tests.facility.store.naive import NaiveStore
from tests.facility.store.naive_rollups import Row, roll_up
from tests.facility.store.through_spool import ThroughSpool

ZONE = "Europe/Berlin"
T0 = 1_743_116_400 * SECOND_US  # 2025-03-28T00:00 in Berlin; the 30th has 23 hours
TABLE = PointTable(
    (
        PointAddress("pump-1", "running", "pump", kind="state"),
        PointAddress("pump-1", "power_kw", "pump"),
        PointAddress("pump-1", "energy_kwh", "pump", kind="total_increasing"),
    )
)
RUNNING, POWER, ENERGY = range(3)
KEYS = [TABLE.key(i) for i in range(3)]
EVER = (-(2**62), 2**62)


@dataclass(frozen=True)
class Keeper:
    """How the suite opens a keeper on a place; what it stores and when differs."""

    name: str
    open: Callable[[Path, str], TelemetryStore]


def _duckdb(name: str, how: DuckDBSettings) -> Keeper:
    return Keeper(name, lambda place, zone: DuckDBStore(place / "telemetry.duckdb", zone=zone, settings=how))


class _Storing(InfluxDBStore):
    """Stores the steps of every write at once, be they complete or not, and mends them with the next."""

    def write(self, batch: ReadingBatch) -> None:
        super().write(batch)
        self.roll_up()


def _influxdb(name: str, kind: type[InfluxDBStore]) -> Keeper:
    at_once = RollingSettings(every_s=0, behind_us=0, settle_s=0)

    def opened(place: Path, zone: str) -> TelemetryStore:
        url = SHARED.server().url(str(place)[1:].replace("/", "."))
        return kind(InfluxAddress.parse(url), zone=zone, rolling=at_once)

    return Keeper(name, opened)


KEEPERS = (
    _duckdb("duckdb", DuckDBSettings()),
    # All that is over is stored, of however few readings, and merged at once.
    _duckdb("duckdb storing", DuckDBSettings(hot_readings=2, fan_in=2, rolled_from=0, compact_in_background=False)),
    _duckdb("duckdb in the background", DuckDBSettings(hot_readings=5, fan_in=2, rolled_from=2)),
    Keeper("through the spool", lambda place, zone: ThroughSpool(place, zone, DuckDBSettings(hot_readings=2))),
    # A real server; each place is a database of its own.
    _influxdb("influxdb", InfluxDBStore),
    _influxdb("influxdb storing", _Storing),
)


@pytest.fixture(params=KEEPERS, ids=lambda keeper: keeper.name)
def keeper(request: pytest.FixtureRequest) -> Keeper:
    found: Keeper = request.param
    return found


@pytest.fixture
def store(keeper: Keeper, tmp_path: Path) -> Iterator[TelemetryStore]:
    with keeper.open(tmp_path, ZONE) as opened:
        yield opened


def readings(*rows: tuple[int, int, float] | tuple[int, int, float, int]) -> ReadingBatch:
    """Make a batch of (point, time, value[, quality])."""
    columns = list(zip(*((*row, GOOD)[:4] for row in rows), strict=True))
    return ReadingBatch.of(TABLE, *[list(c) for c in columns])


def rows_of(r: Rollups) -> list[Row]:
    columns = (r.time_us, r.mean, r.min, r.max, r.last, r.count, r.time_mean, r.known_us)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def same(found: list[Row], expected: list[Row]) -> None:
    """Compare: means may be rounded otherwise, everything else is the same to the last bit."""
    assert len(found) == len(expected)
    there, wanted = np.array(found, dtype=float).reshape(-1, 8), np.array(expected, dtype=float).reshape(-1, 8)
    exact = [0, 2, 3, 4, 5, 7]
    np.testing.assert_array_equal(there[:, exact], wanted[:, exact])
    np.testing.assert_allclose(there[:, [1, 6]], wanted[:, [1, 6]], rtol=1e-12, atol=1e-12)


def check_all(store: TelemetryStore, naive: NaiveStore, zone: str = ZONE) -> None:
    for level in Level:
        found = store.rollup(KEYS, level, *EVER)
        for n, key in enumerate(KEYS):
            same(rows_of(found[key]), roll_up(naive, key, level, zone, is_state=n == RUNNING))


def check_sums(store: TelemetryStore, naive: NaiveStore, start_us: int, end_us: int, step_us: int) -> None:
    found = store.aggregate(KEYS, start_us, end_us, step_us, T0)
    for key in KEYS:
        expected = naive.aggregate(key, start_us, end_us, step_us, T0)
        a = found[key]
        exact = list(zip(*(c.tolist() for c in (a.time_us, a.min, a.max, a.last, a.count)), strict=True))
        assert exact == [(t, low, high, last, n) for t, _, low, high, last, n in expected]
        assert a.mean.tolist() == pytest.approx([row[1] for row in expected], rel=1e-12, abs=1e-12)


def test_a_level_holds_mean_min_max_last_and_count_of_its_steps(store: TelemetryStore) -> None:
    store.write(readings((POWER, T0, 1.0), (POWER, T0 + 50 * SECOND_US, 5.0), (POWER, T0 + 20 * SECOND_US, 9.0)))
    found = store.rollup([KEYS[POWER]], Level.MINUTE, T0, T0 + MINUTE_US)[KEYS[POWER]]
    same(rows_of(found), [(T0, 5.0, 1.0, 9.0, 5.0, 3, np.nan, 0)])


def test_steps_that_begin_outside_are_left_out_and_those_inside_are_whole(store: TelemetryStore) -> None:
    store.write(readings((POWER, T0 + MINUTE_US, 1.0), (POWER, T0 + HOUR_US - 1, 2.0), (POWER, T0 + HOUR_US, 3.0)))
    found = store.rollup([KEYS[POWER]], Level.HOUR, T0, T0 + 1)[KEYS[POWER]]
    assert (found.time_us.tolist(), found.count.tolist()) == ([T0], [2])
    assert len(store.rollup([KEYS[POWER]], Level.HOUR, T0 + 1, T0 + HOUR_US)[KEYS[POWER]]) == 0


def test_a_state_holds_until_the_next_reading_and_carries_over_into_the_next_step(store: TelemetryStore) -> None:
    store.write(readings((RUNNING, T0 + 45 * MINUTE_US, 1.0), (RUNNING, T0 + 75 * MINUTE_US, 0.0)))
    found = store.rollup([KEYS[RUNNING]], Level.HOUR, *EVER)[KEYS[RUNNING]]
    assert found.time_mean.tolist() == [1.0, 0.25, 0.0]
    assert found.known_us.tolist() == [15 * MINUTE_US, HOUR_US, 15 * MINUTE_US]
    assert found.count.tolist() == [1, 1, 0]


def test_a_silence_is_not_counted_as_running(store: TelemetryStore) -> None:
    store.write(readings((RUNNING, T0, 1.0), (RUNNING, T0 + 20 * HOUR_US, 0.0)))
    found = store.rollup([KEYS[RUNNING]], Level.DAY, *EVER)[KEYS[RUNNING]]
    assert (found.time_mean * found.known_us).tolist() == [HOUR_US]


def test_impossible_readings_do_not_count_and_end_no_state(store: TelemetryStore) -> None:
    store.write(
        readings((RUNNING, T0, 1.0), (RUNNING, T0 + 30 * MINUTE_US, 99.0, OUT_OF_RANGE), (POWER, T0, 5.0, OUT_OF_RANGE))
    )
    found = store.rollup(KEYS, Level.HOUR, *EVER)
    assert rows_of(found[KEYS[RUNNING]]) == [(T0, 1.0, 1.0, 1.0, 1.0, 1, 1.0, HOUR_US)]
    assert len(found[KEYS[POWER]]) == len(found[KEYS[ENERGY]]) == 0


def test_days_begin_at_local_midnight_also_when_clocks_change(store: TelemetryStore) -> None:
    store.write(readings(*((POWER, T0 + n * HOUR_US, float(n)) for n in range(96))))
    found = store.rollup([KEYS[POWER]], Level.DAY, *EVER)[KEYS[POWER]]
    assert found.count.tolist() == [24, 24, 23, 24, 1]


def test_days_follow_when_the_site_moves_to_another_zone(keeper: Keeper, tmp_path: Path) -> None:
    naive = NaiveStore()
    for zone in (ZONE, "Asia/Kolkata", "Asia/Kolkata", "UTC"):
        with keeper.open(tmp_path, zone) as store:
            for n in range(0, 96, 8):
                batch = readings(*((p, T0 + k * HOUR_US, float(k)) for k in range(n, n + 8) for p in range(3)))
                store.write(batch)
                naive.write(batch)
            check_all(store, naive, zone)


# Half hours and odd minutes of six days, so that keys, steps and holds meet often.
_TIMES = st.integers(-10, 6 * 48).map(lambda k: T0 + k * 30 * MINUTE_US) | st.integers(0, 4000).map(
    lambda k: T0 + 2 * DAY_US + k * 59_999_999
)
_ROWS = st.tuples(
    st.integers(0, 2), _TIMES, st.integers(-50, 50).map(lambda v: v / 4), st.sampled_from([0, 0, 0, 1, 2])
)
_WRITES = st.tuples(st.just("write"), st.lists(_ROWS, min_size=1, max_size=25))
_ACTIONS = st.one_of(
    _WRITES,
    _WRITES,
    _WRITES,
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("delete"), _TIMES),
    st.tuples(st.just("reopen"), st.none()),
    st.tuples(st.just("ask"), st.none()),
    st.tuples(st.just("sum"), st.tuples(_TIMES, _TIMES, st.sampled_from([MINUTE_US, 7 * MINUTE_US, HOUR_US, DAY_US]))),
)
_HYPOTHESIS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@_HYPOTHESIS
@given(actions=st.lists(_ACTIONS, max_size=12))
def test_written_in_any_order_they_are_the_same_as_a_loop_over_the_sorted_readings(
    keeper: Keeper, tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, object]]
) -> None:
    place, naive = tmp_path_factory.mktemp("store"), NaiveStore()
    store = keeper.open(place, ZONE)
    try:
        for action, detail in [*actions, ("ask", None), ("sum", (*EVER, HOUR_US))]:
            match action, detail:
                case "write", list(rows):
                    store.write(readings(*rows))
                    naive.write(readings(*rows))
                case "compact", _:
                    getattr(store, "compact", lambda: None)()
                case "delete", int(time_us):
                    assert store.delete_before(time_us) == naive.delete_before(time_us)
                case "reopen", _:
                    store.close()
                    store = keeper.open(place, ZONE)
                case "ask", _:
                    check_all(store, naive)
                case "sum", (int(start), int(end), int(step)):
                    check_sums(store, naive, start, end, step)
    finally:
        store.close()


@_HYPOTHESIS
@given(
    parts=st.lists(st.lists(_ROWS, min_size=1, max_size=40), min_size=1, max_size=4),
    late=st.lists(_ROWS, max_size=10),
    ages=st.lists(st.integers(1, 6), min_size=1, max_size=2).map(sorted),
)
def test_roll_ups_stay_what_they_were_when_their_readings_expire(
    keeper: Keeper,
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[list[tuple[int, int, float, int]]],
    late: list[tuple[int, int, float, int]],
    ages: list[int],
) -> None:
    naive, now_us = NaiveStore(), T0 + 6 * DAY_US + 7 * HOUR_US
    with keeper.open(tmp_path_factory.mktemp("store"), ZONE) as store:
        for rows in parts:
            store.write(readings(*rows))
            naive.write(readings(*rows))
        for age in reversed(ages):
            store.expire(Retention(age * DAY_US, None, None, None, None), now_us)
            check_all(store, naive)
        # The step that holds the end of what is kept may not be a whole one in the question, nor in what is stored.
        check_sums(store, naive, *EVER, HOUR_US)
        check_sums(store, naive, *EVER, 3 * MINUTE_US)
        kept_us = store.levels()[0].kept_from_us
        assert kept_us is not None
        newer = [row for row in late if row[1] >= kept_us]
        if newer:
            store.write(readings(*newer))
            naive.write(readings(*newer))
            check_all(store, naive)


def test_late_readings_are_added_to_steps_whose_readings_have_expired(store: TelemetryStore) -> None:
    store.write(readings(*((POWER, T0 + n * HOUR_US, float(n)) for n in range(96))))
    store.expire(Retention(DAY_US, None, None, None, None), T0 + 4 * DAY_US)
    store.write(readings((POWER, T0 + 90 * MINUTE_US, 100.0), (ENERGY, T0, 7.0)))
    for _ in range(2):
        found = store.rollup(KEYS, Level.DAY, *EVER)
        day = rows_of(found[KEYS[POWER]])[0]
        assert day[1:6] == (pytest.approx((sum(range(24)) + 100) / 25), 0.0, 100.0, 23.0, 25)
        assert found[KEYS[ENERGY]].last.tolist() == [7.0]
        assert store.aggregate(KEYS, T0, T0 + DAY_US, DAY_US, T0)[KEYS[POWER]].count.tolist() == [25]
        getattr(store, "compact", lambda: None)()


def test_a_late_reading_for_an_expired_step_counts_once_however_often_it_is_sent(store: TelemetryStore) -> None:
    retention = Retention(DAY_US, None, None, None, None)
    store.write(readings(*((POWER, T0 + n * HOUR_US, float(n)) for n in range(96))))
    store.expire(retention, T0 + 4 * DAY_US)
    for _ in range(3):
        store.write(readings((POWER, T0 + 90 * MINUTE_US, 100.0), (POWER, T0 + 95 * MINUTE_US, 100.0)))
        getattr(store, "compact", lambda: None)()
        assert store.rollup(KEYS, Level.DAY, *EVER)[KEYS[POWER]].count[0] == 26
        assert store.aggregate(KEYS, T0, T0 + DAY_US, DAY_US, T0)[KEYS[POWER]].count.tolist() == [26]
    store.expire(retention, T0 + 4 * DAY_US)
    assert store.rollup(KEYS, Level.DAY, *EVER)[KEYS[POWER]].count[0] == 26


def test_each_level_goes_by_its_own_age_and_says_how_much_went(store: TelemetryStore) -> None:
    now_us = T0 + 30 * DAY_US
    store.write(readings(*((POWER, T0 + n * HOUR_US, float(n)) for n in range(30 * 24))))
    gone = store.expire(Retention(3 * DAY_US, 10 * DAY_US, 20 * DAY_US, None, None), now_us)
    assert isinstance(gone, Expired)
    # The hour that summer time took away; and a keeper may keep an hour more, whose state may be in force at midnight.
    assert gone.readings in (27 * 24 - 1 - 1, 27 * 24 - 1)
    expected = {Level.MINUTE: 10 * 24 + 1, Level.QUARTER: 20 * 24 + 1, Level.HOUR: 30 * 24, Level.DAY: 30 * 24}
    for level, count in expected.items():
        found = store.rollup([KEYS[POWER]], level, *EVER)[KEYS[POWER]]
        assert int(found.count.sum()) == count
    assert store.expire(Retention(3 * DAY_US, 10 * DAY_US, 20 * DAY_US, None, None), now_us).readings == 0
    sums = store.aggregate([KEYS[POWER]], *EVER, 7 * MINUTE_US, T0)[KEYS[POWER]]
    assert int(sums.count.sum()) == 30 * 24


def test_a_state_from_before_what_is_kept_is_still_in_force_after_it(store: TelemetryStore) -> None:
    rows = [(RUNNING, T0 + DAY_US - 30 * MINUTE_US, 1.0), (RUNNING, T0 + DAY_US + 20 * HOUR_US, 0.0)]
    naive, batch = NaiveStore(), readings(*rows)
    store.write(batch)
    naive.write(batch)
    store.expire(Retention(DAY_US, None, None, None, None), T0 + 2 * DAY_US)
    assert store.levels()[0].kept_from_us == T0 + DAY_US
    check_all(store, naive)


def test_what_nothing_is_too_old_for_is_kept(store: TelemetryStore) -> None:
    store.write(readings((POWER, T0, 1.0)))
    assert store.expire(Retention.for_ever(), T0 + 10_000 * DAY_US).readings == 0
    assert len(store.series([KEYS[POWER]], *EVER)[KEYS[POWER]]) == 1


def test_a_point_that_is_found_to_be_a_state_is_weighted_by_time_from_then_on(store: TelemetryStore) -> None:
    other = PointTable((PointAddress("pump-1", "running", "pump", kind="gauge"),))
    times = T0 + np.arange(0, 96) * HOUR_US
    store.write(ReadingBatch.of(other, np.zeros(96), times, np.arange(96) % 2))
    getattr(store, "compact", lambda: None)()
    assert store.rollup(KEYS, Level.DAY, *EVER)[KEYS[RUNNING]].known_us.tolist() == [0] * 5
    store.write(readings((RUNNING, T0, 0.0)))
    for _ in range(2):
        found = store.rollup(KEYS, Level.DAY, *EVER)[KEYS[RUNNING]]
        assert (found.known_us / HOUR_US).tolist() == [24, 24, 23, 24, 1]
        getattr(store, "compact", lambda: None)()


def test_threads_ask_while_another_writes_late_readings_and_see_each_of_them(keeper: Keeper, tmp_path: Path) -> None:
    batches, size = 14, 8
    key = KEYS[POWER]
    written = [0]
    with keeper.open(tmp_path, ZONE) as store:

        def ask() -> object | None:
            for level in (Level.MINUTE, Level.DAY):
                before = written[0]
                rolled = int(store.rollup([key], level, *EVER)[key].count.sum())
                summed = int(store.aggregate([key], *EVER, HOUR_US)[key].count.sum())
                after = written[0] + size
                if not before <= rolled <= after or not before <= summed <= after:
                    return before, rolled, summed, after
            return None

        with asked_by(2, ask):
            for n in range(batches):
                # Every other batch is days late, so stored steps are summed up again all the time.
                day = n if n % 2 else n - 7
                store.write(
                    readings(*((POWER, T0 + day * DAY_US + k * 3 * HOUR_US + n, float(k)) for k in range(size)))
                )
                written[0] += size
