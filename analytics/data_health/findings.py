"""From figures to findings: who is silent, which values cannot be believed, what it means and what to do first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.data_health.clocks import ClockOffset
from analytics.data_health.codes import TROUBLES
from analytics.data_health.examination import PointExam
from analytics.data_health.plan import HealthPlan
from analytics.data_health.silence import Silence
from analytics.findings import Finding, Reach
from facility.equipment_classes import Priority
from facility.formats import duration, fits_title, number, title_width
from facility.names import Language, Names

_US: Final = 1_000_000
# Who is silent for so long beyond what is allowed is told: a restart of a gateway is no news. [µs]
HOLD_US: Final = 270 * _US
VITAL_HOLD_US: Final = 30 * _US
# A clock may be so far off: ahead of us it cannot be by the network, behind us a little. [s]
AHEAD_S: Final = 10.0
BEHIND_S: Final = 60.0
# A single gap was silence, and was told when it happened; what comes back again and again is another matter.
_LEAST_GAPS: Final = 3
_GAP_SHARE: Final = 0.05
_OUTSIDE_SHARE: Final = 0.01
_LEAST_JUMPS: Final = 3
# Of a gateway with several machines, so many with gaps mean the gateway.
_SHARED: Final = 0.8
_MOST_NAMED: Final = 5
_MOST_EVIDENCE: Final = 50

HEARTBEAT: Final = "heartbeat"  # findings about our own side go by this name in place of a machine's
EXAM_CODES: Final = ("data.stuck", "data.noise_lost", "data.jumps", "data.out_of_range", "data.gaps")


def due_now(plan: HealthPlan, silence: Silence, allowed_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the points whose silence has lasted long enough to be told: (points,)."""
    hold = np.where(plan.vital, VITAL_HOLD_US, HOLD_US)
    due: NDArray[np.bool_] = silence.point & (silence.quiet_us > allowed_us + hold)
    return due


def silence_findings(
    plan: HealthPlan, silence: Silence, due: NDArray[np.bool_], heard_us: NDArray[np.int64], now_us: int
) -> list[Finding]:
    """
    Return a fault for each cause of silence that is to be told: site, gateway, machine, points; the first explains the
    rest.

    Parameters
    ----------
    due : (points,) silent for long enough, or known to be gone
    heard_us : (points,) when each was last heard, 0: never [µs]
    """
    lost_vital = silence.point & plan.vital
    if silence.all:
        if not due.any():
            return []
        return [_nothing_heard(plan, silence, heard_us, bool(lost_vital.any()), now_us)]
    found: list[Finding] = []
    for g in np.flatnonzero(silence.gateway):
        machines = plan.machines_of(int(g))
        mine = np.isin(plan.machine, machines) & silence.point
        if (mine & due).any():
            found.append(_gateway_silent(plan, int(g), machines, mine, heard_us, now_us))
    for m in np.flatnonzero(silence.devices(plan)):
        mine = (plan.machine == m) & silence.point
        if (mine & due).any():
            found.append(_device_silent(plan, int(m), mine, heard_us, now_us))
    lone = silence.lone_points(plan) & due
    for m in np.unique(plan.machine[lone]):
        mine = lone & (plan.machine == m)
        for p in np.flatnonzero(mine & plan.vital & plan.gauge):
            found.append(_points_silent(plan, int(m), [int(p)], heard_us, now_us, vital=True))
        rest = [int(p) for p in np.flatnonzero(mine & ~(plan.vital & plan.gauge))]
        if rest:
            found.append(_points_silent(plan, int(m), rest, heard_us, now_us, vital=False))
    return found


