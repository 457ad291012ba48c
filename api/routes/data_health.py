"""How good the data are: who is silent, which points cannot be believed, how far gateways' clocks are off."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from analytics.data_health import HealthState
from analytics.data_health.codes import TROUBLES
from analytics.data_health.findings import point_troubles
from api.context import Context, context_of
from api.health_state import count_machines, health_state, machine_states
from api.routes.plant import find_equipment
from facility.names import Names

router = APIRouter(prefix="/api/v1/data-health", tags=["data-health"])

Here = Annotated[Context, Depends(context_of)]
MachineState = Literal["speaking", "partly", "stopped", "silent", "never_heard"]
PointState = Literal["speaking", "silent", "never_heard", "troubled"]

_MOST_FINDINGS = 10_000


class SummaryOut(BaseModel):
    """
    How the data of the whole site fare.

    `listening` is False while nothing can reach us; silence is then as it stood before. `judged_points` counts those of
    which it is known how often they come; of the others nobody can tell yet.
    """

    now_us: int
    listening: bool
    why_not: str
    listening_since_us: int
    gateways: int
    silent_gateways: int
    machines: dict[str, int]
    measured_points: int
    silent_points: int
    never_heard_points: int
    judged_points: int
    examined_points: int
    findings: dict[str, int]


class GatewayOut(BaseModel):
    """A gateway; its clock is `behind_s` behind ours (below 0: ahead), null while nobody can tell."""

    id: str
    name: Names
    named: bool
    silent: bool
    machines: int
    points: int
    silent_points: int
    last_heard_us: int | None
    clock_behind_s: float | None
    clock_drift_s_day: float | None


class MachineOut(BaseModel):
    """A machine; one that is `stopped` reports that it is off, which is no fault."""

    id: str
    gateway: str
    state: MachineState
    points: int
    silent_points: int
    never_heard_points: int
    last_heard_us: int | None


class ExamOut(BaseModel):
    """The last day of a point: pace, gaps, rests, jumps; null where too little has been read to tell."""

    until_us: int
    readings: int
    usual_interval_s: float | None
    regular: bool | None
    gaps: int
    longest_gap_s: float
    missing_share: float
    outside_share: float
    jumps: int
    unchanged_s: float
    longest_rest_before_s: float
    stuck_after_s: float | None
    noise_left: float | None
    learnt_s: float


class PointHealthOut(BaseModel):
    """A measured point: silent for longer than `allowed_s`, never heard, or with troubles by their codes."""

    key: str
    state: PointState
    troubles: list[str]
    last_heard_us: int | None
    allowed_s: float
    judged: bool
    life_safety: bool
    exam: ExamOut | None


class PointsOut(BaseModel):
    """Points, and how many there are in all that fit the question."""

    total: int
    points: list[PointHealthOut]


@router.get("")
def summary(here: Here) -> SummaryOut:
    """Sum up how the data fare."""
    state = health_state(here)
    plan, silence = state.plan, state.silence
    findings: dict[str, int] = {}
    for finding in here.desk.findings(verdict="fault", active=True, limit=_MOST_FINDINGS):
        if finding.code in TROUBLES:
            findings[finding.code] = findings.get(finding.code, 0) + 1
    return SummaryOut(
        now_us=state.at_us,
        listening=state.listening.ears,
        why_not="" if state.listening.ears else state.listening.why,
        listening_since_us=state.since_us,
        gateways=len(plan.gateways),
        silent_gateways=int(silence.gateway.sum()),
        machines=count_machines(state),
        measured_points=int(plan.measured.sum()),
        silent_points=int(silence.point.sum()),
        never_heard_points=int(silence.never_point.sum()),
        judged_points=int((silence.judged & plan.measured & (state.heard_us > 0)).sum()),
        examined_points=len(state.exams),
        findings=findings,
    )


@router.get("/gateways")
def gateways(here: Here) -> list[GatewayOut]:
    """List the gateways, in the order of the site file."""
    state = health_state(here)
    plan, silence = state.plan, state.silence
    of_point = plan.gateway[plan.machine]
    found: list[GatewayOut] = []
    for g, item in enumerate(plan.gateways):
        mine, clock = of_point == g, state.clocks.get(g)
        found.append(
            GatewayOut(
                id=item.id,
                name=item.name,
                named=item.named,
                silent=bool(silence.gateway[g]),
                machines=int((plan.gateway == g).sum()),
                points=int((mine & plan.measured).sum()),
                silent_points=int((mine & silence.point).sum()),
                last_heard_us=int(state.heard_us[mine & plan.measured].max(initial=0)) or None,
                clock_behind_s=_finite(clock.behind_s) if clock is not None else None,
                clock_drift_s_day=_finite(clock.drift_s_day) if clock is not None else None,
            )
        )
    return found


@router.get("/machines")
def machines(
    here: Here, state: Annotated[MachineState | None, Query(description="only machines in this state")] = None
) -> list[MachineOut]:
    """List the machines, in the order of the site file."""
    health = health_state(here)
    plan, silence = health.plan, health.silence
    found: list[MachineOut] = []
    for m, kind in enumerate(machine_states(health)):
        if state is not None and kind != state:
            continue
        own = plan.points_of(m)
        found.append(
            MachineOut(
                id=plan.machines[m].id,
                gateway=plan.gateways[plan.gateway[m]].id,
                state=kind,  # type: ignore[arg-type]
                points=int(plan.measured[own].sum()),
                silent_points=int(silence.point[own].sum()),
                never_heard_points=int(silence.never_point[own].sum()),
                last_heard_us=int(health.heard_us[own][plan.measured[own]].max(initial=0)) or None,
            )
        )
    return found


@router.get("/points")
def points(
    here: Here,
    equipment: Annotated[str | None, Query(description="only the points of this equipment")] = None,
    state: Annotated[PointState | None, Query(description="only points in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> PointsOut:
    """List measured points with what is known of their data."""
    health = health_state(here)
    plan = health.plan
    own = range(len(plan.machine))
    if equipment is not None:
        m = [item.id for item in plan.machines].index(find_equipment(here.site, equipment).id)
        own = range(plan.points_of(m).start, plan.points_of(m).stop)
    chosen = [p for p in own if plan.measured[p] and (state is None or _state(health, p) == state)]
    return PointsOut(total=len(chosen), points=[_point(health, p) for p in chosen[offset : offset + limit]])


def _state(health: HealthState, p: int) -> PointState:
    if health.silence.never_point[p]:
        return "never_heard"
    if health.silence.point[p]:
        return "silent"
    exam = health.exams.get(p)
    return "troubled" if exam is not None and point_troubles(exam) else "speaking"


def _point(health: HealthState, p: int) -> PointHealthOut:
    exam = health.exams.get(p)
    return PointHealthOut(
        key=health.plan.site.points.key(p),
        state=_state(health, p),
        troubles=list(point_troubles(exam)) if exam is not None else [],
        last_heard_us=int(health.heard_us[p]) or None,
        allowed_s=int(health.allowed_us[p]) / 1e6,
        judged=bool(health.silence.judged[p]),
        life_safety=bool(health.plan.vital[p]),
        exam=None
        if exam is None
        else ExamOut(
            until_us=exam.until_us,
            readings=exam.readings,
            usual_interval_s=exam.pace.usual_us / 1e6 if exam.pace is not None else None,
            regular=exam.pace.regular if exam.pace is not None else None,
            gaps=exam.gaps.count,
            longest_gap_s=exam.gaps.longest_us / 1e6,
            missing_share=round(exam.gaps.share, 5),
            outside_share=round(exam.outside, 5),
            jumps=int(exam.jump_us.size),
            unchanged_s=exam.rest.now_us / 1e6,
            longest_rest_before_s=exam.rest.longest_us / 1e6,
            stuck_after_s=exam.stuck_after_us / 1e6 if exam.stuck_after_us is not None else None,
            noise_left=_finite(exam.noise),
            learnt_s=exam.learnt_us / 1e6,
        ),
    )


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
