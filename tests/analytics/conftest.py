"""A small plant that tests of the rules can read at a glance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from facility.database import Database
from facility.equipment_classes import ClassLibrary, load_classes
from facility.site import Site
from facility.site_file import load_site

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


@pytest.fixture
def database(migrated_sqlite: Database) -> Database:
    """An empty embedded database with all tables."""
    return migrated_sqlite


@pytest.fixture
def any_database(migrated: Database) -> Database:
    """An empty database with all tables, of each kind."""
    return migrated
