"""The energy accounts as JSON: figures with how good they are, statements, entries by people, roles."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.context import Context
from facility.readings import ReadingBatch
from facility.site import Site
from tests.api.conftest import Clock, People, service_in, site_of

SITE = """
site: {id: sample, name: {zh: 示例医院, en: Sample Hospital}, time_zone: Asia/Shanghai, currency: CNY}
departments:
  - {id: icu, name: {zh: 重症医学科, en: Intensive care}, beds: 24, floor_area: 1200 m²}
equipment:
  - {id: em-main, class: electricity_meter, name: {zh: 总表, en: Main meter}}
  - {id: em-icu, class: electricity_meter, name: {zh: ICU电表, en: ICU meter}, fed_by: [em-main], serves: [icu]}
  - {id: wm-main, class: water_meter, name: {zh: 水表, en: Water meter}}
tariffs:
  - {carrier: electricity, from: 2026-01-01, unit: kWh, price: 0.80, source: contract}
measures:
  - id: lamps
    name: {zh: 换灯, en: New lamps}
    meter: em-icu
    carrier: electricity
    baseline: {from: 2026-06-20, to: 2026-07-05}
    reporting: {from: 2026-07-07}
"""
HOUR_US = 3_600_000_000
MAIN = "em-main/energy_import"
ICU = "em-icu/energy_import"
BASE = "/api/v1/energy"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(SITE, tmp_path_factory.mktemp("energy-api"))


@pytest.fixture(scope="session")
def booked_folder(site: Site, people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The books of 40 days in which the main counts 100 kWh an hour and the ICU 10."""
    folder = tmp_path_factory.mktemp("booked")
    shutil.copyfile(people.file, folder / "wardwatt.db")
    with service_in(folder, site) as context:
        for key, per_hour in ((MAIN, 100.0), (ICU, 10.0)):
            index, n = context.site.points.index[key], 40 * 24 * 4 + 1
            times = context.clock() - (np.arange(n)[::-1] * HOUR_US // 4).astype(np.int64)
            values = 1000.0 + per_hour / 4 * np.arange(n)
            context.store.write(ReadingBatch.of(context.site.points, [index] * n, times, values))
        context.books.bring_up_to_date()
    return folder


@pytest.fixture
def beginning(request: pytest.FixtureRequest, people: People) -> Path:
    folder: Path = request.getfixturevalue("booked_folder") if "booked" in request.fixturenames else people.file.parent
    return folder


@pytest.fixture
def booked(context: Context) -> Context:
    return context


def consumption(client: TestClient, **asked: Any) -> dict[str, Any]:
    answer = client.get(f"{BASE}/consumption", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_books_say_how_far_they_go(client: TestClient, booked: Context) -> None:
    told = client.get(BASE).json()
    assert told["booking"] is None
    assert told["booked_until_us"] <= booked.clock()
    assert told["closed_before"] == "2026-07-15"
    assert told["registers"] == len(booked.books.registers())


def test_days_cost_what_they_used_and_today_what_it_has_used_so_far(client: TestClient, booked: Context) -> None:
    told = client.get(f"{BASE}/costs", params={"from": "2026-07-13", "to": "2026-07-16"}).json()
    assert told["currency"] == "CNY"
    assert [(c["day"], c["cents"]) for c in told["costs"][:3]] == [
        ("2026-07-13", 192_000), ("2026-07-14", 192_000), ("2026-07-15", 192_000),
    ]  # fmt: skip
    assert told["costs"][3]["cents"] < 192_000
    assert told["costs"][3]["hours"] is not None
    assert told["carbon"][0] == {"day": "2026-07-13", "kg": pytest.approx(2400 * 0.5306), "at_least": False}


def test_a_day_costs_by_the_hour(client: TestClient, booked: Context) -> None:
    (cost,) = client.get(f"{BASE}/costs/2026-07-14").json()["costs"]
    assert (cost["used"], cost["hours"]) == (2400.0, [8_000] * 24)


@pytest.mark.parametrize(
    ("from_", "to", "code"),
    [
        ("2026-07-16", "2026-07-13", "bad-range"),
        ("2024-01-01", "2026-07-13", "too-many-days"),
        ("July", "2026-07-13", "bad-day"),
    ],
)
def test_days_that_cannot_be_told_are_refused(client: TestClient, from_: str, to: str, code: str) -> None:
    answer = client.get(f"{BASE}/costs", params={"from": from_, "to": to})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_books_that_were_never_kept_go_nowhere(client: TestClient) -> None:
    assert client.get(BASE).json()["booked_until_us"] is None


@pytest.mark.parametrize(
    ("step", "from_", "to", "n", "amount"),
    [
        ("15min", "2026-07-14T00:00", "2026-07-14T02:00", 8, 25.0),
        ("hour", "2026-07-14T00:00", "2026-07-14T02:00", 2, 100.0),
        ("day", "2026-07-13", "2026-07-14", 2, 2400.0),
        ("month", "2026-06", "2026-07", 2, None),
    ],
)
def test_consumption_comes_by_quarters_hours_days_and_months(
    client: TestClient, booked: Context, step: str, from_: str, to: str, n: int, amount: float | None
) -> None:
    series = consumption(client, register=MAIN, step=step, **{"from": from_, "to": to})["registers"][MAIN]
    assert len(series["amount"]) == n
    assert series["unit"] == "kWh"
    if amount is not None:
        assert series["amount"] == pytest.approx([amount] * n)
        assert series["measured"] == [1.0] * n


def test_what_is_not_known_is_null_and_missing(client: TestClient, booked: Context) -> None:
    key = "wm-main/volume_total"
    series = consumption(client, register=key, step="day", **{"from": "2026-07-13", "to": "2026-07-13"})["registers"]
    assert series[key]["amount"] == [None]
    assert series[key]["missing"] == [1.0]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"register": "em-man/energy_import", "from": "2026-07-13", "to": "2026-07-14"}, "unknown-register"),
        ({"register": MAIN, "from": "2026-07-14", "to": "2026-07-13"}, "bad-range"),
        ({"register": MAIN, "from": "soon", "to": "2026-07-13"}, "bad-day"),
        ({"register": MAIN, "from": "2000-01-01", "to": "2026-07-13", "step": "15min"}, "too-many-steps"),
        ({"register": MAIN, "from": "2026-07-13", "to": "2026-07-14", "step": "week"}, "invalid-request"),
        ({"from": "2026-07-13", "to": "2026-07-14"}, "invalid-request"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(client: TestClient, asked: dict[str, str], code: str) -> None:
    answer = client.get(f"{BASE}/consumption", params=asked)
    assert answer.status_code in (400, 404, 422)
    assert answer.json()["error"]["code"] == code


def test_registers_are_listed_by_carrier(client: TestClient) -> None:
    found = client.get(f"{BASE}/registers", params={"carrier": "water"}).json()
    assert {r["equipment"] for r in found} == {"wm-main"}
    assert client.get(f"{BASE}/registers", params={"carrier": "watr"}).json()["error"]["code"] == "unknown-carrier"


def test_the_statements_of_a_month_are_given_with_their_versions(client: TestClient, booked: Context) -> None:
    found = client.get(f"{BASE}/statements", params={"month": "2026-06"}).json()["statements"]
    assert {"bill", "allocation"} <= {s["kind"] for s in found}
    (bill,) = [s for s in found if s["kind"] == "bill" and s["figures"].get("lines")]
    assert (bill["version"], bill["provisional"]) == (1, False)
    one = client.get(f"{BASE}/statements/bill/{bill['subject']}/2026-06")
    assert one.json() == bill


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("statements?month=2026-13", 400, "bad-month"),
        ("statements?month=2026-06&kind=bills", 404, "unknown-kind"),
        ("statements/bill/electricity/2019-01", 404, "unknown-statement"),
        ("measures/lamp", 404, "unknown-measure"),
    ],
)
def test_what_is_not_there_is_told(client: TestClient, path: str, status: int, code: str) -> None:
    answer = client.get(f"{BASE}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_published_report_keeps_the_version_that_it_used(client: TestClient, booked: Context, clock: Clock) -> None:
    report = client.post(f"{BASE}/reports", json={"month": "2026-06"})
    assert report.status_code == 201
    (name,) = [n for n in report.json()["versions"] if n.startswith("bill/electricity")]
    before = client.get(f"{BASE}/statements/{name}/2026-06", params={"version": 1}).json()["figures"]["total_cents"]
    # An exchange that is entered late changes the closed month.
    at = booked.clock() - 20 * 24 * HOUR_US
    client.post(
        f"{BASE}/registers/{MAIN}/exchanges", json={"at": str(at), "end": 60_000.0, "start": 0.0, "confirmed": True}
    )
    booked.books.bring_up_to_date()
    again = client.get(f"{BASE}/statements/{name}/2026-06", params={"version": 1}).json()
    assert again["figures"]["total_cents"] == before
    newest = client.get(f"{BASE}/statements/{name}/2026-06").json()
    assert (newest["version"], newest["cause"]) == (2, "exchange")
    restated = client.get(f"{BASE}/restatements", params={"kind": "bill"}).json()["restatements"]
    assert [(r["old"], r["new"]) for r in restated] == [(before / 100, newest["figures"]["total_cents"] / 100)]
    assert client.get(f"{BASE}/reports").json()["reports"] == [report.json()]


def test_a_reading_is_entered_listed_and_withdrawn(client: TestClient, context: Context) -> None:
    path = f"{BASE}/registers/{ICU}/readings"
    made = client.post(path, json={"at": "2026-07-14T08:00", "value": 120.5, "note": "by hand"})
    assert made.status_code == 201
    assert made.json()["register"] == ICU
    assert client.get(path).json()["readings"] == [made.json()]
    number = made.json()["id"]
    other = f"{BASE}/registers/{MAIN}/readings/{number}/withdraw"
    assert client.post(other).status_code == 404  # the number of another meter's reading
    assert client.post(f"{path}/{number}/withdraw").json()["withdrawn_by"] == "admin"
    assert client.get(path).json()["readings"] == []
    assert len(client.get(path, params={"withdrawn": True}).json()["readings"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"at": "2027-01-01T00:00", "value": 5.0},
        {"at": "2026-07-14T08:00", "value": -5.0},
    ],
)
def test_a_reading_that_cannot_be_right_is_refused(client: TestClient, context: Context, body: dict[str, Any]) -> None:
    answer = client.post(f"{BASE}/registers/{ICU}/readings", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "action-refused")
    assert context.books.hand_readings() == []


