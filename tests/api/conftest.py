"""A small hospital with four people, and the web application that serves it in process."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from analytics.desk import Desk
from api.app import create_app
from api.context import Context
from api.live import LiveBoard
from api.security import passwords
from api.security.tokens import create_token
from api.security.users import create_user
from collector.quarantine import Quarantine
from facility.database import Database
from facility.equipment_classes import CLASSES_FOLDER, load_classes
from facility.site import Site
from facility.site_file import load_site
from facility.store import TelemetryStore
from facility.store.opening import open_store

SITE = """
site: {id: riverside, name: {zh: 滨江医院, en: Riverside Hospital}, time_zone: Asia/Shanghai, currency: CNY}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 一号配电房, en: Power room 1}}
  - {id: power-2, kind: power_room, name: {zh: 二号配电房, en: Power room 2}}
equipment:
  - id: tx1
    class: dry_type_transformer
    room: power-1
    rating: {power: 1600 kVA, thermal_class: F}
    criticality: A
  - id: tx2
    class: dry_type_transformer
    room: power-2
    rating: {power: 1600 kVA, thermal_class: F}
    fed_by: [tx1]
"""
NOW_US = 1_784_140_800_000_000  # 2026-07-16 02:40:00 in Shanghai
PASSWORD = "Ward-watt 2026"
ROLES = ("viewer", "operator", "engineer", "admin")


@dataclass
class Clock:
    """A clock that stands still until a test moves it. [µs]"""

    us: int = NOW_US

    def __call__(self) -> int:
        return self.us

    def pass_s(self, seconds: float) -> None:
        self.us += int(seconds * 1e6)


@dataclass(frozen=True)
class People:
    """A migrated database file with one person a role, named as the role, and a token of each."""

    file: Path
    tokens: dict[str, str]


@pytest.fixture(scope="session", autouse=True)
def _quick_hashing() -> Iterator[None]:
    """Hash passwords as always, but in a moment; the tests that start the program itself hash at its full cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


def site_of(text: str, folder: Path) -> Site:
    """Write a site file into a folder and read it."""
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return load_site(file)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    (folder / "classes").mkdir()
    shutil.copy(CLASSES_FOLDER / "dry_type_transformer.yaml", folder / "classes")
    file = folder / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return load_site(file, load_classes([folder / "classes"]))


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> People:
    file = tmp_path_factory.mktemp("people") / "wardwatt.db"
    shutil.copyfile(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    for role in ROLES:
        create_user(database, role, role, password=PASSWORD, must_change=False)
    tokens = {role: create_token(database, role, "test").token for role in ROLES}
    tokens["metrics"] = create_token(database, "viewer", "prometheus", "metrics").token
    database.close()  # the last connection to go brings the journal into the file
    return People(file, tokens)


@pytest.fixture(scope="session")
def beginning(people: People) -> Path:
    """The data folder with which a service begins, to be copied; a module may bring its own, with readings in it."""
    open_store(people.file.parent / "telemetry.duckdb").close()
    return people.file.parent


@pytest.fixture
def database(beginning: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copytree(beginning, tmp_path, dirs_exist_ok=True)
    database = Database(f"sqlite:///{tmp_path / 'wardwatt.db'}")
    yield database
    database.close()


@pytest.fixture
def empty(migrated: Database) -> Database:
    """A database with all tables and nobody in it, of each kind."""
    return migrated


@pytest.fixture
def store(tmp_path: Path, database: Database) -> Iterator[TelemetryStore]:
    with open_store(tmp_path / "telemetry.duckdb") as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


def context_of(site: Site, store: TelemetryStore, database: Database, clock: Clock) -> Context:
    return Context(
        site=site,
        store=store,
        database=database,
        desk=Desk(database, site, clock),
        quarantine=Quarantine(database),
        live=LiveBoard(site.points),
        clock=clock,
    )


@pytest.fixture
def context(site: Site, store: TelemetryStore, database: Database, clock: Clock) -> Context:
    return context_of(site, store, database, clock)


@contextmanager
def service_in(folder: Path, site: Site) -> Iterator[Context]:
    """Open what is in a data folder as a service does."""
    database = Database(f"sqlite:///{folder / 'wardwatt.db'}")
    with open_store(folder / "telemetry.duckdb") as store:
        yield context_of(site, store, database, Clock())
    database.close()


@pytest.fixture
def app(context: Context) -> FastAPI:
    return create_app(context)


Browser = Callable[..., TestClient]


@pytest.fixture
def browser(app: FastAPI) -> Iterator[Browser]:
    """Open a browser with no cookies; it does not follow redirects, so that tests see them."""
    opened: list[TestClient] = []

    def open_one(**options: object) -> TestClient:
        options.setdefault("base_url", "http://localhost")
        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False, **options)  # type: ignore[arg-type]
        opened.append(client.__enter__())
        return opened[-1]

    yield open_one
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def anyone(browser: Browser) -> TestClient:
    """Nobody in particular: neither cookie nor token."""
    return browser()


@pytest.fixture
def token_of(people: People) -> Callable[[str], dict[str, str]]:
    """Give the header that makes a request one of this role."""
    return lambda role: {"Authorization": f"Bearer {people.tokens[role]}"}


@pytest.fixture
def client(browser: Browser, token_of: Callable[[str], dict[str, str]]) -> TestClient:
    """A program that may do everything."""
    return browser(headers=token_of("admin"))


@pytest.fixture(scope="session")
def standing(site: Site, people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A program that may do everything, at a service that tests share: only for requests that change nothing."""
    folder = tmp_path_factory.mktemp("standing")
    shutil.copyfile(people.file, folder / "wardwatt.db")
    headers = {"Authorization": f"Bearer {people.tokens['admin']}"}
    with (
        service_in(folder, site) as context,
        TestClient(
            create_app(context),
            base_url="http://localhost",
            headers=headers,
            raise_server_exceptions=False,
            follow_redirects=False,
        ) as client,
    ):
        yield client


def word_in(page: str) -> str:
    """Return the CSRF word in a page's form."""
    found = re.search(r'name="csrf"[^>]*value="([^"]+)"', page) or re.search(r'value="([^"]+)"[^>]*name="csrf"', page)
    assert found, page[:500]
    return found[1]


@pytest.fixture
def log_in(browser: Browser) -> Callable[..., TestClient]:
    """Log a person in by the form, as a browser does."""

    def log_one_in(name: str, password: str = PASSWORD, client: TestClient | None = None) -> TestClient:
        client = client or browser()
        word = word_in(client.get("/login").text)
        answer = client.post("/login", data={"name": name, "password": password, "csrf": word})
        assert answer.status_code == 303, answer.text
        return client

    return log_one_in


@pytest.fixture
def word_of() -> Callable[[TestClient], str]:
    """Read the CSRF word of a session from a page with a form."""
    return lambda client: word_in(client.get("/account/password").text)


@pytest.fixture
def try_password() -> Callable[[TestClient, str, str], Response]:
    """Send the login form as a browser does, and return what comes back."""

    def send(client: TestClient, name: str, password: str) -> Response:
        word = word_in(client.get("/login").text)
        return client.post("/login", data={"name": name, "password": password, "csrf": word})

    return send


@pytest.fixture
def password() -> str:
    """Give the password that everybody has in these tests."""
    return PASSWORD
