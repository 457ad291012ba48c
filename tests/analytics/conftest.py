"""A small plant that tests of the rules can read at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facility.database import Database
from facility.equipment_classes import ClassLibrary, load_classes
from facility.site import Site
from facility.site_file import load_site
from tests.facility.database import postgres

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
def postgres_server() -> Iterator[str]:
    reason = postgres.why_not()
    if reason:
        pytest.skip(reason)
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables, of each kind."""
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path}/wardwatt.db")
        opened.upgrade()
        yield opened
        opened.close()
    else:
        with postgres.empty_database(request.getfixturevalue("postgres_server")) as url:
            opened = Database(url)
            opened.upgrade()
            yield opened
            opened.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty embedded database with all tables."""
    opened = Database(f"sqlite:///{tmp_path}/wardwatt.db")
    opened.upgrade()
    yield opened
    opened.close()
