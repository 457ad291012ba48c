"""`wardwatt run`, `collect`, `serve` and `demo`: processes that go on until they are told to stop."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    DEMO_DATA,
    BrokerOption,
    ClassesOption,
    DatabaseOption,
    DataOption,
    SiteArgument,
    StoreOption,
    progress_bar,
    stdout,
    told,
)
from api.logs import set_up_logs
from api.memory import give_memory_back
from api.options import DEMO_SITE, SMALL_SITE, Options, broker_address
from facility.errors import ConfigurationError, Problem
from facility.store import TelemetryStore
from facility.store.spool import MIB, SpoolSettings
from facility.store.spooled import SpooledStore

if TYPE_CHECKING:
    # The service's parts take a second to import; `wardwatt --help` and `check` do without.
    from api.runtime import Roles, Service
    from api.simulation import Simulation

log = logging.getLogger(__name__)

HostOption = Annotated[
    str, typer.Option("--host", envvar="WARDWATT_HOST", help="Address to serve on; 0.0.0.0 for the whole network.")
]
PortOption = Annotated[int, typer.Option("--port", "-p", envvar="WARDWATT_PORT", min=1, max=65535)]
HostsOption = Annotated[
    list[str] | None,
    typer.Option("--name", envvar="WARDWATT_NAMES", help="A name by which browsers reach the pages; may repeat."),
]
HttpsOption = Annotated[
    bool, typer.Option("--https", envvar="WARDWATT_HTTPS", help="Browsers come through https: a proxy stands in front.")
]
HistoryOption = Annotated[
    float,
    typer.Option(
        "--history", min=0.0, max=800.0,
        help="With --simulate: days of history to write first; of what is older than 30 days, meters and weather only.",
    ),
]  # fmt: skip
SpoolOption = Annotated[
    int,
    typer.Option(
        "--spool", envvar="WARDWATT_SPOOL", min=32,
        help="Most disk that readings may take while their store is away. [MiB]",
    ),
]  # fmt: skip
SpoolReserveOption = Annotated[
    int,
    typer.Option(
        "--spool-reserve", envvar="WARDWATT_SPOOL_RESERVE", min=0,
        help="So much of it is taken beforehand, and is there however full the disk is. [MiB]",
    ),
]  # fmt: skip
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="The same seed gives the same hospital; else the scenario's, else 1.")
]


def run(
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    store: StoreOption = None,
    database: DatabaseOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    names: HostsOption = None,
    https: HttpsOption = False,
    classes: ClassesOption = None,
    spool: SpoolOption = 1024,
    spool_reserve: SpoolReserveOption = 64,
    simulate: Annotated[bool, typer.Option("--simulate", help="Let a simulator publish the site's telemetry.")] = False,
    history: HistoryOption = 30.0,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", help="With --simulate: the faults that come, docs/simulators/scenarios.md."),
    ] = None,
    seed: SeedOption = None,
) -> None:
    """Run everything in one process: collector, store, live rules, jobs, pages; a broker too, if none is named."""
    with told():
        options = Options(
            site, data, broker, store, database, host, port, tuple(classes or ()), tuple(names or ()), https,
            _spool(spool, spool_reserve),
        )  # fmt: skip
        _serve(options, _roles(), simulate=simulate, history_days=history, scenario=scenario, seed=seed)


def collect(
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    store: StoreOption = None,
    database: DatabaseOption = None,
    classes: ClassesOption = None,
    spool: SpoolOption = 1024,
    spool_reserve: SpoolReserveOption = 64,
    share: Annotated[
        str | None,
        typer.Option(
            "--share", metavar="GROUP",
            help="Share the messages with the other collectors of this group (MQTT shared subscription). They store "
            "and do not judge; one process must run with --judge-only.",
        ),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option("--member", metavar="NAME", help="With --share: this collector's own name in the group."),
    ] = None,
    judge_only: Annotated[
        bool, typer.Option("--judge-only", help="Judge all that comes and run the jobs; leave storing to others.")
    ] = False,
) -> None:  # fmt: skip
    """
    Collect readings without serving pages: store them, and judge them within a second.

    With --share, store only this member's share of the messages. With --judge-only, judge all of them and store none.
    """
    from api.runtime import Service

    with told(), ExitStack() as closing:
        options = Options(
            site, data, broker, store, database, classes=tuple(classes or ()), spool=_spool(spool, spool_reserve)
        )
        roles = _collecting_roles(share, member, judge_only=judge_only)
        set_up_logs()
        give_memory_back()
        service = Service(options, roles)
        service.open()
        closing.callback(service.stop)
        service.start()
        stdout.print(f"{_collecting_words(service)} Ctrl-C stops.", markup=False)
        _wait_for_the_end()


def _spool(bound: int, reserve: int) -> SpoolSettings:
    """Return the spool's settings; both in MiB."""
    return SpoolSettings(bound_bytes=bound * MIB, reserved_bytes=reserve * MIB)


