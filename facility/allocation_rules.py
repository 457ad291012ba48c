"""Who pays for what no department's own meter counted: rules of the site, each valid from a month on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from facility.names import Names

# How something is shared. `use`: as the departments' own meters counted; `meters`: as certain meters counted, each for
# those whom it serves; `fixed`: by shares that are written down.
Basis = Literal["floor_area", "beds", "staff", "running_hours", "equal", "use", "meters", "fixed"]
BASES: Final[tuple[Basis, ...]] = get_args(Basis)

# By what the basic charge of a bill is shared: what the energy cost, how much it was, or how much of it in dear hours.
ChargeBasis = Literal["cost", "use", "peak"]

RUN_HOURS: Final = "run_hours"  # the counter of a machine by which `running_hours` shares

BASIS_NAMES: Final[Mapping[Basis, Names]] = {
    "floor_area": Names(zh="按建筑面积", en="by floor area"),
    "beds": Names(zh="按床位数", en="by beds"),
    "staff": Names(zh="按职工人数", en="by staff"),
    "running_hours": Names(zh="按运行时间", en="by running hours"),
    "equal": Names(zh="平均分摊", en="in equal parts"),
    "use": Names(zh="按自有计量用量", en="as their own meters counted"),
    "meters": Names(zh="按指定表计用量", en="as named meters counted"),
    "fixed": Names(zh="按固定比例", en="by fixed shares"),
}


@dataclass(frozen=True, slots=True)
class Share:
    """
    How an amount is shared.

    Attributes
    ----------
    by : the measure; None: floor area, or where that is not known beds, staff, equal parts
    to : ids of departments; empty: those whom the meter serves, and for the rest all
    of : `meters`: keys of registers; `running_hours`: ids of machines
    shares : `fixed`: share of each department, together 1
    """

    by: Basis | None = None
    to: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AllocationRules:
    """
    The rules of one carrier.

    Attributes
    ----------
    meters : by the machine that has the meter: how what it counted, less its sub-meters, is shared
    rest : what no meter below the supply counted, and losses
    basic_charge : by what the basic charge is shared
    """

    meters: Mapping[str, Share] = field(default_factory=dict)
    rest: Share = field(default_factory=Share)
    basic_charge: ChargeBasis = "cost"
