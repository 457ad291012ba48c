"""`wardwatt bench ...` and `wardwatt evaluate`: figures that were measured, not claimed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from api.commands.options import JsonOption, print_json, stages, stdout, told
from api.options import LARGE_SITE

app = typer.Typer(no_args_is_help=True, help="Measure speeds, each against something else in the same run.")


@app.callback()
def _bench() -> None:
    pass


@app.command()
def ingest(
    messages: Annotated[int, typer.Option("--messages", help="Messages a round, six values each.", min=100)] = 100_000,
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds of each receiver; medians count.", min=1)] = 3,
    as_json: JsonOption = False,
) -> None:
    """
    Messages a second stored and acknowledged, against a bare paho loop that does nothing else.

    One collector with DuckDB, two that share a subscription, and one with InfluxDB where its server is installed.
    """
    from collector.benchmark import run

    with told():
        result = run(messages, rounds)
    if as_json:
        print_json(result)
        return
    table = Table("", "")
    for name, part in result.items():
        for key, value in _flat(name, part).items():
            table.add_row(key, f"{value:,}" if isinstance(value, int) else str(value))
    stdout.print(table)


@app.command()
def store(
    readings: Annotated[int, typer.Option("--readings", help="So many fill the store.", min=10_000)] = 100_000_000,
    rounds: Annotated[int, typer.Option("--rounds", help="How often each query is asked.", min=1)] = 100,
    store: Annotated[
        str | None,
        typer.Option("--store", help="An empty influxdb://... to measure instead, with fewer readings, say 1000000."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where the DuckDB file is made and deleted."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Writing, the queries of pages and dashboards, bytes a reading; on a store filled with a site's readings."""
    from facility.store.benchmark import run
    from facility.store.opening import open_store

    with (
        told(),
        _working_folder(folder) as place,
        stages() as progress,
        open_store(store or place / "telemetry.duckdb") as opened,
    ):
        result = {"store": "influxdb" if store else "duckdb"} | run(opened, place, readings, rounds, progress)
    _print(result, as_json)


@app.command()
def simulate(
    site: Annotated[Path, typer.Option("--site", "-s", help="Site file, or its folder.")] = LARGE_SITE,
    days: Annotated[float, typer.Option("--days", help="So long a past is written, at 15 min.", min=0.1)] = 365.0,
    seconds: Annotated[int, typer.Option("--seconds", help="So many live seconds.", min=1)] = 60,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same hospital.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the DuckDB files are made and deleted.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A year of a simulated hospital into DuckDB, against the store alone; and what a live second takes."""
    from facility.site_file import load_site
    from facility.store.opening import open_store
    from simulators.benchmark import run

    with (
        told(),
        _working_folder(folder) as place,
        stages() as progress,
        open_store(place / "past.duckdb") as store,
        open_store(place / "alone.duckdb") as other,
    ):
        result = run(load_site(site), store, other, days, seconds, seed, progress)
    if not as_json:
        result = {key: value for name, part in result.items() for key, value in _flat(name, part).items()}
    _print(result, as_json)


@app.command()
def baseline(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            envvar="WARDWATT_RECORDED_DATA",
            help="Folder of recorded meters: opendsm/, eensight/, power_demand/, shootout/, or some of them.",
        ),
    ],
    opendsm: Annotated[
        Path | None,
        typer.Option("--opendsm", help="A Python that has opendsm, to judge its models on the same splits."),
    ] = None,
    years: Annotated[
        int, typer.Option("--years", help="Synthetic years of each kind to judge savings on; 0 leaves out.", min=0)
    ] = 40,
    as_json: JsonOption = False,
) -> None:
    """Baselines out of sample and seconds of a fit, beside OpenDSM's own models; and savings that are known."""
    from analytics.energy.baseline_benchmark import run
    from analytics.energy.savings_benchmark import savings_benchmark

    with told(), stages() as progress:
        result = run(data, opendsm, lambda name, share: progress("baselines", share))
        if years:
            result["savings"] = savings_benchmark(data, years)
    if not as_json:
        result = {key: value for name, part in result.items() for key, value in _flat(name, part).items()}
    _print(result, as_json)


@app.command()
def forecast(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            envvar="WARDWATT_RECORDED_DATA",
            help="Folder of recorded meters: opendsm/, eensight/, power_demand/, or some of them.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """How near the forecasts to month's end come, and how often their intervals hold the truth; beside pro rata."""
    from analytics.energy.forecast_benchmark import run

    with told():
        result = run(data)
    if not as_json:
        result = {key: value for name, part in result.items() for key, value in _flat(name, part).items()}
    _print(result, as_json)


@app.command()
def accounts(
    meters: Annotated[
        int, typer.Option("--meters", help="So many electricity meters, read every 15 min.", min=30)
    ] = 1000,
    days: Annotated[int, typer.Option("--days", help="So many days, the last month of which is booked first.")] = 365,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where store and database are made and deleted.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A month's accounts from nothing, then a year of late readings and a year restated; with memory."""
    from analytics.energy.accounts_benchmark import run
    from facility.store.duckdb import DuckDBStore

    with (
        told(),
        _working_folder(folder) as place,
        stages() as progress,
        DuckDBStore(place / "telemetry.duckdb", zone="Asia/Shanghai") as store,
    ):
        result = run(store, store.compact, place, meters, days, progress)
    if not as_json:
        result = {key: value for name, part in result.items() for key, value in _flat(name, part).items()}
    _print(result, as_json)


@contextmanager
def _working_folder(folder: Path | None) -> Iterator[Path]:
    """Give an empty folder below `folder`, which is made if need be, and delete it afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wardwatt-bench-", dir=folder) as name:
        yield Path(name)


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    table = Table("", "")
    for key, value in result.items():
        table.add_row(key, f"{value:,}" if isinstance(value, int) else str(value))
    stdout.print(table)


def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the recorded water-pump rig: anomaly-free/ and valve1/ with *.csv.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Score the anomaly detector on recorded data with truth; false alarms on the healthy recording first."""
    from analytics.anomaly.evaluation import evaluate_rig

    with told():
        result = evaluate_rig(folder)
    if as_json:
        print_json(result)
        return
    rows = {**_flat("healthy", result["healthy"]), **_flat("labelled", result["labelled"])}
    table = Table("figure", "value")
    for key, value in rows.items():
        table.add_row(key, f"{value:.4g}" if isinstance(value, float) else str(value))
    stdout.print(table)


def _flat(name: str, data: Any) -> dict[str, Any]:
    """Return nested figures in one row each, named by their way down."""
    if not isinstance(data, dict):
        return {name: data}
    return {key: value for part, inner in data.items() for key, value in _flat(f"{name} {part}", inner).items()}
