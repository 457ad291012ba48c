"""`wardwatt simulate` and `wardwatt replay`: telemetry without hardware."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import paho.mqtt.client as mqtt
import typer
from paho.mqtt.enums import CallbackAPIVersion

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    BrokerOption,
    ClassesOption,
    DataOption,
    JsonOption,
    SiteArgument,
    StoreOption,
    broker_url,
    fail,
    options_of,
    print_json,
    progress_bar,
    stdout,
    told,
)
from api.logs import set_up_logs
from api.options import Options, broker_address
from collector.broker import BrokerAddress
from facility.site import Site
from facility.units import parse_duration
from facility.wording import nearest

if TYPE_CHECKING:
    # The simulators bring SciPy along: 60 MB and half a second that other commands do without.
    from simulators.scenario import Scenario

_MOVES: Final = {"up": "↑", "down": "↓", "changes": "↕", "gone": "∅"}
_DAY_S: Final = 86_400.0


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
    repair: Annotated[
        list[str] | None,
        typer.Option("--repair", help='Say what was done to a machine in the simulator that runs: tx1="fan replaced".'),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="The faults that come, a YAML file: docs/simulators/scenarios.md.")
    ] = None,
    random_faults: Annotated[
        int | None, typer.Option("--random-faults", help="Draw so many faults; the same --seed draws the same.", min=1)
    ] = None,
    write_scenario: Annotated[
        Path | None, typer.Option("--write-scenario", help="With --random-faults: keep what was drawn, and leave.")
    ] = None,
    history: Annotated[
        str | None, typer.Option("--history", help="Write so long a past into the store, such as 30d, and leave.")
    ] = None,
    step: Annotated[str, typer.Option("--step", help="With --history: one reading a point each 1 s to 1 h.")] = "15min",
    store: StoreOption = None,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", help="Draw normal days, normal years and all faults into a folder, and leave."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="With --plots: only this plant family or fault; may repeat.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The same seed gives the same hospital; else the scenario's, else 1.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a simulated hospital to a broker, write its past, or switch faults in one that runs already."""
    if list_faults:
        _list(as_json)
        return
    with told():
        options = options_of(site, data, store=store, classes=classes)
        loaded = options.load_site()
        if plots is not None:
            _draw(loaded, plots, only or [], seed or 1)
            return
        if on or off or repair:
            _command(loaded, broker_address(broker_url(broker, data)), on or [], off or [], repair or [])
            return
        past_s = None if history is None else _span("--history", history, "15min", "4000d")
        planned = _planned(loaded, scenario, random_faults, seed, past_s)
        if write_scenario is not None:
            _keep(planned, random_faults, write_scenario)
        elif past_s is not None:
            _write_past(options, planned, seed, past_s, _span("--step", step, "1s", "1h"), as_json)
        else:
            _publish(planned, broker_address(broker_url(broker, data)), data, seed)


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
        print_json([{"plant": f.plant.model_dump(), **f.model_dump()} for f in catalogue().values()])
        return
    # Lines, not a table: what a fault does is a sentence, and goes into no column.
    for plant, faults in groupby(catalogue().values(), key=lambda f: f.plant):
        stdout.print(f"\n{plant.zh} · {plant.en}", markup=False, style="bold")
        for fault in faults:
            waste = f", wastes {fault.waste.unit}" if fault.waste is not None else ""
            safety = ", life safety" if fault.life_safety else ""
            shows = ", ".join(f"{point} {_MOVES[move]}" for point, move in fault.shows.items())
            lines = f"{fault.id}  {fault.name.zh} · {fault.name.en}{safety}{waste}", fault.effect, f"shows on {shows}"
            stdout.print("\n        ".join(lines), markup=False)
    stdout.print(
        f"\n{len(catalogue())} faults. Switch one on: wardwatt simulate --on ID@MACHINE=SEVERITY", markup=False
    )


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


