"""Options that several commands share, and how a command fails: one clear message, and a code other than zero."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from api.errors import ApiError
from api.options import DEMO_SITE, Options, read_broker_url
from facility.errors import ConfigurationError, StoreUnavailable, WardwattError

stdout: Final = Console(highlight=False, soft_wrap=True)
stderr: Final = Console(stderr=True, highlight=False, soft_wrap=True)

SiteArgument = Annotated[
    Path, typer.Option("--site", "-s", envvar="WARDWATT_SITE", help="Site file, or the folder that holds it.")
]
DataOption = Annotated[
    Path, typer.Option("--data", "-d", envvar="WARDWATT_DATA", help="Folder for everything that Wardwatt writes.")
]
BrokerOption = Annotated[
    str | None,
    typer.Option(
        "--broker", "-b", envvar="WARDWATT_BROKER",
        help="MQTT broker: mqtt://user:password@host:1883 or mqtts://host:8883. Without it, a broker runs inside.",
    ),
]  # fmt: skip
StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="WARDWATT_STORE", help="Telemetry store. Without it, DuckDB in the data folder."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", envvar="WARDWATT_DATABASE",
        help="sqlite:////path/file.db or postgresql://user@host/name. Without it, an SQLite file in the data folder.",
    ),
]  # fmt: skip
ClassesOption = Annotated[
    list[Path] | None,
    typer.Option("--classes", envvar="WARDWATT_CLASSES", help="Folder with equipment classes of your own; may repeat."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]

DEFAULT_DATA: Final = Path("data")
DEMO_DATA: Final = Path("data") / "demo"
DEFAULT_SITE: Final = DEMO_SITE
_ON_SITE: Final = {
    "site": (SiteArgument, DEFAULT_SITE), "data": (DataOption, DEFAULT_DATA), "store": (StoreOption, None),
    "database": (DatabaseOption, None), "classes": (ClassesOption, None),
}  # fmt: skip


def options_of(
    site: Path,
    data: Path,
    broker: str | None = None,
    store: str | None = None,
    database: str | None = None,
    classes: list[Path] | None = None,
) -> Options:
    """Gather what the shared options say."""
    return Options(site=site, data=data, broker=broker, store=store, database=database, classes=tuple(classes or ()))


def on_site(*, store: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the options that name a site and its data; it takes them together, as `options`.

    Parameters
    ----------
    store : the command may be told which telemetry store
    """
    shared = {name: option for name, option in _ON_SITE.items() if store or name != "store"}

    def given_to(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**given: Any) -> None:
            command(options=options_of(**{name: given.pop(name) for name in shared}), **given)

        own = [p for p in signature(command, eval_str=True).parameters.values() if p.name != "options"]
        own += [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)
            for name, (annotation, default) in shared.items()
        ]
        # What Typer reads to know the options.
        with_options.__signature__ = Signature(own)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in own}
        return with_options

    return given_to


def broker_url(broker: str | None, data: Path) -> str:
    """Return the broker that a publishing command talks to: the one named, else that of the service with this data."""
    # After `make demo` one does not want to name the demo's data folder with each command.
    demo = DEMO_DATA if data == DEFAULT_DATA else data
    return broker or read_broker_url(data) or read_broker_url(demo) or "mqtt://127.0.0.1:1883"


def fail(message: str, code: int = 1) -> NoReturn:
    """Print why it did not work, and leave."""
    stderr.print(message, markup=False)
    raise typer.Exit(code)


@contextmanager
def told() -> Iterator[None]:
    """Turn our own errors into a message and an exit code; what is unexpected keeps its traceback."""
    try:
        yield
    except ConfigurationError as error:
        lines = list(map(str, error.problems))
        if any(p.file for p in error.problems):
            lines.append(f"{len(lines)} mistake{'s' if len(lines) > 1 else ''} found.")
        fail("\n".join(lines), 2)
    except StoreUnavailable as error:
        fail(str(error), 3)
    except ApiError as error:
        fail(f"{error.message} {error.mend}".strip(), 2)
    except (WardwattError, ValueError) as error:
        fail(str(error), 2)
    except FileNotFoundError as error:
        fail(f"{error.filename}: the file is not there; check its name", 2)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), 3)


def print_json(data: Any) -> None:
    """Print one JSON object on a line of its own; what is not known (NaN) is null."""
    typer.echo(json.dumps(_known(data), ensure_ascii=False, allow_nan=False, default=str))


def _known(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _known(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_known(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def progress_bar() -> Progress:
    """Return a progress bar on the error stream, so that results can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(text_format_no_percentage=""),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
    )


@contextmanager
def stages() -> Iterator[Callable[[str, float], None]]:
    """Show a bar for each stage of long work; gives a function that takes the stage and the share that is done."""
    with progress_bar() as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, share: float) -> None:
            for other, task in tasks.items():
                if other != what:
                    bar.update(task, completed=1.0)
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0)
            bar.update(tasks[what], completed=share)

        yield show
