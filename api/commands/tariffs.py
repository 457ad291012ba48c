"""`wardwatt tariffs`: the time-of-use plans of provinces that a site file can pick."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from api.commands.options import JsonOption, print_json, stdout, told
from facility.contract_checks import contract_notes
from facility.site import Site
from facility.tariff_library import LibraryPlan, library, library_plan
from facility.tariff_model import ALL_MONTHS


def tariffs(
    plan: Annotated[str | None, typer.Argument(help="Id of one plan, to see its hours and ratios.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the time-of-use plans of provinces: document, from when on, what to verify; or show one whole."""
    with told():
        plans = [library_plan(plan)] if plan else list(library().values())
    if as_json:
        print_json([plan_json(p) for p in plans])
    elif plan:
        _show(plans[0])
    else:
        _list(plans)


def _list(plans: Iterable[LibraryPlan]) -> None:
    headers = ("plan", "document", "ratios", "verify")
    # Without a frame, so that ids and documents stay whole on a terminal of 80 columns.
    table = Table(*(Column(h, no_wrap=True) for h in headers), box=None, pad_edge=False)
    for p in plans:
        table.add_row(p.id, p.document, "yes" if p.ratios else "your own", "yes" if p.verify else "no")
    stdout.print(table)
    stdout.print(
        "In the site file: time_of_use: PLAN. `wardwatt tariffs PLAN` shows its hours and ratios, and what to verify.",
        markup=False,
    )


def _show(plan: LibraryPlan) -> None:
    lines = [f"{plan.id}: {plan.name.zh} · {plan.name.en}", f"document: {plan.document}"]
    lines += [f"from: {plan.since}"] if plan.since else []
    lines += [f"floats: {', '.join(sorted(plan.floats))}"] if plan.floats else []
    lines += [f"verify: {plan.verify}"] if plan.verify else []
    stdout.print("\n".join(lines), markup=False)
    table = Table("band", "from", "to", "months", "days")
    for b in plan.bands:
        table.add_row(
            b.name, _clock(b.start_minute), _clock(b.end_minute), _months(b.months), ", ".join(sorted(b.days))
        )
    stdout.print(table)
    ratios = Table("months", "sharp", "peak", "flat", "valley", "deep")
    for r in plan.ratios:
        cells = (f"{r.ratios[n]:g}" if n in r.ratios else "" for n in ("sharp", "peak", "flat", "valley", "deep"))
        ratios.add_row(_months(r.months), *cells)
    if plan.ratios:
        stdout.print(ratios)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _months(months: frozenset[int]) -> str:
    return "all" if months == ALL_MONTHS else ", ".join(map(str, sorted(months)))


def plan_json(plan: LibraryPlan) -> dict[str, Any]:
    """Return a plan for programs."""
    return {
        "id": plan.id,
        "name": plan.name.model_dump(),
        "document": plan.document,
        "from": plan.since.isoformat() if plan.since else None,
        "checked": plan.checked,
        "verify": plan.verify,
        "floats": sorted(plan.floats),
        "bands": [
            {
                "name": b.name,
                "from": _clock(b.start_minute),
                "to": _clock(b.end_minute),
                "months": sorted(b.months),
                "days": sorted(b.days),
            }
            for b in plan.bands
        ],
        "ratios": [{"months": sorted(r.months), **r.ratios} for r in plan.ratios],
    }


def contracts_json(site: Site) -> list[dict[str, Any]]:
    """Return the tariffs of a site's contracts that hold last, each with the plan that it picks, for programs."""
    found = []
    for contract in site.contracts.values():
        last = contract.tariffs[-1]
        plan = library_plan(last.plan) if last.plan else None
        found.append(
            {
                "id": contract.id,
                "carrier": contract.carrier,
                "from": contract.since[0].isoformat(),
                "meters": list(contract.meters),
                "plan": last.plan or None,
                "document": plan.document if plan else None,
                "verify": plan.verify if plan else "",
            }
        )
    return found


def plans_told(site: Site) -> list[str]:
    """Return a line for each contract that picks a plan of the library, with what to verify, and for each gap."""
    lines = []
    for c in contracts_json(site):
        if c["plan"]:
            verify = f"; verify: {c['verify']}" if c["verify"] else ""
            lines.append(f"Contract {c['id']}: hours of {c['plan']}, {c['document']}{verify}")
    return lines + contract_notes(site)
