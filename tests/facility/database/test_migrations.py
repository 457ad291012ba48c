"""The tables that the migrations make are the tables that the code declares."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from facility.database import Base, Database
from facility.errors import ConfigurationError

ROOT = Path(__file__).parents[3]


def declare_all_tables() -> None:
    """Import every module of ours that declares a table."""
    for package in ("facility", "collector", "analytics", "api"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "__tablename__" in file.read_text(encoding="utf-8"):
                importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def differences(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def test_the_migrated_tables_are_those_that_the_code_declares(database: Database) -> None:
    declare_all_tables()
    assert differences(database) == []


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    tables = inspect(database.engine).get_table_names()
    database.upgrade()
    assert inspect(database.engine).get_table_names() == tables


def test_services_that_start_together_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.upgrade, databases))
    with databases[0].engine.connect() as connection:
        head = max(file.name[:4] for file in (ROOT / "facility/database/migrations/versions").glob("0*.py"))
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [head]
    for each in databases:
        each.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="written by a newer Wardwatt"):
        database.upgrade()
    assert "alerts" in inspect(database.engine).get_table_names()
