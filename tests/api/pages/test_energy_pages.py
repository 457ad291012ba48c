"""The energy pages at a hospital with meters: what a new site sees, what readings become, what people may enter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from fastapi.testclient import TestClient

from analytics.energy.ledger import Ledger, Restatement
from api.context import Context
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import Clock, site_of, word_in

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, beds: 24, floor_area: 1200 m²}
  - {id: ward, name: {zh: 外科病房, en: Surgical ward}, floor_area: 2400 m²}
equipment:
  - {id: em-main, class: electricity_meter, room: power-1, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, room: power-1, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main],
     serves: [icu]}
  - {id: wm-main, class: water_meter, room: power-1, name: {zh: 水表, en: Water meter}}
virtual_meters:
  - {id: rest, name: {zh: 其余, en: The rest}, carrier: electricity, unit: kWh, formula: em-main - em-icu}
"""
HOUR_US = 3_600_000_000


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("energy"))


def count_up(context: Context, key: str, per_hour: float, hours: int) -> None:
    """Let a register count up to now, a reading every quarter of an hour."""
    index, n = context.site.points.index[key], hours * 4 + 1
    times = context.clock() - (np.arange(n)[::-1] * HOUR_US // 4).astype(np.int64)
    values = 1000.0 + per_hour / 4 * np.arange(n)
    context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, values))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/energy", "Nothing has been booked yet."),
        ("/energy/bill", "The site has no tariff."),
        ("/energy/balance", "Nothing to balance"),
        ("/energy/departments", "Nothing is allocated"),
        ("/energy/meters", "nothing is known"),
        ("/energy/restatements", "No figure was restated"),
    ],
)
def test_a_new_site_is_told_what_is_missing(operator: TestClient, path: str, said: str) -> None:
    answer = operator.get(path)
    assert answer.status_code == 200, answer.text[-2000:]
    assert said in answer.text


@pytest.mark.parametrize("span", ["day", "week", "month", "year"])
def test_what_was_counted_stands_on_the_page(context: Context, operator: TestClient, span: str) -> None:
    count_up(context, "em-main/energy_import", 100.0, 24 * 40)
    context.books.bring_up_to_date()
    page = operator.get(f"/energy?span={span}&at=2026-07-15").text
    assert "Electricity" in page
    assert 'class="q1"' in page
    if span == "day":
        assert "<b>2,400</b>" in page


def test_a_month_to_come_has_no_day_of_it_behind_it(operator: TestClient) -> None:
    page = operator.get("/energy?span=month&at=2027-03").text
    assert "03-01 to 03-31" in page
    assert "of 31" not in page


def test_the_hour_that_runs_has_no_hole(context: Context, clock: Clock, operator: TestClient) -> None:
    count_up(context, "em-main/energy_import", 100.0, 24)
    context.books.bring_up_to_date()  # it is 02:40, and the books go to 02:30
    clock.pass_s(300)
    page = operator.get("/energy?span=day&at=2026-07-16").text
    assert "<b>250</b>" in page
    assert "time is missing" not in page


def test_a_carrier_without_a_tariff_says_so_and_costs_no_zero(context: Context, operator: TestClient) -> None:
    count_up(context, "em-main/energy_import", 100.0, 24 * 20)
    context.books.bring_up_to_date()
    page = operator.get("/energy?span=month&at=2026-07").text
    assert "no bill can be made: no tariff" in page
    assert "no tariff</td>" in page


def test_an_address_that_nobody_meant_shows_this_month(operator: TestClient) -> None:
    page = operator.get("/energy?span=../&at=9999-99-99&carrier=<script>").text
    assert "Energy, July 2026" in page
    assert "<script>" not in page.replace("<script src", "")


@pytest.mark.parametrize("name", ["month-2026-13", "month-2026-7", "week-2026-07-15", "century-20", "x"])
def test_a_table_of_no_period_is_not_another_periods(operator: TestClient, name: str) -> None:
    assert operator.get(f"/energy/{name}.csv").status_code == 404


def test_the_table_leaves_what_is_not_known_empty(context: Context, operator: TestClient) -> None:
    count_up(context, "em-main/energy_import", 100.0, 48)
    context.books.bring_up_to_date()
    lines = operator.get("/energy/month-2026-07.csv").text.splitlines()
    assert lines[0].startswith("\ufefffrom,meter")
    known = [line for line in lines if line.startswith("2026-07-15,em-main/energy_import,")]
    assert known == ["2026-07-15,em-main/energy_import,Main meter,Electricity,2400,kWh,1.0000,0.0000,0.0000"]
    assert [line.split(",")[4] for line in lines if line.startswith("2026-07-15,wm-main/")] == [""]


