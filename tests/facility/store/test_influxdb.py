"""What is the InfluxDB keeper's own: the server's life, its users, what stands in the database, other versions."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from facility.errors import ConfigurationError, StoreUnavailable
from facility.readings import ESTIMATED, GOOD, OUT_OF_RANGE, SIMULATED, PointAddress, PointTable, ReadingBatch
from facility.store import PointsRefused
from facility.store.influx_address import InfluxAddress, Version, without_secret, write_path
from facility.store.influx_link import LinkSettings
from facility.store.influx_roller import RollingSettings
from facility.store.influx_text import decode, encode, field_of, measurement_of
from facility.store.influxdb import InfluxDBStore, open_influxdb
from facility.store.levels import Retention
from facility.store.opening import open_store
from tests.facility.store.influxd import ADMIN, PASSWORD, SHARED, Influxd

SECOND = 1_000_000
MINUTE = 60 * SECOND
T0 = 1_735_689_600 * SECOND
EVER = (-(2**62), 2**62)
LOAD = "tx1/load_kw"
HASTY = LinkSettings(waits_s=(0.01,))
TLS = Path(__file__).parents[2] / "collector" / "tls"


def address(key: str = LOAD, room: str = "power-1", equipment_class: str = "transformer") -> PointAddress:
    equipment, point = key.split("/", 1)
    return PointAddress(equipment, point, equipment_class, "kW", "demo", "main", room)


def table(*addresses: PointAddress) -> PointTable:
    return PointTable(addresses or (address(),))


def readings(*rows: tuple[int, float] | tuple[int, float, int], of: PointTable) -> ReadingBatch:
    """Make a batch of (time, value[, quality]) of a table's only point."""
    filled = [(*row, GOOD)[:3] for row in rows]
    return ReadingBatch.of(of, [0] * len(rows), *([row[i] for row in filled] for i in range(3)))


def held(store: InfluxDBStore, key: str = LOAD) -> list[tuple[int, float, int]]:
    series = store.series([key], *EVER)[key]
    return list(zip(series.time_us.tolist(), series.value.tolist(), series.quality.tolist(), strict=True))


@pytest.fixture
def server() -> Influxd:
    """The running server that the tests of this worker share."""
    return SHARED.server()


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The name of a database of this test's own."""
    return str(tmp_path)[1:].replace("/", ".")


@pytest.fixture
def store(server: Influxd, database: str) -> Iterator[InfluxDBStore]:
    with open_influxdb(server.url(database)) as opened:
        yield opened


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Influxd]:
    """A server of this test's own, which it may kill; not started."""
    server = Influxd(tmp_path / "influxd")
    yield server
    server.kill()


# The server's life


def test_a_killed_server_is_unavailable_and_once_started_again_has_all_that_was_acknowledged(mortal: Influxd) -> None:
    mortal.start()
    one = table()
    with InfluxDBStore(InfluxAddress.parse(mortal.url("t")), settings=HASTY) as store:
        for n in range(20):
            store.write(readings((T0 + n, float(n), ESTIMATED), of=one))
        mortal.kill()
        for call in (lambda: store.write(readings((T0, 9.0), of=one)), store.latest, store.points, store.size):
            with pytest.raises(StoreUnavailable, match=r"does not answer .*start InfluxDB, or mend host and port"):
                call()
        mortal.start()
        store.write(readings((T0 + 20, 20.0, ESTIMATED), of=one))
        assert held(store) == [(T0 + n, float(n), ESTIMATED) for n in range(21)]


def test_a_server_that_is_away_at_the_start_is_no_error_until_it_is_needed(mortal: Influxd) -> None:
    with InfluxDBStore(InfluxAddress.parse(mortal.url("t")), settings=HASTY) as store:
        with pytest.raises(StoreUnavailable, match=f"http://127.0.0.1:{mortal.port}"):
            store.write(readings((T0, 1.0), of=table()))
        mortal.start()
        store.write(readings((T0, 1.0), of=table()))
        assert held(store) == [(T0, 1.0, GOOD)]


