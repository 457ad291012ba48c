"""`wardwatt simulate` and `wardwatt replay`: telemetry without hardware."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import paho.mqtt.client as mqtt
import typer
from paho.mqtt.enums import CallbackAPIVersion
from rich.table import Table

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    BrokerOption,
    ClassesOption,
    DataOption,
    JsonOption,
    SiteArgument,
    broker_url,
    fail,
    options_of,
    print_json,
    progress_bar,
    stdout,
    told,
)
from api.logs import set_up_logs
from api.options import broker_address
from collector.broker import BrokerAddress
from facility.site import Site


def simulate(
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    classes: ClassesOption = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List what can be broken, and leave.")] = False,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", help="Switch a fault on in the simulator that runs: EL-F04@tx1, or EL-F04@tx1=0.5."),
    ] = None,
    off: Annotated[list[str] | None, typer.Option("--off", help="Switch a fault off: EL-F04@tx1.")] = None,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", help="Draw normal days, normal years and all faults into a folder, and leave."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="With --plots: only this plant family or fault; may repeat.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same hospital.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Publish a simulated hospital to a broker, or switch faults in one that runs already."""
    if list_faults:
        _list(as_json)
        return
    if plots is not None:
        with told():
            _draw(options_of(site, data, classes=classes).load_site(), plots, only or [], seed)
        return
    with told():
        loaded = options_of(site, data, classes=classes).load_site()
        address = broker_address(broker_url(broker, data))
        if on or off:
            _switch(loaded, address, on or [], off or [])
        else:
            _publish(loaded, address, data, seed)


def replay(
    file: Annotated[Path, typer.Argument(help="Recording: CSV with a header, or CSV in gzip.")],
    equipment: Annotated[str, typer.Option("--equipment", "-e", help="Id of the machine that seems to send it.")],
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    classes: ClassesOption = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", "-m", help="Columns to points; without it they bear the points' names."),
    ] = None,
    speed: Annotated[str, typer.Option("--speed", help="real, x10 (ten times as fast), or fast.")] = "real",
    shifted: Annotated[
        bool, typer.Option("--shifted/--original", help="Times so that the recording begins now, or as recorded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a recording as if the machine were sending it; ends when the broker has taken every message."""
    # The simulators bring SciPy along: 60 MB and half a second that other commands do without.
    from simulators.replay import replay as replay_recording

    with told(), progress_bar() as bar:
        loaded = options_of(site, data, classes=classes).load_site()
        address = broker_address(broker_url(broker, data))
        task = bar.add_task(f"Replaying {file.name}", total=None)
        result = replay_recording(
            file,
            equipment,
            loaded,
            address,
            mapping,
            _speed(speed),
            "shifted" if shifted else "original",
            lambda so_far: bar.update(task, description=f"Replaying {file.name}: {so_far.acknowledged} taken"),
        )
    if as_json:
        print_json(asdict(result))
        return
    stdout.print(
        f"{result.rows} rows, {result.sent} messages sent, {result.acknowledged} taken by the broker, "
        f"{result.readings} readings.",
        markup=False,
    )
    if result.left_out:
        stdout.print(f"Columns that the mapping does not name: {', '.join(result.left_out)}.", markup=False)
    if result.skipped_rows or result.unreadable:
        stdout.print(
            f"{result.skipped_rows} rows left out, {result.unreadable} values unreadable; the first: {result.example}",
            markup=False,
        )


def _speed(text: str) -> float | None:
    word = text.strip().lower().removeprefix("x").removeprefix("×")
    if word in ("real", "fast"):
        return 1.0 if word == "real" else None
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"--speed {text!r} is none; write real, x10 for ten times as fast, or fast") from None


def _list(as_json: bool) -> None:
    from simulators.fault_catalogue import catalogue

    if as_json:
        print_json([{"id": f.id, "name": f.name.model_dump(), "onset_s": f.onset.over} for f in catalogue().values()])
        return
    table = Table("fault", "", "")
    for fault in catalogue().values():
        table.add_row(fault.id, fault.name.zh, fault.name.en)
    stdout.print(table)


def _draw(site: Site, folder: Path, only: list[str], seed: int) -> None:
    try:
        from simulators.plots import draw
    except ImportError as error:
        fail(f"--plots needs matplotlib ({error}); install it with: pip install 'wardwatt[plots]'", 2)
    with progress_bar() as bar:
        task = bar.add_task("Drawing", total=1.0)
        drawn = draw(site, folder, seed, only, lambda share, name: bar.update(task, completed=share, description=name))
    stdout.print(f"{drawn} pictures in {folder}", markup=False)


def _parse(text: str) -> tuple[str, str, float]:
    fault, _, rest = text.partition("@")
    equipment, _, severity = rest.partition("=")
    try:
        return fault, equipment, float(severity or 0.8)
    except ValueError:
        raise ValueError(f"{text!r}: {severity!r} is no severity; write a number above 0 and up to 1") from None


def _switch(site: Site, address: BrokerAddress, on: list[str], off: list[str]) -> None:
    from simulators.faults import FaultBook
    from simulators.gateways import command, command_topic

    orders = [(*_parse(text), True) for text in on] + [(*_parse(text), False) for text in off]
    book = FaultBook(site)
    for fault, equipment, severity, _ in orders:
        book.check(fault, equipment)
        if not 0.0 < severity <= 1.0:
            raise ValueError(f"severity {severity:g} is not above 0 and up to 1")
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if address.tls:
        client.tls_set(ca_certs=address.ca_file)
    if address.user:
        client.username_pw_set(address.user, address.password)
    refused: list[str] = []
    client.on_connect = lambda _c, _d, _f, reason, _p: refused.append(str(reason)) if reason.is_failure else None
    try:
        client.connect(address.host, address.port)
    except OSError as error:
        fail(f"no connection to {address} ({error.strerror or error}); start the service, or name its --broker", 3)
    client.loop_start()
    try:
        for fault, equipment, severity, wanted in orders:
            sent = client.publish(command_topic(site), command(fault, equipment, wanted, severity), qos=1)
            with contextlib.suppress(RuntimeError, ValueError):
                sent.wait_for_publish(10)
            if not sent.is_published():
                why = f" ({refused[0]})" if refused else ""
                fail(f"{address} did not take the command{why}; check host, user and password", 3)
            stdout.print(f"{fault} {'on' if wanted else 'off'} at {equipment}", markup=False)
    finally:
        client.disconnect()
        client.loop_stop()


def _publish(site: Site, address: BrokerAddress, data: Path, seed: int) -> None:
    from simulators.gateways import Publisher
    from simulators.hospital import Hospital

    set_up_logs()
    data.mkdir(parents=True, exist_ok=True)
    hospital = Hospital(site, seed, truth=data / "truth.jsonl")
    publisher = Publisher(hospital, address)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    publisher.start()
    stdout.print(f"Publishing {site.name.en} to {address}. Ctrl-C stops.", markup=False)
    began = time.monotonic()
    while not ended.wait(5.0):
        if time.monotonic() - began > 10 and not any(g.connected for g in publisher.status().values()):
            stdout.print(f"Not connected to {address}; trying on ...", markup=False)
            began = time.monotonic()
    publisher.stop()
