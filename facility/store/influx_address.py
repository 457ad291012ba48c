"""Where an InfluxDB is and how to get in, read from one URL; and which way to write its version understands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from facility.errors import ConfigurationError, Problem

EXAMPLE: Final = "influxdb://user:password@host:8086/database"
_TLS: Final = {"influxdb": False, "influxdbs": True}
_OPTIONS: Final = ("ca", "gzip", "org", "verify")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """
    An InfluxDB server and a database in it (2.x calls it a bucket); either user and password, or a token, or neither.

    `ca_file` verifies the server's certificate in place of the system's authorities. `gzip` compresses in both
    directions; unless the URL says, it is on for every server but one on this machine.
    """

    host: str
    database: str
    port: int = 8086
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    org: str = ""
    ca_file: str = ""
    verify: bool = True
    gzip: bool = False

    @property
    def url(self) -> str:
        """Return the server's own address; it holds no secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> InfluxAddress:
        """
        Read `influxdb://user:password@host:8086/database`, or `influxdb://:TOKEN@host/bucket?org=...`.

        `influxdbs` is the same over TLS. Options: `org`, `ca` (a file), `verify=0`, `gzip=0` or `1`.

        Raises
        ------
        ConfigurationError
            If a part is missing, unknown or wrong. The text never holds the password or the token.
        """
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError as error:
            raise _refuse(text, "has no proper host and port") from error
        if url.scheme not in _TLS:
            raise _refuse(text, f"has the scheme {url.scheme!r}")
        if not url.hostname:
            raise _refuse(text, "has no host")
        database = unquote(url.path.removeprefix("/"))
        if not database or "/" in database or _has_control(database):
            raise _refuse(text, f"has {database!r} for a database; one name stands after the host")
        options = _options(text, url)
        user, password = unquote(url.username or ""), unquote(url.password or "")
        if (user and not password) or _has_control(user + password):
            raise _refuse(text, "needs a password after the user, or a token as in influxdb://:TOKEN@host/bucket")
        return cls(
            host=url.hostname,
            database=database,
            port=8086 if port is None else port,
            tls=_TLS[url.scheme],
            user=user,
            password=password if user else "",
            token="" if user else password,
            org=options.get("org", ""),
            ca_file=options.get("ca", ""),
            verify=_yes(text, "verify", options.get("verify", "1")),
            gzip=_yes(text, "gzip", options.get("gzip", "0" if url.hostname in _LOOPBACK else "1")),
        )


def without_secret(text: str) -> str:
    """Return a URL as it may be shown: what stands before the last @, or where a password may stand, is blotted out."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    if "@" in rest:
        return f"{scheme}://***@{rest.rpartition('@')[2]}"
    # `user:password` whose @host was forgotten reads like a host and a port that is no number.
    place, slash, tail = rest.partition("/")
    host, colon, port = place.rpartition(":")
    return f"{scheme}://{host}:***{slash}{tail}" if colon and "]" not in port and not port.isdigit() else text


def _refuse(text: str, what: str) -> ConfigurationError:
    return ConfigurationError([Problem("", 0, "store", f"{without_secret(text)!r} {what}; write {EXAMPLE}")])


def _options(text: str, url: SplitResult) -> dict[str, str]:
    if url.fragment:
        raise _refuse(text, "has a # in it (write %23 for one in a password)")
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise _refuse(text, f"has the option {name!r}; known are {', '.join(_OPTIONS)}")
    return options


def _yes(text: str, name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise _refuse(text, f"has {name}={value}; it is 0 or 1")
    return value == "1"


def _has_control(text: str) -> bool:
    return any(ord(c) < 0x20 or ord(c) == 0x7F for c in text)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A server's version, as far as it makes a difference."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str | None) -> Version:
        """Read what a server says of itself: `1.6.7~rc0`, `v2.7.1`, `3.0.1`; one that says nothing is a 2.x."""
        found = re.match(r"v?(\d+)\.(\d+)", text or "")
        return cls(int(found[1]), int(found[2])) if found else cls(2, 0)


def write_path(version: Version, address: InfluxAddress) -> Literal["/write", "/api/v2/write"]:
    """
    Return which way to write.

    `/api/v2/write` came with 1.8. From 2.x on it wants a token: user and password are answered by `/write` there.
    """
    if version < Version(1, 8) or (version.major >= 2 and address.user):
        return "/write"
    return "/api/v2/write"
