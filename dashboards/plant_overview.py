"""The plant overview: every system of the hospital on one page, the key points of each class against their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId, Threshold, ThresholdsMode

from dashboards.board import NORMAL, board_of, grafana_unit
from dashboards.influxql import DATA_SOURCE, Function, PointQuery
from facility.equipment_classes import SYSTEMS, ClassLibrary, EquipmentClass, Limit, PointSpec
from facility.names import Language, Names

# Colour means abnormal and nothing else (look): normal is grey, and the limits carry the colours of their priority.
_PRIORITY_COLOUR: Final = {"P1": "#d92b34", "P2": "#f59a23", "P3": "#ffd54a", "P4": "#84b9ea"}

SYSTEM_NAMES: Final[dict[str, Names]] = {
    "power": Names(zh="配电房", en="Power room"),
    "oxygen": Names(zh="制氧站", en="Oxygen station"),
    "boilers": Names(zh="锅炉房", en="Boiler room"),
    "pumps": Names(zh="水泵房", en="Pump room"),
    "secondary_water": Names(zh="二次供水", en="Secondary water"),
    "heat": Names(zh="热力站", en="Heat station"),
    "central_ac": Names(zh="中央空调", en="Central AC"),
    "split_ac": Names(zh="分体空调", en="Split AC"),
    "sewage": Names(zh="污水处理", en="Sewage"),
    "lifts": Names(zh="电梯", en="Lifts"),
    "other": Names(zh="其他", en="Other"),
}

_TITLE = Names(zh="Wardwatt 机房总览", en="Wardwatt plant overview")
_DESCRIPTION = Names(
    zh="各系统关键参数与限值。灰色为正常，颜色只表示超限。数据由 Wardwatt 写入 InfluxDB。",
    en="Key points of every system against their limits. Grey is normal, colour means outside a limit. "
    "Wardwatt writes the data to InfluxDB.",
)
_NOW = Names(zh="当前", en="now")


def plant_overview(library: ClassLibrary, language: Language) -> dashboard.Dashboard:
    """Return the builder of the overview for every class of `library`, in one language."""
    board = board_of("plant-overview", _TITLE, _DESCRIPTION, language).refresh("10s").time("now-24h", "now")
    for system in SYSTEMS:
        classes = [c for c in library.classes.values() if c.spec.system == system and _key_points(c)]
        if not classes:
            continue
        board = board.with_row(dashboard.Row(SYSTEM_NAMES[system].in_(language)))
        for cls in classes:
            for name, point in _key_points(cls):
                board = board.with_panel(_now_panel(cls, name, point, language))
                board = board.with_panel(_trend_panel(cls, name, point, language))
    return board


def _key_points(cls: EquipmentClass) -> Iterator[tuple[str, PointSpec]]:
    return ((name, cls.points[name]) for name in cls.spec.key_points)


def limits_of(cls: EquipmentClass, point: str) -> list[Limit]:
    """Return the limits that compare this very point (or its group) with a number, lowest first."""
    found = [
        limit
        for limit in cls.limits
        if limit.threshold is not None
        and (limit.subject == point or (point in limit.condition.points and point.startswith(limit.subject + "_")))
        and len(limit.condition.comparisons) == 1
    ]
    return sorted(found, key=lambda limit: limit.threshold or 0.0)


def _thresholds(cls: EquipmentClass, point: str) -> dashboard.ThresholdsConfig:
    """
    Turn limits into Grafana's steps: a step's colour holds from its value up to the next step.

    Below a low limit stands that limit's colour, between the low and the high limits the normal grey.
    """
    limits = limits_of(cls, point)
    low = [li for li in limits if li.condition.comparisons[0].op in ("<", "<=")]
    high = [li for li in limits if li.condition.comparisons[0].op in (">", ">=")]
    steps = [Threshold(value=None, color=_PRIORITY_COLOUR[low[0].spec.priority] if low else NORMAL)]
    for i, limit in enumerate(low):
        above = _PRIORITY_COLOUR[low[i + 1].spec.priority] if i + 1 < len(low) else NORMAL
        steps.append(Threshold(value=limit.threshold, color=above))
    steps += [Threshold(value=limit.threshold, color=_PRIORITY_COLOUR[limit.spec.priority]) for limit in high]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _describe(cls: EquipmentClass, name: str, language: Language) -> str:
    limits = "; ".join(
        f"{limit.spec.priority} {limit.spec.name.in_(language)}: {limit.spec.when} ({limit.id}, {limit.spec.source})"
        for limit in limits_of(cls, name)
    )
    point = cls.points[name]
    return f"{cls.spec.name.in_(language)}: {point.name.in_(language)}" + (f". {limits}" if limits else "")


def _title(cls: EquipmentClass, point: PointSpec, language: Language) -> str:
    unit = f" {point.unit}" if point.unit else ""
    return f"{cls.spec.name.in_(language)} · {point.name.in_(language)}{unit}"


def _now_panel(cls: EquipmentClass, name: str, point: PointSpec, language: Language) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(f"{_title(cls, point, language)} · {_NOW.in_(language)}")
        .description(_describe(cls, name, language))
        .datasource(DATA_SOURCE)
        .with_target(PointQuery(cls.id, name, "last", "A", latest_only=True))
        .unit(grafana_unit(point.unit))
        .thresholds(_thresholds(cls, name))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .no_value("?")
        .height(6)
        .span(8)
    )
    return panel if point.decimals is None else panel.decimals(point.decimals)


def _trend_panel(cls: EquipmentClass, name: str, point: PointSpec, language: Language) -> timeseries.Panel:
    # A bar of the highest and lowest value would hide nothing; a mean of a state would show what never was.
    function: Function = "last" if point.kind == "state" else "mean"
    panel = (
        timeseries.Panel()
        .title(_title(cls, point, language))
        .description(_describe(cls, name, language))
        .datasource(DATA_SOURCE)
        .with_target(PointQuery(cls.id, name, function, "A"))
        .unit(grafana_unit(point.unit))
        .thresholds(_thresholds(cls, name))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.SHADES).fixed_color(NORMAL))
        .show_points(VisibilityMode.NEVER)
        .line_width(1)
        .fill_opacity(0)
        # A gap is a gap: never joined, never zero.
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .placement(LegendPlacement.RIGHT)
            .display_mode(LegendDisplayMode.LIST)
            .calcs([])
        )
        .height(6)
        .span(16)
    )
    if point.scale:
        panel = panel.axis_soft_min(point.scale[0]).axis_soft_max(point.scale[1])
    return panel if point.decimals is None else panel.decimals(point.decimals)
