"""Bad input to the energy accounts: each kind gets a clear answer, and what can be computed is."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from typer.testing import CliRunner

from analytics.energy.baseline import fit
from analytics.energy.entry_checks import EntryRefused
from api.command import app
from api.context import Context
from api.doctor import examine
from api.options import Options
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import People, service_in, site_of

HOUR_US = 3_600_000_000
MAIN, ICU = "em-main/energy_import", "em-icu/energy_import"
BASE = "/api/v1/energy"
SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
departments:
  - {id: icu, name: {zh: 重症医学科, en: "=HYPERLINK(1) <script>alert(1)</script>"}, beds: 24, floor_area: 1200 m²}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: "=cmd|'/C calc'!A0"}}
  - {id: em-icu, class: electricity_meter, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main], serves: [icu]}
  - {id: wm-main, class: water_meter, name: {zh: 水表, en: Water meter}}
"""
WRONG_TARIFF = "tariffs: [{carrier: electricity, from: 2026-01-01, unit: m³, price: 0.80, source: contract}]\n"
LOOP = """virtual_meters:
  - {id: a, name: {zh: 甲, en: A}, carrier: electricity, unit: kWh, formula: b + em-icu}
  - {id: b, name: {zh: 乙, en: B}, carrier: electricity, unit: kWh, formula: a - em-icu}
"""
NO_UNIT = """virtual_meters:
  - {id: a, name: {zh: 甲, en: A}, carrier: electricity, unit: kWh, formula: em-main - wm-main}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    # Electricity is priced by m³; water has no tariff at all.
    return site_of(SITE + WRONG_TARIFF, tmp_path_factory.mktemp("bad-input"))


@pytest.fixture(scope="session")
def beginning(site: Site, people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The books of 20 days in which the main counts 100 kWh an hour and the ICU 10."""
    folder = tmp_path_factory.mktemp("booked")
    shutil.copyfile(people.file, folder / "wardwatt.db")
    with service_in(folder, site) as context:
        for key, per_hour in ((MAIN, 100.0), (ICU, 10.0), ("wm-main/volume_total", 1.0)):
            index, n = context.site.points.index[key], 20 * 24 * 4 + 1
            times = context.clock() - (np.arange(n)[::-1] * HOUR_US // 4).astype(np.int64)
            values = 1000.0 + per_hour / 4 * np.arange(n)
            context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, values))
        context.books.bring_up_to_date()
    return folder


@pytest.fixture
def booked(context: Context) -> Context:
    return context


@pytest.fixture
def signed_in(log_in: Callable[..., TestClient]) -> TestClient:
    return log_in("engineer")


def send(browser: TestClient, word_of: Callable[[TestClient], str], path: str, data: dict[str, str]) -> Response:
    """Send a form with the word that belongs to the session."""
    answer: Response = browser.post(path, data=data | {"csrf": word_of(browser)})
    return answer


def check(folder: Path, text: str) -> str:
    """Return what `wardwatt check` says about a site file that is wrong."""
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["check", str(file)])
    assert result.exit_code != 0, result.output
    return result.output


# -- the seven


def test_a_missing_tariff_is_shown_and_the_amount_is_counted(client: TestClient, booked: Context) -> None:
    found = client.get(f"{BASE}/statements", params={"month": "2026-07"}).json()["statements"]
    bills = [s for s in found if s["kind"] == "bill"]
    told = json.dumps([[s["problems"], s["figures"].get("problems")] for s in bills], ensure_ascii=False)
    assert "water" in told.lower()
    assert "tariff" in told.lower()
    day = client.get(
        f"{BASE}/consumption", params={"register": "wm-main/volume_total", "from": "2026-07-10", "to": "2026-07-10"}
    ).json()
    assert day["registers"]["wm-main/volume_total"]["amount"] == [24.0]
    assert client.get("/energy/bill?month=2026-07").status_code == 200


def test_a_tariff_of_another_unit_charges_nothing_and_says_which_unit_to_write(
    client: TestClient, booked: Context
) -> None:
    bill = client.get(f"{BASE}/statements/bill/electricity/2026-07").json()
    told = json.dumps([bill["problems"], bill["figures"].get("problems")], ensure_ascii=False)
    assert "kWh" in told
    assert "m³" in told
    assert not bill["figures"].get("total_cents")
    balance = client.get(f"{BASE}/statements/balance/electricity/2026-07").json()
    assert balance["figures"]["rows"]


def test_a_unit_that_does_not_fit_a_formula_is_told_with_its_place(tmp_path: Path) -> None:
    told = check(tmp_path, SITE + NO_UNIT)
    assert "virtual_meters[1] 'a'.formula" in told
    assert "'m³' and 'kWh' do not measure the same thing" in told


