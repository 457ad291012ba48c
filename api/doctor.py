"""What is wrong with this installation, and the mend: one check a part, none of which changes anything."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from analytics.energy.ledger import Ledger
from analytics.energy.virtual_booking import PREFIX
from api.options import Options, read_broker_url
from collector.broker import BrokerAddress
from collector.mapping import TopicMap
from facility.database import Database
from facility.errors import ConfigurationError, PayloadRejected, StoreUnavailable
from facility.metering import booked_registers
from facility.site import Site
from facility.store.opening import open_store

Verdict = Literal["well", "wrong", "cannot tell"]

_LITTLE_ROOM: Final = 2 * 1024**3
_NO_ROOM: Final = 200 * 1024**2
# No clock that was ever set right stands before the day on which this was written.
_BUILT: Final = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, in words, and what to do about it."""

    name: str
    verdict: Verdict
    told: str
    mend: str = ""


def examine(options: Options, listen_s: float = 3.0) -> Iterator[Check]:
    """Yield the checks one after the other; a service that runs with the same data folder is not disturbed."""
    site, check = _site(options)
    yield check
    yield _port(options)
    yield _disk(options)
    yield _clock()
    yield _store(options)
    database = _database(options)
    yield database
    if site is not None and database.verdict == "well":
        yield from _books(options, site)
    yield from _broker(options, site, listen_s)


def _site(options: Options) -> tuple[Site | None, Check]:
    try:
        site = options.load_site()
    except ConfigurationError as error:
        mistakes = len(error.problems)
        told = f"{mistakes} mistakes; the first: {error.problems[0]}"
        return None, Check("site file", "wrong", told, f"wardwatt check {options.site} lists them all")
    told = f"{site.name.en}: {len(site.equipment)} machines, {len(site.points)} points"
    if site.left_out:
        told = f"{told}; {len(site.left_out)} left out, the first: {site.left_out[0]}"
        return site, Check("site file", "wrong", told, f"wardwatt check {options.site} lists them all")
    return site, Check("site file", "well", told)


def _port(options: Options) -> Check:
    with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as probe:
        probe.settimeout(2.0)
        if probe.connect_ex((options.host, options.port)) == 0:
            return Check(
                "web port", "cannot tell", f"something answers on {options.host}:{options.port}",
                "if it is not Wardwatt itself, start with another --port",
            )  # fmt: skip
    try:
        with socket.create_server((options.host, options.port)):
            return Check("web port", "well", f"{options.host}:{options.port} is free")
    except OSError as error:
        return Check(
            "web port", "wrong", f"{options.host}:{options.port} cannot be used ({error.strerror})",
            "choose another --host or --port; ports below 1024 need special rights",
        )  # fmt: skip


