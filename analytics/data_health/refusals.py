"""A machine that seems silent while its messages come and are refused: the true cause, as told from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from analytics.data_health.plan import HealthPlan
from analytics.findings import Finding
from facility.formats import number
from facility.names import Names

_TOLD = ("data.gateway_silent", "data.device_silent")


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Messages of one machine that came and could not be read, of one reason.

    Attributes
    ----------
    reason, name : as a code and in words
    count : how many messages or values so far
    last_us : when the newest came [µs]
    entry : where the quarantine holds them
    """

    reason: str
    name: Names
    count: int
    last_us: int
    entry: int


def with_refusals(
    plan: HealthPlan, faults: Iterable[Finding], refused: Mapping[str, Iterable[Refusal]]
) -> list[Finding]:
    """
    Return findings of silence with their true cause where messages came after the last reading and were refused.

    Parameters
    ----------
    refused : by machine
    """
    return [_told(plan, fault, refused) if fault.code in _TOLD else fault for fault in faults]


def _told(plan: HealthPlan, fault: Finding, refused: Mapping[str, Iterable[Refusal]]) -> Finding:
    machines = [fault.equipment]
    if fault.code == "data.gateway_silent":
        machines = [plan.machines[m].id for g, one in enumerate(plan.gateways) if one.id == fault.equipment
                    for m in plan.machines_of(g)]  # fmt: skip
    since_us = int(fault.evidence["last_heard_us"])
    found = {r.entry: r for m in machines for r in refused.get(m, ()) if r.last_us > since_us}
    if not found:
        return fault
    most = max(found.values(), key=lambda r: r.count)
    count = number(sum(r.count for r in found.values() if r.reason == most.reason), 0)
    cause = Names(
        zh=f"消息有到达，但被拒收：{most.name.zh}，{count} 条",
        en=f"messages arrive and are refused: {most.name.en.lower()}, {count} of them",
    )
    advice = Names(
        zh=f"打开隔离区 /quarantine/{most.entry}，按那里的办法修正网关或站点文件，然后重放",
        en=f"Open /quarantine/{most.entry}, mend gateway or site file as it says there, and replay",
    )
    evidence = {
        **fault.evidence, "refused": most.reason, "refused_count": sum(r.count for r in found.values()),
        "quarantine": f"/quarantine/{most.entry}", "cause_zh": cause.zh, "cause_en": cause.en,
    }  # fmt: skip
    summary = Names(
        zh=f"{fault.summary.zh}{cause.zh}。",
        en=f"{fault.summary.en} Its {cause.en}.",
    )
    return replace(fault, summary=summary, evidence=evidence, advice=(advice, *fault.advice))