def never_findings(plan: HealthPlan, silence: Silence, now_us: int, listening_us: int) -> list[Finding]:
    """Return a line for each machine that speaks but of which some measured points were never heard."""
    found: list[Finding] = []
    speaking = ~silence.never_machine & ~silence.machine
    for m in np.unique(plan.machine[silence.never_point & speaking[plan.machine]]):
        points = [int(p) for p in np.flatnonzero(silence.never_point & (plan.machine == m))]
        zh, en = _listed(plan, points)
        machine = plan.machines[m]
        found.append(
            _finding(
                "data.never_heard", machine.id, _point_names(plan, points),
                _title(machine.id, machine.name, "data.never_heard", _count(len(points), "个测点", "point", "points")),
                Names(
                    zh=f"{machine.name.zh}：{zh} 从未收到过数据。",
                    en=f"{machine.name.en}: {en} never heard.",
                ),
                {"points": _point_names(plan, points)[:_MOST_EVIDENCE], "listening_since_us": listening_us},
                listening_us, now_us, "P4", "line",
            )
        )  # fmt: skip
    return found


def clock_finding(plan: HealthPlan, gateway: int, clock: ClockOffset, now_us: int) -> Finding | None:
    """Return the answer about a gateway's clock: fault or healthy; None where nobody can tell."""
    if not math.isfinite(clock.behind_s):
        return None
    name = plan.gateways[gateway]
    wrong = clock.behind_s > BEHIND_S or clock.behind_s < -AHEAD_S
    amount_us = round(abs(clock.behind_s) * _US)
    zh_side, en_side = ("慢", "behind") if clock.behind_s > 0 else ("快", "ahead")
    zh, en = duration(amount_us, "zh"), duration(amount_us, "en")
    drift = clock.drift_s_day
    told = math.isfinite(drift) and abs(drift) >= 1
    summary = Names(
        zh=f"{name.name.zh}的时钟{zh_side} {zh}" + (f"，每天变化 {drift:+.0f} 秒" if told else "") + "。",
        en=f"The clock of {_mid(name.name.en)} is {en} {en_side}" + (f", {drift:+.0f} s a day" if told else "") + ".",
    )
    return _finding(
        "data.clock_offset", name.id, (),
        _title(name.id, name.name, "data.clock_offset", Names(zh=f"{zh_side} {zh}", en=f"{en} {en_side}")), summary,
        {
            "behind_s": round(clock.behind_s, 3), "drift_s_day": round(drift, 2) if math.isfinite(drift) else None,
            "samples": clock.samples, "allowed_ahead_s": AHEAD_S, "allowed_behind_s": BEHIND_S,
        },
        now_us, now_us, "P3", "ticket", verdict="fault" if wrong else "healthy",
    )  # fmt: skip


def exam_findings(plan: HealthPlan, machine: int, exams: Mapping[int, PointExam], now_us: int) -> list[Finding]:
    """
    Return what the last day of a machine's readings says: one answer a kind of trouble, fault or healthy.

    A kind that none of its points can be judged by is left out: that is "cannot tell", and ends nothing.
    """
    found: list[Finding] = []
    for code in EXAM_CODES:
        judged = {p: e for p, e in exams.items() if _judged(code, plan, p, e)}
        if not judged:
            continue
        bad = {p: e for p, e in judged.items() if _bad(code, e)}
        found.append(_exam_finding(plan, machine, code, bad, now_us))
    return found


def gateway_gaps(plan: HealthPlan, gateway: int, answers: Sequence[Finding], now_us: int) -> list[Finding]:
    """
    Return what the answers `data.gaps` of all machines of a gateway come to: gaps of nearly all of them are the
    gateway's, and not told for each machine.
    """
    mine, machines = [f for f in answers if f.verdict == "fault"], len(plan.machines_of(gateway))
    found = plan.gateways[gateway]
    well = _finding(
        "data.gaps", found.id, (), TROUBLES["data.gaps"].name, TROUBLES["data.gaps"].name, {}, now_us, now_us, "P3",
        "ticket", verdict="healthy",
    )  # fmt: skip
    if machines < 2 or len(mine) < max(2.0, _SHARED * machines):
        return [well, *answers]
    worst = max(float(f.evidence["share"]) for f in mine)
    count, share = _count(len(mine), "台设备", "machine", "machines"), number(100 * worst, 0)
    fault = _finding(
        "data.gaps", found.id, (), _title(found.id, found.name, "data.gaps", count),
        Names(
            zh=f"{found.name.zh}：最近24小时 {count.zh}的数据有缺口，最多缺 {share} %。",
            en=f"{found.name.en}: {count.en} with gaps in the last 24 h, up to {share} % missing.",
        ),
        {"machines": [f.equipment for f in mine], "share": worst}, min(f.since_us for f in mine), now_us, "P3",
        "ticket",
    )  # fmt: skip
    return [fault, *(replace(f, verdict="healthy") for f in answers)]


