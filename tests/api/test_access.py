"""Every route asks who is there; what each role may do; programs and browsers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.context import Context
from api.security.tokens import create_token, list_tokens, revoke_token
from api.security.users import set_disabled, set_role
from facility.database import Database

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
PUBLIC = {"/healthz", "/login", "/settings", "/static/{name}"}
Headers = Callable[[str], dict[str, str]]


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route, however deep it was included."""
    for route in app.routes:
        contexts = getattr(route, "effective_route_contexts", None)
        for found in contexts() if contexts else [route]:
            original = getattr(found, "original_route", found)
            path = getattr(found, "path", None) or original.path
            for method in sorted(original.methods or ()):
                yield method, path


def test_every_route_but_a_few_refuses_whoever_is_not_logged_in(app: FastAPI, anyone: TestClient):
    seen = 0
    for method, path in routes(app):
        if path in PUBLIC:
            continue
        answer = anyone.request(method, re.sub(r"{[^}]*}", "1", path))
        assert answer.status_code == 401, f"{method} {path} answers {answer.status_code}"
        assert answer.json()["error"]["code"] == "login-needed"
        seen += 1
    assert seen > 20


def test_every_route_of_the_api_has_one_heading_in_the_documentation(app: FastAPI):
    headings = re.findall(r"^### `([A-Z]+ \S+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(headings) == len(set(headings)), "a heading stands twice"
    ours = {f"{m} {p}" for m, p in routes(app) if p.startswith(("/api/", "/metrics", "/healthz", "/log", "/account"))}
    assert set(headings) == ours


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("metrics", "GET", "/metrics", 200),
        ("metrics", "GET", "/api/v1/rooms", 403),
        ("metrics", "GET", "/api/v1/me", 403),
        ("viewer", "GET", "/metrics", 200),
        ("viewer", "GET", "/api/v1/rooms", 200),
        ("viewer", "GET", "/api/v1/audit", 403),
        ("operator", "GET", "/api/v1/audit", 403),
        ("engineer", "GET", "/api/v1/audit", 403),
        ("admin", "GET", "/api/v1/audit", 200),
        ("engineer", "GET", "/api/v1/audit/check", 403),
        ("admin", "GET", "/api/v1/audit/check", 200),
    ],
)
def test_a_role_may_do_what_the_roles_below_it_may_and_no_more(
    standing: TestClient, token_of: Headers, role: str, method: str, path: str, status: int
):
    answer = standing.request(method, path, headers=token_of(role))
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "role-too-low"


def test_a_token_says_whose_it_is(anyone: TestClient, token_of: Headers):
    assert anyone.get("/api/v1/me", headers=token_of("operator")).json() == {
        "name": "operator",
        "display_name": "operator",
        "role": "operator",
        "language": "zh",
        "by": "token",
    }


@pytest.mark.parametrize("authorization", ["Bearer ww_wrong", "Bearer ", "Bearer", "Basic YTpi", "", "Bearer \xff"])
def test_a_worthless_token_is_refused_even_with_a_good_cookie(log_in: Callable[..., TestClient], authorization: str):
    browser = log_in("viewer")
    answer = browser.get("/api/v1/me", headers={"Authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "token-refused"


def test_a_revoked_token_is_worth_nothing_from_then_on(anyone: TestClient, database: Database):
    made = create_token(database, "viewer", "script")
    headers = {"Authorization": f"Bearer {made.token}"}
    assert anyone.get("/api/v1/me", headers=headers).status_code == 200
    revoke_token(database, made.id)
    revoke_token(database, made.id)  # a second time changes nothing
    assert anyone.get("/api/v1/me", headers=headers).status_code == 401


def test_a_token_never_may_more_than_its_owner_does_now(anyone: TestClient, database: Database):
    made = create_token(database, "engineer", "script", "admin")
    assert made.role == "engineer"
    headers = {"Authorization": f"Bearer {made.token}"}
    set_role(database, "engineer", "viewer")
    assert anyone.get("/api/v1/me", headers=headers).json()["role"] == "viewer"
    set_role(database, "engineer", "admin")
    assert anyone.get("/api/v1/me", headers=headers).json()["role"] == "engineer"


def test_a_token_goes_with_its_owner(anyone: TestClient, database: Database, token_of: Headers):
    set_disabled(database, "operator", True)
    assert anyone.get("/api/v1/me", headers=token_of("operator")).status_code == 401


def test_a_token_is_kept_as_a_hash_only(database: Database, people: object):
    made = create_token(database, "viewer", "script")
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM api_tokens").all()
    assert made.token not in str(rows)
    assert made.prefix in str(rows)
    assert made.token not in repr(made)


def test_the_use_of_a_token_is_noted(anyone: TestClient, database: Database, context: Context, token_of: Headers):
    assert list_tokens(database, "viewer")[0].last_used_us is None
    anyone.get("/api/v1/me", headers=token_of("viewer"))
    assert list_tokens(database, "viewer")[0].last_used_us == context.clock()


def test_a_logged_in_person_makes_and_revokes_tokens_of_their_own(
    log_in: Callable[..., TestClient], word_of: Callable[[TestClient], str], anyone: TestClient
):
    browser = log_in("operator")
    word = {"X-CSRF-Token": word_of(browser)}
    made = browser.post("/api/v1/tokens", json={"name": "wall", "role": "viewer"}, headers=word)
    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert anyone.get("/api/v1/me", headers=bearer).json()["role"] == "viewer"
    listed = browser.get("/api/v1/tokens").json()["tokens"]
    assert [t["name"] for t in listed] == ["test", "wall"]
    assert "token" not in listed[1]
    assert browser.delete(f"/api/v1/tokens/{made.json()['id']}", headers=word).status_code == 204
    assert anyone.get("/api/v1/me", headers=bearer).status_code == 401


def test_nobody_revokes_another_persons_token(
    log_in: Callable[..., TestClient],
    word_of: Callable[[TestClient], str],
    database: Database,
    anyone: TestClient,
    token_of: Headers,
):
    admins = list_tokens(database, "admin")[0].id
    browser = log_in("operator")
    answer = browser.delete(f"/api/v1/tokens/{admins}", headers={"X-CSRF-Token": word_of(browser)})
    assert answer.status_code == 404
    assert anyone.get("/api/v1/me", headers=token_of("admin")).status_code == 200


def test_a_token_cannot_make_or_revoke_tokens(anyone: TestClient, token_of: Headers):
    for answer in (
        anyone.post("/api/v1/tokens", json={"name": "more"}, headers=token_of("admin")),
        anyone.delete("/api/v1/tokens/1", headers=token_of("admin")),
    ):
        assert answer.status_code == 403


def test_healthz_answers_anybody_and_tells_nothing(anyone: TestClient):
    assert anyone.get("/healthz").json() == {"status": "ok"}


def test_a_person_without_a_login_is_led_to_the_form_and_back(anyone: TestClient):
    answer = anyone.get("/account/password?x=1&y=%E4%B8%80", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Faccount%2Fpassword%3Fx%3D1%26y%3D%25E4%25B8%2580"


def test_a_program_without_a_login_is_told_so_in_json(anyone: TestClient):
    answer = anyone.get("/api/v1/rooms", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
