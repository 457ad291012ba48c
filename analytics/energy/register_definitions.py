"""What a site's registers are, with the exchanges that people entered, and whether that has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from analytics.energy.entries import EnteredExchange
from analytics.energy.ledger import Cause
from facility.formats import moment
from facility.metering import BookedRegister, booked_registers
from facility.site import MeterExchange, Site


def registers_with(site: Site, exchanged: Mapping[str, Sequence[EnteredExchange]]) -> dict[str, BookedRegister]:
    """Return the registers of a site, their exchanges those of the site file and those that people entered."""
    found = booked_registers(site)
    for key, own in exchanged.items():
        if key in found:
            register = found[key].register
            more = [MeterExchange(moment(e.at_us, site.time_zone), e.end_value, e.start_value) for e in own]
            exchanges = tuple(sorted((*register.exchanges, *more), key=lambda e: e.at))
            found[key] = replace(found[key], register=replace(register, exchanges=exchanges))
    return found


def definition_of(register: BookedRegister) -> str:
    """Return a fingerprint of how a register's readings become units, in two parts: exchanges, and all else."""
    own = register.register
    exchanges = [(e.at.isoformat(), e.end, e.start, e.digits) for e in own.exchanges]
    rest = (own.unit, own.digits, own.per_pulse, [d.isoformat() for d in own.ratio.since], own.ratio.values)
    return "/".join(hashlib.sha256(repr(part).encode()).hexdigest()[:16] for part in (exchanges, rest))


def cause_of_definition(old: str, new: str) -> Cause:
    return "exchange" if old.split("/")[-1] == new.split("/")[-1] else "correction"
