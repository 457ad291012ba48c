from __future__ import annotations

from pathlib import Path

import pytest

from facility.errors import ConfigurationError
from facility.store.duckdb import DuckDBStore
from facility.store.opening import open_store


@pytest.mark.parametrize("form", ["{path}", "duckdb:///{path}"])
def test_a_path_or_a_duckdb_url_opens_the_duckdb_keeper(tmp_path: Path, form: str) -> None:
    path = tmp_path / "t.duckdb"
    with open_store(form.format(path=path)) as store:
        assert isinstance(store, DuckDBStore)
    assert path.exists()


def test_a_url_with_three_slashes_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("duckdb:///data/t.duckdb").close()
    assert (tmp_path / "data" / "t.duckdb").exists()


def test_a_path_object_opens_the_duckdb_keeper(tmp_path: Path) -> None:
    with open_store(tmp_path / "t.duckdb") as store:
        assert list(store.points()) == []


@pytest.mark.parametrize(
    "wrong", ["", "   ", "duckdb://", "duckdb:///", "duckdb://host/t.duckdb", "oracle://x", "://", "a\0b"]
)
def test_anything_else_is_refused_with_the_value_and_what_to_write(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_store(wrong)
    assert repr(wrong) in str(refused.value)
    assert "duckdb:///data/telemetry.duckdb" in str(refused.value)
