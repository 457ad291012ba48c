"""
Judging machines by their own past: which rows to learn from, which are new, and what becomes of odd ones.

All times are those of the data, so that a recording of long ago is judged like the present. How far each machine has
been judged is kept in the database: a row is judged once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.alerts.wording import short_title
from analytics.anomaly import Examination, examine
from analytics.findings import Finding, Verdict
from facility.formats import decimals_of, quantity
from facility.names import Names
from facility.readings import Aggregates
from facility.site import AnomalySettings, Equipment
from facility.store import TelemetryStore

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

CODE: Final = "machine.unusual"
_STANDARD: Final = "the machine's own past"
_US: Final = 1_000_000
# A value that is missing is that of the step before, for at most so many steps.
_CARRY_STEPS: Final = 3
# After a silence this many times as long as what is learnt from, a new record begins: nobody knows what was done.
_NEW_RECORD: Final = 3.0
# A record that began within so many learning times is learnt from its beginning; a longer one from its newest part.
_YOUNG: Final = 3.0
_LEAST_YOUNG_S: Final = 2 * 3600.0
# A longer stretch than this beyond the learnt rows is learnt anew, to bound the work and to follow seasons.
_MOST_LEARNT: Final = 2.0
_LEAST_ROWS_BEYOND: Final = 3600
# An odd stretch of fewer rows than this, or shorter than this share of what is learnt from (ten minutes of a week), is
# no finding: a ticket is work for a person.
_ODD_ROWS: Final = 3
_ODD_SHARE: Final = 0.001
_EVIDENCE_POINTS: Final = 5
_MEAN_ROWS: Final = 20
_MOST_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a machine has been judged.

    Attributes
    ----------
    points, step_us, learn_us : the settings that this was done with; with others it begins anew
    learn_from_us : first row that is learnt from
    judged_until_us : rows before this have been judged
    told : the last answer that was handed on
    """

    points: tuple[str, ...]
    step_us: int
    learn_us: int
    learn_from_us: int
    judged_until_us: int
    told: str = ""

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Progress:
        """Read what `to_json` wrote."""
        return cls(**{**data, "points": tuple(data["points"])})

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**asdict(self), "points": list(self.points)}

    def fits(self, settings: AnomalySettings) -> bool:
        """Return whether it was made with these settings."""
        return (self.points, self.step_us, self.learn_us) == (settings.points, *_steps(settings))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one look at a machine led to: findings in the order of the data's times, and how far it has come."""

    findings: tuple[Finding, ...]
    progress: Progress


def pace_us(settings: AnomalySettings) -> int:
    """
    Return how much new data a look at a machine is worth: half a minute, or a step, or a small part of what is learnt
    from (a look costs as much as there is to learn). [µs]
    """
    return round(max(30.0, settings.step_s, settings.learn_s / 500.0) * _US)


def judge(
    store: TelemetryStore, machine: Equipment, settings: AnomalySettings, progress: Progress | None, until_us: int
) -> Judgement | None:
    """
    Judge the rows of a machine that are new.

    Parameters
    ----------
    progress : how far it had come; None at first sight
    until_us : time of its newest reading

    Returns
    -------
    None if its record is not yet long enough to begin.

    Raises
    ------
    StoreUnavailable
        Nothing is lost: the next look sees the same rows.
    """
    step_us, learn_us = _steps(settings)
    if progress is None or not progress.fits(settings):
        progress = _begin(store, machine, settings, until_us)
        if progress is None:
            return None
    else:
        progress = _after_a_silence(store, machine, settings, progress, until_us)
    # The last step may still be filling.
    end_us = progress.learn_from_us + (until_us - progress.learn_from_us) // step_us * step_us
    train_rows = learn_us // step_us
    if end_us <= max(progress.judged_until_us, progress.learn_from_us + train_rows * step_us):
        return Judgement((), progress)
    times, values = _rows(store, machine, settings, progress.learn_from_us, end_us)
    seen = examine(times.astype("datetime64[us]"), values, train_rows)
    findings = _findings(machine, settings, times, values, seen, progress)
    if findings:
        progress = replace(progress, told=findings[-1].verdict)
    progress = replace(progress, judged_until_us=end_us)
    return Judgement(findings, _learn_anew(progress, seen, times.size))


def _steps(settings: AnomalySettings) -> tuple[int, int]:
    step_us = max(1, round(settings.step_s * _US))
    return step_us, max(1, round(settings.learn_s * _US / step_us)) * step_us