def test_an_exchange_that_runs_backwards_is_refused(client: TestClient, booked: Context) -> None:
    at = str(booked.clock() - 24 * HOUR_US)
    answer = client.post(f"{BASE}/registers/{ICU}/exchanges", json={"at": at, "end": -1.0, "start": 0.0})
    assert answer.json()["error"]["code"] == "action-refused"
    answer = client.post(f"{BASE}/registers/{ICU}/exchanges", json={"at": at, "end": 5.0, "start": 0.0})
    assert "below what it showed" in answer.json()["error"]["message"].lower()


def test_a_table_is_taken_whole_or_not_at_all(client: TestClient, context: Context) -> None:
    good = b"meter,time,value\nem-icu,2026-07-13 08:00,100\nem-icu,2026-07-14 08:00,110\n"
    path = f"{BASE}/readings/import"
    assert client.post(path, content=good, params={"name": "r.csv"}).json() == {"entered": 2}
    assert client.post(path, content=good, params={"name": "r.csv"}).json() == {"entered": 0}
    bad = client.post(path, content=good + b"em-icu,2026-07-15 08:00,ten\n", params={"name": "r.csv"})
    assert bad.status_code == 422
    assert "row 4" in bad.json()["error"]["message"]
    assert bad.json()["error"]["zh"] == "第 4 行，value：“ten”：请填写表上的示数，例如 10452.7"
    assert len(context.books.hand_readings()) == 2
    assert client.post(path, content=b"\xff\xfe\x00", params={"name": "r.xlsx"}).json()["error"]["code"] == "no-table"


