"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: "/tests/system/" not in item.path.as_posix())
