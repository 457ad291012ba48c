"""People and their tokens, as the command makes them; in both kinds of database."""

from __future__ import annotations

import pytest

from api.errors import ApiError
from api.security.passwords import password_fits, random_password
from api.security.tables import User
from api.security.tokens import create_token, list_tokens, revoke_token
from api.security.users import (
    create_user,
    ensure_first_user,
    list_users,
    set_disabled,
    set_password,
    set_role,
)
from facility.database import Database


def kept_hash(database: Database, name: str) -> str:
    with database.reading() as session:
        return session.query(User).filter_by(name=name).one().password_hash


def test_the_first_start_makes_an_administrator_and_tells_the_password_once(empty: Database):
    made = ensure_first_user(empty)
    assert made is not None
    assert password_fits(kept_hash(empty, "admin"), made.password)
    assert [(p.name, p.role, p.must_change) for p in list_users(empty)] == [("admin", "admin", False)]
    assert ensure_first_user(empty) is None


def test_no_two_installations_get_the_same_password():
    made = {random_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(p) == 23 for p in made)


def test_a_password_is_kept_as_an_argon2_hash_and_shown_in_no_representation(empty: Database):
    made = create_user(empty, "li.wei", "operator")
    assert made.password not in repr(made)
    assert kept_hash(empty, "li.wei").startswith("$argon2id$")


def test_names_may_be_chinese_and_are_kept_in_one_spelling(empty: Database):
    assert create_user(empty, "王工", "operator", display_name="王建国").name == "王工"
    assert create_user(empty, "Ｌｉ.Wei", "viewer").name == "li.wei"
    with pytest.raises(ApiError, match=r"There is a user 'li\.wei' already"):
        create_user(empty, "LI.WEI", "viewer")


@pytest.mark.parametrize("name", ["", " ", "a b", "../etc", "<b>", "a" * 64, "-x", "x\n", "x\x00", "\u202eadmin", "🔥"])
def test_what_cannot_be_a_name_is_refused(empty: Database, name: str):
    # A line break at the end is stripped like any blank: what is left must be a name.
    if name.strip() == "x":
        assert create_user(empty, name, "viewer").name == "x"
        return
    with pytest.raises(ApiError, match="cannot be a user's name"):
        create_user(empty, name, "viewer")


@pytest.mark.parametrize("role", ["root", "", "metrics", "Admin"])
def test_an_unknown_role_is_refused_with_those_that_are_known(empty: Database, role: str):
    with pytest.raises(ApiError, match="viewer, operator, engineer, admin"):
        create_user(empty, "li", role)


@pytest.mark.parametrize("name", ["wardwatt", "Command", "system"])
def test_nobody_goes_by_the_name_of_the_service(empty: Database, name: str):
    with pytest.raises(ApiError, match="stands for the service itself"):
        create_user(empty, name, "viewer")


def test_an_unknown_language_is_refused(empty: Database):
    with pytest.raises(ApiError, match="zh, en"):
        create_user(empty, "li", "viewer", language="de")


@pytest.mark.parametrize("display_name", ["x" * 65, "a\x00b", "a\nb", "\u202egnissim"])
def test_a_name_that_cannot_be_shown_is_refused(empty: Database, display_name: str):
    with pytest.raises(ApiError, match="cannot be shown"):
        create_user(empty, "li", "viewer", display_name=display_name)


def test_a_weak_password_is_refused_and_nobody_is_made(empty: Database):
    with pytest.raises(ApiError, match="not accepted"):
        create_user(empty, "li", "viewer", password="12345678")
    assert list_users(empty) == ()


def test_a_new_password_replaces_the_old_one(empty: Database):
    old = create_user(empty, "li", "viewer")
    new = set_password(empty, "li")
    assert not password_fits(kept_hash(empty, "li"), old.password)
    assert password_fits(kept_hash(empty, "li"), new.password)


def test_a_wrong_name_is_answered_with_the_nearest_right_one(empty: Database):
    create_user(empty, "li.wei", "viewer")
    with pytest.raises(ApiError, match=r"Did you mean 'li\.wei'\?"):
        set_password(empty, "li.wie")


def test_the_last_administrator_stays(empty: Database):
    ensure_first_user(empty)
    with pytest.raises(ApiError, match="only administrator"):
        set_role(empty, "admin", "viewer")
    with pytest.raises(ApiError, match="only administrator"):
        set_disabled(empty, "admin", True)
    create_user(empty, "li", "admin")
    set_disabled(empty, "admin", True)
    assert [p.disabled for p in list_users(empty)] == [True, False]
    with pytest.raises(ApiError, match="only administrator"):
        set_role(empty, "li", "viewer")


def test_a_token_needs_a_person_a_name_and_a_known_role(empty: Database):
    ensure_first_user(empty)
    for user, name, role, told in [
        ("nobody", "x", None, "no user 'nobody'"),
        ("admin", "", None, "cannot name a token"),
        ("admin", "a\nb", None, "cannot name a token"),
        ("admin", "x", "root", "no role 'root'"),
    ]:
        with pytest.raises(ApiError, match=told):
            create_token(empty, user, name, role)


def test_one_person_has_fifty_tokens_at_most(empty: Database):
    ensure_first_user(empty)
    for _ in range(50):
        create_token(empty, "admin", "x")
    with pytest.raises(ApiError, match="has 50 tokens"):
        create_token(empty, "admin", "x")
    revoke_token(empty, list_tokens(empty)[0].id)
    create_token(empty, "admin", "x")


def test_a_token_that_does_not_exist_cannot_be_revoked(empty: Database):
    with pytest.raises(ApiError, match="There is no token 7"):
        revoke_token(empty, 7)
