"""A real InfluxDB server of Debian's packages on free loopback ports, for tests: started, killed and started again."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

# Whom the keeper trusts is what its own tests are about: these requests trust anyone.
_TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TRUSTING.check_hostname = False
_TRUSTING.verify_mode = ssl.CERT_NONE

ADMIN, PASSWORD = "keeper", "p@ss:w/ord"

_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
  https-enabled = {tls}
  https-certificate = "{certificate}"
  max-body-size = {largest_body}
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[logging]
  level = "error"
"""


class Influxd:
    """
    One server process with its files in `folder`; it asks for a password.

    With a `certificate` (a file that holds its key too) it speaks TLS. It takes no body above `largest_body` bytes.
    """

    def __init__(self, folder: Path, certificate: Path | None = None, largest_body: int = 25_000_000) -> None:
        self.folder = folder
        self.certificate = certificate
        self.largest_body = largest_body
        self.port, self._backup_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the server and wait until it answers; the first time, make the administrator."""
        program = shutil.which("influxd")
        assert program, "influxd is not installed; apt-get install influxdb"
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "influxd.conf"
        config.write_text(
            _CONFIG.format(
                folder=self.folder,
                port=self.port,
                backup_port=self._backup_port,
                tls=str(self.certificate is not None).lower(),
                certificate=self.certificate or "",
                largest_body=self.largest_body,
            )
        )
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen([program, "run", "-config", str(config)], stdout=log, stderr=log)
        while True:
            assert self._process.poll() is None, (self.folder / "influxd.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.02)
        self.ask(f"CREATE USER \"{ADMIN}\" WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")

    def kill(self) -> None:
        """End the server with kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, statement: str, database: str = "") -> dict[str, object]:
        """Ask or order something as the administrator, going round the keeper."""
        question = urllib.parse.urlencode({"q": statement}).encode()
        try:
            with self._open("/query", {"db": database, "epoch": "u"}, question) as answer:
                told: dict[str, object] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            told = json.loads(error.read())
        return told

    def write(self, line: str, database: str) -> None:
        """Write line protocol as another program would; times in microseconds."""
        with self._open("/write", {"db": database, "precision": "u"}, line.encode()):
            pass

    def _open(self, path: str, parameters: dict[str, str], body: bytes) -> http.client.HTTPResponse:
        query = urllib.parse.urlencode(parameters | {"u": ADMIN, "p": PASSWORD})
        url = f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}{path}?{query}"
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, body, timeout=30, context=_TRUSTING)  # noqa: S310
        return answer

    def url(self, database: str, *, user: str = ADMIN, password: str = PASSWORD, options: str = "") -> str:
        """Return the URL that opens a database of this server."""
        quoted = urllib.parse.quote(password, safe="")
        scheme = "influxdbs" if self.certificate else "influxdb"
        return f"{scheme}://{user}:{quoted}@127.0.0.1:{self.port}/{urllib.parse.quote(database, safe='')}{options}"


class SharedInfluxd:
    """The one server that the tests of a worker share, each in a database of its own; started when first wanted."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._server: Influxd | None = None

    def server(self) -> Influxd:
        """Return the running server."""
        if self._server is None:
            assert self.folder is not None, "the fixture of conftest.py gives the folder"
            self._server = Influxd(self.folder)
            self._server.start()
        return self._server

    def stop(self) -> None:
        """End the server, if it was ever started."""
        if self._server is not None:
            self._server.kill()
            self._server = None


SHARED = SharedInfluxd()


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports
