"""Measures on the pages: an engineer enters one, from a closed ticket too; mistakes stand at their fields."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import pytest
from fastapi.testclient import TestClient

from api.context import Context
from facility.site import Site
from tests.api.conftest import site_of, word_in

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
  - {id: roof, kind: outdoor, name: {zh: 屋顶, en: Roof}}
equipment:
  - {id: em-main, class: electricity_meter, room: power-1, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, room: power-1, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main]}
  - {id: ac-1, class: ups, room: power-1, name: {zh: 不间断电源, en: UPS}, fed_by: [em-icu]}
  - {id: ws1, class: weather_station, room: roof, name: {zh: 气象站, en: Weather station}}
virtual_meters:
  - {id: rest, name: {zh: 其余, en: The rest}, carrier: electricity, unit: kWh, formula: em-main - em-icu}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps}
    meter: em-icu
    carrier: electricity
    baseline: {from: 2026-01-01, to: 2026-06-05}
    reporting: {from: 2026-06-07}
"""
FANS = {"name_zh": "风机变频", "name_en": "Fan drives", "meter": "em-icu:electricity", "from": "2026-07-01", "to": ""}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("measures"))


@pytest.fixture
def engineer(log_in: Callable[..., TestClient]) -> TestClient:
    client = log_in("engineer")
    client.cookies.set("wardwatt_language", "en")
    return client


