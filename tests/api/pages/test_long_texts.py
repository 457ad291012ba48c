"""Forms that are sent without a browser: what is longer than a field allows is told on the page, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from api.context import Context
from facility.site import Site
from tests.api.conftest import site_of, word_in

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
"""
METER = "/energy/meters/em-main/energy_import"
READING = {"at": "2026-07-14 08:00", "value": "5", "note": ""}
EXCHANGE = {"at": "2026-07-14 08:00", "end": "5", "start": "0", "note": ""}
MEASURE = {
    "name_zh": "换灯", "name_en": "New lamps", "meter": "em-main:electricity", "from": "2026-03-02", "to": "",
    "cost": "", "owner": "", "source": "", "ticket": "",
}  # fmt: skip
LONG = "9x" * 3000
Send = Callable[..., Response]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("long"))


@pytest.fixture
def send(log_in: Callable[..., TestClient]) -> Send:
    """Send a form as the engineer, in a language."""
    engineer = log_in("engineer")

    def post(path: str, data: dict[str, str], language: str = "zh", **more: Any) -> Response:
        engineer.cookies.set("wardwatt_language", language)
        word = word_in(engineer.get("/account/password").text)
        return engineer.post(path, data=data | {"csrf": word}, headers={"Accept": "text/html"}, **more)

    return post


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        *((f"{METER}/readings", READING, field) for field in READING),
        *((f"{METER}/exchanges", EXCHANGE, field) for field in EXCHANGE),
        *(("/energy/measures", MEASURE, field) for field in MEASURE),
    ],
)
def test_a_form_of_the_energy_pages_comes_back_with_the_reason(
    send: Send, context: Context, path: str, fields: dict[str, str], field: str
) -> None:
    answer = send(path, fields | {field: LONG})
    assert answer.status_code == 422
    assert 'class="err' in answer.text
    assert "String should" not in answer.text
    assert answer.text.count("<form") > 0
    assert (context.books.hand_readings(), context.books.exchanges(), context.measure_book.entered()) == ([], [], [])


@pytest.mark.parametrize(
    ("language", "told"),
    [("zh", "备注有 6000 个字符；最多 500 个"), ("en", "the note has 6000 characters; 500 are the most")],
)
def test_a_note_is_told_how_long_it_is_and_how_long_it_may_be(send: Send, language: str, told: str) -> None:
    assert told in send(f"{METER}/readings", READING | {"note": LONG}, language).text


def test_a_note_in_a_table_is_told_with_its_row(send: Send, context: Context) -> None:
    table = f"meter,time,value,note\nem-main,2026-07-14,5,{LONG}\n".encode()
    answer = send("/energy/meters/import", {}, "en", files={"file": ("a.csv", table)})
    assert answer.status_code == 422
    assert "the note has 6000 characters" in answer.text
    assert context.books.hand_readings() == []


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("/tickets/new", {"equipment": "em-main", "title": LONG}, "标题有 6000 个字符；最多 200 个"),
        ("/tickets/new", {"equipment": "em-main", "title": "x", "text": LONG}, "现象有 6000 个字符；最多 4000 个"),
        ("/tickets/new", {"equipment": LONG, "title": "x"}, "的设备；请选择本院的设备"),
        ("/tickets/new", {"equipment": "em-main", "title": "x", "priority": LONG}, "不是优先级；请填写 P1"),
        ("/tickets/{ticket}/comment", {"text": LONG}, "备注有 6000 个字符；最多 4000 个"),
        ("/tickets/{ticket}/close", {"resolution": LONG}, "处理结果有 6000 个字符；最多 4000 个"),
        ("/tickets/{ticket}/assign", {"assignee": LONG}, "的可办理人员；请从列表中选择"),
    ],
)
def test_a_form_of_a_ticket_says_which_text_is_too_long(
    send: Send, context: Context, path: str, fields: dict[str, str], told: str
) -> None:
    ticket = context.desk.new_ticket("em-main", "Hum", "operator")
    answer = send(path.format(ticket=ticket.id), fields)
    assert answer.status_code == 409
    assert told in answer.text


def test_new_lines_count_once_as_the_field_counts_them(send: Send, context: Context) -> None:
    ticket = context.desk.new_ticket("em-main", "Hum", "operator")
    answer = send(f"/tickets/{ticket.id}/close", {"resolution": "ab\r\n" * 1333})
    assert answer.status_code == 303
    closed = context.desk.ticket(ticket.id)
    assert closed is not None
    assert closed.resolution == ("ab\n" * 1333).strip()


def test_a_name_and_a_password_of_any_length_are_only_wrong(send: Send, browser: Callable[..., TestClient]) -> None:
    assert "用户名或密码不对。" in send("/account/password", {"old": LONG, "new": "a", "again": "a"}).text
    stranger = browser()
    stranger.cookies.set("wardwatt_language", "zh")
    word = word_in(stranger.get("/login").text)
    answer = stranger.post("/login", data={"csrf": word, "name": LONG, "password": LONG})
    assert answer.status_code == 401
    assert "用户名或密码不对。" in answer.text


@pytest.mark.parametrize("path", ["/energy?at=", "/energy/meters?q=", "/quarantine?reason="])
def test_an_address_that_names_nothing_however_long_is_answered_by_its_page(
    log_in: Callable[..., TestClient], path: str
) -> None:
    assert log_in("viewer").get(path + LONG).status_code == 200


@pytest.mark.parametrize(
    ("path", "told"),
    [("/energy/bill?version=0", "version（“0”）不得小于 1"), ("/tickets/first", "ticket（“first”）应为整数")],
)
def test_a_value_of_the_wrong_kind_is_told_in_the_readers_language(
    log_in: Callable[..., TestClient], path: str, told: str
) -> None:
    answer = log_in("viewer").get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert told in answer.text


def test_a_form_without_its_file_says_so(send: Send) -> None:
    assert "没有选择文件。" in send("/energy/meters/import", {}).text
    assert "没有选择文件。" in send("/energy/meters/import", {}, files={"file": ("", b"")}).text
