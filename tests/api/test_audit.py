"""The audit trail shows every kind of tampering; in both kinds of database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from api.security import audit
from api.security.users import create_user
from facility.database import Database


@pytest.fixture
def trail(empty: Database) -> Database:
    with empty.session() as session:
        for i in range(1, 6):
            audit.record(session, i, "li.wei", "alert-acknowledged", f"alert {i}", {"note": "已到场", "value": 319.6})
    return empty


def tamper(database: Database, sql: str) -> audit.ChainCheck:
    with database.session() as session:
        session.execute(text(sql))
    return audit.check_chain(database)


def test_an_untouched_trail_is_sound(trail: Database):
    check = audit.check_chain(trail)
    assert (check.sound, check.entries, check.broken_at, check.why) == (True, 5, None, "")
    assert check.head == audit.entries(trail)[0].hash


def test_an_empty_trail_is_sound(empty: Database):
    assert audit.check_chain(empty).sound


@pytest.mark.parametrize(
    "change",
    [
        "who = 'someone.else'",
        "at_us = 7",
        "action = 'alert-seen'",
        "subject = 'alert 9'",
        """detail = '{"note": "", "value": 319.6}'""",
    ],
)
def test_a_changed_line_is_found(trail: Database, change: str):
    check = tamper(trail, f"UPDATE audit SET {change} WHERE id = 3")  # noqa: S608
    assert (check.sound, check.broken_at, check.entries) == (False, 3, 2)
    assert "changed" in check.why


def test_a_changed_line_with_its_hash_made_anew_is_found_at_the_next_line(trail: Database):
    line = audit.entries(trail)[2]
    line.who = "someone.else"
    made_anew = audit._hash_of(line)
    check = tamper(trail, f"UPDATE audit SET who = 'someone.else', hash = '{made_anew}' WHERE id = 3")  # noqa: S608
    assert (check.sound, check.broken_at) == (False, 4)


def test_a_removed_line_is_found(trail: Database):
    assert tamper(trail, "DELETE FROM audit WHERE id = 2").broken_at == 3


def test_removed_newest_lines_are_found(trail: Database):
    check = tamper(trail, "DELETE FROM audit WHERE id > 3")
    assert (check.sound, check.broken_at) == (False, None)
    assert "newest lines are missing" in check.why


def test_an_emptied_trail_is_found(trail: Database):
    assert not tamper(trail, "DELETE FROM audit").sound


def test_a_line_put_in_is_found(trail: Database):
    check = tamper(
        trail,
        "INSERT INTO audit (at_us, who, action, subject, detail, previous_hash, hash) "
        "SELECT 9, who, action, subject, detail, previous_hash, hash FROM audit WHERE id = 5",
    )
    assert not check.sound


def test_lines_in_another_order_are_found(trail: Database):
    check = tamper(trail, "UPDATE audit SET id = CASE id WHEN 2 THEN 103 WHEN 3 THEN 2 ELSE id END WHERE id IN (2, 3)")
    assert not check.sound


def test_a_hash_noted_elsewhere_shows_a_trail_that_was_rewritten_as_a_whole(trail: Database):
    noted = audit.check_chain(trail).head
    assert audit.check_chain(trail, noted).sound
    with trail.session() as session:
        session.execute(text("DELETE FROM audit"))
        audit.record(session, 1, "someone.else", "alert-acknowledged", "alert 1")
    assert audit.check_chain(trail).sound
    check = audit.check_chain(trail, noted)
    assert not check.sound
    assert "noted elsewhere" in check.why


def test_a_line_stands_only_if_what_it_tells_of_does(trail: Database):
    def fail() -> None:
        with trail.session() as session:
            audit.record(session, 6, "li.wei", "role-changed", "wang")
            raise RuntimeError("the change itself failed")

    with pytest.raises(RuntimeError):
        fail()
    assert audit.check_chain(trail).entries == 5


def test_writers_at_the_same_time_make_one_chain(trail: Database):
    def write(who: str) -> None:
        for i in range(20):
            with trail.session() as session:
                audit.record(session, i, who, "test", str(i))

    threads = [threading.Thread(target=write, args=(f"writer{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check = audit.check_chain(trail)
    assert (check.sound, check.entries) == (True, 85)


def test_a_long_trail_is_read_in_pages(trail: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "_PAGE", 2)
    assert audit.check_chain(trail).entries == 5


def test_who_logs_in_and_who_fails_to_is_on_record(
    browser: Callable[..., TestClient],
    try_password: Callable[[TestClient, str, str], Response],
    client: TestClient,
    password: str,
):
    try_password(browser(), "operator", "wrong")
    try_password(browser(), "somebodys-secret", "wrong")
    try_password(browser(), "operator", password)
    lines = client.get("/api/v1/audit?limit=3").json()["entries"]
    assert [(e["who"], e["action"], e["subject"]) for e in lines] == [
        ("operator", "logged-in", "operator"),
        ("", "login-refused", ""),  # people type passwords into the wrong field
        ("", "login-refused", "operator"),
    ]
    assert client.get("/api/v1/audit/check").json()["sound"] is True


def test_the_trail_can_be_paged(client: TestClient, database: Database):
    for i in range(3):
        create_user(database, f"user{i}", "viewer", by="admin")
    first = client.get("/api/v1/audit?limit=2").json()["entries"]
    assert [e["subject"] for e in first] == ["user2", "user1"]
    assert client.get(f"/api/v1/audit?limit=1&before={first[-1]['id']}").json()["entries"][0]["subject"] == "user0"


def test_an_anchor_is_checked_through_the_api(client: TestClient):
    head = client.get("/api/v1/audit/check").json()["head"]
    assert client.get(f"/api/v1/audit/check?anchor={head}").json()["sound"] is True
    assert client.get(f"/api/v1/audit/check?anchor={'0' * 63}1").json()["sound"] is False
    assert client.get("/api/v1/audit/check?anchor=zzz").status_code == 422
