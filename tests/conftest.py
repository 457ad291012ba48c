"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from facility.database import Database

# How fast an example runs says something about the machine, nothing about the code.
settings.register_profile("wardwatt", deadline=None)
settings.load_profile("wardwatt")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, shared by the tests of a process."""
    from tests.facility.database import postgres

    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database with all tables and empty, to be copied: migrating takes longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "wardwatt.db"
    database = Database(f"sqlite:///{file}")
    database.upgrade()
    database.close()  # the last connection to go brings the journal into the file
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database with all tables and empty, to be copied."""
    from tests.facility.database import postgres

    with postgres.new_database(postgres_server) as url:
        database = Database(url)
        database.upgrade()
        database.close()
        yield str(make_url(url).database)


@pytest.fixture
def migrated_sqlite(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """An embedded database of the test's own, with all tables."""
    shutil.copyfile(migrated_file, tmp_path / "wardwatt.db")
    database = Database(f"sqlite:///{tmp_path}/wardwatt.db")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of the test's own with all tables, of each kind."""
    from tests.facility.database import postgres

    if request.param == "sqlite":
        yield request.getfixturevalue("migrated_sqlite")
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("migrated_postgres")
    with postgres.new_database(server, template) as url:
        database = Database(url)
        yield database
        database.close()


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: tests with servers wait for them much of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the collector of garbage pass over what is collected here: it lives as long as the process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Leave nothing behind at the end: native modules tell on the way out of what was never let go."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: "/tests/system/" not in item.path.as_posix())
