"""Whole processes on free ports: a broker, a service, and what a person or a program would do with them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
WARDWATT = Path(sys.executable).parent / "wardwatt"


def free_port():
    """Return a TCP port of the loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def program(name):
    """Return where a server of Debian's packages lies; fail with the package's name where it is missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, f"{name} is not installed; run: bash deploy/test-servers.sh"
    return found


def eventually(condition, seconds=20.0, told="it did not happen"):
    """Return the first true answer of `condition`; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{told} within {seconds:g} s"
        time.sleep(0.05)


def accepts(port):
    """Return whether something listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def csrf(browser, page):
    """Return the word that the forms of a page carry."""
    return re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text)[1]


class Mosquitto:
    """A real broker with persistence, for one user with a password."""

    USER, PASSWORD = "plant", "a-long-test-password"

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        subprocess.run([program("mosquitto_passwd"), "-b", passwords, self.USER, self.PASSWORD], check=True)
        account = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n{account}"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
            "max_queued_messages 0\nmax_inflight_messages 0\n"
        )
        self.process = None

    @property
    def url(self):
        return f"mqtt://{self.USER}:{self.PASSWORD}@127.0.0.1:{self.port}"

    def start(self):
        log = (self.folder / "mosquitto.log").open("a")
        self.process = subprocess.Popen(
            [program("mosquitto"), "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log
        )
        eventually(lambda: accepts(self.port), told="mosquitto does not listen")
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def publish(self, topic, payload, *more):
        """Publish one message with mosquitto_pub, QoS 1."""
        subprocess.run(
            [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(self.port), "-u", self.USER, "-P", self.PASSWORD,
             "-q", "1", "-t", topic, *(["-m", payload] if payload is not None else []), *more],
            check=True, timeout=30,
        )  # fmt: skip


class Wardwatt:
    """A `wardwatt` service in its own process, with its own data folder."""

    def __init__(self, folder, *arguments, port=None, data=None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.data = data or folder / "data"
        self.port = port or free_port()
        self.arguments = [*map(str, arguments), "--data", str(self.data), "--port", str(self.port)]
        self.log = folder / "service.log"
        self.process = None
        self.password = None
        self._client = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds=60.0):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [WARDWATT, *self.arguments], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            )  # fmt: skip
        eventually(self.answers, seconds, told="the service does not answer")
        said = self.said()
        if found := re.search(r"Password: (\S+)", said):
            self.password = found[1]
        return self

    def said(self):
        """Return everything that the service has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.said()[-4000:]}")
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2.0).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self):
        """kill -9: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def interrupt(self, seconds=30.0):
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def stop(self):
        if self._client is not None:
            self._client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def token(self, role="engineer"):
        """Make an API token with the command, as an administrator would."""
        made = run("token", "add", f"test-{time.monotonic_ns()}", "--role", role, "--data", self.data)
        return re.search(r"Token \d+: (\S+)", made.stdout)[1]

    @property
    def api(self):
        """Return a client that is logged in by token; paths are relative to /api/v1/."""
        if self._client is None:
            self._client = httpx.Client(
                base_url=f"{self.url}/api/v1/", headers={"Authorization": f"Bearer {self.token()}"}, timeout=30.0
            )
        return self._client

    def get(self, path, **params):
        answer = self.api.get(path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def browser(self):
        """Return a client that has logged in with the login form, as a person does."""
        browser = httpx.Client(base_url=self.url, follow_redirects=True, timeout=30.0)
        answer = browser.post(
            "/login", data={"name": "admin", "password": self.password, "csrf": csrf(browser, "/login")}
        )
        assert answer.status_code == 200, answer.text[:500]
        return browser

    def readings(self, point):
        """Return all raw readings of a point: times [µs] and values."""
        series = self.get(
            "range", point=point, step="raw", **{"from": "2000-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}
        )
        (one,) = series["series"]
        return one["time_us"], one["value"]


def run(*arguments, check=True, timeout=120, **more):
    """Run a `wardwatt` command to its end."""
    done = subprocess.run(
        [WARDWATT, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, "COLUMNS": "200"}, **more,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
