"""
Pictures of the simulated hospital: of each plant family a normal day and a normal year, and of each fault a run with
it and without it. Needs matplotlib (`pip install wardwatt[plots]`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from facility.site import Equipment, Site
from simulators.contrast import Contrast, Contrasts
from simulators.fault_catalogue import catalogue
from simulators.hospital import Hospital

Array = NDArray[np.float64]
Times = NDArray[np.int64]
Progress = Callable[[float, str], None]

_US: Final = 1_000_000
_DAY_S: Final = 86400
_YEAR: Final = 2026
_YEAR_STEP_S: Final = 900
_INCHES: Final = (8.0, 4.5)  # at 100 dpi
_SHADES: Final = 5
_MOST_PANELS: Final = 4
_MOST_LINES: Final = 4
_MOST_POINTS: Final = 700  # more than these no picture of this size can show
# Of a run of at most so many days [d] the line shows means of so long [s]: machines take turns by the week.
_STRETCHES: Final = ((3, 0), (21, 7200), (300, _DAY_S), (400, 14 * _DAY_S))
Look = tuple[str, float]  # colour, and width of the line
# Told apart also by those who see no red or no green (Okabe and Ito 2008).
_LINES: Final = (("#0072b2", 1.0), ("#d55e00", 1.0), ("#009e73", 1.0), ("#cc79a7", 1.0))
_BAND: Final = 0.2  # how strongly the stretch from smallest to largest is coloured
_HEALTHY: Final = ("#93a1b0", 2.4)
_SICK: Final = ("#c44601", 0.9)
_THERE: Final = "#f3e9dc"  # behind the time in which a fault is there
_GRID: Final = "#dde3ea"
_STYLE: Final = {"titlesize": 8.5, "labelsize": 7.5, "ticksize": 7.0}


@dataclass(frozen=True, slots=True)
class Family:
    """
    What the pictures of a plant family show.

    Attributes
    ----------
    day : the day of its normal day, on which the plant is at work
    panels : two to four points as `class/point`; each shows the first machines of the class
    """

    day: str
    panels: tuple[str, ...]


_WINTER: Final = "2026-01-14"
_SUMMER: Final = "2026-07-15"

# By the name that the pictures bear on the pages of docs/simulators/.
FAMILIES: Final[Mapping[str, Family]] = {
    "outdoors": Family(
        _SUMMER,
        (
            "weather_station/outdoor_temperature",
            "weather_station/wet_bulb_temperature",
            "weather_station/outdoor_humidity",
            "weather_station/solar_radiation",
        ),
    ),
    "power": Family(
        _SUMMER,
        (
            "hv_incomer/active_power",
            "dry_type_transformer/winding_temperature_a",
            "lv_feeder/active_power",
            "capacitor_bank/steps_on",
        ),
    ),
    "boilers": Family(
        _WINTER,
        (
            "gas_steam_boiler/steam_flow",
            "gas_steam_boiler/flue_temperature",
            "gas_meter/flow",
            "feedwater_station/condensate_temperature",
        ),
    ),
    "heating": Family(
        _WINTER,
        (
            "heat_exchanger/secondary_supply_temperature",
            "heat_exchanger/secondary_flow",
            "hot_water_station/flow",
            "gas_hot_water_boiler/gas_flow",
        ),
    ),
    "gases": Family(
        _WINTER,
        (
            "oxygen_outlet_station/flow",
            "psa_oxygen_generator/oxygen_purity",
            "medical_air_plant/flow",
            "medical_vacuum_plant/pipeline_pressure",
        ),
    ),
    "pumps": Family(_SUMMER, ("pump/flow", "pump/outlet_pressure", "pump/active_power", "pump/vibration_velocity")),
    "water": Family(
        _SUMMER,
        (
            "water_meter/flow",
            "booster_set/outlet_pressure",
            "water_tank/level",
            "water_quality_station/free_chlorine",
        ),
    ),
    "cooling": Family(
        _SUMMER,
        (
            "chiller/active_power",
            "chiller/chilled_water_supply_temperature",
            "chiller/condensing_temperature",
            "cooling_tower/outlet_temperature",
        ),
    ),
    "airside": Family(
        _SUMMER,
        (
            "air_handling_unit/supply_air_temperature",
            "air_handling_unit/cooling_valve",
            "operating_room/room_pressure",
            "isolation_room/room_pressure",
        ),
    ),
    "split": Family(_SUMMER, ("split_air_conditioner/active_power", "split_air_conditioner/room_temperature")),
    "sewage": Family(
        _WINTER,
        (
            "sewage_plant/inlet_flow",
            "sewage_plant/total_chlorine",
            "sewage_plant/dissolved_oxygen",
            "sewage_plant/equalisation_level",
        ),
    ),
    "lifts": Family(_WINTER, ("lift/active_power", "lift/machine_temperature", "lift/vibration")),
    "waste-store": Family(_SUMMER, ("medical_waste_store/weight", "medical_waste_store/temperature")),
    "rooms": Family(_SUMMER, ("room_environment/temperature", "room_environment/humidity")),
}


def draw(site: Site, folder: Path, seed: int = 1, only: Sequence[str] = (), progress: Progress | None = None) -> int:
    """
    Draw the pictures of a site's plant families and of all faults into a folder, as PNG.

    Parameters
    ----------
    only : families and fault IDs; empty: all
    progress : told the share that is done, and what is being drawn

    Returns
    -------
    How many pictures were drawn. ValueError if `only` names what is neither family nor fault.
    """
    unknown = [name for name in only if name not in FAMILIES and name not in catalogue()]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: neither a plant family ({', '.join(FAMILIES)}) nor a fault's ID")
    folder.mkdir(parents=True, exist_ok=True)
    families = [name for name in FAMILIES if not only or name in only]
    # What a gateway does to messages is seen on their way, not in what the sensors show.
    faults = [f.id for f in catalogue().values() if f.target != "gateway" and (not only or f.id in only)]
    drawn = 0
    for name, figure in chain(_of_families(site, seed, families), _of_faults(site, seed, faults)):
        _save(figure, folder / f"{name}.png")
        drawn += 1
        if progress is not None:
            progress(drawn / (2 * len(families) + len(faults)), name)
    return drawn


def _of_families(site: Site, seed: int, families: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """Yield the normal day and the normal year of plant families."""
    if not families:
        return
    for name in families:
        start_us = _at(site, FAMILIES[name].day)
        times = start_us + np.arange(0, _DAY_S, 60, dtype=np.int64) * _US
        values = Hospital(site, seed).run(times)
        yield f"{name}-normal-day", _normal(site, times, values, FAMILIES[name], f"{_words(name)}: a normal day")
    wanted = {key for name in families for panel in FAMILIES[name].panels for key in _keys(site, panel)}
    times, year = _year(site, seed, wanted)
    for name in families:
        yield f"{name}-normal-year", _normal(site, times, year, FAMILIES[name], f"{_words(name)}: a normal year")


def _words(family: str) -> str:
    return family.replace("-", " ").capitalize()


def _year(site: Site, seed: int, wanted: set[str]) -> tuple[Times, Mapping[str, Array]]:
    """Run a whole year and keep what is wanted of it."""
    hospital = Hospital(site, seed)
    start_us, end_us = _at(site, f"{_YEAR}-01-01"), _at(site, f"{_YEAR + 1}-01-01")
    times = np.arange(start_us, end_us, _YEAR_STEP_S * _US, dtype=np.int64)
    # Month by month: all points of a year together would take a gigabyte.
    parts = [
        {key: value for key, value in hospital.run(part).items() if key in wanted}
        for part in np.array_split(times, 12)
    ]  # fmt: skip
    return times, {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _normal(site: Site, times: Times, values: Mapping[str, Array], family: Family, title: str) -> Figure:
    figure = _figure(title)
    for panel, axes in zip(family.panels, _panels(figure, len(family.panels)), strict=True):
        keys = _keys(site, panel)
        for look, key in zip(_LINES, keys, strict=False):
            # Bands of several machines would hide each other.
            _line(axes, site, times, values[key], key, look, _machine(site, key).name.en, band=len(keys) == 1)
        _label(axes, site, keys[0], _machine(site, keys[0]).name.en if len(keys) == 1 else "")
        if len(keys) > 1:
            axes.legend(fontsize=6, loc="best", framealpha=1.0)
    return figure


def _of_faults(site: Site, seed: int, faults: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    contrasts = Contrasts(site, seed)
    for fault in faults:
        yield f"fault-{fault}", _contrast(site, contrasts.of(fault))


def _contrast(site: Site, shown: Contrast) -> Figure:
    fault = shown.fault
    figure = _figure(f"{fault.id} {fault.name.en}: {shown.item.name.en}")
    keys = _telling(shown)
    for key, axes in zip(keys, _panels(figure, len(keys)), strict=True):
        axes.axvspan(*_days(site, np.array([shown.from_us, shown.to_us])), color=_THERE, linewidth=0)
        # The broad line lies under the thin one: where nothing is told any more, it is seen alone.
        for values, look, label in ((shown.healthy, _HEALTHY, "without the fault"), (shown.sick, _SICK, "with it")):
            _line(axes, site, shown.time_us, values[key], key, look, label, fault.of_data)
        machine = "" if _machine(site, key) is shown.item else _machine(site, key).name.en
        _label(axes, site, key, machine, fault.of_data)
    figure.axes[0].legend(fontsize=6, loc="best", framealpha=1.0)
    return figure


def _telling(shown: Contrast) -> list[str]:
    """Return up to four points, what moves most first: one of each quantity, and at least one of other machines."""
    own: dict[str, str] = {}
    others: dict[str, str] = {}
    for key in shown.healthy:
        equipment, point = key.split("/")
        # Phases, ends and sensors of one quantity move alike.
        quantity = re.sub(r"_([abc]|ab|bc|ca|[0-9]|de|nde)$", "", point)
        (own if equipment == shown.item.id else others).setdefault(quantity, key)
    room = _MOST_PANELS - 1 if others else _MOST_PANELS
    return [*list(own.values())[:room], *others.values()][:_MOST_PANELS]


def _line(
    axes: Axes,
    site: Site,
    times: Times,
    value: Array,
    key: str,
    look: Look,
    label: str,
    as_told: bool = False,
    band: bool = False,
) -> None:
    """Draw a point; of a register what it has counted since the beginning, unless it is wanted as it is told."""
    spec = site.point(key)
    assert spec is not None
    if spec.kind == "total_increasing" and not as_told:
        value = value - value[0]
    colour, width = look
    step_us, length_us = times[1] - times[0], times[-1] - times[0]
    # What comes and goes within hours would hide what grows over days.
    stretch_s = next(s for longest_d, s in _STRETCHES if length_us <= longest_d * _DAY_S * _US)
    if band:
        stretch_s = min(stretch_s, _DAY_S)
    size = max(stretch_s * _US // step_us, -(-len(times) // _MOST_POINTS))
    if size == 1 or spec.kind == "state":
        axes.plot(_days(site, times), value, color=colour, linewidth=width, label=label, drawstyle="steps-post")
        return
    # A point of the line for each stretch: its mean, perhaps in a band from its smallest to its largest.
    count = len(times) // size
    stretches = value[: count * size].reshape(count, size)
    at = _days(site, times[: count * size].reshape(count, size)[:, size // 2])
    if band:
        axes.fill_between(at, stretches.min(axis=1), stretches.max(axis=1), color=colour, alpha=_BAND, linewidth=0)
    axes.plot(at, stretches.mean(axis=1), color=colour, linewidth=width, label=label)


def _label(axes: Axes, site: Site, key: str, machine: str, as_told: bool = False) -> None:
    spec = site.point(key)
    assert spec is not None
    title = f"{machine}: {spec.name.en}" if machine else spec.name.en
    since = ", so far" if spec.kind == "total_increasing" and not as_told else ""
    axes.set_title(f"{title}{since}", fontsize=_STYLE["titlesize"], loc="left")
    if spec.states is not None:
        axes.set_yticks(list(spec.states), [word.replace("_", " ") for word in spec.states.values()])
    elif spec.unit:
        axes.set_ylabel(spec.unit, fontsize=_STYLE["labelsize"])
    axes.tick_params(labelsize=_STYLE["ticksize"])
    axes.grid(color=_GRID, linewidth=0.5)
    axes.margins(x=0)
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_fontsize(_STYLE["ticksize"])


def _figure(title: str) -> Figure:
    figure = Figure(figsize=_INCHES, dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=10)
    figure.supxlabel("site time", fontsize=_STYLE["labelsize"])
    return figure


def _panels(figure: Figure, count: int) -> list[Axes]:
    """Return panels one above the other, or two by two where there are four."""
    rows, columns = (2, 2) if count == 4 else (count, 1)
    return [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
        few.save(path, optimize=True)


@cache
def _palette() -> Image.Image:
    """Return the few colours that pictures are stored in: those of the lines, thinned towards what lies behind them."""
    inks = ["#000000", *(colour for colour, _ in (*_LINES, _HEALTHY, _SICK))]
    colours = [_rgb(ground) for ground in ("#ffffff", _THERE, _GRID)]
    for ground in colours[:2]:
        for ink in inks:
            colours += [_mixed(ground, _rgb(ink), share / _SHADES) for share in range(1, _SHADES + 1)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    return palette


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(ground: tuple[int, int, int], ink: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(g + (i - g) * share) for g, i in zip(ground, ink, strict=True))
    return red, green, blue


def _keys(site: Site, panel: str) -> list[str]:
    class_id, _, point = panel.partition("/")
    keys = [f"{e.id}/{point}" for e in site.equipment.values() if e.cls.id == class_id and point in e.points]
    if not keys:
        raise ValueError(f"{site.id} has no {panel} to draw; give a site with all plant families")
    return keys[:_MOST_LINES]


def _machine(site: Site, key: str) -> Equipment:
    return site.equipment[key.split("/")[0]]


def _days(site: Site, time_us: Times) -> Array:
    """Return times as matplotlib wants them: days since 1970, in site time."""
    offset = datetime.fromtimestamp(int(time_us[0]) // _US, site.time_zone).utcoffset()
    assert offset is not None
    return (time_us / _US + offset.total_seconds()) / _DAY_S


def _at(site: Site, day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=site.time_zone).timestamp()) * _US
