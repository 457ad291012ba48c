"""InfluxQL queries as panels hold them: the one language that InfluxDB 1.x, 2.x and 3.x all answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

Function = Literal["mean", "min", "max", "last", "sum"]

DATA_SOURCE = DataSourceRef(type_val="influxdb", uid="${datasource}")


class InfluxQLQuery(variants.Dataquery):
    """One raw InfluxQL query of a panel."""

    def __init__(self, query: str, ref_id: str, alias: str) -> None:
        self.query, self.ref_id, self.alias = query, ref_id, alias

    def to_json(self) -> dict[str, object]:
        """Return the query as Grafana stores it."""
        return {
            "refId": self.ref_id,
            "datasource": DATA_SOURCE.to_json(),
            "rawQuery": True,
            "query": self.query,
            "resultFormat": "time_series",
            "alias": self.alias,
        }


@dataclass(frozen=True, slots=True)
class PointQuery(builder.Builder[variants.Dataquery]):
    """
    A point of all machines of a class, one series a machine.

    The measurement is the class, the field is the point, and the machine is the tag `equipment`.
    """

    equipment_class: str
    point: str
    function: Function
    ref_id: str
    latest_only: bool = False

    def build(self) -> variants.Dataquery:
        """Return the query: aggregated to the panel's interval, gaps left as gaps."""
        every = "" if self.latest_only else "time($__interval), "
        fill = "" if self.latest_only else " fill(null)"
        text = (
            f'SELECT {self.function}("{self.point}") FROM "{self.equipment_class}" '
            f'WHERE $timeFilter AND "room" =~ /^${{room:regex}}$/ GROUP BY {every}"equipment"{fill}'
        )
        return InfluxQLQuery(text, self.ref_id, "$tag_equipment")


@dataclass(frozen=True, slots=True)
class DailyQuery(builder.Builder[variants.Dataquery]):
    """
    What a register of all machines of a class counted each day, one series a machine.

    Days are the site's: the variable `zone` names them, for the server knows only UTC.
    """

    equipment_class: str
    counter: str  # `register` is a word of the base class
    ref_id: str

    def build(self) -> variants.Dataquery:
        """Return the query; a day of which nothing is known is a gap."""
        text = (
            f'SELECT sum("{self.counter}_used") FROM "{self.equipment_class}" '
            f'WHERE $timeFilter AND "room" =~ /^${{room:regex}}$/ '
            f"GROUP BY time(1d), \"equipment\" fill(null) tz('${{zone}}')"
        )
        return InfluxQLQuery(text, self.ref_id, "$tag_equipment")