def test_a_formula_with_a_loop_is_told_with_its_way(tmp_path: Path) -> None:
    told = check(tmp_path, SITE + LOOP)
    assert "virtual_meters[1] 'a'.formula" in told
    assert "a -> b -> a; take one link out" in told


def test_a_meter_tree_with_a_cycle_is_told_with_its_way(tmp_path: Path) -> None:
    told = check(tmp_path, SITE.replace("{id: em-main,", "{id: em-main, fed_by: [em-icu],"))
    assert "em-main -> em-icu -> em-main; take one link out" in told


@pytest.mark.parametrize(("was", "now", "verdict"), [("ICU meter", "ICU", "well"), ("id: em-icu", "id: em-7", "wrong")])
def test_a_meter_whose_id_is_gone_is_told_by_the_doctor(
    beginning: Path, tmp_path: Path, was: str, now: str, verdict: str
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace(was, now), encoding="utf-8")
    checks = {c.name: c for c in examine(Options(site=file, data=beginning), listen_s=0.0)}
    assert checks["energy accounts"].verdict == verdict
    assert (ICU in checks["energy accounts"].told) == (verdict == "wrong")


@pytest.mark.parametrize(("end", "start"), [(-1.0, 0.0), (5e4, -1.0), (5.0, 0.0), (1e308, 0.0)])
def test_a_negative_exchange_changes_nothing(client: TestClient, booked: Context, end: float, start: float) -> None:
    at = str(booked.clock() - 24 * HOUR_US)
    answer = client.post(f"{BASE}/registers/{MAIN}/exchanges", json={"at": at, "end": end, "start": start})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "action-refused")
    assert f"{end if start == 0.0 else start:,.4g}"[:2] in answer.json()["error"]["message"]
    assert booked.books.exchanges() == []


def days(first: str, n: int) -> np.ndarray:
    return np.datetime64(first, "D") + np.arange(n)


def test_a_temperature_with_holes_is_told_and_the_other_days_are_fitted() -> None:
    rng = np.random.default_rng(1)
    temperature = 15.0 - 12.0 * np.cos(2 * np.pi * np.arange(365) / 365)
    energy = 500.0 + 20.0 * np.maximum(temperature - 18.0, 0.0) + rng.normal(0.0, 5.0, 365)
    holed = temperature.copy()
    holed[100:140] = np.nan
    model = fit(days("2025-01-01", 365), energy, holed[:, None])
    codes = {r.code: r for r in model.sufficiency.reasons}
    assert any("temperature" in code for code in codes), codes
    expected = model.predict(days("2025-01-01", 365), temperature[:, None])
    assert np.isfinite(expected).all()
    assert abs(expected.sum() / energy.sum() - 1.0) < 0.02


def test_twenty_days_are_no_yearly_baseline_and_the_reason_blocks() -> None:
    temperature = np.linspace(5.0, 12.0, 20)
    model = fit(days("2026-01-01", 20), 500.0 + temperature, temperature[:, None])
    blocking = [r for r in model.sufficiency.reasons if r.blocking]
    assert blocking
    assert any("20" in r.words.en for r in blocking), [r.words.en for r in blocking]


# -- what people write


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e308", "-1", "10452,7", "1e15", "=1+1", ""])
def test_what_no_register_shows_is_refused_on_the_page(
    signed_in: TestClient, word_of: Callable[[TestClient], str], booked: Context, value: str
) -> None:
    answer = send(signed_in, word_of, f"/energy/meters/{ICU}/readings", {"at": "2026-07-10 08:00", "value": value})
    assert answer.status_code == 422
    assert booked.books.hand_readings() == []


@pytest.mark.parametrize(
    "body", ['{"at": "2026-07-10T08:00", "value": NaN}', '{"at": "2026-07-10T08:00", "value": 1e400}']
)
def test_what_is_no_number_is_refused_by_the_api(client: TestClient, booked: Context, body: str) -> None:
    answer = client.post(f"{BASE}/registers/{ICU}/readings", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert booked.books.hand_readings() == []


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00", "9999-12-31T23:59", "-1", "99999999999999999999999", "２０２６-07-10"]
)
def test_a_time_that_cannot_be_is_refused(client: TestClient, booked: Context, at: str) -> None:
    answer = client.post(f"{BASE}/registers/{ICU}/readings", json={"at": at, "value": 1100.0})
    assert 400 <= answer.status_code < 500, answer.text
    assert booked.books.hand_readings() == []


def test_a_note_is_text_and_nothing_else(signed_in: TestClient, client: TestClient, booked: Context) -> None:
    note = "<script>alert(1)</script> {{7*7}} [/red] \x00\x1b[31m"
    made = client.post(
        f"{BASE}/registers/{ICU}/readings",
        json={"at": "2026-07-10T08:00", "value": 5100.0, "note": note, "confirmed": True},
    )
    assert made.status_code in (201, 422)
    page = signed_in.get(f"/energy/meters/{ICU}").text
    assert "<script>alert(1)" not in page
    assert "\x00" not in page