def _collecting_roles(share: str | None, member: str | None, *, judge_only: bool) -> Roles:
    """Return what a process of `wardwatt collect` does; ConfigurationError if its options contradict each other."""
    from api.runtime import Roles

    wrong = ""
    if share is not None and judge_only:
        wrong = "a member of a group stores its share and judges nothing; leave out one of --share and --judge-only"
    elif (share is None) != (member is None):
        wrong = "a group and a name in it belong together: --share plant --member a"
    elif member is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", member):
        wrong = f"{member!r} is no name for a member; use up to 32 letters, digits, - and _"
    if wrong:
        raise ConfigurationError([Problem("", 0, "--share", wrong)])
    return Roles(collect=not judge_only, judge=share is None, serve=False, share=share, member=member)


def _collecting_words(service: Service) -> str:
    name, roles, broker = service.site.name.en, service.roles, _broker_words(service)
    if roles.share is not None:
        return (
            f"Storing a share of what comes from {broker} for {name}, as {roles.member} of group {roles.share}. "
            "Nothing is judged here: one process with --judge-only has to."
        )
    if not roles.collect:
        return (
            f"Judging everything that comes from {broker} for {name}. No readings are stored here: collectors do that."
        )
    return f"Collecting and judging for {name} from {broker}."


def serve(
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    store: StoreOption = None,
    database: DatabaseOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    names: HostsOption = None,
    https: HttpsOption = False,
    classes: ClassesOption = None,
) -> None:
    """Serve pages and API for what is stored, without collecting or judging."""
    options = Options(site, data, None, store, database, host, port, tuple(classes or ()), tuple(names or ()), https)
    with told():
        _serve(options, _roles(collect=False, judge=False), simulate=False)


def demo(
    data: DataOption = DEMO_DATA,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    history: HistoryOption = 500.0,
    small: Annotated[bool, typer.Option("--small", help="The small hospital: 400 beds instead of 800.")] = False,
    seed: SeedOption = None,
) -> None:
    """Show a live hospital: simulator, 500 days of its meters, 30 of everything, and faults in the first minutes."""
    site = SMALL_SITE if small else DEMO_SITE
    with told():
        _serve(
            Options(site, data, host=host, port=port),
            _roles(),
            simulate=True, history_days=history, scenario=site / "scenarios" / "storyline.yaml", seed=seed,
        )  # fmt: skip


def _serve(
    options: Options,
    roles: Roles,
    *,
    simulate: bool,
    history_days: float = 0.0,
    scenario: Path | None = None,
    seed: int | None = None,
) -> None:
    from api.runtime import Service, check_port, now_us
    from api.simulation import Simulation
    from simulators.scenario import load_scenario

    set_up_logs()
    give_memory_back()
    check_port(options.host, options.port)
    with ExitStack() as closing, _sigterm_as_interrupt():
        service = Service(options, roles)
        service.open()
        closing.callback(service.stop)
        simulation = None
        first_time = False
        if simulate:
            truth = options.data / "truth.jsonl"
            planned = load_scenario(scenario, service.site) if scenario is not None else None
            simulation = Simulation(service.site, _bulk(service.store), service.database, truth, planned, seed)
            first_time = not simulation.begun
            _make_past(simulation, history_days if first_time else None)
        service.start()
        if simulation is not None:
            address = broker_address(options.broker or service.broker_url or "")
            simulation.start(address, service.desk, first_time=first_time, now_us=now_us)
            closing.callback(simulation.stop)
        _print_where(service)
        service.run()
        stdout.print("Stopping: the last readings are being stored ...")
    stdout.print("Stopped.")


def _bulk(store: TelemetryStore) -> TelemetryStore:
    """Return the store itself: a past that is written again at the next start needs no spool."""
    return store.keeper if isinstance(store, SpooledStore) else store


def _roles(*, collect: bool = True, judge: bool = True) -> Roles:
    from api.runtime import Roles

    return Roles(collect=collect, judge=judge)


def _make_past(simulation: Simulation, days: float | None) -> None:
    from api.runtime import now_us

    with progress_bar() as bar:
        if days is None:
            bar.add_task("Going on where the simulated hospital stood", total=None)
            simulation.go_on(now_us)
            return
        task = bar.add_task(f"Writing {days:g} days of simulated history", total=1.0)
        simulation.write_past(days, lambda share, _what: bar.update(task, completed=share), now_us)


def _broker_words(service: Service) -> str:
    return service.broker_url or str(broker_address(service.options.broker or ""))


def _print_where(service: Service) -> None:
    options = service.options
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host  # noqa: S104 - compared, not bound
    lines = [f"{service.site.name.zh} · {service.site.name.en}", f"Address:  http://{host}:{options.port}/"]
    if service.first_login is not None:
        lines += [
            f"User: {service.first_login.name}",
            f"Password: {service.first_login.password}",
            "The password is shown this once; change it after the first login.",
        ]
    else:
        lines.append(f"User and password: as before; a new one by: wardwatt user password admin --data {options.data}")
    if service.collector is not None:
        lines.append(f"Broker:   {_broker_words(service)}")
    lines += [f"Data:     {options.data.absolute()}", "Ctrl-C stops."]
    stdout.print("\n".join(lines), markup=False)


class _sigterm_as_interrupt:
    """SIGTERM and SIGINT before the web server takes over end the start-up as Ctrl-C does, without a traceback."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGTERM, self._interrupt)
        # A terminal that closes is no reason to fall over: it ends the service in order, as SIGTERM does.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))

    @staticmethod
    def _interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    stdout.print(f"Stopping process {os.getpid()}: the last readings are being stored ...", markup=False)
