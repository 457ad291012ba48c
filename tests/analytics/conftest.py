"""A small plant that tests of the rules can read at a glance."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url

from facility.database import Database
from facility.equipment_classes import ClassLibrary, load_classes
from facility.site import Site
from facility.site_file import load_site
from tests.facility.database import postgres

# How fast a shared machine draws examples says nothing about the rules.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

PLANT = Path(__file__).parent / "plant"


@pytest.fixture(scope="session")
def library() -> ClassLibrary:
    """A library of a few small classes."""
    return load_classes([PLANT / "classes"])


@pytest.fixture
def site_of(tmp_path: Path, library: ClassLibrary) -> Callable[[str], Site]:
    """Make a site from the text of its file."""

    def make(text: str) -> Site:
        path = tmp_path / "site.yaml"
        path.write_text(text, encoding="utf-8")
        return load_site(path, library)

    return make


@pytest.fixture(scope="session")
def site(library: ClassLibrary) -> Site:
    """Two transformers, an oxygen zone, a water meter, an electricity meter and a pump."""
    return load_site(PLANT / "site.yaml", library)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database with all tables, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("database") / "wardwatt.db"
    opened = Database(f"sqlite:///{path}")
    opened.upgrade()
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables, to be copied."""
    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    with postgres.server() as server, postgres.new_database(server) as url:
        opened = Database(url)
        opened.upgrade()
        opened.close()
        yield url


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """An empty embedded database with all tables."""
    shutil.copy(migrated_file, tmp_path / "wardwatt.db")
    opened = Database(f"sqlite:///{tmp_path}/wardwatt.db")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database with all tables, of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    original = make_url(request.getfixturevalue("migrated_postgres"))
    with postgres.new_database(original.render_as_string(False), template=str(original.database)) as url:
        opened = Database(url)
        yield opened
        opened.close()
