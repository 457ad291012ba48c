"""The store of a running service, asked through its API: for commands while the DuckDB file belongs to the service."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import numpy as np

from api.local_service import LocalService
from api.store_wire import MEDIA_TYPE, MOST_WRITTEN, pack_batch, unpack_series
from facility.errors import StoreUnavailable, WardwattError
from facility.readings import PointAddress, ReadingBatch, Series
from facility.store.contract import PointsRefused, StoreSize

_ANSWER_S: Final = 600.0  # a copy of a large file, or a count while it is compacted, takes its time
_GREETING_S: Final = 10.0
_PART_BYTES: Final = 1 << 20


class ServiceRefused(WardwattError):
    """The service does not do what was asked, and says why."""


class ServiceStore:
    """
    What commands need of the store of a service on this machine.

    Every method raises `StoreUnavailable` while the service does not answer or its store is away, and `ServiceRefused`
    where it says no.
    """

    def __init__(self, service: LocalService, origin: str = "") -> None:
        self.service = service
        self._origin, self._transfer = origin, secrets.token_hex(8)

    def running(self) -> bool:
        """Return whether the service answers and takes this run's key; a file left by a killed service says no."""
        nothing = json.dumps({"keys": [], "start_us": 0, "end_us": 1}).encode()
        try:
            with self._answer("POST", "/count", nothing, "application/json", timeout_s=_GREETING_S):
                return True
        except ServiceRefused:
            return False
        except StoreUnavailable as error:
            # One that is busy is there, as is one whose store is away; nobody listens where no connection is made.
            return not isinstance(error.__cause__, ConnectionError)

    def info(self) -> dict[str, Any]:
        """Return what the store is and holds; see `api.store_info.info_of`."""
        told: dict[str, Any] = self._json("GET", "")
        return told

    def size(self) -> StoreSize:
        """Return how much the store holds."""
        told = self.info()
        return StoreSize(told["readings"], told["points"], told["bytes"], told["first_us"], told["last_us"])

    def addresses(self, keys: Sequence[str] | None = None) -> Mapping[str, PointAddress]:
        """Return where each named point (every point, if None) belongs."""
        addresses = [PointAddress(*address) for address in self._json("GET", "/points")["points"]]
        known = {address.key: address for address in addresses}
        return known if keys is None else {key: known[key] for key in keys if key in known}

    def count(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, int]:
        """Return how many distinct readings with start <= time < end each point has; every key is in the result."""
        told: dict[str, int] = self._json(
            "POST", "/count", {"keys": list(keys), "start_us": start_us, "end_us": end_us}
        )
        return told

    def series(self, keys: Sequence[str], start_us: int, end_us: int) -> Mapping[str, Series]:
        """Return raw readings with start <= time < end; every key is in the result."""
        wanted = {"keys": list(keys), "start_us": start_us, "end_us": end_us}
        with self._answer("POST", "/readings", json.dumps(wanted).encode(), "application/json") as answer:
            return unpack_series(list(keys), answer.read())

    def write(self, batch: ReadingBatch) -> None:
        """Store a batch; `PointsRefused` if the keeper does not take some points."""
        path = f"/write?transfer={self._transfer}&origin={quote(self._origin[:200])}"
        refused: dict[str, str] = {}
        for start in range(0, len(batch), MOST_WRITTEN):
            part = batch.take(np.arange(start, min(start + MOST_WRITTEN, len(batch))))
            with self._answer("POST", path, pack_batch(part), MEDIA_TYPE) as answer:
                told = json.loads(answer.read())
            refused |= dict.fromkeys(told["refused"], told["words"])
        if refused:
            raise PointsRefused(sorted(refused), "; ".join(sorted(set(refused.values()))))

    def compact(self) -> tuple[int, int]:
        """Let the service sort and merge; return how many bytes the store takes before and after."""
        told = self._json("POST", "/compact", {})
        return int(told["bytes_before"]), int(told["bytes"])

    def snapshot(self, target: Path, progress: Callable[[float], None] = lambda _: None) -> None:
        """Write a copy of the service's DuckDB file, as it stands at one moment."""
        with self._answer("GET", "/snapshot") as answer, target.open("xb") as file:
            total, done = int(answer.headers["Content-Length"]), 0
            while part := answer.read(_PART_BYTES):
                file.write(part)
                done += len(part)
                progress(done / max(1, total))
        if done != total:
            raise StoreUnavailable(f"the service broke off after {done} of {total} bytes; start the backup again")

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with self._answer(method, path, data, "application/json") as answer:
            return json.loads(answer.read())

    @contextmanager
    def _answer(
        self, method: str, path: str, body: bytes | None = None, media_type: str = "", *, timeout_s: float = _ANSWER_S
    ) -> Iterator[http.client.HTTPResponse]:
        place = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self.service.key}", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = media_type
        try:
            connection.request(method, f"/api/v1/store{path}", body, headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise self._refusal(answer)
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailable(
                f"the service at {self.service.url} does not answer ({error or type(error).__name__}); "
                "see whether it runs, then try again"
            ) from error
        finally:
            connection.close()

    def _refusal(self, answer: http.client.HTTPResponse) -> WardwattError:
        try:
            told = json.loads(answer.read())["error"]
            words = f"{told['message']} {told['mend']}"
        except (ValueError, KeyError, TypeError):
            return ServiceRefused(f"{self.service.url} answers {answer.status}; it is no Wardwatt of this version")
        if answer.status == 503:
            return StoreUnavailable(f"the service at {self.service.url} says: {words}")
        return ServiceRefused(f"the service at {self.service.url} says: {words}")
