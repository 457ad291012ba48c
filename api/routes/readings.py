"""Readings: the newest of each point, and what they were over a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query
from numpy.typing import NDArray

from api.context import Context, context_of
from api.errors import bad_request
from api.responses import Json
from api.routes.plant import equipment_in, find_equipment, unknown_point
from api.times import parse_step, parse_time
from facility.site import Site

router = APIRouter(prefix="/api/v1", tags=["readings"])

Here = Annotated[Context, Depends(context_of)]

MOST_POINTS: Final = 20
MOST_VALUES: Final = 50_000  # readings or steps in one answer, all its points together
AUTO_STEPS: Final = 600  # what `step=auto` aims at: about one a pixel of a curve
_DAY_US: Final = 86_400_000_000
_ROUND_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400,
)  # fmt: skip


@router.get("/latest", response_class=Json)
def latest(
    here: Here,
    point: Annotated[list[str] | None, Query(description="only these points, as equipment/point")] = None,
    equipment: Annotated[list[str] | None, Query(description="only the points of this equipment")] = None,
    room: Annotated[list[str] | None, Query(description="only the points of what stands in this room")] = None,
) -> Json:
    """
    Give the newest reading of each point that has one: `[time in µs, value, quality]` by `equipment/point`.

    Quality is a set of bits, 0 for good. `offline` holds the points whose device has told that it has no value any
    more, and since when: what was read last does not speak for now.
    """
    chosen = chosen_points(here, point, equipment, room)
    return Json({"now_us": here.clock(), "readings": readings_of(here, chosen), "offline": offline_of(here, chosen)})


@router.get("/range", response_class=Json)
def range_(
    here: Here,
    point: Annotated[list[str], Query(description="equipment/point; up to 20 times")],
    from_: Annotated[
        str | None, Query(alias="from", description="ISO 8601 or µs; a day before `to` if left out")
    ] = None,
    to: Annotated[str | None, Query(description="ISO 8601 or µs; now if left out")] = None,
    step: Annotated[str, Query(description="raw, auto, or a length of time such as 15min")] = "auto",
) -> Json:
    """
    Give readings from `from` up to, not including, `to`: raw, or summed up by steps.

    Raw: columns `time_us`, `value`, `quality`. By steps: `time_us` (start of the step), `mean`, `min`, `max`, `last`,
    `count`; steps begin at midnight of the site's time zone, and a step without a reading is absent.
    """
    points = _checked_points(here.site, point)
    zone = here.site.time_zone
    end_us = here.clock() if to is None else parse_time(to, "to", zone)
    start_us = max(0, end_us - _DAY_US) if from_ is None else parse_time(from_, "from", zone)
    if start_us >= end_us:
        raise bad_request(
            "bad-range", f"'from' ({start_us} µs) is not before 'to' ({end_us} µs).", "Swap them, or leave out one."
        )
    span_us = end_us - start_us
    step_us = None if step == "raw" else _round_step(span_us) if step == "auto" else parse_step(step)
    series = (
        _raw(here, points, start_us, end_us) if step_us is None else _by_steps(here, points, start_us, end_us, step_us)
    )
    return Json({"from_us": start_us, "to_us": end_us, "step_us": step_us, "series": series})


def readings_of(here: Context, chosen: NDArray[np.intp]) -> dict[str, list[float]]:
    """Return `[time_us, value, quality]` by key of those of the chosen points that have been read."""
    board = here.live.snapshot()
    known = chosen[board.time_us[chosen] != 0]
    columns = (board.time_us[known].tolist(), board.value[known].tolist(), board.quality[known].tolist())
    return {
        here.live.table.key(i): [time_us, value, quality]
        for i, time_us, value, quality in zip(known.tolist(), *columns, strict=True)
    }


def offline_of(here: Context, chosen: NDArray[np.intp]) -> dict[str, int]:
    """Return since when [µs] those of the chosen points are offline whose device has told so, by key."""
    offline_us = here.live.snapshot().offline_us
    return {here.live.table.key(i): int(offline_us[i]) for i in chosen.tolist() if offline_us[i]}


def chosen_points(
    here: Context, point: list[str] | None, equipment: list[str] | None, room: list[str] | None
) -> NDArray[np.intp]:
    """
    Return the indices of the points named, and of those of the equipment and rooms named; all, if nothing is.

    Raises
    ------
    ApiError
        If a name means nothing.
    """
    table = here.live.table
    if point is None and equipment is None and room is None:
        return np.arange(len(table), dtype=np.intp)
    chosen: set[int] = set()
    for key in point or ():
        if key not in table.index:
            raise unknown_point(here.site, key)
        chosen.add(table.index[key])
    items = [find_equipment(here.site, name) for name in equipment or ()]
    items += [item for name in room or () for item in equipment_in(here.site, name)]
    chosen.update(table.index[f"{item.id}/{name}"] for item in items for name in item.points)
    return np.array(sorted(chosen), dtype=np.intp)


def _checked_points(site: Site, keys: list[str]) -> list[str]:
    points = list(dict.fromkeys(keys))
    if len(points) > MOST_POINTS:
        raise bad_request(
            "too-many-points",
            f"{len(points)} points were asked for at once.",
            f"Ask for up to {MOST_POINTS} at a time.",
        )
    for key in points:
        if key not in site.points.index:
            raise unknown_point(site, key)
    return points


def _raw(here: Context, points: list[str], start_us: int, end_us: int) -> list[dict[str, Any]]:
    # Counted before they are read: a year of raw readings must not be brought to memory only to be refused.
    counted = here.store.aggregate(points, start_us, end_us, end_us - start_us, start_us)
    _refuse_too_many(sum(int(a.count.sum()) for a in counted.values()), points, start_us, end_us)
    read = here.store.series(points, start_us, end_us)
    # The count leaves out impossible readings; these do count here.
    _refuse_too_many(sum(len(s) for s in read.values()), points, start_us, end_us)
    return [
        _head(here.site, key) | {"time_us": read[key].time_us, "value": read[key].value, "quality": read[key].quality}
        for key in points
    ]


def _by_steps(here: Context, points: list[str], start_us: int, end_us: int, step_us: int) -> list[dict[str, Any]]:
    _refuse_too_many(-(-(end_us - start_us) // step_us) * len(points), points, start_us, end_us)
    read = here.store.aggregate(points, start_us, end_us, step_us, _midnight_us(here.site, start_us))
    return [
        _head(here.site, key)
        | {
            "time_us": read[key].time_us,
            "mean": read[key].mean,
            "min": read[key].min,
            "max": read[key].max,
            "last": read[key].last,
            "count": read[key].count,
        }
        for key in points
    ]


def _head(site: Site, key: str) -> dict[str, Any]:
    address = site.points.addresses[site.points.index[key]]
    return {"point": key, "unit": address.unit, "kind": address.kind}


def _refuse_too_many(values: int, points: list[str], start_us: int, end_us: int) -> None:
    if values > MOST_VALUES:
        step_s = _round_step((end_us - start_us) * len(points)) // 1_000_000
        raise bad_request(
            "too-many-values",
            f"The answer would hold {values} values; {MOST_VALUES} is the most.",
            f"Ask for a shorter time, for fewer points, or for step={step_s}s.",
        )


def _round_step(span_us: int) -> int:
    """Return the shortest round step [µs] that cuts a span into no more than about `AUTO_STEPS`."""
    for step_s in _ROUND_STEPS_S:
        if span_us <= step_s * 1_000_000 * AUTO_STEPS:
            return step_s * 1_000_000
    weeks = -(-span_us // (AUTO_STEPS * 7 * _DAY_US))
    return weeks * 7 * _DAY_US


def _midnight_us(site: Site, time_us: int) -> int:
    """Return the midnight before a time in the site's time zone, so that steps of a day are the hospital's days."""
    day = datetime.fromtimestamp(time_us // 1_000_000, site.time_zone)
    return int(day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000