def deafness(plan: HealthPlan, code: str, since_us: int, now_us: int, why: str) -> Finding:
    """Return the fault of our own side: nothing can be heard, and no machine is to blame."""
    vital = bool(plan.vital.any())
    summary = (
        Names(
            zh="与消息服务器的连接已断开：收不到任何读数，告警可能缺失。",
            en="No connection to the broker: no readings come in, alarms may be missing.",
        )
        if code == "data.not_connected"
        else Names(
            zh="读数无法保存：它们在消息服务器里等待，告警可能缺失。",
            en="Readings cannot be kept: they wait at the broker, alarms may be missing.",
        )
    )
    return _finding(
        code, HEARTBEAT, (), TROUBLES[code].name, summary, {"since_us": since_us, "why": why}, since_us, now_us,
        "P1" if vital else "P2", "alert",
    )  # fmt: skip


# -- one cause each


def _nothing_heard(
    plan: HealthPlan, silence: Silence, heard_us: NDArray[np.int64], vital: bool, now_us: int
) -> Finding:
    last = int(heard_us.max(initial=0))
    gateways = int(silence.gateway.sum())
    return _finding(
        "data.nothing_heard", HEARTBEAT, (), TROUBLES["data.nothing_heard"].name,
        Names(
            zh=f"全部 {gateways} 个网关都没有数据：像是消息服务器或网络的问题，不是设备。",
            en=f"None of {gateways} gateways is heard: the broker or the network, not the machines.",
        ),
        {"gateways": gateways, "last_heard_us": last}, last, now_us, "P1" if vital else "P2", "alert",
    )  # fmt: skip


def _gateway_silent(
    plan: HealthPlan, g: int, machines: NDArray[np.intp], mine: NDArray[np.bool_], heard_us: NDArray[np.int64],
    now_us: int,
) -> Finding:  # fmt: skip
    gateway, last = plan.gateways[g], int(heard_us[mine].max())
    items = [plan.machines[m] for m in machines]
    rooms = list(dict.fromkeys(item.room for item in items if item.room))
    vital = [int(p) for p in np.flatnonzero(mine & plan.vital & plan.gauge)]
    points = int(mine.sum())
    zh_vital, en_vital = "", ""
    if vital:
        named = [plan.machines[m].name for m in dict.fromkeys(plan.machine[p] for p in vital)]
        zh, en = _some(named, "zh"), _some(named, "en")
        zh_vital, en_vital = f"涉及生命安全：{zh}。", f" Life safety rests on {en}."
    return _finding(
        "data.gateway_silent", gateway.id, (),
        _title(gateway.id, gateway.name, "data.gateway_silent", _count(len(items), "台设备", "machine", "machines")),
        Names(
            zh=f"{gateway.name.zh}无数据：{len(items)} 台设备、{points} 个测点、{len(rooms)} 个机房收不到读数。"
            f"{zh_vital}",
            en=f"{gateway.name.en} is silent: {_plural(len(items), 'machine')}, "
            f"{_plural(points, 'point')}, {_plural(len(rooms), 'room')} without readings.{en_vital}",
        ),
        {
            "gateway": gateway.id, "machines": [item.id for item in items][:_MOST_EVIDENCE],
            "machine_count": len(items), "point_count": points, "rooms": rooms, "last_heard_us": last,
            "vital": [plan.site.points.key(p) for p in vital][:_MOST_EVIDENCE],
        },
        last, now_us, "P1" if vital else "P2", "alert" if vital else "ticket", life_safety=bool(vital),
    )  # fmt: skip


