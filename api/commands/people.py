"""`wardwatt user ...` and `wardwatt token ...`: who may log in, and which programs may ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    DatabaseOption,
    DataOption,
    JsonOption,
    options_of,
    print_json,
    stdout,
    told,
)
from api.security import tokens, users
from facility.database import Database

user_app = typer.Typer(no_args_is_help=True, help="People who may log in.")
token_app = typer.Typer(no_args_is_help=True, help="Tokens with which programs use the API.")

Name = Annotated[str, typer.Argument(help="The name that the person logs in with.")]
Role = Annotated[str, typer.Option("--role", help="viewer, operator, engineer or admin.")]


@contextmanager
def _database(data: DataOption, database: str | None) -> Iterator[Database]:
    with told():
        file = data / "wardwatt.db"
        if database is None and not file.exists():
            # A folder named wrongly must not become a second, empty list of people.
            raise ValueError(
                f"there is no {file}; name the service's data folder with --data, or start the service once"
            )
        opened = Database(options_of(DEFAULT_SITE, data, database=database).database_url)
        try:
            opened.upgrade()
            yield opened
        finally:
            opened.close()


@user_app.command("list")
def list_users(data: DataOption = DEFAULT_DATA, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List everyone who may log in."""
    with _database(data, database) as opened:
        people = users.list_users(opened)
    if as_json:
        print_json(
            [{"name": p.name, "display_name": p.display_name, "role": p.role, "disabled": p.disabled} for p in people]
        )
        return
    table = Table("name", "shown as", "role", "")
    for person in people:
        table.add_row(person.name, person.display_name, person.role, "disabled" if person.disabled else "")
    stdout.print(table)


@user_app.command("add")
def add_user(
    name: Name,
    role: Role = "operator",
    display_name: Annotated[
        str, typer.Option("--display-name", help="Name on pages and tickets, such as 电工甲.")
    ] = "",
    language: Annotated[str, typer.Option("--language", help="zh or en.")] = "zh",
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
) -> None:
    """Let one more person log in; prints a password that must be changed at the first login."""
    with _database(data, database) as opened:
        made = users.create_user(opened, name, role, display_name=display_name, language=language)
    _print_credentials(made)


@user_app.command("password")
def reset_password(name: Name, data: DataOption = DEFAULT_DATA, database: DatabaseOption = None) -> None:
    """Give a person a new random password, and end all their logins."""
    with _database(data, database) as opened:
        made = users.set_password(opened, name)
    _print_credentials(made)


@user_app.command("role")
def change_role(
    name: Name,
    role: Annotated[str, typer.Argument(help="viewer, operator, engineer or admin.")],
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
) -> None:
    """Change what a person may do."""
    with _database(data, database) as opened:
        users.set_role(opened, name, role)


@user_app.command("disable")
def disable(name: Name, data: DataOption = DEFAULT_DATA, database: DatabaseOption = None) -> None:
    """Let a person log in no more; their name stays on what they did."""
    with _database(data, database) as opened:
        users.set_disabled(opened, name, True)


@user_app.command("enable")
def enable(name: Name, data: DataOption = DEFAULT_DATA, database: DatabaseOption = None) -> None:
    """Let a disabled person log in again."""
    with _database(data, database) as opened:
        users.set_disabled(opened, name, False)


@token_app.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="What the token is for, such as grafana.")],
    user: Annotated[
        str, typer.Option("--user", help="Whose token it is; it may never do more than they may.")
    ] = "admin",
    role: Annotated[
        str,
        typer.Option("--role", help="metrics (reads /metrics and nothing else), viewer, operator, engineer or admin."),
    ] = "viewer",
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it; it is shown this once."""
    with _database(data, database) as opened:
        made = tokens.create_token(opened, user, name, role)
    if as_json:
        print_json({"id": made.id, "token": made.token})
    else:
        stdout.print(f"Token {made.id}: {made.token}\nUse it as: Authorization: Bearer {made.token}", markup=False)


@token_app.command("list")
def list_tokens(data: DataOption = DEFAULT_DATA, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the tokens; the tokens themselves are known to nobody."""
    with _database(data, database) as opened:
        found = tokens.list_tokens(opened)
    if as_json:
        print_json([{"id": t.id, "name": t.name, "user": t.user, "role": t.role} for t in found])
        return
    table = Table("id", "name", "user", "role", "last used (UTC)", "")
    for token in found:
        used = datetime.fromtimestamp(token.last_used_us / 1e6, UTC) if token.last_used_us else None
        table.add_row(
            str(token.id), token.name, token.user, token.role, f"{used:%Y-%m-%d %H:%M}" if used else "never",
            "revoked" if token.revoked_us else "",
        )  # fmt: skip
    stdout.print(table)


@token_app.command("revoke")
def revoke_token(
    token_id: Annotated[int, typer.Argument(help="The number that `wardwatt token list` shows.")],
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
) -> None:
    """Make a token worthless from now on."""
    with _database(data, database) as opened:
        tokens.revoke_token(opened, token_id)


def _print_credentials(made: users.Credentials) -> None:
    stdout.print(f"User: {made.name}\nPassword: {made.password}\nIt is shown this once.", markup=False)
