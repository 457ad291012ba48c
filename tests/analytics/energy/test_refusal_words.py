"""Whatever is entered into the accounts and refused is told in Chinese and in English, with value and mend."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics.energy.books import Books
from analytics.energy.entry_checks import EntryRefused
from facility.database import Database
from facility.names import Names
from facility.spreadsheet import NotATable, TableRefused
from tests.analytics.energy.accounts import MAIN, Accounts, midnight

FIRST, DAY = date(2026, 3, 1), timedelta(days=1)
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,:;()?]|[,:;()?][\u4e00-\u9fff]")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def books(tmp_path: Path, database: Database) -> Iterator[Books]:
    """Books with three readings of the main meter, 10 a day, and an exchange on the day after."""
    made = Accounts.open(tmp_path, database)
    made.at(FIRST + 30 * DAY)
    with made.store:
        own = made.books()
        for day, value in ((1, 100.0), (2, 110.0), (3, 120.0)):
            own.add_hand_reading(MAIN, midnight(FIRST + day * DAY), value, "li")
        yield own


def assert_chinese(words: Names) -> None:
    assert re.search(r"[\u4e00-\u9fff]", words.zh)
    assert not re.search(r"[\u4e00-\u9fff]", words.en)
    assert not HALF_WIDTH.search(words.zh), words.zh


@pytest.mark.parametrize(
    ("day", "value", "zh"),
    [
        (40, 1.0, "2026-04-10 00:00 还没有到；请更正时间"),
        (-20_000, 1.0, "早于 2000 年；请更正时间"),
        (4, -5.0, "读数为 -5；请填写表上的示数，不得小于零"),
        (4, 1e15, "位数；请更正"),
        (2, 115.0, "同一时刻已登记读数 110；请先撤销那一条"),
        (4, 90.0, "90 低于前一次读数（2026-03-04 00:00，120 kWh）；请更正"),
        (0, 105.0, "105 高于后一次读数（2026-03-02 00:00，100 kWh）；请更正"),
        (4, 900.0, "而平常每天为 10；请更正，或确认无误"),
    ],
)
def test_a_refused_reading_is_told_in_both_languages(books: Books, day: int, value: float, zh: str) -> None:
    with pytest.raises(EntryRefused) as refused:
        books.add_hand_reading(MAIN, midnight(FIRST + day * DAY), value, "li")
    assert zh in refused.value.words.zh
    assert str(refused.value) == refused.value.words.en
    assert_chinese(refused.value.words)


@pytest.mark.parametrize(
    ("day", "end", "start", "zh"),
    [
        (40, 200.0, 0.0, "还没有到；请更正时间"),
        (4, -1.0, 0.0, "旧表止度为 -1；请填写表上的示数"),
        (4, 200.0, -1.0, "新表起度为 -1；请填写表上的示数"),
        (4, 119.0, 0.0, "旧表止度 119 低于该表 2026-03-04 00:00 的示数 120 kWh；请更正止度或换表时间"),
        (0, 50.0, 101.0, "新表起度 101 高于该表 2026-03-02 00:00 的示数 100 kWh；请更正起度或换表时间"),
        (5, 130.0, 1.0, "2026-03-06 00:00 已登记过一次换表；请先撤销那一条"),
    ],
)
def test_a_refused_exchange_is_told_in_both_languages(
    books: Books, day: int, end: float, start: float, zh: str
) -> None:
    books.add_exchange(MAIN, midnight(FIRST + 5 * DAY), 130.0, 0.0, "li")
    with pytest.raises(EntryRefused) as refused:
        books.add_exchange(MAIN, midnight(FIRST + day * DAY), end, start, "li")
    assert zh in refused.value.words.zh
    assert_chinese(refused.value.words)


@pytest.mark.parametrize(
    ("row", "zh"),
    [
        ("em-mian,2026-03-10,130,", "没有这个名称的计数器；是不是“em-main”？"),
        ("em-main,soon,130,", "请按本院当地时间填写"),
        ("em-main,2026-03-10,12o,", "请填写表上的示数，例如 10452.7"),
        ("em-main,2026-03-10,130,m³", "该计数器以 kWh 计数；请换算读数并填写该单位"),
        ("em-main,2026-03-10,90,", "90 低于前一次读数"),
        ("em-main,2026-03-09,130,", "表格中该计数器在此时刻有两个读数；请只保留一个"),
        ("em-main,2026-03-03,111,", "同一时刻已登记读数 110"),
    ],
)
def test_a_mistake_in_a_table_is_told_in_both_languages(books: Books, row: str, zh: str) -> None:
    table = "\n".join(("register,time,value,unit", "em-main,2026-03-09,130,", row)).encode()
    with pytest.raises(TableRefused) as refused:
        books.import_hand_readings("a.csv", table, "li")
    mistake = refused.value.mistakes[-1]
    assert zh in mistake.mend.zh
    assert mistake.zh.startswith("第 3 行，")
    assert mistake.zh in refused.value.zh
    assert_chinese(mistake.mend)


def test_of_many_mistakes_both_languages_count_those_that_they_do_not_name(books: Books) -> None:
    table = "\n".join(["register,time,value", *["em-main,soon,1"] * 25]).encode()
    with pytest.raises(TableRefused, match="and 5 more") as refused:
        books.import_hand_readings("a.csv", table, "li")
    assert refused.value.zh.endswith("另有 5 处")


@pytest.mark.parametrize(
    ("name", "content", "zh"),
    [
        ("a.csv", b"", "a.csv 是空的；第一行必须是列名"),
        ("a.csv", b"register,time\n", "缺少列“value”；请用以下列名之一：value、reading、读数"),
        ("a.csv", b"register,time,value,reading\n", "有重复的列；请只保留一列"),
        ("a.csv", b"\xff\x00\x01", "不是 UTF-8 或 GB 18030 文本；请另存为 CSV UTF-8"),
        ("a.csv", b"register,time\0,value\n", "不是文本；请另存为"),
        ("a.xlsx", b"PK nonsense", "无法作为电子表格读取"),
        ("\udcff.csv", b"", "?.csv 是空的"),
    ],
)
def test_a_file_that_is_no_table_is_told_in_both_languages(books: Books, name: str, content: bytes, zh: str) -> None:
    with pytest.raises(NotATable) as refused:
        books.import_hand_readings(name, content, "li")
    assert zh in refused.value.words.zh
    assert str(refused.value) == refused.value.words.en


@pytest.mark.parametrize(
    "file",
    [
        "analytics/energy/entries.py", "analytics/energy/reading_tables.py", "analytics/energy/activity.py",
        "analytics/energy/measure_book.py", "analytics/energy/entry_texts.py", "facility/spreadsheet.py",
        "facility/calendar.py", "facility/measure_entry.py", "facility/measure_file.py",
    ],
)  # fmt: skip
def test_every_sentence_has_chinese_with_full_width_marks_and_english_without_chinese(file: str) -> None:
    found = 0
    for call in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("Names", "_none", "wrong"):
            continue
        said = {word.arg: text_of(word.value) for word in call.keywords} or dict(
            zip(("zh", "en"), map(text_of, call.args), strict=False)
        )
        zh, en = said.get("zh", ""), said.get("en", "")
        if not en:
            continue
        found += 1
        assert not HALF_WIDTH.search(zh), zh
        assert not re.search(r"[\u4e00-\u9fff]", en), en
        assert (";" in en) <= ("；" in zh), zh
    assert found


def text_of(node: ast.expr) -> str:
    """Return what a string says in the source, without what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