def _device_silent(
    plan: HealthPlan, m: int, mine: NDArray[np.bool_], heard_us: NDArray[np.int64], now_us: int
) -> Finding:
    machine, gateway = plan.machines[m], plan.gateways[plan.gateway[m]]
    last, vital = int(heard_us[mine].max()), bool((mine & plan.vital & plan.gauge).any())
    points = int(mine.sum())
    alone = int((plan.gateway == plan.gateway[m]).sum()) == 1
    zh_gateway = "" if alone else f"，{gateway.name.zh}的其他设备正常"
    en_gateway = "" if alone else f", other machines of {_mid(gateway.name.en)} speak"
    priority: Priority = "P1" if vital else "P2" if machine.criticality == "A" else "P3"
    return _finding(
        "data.device_silent", machine.id, (),
        _title(machine.id, machine.name, "data.device_silent", _count(points, "个测点", "point", "points")),
        Names(
            zh=f"{machine.name.zh}：没有数据（{points} 个测点）{zh_gateway}。",
            en=f"{machine.name.en}: no data ({_plural(points, 'point')}){en_gateway}.",
        ),
        {"gateway": gateway.id, "point_count": points, "last_heard_us": last, "gateway_speaks": True},
        last, now_us, priority, "alert" if vital else "ticket", life_safety=vital,
    )  # fmt: skip


def _points_silent(
    plan: HealthPlan, m: int, points: list[int], heard_us: NDArray[np.int64], now_us: int, *, vital: bool
) -> Finding:
    machine = plan.machines[m]
    last = int(heard_us[points].max())
    zh, en = _listed(plan, points)
    names = _point_names(plan, points)
    return _finding(
        "data.point_silent", machine.id, names,
        _title(
            machine.id, machine.name, "data.point_silent",
            _one_or_many(plan, m, points),
        ),
        Names(
            zh=f"{machine.name.zh}：{zh} 没有数据，设备的其他测点正常。",
            en=f"{machine.name.en}: no data of {en}; its other points speak.",
        ),
        {
            "points": list(names)[:_MOST_EVIDENCE], "last_heard_us": last,
            "every_s": [float(plan.every_us[p]) / _US for p in points][:_MOST_EVIDENCE],
        },
        last, now_us, "P1" if vital else "P3", "alert" if vital else "ticket", life_safety=vital,
        subject=names[0] if vital else "",
        standard="GB 50751-2012 7.1 (a broken sensor wire must alarm)" if vital else "",
    )  # fmt: skip


# -- the last day's readings


def point_troubles(exam: PointExam) -> dict[str, Names]:
    """Return what is wrong with one point, by code, in words that follow its name."""
    return {code: _worst_words(code, exam) for code in EXAM_CODES if _bad(code, exam)}


def trouble_since(code: str, exam: PointExam) -> int:
    """Return since when a point has a trouble. [µs]"""
    return _since(code, exam)


def _judged(code: str, plan: HealthPlan, point: int, exam: PointExam) -> bool:
    if code == "data.stuck":
        return exam.stuck_after_us is not None or exam.rest.now_us == 0
    if code == "data.noise_lost":
        return math.isfinite(exam.noise)
    if code == "data.jumps":
        return bool(np.isfinite(plan.max_rate[point]))
    if code == "data.gaps":
        return exam.pace is not None and exam.pace.regular
    return True