def _keys(machine: Equipment, settings: AnomalySettings) -> list[str]:
    return [f"{machine.id}/{point}" for point in settings.points]


# -- where a record begins


def _begin(store: TelemetryStore, machine: Equipment, settings: AnomalySettings, until_us: int) -> Progress | None:
    """Find what to learn from at first sight: the beginning of a young record, the newest part of an old one."""
    step_us, learn_us = _steps(settings)
    young_us = round(max(_YOUNG * learn_us, _LEAST_YOUNG_S * _US))
    horizon_us = until_us - young_us
    start_us = _record_start(store, machine, settings, horizon_us, until_us)
    if start_us is None:
        return None
    if start_us < horizon_us + learn_us:
        # Longer than we can see: what ran lately is its normal. What it is to be judged by is not judged itself.
        start_us = until_us - learn_us
    elif until_us - start_us < learn_us:
        return None
    return Progress(settings.points, step_us, learn_us, start_us, start_us + learn_us)


def _record_start(
    store: TelemetryStore, machine: Equipment, settings: AnomalySettings, since_us: int, until_us: int
) -> int | None:
    """Return the first reading at or after `since_us` of the record that is still going on at `until_us`."""
    step_us, learn_us = _steps(settings)
    # Coarse steps first: a week of seconds need not be read for its gaps. The gap that counts is far longer.
    coarse_us = max(step_us, learn_us // 100)
    found = store.aggregate(_keys(machine, settings), since_us, until_us + 1, coarse_us, origin_us=since_us)
    times = np.unique(np.concatenate([series.time_us for series in found.values()])) if found else np.empty(0, np.int64)
    if times.size == 0:
        return None
    gaps = np.flatnonzero(np.diff(times) > _silence_us(settings))
    first_us = int(times[gaps[-1] + 1] if gaps.size else times[0])
    exact = store.series(_keys(machine, settings), first_us, first_us + coarse_us)
    return min((int(s.time_us[0]) for s in exact.values() if len(s)), default=first_us)


def _silence_us(settings: AnomalySettings) -> float:
    return _NEW_RECORD * settings.learn_s * _US


def _after_a_silence(
    store: TelemetryStore, machine: Equipment, settings: AnomalySettings, progress: Progress, until_us: int
) -> Progress:
    """Return the progress to go on with: a new record is learnt from its own beginning."""
    if until_us - progress.judged_until_us <= _silence_us(settings):
        return progress
    start_us = _record_start(store, machine, settings, progress.judged_until_us, until_us)
    if start_us is None or start_us - progress.judged_until_us <= _silence_us(settings):
        return progress
    return replace(progress, learn_from_us=start_us, judged_until_us=start_us + progress.learn_us)


# -- rows


def _rows(
    store: TelemetryStore, machine: Equipment, settings: AnomalySettings, start_us: int, end_us: int
) -> tuple[Times, Floats]:
    """Return (n,) times and (n, k) last values by steps; NaN where nothing came for more than three steps."""
    step_us, _ = _steps(settings)
    keys = _keys(machine, settings)
    found = store.aggregate(keys, start_us, end_us, step_us, origin_us=start_us)
    times = np.arange(start_us, end_us, step_us, dtype=np.int64)
    values = np.full((times.size, len(keys)), np.nan)
    for column, key in enumerate(keys):
        series: Aggregates = found[key]
        values[(series.time_us - start_us) // step_us, column] = series.last
    return times, carry_forward(values, _CARRY_STEPS)


def carry_forward(values: Floats, steps: int) -> Floats:
    """Fill each gap of (n, k) with the value before it, for at most `steps` rows; the rest stays NaN."""
    row = np.arange(values.shape[0])[:, None]
    source = np.maximum.accumulate(np.where(np.isfinite(values), row, -1), axis=0)
    usable = (source >= 0) & (row - source <= steps)
    filled: Floats = np.where(usable, np.take_along_axis(values, np.maximum(source, 0), axis=0), np.nan)
    return filled


# -- what odd rows are told as


@dataclass(frozen=True, slots=True)
class Stretch:
    """An odd stretch of rows [start, end); at row `certain` it had become a finding."""

    start: int
    end: int
    certain: int


def odd_stretches(labels: NDArray[np.int64], least: int = _ODD_ROWS) -> list[Stretch]:
    """
    Return the stretches of at least `least` labelled rows: `labels` (n,) is 1 where the detector's alarm lasts.

    The detector does not ring for one wild row among close ones; rows that are far apart may ring alone, and one of
    those is no finding either.
    """
    edges = np.flatnonzero(np.diff(np.r_[0, labels != 0, 0]))
    return [
        Stretch(start, end, start + least - 1)
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if end - start >= least
    ]


def _findings(
    machine: Equipment,
    settings: AnomalySettings,
    times: Times,
    values: Floats,
    seen: Examination,
    progress: Progress,
) -> tuple[Finding, ...]:
    """Return what the rows from `judged_until_us` on lead to, in the order of their times."""
    new = int(np.searchsorted(times, progress.judged_until_us))
    end_us = int(times[-1]) + progress.step_us
    if seen.reason is not None or not seen.told[new:].any():
        reason = seen.reason or "no point that is judged has a value"
        return () if progress.told == "cannot_tell" else (_doubt(machine, settings, end_us, reason),)
    findings: list[Finding] = []
    if progress.told == "fault" and not seen.labels[new]:
        # The stretch that was still going on at the last look ended right there.
        findings.append(_healthy(machine, settings, int(times[new])))
    for stretch in odd_stretches(seen.labels, max(_ODD_ROWS, round(_ODD_SHARE * seen.train_rows))):
        if stretch.end <= new:
            continue
        found_us = end_us if stretch.certain < new else int(times[stretch.certain])
        findings.append(_odd(machine, settings, times, values, seen, stretch, found_us))
        if stretch.end < times.size:
            findings.append(_healthy(machine, settings, int(times[stretch.end])))
    if not findings and progress.told == "cannot_tell":
        findings.append(_healthy(machine, settings, end_us))
    return tuple(findings)


def _odd(
    machine: Equipment,
    settings: AnomalySettings,
    times: Times,
    values: Floats,
    seen: Examination,
    stretch: Stretch,
    found_us: int,
) -> Finding:
    upto = slice(stretch.start, stretch.end)
    order = np.argsort(-seen.contributions[upto].max(axis=0), kind="stable")
    guilty = [int(j) for j in order if seen.contributions[upto, j].max() >= seen.threshold] or [int(order[0])]
    first = guilty[0]
    # From the row on in which the guilty point itself stands out most. Deviations add up over rows, so a mean says more
    # than one row, which may well look harmless.
    row = stretch.start + int(np.argmax(seen.contributions[upto, first]))
    near = slice(row, min(stretch.end, row + _MEAN_ROWS))
    measured, expected = _means(values[near], seen.expected[near])
    what, figure, usual = _said(machine, settings.points[first], float(measured[first]), float(expected[first]))
    others = [machine.points[settings.points[j]].name for j in guilty[1:_EVIDENCE_POINTS]]
    name = machine.points[settings.points[first]].name
    summary = Names(
        zh=f"{machine.name.zh}：{name.zh} {figure or '缺测'}"
        + (f"，按自身历史应为 {usual} 左右" if usual else "")
        + (f"；同时偏离的有{'、'.join(n.zh for n in others)}" if others else "") + "。",
        en=f"{machine.name.en}: {_lower(name.en)} {figure or 'missing'}"
        + (f" where its own past makes {usual} likely" if usual else "")
        + (f"; also unusual: {', '.join(_lower(n.en) for n in others)}" if others else "") + ".",
    )  # fmt: skip
    score = float(seen.contributions[upto].max())
    return Finding(
        code=CODE,
        equipment=machine.id,
        points=tuple(settings.points[j] for j in guilty),
        verdict="fault",
        title=short_title(machine, what, Names(zh=figure, en=figure) if figure else None),
        summary=summary,
        evidence={
            "score": round(score, 3),
            "threshold": seen.threshold,
            "rows_odd": stretch.end - stretch.start,
            "worst_us": int(times[row]),
            "from_us": int(times[stretch.start]),
            "until_us": int(times[stretch.end - 1]),
            "learnt_from_us": int(times[0]),
            "learnt_rows": seen.train_rows,
            "step_s": settings.step_s,
            "points": [
                {
                    "point": settings.points[j],
                    "unit": machine.points[settings.points[j]].unit,
                    "measured": _plain(float(measured[j])),
                    "expected": _plain(float(expected[j])),
                    "tolerance": _plain(seen.tolerance[j]),
                    "share_of_threshold": round(float(seen.contributions[upto, j].max()), 3),
                }
                for j in order[: max(_EVIDENCE_POINTS, len(guilty))]
            ],
        },
        since_us=int(times[stretch.start]),
        found_us=found_us,
        confidence=round(min(0.95, 0.5 + 0.1 * (score / seen.threshold)), 2),
        priority="P3",
        source="detector machine.unusual",
        standard=_STANDARD,
        advice=_ADVICE,
    )


def _healthy(machine: Equipment, settings: AnomalySettings, at_us: int) -> Finding:
    return _answer(
        machine, settings, "healthy", at_us, Names(zh="运行正常", en="runs as usual"),
        Names(zh=f"{machine.name.zh}：各参数回到自身常态。", en=f"{machine.name.en}: back within its own past."), {},
    )  # fmt: skip


def _doubt(machine: Equipment, settings: AnomalySettings, at_us: int, reason: str) -> Finding:
    return _answer(
        machine, settings, "cannot_tell", at_us, Names(zh="工况无法判断", en="cannot be judged"),
        Names(
            zh=f"{machine.name.zh}：数据不足以与自身历史比较，需要 {settings.learn_s / 3600:g} 小时会变化的数据。",
            en=f"{machine.name.en}: cannot be compared with its own past ({reason}); the detector needs "
            f"{settings.learn_s / 3600:g} h of readings that move.",
        ),
        {"reason": reason},
    )  # fmt: skip


def _answer(
    machine: Equipment, settings: AnomalySettings, verdict: Verdict, at_us: int, what: Names, summary: Names,
    evidence: dict[str, Any],
) -> Finding:  # fmt: skip
    return Finding(
        code=CODE, equipment=machine.id, points=settings.points, verdict=verdict, title=short_title(machine, what),
        summary=summary, evidence=evidence, since_us=at_us, found_us=at_us, confidence=0.5, priority="P3",
        source="detector machine.unusual", standard=_STANDARD,
    )  # fmt: skip


def _means(measured: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """Return the means of (n, k) over the rows in which both are known: (k,) each, NaN where none is."""
    both = np.isfinite(measured) & np.isfinite(expected)
    count = both.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(both, measured, 0.0).sum(axis=0) / count, np.where(both, expected, 0.0).sum(axis=0) / count


def _said(machine: Equipment, point: str, measured: float, expected: float) -> tuple[Names, str, str]:
    """Return what is unusual in words, the measured figure, and the usual one; figures are empty where not known."""
    spec = machine.points[point]
    name_en = _lower(spec.name.en)
    if not (math.isfinite(measured) and math.isfinite(expected)):
        return Names(zh=f"{spec.name.zh}偏离常态", en=f"{name_en} unusual"), "", ""
    decimals = decimals_of(spec.unit, spec.decimals)
    # So many that the two read as different, where what differs is small.
    while decimals < _MOST_DECIMALS and abs(measured - expected) < 2 * 10.0**-decimals:
        decimals += 1
    figure, usual = quantity(measured, spec.unit, decimals), quantity(expected, spec.unit, decimals)
    if measured > expected:
        return Names(zh=f"{spec.name.zh}高于常态", en=f"{name_en} unusually high"), figure, usual
    return Names(zh=f"{spec.name.zh}低于常态", en=f"{name_en} unusually low"), figure, usual


def _lower(text: str) -> str:
    """Take a sentence's capital away, but not an abbreviation's."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


_ADVICE: Final[tuple[Names, ...]] = (
    Names(zh="看曲线：哪几个参数从何时起一起变", en="See on the curves which points changed together, and since when"),
    Names(zh="到现场听、看、摸，对照仪表读数", en="Go and look, listen and feel; compare with the gauges"),
    Names(zh="问是否有人调过阀门、频率或设定值", en="Ask whether a valve, speed or set-point was changed"),
    Names(zh="若是仪表问题，安排校验", en="If it is the instrument, have it checked"),
)


# -- learning anew


def _learn_anew(progress: Progress, seen: Examination, rows: int) -> Progress:
    """Move the learnt window to the newest healthy stretch of its length, once the record has grown far beyond it."""
    train = seen.train_rows
    beyond = rows - train
    if beyond <= max(_MOST_LEARNT * train, _LEAST_ROWS_BEYOND) or train == 0:
        return progress
    if seen.labels[-1]:
        return progress  # not in the middle of trouble
    odd = np.flatnonzero(seen.labels)
    healthy_from = int(odd[-1]) + 1 if odd.size else 0
    if rows - healthy_from < train and beyond <= 10 * max(_MOST_LEARNT * train, _LEAST_ROWS_BEYOND):
        return progress  # a little longer, until there is a healthy stretch
    start = rows - train
    return replace(progress, learn_from_us=progress.learn_from_us + start * progress.step_us)