def send(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Send a form as a browser does; return status, and text or where it leads."""
    word = word_in(client.get("/account/password").text)
    answer = client.post(path, data={"csrf": word, **fields})
    return answer.status_code, answer.headers.get("location", answer.text)


def until(client: TestClient, path: str, said: str) -> str:
    """Load a page until what is worked out beside it stands on it."""
    for _ in range(200):
        page = client.get(path).text
        if said in page:
            return page
        time.sleep(0.02)
    raise AssertionError(f"{path} never says {said!r}")


def test_an_engineer_enters_a_measure_and_withdraws_it(context: Context, engineer: TestClient) -> None:
    assert send(engineer, "/energy/measures", **FANS, cost="42,000") == (303, "/energy/savings/fan-drives")
    (entered,) = context.measure_book.entered()
    assert entered.measure is not None
    assert (entered.measure.cost, entered.measure.baseline.from_) == (42000.0, date(2025, 7, 1))
    assert "Fan drives" in engineer.get("/energy/savings").text
    page = until(engineer, "/energy/savings/fan-drives", "Entered by")
    assert "/energy/measures/fan-drives/withdraw" in page
    assert send(engineer, "/energy/measures/fan-drives/withdraw") == (303, "/energy/savings")
    assert "Fan drives" not in engineer.get("/energy/savings").text


def test_a_measure_of_the_site_file_has_no_button_to_withdraw_it(engineer: TestClient) -> None:
    assert "/withdraw" not in until(engineer, "/energy/savings/lamps", "What speaks against it")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("meter", "em-ice:electricity", "no meter is called &#39;em-ice&#39;"),
        ("meter", "", "name the meter that counts what it changes"),
        ("from", "2026-07-17", "still to come"),
        ("to", "2026-06-01", "before 2026-07-01"),
        ("from", "", "is not a date"),
        ("cost", "much", "is no amount of money here"),
        ("cost", "10,5", "is no amount of money here"),
        ("ticket", "T-9", "there is no ticket"),
        ("name_zh", "", "at least 1 character"),
        ("name_en", "<b>" + "x" * 130, "write 120 at most"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_is_kept(
    context: Context, engineer: TestClient, field: str, value: str, told: str
) -> None:
    status, page = send(engineer, "/energy/measures", **{**FANS, field: value})
    assert status == 422
    assert told in page.split(f'name="{field}"')[1].split("</label>")[0]
    assert 'value="风机变频"' in page or field == "name_zh"
    assert "<b>x" not in page
    assert context.measure_book.entered() == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("meter", "em-ice:electricity", "没有名为“em-ice”的表计；是不是“em-icu”？"),
        ("meter", "em-icu:water", "“em-icu”不计量水；它计量的是：电"),
        ("meter", "", "请指明计量受影响用能的表计，或全院的能源种类"),
        ("from", "2026-07-17", "2026-07-17 还没有到；请在完工之后登记"),
        ("to", "2026-06-01", "结束日期 2026-06-01 早于开始日期 2026-07-01"),
        ("from", "", "“”不是日期；请写成 2026-03-02"),
        ("cost", "much", "“much”不是此处可用的金额；请写成例如 86000 CNY"),
        ("ticket", "T-9", "没有工单“T-9”；请按工单列表中的编号填写"),
        ("name_zh", "", "至少填写 1 个字"),
        ("name_en", "x" * 130, "共有 130 个字符；最多写 120 个"),
    ],
)
def test_a_mistake_is_told_in_chinese_to_who_reads_chinese(
    engineer: TestClient, field: str, value: str, told: str
) -> None:
    engineer.cookies.set("wardwatt_language", "zh")
    status, page = send(engineer, "/energy/measures", **{**FANS, field: value})
    assert status == 422
    assert told in page.split(f'name="{field}"')[1].split("</label>")[0]


def test_meters_virtual_meters_and_the_whole_hospital_can_be_chosen(engineer: TestClient) -> None:
    page = engineer.get("/energy/measures/new").text
    for value in (":electricity", "em-main:electricity", "em-icu:electricity", "rest:electricity"):
        assert f'<option value="{value}">' in page
    assert "reactive" not in page.split("<select", 1)[1].split("</select>")[0]


@pytest.mark.parametrize("chosen", [":electricity", "rest:electricity"])
def test_whatever_can_be_chosen_is_taken(context: Context, engineer: TestClient, chosen: str) -> None:
    assert send(engineer, "/energy/measures", **{**FANS, "meter": chosen})[0] == 303
    assert engineer.get("/energy/savings/fan-drives").status_code == 200


def test_a_closed_ticket_leads_to_the_form_filled_in(context: Context, engineer: TestClient) -> None:
    ticket = context.desk.new_ticket("ac-1", "Runs all night", "engineer")
    link = f"/energy/measures/new?ticket={ticket.id}"
    assert link not in engineer.get(f"/tickets/{ticket.id}").text
    context.desk.close(ticket.id, "put on a timer", "engineer")
    page = engineer.get(f"/tickets/{ticket.id}").text
    assert link in page
    assert "Prove that it helped" in page
    form = engineer.get(link).text
    assert '<option value="em-icu:electricity" selected>' in form  # the nearest meter above the unit
    assert f'value="{ticket.number}"' in form
    assert 'value="Runs all night"' in form
    assert form.count('value="2026-07-16"') == 2
    fields = {**FANS, "from": "2026-07-16", "ticket": ticket.number}
    assert send(engineer, "/energy/measures", **fields)[0] == 303
    assert [e.ticket for e in context.measure_book.entered()] == [ticket.number]
    assert ticket.number in until(engineer, "/energy/savings/fan-drives", "Entered by")


def test_a_ticket_that_is_none_has_no_form(engineer: TestClient) -> None:
    assert engineer.get("/energy/measures/new?ticket=99").status_code == 404


def test_operators_read_and_do_not_enter(operator: TestClient, context: Context) -> None:
    assert "/energy/measures/new" not in operator.get("/energy/savings").text
    assert operator.get("/energy/measures/new").status_code == 403
    assert send(operator, "/energy/measures", **FANS)[0] == 403
    ticket = context.desk.new_ticket("ac-1", "Runs all night", "engineer")
    context.desk.close(ticket.id, "put on a timer", "engineer")
    assert "/energy/measures/new" not in operator.get(f"/tickets/{ticket.id}").text


def test_a_form_without_its_word_changes_nothing(context: Context, engineer: TestClient) -> None:
    assert engineer.post("/energy/measures", data={**FANS, "csrf": "x"}).status_code == 403
    assert context.measure_book.entered() == []


def test_a_measure_that_no_longer_fits_the_site_is_told_on_the_page(context: Context, engineer: TestClient) -> None:
    from sqlalchemy import update

    from analytics.energy.tables import EnteredMeasureRow

    assert send(engineer, "/energy/measures", **FANS)[0] == 303
    with context.database.session() as session:
        session.execute(update(EnteredMeasureRow).values(measure="lamps"))
    assert "is the site file&#39;s by now" in engineer.get("/energy/savings").text