def _planned(
    site: Site, scenario: Path | None, random_faults: int | None, seed: int | None, past_s: float | None
) -> Scenario:
    """Return what is to happen: the scenario named, or drawn, or nothing."""
    from simulators.random_faults import draw
    from simulators.scenario import USUAL_SEED, Scenario, load_scenario, written

    if scenario is not None and random_faults is not None:
        raise ValueError("--scenario and --random-faults are both there; keep one of them")
    if scenario is not None:
        return load_scenario(scenario, site)
    if random_faults is None:
        return Scenario(site, (), seed=seed)
    drawn = draw(site, random_faults, seed if seed is not None else USUAL_SEED, past_s or _DAY_S)
    stdout.print(written(drawn), markup=False)
    # In a past they come from its beginning on.
    return drawn if past_s is None else replace(drawn, start_us=time.time_ns() // 1000 - round(past_s * 1e6))


def _keep(planned: Scenario, random_faults: int | None, file: Path) -> None:
    from simulators.scenario import written

    if random_faults is None:
        raise ValueError(
            "--write-scenario keeps what --random-faults draws; give it as well, such as --random-faults 12"
        )
    file.write_text(written(planned), encoding="utf-8")
    stdout.print(f"Kept in {file}; run it with --scenario {file}", markup=False)


def _span(option: str, text: str, least: str, most: str) -> float:
    """Read a duration of the command line. [s]"""
    try:
        span_s = parse_duration(text)
    except ValueError:
        raise ValueError(f"{option} {text!r} is no duration; write such as 30d or 15min") from None
    if not parse_duration(least) <= span_s <= parse_duration(most):
        raise ValueError(f"{option} {text!r} is too short or too long; write from {least} to {most}")
    return span_s


def _write_past(
    options: Options, planned: Scenario, seed: int | None, past_s: float, step_s: float, as_json: bool
) -> None:
    from api.simulation import Deriving
    from facility.store.opening import open_store

    # A scenario without a start of its own counts from now, where its past ends.
    now_us = time.time_ns() // 1000
    begin_us = now_us - round(past_s * 1e6) if planned.start_us is None else planned.start_us
    end_us = begin_us + round(past_s * 1e6)
    options.data.mkdir(parents=True, exist_ok=True)
    truth = options.data / "truth.jsonl"
    hospital = planned.hospital(seed, truth)
    hospital.add(planned.events(end_us))
    with open_store(options.store_url, zone=planned.site.time_zone.key) as store, progress_bar() as bar:
        task = bar.add_task("Writing the past", total=1.0)
        began = time.monotonic()
        written = hospital.write_history(
            Deriving(store, planned.site),
            begin_us,
            end_us,
            step_s,
            lambda done, _: bar.update(task, completed=done),
            step_s,
        )
    hospital.take_stock()
    result = {
        "readings": written,
        "from_us": begin_us,
        "to_us": end_us,
        "seconds": round(time.monotonic() - began, 2),
        "store": str(options.store_url),
        "truth": str(truth),
    }
    if as_json:
        print_json(result)
    else:
        stdout.print(f"{written:,} readings in {result['store']}; what was truly wrong: {truth}", markup=False)


def _command(site: Site, address: BrokerAddress, on: list[str], off: list[str], repairs: list[str]) -> None:
    from simulators.faults import FaultBook, gateways_of
    from simulators.gateways import command, command_topic, repair_command

    book = FaultBook(site)
    orders: list[tuple[bytes, str]] = []
    for text, wanted in [*((t, True) for t in on), *((t, False) for t in off)]:
        fault, equipment, severity = _parse(text)
        book.check(fault, equipment)
        if not 0.0 < severity <= 1.0:
            raise ValueError(f"severity {severity:g} is not above 0 and up to 1")
        told_as = f"{fault} {'on' if wanted else 'off'} at {equipment}"
        orders.append((command(fault, equipment, wanted, severity), told_as))
    for text in repairs:
        equipment, separator, note = text.partition("=")
        if not separator or not note.strip():
            raise ValueError(f'{text!r} is no repair; write the machine and what was done: tx1="fan replaced"')
        if equipment not in site.equipment and equipment not in gateways_of(site):
            raise ValueError(f"no equipment is called {equipment!r}{nearest(equipment, site.equipment)}")
        orders.append((repair_command(equipment, note), f"{equipment}: {note}"))
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
        for payload, told_as in orders:
            sent = client.publish(command_topic(site), payload, qos=1)
            with contextlib.suppress(RuntimeError, ValueError):
                sent.wait_for_publish(10)
            if not sent.is_published():
                why = f" ({refused[0]})" if refused else ""
                fail(f"{address} did not take the command{why}; check host, user and password", 3)
            stdout.print(told_as, markup=False)
    finally:
        client.disconnect()
        client.loop_stop()


def _publish(planned: Scenario, address: BrokerAddress, data: Path, seed: int | None) -> None:
    from simulators.gateways import Publisher

    set_up_logs()
    data.mkdir(parents=True, exist_ok=True)
    hospital = planned.hospital(seed, data / "truth.jsonl")
    hospital.add(planned.events(time.time_ns() // 1000))
    publisher = Publisher(hospital, address)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    publisher.start()
    stdout.print(f"Publishing {planned.site.name.en} to {address}. Ctrl-C stops.", markup=False)
    began = time.monotonic()
    while not ended.wait(5.0):
        if time.monotonic() - began > 10 and not any(g.connected for g in publisher.status().values()):
            stdout.print(f"Not connected to {address}; trying on ...", markup=False)
            began = time.monotonic()
    publisher.stop()
    hospital.take_stock()
