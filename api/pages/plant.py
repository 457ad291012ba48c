"""The plant as pages arrange it: systems in their one order, the machines of each, and which of them are well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.records import Alert
from api.health_state import plan_of
from api.pages.marks import Mark, alert_mark, is_acknowledged, stale_mark, worst
from api.pages.sources import Live, layout_of
from api.pages.values import is_stale
from api.pages.words import Words
from facility.equipment_classes import SYSTEMS, System
from facility.site import Equipment, Site


def system_name(system: str, words: Words) -> str:
    """Return what a system is called on every page."""
    return {
        "power": words("Power room"),
        "oxygen": words("Oxygen station"),
        "boilers": words("Boilers"),
        "pumps": words("Pump room"),
        "secondary_water": words("Secondary water"),
        "heat": words("Heat station"),
        "central_ac": words("Central AC"),
        "split_ac": words("Split AC"),
        "sewage": words("Sewage"),
        "lifts": words("Lifts"),
        "other": words("Other plant"),
    }[system]


def systems_present(site: Site) -> Mapping[System, tuple[Equipment, ...]]:
    """Return the systems that the site has, in the order that never changes, each with its machines by criticality."""
    found: dict[System, tuple[Equipment, ...]] = {}
    for system in SYSTEMS:
        machines = [e for e in site.equipment.values() if e.cls.spec.system == system]
        if machines:
            found[system] = tuple(machines)
    return found


def by_equipment(alerts: Iterable[Alert]) -> Mapping[str, tuple[Alert, ...]]:
    """Return open alerts by the machine that they are about."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.equipment, []).append(alert)
    return {equipment: tuple(list_) for equipment, list_ in found.items()}


def by_machine_behind(alerts: Iterable[Alert], site: Site) -> Mapping[str, tuple[Alert, ...]]:
    """Return the open alerts about gateways by the machines that report through them: they hold for these too."""
    plan = plan_of(site)
    places = {gateway.id: g for g, gateway in enumerate(plan.gateways)}
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        place = places.get(alert.equipment)
        if place is None or alert.equipment in site.equipment or alert.resolved_us is not None:
            continue
        for m in np.flatnonzero(plan.gateway == place).tolist():
            found.setdefault(plan.machines[m].id, []).append(alert)
    return {machine: tuple(list_) for machine, list_ in found.items()}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How many of some measured points speak for now, and when the newest reading among them was taken."""

    points: int
    fresh: int
    newest_us: int | None

    @property
    def silent(self) -> bool:
        """Return True if there are points and none of them speaks for now."""
        return self.points > 0 and self.fresh == 0


def arrivals(item: Equipment, live: Live) -> Arrivals:
    """Count the measured points of a machine that still speak."""
    layout = layout_of(live.site)
    mine = layout.of_machine[item.id]
    measured = layout.measured[mine]
    newest = int(live.snapshot.time_us[mine].max(initial=0))
    return Arrivals(int(measured.sum()), int(np.count_nonzero(live.fresh[mine] & measured)), newest or None)


def total(parts: Iterable[Arrivals]) -> Arrivals:
    """Add up arrivals of several machines."""
    listed = list(parts)
    times_us = [p.newest_us for p in listed if p.newest_us is not None]
    return Arrivals(sum(p.points for p in listed), sum(p.fresh for p in listed), max(times_us, default=None))


def machine_mark(item: Equipment, alerts: Sequence[Alert], heard: Arrivals, words: Words) -> Mark | None:
    """Return the mark of a machine: its worst open alert, else stale data, else none."""
    alert = worst(alerts)
    if alert is not None:
        return alert_mark(alert.priority, is_acknowledged(alert), words)
    return stale_mark(words) if heard.silent else None


def running_word(item: Equipment, live: Live, words: Words) -> str:
    """Return what a machine does now, from its point `running` (or the like): `运行`, `Standby`; empty if unknown."""
    for point in ("running", "breaker_closed", "pump_running", "unit_running", "burner_running"):
        spec = item.points.get(point)
        if spec is None or spec.kind != "state":
            continue
        reading = live.reading(f"{item.id}/{point}")
        if reading is None or is_stale(spec, reading, live.now_us):
            return ""
        names = item.cls.state_names.get(point, {}).get(round(reading.value))
        return words.name(names) if names is not None else ""
    return ""
