"""What of a site's contracts does not fit its meters: told by `wardwatt check` before a bill has to tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from facility.contracts import billed_registers, meters_within
from facility.metering import BOUGHT, CARRIER_NAMES, BookedRegister, booked_registers, points_of_supply
from facility.names import Names
from facility.site import Site
from facility.tariff_library import library_plan
from facility.tariff_model import Contract
from facility.units import conversion


@dataclass(frozen=True, slots=True)
class Misfit:
    """
    A mistake in an entry of a contract.

    Attributes
    ----------
    contract : its id
    since : day from which the entry holds; None: the first entry
    key : of what stands in it
    """

    contract: str
    since: date | None
    key: str
    words: Names


def misfits(site: Site) -> list[Misfit]:
    """Return every mistake, in the order of the file."""
    registers = booked_registers(site)
    found: list[Misfit] = []
    for contract in site.contracts.values():
        billed = billed_registers(site, registers, contract)
        found += _units(contract, billed)
        found += _within(site, contract)
    for carrier in BOUGHT:
        supply = points_of_supply(site, registers, carrier)
        own = [c for c in site.contracts.values() if c.carrier == carrier and not c.resold]
        paid = {r.key for c in own for r in billed_registers(site, registers, c)}
        found += [_unbilled(own[-1], r) for r in supply if own and r.key not in paid]
    return found


def _units(contract: Contract, billed: list[BookedRegister]) -> Iterator[Misfit]:
    for since, tariff in zip(contract.since, contract.tariffs, strict=True):
        for register in billed:
            if not _converts(register.unit, tariff.unit):
                zh = f"{register.key} 的计量单位是 {register.unit}，单价却按 {tariff.unit}，无法换算，出账时不会计费；"
                en = (
                    f"{register.key} counts {register.unit}, the price is for {tariff.unit}, and the one does not "
                    f"become the other, so nothing would be charged; write unit: {register.unit}, with its price"
                )
                yield Misfit(contract.id, since, "unit",
                             Names(zh=f"{zh}请写 unit: {register.unit} 及其单价", en=en))  # fmt: skip
                break


def _converts(unit: str, other: str) -> bool:
    try:
        return conversion(unit, other)[1] == 0.0
    except ValueError:
        return False


def _within(site: Site, contract: Contract) -> Iterator[Misfit]:
    for meter, above in meters_within(site, contract):
        zh = f"{meter} 在 {above} 之下，其用量已计入 {above}，不会重复计费；请去掉其中一个"
        en = f"{meter} hangs below {above}, which counts its energy already, so it is not billed again; take one out"
        yield Misfit(contract.id, None, "meters", Names(zh=zh, en=en))


def _unbilled(contract: Contract, register: BookedRegister) -> Misfit:
    machine, carrier = register.equipment.id, CARRIER_NAMES[register.carrier]
    zh = f"{carrier.zh}从 {machine} 进入，但没有合同计费；请加入 meters，或另立合同（不花钱的写 price: 0）"
    en = (
        f"{carrier.en.lower()} comes in through {machine}, and no contract bills it; add it to the meters, or give it "
        "a contract of its own (with price: 0 if it costs nothing)"
    )
    return Misfit(contract.id, None, "meters", Names(zh=zh, en=en))


def contract_notes(site: Site) -> list[str]:
    """Return what is no mistake, but should be known before a bill rests on it: days without a price or a plan."""
    known, registers = site.sizes.since[0], booked_registers(site)
    late: dict[date, list[str]] = {}
    notes = []
    for contract in site.contracts.values():
        if date.min < known < contract.since[0] and billed_registers(site, registers, contract):
            late.setdefault(contract.since[0], []).append(contract.id)
        for since, tariff in zip(contract.since, contract.tariffs, strict=True):
            plan = library_plan(tariff.plan) if tariff.plan else None
            if plan is not None and plan.since is not None and since < plan.since:
                notes.append(
                    f"Contract {contract.id} takes the hours of {plan.id} from {since}, but they hold from "
                    f"{plan.since}; give the days before their own bands."
                )
    return notes + [
        f"No price before {since} for {', '.join(names)}, and the site is written down since {known}; if there are "
        f"readings of that time, add entries with from: {known}."
        for since, names in late.items()
    ]
