from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.facility.store.influxd import SHARED


@pytest.fixture(scope="session", autouse=True)
def _influxd_of_this_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    SHARED.folder = tmp_path_factory.mktemp("influxd")
    yield
    SHARED.stop()
