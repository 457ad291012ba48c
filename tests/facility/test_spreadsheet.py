"""Tables that people bring: what is no table is told as such, and costs neither memory nor time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import openpyxl
import pytest

from facility.spreadsheet import NotATable, read_rows

COLUMNS: dict[str, Sequence[str]] = {"register": ("meter",), "value": ("reading",)}
SHEET = "xl/worksheets/sheet1.xml"


def workbook(**replaced: bytes) -> bytes:
    """Return a good workbook, one of its parts replaced."""
    book, out = openpyxl.Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet()
    sheet.append(["meter", "reading"])
    sheet.append(["em-1", 100.5])
    book.save(out)
    if not replaced:
        return out.getvalue()
    new = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as made:
        for name in old.namelist():
            made.writestr(name, replaced["sheet"] if name == SHEET else old.read(name))
    return new.getvalue()


def packed_otherwise() -> bytes:
    """Return a workbook whose entries name a compression that nobody knows."""
    content = bytearray(workbook())
    at = -1
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        content[at + 10] = 77
    return bytes(content)


def test_a_workbook_is_read_as_a_person_reads_it() -> None:
    (row,) = read_rows("r.xlsx", workbook(), COLUMNS, ("register", "value"))
    assert (row.number, row.cells) == (2, {"register": "em-1", "value": "100.5"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\xd0\xcf\x11\xe0 a workbook with a password",
        workbook(sheet=b""),
        workbook(sheet=b"<worksheet><sheetData><row>"),
        workbook(sheet=b"<a>&x;</a>"),
        workbook()[:-40],
        packed_otherwise(),
    ],
    ids=["empty", "cut", "password", "no sheet", "open tags", "unknown entity", "tail lost", "packed otherwise"],
)
def test_what_is_no_workbook_is_told_and_how_to_mend_it(content: bytes) -> None:
    with pytest.raises(NotATable, match=r"r\.xlsx"):
        read_rows("r.xlsx", content, COLUMNS, ("register", "value"))


def test_a_small_file_that_unpacks_into_a_huge_one_is_refused_before_it_is_read() -> None:
    bomb = workbook(sheet=b"<worksheet><sheetData>" + b"<row/>" * 2_000_000 + b"</sheetData></worksheet>")
    assert len(bomb) < 100_000
    with pytest.raises(NotATable, match="unpacks to more than"):
        read_rows("r.xlsx", bomb, COLUMNS, ("register", "value"))


def test_a_formula_is_text_like_any_other() -> None:
    (row,) = read_rows("r.csv", b"\xef\xbb\xbfmeter;reading\n=cmd|' /C calc'!A0;1\n", COLUMNS, ("register", "value"))
    assert row.cells["register"] == "=cmd|' /C calc'!A0"


def test_what_programs_in_china_write_is_read() -> None:
    (row,) = read_rows("r.csv", "meter;reading\n总表;1\n".encode("gbk"), COLUMNS, ("register", "value"))
    assert row.cells["register"] == "总表"


TITLED = "2026 年 3 月抄表记录,,\n抄表人：李,,\n\nmeter,,reading\n总表,,1\n"


@pytest.mark.parametrize(
    "text",
    [TITLED, TITLED.replace(",", ";"), "sep=;\n\n\n" + "meter;reading\n总表;1\n"],
    ids=["commas", "semicolons", "sep="],
)
def test_a_title_may_stand_above_the_names_of_the_columns(text: str) -> None:
    (row,) = read_rows("r.csv", text.encode(), COLUMNS, ("register", "value"))
    assert (row.number, row.cells) == (5, {"register": "总表", "value": "1"})


def test_below_a_title_the_row_that_comes_nearest_is_told_what_it_lacks() -> None:
    with pytest.raises(NotATable, match=r"row 2 names no column 'value'"):
        read_rows("r.csv", b"Readings of March\nmeter,value of March\nem-1,1\n", COLUMNS, ("register", "value"))


def test_unicode_text_of_a_spreadsheet_program_is_read() -> None:
    (row,) = read_rows("r.csv", "meter\treading\r\n总表\t1\r\n".encode("utf-16"), COLUMNS, ("register", "value"))
    assert row.cells == {"register": "总表", "value": "1"}
