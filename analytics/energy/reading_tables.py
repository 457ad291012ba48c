"""Readings by hand as a table: CSV or a spreadsheet, every mistake told with its row, column, value and mend."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from analytics.energy.entry_checks import Around, EntryRefused, Point, check_reading, plain_note
from analytics.energy.entry_texts import read_time, read_value
from facility.metering import BookedRegister
from facility.names import Names
from facility.site import Site
from facility.spreadsheet import Mistake, Row, TableRefused, read_rows
from facility.wording import nearest, nearest_zh

COLUMNS: Final[dict[str, Sequence[str]]] = {
    "register": ("meter", "point", "equipment", "表计", "仪表", "电表", "水表", "表号", "表计编号", "计量点"),
    "time": ("date", "at", "时间", "日期", "抄表时间", "抄表日期"),
    "value": ("reading", "读数", "表底", "止度", "示数", "抄见数"),
    "unit": ("单位",),
    "note": ("remark", "备注", "说明"),
}
REQUIRED: Final = ("register", "time", "value")

_UNIT_WORDS: Final = {"m3": "m³", "nm3": "Nm³", "度": "kWh", "千瓦时": "kWh", "立方米": "m³", "吨": "t", "吉焦": "GJ"}


@dataclass(frozen=True, slots=True)
class NewReading:
    """A reading of a table: its row, and what is to be entered. [µs UTC], [counts]"""

    row: int
    register: str
    at_us: int
    value: float
    note: str


def read_table(
    name: str,
    content: bytes,
    site: Site,
    registers: Mapping[str, BookedRegister],
    around: Callable[[str, int, int], Around],
    now_us: int,
    confirmed: bool,
) -> list[NewReading]:
    """
    Read a table with the columns register, time, value and perhaps unit and note; a date alone is its midnight.

    Parameters
    ----------
    around : what is known of a register from before one time to after another
    confirmed : unlikely values are meant

    Raises
    ------
    NotATable
        If the file is none.
    TableRefused
        With every mistake in it; nothing is taken then.
    """
    names = _names_of(registers)
    mistakes: list[Mistake] = []
    found: dict[str, list[NewReading]] = {}
    for row in read_rows(name, content, COLUMNS, REQUIRED):
        reading = _reading(row, registers, names, site.time_zone, mistakes)
        if reading is not None:
            found.setdefault(reading.register, []).append(reading)
    for key, own in found.items():
        own.sort(key=lambda r: (r.at_us, r.row))
        known = around(key, own[0].at_us, own[-1].at_us)
        mistakes += _checked(own, registers[key], known, now_us, site.time_zone, confirmed)
    if mistakes:
        raise TableRefused(sorted(mistakes, key=lambda m: m.row))
    return sorted((r for own in found.values() for r in own), key=lambda r: r.row)


def main_register(registers: Mapping[str, BookedRegister], equipment: str) -> str | None:
    """Return the register that is meant by a machine's id alone: its named one, or its only one; None if unclear."""
    own = [r for r in registers.values() if r.equipment.id == equipment]
    named = [r for r in own if r.equipment.register is not None and r.equipment.register.point == r.register.point]
    inward = [r for r in own if r.flow == "in" and r.carrier != "reactive"]
    for some in (named, inward, own):
        if len(some) == 1:
            return some[0].key
    return None


def _names_of(registers: Mapping[str, BookedRegister]) -> dict[str, str | None]:
    """Return what people may call a register: its key, its machine's id or name; None where that is not clear."""
    names: dict[str, str | None] = {}
    for register in registers.values():
        item = register.equipment
        key = main_register(registers, item.id)
        for name in (item.id, item.name.zh, item.name.en):
            names[name] = key if names.get(name, key) == key else None
    return names | {key: key for key in registers}


def _reading(
    row: Row, registers: Mapping[str, BookedRegister], names: Mapping[str, str | None], zone: ZoneInfo,
    mistakes: list[Mistake],
) -> NewReading | None:  # fmt: skip
    before = len(mistakes)

    def wrong(column: str, *, zh: str, en: str) -> None:
        mistakes.append(Mistake(row.number, column, row.cells[column], Names(zh=zh, en=en)))

    wanted = row.cells["register"]
    key = names.get(wanted)
    if wanted in names and key is None:
        wrong(
            "register",
            zh="不止一个计数器叫这个名称；请写成“设备/测点”，例如 em-1/energy_import",
            en="more than one register is called so; write equipment/point, such as em-1/energy_import",
        )
    elif key is None:
        wrong(
            "register",
            zh=f"没有这个名称的计数器{nearest_zh(wanted, names)}",
            en=f"no register is called so{nearest(wanted, names)}",
        )
    at_us = None
    try:
        at_us = read_time(row.cells["time"], zone)
    except EntryRefused as error:
        wrong("time", zh=error.words.zh, en=error.words.en)
    else:
        if at_us is None:
            wrong(
                "time",
                zh="请按本院当地时间填写，如 2026-03-01 08:30；只写日期即为当天零点",
                en="write the site's time as 2026-03-01 08:30, or a date alone for its midnight",
            )
    value = read_value(row.cells["value"])
    if value is None:
        wrong(
            "value",
            zh="请填写表上的示数，例如 10452.7",
            en="write what the register shows, such as 10452.7",
        )
    unit = row.cells["unit"]
    if key is not None and unit:
        meant = _UNIT_WORDS.get(unit.lower(), unit)
        if meant != registers[key].unit:
            own = registers[key].unit
            wrong(
                "unit",
                zh=f"该计数器以 {own} 计数；请换算读数并填写该单位",
                en=f"the register counts in {own}; convert the value and write that unit",
            )
    note = ""
    try:
        note = plain_note(row.cells["note"])
    except EntryRefused as error:
        wrong("note", zh=error.words.zh, en=error.words.en)
    if len(mistakes) > before or key is None or at_us is None or value is None:
        return None
    return NewReading(row.number, key, at_us, value, note)


def _checked(
    own: Sequence[NewReading],
    register: BookedRegister,
    known: Around,
    now_us: int,
    zone: ZoneInfo,
    confirmed: bool,
) -> Iterator[Mistake]:
    """Yield what is wrong with the readings of one register, oldest first, each against all that is known besides."""
    times = Counter(r.at_us for r in own)
    standing = sorted(
        [*known.before, *known.after, *(Point(r.at_us, r.value) for r in own)], key=lambda point: point.at_us
    )
    for reading in own:
        shown = f"{reading.value:.10g}"
        if times[reading.at_us] > 1:
            told = Names(
                zh="表格中该计数器在此时刻有两个读数；请只保留一个",
                en="the table has two readings of this register at this time; keep one",
            )
            yield Mistake(reading.row, "time", shown, told)
            continue
        begin = bisect_left(standing, reading.at_us, key=lambda point: point.at_us)
        end = bisect_right(standing, reading.at_us, lo=begin, key=lambda point: point.at_us)
        # The first before, the last before and the next: a check needs no more, and tables have many rows.
        before = standing[: min(begin, 1)] + standing[max(begin - 1, 1) : begin]
        try:
            around = Around(before, standing[end : end + 1], known.exchanges_us)
            check_reading(register, reading.at_us, reading.value, around, now_us, zone, confirmed)
        except EntryRefused as error:
            yield Mistake(reading.row, "value", shown, error.words)
