"""The `allocation` section of a site file: who pays for what, from a month on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from facility.allocation_rules import RUN_HOURS, AllocationRules, Basis, ChargeBasis, Share
from facility.documents import KeyPath
from facility.equipment_classes import METER_REGISTERS, Carrier
from facility.site import Equipment
from facility.units import parse_quantity
from facility.wording import nearest

# Shares may be written with one decimal of a per cent, such as three times 33.3 %.
_SLACK: Final = 0.0015

# A mistake: where in the entry, and what to write instead.
Told = tuple[KeyPath, str]


def _month(value: Any) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date; write it as 2026-03-01") from None
    if day.day != 1:
        raise ValueError(f"{value} is inside a month, but bills are for whole months; let the rules begin on day 1")
    return day


def _fraction(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no share; write it such as '30 %'")
    quantity = parse_quantity(value)
    share = quantity.value if quantity.unit == "" else quantity.to("%") / 100.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{value!r} is no share; write 0 % to 100 %")
    return share


_Fraction = Annotated[float, BeforeValidator(_fraction)]


class _ShareFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Basis | None = None
    to: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    shares: Mapping[str, _Fraction] | None = None

    @model_validator(mode="after")
    def _has_what_its_basis_needs(self) -> _ShareFile:
        if self.shares is not None:
            if self.by not in (None, "fixed"):
                raise ValueError(f"shares are fixed, but by is {self.by}; leave one of them out")
            if self.to or self.of:
                raise ValueError("shares name the departments already; leave out to and of")
            total = math.fsum(self.shares.values())
            if abs(total - 1.0) > _SLACK:
                raise ValueError(f"the shares come to {total:.1%}; make them 100 %")
        elif self.by == "fixed":
            raise ValueError("by is fixed, but no shares are given; add such as shares: {icu: 30 %, theatre: 70 %}")
        if (self.by in ("meters", "running_hours")) != bool(self.of):
            raise ValueError(
                "of names the meters or machines by which it is shared: it goes with by: meters and by: running_hours"
            )
        return self

    def share(self) -> Share:
        if self.shares is not None:
            total = math.fsum(self.shares.values())
            return Share("fixed", tuple(self.shares), (), {d: s / total for d, s in self.shares.items()})
        return Share(self.by, self.to, self.of)


class _RuleFile(_ShareFile):
    meter: str


class AllocationFile(BaseModel):
    """One carrier's rules from a month on, as the site file has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    from_: Annotated[date, BeforeValidator(_month)] = Field(alias="from")
    carrier: Carrier
    rules: tuple[_RuleFile, ...] = ()
    rest: _ShareFile = _ShareFile()
    basic_charge: ChargeBasis = "cost"

    @field_validator("rules")
    @classmethod
    def _one_rule_a_meter(cls, rules: tuple[_RuleFile, ...]) -> tuple[_RuleFile, ...]:
        seen: set[str] = set()
        for rule in rules:
            machine = rule.meter.partition("/")[0]
            if machine in seen:
                raise ValueError(f"{machine} has two rules; keep one")
            seen.add(machine)
        return rules

    def read(
        self, equipment: Mapping[str, Equipment], departments: Collection[str]
    ) -> tuple[AllocationRules, list[Told]]:
        """Return the rules with the meters that they name found in the site, and every mistake."""
        told: list[Told] = []
        meters: dict[str, Share] = {}
        for i, rule in enumerate(self.rules):
            key = _register(rule.meter, self.carrier, equipment)
            if isinstance(key, ValueError):
                told.append((("rules", i, "meter"), str(key)))
            else:
                meters[key.partition("/")[0]] = _resolved(rule, equipment, departments, ("rules", i), told)
        rest = _resolved(self.rest, equipment, departments, ("rest",), told)
        return AllocationRules(meters, rest, self.basic_charge), told


def _resolved(
    file: _ShareFile,
    equipment: Mapping[str, Equipment],
    departments: Collection[str],
    place: KeyPath,
    told: list[Told],
) -> Share:
    share = file.share()
    for name in share.to:
        if name not in departments:
            where = "shares" if file.shares is not None else "to"
            told.append(((*place, where), f"no department is called {name!r}{nearest(name, departments)}"))
    of: list[str] = []
    for i, name in enumerate(share.of):
        if share.by == "meters":
            key = _register(name, None, equipment)
            if isinstance(key, ValueError):
                told.append(((*place, "of", i), str(key)))
            else:
                of.append(key)
        elif name not in equipment:
            told.append(((*place, "of", i), f"no equipment is called {name!r}{nearest(name, equipment)}"))
        elif RUN_HOURS not in equipment[name].points:
            told.append(((*place, "of", i), f"{name} counts no running hours; name a machine with {RUN_HOURS}"))
        else:
            of.append(name)
    return Share(share.by, share.to, tuple(of), share.shares)


def _register(text: str, carrier: Carrier | None, equipment: Mapping[str, Equipment]) -> str | ValueError:
    """Return the register `equipment/point` that `equipment` or `equipment/point` names, or what is wrong with it."""
    machine, _, point = text.partition("/")
    item = equipment.get(machine)
    if item is None:
        return ValueError(f"no equipment is called {machine!r}{nearest(machine, equipment)}")
    counted = {
        n: p for n, p in item.points.items() if p.carrier is not None and (carrier is None or p.carrier == carrier)
    }
    if point:
        return f"{machine}/{point}" if point in counted else _no_register(text, carrier, counted)
    usual = METER_REGISTERS.get(item.cls.id)
    if usual in counted:
        return f"{machine}/{usual}"
    if carrier is None and len(counted) > 1:
        return ValueError(f"{machine} has several registers; name one, such as {machine}/{next(iter(counted))}")
    return f"{machine}/{next(iter(counted))}" if counted else _no_register(text, carrier, counted)


def _no_register(text: str, carrier: Carrier | None, counted: Collection[str]) -> ValueError:
    what = f"counts no {carrier}" if carrier else "counts nothing"
    return ValueError(f"{text} {what}{nearest(text.partition('/')[2], counted)}; name a meter that does")
