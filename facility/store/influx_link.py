"""Requests to an InfluxDB server through `influxdb-client`: what to try again, and what each refusal means."""

from __future__ import annotations

import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import orjson
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ReadTimeoutError

from facility.errors import StoreUnavailable
from facility.store.influx_address import InfluxAddress, Version, write_path

T = TypeVar("T")
Patience = Literal["prompt", "usual", "long"]

_HURRY_S: Final = 1.0
_CHUNK_ROWS: Final = 20_000
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_MINUS_ZERO: Final = re.compile(rb"(?<=[,\[])-0(?=[,\]])")
_TEXT_OR_MINUS_ZERO: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|' + _MINUS_ZERO.pattern)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How patient a link is. A server that is away is told to the caller soon: it keeps the batch and tries again."""

    connect_s: float = 3.0
    prompt_s: float = 5.0  # for what callers wait for in line: a write, a look into the book
    answer_s: float = 60.0
    long_answer_s: float = 900.0  # counting or deleting everything
    waits_s: tuple[float, ...] = (0.1, 0.4)  # before the second try, the third ...
    patience_s: float = 2.0  # no further try after so long


class AccessRefused(StoreUnavailable):
    """The server does not know the user, the password or the token, or they may not do this."""


class DatabaseMissing(StoreUnavailable):
    """There is no such database."""


class ServerSilent(StoreUnavailable):
    """The server took a request and gave no answer in time; it may yet do what it was asked."""


class WriteRefused(Exception):
    """The server will not take some or all of these lines, and would not on a second try."""


class TooLarge(WriteRefused):
    """The server, or a proxy before it, takes no request of this size."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one series that answer one statement of a query; the first column is the time. [µs]"""

    statement: int
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


class InfluxLink:
    """One server and database; safe to use from several threads. Reaches for the server when it is first asked."""

    def __init__(self, address: InfluxAddress, settings: LinkSettings) -> None:
        self.address = address
        self.settings = settings
        self._closing = threading.Event()
        self._hurrying = False
        self._version: Version | None = None
        self._client: Any = InfluxDBClient(
            url=address.url,
            token=f"{address.user}:{address.password}" if address.user else address.token,
            org=address.org,
            auth_basic=bool(address.user),
            timeout=self._within(settings.answer_s),
            verify_ssl=address.verify,
            ssl_ca_cert=address.ca_file or None,
        )

    def version(self) -> Version:
        """Return the server's version; asked once."""
        if self._version is None:
            self._version = self._with_patience(self._ask_version)
        return self._version

    def _ask_version(self) -> Version:
        try:
            _, _, headers = self._client.api_client.call_api(
                "/ping", "GET", _request_timeout=self._within(self.settings.prompt_s)
            )
        except ApiException as error:
            # 3.x wants a token even for this, and yet says its version.
            if error.status != 401 or not error.headers:
                raise
            headers = error.headers
        return Version.parse(headers.get("X-Influxdb-Version"))

    def write(self, text: str) -> None:
        """
        Write lines with times in microseconds; when this returns, they are in the server's log on disk.

        Raises
        ------
        WriteRefused
            If the server does not take some of them; the others may have been stored.
        StoreUnavailable
            If the server is away or too busy.
        """
        body = text.encode()
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.address.gzip:
            headers["Content-Encoding"] = "gzip"
            packer = zlib.compressobj(level=1, wbits=31)
            body = packer.compress(body) + packer.flush()
        path = write_path(self.version(), self.address)
        if path == "/write":
            query = [("db", self.address.database), ("precision", "u")]
        else:
            query = [("bucket", self.address.database), ("org", self.address.org), ("precision", "us")]

        def send() -> None:
            try:
                self._client.api_client.call_api(
                    path,
                    "POST",
                    query_params=query,
                    header_params=headers,
                    body=body,
                    _request_timeout=self._within(self.settings.prompt_s),
                )
            except ApiException as error:
                if error.status == 413:
                    raise TooLarge(_words(error)) from error
                if error.status in (400, 422):
                    raise WriteRefused(_words(error)) from error
                raise

        self._with_patience(send)

    def query(
        self,
        statements: list[str],
        convert: Callable[[Block], T],
        *,
        database: bool = True,
        chunked: bool = False,
        patience: Patience = "usual",
    ) -> list[T]:
        """
        Ask InfluxQL statements in one request and return what `convert` makes of each block of rows.

        With `chunked` a long answer is converted as it comes in, never held as text.
        """
        parameters = [("epoch", "u")]
        if database:
            parameters.append(("db", self.address.database))
        if chunked:
            parameters += [("chunked", "true"), ("chunk_size", str(_CHUNK_ROWS))]
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        headers["Accept-Encoding"] = "gzip" if self.address.gzip else "identity"
        settings = self.settings
        seconds = {"prompt": settings.prompt_s, "usual": settings.answer_s, "long": settings.long_answer_s}[patience]

        def ask() -> list[T]:
            answer = self._client.api_client.call_api(
                "/query",
                "POST",
                query_params=parameters,
                header_params=dict(headers),
                post_params=[("q", ";\n".join(statements))],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=self._within(seconds),
            )
            try:
                return [convert(block) for document in _documents(answer) for block in self._blocks(document)]
            except BaseException:
                answer.close()  # the rest of the answer must not be read as that of the next request
                raise
            finally:
                answer.release_conn()

        return self._with_patience(ask)

    def refused(self, words: str) -> StoreUnavailable:
        """Return what to say of a refused write that no point is to blame for."""
        if "retention" in words:
            return StoreUnavailable(
                f"{self._place()} drops old readings by itself ({words}); let it keep for ever "
                "(ALTER RETENTION POLICY ... DURATION INF): Wardwatt deletes what is old"
            )
        return StoreUnavailable(f"{self._place()} refuses a write: {words}")

    def hurry(self) -> None:
        """Wait no longer than a moment for any answer from now on: the process is ending."""
        self._hurrying = True

    def close(self) -> None:
        """Let go of the connections."""
        self._closing.set()
        self._client.close()

    def _blocks(self, document: bytes) -> Iterator[Block]:
        answer = orjson.loads(_with_signed_zeros(document))
        if "error" in answer:
            raise self._statement_failed(str(answer["error"]))
        for result in answer.get("results", ()):
            if "error" in result:
                raise self._statement_failed(str(result["error"]))
            for series in result.get("series", ()):
                rows = series.get("values") or []
                yield Block(result.get("statement_id", 0), series.get("tags") or {}, series["columns"], rows)

    def _statement_failed(self, words: str) -> StoreUnavailable:
        if "database not found" in words or "bucket not found" in words.lower():
            return DatabaseMissing(f"{self._place()}: {words}; create it, or mend its name in the store's URL")
        if "not authorized" in words or "error authorizing" in words:
            return AccessRefused(f"{self._place()}: {words}; {self._grant()}")
        return StoreUnavailable(f"{self._place()} does not answer a query: {words}")

    def _with_patience(self, attempt: Callable[[], T]) -> T:
        """Try, and try again after a while what may pass; then say what is wrong."""
        begun_s = time.monotonic()
        for wait in (*self.settings.waits_s, None):
            if self._closing.is_set():
                raise StoreUnavailable(f"{self._place()}: the store has been closed; open it again")
            try:
                return attempt()
            except (ApiException, HTTPError, OSError, orjson.JSONDecodeError) as error:
                # A server that takes long to say no is not asked again: the caller can do better than wait.
                if wait is None or not _may_pass(error) or time.monotonic() - begun_s > self.settings.patience_s:
                    raise self._why(error) from error
                self._closing.wait(wait)
        raise AssertionError("the last try returns or raises")

    def _within(self, answer_s: float) -> tuple[float, float]:
        """Return how long to wait for a connection and for an answer, as the client takes it. [ms]"""
        if self._hurrying:
            return min(self.settings.connect_s, _HURRY_S) * 1000, min(answer_s, _HURRY_S) * 1000
        return self.settings.connect_s * 1000, answer_s * 1000

    def _why(self, error: Exception) -> StoreUnavailable:
        place = self._place()
        if isinstance(error, ApiException) and error.status:
            words = _words(error)
            if error.status == 401 or (error.status == 403 and not self.address.user):
                return AccessRefused(f"{place} refuses {self._who()} ({words}); mend them in the store's URL")
            if error.status == 403:
                return AccessRefused(f"{place}: {words}; {self._grant()}")
            if error.status == 404 and "not found" in words:
                return DatabaseMissing(f"{place}: {words}; create it, or mend its name in the store's URL")
            return StoreUnavailable(f"{place} answers {error.status}: {words}; see the server's log")
        words = str(getattr(error, "reason", None) or error)
        if "CERTIFICATE" in words.upper() or isinstance(error, ssl.SSLError):
            return StoreUnavailable(
                f"{place}: no secure connection ({_short(words)}); give the authority's certificate as ?ca=/path/ca.pem"
            )
        kind = ServerSilent if isinstance(error, ReadTimeoutError) else StoreUnavailable
        return kind(
            f"{place} does not answer ({_short(words)}); start InfluxDB, or mend host and port in the store's URL"
        )

    def _place(self) -> str:
        return f"InfluxDB at {self.address.url}, database {self.address.database!r}"

    def _grant(self) -> str:
        name = self.address.database
        if not self.address.user:
            return f"give the token the right to read and write {name!r}"
        # 1.x says the same of a database that is missing and of one that the user may not use.
        return f'an administrator helps with: CREATE DATABASE "{name}"; GRANT ALL ON "{name}" TO "{self.address.user}"'

    def _who(self) -> str:
        if self.address.user:
            return f"user {self.address.user!r} or the password"
        return "the token" if self.address.token else "a visitor without user or token"


