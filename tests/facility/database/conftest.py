"""Every test of the relational side runs on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facility.database import Database
from tests.facility.database import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/wardwatt.db"
    else:
        with postgres.new_database(request.getfixturevalue("postgres_server")) as url:
            yield url


@pytest.fixture
def database(migrated: Database) -> Database:
    """A database with all tables."""
    return migrated
