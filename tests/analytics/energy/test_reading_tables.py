"""Tables of readings by hand: all of it or nothing, and every mistake with its row, column, value and mend."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook

from analytics.energy.books import Books
from analytics.energy.entry_texts import read_value
from facility.database import Database
from facility.spreadsheet import NotATable, TableRefused
from tests.analytics.energy.accounts import BY_HAND, WATER, Accounts, midnight

FIRST = date(2026, 3, 1)
ROWS = 10_000


@pytest.fixture
def books(tmp_path: Path, database: Database) -> Iterator[Books]:
    """Books in which nothing is read yet, at the end of April."""
    made = Accounts.open(tmp_path, database)
    made.at(date(2026, 5, 1))
    with made.store:
        yield made.books()


def csv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_a_table_is_taken_whole(books: Books) -> None:
    table = csv("register,time,value", "w-old,2026-03-01 08:00,100", 'w-old/volume_total,2026-04-01 08:00,"1,150.5"')
    assert books.import_hand_readings("march.csv", table, "li") == 2
    assert [(r.register, r.value, r.entered_by) for r in books.hand_readings()] == [
        (BY_HAND, 100.0, "li"),
        (BY_HAND, 1150.5, "li"),
    ]


def test_a_table_in_chinese_from_an_old_program_is_read(books: Books) -> None:
    table = "表计;抄表日期;止度;单位;备注\nw-old;2026年3月1日;100;立方米;李\n".encode("gb18030")
    assert books.import_hand_readings("三月.csv", table, "li") == 1
    (reading,) = books.hand_readings()
    assert (reading.at_us, reading.note) == (midnight(FIRST), "李")


def test_a_spreadsheet_is_read_with_its_dates_and_numbers(books: Books) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Meter", "Date", "Reading"])
    sheet.append(["w-old", datetime.fromisoformat("2026-03-01 08:00"), 100.25])
    content = io.BytesIO()
    book.save(content)
    assert books.import_hand_readings("march.xlsx", content.getvalue(), "li") == 1
    assert books.hand_readings()[0].value == 100.25


def test_the_same_table_again_changes_nothing(books: Books) -> None:
    table = csv("register,time,value", "w-old,2026-03-01,100")
    assert books.import_hand_readings("a.csv", table, "li") == 1
    assert books.import_hand_readings("a.csv", table, "li") == 0
    assert len(books.hand_readings()) == 1


def test_every_mistake_is_told_and_nothing_taken(books: Books) -> None:
    table = csv(
        "register,time,value,unit",
        "w-old,2026-03-01,100,m³",
        "w-olf,2026-03-01,100,m³",
        "w-old,1 March,100,m³",
        "w-old,2026-03-03,12o,m³",
        "w-old,2026-03-04,130,kWh",
        "w-old,2026-06-04,140,m³",
    )
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", table, "li")
    assert [(m.row, m.column, m.value) for m in refused.value.mistakes] == [
        (3, "register", "w-olf"),
        (4, "time", "1 March"),
        (5, "value", "12o"),
        (6, "unit", "kWh"),
        (7, "value", "140"),
    ]
    told = str(refused.value)
    assert "row 3, register: 'w-olf': no register is called so; did you mean 'w-old'?" in told
    assert "2026-06-04 00:00 lies in the future; correct the time" in told
    assert books.hand_readings() == []


def test_a_reading_below_the_one_before_it_in_the_table_is_a_mistake(books: Books) -> None:
    table = csv("register,time,value", "w-old,2026-03-02,90", "w-old,2026-03-01,100")
    with pytest.raises(TableRefused, match="row 2, value: '90': 90 is below the reading before it, 100 m³"):
        books.import_hand_readings("a.csv", table, "li")
    assert books.import_hand_readings("a.csv", table, "li", confirmed=True) == 2


def test_a_machine_with_several_registers_is_named_by_the_one_that_is_its_main(books: Books) -> None:
    table = csv("register,time,value", "em-main,2026-03-01,100")
    assert books.import_hand_readings("a.csv", table, "li") == 1
    assert books.hand_readings()[0].register == "em-main/energy_import"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "a.csv is empty"),
        (
            "a.csv",
            b"register,time\nw-old,2026-03-01\n",
            "names no column 'value'; head one column with",
        ),
        ("a.csv", b"\xff\x00\x01", "is no text"),
        ("a.xlsx", b"PK nonsense", "cannot be read as a spreadsheet"),
        ("a.csv", b"register,time,value,reading\nw-old,2026-03-01,1,1\n", "names a column twice"),
    ],
)
def test_what_is_no_table_is_refused_with_what_would_be(books: Books, name: str, content: bytes, words: str) -> None:
    with pytest.raises(NotATable, match=words):
        books.import_hand_readings(name, content, "li")


def test_two_readings_of_one_moment_are_a_mistake(books: Books) -> None:
    table = csv("register,time,value", f"{WATER},2026-03-01,1", f"{WATER},2026-03-01,2")
    with pytest.raises(TableRefused, match="two readings of this register at this time"):
        books.import_hand_readings("a.csv", table, "li")


def test_a_day_is_its_midnight_at_the_hospital(books: Books) -> None:
    books.import_hand_readings("a.csv", csv("register,time,value", "w-old,2026/3/2,5"), "li")
    assert books.hand_readings()[0].at_us == midnight(FIRST + timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10452.7", 10452.7),
        ("1,234,567.8", 1234567.8),
        ("1，234", 1234.0),
        ("１２３", 123.0),
        ("10452,7", None),  # a decimal comma is no thousand's
        ("10,5", None),
        ("1.234,5", None),
        ("12,34", None),
        ("1_0", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_a_comma_sets_off_thousands_and_nothing_else(text: str, value: float | None) -> None:
    assert read_value(text) == value


def many(register: str, **other: float) -> bytes:
    """Return a table of one reading an hour that counts 1 an hour from 1000; `other` values by row, as `row_7=3`."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    values = [other.get(f"row_{i + 2}", 1000 + i) for i in range(ROWS)]
    lines = [f"{register},{first + timedelta(hours=i):%Y-%m-%d %H:%M},{value}" for i, value in enumerate(values)]
    return "\n".join(["register,time,value", *lines]).encode()


def test_ten_thousand_readings_of_one_register_are_taken_and_again_change_nothing(books: Books) -> None:
    assert books.import_hand_readings("a.csv", many("w-old"), "li") == ROWS
    assert books.import_hand_readings("a.csv", many("w-old"), "li") == 0
    kept = books.hand_readings(BY_HAND)
    assert (len(kept), kept[0].value, kept[-1].value) == (ROWS, 1000.0, 1000.0 + ROWS - 1)


def test_the_one_wrong_reading_of_ten_thousand_is_told_with_the_one_before_it(books: Books) -> None:
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", many("w-old", row_5001=0.0), "li")
    before, wrong = refused.value.mistakes
    assert (before.row, wrong.row, wrong.value) == (5000, 5001, "0")
    assert "5,998 is above the reading after it, 0 m³" in before.mend.en
    assert "0 is below the reading before it, 5,998 m³" in wrong.mend.en


def test_a_register_that_nobody_knows_is_told_at_each_of_ten_thousand_rows(books: Books) -> None:
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", many("w-olf"), "li")
    assert len(refused.value.mistakes) == ROWS
    assert "did you mean 'w-old'?" in refused.value.mistakes[-1].mend.en
