"""
What departments draw: electricity, water, gases, steam, heat and cold, by their kind, size, time and weather.

The kinds are data (`simulators/departments.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from facility.documents import read_checked
from facility.errors import ConfigurationError
from facility.site import Department
from facility.wording import nearest
from simulators.occupancy import USUAL, bed_occupancy
from simulators.physics import room as physics
from simulators.rhythm import SCHEDULES
from simulators.scene import Array, Demand, Scene

PROFILES_FILE: Final = Path(__file__).parents[1] / "departments.yaml"
_DEFAULT_AREA_M2: Final = 800.0
_COOLERS: Final = ("air_handling_unit", "split_air_conditioner")
# Walls, furniture and air take up what comes quickly: the room's own time constant.
_MASS_S: Final = 2.5 * 3600.0
_SETBACK_K: Final = 6.0
_ROOM_RATIO: Final = 0.0117  # 26 °C and 55 %

RestAndBusiest = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rooms(_Strict):
    """
    What the rooms of a kind of department ask of heating and cooling.

    Attributes
    ----------
    heated_to, cooled_to : [°C]
    fresh_air : outdoor air at rest and at its busiest, leaks included [m³/(m²·h)]
    area_per_person : floor area for each person at its busiest [m²]
    gains : share of the electricity that warms the rooms [-]
    loss : heat through walls, windows and roof, for a square metre of floor and a kelvin [W/(m²·K)]
    glass : sun that comes in, as the area of unshaded glass facing up, for a square metre of floor [-]
    conditioned : share of the floor area that is heated and cooled [-]
    setback : whether its rooms may drift by 6 K while nobody is there
    windows : whether outdoor air below 20 °C helps cooling, and below 12 °C does it
    """

    heated_to: float = 20.0
    cooled_to: float = 26.0
    fresh_air: RestAndBusiest = (0.5, 2.0)
    area_per_person: float = 12.0
    gains: float = 0.7
    loss: float = 1.05
    glass: float = 0.012
    conditioned: float = 0.75
    setback: bool = False
    windows: bool = True


class Profile(_Strict):
    """A kind of department, as `departments.yaml` explains it; figures are typical, none is normative."""

    words: tuple[str, ...] = Field(min_length=1)
    schedule: str
    inpatient: bool = False
    power: RestAndBusiest
    power_factor: float = Field(gt=0.5, le=1.0)
    water: RestAndBusiest
    hot_share: float = Field(default=0.0, ge=0.0, le=0.5)
    oxygen: RestAndBusiest = (0.0, 0.0)
    air: RestAndBusiest = (0.0, 0.0)
    vacuum: RestAndBusiest = (0.0, 0.0)
    steam: RestAndBusiest = (0.0, 0.0)
    gas: float = 0.0
    rooms: Rooms = Rooms()
    cop: float = Field(default=3.2, gt=1.0)
    cools_the_rest: bool = False

    @field_validator("schedule")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in SCHEDULES:
            raise ValueError(f"{name!r} is not a schedule known here{nearest(name, SCHEDULES)}")
        return name


class _ProfilesFile(_Strict):
    kinds: tuple[Profile, ...] = Field(min_length=1)


_FILE: Final = TypeAdapter(_ProfilesFile)


def read_profiles(path: Path) -> Sequence[Profile]:
    """Read and check the kinds of departments; ConfigurationError with every mistake."""
    read = read_checked(path, _FILE)
    if read.problems or read.value is None:
        raise ConfigurationError(read.problems)
    return read.value.kinds


@lru_cache(maxsize=1)
def profiles() -> Sequence[Profile]:
    """Return the kinds that come with Wardwatt, read once a process."""
    return read_profiles(PROFILES_FILE)


@lru_cache(maxsize=4096)
def profile_called(department_id: str) -> Profile:
    """Return the first kind with a word that stands in a department's id; the last kind if none has."""
    padded = f"-{department_id}-"
    return next((p for p in profiles() if any(word in padded for word in p.words)), profiles()[-1])


def profile_of(department: Department) -> Profile:
    """Return the kind that a department's id names."""
    return profile_called(department.id)


