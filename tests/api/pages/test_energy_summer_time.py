"""Readings by hand where clocks are changed: on the page, as a table and by the API, an hour is never guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from api.context import Context
from facility.calendar import to_us
from facility.site import Site
from tests.api.conftest import Clock, site_of, word_in

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Europe/London, currency: GBP}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
"""
MAIN = "em-main/energy_import"
NEVER, TWICE = "2026-03-29 01:30", "2025-10-26 01:30"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("summer-time"))


def send(client: TestClient, at: str) -> tuple[int, str]:
    word = word_in(client.get("/account/password").text)
    answer = client.post(f"/energy/meters/{MAIN}/readings", data={"csrf": word, "at": at, "value": "5"})
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("language", "at", "said"),
    [
        ("en", NEVER, "does not exist: the clocks are put forward over it that day; correct the time"),
        ("zh", NEVER, "2026-03-29 01:30 不存在：当天时钟拨快，跳过了这一时刻；请更正时间"),
        ("en", TWICE, "comes twice that day"),
        ("zh", TWICE, "第一次请写“2025-10-26 01:30+01:00”，第二次请写“2025-10-26 01:30+00:00”"),
    ],
)
def test_the_page_says_why_such_a_time_is_not_taken(
    context: Context, operator: TestClient, language: str, at: str, said: str
) -> None:
    operator.cookies.set("wardwatt_language", language)
    status, page = send(operator, at)
    assert status == 422
    assert said in page
    assert f'value="{at}"' in page
    assert context.books.hand_readings() == []


def test_a_reading_of_the_second_of_two_times_is_taken_and_shown_as_such(
    context: Context, operator: TestClient
) -> None:
    assert send(operator, f"{TWICE}+00:00")[0] == 303
    (own,) = context.books.hand_readings()
    assert own.at_us == to_us(datetime.fromisoformat("2025-10-26T01:30Z"))
    assert f"{TWICE}+00:00" in operator.get(f"/energy/meters/{MAIN}").text


def test_in_the_hour_that_comes_twice_the_form_offers_the_time_that_it_is(
    clock: Clock, log_in: Callable[..., TestClient]
) -> None:
    clock.us = to_us(datetime.fromisoformat("2026-10-25T01:30Z"))
    assert 'value="2026-10-25 01:30+00:00"' in log_in("operator").get(f"/energy/meters/{MAIN}").text


def test_a_table_with_such_times_is_refused_whole(context: Context, operator: TestClient) -> None:
    table = f"meter,time,value\nem-main,{NEVER},1\nem-main,{TWICE},2\nem-main,{TWICE}+01:00,2\n".encode()
    word = word_in(operator.get("/account/password").text)
    answer = operator.post("/energy/meters/import", data={"csrf": word}, files={"file": ("a.csv", table)})
    assert answer.status_code == 422
    assert answer.text.count("does not exist") == 1
    assert answer.text.count("comes twice that day") == 1
    assert context.books.hand_readings() == []


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2026-03-29T01:30", 409),
        ("2025-10-26T01:30", 409),
        ("2025-10-26T01:30Z", 201),
        ("2025-10-26 01:30+01:00", 201),
        ("1761442200000000", 201),
    ],
)
def test_the_api_takes_what_names_one_moment(client: TestClient, at: str, status: int) -> None:
    answer = client.post(f"/api/v1/energy/registers/{MAIN}/readings", json={"at": at, "value": 5.0})
    assert answer.status_code == status, answer.text
