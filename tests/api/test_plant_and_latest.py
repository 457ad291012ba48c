from __future__ import annotations

from fastapi.testclient import TestClient

from api.context import Context
from facility.readings import ReadingBatch


def test_rooms_name_their_equipment_in_both_languages(standing: TestClient):
    rooms = standing.get("/api/v1/rooms").json()["rooms"]
    assert rooms[0] == {
        "id": "power-1",
        "kind": "power_room",
        "name": {"zh": "一号配电房", "en": "Power room 1"},
        "building": None,
        "equipment": ["tx1"],
    }


def test_equipment_can_be_listed_by_room(standing: TestClient):
    assert [e["id"] for e in standing.get("/api/v1/equipment").json()["equipment"]] == ["tx1", "tx2"]
    assert [e["id"] for e in standing.get("/api/v1/equipment?room=power-2").json()["equipment"]] == ["tx2"]


def test_one_piece_of_equipment_comes_with_its_points_limits_and_supply(standing: TestClient):
    tx1 = standing.get("/api/v1/equipment/tx1").json()
    assert tx1["class"] == "dry_type_transformer"
    assert tx1["rating"]["power"] == 1600
    assert tx1["feeds"] == ["tx2"]
    assert "tx1/load" in [p["key"] for p in tx1["points"]]
    assert all(limit["source"] for limit in tx1["limits"])


def test_states_are_named_by_their_codes(standing: TestClient):
    points = {p["key"]: p for p in standing.get("/api/v1/points?equipment=tx1").json()["points"]}
    assert points["tx1/fan_running"]["states"]["1"]["en"] == "Running"
    assert points["tx1/load"]["states"] is None


def test_a_wrong_name_is_answered_with_the_nearest_right_one(standing: TestClient):
    answer = standing.get("/api/v1/equipment/tx11")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "code": "unknown-equipment",
            "message": "There is no equipment 'tx11'.",
            "mend": "Did you mean 'tx1'? GET /api/v1/equipment lists them.",
        }
    }


def test_latest_gives_only_points_that_were_read(client: TestClient, context: Context):
    table = context.site.points
    context.live(ReadingBatch.of(table, [table.index["tx1/load"]], [1_000_000], [62.5]))
    assert client.get("/api/v1/latest").json()["readings"] == {"tx1/load": [1_000_000, 62.5, 0]}
    assert client.get("/api/v1/latest?point=tx2/load").json()["readings"] == {}
    assert client.get("/api/v1/latest?equipment=tx1").json()["readings"] == {"tx1/load": [1_000_000, 62.5, 0]}


def test_latest_refuses_a_point_that_does_not_exist(standing: TestClient):
    answer = standing.get("/api/v1/latest?point=tx1/laod")
    assert answer.status_code == 404
    assert "Did you mean 'tx1/load'?" in answer.json()["error"]["mend"]


def test_nothing_is_loaded_from_the_internet_for_interactive_documentation(standing: TestClient):
    for path in ("/docs", "/redoc"):
        assert standing.get(path).status_code == 404
