"""Files of readings: what is exported comes back to the last bit; what is wrong is named with its line."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facility.errors import ConfigurationError
from facility.readings import OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch, Series
from facility.store.contract import PointsRefused, StoreSize
from facility.store.exchange.files import Format, Imported, Origin, export, format_of, load
from facility.store.exchange.times import iso_times, read_time
from facility.store.fingerprint import fingerprint, whole
from facility.store.transfer import Selection

T0 = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
FILES = ("readings.csv", "readings.csv.gz", "table.csv", "readings.parquet", "readings.lp", "readings.lp.gz")
LOAD = PointAddress("tx1", "load", "dry_type_transformer", "%", "riverside", "main", "power-1", "gauge")
FAN = PointAddress("tx1", "fan", "dry_type_transformer", "", "riverside", "main", "power-1", "state")


class Memory:
    """Readings in a dictionary: a source and a target that cannot be wrong."""

    def __init__(self, *addresses: PointAddress) -> None:
        self.known = {address.key: address for address in addresses}
        self.held: dict[str, dict[int, tuple[float, int]]] = {key: {} for key in self.known}

    def put(self, key: str, time_us: int, value: float, quality: int = 0) -> None:
        self.held[key][time_us] = (value, quality)

    def write(self, batch: ReadingBatch) -> None:
        for address in batch.table.addresses:
            self.known[address.key] = address
            self.held.setdefault(address.key, {})
        for p, t, v, q in zip(batch.point, batch.time_us, batch.value, batch.quality, strict=True):
            self.put(batch.table.key(int(p)), int(t), float(v), int(q))

    def addresses(self, keys: list[str] | None = None) -> dict[str, PointAddress]:
        return {key: self.known[key] for key in keys or self.known}

    def count(self, keys: list[str], start_us: int, end_us: int) -> dict[str, int]:
        return {key: len(series) for key, series in self.series(keys, start_us, end_us).items()}

    def series(self, keys: list[str], start_us: int, end_us: int) -> dict[str, Series]:
        return {key: self._series(key, start_us, end_us) for key in keys}

    def _series(self, key: str, start_us: int, end_us: int) -> Series:
        rows = sorted((t, *told) for t, told in self.held[key].items() if start_us <= t < end_us)
        time_us, value, quality = zip(*rows, strict=True) if rows else ((), (), ())
        return Series(np.array(time_us, np.int64), np.array(value, float), np.array(quality, np.uint8))

    def size(self) -> StoreSize:
        times = [t for rows in self.held.values() for t in rows]
        points = sum(1 for rows in self.held.values() if rows)
        return StoreSize(len(times), points, 0, min(times, default=None), max(times, default=None))

    def everything(self) -> Selection:
        return Selection(dict(self.known), -(2**62), 2**62)

    def prints(self) -> Mapping[str, object]:
        found = {key: fingerprint(series) for key, series in self.series(list(self.held), -(2**62), 2**62).items()}
        return {key: one for key, one in found.items() if one.count}


def form_of(name: str) -> Format:
    return "wide" if name.startswith("table") else format_of(Path(name))


def there_and_back(source: Memory, folder: Path, name: str, zone: ZoneInfo | None = None) -> tuple[Memory, Imported]:
    path, target = folder / name, Memory()
    export(source, source.everything(), path, form_of(name), zone)
    return target, load(Origin(path, form_of(name)), target.write)


NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
EQUIPMENT = NAMES.filter(lambda name: "/" not in name)
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308])
TIMES = st.integers(-9_223_372_036_854_774, 9_223_372_036_854_774)
ROWS = st.lists(st.tuples(st.integers(0, 3), TIMES, VALUES, st.integers(0, 255)), min_size=1, max_size=20)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40)
@given(names=st.lists(st.tuples(EQUIPMENT, NAMES), min_size=4, max_size=4, unique=True), rows=ROWS)
@example(
    names=[('="', '="'), ('a="b c', 'd="e, f=g'), ("#", " "), (",", "q__q")], rows=[(i, T0, 0.1, 16) for i in range(4)]
)
@example(names=[("time", "time"), ("a,b", 'c"d'), (" x ", "y/z"), ("wardwatt_points", "p__q")], rows=[(1, T0, -0.0, 1)])
@example(
    names=[("tx\\1", "load\n"), ("=", "a__x"), ("#", "é\u2028"), ('"', "\r")],
    rows=[(i, T0, 1e300, 17) for i in range(4)],
)
def test_what_is_exported_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    names: list[tuple[str, str]],
    rows: list[tuple[int, int, float, int]],
) -> None:
    addresses = [
        PointAddress(e, p, "pump" if i else "", site="s", room="r %1", kind="state") for i, (e, p) in enumerate(names)
    ]
    if name.startswith("table") and any(a.point.endswith(" quality") for a in addresses):
        return
    source = Memory(*addresses)
    for point, time_us, value, quality in rows:
        source.put(addresses[point].key, time_us, value, quality)
    target, result = there_and_back(source, tmp_path_factory.mktemp("exchange"), name)
    assert result.mistakes == []
    assert target.prints() == source.prints()
    assert {key: target.known[key] for key in target.prints()} == {key: source.known[key] for key in source.prints()}


@pytest.mark.parametrize("name", FILES)
def test_a_long_export_is_cut_into_slices_and_whole_again(tmp_path: Path, name: str) -> None:
    source = Memory(LOAD, FAN)
    for i in range(1500):
        source.put(LOAD.key, T0 + i * 60_000_000, i / 10, OUT_OF_RANGE if i % 7 == 0 else 0)
        source.put(FAN.key, T0 + i * 60_000_000 + i % 2, float(i % 2))
    target, result = there_and_back(source, tmp_path, name)
    assert (result.readings, result.points) == (3000, 2)
    assert target.prints() == source.prints()


def test_a_table_has_one_row_a_time_and_empty_cells_where_nothing_was_read(tmp_path: Path) -> None:
    source = Memory(LOAD, FAN)
    source.put(LOAD.key, T0, 41.5)
    source.put(FAN.key, T0, 1.0, 16)
    source.put(LOAD.key, T0 + 500_000, 42.0, 1)
    export(source, source.everything(), tmp_path / "t.csv", "wide", ZoneInfo("Asia/Shanghai"))
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines() == [
        "time,tx1/load,tx1/load quality,tx1/fan,tx1/fan quality",
        "2025-01-01T08:00:00.000000+08:00,41.5,0,1.0,16",
        "2025-01-01T08:00:00.500000+08:00,42.0,1,,",
    ]


def test_csv_is_one_row_a_reading_and_says_beside_it_where_points_belong(tmp_path: Path) -> None:
    source = Memory(LOAD)
    source.put(LOAD.key, T0, 41.5)
    export(source, source.everything(), tmp_path / "r.csv", "csv")
    assert (tmp_path / "r.csv").read_bytes() == (
        b"time,point,value,quality\r\n2025-01-01T00:00:00.000000Z,tx1/load,41.5,0\r\n"
    )
    assert (tmp_path / "r.points.csv").read_text().splitlines()[1] == (
        "tx1,load,dry_type_transformer,%,riverside,main,power-1,gauge"
    )


def test_line_protocol_is_what_the_influxdb_keeper_writes(tmp_path: Path) -> None:
    source = Memory(LOAD, FAN)
    source.put(LOAD.key, T0, 41.5)
    source.put(FAN.key, T0, 7.0, OUT_OF_RANGE)
    export(source, source.everything(), tmp_path / "r.lp", "line")
    lines = (tmp_path / "r.lp").read_text().splitlines()
    assert lines[0] == "# precision: us"
    assert lines[-1] == (
        "dry_type_transformer,building=main,equipment=tx1,room=power-1,site=riverside "
        f"load=41.5,fan__x=7.0,fan__q=1i {T0}"
    )


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    class Failing(Memory):
        def series(self, *_: object) -> dict[str, Series]:
            raise RuntimeError("the server went away")

    source = Failing(LOAD)
    source.put(LOAD.key, T0, 1.0)
    source.count = lambda keys, *_: dict.fromkeys(keys, 1)  # type: ignore[method-assign]
    for name in FILES:
        with pytest.raises(RuntimeError):
            export(source, source.everything(), tmp_path / name, form_of(name))
    assert list(tmp_path.iterdir()) == []


HEAD = "time,point,value,quality\n"


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        (
            "a.csv",
            HEAD + "yesterday,tx1/load,1,0",
            2,
            "time 'yesterday' is not understood; write it as 2026-03-02T10:20:00+08:00",
        ),
        ("a.csv", HEAD + "2026-03-02T10:20:00,tx1/load,1,0", 2, "has no zone; write +08:00 after it, or say --zone"),
        ("a.csv", HEAD + "2026-02-30T10:20:00Z,tx1/load,1,0", 2, "time '2026-02-30T10:20:00Z' is not understood"),
        ("a.csv", HEAD + "2400-01-01T00:00:00Z,tx1/load,1,0", 2, "lies outside the years 1677 to 2262; check its unit"),
        (
            "a.csv",
            HEAD + "2026-01-01T00:00:00Z,tx1/load,1,0\n2027-01-01T00:00:00Z,tx1/load,1,0",
            3,
            "lies in the future",
        ),
        (
            "a.csv",
            HEAD + "2026-01-01T00:00:00Z,tx1,1,0",
            2,
            "'tx1' names no point; write equipment/point, such as tx1/load",
        ),
        ("a.csv", HEAD + "2026-01-01T00:00:00Z,tx1/load,1_0,0", 2, "value '1_0' is not a number; write it like 231.5"),
        ("a.csv", HEAD + "2026-01-01T00:00:00Z,tx1/load,,0", 2, "value '' is not a number"),
        (
            "a.csv",
            HEAD + "2026-01-01T00:00:00Z,tx1/load,nan,0",
            2,
            "value 'nan' is not a reading; leave out rows without",
        ),
        ("a.csv", HEAD + "2026-01-01T00:00:00Z,tx1/load,1,256", 2, "quality '256' is none; write 0 for good"),
        ("a.csv", HEAD + "2026-01-01T00:00:00Z,tx1/load,1,-1", 2, "quality '-1' is none"),
        ("a.csv", HEAD + "\n2026-01-01T00:00:00Z,tx1/load,1", 3, "3 fields where the header has 4; mend the row"),
        ("a.csv", HEAD + '"2026-01-01T00:00:00Z,tx1/load,1,0\n', 2, "close the quotes"),
        ("a.csv", HEAD + "2026-01-01T00:00:00Z,tx1/lo\udcffad,1,0", 2, "is not UTF-8; save the file as UTF-8"),
        ("t.csv", "time,tx1/load\n2026-01-01T00:00:00Z,x", 2, "tx1/load 'x' is not a number"),
        ("a.lp", "pump,equipment=p1 load=1", 1, "the line has no time; write it after the fields"),
        ("a.lp", "pump,equipment=p1 load=1 soon", 1, "time 'soon' is not a whole number"),
        ("a.lp", "pump,room=x load=1 1", 1, "the line of 'pump' has no tag equipment; write pump,equipment=tx1"),
        ("a.lp", 'pump,equipment=p1 note="a b, c=d" 1', 1, "is not a number; points hold numbers only"),
        ("a.lp", "pump,equipment=p1 load__q=1i 1", 1, "load__q stands without a value"),
        ("a.lp", "pump,equipment=p1 load=1,load__q=999i 1", 1, "quality load__q=999 is none"),
        ("a.lp", "pump,equipment=p1 load 1", 1, "'load' is no name and value; write name=value"),
        (
            "a.lp",
            "# precision: days\npump,equipment=p1 load=1 1",
            1,
            "precision 'days' is none; write one of ns, us, ms, s",
        ),
    ],
)
def test_a_row_that_is_wrong_is_named_with_line_value_and_mend(
    tmp_path: Path, name: str, text: str, line: int, words: str
) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    target = Memory()
    result = load(
        Origin(tmp_path / name, form_of("a.lp" if name == "a.lp" else "a.csv"), latest_us=1_767_300_000_000_000),
        target.write,
    )
    assert result.bad == 1
    assert result.mistakes[0].line == line
    assert words in result.mistakes[0].words
    assert result.mistakes[0].text


def test_an_open_quote_spoils_its_own_line_alone(tmp_path: Path) -> None:
    good = "2026-01-01T00:00:00Z,tx{}/load,1,0\n"
    (tmp_path / "a.csv").write_text(HEAD + good.format(1) + '"oops\n' + good.format(2) + good.format(3))
    target = Memory()
    result = load(Origin(tmp_path / "a.csv", "csv"), target.write)
    assert [(row.line, row.text) for row in result.mistakes] == [(3, '"oops')]
    assert sorted(target.prints()) == ["tx1/load", "tx2/load", "tx3/load"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when,what\n", "the header 'when,what' fits no form; write time,point,value,quality"),
        ("", "the header '' fits no form"),
        ("time,load\n", "'load' names no point"),
        ("time,tx1/load,tx1/load\n", "two columns have one name"),
    ],
)
def test_a_header_that_fits_no_form_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load(Origin(tmp_path / "a.csv", "csv"), None)


def test_columns_may_stand_in_any_order_and_quality_may_be_absent(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Value,Point,Time,Note\n4,tx1/load,2025-01-01 00:00:00+00:00,x\n", "utf-8-sig")
    target = Memory()
    assert load(Origin(tmp_path / "a.csv", "csv"), target.write).mistakes == []
    assert target.held["tx1/load"] == {T0: (4.0, 0)}


def test_times_without_a_zone_take_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD + "2025-01-01 08:00:00,tx1/load,1,0\n1735689600000001,tx1/load,2,0\n")
    target = Memory()
    load(Origin(tmp_path / "a.csv", "csv", zone=ZoneInfo("Asia/Shanghai")), target.write)
    assert sorted(target.held["tx1/load"]) == [T0, T0 + 1]


def test_only_points_of_the_site_are_taken_where_the_site_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD + "2025-01-01T00:00:00Z,tx1/laod,1,0\n2025-01-01T00:00:00Z,tx1/load,1,0\n")
    target = Memory()
    result = load(Origin(tmp_path / "a.csv", "csv", {LOAD.key: LOAD}, only_known=True), target.write)
    assert "'tx1/laod' is not a point of the site; did you mean 'tx1/load'?" in str(result.mistakes[0])
    assert target.known == {LOAD.key: LOAD}


@pytest.mark.parametrize(
    ("precision", "time"), [("ns", T0 * 1000 + 999), ("us", T0), ("ms", T0 // 1000), ("s", T0 // 10**6)]
)
def test_line_protocol_of_others_is_read_in_the_precision_named(tmp_path: Path, precision: str, time: int) -> None:
    (tmp_path / "a.lp").write_text(f"readings,equipment=p1,host=x load=4i,on=t {time}\n\n# a remark\n")
    target = Memory()
    assert load(Origin(tmp_path / "a.lp", "line", precision=precision), target.write).mistakes == []
    assert target.held == {"p1/load": {T0: (4.0, 0)}, "p1/on": {T0: (1.0, 0)}}
    assert target.known["p1/on"].equipment_class == ""


def test_the_keepers_own_book_is_no_reading(tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text("wardwatt_points,class=pump,equipment=p1,point=load rank=0i 0\n")
    assert load(Origin(tmp_path / "a.lp", "line"), Memory().write) == Imported()


def parquet(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_of_others_is_read_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        time=pa.array([T0 // 1000, T0 // 1000, None, T0 // 1000], pa.timestamp("ms", "Asia/Shanghai")),
        point=["tx1/load", "tx2", "tx1/load", "tx3/load"],
        value=[1.0, 2.0, 3.0, float("nan")],
        other=[1, 2, 3, 4],
    )
    target = Memory()
    result = load(Origin(path, "parquet"), target.write)
    assert target.held["tx1/load"] == {T0: (1.0, 0)}
    assert [row.line for row in result.mistakes] == [2, 3, 4]
    assert "row 3: time is missing" in str(result.mistakes[1])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"time": pa.array([T0]), "point": ["tx1/load"], "value": [1.0]},
            "time is int64; write it as a timestamp with a zone",
        ),
        ({"time": pa.array([T0], pa.timestamp("us", "UTC")), "value": [1.0]}, "it has no column point"),
        (
            {"time": pa.array([T0], pa.timestamp("us", "UTC")), "point": ["tx1/load"], "value": [[1.0]]},
            "value is list.*; write point as text, value and quality as numbers",
        ),
    ],
)
def test_parquet_without_the_columns_is_told(tmp_path: Path, columns: dict[str, pa.Array], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(Origin(parquet(tmp_path / "a.parquet", **columns), "parquet"), None)


@pytest.mark.parametrize(("unit", "number"), [("s", 10**12), ("s", 10**14), ("ms", 10**15)])
def test_a_time_in_parquet_beyond_all_calendars_is_a_row_that_is_wrong(tmp_path: Path, unit: str, number: int) -> None:
    times = pa.array([number, T0 // (1_000_000 if unit == "s" else 1_000)], pa.timestamp(unit, "UTC"))
    path = parquet(tmp_path / "a.parquet", time=times, point=["tx1/load", "tx1/load"], value=[1.0, 2.0])
    target = Memory()
    result = load(Origin(path, "parquet"), target.write)
    assert [row.line for row in result.mistakes] == [1]
    assert "lies outside the years 1677 to 2262" in result.mistakes[0].words
    assert target.held["tx1/load"] == {T0: (2.0, 0)}


def test_remarks_in_parquet_that_are_not_ours_do_no_harm(tmp_path: Path) -> None:
    table = pa.table({"time": pa.array([T0], pa.timestamp("us", "UTC")), "point": ["tx1/load"], "value": [1.0]})
    for remarks in (b"{not json", b"5", b"[1, {}, null]"):
        pq.write_table(table.replace_schema_metadata({b"wardwatt.points": remarks}), tmp_path / "a.parquet")
        assert load(Origin(tmp_path / "a.parquet", "parquet"), None).readings == 1


HUGE = b"a" * (1 << 21)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv.gz", b"no", "a.csv.gz:1: this is no .gz file"),
        ("a.csv.gz", gzip.compress(HEAD.encode() * 9_000)[:-9], r"a.csv.gz:\d+: the file is cut short; copy it again"),
        ("a.lp.gz", gzip.compress(HUGE), "a.lp.gz:1: the line is longer than 1,048,576 characters"),
        ("a.lp", b"\n" + HUGE, "a.lp:2: the line is longer than"),
        ("a.csv", HEAD.encode() + HUGE, "a.csv:2: the line is longer than"),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_told(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigurationError, match=words):
        load(Origin(tmp_path / name, form_of(name)), None)


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(ConfigurationError, match="this is no Parquet file, or it is damaged"):
        load(Origin(tmp_path / "a.parquet", "parquet"), None)


def test_points_that_the_store_refuses_are_told_and_the_others_stored(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD + "2025-01-01T00:00:00Z,tx1/load,1,0\n")

    def refuse(_batch: ReadingBatch) -> None:
        raise PointsRefused(["tx1/load"], "it is an integer there")

    assert load(Origin(tmp_path / "a.csv", "csv"), refuse).refused == {"tx1/load": "it is an integer there"}


@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", "csv"), ("A.CSV.GZ", "csv"), ("a.parquet", "parquet"), ("a.lp.gz", "line")]
)
def test_the_ending_says_the_form(name: str, form: str) -> None:
    assert format_of(Path(name)) == form
    with pytest.raises(ValueError, match="its ending says no form"):
        format_of(Path("a.xlsx"))
    with pytest.raises(ValueError, match="--format 'excel' is none"):
        format_of(Path(name), "excel")


def test_packed_text_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((HEAD + "2025-01-01T00:00:00Z,tx1/load,1,0\n").encode()))
    target = Memory()
    load(Origin(tmp_path / "a.csv.gz", "csv"), target.write)
    assert target.held["tx1/load"] == {T0: (1.0, 0)}


@given(TIMES, st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]))
def test_a_time_written_in_any_zone_is_the_same_time(time_us: int, zone: str) -> None:
    (text,) = iso_times(np.array([time_us]), ZoneInfo(zone))
    assert read_time(text) == time_us


def test_fingerprints_add_up_in_any_order_and_know_every_bit() -> None:
    series = Series(np.array([1, 2, 3]), np.array([0.0, 1.0, 2.0]), np.array([0, 0, 1], np.uint8))
    parts = [
        fingerprint(Series(series.time_us[i], series.value[i], series.quality[i])) for i in (slice(2, 3), slice(0, 2))
    ]
    assert parts[0] + parts[1] == fingerprint(series)
    signed = Series(series.time_us, np.array([-0.0, 1.0, 2.0]), series.quality)
    moved = Series(np.array([1, 2, 4]), series.value, series.quality)
    marked = Series(series.time_us, series.value, np.array([0, 1, 1], np.uint8))
    assert len({fingerprint(s).checksum for s in (series, signed, moved, marked)}) == 4
    one, other = fingerprint(series), fingerprint(moved)
    assert whole({"a/b": one, "c/d": other}) == whole({"c/d": other, "a/b": one})
    assert whole({"a/b": one, "c/d": other}) != whole({"a/b": other, "c/d": one})


def test_a_batch_table_is_the_same_while_no_new_point_turns_up(tmp_path: Path) -> None:
    rows = "".join(f"2025-01-01T00:00:{i:02d}Z,tx{i % 3}/load,1,0\n" for i in range(60))
    (tmp_path / "a.csv").write_text(HEAD + rows)
    tables: list[PointTable] = []
    load(Origin(tmp_path / "a.csv", "csv"), lambda batch: tables.append(batch.table))
    assert [len(table) for table in tables] == [3]