def test_no_cell_of_the_table_begins_a_formula(signed_in: TestClient, booked: Context) -> None:
    for language in ("zh", "en"):
        text = signed_in.get("/energy/month-2026-07.csv", cookies={"wardwatt_language": language}).text.lstrip("\ufeff")
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert len(cells) > 100
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-"))]


@pytest.mark.parametrize(
    "path",
    [
        "/energy",
        "/energy?span=day&at=2026-13-45",
        "/energy?span=%00&at=%00",
        "/energy?at=0001",
        "/energy?at=2100&span=year",
        "/energy?at=2000&span=year",
        "/energy?span=week&at=2000-01-01",
        "/energy/bill?month=2026-13",
        "/energy/bill?month=next",
        "/energy/bill?month=2100-12",
        "/energy/bill?contract=%00",
        "/energy/balance?carrier=<script>alert(1)</script>",
        "/energy/departments?month=1999-01",
        "/energy/departments/..%2f..%2fetc",
        "/energy/departments/%00",
        "/energy/carbon?month=2026-00",
        "/energy/indicators?month=99999999999",
        "/energy/meters?page=99999999999999999999",
        "/energy/meters?page=-1&q=%00%27%22",
        "/energy/meters/em-icu/..%2f..%2fetc%2fpasswd",
        "/energy/meters/em-icu/%00",
        "/energy/restatements?page=1e9",
        "/energy/savings",
        "/energy/savings/..%2f..",
        "/energy/month-..%2f..%2fx.csv",
        "/energy/year-2100.csv",
        "/energy/day-2026-02-30.csv",
        "/energy/%00-%00.csv",
    ],
)
def test_no_address_breaks_a_page(signed_in: TestClient, booked: Context, path: str) -> None:
    answer = signed_in.get(path)
    assert answer.status_code < 500, answer.text[:500]
    assert "<script>alert(1)" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "consumption?register=em-icu/energy_import&from=2000-01-01&to=2100-12-31&step=month",
        "consumption?register=em-icu/energy_import&from=2000-01-01&to=2100-12-31&step=day",
        "consumption?register=em-icu/energy_import&from=0001-01-01T00:00&to=9999-12-31T00:00&step=hour",
        "consumption?register=em-icu/energy_import&from=-1&to=99999999999999999999&step=15min",
        "consumption?register=%00&from=2026-07-01&to=2026-07-02",
        "statements?month=2026-07&subject=%00",
        "statements/bill/%00/2026-07",
        "statements/bill/electricity/2026-07?version=99999999999999999999",
        "statements/..%2f..%2fetc/passwd/2026-07",
        "restatements?limit=1000000",
        "restatements?kind=%00",
        "reports?month=0000-00",
        "measures/%00",
        "registers?carrier=%00",
    ],
)
def test_no_question_breaks_the_api(client: TestClient, booked: Context, path: str) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert answer.status_code < 500, answer.text[:500]


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x"])
def test_a_reading_that_never_was_cannot_be_withdrawn(
    signed_in: TestClient, word_of: Callable[[TestClient], str], booked: Context, number: str
) -> None:
    answer = send(signed_in, word_of, f"/energy/meters/{ICU}/readings/{number}/withdraw", {})
    assert 400 <= answer.status_code < 500, answer.text[:500]


@pytest.mark.parametrize("data", [{}, {"csrf": "wrong"}])
def test_a_form_without_the_word_of_the_session_changes_nothing(
    signed_in: TestClient, booked: Context, data: dict[str, str]
) -> None:
    form = data | {"at": "2026-07-10 08:00", "value": "5000", "confirmed": "1"}
    assert signed_in.post(f"/energy/meters/{ICU}/readings", data=form).status_code == 403
    assert booked.books.hand_readings() == []


def test_who_may_only_read_enters_nothing(
    log_in: Callable[..., TestClient], word_of: Callable[[TestClient], str], booked: Context
) -> None:
    viewer = log_in("viewer")
    form = {"at": "2026-07-10 08:00", "value": "5000", "confirmed": "1"}
    assert send(viewer, word_of, f"/energy/meters/{ICU}/readings", form).status_code == 403
    assert booked.books.hand_readings() == []


def test_of_two_people_who_enter_the_same_moment_at_once_one_is_told(booked: Context) -> None:
    at_us, refused = booked.clock() - 40 * HOUR_US, []

    def enter(value: float) -> None:
        try:
            booked.books.add_hand_reading(ICU, at_us, value, "li", confirmed=True)
        except EntryRefused as error:
            refused.append(error)

    people = [threading.Thread(target=enter, args=(5000.0 + i,)) for i in range(8)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert len(booked.books.hand_readings(ICU)) == 1
    assert len(refused) == 7