def _disk(options: Options) -> Check:
    folder = next(p for p in (options.data.absolute(), *options.data.absolute().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    told = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < _NO_ROOM:
        return Check("disk", "wrong", told, "make room now; readings wait at the broker until there is some")
    if free < _LITTLE_ROOM:
        return Check("disk", "wrong", told, "make room, or move the data folder to a larger disk")
    return Check("disk", "well", told)


def _clock() -> Check:
    now = datetime.now(UTC)
    if now < _BUILT:
        return Check(
            "clock", "wrong", f"this machine believes it is {now:%Y-%m-%d %H:%M} UTC",
            "set the clock, and let it follow a time server (timedatectl set-ntp true)",
        )  # fmt: skip
    synchronised = _time_is_synchronised()
    told = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if synchronised is False:
        return Check(
            "clock", "wrong", f"{told}, and it follows no time server", "timedatectl set-ntp true, or install chrony"
        )
    if synchronised is None:
        return Check("clock", "cannot tell", f"{told}; whether it follows a time server is not known here")
    return Check("clock", "well", f"{told}, following a time server")


def _time_is_synchronised() -> bool | None:
    """Ask the kernel, as timedatectl does; None where it does not say."""
    import ctypes

    try:
        library = ctypes.CDLL("libc.so.6", use_errno=True)
        buffer = (ctypes.c_long * 64)()  # struct timex, all zero: read, change nothing
        state = library.adjtimex(ctypes.byref(buffer))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR: the clock is not synchronised


def _store(options: Options) -> Check:
    url = options.store_url
    if not options.store and not (options.data / "telemetry.duckdb").exists():
        return Check("store", "well", f"none yet; {options.data / 'telemetry.duckdb'} is made at the first start")
    try:
        with open_store(url, read_only=True) as store:
            size = store.size()
    except StoreUnavailable as error:
        return Check("store", "cannot tell", str(error))
    except ConfigurationError as error:
        return Check("store", "wrong", str(error))
    last = datetime.fromtimestamp(size.last_us / 1e6, UTC) if size.last_us is not None else None
    told = f"{size.readings:,} readings of {size.points} points"
    if size.bytes:  # an InfluxDB server need not tell it
        told += f", {size.bytes / 1024**2:.0f} MiB"
    return Check("store", "well", told + (f", the last of {last:%Y-%m-%d %H:%M:%S} UTC" if last else ""))


def _database(options: Options) -> Check:
    if not options.database and not (options.data / "wardwatt.db").exists():
        return Check("database", "well", f"none yet; {options.data / 'wardwatt.db'} is made at the first start")
    try:
        database = Database(options.database_url)
        try:
            database.upgrade()
            return Check("database", "well", database.name)
        finally:
            database.close()
    except (StoreUnavailable, ConfigurationError) as error:
        return Check("database", "wrong", str(error))


def _books(options: Options, site: Site) -> Iterator[Check]:
    """Yield what the energy accounts know of a register that the site file has no more; nothing if none is booked."""
    if not options.database and not (options.data / "wardwatt.db").exists():
        return
    database = Database(options.database_url)
    try:
        booked = Ledger(database).counted()
    except StoreUnavailable as error:
        yield Check("energy accounts", "cannot tell", str(error))
        return
    finally:
        database.close()
    own = set(booked_registers(site)) | {f"{PREFIX}{id_}" for id_ in site.virtual_meters}
    lost = [key for key in booked if key not in own]
    if lost and not site.left_out:
        yield Check(
            "energy accounts", "wrong",
            f"the site file has no register {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}, but the books "
            "have what it counted: that is in no balance and no allocation any more, in past months neither",
            "give the meter its id back (its name may be any other), or add until: for one that is out of service",
        )  # fmt: skip
    elif booked:
        yield Check("energy accounts", "well", f"{len(booked)} registers have counted")


def _broker(options: Options, site: Site | None, listen_s: float) -> Iterator[Check]:
    url = options.broker or read_broker_url(options.data)
    if url is None:
        yield Check(
            "broker", "well", "none named: one runs inside the service", "for production name one with --broker"
        )
        return
    try:
        address = BrokerAddress.parse(url)
    except ValueError as error:
        yield Check("broker", "wrong", str(error), "mend --broker")
        return
    filters = TopicMap(site).filters() if site else ("#",)
    heard = _listen(address, filters, listen_s)
    if isinstance(heard, str):
        if options.broker is None:
            told = f"{address}: {heard}; the service with this data folder does not seem to run"
            yield Check("broker", "cannot tell", told, "start it with wardwatt run; its broker runs inside it")
        else:
            yield Check("broker", "wrong", f"{address}: {heard}", "check host, port, user and password")
        return
    yield Check("broker", "well", f"{address} answers")
    if site is not None:
        yield _mapping(site, heard, listen_s)


def _mapping(site: Site, heard: Counter[str], listen_s: float) -> Check:
    if not heard:
        return Check(
            "mapping", "cannot tell", f"nothing was published within {listen_s:g} s",
            "see whether the gateways are connected; a longer --listen waits longer",
        )  # fmt: skip
    topics = TopicMap(site)
    unknown = {t: r.detail for t in heard if isinstance(r := topics.resolve(t), PayloadRejected)}
    told = f"{sum(heard.values())} messages on {len(heard)} topics in {listen_s:g} s"
    if not unknown:
        return Check("mapping", "well", f"{told}, all mapped to points")
    first, why = next(iter(unknown.items()))
    return Check(
        "mapping", "wrong", f"{told}; {len(unknown)} topics belong to no machine, such as {first!r}: {why}",
        "name the topic in the site file, or mend the gateway",
    )  # fmt: skip


def _listen(address: BrokerAddress, filters: Sequence[str], listen_s: float) -> Counter[str] | str:
    """Return how many messages came on each topic, or why the broker would not let us listen."""
    heard: Counter[str] = Counter()
    answer: list[str] = []
    answered = threading.Event()

    def connected(client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        answer.append(str(reason) if reason.is_failure else "")
        if not reason.is_failure:
            for topic in filters:
                client.subscribe(topic, qos=0)
        answered.set()

    def message(_client: mqtt.Client, _data: Any, arrived: mqtt.MQTTMessage) -> None:
        if len(heard) < 10_000:
            heard[arrived.topic] += 1

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = connected, message
    if address.tls:
        client.tls_set(ca_certs=address.ca_file)
    if address.user:
        client.username_pw_set(address.user, address.password)
    return _within(client, address, answered, answer, heard, listen_s)


def _within(
    client: mqtt.Client,
    address: BrokerAddress,
    answered: threading.Event,
    answer: list[str],
    heard: Counter[str],
    listen_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str] | str:
    try:
        client.connect(address.host, address.port, keepalive=30)
    except OSError as error:
        return f"no connection ({error.strerror or error})"
    client.loop_start()
    try:
        if not answered.wait(5.0):
            return "the port is open, but no broker answers"
        if answer[0]:
            return f"it refused us ({answer[0]})"
        sleep(listen_s)
        return heard
    finally:
        client.disconnect()
        client.loop_stop()
