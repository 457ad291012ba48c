"""Measures that people enter: checked as the site file's are, completed by custom, withdrawn and never deleted."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analytics.desk import ActionRefused, Desk, NoSuchRecord
from analytics.energy.measure_book import MeasureBook, MeasureRefused
from facility.calendar import to_us
from facility.database import Database
from facility.measures import Period
from facility.site import Site
from facility.site_file import load_site

SITE = """
site: {id: s, name: {zh: 医院, en: Hospital}, currency: CNY, time_zone: Asia/Shanghai}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}
equipment:
  - {id: em1, class: electricity_meter, room: power-1}
  - {id: ws1, class: weather_station, room: power-1}
measures:
  - id: timers
    name: {zh: 定时控制, en: Timers}
    meter: em1
    carrier: electricity
    baseline: {from: 2025-01-01, to: 2025-12-31}
    reporting: {from: 2026-01-10}
"""
NOW_US = to_us(datetime(2026, 7, 16, 10, tzinfo=ZoneInfo("Asia/Shanghai")))
LAMPS = {
    "name": {"zh": "换灯", "en": "New lamps!"},
    "meter": "em1",
    "carrier": "electricity",
    "work": {"from": "2026-03-02", "to": "2026-03-05"},
    "cost": "86000",
}


def site_of(tmp_path: Path, text: str = SITE) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


@pytest.fixture
def book(tmp_path: Path, database: Database) -> MeasureBook:
    return MeasureBook(site_of(tmp_path), database, lambda: NOW_US)


def test_from_the_days_of_the_work_follow_the_year_before_and_the_days_after(book: MeasureBook) -> None:
    measure = book.add(LAMPS, "li").measure
    assert measure is not None
    assert measure.baseline == Period(date(2025, 3, 2), date(2026, 3, 1))
    assert measure.reporting == Period(date(2026, 3, 6), None)
    assert measure.drivers == ("ws1/outdoor_temperature",)
    assert measure.cost == 86000.0


def test_work_of_one_day_needs_no_end(book: MeasureBook) -> None:
    measure = book.add(LAMPS | {"work": {"from": "2026-03-02"}}, "li").measure
    assert measure is not None
    assert measure.reporting.from_ == date(2026, 3, 3)


def test_periods_that_are_given_stand(book: MeasureBook) -> None:
    baseline = {"from": "2025-06-01", "to": "2026-02-28"}
    measure = book.add(LAMPS | {"baseline": baseline}, "li").measure
    assert measure is not None
    assert measure.baseline == Period(date(2025, 6, 1), date(2026, 2, 28))
    assert measure.reporting.from_ == date(2026, 3, 6)


def test_what_is_entered_stands_beside_the_site_files(book: MeasureBook) -> None:
    book.add(LAMPS, "li")
    assert list(book.measures()) == ["timers", "new-lamps"]


def test_a_second_of_the_same_name_gets_an_id_of_its_own(book: MeasureBook) -> None:
    assert [book.add(LAMPS, "li").id for _ in range(2)] == ["new-lamps", "new-lamps-2"]


def test_a_name_without_latin_letters_makes_an_id_too(book: MeasureBook) -> None:
    assert book.add(LAMPS | {"name": {"zh": "换灯", "en": "换灯"}}, "li").id == "measure"


@pytest.mark.parametrize("taken", ["timers", "lamps"])
def test_an_id_that_is_taken_is_refused(book: MeasureBook, taken: str) -> None:
    book.add(LAMPS | {"id": "lamps"}, "li")
    with pytest.raises(MeasureRefused, match=f"id '{taken}' is taken"):
        book.add(LAMPS | {"id": taken}, "li")


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"meter": "em2"}, "meter", "no meter is called 'em2'; did you mean 'em1'?"),
        ({"meter": "ws1"}, "meter", "'ws1' counts nothing"),
        ({"carrier": "water"}, "carrier", "'em1' does not count water"),
        ({"meter": None, "carrier": None}, "", "name the meter that counts what it changes"),
        ({"name": {"zh": "", "en": "Lamps"}}, "name.zh", "at least 1 character"),
        ({"name": {"zh": "换灯", "en": "x" * 121}}, "name.en", "121 characters; write 120 at most"),
        ({"name": {"zh": "换\x00灯", "en": "Lamps"}}, "name.zh", "cannot be shown"),
        ({"owner": "\ud800"}, "owner", "cannot be shown"),
        ({"id": "New lamps"}, "id", "is not an id"),
        ({"work": None}, "work", "say on which days the work was done"),
        ({"work": {"from": "soon"}}, "work.from", "'soon' is not a date"),
        ({"work": "2026-03-02"}, "work", "a mapping"),
        ({"work": {"from": "2026-03-05", "to": "2026-03-02"}}, "work.to", "before 2026-03-05"),
        ({"work": {"from": "2026-07-17"}}, "work.from", "still to come; enter the measure once the work is done"),
        ({"work": {"from": "2026-07-16", "to": "2026-07-17"}}, "work.to", "still to come"),
        ({"work": {"from": "0001-01-01"}}, "work.from", "lies too far back"),
        ({"baseline": {"from": "0001-01-01", "to": "2026-03-01"}}, "reporting", "before the year 2000"),
        ({"reporting": {"from": "9999-12-31"}}, "reporting", "after next year"),
        ({"drivers": ["ws1/humidity"]}, "drivers[1]", "has no point 'humidity'"),
        ({"drivers": ["ws1/outdoor_temperature"] * 9}, "drivers", "write 8 at most"),
        ({"cost": "86000 EUR"}, "cost", "is no amount of money here; write such as '86000 CNY'"),
        ({"colour": "red"}, "colour", "key 'colour' is not known here"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_field_and_its_mend(
    book: MeasureBook, changed: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(MeasureRefused) as error:
        book.add(LAMPS | changed, "li")
    assert [m.field for m in error.value.mistakes] == [field]
    assert message in error.value.mistakes[0].message
    assert re.search(r"[\u4e00-\u9fff]{2}", error.value.mistakes[0].words.zh)
    assert not re.search(r"[\u4e00-\u9fff][,:;()?]|[,:;()?][\u4e00-\u9fff]", error.value.mistakes[0].words.zh)
    assert book.entered() == []


def test_work_may_end_today(book: MeasureBook) -> None:
    assert book.add(LAMPS | {"work": {"from": "2026-07-16"}}, "li").measure is not None


def test_every_mistake_is_told_at_once(book: MeasureBook) -> None:
    with pytest.raises(MeasureRefused) as error:
        book.add(LAMPS | {"meter": "em2", "work": {"from": "soon"}, "cost": "much"}, "li", ticket="T-1")
    assert [m.field for m in error.value.mistakes] == ["work.from", "meter", "cost", "ticket"]


def test_the_ticket_of_the_work_is_its_source(tmp_path: Path, database: Database, book: MeasureBook) -> None:
    ticket = Desk(database, site_of(tmp_path), lambda: NOW_US).new_ticket("em1", "Lamps burn all night", "li")
    entered = book.add(LAMPS, "li", ticket=ticket.number)
    assert entered.ticket == ticket.number
    assert entered.measure is not None
    assert entered.measure.source == ticket.number


def test_one_that_is_withdrawn_is_judged_no_more_and_stays_on_record(book: MeasureBook) -> None:
    book.add(LAMPS, "li")
    first, second = book.withdraw("new-lamps", "wang"), book.withdraw("new-lamps", "zhao")
    assert (first.withdrawn_by, second) == ("wang", first)
    assert list(book.measures()) == ["timers"]
    assert book.entered() == []
    assert [e.entered_by for e in book.entered(withdrawn=True)] == ["li"]


def test_the_id_of_one_that_is_withdrawn_is_free_again(book: MeasureBook) -> None:
    for _ in range(2):
        assert book.add(LAMPS, "li").id == "new-lamps"
        book.withdraw("new-lamps", "li")
    assert len(book.entered(withdrawn=True)) == 2


def test_only_what_was_entered_can_be_withdrawn(book: MeasureBook) -> None:
    with pytest.raises(ActionRefused, match="stands in the site file"):
        book.withdraw("timers", "li")
    with pytest.raises(NoSuchRecord, match="nobody entered a measure 'lamps'"):
        book.withdraw("lamps", "li")


def test_the_audit_trail_is_written_with_what_it_tells_of(book: MeasureBook) -> None:
    told: list[str] = []
    book.add(LAMPS, "li", audit=lambda _session, measure: told.append(measure))
    book.withdraw("new-lamps", "li", audit=lambda _session, measure: told.append(measure))
    book.withdraw("new-lamps", "li", audit=lambda _session, measure: told.append(measure))
    assert told == ["new-lamps", "new-lamps"]

    def fails(_session: object, _measure: str) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError):
        book.add(LAMPS, "li", audit=fails)
    assert book.entered() == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("id: em1", "id: em9", "no meter is called 'em1'"),
        ("id: timers", "id: new-lamps", "is the site file's by now"),
    ],
)
def test_what_no_longer_fits_the_site_is_told_and_the_rest_is_judged(
    tmp_path: Path, database: Database, book: MeasureBook, old: str, new: str, why: str
) -> None:
    book.add(LAMPS, "li")
    text = SITE.replace(old, new).replace("meter: em1", "meter: em9") if old == "id: em1" else SITE.replace(old, new)
    later = MeasureBook(site_of(tmp_path, text), database, lambda: NOW_US)
    (entered,) = later.entered()
    assert entered.measure is None
    assert why in entered.why_not
    assert entered.unfit is not None
    assert re.search(r"[\u4e00-\u9fff]{2}", entered.unfit.zh)
    assert set(later.measures()) == {text.split("measures:")[1].split("id: ")[1].split()[0]}
