"""The `wardwatt` command."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands import bench, discover, energy, people, quarantine, service, simulation, site, store, tariffs

app = typer.Typer(
    name="wardwatt",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,  # a traceback may be pasted into a report; local values are not for that
    help="Wardwatt watches a hospital's plant rooms and saves its energy.",
)

app.command()(service.run)
app.command()(service.demo)
app.command()(service.collect)
app.command()(service.serve)
app.command()(simulation.simulate)
app.command()(simulation.replay)
app.command()(site.check)
app.command()(site.doctor)
app.command()(discover.discover)
app.command()(site.dashboards)
app.command()(tariffs.tariffs)
app.command()(bench.evaluate)
app.add_typer(store.app, name="store")
app.add_typer(bench.app, name="bench")
app.add_typer(energy.app, name="energy")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(people.user_app, name="user")
app.add_typer(people.token_app, name="token")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("wardwatt"))
        raise typer.Exit


@app.callback()
def _common(
    _wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; Ctrl-C leaves without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