@pytest.mark.parametrize(
    ("method", "path", "body", "role"),
    [
        ("POST", "book", None, "operator"),
        ("POST", f"registers/{ICU}/readings", {"at": "2026-07-14T08:00", "value": 1.0}, "operator"),
        ("POST", f"registers/{ICU}/exchanges", {"at": "2026-07-14T08:00", "end": 1.0, "start": 0.0}, "engineer"),
        ("POST", "reports", {"month": "2026-06"}, "engineer"),
        ("POST", "readings/import", None, "operator"),
        ("POST", "measures", {"name": {"zh": "灯", "en": "Lamps"}}, "engineer"),
        ("POST", "measures/lamps/withdraw", None, "engineer"),
    ],
)
def test_who_may_change_the_books(
    anyone: TestClient, token_of: Callable[[str], dict[str, str]], method: str, path: str, body: Any, role: str
) -> None:
    below = {"operator": "viewer", "engineer": "operator"}[role]
    answer = anyone.request(method, f"{BASE}/{path}", json=body, headers=token_of(below))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role-too-low")
    allowed = anyone.request(method, f"{BASE}/{path}", json=body, headers=token_of(role))
    assert allowed.status_code != 403


def test_a_measure_is_worked_out_beside_the_request(client: TestClient, booked: Context) -> None:
    first = client.get(f"{BASE}/measures").json()["measures"]
    assert [m["id"] for m in first] == ["lamps"]
    for _ in range(200):
        own = client.get(f"{BASE}/measures/lamps").json()
        if own["state"] != "waiting":
            break
    assert own["state"] == "known", own
    assert own["acceptable"] is False
    assert any(reason["blocking"] for reason in own["reasons"])


