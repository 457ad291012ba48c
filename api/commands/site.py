"""`wardwatt check`, `doctor` and `dashboards`: looking at what is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from api.commands.options import (
    DEFAULT_DATA,
    DEFAULT_SITE,
    BrokerOption,
    ClassesOption,
    DatabaseOption,
    DataOption,
    JsonOption,
    SiteArgument,
    StoreOption,
    fail,
    options_of,
    print_json,
    stdout,
    told,
)
from api.commands.tariffs import contracts_json, plans_told
from api.doctor import examine
from api.options import Options
from facility.errors import ConfigurationError

_SIGN: Final = {"well": "  ok  ", "wrong": "WRONG ", "cannot tell": "  ?   "}


def check(
    site: Annotated[Path, typer.Argument(help="Site file, or the folder that holds it.")] = DEFAULT_SITE,
    classes: ClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a site file and the equipment classes; tells every mistake with its line, value and mend."""
    options = options_of(site, DEFAULT_DATA, classes=classes)
    try:
        loaded = options.load_site()
    except ConfigurationError as error:
        if not as_json:
            with told():
                raise
        print_json(
            {
                "problems": [
                    {"file": p.file, "line": p.line, "place": p.place, "message": p.message} for p in error.problems
                ]
            }
        )
        raise typer.Exit(2) from None
    meters = sum(1 for e in loaded.equipment.values() if e.is_meter)
    left_out = [{"file": p.file, "line": p.line, "place": p.place, "message": p.message} for p in loaded.left_out]
    if as_json:
        print_json(
            {
                "problems": left_out, "site": loaded.id, "equipment": len(loaded.equipment),
                "points": len(loaded.points), "meters": meters,
                "departments": len(loaded.departments), "shifts": len(loaded.shifts),
                "contractors": len(loaded.contractors), "contracts": contracts_json(loaded),
            }
        )  # fmt: skip
        if left_out:
            raise typer.Exit(2)
        return
    if loaded.left_out:
        # The service runs without these; a person who checks wants to mend them.
        with told():
            raise ConfigurationError(loaded.left_out)
    stdout.print(
        f"{loaded.name.zh} · {loaded.name.en}: {len(loaded.rooms)} rooms, {len(loaded.equipment)} machines "
        f"({meters} meters), {len(loaded.points)} points, {len(loaded.departments)} departments, "
        f"{len(loaded.shifts)} shifts, {len(loaded.contractors)} contractors. No mistakes.",
        markup=False,
    )
    for line in plans_told(loaded):
        stdout.print(line, markup=False)


def doctor(
    site: SiteArgument = DEFAULT_SITE,
    data: DataOption = DEFAULT_DATA,
    broker: BrokerOption = None,
    store: StoreOption = None,
    database: DatabaseOption = None,
    host: Annotated[str, typer.Option("--host", help="Address of the pages.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port of the pages.")] = 8080,
    listen: Annotated[
        float, typer.Option("--listen", help="Seconds to listen at the broker.", min=0.0, max=600.0)
    ] = 3.0,
    classes: ClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with this installation, and the mend: site file, ports, disk, clock, store, broker, mapping."""
    options = Options(site, data, broker, store, database, host, port, tuple(classes or ()))
    wrong = 0
    found = []
    for one in examine(options, listen):
        wrong += one.verdict == "wrong"
        if as_json:
            found.append({"check": one.name, "verdict": one.verdict, "told": one.told, "mend": one.mend})
        else:
            stdout.print(f"{_SIGN[one.verdict]} {one.name}: {one.told}", markup=False)
            if one.mend:
                stdout.print(f"       -> {one.mend}", markup=False)
    if as_json:
        print_json({"checks": found, "wrong": wrong})
    if wrong:
        raise typer.Exit(1)


def dashboards(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the JSON files.")] = Path(
        "grafana-dashboards"
    ),
    classes: ClassesOption = None,
) -> None:
    """Write Grafana's dashboards for the class library, those of your own classes included."""
    try:
        from dashboards.generate import generated
    except ImportError:
        fail("Grafana's SDK is not installed; run: pip install 'wardwatt[dashboards]'", 3)
    with told():
        library = options_of(DEFAULT_SITE, DEFAULT_DATA, classes=classes).library()
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in generated(library).items():
            (folder / name).write_text(text, encoding="utf-8")
            stdout.print(str(folder / name), markup=False)