@dataclass(frozen=True, slots=True, eq=False)
class _Figures:
    """
    The figures of all departments side by side, so that all are worked out at once.

    `pair[name]` is (2, departments, 1), at rest and at its busiest; `one[name]` is (departments, 1).
    """

    profiles: tuple[Profile, ...]
    pair: Mapping[str, Array]
    one: Mapping[str, Array]


_PAIRS: Final = ("power", "water", "oxygen", "air", "vacuum", "steam")
_ROOMS: Final = (
    "heated_to",
    "cooled_to",
    "area_per_person",
    "gains",
    "loss",
    "glass",
    "conditioned",
    "setback",
    "windows",
)


@lru_cache(maxsize=16)
def _figures(department_ids: tuple[str, ...]) -> _Figures:
    profiles = tuple(profile_called(d) for d in department_ids)

    def column(values: Iterable[float]) -> Array:
        return np.array(list(values), dtype=np.float64)[:, None]

    pair = {name: np.array([getattr(p, name) for p in profiles]).T[:, :, None] for name in _PAIRS}
    pair["fresh_air"] = np.array([p.rooms.fresh_air for p in profiles]).T[:, :, None]
    pair["gas"] = np.array([(0.0, p.gas) for p in profiles]).T[:, :, None]
    one = {name: column(getattr(p.rooms, name) for p in profiles) for name in _ROOMS}
    one |= {name: column(getattr(p, name) for p in profiles) for name in ("inpatient", "hot_share", "power_factor")}
    return _Figures(profiles, pair, one)


def run(scene: Scene) -> None:
    """Work out what every department draws."""
    names = tuple(scene.site.departments)
    if not names:
        return
    figures = _figures(names)
    area = np.array(
        [d.floor_area_m2.on(scene.today) or _DEFAULT_AREA_M2 for d in scene.site.departments.values()]
    )[:, None] / 1000.0  # fmt: skip

    def wander(what: str, period_s: float) -> Array:
        """Return each department's own noise."""
        return np.stack([scene.wander(f"{name}|{what}", period_s) for name in names])

    schedules = {p.schedule for p in figures.profiles}
    activity = {name: SCHEDULES[name].activity(scene.span) for name in schedules}
    # Busier and calmer days.
    busy = np.stack([activity[p.schedule] for p in figures.profiles]) * (1.0 + 0.05 * wander("day", 86400.0))
    inpatient = figures.one["inpatient"] > 0.5
    full = np.where(inpatient, _fullness(scene, names, wander("beds", 6 * 86400.0)), 1.0)
    # Comings and goings: of people with what they switch on, of water, and of what patients breathe and need.
    flutter = {
        what: wander(what, 1200.0) + 0.4 * wander(f"{what}|fast", 120.0) for what in ("power", "water", "oxygen")
    }

    def draw(what: str, spread: float, goes_with: str = "power", by_patients: float = 1.0) -> Array:
        """Return a draw of the whole area, with comings and goings of a share `spread`."""
        rest, busiest = figures.pair[what]
        usual: Array = area * (rest + (busiest - rest) * busy) * (1.0 + by_patients * (full - 1.0))
        return usual * np.maximum(1.0 + spread * flutter[goes_with], 0.0)

    # Lights and fans of a ward burn for an empty bed as well: half of its power goes with its patients.
    power = draw("power", 0.03, by_patients=0.5)
    water = draw("water", 0.15, "water")
    people = np.clip(np.where(inpatient, (0.4 + 0.6 * busy) * full * USUAL, busy), 0.0, 1.0)
    cooling, heating = _rooms(scene, names, figures, area, power, people)
    draws = Demand(
        power_kw=power,
        reactive_kvar=power * _reactive(figures.one["power_factor"]),
        water_m3h=water,
        oxygen_lmin=draw("oxygen", 0.05, "oxygen"),
        steam_th=draw("steam", 0.06),
        gas_nm3h=draw("gas", 0.1),
        hot_water_m3h=water * figures.one["hot_share"] * bathing_rhythm(scene.span.hour),
        air_lmin=draw("air", 0.06, "oxygen"),
        vacuum_lmin=draw("vacuum", 0.1, "oxygen"),
        people=people,
        cooling_kw=cooling,
        heating_kw=heating,
    )
    for i, name in enumerate(names):
        scene.demand[name] = Demand(*(getattr(draws, field.name)[i] for field in fields(Demand)))
    _cool_by_own_units(scene)


