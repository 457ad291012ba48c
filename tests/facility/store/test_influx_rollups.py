"""The InfluxDB keeper's roll-ups: stored in advance, mended after late readings, right whoever wrote and rolled up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.errors import StoreUnavailable
from facility.readings import GOOD, OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch, Rollups
from facility.store.influx_address import InfluxAddress
from facility.store.influx_ledger import Mark
from facility.store.influx_roller import RollingSettings
from facility.store.influxdb import InfluxDBStore
from facility.store.last_write import Readings
from facility.store.levels import DAY_US, HOUR_US, Level, Retention, Steps
from facility.store.rollups import roll_up
from tests.facility.store.influxd import SHARED, Influxd
from tests.facility.store.naive import NaiveStore

SECOND = 1_000_000
MINUTE = 60 * SECOND
T0 = 1_735_689_600 * SECOND  # 2025-01-01T00:00:00Z
ZONE = "Asia/Shanghai"
TABLE = PointTable(
    (
        PointAddress("tx1", "load_kw", "transformer", "kW", "demo", "main", "power-1"),
        PointAddress("tx1", "fan", "transformer", "", "demo", "main", "power-1", "state"),
        PointAddress("ahu-3", "supply temp=c", "ahu", "°C"),
    )
)
KEYS = [TABLE.key(i) for i in range(len(TABLE))]
LOAD, FAN, SUPPLY = range(3)
AT_ONCE = RollingSettings(every_s=0, behind_us=0, settle_s=0)
EVER = (-(2**62), 2**62)


def readings(*rows: tuple[int, int, float] | tuple[int, int, float, int]) -> ReadingBatch:
    columns = list(zip(*((*row, GOOD)[:4] for row in rows), strict=True))
    return ReadingBatch.of(TABLE, *[list(c) for c in columns])


def opened(server: Influxd, database: str, zone: str | None = ZONE) -> InfluxDBStore:
    return InfluxDBStore(InfluxAddress.parse(server.url(database)), zone=zone, rolling=AT_ONCE)


def expected(naive: NaiveStore, level: Level, zone: str = ZONE) -> dict[str, list[tuple[float, ...]]]:
    steps = Steps(zone)
    rows = sorted((TABLE.index[key], t, v, q) for (key, t), (v, q) in naive.held.items())
    point, time_us, value, quality = (np.array(c) for c in (zip(*rows, strict=True) if rows else ([],) * 4))
    held = Readings(
        point.astype(np.int32), time_us.astype(np.int64), value.astype(np.float64), quality.astype(np.uint8)
    )
    made = roll_up(held, np.array([False, True, False]), level, steps)
    start = steps.start(level, made.number)
    columns = (made.mean, made.min, made.max, made.last, made.count, made.time_mean, made.known_us)
    table = list(zip(made.point.tolist(), start.tolist(), *(c.tolist() for c in columns), strict=True))
    return {key: [row[1:] for row in table if row[0] == i] for i, key in enumerate(KEYS)}


def same(found: list[tuple[float, ...]], wanted: list[tuple[float, ...]], about: object = "") -> None:
    assert [row[0] for row in found] == [row[0] for row in wanted], about
    if wanted:
        np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-9, atol=1e-9, err_msg=str(about))


def rows_of(found: Rollups) -> list[tuple[float, ...]]:
    names = ("time_us", "mean", "min", "max", "last", "count", "time_mean", "known_us")
    return list(zip(*(getattr(found, name).tolist() for name in names), strict=True))


def agree(store: InfluxDBStore, naive: NaiveStore, zone: str = ZONE) -> None:
    for level in Level:
        found = store.rollup(KEYS, level, *EVER)
        for key, rows in expected(naive, level, zone).items():
            same(rows_of(found[key]), rows, (level, key))


def aggregates_agree(store: InfluxDBStore, naive: NaiveStore, start: int, end: int, step: int, origin: int) -> None:
    found = store.aggregate(KEYS, start, end, step, origin)
    for key in KEYS:
        columns = ("time_us", "mean", "min", "max", "last", "count")
        rows = list(zip(*(getattr(found[key], name).tolist() for name in columns), strict=True))
        same(rows, naive.aggregate(key, start, end, step, origin), key)


@pytest.fixture
def server() -> Influxd:
    return SHARED.server()


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path)[1:].replace("/", ".")


@pytest.fixture
def store(server: Influxd, database: str) -> Iterator[InfluxDBStore]:
    with opened(server, database) as found:
        yield found


def count_in(server: Influxd, database: str, measurement: str, field: str = "count") -> int:
    answer = server.ask(f'SELECT count("{field}") FROM "{measurement}"', database)  # noqa: S608
    series = answer["results"][0].get("series")  # type: ignore[index]
    return int(series[0]["values"][0][1]) if series else 0


def days(count: int, every_us: int = 10 * MINUTE) -> ReadingBatch:
    """Some days of all points; the fan goes on and off."""
    time_us = T0 + np.arange(0, count * DAY_US, every_us)
    point = np.tile(np.arange(3), time_us.shape[0])
    value = np.sin(np.arange(point.shape[0])) * 10
    value[point == FAN] = np.round(value[point == FAN]) % 2
    return ReadingBatch.of(TABLE, point, np.repeat(time_us, 3), value)


def test_stored_roll_ups_answer_without_the_readings(server: Influxd, store: InfluxDBStore, database: str) -> None:
    batch, naive = days(3), NaiveStore()
    store.write(batch)
    naive.write(batch)
    store.roll_up()
    assert count_in(server, database, "rollup_1h") > 3 * 3 * 24 - 1
    server.ask('DROP MEASUREMENT "transformer"', database)
    server.ask('DROP MEASUREMENT "ahu"', database)
    for level in (Level.QUARTER, Level.HOUR, Level.DAY):
        found = store.rollup(KEYS, level, *EVER)
        for key, rows in expected(naive, level).items():
            same(rows_of(found[key]), rows, (level, key))
    # A day by hours, and three days by days, need none either.
    aggregates_agree(store, naive, T0, T0 + 3 * DAY_US, 2 * HOUR_US, 0)
    aggregates_agree(store, naive, T0 - 8 * HOUR_US, T0 + 3 * DAY_US - 8 * HOUR_US, DAY_US, 16 * HOUR_US)


def test_late_rewritten_and_refuted_readings_are_right_at_once_and_after_mending(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    batch, naive = days(2), NaiveStore()
    late = readings(
        (LOAD, T0 + HOUR_US + 1, 99.0),
        (LOAD, T0 + 30 * HOUR_US, -5.0, OUT_OF_RANGE),
        (FAN, T0 + 5 * HOUR_US + 1, 0.0),
        (FAN, T0 + 2 * DAY_US - 1, 1.0),
        (SUPPLY, T0 - 40 * DAY_US, 3.0),
    )
    for some in (batch, late):
        store.write(some)
        naive.write(some)
        agree(store, naive)
        store.roll_up()
        agree(store, naive)
    store.roll_up()
    assert count_in(server, database, "wardwatt_late", "what") == 0
    agree(store, naive)


def test_a_step_whose_last_reading_was_refuted_is_gone(store: InfluxDBStore) -> None:
    naive = NaiveStore()
    for batch in (readings((LOAD, T0, 1.0), (FAN, T0, 1.0)), readings((LOAD, T0, 1.0, 1), (FAN, T0, 1.0, 1))):
        store.write(batch)
        naive.write(batch)
        store.roll_up()
        store.roll_up()
        agree(store, naive)
    assert len(store.rollup([KEYS[LOAD]], Level.HOUR, *EVER)[KEYS[LOAD]]) == 0


def test_a_mark_outlives_a_writer_that_was_killed_before_it_wrote_the_readings(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    store.write(days(1))
    store.roll_up()
    # What a writer does: first the mark; then it dies; another one takes its readings over.
    store._database.ledger.mark([Mark(T0 + HOUR_US, T0 + 2 * HOUR_US, (KEYS[LOAD],))])
    naive = NaiveStore()
    naive.write(days(1))
    agree(store, naive)
    server.write(
        f"transformer,site=demo,building=main,room=power-1,equipment=tx1 load_kw=7 {T0 + HOUR_US + 5}", database
    )
    naive.write(readings((LOAD, T0 + HOUR_US + 5, 7.0)))
    agree(store, naive)
    store.roll_up()
    agree(store, naive)


def test_a_mark_is_written_before_the_readings(server: Influxd, store: InfluxDBStore, database: str) -> None:
    store.write(days(1))
    store.roll_up()

    def die(rows: Readings) -> dict[str, str]:
        raise StoreUnavailable("killed")

    store._writer._send = die  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="killed"):
        store.write(readings((LOAD, T0 + 5, 1.0)))
    assert count_in(server, database, "wardwatt_late", "what") == 1


def test_a_write_held_up_while_roll_ups_went_on_is_marked_before_it_is_confirmed(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    store.write(days(1))
    naive = NaiveStore()
    naive.write(days(1))
    send = store._writer._send

    def be_held_up(rows: Readings) -> dict[str, str]:
        with opened(server, database) as other:
            other.roll_up()
        store._database.ledger.note(zone=ZONE)  # what this process knew of the state is a second old by now
        return send(rows)

    store._writer._send = be_held_up  # type: ignore[method-assign]
    late = readings((LOAD, T0 + 5, 1.0))
    store.write(late)
    naive.write(late)
    agree(store, naive)


def test_roll_ups_are_stored_by_themselves(server: Influxd, database: str) -> None:
    rolling = RollingSettings(every_s=0.05, behind_us=0, settle_s=0)
    with InfluxDBStore(InfluxAddress.parse(server.url(database)), rolling=rolling) as store:
        store.write(days(1))
        while count_in(server, database, "rollup_1d") < 3:
            time.sleep(0.02)


def test_processes_that_write_and_roll_up_beside_each_other_stay_right(server: Influxd, database: str) -> None:
    naive, wrong, lock = NaiveStore(), [], threading.Lock()
    settling = RollingSettings(every_s=0, behind_us=0, settle_s=1.1)
    address = InfluxAddress.parse(server.url(database))
    with (
        InfluxDBStore(address, zone=ZONE, rolling=settling) as first,
        InfluxDBStore(address, zone=ZONE, rolling=settling) as second,
    ):

        def work(store: InfluxDBStore, seed: int) -> None:
            random, after = np.random.default_rng(seed), 0
            try:
                while after < 6:  # so many writes come after the first steps have been stored
                    times = T0 + random.integers(0, 2 * 24 * 60, 30) * MINUTE + seed
                    batch = ReadingBatch.of(TABLE, random.integers(0, 3, 30), times, random.integers(0, 2, 30))
                    with lock:
                        naive.write(batch)
                    store.write(batch)
                    store.roll_up()
                    after += store._database.ledger.state().rolled_us > 0
            except Exception as error:
                wrong.append(error)

        workers = [threading.Thread(target=work, args=(s, i)) for i, s in enumerate((first, second))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert wrong == []
        agree(first, naive)
        agree(second, naive)


def test_the_roll_ups_of_a_process_that_was_killed_are_taken_over(server: Influxd, database: str) -> None:
    killed = opened(server, database)
    killed.write(days(1))
    killed.roll_up()
    killed._database.close()  # without a word to anybody
    rolling = RollingSettings(every_s=0, behind_us=0, settle_s=0, lease_s=0.3)
    with InfluxDBStore(InfluxAddress.parse(server.url(database)), rolling=rolling) as heir:
        with pytest.raises(StoreUnavailable, match="another process is keeping the roll-ups"):
            heir.expire(Retention(), T0)
        late = readings((LOAD, T0 + 5, 1.0))
        heir.write(late)
        while count_in(server, database, "wardwatt_late", "what"):
            heir.roll_up()


def test_of_two_processes_one_rolls_up_and_the_other_when_the_first_has_ended(server: Influxd, database: str) -> None:
    with opened(server, database) as second:
        with opened(server, database) as first:
            first.write(days(1))
            first.roll_up()
            with pytest.raises(StoreUnavailable, match="another process is keeping the roll-ups"):
                second.expire(Retention(), T0 + 1000 * DAY_US)
        second.expire(Retention(), T0 + 1000 * DAY_US)


def test_another_time_zone_rolls_the_days_up_anew(server: Influxd, database: str) -> None:
    batch, naive = days(3), NaiveStore()
    naive.write(batch)
    with opened(server, database) as store:
        store.write(batch)
        store.roll_up()
    for zone in ("Europe/Berlin", None, "Asia/Kolkata"):
        with opened(server, database, zone) as store:
            agree(store, naive, zone or "Europe/Berlin")
            store.roll_up()
            agree(store, naive, zone or "Europe/Berlin")


def test_a_point_that_turns_out_to_be_a_state_is_weighted_by_time_throughout(server: Influxd, database: str) -> None:
    as_gauge = PointTable((PointAddress("tx1", "fan", "transformer", "", "demo", "main", "power-1", "gauge"),))
    batch, naive = days(1), NaiveStore()
    of_fan = batch.take(batch.point == FAN)
    naive.write(of_fan)
    with opened(server, database) as store:
        store.write(ReadingBatch.of(as_gauge, np.zeros(len(of_fan), int), of_fan.time_us, of_fan.value))
        store.roll_up()
        assert np.isnan(store.rollup([KEYS[FAN]], Level.HOUR, *EVER)[KEYS[FAN]].time_mean).all()
        store.write(of_fan.take(np.array([0])))
        agree(store, naive)
        store.roll_up()
        agree(store, naive)


@pytest.mark.parametrize("zone", [ZONE, "Asia/Kolkata"])
def test_expired_readings_leave_their_roll_ups_of_all_levels(server: Influxd, database: str, zone: str) -> None:
    batch, naive = days(4), NaiveStore()
    naive.write(batch)
    retention = Retention(raw_us=DAY_US, minute_us=2 * DAY_US, quarter_us=3 * DAY_US)
    now_us = T0 + 4 * DAY_US
    cut_us = Steps(zone).floor(Level.DAY, now_us - DAY_US)
    with opened(server, database, zone) as store:
        store.write(batch)
        store.roll_up()
        before = {level: store.rollup(KEYS, level, *EVER) for level in Level}
        expired = store.expire(retention, now_us)
        assert expired.readings == int((batch.time_us < cut_us).sum())
        assert store.size().first_us == int(batch.time_us[batch.time_us >= cut_us].min())
        kept = {size.level: size.kept_from_us for size in store.levels()}
        assert kept[None] == cut_us
        for level in Level:
            from_us = kept[level] or -(2**62)
            after = store.rollup(KEYS, level, *EVER)
            # Where days begin at no whole hour, the state of the one hour that is cut is weighted up to the cut only.
            for key in KEYS if zone == ZONE else (KEYS[LOAD], KEYS[SUPPLY]):
                wanted = [row for row in rows_of(before[level][key]) if row[0] >= from_us]
                same(rows_of(after[key]), wanted, (level, key))
        assert store.expire(retention, now_us).readings == 0
        # Hours that have lost their readings are answered all the same.
        aggregates_agree(store, naive, T0, now_us, 6 * HOUR_US, 18 * HOUR_US if zone == ZONE else T0)


def test_what_comes_after_its_readings_have_expired_is_added_also_across_a_further_expiry(
    store: InfluxDBStore,
) -> None:
    batch = days(4)
    retention = Retention(raw_us=DAY_US)
    store.write(batch)
    store.expire(retention, T0 + 4 * DAY_US)
    before = store.rollup([KEYS[LOAD]], Level.HOUR, T0, T0 + HOUR_US)[KEYS[LOAD]]
    store.write(readings((LOAD, T0 + 1, 1000.0)))
    for _ in range(2):
        after = store.rollup([KEYS[LOAD]], Level.HOUR, T0, T0 + HOUR_US)[KEYS[LOAD]]
        assert after.count.tolist() == [before.count[0] + 1]
        assert after.max.tolist() == [1000.0]
        assert after.last.tolist() == before.last.tolist()
        assert after.mean[0] == pytest.approx((before.mean[0] * before.count[0] + 1000.0) / (before.count[0] + 1))
        store.expire(retention, T0 + 4 * DAY_US)
    assert store.count([KEYS[LOAD]], T0, T0 + HOUR_US)[KEYS[LOAD]] == 0


def test_an_expiry_cut_short_when_it_was_about_to_delete_is_finished_by_the_next(store: InfluxDBStore) -> None:
    batch, naive = days(3), NaiveStore()
    store.write(batch)
    naive.write(batch)
    deleted, delete = [], store._housekeeping.delete

    def fail(time_us: int) -> int:
        raise StoreUnavailable("cut short")

    store._housekeeping.delete = fail  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        store.expire(Retention(raw_us=DAY_US), T0 + 3 * DAY_US)
    agree(store, naive)
    store._housekeeping.delete = delete  # type: ignore[method-assign]
    deleted.append(store.expire(Retention(raw_us=DAY_US), T0 + 3 * DAY_US))
    agree(store, naive)


def test_readings_deleted_take_their_roll_ups_along(store: InfluxDBStore) -> None:
    batch, naive = days(3), NaiveStore()
    store.write(batch)
    naive.write(batch)
    store.roll_up()
    cut_us = T0 + DAY_US + 90 * MINUTE
    assert store.delete_before(cut_us) == naive.delete_before(cut_us)
    agree(store, naive)
    store.roll_up()
    agree(store, naive)


_ROWS = st.tuples(
    st.integers(0, 2),
    st.integers(-8, 60).map(lambda t: T0 + t * 37 * MINUTE),
    st.integers(0, 3).map(float),
    st.sampled_from([0, 0, 0, 1, 2]),
)
_ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.lists(_ROWS, min_size=1, max_size=12)),
    st.tuples(st.just("write"), st.lists(_ROWS, min_size=1, max_size=12)),
    st.tuples(st.just("roll up"), st.none()),
    st.tuples(st.just("delete"), st.integers(-8, 60).map(lambda t: T0 + t * 37 * MINUTE)),
    st.tuples(st.just("ask"), st.integers(-8, 60).map(lambda t: T0 + t * 37 * MINUTE)),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(actions=st.lists(_ACTIONS, max_size=10))
def test_any_writes_roll_ups_and_deletions_agree_with_sums_of_all_readings(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, object]]
) -> None:
    naive = NaiveStore()
    database = str(tmp_path_factory.mktemp("rollups"))[1:].replace("/", ".")
    with opened(SHARED.server(), database) as store:
        for action, detail in [*actions, ("ask", T0)]:
            match action, detail:
                case "write", list(rows):
                    store.write(readings(*rows))
                    naive.write(readings(*rows))
                case "roll up", _:
                    store.roll_up()
                case "delete", int(time_us):
                    assert store.delete_before(time_us) == naive.delete_before(time_us)
                case "ask", int(time_us):
                    agree(store, naive)
                    aggregates_agree(store, naive, time_us, time_us + 2 * DAY_US, HOUR_US, 0)
                    aggregates_agree(store, naive, *EVER, DAY_US, 16 * HOUR_US)
