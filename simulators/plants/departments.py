"""What departments draw: electricity, water, oxygen, steam and gas, by their kind, size, and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from facility.site import Department
from simulators.rhythm import SCHEDULES
from simulators.scene import Array, Demand, Scene

_DEFAULT_AREA_M2: Final = 800.0


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A kind of department; all figures are typical of general hospitals, none is normative.

    Attributes
    ----------
    schedule : when it is busy
    power_w_m2 : electricity at rest and at its busiest [W/m²]
    power_factor : of its loads together, before compensation [-]
    water_l_m2h : water at rest and at its busiest [L/(m²·h)]
    oxygen_lmin_m2 : oxygen at rest and at its busiest, for 1000 m² [L/min]
    steam_kg_m2h : process steam at rest and at its busiest [kg/(m²·h)]
    gas_l_m2h : gas for cooking at its busiest [NL/(m²·h)]
    weather_w_m2 : electricity of air conditioning for each kelvin above 22 °C or below 12 °C [W/(m²·K)]
    """

    schedule: str
    power_w_m2: tuple[float, float]
    power_factor: float
    water_l_m2h: tuple[float, float] = (0.004, 0.25)
    oxygen_lmin_m2: tuple[float, float] = (0.0, 0.0)
    steam_kg_m2h: tuple[float, float] = (0.0, 0.0)
    gas_l_m2h: float = 0.0
    weather_w_m2: float = 0.0


# The first word that stands in a department's id decides.
PROFILES: Final[Mapping[str, Profile]] = {
    "icu": Profile("critical", (42, 62), 0.88, (0.05, 0.5), (125, 150)),
    "theatre": Profile("theatre", (26, 78), 0.87, (0.02, 0.5), (8, 38)),
    "emergency": Profile("emergency", (20, 40), 0.87, (0.03, 0.45), (22, 40)),
    "ward": Profile("inpatient", (8.5, 18), 0.88, (0.035, 0.42), (8, 12)),
    "outpatient": Profile("outpatient", (5, 32), 0.87, (0.008, 0.38), (0.5, 3)),
    "imaging": Profile("imaging", (30, 105), 0.86, (0.005, 0.2)),
    "laboratory": Profile("laboratory", (24, 55), 0.87, (0.02, 0.6)),
    "dialysis": Profile("dialysis", (9, 48), 0.88, (0.03, 2.9), (0, 4)),
    "sterile": Profile("sterile", (10, 70), 0.86, (0.04, 2.2), steam_kg_m2h=(0.05, 0.75)),
    "laundry": Profile("laundry", (3, 95), 0.86, (0.02, 6.5), steam_kg_m2h=(0.0, 1.7)),
    "kitchen": Profile("kitchen", (7, 75), 0.87, (0.05, 2.0), steam_kg_m2h=(0.02, 0.45), gas_l_m2h=32.0),
    "administration": Profile("office", (3, 22), 0.88, (0.004, 0.22)),
    "air-conditioning": Profile("inpatient", (1.0, 2.2), 0.85, (0.0, 0.02), weather_w_m2=0.75),
    "public": Profile("always", (5, 7), 0.9, (0.005, 0.02)),
}
_FALLBACK: Final = PROFILES["administration"]


def profile_of(department: Department) -> Profile:
    """Return the profile that a department's id names; an office's if none."""
    return next((p for word, p in PROFILES.items() if word in department.id), _FALLBACK)


def run(scene: Scene) -> None:
    """Work out what every department draws."""
    strain = np.maximum(scene.outdoor_c - 22.0, 0.0) + 0.45 * np.maximum(12.0 - scene.outdoor_c, 0.0)
    for department in scene.site.departments.values():
        profile = profile_of(department)
        area = department.floor_area_m2.on(scene.today) or _DEFAULT_AREA_M2
        # Busier and calmer days, and the comings and goings within a day.
        day = 1.0 + 0.05 * scene.wander(f"{department.id}|day", 86400.0)
        busy = SCHEDULES[profile.schedule].activity(scene.span) * day

        power = area / 1000.0 * (
            _between(scene, busy, profile.power_w_m2, f"{department.id}|power", 0.03)
            + profile.weather_w_m2 * strain * (0.45 + 0.55 * busy)
        )  # fmt: skip
        scene.demand[department.id] = Demand(
            power_kw=power,
            reactive_kvar=power * np.sqrt(1.0 / profile.power_factor**2 - 1.0),
            water_m3h=area / 1000.0 * _between(scene, busy, profile.water_l_m2h, f"{department.id}|water", 0.15),
            oxygen_lmin=area / 1000.0 * _between(scene, busy, profile.oxygen_lmin_m2, f"{department.id}|oxygen", 0.05),
            steam_th=area / 1000.0 * _between(scene, busy, profile.steam_kg_m2h, f"{department.id}|steam", 0.06),
            gas_nm3h=area / 1000.0 * _between(scene, busy, (0.0, profile.gas_l_m2h), f"{department.id}|gas", 0.1),
        )


def _between(scene: Scene, busy: Array, rest_and_peak: tuple[float, float], name: str, spread: float) -> Array:
    """Return a draw between its value at rest and at its busiest, with comings and goings of a share `spread`."""
    flutter = 1.0 + spread * scene.wander(name, 1200.0) + 0.4 * spread * scene.wander(f"{name}|fast", 120.0)
    rest, peak = rest_and_peak
    return (rest + (peak - rest) * busy) * np.maximum(flutter, 0.0)
