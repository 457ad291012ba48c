"""Where the broker is, and a broker of our own for where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from facility.errors import ConfigurationError, Problem

log = logging.getLogger(__name__)

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """
    An MQTT broker.

    `ca_file` is a file of certificates to trust with `tls`, None for those of the system. The password is left out of
    `str()` and `repr()`.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @classmethod
    def parse(cls, text: str) -> BrokerAddress:
        """
        Read `mqtt://host`, `mqtt://user:password@host:1883` or `mqtts://host:8883?ca=/etc/ssl/ca.pem`.

        Raises
        ------
        ValueError
            Naming what is wrong, without the password.
        """
        url = urlsplit(text if "://" in text else f"mqtt://{text}")
        if url.scheme not in _PORTS:
            raise ValueError(f"{url.scheme!r} is no way to a broker; write mqtt://host:1883 or mqtts://host:8883")
        if not url.hostname:
            raise ValueError("the broker's host is missing; write mqtt://host:1883")
        try:
            port = url.port or _PORTS[url.scheme]
        except ValueError:
            raise ValueError(
                f"the broker's port is not a number from 1 to 65535; write mqtt://{url.hostname}:1883"
            ) from None
        if url.path not in ("", "/"):
            raise ValueError(f"{url.path!r} after the broker's port means nothing; topics stand in the site file")
        options = dict(part.partition("=")[::2] for part in url.query.split("&") if part)
        ca_file = unquote(options.pop("ca", "")) or None
        if options:
            raise ValueError(f"option {next(iter(options))!r} is not known; only ca=/path/to/ca.pem is")
        return cls(
            url.hostname,
            port,
            url.scheme == "mqtts",
            unquote(url.username) if url.username else None,
            unquote(url.password) if url.password else None,
            ca_file,
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"

    def __repr__(self) -> str:
        return f"BrokerAddress({str(self)!r})"

    @property
    def url(self) -> str:
        """Return the address with the password, for handing it to a program of one's own."""
        plain = str(replace(self, user=None))
        if not self.user:
            return plain
        word = f":{quote(self.password, safe='')}" if self.password else ""
        scheme, _, rest = plain.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}{word}@{rest}"


class EmbeddedBroker:
    """
    An MQTT 3.1.1 broker inside this process, in a thread of its own, for one user with a password.

    It keeps nothing on disk. A publisher's QoS 1 message is answered only when every expected session has acknowledged
    it, so a publisher loses nothing when this process dies.

    Parameters
    ----------
    host, port : where to listen; port 0 takes a free one
    data_dir : folder in which the password is kept from one start to the next; None makes one for this run only
    sessions : client id -> topic filters of the collectors that are to come (`collector.service.expected_sessions`);
        messages wait for them, and so do publishers: one that never comes holds up all who publish to its topics
    """

    USER = "wardwatt"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 1883,
        data_dir: Path | None = None,
        *,
        sessions: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._sessions = dict(sessions or {})
        self._password = _password(data_dir)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._started: Future[int] = Future()

    @property
    def address(self) -> BrokerAddress:
        """Return how to reach it, user and password included; RuntimeError before it has started."""
        if self._thread is None:
            raise RuntimeError("the embedded broker has not been started; call start() first")
        host = "127.0.0.1" if self._host in ("", "0.0.0.0") else self._host  # noqa: S104 - compared, not bound
        return BrokerAddress(host, self._port, user=self.USER, password=self._password)

    def start(self) -> None:
        """
        Start listening.

        Raises
        ------
        ConfigurationError
            If the port is taken or may not be used.
        """
        self._started = Future()
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)
        self._thread.start()
        try:
            self._port = self._started.result(timeout=30)
        except OSError as error:
            self._thread.join()
            self._thread = None
            raise ConfigurationError(
                [
                    Problem(
                        "",
                        0,
                        "broker",
                        f"cannot listen on {self._host}:{self._port} ({error.strerror or error}); "
                        "choose another port, or name the broker that runs there",
                    )
                ]
            ) from None

    def stop(self) -> None:
        """Close all connections and end the thread; a second call does nothing."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        self._thread = None

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if not self._started.done():
                self._started.set_exception(error)
            else:
                log.exception("the embedded broker ended by a fault of its own")

    async def _serve(self) -> None:
        # Imported here: a collector that uses a broker elsewhere does without.
        from amqtt.contexts import BrokerConfig, ListenerConfig
        from amqtt.errors import BrokerError

        from collector.patient_broker import PatientBroker

        # amqtt tells each connection and packet; what matters here, the collector and its status tell.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        config = BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{self._host}:{self._port}")},
            plugins={
                "collector.patient_broker.PasswordPlugin": {"user": self.USER, "password": self._password},
            },
        )
        broker = PatientBroker(config, self._sessions)
        try:
            await broker.start()
        except BrokerError as error:
            cause = error.__cause__
            raise (cause if isinstance(cause, OSError) else error) from None
        self._started.set_result(broker.port)
        await self._stop.wait()
        await broker.shutdown()


def _password(data_dir: Path | None) -> str:
    if data_dir is None:
        return secrets.token_urlsafe(18)
    path = data_dir / "broker-password"
    try:
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return kept
    except FileNotFoundError:
        pass
    made = secrets.token_urlsafe(18)
    data_dir.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(made + "\n")
    return made
