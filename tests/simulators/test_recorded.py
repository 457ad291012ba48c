"""Recorded files and their mappings: read exactly, or refused with the mend."""

from __future__ import annotations

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from facility.errors import ConfigurationError
from facility.site import Equipment, Site
from facility.site_file import load_site
from simulators.recorded import Row, open_recording, parse_time
from tests.simulators.conftest import ROOT

UTC = ZoneInfo("UTC")
SHANGHAI = ZoneInfo("Asia/Shanghai")
MAPPING = "time: when\ncolumns:\n  Pressure: {point: outlet_pressure, unit: bar}\n  Flow: {point: flow, unit: L/min}\n"


@pytest.fixture(scope="module")
def rig() -> Site:
    return load_site(ROOT / "examples/replay/rig-site.yaml")


@pytest.fixture
def pump(rig: Site) -> Equipment:
    return rig.equipment["rig-pump"]


def rows(tmp_path: Path, pump: Equipment, text: str, mapping: str | None = MAPPING) -> list[Row | str]:
    file = tmp_path / "data.csv"
    file.write_text(text, encoding="utf-8")
    map_file = None
    if mapping is not None:
        map_file = tmp_path / "map.yaml"
        map_file.write_text(mapping, encoding="utf-8")
    return list(open_recording(file, map_file, pump, SHANGHAI).rows())


def refused(tmp_path: Path, pump: Equipment, text: str, mapping: str | None = MAPPING) -> str:
    with pytest.raises(ConfigurationError) as told:
        rows(tmp_path, pump, text, mapping)
    return str(told.value)


@pytest.mark.parametrize(
    ("text", "zone", "form", "microseconds"),
    [
        ("2020-03-09 10:14:33", UTC, None, 1_583_748_873_000_000),
        ("2020-03-09T10:14:33.000001Z", SHANGHAI, None, 1_583_748_873_000_001),
        ("2020-03-09 18:14:33", SHANGHAI, None, 1_583_748_873_000_000),
        ("2020-03-09T12:14:33.123456+02:00", SHANGHAI, None, 1_583_748_873_123_456),
        ("1583748873", SHANGHAI, None, 1_583_748_873_000_000),
        ("1583748873.123456", SHANGHAI, None, 1_583_748_873_123_456),
        ("1583748873123", SHANGHAI, None, 1_583_748_873_123_000),
        ("1583748873123456", SHANGHAI, None, 1_583_748_873_123_456),
        ("09.03.2020 10:14", UTC, "%d.%m.%Y %H:%M", 1_583_748_840_000_000),
    ],
)
def test_times_are_read_exactly(text: str, zone: ZoneInfo, form: str | None, microseconds: int) -> None:
    assert parse_time(text, zone, form) == microseconds


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-40", "NaN"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text, UTC)


@pytest.mark.parametrize("mark", [";", ",", "\t", "|"])
def test_delimiters_are_found_and_units_converted(tmp_path: Path, pump: Equipment, mark: str) -> None:
    text = "when;Pressure;Flow;label\n2026-01-01 00:00:00;2.5;60;0\n".replace(";", mark)
    [row] = rows(tmp_path, pump, text)
    assert isinstance(row, Row)
    assert row.values == {"outlet_pressure": pytest.approx(0.25), "flow": pytest.approx(3.6)}
    assert row.time_us == 1_767_196_800_000_000


def test_a_byte_order_mark_blank_lines_and_missing_values_do_no_harm(tmp_path: Path, pump: Equipment) -> None:
    text = "\ufeffwhen;Pressure;Flow\n\n2026-01-01 00:00:00;;60\n2026-01-01 00:00:01;NaN;\n2026-01-01 00:00:02;1;inf\n"
    found = rows(tmp_path, pump, text)
    assert [r.values for r in found if isinstance(r, Row)] == [
        {"flow": pytest.approx(3.6)},
        {},
        {"outlet_pressure": pytest.approx(0.1)},
    ]


