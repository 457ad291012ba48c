"""A service that was started with a site file full of mistakes: it tells each, and keeps the books of all else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.context import Context
from api.doctor import examine
from api.options import Options
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import NOW_US, site_of

T = TypeVar("T")
HOUR_US = 3_600_000_000
DAYS, FIRST_US = 40, NOW_US - NOW_US % (24 * HOUR_US) - 40 * 24 * HOUR_US
HOLE = (8, 30)  # days without a temperature
BASE = "/api/v1/energy"
SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: UTC, currency: CNY}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, beds: 24, floor_area: 1200 m²}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main], serves: [icu]}
  - {id: em-x, class: electricity_meter, name: {zh: 甲表, en: Meter X}, fed_by: [em-main, em-y]}
  - {id: em-y, class: electricity_meter, name: {zh: 乙表, en: Meter Y}, fed_by: [em-x]}
  - id: wm-main
    class: water_meter
    name: {zh: 水表, en: Water meter}
    exchanges: [{at: 2026-07-01 10:00, end: -7, start: 0}]
  - {id: roof, class: weather_station, name: {zh: 气象站, en: Weather station}}
tariffs:
  - {carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.80, source: contract}
virtual_meters:
  - {id: rest, name: {zh: 其余, en: Rest}, carrier: electricity, unit: kWh, formula: em-main - em-icu}
  - {id: loop, name: {zh: 环, en: Loop}, carrier: electricity, unit: kWh, formula: loop + em-icu}
  - {id: mixed, name: {zh: 混, en: Mixed}, carrier: electricity, unit: kWh, formula: em-main - wm-main}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps}
    meter: em-icu
    baseline: {from: 2026-06-07, to: 2026-06-26}
    reporting: {from: 2026-06-27}
  - id: loops
    name: {zh: 环, en: Loops}
    meter: loop
    baseline: {from: 2026-06-07, to: 2026-06-26}
    reporting: {from: 2026-06-27}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("faulty"))


@pytest.fixture
def booked(context: Context) -> Context:
    """The books of 40 days in which the main counts 100 kWh an hour, the others 10, and the weather has a hole."""
    n = DAYS * 24 + 1
    times = FIRST_US + HOUR_US * np.arange(n, dtype=np.int64)
    for key, per_hour in (
        ("em-main/energy_import", 100.0),
        ("em-icu/energy_import", 10.0),
        ("em-x/energy_import", 10.0),
        ("em-y/energy_import", 10.0),
        ("wm-main/volume_total", 10.0),
    ):
        index = context.site.points.index[key]
        context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, 1000.0 + per_hour * np.arange(n)))
    day = np.arange(n) // 24
    known = (day < HOLE[0]) | (day >= HOLE[1])
    index = context.site.points.index["roof/outdoor_temperature"]
    warm = 20.0 + day % 7
    context.store.write(ReadingBatch.of(context.site.points, [index] * int(known.sum()), times[known], warm[known]))
    context.books.bring_up_to_date()
    return context


def amounts(client: TestClient, register: str) -> list[float | None]:
    asked = {"register": register, "from": "2026-07-10", "to": "2026-07-11"}
    found: list[float | None] = client.get(f"{BASE}/consumption", params=asked).json()["registers"][register]["amount"]
    return found


def test_all_that_can_be_booked_is(client: TestClient, booked: Context) -> None:
    assert amounts(client, "em-main/energy_import") == pytest.approx([2400.0, 2400.0])
    assert amounts(client, "virtual/rest") == pytest.approx([2160.0, 2160.0])
    assert amounts(client, "em-x/energy_import") == pytest.approx([240.0, 240.0])
    assert amounts(client, "wm-main/volume_total") == pytest.approx([240.0, 240.0])
    bill = client.get(f"{BASE}/statements/bill/electricity/2026-06").json()["figures"]
    assert bill["used"] == pytest.approx(2400.0 * 26)
    (row,) = client.get(f"{BASE}/statements/balance/electricity/2026-06").json()["figures"]["rows"]
    assert [c["node"] for c in row["children"]] == ["em-icu", "em-x"]


def test_what_cannot_is_told_with_place_value_and_mend_in_both_languages(client: TestClient, booked: Context) -> None:
    told = {p["place"].split(": ", 1)[1]: p["words"] for p in client.get(BASE).json()["left_out"]}
    assert set(told) == {
        "equipment[3] 'em-x'.fed_by", "equipment[5] 'wm-main'.exchanges[1].end", "virtual_meters[2] 'loop'.formula",
        "virtual_meters[3] 'mixed'.formula",
    }  # fmt: skip
    assert told["equipment[3] 'em-x'.fed_by"]["en"] == (
        "the supply runs in a circle: em-x -> em-y -> em-x; take one link out"
    )
    assert "公式成环：loop -> loop；请去掉其中一条" in told["virtual_meters[2] 'loop'.formula"]["zh"]
    assert "“m³”与“kWh”不是同一种量" in told["virtual_meters[3] 'mixed'.formula"]["zh"]
    assert "-7" in told["equipment[5] 'wm-main'.exchanges[1].end"]["zh"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Left out until it is mended: the supply runs in a circle", "site.yaml:", "take one link out")),
        ("zh", ("站点文件改正前不计入", "公式成环：loop -&gt; loop", "供电（供水、供气）关系成环")),
    ],
)
@pytest.mark.parametrize("path", ["/energy", "/energy/meters", "/energy/balance?month=2026-06"])
def test_the_pages_tell_it(
    log_in: Callable[..., TestClient], booked: Context, path: str, language: str, words: tuple[str, ...]
) -> None:
    browser = log_in("viewer")
    browser.cookies.set("wardwatt_language", language)
    page = browser.get(path).text
    assert all(w in page for w in words), [w for w in words if w not in page]


def test_the_circle_stands_in_the_balance_too(client: TestClient, booked: Context) -> None:
    figures = client.get(f"{BASE}/statements/balance/electricity/2026-06").json()["figures"]
    assert any("em-x, em-y" in str(p) for p in figures["problems"])


def test_a_missing_tariff_is_told_where_the_bill_would_be(client: TestClient, booked: Context) -> None:
    found = client.get(f"{BASE}/statements", params={"month": "2026-06", "kind": "bill"}).json()["statements"]
    assert any("water" in str(s["problems"]) and "tariff" in str(s["problems"]).lower() for s in found)


def worked(ask: Callable[[], T], done: Callable[[T], bool]) -> T:
    """Ask until what is worked out in the background is there."""
    for _ in range(200):
        if done(found := ask()):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def measure(client: TestClient, name: str) -> dict[str, Any]:
    return worked(lambda: client.get(f"{BASE}/measures/{name}").json(), lambda told: told["state"] != "waiting")


def test_twenty_days_with_a_hole_in_the_weather_are_no_baseline_and_all_reasons_are_told(
    client: TestClient, booked: Context
) -> None:
    told = measure(client, "lamps")
    assert told["state"] == "known"
    assert told["acceptable"] is False
    words = " ".join(r["words"]["en"] for r in told["reasons"])
    assert "20" in words
    assert "temperature" in words
    assert any(r["blocking"] for r in told["reasons"])
    assert told["used"] == pytest.approx(240.0 * 20, rel=0.1)  # what was used is known all the same


@pytest.mark.parametrize(("language", "word"), [("en", "temperature"), ("zh", "温度")])
def test_its_page_tells_them_too(
    client: TestClient, log_in: Callable[..., TestClient], booked: Context, language: str, word: str
) -> None:
    browser = log_in("viewer")
    browser.cookies.set("wardwatt_language", language)
    page = worked(lambda: browser.get("/energy/savings/lamps").text, lambda page: word in page)
    assert "20" in page


def test_a_measure_on_a_meter_that_cannot_be_computed_says_so(client: TestClient, booked: Context) -> None:
    told = measure(client, "loops")
    assert [r["blocking"] for r in told["reasons"]] == [True]
    assert "loop" in told["reasons"][0]["words"]["en"]
    assert "loop" in told["reasons"][0]["words"]["zh"]


def test_the_doctor_names_the_first_and_how_to_see_all(site: Site, tmp_path: Path) -> None:
    options = Options(Path(site.files[0]), tmp_path, None, None, None, "127.0.0.1", 1, ())
    check = next(iter(examine(options)))
    assert check.verdict == "wrong"
    assert "4 left out, the first: " in check.told
    assert "wardwatt check" in check.mend