def _bad(code: str, exam: PointExam) -> bool:
    if code == "data.stuck":
        return exam.stuck
    if code == "data.noise_lost":
        return exam.noise_lost and not exam.stuck
    if code == "data.jumps":
        return exam.jump_us.size >= _LEAST_JUMPS
    if code == "data.out_of_range":
        return exam.outside > _OUTSIDE_SHARE
    return exam.gaps.count >= _LEAST_GAPS and exam.gaps.share > _GAP_SHARE


def _exam_finding(plan: HealthPlan, m: int, code: str, bad: Mapping[int, PointExam], now_us: int) -> Finding:
    machine, points = plan.machines[m], list(bad)
    reach: Reach = "ticket" if code in ("data.stuck", "data.gaps") else "line"
    priority: Priority = "P3" if reach == "ticket" else "P4"
    if not bad:
        return _finding(
            code, machine.id, (), TROUBLES[code].name, TROUBLES[code].name, {}, now_us, now_us, priority, reach,
            verdict="healthy",
        )  # fmt: skip
    if code == "data.stuck" and bool((plan.vital & plan.gauge)[points].any()):
        # A stuck oxygen pressure looks healthy whatever happens: somebody must go and see.
        priority, reach = "P2", "alert"
    zh, en = _listed(plan, points)
    worst = max(bad.values(), key=lambda e: _weight(code, e))
    what = _worst_words(code, worst)
    return _finding(
        code, machine.id, _point_names(plan, points),
        _title(
            machine.id, machine.name, code,
            _one_or_many(plan, m, points),
        ),
        Names(zh=f"{machine.name.zh}：{zh} {what.zh}。", en=f"{machine.name.en}: {en} {what.en}."),
        {"share": round(_weight(code, worst), 4), "window_us": [worst.from_us, worst.until_us],
         "points": {plan.site.points.addresses[p].point: _figures(e) for p, e in list(bad.items())[:_MOST_EVIDENCE]}},
        min(_since(code, e) for e in bad.values()), now_us, priority, reach,
        life_safety=False,
    )  # fmt: skip


def _weight(code: str, exam: PointExam) -> float:
    if code == "data.stuck":
        return exam.rest.now_us / _US
    if code == "data.noise_lost":
        return 1.0 - exam.noise
    if code == "data.jumps":
        return float(exam.jump_us.size)
    return exam.outside if code == "data.out_of_range" else exam.gaps.share


def _worst_words(code: str, exam: PointExam) -> Names:
    if code == "data.stuck":
        zh, en = (duration(exam.rest.now_us, "zh"), duration(exam.rest.now_us, "en"))
        usual_zh, usual_en = duration(exam.rest.longest_us, "zh"), duration(exam.rest.longest_us, "en")
        return Names(
            zh=f"已 {zh}没有变化（以往最长 {usual_zh}），数值不可信",
            en=f"not changed for {en} (longest before: {usual_en}); not to be believed",
        )
    if code == "data.noise_lost":
        return Names(zh="失去了平时的波动，传感器可能失效", en="lost the noise that it had; the sensor may be dead")
    if code == "data.jumps":
        times = int(exam.jump_us.size)
        return Names(
            zh=f"最近24小时跳变 {times} 次，快过物理可能",
            en=f"jumped {_plural(times, 'time')} in 24 h, faster than can be",
        )
    if code == "data.out_of_range":
        share = number(100 * exam.outside, 1)
        return Names(zh=f"有 {share} % 的读数不可能", en=f"has {share} % of impossible readings")
    share = number(100 * exam.gaps.share, 0)
    zh, en = duration(exam.gaps.longest_us, "zh"), duration(exam.gaps.longest_us, "en")
    return Names(
        zh=f"最近24小时有 {exam.gaps.count} 个缺口，最长 {zh}，共缺 {share} %",
        en=f"had {_plural(exam.gaps.count, 'gap')} in 24 h, the longest {en}, {share} % missing",
    )