FANS = {
    "name": {"zh": "风机变频", "en": "Fan drives"},
    "meter": "em-icu",
    "carrier": "electricity",
    "work": {"from": "2026-07-01"},
    "cost": 42000,
}


def test_a_measure_is_entered_judged_and_withdrawn(client: TestClient, booked: Context) -> None:
    entered = client.post(f"{BASE}/measures", json=FANS)
    assert entered.status_code == 201, entered.text
    assert entered.json()["id"] == "fan-drives"
    assert entered.json()["entry"]["baseline"] == {"from": "2025-07-01", "to": "2026-06-30"}
    assert entered.json()["entry"]["cost"] == "42000.00 CNY"
    listed = client.get(f"{BASE}/measures").json()["measures"]
    assert [(m["id"], m["entered"] and m["entered"]["by"]) for m in listed] == [
        ("lamps", None),
        ("fan-drives", "admin"),
    ]
    assert client.get(f"{BASE}/measures/fan-drives").json()["name"] == FANS["name"]
    gone = client.post(f"{BASE}/measures/fan-drives/withdraw")
    assert (gone.status_code, gone.json()["entered"]["withdrawn_by"]) == (200, "admin")
    assert client.get(f"{BASE}/measures/fan-drives").status_code == 404


@pytest.mark.parametrize(
    ("changed", "status", "code", "told"),
    [
        ({"meter": "em-icv"}, 422, "measure-refused", "meter: no meter is called 'em-icv'"),
        ({"work": {"from": "2027-01-01"}}, 422, "measure-refused", "work.from: 2027-01-01 is still to come"),
        ({"id": "lamps"}, 422, "measure-refused", "id 'lamps' is taken"),
        ({"ticket": "T-9"}, 422, "measure-refused", "ticket: there is no ticket 'T-9'"),
        ({"cost": -5}, 422, "measure-refused", "is no amount of money here"),
        ({"colour": "red"}, 422, "invalid-request", "colour"),
    ],
)
def test_a_measure_that_cannot_stand_says_why(
    client: TestClient, context: Context, changed: dict[str, Any], status: int, code: str, told: str
) -> None:
    answer = client.post(f"{BASE}/measures", json=FANS | changed)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert told in answer.json()["error"]["message"]
    assert context.measure_book.entered() == []


def test_a_measure_of_the_site_file_is_withdrawn_there(client: TestClient) -> None:
    answer = client.post(f"{BASE}/measures/lamps/withdraw")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "action-refused")
    assert client.post(f"{BASE}/measures/fans/withdraw").status_code == 404


def test_what_people_entered_stands_in_the_audit_trail(client: TestClient, booked: Context) -> None:
    client.post(f"{BASE}/registers/{ICU}/readings", json={"at": "2026-06-01T08:00", "value": 10.0})
    client.post(f"{BASE}/reports", json={"month": "2026-06"})
    client.post(f"{BASE}/measures", json=FANS)
    client.post(f"{BASE}/measures/fan-drives/withdraw")
    actions = [entry["action"] for entry in client.get("/api/v1/audit").json()["entries"]]
    assert {"energy-reading-entered", "energy-month-published"} <= set(actions)
    assert {"energy-measure-entered", "energy-measure-withdrawn"} <= set(actions)
