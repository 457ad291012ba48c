"""Logging in and out, sessions, forms."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import func, select

from analytics.desk import Desk
from api.app import create_app
from api.context import Context, WebSettings
from api.errors import ApiError
from api.security import logins, passwords
from api.security.audit import check_chain
from api.security.routes import safe_next
from api.security.tables import LoginSession, User
from api.security.tokens import create_token
from api.security.users import create_user, set_disabled, set_password, set_role
from facility.database import Database
from facility.errors import StoreUnavailable

LogIn = Callable[..., TestClient]
WordOf = Callable[[TestClient], str]
Browser = Callable[..., TestClient]
Try = Callable[[TestClient, str, str], Response]


def test_a_login_lets_a_browser_in_and_a_logout_lets_it_out(log_in: LogIn, word_of: WordOf):
    browser = log_in("operator")
    assert browser.get("/api/v1/me").json()["by"] == "session"
    assert browser.post("/logout", data={"csrf": word_of(browser)}).headers["location"] == "/login"
    assert browser.get("/api/v1/me").status_code == 401


def test_a_logout_makes_the_cookie_worthless_and_not_only_forgotten(log_in: LogIn, word_of: WordOf, browser: Browser):
    first = log_in("operator")
    stolen = first.cookies["wardwatt_session"]
    first.post("/logout", data={"csrf": word_of(first)})
    assert browser(cookies={"wardwatt_session": stolen}).get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("name", ["operator", " Operator ", "ＯＰＥＲＡＴＯＲ"])
def test_capitals_and_full_width_letters_do_not_matter_in_a_name(
    browser: Browser, try_password: Try, name: str, password: str
):
    assert try_password(browser(), name, password).status_code == 303


def test_a_wrong_name_and_a_wrong_password_and_a_disabled_person_look_the_same(
    browser: Browser, try_password: Try, database: Database, password: str
):
    set_disabled(database, "engineer", True)
    answers = [
        try_password(browser(), name, word)
        for name, word in [("nobody", password), ("operator", "wrong"), ("engineer", password), ("", ""), ("'--", "x")]
    ]
    assert {a.status_code for a in answers} == {401}
    pages = {re.sub(r'value="[^"]*"', "", a.text) for a in answers if 'value=""' not in a.text}
    assert len(pages) == 1


def test_an_unknown_name_costs_one_hash_like_a_known_one(
    browser: Browser, try_password: Try, monkeypatch: pytest.MonkeyPatch
):
    checked: list[str] = []

    class Counting:
        def verify(self, kept: str, _password: str) -> bool:
            checked.append(kept)
            return False

    client = browser()
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    for name in ("operator", "nobody"):
        try_password(client, name, "wrong")
    assert len(checked) == 2
    # Both hashes must have cost the same, or the time tells which name is known.
    assert checked[0].split("$")[:4] == checked[1].split("$")[:4]


def test_the_password_is_nowhere_in_the_answer(browser: Browser, try_password: Try):
    assert "hunter2!" not in try_password(browser(), "operator", "hunter2!").text


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(browser: Browser, try_password: Try, password: str):
    cookies = try_password(browser(), "operator", password).headers.get_list("set-cookie")
    session = next(c for c in cookies if c.startswith("wardwatt_session="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Path=/" in session
    assert "Secure" not in session


def test_the_cookie_is_sent_by_https_only_where_there_is_https(context: Context, try_password: Try, password: str):
    app = create_app(replace(context, settings=WebSettings(https=True)))
    with TestClient(app, base_url="https://localhost", follow_redirects=False) as client:
        cookies = try_password(client, "operator", password).headers.get_list("set-cookie")
    assert all("Secure" in c for c in cookies if "Max-Age=0" not in c)


def test_a_login_takes_no_token_that_the_browser_brought(browser: Browser, try_password: Try, password: str):
    planted = {"wardwatt_session": "chosen-by-an-attacker"}
    client = browser(cookies=planted)
    cookies = try_password(client, "operator", password).headers.get_list("set-cookie")
    assert not any("chosen-by-an-attacker" in c for c in cookies)
    assert browser(cookies=planted).get("/api/v1/me").status_code == 401


def test_the_session_is_kept_as_a_hash_only(log_in: LogIn, database: Database):
    browser = log_in("operator")
    with database.reading() as session:
        rows = session.scalars(select(LoginSession)).all()
    assert len(rows) == 1
    assert browser.cookies["wardwatt_session"] not in str([vars(r) for r in rows])


def test_a_session_ends_after_twelve_quiet_hours(log_in: LogIn, clock: Any):
    browser = log_in("operator")
    clock.pass_s(12 * 3600 - 1)
    assert browser.get("/api/v1/me").status_code == 200
    clock.pass_s(12 * 3600 - 1)
    assert browser.get("/api/v1/me").status_code == 200
    clock.pass_s(12 * 3600)
    assert browser.get("/api/v1/me").status_code == 401


def test_a_session_ends_after_seven_days_however_busy(log_in: LogIn, clock: Any):
    browser = log_in("operator")
    for _ in range(13):
        clock.pass_s(12 * 3600 - 1)
        assert browser.get("/api/v1/me").status_code == 200
    clock.pass_s(12 * 3600)
    assert browser.get("/api/v1/me").status_code == 401


def test_with_a_full_disk_whoever_is_logged_in_still_sees_the_plant(
    log_in: LogIn, clock: Any, database: Database, monkeypatch: pytest.MonkeyPatch
):
    browser = log_in("operator")
    clock.pass_s(3600)

    def full(_: Database) -> None:
        raise StoreUnavailable("database or disk is full")

    monkeypatch.setattr(Database, "session", full)
    assert browser.get("/api/v1/latest").status_code == 200
    assert browser.get("/api/v1/alerts").status_code == 200


def test_many_logins_at_once_do_not_take_all_the_servers_threads(monkeypatch: pytest.MonkeyPatch):
    waiting = threading.Event()
    done = threading.Event()

    class Slow:
        def verify(self, _kept: str, _password: str) -> bool:
            waiting.set()
            done.wait(30)
            return False

    monkeypatch.setattr(passwords, "_HASHER", Slow())
    with ThreadPoolExecutor(10) as pool:
        checks = [pool.submit(passwords.password_fits, "x", "x") for _ in range(10)]
        waiting.wait(30)
        while passwords._queue.acquire(blocking=False):
            passwords._queue.release()
        with pytest.raises(ApiError, match="Too many logins"):
            passwords.password_fits("x", "x")
        done.set()
        assert not any(c.result() for c in checks)


def test_dead_sessions_are_swept_away_at_a_login(log_in: LogIn, clock: Any, database: Database):
    log_in("operator")
    clock.pass_s(8 * 86400)
    log_in("viewer")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 1


def test_a_new_role_holds_at_once(log_in: LogIn, database: Database):
    browser = log_in("operator")
    set_role(database, "operator", "viewer")
    assert browser.get("/api/v1/me").json()["role"] == "viewer"


def test_a_disabled_person_is_out_at_once(log_in: LogIn, database: Database):
    browser = log_in("operator")
    set_disabled(database, "operator", True)
    assert browser.get("/api/v1/me").status_code == 401
    set_disabled(database, "operator", False)
    assert browser.get("/api/v1/me").status_code == 401  # and has to log in again


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [None, "", "wrong", "\ud7ff", "0" * 10_000])
def test_a_form_without_the_sessions_word_changes_nothing(log_in: LogIn, word: str | None):
    browser = log_in("operator")
    answer = browser.post("/logout", data={} if word is None else {"csrf": word})
    assert answer.status_code == 403
    assert browser.get("/api/v1/me").status_code == 200


def test_a_word_of_another_session_does_not_do(log_in: LogIn, word_of: WordOf):
    one, other = log_in("operator"), log_in("operator")
    assert one.post("/logout", data={"csrf": word_of(other)}).status_code == 403


def test_a_word_does_not_do_when_the_browser_says_that_another_site_sends_it(log_in: LogIn, word_of: WordOf):
    browser = log_in("operator")
    for site in ("cross-site", "same-site"):
        answer = browser.post("/logout", data={"csrf": word_of(browser)}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403


def test_a_script_of_our_own_sends_the_word_in_a_header(log_in: LogIn, word_of: WordOf):
    browser = log_in("operator")
    assert browser.post("/api/v1/tokens", json={"name": "x"}).status_code == 403
    headers = {"X-CSRF-Token": word_of(browser)}
    assert browser.post("/api/v1/tokens", json={"name": "x"}, headers=headers).status_code == 201


def test_a_word_in_a_json_body_or_in_the_address_does_not_count(log_in: LogIn, word_of: WordOf):
    browser = log_in("operator")
    word = word_of(browser)
    assert browser.post(f"/api/v1/tokens?csrf={word}", json={"name": "x", "csrf": word}).status_code == 403


def test_a_login_that_another_site_sends_is_refused(browser: Browser, try_password: Try, password: str):
    client = browser()
    answer = client.post("/login", data={"name": "operator", "password": password})
    assert answer.status_code == 403
    word = word_in_form(client)
    assert browser().post("/login", data={"name": "operator", "password": password, "csrf": word}).status_code == 403


def word_in_form(client: TestClient) -> str:
    client.get("/login")
    return client.cookies["wardwatt_form"]


# --- where to go after the login --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/alerts/17", "/equipment/tx1?range=24h&x=%2F", "/a-b_c.d~e"])
def test_a_login_goes_on_to_where_it_was_asked_for(path: str):
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/%2F/evil.example",
        "/%5cevil.example", "",
        "/\r\nSet-Cookie: x=1", "/login", "/logout", "/" + "a" * 3000, "/\x00",
    ],
)  # fmt: skip
def test_a_login_never_goes_on_to_another_site(target: str):
    assert safe_next(target) == "/"


def test_the_login_form_does_not_go_on_elsewhere_either(browser: Browser, password: str):
    client = browser()
    word = word_in_form(client)
    answer = client.post(
        "/login", data={"name": "operator", "password": password, "csrf": word, "next": "//evil.example/"}
    )
    assert answer.headers["location"] == "/"


def test_whoever_is_logged_in_goes_straight_on(log_in: LogIn):
    answer = log_in("operator").get("/login?next=/alerts")
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")


# --- throttling -------------------------------------------------------------------------------------------------------


def test_guessing_a_password_is_slowed_down_and_then_the_right_one_too(
    browser: Browser, try_password: Try, clock: Any, password: str
):
    client = browser()
    answers = [try_password(client, "operator", f"wrong{i}") for i in range(11)]
    assert [a.status_code for a in answers] == [401] * 10 + [429]
    wait_s = int(answers[-1].headers["retry-after"])
    assert try_password(client, "operator", password).status_code == 429
    clock.pass_s(wait_s)
    assert try_password(client, "operator", password).status_code == 303


def test_a_browser_that_logged_in_before_is_not_shut_out_by_a_strangers_guesses(
    browser: Browser, log_in: LogIn, word_of: WordOf, try_password: Try, password: str
):
    known = log_in("operator")
    known.post("/logout", data={"csrf": word_of(known)})
    stranger = browser()
    while try_password(stranger, "operator", "wrong").status_code == 401:
        pass
    assert try_password(stranger, "operator", password).status_code == 429
    assert try_password(known, "operator", password).status_code == 303


def test_a_known_browser_may_not_guess_without_end_either(log_in: LogIn, word_of: WordOf, try_password: Try):
    known = log_in("operator")
    known.post("/logout", data={"csrf": word_of(known)})
    answers = [try_password(known, "operator", "wrong").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_mark_of_one_person_does_not_help_to_guess_anothers_password(
    browser: Browser, log_in: LogIn, try_password: Try
):
    mine = log_in("operator").cookies["wardwatt_device"]
    stranger = browser()
    while try_password(stranger, "admin", "wrong").status_code == 401:
        pass
    for mark in (mine, mine[:-1] + "0", mine.replace(mine.split(".")[0], "4", 1), "4.x.y", "." * 300):
        client = browser(cookies={"wardwatt_device": mark})
        assert try_password(client, "admin", "wrong").status_code == 429


def test_an_unknown_name_is_slowed_down_like_a_known_one(browser: Browser, try_password: Try):
    client = browser()
    assert [try_password(client, "nobody", "wrong").status_code for _ in range(11)] == [401] * 10 + [429]


# --- passwords --------------------------------------------------------------------------------------------------------


def test_a_password_that_somebody_else_set_must_be_changed_before_anything_else(
    browser: Browser, try_password: Try, database: Database, word_of: WordOf
):
    given = create_user(database, "new", "operator")
    client = browser()
    assert try_password(client, "new", given.password).status_code == 303
    refused = client.get("/api/v1/rooms")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "new-password-needed")
    page = client.get("/no-such-page", headers={"Accept": "text/html"})
    assert page.status_code in (303, 404)
    changed = client.post(
        "/account/password",
        data={"csrf": word_of(client), "old": given.password, "new": "Boiler house 7", "again": "Boiler house 7"},
    )
    assert changed.status_code == 200
    assert client.get("/api/v1/rooms").status_code == 200


def test_a_new_password_ends_the_other_logins_and_keeps_this_one(log_in: LogIn, word_of: WordOf, password: str):
    here, elsewhere = log_in("operator"), log_in("operator")
    data = {"csrf": word_of(here), "old": password, "new": "Boiler house 7", "again": "Boiler house 7"}
    assert here.post("/account/password", data=data).status_code == 200
    assert here.get("/api/v1/me").status_code == 200
    assert elsewhere.get("/api/v1/me").status_code == 401
    log_in("operator", "Boiler house 7")


@pytest.mark.parametrize(
    ("old", "new", "again", "status"),
    [
        ("wrong", "Boiler house 7", "Boiler house 7", 401),
        (None, "Boiler house 7", "Boiler house 8", 400),
        (None, "short 1A", "short 1A", 400),
        (None, "Operator 2026!", "Operator 2026!", 400),
        (None, "aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa", 400),
        (None, "boilerhouse", "boilerhouse", 400),
        (None, None, None, 400),
        (None, "", "", 400),
        (None, "x" * 300, "x" * 300, 400),
    ],
)
def test_a_new_password_that_will_not_do_changes_nothing(
    log_in: LogIn, word_of: WordOf, password: str, old: str | None, new: str | None, again: str | None, status: int
):
    browser = log_in("operator")
    data = {
        "csrf": word_of(browser),
        "old": password if old is None else old,
        "new": password if new is None else new,
        "again": password if again is None else again,
    }
    answer = browser.post("/account/password", data=data)
    assert answer.status_code == status
    log_in("operator")  # with the password of before


def test_an_open_session_is_no_way_to_guess_the_password(log_in: LogIn, word_of: WordOf):
    browser = log_in("operator")
    data = {"csrf": word_of(browser), "old": "wrong", "new": "Boiler house 7", "again": "Boiler house 7"}
    answers = [browser.post("/account/password", data=data).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_password_set_by_an_administrator_ends_all_logins(log_in: LogIn, database: Database):
    browser = log_in("operator")
    set_password(database, "operator")
    assert browser.get("/api/v1/me").status_code == 401


def test_a_password_that_is_changed_while_it_is_checked_lets_nobody_in(
    browser: Browser, try_password: Try, database: Database, password: str, monkeypatch: pytest.MonkeyPatch
):
    def changed_meanwhile(kept: str | None, given: str) -> bool:
        set_password(database, "operator")
        return True

    monkeypatch.setattr(logins, "password_fits", changed_meanwhile)
    assert try_password(browser(), "operator", password).status_code == 401


def test_a_hash_of_weaker_times_is_renewed_at_the_next_login(log_in: LogIn, database: Database, password: str):
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(password)
    with database.session() as session:
        session.scalars(select(User).where(User.name == "operator")).one().password_hash = old
    log_in("operator")
    with database.reading() as session:
        renewed = session.scalars(select(User).where(User.name == "operator")).one().password_hash
    assert renewed != old
    assert not passwords.needs_new_hash(renewed)
    log_in("operator")


def test_a_login_a_token_and_a_deed_work_in_both_kinds_of_database(
    context: Context, empty: Database, try_password: Try, password: str
):
    create_user(empty, "operator", "operator", password=password, must_change=False)
    app = create_app(replace(context, database=empty, desk=Desk(empty, context.site, context.clock)))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        assert try_password(client, "operator", password).status_code == 303
        assert client.get("/api/v1/me").json()["name"] == "operator"
        token = {"Authorization": f"Bearer {create_token(empty, 'operator', 'script').token}"}
        made = client.post("/api/v1/tickets", json={"equipment": "tx1", "title": "柜门异响"}, headers=token)
        assert made.status_code == 201
        client.cookies.clear()
        # What one kind of database keeps and the other does not is no failure of the service.
        assert try_password(client, "\x00", "\x00").status_code in (400, 401)
        comment = client.post(f"/api/v1/tickets/{made.json()['id']}/comment", json={"text": "a\x00b"}, headers=token)
        assert comment.status_code in (200, 400)
        assert "wardwatt_tickets_open" in client.get("/metrics", headers=token).text
    assert check_chain(empty).sound
