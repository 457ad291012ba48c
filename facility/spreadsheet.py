"""Tables that people bring along as files: CSV from any program, or a spreadsheet's first sheet.

Cells come as text, as a person reads them; numbers of a spreadsheet without trailing noise, its times in ISO form.
"""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final

from facility.names import Names
from facility.wording import quoted_zh

MOST_ROWS: Final = 100_000
MOST_BYTES: Final = 20 * 1024 * 1024
# A table of the most rows unpacks from 3 MB to 30; what unpacks to far more is made to fill memory and time.
_MOST_UNPACKED: Final = 4 * MOST_BYTES
_FREELY_UNPACKED: Final = 5 * 1024 * 1024
_MOST_TIMES: Final = 30
_MOST_COLUMNS: Final = 100
# Above the columns' names stand a title, the month, who read the meters.
_MOST_TITLES: Final = 10
_MOST_TOP: Final = 10_000  # characters
# A message names so many mistakes of a table; all of them are in `mistakes`.
_MOST_TOLD: Final = 20
# What a broken file makes its readers raise: the archive's, the packing's, the XML's, and what its numbers lead to.
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, SyntaxError, LookupError, ValueError,
    ArithmeticError, OSError, TypeError, AttributeError, AssertionError,
)  # fmt: skip
# What programs in China write besides UTF-8, with or without a byte-order mark; "Unicode text" always has one.
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotATable(ValueError):
    """The file cannot be read as a table at all; `words` say why, and what would be. Its text is the English."""

    def __init__(self, words: Names) -> None:
        super().__init__(words.en)
        self.words = words


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a table: `row` counts from 1 as spreadsheets do, `column` is its heading or empty."""

    row: int
    column: str
    value: str
    mend: Names

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", {self.column}" if self.column else "")
        return f"{where}: {self.value!r}: {self.mend.en}"

    @property
    def zh(self) -> str:
        """What `str` gives, in Chinese; the column by its heading."""
        where = f"第 {self.row} 行" + (f"，{self.column}" if self.column else "")
        return f"{where}：{quoted_zh(self.value)}：{self.mend.zh}"


class TableRefused(ValueError):
    """A table with mistakes, of which nothing was taken; `mistakes` are all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        shown = self.mistakes[:_MOST_TOLD]
        more = len(self.mistakes) - len(shown)
        super().__init__("\n".join([*map(str, shown), *([f"... and {more} more"] if more else [])]))
        self.zh = "\n".join([*(m.zh for m in shown), *([f"……另有 {more} 处"] if more else [])])


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty: its number in the file, and its cells by the columns' names."""

    number: int
    cells: dict[str, str]


def read_rows(name: str, content: bytes, columns: dict[str, Sequence[str]], required: Sequence[str]) -> list[Row]:
    """
    Read a table; one of its first rows names its columns, and what stands above that row is its title.

    Parameters
    ----------
    name : of the file; its ending says what it is
    content : the whole file
    columns : each column's headings, in whatever language; capitals and spaces around do not matter
    required : columns without which the table makes no sense

    Raises
    ------
    NotATable
        If it is none, is too large, or lacks a column.
    """
    if len(content) > MOST_BYTES:
        told = f"{name} has {len(content)} bytes; {MOST_BYTES} are the most, so split it"
        raise _none(f"{name} 有 {len(content)} 字节，最多允许 {MOST_BYTES} 字节；请拆分", told)
    rows = _sheet(name, content) if name.lower().endswith((".xlsx", ".xlsm")) else _csv(name, content)
    numbered = ((i, row) for i, row in enumerate(rows, 1) if any(cell.strip() for cell in row))
    known = {_plain(word): column for column, words in columns.items() for word in (column, *words)}
    at = 0
    names: list[str | None] = []
    for number, row in islice(numbered, _MOST_TITLES):
        named = [known.get(_plain(cell)) for cell in row]
        if at == 0 or len(set(named)) > len(set(names)):
            at, names = number, named
        if set(required) <= set(names):
            break
    if at == 0:
        raise _none(f"{name} 是空的；第一行必须是列名", f"{name} is empty; its first row must name the columns")
    for column in required:
        if column not in names:
            words = list(dict.fromkeys((column, *columns[column])))
            raise _none(
                f"{name}：第 {at} 行缺少列“{column}”；请用以下列名之一：{'、'.join(words)}",
                f"{name}: row {at} names no column {column!r}; head one column with: {', '.join(words)}",
            )
    if len(set(filter(None, names))) < sum(n is not None for n in names):
        raise _none(
            f"{name}：第 {at} 行有重复的列；请只保留一列",
            f"{name}: row {at} names a column twice; keep one of them",
        )
    found: list[Row] = []
    for number, row in numbered:
        if len(found) >= MOST_ROWS:
            raise _none(f"{name} 超过 {MOST_ROWS} 行；请拆分", f"{name} has more than {MOST_ROWS} rows; split it")
        cells = {column: cell.strip() for column, cell in zip(names, row, strict=False) if column is not None}
        found.append(Row(number, {column: cells.get(column, "") for column in columns}))
    return found


