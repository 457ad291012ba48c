"""What all boards have in common: uid, data source, the choice of rooms, units and the colour of what is normal."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableRefresh, VariableSort

from dashboards.influxql import DATA_SOURCE
from facility.names import Language, Names

NORMAL: Final = "#8e979b"

# Grafana's names for our units; what it does not know is shown as a suffix.
_GRAFANA_UNITS: Final = {
    "%": "percent", "°C": "celsius", "K": "kelvin", "kW": "kwatt", "kWh": "kwatth", "kVA": "kvoltamp", "V": "volt",
    "kV": "kvolt", "A": "amp", "Hz": "hertz", "kPa": "pressurekpa", "h": "h", "": "none", "m³": "m3", "ppm": "ppm",
    "r/min": "rotrpm", "L/min": "flowlpm",
}  # fmt: skip

_ROOM = Names(zh="机房", en="Room")
_SOURCE = Names(zh="数据源", en="Data source")


def grafana_unit(unit: str) -> str:
    """Return what Grafana calls a unit of ours."""
    return _GRAFANA_UNITS.get(unit, f"suffix: {unit}")


def board_of(name: str, title: Names, description: Names, language: Language) -> dashboard.Dashboard:
    """Return a board without panels, with the choice of data source and rooms."""
    return (
        dashboard.Dashboard(title.in_(language))
        .uid(f"wardwatt-{name}-{language}")
        .description(description.in_(language))
        .tags(["wardwatt", language])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label(_SOURCE.in_(language)).type("influxdb"))
        .with_variable(
            dashboard.QueryVariable("room")
            .label(_ROOM.in_(language))
            .datasource(DATA_SOURCE)
            .query('SHOW TAG VALUES WITH KEY = "room"')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