def test_the_list_of_meters_is_filtered_by_carrier_and_words(operator: TestClient) -> None:
    assert "wm-main/volume" not in operator.get("/energy/meters?carrier=electricity").text
    found = operator.get("/energy/meters?q=icu+meter").text
    assert "em-icu/energy_import" in found
    assert "em-main/energy_import" not in found
    assert "No register fits." in operator.get("/energy/meters?q=zzz").text


def test_a_meter_shows_what_it_counted_and_what_happened(context: Context, operator: TestClient) -> None:
    count_up(context, "em-icu/energy_import", 10.0, 72)
    context.books.bring_up_to_date()
    page = operator.get("/energy/meters/em-icu/energy_import?span=day&at=2026-07-15").text
    assert "240 <span" in page
    assert "No roll-over, reset, exchange or outage is on record." in page


def test_a_virtual_meter_stands_among_the_meters_and_takes_no_readings(context: Context, operator: TestClient) -> None:
    count_up(context, "em-main/energy_import", 100.0, 72)
    count_up(context, "em-icu/energy_import", 10.0, 72)
    context.books.bring_up_to_date()
    assert "The rest" in operator.get("/energy/meters?q=rest").text
    page = operator.get("/energy/meters/virtual/rest?span=day&at=2026-07-15").text
    assert "2,160 <span" in page
    assert "em-main - em-icu" in page
    assert 'name="value"' not in page


def test_a_meter_that_is_none_names_the_nearest(operator: TestClient) -> None:
    answer = operator.get("/energy/meters/em-ics/energy_import", headers={"Accept": "text/html"})
    assert answer.status_code == 404


def send(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Send a form of the ICU meter's page as a browser does."""
    word = word_in(client.get("/account/password").text)
    answer = client.post(f"/energy/meters/em-icu/energy_import/{path}", data={"csrf": word, **fields})
    return answer.status_code, answer.text


def test_a_reading_by_hand_is_entered_shown_and_withdrawn(context: Context, operator: TestClient) -> None:
    status, _ = send(operator, "readings", at="2026-07-14 08:00", value="1,234.5", note="ward round")
    assert status == 303
    page = operator.get("/energy/meters/em-icu/energy_import").text
    assert "1,234.5" in page
    assert "ward round" in page
    (own,) = context.books.hand_readings("em-icu/energy_import")
    assert send(operator, f"readings/{own.id}/withdraw")[0] == 303
    assert context.books.hand_readings("em-icu/energy_import") == []
    assert "withdrawn" in operator.get("/energy/meters/em-icu/energy_import").text


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        ("yesterday", "5", "is no time"),
        ("", "5", "the time is missing"),
        ("2026-07-14 08:00", "", "the reading is missing"),
        ("2026-07-14 08:00", "five", "is no number"),
        ("2026-07-14 08:00", "nan", "is no number"),
        ("2027-01-01 00:00", "5", "lies in the future"),
        ("2026-07-14 08:00", "-5", "zero or above"),
    ],
)
def test_a_reading_that_cannot_be_right_comes_back_with_what_was_typed(
    context: Context, operator: TestClient, at: str, value: str, why: str
) -> None:
    status, page = send(operator, "readings", at=at, value=value, note="mine")
    assert status == 422
    assert why in page
    assert f'value="{value}"' in page
    assert context.books.hand_readings("em-icu/energy_import") == []


def test_a_reading_that_is_only_unlikely_is_taken_once_it_is_confirmed(context: Context, operator: TestClient) -> None:
    assert send(operator, "readings", at="2026-07-14 08:00", value="500")[0] == 303
    status, page = send(operator, "readings", at="2026-07-15 08:00", value="400")
    assert status == 422
    assert 'name="confirmed"' in page
    assert send(operator, "readings", at="2026-07-15 08:00", value="400", confirmed="1")[0] == 303


