"""Which registers a contract bills, and what stands behind them: reactive energy, capacity of the transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facility.metering import BookedRegister, points_of_supply
from facility.site import Site
from facility.tariff_model import Contract


def billed_registers(site: Site, registers: Mapping[str, BookedRegister], contract: Contract) -> list[BookedRegister]:
    """
    Return the registers whose consumption a contract bills; empty if the site has none.

    A contract without meters bills all points of supply but those that another contract of the carrier names. A meter
    below another of the same contract is left out: the one above counts its energy already.
    """
    if contract.meters:
        within = {meter for meter, _ in meters_within(site, contract)}
        return [
            r
            for meter in contract.meters
            for r in registers.values()
            if r.carrier == contract.carrier
            and r.flow == "in"
            and meter in (r.key, r.equipment.id)
            and r.equipment.id not in within
        ]
    others = {
        meter.partition("/")[0]
        for other in site.contracts.values()
        if other.carrier == contract.carrier and not other.resold
        for meter in other.meters
    }
    return [r for r in points_of_supply(site, registers, contract.carrier) if r.equipment.id not in others]


def meters_within(site: Site, contract: Contract) -> list[tuple[str, str]]:
    """Return the meters of a contract that hang below another of its meters, each with that one."""
    named = [meter.partition("/")[0] for meter in contract.meters]
    return [(m, above) for m in named for above in named if m in site.downstream(above)]


def deducted_registers(site: Site, registers: Mapping[str, BookedRegister], contract: Contract) -> list[BookedRegister]:
    """
    Return the registers below the billed ones that other contracts bill: their energy is on those bills, not on this.

    Of one below another the upper is taken, since it counts the energy of both. What is resold was bought all the same.
    """
    if contract.resold:
        return []
    behind = {i for r in billed_registers(site, registers, contract) for i in site.downstream(r.equipment.id)}
    inner = [
        r
        for other in site.contracts.values()
        if other.id != contract.id and other.carrier == contract.carrier and not other.resold
        for r in billed_registers(site, registers, other)
        if r.equipment.id in behind
    ]
    covered = {i for r in inner for i in site.downstream(r.equipment.id)}
    return [r for r in inner if r.equipment.id not in covered]


def reactive_registers(
    registers: Mapping[str, BookedRegister], billed: Sequence[BookedRegister]
) -> list[BookedRegister]:
    """Return the registers of reactive energy, both ways, of the meters whose active energy is billed."""
    meters = {r.equipment.id for r in billed}
    return [r for r in registers.values() if r.carrier == "reactive" and r.equipment.id in meters]


def capacity_kva(site: Site, billed: Sequence[BookedRegister]) -> float | None:
    """Return the rated power of all transformers behind the meters that are billed; None if none is known. [kVA]"""
    behind = dict.fromkeys(i for r in billed for i in (r.equipment.id, *site.downstream(r.equipment.id)))
    rated = [
        site.equipment[i].rating["power"]
        for i in behind
        if "transformer" in site.equipment[i].cls.id and "power" in site.equipment[i].rating
    ]
    return sum(rated) if rated else None