def test_a_decimal_comma_can_be_declared(tmp_path: Path, pump: Equipment) -> None:
    [row] = rows(tmp_path, pump, "when;Pressure;Flow\n2026-01-01 00:00:00;2,5;60\n", MAPPING + 'decimal: ","\n')
    assert isinstance(row, Row)
    assert row.values["outlet_pressure"] == pytest.approx(0.25)


def test_text_where_a_number_belongs_and_a_row_without_time_are_named_by_their_line(
    tmp_path: Path, pump: Equipment
) -> None:
    bad_value, bad_time = rows(tmp_path, pump, "when;Pressure;Flow\n2026-01-01 00:00:00;broken;60\nlater;1;1\n")
    assert isinstance(bad_value, Row)
    assert (bad_value.line, bad_value.unreadable) == (2, ("Pressure",))
    assert isinstance(bad_time, str)
    assert bad_time.startswith("line 3: 'later' is no time")


def test_without_a_mapping_columns_are_called_like_points(tmp_path: Path, pump: Equipment) -> None:
    [row] = rows(tmp_path, pump, "Timestamp,flow,anomaly\n2026-01-01T00:00:00Z,3.5,1\n", mapping=None)
    assert isinstance(row, Row)
    assert row.values == {"flow": 3.5}


def test_compressed_files_are_read_too(tmp_path: Path, pump: Equipment) -> None:
    file = tmp_path / "data.csv.gz"
    file.write_bytes(gzip.compress(b"time,flow\n2026-01-01T00:00:00Z,3.5\n"))
    [row] = open_recording(file, None, pump, UTC).rows()
    assert isinstance(row, Row)
    assert row.values == {"flow": 3.5}


def test_every_mistake_of_a_mapping_is_told_at_once_with_its_place(tmp_path: Path, pump: Equipment) -> None:
    mapping = (
        "time: wehn\n"
        "columns:\n"
        "  Presure: {point: outlet_pressure, unit: bar}\n"
        "  Flow: {point: outlet_flow}\n"
        "  Other: {point: flow, unit: bar}\n"
        "  Again: {point: outlet_pressure}\n"
    )
    told = refused(tmp_path, pump, "when;Pressure;Flow;Other;Again\n", mapping)
    assert "map.yaml:1: time: the file has no column 'wehn'; did you mean 'when'?" in told
    assert "map.yaml:3: columns.Presure: the file has no column 'Presure'; did you mean 'Pressure'?" in told
    assert "map.yaml:4: columns.Flow: 'outlet_flow' is not a measured point of 'rig-pump'" in told
    assert "map.yaml:5: columns.Other.unit: 'bar' cannot be converted to 'm³/h'" in told
    assert "map.yaml:6: columns.Again: 'outlet_pressure' is column 'Presure' already" in told


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("time: when\n", "'columns' is missing; add it"),
        ("time: when\ncolumns: {}\n", "columns"),
        ("time: when\nrows: 3\ncolumns: {Flow: flow}\n", "key 'rows' is not known here"),
        ("time: {column: when, zone: Asia/Shangai}\ncolumns: {Flow: flow}\n", "did you mean 'Asia/Shanghai'?"),
        ("time: when\ncolumns: {Flow: {point: flow, unit: furlong}}\n", "unit 'furlong' is not known"),
        ("time: [when\n", "this is not YAML"),
    ],
)
def test_a_broken_mapping_is_refused(tmp_path: Path, pump: Equipment, mapping: str, message: str) -> None:
    assert message in refused(tmp_path, pump, "when;Pressure;Flow\n", mapping)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is no header"),
        ("justonecolumn\n", "the first line is no header"),
        ("a;a;b\n", "column 'a' stands twice"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, pump: Equipment, text: str, message: str) -> None:
    assert message in refused(tmp_path, pump, text)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path, pump: Equipment) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_recording(tmp_path / "none.csv", None, pump, UTC)
    (tmp_path / "blob.csv").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_recording(tmp_path / "blob.csv", None, pump, UTC)


def test_a_file_that_fits_nothing_asks_for_a_mapping(tmp_path: Path, pump: Equipment) -> None:
    assert "write a mapping file" in refused(tmp_path, pump, "a;b\n1;2\n", mapping=None)
