"""What the watch over the data knows of a site before the first reading: arrays over points, machines and gateways."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facility.liveness import alive_us
from facility.site import Equipment, Site
from facility.site_gateways import Gateway, gateway_of

_US: Final = 1_000_000
# States that say whether a machine works, the one that speaks for the whole machine first; a class may name another.
_WHOLE: Final = ("running", "breaker_closed", "burner_running", "compressor_running", "unit_running")
# Several alike in one machine: it is off when all of them are.
_PARTS: Final = re.compile(r"(pump|compressor|unit)_running_\d+")
_OFF_WORDS: Final = frozenset({"stopped", "breaker_open"})
# Without such a state, less than this share of the rated power is a machine that is off.
_OFF_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class OffSign:
    """
    How a machine says that it is off.

    Attributes
    ----------
    states : (k,) points, all of which show `off` codes when the machine is off
    off : for each of them the codes that mean off
    power : point of its power, -1 if it is told by states or not at all
    power_below : below this amount it is off, in the point's unit
    """

    states: tuple[int, ...]
    off: tuple[frozenset[int], ...]
    power: int = -1
    power_below: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class HealthPlan:
    """
    A site laid out for the watch over its data.

    Attributes
    ----------
    machines, gateways : in the order of the site file
    machine : (points,) whose each point is
    gateway : (machines,) by which gateway each reports
    first : (machines + 1,) the points of machine m are first[m] to first[m + 1]
    every_us : (points,) declared interval [µs]
    measured : (points,) False for what is computed here: that is never late by itself
    gauge : (points,) True for quantities that move by themselves, unlike states and registers
    vital : (points,) a life-safety limit rests on it
    alive_us : (points,) how long a value that is sent only when it changes holds after its device was heard; 0: it
        comes regularly [µs]
    max_rate : (points,) fastest possible change in its unit a second, NaN where none is known
    derived : (k,) the computed points that are made of measured ones
    inputs, input_from : what derived[i] is made of: inputs[input_from[i]] up to the next
    off : how each machine says that it is off; None where it cannot
    """

    site: Site
    machines: tuple[Equipment, ...]
    gateways: tuple[Gateway, ...]
    machine: NDArray[np.intp]
    gateway: NDArray[np.intp]
    first: NDArray[np.intp]
    every_us: NDArray[np.int64]
    measured: NDArray[np.bool_]
    gauge: NDArray[np.bool_]
    vital: NDArray[np.bool_]
    alive_us: NDArray[np.int64]
    max_rate: NDArray[np.float64]
    derived: NDArray[np.intp]
    inputs: NDArray[np.intp]
    input_from: NDArray[np.intp]
    off: tuple[OffSign | None, ...]

    def points_of(self, machine: int) -> slice:
        """Return where a machine's points stand."""
        return slice(int(self.first[machine]), int(self.first[machine + 1]))

    def machines_of(self, gateway: int) -> NDArray[np.intp]:
        """Return the machines behind a gateway."""
        return np.flatnonzero(self.gateway == gateway)


def make_plan(site: Site) -> HealthPlan:
    """Return the plan of a site; a machine whose gateway is not named belongs to the gateway of its room."""
    machines = tuple(site.equipment.values())
    gateways: dict[str, Gateway] = {}
    for item in machines:
        found = gateway_of(site, item)
        gateways.setdefault(found.id, found)
    position = {name: i for i, name in enumerate(gateways)}
    specs = [spec for item in machines for spec in item.points.values()]
    counts = [len(item.points) for item in machines]
    inputs: dict[int, tuple[int, ...]] = {}
    vital = np.zeros(len(specs), dtype=bool)
    index = site.points.index
    for item in machines:
        for name, spec in item.points.items():
            if spec.kind == "derived":
                made_of = _inputs(item, (name,), index)
                inputs |= {index[f"{item.id}/{name}"]: made_of} if made_of else {}
        for limit in item.limits:
            if limit.spec.life_safety:
                vital[list(_inputs(item, limit.condition.points, index))] = True
    return HealthPlan(
        site=site,
        machines=machines,
        gateways=tuple(gateways.values()),
        machine=np.repeat(np.arange(len(machines)), counts).astype(np.intp),
        gateway=np.array([position[gateway_of(site, item).id] for item in machines], dtype=np.intp),
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.intp),
        every_us=np.array([round(spec.every * _US) for spec in specs], dtype=np.int64),
        measured=np.array([spec.kind != "derived" for spec in specs], dtype=bool),
        gauge=np.array([spec.kind == "gauge" for spec in specs], dtype=bool),
        vital=vital,
        alive_us=alive_us(site),
        max_rate=np.array([spec.max_rate.a_second if spec.max_rate else np.nan for spec in specs], dtype=np.float64),
        derived=np.array(list(inputs), dtype=np.intp),
        inputs=np.array([p for made_of in inputs.values() for p in made_of], dtype=np.intp),
        input_from=np.cumsum([0, *(len(made_of) for made_of in inputs.values())])[:-1].astype(np.intp),
        off=tuple(_off_sign(item, index) for item in machines),
    )


def _inputs(item: Equipment, names: Sequence[str], index: Mapping[str, int]) -> tuple[int, ...]:
    """Return the measured points behind names, some of which may be computed."""
    found: dict[int, None] = {}
    formulas = item.cls.formulas
    for name in names:
        for point in formulas[name].points if name in formulas else (name,):
            if point in item.points and item.points[point].kind != "derived":
                found[index[f"{item.id}/{point}"]] = None
    return tuple(found)


def _off_sign(item: Equipment, index: Mapping[str, int]) -> OffSign | None:
    states = {name: spec.states for name, spec in item.points.items() if spec.kind == "state" and spec.states}
    off = {
        name: frozenset(code for code, word in words.items() if word in _OFF_WORDS) for name, words in states.items()
    }
    wanted = (item.cls.spec.runs_by,) if item.cls.spec.runs_by is not None else _WHOLE
    chosen: tuple[str, ...] = next(((name,) for name in wanted if off.get(name)), ())
    if not chosen:
        chosen = tuple(name for name in off if off[name] and _PARTS.fullmatch(name))
    if chosen:
        return OffSign(
            tuple(index[f"{item.id}/{name}"] for name in chosen),
            tuple(off[name] for name in chosen),
        )
    power = item.points.get("active_power")
    rated = item.rating.get("power")
    if power is not None and rated and power.unit == item.cls.spec.rating["power"].unit and not item.is_meter:
        return OffSign((), (), index[f"{item.id}/active_power"], _OFF_SHARE * rated)
    return None


def machines_off(plan: HealthPlan, value: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """
    Return which machines say that they are off.

    Parameters
    ----------
    value : (points,) newest value of each point
    known : (points,) whether it still speaks for now

    Returns
    -------
    (machines,) False also where nobody can tell.
    """
    off = np.zeros(len(plan.machines), dtype=bool)
    for m, sign in enumerate(plan.off):
        if sign is None:
            continue
        if sign.power >= 0:
            off[m] = known[sign.power] and abs(value[sign.power]) < sign.power_below
        else:
            off[m] = all(
                known[p] and round(float(value[p])) in codes for p, codes in zip(sign.states, sign.off, strict=True)
            )
    return off


def fresh_with_inputs(plan: HealthPlan, fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """
    Return `fresh` with every computed point fresh whose inputs are: (points,).

    The efficiency of a pump that stands still is not late, it does not exist.
    """
    found = fresh.copy()
    if plan.derived.size:
        found[plan.derived] |= np.logical_and.reduceat(fresh[plan.inputs], plan.input_from)
    return found