def _since(code: str, exam: PointExam) -> int:
    if code == "data.stuck":
        return exam.until_us - exam.rest.now_us
    if code == "data.jumps" and exam.jump_us.size:
        return int(exam.jump_us[0])
    if code == "data.gaps" and exam.gaps.count:
        return int(exam.gaps.span_us[0, 0])
    return exam.from_us


def _figures(exam: PointExam) -> dict[str, Any]:
    return {
        "readings": exam.readings, "outside": round(exam.outside, 4), "jumps": int(exam.jump_us.size),
        "gaps": exam.gaps.count, "missing_share": round(exam.gaps.share, 4),
        "longest_gap_s": exam.gaps.longest_us / _US, "rest_s": exam.rest.now_us / _US,
        "longest_rest_before_s": exam.rest.longest_us / _US,
        "noise_left": round(exam.noise, 3) if math.isfinite(exam.noise) else None,
    }  # fmt: skip


# -- wording


def _finding(
    code: str, equipment: str, points: tuple[str, ...], title: Names, summary: Names, evidence: Mapping[str, Any],
    since_us: int, now_us: int, priority: Priority, reach: Reach, *, life_safety: bool = False, subject: str = "",
    standard: str = "", verdict: Any = "fault",
) -> Finding:  # fmt: skip
    trouble = TROUBLES[code]
    cause = {"cause_zh": trouble.cause.zh, "cause_en": trouble.cause.en}
    return Finding(
        code=code, equipment=equipment, points=points, verdict=verdict, title=title, summary=summary,
        evidence={**evidence, **cause}, since_us=since_us, found_us=now_us, confidence=1.0, priority=priority,
        source=f"data health {code}", standard=standard or trouble.standard, advice=trouble.advice, subject=subject,
        reach=reach, life_safety=life_safety,
    )  # fmt: skip


def _point_names(plan: HealthPlan, points: Sequence[int]) -> tuple[str, ...]:
    return tuple(plan.site.points.addresses[p].point for p in points)


def _listed(plan: HealthPlan, points: Sequence[int]) -> tuple[str, str]:
    """Return the names of points in both languages."""
    addresses = [plan.site.points.addresses[p] for p in points]
    names = [plan.site.equipment[a.equipment].points[a.point].name for a in addresses]
    return _some(names, "zh"), _some(names, "en")


def _some(names: Sequence[Names], language: Language) -> str:
    """Return names in a row; of many the first are told and all are counted."""
    text = ("、" if language == "zh" else ", ").join(name.in_(language) for name in names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        text += f"等 {len(names)} 项" if language == "zh" else f" and {len(names) - _MOST_NAMED} more"
    return text


def _title(id_: str, name: Names, code: str, value: Names) -> Names:
    """Return machine or gateway, what and a figure, by the measure of an alert's title; nothing is ever cut off."""
    what = TROUBLES[code].name

    def shortest(candidates: list[str]) -> str:
        return next((c for c in candidates if fits_title(c)), min(candidates, key=title_width))

    en = what.en[:1].lower() + what.en[1:]
    return Names(
        zh=shortest([f"{name.zh} {what.zh} {value.zh}", f"{name.zh} {what.zh}", f"{id_} {what.zh}"]),
        en=shortest([f"{name.en}: {en}, {value.en}", f"{name.en}: {en}", f"{id_}: {en}"]),
    )


def _count(n: int, zh: str, one: str, many: str) -> Names:
    return Names(zh=f"{n} {zh}", en=f"{n} {one if n == 1 else many}")


def _one_or_many(plan: HealthPlan, m: int, points: Sequence[int]) -> Names:
    """Return the name of a single point, or how many there are."""
    if len(points) == 1:
        return plan.machines[m].points[plan.site.points.addresses[points[0]].point].name
    return _count(len(points), "个测点", "point", "points")


def _plural(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def _mid(name: str) -> str:
    """Return a name as it stands inside an English sentence."""
    return "the g" + name[1:] if name.startswith("Gateway ") else name