def _none(zh: str, en: str) -> NotATable:
    # A file may be called by bytes that are no text, and Names are text.
    return NotATable(Names(zh=_text_only(zh), en=_text_only(en)))


def _text_only(told: str) -> str:
    return told.encode("utf-8", "replace").decode()


def _plain(text: str) -> str:
    return text.strip().lower().replace("_", " ")


def _csv(name: str, content: bytes) -> Iterable[list[str]]:
    for encoding in ("utf-16",) if content.startswith(_UTF_16) else _ENCODINGS:
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _none(
            f"{name} 不是 UTF-8 或 GB 18030 文本；请另存为 CSV UTF-8，或直接上传 .xlsx",
            f"{name} is no text in UTF-8 or GB 18030; save it as CSV UTF-8, or bring the .xlsx itself",
        )
    if "\0" in text:
        raise _none(
            f"{name} 不是文本；请另存为 CSV UTF-8 或 .xlsx",
            f"{name} is no text; save it as CSV UTF-8, or as .xlsx",
        )
    top = "\n".join(text[:_MOST_TOP].splitlines()[:_MOST_TITLES])
    separator = max(",;\t", key=top.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=None), delimiter=separator)
    except csv.Error as error:
        raise _none(
            f"{name} 不是 CSV（{error}）；请从电子表格重新另存",
            f"{name} is no CSV ({error}); save it anew from the spreadsheet",
        ) from None


def _sheet(name: str, content: bytes) -> Iterable[list[str]]:
    # openpyxl takes a moment to import, which nobody who brings no spreadsheet should wait for.
    from openpyxl import load_workbook

    try:
        _check_size(name, content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for i, row in enumerate(sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS)):
            # The heading is one more; empty rows that were once formatted may go on for a million.
            if i > 2 * MOST_ROWS:
                raise _none(
                    f"{name} 超过 {2 * MOST_ROWS} 行；请删除末尾的空行",
                    f"{name} has more than {2 * MOST_ROWS} rows; delete the empty ones at its end",
                )
            yield [_text(cell) for cell in row]
        book.close()
    except NotATable:
        raise
    except _BROKEN as error:
        why = str(error) or type(error).__name__
        raise _none(
            f"{name} 无法作为电子表格读取（{why}）；请重新另存为 .xlsx 或 CSV",
            f"{name} cannot be read as a spreadsheet ({why}); save it anew as .xlsx or CSV",
        ) from None


def _check_size(name: str, content: bytes) -> None:
    """Refuse a small file that unpacks into a huge one."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        most = min(_MOST_UNPACKED, _FREELY_UNPACKED + _MOST_TIMES * len(content))
        if sum(part.file_size for part in packed.infolist()) > most:
            raise _none(
                f"{name} 只有 {len(content)} 字节，解压后却超过 {most} 字节；请另存为 CSV",
                f"{name} has {len(content)} bytes and unpacks to more than {most}; save it as CSV",
            )


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return str(cell)