def test_an_exchange_is_an_engineers_and_stands_in_the_audit_trail(
    operator: TestClient, log_in: Callable[..., TestClient]
) -> None:
    fields = {"at": "2026-07-14 08:00", "end": "1240", "start": "0"}
    assert send(operator, "exchanges", **fields)[0] == 403
    engineer = log_in("engineer")
    engineer.cookies.set("wardwatt_language", "en")
    assert send(engineer, "exchanges", **fields)[0] == 303
    assert "1,240" in engineer.get("/energy/meters/em-icu/energy_import").text
    admin = log_in("admin")
    actions = [entry["action"] for entry in admin.get("/api/v1/audit").json()["entries"]]
    assert "energy-exchange-entered" in actions


def test_an_exchange_that_is_only_unlikely_is_taken_once_it_is_confirmed(
    context: Context, log_in: Callable[..., TestClient]
) -> None:
    count_up(context, "em-icu/energy_import", 10.0, 24)
    engineer = log_in("engineer")
    fields = {"at": "2026-07-16 02:40", "end": "99999999", "start": "0"}
    status, page = send(engineer, "exchanges", **fields)
    assert status == 422
    assert 'name="confirmed"' in page
    assert send(engineer, "exchanges", **fields, confirmed="1")[0] == 303


def upload(client: TestClient, name: str, content: bytes) -> tuple[int, str]:
    """Send a table of readings as a browser does."""
    word = word_in(client.get("/account/password").text)
    answer = client.post("/energy/meters/import", data={"csrf": word}, files={"file": (name, content)})
    return answer.status_code, answer.text


def test_a_table_of_readings_is_taken_whole(context: Context, operator: TestClient) -> None:
    table = "表计,时间,读数\nem-icu,2026-07-13 08:00,100\nem-icu,2026-07-14 08:00,110\n".encode()
    for said in ("2 readings were entered.", "All readings of the table were on record already."):
        word = word_in(operator.get("/account/password").text)
        answer = operator.post("/energy/meters/import", data={"csrf": word}, files={"file": ("readings.csv", table)})
        assert said in operator.get(answer.headers["location"]).text
    assert [r.value for r in context.books.hand_readings("em-icu/energy_import")] == [100.0, 110.0]


def test_a_table_with_mistakes_is_not_taken_and_every_mistake_is_told(context: Context, operator: TestClient) -> None:
    table = b"meter,time,value\nem-icu,2026-07-13 08:00,100\nem-ics,2026-07-14 08:00,<b>x</b>\nem-icu,soon,1\n"
    status, page = upload(operator, "readings.csv", table)
    assert status == 422
    assert "What is wrong in the table" in page
    assert "em-icu" in page
    assert "<b>x</b>" not in page
    assert context.books.hand_readings() == []


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        ("yesterday", "5", "“yesterday”不是时间；请按本院当地时间填写，例如 2026-07-16 08:00"),
        ("2026-07-14 08:00", "five", "读数“five”不是数字；请填写表上的示数，例如 10452.7"),
        ("2027-01-01 00:00", "5", "2027-01-01 00:00 还没有到；请更正时间"),
        ("2026-07-14 08:00", "-5", "读数为 -5；请填写表上的示数，不得小于零"),
    ],
)
def test_who_reads_chinese_is_told_in_chinese_why_a_reading_is_refused(
    operator: TestClient, at: str, value: str, why: str
) -> None:
    operator.cookies.set("wardwatt_language", "zh")
    status, page = send(operator, "readings", at=at, value=value)
    assert status == 422
    assert why in page
    assert "; write" not in page


def test_who_reads_chinese_is_told_in_chinese_why_an_exchange_is_refused(log_in: Callable[..., TestClient]) -> None:
    engineer = log_in("engineer")
    engineer.cookies.set("wardwatt_language", "zh")
    status, page = send(engineer, "exchanges", at="2026-07-14 08:00", end="-1", start="0")
    assert status == 422
    assert "旧表止度为 -1；请填写表上的示数，不得小于零" in page


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            b"meter,time,value\nem-ics,2026-07-14,1\n",
            '<td>表计</td><td class="l-k"><code>em-ics</code></td><td class="l-w">没有这个名称的计数器',
        ),
        (
            b"meter,time,value\nem-icu,soon,1\n",
            '<td>时间</td><td class="l-k"><code>soon</code></td><td class="l-w">请按本院当地时间填写',
        ),
        (b"meter,time\nem-icu,soon\n", "缺少列“value”；请用以下列名之一"),
    ],
)
def test_who_reads_chinese_is_told_in_chinese_what_is_wrong_in_a_table(
    operator: TestClient, content: bytes, why: str
) -> None:
    operator.cookies.set("wardwatt_language", "zh")
    status, page = upload(operator, "readings.csv", content)
    assert status == 422
    assert why in page