def _may_pass(error: Exception) -> bool:
    if isinstance(error, ApiException):
        return error.status in _BUSY
    # One that was silent for the whole patience will hardly answer now, and the caller waits.
    return not isinstance(error, (ConnectTimeoutError, ReadTimeoutError))


def _documents(answer: Any) -> Iterator[bytes]:
    """Yield the JSON documents, one a line, of an answer that is still coming in."""
    rest: list[bytes] = []
    for piece in answer.stream(1 << 18, decode_content=True):
        head, separator, tail = piece.rpartition(b"\n")
        if separator:
            yield from filter(None, (b"".join(rest) + head).split(b"\n"))
            rest = [tail] if tail else []
        else:
            rest.append(piece)
    if rest:
        yield b"".join(rest)


def _with_signed_zeros(document: bytes) -> bytes:
    # The server writes a negative zero as -0, which is a whole number and would lose its sign.
    if _MINUS_ZERO.search(document) is None:
        return document
    return _TEXT_OR_MINUS_ZERO.sub(lambda found: b"-0.0" if found[0] == b"-0" else found[0], document)


def _words(error: ApiException) -> str:
    """Return what the server says, of whatever version: `error` of 1.x and 3.x, `message` of 2.x."""
    body = error.body
    if body is None and error.response is not None:
        body = error.response.data
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or error.reason or "no reason given")
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _short(text)
    if not isinstance(told, dict):
        return _short(text)
    words = str(told.get("error") or told.get("message") or text)
    for line in told.get("data") or () if isinstance(told.get("data"), list) else ():
        words += f"; {line.get('error_message')} in {line.get('original_line')!r}" if isinstance(line, dict) else ""
    return _short(words)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 600 else text[:600] + " ..."
