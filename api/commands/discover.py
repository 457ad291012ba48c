"""`wardwatt discover`: what is on the broker or in the quarantine that nobody has mapped, as proposed site YAML."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    BrokerOption,
    ClassesOption,
    DatabaseOption,
    DataOption,
    JsonOption,
    broker_url,
    fail,
    options_of,
    print_json,
    progress_bar,
    stderr,
    stdout,
    told,
)
from api.options import Options, broker_address
from facility.units import parse_duration

if TYPE_CHECKING:
    from collector.broker import BrokerAddress
    from collector.discovery import Sightings
    from facility.site import Site

_CONNECT_S: Final = 10.0


def discover(
    listen: Annotated[str, typer.Option("--for", help="How long to listen, such as 60s or 15min.")] = "60s",
    topics: Annotated[list[str] | None, typer.Option("--topics", "-t", help="Topic filter; may repeat.")] = None,
    from_quarantine: Annotated[
        bool, typer.Option("--from-quarantine", help="Take the unknown topics of the quarantine instead of listening.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; without it, print.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file if it is there.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also what the site file maps already.")] = False,
    site: Annotated[
        Path | None,
        typer.Option("--site", "-s", envvar="WARDWATT_SITE", help="Site file: what it maps already is left out."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    database: DatabaseOption = None,
    classes: ClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Listen to a broker, guess which machines publish there, and propose their entries in the site file."""
    from collector.discovery import Sightings
    from collector.proposal import propose, site_yaml

    with told():
        if out is not None and out.exists() and not force:
            raise ValueError(f"{out} is there already; name another file, or write over it with --force")
        options = options_of(site or DEFAULT_SITE, data, broker, None, database, classes)
        library = options.library()
        known = options.load_site() if site is not None else None
        sightings = Sightings()
        wanted = _Unmapped(None if everything else known)
        if from_quarantine:
            about = f"from the quarantine of {data}"
            _take_quarantine(options, sightings, wanted)
        else:
            seconds = _duration(listen)
            address = broker_address(broker_url(broker, data))
            about = f"heard at {address.host}:{address.port} in {listen}"
            _listen(address, topics or ["#"], seconds, sightings, wanted)
        taken = {name: item.cls.id for name, item in known.equipment.items()} if known is not None else {}
        proposals = propose(sightings.devices(), library, taken, known.rooms if known is not None else ())
        text = site_yaml(proposals, sightings.left, about=about)
        if out is not None:
            _write(out, text, force)
    guessed = [p for p in proposals if p.guesses]
    if as_json:
        print_json(
            {
                "messages": sightings.messages, "devices": len(proposals), "proposed": len(guessed),
                "left_out": sightings.left.messages + sightings.left.devices, "yaml": text,
                "equipment": [
                    {"id": p.id, "class": p.cls, "score": round(p.guesses[0].score, 3), "topic": p.device.topic,
                     "points": {m.key: m.point for m in p.matches}}
                    for p in guessed
                ],
            }
        )  # fmt: skip
        return
    if out is None:
        typer.echo(text, nl=False)
    stderr.print(
        f"{sightings.messages:,} messages of {len(proposals):,} devices; {len(guessed):,} proposed"
        + (f", written to {out}" if out is not None else "") + ". Edit them, then: wardwatt check",
        markup=False,
    )  # fmt: skip
    if not proposals:
        stdout.print("Nothing that is not mapped already was seen; listen longer (--for), or see everything: --all.")


class _Unmapped:
    """Lets through topics that a site file does not map; all of them without one."""

    def __init__(self, site: Site | None) -> None:
        from collector.mapping import TopicMap

        self._topics = TopicMap(site) if site is not None else None

    def __call__(self, topic: str) -> bool:
        from facility.errors import PayloadRejected

        return self._topics is None or isinstance(self._topics.resolve(topic), PayloadRejected)


def _take_quarantine(options: Options, sightings: Sightings, wanted: _Unmapped) -> None:
    from collector.quarantine import Quarantine
    from facility.database import Database

    if options.database is None and not (options.data / "wardwatt.db").exists():
        raise ValueError(f"there is no {options.data / 'wardwatt.db'}; name the service's data folder with --data")
    database = Database(options.database_url)
    try:
        database.upgrade()
        quarantine = Quarantine(database)
        for chunk in quarantine.walk(quarantine.choose("unknown-topic")):
            for kept in chunk:
                if wanted(kept.message.topic):
                    sightings.add(kept.message.topic, kept.message.payload, kept.message.arrival_us)
    finally:
        database.close()


def _listen(address: BrokerAddress, topics: list[str], seconds: float, sightings: Sightings, wanted: _Unmapped) -> None:
    """Listen with a session that leaves nothing behind at the broker."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2, clean_session=True)
    if address.tls:
        client.tls_set(ca_certs=address.ca_file)
    if address.user:
        client.username_pw_set(address.user, address.password)
    refused: list[str] = []
    ready = threading.Event()

    def on_connect(connected: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refused.append(str(reason))
        else:
            connected.subscribe([(topic, 0) for topic in topics])
        ready.set()

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # a broker that does not look lets anything through
            return
        if wanted(topic):
            sightings.add(topic, bytes(message.payload), time.time_ns() // 1000)

    client.on_connect = on_connect
    client.on_message = on_message
    try:
        client.connect(address.host, address.port)
    except (OSError, ValueError) as error:
        fail(f"no connection to {address.host}:{address.port} ({error}); check host and port", 3)
    client.loop_start()
    try:
        if not ready.wait(_CONNECT_S) or refused:
            why = refused[0] if refused else "no answer"
            fail(f"{address.host}:{address.port} lets us not in ({why}); check user and password", 3)
        with progress_bar() as bar:
            task = bar.add_task("Listening", total=seconds)
            began = time.monotonic()
            while (gone := time.monotonic() - began) < seconds:
                bar.update(task, completed=gone, description=f"Listening: {sightings.messages:,} messages")
                time.sleep(min(0.5, seconds - gone))
    except KeyboardInterrupt:
        stderr.print("Stopped early; what was heard so far is proposed.")
    finally:
        client.disconnect()
        client.loop_stop()


def _duration(text: str) -> float:
    """Read `60s` and `15min` as well as `60 s` and `15 min`; ValueError says what is allowed."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    seconds = parse_duration(f"{number} {text[len(number) :].strip() or 's'}")
    if not 0 < seconds <= 86_400:
        raise ValueError(f"--for {text!r} is out of range; write from 1s to 24h")
    return seconds


def _write(path: Path, text: str, force: bool) -> None:
    # Without --force not even a file that came up meanwhile is written over.
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