def test_a_database_that_was_dropped_is_made_again_with_all_that_is_written_then(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    one = table()
    store.write(readings((T0, 1.0, ESTIMATED), of=one))
    server.ask(f'DROP DATABASE "{database}"')
    with pytest.raises(StoreUnavailable, match="database not found"):
        store.write(readings((T0, 2.0, ESTIMATED), of=one))
    store.write(readings((T0, 2.0, ESTIMATED), of=one))
    assert held(store) == [(T0, 2.0, ESTIMATED)]


def test_a_database_that_another_process_has_made_anew_gets_the_book_again(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    one, other = table(), table(address("tx2/load_kw"))
    store.write(readings((T0, 1.0, ESTIMATED), of=one))
    store.latest()  # the book has been looked at
    server.ask(f'DROP DATABASE "{database}"')
    with open_influxdb(server.url(database)) as second:
        second.write(readings((T0, 5.0), of=other))
        store.write(readings((T0, 2.0, ESTIMATED), of=one))
        store.points()
        assert held(second) == [(T0, 2.0, ESTIMATED)]
    with open_influxdb(server.url(database)) as third:
        assert list(third.points()) == [LOAD, "tx2/load_kw"]
        assert held(third) == [(T0, 2.0, ESTIMATED)]


@pytest.mark.parametrize("gzip", [0, 1])
def test_a_server_killed_amid_writes_loses_nothing_that_was_acknowledged(mortal: Influxd, gzip: int) -> None:
    mortal.start()
    one, acknowledged, stop = table(), [], threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            try:
                store.write(readings(*((T0 + n + i, float(n + i), ESTIMATED) for i in range(50)), of=one))
            except StoreUnavailable:
                stop.wait(0.01)
            else:
                acknowledged.append(n)
                n += 50

    address = InfluxAddress.parse(mortal.url("t", options=f"?gzip={gzip}"))
    with InfluxDBStore(address, settings=HASTY) as store:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                before = len(acknowledged)
                while len(acknowledged) < before + 5:
                    stop.wait(0.005)
                mortal.kill()
                mortal.start()
        finally:
            stop.set()
            writer.join()
        found = {t for t, _, _ in held(store)}
        assert {T0 + n + i for n in acknowledged for i in range(50)} <= found


def test_a_password_set_back_lets_the_same_store_go_on(server: Influxd, database: str) -> None:
    server.ask("CREATE USER \"wavering\" WITH PASSWORD 'one' WITH ALL PRIVILEGES")
    with open_influxdb(server.url(database, user="wavering", password="one")) as store:
        store.write(readings((T0, 1.0), of=table()))
        server.ask("SET PASSWORD FOR \"wavering\" = 'two'")
        with pytest.raises(StoreUnavailable, match="mend them in the store's URL"):
            store.write(readings((T0 + 1, 1.0), of=table()))
        server.ask("SET PASSWORD FOR \"wavering\" = 'one'")
        store.write(readings((T0 + 1, 2.0), of=table()))
        assert held(store) == [(T0, 1.0, GOOD), (T0 + 1, 2.0, GOOD)]


def test_a_server_that_says_nothing_is_unavailable_and_a_line_of_callers_asks_it_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as dumb:
        url = f"influxdb://u:p@127.0.0.1:{dumb.getsockname()[1]}/t"
        with InfluxDBStore(InfluxAddress.parse(url), settings=LinkSettings(prompt_s=0.3)) as store:
            told: list[str] = []

            def ask() -> None:
                with pytest.raises(StoreUnavailable) as error:
                    store.latest()
                told.append(str(error.value))

            callers = [threading.Thread(target=ask) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
        assert len(told) == 8
        assert all("does not answer" in words for words in told)
        dumb.settimeout(0.05)
        connections = 0
        with contextlib.suppress(TimeoutError):
            while True:
                dumb.accept()[0].close()
                connections += 1
        assert connections < 8


def test_a_server_too_slow_for_a_large_request_gets_smaller_ones() -> None:
    with _Pretender("1.8.10", silent_above=2_000_000) as pretender:
        url = f"influxdb://u:p@127.0.0.1:{pretender.server_port}/t"
        with InfluxDBStore(InfluxAddress.parse(url), settings=LinkSettings(prompt_s=0.5)) as store:
            many = readings(*((T0 + n, 1.0 + n / 7) for n in range(60_000)), of=table())
            tries = 0
            while True:
                tries += 1
                try:
                    store.write(many)
                    break
                except StoreUnavailable:
                    assert tries < 6
            assert tries > 1
        pretender.release.set()
        pretender.shutdown()


# Users and ways in


def test_a_wrong_password_is_told_at_once_and_never_printed(server: Influxd, database: str) -> None:
    with pytest.raises(ConfigurationError, match=f"user '{ADMIN}' or the password") as refused:
        open_store(server.url(database, password="n0t-this:one"))
    assert "n0t-this" not in str(refused.value)


def test_a_password_that_was_changed_meanwhile_keeps_the_readings_waiting(server: Influxd, database: str) -> None:
    server.ask("CREATE USER \"passing\" WITH PASSWORD 'one' WITH ALL PRIVILEGES")
    with open_influxdb(server.url(database, user="passing", password="one")) as store:
        server.ask("SET PASSWORD FOR \"passing\" = 'two'")
        with pytest.raises(StoreUnavailable, match="mend them in the store's URL"):
            store.write(readings((T0, 1.0), of=table()))


def test_a_user_without_rights_is_told_what_an_administrator_has_to_do(server: Influxd, database: str) -> None:
    server.ask("CREATE USER \"humble\" WITH PASSWORD 'pw'")
    with pytest.raises(ConfigurationError, match=r'GRANT ALL ON .* TO "humble"'):
        open_influxdb(server.url(database, user="humble", password="pw"))


def test_a_user_who_may_only_use_the_database_needs_no_more(server: Influxd, database: str) -> None:
    server.ask("CREATE USER \"plain\" WITH PASSWORD 'pw'")
    server.ask(f'CREATE DATABASE "{database}"')
    server.ask(f'GRANT ALL ON "{database}" TO "plain"')
    with open_influxdb(server.url(database, user="plain", password="pw")) as store:
        store.write(readings((T0, 1.0), of=table()))
        assert held(store) == [(T0, 1.0, GOOD)]
        assert (store.size().readings, store.size().bytes) == (1, 0)  # bytes are told to administrators


def test_gzip_both_ways_gives_the_same_readings(server: Influxd, database: str) -> None:
    rows = [(T0 + n, n / 7, n % 3) for n in range(5000)]
    with open_influxdb(server.url(database, options="?gzip=1")) as store:
        store.write(readings(*rows, of=table()))
        assert held(store) == [(t, v, q) for t, v, q in rows]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("options", [f"?ca={TLS / 'cert.pem'}", "?verify=0"])
def test_tls_with_an_authority_of_ones_own(tmp_path: Path, options: str) -> None:
    both = tmp_path / "both.pem"
    both.write_text((TLS / "cert.pem").read_text() + (TLS / "key.pem").read_text())
    server = Influxd(tmp_path / "influxd", certificate=both)
    try:
        server.start()
        with InfluxDBStore(InfluxAddress.parse(server.url("t", options=options)), settings=HASTY) as store:
            store.write(readings((T0, 1.0), of=table()))
            assert held(store) == [(T0, 1.0, GOOD)]
        with (
            InfluxDBStore(InfluxAddress.parse(server.url("t")), settings=HASTY) as store,
            pytest.raises(StoreUnavailable, match=r"no secure connection.*ca="),
        ):
            store.points()
    finally:
        server.kill()


def test_a_certificate_file_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no.pem' does not exist"):
        open_influxdb(f"influxdbs://127.0.0.1:1/t?ca={tmp_path}/no.pem")


def test_a_store_opened_for_reading_changes_nothing(server: Influxd, store: InfluxDBStore, database: str) -> None:
    store.write(readings((T0, 1.0), of=table()))
    with open_influxdb(server.url(database), read_only=True) as reader:
        assert held(reader) == [(T0, 1.0, GOOD)]
        with pytest.raises(PermissionError):
            reader.write(readings((T0, 2.0), of=table()))
        with pytest.raises(PermissionError):
            reader.delete_before(T0 + 1)


# What the server refuses


def test_a_field_of_another_type_is_refused_with_its_point_and_everything_else_is_stored(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    server.write(f"transformer,equipment=tx9 load_kw=5i {T0 // SECOND * SECOND}", database)
    both = table(address(), address("tx1/hot_spot_c"))
    with pytest.raises(PointsRefused, match=r"refuses readings of tx1/load_kw: .*is type float, already exists") as no:
        store.write(
            ReadingBatch.of(both, [0, 1, 0, 1], [T0, T0, T0 + 8 * 86_400 * SECOND, T0 + 1], [1.0, 2.0, 3.0, 4.0])
        )
    assert no.value.keys == (LOAD,)
    assert held(store, "tx1/hot_spot_c") == [(T0, 2.0, GOOD), (T0 + 1, 4.0, GOOD)]


def test_a_database_that_forgets_by_itself_is_told_with_the_mend(server: Influxd, database: str) -> None:
    server.ask(f'CREATE DATABASE "{database}" WITH DURATION 1d')
    with (
        open_influxdb(server.url(database)) as store,
        pytest.raises(StoreUnavailable, match=r"keep for ever .*DURATION INF"),
    ):
        store.write(readings((T0, 1.0), of=table()))


def test_a_time_that_influxdb_cannot_hold_is_refused_with_its_point(store: InfluxDBStore) -> None:
    with pytest.raises(ValueError, match=r"tx1/load_kw at .* years 1677 to 2262"):
        store.write(readings((2**62, 1.0), of=table()))


def test_a_batch_too_large_for_one_request_is_written_in_several(tmp_path: Path) -> None:
    server = Influxd(tmp_path / "influxd", largest_body=4000)
    try:
        server.start()
        with open_influxdb(server.url("t")) as store:
            store.write(readings(*((T0 + n, n / 7) for n in range(1000)), of=table()))
            assert store.size().readings == 1000
    finally:
        server.kill()


# What stands in the database


def test_grafana_finds_class_room_and_point_and_no_impossible_value_in_its_means(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    store.write(readings((T0, 10.0), (T0 + 1, 65535.0, OUT_OF_RANGE), (T0 + 2, 20.0, SIMULATED), of=table()))
    question = (
        'SELECT mean("load_kw") FROM "transformer" WHERE "room" =~ /^power-1$/ AND time >= 1735689600s '
        'AND time < 1735689660s GROUP BY time(1m), "equipment" fill(null)'
    )
    assert server.ask(question, database)["results"] == [
        {
            "statement_id": 0,
            "series": [
                {
                    "name": "transformer",
                    "tags": {"equipment": "tx1"},
                    "columns": ["time", "mean"],
                    "values": [[T0, 15]],
                }
            ],
        }
    ]


def test_a_point_without_anything_against_it_takes_one_field(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    store.write(readings((T0, 1.0), of=table()))
    found = server.ask('SHOW FIELD KEYS FROM "transformer"', database)
    assert "'values': [['load_kw', 'float']]" in str(found)


@pytest.mark.parametrize("first", [GOOD, ESTIMATED, OUT_OF_RANGE])
@pytest.mark.parametrize("second", [GOOD, ESTIMATED, OUT_OF_RANGE])
@pytest.mark.parametrize("third", [GOOD, ESTIMATED, OUT_OF_RANGE])
def test_the_quality_last_written_stands_whatever_it_was_before(
    store: InfluxDBStore, first: int, second: int, third: int
) -> None:
    one = table()
    for value, quality in enumerate((first, second, third)):
        store.write(readings((T0, float(value), quality), (T0 + 1, 7.0), of=one))
    assert held(store) == [(T0, 2.0, third), (T0 + 1, 7.0, GOOD)]
    assert store.size().readings == 2
    store.write(readings((T0 + 2, 1.0, third), of=one))
    assert (store.latest()[LOAD].value, store.latest()[LOAD].quality) == (1.0, third)


def test_server_sums_and_own_sums_agree_also_after_values_were_refuted(store: InfluxDBStore) -> None:
    # 100 readings a step are summed up by the server, 2 a step here.
    random = np.random.default_rng(7)
    time_us = T0 + np.arange(3000) * SECOND
    value = np.round(random.normal(50, 9, 3000), 3)
    one = table()
    store.write(ReadingBatch.of(one, np.zeros(3000, int), time_us, value))
    wrong = random.choice(3000, 5, replace=False)
    store.write(ReadingBatch.of(one, np.zeros(5, int), time_us[wrong], value[wrong], OUT_OF_RANGE))
    dense = store.aggregate([LOAD], T0, T0 + 3000 * SECOND, 100 * SECOND)[LOAD]
    sparse = store.aggregate([LOAD], T0, T0 + 3000 * SECOND, 2 * SECOND)[LOAD]
    assert (dense.count.sum(), sparse.count.sum()) == (2995, 2995)
    possible = np.ones(3000, bool)
    possible[wrong] = False
    for step, start in enumerate(dense.time_us.tolist()):
        inside = value[step * 100 : step * 100 + 100][possible[step * 100 : step * 100 + 100]]
        assert start == T0 + step * 100 * SECOND
        assert (dense.min[step], dense.max[step], dense.last[step]) == (inside.min(), inside.max(), inside[-1])
        assert dense.mean[step] == pytest.approx(inside.mean(), rel=1e-12)


def test_equipment_that_moves_goes_on_as_the_same_point_and_the_last_write_stands(store: InfluxDBStore) -> None:
    here, there, back = (table(address(room=room)) for room in ("power-1", "power-2", "power-1"))
    store.write(readings((T0, 1.0), (T0 + 1, 1.0, ESTIMATED), of=here))
    store.write(readings((T0 + 1, 2.0), (T0 + 2, 2.0), of=there))
    assert held(store) == [(T0, 1.0, GOOD), (T0 + 1, 2.0, GOOD), (T0 + 2, 2.0, GOOD)]
    assert (store.size().readings, store.latest()[LOAD].value) == (3, 2.0)
    for step in (1, 2, MINUTE, 2**62):
        assert store.aggregate([LOAD], T0, T0 + MINUTE, step)[LOAD].count.sum() == 3
    store.write(readings((T0, 3.0), of=back))
    assert held(store) == [(T0, 3.0, GOOD), (T0 + 1, 2.0, GOOD), (T0 + 2, 2.0, GOOD)]
    assert store.delete_before(T0 + 2) == 2
    assert held(store) == [(T0 + 2, 2.0, GOOD)]


def test_a_bare_key_goes_where_the_site_file_put_the_point(
    server: Influxd, store: InfluxDBStore, database: str
) -> None:
    store.write(readings((T0, 1.0), of=table()))
    store.write(readings((T0 + 1, 2.0), of=PointTable.of_keys([LOAD])))
    assert "'values': [[0, 2]]" in str(server.ask('SELECT count("load_kw") FROM "transformer"', database))


def test_a_bare_key_whose_class_is_told_later_is_one_point(store: InfluxDBStore) -> None:
    store.write(readings((T0, 1.0), (T0 + 1, 1.0), of=PointTable.of_keys([LOAD])))
    store.write(readings((T0 + 1, 2.0), of=table()))
    assert held(store) == [(T0, 1.0, GOOD), (T0 + 1, 2.0, GOOD)]
    steps = store.aggregate([LOAD], T0, T0 + MINUTE, MINUTE)[LOAD]
    assert (steps.count.tolist(), steps.mean.tolist()) == ([2], [1.5])
    assert list(store.points()) == [LOAD]


def test_what_another_process_adds_is_seen(server: Influxd, store: InfluxDBStore, database: str) -> None:
    with open_influxdb(server.url(database)) as other:
        other.write(readings((T0, 1.0), of=table()))
        assert held(store) == [(T0, 1.0, GOOD)]
        store.write(readings((T0, 2.0), of=table()))
        assert held(other) == [(T0, 2.0, GOOD)]
        assert store.latest()[LOAD].value == 2.0


ODD = [
    "",
    "time",
    "_field",
    "load__q",
    "load__x",
    "end\\",
    "two\nlines",
    "a=b,c d",
    "%41",
    "'; DROP DATABASE x; --",
    '"',
    "#1",
]


def test_odd_names_of_points_machines_rooms_and_classes_are_kept_apart(store: InfluxDBStore) -> None:
    odd = table(*(PointAddress(e, p, e, "", p, e, p) for e in [*ODD, "wardwatt_points", "readings"] for p in ODD))
    n = len(odd)
    store.write(ReadingBatch.of(odd, np.arange(n), np.full(n, T0), np.arange(n, dtype=float), np.arange(n) % 32))
    found = store.latest()
    assert {key: (newest.value, newest.quality) for key, newest in found.items()} == {
        odd.key(i): (float(i), i % 32) for i in range(n)
    }


def test_a_negative_zero_keeps_its_sign_and_names_that_look_like_one_stay(store: InfluxDBStore) -> None:
    odd = table(address('tx1/a,-0,"b', room="[-0,-0]"))
    store.write(readings((T0, -0.0), (T0 + 1, -0.5), of=odd))
    value = store.series([odd.key(0)], *EVER)[odd.key(0)].value
    assert (np.signbit(value).tolist(), value.tolist()) == ([True, True], [0.0, -0.5])


@pytest.mark.parametrize("name", [*ODD, "氧气站", "x" * 500])
def test_a_name_comes_back_as_it_was(name: str) -> None:
    assert decode(encode(name)) == name
    assert decode(field_of(name)) == name
    assert not name or decode(measurement_of(name)) == name


# The URL, and what depends on the version


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("influxdb://u:p@h:8087/db", InfluxAddress("h", "db", 8087, user="u", password="p", gzip=True)),
        ("influxdb://u:p%40%2F@h/db", InfluxAddress("h", "db", user="u", password="p@/", gzip=True)),
        ("influxdb://127.0.0.1/db", InfluxAddress("127.0.0.1", "db")),
        ("influxdbs://:TOK@h/b?org=ward&gzip=0", InfluxAddress("h", "b", tls=True, token="TOK", org="ward")),
        (
            "influxdbs://[::1]/db?ca=/ca.pem&verify=0",
            InfluxAddress("::1", "db", tls=True, ca_file="/ca.pem", verify=False),
        ),
    ],
)
def test_an_address_is_read_from_a_url(url: str, expected: InfluxAddress) -> None:
    assert InfluxAddress.parse(url) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("influxdb://u:s3cret@h", "has '' for a database"),
        ("influxdb://u:s3cret@h/a/b", "has 'a/b' for a database"),
        ("influxdb://u:s3cret@/db", "has no host"),
        ("influxdb://u:s3cret@h:port/db", "no proper host and port"),
        ("influxdb://u:s3cret/db", "no proper host and port"),
        ("influxdb://u@h/db", "needs a password"),
        ("influxdb://u:s3cret@h/db?colour=1", "option 'colour'; known are ca, gzip, org, verify"),
        ("influxdb://u:s3cret@h/db?verify=no", "verify=no; it is 0 or 1"),
        ("influxdb://u:s3c#ret@h/db", "no host|has a #|no proper"),
        ("influxdc://u:s3cret@h/db", "names no store"),
    ],
)
def test_a_wrong_url_is_refused_with_the_mend_and_without_the_password(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        open_store(url)
    assert "s3c" not in str(refused.value)
    assert "influxdb://user:password@host:8086/database" in str(refused.value)


def test_an_address_shows_no_secret() -> None:
    shown = repr(InfluxAddress.parse("influxdb://u:s3cret@h/db")) + repr(InfluxAddress.parse("influxdb://:s3cret@h/db"))
    assert "s3cret" not in shown
    assert without_secret("influxdb://u:s3cret@h/db") == "influxdb://***@h/db"
    assert without_secret("influxdb://h:8086/db") == "influxdb://h:8086/db"


@pytest.mark.parametrize(
    ("said", "user_path", "token_path"),
    [
        ("1.6.7~rc0", "/write", "/write"),
        ("1.7.11", "/write", "/write"),
        ("1.8.10", "/api/v2/write", "/api/v2/write"),
        ("v2.7.1", "/write", "/api/v2/write"),
        ("3.0.1", "/write", "/api/v2/write"),
        (None, "/write", "/api/v2/write"),
    ],
)
def test_the_version_decides_the_way_to_write(said: str | None, user_path: str, token_path: str) -> None:
    with_user, with_token = (InfluxAddress.parse(f"influxdb://{who}@h/b") for who in ("u:p", ":t"))
    assert write_path(Version.parse(said), with_user) == user_path
    assert write_path(Version.parse(said), with_token) == token_path


class _Pretender(ThreadingHTTPServer):
    """
    Says to be some version, and remembers what it is sent.

    Neither 2.x nor 3.x is in Debian's packages, so what is held here is only which requests they get; that they
    understand them is their documentation's word.
    """

    def __init__(self, version: str, silent_above: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.version = version
        self.silent_above = silent_above  # bytes of a request that gets no answer before `release`
        self.release = threading.Event()
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.bodies: list[str] = []  # the statements of queries
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Answers(BaseHTTPRequestHandler):
    server: _Pretender

    def do_GET(self) -> None:
        self._answer(204)

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if self.server.silent_above is not None and length > self.server.silent_above:
            self.server.release.wait(10)
            return
        self.server.asked.append((url.path, parse_qs(url.query), self.headers["Authorization"]))
        if url.path == "/query":
            self.server.bodies.append(parse_qs(body.decode())["q"][0])
            self._answer(200, b'{"results":[{"statement_id":0}]}\n')
        else:
            self._answer(204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("X-Influxdb-Version", self.server.version)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("version", "who", "path", "query", "header"),
    [
        ("v2.7.1", ":TOK", "/api/v2/write", {"bucket": ["b"], "org": ["ward"], "precision": ["us"]}, "Token TOK"),
        ("v2.7.1", "u:p", "/write", {"db": ["b"], "precision": ["u"]}, "Basic dTpw"),
        ("3.0.1", ":TOK", "/api/v2/write", {"bucket": ["b"], "org": ["ward"], "precision": ["us"]}, "Token TOK"),
        ("1.8.10", "u:p", "/api/v2/write", {"bucket": ["b"], "org": ["ward"], "precision": ["us"]}, "Basic dTpw"),
    ],
)
def test_newer_servers_are_written_to_and_asked_in_their_way(
    version: str, who: str, path: str, query: dict[str, list[str]], header: str
) -> None:
    with _Pretender(version) as pretender:
        with open_influxdb(f"influxdb://{who}@127.0.0.1:{pretender.server_port}/b?org=ward") as store:
            store.write(readings((T0, 1.0), of=table()))
            store.series([LOAD], T0, T0 + 1)
        pretender.shutdown()
    assert {asked[0] for asked in pretender.asked} == {path, "/query"}
    assert [asked[1:] for asked in pretender.asked if asked[0] == path][-1] == (query, header)
    assert {
        (asked[1]["db"][0], asked[1]["epoch"][0], asked[2]) for asked in pretender.asked if asked[0] == "/query"
    } == {("b", "u", header)}


def test_an_influxdb_3_says_that_it_cannot_delete() -> None:
    with _Pretender("3.0.1") as pretender:
        with (
            open_influxdb(f"influxdb://:TOK@127.0.0.1:{pretender.server_port}/b") as store,
            pytest.raises(ConfigurationError, match="does not delete by time; give the database 'b' a retention"),
        ):
            store.delete_before(T0)
        pretender.shutdown()


def test_an_influxdb_3_rolls_nothing_up_in_advance_and_expires_only_what_is_to_stay_for_ever() -> None:
    # Marks of late readings could not be deleted there, so nothing may be stored that they would have to mend.
    with _Pretender("3.0.1") as pretender:
        with open_influxdb(f"influxdb://:TOK@127.0.0.1:{pretender.server_port}/b") as store:
            store.write(readings((T0, 1.0), of=table()))
            before = len(pretender.asked)
            store.roll_up()
            assert len(pretender.asked) == before
            assert store.expire(Retention.for_ever(), T0).readings == 0
            with pytest.raises(ConfigurationError, match="does not delete by time"):
                store.expire(Retention(), T0)
        pretender.shutdown()


def test_a_2_x_server_is_asked_to_delete_in_influxql_with_the_buckets_name() -> None:
    # Its documentation lists DELETE among the InfluxQL that /query takes.
    with _Pretender("v2.7.1") as pretender:
        url = f"influxdb://:TOK@127.0.0.1:{pretender.server_port}/b?org=ward"
        rolling = RollingSettings(every_s=0, settle_s=0)
        with InfluxDBStore(InfluxAddress.parse(url), rolling=rolling) as store:
            store._database.ledger.unmark(T0)
        pretender.shutdown()
    assert pretender.asked[-1][:2] == ("/query", {"db": ["b"], "epoch": ["u"]})
    assert pretender.bodies[-1] == f'DELETE FROM "wardwatt_late" WHERE time <= {T0}999'  # noqa: S608


def test_the_password_is_in_no_error(server: Influxd, database: str) -> None:
    assert PASSWORD not in repr(InfluxAddress.parse(server.url(database)))
