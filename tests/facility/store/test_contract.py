"""What every keeper of telemetry promises, put to each of them. A new keeper is one more entry in `KEEPERS`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.errors import StoreUnavailable
from facility.readings import (
    ESTIMATED,
    GOOD,
    OUT_OF_RANGE,
    Aggregates,
    PointAddress,
    PointTable,
    ReadingBatch,
    Series,
)
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.duckdb_file import DuckDBSettings
from facility.store.influxdb import open_influxdb
from facility.store.spooled import SpooledStore
from tests.facility.store.asking import asked_by
from tests.facility.store.influxd import SHARED
from tests.facility.store.naive import NaiveStore, Reading, Step
from tests.facility.store.through_spool import SETTINGS, ThroughSpool

SECOND = 1_000_000
MINUTE = 60 * SECOND
T0 = 1_735_689_600 * SECOND  # 2025-01-01T00:00:00Z
EVER = (-(2**62), 2**62)
TABLE = PointTable.of_keys(["tx1/load_kw", "tx1/hot_spot_c", "ahu-3/supply_temp_c"])
LOAD, HOT_SPOT, SUPPLY = range(3)


@dataclass(frozen=True)
class Keeper:
    """How the suite opens a keeper on an empty place, and opens the same place again."""

    name: str
    open: Callable[[Path], TelemetryStore]


KEEPERS = (
    Keeper("duckdb", lambda place: DuckDBStore(place / "telemetry.duckdb")),
    # The same with hardly any hot part, so that every test also runs on sorted and merged data.
    Keeper(
        "duckdb compacting",
        lambda place: DuckDBStore(place / "telemetry.duckdb", settings=DuckDBSettings(hot_readings=2, fan_in=2)),
    ),
    # With a spool before it, in which nothing waits, and with everything going through it.
    Keeper("spooled", lambda place: SpooledStore(DuckDBStore(place / "telemetry.duckdb"), place / "spool", SETTINGS)),
    Keeper("through the spool", ThroughSpool),
    # A real server; each place is a database of its own.
    Keeper("influxdb", lambda place: open_influxdb(SHARED.server().url(str(place).replace("/", "-")))),
)


@pytest.fixture(params=KEEPERS, ids=lambda keeper: keeper.name)
def keeper(request: pytest.FixtureRequest) -> Keeper:
    found: Keeper = request.param
    return found


@pytest.fixture
def store(keeper: Keeper, tmp_path: Path) -> Iterator[TelemetryStore]:
    with keeper.open(tmp_path) as opened:
        yield opened


def readings(*rows: tuple[int, int, float] | tuple[int, int, float, int], table: PointTable = TABLE) -> ReadingBatch:
    """Make a batch of (point, time, value[, quality])."""
    columns = list(zip(*((*row, GOOD)[:4] for row in rows), strict=True))
    return ReadingBatch.of(table, *[list(c) for c in columns])


def rows_of(series: Series) -> list[Reading]:
    return list(zip(series.time_us.tolist(), series.value.tolist(), series.quality.tolist(), strict=True))


def steps_of(a: Aggregates) -> list[Step]:
    columns = (a.time_us, a.mean, a.min, a.max, a.last, a.count)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def test_a_keeper_is_a_telemetry_store(store: TelemetryStore) -> None:
    assert isinstance(store, TelemetryStore)


def test_a_reading_written_is_read_back_with_its_quality(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 412.5, ESTIMATED)))
    assert rows_of(store.series(["tx1/load_kw"], T0, T0 + 1)["tx1/load_kw"]) == [(T0, 412.5, ESTIMATED)]


def test_an_empty_store_holds_nothing_and_says_so(store: TelemetryStore) -> None:
    size = store.size()
    assert (size.readings, size.points, size.first_us, size.last_us) == (0, 0, None, None)
    assert list(store.points()) == []
    assert dict(store.latest()) == {}
    assert store.delete_before(T0) == 0


def test_an_empty_batch_changes_nothing(store: TelemetryStore) -> None:
    store.write(ReadingBatch.empty(TABLE))
    assert store.size().readings == 0


def test_a_name_never_written_has_no_readings_and_is_no_error(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0)))
    assert len(store.series(["no/such"], *EVER)["no/such"]) == 0
    assert len(store.aggregate(["no/such"], T0, T0 + MINUTE, MINUTE)["no/such"]) == 0
    assert dict(store.latest(["no/such"])) == {}


def test_a_known_point_without_readings_in_the_interval_is_in_the_result_and_empty(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0)))
    found = store.series(["tx1/load_kw", "tx1/hot_spot_c"], T0 + 1, T0 + 2)
    assert {key: len(series) for key, series in found.items()} == {"tx1/load_kw": 0, "tx1/hot_spot_c": 0}


def test_the_start_belongs_to_an_interval_and_the_end_does_not(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0 - 1, 1.0), (LOAD, T0, 2.0), (LOAD, T0 + 999, 3.0), (LOAD, T0 + 1000, 4.0)))
    inside = store.series(["tx1/load_kw"], T0, T0 + 1000)["tx1/load_kw"]
    assert inside.value.tolist() == [2.0, 3.0]
    inside = store.series(["tx1/load_kw"], T0 - 1, T0 + 999)["tx1/load_kw"]
    assert inside.value.tolist() == [1.0, 2.0]


def test_an_interval_that_ends_before_it_starts_is_empty(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0)))
    assert len(store.series(["tx1/load_kw"], T0 + 1, T0 - 1)["tx1/load_kw"]) == 0
    assert len(store.aggregate(["tx1/load_kw"], T0 + 1, T0 - 1, MINUTE)["tx1/load_kw"]) == 0


def test_readings_come_oldest_first_however_they_were_written(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0 + 2, 3.0), (LOAD, T0, 1.0)))
    store.write(readings((LOAD, T0 + 1, 2.0)))
    assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tolist() == [1.0, 2.0, 3.0]


def test_times_are_kept_to_the_microsecond_also_before_1970(store: TelemetryStore) -> None:
    times = [-1_500_001, -1, 0, 1, T0 + 123_457]
    store.write(readings(*((LOAD, t, 1.0) for t in times)))
    assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].time_us.tolist() == times
    assert store.size().first_us == -1_500_001


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-300, 1.7976931348623157e308, 123456789.123456789])
def test_values_are_kept_to_the_last_bit(store: TelemetryStore, value: float) -> None:
    store.write(readings((LOAD, T0, value)))
    assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tobytes() == np.float64(value).tobytes()


def test_writing_a_reading_again_changes_nothing(store: TelemetryStore) -> None:
    for _ in range(3):
        store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 1, 2.0)))
    assert store.size().readings == 2
    assert rows_of(store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"]) == [(T0, 1.0, GOOD), (T0 + 1, 2.0, GOOD)]


def test_the_last_write_of_a_key_stands(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 1, 9.0)))
    store.write(readings((LOAD, T0, 2.0, OUT_OF_RANGE)))
    assert rows_of(store.series(["tx1/load_kw"], T0, T0 + 1)["tx1/load_kw"]) == [(T0, 2.0, OUT_OF_RANGE)]


def test_within_one_batch_the_later_row_stands(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (HOT_SPOT, T0, 5.0), (LOAD, T0, 2.0)))
    assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tolist() == [2.0]
    assert store.latest()["tx1/load_kw"].value == 2.0
    assert store.size().readings == 2


def test_a_rewrite_of_the_newest_reading_is_the_latest(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0)))
    store.write(readings((LOAD, T0, 2.0)))
    assert store.latest()["tx1/load_kw"].value == 2.0


def test_late_readings_do_not_become_the_latest(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0 + 5, 1.0)))
    store.write(readings((LOAD, T0, 2.0)))
    assert store.latest(["tx1/load_kw"])["tx1/load_kw"].time_us == T0 + 5


def test_the_same_key_in_another_point_table_is_the_same_point(store: TelemetryStore) -> None:
    turned = PointTable.of_keys(["pump/flow_m3h", "tx1/load_kw"])
    store.write(readings((LOAD, T0, 1.0)))
    store.write(readings((1, T0 + 1, 2.0), (0, T0, 7.0), table=turned))
    assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tolist() == [1.0, 2.0]
    assert list(store.points()) == ["pump/flow_m3h", "tx1/load_kw"]


def test_names_may_hold_any_text(store: TelemetryStore) -> None:
    keys = ["氧气站/压力_MPa", "o'brien/x\"y; --", "a b,c=d\\/é", "x/y/z"]
    store.write(readings(*((i, T0, float(i)) for i in range(4)), table=PointTable.of_keys(keys)))
    assert list(store.points()) == sorted(keys)
    assert {key: s.value.tolist() for key, s in store.series(keys, *EVER).items()} == {
        key: [float(i)] for i, key in enumerate(keys)
    }


def test_a_points_address_is_what_the_last_batch_that_knew_it_said(keeper: Keeper, tmp_path: Path) -> None:
    first = PointAddress("tx1", "fan", "dry_type_transformer", "", "riverside", "main", "power-1", "state")
    moved = PointAddress("tx1", "fan", "dry_type_transformer", '%"µ', "riverside", "main", "power-2", "gauge")
    bare = PointAddress("tx2", "load")
    with keeper.open(tmp_path) as store:
        for address in (first, moved, PointAddress("tx1", "fan"), bare):
            store.write(readings((0, T0, 1.0), table=PointTable((address,))))
    with keeper.open(tmp_path) as store:
        assert store.addresses() == {"tx1/fan": moved, "tx2/load": bare}
        assert store.addresses(["tx2/load", "tx9/load"]) == {"tx2/load": bare}


def test_impossible_readings_are_counted_and_nameless_points_have_none(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0, 2.0, OUT_OF_RANGE), (LOAD, T0 + 5, 3.0), (SUPPLY, T0, 4.0)))
    counted = store.count([TABLE.key(LOAD), TABLE.key(HOT_SPOT), "no/such"], T0, T0 + 5)
    assert counted == {TABLE.key(LOAD): 1, TABLE.key(HOT_SPOT): 0, "no/such": 0}


def test_only_points_with_readings_are_listed(store: TelemetryStore) -> None:
    store.write(readings((SUPPLY, T0, 17.4)))
    assert list(store.points()) == ["ahu-3/supply_temp_c"]
    assert store.size().points == 1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_refused_with_its_point_and_nothing_of_the_batch_is_kept(
    store: TelemetryStore, wrong: float
) -> None:
    with pytest.raises(ValueError, match="tx1/hot_spot_c"):
        store.write(readings((LOAD, T0, 1.0), (HOT_SPOT, T0, wrong)))
    assert store.size().readings == 0


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_the_table_is_refused(store: TelemetryStore, index: int) -> None:
    with pytest.raises(ValueError, match=f"point index {index}"):
        store.write(readings((index, T0, 1.0)))


def test_aggregates_hold_mean_min_max_last_and_count_of_each_step(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + MINUTE - 1, 4.0), (LOAD, T0 + 30 * SECOND, 7.0)))
    store.write(readings((LOAD, T0 + MINUTE, 5.0)))
    found = store.aggregate(["tx1/load_kw"], T0, T0 + 2 * MINUTE, MINUTE)["tx1/load_kw"]
    assert steps_of(found) == [(T0, 4.0, 1.0, 7.0, 4.0, 3), (T0 + MINUTE, 5.0, 5.0, 5.0, 5.0, 1)]


def test_steps_without_readings_are_absent_never_zero(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 10 * MINUTE, 2.0)))
    found = store.aggregate(["tx1/load_kw"], T0, T0 + 60 * MINUTE, MINUTE)["tx1/load_kw"]
    assert found.time_us.tolist() == [T0, T0 + 10 * MINUTE]


def test_steps_are_aligned_to_the_origin(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0 + 10 * SECOND, 1.0), (LOAD, T0 + 20 * SECOND, 2.0)))
    found = store.aggregate(["tx1/load_kw"], *EVER, MINUTE, T0 + 15 * SECOND)["tx1/load_kw"]
    assert found.time_us.tolist() == [T0 - 45 * SECOND, T0 + 15 * SECOND]


def test_a_step_cut_by_the_interval_holds_only_what_lies_inside(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 30 * SECOND, 2.0), (LOAD, T0 + 50 * SECOND, 3.0)))
    found = store.aggregate(["tx1/load_kw"], T0 + SECOND, T0 + 50 * SECOND, MINUTE)["tx1/load_kw"]
    assert steps_of(found) == [(T0, 2.0, 2.0, 2.0, 2.0, 1)]


def test_impossible_readings_do_not_count_in_aggregates(store: TelemetryStore) -> None:
    store.write(
        readings((LOAD, T0, 1.0), (LOAD, T0 + 1, 999.0, OUT_OF_RANGE | ESTIMATED), (HOT_SPOT, T0, 9.0, OUT_OF_RANGE))
    )
    found = store.aggregate(["tx1/load_kw", "tx1/hot_spot_c"], *EVER, MINUTE)
    assert steps_of(found["tx1/load_kw"]) == [(T0, 1.0, 1.0, 1.0, 1.0, 1)]
    assert len(found["tx1/hot_spot_c"]) == 0


def test_a_reading_found_impossible_later_no_longer_counts(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 1, 3.0)))
    store.write(readings((LOAD, T0, 1.0, OUT_OF_RANGE)))
    assert steps_of(store.aggregate(["tx1/load_kw"], *EVER, MINUTE)["tx1/load_kw"]) == [(T0, 3.0, 3.0, 3.0, 3.0, 1)]


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_must_be_above_zero(store: TelemetryStore, step: int) -> None:
    with pytest.raises(ValueError, match=f"step_us is {step}"):
        store.aggregate(["tx1/load_kw"], T0, T0 + MINUTE, step)


def test_delete_before_removes_what_is_older_and_counts_it(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0 - 1, 1.0), (LOAD, T0, 2.0), (HOT_SPOT, T0 - 2000, 3.0), (LOAD, T0 - 1, 1.5)))
    assert store.delete_before(T0) == 2
    assert list(store.points()) == ["tx1/load_kw"]
    assert (store.size().readings, store.size().first_us) == (1, T0)
    assert dict(store.latest(["tx1/hot_spot_c"])) == {}
    assert store.delete_before(T0) == 0


def test_a_deleted_key_can_be_written_again(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0)))
    store.delete_before(T0 + 1)
    store.write(readings((LOAD, T0, 2.0)))
    assert store.latest()["tx1/load_kw"].value == 2.0
    assert store.size().readings == 1


def test_the_size_tells_readings_points_bytes_and_the_span(store: TelemetryStore) -> None:
    store.write(readings((LOAD, T0, 1.0), (HOT_SPOT, T0 + 5, 2.0), (LOAD, T0, 3.0)))
    size = store.size()
    assert (size.readings, size.points, size.first_us, size.last_us) == (2, 2, T0, T0 + 5)
    assert size.bytes > 0


def test_everything_is_there_after_closing_and_opening_again(keeper: Keeper, tmp_path: Path) -> None:
    with keeper.open(tmp_path) as store:
        store.write(readings((LOAD, T0, 1.0), (LOAD, T0 + 1, 2.0), (HOT_SPOT, T0, 3.0)))
        store.write(readings((LOAD, T0 + 1, 4.0)))
    with keeper.open(tmp_path) as store:
        assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tolist() == [1.0, 4.0]
        assert {key: newest.value for key, newest in store.latest().items()} == {
            "tx1/load_kw": 4.0,
            "tx1/hot_spot_c": 3.0,
        }
        assert store.size().readings == 3
        store.write(readings((LOAD, T0, 5.0)))
        assert store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"].value.tolist() == [5.0, 4.0]


def test_closing_twice_does_nothing_and_a_closed_store_keeps_nothing(store: TelemetryStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(readings((LOAD, T0, 1.0)))
    with pytest.raises(StoreUnavailable, match="closed"):
        store.latest()


def test_threads_read_whole_batches_while_another_writes(store: TelemetryStore) -> None:
    batches, size = 40, 3

    def ask() -> object | None:
        found = store.series(["tx1/load_kw"], *EVER)["tx1/load_kw"]
        # Batch n holds the times 3n .. 3n+2: a reader sees all of a batch or nothing of it, in order, each once.
        if found.time_us.tolist() != list(range(len(found))) or len(found) % size:
            return found.time_us.tolist()
        newest = store.latest(["tx1/load_kw"]).get("tx1/load_kw")
        if newest is not None and newest.time_us != newest.value:
            return newest
        store.aggregate(["tx1/load_kw"], *EVER, MINUTE)
        return None

    with asked_by(3, ask):
        for n in range(batches):
            store.write(readings(*((LOAD, t, float(t)) for t in range(n * size, (n + 1) * size))))
    assert store.size().readings == batches * size


def test_threads_may_write_at_the_same_time(store: TelemetryStore) -> None:
    def write(point: int) -> None:
        for n in range(20):
            store.write(readings((point, T0 + n, float(n)), (SUPPLY, T0 + n, 1.0)))

    writers = [threading.Thread(target=write, args=(point,)) for point in (LOAD, HOT_SPOT)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.size().readings == 60


# Few points and few times, so that keys meet often; times on both sides of whole milliseconds.
_POINTS = st.integers(0, 2)
_TIMES = st.integers(-3, 12).map(lambda t: T0 + t * 499)
_ROWS = st.tuples(_POINTS, _TIMES, st.integers(-50, 50).map(lambda v: v / 4), st.sampled_from([0, 0, 1, 2, 3]))
_ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.lists(_ROWS, min_size=1, max_size=12)),
    st.tuples(st.just("write"), st.lists(_ROWS, min_size=1, max_size=12)),
    st.tuples(st.just("delete"), _TIMES),
    st.tuples(st.just("reopen"), st.none()),
    st.tuples(st.just("ask"), st.tuples(_TIMES, _TIMES, st.integers(1, 3000), st.integers(-2000, 2000))),
)


@contextmanager
def _reopened(keeper: Keeper, place: Path) -> Iterator[list[TelemetryStore]]:
    opened = [keeper.open(place)]
    try:
        yield opened
    finally:
        opened[-1].close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(actions=st.lists(_ACTIONS, max_size=12))
def test_any_writes_in_any_order_read_as_a_dictionary_would(
    keeper: Keeper, tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, object]]
) -> None:
    place, naive = tmp_path_factory.mktemp("store"), NaiveStore()
    keys = [TABLE.key(i) for i in range(3)]
    with _reopened(keeper, place) as opened:
        for action, detail in [*actions, ("ask", (*EVER, 1500, 7))]:
            store = opened[-1]
            match action, detail:
                case "write", list(rows):
                    store.write(readings(*rows))
                    naive.write(readings(*rows))
                case "delete", int(time_us):
                    assert store.delete_before(time_us) == naive.delete_before(time_us)
                case "reopen", _:
                    store.close()
                    opened.append(keeper.open(place))
                case "ask", (int(start), int(end), int(step), int(origin)):
                    _agree(store, naive, keys, start, end, step, origin)


def _agree(
    store: TelemetryStore, naive: NaiveStore, keys: list[str], start: int, end: int, step: int, origin: int
) -> None:
    found = store.series(keys, start, end)
    assert {key: rows_of(found[key]) for key in keys} == {key: naive.series(key, start, end) for key in keys}
    assert store.count(keys, start, end) == {key: len(naive.series(key, start, end)) for key in keys}
    sums = store.aggregate(keys, start, end, step, origin)
    for key in keys:
        expected = naive.aggregate(key, start, end, step, origin)
        assert [(t, lo, hi, la, n) for t, _, lo, hi, la, n in steps_of(sums[key])] == [
            (t, lo, hi, la, n) for t, _, lo, hi, la, n in expected
        ]
        assert sums[key].mean.tolist() == pytest.approx([s[1] for s in expected], rel=1e-12, abs=1e-12)
    assert {key: (n.time_us, n.value, n.quality) for key, n in store.latest().items()} == naive.latest()
    assert list(store.points()) == naive.points()
    size, times = store.size(), [time_us for _, time_us in naive.held]
    assert (size.readings, size.points) == (len(naive.held), len(naive.points()))
    assert (size.first_us, size.last_us) == (min(times, default=None), max(times, default=None))