def test_of_many_mistakes_in_a_table_the_page_says_how_many_it_shows(operator: TestClient) -> None:
    status, page = upload(operator, "readings.csv", b"meter,time,value\n" + b"em-icu,soon,1\n" * 1000)
    assert status == 422
    assert re.search(r"the first \d+ of 1000<", page)


def test_a_file_that_is_no_table_is_refused_with_a_reason(context: Context, operator: TestClient) -> None:
    status, page = upload(operator, "readings.xlsx", b"\x00\x01 no spreadsheet")
    assert status == 422
    assert "The table was not taken" in page


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/energy/savings/nothing", "没有这个名称的措施。"),
        ("/energy/meters/em-9/energy_import", "没有表计有这个计数器。"),
        ("/energy/departments/nothing", "没有这个名称的科室。"),
        ("/tickets/999", "没有编号为 999 的工单。"),
    ],
)
def test_who_reads_chinese_is_told_in_chinese_what_is_not_there(operator: TestClient, path: str, said: str) -> None:
    operator.cookies.set("wardwatt_language", "zh")
    answer = operator.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert said in answer.text
    assert "There is" not in answer.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/energy/meters/em-icu/energy_import/readings/999/withdraw", "没有编号为 999 的人工抄表。"),
        ("/tickets/new", "缺少标题；请简要填写"),
    ],
)
def test_who_reads_chinese_is_told_in_chinese_why_a_form_does_nothing(
    operator: TestClient, path: str, said: str
) -> None:
    operator.cookies.set("wardwatt_language", "zh")
    word = word_in(operator.get("/account/password").text)
    answer = operator.post(path, data={"csrf": word}, headers={"Accept": "text/html"})
    assert answer.status_code in (404, 409)
    assert said in answer.text
    assert "; write" not in answer.text


def test_a_form_without_its_word_changes_nothing(context: Context, operator: TestClient) -> None:
    answer = operator.post(
        "/energy/meters/em-icu/energy_import/readings", data={"at": "2026-07-14 08:00", "value": "5", "csrf": "x"}
    )
    assert answer.status_code == 403
    assert context.books.hand_readings("em-icu/energy_import") == []


def test_a_viewer_sees_no_form(viewer: TestClient) -> None:
    page = viewer.get("/energy/meters/em-icu/energy_import").text
    assert "人工抄表" in page
    assert 'name="value"' not in page


def test_late_readings_stand_among_the_restatements(
    context: Context, clock: Clock, log_in: Callable[..., TestClient]
) -> None:
    index, now = context.site.points.index["em-main/energy_import"], clock()
    hours = np.array([*range(49), *range(120, 200)])
    times = now - (200 - hours).astype(np.int64) * HOUR_US
    context.store.write(ReadingBatch.of(context.site.points, [index] * hours.size, times, 1000.0 + 10.0 * hours))
    clock.pass_s(3 * 86_400)
    context.books.bring_up_to_date()
    late = now - (200 - 72) * HOUR_US
    context.store.write(ReadingBatch.of(context.site.points, [index], [late], [1000.0 + 10.0 * 110]))
    context.books.bring_up_to_date()
    reader = log_in("viewer")
    reader.cookies.set("wardwatt_language", "en")
    page = reader.get("/energy/restatements").text
    assert "late data" in page
    assert "Main meter" in page


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("electricity/icu", "Electricity · Intensive care"),
        ("electricity/", "Electricity · borne by no department"),
        ("electricity", "Electricity"),
    ],
)
def test_a_department_that_bears_another_share_is_named_among_the_restatements(
    context: Context, log_in: Callable[..., TestClient], subject: str, shown: str
) -> None:
    told = Restatement(
        "allocation", subject, date(2026, 3, 1), date(2026, 3, 31), 100.0, 80.0, "CNY", "correction", 0
    )  # fmt: skip
    with context.database.session() as session:
        Ledger.add_restatements(session, [told])
    reader = log_in("viewer")
    reader.cookies.set("wardwatt_language", "en")
    page = reader.get("/energy/restatements").text
    assert f">{shown}<" in page
    assert "80.00" in page


def test_the_navigation_leads_to_the_energy_pages(operator: TestClient) -> None:
    assert 'href="/energy"' in operator.get("/").text
    assert 'href="/energy"' in operator.get("/more").text
