"""A PostgreSQL server of our own for tests: temporary, on a free loopback port, gone when the tests are."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError


def programs() -> Path | None:
    """Return the folder of initdb and postgres, or None if PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    found = shutil.which("postgres")
    return debian[-1].parent if debian else Path(found).parent if found else None


def why_not() -> str | None:
    """Return why no server can be started here, or None if one can."""
    if programs() is None:
        return "PostgreSQL is not installed; apt-get install postgresql"
    if find_spec("psycopg") is None:
        return "the driver for PostgreSQL is not installed; pip install 'psycopg[binary]'"
    if os.getuid() == 0 and _unprivileged() is None:
        return "PostgreSQL refuses to run as root, and there is neither setpriv nor a user postgres to run it as"
    return None


def _unprivileged() -> list[str] | None:
    if os.getuid() != 0:
        return []
    try:
        import pwd

        account = pwd.getpwnam("postgres")
    except KeyError:
        return None
    if not shutil.which("setpriv"):
        return None
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server() -> Iterator[str]:
    """Run a server and yield the URL of its first database; the password is made up for this run."""
    binaries, prefix = programs(), _unprivileged()
    assert binaries is not None
    assert prefix is not None
    # pytest's own folders are closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="wardwatt-postgres-"))
    password = uuid.uuid4().hex
    process = None
    try:
        secret = folder / "secret"
        secret.write_text(password)
        if prefix:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        data = folder / "data"
        subprocess.run(
            [*prefix, binaries / "initdb", "-D", data, "-U", "wardwatt", "-A", "scram-sha-256", f"--pwfile={secret}",
             "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        for _ in range(5):  # another test may take the port between the probe and the start
            port = _free_port()
            process = subprocess.Popen(
                [*prefix, binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1",
                 "-c", "shared_buffers=16MB", "-c", "max_connections=40",
                 # What a power cut would leave of it matters to nobody; a database is made in a fraction of the time.
                 "-c", "fsync=off", "-c", "full_page_writes=off"],
                cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            url = f"postgresql+psycopg://wardwatt:{password}@127.0.0.1:{port}/postgres"
            if _answers(process, url):
                yield url
                return
        raise RuntimeError("the PostgreSQL server did not start")
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    engine = create_engine(url)
    try:
        while True:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
            else:
                return False
            with suppress(OperationalError), engine.connect():
                return True
    finally:
        engine.dispose()


@contextmanager
def new_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """Make a database on a server, empty or a copy of another, yield its URL, and drop it."""
    name = f"test_{uuid.uuid4().hex}"
    # Not through the database that is copied: a copy needs the original to be at rest.
    admin = create_engine(make_url(server_url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()