def _reactive(power_factor: Array | float) -> Array | float:
    """Return the reactive power for each kilowatt of active power. [kvar/kW]"""
    ratio: Array | float = np.sqrt(1.0 / power_factor**2 - 1.0)
    return ratio


def bathing_rhythm(hour: Array) -> Array:
    """Return how much of the water is drawn hot, over the day's mean: most before breakfast and in the evening. [-]"""
    morning, evening = np.exp(-(((hour - 7.0) / 1.6) ** 2)), np.exp(-(((hour - 19.8) / 2.0) ** 2))
    rhythm: Array = 0.7 + 0.75 * morning + 0.95 * evening
    return rhythm


def _fullness(scene: Scene, names: Sequence[str], wander: Array) -> Array:
    """Return how full departments' beds are against the usual: like the hospital's, each with a will of its own. [-]"""
    own = np.array([scene.own(f"{name}|beds", 0.94, 1.06) for name in names])[:, None]
    return np.minimum(bed_occupancy(scene.span) * (own + 0.03 * wander), 1.02) / USUAL


def _rooms(
    scene: Scene, names: Sequence[str], figures: _Figures, area: Array, power: Array, people: Array
) -> tuple[Array, Array]:
    """Return what departments' rooms ask of cooling and of heating; `area` in 1000 m². [kW]"""
    one = figures.one
    rest, busiest = figures.pair["fresh_air"]
    area = area * one["conditioned"]
    fresh_m3h = 1000.0 * area * (rest + (busiest - rest) * people)
    persons = 1000.0 * area / one["area_per_person"] * people
    loss = area * one["loss"] + fresh_m3h * physics.AIR_KWH_M3_K
    gains = (
        power * one["gains"] * one["conditioned"]
        + physics.SENSIBLE_KW * persons
        + area * one["glass"] * scene.sun_w_m2
    )  # fmt: skip
    middle, half = (one["cooled_to"] + one["heated_to"]) / 2.0, (one["cooled_to"] - one["heated_to"]) / 2.0
    drift = half + _SETBACK_K * one["setback"] * np.clip(1.0 - 4.0 * people, 0.0, 1.0)
    balance = physics.surplus(gains, loss, scene.outdoor_c, middle)
    spare = np.stack([scene.lag(f"{name}/rooms", balance[i], _MASS_S) for i, name in enumerate(names)])
    cooling = np.maximum(spare - loss * drift, 0.0)
    heating = np.maximum(-spare - loss * drift, 0.0)
    # Where windows open, cool weather cools.
    cooling = cooling * np.maximum(1.0 - one["windows"], np.clip((scene.outdoor_c - 12.0) / 8.0, 0.0, 1.0))
    # A coil that has little to cool condenses little.
    outdoor_ratio = physics.humidity_ratio(scene.outdoor_c, scene.humidity)
    wet = physics.latent_load(fresh_m3h, outdoor_ratio, _ROOM_RATIO, persons)
    return cooling + wet * np.minimum(cooling / np.maximum(5.0 * area, 1e-9), 1.0), heating


def own_units_cop(profile: Profile, outdoor_c: Array) -> Array:
    """
    Return the heat that a department's own cooling units take for a kWh: less by 2 % for each kelvin over 30 °C. [-]

    Typical of room air conditioners and VRF units; below 15 °C outdoors they gain no more.
    """
    cop: Array = profile.cop * (1.0 - 0.02 * (np.maximum(outdoor_c, 15.0) - 30.0))
    return cop


def _cool_by_own_units(scene: Scene) -> None:
    """Let what no machine of the site cools draw electricity: in each department, or in the central plant."""
    cooled = {d for item in scene.each(*_COOLERS) for d in item.serves.on(scene.today)}
    central = next((d for d in scene.site.departments.values() if profile_of(d).cools_the_rest), None)
    for department in scene.site.departments.values():
        if department.id in cooled:
            continue
        drawing = central or department
        profile = profile_of(drawing)
        power = scene.demand[department.id].cooling_kw / own_units_cop(profile, scene.outdoor_c)
        demand = scene.demand[drawing.id]
        demand.power_kw = demand.power_kw + power
        demand.reactive_kvar = demand.reactive_kvar + power * _reactive(profile.power_factor)
