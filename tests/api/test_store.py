"""The store through the API: with this run's key or an administrator's; a command gets what the keeper has."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.context import Context
from api.local_service import LocalService, announced, local_service
from api.reaching import reached
from api.routes import store as routes
from api.security.audit import entries
from api.service_store import ServiceRefused, ServiceStore
from api.serving import Server
from api.store_wire import pack_batch
from facility.errors import ConfigurationError, StoreUnavailable
from facility.readings import PointAddress, PointTable, ReadingBatch
from facility.store import TelemetryStore
from facility.store.duckdb import DuckDBStore
from facility.store.fingerprint import whole
from facility.store.transfer import copy, fingerprints, select

T0 = 1_735_689_600_000_000
LOAD = PointAddress("tx1", "load", "dry_type_transformer", "%", "riverside", "", "power-1", "derived")
GONE = PointAddress("old", "flow", "pump", "m³/h")  # the site file knows it no longer
TABLE = PointTable((LOAD, GONE))
KEY = "wwl_a-key-of-this-run"


def some(count: int = 1000) -> ReadingBatch:
    time_us = T0 + np.arange(count) * 1_000_000
    return ReadingBatch.of(TABLE, np.arange(count) % 2, time_us, np.arange(count) / 8, np.arange(count) % 3)


@pytest.fixture
def service(context: Context) -> Iterator[ServiceStore]:
    """The application on a real port, as a command meets it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = Server(create_app(replace(context, local_key=KEY)), "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    yield ServiceStore(LocalService(f"http://127.0.0.1:{port}", KEY, ""), "import of a.csv")
    server.should_exit = True
    thread.join(20)


def test_a_command_sees_the_store_as_it_is(service: ServiceStore, store: TelemetryStore, tmp_path: Path) -> None:
    store.write(some())
    assert service.running()
    assert service.size() == store.size()
    assert service.addresses() == store.addresses() == {LOAD.key: LOAD, GONE.key: GONE}
    assert whole(fingerprints(service, select(service))) == whole(fingerprints(store, select(store)))
    with DuckDBStore(tmp_path / "copy.duckdb") as target:
        assert copy(service, target, select(service)).differences == []


def test_a_command_writes_through_the_service_which_notes_it_once(
    service: ServiceStore, store: TelemetryStore, context: Context
) -> None:
    service.write(some(50_000))
    assert store.size().readings == 50_000
    assert store.addresses()[LOAD.key] == LOAD
    noted = [
        (e.who, e.action, e.detail) for e in entries(context.database, 100, None) if e.action == "readings-imported"
    ]
    assert noted == [("command", "readings-imported", {"origin": "import of a.csv"})]


def test_a_copy_of_the_file_opens_as_a_store(service: ServiceStore, store: TelemetryStore, tmp_path: Path) -> None:
    store.write(some())
    shares: list[float] = []
    service.snapshot(tmp_path / "copy.duckdb", shares.append)
    assert shares[-1] == 1.0
    with DuckDBStore(tmp_path / "copy.duckdb", read_only=True) as copied:
        assert whole(fingerprints(copied, select(copied))) == whole(fingerprints(store, select(store)))
    assert [path.name for path in tmp_path.glob("*.snapshot-*")] == []


def test_the_service_compacts_when_told(service: ServiceStore, store: TelemetryStore) -> None:
    store.write(some())
    before, after = service.compact()
    assert before > 0
    assert after > 0


ROUTES = [
    *(("GET", path) for path in ("", "/points", "/snapshot")),
    *(("POST", path) for path in ("/count", "/readings", "/write?transfer=1", "/compact")),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_others_than_administrators_and_this_machine_get_nothing(
    standing: TestClient, token_of: Callable[[str], dict[str, str]], method: str, path: str
) -> None:
    body = {"keys": [], "start_us": 0, "end_us": 1}
    for role in ("metrics", "viewer", "operator", "engineer"):
        answer = standing.request(method, f"/api/v1/store{path}", headers=token_of(role), json=body)
        assert answer.json()["error"]["code"] == "role-too-low"
    answer = standing.request(method, f"/api/v1/store{path}", headers={"Authorization": f"Bearer {KEY}"}, json=body)
    assert answer.json()["error"]["code"] == "token-refused"  # no key is announced here
    empty = standing.request(method, f"/api/v1/store{path}", headers={"Authorization": "Bearer "}, json=body)
    assert empty.status_code == 401


def test_this_runs_key_is_worth_nothing_elsewhere(service: ServiceStore) -> None:
    place = service.service.url.removeprefix("http://")
    for path in ("/api/v1/audit", "/api/v1/me", "/metrics", "/api/v1/rooms"):
        connection = http.client.HTTPConnection(place, timeout=20)
        connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (401, "token-refused")
        connection.close()


def test_what_is_wrong_is_told_with_its_mend(service: ServiceStore, store: TelemetryStore, client: TestClient) -> None:
    wrong = ServiceStore(replace(service.service, key="wwl_of-another-run"))
    with pytest.raises(ServiceRefused, match="The token is unknown"):
        wrong.info()
    assert not wrong.running()
    answer = client.post("/api/v1/store/write", params={"transfer": "1"}, content=b"no arrow")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-readings")
    odd = ReadingBatch.of(PointTable((LOAD,)), [0], [T0], [float("nan")])
    answer = client.post("/api/v1/store/write", params={"transfer": "1"}, content=pack_batch(odd))
    assert "tx1/load" in answer.json()["error"]["message"]
    assert client.post("/api/v1/store/count", json={"keys": [], "start_us": 2**70, "end_us": 1}).status_code == 422
    store.close()
    with pytest.raises(StoreUnavailable, match="the store has been closed"):
        service.info()


def test_a_service_that_was_killed_is_not_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    gone = ServiceStore(LocalService(f"http://127.0.0.1:{port}", KEY, ""))
    assert not gone.running()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        gone.info()


def test_the_key_is_for_the_services_own_account_and_for_one_run(tmp_path: Path) -> None:
    with announced(tmp_path, "0.0.0.0", 8080, "/x/t.duckdb") as key:  # noqa: S104 - told, not bound
        found = local_service(tmp_path)
        assert found == LocalService("http://127.0.0.1:8080", key, "/x/t.duckdb")
        assert (tmp_path / "service.json").stat().st_mode & 0o077 == 0
        assert key not in repr(found)
    assert local_service(tmp_path) is None
    with announced(tmp_path, "::1", 8080, "") as second:
        assert second != key
        assert local_service(tmp_path) == LocalService("http://[::1]:8080", second, "")


def test_a_command_asks_the_service_that_holds_the_file_and_opens_every_other(
    service: ServiceStore, store: TelemetryStore, tmp_path: Path
) -> None:
    store.write(some())
    held = tmp_path / "telemetry.duckdb"
    told = {"url": service.service.url, "key": KEY, "store": str(held)}
    (tmp_path / "service.json").write_text(json.dumps(told))
    for named in (None, held, f"duckdb:///{held}"):
        with reached(tmp_path, named) as found:
            assert found.way == f"Asking the running service at {service.service.url}."
            assert found.keeper == "duckdb"
            assert found.info()["readings"] == 1000
    with reached(tmp_path, tmp_path / "other.duckdb", write=True, makes="named") as found:
        assert found.way == f"Opening {tmp_path / 'other.duckdb'}; no service runs with it."
        assert found.info()["readings"] == 0
    with pytest.raises(ConfigurationError, match=r"there is no .*absent\.duckdb"), reached(tmp_path, "absent.duckdb"):
        pass


def test_a_full_disk_and_a_second_copy_at_once_are_told(
    client: TestClient, store: TelemetryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(some())
    monkeypatch.setattr(routes, "_free_bytes", lambda _folder: 1000)
    answer = client.get("/api/v1/store/snapshot")
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "no-room")
    monkeypatch.undo()
    with routes._one_at_a_time:
        answer = client.get("/api/v1/store/snapshot")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
    assert client.get("/api/v1/store/snapshot").status_code == 200


def test_a_copy_that_is_broken_off_is_no_copy(service: ServiceStore, store: TelemetryStore, tmp_path: Path) -> None:
    store.write(some())

    class Cut(ServiceStore):
        @contextmanager
        def _answer(self, *arguments: Any, **more: Any) -> Iterator[Any]:
            with super()._answer(*arguments, **more) as answer:
                answer.headers.replace_header("Content-Length", str(10**9))
                yield answer

    with pytest.raises(StoreUnavailable, match="broke off after"):
        Cut(service.service).snapshot(tmp_path / "copy.duckdb")
