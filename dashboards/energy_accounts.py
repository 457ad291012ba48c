"""The energy accounts by day: what every register counted, from the books that Wardwatt writes beside the readings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, timeseries
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId, Threshold, ThresholdsMode

from dashboards.board import NORMAL, board_of, grafana_unit
from dashboards.influxql import DATA_SOURCE, DailyQuery
from facility.equipment_classes import Carrier, ClassLibrary, EquipmentClass, PointSpec
from facility.metering import BOUGHT, CARRIER_NAMES
from facility.names import Language, Names

_TITLE = Names(zh="Wardwatt 能耗台账", en="Wardwatt energy accounts")
_DESCRIPTION = Names(
    zh="每块表每日用量，取自 Wardwatt 台账：已处理翻转、换表、复位与中断补抄。没有数据的日子留空，不记为零。",
    en="What every register counted by day, from Wardwatt's books: through roll-overs, exchanges, resets and outages. "
    "A day without data is a gap and not zero.",
)
_ZONE = Names(zh="时区", en="Time zone")
_USED = Names(zh="每日用量", en="used by day")
_MADE = Names(zh="每日产量", en="made by day")
# What a plant makes comes after what it takes; neither is added to the other.
_CARRIERS: Final[tuple[Carrier, ...]] = (*BOUGHT, "cooling", "air", "hot_water", "sewage")


def energy_accounts(library: ClassLibrary, language: Language) -> dashboard.Dashboard:
    """Return the builder of the accounts' board for every class of `library`, in one language."""
    board = board_of("energy-accounts", _TITLE, _DESCRIPTION, language).refresh("15m").time("now-31d", "now")
    board = board.with_variable(
        dashboard.TextBoxVariable("zone").label(_ZONE.in_(language)).default_value("Asia/Shanghai")
    )
    for carrier in _CARRIERS:
        registers = list(_registers(library, carrier))
        if not registers:
            continue
        board = board.with_row(dashboard.Row(CARRIER_NAMES[carrier].in_(language)))
        for cls, name, point in registers:
            board = board.with_panel(_panel(cls, name, point, language))
    return board


def _registers(library: ClassLibrary, carrier: Carrier) -> Iterator[tuple[EquipmentClass, str, PointSpec]]:
    for cls in library.classes.values():
        for name, point in cls.points.items():
            if point.carrier == carrier:
                yield cls, name, point


def _panel(cls: EquipmentClass, name: str, point: PointSpec, language: Language) -> timeseries.Panel:
    what = (_USED if point.flow == "in" else _MADE).in_(language)
    title = f"{cls.spec.name.in_(language)} · {point.name.in_(language)} · {what} {point.unit}"
    return (
        timeseries.Panel()
        .title(title)
        .description(f"{title}. {_DESCRIPTION.in_(language)}")
        .datasource(DATA_SOURCE)
        .with_target(DailyQuery(cls.id, name, "A"))
        .unit(grafana_unit(point.unit))
        .thresholds(
            dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value=None, color=NORMAL)])
        )
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.SHADES).fixed_color(NORMAL))
        .draw_style(GraphDrawStyle.BARS)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        .fill_opacity(60)
        .line_width(1)
        .axis_soft_min(0)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .placement(LegendPlacement.RIGHT)
            .display_mode(LegendDisplayMode.LIST)
            .calcs(["sum"])
        )
        .height(7)
        .span(12)
    )
